//! Binds with long lists, with bytes that mean nothing, and a second bind in every state of a connection (C706 sections
//! 12.6.3.1 and 12.6.4.3; MS-RPCE 3.3.1.5.6).

use super::tools::{
    ACCEPTED_NEXT, PLAIN_NAK, REFUSED_OR_CLOSED, SERVED_NEXT, bind_frame, expect_bind_next, lists, names, plain,
    strange, syntaxes,
};
use crate::conform::accept::{Then, Want, ok};
use crate::conform::host::Patience;
use crate::conform::{Capability, Case, Confidence, Level, Stop, Talk, UNKNOWN_ID};
use crate::wire::rpc::{ContextElement, Flags, SyntaxId, TransferSyntax, at};

pub(super) static CASES: &[Case] = &[
    Case::new(
        "rpc/bind/many-contexts",
        Level::Must,
        "binds with up to a hundred contexts",
        "A bind_ack has a result for each context, in their order, however many there are, and the good one among them \
         serves calls wherever it stands.",
        "C706 section 12.6.3.1 (p_result_list_t); MS-RPCE 2.2.2.4",
        |t| {
            for count in t.some_of(vec![3, 5, 6, 9, 12, 17, 24, 33, 48, 65, 100], 3, 4) {
                for good in [0, count - 1] {
                    let context = |id| if id == good { plain(t, id) } else { strange(id) };
                    let contexts = (0..count).map(context).collect();
                    let due: Vec<_> = (0..count).map(|id| if id == good { (0, 0) } else { (2, 1) }).collect();
                    t.connect()?;
                    let offered = t.offer(contexts);
                    t.send_bind(Flags::WHOLE, &offered);
                    let seen = t.see(Patience::Answer, None);
                    if lists(t, &format!("{count} contexts, the good one number {good}"), &seen, &due) && !t.is_over() {
                        t.request(good);
                        t.expect_next(&format!("a request in number {good} of {count}"), SERVED_NEXT);
                    }
                }
            }
            Ok(())
        },
    ),
    Case::new(
        "rpc/bind/many-syntaxes",
        Level::Win,
        "contexts with many transfer syntaxes",
        "Of the transfer syntaxes of one context the one that the host speaks is chosen, however many others stand before \
         it; of several that it speaks it chooses one.",
        "Samba raw protocol tests (presentation_ctx_valid1); MS-RPCE 3.3.1.5.6",
        |t| {
            for syntax in syntaxes(t)? {
                for before in t.some_of(vec![1, 2, 3, 5, 9, 30], 3, 6) {
                    let others = (0..before).map(|version| SyntaxId { version, ..UNKNOWN_ID });
                    let offered = others.chain([syntax.id()]).collect::<Vec<_>>();
                    let label = format!("{} after {before} others", syntax.id());
                    let seen = expect_bind_next(t, &label, vec![t.context(1, &offered)], ACCEPTED_NEXT)?;
                    names(t, &seen, &[syntax.id()]);
                    if t.syntax_of(1).is_some() && !t.is_over() {
                        t.request(1);
                        t.expect_next(&format!("a request in {label}"), SERVED_NEXT);
                    }
                }
            }
            let both = TransferSyntax::ALL.map(TransferSyntax::id);
            for offered in [[both[0], both[1]], [both[1], both[0]]] {
                let label = format!("{} and {} in one context", offered[0], offered[1]);
                expect_bind_next(t, &label, vec![t.context(1, &offered)], ACCEPTED_NEXT)?;
                if t.syntax_of(1).is_some() && !t.is_over() {
                    t.request(1);
                    t.expect_next(&format!("a request after {label}"), SERVED_NEXT);
                }
            }
            Ok(())
        },
    ),
    Case::new(
        "rpc/bind/reserved-bytes",
        Level::Win,
        "bytes of a bind that mean nothing",
        "A bind is accepted whatever the reserved bytes of its list and of its contexts are.",
        "C706 section 12.6.3.1 (reserved bytes); seen live on Samba 4.17",
        |t| {
            for (label, change) in MEANINGLESS {
                t.connect()?;
                let mut frame = bind_frame(t);
                change(&mut frame);
                t.send_frame(&frame, None);
                t.expect_next(label, ACCEPTED_NEXT);
                if t.syntax_of(0).is_some() && !t.is_over() {
                    t.request(0);
                    t.expect_next(&format!("a request after {label}"), SERVED_NEXT);
                }
            }
            Ok(())
        },
    )
    .confidence(Confidence::Medium),
    Case::new(
        "rpc/bind/nothing-known",
        Level::Win,
        "an unknown interface in any syntax",
        "A context of an unknown interface is refused for the interface, with (2,1), be its syntax unknown too, NDR64 or \
         one of several.",
        "Samba server code; seen live on Samba 4.17",
        |t| {
            let offers: [&[SyntaxId]; 3] = [&[UNKNOWN_ID], &[SyntaxId::NDR64], &[SyntaxId::NDR64, SyntaxId::NDR32]];
            for offered in t.in_turn(&offers) {
                let names: Vec<_> = offered.iter().map(SyntaxId::to_string).collect();
                let label = format!("it with {} and a good one", names.join(" or "));
                let unknown = ContextElement { id: 1, interface: UNKNOWN_ID, transfer: offered.to_vec() };
                let accepts = [ok(Want::Ack(&[(2, 1), (0, 0)]), Then::Either)];
                expect_bind_next(t, &label, vec![unknown, plain(t, 0)], &accepts)?;
            }
            Ok(())
        },
    )
    .revision(2)
    .confidence(Confidence::Medium),
    Case::new(
        "rpc/bind/ndr64-alone",
        Level::Win,
        "NDR64 where nothing else is offered",
        "A host that accepts NDR64 beside NDR32 accepts it alone as well, whatever the number of its context.",
        "MS-RPCE 3.3.1.5.6: each context is judged for itself, but for the one syntax that is chosen",
        |t| {
            for id in [0, 1, 7] {
                expect_bind_next(t, &format!("NDR64 alone, in context {id}"), vec![t.context(id, &[SyntaxId::NDR64])], ACCEPTED_NEXT)?;
                if t.syntax_of(id).is_some() && !t.is_over() {
                    t.request(id);
                    t.expect_next(&format!("a request in NDR64 alone, in context {id}"), SERVED_NEXT);
                }
            }
            Ok(())
        },
    )
    .needs(&[Capability::Ndr64]),
    Case::new(
        "rpc/bind/nothing-behind-refusal",
        Level::Win,
        "a good bind right behind one that is refused",
        "What comes in one segment with a bind that is refused is not read any more: the connection is closed.",
        "Samba raw protocol tests; MS-RPCE 3.3.1.5.3",
        |t| {
            t.connect()?;
            let mut bad = bind_frame(t);
            bad[at::VERSION] = 4;
            let good = bind_frame(t);
            t.note_sent(&bad, None);
            t.transmit(&[bad, good].concat());
            t.expect("both of them", REFUSED_OR_CLOSED);
            Ok(())
        },
    )
    .confidence(Confidence::Medium),
    Case::new(
        "rpc/bind/second-bind-later",
        Level::Win,
        "a second bind in every state of a connection",
        "A second bind on a connection is refused with a bind_nak, and the connection closed, whatever came between: a \
         call, six of them, a fault, an alter_context or nothing, and though the first one was accepted for nothing.",
        "Samba raw protocol tests; Samba server code",
        |t| {
            for (label, come_to) in t.some_of(STATES.to_vec(), 4, 3) {
                if come_to(t)? && !t.is_over() {
                    let offered = t.offer(vec![plain(t, 1)]);
                    t.send_bind(Flags::WHOLE, &offered);
                    t.expect(label, PLAIN_NAK);
                }
            }
            t.connect()?;
            let frame = bind_frame(t);
            t.send_frame(&frame, None);
            t.see(Patience::Answer, None);
            t.send_frame(&frame, None);
            t.expect("the same bind again", PLAIN_NAK);
            Ok(())
        },
    )
    .revision(2)
    .confidence(Confidence::Medium),
];

