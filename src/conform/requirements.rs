//! What the suite set out to hold hosts to, one requirement after the other: what verifies each of them, and what
//! nobody can verify from outside, or only write down, and why.
//!
//! `reports/conformance/coverage.md` shows it ([`tables`]). A requirement that gets a case moves from [`UNTESTABLE`] to
//! [`COVERED`].

use std::fmt::Write as _;

/// All of it as people read it.
pub fn tables() -> String {
    let ids = |ids: &[&str]| ids.iter().map(|id| format!("`{id}`")).collect::<Vec<_>>().join(" ");
    let mut out = format!(
        "\n## What each requirement is verified by\n\nThe suite set out with {} requirements, by clause; this is what came \
         of each. The table above says where they come from, of each\ncase and check. A star: a part of it cannot be \
         verified, and is in the next table.\n\n| no. | clause | requirement | verified by |\n| ---: | --- | --- | --- |\n",
        COVERED.len() + UNTESTABLE.iter().filter(|gap| !gap.is_part).count()
    );
    for (number, words, by) in COVERED {
        let star = if UNTESTABLE.iter().any(|gap| gap.number == *number) { "*" } else { "" };
        let _ = writeln!(out, "| {number}{star} | {} | {words} | {} |", clause(*number), ids(by));
    }
    let _ = writeln!(
        out,
        "\n## What cannot be verified, and why\n\nWhere a case or check is named it writes down what a host does, and fails no \
         run for it, unless the host dies of it.\n\n\
         | no. | clause | requirement | source | recorded by | why |\n| ---: | --- | --- | --- | --- | --- |"
    );
    for gap in UNTESTABLE {
        let Untestable { number, is_part, requirement, source, recorded_by, why } = gap;
        let star = if *is_part { "*" } else { "" };
        let (clause, by) = (clause(*number), ids(recorded_by));
        let _ = writeln!(out, "| {number}{star} | {clause} | {requirement} | {source} | {by} | {why} |");
    }
    let _ = writeln!(
        out,
        "\n## What only a genuine Windows host can answer\n\nNo genuine host was there to be asked. An answer would settle \
         these requirements:\n\n| no. | question |\n| --- | --- |"
    );
    for (numbers, question) in OPEN {
        let numbers: Vec<_> = numbers.iter().map(ToString::to_string).collect();
        let _ = writeln!(out, "| {} | {question} |", numbers.join(", "));
    }
    out
}

fn clause(number: u8) -> &'static str {
    CLAUSES.iter().rev().find(|(first, _)| *first <= number).map_or("", |(_, clause)| clause)
}

