//! Bind time feature negotiation: a transfer syntax that is none, and asks for features (MS-RPCE 2.2.2.14, 3.3.1.5.3).

use super::tools::{PLAIN_NAK, SERVED_NEXT, expect_bind, expect_bind_next, names, plain, results};
use crate::conform::accept::{Accept, Then, Want, loose, ok};
use crate::conform::host::Patience;
use crate::conform::{Capability, Case, Confidence, Level, Stop, Talk, UNKNOWN_ID};
use crate::wire::Guid;
use crate::wire::rpc::{ContextElement, Flags, SyntaxId};

pub(super) static CASES: &[Case] = &[
    Case::new(
        "rpc/features/known-or-not",
        Level::Win,
        "features beside syntaxes, in any order",
        "Features asked for at bind time are granted with result 3, as far as they were asked for, or are not known, with \
         (2,2); never is a context of theirs accepted, nor any other by their being there refused.",
        "MS-RPCE 2.2.2.14, 3.3.1.5.3",
        |t| {
            let mut known = None;
            let features = [3, 0, 1, 2, 0x8000, 0x00f4, 0xffff];
            let offers = features.into_iter().flat_map(|asked| ORDERS.map(|order| (asked, order))).collect();
            for (asked, order) in t.some_of(offers, 7, 3) {
                beside(t, asked, order, &mut known)?;
            }
            Ok(())
        },
    ),
    Case::new(
        "rpc/features/granted",
        Level::Win,
        "features a host grants",
        "Of the features asked for at bind time those are granted that the host has, with result 3 and no syntax, be \
         several calls at once asked for or not.",
        "MS-RPCE 2.2.2.14; Samba raw protocol tests (bind_time); seen live on Samba 4.17",
        |t| {
            for (asked, results) in GRANTED {
                for flags in t.in_turn(&[Flags::WHOLE, Flags::WHOLE.with(Flags::CONC_MPX)]) {
                    t.connect()?;
                    let offered = t.offer(vec![plain(t, 0), features(t, 1, *asked)]);
                    t.send_bind(flags, &offered);
                    let accepts = [ok(Want::Ack(results), Then::Open)];
                    let seen = t.expect(&format!("features 0x{asked:04x} in a bind with {flags}"), &accepts);
                    names(t, &seen, &[SyntaxId::NDR32, SyntaxId::NONE]);
                    t.still_serves("a request then");
                }
            }
            Ok(())
        },
    )
    .revision(2)
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
            let contexts = vec![plain(t, 0), t.context(1, &[UNKNOWN_ID, asking])];
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
        "rpc/features/near",
        Level::Win,
        "syntaxes that nearly ask for features, and features alone",
        "What differs from the syntax that asks for features in its version or in one of its first eight bytes is an unknown \
         syntax; what asks for them is answered whatever its interface is, and though nothing else is offered.",
        "MS-RPCE 2.2.2.14; Samba server code",
        |t| {
            let asking = SyntaxId::bind_time_features(3);
            let others = [0, 2, 0x1_0001].map(|version| SyntaxId { version, ..asking });
            let bytes = (0..8).map(|byte| SyntaxId { uuid: Guid::from_u128(asking.uuid.as_u128() ^ 1 << (8 * (15 - byte))), ..asking });
            for near in t.some_of(others.into_iter().chain(bytes).collect(), 5, 2) {
                let contexts = vec![plain(t, 0), t.context(1, &[near])];
                let accepts = [ok(Want::Ack(&[(0, 0), (2, 2)]), Then::Either)];
                expect_bind_next(t, &near.to_string(), contexts, &accepts)?;
            }
            let granted = [ok(Want::Ack(&[(3, 3)]), Then::Either)];
            let contexts = vec![features(t, 0, 3)];
            expect_bind_next(t, "features alone", contexts, &granted)?;
            let strange = ContextElement { id: 0, interface: UNKNOWN_ID, transfer: vec![asking] };
            expect_bind_next(t, "features of an unknown interface", vec![strange], &granted)?;
            Ok(())
        },
    )
    .confidence(Confidence::Medium)
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

