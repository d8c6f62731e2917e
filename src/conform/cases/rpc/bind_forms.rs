//! Binds whose lists of contexts are no lists, fragment sizes, and a bind too many (C706 section 12.6.4; MS-RPCE 3.3.1.5).

use super::tools::{ACCEPTED, PLAIN_NAK, REFUSED_OR_CLOSED, bind_frame, expect_bind, expect_first, plain};
use crate::conform::accept::{Then, Want, loose, ok};
use crate::conform::{Case, Level, Stop, Talk};
use crate::wire::rpc::{Bind, Flags, at};

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
            expect_bind(t, "one behind a good one", vec![plain(t, 0), t.context(1, &[])], PLAIN_NAK)?;
            Ok(())
        },
    )
    .revision(2),
    Case::new(
        "rpc/bind/missing-contexts",
        Level::Rec,
        "fewer contexts than the bind says",
        "A bind that says five contexts and has one ends the connection, with a bind_nak or without.",
        "robustness; no text",
        |t| {
            t.connect()?;
            let mut frame = bind_frame(t);
            frame[at::CONTEXTS] = 5;
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