/// Requirements that cases and checks verify: the number, the requirement in a few words, and what verifies it. What
/// each of those asks for in full, it says itself.
pub static COVERED: &[(u8, &str, &[&str])] = &[
    (1, "an ordinary exchange works first, last and after every case", &["rpc/transport/control"]),
    (2, "PDUs come byte by byte", &["rpc/transport/one-byte-segments"]),
    (3, "a bind and a request come in one segment", &["rpc/transport/two-in-one-segment"]),
    (4, "PDUs are split in the header or in the body", &["rpc/transport/split-header", "rpc/transport/split-body"]),
    (5, "a length shorter than the header", &["rpc/transport/short-frag-length"]),
    (6, "a bind without a body", &["rpc/transport/empty-bind"]),
    (7, "a length that is never reached", &["rpc/transport/long-frag-length"]),
    (
        8,
        "the longest fragment, and one byte more",
        &["rpc/transport/full-fragment", "rpc/transport/oversized-fragment"],
    ),
    (9, "the client closes its side after the request", &["rpc/transport/half-close"]),
    (10, "HTTP and TLS", &["rpc/transport/http", "rpc/transport/tls"]),
    (
        12,
        "resets, pauses and idle connections harm nobody",
        &["rpc/transport/reset-mid-call", "rpc/transport/half-a-second", "rpc/transport/idle-connections"],
    ),
    (13, "a bind of another version", &["rpc/header/bind-version", "rpc/bind/refusal-versions"]),
    (14, "a bind of another minor version", &["rpc/header/bind-minor-version"]),
    (15, "a request of another version", &["rpc/header/request-version", "rpc/header/later-versions"]),
    (
        16,
        "big-endian clients",
        &[
            "rpc/header/big-endian",
            "rpc/header/changing-order",
            "rpc/header/big-endian-binds",
            "rpc/header/big-endian-rest",
        ],
    ),
    (17, "data representations nobody has", &["rpc/header/odd-drep", "rpc/header/later-dreps"]),
    (18, "a kind of PDU that does not exist", &["rpc/header/unknown-ptype"]),
    (19, "kinds of PDU that only hosts send", &["rpc/header/wrong-way-ptypes"]),
    (20, "call ids are echoed", &["rpc/header/call-ids", "rpc/header/call-id"]),
    (
        21,
        "what holds of every PDU of a host",
        &[
            "rpc/header/version",
            "rpc/header/drep",
            "rpc/header/auth-length",
            "rpc/header/flags",
            "rpc/pdu/well-formed",
            "rpc/pdu/expected-kind",
        ],
    ),
    (22, "no old memory in faults", &["rpc/header/old-memory", "rpc/fault/form"]),
    (23, "flags that mean nothing on a bind", &["rpc/bind/odd-flags"]),
    (
        24,
        "conc_mpx is echoed where it was asked for",
        &["rpc/bind/multiplexing", "rpc/header/flags", "rpc/alter/keeps-multiplexing"],
    ),
    (25, "header signing is echoed", &["rpc/bind/header-signing"]),
    (26, "the interface with NDR32 is accepted", &["rpc/bind/ndr32", "rpc/bind/accepted"]),
    (27, "an unknown interface", &["rpc/bind/unknown-interface", "rpc/bind/results", "rpc/bind/nothing-known"]),
    (28, "another version of the interface", &["rpc/bind/interface-version"]),
    (29, "an unknown transfer syntax", &["rpc/bind/unknown-transfer-syntax"]),
    (30, "another version of NDR32", &["rpc/bind/syntax-version"]),
    (31, "a known transfer syntax after an unknown one", &["rpc/bind/second-syntax", "rpc/bind/many-syntaxes"]),
    (32, "NDR32 and NDR64 in one bind", &["rpc/bind/ndr32-and-ndr64", "rpc/bind/one-syntax"]),
    (33, "a request in a refused context", &["rpc/bind/request-on-refused"]),
    (34, "features at bind time", &["rpc/features/granted", "rpc/bind/features"]),
    (35, "features count as the first transfer syntax alone", &["rpc/features/first-syntax-only"]),
    (36, "features asked for twice", &["rpc/features/asked-twice"]),
    (37, "features in an alter_context", &["rpc/features/in-alter-context"]),
    (38, "a bind without contexts", &["rpc/bind/no-context"]),
    (39, "a context without transfer syntaxes", &["rpc/bind/no-transfer-syntax"]),
    (40, "fewer contexts than a bind says", &["rpc/bind/missing-contexts"]),
    (41, "two contexts that could both be accepted", &["rpc/bind/two-contexts"]),
    (42, "two contexts of one number", &["rpc/bind/duplicate-context"]),
    (
        43,
        "one result for each context, in their order",
        &["rpc/bind/result-order", "rpc/bind/result-count", "rpc/bind/many-contexts"],
    ),
    (
        44,
        "the secondary address",
        &["rpc/bind/port-as-address", "rpc/bind/address-of-each-connection", "rpc/bind/secondary-address"],
    ),
    (45, "fragment sizes", &["rpc/bind/fragment-sizes", "rpc/bind/fragment-size"]),
    (
        46,
        "a new association group",
        &["rpc/association/new-group", "rpc/bind/assoc-group", "rpc/association/never-the-same"],
    ),
    (47, "an unknown association group", &["rpc/association/unknown-group", "rpc/association/unknown-numbers"]),
    (48, "the association group of an open connection", &["rpc/association/live-group", "rpc/association/own-terms"]),
    (
        49,
        "the association group of a closed connection",
        &["rpc/association/closed-group", "rpc/association/gone-however"],
    ),
    (50, "a second bind", &["rpc/bind/second-bind", "rpc/bind/second-bind-later"]),
    (51, "a connection that begins without a bind", &["rpc/association/not-bound"]),
    (52, "the same in context 65535", &["rpc/association/not-bound-last-context"]),
    (
        53,
        "an alter_context that repeats what is agreed",
        &["rpc/alter/same-context", "rpc/alter/unchanged", "rpc/alter/keeps-sizes", "rpc/alter/ndr64"],
    ),
    (
        54,
        "an alter_context that adds a context",
        &["rpc/alter/new-context", "rpc/alter/many", "rpc/alter/after-trouble"],
    ),
    (55, "an alter_context for an unknown interface", &["rpc/alter/unknown-interface"]),
    (56, "an alter_context that changes a context's interface", &["rpc/alter/change-interface"]),
    (57, "an alter_context with another syntax", &["rpc/alter/change-syntax", "rpc/alter/unknown-syntax"]),
    (58, "an alter_context without contexts or syntaxes", &["rpc/alter/no-contexts", "rpc/alter/no-syntaxes"]),
    (
        59,
        "an alter_context's own sizes and group",
        &["rpc/alter/own-sizes", "rpc/alter/unchanged", "rpc/alter/odd-forms"],
    ),
    (60, "a request in an unknown context", &["rpc/request/unknown-context", "rpc/request/refused-again"]),
    (61, "operations there are none of", &["rpc/request/unknown-operation", "rpc/fragment/refused-calls"]),
    (62, "an object UUID is skipped", &["rpc/request/object"]),
    (63, "an object UUID that is not there", &["rpc/request/object-missing"]),
    (64, "flags that mean nothing on a request", &["rpc/request/flags", "rpc/request/flags-of-faults"]),
    (
        66,
        "what stands before the stub of a response",
        &["rpc/request/response-form", "rpc/response/cancel-count", "rpc/response/alloc-hint"],
    ),
    (67, "the form of a fault", &["rpc/request/fault-form", "rpc/fault/form"]),
    (68, "calls one after the other", &["rpc/request/two-in-a-row", "rpc/request/thousand-in-a-row"]),
    (
        69,
        "two requests at once without conc_mpx",
        &["rpc/request/pipelined", "rpc/request/many-in-a-segment", "rpc/request/good-behind-bad"],
    ),
    (
        70,
        "two requests at once with conc_mpx",
        &["rpc/request/multiplexed", "rpc/request/multiplexed-same-id", "rpc/request/many-in-a-segment"],
    ),
    (71, "a request that is cancelled already", &["rpc/request/cancelled", "rpc/fragment/cancelled-first"]),
    (
        72,
        "co_cancel and orphaned without a call",
        &["rpc/request/co-cancel", "rpc/request/orphaned", "rpc/request/cancels-around"],
    ),
    (73, "a shutdown from the client", &["rpc/request/shutdown"]),
    (74, "a request in two fragments", &["rpc/fragment/two"]),
    (75, "a request in many fragments", &["rpc/fragment/many", "rpc/fragment/any-length"]),
    (76, "a fragment that continues nothing", &["rpc/fragment/not-first"]),
    (77, "a request that is not finished", &["rpc/fragment/first-only"]),
    (78, "a call that begins twice", &["rpc/fragment/first-twice"]),
    (79, "another call while one is not finished", &["rpc/fragment/other-call", "rpc/fragment/other-call-multiplexed"]),
    (80, "the end of another call", &["rpc/fragment/last-of-other-call", "rpc/fragment/near-call-ids"]),
    (81, "later fragments name another context", &["rpc/fragment/other-context"]),
    (82, "cancels between fragments", &["rpc/fragment/cancel-between", "rpc/fragment/others-cancelled"]),
    (
        84,
        "more than four megabytes, said and sent",
        &[
            "rpc/fragment/huge-hint",
            "rpc/fragment/huge-request",
            "rpc/fragment/large",
            "rpc/fragment/too-large-at-last",
        ],
    ),
    (85, "wrong allocation hints", &["rpc/request/alloc-hint"]),
    (86, "an authentication trailer that is not there", &["rpc/auth/missing-trailer"]),
    (87, "unknown kinds and levels of authentication", &["rpc/auth/unknown-type", "rpc/auth/no-type"]),
    (
        88,
        "a request with a trailer nobody agreed on",
        &[
            "rpc/auth/request-trailer",
            "rpc/auth/later-trailers",
            "rpc/auth/fragment-trailers",
            "rpc/auth/alter-trailer",
        ],
    ),
    (89, "a stub shorter than it says", &["ndr/request/short-stub", "ndr/request/ndr64-short-stub"]),
    (90, "a size and a count that differ", &["ndr/request/counts-differ", "ndr/request/ndr64-counts-differ"]),
    (91, "counts no stub can hold", &["ndr/request/huge-counts", "ndr/request/ndr64-huge-counts"]),
    (92, "an empty stub", &["ndr/request/empty-stub", "ndr/request/ndr64-empty-stub"]),
    (93, "bytes after the stub", &["ndr/request/trailing", "ndr/request/ndr64-trailing", "kms/request/large-body"]),
    (
        95,
        "an answer in NDR32",
        &["ndr/answer/ndr32", "ndr/response/well-formed", "ndr/response/padding", "ndr/response/return-code"],
    ),
    (96, "a refusal in NDR32", &["ndr/refusal/ndr32"]),
    (97, "answers and refusals in NDR64", &["ndr/answer/ndr64", "ndr/refusal/ndr64", "ndr/request/noisy-alignment"]),
    (99, "requests of version 4", &["kms/request/v4"]),
    (100, "requests of version 5", &["kms/request/v5"]),
    (101, "requests of version 6", &["kms/request/v6"]),
    (102, "major versions that do not exist", &["kms/request/unknown-version"]),
    (103, "minor versions that do not exist", &["kms/request/minor-version"]),
    (
        105,
        "bodies that are too short",
        &["kms/request/short-v4", "kms/request/short-v5", "kms/request/short-v6", "kms/request/short-body"],
    ),
    (113, "a machine is counted once", &["kms/policy/same-client", "kms/policy/same-id"]),
    (
        114,
        "a new machine counts one more, up to twice N, in its application",
        &[
            "kms/policy/new-client",
            "kms/policy/new-kinds",
            "kms/policy/every-new-machine",
            "kms/policy/new-in-every-way",
            "kms/policy/twice-n",
            "kms/policy/table-grows",
            "kms/policy/full-for-all",
            "kms/policy/full-at-once",
            "kms/policy/refused-n",
            "kms/policy/applications-apart",
        ],
    ),
    (115, "the previous client machine id makes no difference", &["kms/policy/previous-cmid", "kms/policy/new-kinds"]),
    (116, "an unknown product", &["kms/policy/unknown-product", "kms/policy/office-product"]),
    (117, "retail and preview products", &["kms/policy/retail-product"]),
    (118, "an application that is not the product's", &["kms/policy/application"]),
    (119, "any SKU id", &["kms/policy/sku"]),
    (120, "clocks less than four hours off", &["kms/policy/clock-within", "kms/policy/office-granted"]),
    (
        121,
        "clocks more than four hours off",
        &["kms/policy/clock-beyond", "kms/policy/clock-far", "kms/policy/office-clock"],
    ),
    (122, "client times at the ends of 64 bits", &["kms/policy/clock-extremes"]),
    (124, "N policies from 1 to 1,000", &["kms/policy/n-policy", "kms/policy/large-n", "kms/policy/charged"]),
    (125, "N policies beyond 1,000", &["kms/policy/too-large-n"]),
    (126, "every license status", &["kms/request/license-status"]),
    (128, "virtual machines", &["kms/request/vm-flag"]),
    (129, "the longest name", &["kms/request/longest-name"]),
    (130, "a name without its NUL", &["kms/request/unterminated-name"]),
    (131, "lone surrogates in a name", &["kms/request/surrogates-in-name"]),
    (132, "no name", &["kms/request/empty-name"]),
    (133, "bytes after a name's NUL", &["kms/request/bytes-after-name"]),
    (134, "control and format characters in a name", &["kms/request/controls-in-name"]),
    (135, "the minutes that are left make no difference", &["kms/request/grace-minutes"]),
    (136, "a replayed request", &["kms/request/replay"]),
    (137, "a table that is full", &["kms/policy/full-table", "kms/policy/oldest-gives-way"]),
    (138, "the version of an answer", &["kms/response/version"]),
    (139, "the client machine id of an answer", &["kms/response/cmid"]),
    (140, "the client time of an answer", &["kms/response/client-time"]),
    (141, "the length of the ePID", &["kms/response/epid-length"]),
    (143, "the ePID stays the same", &["kms/history/epid-stable"]),
    (144, "a plausible count that does not fall", &["kms/response/count", "kms/history/count-not-falling"]),
    (145, "intervals that clients can live with", &["kms/policy/intervals"]),
    (146, "the MAC of version 4", &["kms/v4/mac"]),
    (147, "the IV of version 5", &["kms/v5/iv"]),
    (148, "the IV of version 6", &["kms/v6/iv", "kms/history/v6-iv-fresh", "kms/request/drawn"]),
    (149, "the random and its hash", &["kms/sealed/random-hash", "kms/history/random-fresh", "kms/request/drawn"]),
    (150, "the exclusive-or'ed IVs", &["kms/v6/xored-ivs"]),
    (151, "the HMAC and its time slot", &["kms/v6/hmac"]),
    (152, "the hardware id", &["kms/history/hwid-constant"]),
    (153, "the padding", &["kms/sealed/padding"]),
    (154, "the length of an answer", &["kms/response/length"]),
    (155, "nothing after the return code", &["ndr/response/trailing"]),
    (156, "the three versions agree", &["kms/policy/versions-agree"]),
    (157, "every address of a host is the same", &["kms/policy/every-address", "rpc/bind/secondary-address"]),
    (158, "valid requests among malformed ones", &["load/valid-among-malformed"]),
    (
        159,
        "every answer is to its own request",
        &["load/answers-to-their-own", "kms/request/alternating", "kms/request/one-connection"],
    ),
    (160, "idle and slow clients keep nobody waiting", &["load/slow-clients", "rpc/transport/idle-connections"]),
    (161, "more connections than a host takes", &["load/many-at-once"]),
    (162, "a host gets over a flood", &["load/flood"]),
    (163, "the host's process: alive, files, memory", &["load/files", "load/memory"]),
    (
        164,
        "the count is of those who asked",
        &[
            "load/count-of-many",
            "kms/policy/counted-at-once",
            "kms/policy/office-refused-not-counted",
            "kms/policy/new-client",
        ],
    ),
];

