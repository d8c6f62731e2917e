//! Bytes of a text file to text, whatever wrote it.

use super::CaptureError;
use crate::text::{self, NotText};

/// The text in `bytes`: UTF-8 with or without a byte order mark, or UTF-16 with
/// one (which is what a redirection in Windows PowerShell writes).
pub(super) fn decode(bytes: &[u8]) -> Result<String, CaptureError> {
    let text = text::decode(bytes).map_err(|error| match error {
        NotText::NotUtf8 { .. } => not_recognized(other_kind(bytes)),
        other => not_recognized(&other.to_string()),
    })?;
    // NUL and its like are valid UTF-8; a binary file is better called by its name
    // than by the column of its first odd character.
    if text.chars().any(|c| c.is_control() && !c.is_whitespace()) {
        return Err(not_recognized(other_kind(bytes)));
    }
    Ok(text)
}

/// What a file is instead, as far as its first bytes tell.
fn other_kind(bytes: &[u8]) -> &'static str {
    OTHER_KINDS.iter().find(|(magic, _)| bytes.starts_with(magic)).map_or("it is binary", |(_, kind)| kind)
}

fn not_recognized(why: &str) -> CaptureError {
    CaptureError::NotRecognized { why: why.to_owned() }
}

/// Files people take for captures, and what to do with them.
const OTHER_KINDS: [(&[u8], &str); 9] = [
    (b"\x1f\x8b", "it is compressed with gzip; unpack it first"),
    (b"\x28\xb5\x2f\xfd", "it is compressed with zstd; unpack it first"),
    (b"\x04\x22\x4d\x18", "it is compressed with lz4; unpack it first"),
    (b"\xfd7zXZ\0", "it is compressed with xz; unpack it first"),
    (b"BZh", "it is compressed with bzip2; unpack it first"),
    (b"PK\x03\x04", "it is a ZIP archive; unpack it first"),
    (b"GMBU", "it is a Network Monitor capture; convert it with `editcap -F pcapng`"),
    (b"snoop\0\0\0", "it is a snoop capture; convert it with `editcap -F pcapng`"),
    (b"TRSNIFF data", "it is a Sniffer capture; convert it with `editcap -F pcapng`"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn byte_order_marks_are_taken_off() {
        assert_eq!(decode(b"\xef\xbb\xbf05").unwrap(), "05");
        assert_eq!(decode(b"\xff\xfe0\x005\x00").unwrap(), "05");
        assert_eq!(decode(b"\xfe\xff\x000\x005").unwrap(), "05");
    }

    #[test]
    fn what_is_no_text_is_called_by_its_name() {
        let why = |bytes: &[u8]| decode(bytes).unwrap_err().to_string();
        assert_eq!(
            why(b"\x1f\x8b\x08\0"),
            "neither a capture (pcap, pcapng) nor hex text: it is compressed with gzip; unpack it first"
        );
        assert_eq!(why(b"05\0\0"), "neither a capture (pcap, pcapng) nor hex text: it is binary");
        assert!(why(b"\xff\xfe0").ends_with("UTF-16 text that ends in half a character"));
        assert!(why(b"\xff\xfe\x00\xd8").ends_with("its byte order mark says UTF-16, its contents do not"));
    }
}
