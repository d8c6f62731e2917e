//! alter_contexts in every state of a connection, in number, and in odd forms (C706 section 12.6.4.1; MS-RPCE
//! 3.3.1.5.6).

use super::alter::unchanged;
use super::fragment::other_call;
use super::tools::{ACCEPTED_NEXT, PROTOCOL_FAULT, SERVED_NEXT, bind_as, lists, plain, results, strange};
use crate::conform::accept::{Accept, Then, Want, loose, ok};
use crate::conform::host::Patience;
use crate::conform::{Capability, Case, Confidence, Level, Stop, Talk};
use crate::wire::rpc::{Bind, Body, Flags, Pdu, PduView, SyntaxId, TransferSyntax, at};

pub(super) static CASES: &[Case] = &[
    Case::new(
        "rpc/alter/many",
        Level::Win,
        "one alter_context after another, forty of them",
        "A connection takes as many alter_contexts as a client sends: each of forty adds a context, and all of these \
         serve calls then.",
        "C706 section 12.6.4.1; seen live on Samba 4.17",
        |t| {
            t.bind()?;
            let ids = t.some_of((1..=40).collect(), 12, 2);
            for id in &ids {
                add(t, *id, &format!("an alter_context with {id}"));
            }
            for id in ids {
                call(t, id, "then");
            }
            Ok(())
        },
    )
    .revision(2),
    Case::new(
        "rpc/alter/after-trouble",
        Level::Win,
        "alter_contexts after faults, refusals and one another",
        "After a fault that leaves the connection open, after an alter_context that was refused and after one with an \
         unknown interface, an alter_context adds a context that serves calls.",
        "C706 section 12.6.4.1; Samba raw protocol tests (presentation_ctx_invalid1)",
        |t| {
            t.bind()?;
            t.request(77);
            let is_alive = t.see(Patience::Answer, None).reply.is_some() && !t.is_over();
            if !is_alive {
                return Err(Stop::NotApplicable("the host closes the connection at an unknown context".to_owned()));
            }
            add(t, 1, "an alter_context after a fault");
            call(t, 1, "after a fault");
            for (id, time) in [(2, "once"), (3, "twice")] {
                let offered = t.offer(vec![strange(40 + id)]);
                t.send_alter(&offered);
                t.see(Patience::Answer, None);
                add(t, id, &format!("an alter_context after one was refused {time}"));
                call(t, id, &format!("after an alter_context was refused {time}"));
            }
            t.request_with(0, |frame| at::set(frame, at::OPNUM, &[0xff; 2]));
            t.see(Patience::Answer, None);
            add(t, 9, "an alter_context after a call of no operation");
            call(t, 9, "after that");
            call(t, 0, "after all of it");
            Ok(())
        },
    ),
    Case::new(
        "rpc/alter/keeps-sizes",
        Level::Win,
        "the sizes that were agreed on, in an alter_context_resp",
        "Every alter_context_resp of a connection says the fragment sizes and the group that the bind_ack said, whatever \
         these are.",
        "Samba raw protocol tests (neg_xmit); MS-RPCE 3.3.1.5.6",
        |t| {
            for (xmit, recv) in t.in_turn(&[(2500, 2600), (2048, 5840), (4000, 3000)]) {
                t.connect()?;
                let offered = Bind { max_xmit_frag: xmit, max_recv_frag: recv, ..t.offer(vec![plain(t, 0)]) };
                t.send_bind(Flags::WHOLE, &offered);
                t.expect_next(&format!("a bind with {xmit} and {recv}"), ACCEPTED_NEXT);
                let Some(ack) = t.ack().cloned().filter(|_| !t.is_over()) else { continue };
                for id in 1..=3 {
                    if t.is_over() {
                        break;
                    }
                    let offered = t.offer(vec![plain(t, id)]);
                    t.send_alter(&offered);
                    let label = format!("alter_context number {id} where {xmit} and {recv} were");
                    let seen = t.expect_next(&label, ACCEPTED_NEXT);
                    unchanged(t, &ack, &seen);
                }
            }
            Ok(())
        },
    )
    .revision(2),
    Case::new(
        "rpc/alter/ndr64",
        Level::Win,
        "alter_contexts about NDR64",
        "An alter_context that repeats a context in NDR64 leaves it as it is; of one with NDR32 and NDR64 in two contexts \
         exactly one is accepted.",
        "MS-RPCE 3.3.1.5.6; Samba raw protocol tests",
        |t| {
            if bind_as(t, "a bind with NDR64", 1, TransferSyntax::Ndr64)? {
                let offered = t.offer(vec![t.context(1, &[SyntaxId::NDR64])]);
                t.send_alter(&offered);
                t.expect_next("the same context again", ACCEPTED_NEXT);
                call(t, 1, "that was offered again");
            }
            t.bind()?;
            let contexts = [(2, SyntaxId::NDR32), (3, SyntaxId::NDR64)].map(|(id, syntax)| t.context(id, &[syntax]));
            let offered = t.offer(contexts.to_vec());
            t.send_alter(&offered);
            let accepts = [ok(Want::Ack(&[(0, 0), (2, 2)]), Then::Open), ok(Want::Ack(&[(2, 2), (0, 0)]), Then::Open)];
            let seen = t.expect_next("an alter_context with both", &accepts);
            if let Some(chosen) = results(&seen).iter().position(|(result, ..)| *result == 0) {
                call(t, 2 + chosen as u16, "of both");
            }
            Ok(())
        },
    )
    .needs(&[Capability::Ndr64])
    .confidence(Confidence::Medium),
    Case::new(
        "rpc/alter/odd-forms",
        Level::Win,
        "alter_contexts whose flags and sizes mean nothing",
        "An alter_context is acknowledged whatever its flags and its fragment sizes are, \
         with the flags first and last alone; one that says more contexts than it has is no reason to be silent.",
        "Samba raw protocol tests (bind_pfc, neg_xmit) for binds; seen live on Samba 4.17",
        |t| {
            t.bind()?;
            let odd = [Flags::DID_NOT_EXECUTE, Flags::MAYBE, Flags::OBJECT, Flags(0x08)].map(|flag| Flags::WHOLE.with(flag));
            for (id, flags) in (1..).zip(odd.into_iter().chain([Flags(0), Flags::FIRST, Flags::LAST])) {
                let offered = t.offer(vec![plain(t, id)]);
                let pdu = Pdu { flags, ..Pdu::whole(t.next_call_id(), Body::AlterContext(offered)) };
                t.send_pdu(&pdu);
                let seen = t.expect_next(&format!("an alter_context with the flags {}", pdu.flags), ACCEPTED_NEXT);
                if let Some(got) = seen.reply.as_deref().and_then(|frame| PduView(frame).flags()) {
                    t.field("pfc_flags", Flags::WHOLE, got);
                }
            }
            let offered = Bind { max_xmit_frag: 0, max_recv_frag: 0, ..t.offer(vec![plain(t, 8)]) };
            t.send_alter(&offered);
            t.expect_next("an alter_context with fragments of 0 bytes", ACCEPTED_NEXT);
            call(t, 8, "that came with sizes of 0");
            if !t.is_over() {
                let pdu = Pdu::whole(t.next_call_id(), Body::AlterContext(t.offer(vec![plain(t, 9)])));
                let mut frame = pdu.encode().expect("one context fits a PDU");
                frame[at::CONTEXTS] = 5;
                t.send_frame(&frame, None);
                t.expect("an alter_context that says five contexts and has one", FAULT_OR_CLOSE);
            }
            Ok(())
        },
    )
    .confidence(Confidence::Medium),
    Case::new(
        "rpc/alter/keeps-multiplexing",
        Level::Win,
        "whether there may be several calls at once, after other PDUs",
        "Whether a connection carries several calls at once is settled by its bind: an alter_context, a fault or an \
         orphaned does not change it.",
        "Samba raw protocol tests (mix, orphaned_mpx); Samba server code",
        |t| {
            for (label, between) in BETWEEN {
                if t.bind_multiplexed().is_ok() {
                    between(t);
                    t.note(format!("several calls at once, after {label}"));
                    other_call(t, Flags::FIRST, false)?;
                }
                t.bind()?;
                between(t);
                other_call(t, Flags::FIRST, true)?;
            }
            Ok(())
        },
    )
    .confidence(Confidence::Medium),
];

