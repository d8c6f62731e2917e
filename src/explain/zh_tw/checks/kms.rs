//! Checks of the stub and of the activation answer in it, in Chinese: see `../../checks/kms.rs`.

use super::Said;

pub(super) const SAID: &[Said<&str>] = &[
    Said {
        of: "ndr/response/well-formed",
        meaning: "response 的存根可以讀取：大小、指標與計數一致，且位元組齊全。",
        cause: "大小的寬度錯誤，或在某個呈現內容上使用另一種傳輸語法的配置：NDR32 為四個位元組的地方，NDR64 為八個。",
        remedy: "依照大小、指標、計數、位元組、傳回碼的順序寫入，寬度依呈現內容的傳輸語法而定。",
    },
    Said {
        of: "ndr/response/padding",
        meaning: "只用於對齊的位元組都是零。",
        cause: "沒有清除記憶體，原本的內容因此送了出去。",
        remedy: "在只用於對齊的位元組填零。",
    },
    Said {
        of: "ndr/response/trailing",
        meaning: "傳回碼之後沒有其他資料。",
        cause: "存根放在過長的緩衝區中送出，或在傳回碼之後又加上填補。",
        remedy: "存根以傳回碼結束。",
    },
    Said {
        of: "ndr/response/return-code",
        meaning: "有回應時傳回碼為 0，沒有回應時不為 0。",
        cause: "主機拒絕要求卻附上回應，或表示成功卻沒有附上回應。",
        remedy: "有回應時傳回 0；拒絕時送出大小 0、不帶指標，並附上代碼。",
    },
    Said {
        of: "kms/response/envelope",
        meaning: "回應使用其版本的信封格式。",
        cause: "主機以同一種信封格式回應所有版本、遺漏了其中一部分，或以其他金鑰加密。",
        remedy: "依照要求的版本選擇信封格式：V4 有 MAC；V5 有隨機數與其雜湊；V6 另有硬體識別碼、IV 與 HMAC。",
    },
    Said {
        of: "kms/response/version",
        meaning: "通訊協定版本與要求相同，加密之外與加密之內都是。",
        cause: "主機寫入自己最新的版本，或加密之外與之內的版本不一致。",
        remedy: "將要求的主要與次要版本複製到兩處。",
    },
    Said {
        of: "kms/response/body",
        meaning: "回應本文具備所有欄位。",
        cause: "本文被截斷，或錯誤的 ePID 大小使其後的所有欄位位移。",
        remedy: "以 kmsproof decode 讀取回應；第一個不合理的欄位，前面就是錯誤的大小。",
    },
    Said {
        of: "kms/response/length",
        meaning: "回應的長度與其 ePID 大小所表示的完全相同。",
        cause: "ePID 以固定長度的欄位送出，或結尾留有多餘的位元組。",
        remedy: "各欄位應緊接在 ePID 之後，最後一個欄位之後不送出任何位元組。",
    },
    Said {
        of: "kms/response/epid-length",
        meaning: "ePID 的大小為偶數，介於 2 到 128 個位元組，且文字以一個 NUL 結尾。",
        cause: "大小計算的是字元數而不是位元組數、沒有計入 NUL，或文字超過 63 個字元。",
        remedy: "以位元組計算，每個字元兩個，包括 NUL：最多 128 個。",
    },
    Said {
        of: "kms/response/epid-form",
        meaning: "ePID 的形式為 PPPPP-GGGGG-KKK-KKKKKK-03-LCID-BUILD.0000-DDDYYYY，其中的日期不在未來。",
        cause: "ePID 是手動寫入的，或由互不相符的部分拼湊而成。",
        remedy: "用戶端不會判斷它，因此並不急迫。如果它是一項設定，請更正；Windows 主機會自行產生。",
    },
    Said {
        of: "kms/response/cmid",
        meaning: "用戶端識別碼 (CMID) 與要求相同。",
        cause: "識別碼讀取與寫入的位元組順序不同，或弄混了給不同用戶端的回應。",
        remedy: "原封不動複製要求中的 16 個位元組。",
    },
    Said {
        of: "kms/response/client-time",
        meaning: "用戶端時間與要求相同。",
        cause: "主機填入自己的時間，或對用戶端的時間做了捨入。",
        remedy: "原封不動複製要求中的八個位元組。",
    },
    Said {
        of: "kms/response/count",
        meaning: "計數至少為 1 (提出要求的電腦)，且不超過主機所能容納的數目。",
        cause: "主機沒有計入提出要求的電腦 (0)、計算的是要求數而不是電腦數，或送出固定的數字。",
        remedy: "計算該應用程式不同的用戶端識別碼，包括提出要求的這一個，上限為表格的大小，\
                 即曾要求過的最大 N policy 的兩倍，因此不會超過 2,000。與主機上的 slmgr /dli 比對。",
    },
    Said {
        of: "kms/response/intervals",
        meaning: "兩個間隔都介於 15 分鐘與 30 天之間，且更新間隔不短於重試間隔。",
        cause: "有人設定了與預設值相差很大的間隔，或主機有自己固定的間隔。",
        remedy: "在主機上以 slmgr /sai 與 slmgr /sri 設定：15 到 43200 分鐘；預設值為 120 與 10080。",
    },
    Said {
        of: "kms/v4/mac",
        meaning: "V4 回應的 MAC 正確。",
        cause: "使用了其他金鑰、使用了 CMAC 的子金鑰，或本文長度為 16 的倍數時沒有填補。也可能是位元組在途中被更改。",
        remedy: "以 Rijndael 與 160 位元的金鑰計算一般的 CBC-MAC，IV 為零，且一律至少填補一個位元組，以 0x80 開頭。",
    },
    Said {
        of: "kms/v5/iv",
        meaning: "V5 回應的 IV 就是要求的 IV。",
        cause: "主機像 V6 一樣產生新的 IV。",
        remedy: "V5 回應應送回要求的 IV；只有 V6 使用自己的 IV。",
    },
    Said {
        of: "kms/v6/iv",
        meaning: "V6 回應的 IV 不是要求的 IV。",
        cause: "主機像 V5 一樣送回要求的 IV。",
        remedy: "為每個 V6 回應產生新的隨機 IV。",
    },
    Said {
        of: "kms/sealed/random-hash",
        meaning: "V5 或 V6 回應中的雜湊，就是所附隨機數的雜湊。",
        cause: "雜湊是在隨機數與 salt 混合之後才計算、salt 錯誤，或位元組在途中被更改。",
        remedy: "先以 SHA-256 計算 16 個隨機位元組本身的雜湊，再與 salt 混合；salt 是將要求的 IV 當成一個區塊解密的\
                 結果。",
    },
    Said {
        of: "kms/sealed/padding",
        meaning: "V5 或 V6 回應的填補符合 PKCS#7。",
        cause: "明文以零填補，或長度為 16 的倍數時完全沒有填補。",
        remedy: "依照 PKCS#7 填補：1 到 16 個位元組，每個位元組的值都是填補的數目。",
    },
    Said {
        of: "kms/v6/xored-ivs",
        meaning: "V6 回應中以互斥或 (XOR) 運算的 IV 等於 salt。",
        cause: "計算 salt 時以加密取代了解密、使用了 V5 的金鑰，或使用了回應本身的 IV。",
        remedy: "以 V6 金鑰將要求的 IV 當成一個區塊解密；此欄位必須等於該結果。",
    },
    Said {
        of: "kms/v6/hmac",
        meaning: "V6 回應的 HMAC，對用戶端時間所在的時段，或對相差 0x22816889BD 的前後時段值而言是正確的。",
        cause: "金鑰以主機的時鐘而不是用戶端時間產生、HMAC 涵蓋了其他位元組，或保留了摘要錯誤的一半。也可能是位元組\
                在途中被更改。",
        remedy: "以要求中用戶端時間所在的時段產生金鑰，兩個摘要都保留最後 16 個位元組。用戶端的時區與此無關。",
    },
    Said {
        of: "kms/history/epid-stable",
        meaning: "一台主機對每個 KMS 計數識別碼只有一個 ePID。",
        cause: "主機為每次回應或每次啟動產生新的 ePID，或有多台主機以同一個名稱回應。",
        remedy: "ePID 只產生一次並予以保留。如果使用負載平衡器，請以各主機自己的位址分別測試。",
    },
    Said {
        of: "kms/history/count-not-falling",
        meaning: "只要應用程式的電腦持續提出要求，其計數就不會下降。",
        cause: "主機重新啟動後遺失了表格、有多台主機以同一個名稱回應，或太早移除項目。",
        remedy: "以各主機自己的位址分別測試。項目在其電腦最後一次出現的 30 天後移除，只有在較新的項目需要位置時才會\
                 提早。",
    },
    Said {
        of: "kms/history/intervals-constant",
        meaning: "每個回應中的間隔都相同。",
        cause: "有人在執行期間變更了設定，或有多台設定不同的主機以同一個名稱回應。",
        remedy: "以 slmgr /sai 與 slmgr /sri 讓所有主機的設定相同，並以各主機自己的位址分別測試。",
    },
    Said {
        of: "kms/history/v6-iv-fresh",
        meaning: "V6 回應的 IV 都未曾在先前的回應中出現。",
        cause: "IV 是固定的、產生器從相同的種子開始，或重送了舊的回應。",
        remedy: "每個 IV 都取自品質足以產生金鑰的隨機來源。",
    },
    Said {
        of: "kms/history/random-fresh",
        meaning: "回應的隨機數都未曾在先前的回應中出現。",
        cause: "隨機數是固定的、產生器從相同的種子開始，或重送了舊的回應。",
        remedy: "每個隨機數都取自品質足以產生金鑰的隨機來源。",
    },
    Said {
        of: "kms/history/hwid-constant",
        meaning: "一台主機只有一個硬體識別碼。",
        cause: "主機為每次回應或每次啟動產生新的硬體識別碼，或有多台主機以同一個名稱回應。",
        remedy: "硬體識別碼只產生一次並予以保留。如果使用負載平衡器，請以各主機自己的位址分別測試。",
    },
];
