//! Codes a host answers with, or decides about itself.

use super::{DecidedBy::*, ERROR_CODES, Entry, Shown};
use crate::wire::Hresult;

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        code: Hresult(0x0000_0000),
        name: Some("S_OK"),
        decided_by: &[Host],
        meaning: "The host accepted the request and sent its count. That does not yet mean that the client is activated.",
        cause: "Normal. A host below the threshold answers exactly so: it sends the count it has and leaves the \
                judgement to the client.",
        remedy: "If the client is still not activated, compare the count in its event 12289 with its N policy (25 for \
                 Windows clients, 5 for Windows Server and Office), and see 0xC004F038.",
        shown: Shown::Itself,
        source: "Microsoft Volume Activation 2.0 Operations Guide (2008), events 12289 and 12290",
    },
    Entry {
        code: Hresult(0xC004_F042),
        name: Some("SL_E_VL_KEY_MANAGEMENT_SERVICE_ID_MISMATCH"),
        decided_by: &[Host],
        meaning: "This host cannot activate this product. The host counts the request as failed.",
        cause: "The host's own key (CSVLK) does not cover the product: the client is newer than the host key, or the host \
                is for another application, such as a Windows host asked for Office.",
        remedy: "Point the client at a host that serves the product (slmgr /skms, ospp /sethst), or install the right \
                 host key and the update it needs on this host.",
        shown: Shown::Itself,
        source: "Microsoft Learn, Error 0xC004F042 can't use the specified KMS; Volume activation error codes",
    },
    Entry {
        code: Hresult(0xC004_F06C),
        name: Some("SL_E_VL_INVALID_TIMESTAMP"),
        decided_by: &[Host],
        meaning: "The host finds the time in the request too far from its own clock: more than four hours, both in UTC.",
        cause: "The client's clock is wrong, or the host's is. A time zone alone does no harm, since UTC is compared; it \
                does when somebody set the clock by hand to look right in a wrong zone.",
        remedy: "Run w32tm /resync on the client, check date, time and zone on both, and activate again. If every client \
                 fails at once, suspect the host's clock.",
        shown: Shown::As(Hresult::BINDING_SERVICE_UNAVAILABLE),
        source: "Microsoft Learn, Error 0xC004F06C when you activate Windows; Error 0xC004F074 when you activate Windows \
                 (KB 974998)",
    },
    Entry {
        code: Hresult(0x8007_000D),
        name: Some("HRESULT_FROM_WIN32(ERROR_INVALID_DATA)"),
        decided_by: &[Host, Client, Local],
        meaning: "Data was not what it must be. From a host: it could not make sense of the request. From a client: the \
                  answer failed a check (MAC, hash, padding, version, the echo of client id or time, ePID length), so it \
                  is not trusted; that check comes before the count is looked at.",
        cause: "On the wire: a protocol version other than 4.0, 5.0 or 6.0, or one that the host is too old for, or a \
                malformed request. At the client: a host that is no genuine one or is broken, or something on the way that \
                changes bytes. Also a host that is asked by the very machine it runs on (Windows 8.1 and later refuse \
                that), and on Windows 7 wrong permissions in the registry.",
        remedy: "Update the host so that it knows the client's protocol. Activate from a machine other than the host. If \
                 only answers fail, capture one exchange and read it with kmsproof decode.",
        shown: Shown::Itself,
        source: "Microsoft Learn, Error 0x8007000D when you activate a machine; protocol description, sections 4 and 5; \
                 behaviour of independent hosts",
    },
    Entry {
        code: Hresult(0xC004_D104),
        name: Some("SL_REMAPPING_SP_STATUS_INVALIDARG"),
        decided_by: &[Host],
        meaning: "The security processor of the host reports invalid data. A host answers so when its client table is full \
                  beyond repair.",
        cause: "A client asked with a very high N policy (376 or more), which made the table grow, and 671 different client \
                ids then filled it. Reported of genuine hosts as permanent; ordinary clients never ask for more than 25.",
        remedy: "Find out who sent such requests: event 12290 on the host shows N policy, client id and machine name. An \
                 emulated host recovers by a restart; for a genuine host no repair is published, so plan to replace it.",
        shown: Shown::Unknown,
        source: "slerror.h; behaviour reported by authors of independent hosts, not confirmed by Microsoft",
    },
    Entry {
        code: Hresult(0xC004_F041),
        name: Some("SL_E_VL_KEY_MANAGEMENT_SERVICE_NOT_ACTIVATED"),
        decided_by: &[Host],
        meaning: "The KMS host itself is not activated, so it activates nobody.",
        cause: "The host key was installed but never activated with Microsoft, or the host lost its activation after a \
                change of hardware. That the host sends this code is inferred: only it can know.",
        remedy: "On the host: slmgr /ato, or activate by phone, then check the license status with slmgr /dlv.",
        shown: Shown::Itself,
        source: ERROR_CODES,
    },
    Entry {
        code: Hresult(0xC004_F015),
        name: Some("SL_E_PRODUCT_SKU_NOT_INSTALLED"),
        decided_by: &[Host, Local],
        meaning: "No license is installed for the product. On a host it stands in event 12290, explained there as \
                  0xC004F042; on a client it says that the machine has no license for its own SKU.",
        cause: "On a host: Windows Server 2012 R2 or 2008 R2 was given the host key of Windows 10 alone, which is for \
                hosts that run a client Windows. On a client: a key of another edition.",
        remedy: "On a host: install the key \"Windows Srv 2012R2 DataCtr/Std KMS for Windows 10\" (or a later one) and the \
                 update it needs (KB 3172614 on 2012 R2, KB 3079821 on 2008 R2), then activate the host. On a client: \
                 install the KMS client setup key of its edition.",
        shown: Shown::Unknown,
        source: "Microsoft Learn, Error 0xC004F015 when you activate Windows 10 Enterprise on a Windows Server 2012 R2 KMS \
                 host (KB 3086418); slerror.h",
    },
    Entry {
        code: Hresult(0xC004_F06B),
        name: Some("SL_E_VL_KEY_MANAGEMENT_SERVICE_VM_NOT_SUPPORTED"),
        decided_by: &[Local],
        meaning: "The licensing service of the host found that it runs in a virtual machine and will not serve there.",
        cause: "A host of the Windows Vista era in a virtual machine. Current versions may run on physical and virtual \
                machines alike.",
        remedy: "Move the role to a current version of Windows Server, or to a physical machine.",
        shown: Shown::Unknown,
        source: "slerror.h; Microsoft Learn, Plan for volume activation",
    },
];
