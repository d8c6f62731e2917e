//! Codes the licensing client computes, in Chinese: see `../client.rs`.

use super::Said;
use crate::wire::Hresult;

pub(super) const SAID: &[Said<Hresult>] = &[
    Said {
        of: Hresult(0xC004_F038),
        meaning: "主機回應成功，但其計數低於用戶端的要求，也就是計數不足。此代碼不會出現在網路上：由用戶端自行比較兩\
                  個數字。",
        cause: "最近 30 天內向這台主機提出要求的電腦 (包括提出要求的這一台) 少於 25 台 (Windows 用戶端) 或 5 台 \
                (Windows Server、Office)。未執行 sysprep /generalize 就複製的電腦共用同一個用戶端識別碼，只算一台。",
        remedy: "在主機上以 slmgr /dli 查看計數，並讓更多電腦提出要求；用戶端每兩小時會自動重試。如果事件 12290 不斷\
                 出現而計數停滯不前，請檢查是否有許多事件帶有相同的用戶端識別碼。",
    },
    Said {
        of: Hresult(0xC004_F074),
        meaning: "沒有可用的 KMS 主機：用戶端所知的每一台主機都無法連線，或以錯誤回應。它概括了多次失敗，也隱藏了各\
                  次失敗的代碼。",
        cause: "TCP 連接埠 1688 遭到封鎖、SRV 記錄指向已不存在的主機、主機的軟體保護服務已停止，或時鐘相差超過四小\
                時 (其中的代碼為 0xC004F06C)。",
        remedy: "查看用戶端應用程式記錄檔中的事件 12288：第一個欄位是真正的代碼，第三個欄位是嘗試連線的主機。接著測\
                 試到該主機的連線，例如使用 kmsproof probe。",
    },
    Said {
        of: Hresult(0x4004_F040),
        meaning: "產品已啟用；擁有者應確認產品使用權。這是表示成功的代碼。",
        cause: "某些啟用之後的正常情況。",
        remedy: "不需要處理。",
    },
];
