//! Associations: lists of contexts that are no lists, fragment sizes, groups, and what comes before or after the one
//! bind (C706 section 12.6.4; MS-RPCE 3.3.1.5).

use std::time::Duration;

use super::rpc_tools::{
    ACCEPTED, PLAIN_NAK, PROTOCOL_NAK, REFUSED_OR_CLOSED, bind_frame, expect_bind, expect_first, plain,
};
use crate::conform::accept::{Accept, Then, Want, loose, ok};
use crate::conform::{Case, Confidence, Level, Stop, Talk};
use crate::wire::rpc::{Bind, Body, Flags, Pdu};

pub(super) static CASES: &[Case] = &[
    Case::new(
        "rpc/bind/no-context",
        Level::Win,
        "a bind that offers nothing",
        "A bind without a context is refused with a bind_nak of reason 4, or 0 as hosts before 2016 do, and the \
         connection closed.",
        "Samba raw protocol tests (no_auth_no_ctx); seen live on Samba 4.17",
        |t| {
            let accepts = [ok(Want::Nak(&[4, 0]), Then::Closed), loose(Want::Silence, Then::Closed)];
            expect_bind(t, "the bind", Vec::new(), &accepts)?;
            Ok(())
        },
    ),
    Case::new(
        "rpc/bind/no-transfer-syntax",
        Level::Win,
        "a context that offers no syntax",
        "A bind with a context without transfer syntaxes is refused with a bind_nak of reason 0, and the connection closed.",
        "Samba raw protocol tests (presentation_ctx_invalid2); seen live on Samba 4.17",
        |t| {
            expect_bind(t, "the bind", vec![t.context(0, &[])], PLAIN_NAK)?;
            Ok(())
        },
    ),
    Case::new(
        "rpc/bind/missing-contexts",
        Level::Rec,
        "fewer contexts than the bind says",
        "A bind that says five contexts and has one ends the connection, with a bind_nak or without.",
        "robustness; no text",
        |t| {
            t.connect()?;
            let mut frame = bind_frame(t);
            frame[CONTEXTS_AT] = 5;
            expect_first(t, "the bind", &frame, REFUSED_OR_CLOSED);
            Ok(())
        },
    ),
    Case::new(
        "rpc/bind/fragment-sizes",
        Level::Win,
        "fragment sizes of all kinds",
        "Both fragment sizes of a bind_ack are the smaller one offered, from 2,048 to 5,840, as a multiple of eight.",
        "Samba raw protocol tests (neg_xmit); seen live on Samba 4.17",
        |t| SIZES.into_iter().try_for_each(|(offered, due)| sizes(t, offered, due)),
    ),
    Case::new(
        "rpc/association/new-group",
        Level::Win,
        "a new association group for each connection",
        "A bind that asks for a new association group gets one that is not 0 and not that of another connection.",
        "Samba raw protocol tests (assoc_group_diff1); seen live on Samba 4.17",
        |t| {
            let groups = [t.bind()?.assoc_group, t.bind()?.assoc_group];
            let [one, other] = groups;
            t.holds("assoc_group", one != 0 && other != 0 && one != other, || {
                ("two numbers, neither of them 0".to_owned(), format!("0x{one:08x} and 0x{other:08x}"))
            });
            Ok(())
        },
    ),
    Case::new(
        "rpc/association/unknown-group",
        Level::Win,
        "an association group that never was",
        "A bind that names an unknown association group is refused with a bind_nak of reason 0, and the connection closed.",
        "Samba raw protocol tests (assoc_group_fail1); seen live on Samba 4.17",
        |t| {
            // Small numbers are what hosts give first, so one that is not the next is taken.
            let unknown = if t.bind()?.assoc_group == 1 { 2 } else { 1 };
            join(t, "the bind", unknown, NOT_JOINED)?;
            Ok(())
        },
    ),
    Case::new(
        "rpc/association/live-group",
        Level::Win,
        "the association group of another connection",
        "A bind that names the association group of an open connection is let into it, and the bind_ack says so.",
        "Samba raw protocol tests (assoc_group_ok1)",
        |t| {
            let group = t.bind()?.assoc_group;
            join(t, "the bind", group, ACCEPTED)?;
            if let Some(got) = t.ack().map(|ack| ack.assoc_group) {
                t.holds("assoc_group", got == group, || (format!("0x{group:08x}"), format!("0x{got:08x}")));
                t.still_serves("a request on it");
            }
            t.on(0);
            t.still_serves("a request on the first connection");
            Ok(())
        },
    ),
    Case::new(
        "rpc/association/closed-group",
        Level::Win,
        "the association group of a connection that is gone",
        "A bind that names the association group of a connection that was closed half a second before is refused with a \
         bind_nak of reason 0, and the connection closed.",
        "Samba raw protocol tests (assoc_group_fail2)",
        |t| {
            let group = t.bind()?.assoc_group;
            t.close();
            t.rest(Duration::from_millis(500));
            join(t, "the bind", group, NOT_JOINED)?;
            Ok(())
        },
    ),
    Case::new(
        "rpc/bind/second-bind",
        Level::Win,
        "a bind on a connection that is bound",
        "A second bind on a connection is refused with a bind_nak, and the connection closed.",
        "Samba raw protocol tests",
        |t| {
            t.bind()?;
            let offered = t.offer(vec![plain(t, 1)]);
            t.send_bind(Flags::WHOLE, &offered);
            t.expect("the second bind", PLAIN_NAK);
            Ok(())
        },
    ),
    Case::new(
        "rpc/association/not-bound",
        Level::Win,
        "a connection that begins with something else than a bind",
        "A request, alter_context or co_cancel before any bind is refused with a bind_nak of reason 4, and the connection \
         closed.",
        "seen live on Samba 4.17; Samba server code",
        |t| {
            t.connect()?;
            t.request(0);
            t.expect("a request", PROTOCOL_NAK);
            t.connect()?;
            let offered = t.offer(vec![plain(t, 0)]);
            t.send_alter(&offered);
            t.expect("an alter_context", PROTOCOL_NAK);
            t.connect()?;
            let pdu = Pdu::whole(t.next_call_id(), Body::CoCancel);
            t.send_pdu(&pdu);
            t.expect("a co_cancel", PROTOCOL_NAK);
            Ok(())
        },
    )
    .confidence(Confidence::Medium),
    Case::new(
        "rpc/association/not-bound-last-context",
        Level::Rec,
        "a request in context 65535 before any bind",
        "A request before any bind is refused in whatever context it is, the last one of all too.",
        "seen live on Samba 4.17",
        |t| {
            t.connect()?;
            t.request(u16::MAX);
            t.expect("the request", PROTOCOL_NAK);
            Ok(())
        },
    )
    .confidence(Confidence::Medium),
];