/// Adds a context of this number in NDR32.
fn add(t: &mut Talk<'_>, id: u16, label: &str) {
    if !t.is_over() {
        let offered = t.offer(vec![plain(t, id)]);
        t.send_alter(&offered);
        let seen = t.see(Patience::Answer, None);
        lists(t, label, &seen, &[(0, 0)]);
    }
}

fn call(t: &mut Talk<'_>, id: u16, when: &str) {
    if t.syntax_of(id).is_some() && !t.is_over() {
        t.request(id);
        t.expect_next(&format!("a request in context {id} {when}"), SERVED_NEXT);
    }
}

/// What comes between a bind and two calls.
type Between = fn(&mut Talk<'_>);

const BETWEEN: &[(&str, Between)] = &[
    ("an alter_context that does not ask for it", |t| {
        let offered = t.offer(vec![plain(t, 1)]);
        t.send_alter(&offered);
        t.see(Patience::Answer, None);
    }),
    ("a fault", |t| {
        t.request_with(0, |frame| at::set(frame, at::OPNUM, &[0xff; 2]));
        t.see(Patience::Answer, None);
    }),
    ("an orphaned", |t| {
        let pdu = Pdu::whole(t.next_call_id(), Body::Orphaned);
        t.send_pdu(&pdu);
    }),
];
const FAULT_OR_CLOSE: &[Accept] = &[
    PROTOCOL_FAULT[0],
    ok(Want::Silence, Then::Closed),
    loose(Want::AnyFault, Then::Either),
    loose(Want::Nak(&[0, 4]), Then::Closed),
];
