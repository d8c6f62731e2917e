//! Bind time feature negotiation: a transfer syntax that is none, and asks for features (MS-RPCE 2.2.2.14, 3.3.1.5.3).

use super::rpc_tools::{PLAIN_NAK, expect_bind, names, plain};
use crate::conform::accept::{Then, Want, loose, ok};
use crate::conform::{Capability, Case, Confidence, Level, NO_SYNTAX, Talk};
use crate::wire::rpc::{ContextElement, SyntaxId};

pub(super) static CASES: &[Case] = &[
    Case::new(
        "rpc/features/granted",
        Level::Win,
        "features a host grants",
        "Of the features asked for at bind time those are granted that the host has, with result 3 and no syntax.",
        "MS-RPCE 2.2.2.14; Samba raw protocol tests (bind_time); seen live on Samba 4.17",
        |t| {
            for (asked, results) in GRANTED {
                let contexts = vec![plain(t, 0), features(t, 1, *asked)];
                let accepts = [ok(Want::Ack(results), Then::Open)];
                let seen = expect_bind(t, &format!("features 0x{asked:04x}"), contexts, &accepts)?;
                names(t, &seen, &[SyntaxId::NDR32, SyntaxId::NONE]);
                t.still_serves("a request then");
            }
            Ok(())
        },
    )
    .needs(&[Capability::Btfn]),
    Case::new(
        "rpc/features/first-syntax-only",
        Level::Win,
        "features that are not the first syntax",
        "A context asks for features when its first transfer syntax does so, whatever follows, and else it does not.",
        "Samba raw protocol tests (bind_time_only_first)",
        |t| {
            let asking = SyntaxId::bind_time_features(3);
            let contexts = vec![t.context(0, &[SyntaxId::NDR32, asking])];
            let seen = expect_bind(t, "after NDR32", contexts, &[ok(Want::Ack(&[(0, 0)]), Then::Open)])?;
            names(t, &seen, &[SyntaxId::NDR32]);
            t.still_serves("a request then");
            let contexts = vec![plain(t, 0), t.context(1, &[NO_SYNTAX, asking])];
            let accepts = [ok(Want::Ack(&[(0, 0), (2, 2)]), Then::Open)];
            expect_bind(t, "after a syntax nobody knows", contexts, &accepts)?;
            let contexts = vec![t.context(1, &[asking, SyntaxId::NDR32]), plain(t, 0)];
            let accepts = [ok(Want::Ack(&[(3, 3), (0, 0)]), Then::Open)];
            expect_bind(t, "before NDR32", contexts, &accepts)?;
            t.still_serves("a request in the context after it");
            Ok(())
        },
    )
    .needs(&[Capability::Btfn]),
    Case::new(
        "rpc/features/asked-twice",
        Level::Win,
        "features asked for twice",
        "A bind in which two contexts ask for features is refused with a bind_nak, and the connection closed.",
        "MS-RPCE 3.3.1.5.3; Samba raw protocol tests (bind_time_twice); seen live on Samba 4.17",
        |t| {
            let contexts = vec![plain(t, 0), features(t, 1, 3), features(t, 2, 1)];
            expect_bind(t, "the bind", contexts, PLAIN_NAK)?;
            Ok(())
        },
    )
    .needs(&[Capability::Btfn]),
    Case::new(
        "rpc/features/in-alter-context",
        Level::Win,
        "features asked for too late",
        "In an alter_context features cannot be asked for: such a context is refused with (2,2).",
        "seen live on Samba 4.17",
        |t| {
            t.bind()?;
            let offered = t.offer(vec![features(t, 1, 3)]);
            t.send_alter(&offered);
            let accepts = [ok(Want::Ack(&[(2, 2)]), Then::Open), loose(Want::AnyFault, Then::Either)];
            let seen = t.expect("the alter_context", &accepts);
            names(t, &seen, &[SyntaxId::NONE]);
            t.still_serves("a request then");
            Ok(())
        },
    )
    .confidence(Confidence::Medium)
    .needs(&[Capability::Btfn]),
];

fn features(t: &Talk<'_>, id: u16, asked: u16) -> ContextElement {
    t.context(id, &[SyntaxId::bind_time_features(asked)])
}

/// What is asked for, and the results of the two contexts.
const GRANTED: &[(u16, &[(u16, u16)])] = &[
    (0, &[(0, 0), (3, 0)]),
    (1, &[(0, 0), (3, 1)]),
    (2, &[(0, 0), (3, 2)]),
    (3, &[(0, 0), (3, 3)]),
    (0xffff, &[(0, 0), (3, 3)]),
];
