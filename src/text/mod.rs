//! Text from outside and for people: the lowest room, which every other may use.

mod glob;
mod lang;
mod wrap;

pub use glob::Glob;
pub use lang::{Lang, UnknownLang};
pub use wrap::{columns, padded, wrapped};

/// Text from outside without anything that could steer a terminal.
pub fn harmless(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() || is_format(character) {
            out.extend(character.escape_unicode());
        } else {
            out.push(character);
        }
    }
    out
}

/// The same of text in lines, which stay lines.
pub fn harmless_lines(text: &str) -> String {
    text.split('\n').map(harmless).collect::<Vec<_>>().join("\n")
}

/// A number and its noun: `1 machine`, `2,000 machines`.
pub fn counted(number: impl TryInto<u64>, noun: &str) -> String {
    let number = number.try_into().unwrap_or(u64::MAX);
    format!("{} {noun}{}", grouped(number), if number == 1 { "" } else { "s" })
}

/// A number with its thousands apart.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Text that is neither UTF-8 nor UTF-16 with a byte order mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotText {
    /// Not UTF-8 from this byte on.
    #[error("not UTF-8")]
    NotUtf8 {
        /// Bytes before it that are.
        good: usize,
    },
    /// The byte order mark says UTF-16, the contents do not.
    #[error("its byte order mark says UTF-16, its contents do not")]
    NotUtf16,
    /// An odd number of bytes after the byte order mark.
    #[error("UTF-16 text that ends in half a character")]
    HalfCharacter,
}

/// The text in `bytes`: UTF-8 with or without a byte order mark, or UTF-16 with one (which is what
/// a redirection in Windows PowerShell writes).
pub fn decode(bytes: &[u8]) -> Result<String, NotText> {
    match bytes {
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] | rest => {
            let good = |error: std::str::Utf8Error| NotText::NotUtf8 { good: error.valid_up_to() };
            std::str::from_utf8(rest).map(str::to_owned).map_err(good)
        }
    }
}

/// The same, and UTF-16 without a byte order mark, which the NUL bytes of its digits and spaces give
/// away: no other text has any.
pub fn decode_unmarked(bytes: &[u8]) -> Result<String, NotText> {
    let beginning = &bytes[..bytes.len().min(UNMARKED_LOOK_BYTES)];
    let nuls = |odd: usize| beginning.iter().skip(odd).step_by(2).filter(|byte| **byte == 0).count();
    match (bytes, nuls(0), nuls(1)) {
        ([0xff, 0xfe, ..] | [0xfe, 0xff, ..], ..) | (_, 0, 0) => decode(bytes),
        (_, even, odd) if even > odd => utf16(bytes, u16::from_be_bytes),
        _ => utf16(bytes, u16::from_le_bytes),
    }
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<String, NotText> {
    let (pairs, odd) = bytes.as_chunks::<2>();
    if !odd.is_empty() {
        return Err(NotText::HalfCharacter);
    }
    let units = pairs.iter().map(|&pair| unit(pair));
    char::decode_utf16(units).collect::<Result<String, _>>().map_err(|_| NotText::NotUtf16)
}

/// Characters that print nothing and change how others are shown (bidirectional marks and their kin).
fn is_format(character: char) -> bool {
    matches!(character,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// How far UTF-16 without a mark is looked for.
const UNMARKED_LOOK_BYTES: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_host_says_cannot_steer_a_terminal() {
        assert_eq!(harmless("a\u{1b}[2Jb\r\n\u{202e}c"), "a\\u{1b}[2Jb\\u{d}\\u{a}\\u{202e}c");
        assert_eq!(harmless("亞東 ü \"a\\b\""), "亞東 ü \"a\\b\"");
        assert_eq!(harmless_lines("a\nb\r\n"), "a\nb\\u{d}\n");
    }

    #[test]
    fn thousands_stand_apart() {
        assert_eq!([0, 999, 1000, 1234567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn text_is_read_as_windows_and_others_write_it() {
        assert_eq!(decode("\u{feff}亞東".as_bytes()), Ok("亞東".to_owned()));
        assert_eq!(decode(&[0xff, 0xfe, b'a', 0, b'b', 0]), Ok("ab".to_owned()));
        assert_eq!(decode(&[0xfe, 0xff, 0, b'a']), Ok("a".to_owned()));
        assert_eq!(decode(&[0xff, 0xfe, b'a']), Err(NotText::HalfCharacter));
        assert_eq!(decode(&[0xff, 0xfe, 0, 0xd8]), Err(NotText::NotUtf16));
        assert_eq!(decode(b"ab\xff"), Err(NotText::NotUtf8 { good: 2 }));
    }

    #[test]
    fn utf16_without_a_mark_is_known_by_its_nuls() {
        let text = "層級,日期 12290\r\n";
        let units = || text.encode_utf16();
        let little: Vec<u8> = units().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = units().flat_map(u16::to_be_bytes).collect();
        assert_eq!(decode_unmarked(&little).as_deref(), Ok(text));
        assert_eq!(decode_unmarked(&big).as_deref(), Ok(text));
        assert_eq!(decode_unmarked(text.as_bytes()).as_deref(), Ok(text));
        assert_eq!(decode_unmarked(&[&[0xff, 0xfe][..], &little].concat()).as_deref(), Ok(text));
        assert_eq!(decode_unmarked(&little[..little.len() - 1]), Err(NotText::HalfCharacter));
        assert_eq!(decode_unmarked(b""), Ok(String::new()));
    }
}