/// A requirement, or part of one, that nothing can verify.
#[derive(Debug)]
pub struct Untestable {
    /// Its number.
    pub number: u8,
    /// Whether it is only a part: the rest of it is verified.
    pub is_part: bool,
    /// What is required, in one sentence.
    pub requirement: &'static str,
    /// Where that comes from.
    pub source: &'static str,
    /// What writes down what a host does, and can fail no run for it.
    pub recorded_by: &'static [&'static str],
    /// Why it cannot be verified.
    pub why: &'static str,
}

/// What cannot be verified, or only written down.
pub static UNTESTABLE: &[Untestable] = &[
    part(
        7,
        "A connection on which a PDU never comes to its end is closed within an idle limit.",
        "robustness; no text",
        "No text says how long a host may wait, and Samba keeps such a connection open for more than 45 s.",
    ),
    only_recorded(
        11,
        "How long a host keeps an idle connection open is known.",
        "Samba keeps them open for more than 45 s",
        &["rpc/transport/idle"],
        "No text sets a limit: what is seen in the first seconds is written down.",
    ),
    part(
        24,
        "An alter_context_resp never has the flag conc_mpx, though the alter_context has it.",
        "Samba raw protocol tests",
        "Samba's tests ask for this only where the alter_context does not have the flag, and its server echoes it \
         otherwise: both are right until a Windows host says more.",
    ),
    part(
        56,
        "An alter_context that gives a context another interface of the host is answered with a protocol error.",
        "Samba raw protocol tests (change of the abstract syntax)",
        "A KMS host has one interface. Of one that it does not have, a host that looks for the interface first says \
         (2,1) rightly.",
    ),
    only_recorded(
        65,
        "A response in a context above 255 names it as Windows does, in its low eight bits.",
        "Samba raw protocol tests",
        &["rpc/request/wide-context"],
        "What Windows does there is a defect: who names the whole number is right as well.",
    ),
    part(
        69,
        "A second request on a connection without conc_mpx is refused while the first is under way.",
        "Samba server code",
        "A call of KMS is over at once: no client can bring about that one is under way, and both ways are accepted.",
    ),
    only_recorded(
        83,
        "A call whose fragments say different data representations is a protocol error.",
        "Samba server code",
        &["rpc/fragment/changed-drep"],
        "It is in Samba's code alone; no test of Samba's and no text says so of Windows.",
    ),
    part(
        91,
        "For a count that no stub can hold no memory is asked for.",
        "MS-RPCE 3.1.3.5.2",
        "From outside it shows only when the host dies of it, or is slow; how much it asked for does not.",
    ),
    only_recorded(
        94,
        "A request of size 0 is answered with a code or with a fault.",
        "independent implementations answer 0x8007000D",
        &["ndr/request/size-zero"],
        "Both are answers, and no text prefers one.",
    ),
    Untestable {
        number: 98,
        is_part: false,
        requirement: "The return code after data is aligned as NDR does it: the padding first, and then the code.",
        source: "C706 section 14.2.2",
        recorded_by: &[],
        why: "With the code 0 both layouts are the same bytes, and no host sends data and another code together; one \
              that does breaks ndr/response/return-code already.",
    },
    a_guess(
        104,
        "A version inside the encryption that is not the outer one is refused.",
        &["kms/request/inner-version"],
    ),
    only_recorded(
        106,
        "A body that is longer than it need be is refused, or granted as if it were not.",
        "no text; some clients send more than they need",
        &["kms/request/longer"],
        "Which of the two a genuine host does nobody has published.",
    ),
    a_guess(107, "A ciphertext that is no whole number of blocks is refused.", &["kms/request/partial-block"]),
    a_guess(108, "A ciphertext with a wrong bit is refused.", &["kms/request/corrupted-block"]),
    a_guess(109, "Padding that is not PKCS#7's is refused.", &["kms/request/padding"]),
    a_guess(110, "A body encrypted for another version is refused.", &["kms/request/other-cipher"]),
    a_guess(111, "A request of version 4 with a wrong MAC is refused.", &["kms/request/v4-mac"]),
    a_guess(112, "A client machine id of zeros is answered.", &["kms/request/nil-cmid"]),
    a_guess(123, "An N policy of 0 is granted with a count of at least 1.", &["kms/policy/zero-n"]),
    part(
        124,
        "With every N policy from 1 to 1,000 the count of a charged host is from N to 2N.",
        "independent implementations agree",
        "It is held to for the N policy of Windows clients alone: for each larger one a host would have to be charged \
         with as many machines more.",
    ),
    a_guess(
        127,
        "A license status that does not exist is granted or refused with 0x8007000D.",
        &["kms/request/unknown-license-status"],
    ),
    part(
        134,
        "Line ends and format characters of a name do no harm in the host's log.",
        "robustness; no text",
        "What a host writes down does not show on the wire: only that it grants and lives on does.",
    ),
    part(
        137,
        "A host whose table of 671 machines is full answers 0xC004D104.",
        "independent implementations on genuine hosts",
        "It spoils a genuine host for good, so that it is asked only where --disruptive is given, of hosts that may \
         be spoiled; and hosts that give up their oldest entry and grant are right as well. A wrong code alone can fail.",
    ),
    only_recorded(
        142,
        "The ePID has its documented form, with a date that is not in the future.",
        "protocol description, section 3; Microsoft 2008 operations guide",
        &["kms/response/epid-form"],
        "No client reads it, and Microsoft's own example has a year that the form does not allow.",
    ),
    Untestable {
        is_part: true,
        ..only_recorded(
            145,
            "Both intervals are what slmgr would set, and stay the same.",
            "Microsoft Learn, slmgr options (/sai, /sri)",
            &["kms/response/intervals", "kms/history/intervals-constant"],
            "An administrator sets them, and may set them anew during a run.",
        )
    },
    part(
        161,
        "A host that takes no more connections refuses the next one at once.",
        "robustness; no text",
        "A host whose limit is higher than 120 connections is not brought to it.",
    ),
];

