//! The stub of a call: what stands around the request and the answer (protocol description, sections 1.4 and 1.5;
//! MS-RPCE 3.1.3.5.2).

use super::tools::{differing, empty, huge, send, short, size_decides, stub_of, trailing, word};
use crate::conform::accept::{Answered, Seen, Then, Want, ok};
use crate::conform::host::Patience;
use crate::conform::{Capability, Case, Confidence, Level, Stop, Talk};
use crate::wire::Guid;
use crate::wire::rpc::{Flags, TransferSyntax, at};

pub(super) static CASES: &[Case] = &[
    Case::new(
        "ndr/request/short-stub",
        Level::Must,
        "fewer bytes than a request says",
        "A stub that is shorter than its count says is answered with the fault 0x6F7, and the connection goes on.",
        "MS-RPCE 3.1.3.5.2; seen live on Samba 4.17",
        |t| short(t, TransferSyntax::Ndr32),
    )
    .revision(2)
    .of_kms(),
    Case::new(
        "ndr/request/huge-counts",
        Level::Must,
        "counts of gigabytes",
        "A size or count that no stub can hold, a negative one among them, is answered with the fault 0x6F7, and no memory \
         is asked for.",
        "MS-RPCE 3.1.3.5.2",
        |t| huge(t, TransferSyntax::Ndr32),
    )
    .revision(2)
    .of_kms(),
    Case::new(
        "ndr/request/counts-differ",
        Level::Should,
        "a size and a count that differ",
        "A request whose array has another count than its size says is answered with the fault 0x6F7, whichever of them is \
         right, and never granted.",
        "MS-RPCE 3.1.3.5.2; how strictly a genuine host was built is not known",
        |t| differing(t, TransferSyntax::Ndr32),
    )
    .revision(2)
    .of_kms()
    .confidence(Confidence::Medium),
    Case::new(
        "ndr/request/empty-stub",
        Level::Must,
        "no stub at all",
        "A request without a stub is answered with the fault 0x6F7, and the connection goes on.",
        "MS-RPCE 3.1.3.5.2; seen live on Samba 4.17",
        |t| empty(t, TransferSyntax::Ndr32),
    )
    .of_kms(),
    Case::new(
        "ndr/request/trailing",
        Level::Win,
        "bytes after the stub",
        "Bytes after the arguments of a call are ignored: they are no part of the request.",
        "seen live on Samba 4.17",
        |t| trailing(t, TransferSyntax::Ndr32),
    )
    .revision(2)
    .of_kms()
    .confidence(Confidence::Medium),
    Case::new(
        "ndr/request/size-decides",
        Level::Win,
        "a size that ends before the body does",
        "A request is as long as its size and its count say, whatever follows: one that ends too early is refused with \
         0x8007000D.",
        "C706 section 14.3.3.3; independent implementations agree on the code",
        |t| size_decides(t, TransferSyntax::Ndr32),
    )
    .of_kms()
    .confidence(Confidence::Medium),
    Case::new(
        "ndr/request/size-zero",
        Level::Info,
        "a request of no bytes",
        "A request of size 0 is answered with a code or with a fault.",
        "independent implementations answer 0x8007000D",
        |t| {
            t.bind()?;
            send(t, &[0; 8]);
            let seen = t.expect("the request", &[ok(Want::Answered, Then::Open), ok(Want::AnyFault, Then::Open)]);
            t.note(format!("a request of size 0 gets {seen}"));
            Ok(())
        },
    )
    .of_kms(),
    Case::new(
        "ndr/answer/ndr32",
        Level::Must,
        "the layout of an answer in NDR32",
        "An answer in NDR32 is its size, a pointer that is not null, its count, which is its size, its bytes, zeros up to a \
         multiple of four, and the code 0.",
        "protocol description, section 1.5; independent implementations agree",
        |t| layout(t, TransferSyntax::Ndr32),
    )
    .of_kms(),
    Case::new(
        "ndr/answer/ndr64",
        Level::Must,
        "the layout of an answer in NDR64",
        "An answer in NDR64 is as one in NDR32, with size, pointer and count in eight bytes each.",
        "protocol description, section 1.5; independent implementations agree",
        |t| layout(t, TransferSyntax::Ndr64),
    )
    .of_kms()
    .needs(&[Capability::Ndr64]),
    Case::new(
        "ndr/refusal/ndr32",
        Level::Must,
        "the layout of a refusal in NDR32",
        "A refusal in NDR32 is twelve bytes: the size 0, a null pointer, and the code.",
        "protocol description, section 1.5; independent implementations agree",
        |t| refusal(t, TransferSyntax::Ndr32, 12),
    )
    .of_kms(),
    Case::new(
        "ndr/refusal/ndr64",
        Level::Must,
        "the layout of a refusal in NDR64",
        "A refusal in NDR64 is twenty bytes: the size 0 and a null pointer in eight bytes each, and the code.",
        "protocol description, section 1.5; independent implementations agree",
        |t| refusal(t, TransferSyntax::Ndr64, 20),
    )
    .of_kms()
    .needs(&[Capability::Ndr64]),
    Case::new(
        "ndr/request/noisy-alignment",
        Level::Win,
        "what only aligns a request in NDR64",
        "Bytes that only align the arguments of a call in NDR64 are not looked at.",
        "independent implementations agree",
        |t| {
            t.bind_in(TransferSyntax::Ndr64)?;
            let ask = t.ask(t.version(), |_| {});
            let mut stub = stub_of(&ask, TransferSyntax::Ndr64);
            stub[4..8].copy_from_slice(&[0xa5; 4]);
            let call_id = t.next_call_id();
            let frame = t.frame_of(call_id, Flags::WHOLE, 0, &stub);
            t.send_frame(&frame, Some(ask));
            t.expect("noise after the size", &[ok(Want::Served, Then::Open)]);
            Ok(())
        },
    )
    .of_kms()
    .needs(&[Capability::Ndr64])
    .confidence(Confidence::Medium),
];

