//! Hex text: what people paste, and what `xxd`, `hexdump` and analysers print.
//!
//! - A line is a chunk. It goes on on the next line while it is an unfinished PDU.
//! - A blank line ends a chunk in any case; a line with a comment (`#`) does not.
//! - `client:`, `c:` or `>` begins what the client said, `host:`, `server:`, `h:`,
//!   `s:` or `<` what the host said. Alone on its line or not, it holds until the
//!   next one or a blank line.
//! - Without one of them the type of the PDU tells, and without a PDU the line above.
//! - Digits may stand alone or in groups, with spaces, commas, colons or `0x`.
//! - A line with offset 0 in front begins a dump: its lines make one chunk.

use super::hex_line::{Inside, Line, parse};
use super::notes::Notes;
use super::{Capture, CaptureError, Chunk, Conversation, Direction};

/// Reads hex text.
pub(super) fn read(text: &str) -> Result<Capture, CaptureError> {
    let mut reader = Reader { repeatable: REPEATED_MAX, ..Reader::default() };
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        let inside = reader.dump.as_ref().map(|dump| Inside { width: (dump.doubtful == 0).then_some(dump.width) });
        reader.line(number, parse(number, line, inside)?)?;
    }
    reader.end_chunk();
    if reader.chunks.is_empty() {
        return Err(CaptureError::NoBytes);
    }
    let conversation = Conversation {
        client: "client".to_owned(),
        host: "host".to_owned(),
        chunks: reader.chunks,
        notes: reader.notes.finish(),
        comments: Vec::new(),
    };
    Ok(Capture { conversations: vec![conversation], notes: Vec::new() })
}

#[derive(Default)]
struct Reader {
    chunks: Vec<Chunk>,
    notes: Notes,
    /// The chunk being read, and the line it began on.
    open: Vec<u8>,
    open_line: usize,
    /// What the last prefix of this block said.
    said: Option<Direction>,
    /// Where the chunk above in this block went.
    above: Option<Direction>,
    dump: Option<Dump>,
    /// How many bytes `*` may still stand for.
    repeatable: usize,
}

/// The dump being read; its bytes are the open chunk.
struct Dump {
    width: usize,
    last_len: usize,
    doubtful: usize,
    repeat: bool,
}

impl Reader {
    fn line(&mut self, number: usize, line: Line) -> Result<(), CaptureError> {
        let (direction, offset, mut bytes, doubtful) = match line {
            Line::Comment => return Ok(()),
            Line::Blank => {
                self.end_chunk();
                (self.said, self.above) = (None, None);
                return Ok(());
            }
            Line::Repeat => {
                self.dump.iter_mut().for_each(|dump| dump.repeat = true);
                return Ok(());
            }
            Line::Bytes { direction, offset, bytes, doubtful } => (direction, offset, bytes, doubtful),
        };
        if direction.is_some() {
            self.end_chunk();
            self.said = direction;
        }
        match offset {
            Some(0) => {
                self.end_chunk();
                self.dump = Some(Dump { width: bytes.len(), last_len: bytes.len(), doubtful, repeat: false });
            }
            Some(offset) => self.go_on_at(offset, number, &mut bytes, doubtful)?,
            None if is_unfinished(&self.open) && !begins_pdu(&bytes) => {}
            None => self.end_chunk(),
        }
        if self.open.is_empty() {
            self.open_line = number;
        }
        self.open.extend(bytes);
        Ok(())
    }

    /// The offset column is the truth about how long the line above was.
    fn go_on_at(
        &mut self,
        offset: usize,
        line: usize,
        bytes: &mut Vec<u8>,
        doubtful: usize,
    ) -> Result<(), CaptureError> {
        let expected = self.open.len();
        let wrong = CaptureError::Offset { line, expected, got: offset };
        let Some(dump) = &mut self.dump else { return Err(wrong) };
        match offset.checked_sub(expected) {
            Some(0) => {}
            Some(lacking) if dump.repeat && dump.last_len > 0 && lacking <= self.repeatable => {
                self.repeatable -= lacking;
                let above = self.open[expected - dump.last_len..].to_vec();
                self.open.extend(above.iter().cycle().take(lacking));
            }
            None if expected - offset <= dump.doubtful => {
                self.open.truncate(offset);
                dump.width = dump.width.min(dump.last_len - (expected - offset));
            }
            _ => return Err(wrong),
        }
        // This line was read before the width was known.
        let sure = bytes.len() - doubtful;
        bytes.truncate(sure.max(dump.width));
        (dump.last_len, dump.repeat) = (bytes.len(), false);
        dump.doubtful = bytes.len() - sure.min(bytes.len());
        Ok(())
    }

