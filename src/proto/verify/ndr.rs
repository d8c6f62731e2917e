//! Checks of a response's stub.

use super::{CheckId, Checks, Place};
use crate::wire::ndr::{self, ResponseStub};
use crate::wire::rpc::TransferSyntax;
use crate::wire::{Hresult, Reader, hex};

/// Reads the stub of a response and checks it; `None` when it cannot be read.
/// Offsets in findings count from `base`, where the stub begins in its PDU.
pub fn check_stub<'a>(
    checks: &mut Checks,
    stub: &'a [u8],
    syntax: TransferSyntax,
    base: usize,
) -> Option<ResponseStub<'a>> {
    let layer = ndr::layer(syntax);
    let mut r = Reader::new(layer, stub).at(base);
    let value = match ResponseStub::read(&mut r, syntax) {
        Ok(value) => value,
        Err(error) => {
            checks.fail_decode(CheckId::NdrWellFormed, &error);
            return None;
        }
    };
    checks.judge(CheckId::NdrWellFormed, true, Default::default);
    let place = |field, offset| Some(Place { layer, field, offset: base + offset });
    let left = r.remaining();
    checks.judge_at(CheckId::NdrTrailing, left == 0, place("trailing bytes", stub.len() - left), || {
        ("the end of the stub".into(), format!("{left} more bytes"))
    });
    let payload_len = match value {
        ResponseStub::Answer { payload, .. } => Some(payload.len()),
        ResponseStub::Refusal { .. } => None,
    };
    let [gap, tail] = ndr::response_padding(syntax, payload_len.unwrap_or(0));
    let idle = [gap, if payload_len.is_some() { tail } else { 0..0 }];
    let used = idle.into_iter().find(|range| stub[range.clone()].iter().any(|&byte| byte != 0));
    checks.judge_at(
        CheckId::NdrPadding,
        used.is_none(),
        used.clone().and_then(|range| place("padding", range.start)),
        || {
            (
                "zeros".into(),
                used.map_or_else(String::new, |range| {
                    format!("{} at stub byte {}", hex(&stub[range.clone()]), range.start)
                }),
            )
        },
    );
    let (code, agrees) = match value {
        ResponseStub::Answer { code, .. } => (code, code == Hresult::OK),
        ResponseStub::Refusal { code } => (code, code != Hresult::OK),
    };
    checks.judge_at(CheckId::NdrReturnCode, agrees, place("return code", stub.len() - left - 4), || {
        let expected =
            if payload_len.is_some() { "0x00000000 with an answer" } else { "a code that says why there is no answer" };
        (expected.into(), code.to_string())
    });
    Some(value)
}
