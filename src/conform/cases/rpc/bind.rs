//! Binding: flags and presentation contexts, what is offered and what is agreed on (C706 section 12.6.4.3;
//! MS-RPCE 3.3.1.5.6).

use super::tools::{
    ACCEPTED, REFUSED_OR_CLOSED, UNKNOWN_CONTEXT, bind_frame, bind_frame_of, expect_bind, expect_first, flagged, names,
    plain, results, strange, syntaxes, unspoken,
};
use crate::conform::accept::{Accept, Then, Want, loose, ok};
use crate::conform::{Case, Confidence, Level, Stop, Talk, UNKNOWN_ID};
use crate::wire::rpc::{Body, ContextElement, Flags, Pdu, Ptype, SyntaxId, TransferSyntax, at};

pub(super) static CASES: &[Case] = &[
    Case::new(
        "rpc/bind/odd-flags",
        Level::Win,
        "flags that mean nothing on a bind",
        "A bind is accepted whatever its flags first, last, reserved, did_not_execute, maybe and object say, and the \
         bind_ack has the flags first and last alone.",
        "Samba raw protocol tests (bind_pfc); seen live on Samba 4.17",
        |t| {
            let odd = [Flags::DID_NOT_EXECUTE, Flags::MAYBE, Flags::OBJECT].map(|flag| Flags::WHOLE.with(flag));
            for flags in [Flags(0x00), Flags::FIRST, Flags::LAST, Flags(0x08)].into_iter().chain(odd) {
                answered_with(t, flags, Flags::WHOLE)?;
            }
            Ok(())
        },
    ),
    Case::new(
        "rpc/bind/multiplexing",
        Level::Win,
        "several calls at once: asked for, and not",
        "A bind_ack has the flag conc_mpx when the bind has it and only then; an alter_context_resp does \
         not have it when the alter_context does not.",
        "Samba raw protocol tests; seen live on Samba 4.17",
        |t| {
            let asking = Flags::WHOLE.with(Flags::CONC_MPX);
            answered_with(t, Flags::WHOLE, Flags::WHOLE)?;
            if !answered_with(t, asking, asking)? {
                return Ok(());
            }
            let offered = t.offer(vec![plain(t, 0)]);
            t.send_alter(&offered);
            let seen = t.expect("an alter_context that does not ask for it", ACCEPTED);
            flagged(t, &seen, Ptype::ALTER_CONTEXT_RESPONSE, Flags::WHOLE);
            Ok(())
        },
    ),
    Case::new(
        "rpc/bind/header-signing",
        Level::Win,
        "header signing",
        "A bind_ack has the flag of header signing when the bind has it, and of all flags of a bind it keeps only this \
         one and conc_mpx.",
        "Samba raw protocol tests; MS-RPCE 2.2.2.3; seen live on Samba 4.17",
        |t| {
            let signing = Flags::WHOLE.with(Flags::PENDING_CANCEL);
            answered_with(t, signing, signing)?;
            answered_with(t, Flags(0xff), signing.with(Flags::CONC_MPX))?;
            Ok(())
        },
    ),
    Case::new(
        "rpc/bind/ndr32",
        Level::Must,
        "one context with NDR32, whatever its number",
        "A context of the interface with NDR32 version 2 is accepted under any number, named as NDR32 version 2, and \
         serves calls.",
        "MS-RPCE 3.3.1.5.6; Samba raw protocol tests; seen on every host",
        |t| {
            for id in [0, 1, 200] {
                let seen = expect_bind(t, &format!("context {id}"), vec![plain(t, id)], ACCEPTED)?;
                names(t, &seen, &[SyntaxId::NDR32]);
                if t.syntax_of(id).is_some() && !t.is_over() {
                    t.request(id);
                    t.expect(&format!("a request in context {id}"), &[ok(Want::Served, Then::Either)]);
                }
            }
            Ok(())
        },
    ),
    Case::new(
        "rpc/bind/unknown-interface",
        Level::Win,
        "an interface the host does not have",
        "A context of an unknown interface is refused with (2,1) and names no syntax, and the connection goes on.",
        "Samba raw protocol tests (presentation_ctx_invalid1); seen live on Samba 4.17",
        |t| refused(t, "an interface nobody knows", strange(0), REFUSED_INTERFACE),
    ),
    Case::new(
        "rpc/bind/interface-version",
        Level::Win,
        "another version of the interface",
        "The interface in a major or minor version that the host does not have is refused with (2,1).",
        "seen live on Samba 4.17",
        |t| {
            let interface = t.service().interface;
            for (label, version) in [
                ("the next major version", interface.version.wrapping_add(1)),
                ("the next minor version", interface.version.wrapping_add(0x1_0000)),
            ] {
                let interface = SyntaxId { version, ..interface };
                refused(t, label, ContextElement { interface, ..plain(t, 0) }, REFUSED_INTERFACE)?;
            }
            Ok(())
        },
    )
    .confidence(Confidence::Medium),
    Case::new(
        "rpc/bind/unknown-transfer-syntax",
        Level::Win,
        "a transfer syntax nobody knows",
        "A context whose transfer syntaxes are all unknown is refused with (2,2), and the connection goes on.",
        "Samba raw protocol tests; MS-RPCE 2.2.2.4",
        |t| refused(t, "a syntax nobody knows", unspoken(t, 0), REFUSED_SYNTAX),
    ),
    Case::new(
        "rpc/bind/syntax-version",
        Level::Win,
        "another version of NDR32",
        "NDR32 in version 1, which never was, is refused with (2,2).",
        "seen live on Samba 4.17",
        |t| {
            let syntax = SyntaxId { version: 1, ..SyntaxId::NDR32 };
            refused(t, "NDR32 version 1", t.context(0, &[syntax]), REFUSED_SYNTAX)
        },
    )
    .confidence(Confidence::Medium),
    Case::new(
        "rpc/bind/second-syntax",
        Level::Win,
        "a known transfer syntax after an unknown one",
        "Of the transfer syntaxes of one context the one that the host speaks is chosen, wherever it stands.",
        "Samba raw protocol tests (presentation_ctx_valid1); seen live on Samba 4.17",
        |t| {
            let context = t.context(0, &[UNKNOWN_ID, SyntaxId::NDR32]);
            let seen = expect_bind(t, "NDR32 as the second of two", vec![context], ACCEPTED)?;
            names(t, &seen, &[SyntaxId::NDR32]);
            t.still_serves("a request in it");
            Ok(())
        },
    ),
    Case::new(
        "rpc/bind/ndr32-and-ndr64",
        Level::Should,
        "NDR32 and NDR64 in one bind",
        "Of two contexts, one with NDR32 and one with NDR64, exactly one is accepted and the other refused with (2,2).",
        "MS-RPCE 3.3.1.5.6; seen live on Samba 4.17",
        |t| {
            let contexts = TransferSyntax::ALL.iter().zip(0..).map(|(syntax, id)| t.context(id, &[syntax.id()]));
            let contexts: Vec<_> = contexts.collect();
            let accepts = [ok(Want::Ack(&[(0, 0), (2, 2)]), Then::Open), ok(Want::Ack(&[(2, 2), (0, 0)]), Then::Open)];
            let seen = expect_bind(t, "both, as Windows offers them", contexts, &accepts)?;
            let chosen = results(&seen).iter().position(|(result, ..)| *result == 0);
            if let Some(id) = chosen.map(|id| id as u16).filter(|_| !t.is_over()) {
                t.request(id);
                t.expect("a request in the accepted one", &[ok(Want::Served, Then::Open)]);
            }
            Ok(())
        },
    ),
    Case::new(
        "rpc/bind/request-on-refused",
        Level::Win,
        "a request in a context that was refused",
        "A request in a refused context is answered with an unknown interface fault that says it was not executed, and \
         the connection goes on.",
        "seen live on Samba 4.17",
        |t| {
            let accepts = [ok(Want::Ack(&[(0, 0), (2, 1)]), Then::Open)];
            expect_bind(t, "a bind", vec![plain(t, 0), strange(1)], &accepts)?;
            if t.is_over() {
                return Ok(());
            }
            t.request(1);
            t.expect("a request in the refused context", UNKNOWN_CONTEXT);
            t.still_serves("a request in the accepted one");
            Ok(())
        },
    )
    .confidence(Confidence::Medium),
    Case::new(
        "rpc/bind/two-contexts",
        Level::Win,
        "two contexts that could both be accepted",
        "Of two contexts with the same syntax that the host speaks the first is accepted and the second refused with \
         (2,2), and serves no call.",
        "Samba raw protocol tests; MS-RPCE 3.3.1.5.6; seen live on Samba 4.17",
        |t| {
            let spoken: Vec<_> = syntaxes(t)?.into_iter().map(TransferSyntax::id).collect();
            for syntax in t.in_turn(&spoken) {
                let contexts = [0, 1].map(|id| t.context(id, &[syntax])).to_vec();
                expect_bind(t, &format!("a bind of two with {syntax}"), contexts, ONE_OF_TWO)?;
                if !t.is_over() {
                    t.request(1);
                    t.expect(&format!("a request in the second with {syntax}"), UNKNOWN_CONTEXT);
                    t.still_serves("a request in the first");
                }
            }
            Ok(())
        },
    )
    .revision(2),
    Case::new(
        "rpc/bind/duplicate-context",
        Level::Win,
        "two contexts of one number",
        "Of two contexts of the same number the first is accepted and the second refused with (2,2).",
        "Samba raw protocol tests; seen live on Samba 4.17",
        |t| {
            expect_bind(t, "a bind", vec![plain(t, 0), plain(t, 0)], ONE_OF_TWO)?;
            t.still_serves("a request in it");
            Ok(())
        },
    ),
    Case::new(
        "rpc/bind/result-order",
        Level::Must,
        "one result for each context, in their order",
        "A bind_ack has as many results as the bind has contexts, in the order of the contexts and not of their numbers.",
        "MS-RPCE 2.2.2.4; Samba raw protocol tests",
        |t| {
            let contexts = vec![unspoken(t, 9), plain(t, 5), strange(7), strange(2)];
            let accepts = [ok(Want::Ack(&[(2, 2), (0, 0), (2, 1), (2, 1)]), Then::Open)];
            expect_bind(t, "four contexts, the second of them good", contexts, &accepts)?;
            if t.syntax_of(5).is_some() && !t.is_over() {
                t.request(5);
                t.expect("a request in the good one", &[ok(Want::Served, Then::Open)]);
            }
            Ok(())
        },
    ),
    Case::new(
        "rpc/bind/port-as-address",
        Level::Win,
        "the secondary address",
        "The secondary address of a bind_ack is the port connected to, in decimal, with its NUL counted.",
        "Samba raw protocol tests (assertPadding)",
        |t| {
            let accepts = [ok(Want::Ack(&[(2, 1), (0, 0)]), Then::Open)];
            expect_bind(t, "a bind", vec![strange(0), plain(t, 1)], &accepts)?;
            let (port, address) = (t.port(), t.ack().map(|ack| ack.secondary_address.clone()));
            if let (Some(address), true) = (address, port != 0) {
                let words = |bytes: &[u8]| format!("{:?}", String::from_utf8_lossy(bytes));
                let due = format!("{port}\0").into_bytes();
                t.holds("secondary_address", address == due, || (words(&due), words(&address)));
            }
            Ok(())
        },
    ),
    Case::new(
        "rpc/bind/address-of-each-connection",
        Level::Win,
        "the secondary address of connections side by side",
        "The secondary address is the port that was connected to, on every connection, however many are open.",
        "Samba raw protocol tests",
        |t| {
            if t.port() == 0 {
                return Err(Stop::NotApplicable("the port is not known".to_owned()));
            }
            for _ in 0..3 {
                let ack = t.bind()?;
                let address = String::from_utf8_lossy(&ack.secondary_address).into_owned();
                t.field("secondary_address", format!("{}\0", t.port()), address);
            }
            Ok(())
        },
    ),
    Case::new(
        "rpc/bind/refusal-versions",
        Level::Win,
        "what a refusal says of versions",
        "A bind_nak lists the version that the host speaks: one of them, 5.0.",
        "MS-RPCE 2.2.2.9; Samba raw protocol tests; seen live on Samba 4.17",
        |t| {
            t.connect()?;
            let mut frame = bind_frame(t);
            // Version 4, which no host speaks any more.
            frame[at::VERSION] = 4;
            let seen = expect_first(t, "version 4", &frame, REFUSED_OR_CLOSED);
            let pdu = seen.reply.as_deref().and_then(|frame| Pdu::decode(frame).ok());
            if let Some(Body::BindNak(nak)) = pdu.map(|pdu| pdu.body) {
                t.field("versions", vec![(5, 0)], nak.versions);
            }
            Ok(())
        },
    ),
];