    fn end_chunk(&mut self) {
        self.dump = None;
        if self.open.is_empty() {
            return;
        }
        let bytes = std::mem::take(&mut self.open);
        let direction = self.said.or_else(|| direction_of_pdu(&bytes)).or(self.above).unwrap_or_else(|| {
            let line = self.open_line;
            self.notes
                .add(|| format!("line {line}: no direction is given and this is no PDU: taken as sent to the host"));
            Direction::ToHost
        });
        self.above = Some(direction);
        self.chunks.push(Chunk { direction, bytes, packet: None, time: None });
    }
}

/// Who sends a PDU of this type (DCE/RPC, section 1.1 of the protocol description).
fn direction_of_pdu(bytes: &[u8]) -> Option<Direction> {
    match bytes {
        [5, _, 0 | 11 | 14 | 16 | 18 | 19, ..] => Some(Direction::ToHost),
        [5, _, 2 | 3 | 12 | 13 | 15 | 17, ..] => Some(Direction::ToClient),
        _ => None,
    }
}

/// Whether these are the first bytes of a PDU that says it is longer.
fn is_unfinished(bytes: &[u8]) -> bool {
    match bytes {
        [5, _, _, _, order, _, _, _, a, b, ..] => {
            let length = if order & 0x10 == 0 { u16::from_be_bytes([*a, *b]) } else { u16::from_le_bytes([*a, *b]) };
            bytes.len() < length.into()
        }
        [5, ..] => true,
        _ => false,
    }
}

/// Whether a line begins a PDU, even though the one above is cut short: that is
/// so if everything fits that does not vary.
fn begins_pdu(bytes: &[u8]) -> bool {
    let fits = match bytes {
        [5, 0 | 1, _, _, 0x10, 0, 0, 0, ..] => true,
        [5, 0 | 1, _, flags, 0, 0, 0, 0, ..] => flags & 0x03 != 0,
        _ => false,
    };
    fits && direction_of_pdu(bytes).is_some()
}

