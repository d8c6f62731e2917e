//! Names that are nearly right: an interface and a syntax are what they are in every bit (MS-RPCE 2.2.2.4).

use super::tools::{SERVED_NEXT, plain};
use crate::conform::accept::{Accept, Then, Want, ok};
use crate::conform::{Case, Level, Stop, Talk};
use crate::wire::Guid;
use crate::wire::rpc::{ContextElement, Flags, SyntaxId, TransferSyntax};

pub(super) static CASES: &[Case] = &[
    Case::new(
        "rpc/bind/near-interface",
        Level::Win,
        "interfaces that differ in one byte",
        "A context of an interface that differs from the host's in one byte of its UUID is refused with (2,1), whichever \
         byte that is.",
        "C706 section 12.6.3.1; MS-RPCE 2.2.2.4",
        |t| {
            let interface = t.service().interface;
            for (byte, uuid) in t.some_of(nearly(interface.uuid).collect(), 4, 2) {
                let near = ContextElement { interface: SyntaxId { uuid, ..interface }, ..plain(t, 0) };
                beside_a_good_one(t, &format!("byte {byte} of the UUID changed"), near, INTERFACE_REFUSED)?;
            }
            Ok(())
        },
    ),
    Case::new(
        "rpc/bind/near-versions",
        Level::Win,
        "versions of the interface that the host does not have",
        "A context of the interface in another major version, or in a later minor one, is refused with (2,1).",
        "C706 section 12.6.3.1 (versions of interfaces); seen live on Samba 4.17",
        |t| {
            let interface = t.service().interface;
            let (major, minor) = interface.major_minor();
            let others = [0, 1, 2, 3, 4, 5, 6, 0x100, 0x101, 0x7fff, 0xffff].map(|other| (other, minor));
            let later = [1, 2, 0x100, 0x7fff, 0xffff].map(|more| (major, minor.saturating_add(more)));
            let all = others.into_iter().filter(|(other, _)| *other != major).chain(later).collect();
            for (major, minor) in t.some_of(all, 8, 2) {
                let version = u32::from(major) | u32::from(minor) << 16;
                let near = ContextElement { interface: SyntaxId { version, ..interface }, ..plain(t, 0) };
                beside_a_good_one(t, &format!("version {major}.{minor}"), near, INTERFACE_REFUSED)?;
            }
            Ok(())
        },
    ),
    Case::new(
        "rpc/bind/near-syntaxes",
        Level::Win,
        "transfer syntaxes that differ in one byte",
        "A context whose transfer syntax differs from NDR32 or NDR64 in one byte of its UUID is refused with (2,2), \
         whichever byte that is.",
        "C706 section 12.6.3.1; MS-RPCE 2.2.2.4",
        |t| {
            for syntax in TransferSyntax::ALL.map(TransferSyntax::id) {
                for (byte, uuid) in t.some_of(nearly(syntax.uuid).collect(), 4, 4) {
                    let near = t.context(0, &[SyntaxId { uuid, ..syntax }]);
                    beside_a_good_one(t, &format!("byte {byte} of {syntax} changed"), near, SYNTAX_REFUSED)?;
                }
            }
            Ok(())
        },
    ),
    Case::new(
        "rpc/bind/near-syntax-versions",
        Level::Win,
        "versions of NDR32 and NDR64 that never were",
        "A context with NDR32 in another version than 2, or with NDR64 in another than 1, is refused with (2,2).",
        "MS-RPCE 2.2.2.4; seen live on Samba 4.17",
        |t| {
            for syntax in TransferSyntax::ALL.map(TransferSyntax::id) {
                let others = [0, 1, 2, 3, 0x1_0000, 0x1_0001, 0x1_0002, 0x101, 0x102, u32::MAX];
                let others = others.into_iter().filter(|version| *version != syntax.version).collect();
                for version in t.some_of(others, 5, 4) {
                    let near = t.context(0, &[SyntaxId { version, ..syntax }]);
                    beside_a_good_one(t, &format!("{syntax} as version 0x{version:x}"), near, SYNTAX_REFUSED)?;
                }
            }
            Ok(())
        },
    ),
];

/// Each byte changed in turn, and which one it is on the wire.
fn nearly(uuid: Guid) -> impl Iterator<Item = (usize, Guid)> {
    (0..16).map(move |byte| {
        let mut wire = uuid.to_wire();
        // A bit in the middle: what folds letters or drops a sign finds it, too.
        wire[byte] ^= 0x10;
        (byte, Guid::from_wire(wire))
    })
}

/// Binds a context beside one that every host takes, which has to stay the only one.
fn beside_a_good_one(t: &mut Talk<'_>, label: &str, near: ContextElement, accept: Accept) -> Result<(), Stop> {
    t.connect()?;
    let offered = t.offer(vec![near, plain(t, 1)]);
    t.send_bind(Flags::WHOLE, &offered);
    t.expect_next(label, &[accept]);
    if t.syntax_of(1).is_some() && !t.is_over() && t.line() % REQUEST_EACH == 1 {
        t.request(1);
        t.expect_next(&format!("a request then, {label}"), SERVED_NEXT);
    }
    t.close();
    Ok(())
}

const INTERFACE_REFUSED: Accept = ok(Want::Ack(&[(2, 1), (0, 0)]), Then::Either);
const SYNTAX_REFUSED: Accept = ok(Want::Ack(&[(2, 2), (0, 0)]), Then::Either);
/// Now and then a call shows that the good one is good.
const REQUEST_EACH: usize = 8;
