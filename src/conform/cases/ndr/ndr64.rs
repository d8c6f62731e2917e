//! Calls in NDR64, which every Windows client since Vista makes: the same rules as in NDR32, and answers that do not
//! depend on the syntax (protocol description, sections 1.2, 1.4 and 1.5).

use super::tools::{differing, empty, huge, is_silent, send_in, short, size_decides, trailing};
use crate::catalog::Application;
use crate::conform::accept::{Then, Want, ok};
use crate::conform::cases::kms::tools::{ahead, require_as_before};
use crate::conform::cases::rpc::tools::SERVED_NEXT;
use crate::conform::host::Patience;
use crate::conform::{Capability, Case, Confidence, Level, Stop, Talk};
use crate::wire::Guid;
use crate::wire::kms::{ActivationRequest, LicenseStatus, ProtocolVersion};
use crate::wire::rpc::{Flags, SyntaxId, TransferSyntax};

pub(super) static CASES: &[Case] = &[
    Case::new(
        "ndr/request/ndr64-short-stub",
        Level::Must,
        "fewer bytes in NDR64 than a request says",
        "A stub in NDR64 that is shorter than its count says is answered with the fault 0x6F7, wherever it ends, and the \
         connection goes on.",
        "MS-RPCE 3.1.3.5.2; seen live on Samba 4.17 in NDR32",
        |t| short(t, TransferSyntax::Ndr64),
    )
    .of_kms()
    .needs(&[Capability::Ndr64]),
    Case::new(
        "ndr/request/ndr64-empty-stub",
        Level::Must,
        "no stub at all in NDR64",
        "A request in NDR64 without a stub is answered with the fault 0x6F7, and the connection goes on.",
        "MS-RPCE 3.1.3.5.2; seen live on Samba 4.17 in NDR32",
        |t| empty(t, TransferSyntax::Ndr64),
    )
    .of_kms()
    .needs(&[Capability::Ndr64]),
    Case::new(
        "ndr/request/ndr64-huge-counts",
        Level::Must,
        "counts of gigabytes in NDR64",
        "A count in NDR64 that no stub can hold, one that does so only in its high half among them, is answered with the \
         fault 0x6F7, and no memory is asked for.",
        "MS-RPCE 3.1.3.5.2",
        |t| huge(t, TransferSyntax::Ndr64),
    )
    .of_kms()
    .needs(&[Capability::Ndr64]),
    Case::new(
        "ndr/request/ndr64-counts-differ",
        Level::Should,
        "a size and a count in NDR64 that differ",
        "A request in NDR64 whose array has another count than its size says is answered with the fault 0x6F7, whichever of \
         them is right, and never granted.",
        "MS-RPCE 3.1.3.5.2; how strictly a genuine host was built is not known",
        |t| differing(t, TransferSyntax::Ndr64),
    )
    .of_kms()
    .needs(&[Capability::Ndr64])
    .confidence(Confidence::Medium),
    Case::new(
        "ndr/request/ndr64-trailing",
        Level::Win,
        "bytes after the stub in NDR64",
        "Bytes after the arguments of a call in NDR64 are ignored: they are no part of the request.",
        "seen live on Samba 4.17 in NDR32",
        |t| trailing(t, TransferSyntax::Ndr64),
    )
    .of_kms()
    .needs(&[Capability::Ndr64])
    .confidence(Confidence::Medium),
    Case::new(
        "ndr/request/ndr64-size-decides",
        Level::Win,
        "a size in NDR64 that ends before the body does",
        "A request in NDR64 is as long as its size and its count say, whatever follows: one that ends too early is refused \
         with 0x8007000D.",
        "MS-RPCE 2.2.5; independent implementations agree on the code",
        |t| size_decides(t, TransferSyntax::Ndr64),
    )
    .of_kms()
    .needs(&[Capability::Ndr64])
    .confidence(Confidence::Medium),
    Case::new(
        "ndr/answer/ndr64-again",
        Level::Must,
        "one call in NDR64 after the other",
        "Every call in NDR64 on a connection is answered like the first, in whichever version.",
        "protocol description, section 1.2: later calls of a Windows client are in NDR64",
        |t| {
            t.bind_in(TransferSyntax::Ndr64)?;
            calls(t, |_, _| 0);
            Ok(())
        },
    )
    .of_kms()
    .needs(&[Capability::Ndr64]),
    Case::new(
        "ndr/answer/both-syntaxes",
        Level::Must,
        "calls in NDR32 and in NDR64 side by side",
        "Each call is answered in the syntax of its own context, whatever other connections speak.",
        "MS-RPCE 3.3.1.5.6; protocol description, section 1.5",
        |t| {
            let mut lines = Vec::new();
            for syntax in [TransferSyntax::Ndr32, TransferSyntax::Ndr64, TransferSyntax::Ndr64, TransferSyntax::Ndr32] {
                t.bind_in(syntax)?;
                lines.push(t.line());
            }
            calls(t, |t, number| {
                // Now this one comes first, now that.
                t.on(lines[(number + number / lines.len()) % lines.len()]);
                0
            });
            Ok(())
        },
    )
    .of_kms()
    .needs(&[Capability::Ndr64]),
    Case::new(
        "ndr/answer/as-windows-asks",
        Level::Must,
        "NDR32 and NDR64 on one connection",
        "A client that has NDR64 agreed on in its bind and NDR32 in an alter_context is answered in both, each call in the \
         syntax of its context.",
        "recorded Windows 11 clients; protocol description, section 1.2",
        as_windows_asks,
    )
    .of_kms()
    .needs(&[Capability::Ndr64]),
    Case::new(
        "ndr/answer/same-in-both",
        Level::Must,
        "grants and refusals in both syntaxes",
        "What is answered does not depend on the syntax it is asked in: the same requests are granted and counted alike, and \
         the others are refused with the same codes.",
        "protocol description, section 1.5: the syntax only lays out what is said",
        |t| {
            t.bind_in(TransferSyntax::Ndr64)?;
            let ndr64 = t.line();
            t.bind()?;
            let ndr32 = t.line();
            for (label, version, change) in QUESTIONS {
                let (mut answers, mut told) = (Vec::new(), Vec::new());
                for (line, syntax) in [(ndr32, TransferSyntax::Ndr32), (ndr64, TransferSyntax::Ndr64)] {
                    t.on(line);
                    if t.is_over() {
                        t.bind_in(syntax)?;
                    }
                    let ask = t.ask(*version, change);
                    send_in(t, 0, &ask);
                    let seen = t.see(Patience::Answer, None);
                    if is_silent(&seen) {
                        return Err(Stop::Foundation(format!("no answer came: {label}, in {syntax}")));
                    }
                    answers.push(seen);
                    told.extend(t.told().and_then(|answer| answer.response.clone()));
                }
                let [in_32, in_64] = &answers[..] else { continue };
                // What gets no code in NDR32 is other cases' to judge.
                let Some(due) = &in_32.answer else { continue };
                t.holds("code", in_64.answer.as_ref() == Some(due), || (format!("{label}: {due}"), in_64.to_string()));
                let [first, again] = &told[..] else { continue };
                t.field("epid", first.epid.as_str(), again.epid.as_str());
                require_as_before(t, first.count, again.count)?;
            }
            Ok(())
        },
    )
    .of_kms()
    .needs(&[Capability::Ndr64])
    // Whoever counts another machine meanwhile changes the count.
    .alone(),
];

