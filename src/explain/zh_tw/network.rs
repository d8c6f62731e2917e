//! Codes that come of the way to a host, in Chinese: see `../network.rs`.

use super::Said;
use crate::wire::Hresult;

pub(super) const SAID: &[Said<Hresult>] = &[
    Said {
        of: Hresult(0xC004_F039),
        meaning: "字面上表示金鑰管理服務 (KMS) 未啟用；依照 Microsoft 的說明，是 KMS 沒有回應要求。目前不知道有任何\
                  主機會送出此代碼。",
        cause: "用戶端與主機之間的 TCP 連接埠 1688 遭到封鎖，或主機上沒有服務在該連接埠接聽。",
        remedy: "在主機的防火牆以及中間的所有設備上開放 TCP 1688，並確認主機的軟體保護服務正在執行且接聽連線。",
    },
    Said {
        of: Hresult(0x8007_06BA),
        meaning: "RPC 伺服器無法使用：未能與主機建立連線。",
        cause: "主機的防火牆沒有為金鑰管理服務設定例外、SRV 記錄已過時，或主機已關機。",
        remedy: "在主機上允許 TCP 1688，更正 SRV 記錄，並從用戶端所在的網路測試連線。",
    },
    Said {
        of: Hresult(0x8007_232A),
        meaning: "DNS 伺服器失敗。在 KMS 主機上則表示：主機無法發佈自己的 SRV 記錄。",
        cause: "DNS 或網路發生問題；在主機上，則是該 DNS 區域不接受主機的動態更新 (事件 12293)。",
        remedy: "修復 DNS。在主機上，允許其寫入 _vlmcs._tcp 記錄，或手動建立該記錄。在此期間，可以用 slmgr /skms 指\
                 定用戶端要使用的主機。",
    },
    Said {
        of: Hresult(0x8007_232B),
        meaning: "查詢的名稱在 DNS 中不存在：用戶端的網域中沒有 _vlmcs._tcp。",
        cause: "沒有主機在該網域發佈記錄、用戶端查詢了其他網域，或產品是 KMS 用戶端但原本並不打算使用 KMS。",
        remedy: "發佈 SRV 記錄 _vlmcs._tcp.DOMAIN (連接埠 1688)，或以 slmgr /skms HOST 指定主機。沒有 KMS 的環境請安\
                 裝其他類型的金鑰。",
    },
    Said {
        of: Hresult(0x8007_251D),
        meaning: "該名稱在 DNS 中存在，但沒有 SRV 記錄。",
        cause: "記錄遭到刪除、因清除機制而過期，或建立成其他類型的記錄。",
        remedy: "重新發佈 SRV 記錄 _vlmcs._tcp.DOMAIN (連接埠 1688)，或以 slmgr /skms HOST 指定主機。",
    },
    Said {
        of: Hresult(0x8007_007B),
        meaning: "電腦沒有 DNS 尾碼，因此沒有可供尋找主機的網域，完全不會送出查詢。Microsoft 的說明只提到 DNS 名稱不\
                  存在。",
        cause: "電腦不屬於任何網域，而 DHCP 伺服器也沒有提供網域名稱。",
        remedy: "為電腦設定 DNS 尾碼 (DHCP 選項 15 或連線的設定)，以 slmgr /skms-domain DOMAIN 設定查詢用的網域，或\
                 以 slmgr /skms HOST 指定主機。",
    },
    Said {
        of: Hresult(0x8009_2328),
        meaning: "DNS 名稱不存在：用戶端找不到 KMS 主機的 SRV 記錄。",
        cause: "與 0x8007232B 相同：沒有發佈記錄，或查詢了錯誤的網域。",
        remedy: "發佈 SRV 記錄 _vlmcs._tcp.DOMAIN (連接埠 1688)，或以 slmgr /skms HOST 指定主機。",
    },
    Said {
        of: Hresult(0x8007_267C),
        meaning: "電腦沒有設定 DNS 伺服器，因此無法查詢主機。",
        cause: "網路介面卡沒有 DNS 伺服器，手動設定與 DHCP 都沒有提供。",
        remedy: "設定 DNS 伺服器，以 slmgr /skms 用位址指定主機，或改用 MAK。",
    },
    Said {
        of: Hresult(0xC002_0017),
        meaning: "RPC 伺服器無法使用，這是用戶端的事件 8198 所回報的形式。",
        cause: "當時無法連線到主機：常見的情況是 VPN 尚未連線，或 VPN 強制所有流量都經過它。",
        remedy: "讓電腦能連線到主機的 TCP 1688 (經由 VPN 或繞過 VPN)，重新啟動軟體保護服務，然後再次啟用。",
    },
    Said {
        of: Hresult(0x8007_139F),
        meaning: "某項元件不在呼叫所需的狀態；用戶端的事件 8198 以此代碼回報無法聯繫的 KMS 主機。",
        cause: "與 0xC0020017 相同：用戶端提出要求時，通往主機的路徑尚未就緒。",
        remedy: "檢查 VPN 與路由，重新啟動軟體保護服務，然後再次啟用。",
    },
    Said {
        of: Hresult(0x0000_071C),
        meaning: "通訊失敗：對方未回應就關閉連線。這是 Win32 錯誤 1820，不是 HRESULT；某些測試用戶端會顯示它，\
                  Windows 不會。",
        cause: "主機或途中的設備在收到要求之後中斷連線：收到的內容使其當機，或達到某項限制。",
        remedy: "查看主機當時的記錄，並以 kmsproof 再次送出相同的要求，以得知通訊在何處中斷。",
    },
];