fn sizes(t: &mut Talk<'_>, (xmit, recv): (u16, u16), due: u16) -> Result<(), Stop> {
    t.connect()?;
    let offered = Bind { max_xmit_frag: xmit, max_recv_frag: recv, ..t.offer(vec![plain(t, 0)]) };
    t.send_bind(Flags::WHOLE, &offered);
    t.expect(&format!("a bind with {xmit} and {recv}"), ACCEPTED);
    if let Some((xmit, recv)) = t.ack().map(|ack| (ack.max_xmit_frag, ack.max_recv_frag)) {
        t.field("max_xmit_frag", due, xmit);
        t.field("max_recv_frag", due, recv);
    }
    Ok(())
}

/// A bind on a new connection that names an association group.
fn join(t: &mut Talk<'_>, label: &str, group: u32, accepts: &[Accept]) -> Result<(), Stop> {
    t.connect()?;
    let offered = Bind { assoc_group: group, ..t.offer(vec![plain(t, 0)]) };
    t.send_bind(Flags::WHOLE, &offered);
    t.expect(label, accepts);
    Ok(())
}

/// What is offered, and what it comes to.
const SIZES: [((u16, u16), u16); 7] = [
    ((5840, 5840), 5840),
    ((0xffff, 0xffff), 5840),
    ((0, 5840), 2048),
    ((5840, 0), 2048),
    ((0, 0), 2048),
    ((3199, 0xffff), 3192),
    ((0xffff, 3199), 3192),
];
/// Hosts that know no groups take every bind for one that asks for a new one, and no client minds.
const NOT_JOINED: &[Accept] =
    &[ok(Want::Nak(&[0]), Then::Closed), loose(Want::Silence, Then::Closed), loose(Want::Ack(&[(0, 0)]), Then::Open)];
/// Where a bind says how many contexts it has.
const CONTEXTS_AT: usize = 24;