/// Binds with these flags, and looks for those on the bind_ack. Says whether the connection can be used.
fn answered_with(t: &mut Talk<'_>, flags: Flags, due: Flags) -> Result<bool, Stop> {
    t.connect()?;
    let offered = t.offer(vec![plain(t, 0)]);
    let frame = bind_frame_of(t, flags, offered);
    let seen = expect_first(t, &format!("a bind with the flags {flags}"), &frame, ACCEPTED);
    flagged(t, &seen, Ptype::BIND_ACK, due);
    Ok(!t.is_over() && t.syntax_of(0).is_some())
}

/// A bind with one context that is refused, on a connection that can be used then.
fn refused(t: &mut Talk<'_>, label: &str, context: ContextElement, accept: Accept) -> Result<(), Stop> {
    let seen = expect_bind(t, label, vec![context], &[accept, REFUSED_ALTOGETHER])?;
    names(t, &seen, &[SyntaxId::NONE]);
    if t.is_over() || seen.reply.is_none() {
        return Ok(());
    }
    let offered = t.offer(vec![plain(t, 0)]);
    t.send_alter(&offered);
    let accepts = [ok(Want::Ack(&[(0, 0)]), Then::Open), loose(Want::AnyFault, Then::Either)];
    t.expect("an alter_context with a good one", &accepts);
    if t.syntax_of(0).is_some() {
        t.still_serves("a request in that");
    }
    Ok(())
}

const REFUSED_INTERFACE: Accept = ok(Want::Ack(&[(2, 1)]), Then::Open);
const REFUSED_SYNTAX: Accept = ok(Want::Ack(&[(2, 2)]), Then::Open);
const REFUSED_ALTOGETHER: Accept = loose(Want::Nak(&[0, 2, 4]), Then::Closed);
const ONE_OF_TWO: &[Accept] = &[ok(Want::Ack(&[(0, 0), (2, 2)]), Then::Open)];
