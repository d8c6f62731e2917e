//! The other byte order: who receives makes it right (C706 section 14.1).

use super::{Flags, HEADER_LEN, PduView, Ptype, at};

/// The same PDU with its integers in the other byte order, and a label that says so. A stub is left as it is, for
/// only its interface knows what is in it. None, when it ends in the middle of a field.
pub fn in_other_order(frame: &[u8]) -> Option<Vec<u8>> {
    let view = PduView(frame);
    let mut walk = Walk { bytes: frame.to_vec(), at: at::FRAG_LENGTH, from_big: view.is_big_endian() };
    *walk.bytes.get_mut(at::DREP)? ^= LITTLE_ENDIAN;
    walk.half()?;
    let auth_length = usize::from(walk.half()?);
    walk.word()?;
    match view.ptype()? {
        Ptype::BIND | Ptype::ALTER_CONTEXT => walk.offer()?,
        Ptype::BIND_ACK | Ptype::ALTER_CONTEXT_RESPONSE => walk.ack()?,
        Ptype::BIND_NAK => _ = walk.half()?,
        Ptype::REQUEST => walk.request(view.flags()?)?,
        Ptype::RESPONSE => walk.call()?,
        Ptype::FAULT => {
            walk.call()?;
            walk.word()?;
            walk.word()?;
        }
        _ => {}
    }
    if auth_length > 0 {
        // The context id stands right before the token, at the very end.
        walk.at = walk.bytes.len().checked_sub(auth_length + 4).filter(|at| *at >= HEADER_LEN)?;
        walk.word()?;
    }
    Some(walk.bytes)
}

struct Walk {
    bytes: Vec<u8>,
    at: usize,
    from_big: bool,
}

impl Walk {
    /// The bytes of the next integer, as a big-endian sender has them; they are turned around where they stand.
    fn next<const N: usize>(&mut self) -> Option<[u8; N]> {
        let place = self.bytes.get_mut(self.at..self.at + N)?;
        let mut said: [u8; N] = (&*place).try_into().ok()?;
        place.reverse();
        self.at += N;
        if !self.from_big {
            said.reverse();
        }
        Some(said)
    }

    fn half(&mut self) -> Option<u16> {
        self.next().map(u16::from_be_bytes)
    }

    fn word(&mut self) -> Option<u32> {
        self.next().map(u32::from_be_bytes)
    }

    fn byte(&mut self) -> Option<u8> {
        self.next().map(u8::from_be_bytes)
    }

    /// A UUID: three integers, and eight bytes that have no order.
    fn uuid(&mut self) -> Option<()> {
        self.word()?;
        self.half()?;
        self.half()?;
        self.at += 8;
        Some(())
    }

    fn syntax(&mut self) -> Option<()> {
        self.uuid()?;
        self.word()?;
        Some(())
    }

    fn sizes_and_group(&mut self) -> Option<()> {
        self.half()?;
        self.half()?;
        self.word()?;
        Some(())
    }

    fn offer(&mut self) -> Option<()> {
        self.sizes_and_group()?;
        let contexts = self.byte()?;
        self.at += 3;
        for _ in 0..contexts {
            self.half()?;
            let syntaxes = self.byte()?;
            self.at += 1;
            for _ in 0..=syntaxes {
                self.syntax()?;
            }
        }
        Some(())
    }

    fn ack(&mut self) -> Option<()> {
        self.sizes_and_group()?;
        let address = usize::from(self.half()?);
        self.at = at::results(address);
        let results = self.byte()?;
        self.at += 3;
        for _ in 0..results {
            self.half()?;
            self.half()?;
            self.syntax()?;
        }
        Some(())
    }

    fn request(&mut self, flags: Flags) -> Option<()> {
        self.word()?;
        self.half()?;
        self.half()?;
        if flags.has(Flags::OBJECT) {
            self.uuid()?;
        }
        Some(())
    }

    /// Allocation hint and context, and two bytes after them.
    fn call(&mut self) -> Option<()> {
        self.word()?;
        self.half()?;
        self.at += 2;
        Some(())
    }
}

/// The bit of the data representation that says so.
const LITTLE_ENDIAN: u8 = 0x10;

#[cfg(test)]
mod tests {
    use super::super::{Body, Fault, FaultStatus, Pdu};
    use super::*;

    #[test]
    fn a_fault_reads_the_same_in_either_order() {
        let fault = Fault {
            alloc_hint: 32,
            context_id: 0x102,
            cancel_count: 0,
            status: FaultStatus::PROTOCOL_ERROR,
            stub: &[],
        };
        let pdu = Pdu::whole(0x0102_0304, Body::Fault(fault));
        let frame = pdu.encode().unwrap();
        let other = in_other_order(&frame).unwrap();
        assert_eq!(other[4..16], [0, 0, 0, 0, 0, 32, 0, 0, 1, 2, 3, 4]);
        assert_eq!(Pdu::decode(&other), Ok(pdu));
        assert_eq!(in_other_order(&other), Some(frame));
    }

    #[test]
    fn what_ends_in_a_field_is_left_alone() {
        for length in 0..HEADER_LEN {
            assert_eq!(in_other_order(&[5, 0, 11, 3, 0, 0, 0, 0, 0, 16, 0, 0, 0, 0, 0, 7][..length]), None);
        }
        assert_eq!(in_other_order(&[5, 0, 11, 3, 0, 0, 0, 0, 0, 16, 0, 0, 0, 0, 0, 7]), None);
    }
}