/// As a current Windows client begins: three contexts in its bind, one more in an alter_context.
fn as_windows_asks(t: &mut Talk<'_>) -> Result<(), Stop> {
    t.connect()?;
    let features = SyntaxId::bind_time_features(3);
    let contexts = vec![t.context(0, &[SyntaxId::NDR32]), t.context(1, &[SyntaxId::NDR64]), t.context(2, &[features])];
    let offered = t.offer(contexts);
    t.send_bind(Flags::WHOLE.with(Flags::CONC_MPX), &offered);
    let bound = t.see(Patience::Answer, None);
    let offered = t.offer(vec![t.context(0, &[SyntaxId::NDR32])]);
    if t.syntax_of(1) != Some(TransferSyntax::Ndr64) {
        return Err(Stop::NotApplicable(format!("NDR64 is not agreed on beside NDR32: {bound}")));
    }
    if t.syntax_of(0).is_none() {
        t.send_alter(&offered);
        t.expect_next("an alter_context for NDR32", &[ok(Want::Ack(&[(0, 0)]), Then::Open)]);
    }
    if t.syntax_of(0).is_none() {
        return Ok(());
    }
    // NDR32 first, as Windows has it; then one after the other, and twice the same.
    calls(t, |_, number| [0, 1, 1, 0][number % 4]);
    Ok(())
}

/// Calls in one version after the other, each where `place` goes for it and in the context that it says.
fn calls(t: &mut Talk<'_>, mut place: impl FnMut(&mut Talk<'_>, usize) -> u16) {
    for number in 0..CALLS {
        let context = place(t, number);
        let ask = t.ask(ProtocolVersion::ALL[number % 3], |_| {});
        send_in(t, context, &ask);
        let seen = t.expect_next(&format!("call {} of {CALLS}, in context {context}", number + 1), SERVED_NEXT);
        if is_silent(&seen) || t.is_over() {
            break;
        }
    }
}

/// A question, in a version, and what makes it one.
type Question = (&'static str, ProtocolVersion, fn(&mut ActivationRequest));

const QUESTIONS: &[Question] = &[
    ("an ordinary request of version 6", ProtocolVersion::V6, |_| {}),
    ("an ordinary request of version 5", ProtocolVersion::V5, |_| {}),
    ("an ordinary request of version 4", ProtocolVersion::V4, |_| {}),
    ("a virtual machine", ProtocolVersion::V6, |request| request.is_vm = 1),
    ("a virtual machine in version 5", ProtocolVersion::V5, |request| request.is_vm = 1),
    ("a virtual machine in version 4", ProtocolVersion::V4, |request| request.is_vm = 1),
    ("a licensed machine", ProtocolVersion::V6, |request| request.license_status = LicenseStatus::LICENSED),
    ("a machine in notification", ProtocolVersion::V6, |request| request.license_status = LicenseStatus::NOTIFICATION),
    ("a product nobody knows", ProtocolVersion::V6, |request| request.kms_counted_id = Guid::from_u128(7)),
    ("such a product in version 5", ProtocolVersion::V5, |request| request.kms_counted_id = Guid::from_u128(7)),
    ("such a product in version 4", ProtocolVersion::V4, |request| request.kms_counted_id = Guid::from_u128(7)),
    ("a Windows product of Office", ProtocolVersion::V6, |request| {
        request.application_id = Application::Office.guid();
    }),
    ("a clock ten hours ahead", ProtocolVersion::V6, |request| ahead(request, 10)),
    ("a clock five hours behind", ProtocolVersion::V5, |request| ahead(request, -5)),
    ("a clock five hours behind in version 4", ProtocolVersion::V4, |request| ahead(request, -5)),
    ("version 7.0", ProtocolVersion { major: 7, minor: 0 }, |_| {}),
    ("version 6.1", ProtocolVersion { major: 6, minor: 1 }, |_| {}),
    ("an ordinary request afterwards", ProtocolVersion::V6, |_| {}),
];

/// Defects that show once in so many calls are to show.
const CALLS: usize = 24;
