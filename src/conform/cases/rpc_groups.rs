//! Association groups with several members, and several groups at once (C706 section 12.6.4.3; MS-RPCE 3.3.1.5).

use std::time::Duration;

use super::rpc_tools::{SERVED_NEXT, plain};
use crate::conform::accept::{Accept, Then, Want, loose, ok};
use crate::conform::{Case, Level, Stop, Talk};
use crate::wire::rpc::{Bind, Flags};

pub(super) static CASES: &[Case] = &[
    Case::new(
        "rpc/association/three-in-a-group",
        Level::Win,
        "a group that is left by one after the other",
        "An association group has as many connections as join it; when one of them closes, the others are served and \
         more may join; when all have closed it is gone.",
        "Samba raw protocol tests (assoc_group_ok1, assoc_group_ok2, assoc_group_fail2)",
        |t| {
            let group = t.bind()?.assoc_group;
            let mut members = vec![t.line()];
            for number in ["second", "third"] {
                join(t, number, group)?;
                members.push(t.line());
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
            bind(t, "a bind when all left", group, NOT_JOINED)
        },
    ),
    Case::new(
        "rpc/association/many-groups",
        Level::Win,
        "many groups at once",
        "Each of many connections that ask for a new association group gets one of its own, and each group can be joined \
         while all are there.",
        "Samba raw protocol tests (assoc_group_diff1)",
        |t| {
            let mut groups = Vec::new();
            for _ in 0..MANY {
                groups.push(t.bind()?.assoc_group);
            }
            let differ = (1..groups.len()).all(|at| !groups[..at].contains(&groups[at])) && !groups.contains(&0);
            t.holds("assoc_group", differ, || ("eight numbers, none of them 0".to_owned(), listed(&groups)));
            for (number, group) in groups.iter().enumerate() {
                join(t, &format!("group {}", number + 1), *group)?;
            }
            all_served(t, &(0..2 * MANY).collect::<Vec<_>>(), "with all of them open");
            for line in 0..2 * MANY {
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
fn bind(t: &mut Talk<'_>, label: &str, group: u32, accepts: &[Accept]) -> Result<(), Stop> {
    t.connect()?;
    let offered = Bind { assoc_group: group, ..t.offer(vec![plain(t, 0)]) };
    t.send_bind(Flags::WHOLE, &offered);
    t.expect(label, accepts);
    Ok(())
}

/// The same, which is let into it.
fn join(t: &mut Talk<'_>, label: &str, group: u32) -> Result<(), Stop> {
    bind(t, label, group, &[ok(Want::Ack(&[(0, 0)]), Then::Open)])?;
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

const A_MOMENT: Duration = Duration::from_millis(150);
const MANY: usize = 8;
/// Hosts that know no groups take every bind for one that asks for a new one, and no client minds.
const NOT_JOINED: &[Accept] =
    &[ok(Want::Nak(&[0]), Then::Closed), loose(Want::Silence, Then::Closed), loose(Want::Ack(&[(0, 0)]), Then::Open)];
