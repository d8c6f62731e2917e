//! What a KMS host makes of the fields it has no use for but to write them down (protocol description, section 6).

use super::tools::{MALFORMED_OR_SERVED, goes_on, put_changed, put_in_each, served_versions};
use crate::conform::accept::{Accept, Then, Want, loose, ok};
use crate::conform::cases::rpc::tools::SERVED_NEXT;
use crate::conform::{Case, Confidence, Level, Stop, Talk};
use crate::wire::kms::{LicenseStatus, ProtocolVersion, WorkstationName};
use crate::wire::{Guid, Hresult};

pub(super) static CASES: &[Case] = &[
    Case::new(
        "kms/request/nil-cmid",
        Level::Rec,
        "a client machine id of zeros",
        "A request whose client machine id is all zeros is answered.",
        "no text; nobody has published what a genuine host answers",
        |t| {
            let seen =
                put_changed(t, "a nil client machine id", MALFORMED_OR_SERVED, |request| request.cmid = Guid::NIL)?;
            t.note(format!("a nil client machine id: {seen}"));
            goes_on(t);
            Ok(())
        },
    )
    .of_kms()
    .confidence(Confidence::Low),
    Case::new(
        "kms/request/vm-flag",
        Level::Win,
        "virtual machines",
        "A request is granted whether it says that the machine is virtual or not; a flag that is neither 0 nor 1 makes no \
         difference.",
        "independent implementations agree on what genuine hosts do since Windows Server 2008 R2",
        |t| {
            let versions = served_versions(t)?;
            for flag in [0, 1] {
                put_in_each(t, &versions, &format!("a flag of {flag}"), SERVED_NEXT, |request| request.is_vm = flag)?;
            }
            // No client says anything else.
            for flag in [2, 3, 0x100, 0x8000_0000, u32::MAX] {
                let label = format!("a flag of {flag}");
                put_in_each(t, &versions, &label, SERVED_OR_REFUSED, |request| request.is_vm = flag)?;
            }
            Ok(())
        },
    )
    .revision(2)
    .of_kms()
    .confidence(Confidence::Medium),
    Case::new(
        "kms/request/license-status",
        Level::Win,
        "every license status there is",
        "A request is granted whatever license status the client is in, and whatever minutes it says it has left.",
        "Microsoft 2008 operations guide for the values; independent implementations agree on the answer",
        |t| {
            let versions = served_versions(t)?;
            for status in 0..=6 {
                let status = LicenseStatus(status);
                put_in_each(t, &versions, &format!("status {status}"), SERVED_NEXT, |request| request.license_status = status)?;
                // Whatever time it says it has left.
                for minutes in t.in_turn(&[0, 43_201, 259_201, u32::MAX]) {
                    let label = format!("status {} with {minutes} minutes left", status.0);
                    put_changed(t, &label, SERVED_NEXT, |request| {
                        (request.license_status, request.binding_expiration_min) = (status, minutes);
                    })?;
                }
            }
            Ok(())
        },
    )
    .revision(3)
    .of_kms()
    .confidence(Confidence::Medium),
    Case::new(
        "kms/request/unknown-license-status",
        Level::Rec,
        "a license status that does not exist",
        "A request with a license status that does not exist is granted, or refused with 0x8007000D.",
        "no text; nobody has published what a genuine host answers",
        |t| {
            for status in [7, 8, 0x100, 0x8000_0000, u32::MAX] {
                let label = format!("status {status}");
                let seen = put_changed(t, &label, MALFORMED_OR_SERVED, |request| {
                    request.license_status = LicenseStatus(status);
                })?;
                t.note(format!("{label}: {seen}"));
            }
            goes_on(t);
            Ok(())
        },
    )
    .revision(2)
    .of_kms()
    .confidence(Confidence::Low),
    Case::new(
        "kms/request/grace-minutes",
        Level::Win,
        "no minutes left, and more than there can be",
        "The minutes a client has left make no difference.",
        "independent implementations agree on what genuine hosts do",
        |t| {
            let versions = served_versions(t)?;
            for minutes in [0, 1, 43_200, 259_200, 0x8000_0000, u32::MAX] {
                let label = format!("{minutes} minutes left");
                put_in_each(t, &versions, &label, SERVED_NEXT, |request| request.binding_expiration_min = minutes)?;
            }
            Ok(())
        },
    )
    .revision(2)
    .of_kms()
    .confidence(Confidence::Medium),
    Case::new(
        "kms/request/longest-name",
        Level::Win,
        "a name as long as the field allows",
        "A request with a workstation name of 63 characters and its NUL is granted.",
        "protocol description, section 2; independent implementations agree",
        |t| named_in_each(t, "63 characters and a NUL", |at| if at < UNITS - 1 { u16::from(b'n') } else { 0 }),
    )
    .revision(2)
    .of_kms()
    .confidence(Confidence::Medium),
    Case::new(
        "kms/request/unterminated-name",
        Level::Win,
        "a name without its NUL",
        "A request whose workstation name fills its field without a NUL is granted: the name is a comment.",
        "independent implementations agree on what genuine hosts do",
        |t| named_in_each(t, "64 characters and no NUL", |_| u16::from(b'u')),
    )
    .revision(2)
    .of_kms()
    .confidence(Confidence::Medium),
    Case::new(
        "kms/request/empty-name",
        Level::Win,
        "no name",
        "A request with an empty workstation name is granted: the name is a comment.",
        "independent implementations agree on what genuine hosts do",
        |t| named_in_each(t, "an empty name", |_| 0),
    )
    .revision(2)
    .of_kms()
    .confidence(Confidence::Medium),
    Case::new(
        "kms/request/surrogates-in-name",
        Level::Win,
        "a name that is no UTF-16",
        "A request whose workstation name holds lone surrogates is granted: the name is a comment.",
        "independent implementations agree on what genuine hosts do",
        |t| {
            let versions = served_versions(t)?;
            named(t, &versions, "a high surrogate alone", |at| if at == 0 { 0xd800 } else { 0 })?;
            named(t, &versions, "surrogates in the wrong order", |at| [0xdc00, 0xd800].get(at).copied().unwrap_or(0))
        },
    )
    .revision(2)
    .of_kms()
    .confidence(Confidence::Medium),
    Case::new(
        "kms/request/any-name",
        Level::Win,
        "names of any length and in any script",
        "A request is granted whatever its workstation name is: of each length from 1 to 63, and in any script.",
        "protocol description, section 2; independent implementations agree",
        |t| {
            let versions = served_versions(t)?;
            for (words, text) in [
                ("Chinese", "\u{6559}\u{5ba4}-\u{7535}\u{8111}-01"),
                ("Japanese and Korean", "\u{3071}\u{305d}\u{3053}\u{3093}\u{ac15}\u{c758}\u{c2e4}"),
                ("Arabic and Hebrew", "\u{62d}\u{627}\u{633}\u{648}\u{628}-\u{5de}\u{5d7}"),
                ("accents that stand alone", "Cafe\u{301}"),
                ("characters of two units", "\u{20bb7}\u{1f5a5}\u{1f3eb}"),
                ("the last characters there are", "\u{fffd}\u{ffff}\u{10ffff}"),
                ("spaces", "   "),
                ("half of what is no letter", "!\"#$%&'()*+,-./"),
                ("the other half", ":;<=>?@[\\]^_`{|}~"),
                ("a name as in a URL", "PC_01,room=2;a\\b"),
                ("letters with accents", "\u{e4}\u{f6}\u{fc}\u{df}\u{e9}\u{ff}"),
                ("a byte order mark", "\u{feff}PC"),
                ("nothing but a mark of direction", "\u{200f}"),
                ("a printf format", "%s%n%x{0}"),
                ("a digit first", "2016-SRV"),
                ("nothing but digits", "20160117"),
                ("a hyphen first", "-pc"),
                ("a hyphen last", "pc-"),
                ("nothing but a dot", "."),
                ("a name with its domain", "pc7.lab.example.org."),
                ("an address", "192.0.2.7"),
                ("a name of a device", "NUL"),
                ("capitals and small letters", "DeskTop-7fQ2"),
            ] {
                let units: Vec<u16> = text.encode_utf16().collect();
                named(t, &versions, words, |at| units.get(at).copied().unwrap_or(0))?;
            }
            named(t, &versions, "63 Chinese characters", |at| if at < UNITS - 1 { 0x96fb } else { 0 })?;
            for len in t.some_of((1..UNITS - 1).collect(), 8, 1) {
                let name = WorkstationName::from_units(std::array::from_fn(|at| if at < len { 0x70 } else { 0 }));
                put_changed(t, &format!("{len} characters"), SERVED_NEXT, |request| request.workstation = name)?;
            }
            Ok(())
        },
    )
    .revision(3)
    .of_kms()
    .confidence(Confidence::Medium),
    Case::new(
        "kms/request/bytes-after-name",
        Level::Win,
        "bytes after the name's NUL",
        "A request with bytes after the NUL of its workstation name is granted.",
        "independent implementations agree on what genuine hosts do",
        |t| named_in_each(t, "a name, a NUL and then noise", |at| if at == 4 { 0 } else { 0x4100 + at as u16 }),
    )
    .revision(2)
    .of_kms()
    .confidence(Confidence::Medium),
    Case::new(
        "kms/request/controls-in-name",
        Level::Win,
        "control and format characters in a name",
        "A request whose workstation name holds line ends, format specifiers or escapes is granted, and the host serves on.",
        "independent implementations agree on what genuine hosts do",
        |t| {
            let versions = served_versions(t)?;
            for (words, text) in [
                ("a line end", "pc\r\n[forged] all is well"),
                ("format specifiers", "%s%n%s%n%x"),
                ("an escape sequence", "\u{1b}[2J\u{7}"),
                ("a quote and markup", "\"'><b>&amp;"),
                ("a right-to-left override", "\u{202e}cp"),
            ] {
                let units: Vec<u16> = text.encode_utf16().collect();
                named(t, &versions, words, |at| units.get(at).copied().unwrap_or(0))?;
            }
            Ok(())
        },
    )
    .revision(2)
    .of_kms()
    .confidence(Confidence::Medium),
];

/// Requests of a machine whose name consists of these units, in each version.
fn named_in_each(t: &mut Talk<'_>, label: &str, unit: impl Fn(usize) -> u16) -> Result<(), Stop> {
    let versions = served_versions(t)?;
    named(t, &versions, label, unit)
}

/// The same, in these versions.
fn named(t: &mut Talk<'_>, versions: &[ProtocolVersion], label: &str, unit: impl Fn(usize) -> u16) -> Result<(), Stop> {
    let name = WorkstationName::from_units(std::array::from_fn(unit));
    put_in_each(t, versions, label, SERVED_NEXT, |request| request.workstation = name.clone())
}

/// What no client says may be refused as malformed, which is not as a genuine host has it.
const SERVED_OR_REFUSED: &[Accept] =
    &[ok(Want::Served, Then::Either), loose(Want::Refused(&[Hresult::INVALID_DATA.0]), Then::Either)];
/// The workstation name is so many UTF-16 units.
const UNITS: usize = 64;
