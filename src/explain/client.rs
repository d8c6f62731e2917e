//! Codes the licensing client computes, from an answer or from having got none.

use super::{DecidedBy::*, Entry, Shown};
use crate::wire::Hresult;

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        code: Hresult(0xC004_F038),
        name: Some("SL_E_VL_NOT_ENOUGH_COUNT"),
        decided_by: &[Client],
        meaning: "The host answered with success, but its count is below what the client requires. Never on the wire: the \
                  client compares the two numbers itself.",
        cause: "Fewer than 25 machines (Windows clients) or 5 (Windows Server, Office) have asked this host in the last 30 \
                days, the asking one included. Machines cloned without sysprep /generalize share one client id and count \
                once.",
        remedy: "See the count with slmgr /dli on the host and let more machines ask; the client tries again every two \
                 hours by itself. If the count stands still while event 12290 keeps coming, look for the same client id in \
                 many events.",
        shown: Shown::Itself,
        source: "Microsoft Learn, Error 0xC004F038; Volume activation error codes; Microsoft Volume Activation 2.0 \
                 Operations Guide (2008), event 12289",
    },
    Entry {
        code: Hresult(0xC004_F074),
        name: Some("SL_E_VL_BINDING_SERVICE_UNAVAILABLE"),
        decided_by: &[Client],
        meaning: "No KMS host could be used: every one the client knows was unreachable or answered with an error. It sums \
                  up several failures and hides the code of each.",
        cause: "TCP port 1688 is blocked, the SRV record names a host that is gone, the host's Software Protection service \
                is stopped, or the clocks differ by more than four hours (0xC004F06C inside).",
        remedy: "Read event 12288 in the client's Application log: its first field is the real code, its third the host \
                 that was tried. Then test the way there, for instance with kmsproof probe.",
        shown: Shown::Itself,
        source: "Microsoft Learn, Error 0xC004F074 when you activate Windows; Volume activation error codes",
    },
    Entry {
        code: Hresult(0x4004_F040),
        name: Some("SL_E_VL_INFO_PRODUCT_USER_RIGHT"),
        decided_by: &[Client],
        meaning: "The product is activated; the owner should verify the product use rights. A success code.",
        cause: "Normal after some activations.",
        remedy: "Nothing to do.",
        shown: Shown::Itself,
        source: "slerror.h",
    },
];