/// `*` lets a few characters stand for any number of bytes.
const REPEATED_MAX: usize = 16 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    /// Every chunk as `>` or `<` and its digits.
    fn chunks(text: &str) -> Vec<String> {
        let capture = read(text).unwrap();
        let chunk = |chunk: &Chunk| {
            let arrow = if chunk.direction == Direction::ToHost { ">" } else { "<" };
            chunk.bytes.iter().fold(arrow.to_owned(), |digits, byte| digits + &format!("{byte:02x}"))
        };
        capture.conversations[0].chunks.iter().map(chunk).collect()
    }

    fn error(text: &str) -> String {
        read(text).unwrap_err().to_string()
    }

    #[test]
    fn digits_however_they_are_set_apart() {
        for text in [
            "> 05000b",
            ">05 00 0b",
            "client: 05:00:0b",
            "Client:0x05, 0x0, 0x0b,",
            "C: 0500 0b # a comment",
            "# a comment\nclient:\n\t0500\n# another\n0b",
            ">\r\n05-00-0B\r\n",
            r"> \x05\x00\x0b",
        ] {
            assert_eq!(chunks(text), [">05000b"], "{text}");
        }
    }

    #[test]
    fn the_direction_is_told_by_prefix_or_by_pdu_or_by_the_line_above() {
        assert_eq!(
            chunks("05000b03100000000a00\n05000c03100000000a00\n"),
            [">05000b03100000000a00", "<05000c03100000000a00"]
        );
        assert_eq!(
            chunks("host:\n01\n02\n\nserver: 03\nS: 04\nh:05\n< 06\n> 07"),
            ["<01", "<02", "<03", "<04", "<05", "<06", ">07"]
        );
        assert_eq!(chunks("05000203100000000a00\nffff"), ["<05000203100000000a00", "<ffff"]);
        let capture = read("ff\n").unwrap();
        assert_eq!(capture.conversations[0].chunks[0].direction, Direction::ToHost);
        assert_eq!(
            capture.conversations[0].notes,
            ["line 1: no direction is given and this is no PDU: taken as sent to the host"]
        );
    }

    #[test]
    fn a_pdu_may_span_lines_and_a_broken_one_does_not_swallow_the_next() {
        assert_eq!(chunks("0500\n0b03100000000e00\n00000200\n05000c"), [">05000b03100000000e0000000200", "<05000c"]);
        assert_eq!(
            chunks("05000b0310000000ff00\n05000c03100000000c00\n0102"),
            [">05000b0310000000ff00", "<05000c03100000000c000102"]
        );
        // Big endian: a length of 0x000c.
        assert_eq!(chunks("05000b0300000000000c\n0102"), [">05000b0300000000000c0102"]);
        assert_eq!(chunks("0500\n\n0b03"), [">0500", ">0b03"]);
    }

    #[test]
    fn dumps_with_offsets_and_text() {
        let xxd = "00000000: 0500 0b03 1000 0000 4800 0000 0200 0000  ........H.......\n00000010: d016 d016                                ....\n";
        let hexdump = "00000000  05 00 0b 03 10 00 00 00  48 00 00 00 02 00 00 00  |........H.......|\n00000010  d0 16 d0 16                                       |....|\n00000014\n";
        let wireshark =
            "0000   05 00 0b 03 10 00 00 00 48 00 00 00 02 00 00 00   ........H.......\n0010   d0 16 d0 16   ....\n";
        let od = "000000 05 00 0b 03 10 00 00 00 48 00 00 00 02 00 00 00\n000010 d0 16 d0 16\n000014\n";
        let tcpdump = "\t0x0000:  0500 0b03 1000 0000 4800 0000 0200 0000  ........H.......\n\t0x0010:  d016 d016                                ....\n";
        for text in [xxd, hexdump, wireshark, od, tcpdump] {
            assert_eq!(chunks(text), [">05000b03100000004800000002000000d016d016"], "{text}");
        }
        assert_eq!(chunks(&format!("{xxd}{hexdump}< \n{od}")).len(), 3);
    }

    #[test]
    fn text_that_looks_like_hex_is_not_taken_for_bytes() {
        let narrow = "000: 0500 0b03 6162 6364  deadbeef\n008: 6162 6364 6162 6364  abcdabcd\n";
        assert_eq!(chunks(narrow), [">05000b036162636461626364 61626364".replace(' ', "")]);
        assert_eq!(
            chunks("00000000  05 00 6b 6c 61 62 63 64  abcd ef"),
            [">05006b6c61626364abcdef"],
            "one line proves nothing"
        );
        assert_eq!(chunks("0000  05 00 02 31  12 34\n0004  31   1"), ["<0500023131"]);
        assert_eq!(chunks("0000  05 00 02 31 31 31 31 31  12xy\n0008  31   1"), ["<050002313131313131"]);
    }

    #[test]
    fn repeated_lines_of_a_dump() {
        assert_eq!(chunks("0000  05 00\n0002  00 01\n*\n0008  02\n0009\n"), [">05000001000100010 2".replace(' ', "")]);
        assert_eq!(
            error("0000  05 00\n*\nffffffffffff 00"),
            "line 3: the offset is 0xffffffffffff, but 0x2 bytes of this dump came before it"
        );
    }

    #[test]
    fn errors_point_at_the_place() {
        assert_eq!(error("# x\n\n0500 0b03 1000 g0\n"), "line 3, column 16: `g` is not a hex digit");
        assert_eq!(error("client: 05 0O"), "line 1, column 13: `O` is not a hex digit");
        assert_eq!(error("05 000"), "line 1, column 4: an odd number of hex digits (3) is not a whole number of bytes");
        assert_eq!(error("0x"), "line 1, column 2: `x` is not a hex digit");
        assert_eq!(
            error("0000  05 00 0"),
            "line 1, column 13: an odd number of hex digits (1) is not a whole number of bytes"
        );
        assert_eq!(
            error("0000  05 00\n0010  05"),
            "line 2: the offset is 0x10, but 0x2 bytes of this dump came before it"
        );
        assert_eq!(
            error("0000  05 00\n05 06"),
            "line 2: no offset, but the lines above have one (leave a blank line between dumps)"
        );
        assert_eq!(
            error("0000  05 00 0b 03 10 00 00 00  48 00 00 00 g2 00 00 00"),
            "line 1, column 44: `g` is not a hex digit"
        );
        assert_eq!(
            error("0000  05 00 0b 03 10 00 00 00  4g 00 00 00 02 00 00 00"),
            "line 1, column 33: `g` is not a hex digit"
        );
        assert_eq!(error("[settings]"), "line 1, column 1: `[` is not a hex digit");
        assert_eq!(error("*"), "line 1, column 1: `*` is not a hex digit");
        assert_eq!(error(" \n# nothing\nclient:\n"), "the text holds no hex digits");
    }
}
