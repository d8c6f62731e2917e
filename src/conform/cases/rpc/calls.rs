//! Calls that go out in fragments.

use crate::conform::Talk;
use crate::proto::Ask;
use crate::wire::rpc::{Flags, TransferSyntax, at};

/// A call, and the fragments it goes out in.
pub struct Call {
    pub id: u32,
    pub stub: Vec<u8>,
    pub ask: Option<Ask>,
}

impl Call {
    /// An ordinary call, in NDR32.
    pub fn of(t: &mut Talk<'_>) -> Call {
        Call::in_syntax(t, TransferSyntax::Ndr32)
    }

    /// An ordinary call in this syntax.
    pub fn in_syntax(t: &mut Talk<'_>, syntax: TransferSyntax) -> Call {
        let (stub, ask) = t.stub(syntax);
        Call { id: t.next_call_id(), stub, ask }
    }

    /// The same with so many bytes after its stub that it is this long: what follows a stub means nothing.
    pub fn padded(self, len: usize) -> Call {
        let mut stub = self.stub;
        stub.resize(len.max(stub.len()), 0);
        Call { stub, ..self }
    }

    /// Sends one fragment of it, in context 0.
    pub fn send(&self, t: &mut Talk<'_>, flags: Flags, piece: &[u8]) {
        let frame = t.frame_of(self.id, flags, 0, piece);
        t.send_frame(&frame, self.ask.clone());
    }

    /// Sends it cut at these places; `change` has the number of each fragment and what of the stub is left.
    pub fn send_cut(&self, t: &mut Talk<'_>, places: &[usize], mut change: impl FnMut(&mut Vec<u8>, usize, usize)) {
        for (number, (flags, start, piece)) in pieces(&self.stub, places).enumerate() {
            let mut frame = t.frame_of(self.id, flags, 0, piece);
            change(&mut frame, number, self.stub.len() - start);
            t.send_frame(&frame, self.ask.clone());
        }
    }
}

/// What becomes of a stub that is cut at these places: the flags of each fragment, and where its bytes begin in the stub.
pub fn pieces<'s>(stub: &'s [u8], places: &[usize]) -> impl Iterator<Item = (Flags, usize, &'s [u8])> {
    let places: Vec<_> = places.iter().map(|place| *place.min(&stub.len())).collect();
    let (starts, ends) = ([&[0], &places[..]].concat(), [&places[..], &[stub.len()]].concat());
    let count = starts.len();
    starts.into_iter().zip(ends).enumerate().map(move |(number, (start, end))| {
        let first = if number == 0 { Flags::FIRST } else { Flags::default() };
        let last = if number + 1 == count { Flags::LAST } else { Flags::default() };
        (first.with(last), start, &stub[start..end])
    })
}

/// Puts an object UUID into a request.
pub fn insert_object(frame: &mut Vec<u8>, uuid: [u8; 16]) {
    frame.splice(at::STUB..at::STUB, uuid);
    frame[at::FLAGS] |= Flags::OBJECT.0;
    at::fit(frame);
}

/// The end of a stub, wherever that is: the last fragment of a call cut there has nothing of it.
pub const END: usize = usize::MAX;