/// Looks at each part of an answer.
fn layout(t: &mut Talk<'_>, syntax: TransferSyntax) -> Result<(), Stop> {
    t.bind_in(syntax)?;
    t.request(0);
    let seen = t.expect("an ordinary request", &[ok(Want::Served, Then::Either)]);
    let Some(stub) = whole_stub(&seen) else {
        t.note("the answer came in several fragments: their checks stand for this");
        return Ok(());
    };
    let (size, pointer, count, data_at) = match syntax {
        TransferSyntax::Ndr32 => (word(stub, 0), word(stub, 4), word(stub, 8), 12),
        TransferSyntax::Ndr64 => (word(stub, 0), word(stub, 8) | word(stub, 12), word(stub, 16), 24),
    };
    t.holds("referent", pointer != 0, || ("a pointer that is not null".to_owned(), "a null pointer".to_owned()));
    t.field("max_count", size, count);
    let end = data_at + size as usize;
    let padded = end.next_multiple_of(4);
    t.field("length", padded + 4, stub.len());
    let tail = stub.get(end.min(stub.len())..).unwrap_or_default();
    t.holds("padding", tail.iter().all(|byte| *byte == 0), || {
        ("zeros, and the code 0".to_owned(), format!("{tail:02x?}"))
    });
    Ok(())
}

/// Looks at each part of a refusal: of a product nobody has, or, of a host that serves everything, of a version that
/// does not exist.
fn refusal(t: &mut Talk<'_>, syntax: TransferSyntax, len: usize) -> Result<(), Stop> {
    t.bind_in(syntax)?;
    let ask = t.ask(t.version(), |request| request.kms_counted_id = Guid::from_u128(7));
    t.send_ask(&ask);
    let mut seen = t.see(Patience::Answer, None);
    if seen.answer == Some(Answered::Granted) {
        let mut payload = ask.payload().to_vec();
        payload[2] = 7;
        t.send_payload(&payload, None);
        seen = t.see(Patience::Answer, None);
    }
    if !matches!(seen.answer, Some(Answered::Refused(_) | Answered::Garbled(..))) {
        return Err(Stop::NotApplicable(format!("the host refuses nothing with a code: {seen}")));
    }
    let Some(stub) = whole_stub(&seen) else {
        return Err(Stop::NotApplicable("the refusal comes in fragments".to_owned()));
    };
    t.field("length", len, stub.len());
    let before = stub.len().saturating_sub(4);
    // What stands between the size and an eight-byte pointer only aligns it.
    let is_size = |at: usize| syntax == TransferSyntax::Ndr32 || !(4..8).contains(&at);
    let is_nothing = stub[..before].iter().enumerate().all(|(at, byte)| *byte == 0 || !is_size(at));
    t.holds("size", is_nothing, || {
        ("zeros before the code: no bytes, a null pointer".to_owned(), format!("{:02x?}", &stub[..before]))
    });
    t.holds("code", word(stub, before) != 0, || ("a code that is not 0".to_owned(), "0".to_owned()));
    Ok(())
}

/// The stub of a response that came in one piece.
fn whole_stub(seen: &Seen) -> Option<&[u8]> {
    let frame = seen.reply.as_deref()?;
    let view = crate::wire::rpc::PduView(frame);
    let is_whole = view.flags().is_some_and(|flags| flags.has(Flags::WHOLE));
    frame.get(at::STUB..).filter(|_| is_whole && view.ptype() == Some(crate::wire::rpc::Ptype::RESPONSE))
}
