//! What holds of every PDU a tidy host sends, read off its bytes without the
//! code under test (conformance notes, section 2, "reply invariants").

/// Cuts what a host sent into PDUs by their own lengths; `Err` says what is left over.
pub fn split(mut stream: &[u8]) -> Result<Vec<&[u8]>, String> {
    let mut frames = Vec::new();
    while !stream.is_empty() {
        let header = stream.get(..16).ok_or_else(|| format!("{} bytes left over", stream.len()))?;
        let len = usize::from(u16::from_le_bytes([header[8], header[9]]));
        if len < 16 || len > stream.len() {
            return Err(format!("frag_length {len} of {} bytes", stream.len()));
        }
        let (frame, rest) = stream.split_at(len);
        frames.push(frame);
        stream = rest;
    }
    Ok(frames)
}

/// The invariants of one PDU that answers call `call_id`, whole or a fragment.
pub fn reply(frame: &[u8], call_id: Option<u32>) -> Result<(), String> {
    let Some(header) = frame.first_chunk::<16>() else { return Err(format!("{} bytes are no header", frame.len())) };
    let [vers, minor, ptype, flags, drep @ .., a, b, c, d, e, f, g, h] = *header;
    let (length, auth) = (u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d]));
    let id = u32::from_le_bytes([e, f, g, h]);
    let holds = |ok: bool, what: String| if ok { Ok(()) } else { Err(what) };
    holds((vers, minor) == (5, 0), format!("version {vers}.{minor}"))?;
    holds(drep == [0x10, 0, 0, 0], format!("drep {drep:02x?}"))?;
    holds(auth == 0, format!("auth_length {auth}"))?;
    holds(usize::from(length) == frame.len(), format!("frag_length {length} of {} bytes", frame.len()))?;
    holds(call_id.is_none_or(|asked| asked == id), format!("call id {id}, asked was {call_id:?}"))?;
    // Only a response may come in pieces.
    holds(ptype == RESPONSE || flags & WHOLE == WHOLE, format!("flags {flags:#04x} of ptype {ptype}"))
}

const RESPONSE: u8 = 2;
const WHOLE: u8 = 3;
