//! Object UUIDs in calls of several fragments (C706 section 12.6.4.9).

use super::calls::{Call, END, insert_object};
use super::tools::{SERVED_NEXT, bind_as, syntaxes};
use crate::conform::{Case, Level, Talk};
use crate::wire::rpc::TransferSyntax;

pub(super) static CASES: &[Case] = &[Case::new(
    "rpc/fragment/object",
    Level::Win,
    "an object UUID in every fragment",
    "Of each fragment with the flag object_uuid the sixteen bytes of the UUID are skipped, whatever they are and wherever \
     the stub is cut, before an ordinary call and after it.",
    "C706 section 12.6.4.9; Samba torture test of object UUIDs",
    |t| {
        for syntax in syntaxes(t)? {
            if !bind_as(t, &format!("a bind in {}", syntax.id()), 0, syntax)? {
                continue;
            }
            let cuts = [&[][..], &[0], &[8], &[16, 24], &[8, 16, 24, 32, 40, 120], &[END]];
            for (name, uuid) in UUIDS {
                for cut in t.some_of(cuts.to_vec(), 2, 12) {
                    if !t.is_over() {
                        send(t, syntax, uuid, cut);
                        t.expect_next(&format!("{name} object, cut at {cut:?}, in {}", syntax.id()), SERVED_NEXT);
                    }
                }
                if !t.is_over() {
                    t.request(0);
                    t.expect_next("a request without one then", SERVED_NEXT);
                }
            }
        }
        Ok(())
    },
)];

/// A call whose stub is cut at these places, with an object in each fragment.
fn send(t: &mut Talk<'_>, syntax: TransferSyntax, uuid: [u8; 16], cuts: &[usize]) {
    let call = Call::in_syntax(t, syntax);
    let mut places: Vec<_> = cuts.iter().map(|cut| *cut.min(&call.stub.len())).collect();
    places.dedup();
    call.send_cut(t, &places, |frame, _, _| insert_object(frame, uuid));
}

/// The nil UUID is one like any other where the flag says that there is one.
const UUIDS: [(&str, [u8; 16]); 3] = [
    ("a nil", [0; 16]),
    ("any", [0x6b, 0x6d, 0x73, 0x70, 0x72, 0x6f, 0x6f, 0x46, 0xa1, 0x05, 0, 0, 3, 9, 0x40, 1]),
    ("a full", [0xff; 16]),
];
