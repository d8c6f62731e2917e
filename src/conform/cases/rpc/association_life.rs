//! Association groups over their lives: their numbers, what their members share and what not, and every way to leave
//! (C706 section 12.6.4.3; MS-RPCE 3.3.1.5).

use super::association::{A_MOMENT, NOT_JOINED, join, name_group};
use super::calls::Call;
use super::tools::{ACCEPTED_NEXT, SERVED_NEXT, UNKNOWN_CONTEXT, plain};
use crate::conform::accept::{Accept, Then, Want, loose, ok};
use crate::conform::host::{Closing, Patience};
use crate::conform::{Case, Confidence, Level, Stop, Talk};
use crate::wire::rpc::{Bind, Flags, at};

pub(super) static CASES: &[Case] = &[
    Case::new(
        "rpc/association/never-the-same",
        Level::Win,
        "the numbers of groups while others come and go",
        "No two groups have the same number at the same time, whatever others were closed meanwhile, and however many.",
        "Samba raw protocol tests (assoc_group_diff1)",
        |t| {
            let mut open = Vec::new();
            for turn in 0..6 {
                let group = t.bind()?.assoc_group;
                let is_new = open.iter().all(|(_, other)| *other != group);
                t.holds("assoc_group", group != 0 && is_new, || {
                    ("a number that no open connection has".to_owned(), format!("0x{group:08x}"))
                });
                open.push((t.line(), group));
                if turn % 2 == 1 {
                    let (line, _) = open.remove(0);
                    t.on(line);
                    t.close();
                    t.rest(A_MOMENT / 3);
                }
            }
            while_others_come_and_go(t)
        },
    )
    .revision(2)
    // How many connections others have open is nothing to count by.
    .alone(),
    Case::new(
        "rpc/association/unknown-numbers",
        Level::Win,
        "group numbers that nobody has, of every kind",
        "A bind that names a group there is none of is refused with a bind_nak of reason 0, or without one, and the \
         connection closed: the second time like the first, and whichever of its bits tells it from one that there is.",
        "Samba raw protocol tests (assoc_group_fail1); Samba 4.17 closes at numbers that it cannot have given",
        |t| {
            let live = t.bind()?.assoc_group;
            // Small numbers are what hosts give first.
            let small = if live == 0x1001 { 0x1002 } else { 0x1001 };
            for unknown in [small, small, u32::MAX, 0x8000_0000, live ^ 0x8000_0000, live ^ 0x1000, live ^ 0x80] {
                if unknown != live && unknown != 0 {
                    name_group(t, &format!("group 0x{unknown:08x} where 0x{live:08x} is"), unknown, NOT_KNOWN)?;
                    t.close();
                }
            }
            Ok(())
        },
    ),
    Case::new(
        "rpc/association/own-terms",
        Level::Win,
        "what the members of a group do not share",
        "A connection that joins a group agrees on fragment sizes, contexts and call ids of its own.",
        "C706 section 12.6.4.3; Samba raw protocol tests (neg_xmit)",
        |t| {
            let group = t.bind()?.assoc_group;
            let offered = t.offer(vec![plain(t, 7)]);
            t.send_alter(&offered);
            t.expect_next("an alter_context of the first", ACCEPTED_NEXT);
            t.connect()?;
            let offered =
                Bind { max_xmit_frag: 2500, max_recv_frag: 2500, assoc_group: group, ..t.offer(vec![plain(t, 0)]) };
            t.send_bind(Flags::WHOLE, &offered);
            t.expect_next("a bind of the second, with sizes of 2500", ACCEPTED_NEXT);
            if let Some((xmit, recv)) = t.ack().map(|ack| (ack.max_xmit_frag, ack.max_recv_frag)) {
                t.field("max_xmit_frag", 2496, xmit);
                t.field("max_recv_frag", 2496, recv);
            }
            let (first, second) = (0, 1);
            for (line, when) in [(first, "of the first"), (second, "of the second, with the same call id")] {
                t.on(line);
                if t.syntax_of(0).is_some() && !t.is_over() {
                    t.request_with(0, |frame| at::set(frame, at::CALL_ID, &0x77_u32.to_le_bytes()));
                    t.expect_next(&format!("a request {when}"), SERVED_NEXT);
                }
            }
            if !t.is_over() {
                t.request(7);
                t.expect("a request of the second in a context of the first", UNKNOWN_CONTEXT);
            }
            Ok(())
        },
    )
    .confidence(Confidence::Medium),
    Case::new(
        "rpc/association/gone-however",
        Level::Win,
        "groups whose only connection ended in some way",
        "An association group is gone with its only connection, however that ended: with a FIN in the middle of a PDU \
         or of a call, with a RST, or closed by the host.",
        "Samba raw protocol tests (assoc_group_fail2)",
        |t| {
            let mut gone = Vec::new();
            for (how, leave) in t.some_of(LEAVING.to_vec(), 4, 4) {
                let group = t.bind()?.assoc_group;
                leave(t);
                gone.push((how, group));
            }
            t.rest(A_MOMENT);
            for (how, group) in gone {
                name_group(t, &format!("the group of one {how}"), group, NOT_JOINED)?;
                t.close();
            }
            // One that was left by none is there still.
            let group = t.bind()?.assoc_group;
            join(t, "a group that is there", group)
        },
    )
    .revision(2)
    .confidence(Confidence::Medium),
];

/// A group that is there keeps its number to itself, though more come and go than eight bits count.
fn while_others_come_and_go(t: &mut Talk<'_>) -> Result<(), Stop> {
    let kept = t.bind()?.assoc_group;
    let line = t.line();
    let most = if t.is_paced() { 20 } else { t.times(300, 1, 3) };
    for number in 1..=most {
        let group = t.bind()?.assoc_group;
        t.close();
        if group == kept || number == most {
            t.on(line);
            // The group of who was shown out meanwhile may be given again.
            let is_there = t.closing(Patience::Silence) == Closing::Open;
            t.holds("assoc_group", group != kept || !is_there, || {
                (
                    format!("another number than 0x{kept:08x}, which is there"),
                    format!("0x{group:08x} for bind {number}"),
                )
            });
            return Ok(());
        }
    }
    Ok(())
}

/// Hosts that know no groups take every bind for one that asks for a new one, and no client minds.
const NOT_KNOWN: &[Accept] =
    &[ok(Want::Nak(&[0]), Then::Closed), ok(Want::Silence, Then::Closed), loose(Want::Ack(&[(0, 0)]), Then::Open)];

/// How a connection is left.
type Leave = fn(&mut Talk<'_>);

const LEAVING: &[(&str, Leave)] = &[
    ("that closed in the middle of a PDU", |t| {
        let (frame, _) = t.request_frame(0);
        t.send_raw(&frame[..11]);
        t.close();
    }),
    ("that closed between the fragments of a call", |t| {
        let call = Call::of(t);
        call.send(t, Flags::FIRST, &call.stub[..call.stub.len() / 2]);
        t.close();
    }),
    ("that broke off", |t| t.break_off()),
    ("that the host closed after a fault", |t| {
        t.request_with(0, |frame| frame[at::FLAGS] = Flags::LAST.0);
        t.see(Patience::Answer, Some(Patience::Close));
        t.close();
    }),
    ("that the host closed", |t| {
        let offered = t.offer(vec![plain(t, 1)]);
        t.send_bind(Flags::WHOLE, &offered);
        t.see(Patience::Answer, Some(Patience::Close));
        t.close();
    }),
];