/// What only a genuine Windows host can answer: the requirements it would settle, and the question.
pub static OPEN: &[(&[u8], &str)] = &[
    (
        &[104, 107, 108, 109, 110, 111],
        "What comes of a corrupted ciphertext, wrong padding, another version inside or a wrong MAC: a code, a fault or a \
         close?",
    ),
    (&[51, 52], "Is a request before any bind refused with a bind_nak of reason 4, as by Samba?"),
    (&[90], "How strictly was the host's interface built: is a count that differs from its size a fault 0x6F7?"),
    (&[112, 123, 125, 127], "What comes of a nil client machine id, N = 0, N beyond 1,000, a license status beyond 6?"),
    (&[106], "Are bodies that are longer than they need be granted?"),
    (&[120, 121], "Is a clock that is exactly four hours off granted?"),
    (&[11], "How long does a connection stay open when nothing happens on it, and is it kept open after an answer?"),
    (&[18], "Does a kind of PDU that does not exist get a fault or a close?"),
    (&[137], "What does a host answer whose table is full, and does it recover?"),
];

/// What requirements are about, from this number on.
const CLAUSES: &[(u8, &str)] = &[
    (1, "transport and framing"),
    (13, "the header of a PDU"),
    (23, "bind"),
    (53, "alter_context"),
    (60, "requests"),
    (74, "fragments"),
    (86, "authentication"),
    (89, "NDR"),
    (99, "KMS requests"),
    (138, "KMS answers"),
    (158, "under load"),
];

