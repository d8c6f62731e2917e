//! Fault statuses of DCE/RPC, from the layer under the KMS service. They are
//! not HRESULTs, and a client that meets one counts the host as failed.

use super::{DecidedBy::*, Entry, Shown};
use crate::wire::Hresult;

const FAULTS: &str = "The Open Group C706, appendix E; MS-RPCE, fault PDU; protocol description, section 1.6";

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        code: Hresult(0x1C01_0002),
        name: Some("nca_s_op_rng_error"),
        decided_by: &[Rpc],
        meaning: "The operation number is out of range. The KMS interface has one operation, number 0.",
        cause: "A request with another operation number, or another service behind the port.",
        remedy: "From an ordinary client: check that the port is that of a KMS host. From a test: this is the right answer \
                 to such a request.",
        shown: Shown::As(Hresult::BINDING_SERVICE_UNAVAILABLE),
        source: FAULTS,
    },
    Entry {
        code: Hresult(0x1C01_0003),
        name: Some("nca_s_unk_if"),
        decided_by: &[Rpc],
        meaning: "The server does not know the interface the call is for.",
        cause: "A call on a presentation context that was never accepted, or an RPC server that is no KMS host.",
        remedy: "Check that the address is that of a KMS host. If only some clients meet it, compare their bind and alter \
                 context with the answers in a capture.",
        shown: Shown::As(Hresult::BINDING_SERVICE_UNAVAILABLE),
        source: FAULTS,
    },
    Entry {
        code: Hresult(0x1C01_000B),
        name: Some("nca_s_proto_error"),
        decided_by: &[Rpc],
        meaning: "The RPC protocol was violated: a PDU that is malformed or out of order.",
        cause: "A request before any bind, a wrong fragment length, or a device on the way that changes the stream.",
        remedy: "Capture the conversation and read it with kmsproof decode; the first PDU it complains about is the cause.",
        shown: Shown::As(Hresult::BINDING_SERVICE_UNAVAILABLE),
        source: FAULTS,
    },
    Entry {
        code: Hresult(0x0000_06F7),
        name: Some("RPC_X_BAD_STUB_DATA"),
        decided_by: &[Rpc],
        meaning: "The stub received bad data: the arguments of the call cannot be read. A Win32 error, 1783.",
        cause: "Sizes in the stub that contradict each other, a stub cut short, or NDR32 data sent on an NDR64 context or \
                the other way round.",
        remedy: "Capture the request and compare its size, max count and transfer syntax with what the bind agreed on.",
        shown: Shown::As(Hresult::BINDING_SERVICE_UNAVAILABLE),
        source: FAULTS,
    },
    Entry {
        code: Hresult(0x0000_0005),
        name: Some("ERROR_ACCESS_DENIED"),
        decided_by: &[Rpc],
        meaning: "The RPC layer refuses the caller. A Win32 error in a fault, not the 0x80070005 of an unelevated prompt.",
        cause: "A policy that forbids unauthenticated RPC calls. KMS clients are anonymous.",
        remedy: "On the host, review the policy \"Restrict unauthenticated RPC clients\" and filters on RPC interfaces.",
        shown: Shown::As(Hresult::BINDING_SERVICE_UNAVAILABLE),
        source: FAULTS,
    },
];