/// A bind of features and syntaxes in this order; whether features are known must be the same each time.
fn beside(t: &mut Talk<'_>, asked: u16, order: &[SyntaxId], known: &mut Option<bool>) -> Result<(), Stop> {
    t.connect()?;
    let asking = SyntaxId::bind_time_features(asked);
    let syntaxes: Vec<_> =
        order.iter().map(|syntax| if *syntax == SyntaxId::NONE { asking } else { *syntax }).collect();
    let contexts = syntaxes.iter().zip(0..).map(|(syntax, id)| t.context(id, &[*syntax])).collect();
    let offered = t.offer(contexts);
    t.send_bind(Flags::WHOLE, &offered);
    let seen = t.see(Patience::Answer, None);
    let got = results(&seen);
    let accepted: Vec<_> = (0..got.len()).filter(|at| got[*at].0 == 0).collect();
    let is_right = |(at, (result, reason, syntax)): (usize, &(u16, u16, SyntaxId))| match (syntaxes.get(at), result) {
        (Some(offered), _) if *offered == asking => match *result {
            3 => reason & !(asked & 3) == 0 && *syntax == SyntaxId::NONE,
            _ => (*result, *reason) == (2, 2),
        },
        (Some(offered), 0) => *reason == 0 && syntax == offered,
        (_, result) => (*result, *reason) == (2, 2),
    };
    let is_whole = got.len() == syntaxes.len() && accepted.len() == 1 && got.iter().enumerate().all(is_right);
    t.holds("results", is_whole, || {
        let due = "one syntax accepted, the other (2,2), and features (2,2) or (3,those of the asked that there are)";
        let offered = syntaxes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let listed = got.iter().map(|(result, reason, _)| format!("({result},{reason})")).collect::<Vec<_>>().join(" ");
        (format!("for {offered}: {due}"), if listed.is_empty() { seen.to_string() } else { listed })
    });
    let Some(place) = syntaxes.iter().position(|syntax| *syntax == asking).filter(|_| is_whole) else { return Ok(()) };
    let knows = got[place].0 == 3;
    t.field("features", *known.get_or_insert(knows), knows);
    if let (Some(id), false) = (accepted.first(), t.is_over()) {
        t.request(*id as u16);
        t.expect_next("a request in the accepted one", SERVED_NEXT);
        t.request(place as u16);
        t.expect_next("a request in that of the features", &[ok(Want::AnyFault, Then::Either), CLOSED]);
    }
    Ok(())
}

fn features(t: &Talk<'_>, id: u16, asked: u16) -> ContextElement {
    t.context(id, &[SyntaxId::bind_time_features(asked)])
}

const CLOSED: Accept = loose(Want::Silence, Then::Closed);
/// In which order syntaxes are offered; none is where features are asked for.
const ORDERS: [&[SyntaxId]; 6] = [
    &[SyntaxId::NDR32, SyntaxId::NONE],
    &[SyntaxId::NONE, SyntaxId::NDR32],
    &[SyntaxId::NDR32, SyntaxId::NDR64, SyntaxId::NONE],
    &[SyntaxId::NONE, SyntaxId::NDR64, SyntaxId::NDR32],
    &[SyntaxId::NDR64, SyntaxId::NONE, SyntaxId::NDR32],
    &[SyntaxId::NDR32, SyntaxId::NONE, SyntaxId::NDR64],
];
/// What is asked for, and the results of the two contexts.
const GRANTED: &[(u16, &[(u16, u16)])] = &[
    (0, &[(0, 0), (3, 0)]),
    (1, &[(0, 0), (3, 1)]),
    (2, &[(0, 0), (3, 2)]),
    (3, &[(0, 0), (3, 3)]),
    (0xffff, &[(0, 0), (3, 3)]),
];
