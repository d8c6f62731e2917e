//! Fragments of every size there may be (C706 section 12.6.3.7; MS-RPCE 3.3.3.5.4).

use super::calls::{Call, END};
use super::tools::{ACCEPTED_NEXT, SERVED_NEXT, bind_as, plain, syntaxes};
use crate::conform::{Case, Level, Stop, Talk};
use crate::wire::rpc::{Bind, CALL_HEADER_LEN, Flags, at};

pub(super) static CASES: &[Case] = &[
    Case::new(
        "rpc/fragment/full-size",
        Level::Must,
        "fragments as long as was agreed on",
        "A request is served in fragments of any length up to the size that was agreed on, be it the least or the most.",
        "C706 section 12.6.3.7; Samba raw protocol tests (neg_xmit)",
        |t| {
            for asked in t.some_of(vec![2048, 3192, 4096, 5840], 2, 8) {
                let Some(size) = agreed(t, asked)? else { continue };
                for length in [size, size - 8, size - 1] {
                    let call = Call::of(t).padded(length - CALL_HEADER_LEN);
                    call.send(t, Flags::WHOLE, &call.stub);
                    t.expect_next(&format!("one of {length} bytes where {size} were agreed on"), SERVED_NEXT);
                }
                let room = (size - CALL_HEADER_LEN) & !7;
                for more in [1, 8, room - 8, room] {
                    if !t.is_over() {
                        Call::of(t)
                            .padded(room + more)
                            .send_cut(t, &[room], |frame, _, left| hint_at(frame, left as u32));
                        t.expect_next(&format!("{room} and {more} bytes where {size} were agreed on"), SERVED_NEXT);
                    }
                }
            }
            Ok(())
        },
    ),
    Case::new(
        "rpc/fragment/hundreds",
        Level::Must,
        "a request in hundreds of fragments",
        "A request is served in however many fragments it comes, the first or the last of them without a byte of the \
         stub.",
        "C706 section 12.6.3.7",
        |t| {
            for syntax in syntaxes(t)? {
                for count in [100, 300, 600] {
                    if bind_as(t, &format!("a bind in {}", syntax.id()), 0, syntax)? {
                        let places: Vec<_> = (1..count).map(|number| number * 8).collect();
                        Call::in_syntax(t, syntax)
                            .padded(count * 8)
                            .send_cut(t, &places, |frame, _, left| hint_at(frame, left as u32));
                        t.expect_next(&format!("{count} fragments in {}", syntax.id()), SERVED_NEXT);
                    }
                }
                for (label, places) in
                    [("first", &[0, 64][..]), ("last", &[64, END]), ("first and the last", &[0, END])]
                {
                    if !t.is_over() && t.syntax_of(0).is_some() {
                        Call::in_syntax(t, syntax).send_cut(t, places, |frame, _, left| hint_at(frame, left as u32));
                        t.expect_next(&format!("nothing in the {label}, in {}", syntax.id()), SERVED_NEXT);
                    }
                }
            }
            Ok(())
        },
    ),
    Case::new(
        "rpc/fragment/wrong-hints",
        Level::Must,
        "fragments whose allocation hints are wrong",
        "The allocation hint of a fragment is a hint: the call is served whether it is 0, too small or too large.",
        "C706 section 12.6.4.9 (alloc_hint); Samba raw protocol tests (alloc_hint)",
        |t| {
            t.bind()?;
            for (label, hint) in HINTS {
                for which in [0, 1, 2] {
                    if t.is_over() {
                        return Ok(());
                    }
                    let call = Call::of(t);
                    let place = (call.stub.len() / 2) & !7;
                    call.send_cut(t, &[place], |frame, number, left| {
                        // In the first, in the last, in both.
                        let is_wrong = which == 2 || which == number;
                        hint_at(frame, if is_wrong { *hint } else { left as u32 });
                    });
                    t.expect_next(&format!("hints that are {label}: {}", WHICH[which]), SERVED_NEXT);
                }
            }
            Ok(())
        },
    ),
];

/// Binds with fragments of this size; the size that is agreed on, when it is.
fn agreed(t: &mut Talk<'_>, asked: u16) -> Result<Option<usize>, Stop> {
    t.connect()?;
    let offered = Bind { max_xmit_frag: asked, max_recv_frag: asked, ..t.offer(vec![plain(t, 0)]) };
    t.send_bind(Flags::WHOLE, &offered);
    t.expect_next(&format!("a bind with {asked}"), ACCEPTED_NEXT);
    let size = t.ack().map(|ack| usize::from(ack.max_recv_frag.min(asked)));
    Ok(size.filter(|size| *size >= SIZE_MIN && !t.is_over() && t.syntax_of(0).is_some()))
}

/// What a fragment hints at; clients have it say all that is left.
fn hint_at(frame: &mut [u8], hint: u32) {
    at::set(frame, at::ALLOC_HINT, &hint.to_le_bytes());
}

/// A host that agrees to less cannot be sent an ordinary request in one fragment.
const SIZE_MIN: usize = 512;
const WHICH: [&str; 3] = ["the first", "the last", "both"];
/// What a host believes in is its own affair; a hundred thousand bytes every one does.
const HINTS: &[(&str, u32)] = &[("nothing", 0), ("too little", 1), ("some bytes", 24), ("too much", 100_000)];
