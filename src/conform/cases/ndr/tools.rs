//! What cases about stubs have in common: how a stub is spoilt, how it is put, and how it is told to be unreadable.

use crate::conform::accept::{Accept, Seen, Then, Want, fault, loose, ok};
use crate::conform::cases::kms::tools::MALFORMED;
use crate::conform::host::Closing;
use crate::conform::{Stop, Talk};
use crate::proto::Ask;
use crate::wire::Hresult;
use crate::wire::kms::ProtocolVersion;
use crate::wire::ndr::RequestStub;
use crate::wire::rpc::{FaultStatus, Flags, TransferSyntax};

/// How a stub is answered that cannot be read.
pub const UNREADABLE: &[Accept] = &[
    ok(fault(&[FaultStatus::BAD_STUB_DATA]).executed(true).want(), Then::Open),
    loose(Want::AnyFault, Then::Either),
    loose(Want::Silence, Then::Closed),
];

/// The same of a stub that can be read and contradicts itself: a code says as well that it was not taken.
const CONTRADICTS: &[Accept] = &[
    ok(fault(&[FaultStatus::BAD_STUB_DATA]).executed(true).want(), Then::Open),
    loose(Want::AnyFault, Then::Either),
    loose(Want::Refused(&[Hresult::INVALID_DATA.0]), Then::Either),
    loose(Want::Silence, Then::Closed),
];

/// A stub whose bytes are in order.
const READ: &[Accept] = &[ok(Want::Served, Then::Open), loose(Want::AnyFault, Then::Open)];

/// Stubs that end too early, wherever they do.
pub fn short(t: &mut Talk<'_>, syntax: TransferSyntax) -> Result<(), Stop> {
    for (label, len) in
        [("half of it", 100), ("the counts alone", 2 * word_len(syntax)), ("a byte missing", usize::MAX)]
    {
        let (mut stub, _) = ordinary(t, syntax)?;
        stub.truncate(len.min(stub.len() - 1));
        send(t, &stub);
        t.expect(label, UNREADABLE);
    }
    let whole = ordinary(t, syntax)?.0.len();
    let nearly = [2, 3, 4, 5, 7].map(|missing| whole - missing);
    let lens = nearly.into_iter().chain([1, 2, 3, 5, 7, 9, 12, 15, 17, 20, 23]).chain((8..whole).step_by(8));
    for len in t.some_of(lens.collect(), 16, 1) {
        let (mut stub, _) = ordinary(t, syntax)?;
        stub.truncate(len);
        if !is_answered(t, &format!("{len} of {whole} bytes"), &stub) {
            return Ok(());
        }
    }
    t.still_serves("an ordinary request then");
    Ok(())
}

/// No stub at all.
pub fn empty(t: &mut Talk<'_>, syntax: TransferSyntax) -> Result<(), Stop> {
    t.bind_in(syntax)?;
    send(t, &[]);
    t.expect("the request", UNREADABLE);
    t.still_serves("an ordinary request then");
    Ok(())
}

/// Counts that no stub can hold.
pub fn huge(t: &mut Talk<'_>, syntax: TransferSyntax) -> Result<(), Stop> {
    for count in [0x7fff_ffff_u32, 0xffff_ffff, 0x8000_0000] {
        let (mut stub, _) = ordinary(t, syntax)?;
        set_size(&mut stub, count);
        set_count(&mut stub, syntax, count.into());
        send(t, &stub);
        t.expect(&format!("a size and a count of 0x{count:08x}"), UNREADABLE);
    }
    if syntax == TransferSyntax::Ndr64 {
        // The low halves agree, and what comes of adding to the count does as well.
        for size in [0xffff_fff0_u32, 0xffff_ffff] {
            let (mut stub, _) = ordinary(t, syntax)?;
            set_size(&mut stub, size);
            set_count(&mut stub, syntax, u64::from(size) | 0xffff_ffff_0000_0000);
            send(t, &stub);
            t.expect(&format!("a size of 0x{size:08x} and a count with all high bits set"), UNREADABLE);
        }
    }
    let (right, _) = ordinary(t, syntax)?;
    let len = u64::from(size_of(&right));
    let mut counts = vec![len + 1, len + 8, 0x7fff_ffff, 0xffff_ffff];
    if syntax == TransferSyntax::Ndr64 {
        counts.extend([0x1_0000_0000 + len, 0x8000_0000_0000_0000 + len, u64::MAX]);
    }
    for count in counts {
        let (mut stub, _) = ordinary(t, syntax)?;
        set_count(&mut stub, syntax, count);
        if !is_answered(t, &format!("a count of 0x{count:x} alone, where {len} bytes are"), &stub) {
            return Ok(());
        }
    }
    t.still_serves("an ordinary request then");
    Ok(())
}

