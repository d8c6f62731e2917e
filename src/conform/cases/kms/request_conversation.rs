//! What comes after what: requests of several clients in turn, and requests after refusals.

use jiff::SignedDuration;

use super::tools::{ahead, cmid, put_ask};
use crate::conform::accept::{Accept, Answered, Then, Want, loose, ok};
use crate::conform::cases::ndr::tools::{is_silent, send_in};
use crate::conform::cases::rpc::tools::{SERVED_NEXT, syntaxes};
use crate::conform::host::Patience;
use crate::conform::{Capability, Case, Confidence, Level, Stop, Talk};
use crate::wire::Guid;
use crate::wire::kms::{ActivationRequest, ProtocolVersion};
use crate::wire::rpc::TransferSyntax;

pub(super) static CASES: &[Case] = &[
    Case::new(
        "kms/request/alternating",
        Level::Must,
        "clients that ask in turn",
        "Of clients that ask in turn over connections of their own, each is answered for itself: with its client machine id, \
         its client time and in its version, after a refusal of another one too.",
        "protocol description, sections 3 and 4: a client takes no other client's answer",
        |t| alternate(t, &[TransferSyntax::Ndr32; 2]),
    )
    .of_kms(),
    Case::new(
        "kms/request/alternating-ndr64",
        Level::Must,
        "clients that ask in turn in NDR32 and NDR64",
        "Of clients that ask in turn in NDR32 and NDR64, each is answered for itself, after a refusal of another one too.",
        "protocol description, sections 1.5, 3 and 4: a client takes no other client's answer",
        |t| alternate(t, &[TransferSyntax::Ndr32, TransferSyntax::Ndr64]),
    )
    .of_kms()
    .needs(&[Capability::Ndr64]),
    Case::new(
        "kms/request/one-connection",
        Level::Must,
        "clients that ask in turn over one connection",
        "Of clients that ask in turn over one connection, in any version and syntax, each is answered for itself: with its \
         client machine id, its client time and in its version.",
        "protocol description, sections 1.2, 3 and 4: a connection serves later calls, and a client takes no other's answer",
        |t| {
            for syntax in syntaxes(t)? {
                t.bind_in(syntax)?;
                for turn in 0..t.times(TURNS_EACH, 12, 2) {
                    let id = cmid(t, [3, 4, 4, 3, 5, 3, 3][turn % 7]);
                    // The same client twice in a row now and then, and the same version; then others.
                    let ask = t.ask(ProtocolVersion::ALL[(turn / 2) % 3], |request| {
                        request.cmid = id;
                        request.client_time =
                            request.client_time.saturating_add(SignedDuration::from_secs(-(turn as i64)));
                    });
                    let label = format!("request {} in {syntax}", turn + 1);
                    let seen = put_ask(t, &label, &ask, SERVED_NEXT)?;
                    if t.is_over() || seen.answer != Some(Answered::Granted) {
                        // Without this version, or closed after each answer: other cases say so.
                        t.bind_in(syntax)?;
                    }
                }
            }
            Ok(())
        },
    )
    .of_kms(),
    Case::new(
        "kms/policy/open-after-refusal",
        Level::Win,
        "the connection after a refusal",
        "A refusal is the value a call returns: the connection stays open after it, and the next request on it is answered.",
        "protocol description, sections 1.5 and 5; MS-RPCE 3.3.3.5.1 closes for what cannot be answered",
        |t| {
            t.bind()?;
            for (label, version, change) in REFUSED {
                let ask = t.ask(*version, change);
                t.send_ask(&ask);
                if is_silent(&t.expect(label, OPEN)) {
                    return Ok(());
                }
                if t.is_over() {
                    t.bind()?;
                    continue;
                }
                t.still_serves("an ordinary request then");
            }
            Ok(())
        },
    )
    .of_kms()
    .confidence(Confidence::Medium),
];

/// As many clients as there are connections, each a machine of its own, over and over; one of them is refused now and
/// then.
fn alternate(t: &mut Talk<'_>, syntaxes: &[TransferSyntax]) -> Result<(), Stop> {
    let mut lines = Vec::new();
    for syntax in syntaxes {
        t.bind_in(*syntax)?;
        lines.push(t.line());
    }
    let turns = if t.is_paced() { FEW_TURNS } else { t.times(TURNS, 30, 1) };
    for turn in 0..turns {
        let who = turn % lines.len();
        t.on(lines[who]);
        let is_refused = turn % 7 == 6;
        let id = cmid(t, who as u32 + 3);
        let ask = t.ask(ProtocolVersion::ALL[(turn / 2) % 3], |request| {
            request.cmid = id;
            // No two requests have the same time.
            request.client_time =
                request.client_time.saturating_add(SignedDuration::from_millis(-(turn as i64) * 1237));
            if is_refused {
                request.kms_counted_id = Guid::from_u128(turn as u128);
            }
        });
        send_in(t, 0, &ask);
        if is_refused {
            // What it is refused with, and whether at all, is other cases' to judge.
            t.see(Patience::Answer, None);
            if t.is_over() {
                t.bind_in(syntaxes[who])?;
                lines[who] = t.line();
            }
            continue;
        }
        let seen = t.expect_next(&format!("request {} of {turns}, of client {}", turn + 1, who + 1), SERVED_NEXT);
        if is_silent(&seen) || t.is_over() {
            break;
        }
    }
    Ok(())
}

/// What is refused, in a version, and why.
type Refused = (&'static str, ProtocolVersion, fn(&mut ActivationRequest));

const REFUSED: &[Refused] = &[
    ("a product nobody knows", ProtocolVersion::V6, |request| request.kms_counted_id = Guid::from_u128(7)),
    ("such a product in version 5", ProtocolVersion::V5, |request| request.kms_counted_id = Guid::from_u128(7)),
    ("such a product in version 4", ProtocolVersion::V4, |request| request.kms_counted_id = Guid::from_u128(7)),
    ("a clock ten hours ahead", ProtocolVersion::V6, |request| ahead(request, 10)),
    ("such a clock in version 5", ProtocolVersion::V5, |request| ahead(request, 10)),
    ("such a clock in version 4", ProtocolVersion::V4, |request| ahead(request, 10)),
    ("a version that does not exist", ProtocolVersion { major: 7, minor: 0 }, |_| {}),
    ("a minor version that does not exist", ProtocolVersion { major: 6, minor: 1 }, |_| {}),
];

/// What it is refused with, and whether at all, is other cases' to judge.
const OPEN: &[Accept] = &[
    ok(Want::Answered, Then::Open),
    loose(Want::Answered, Then::Closed),
    loose(Want::AnyFault, Then::Either),
    loose(Want::Silence, Then::Closed),
];
/// Defects that show once in forty answers are to show.
const TURNS: usize = 60;
const FEW_TURNS: usize = 12;
const TURNS_EACH: usize = 24;