const fn part(number: u8, requirement: &'static str, source: &'static str, why: &'static str) -> Untestable {
    Untestable { number, is_part: true, requirement, source, recorded_by: &[], why }
}

const fn only_recorded(
    number: u8,
    requirement: &'static str,
    source: &'static str,
    recorded_by: &'static [&'static str],
    why: &'static str,
) -> Untestable {
    Untestable { number, is_part: false, requirement, source, recorded_by, why }
}

const fn a_guess(number: u8, requirement: &'static str, recorded_by: &'static [&'static str]) -> Untestable {
    only_recorded(number, requirement, UNPUBLISHED, recorded_by, "It is a guess of what a genuine host does.")
}

const UNPUBLISHED: &str = "no text; nobody has published what a genuine host answers";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conform::{Case, Confidence, Level, cases};
    use crate::proto::verify::{CheckId, Level as CheckLevel};

    /// How many requirements there are.
    const LAST: u8 = 164;

    #[test]
    fn every_requirement_is_covered_or_untestable_and_never_both() {
        let mut numbers: Vec<u8> = COVERED.iter().map(|(number, ..)| *number).collect();
        numbers.extend(UNTESTABLE.iter().filter(|gap| !gap.is_part).map(|gap| gap.number));
        numbers.sort_unstable();
        assert_eq!(numbers, (1..=LAST).collect::<Vec<_>>());
        for gap in UNTESTABLE.iter().filter(|gap| gap.is_part) {
            assert!(COVERED.iter().any(|(number, ..)| *number == gap.number), "the rest of {} is nowhere", gap.number);
        }
        assert!(OPEN.iter().flat_map(|(numbers, _)| *numbers).all(|number| (1..=LAST).contains(number)));
    }

    #[test]
    fn what_covers_a_requirement_can_fail_and_what_records_it_cannot() {
        let can_fail = |id: &str| {
            let of_case = |case: &Case| case.confidence != Confidence::Low && case.level != Level::Info;
            let case = cases::all().find(|case| case.id == id).map(of_case);
            let check = || CheckId::from_id(id).map(|check| check.check().level != CheckLevel::May);
            case.or_else(check).unwrap_or_else(|| panic!("{id} is neither a case nor a check"))
        };
        for (number, _, ids) in COVERED {
            assert!(!ids.is_empty() && ids.iter().all(|id| can_fail(id)), "{number}: {ids:?}");
        }
        for gap in UNTESTABLE {
            assert!(!gap.recorded_by.iter().any(|id| can_fail(id)), "{}: {:?}", gap.number, gap.recorded_by);
            assert!(gap.requirement.ends_with('.') && gap.why.ends_with('.'), "{}", gap.number);
        }
        // A case that fails nobody is no proof of anything: each is in the table that says so.
        let silent = cases::all().filter(|case| !can_fail(case.id));
        for case in silent {
            let is_told = UNTESTABLE.iter().any(|gap| gap.recorded_by.contains(&case.id));
            assert!(is_told, "{} only records, and nothing says why", case.id);
        }
    }
}