/// A size and a count of which one is right and the other is not.
pub fn differing(t: &mut Talk<'_>, syntax: TransferSyntax) -> Result<(), Stop> {
    let right = size_of(&ordinary(t, syntax)?.0);
    for lie in [right - 1, right + 8, 0, 1, 200, u32::MAX] {
        for is_count in [true, false] {
            let (mut stub, _) = ordinary(t, syntax)?;
            match is_count {
                true => set_count(&mut stub, syntax, lie.into()),
                false => set_size(&mut stub, lie),
            }
            // So that what a reader believes is there.
            stub.extend_from_slice(&[0; 16]);
            send(t, &stub);
            let which = if is_count { "count" } else { "size" };
            let seen = t.expect_next(&format!("a {which} of 0x{lie:x} where the other is {right}"), CONTRADICTS);
            if is_silent(&seen) {
                return Ok(());
            }
        }
    }
    t.still_serves("an ordinary request then");
    Ok(())
}

/// Bytes behind the arguments, of several lengths, in every version.
pub fn trailing(t: &mut Talk<'_>, syntax: TransferSyntax) -> Result<(), Stop> {
    for version in ProtocolVersion::ALL {
        for more in [8, 1, 3, 4, 16, 100] {
            renew(t, syntax)?;
            let ask = t.ask(version, |_| {});
            let mut stub = stub_of(&ask, syntax);
            stub.extend((0..more).map(|at| b"kmsproof"[at % 8]));
            let frame = frame_of(t, 0, &stub);
            t.send_frame(&frame, Some(ask));
            let seen = t.expect_next(&format!("{more} bytes more in version {version}"), READ);
            if is_silent(&seen) {
                return Ok(());
            }
        }
    }
    t.still_serves("an ordinary request then");
    Ok(())
}

/// Requests whose size and count end before the body that follows them does.
pub fn size_decides(t: &mut Talk<'_>, syntax: TransferSyntax) -> Result<(), Stop> {
    for version in ProtocolVersion::ALL {
        for missing in [1, 4, 8, 16, 100] {
            renew(t, syntax)?;
            let mut stub = stub_of(&t.ask(version, |_| {}), syntax);
            let said = size_of(&stub) - missing;
            set_size(&mut stub, said);
            set_count(&mut stub, syntax, said.into());
            send(t, &stub);
            let label = format!("a size of {said} before a whole body of version {version}");
            if is_silent(&t.expect_next(&label, MALFORMED)) {
                return Ok(());
            }
        }
    }
    t.still_serves("an ordinary request then");
    Ok(())
}

/// A connection in this syntax, and the stub of an ordinary request.
pub fn ordinary(t: &mut Talk<'_>, syntax: TransferSyntax) -> Result<(Vec<u8>, Option<Ask>), Stop> {
    renew(t, syntax)?;
    Ok(t.stub(syntax))
}

/// A connection in this syntax, where there is none that is open.
pub fn renew(t: &mut Talk<'_>, syntax: TransferSyntax) -> Result<(), Stop> {
    if t.is_over() {
        t.bind_in(syntax)?;
    }
    Ok(())
}

/// What an ask is in this syntax.
pub fn stub_of(ask: &Ask, syntax: TransferSyntax) -> Vec<u8> {
    RequestStub { payload: ask.payload() }.encode(syntax)
}

/// Sends a request with this stub, of whose answer the case judges the rest.
pub fn send(t: &mut Talk<'_>, stub: &[u8]) {
    let frame = frame_of(t, 0, stub);
    t.send_frame(&frame, None);
}

/// Sends an ask in this context, in the syntax that was agreed on for it.
pub fn send_in(t: &mut Talk<'_>, context: u16, ask: &Ask) {
    let syntax = t.syntax_of(context).unwrap_or(TransferSyntax::Ndr32);
    let frame = frame_of(t, context, &stub_of(ask, syntax));
    t.send_frame(&frame, Some(ask.clone()));
}

/// Whether nothing comes: whoever is silent once is silent again, and each silence takes as long as an answer may.
pub fn is_silent(seen: &Seen) -> bool {
    seen.reply.is_none() && seen.closing == Closing::Open
}

fn is_answered(t: &mut Talk<'_>, label: &str, stub: &[u8]) -> bool {
    send(t, stub);
    !is_silent(&t.expect_next(label, UNREADABLE))
}

fn frame_of(t: &mut Talk<'_>, context: u16, stub: &[u8]) -> Vec<u8> {
    let call_id = t.next_call_id();
    t.frame_of(call_id, Flags::WHOLE, context, stub)
}

fn size_of(stub: &[u8]) -> u32 {
    word(stub, 0)
}

fn set_size(stub: &mut [u8], size: u32) {
    stub[..4].copy_from_slice(&size.to_le_bytes());
}

fn set_count(stub: &mut [u8], syntax: TransferSyntax, count: u64) {
    let len = word_len(syntax);
    stub[len..2 * len].copy_from_slice(&count.to_le_bytes()[..len]);
}

/// How long a count is.
fn word_len(syntax: TransferSyntax) -> usize {
    match syntax {
        TransferSyntax::Ndr32 => 4,
        TransferSyntax::Ndr64 => 8,
    }
}

pub fn word(bytes: &[u8], at: usize) -> u32 {
    let four = bytes.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
    four.map_or(0, u32::from_le_bytes)
}
