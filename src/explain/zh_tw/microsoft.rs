//! Codes of Microsoft's own activation servers, in Chinese: see `../microsoft.rs`.

use super::Said;
use crate::wire::Hresult;

pub(super) const SAID: &[Said<Hresult>] = &[
    Said {
        of: Hresult(0xC004_B005),
        meaning: "啟用伺服器拒絕了授權。某些模擬的主機認得此代碼；從未見過正版 KMS 主機送出它。",
        cause: "若由 KMS 主機傳回，表示該主機有自訂的規則，例如允許的用戶端識別碼清單。",
        remedy: "檢查是哪一台主機回應 (slmgr /dlv 會顯示)，以及它是否為您所管理的主機。",
    },
    Said {
        of: Hresult(0xC004_C001),
        meaning: "Microsoft 的啟用伺服器認定產品金鑰無效。",
        cause: "MAK 輸入錯誤，或該金鑰從未核發。",
        remedy: "再次輸入金鑰；若仍出現，請向 Microsoft 授權啟用中心查證。應使用 KMS 的電腦則改為安裝 KMS 用戶端安裝\
                 金鑰。",
    },
    Said {
        of: Hresult(0xC004_C003),
        meaning: "Microsoft 的啟用伺服器已封鎖產品金鑰。電腦詢問的是 Microsoft，不是貴組織的主機。",
        cause: "安裝了遭封鎖的 MAK 或零售金鑰，往往來自映像檔或隨電腦附上。",
        remedy: "應使用 KMS 的電腦，請安裝其版本的 KMS 用戶端安裝金鑰，並執行 slmgr /ato。否則請向 Microsoft 授權啟\
                 用中心取得新的 MAK。",
    },
    Said {
        of: Hresult(0xC004_C008),
        meaning: "產品金鑰已達啟用次數上限。",
        cause: "一組 KMS 主機金鑰可用於六台主機，每台可啟用十次；重建主機會用掉次數。",
        remedy: "以電話啟用主機，或向 Microsoft 授權啟用中心申請更多啟用次數。",
    },
    Said {
        of: Hresult(0xC004_C020),
        meaning: "多次啟用金鑰 (MAK) 已達啟用次數上限。",
        cause: "MAK 只能啟用固定的次數；每次重新安裝都會計算。",
        remedy: "向 Microsoft 授權啟用中心申請更多啟用次數，或改用 KMS 啟用。",
    },
    Said {
        of: Hresult(0xC004_C021),
        meaning: "多次啟用金鑰 (MAK) 連延展的次數也已用完。",
        cause: "MAK 曾延展過一次，而該上限也已達到。",
        remedy: "向 Microsoft 授權啟用中心申請更多啟用次數，或改用 KMS 啟用。",
    },
];
