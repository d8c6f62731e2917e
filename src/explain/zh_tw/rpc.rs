//! Fault statuses of the RPC layer, in Chinese: see `../rpc.rs`.

use super::Said;
use crate::wire::Hresult;

pub(super) const SAID: &[Said<Hresult>] = &[
    Said {
        of: Hresult(0x1C01_0002),
        meaning: "作業編號超出範圍。KMS 介面只有一項作業，編號為 0。",
        cause: "要求帶有其他作業編號，或該連接埠後面是其他服務。",
        remedy: "來自一般用戶端時：檢查該連接埠是否屬於 KMS 主機。來自測試時：對這種要求而言，這是正確的回應。",
    },
    Said {
        of: Hresult(0x1C01_0003),
        meaning: "伺服器不認得呼叫所指的介面。",
        cause: "在從未被接受的呈現內容 (presentation context) 上呼叫，或對方是 RPC 伺服器但不是 KMS 主機。",
        remedy: "檢查該位址是否屬於 KMS 主機。若只有部分用戶端遇到，請在擷取的封包中比對其 bind 與 alter context 和\
                 收到的回應。",
    },
    Said {
        of: Hresult(0x1C01_000B),
        meaning: "違反 RPC 通訊協定：PDU 的格式有誤或順序不對。",
        cause: "在 bind 之前送出要求、片段長度錯誤，或途中的設備更改了資料流。",
        remedy: "擷取通訊過程，並以 kmsproof decode 讀取；它所指出的第一個 PDU 就是原因。",
    },
    Said {
        of: Hresult(0x0000_06F7),
        meaning: "存根 (stub) 收到錯誤的資料：無法讀取呼叫的引數。這是 Win32 錯誤 1783。",
        cause: "存根中的大小互相矛盾、存根被截斷，或在 NDR64 的呈現內容上送出 NDR32 資料，或者相反。",
        remedy: "擷取該要求，將其大小、最大計數與傳輸語法，和 bind 時的約定互相比對。",
    },
    Said {
        of: Hresult(0x0000_0005),
        meaning: "RPC 層拒絕呼叫者。這是 RPC 錯誤中的 Win32 代碼，不是命令提示字元權限不足時的 0x80070005。",
        cause: "有原則禁止未經驗證的 RPC 呼叫。KMS 用戶端都是匿名的。",
        remedy: "在主機上檢查「限制未經驗證的 RPC 用戶端」原則，以及 RPC 介面的篩選器。",
    },
];