/// What is changed in a bind with one context of one syntax.
type Change = fn(&mut Vec<u8>);

const MEANINGLESS: &[(&str, Change)] = &[
    ("a bind with something in the byte after the count", |frame| frame[at::CONTEXTS + 1] = 1),
    ("a bind with something in the two bytes after that", |frame| frame[at::CONTEXTS + 2..][..2].fill(0xff)),
    ("a bind with something beside the count of syntaxes", |frame| frame[at::FIRST_CONTEXT + 3] = 7),
];

/// How a connection comes to a state, and whether it is in it.
type ComeTo = fn(&mut Talk<'_>) -> Result<bool, Stop>;

const STATES: &[(&str, ComeTo)] = &[
    ("a bind after a call", |t| {
        t.bind()?;
        t.request(0);
        Ok(t.see(Patience::Answer, None).reply.is_some())
    }),
    ("a bind after six calls", |t| {
        t.bind()?;
        for _ in 0..t.times(6, 1, 6) {
            t.request(0);
            if t.see(Patience::Answer, None).reply.is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }),
    ("a bind after a fault", |t| {
        t.bind()?;
        t.request(99);
        Ok(t.see(Patience::Answer, None).reply.is_some())
    }),
    ("a bind after an alter_context", |t| {
        t.bind()?;
        let offered = t.offer(vec![plain(t, 5)]);
        t.send_alter(&offered);
        Ok(t.see(Patience::Answer, None).reply.is_some())
    }),
    ("a bind after one of which nothing was accepted", |t| {
        t.connect()?;
        let offered = t.offer(vec![strange(0)]);
        t.send_bind(Flags::WHOLE, &offered);
        Ok(t.see(Patience::Answer, None).reply.is_some())
    }),
];
