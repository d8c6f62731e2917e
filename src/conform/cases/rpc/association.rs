//! Association groups, and what comes before the bind (C706 sections 12.6.4 and 12.6.4.3; MS-RPCE 3.3.1.5).

use std::time::Duration;

use super::tools::{ACCEPTED, PROTOCOL_NAK, SERVED_NEXT, plain};
use crate::conform::accept::{Accept, Then, Want, loose, ok};
use crate::conform::{Case, Confidence, Level, Stop, Talk};
use crate::wire::rpc::{Bind, Body, Flags, Pdu, Ptype, at};

pub(super) static CASES: &[Case] = &[
    Case::new(
        "rpc/association/not-bound",
        Level::Win,
        "a connection that begins with something else than a bind",
        "A request, alter_context, co_cancel, orphaned, auth3, shutdown or response before any bind is refused with a bind_nak of reason 4, and the connection \
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
            for (label, body) in [("an orphaned", Body::Orphaned), ("an auth3", Body::Auth3), ("a shutdown", Body::Shutdown)] {
                t.connect()?;
                let pdu = Pdu::whole(t.next_call_id(), body);
                t.send_pdu(&pdu);
                t.expect(label, PROTOCOL_NAK);
            }
            t.connect()?;
            let (mut frame, _) = t.request_frame(0);
            frame[at::PTYPE] = Ptype::RESPONSE.0;
            t.send_opaque(&frame);
            t.expect("a response", PROTOCOL_NAK);
            Ok(())
        },
    )
    .revision(2)
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
            name_group(t, "the bind", unknown, NOT_JOINED)?;
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
            join(t, "the bind", group)?;
            if t.ack().is_some() {
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
            name_group(t, "the bind", group, NOT_JOINED)?;
            Ok(())
        },
    ),
    Case::new(
        "rpc/association/three-in-a-group",
        Level::Win,
        "a group that is left by one after the other",
        "An association group has as many connections as join it, nine of them at least; when one of them closes, the others are \
         served and more may join; when all have closed it is gone.",
        "Samba raw protocol tests (assoc_group_ok1, assoc_group_ok2, assoc_group_fail2)",
        |t| {
            let group = t.bind()?.assoc_group;
            let mut members = vec![t.line()];
            let most = t.times(9, 3, 4);
            for number in 2..=most {
                join(t, &format!("number {number}"), group)?;
                members.push(t.line());
            }
            all_served(t, &members, "with all of them in it");
            for line in members.split_off(3) {
                t.on(line);
                t.close();
            }
            // First the one that made the group, then one that joined it.
            for left in 0..2 {
                t.on(members.remove(0));
                t.close();
                t.rest(A_MOMENT);
                all_served(t, &members, &format!("when {} left", left + 1));
                join(t, &format!("one more when {} left", left + 1), group)?;
                members.push(t.line());
            }
            all_served(t, &members, "in the end");
            for line in members {
                t.on(line);
                t.close();
            }
            t.rest(A_MOMENT);
            name_group(t, "a bind when all left", group, NOT_JOINED)
        },
    )
    .revision(2),
    Case::new(
        "rpc/association/many-groups",
        Level::Win,
        "many groups at once",
        "Each of many connections that ask for a new association group gets one of its own, and each group can be joined \
         while all are there.",
        "Samba raw protocol tests (assoc_group_diff1)",
        |t| {
            let mut groups = Vec::new();
            let many = t.times(MANY, 4, 4);
            for _ in 0..many {
                groups.push(t.bind()?.assoc_group);
            }
            let differ = (1..groups.len()).all(|at| !groups[..at].contains(&groups[at])) && !groups.contains(&0);
            t.holds("assoc_group", differ, || (format!("{many} numbers, none of them 0"), listed(&groups)));
            for (number, group) in groups.iter().enumerate() {
                join(t, &format!("group {}", number + 1), *group)?;
            }
            all_served(t, &(0..2 * many).collect::<Vec<_>>(), "with all of them open");
            for line in 0..2 * many {
                t.on(line);
                t.close();
            }
            let next = t.bind()?.assoc_group;
            t.should_hold("assoc_group", !groups.contains(&next), || {
                (format!("none of {}", listed(&groups)), listed(&[next]))
            });
            Ok(())
        },
    ),
];

/// A bind on a new connection that names a group.
pub fn name_group(t: &mut Talk<'_>, label: &str, group: u32, accepts: &[Accept]) -> Result<(), Stop> {
    t.connect()?;
    let offered = Bind { assoc_group: group, ..t.offer(vec![plain(t, 0)]) };
    t.send_bind(Flags::WHOLE, &offered);
    t.expect(label, accepts);
    Ok(())
}

/// The same, which is let into it.
pub fn join(t: &mut Talk<'_>, label: &str, group: u32) -> Result<(), Stop> {
    name_group(t, label, group, ACCEPTED)?;
    if let Some(got) = t.ack().map(|ack| ack.assoc_group) {
        t.holds("assoc_group", got == group, || (listed(&[group]), listed(&[got])));
    }
    Ok(())
}

fn all_served(t: &mut Talk<'_>, members: &[usize], when: &str) {
    for line in members {
        t.on(*line);
        if t.syntax_of(0).is_some() {
            t.request(0);
            t.expect_next(&format!("a request on connection {line} {when}"), SERVED_NEXT);
        }
    }
}

fn listed(groups: &[u32]) -> String {
    groups.iter().map(|group| format!("0x{group:08x}")).collect::<Vec<_>>().join(", ")
}

pub const A_MOMENT: Duration = Duration::from_millis(150);
const MANY: usize = 8;
/// Hosts that know no groups take every bind for one that asks for a new one, and no client minds.
pub const NOT_JOINED: &[Accept] =
    &[ok(Want::Nak(&[0]), Then::Closed), loose(Want::Silence, Then::Closed), loose(Want::Ack(&[(0, 0)]), Then::Open)];
