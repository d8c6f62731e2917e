//! Codes a machine comes to by itself, in Chinese: see `../local.rs`.

use super::Said;
use crate::wire::Hresult;

pub(super) const SAID: &[Said<Hresult>] = &[
    Said {
        of: Hresult(0x8007_0005),
        meaning: "存取遭拒。此命令需要以較高的權限執行；沒有向任何主機送出資料。",
        cause: "執行 slmgr 或 ospp 時沒有系統管理員權限。少數情況是 SELF 缺少 DCOM 存取權限 (事件 8229)。",
        remedy: "以滑鼠右鍵按一下命令提示字元或指令碼，選擇「以系統管理員身分執行」。如果仍無效，請恢復 SELF 的 \
                 DCOM 權限。",
    },
    Said {
        of: Hresult(0x8007_0057),
        meaning: "引數無效。這不是 KMS 的結果：目前不知道有任何主機會送出此代碼。",
        cause: "命令列或傳給授權服務的引數有誤。",
        remedy: "檢查命令是否有打字錯誤，先看 slmgr /skms 所指定的主機名稱與連接埠。",
    },
    Said {
        of: Hresult(0xC004_F035),
        meaning: "大量授權金鑰無效：韌體中沒有合格 Windows 的標記。由用戶端判定，不會送出要求。",
        cause: "Windows 7 的大量授權版僅供升級。這台電腦出貨時沒有附 Windows，或所附的版本不符合升級資格。",
        remedy: "使用 MAK，或具有完整授權的零售金鑰。更換 KMS 主機沒有幫助。",
    },
    Said {
        of: Hresult::GRACE_EXPIRED,
        meaning: "寬限期已過，電腦處於通知狀態。它說明的是一種狀況，不是主機的回應。",
        cause: "電腦在寬限期內未曾連線到任何主機，或自上次更新啟用後已有 180 天未連線。",
        remedy: "將電腦帶到可以連線到主機的地方，執行 slmgr /ato；傳回的代碼會說明問題所在。",
    },
    Said {
        of: Hresult(0x4004_F00C),
        meaning: "產品處於安裝後的初始寬限期 (授權狀態 2)。這是資訊，不是錯誤。",
        cause: "第一次啟用之前的正常情況。",
        remedy: "請在期限結束前啟用；用戶端也會每兩小時自動嘗試一次。",
    },
    Said {
        of: Hresult(0x4004_F00D),
        meaning: "產品處於啟用失效或硬體變更後的寬限期 (授權狀態 3)。這是資訊，不是錯誤。",
        cause: "已有 180 天沒有更新啟用，或硬體變更超出容許範圍。",
        remedy: "在可以連線到主機的地方，以 slmgr /ato 重新啟用。",
    },
    Said {
        of: Hresult(0xC004_F00F),
        meaning: "目前的硬體與上次啟用時差異太大。",
        cause: "更換了主機板、許多零件或驅動程式，或移動了虛擬機器。",
        remedy: "KMS 用戶端：重新開機，或執行 slmgr /ato。KMS 主機或 MAK：透過網路或電話重新啟用。",
    },
    Said {
        of: Hresult(0xC004_F014),
        meaning: "沒有安裝產品金鑰，因此沒有可啟用的項目。",
        cause: "金鑰已被移除，或製作映像檔時沒有放入金鑰。",
        remedy: "安裝 Microsoft 為該版本公佈的 KMS 用戶端安裝金鑰，然後執行 slmgr /ato。",
    },
    Said {
        of: Hresult(0xC004_F050),
        meaning: "產品金鑰無效。此代碼來自安裝金鑰的動作，不是來自 KMS 主機。",
        cause: "打字錯誤、其他版本的金鑰，或主機金鑰所屬的產品太新，這台電腦還不認得。",
        remedy: "核對金鑰與版本是否相符。若是主機金鑰，請先安裝能讓電腦認得它的更新。",
    },
    Said {
        of: Hresult(0xC004_F051),
        meaning: "產品金鑰已遭封鎖。",
        cause: "Microsoft 封鎖了此金鑰，或此金鑰在這台電腦上遭到封鎖。",
        remedy: "安裝貴組織有權使用的其他金鑰；並向 Microsoft 授權啟用中心詢問此金鑰遭到封鎖的原因。",
    },
    Said {
        of: Hresult(0xC004_F056),
        meaning: "產品未能透過 KMS 啟用。這是目前狀態的原因，不是主機的回應。",
        cause: "這台電腦是 KMS 用戶端，但尚未啟用，或啟用已失效。",
        remedy: "執行 slmgr /ato (Office 為 ospp /act)，並依照傳回的代碼處理。",
    },
    Said {
        of: Hresult(0xC004_F064),
        meaning: "電腦被判定為非正版，其寬限期已過。",
        cause: "Windows 未通過驗證，且未及時改正。",
        remedy: "安裝正確版本的正版金鑰並啟用，然後重新驗證。",
    },
    Said {
        of: Hresult(0x4004_F065),
        meaning: "電腦被判定為非正版，目前處於其寬限期 (授權狀態 4)。這是資訊，不是錯誤。Microsoft 的網頁將它寫成 \
                  0xC004F065。",
        cause: "Windows 未通過驗證。",
        remedy: "在期限結束前，安裝正確版本的正版金鑰並啟用。",
    },
    Said {
        of: Hresult(0xC004_F065),
        meaning: "電腦被判定為非正版，目前處於其寬限期。Microsoft 的網頁寫的是此代碼；標頭檔中則是 0x4004F065，其中\
                  的位元表示資訊而非錯誤。",
        cause: "Windows 未通過驗證。",
        remedy: "在期限結束前，安裝正確版本的正版金鑰並啟用。",
    },
    Said {
        of: Hresult(0xC004_F069),
        meaning: "找不到產品 SKU：金鑰屬於另一個版本，而不是已安裝的版本。",
        cause: "安裝金鑰屬於其他版本，或屬於試用版、零售版的映像檔。",
        remedy: "安裝與此版本完全相符的 KMS 用戶端安裝金鑰，或安裝該金鑰所屬的大量授權版本。",
    },
    Said {
        of: Hresult(0xC004_F075),
        meaning: "授權服務正在停止。",
        cause: "服務在閒置時會自行結束，或電腦正在關機。",
        remedy: "再試一次；如果持續發生，請手動啟動軟體保護服務並查看其事件。",
    },
    Said {
        of: Hresult(0xC004_F079),
        meaning: "檢查自身授權的應用程式沒有設定必要的查問資料 (challenge)。這不是 KMS 的結果。",
        cause: "程式呼叫授權服務的方式有誤。",
        remedy: "修復或更新回報此代碼的程式。",
    },
    Said {
        of: Hresult(0xC004_F07A),
        meaning: "授權檢查的驗證資料無法確認。這不是 KMS 的結果。",
        cause: "程式呼叫授權服務的方式有誤，或授權檔案已損毀。",
        remedy: "修復或更新回報此代碼的程式。",
    },
    Said {
        of: Hresult(0xC004_F07B),
        meaning: "授權服務回報自己正在執行。這不是 KMS 的結果。",
        cause: "可能是某項操作需要先停止該服務；標頭檔中沒有進一步說明。",
        remedy: "查明是哪個工具回報此代碼，必要時先停止軟體保護服務再執行該工具。",
    },
    Said {
        of: Hresult(0xC004_F07C),
        meaning: "韌體中標記 (SLIC) 的版本無效。這不是 KMS 的結果。",
        cause: "韌體的標記屬於另一個世代的 Windows，或標記已損毀。",
        remedy: "向電腦製造商詢問韌體更新。KMS 主機無法改變這個情況。",
    },
    Said {
        of: Hresult(0xC004_F07D),
        meaning: "此類型的產品金鑰不能用於該項操作。這不是 KMS 的結果。",
        cause: "例如在需要大量授權金鑰的地方使用了零售金鑰。",
        remedy: "安裝操作所需類型的金鑰；KMS 用戶端請使用其版本的 KMS 用戶端安裝金鑰。",
    },
    Said {
        of: Hresult(0xC004_F07E),
        meaning: "電話啟用的識別碼 (安裝識別碼與確認識別碼) 與產品金鑰不符。這不是 KMS 的結果。",
        cause: "金鑰在取得識別碼之後已變更，或識別碼屬於另一台電腦。",
        remedy: "讀取目前的安裝識別碼，再次以電話啟用。",
    },
    Said {
        of: Hresult(0xC004_F07F),
        meaning: "電話啟用的識別碼未繫結至這台電腦的產品。這不是 KMS 的結果。",
        cause: "在尚未取得對應的安裝識別碼之前輸入了確認識別碼，或安裝識別碼已變更。",
        remedy: "讀取目前的安裝識別碼，再次以電話啟用。",
    },
    Said {
        of: Hresult(0xC004_F081),
        meaning: "在 Active Directory 中找不到啟用物件。這屬於以 Active Directory 為基礎的啟用，不是 KMS 的結果。",
        cause: "樹系中從未建立啟用物件，或該物件已被刪除，或電腦無法讀取。",
        remedy: "若樹系應提供這種啟用方式，請建立該物件；若不是，此代碼無妨，電腦會改用 KMS。",
    },
    Said {
        of: Hresult(0xC004_F082),
        meaning: "為 Active Directory 中的啟用物件所取的名稱太長。這不是 KMS 的結果。",
        cause: "建立啟用物件時給了超出目錄允許長度的名稱。",
        remedy: "以較短的名稱再次建立該物件。",
    },
    Said {
        of: Hresult(0xC004_F083),
        meaning: "Active Directory 的架構版本不支援啟用物件。這不是 KMS 的結果。",
        cause: "樹系的架構比以 Active Directory 為基礎的啟用還舊。",
        remedy: "將樹系的架構擴充到支援的版本，或繼續使用 KMS。",
    },
];
