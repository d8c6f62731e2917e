//! Checks of the RPC layer.

use super::{Advice, MendedBy::*};

pub(super) const ADVICE: &[Advice] = &[
    Advice {
        id: "rpc/transport/answered",
        mended_by: &[Author, Admin, Network],
        cause: "The host failed on what it was sent, is overloaded or limits connections, or a device on the way \
                dropped the connection.",
        remedy: "Read the host's log at that moment and repeat the request alone with kmsproof probe: if it fails \
                 again, the cause is in the bytes, if not, in the load.",
    },
    Advice {
        id: "rpc/transport/nothing-unasked",
        mended_by: &[Author],
        cause: "The host sends an answer twice, or sends what belongs to another connection.",
        remedy: "Capture the connection and read it with kmsproof decode: what follows the last answer is one PDU \
                 too many.",
    },
    Advice {
        id: "rpc/header/version",
        mended_by: &[Author, Tester],
        cause: "The host writes a wrong version number, or another service answers on the port.",
        remedy: "Begin every PDU with the bytes 5 and 0. If the answer is no RPC at all, check address and port.",
    },
    Advice {
        id: "rpc/header/drep",
        mended_by: &[Author],
        cause: "The host leaves the field empty, or writes integers in the byte order of its own processor and says \
                so.",
        remedy: "Send the data representation 10 00 00 00 and write every integer little endian.",
    },
    Advice {
        id: "rpc/header/frag-length",
        mended_by: &[Author],
        cause: "The length was counted before the PDU was complete, counts the stub alone, or the last bytes are not \
                sent.",
        remedy: "Set frag_length to the bytes of the whole PDU, header included, and send exactly as many.",
    },
    Advice {
        id: "rpc/header/auth-length",
        mended_by: &[Author],
        cause: "The host answers as if the connection were authenticated, or never sets the field.",
        remedy: "Set auth_length to 0 and append no trailer.",
    },
    Advice {
        id: "rpc/header/call-id",
        mended_by: &[Author],
        cause: "The host numbers the calls itself or expects them to begin at 1; a Windows client begins at 2. If \
                it happens only with several connections at once, they share state.",
        remedy: "Copy the call id of the PDU that is being answered.",
    },
    Advice {
        id: "rpc/header/flags",
        mended_by: &[Author],
        cause: "The host sends the same flags with every PDU, or copies those of the request.",
        remedy: "Set first and last on an answer in one piece (0x03), and conc_mpx (0x10) on a bind_ack only if the \
                 bind had it.",
    },
    Advice {
        id: "rpc/pdu/well-formed",
        mended_by: &[Author, Network],
        cause: "A length that does not fit the bytes: frag_length, a count of results, or a secondary address \
                without the padding after it. Or a device on the way that changes the stream.",
        remedy: "Read the conversation with kmsproof decode: it shows the field and the offset where reading \
                 stopped.",
    },
    Advice {
        id: "rpc/pdu/expected-kind",
        mended_by: &[Author],
        cause: "The host answers every PDU alike, or has lost track of where the conversation stands.",
        remedy: "Answer bind with bind_ack or bind_nak, alter_context with alter_context_resp, and a request with a \
                 response or a fault.",
    },
    Advice {
        id: "rpc/bind/accepted",
        mended_by: &[Author, Admin, Tester],
        cause: "Another RPC service listens on the port, the KMS service does not run, or the host refuses the \
                transfer syntaxes that were offered.",
        remedy: "Check address and port, and that the service runs. In the host's program, accept the interface \
                 51c82175-844e-4750-b0d8-ec255555bc06 version 1.0, with NDR32 at least.",
    },
    Advice {
        id: "rpc/bind/result-count",
        mended_by: &[Author],
        cause: "The host answers only the contexts it knows and leaves out the others, such as NDR64 or the bind \
                time feature negotiation.",
        remedy: "Give one result for each context offered, in their order, refusals included.",
    },
    Advice {
        id: "rpc/bind/results",
        mended_by: &[Author],
        cause: "The host sends a fixed bind_ack instead of one made from the bind, or leaves the syntax of a \
                refused context in its place.",
        remedy: "For an accepted context repeat a transfer syntax that was offered for it; for a refused one send \
                 zeros.",
    },
    Advice {
        id: "rpc/bind/one-syntax",
        mended_by: &[Author],
        cause: "The host accepts NDR32 and NDR64 side by side.",
        remedy: "Accept the one you prefer and refuse the other with result 2, reason 2. Windows hosts prefer NDR64.",
    },
    Advice {
        id: "rpc/bind/features",
        mended_by: &[Author],
        cause: "The host answers the feature negotiation with fixed bits.",
        remedy: "Grant of the features asked for those you have (1 security context multiplexing, 2 keep connection \
                 on orphan), and no other.",
    },
    Advice {
        id: "rpc/bind/secondary-address",
        mended_by: &[Author, Network],
        cause: "The length leaves out the NUL, or the port is written into the program instead of taken from the \
                connection. Where a device maps ports, the difference is expected.",
        remedy: "Send the port that the host listens on as decimal text, and count its NUL.",
    },
    Advice {
        id: "rpc/bind/fragment-size",
        mended_by: &[Author],
        cause: "The host sends sizes of its own choice, or returns the client's without rounding them.",
        remedy: "Send for both sizes the smaller of what was offered and 5,840, rounded down to a multiple of \
                 eight, and no less than 2,048.",
    },
    Advice {
        id: "rpc/bind/assoc-group",
        mended_by: &[Author],
        cause: "The host returns the 0 of the bind, which only means that the client has no group yet.",
        remedy: "Give each new association a number other than 0, another one for each connection.",
    },
    Advice {
        id: "rpc/bind/reserved",
        mended_by: &[Author],
        cause: "Memory was not cleared before the PDU was built, or the padding after the secondary address is \
                counted from the wrong place.",
        remedy: "Clear the reserved bytes, and pad to a multiple of four from the start of the PDU.",
    },
    Advice {
        id: "rpc/alter/unchanged",
        mended_by: &[Author],
        cause: "The host answers an alter_context with the code that answers a bind.",
        remedy: "Send a secondary address of length 0, and the fragment sizes and the association group of the \
                 bind_ack.",
    },
    Advice {
        id: "rpc/response/context-id",
        mended_by: &[Author],
        cause: "The host always answers on context 0; a Windows client calls on context 1 once it speaks NDR64.",
        remedy: "Copy p_cont_id of the request.",
    },
    Advice {
        id: "rpc/response/cancel-count",
        mended_by: &[Author],
        cause: "Memory was not cleared before the PDU was built.",
        remedy: "Write two zeros after the context id.",
    },
    Advice {
        id: "rpc/response/alloc-hint",
        mended_by: &[Author],
        cause: "The host leaves the hint at 0, or counts the header as well.",
        remedy: "Send the length of the stub.",
    },
    Advice {
        id: "rpc/response/fragments",
        mended_by: &[Author],
        cause: "First and last are set wrongly, or fragments of two calls are mixed.",
        remedy: "Send the fragments of one call one after another, the first marked first and the last marked last. \
                 An answer of KMS fits in one.",
    },
    Advice {
        id: "rpc/response/no-fault",
        mended_by: &[Author, Admin],
        cause: "The host cannot read the stub (often NDR64 read as NDR32), does not know the context, or a policy \
                on it forbids calls without authentication.",
        remedy: "Explain the status of the fault, as in kmsproof explain 0x000006F7; it says which of these it is.",
    },
    Advice {
        id: "rpc/fault/form",
        mended_by: &[Author],
        cause: "The host builds a fault from a response and leaves parts of it standing.",
        remedy: "Send a status that is not 0, zeros in what is reserved, and no stub.",
    },
];
