//! Checks of the RPC layer, in Chinese: see `../../checks/rpc.rs`.

use super::Said;

pub(super) const SAID: &[Said<&str>] = &[
    Said {
        of: "rpc/transport/answered",
        meaning: "在連線結束或逾時之前，主機會回應每一次 bind 與每一次呼叫。",
        cause: "主機無法處理收到的內容、負載過重或限制連線數，或途中的設備中斷了連線。",
        remedy: "查看主機當時的記錄，並以 kmsproof probe 單獨重送該要求：若再次失敗，原因在於位元組的內容；若成功，\
                 原因在於負載。",
    },
    Said {
        of: "rpc/transport/nothing-unasked",
        meaning: "主機不會送出沒有被要求的資料。",
        cause: "主機重複送出同一個回應，或送出屬於其他連線的資料。",
        remedy: "擷取該連線，並以 kmsproof decode 讀取：最後一個回應之後的 PDU 就是多餘的。",
    },
    Said {
        of: "rpc/header/version",
        meaning: "每個 PDU 的通訊協定版本都是 5.0。",
        cause: "主機寫入錯誤的版本號碼，或該連接埠上回應的是其他服務。",
        remedy: "每個 PDU 都以位元組 5 與 0 開頭。如果回應根本不是 RPC，請檢查位址與連接埠。",
    },
    Said {
        of: "rpc/header/drep",
        meaning: "每個 PDU 的資料表示法都是 little endian、ASCII、IEEE。",
        cause: "主機沒有填寫此欄位，或以自己處理器的位元組順序寫入整數並如此標示。",
        remedy: "資料表示法送出 10 00 00 00，所有整數都以 little endian 寫入。",
    },
    Said {
        of: "rpc/header/frag-length",
        meaning: "每個 PDU 的長度都與它所標示的相同。",
        cause: "主機在 PDU 完成之前就計算長度、只計算 stub 的長度，或沒有送出最後幾個位元組。",
        remedy: "將 frag_length 設為整個 PDU (含標頭) 的位元組數，並送出同樣多的位元組。",
    },
    Said {
        of: "rpc/header/auth-length",
        meaning: "PDU 都不帶驗證用的尾段：KMS 不做驗證。",
        cause: "主機把連線當成經過驗證的連線來回應，或從未設定此欄位。",
        remedy: "將 auth_length 設為 0，且不附加尾段。",
    },
    Said {
        of: "rpc/header/call-id",
        meaning: "每個回應都會原樣帶回所回應 PDU 的呼叫識別碼 (call id)。",
        cause: "主機自行為呼叫編號，或預期從 1 開始；Windows 用戶端從 2 開始。如果只在同時有多條連線時發生，表示連線\
                之間共用了狀態。",
        remedy: "複製所回應 PDU 的呼叫識別碼。",
    },
    Said {
        of: "rpc/header/flags",
        meaning: "單一片段的回應帶有 first 與 last 旗標；如果 bind 要求了 conc_mpx，bind_ack 會帶回這個旗標。",
        cause: "主機在每個 PDU 都送出相同的旗標，或直接複製要求的旗標。",
        remedy: "單一片段的回應設定 first 與 last (0x03)；只有在 bind 帶有 conc_mpx (0x10) 時，才在 bind_ack 設定\
                 它。",
    },
    Said {
        of: "rpc/pdu/well-formed",
        meaning: "每個 PDU 都可以讀取到最後一個位元組。",
        cause: "長度與位元組不符：frag_length、結果的數目，或次要位址後面缺少填補。也可能是途中的設備更改了資料流。",
        remedy: "以 kmsproof decode 讀取通訊過程：它會顯示在哪個欄位、哪個位移停止讀取。",
    },
    Said {
        of: "rpc/pdu/expected-kind",
        meaning: "每個 PDU 的種類，都是對所送出 PDU 的回應。",
        cause: "主機對所有 PDU 都以同樣方式回應，或弄錯了通訊進行到哪一步。",
        remedy: "以 bind_ack 或 bind_nak 回應 bind，以 alter_context_resp 回應 alter_context，以 response 或 fault \
                 回應要求。",
    },
    Said {
        of: "rpc/bind/accepted",
        meaning: "提供 KMS 的主機會接受 bind。",
        cause: "該連接埠上接聽的是其他 RPC 服務、KMS 服務沒有執行，或主機拒絕了所提供的傳輸語法。",
        remedy: "檢查位址與連接埠，並確認服務正在執行。在主機程式中，應接受介面 \
                 51c82175-844e-4750-b0d8-ec255555bc06 版本 1.0，至少支援 NDR32。",
    },
    Said {
        of: "rpc/bind/result-count",
        meaning: "提供了多少個呈現內容 (presentation context)，就有多少個結果。",
        cause: "主機只回應它認得的呈現內容，略過其他項目，例如 NDR64 或 bind 時的功能交涉。",
        remedy: "依照順序為每個呈現內容提供一個結果，被拒絕的也要列入。",
    },
    Said {
        of: "rpc/bind/results",
        meaning: "被接受的呈現內容會指明為它提供的一種傳輸語法，被拒絕的則不指明任何語法。",
        cause: "主機送出固定的 bind_ack，而不是依照 bind 產生，或在被拒絕的呈現內容留下了傳輸語法。",
        remedy: "被接受的呈現內容，重複為它提供的傳輸語法；被拒絕的則送出零。",
    },
    Said {
        of: "rpc/bind/one-syntax",
        meaning: "一次 bind 最多接受一種傳輸語法。",
        cause: "主機同時接受 NDR32 與 NDR64。",
        remedy: "接受較偏好的一種，並以結果 2、原因 2 拒絕另一種。Windows 主機偏好 NDR64。",
    },
    Said {
        of: "rpc/bind/features",
        meaning: "bind 時所要求的功能中，只會授予要求過的項目。",
        cause: "主機以固定的位元回應功能交涉。",
        remedy: "在所要求的功能中授予主機具備的項目 (1 為安全性內容多工，2 為在孤立時保留連線)，不授予其他項目。",
    },
    Said {
        of: "rpc/bind/secondary-address",
        meaning: "次要位址是所連線的連接埠，以十進位文字表示，結尾有一個 NUL。",
        cause: "長度沒有計入 NUL，或連接埠寫死在程式中，而不是取自連線。如果途中有設備轉換連接埠，出現差異是正常的。",
        remedy: "以十進位文字送出主機接聽的連接埠，並將 NUL 計入長度。",
    },
    Said {
        of: "rpc/bind/fragment-size",
        meaning: "兩個片段大小是相同的八的倍數，介於 2,048 與 5,840 之間，且不大於所提供的值。",
        cause: "主機送出自訂的大小，或未經捨入就送回用戶端的值。",
        remedy: "兩個大小都取所提供的值與 5,840 中較小者，向下捨入為八的倍數，且不小於 2,048。",
    },
    Said {
        of: "rpc/bind/assoc-group",
        meaning: "關聯群組不是 0。",
        cause: "主機送回 bind 中的 0，而該值只表示用戶端還沒有群組。",
        remedy: "為每個新的關聯指派 0 以外的號碼，每條連線各不相同。",
    },
    Said {
        of: "rpc/bind/reserved",
        meaning: "bind_ack 或 alter_context_resp 中，結果之前的保留位元組都是零。",
        cause: "建立 PDU 之前沒有清除記憶體，或次要位址後面的填補從錯誤的位置起算。",
        remedy: "清除保留位元組，並從 PDU 的開頭起算，填補至四的倍數。",
    },
    Said {
        of: "rpc/alter/unchanged",
        meaning: "alter_context_resp 沒有次要位址，也不改變片段大小與關聯群組。",
        cause: "主機以回應 bind 的程式碼來回應 alter_context。",
        remedy: "送出長度為 0 的次要位址，以及與 bind_ack 相同的片段大小與關聯群組。",
    },
    Said {
        of: "rpc/response/context-id",
        meaning: "response 會指明其要求所在的呈現內容。",
        cause: "主機一律在呈現內容 0 上回應；Windows 用戶端改用 NDR64 之後，會在呈現內容 1 上呼叫。",
        remedy: "複製要求的 p_cont_id。",
    },
    Said {
        of: "rpc/response/cancel-count",
        meaning: "沒有取消任何呼叫時，取消計數為 0，其後的位元組也是 0。",
        cause: "建立 PDU 之前沒有清除記憶體。",
        remedy: "在呈現內容識別碼之後寫入兩個零。",
    },
    Said {
        of: "rpc/response/alloc-hint",
        meaning: "配置提示 (allocation hint) 不是 0，也不大於存根 (stub)。",
        cause: "主機將配置提示留為 0，或把標頭也計算在內。",
        remedy: "送出存根的長度。",
    },
    Said {
        of: "rpc/response/fragments",
        meaning: "片段依照順序，從第一個到最後一個，都屬於同一次呼叫。",
        cause: "first 與 last 設定錯誤，或兩次呼叫的片段混在一起。",
        remedy: "依序送出同一次呼叫的片段，第一個標示 first，最後一個標示 last。KMS 的回應只需要一個片段。",
    },
    Said {
        of: "rpc/response/no-fault",
        meaning: "格式正確的呼叫會得到 response，而不是 fault。",
        cause: "主機無法讀取存根 (往往是把 NDR64 當成 NDR32 讀取)、不認得該呈現內容，或主機上有原則禁止未經驗證的呼\
                叫。",
        remedy: "查詢 fault 狀態碼的說明，例如 kmsproof explain 0x000006F7；它會說明是哪一種情況。",
    },
    Said {
        of: "rpc/fault/form",
        meaning: "fault 沒有存根，保留位元為零，且狀態碼不是 0。",
        cause: "主機以 response 改造成 fault，留下了部分內容。",
        remedy: "送出不為 0 的狀態碼，保留欄位填零，且不附存根。",
    },
];
