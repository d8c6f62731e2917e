//! Fragments of every size there may be (C706 section 12.6.3.7; MS-RPCE 3.3.3.5.4).

use super::rpc_tools::{ACCEPTED_NEXT, SERVED_NEXT, bind_as, plain, syntaxes};
use crate::conform::{Case, Level, Stop, Talk};
use crate::wire::rpc::{Bind, CALL_HEADER_LEN, Flags, TransferSyntax};

pub(super) static CASES: &[Case] = &[
    Case::new(
        "rpc/fragment/full-size",
        Level::Must,
        "fragments as long as was agreed on",
        "A request is served in fragments of any length up to the size that was agreed on, be it the least or the most.",
        "C706 section 12.6.3.7; Samba raw protocol tests (neg_xmit)",
        |t| {
            for asked in [2048, 3192, 4096, 5840] {
                let Some(size) = agreed(t, asked)? else { continue };
                for length in [size, size - 8, size - 1] {
                    let (stub, ask) = padded(t, length - CALL_HEADER_LEN);
                    let id = t.next_call_id();
                    let frame = t.frame_of(id, Flags::WHOLE, 0, &stub);
                    t.send_frame(&frame, ask);
                    t.expect_next(&format!("one of {length} bytes where {size} were agreed on"), SERVED_NEXT);
                }
                let room = (size - CALL_HEADER_LEN) & !7;
                for more in [1, 8, room - 8, room] {
                    if !t.is_over() {
                        let stub = padded(t, room + more);
                        cut(t, stub, &[room], |_, hint| hint);
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
                for count in [100, 300] {
                    if bind_as(t, &format!("a bind in {}", syntax.id()), 0, syntax)? {
                        let stub = padded_in(t, syntax, count * 8);
                        let cuts: Vec<_> = (1..count).map(|number| number * 8).collect();
                        cut(t, stub, &cuts, |_, hint| hint);
                        t.expect_next(&format!("{count} fragments in {}", syntax.id()), SERVED_NEXT);
                    }
                }
                for (label, cuts) in [("first", &[0, 64][..]), ("last", &[64, ALL]), ("first and the last", &[0, ALL])]
                {
                    if !t.is_over() && t.syntax_of(0).is_some() {
                        let (stub, ask) = t.stub(syntax);
                        cut(t, (stub, ask), cuts, |_, hint| hint);
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
                    let (stub, ask) = t.stub(TransferSyntax::Ndr32);
                    let place = (stub.len() / 2) & !7;
                    // In the first, in the last, in both.
                    let wrong = |number, right| if which == 2 || which == number { *hint } else { right };
                    cut(t, (stub, ask), &[place], wrong);
                    t.expect_next(&format!("hints that are {label}: {}", WHICH[which]), SERVED_NEXT);
                }
            }
            Ok(())
        },
    ),
];

type Stub = (Vec<u8>, Option<crate::proto::Ask>);

/// Binds with fragments of this size; the size that is agreed on, when it is.
fn agreed(t: &mut Talk<'_>, asked: u16) -> Result<Option<usize>, Stop> {
    t.connect()?;
    let offered = Bind { max_xmit_frag: asked, max_recv_frag: asked, ..t.offer(vec![plain(t, 0)]) };
    t.send_bind(Flags::WHOLE, &offered);
    t.expect_next(&format!("a bind with {asked}"), ACCEPTED_NEXT);
    let size = t.ack().map(|ack| usize::from(ack.max_recv_frag.min(asked)));
    Ok(size.filter(|size| *size >= SIZE_MIN && !t.is_over() && t.syntax_of(0).is_some()))
}

/// An ordinary stub with so many bytes after it that it is this long: what follows a stub means nothing.
fn padded(t: &mut Talk<'_>, length: usize) -> Stub {
    padded_in(t, TransferSyntax::Ndr32, length)
}

fn padded_in(t: &mut Talk<'_>, syntax: TransferSyntax, length: usize) -> Stub {
    let (mut stub, ask) = t.stub(syntax);
    stub.resize(length.max(stub.len()), 0);
    (stub, ask)
}

/// Sends a call that is cut at these places; `hint` is what each fragment, by its number, hints at for so many bytes.
fn cut(t: &mut Talk<'_>, (stub, ask): Stub, cuts: &[usize], hint: impl Fn(usize, u32) -> u32) {
    let id = t.next_call_id();
    let places: Vec<_> = cuts.iter().map(|cut| *cut.min(&stub.len())).collect();
    let (starts, ends) = ([&[0], &places[..]].concat(), [&places[..], &[stub.len()]].concat());
    for (number, (start, end)) in starts.iter().zip(&ends).enumerate() {
        let first = if number == 0 { Flags::FIRST } else { Flags::default() };
        let last = if number + 1 == ends.len() { Flags::LAST } else { Flags::default() };
        let mut frame = t.frame_of(id, first.with(last), 0, &stub[*start..*end]);
        frame[16..20].copy_from_slice(&hint(number, (stub.len() - start) as u32).to_le_bytes());
        t.send_frame(&frame, ask.clone());
    }
}

/// A host that agrees to less cannot be sent an ordinary request in one fragment.
const SIZE_MIN: usize = 512;
const ALL: usize = usize::MAX;
const WHICH: [&str; 3] = ["the first", "the last", "both"];
/// More than four megabytes are too much for a host to believe in; three are not.
const HINTS: &[(&str, u32)] = &[("nothing", 0), ("too little", 1), ("some bytes", 24), ("too much", 3 << 20)];
