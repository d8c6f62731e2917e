//! What the flags of `conform` say.

use crate::conform::{self, Level};
use crate::wire::rpc::{MAX_FRAGMENT, SyntaxId};

/// The stub of a call.
#[derive(Debug, Clone, Default)]
pub struct Stub(pub Vec<u8>);

/// A level by its name.
pub fn level(text: &str) -> Result<Level, String> {
    let named = Level::ALL.into_iter().find(|level| level.name() == text.trim());
    named.ok_or_else(|| format!("`{text}` is no level: expected must, should, win, rec or info"))
}

/// A layer by its name: what the ids of its cases begin with.
pub fn layer(text: &str) -> Result<String, String> {
    let text = text.trim();
    let is_layer = conform::cases::all().any(|case| case.id.split('/').next() == Some(text));
    if is_layer { Ok(text.to_owned()) } else { Err(format!("`{text}` is no layer: expected rpc, ndr, kms or load")) }
}

/// How many cases at the same time.
pub fn jobs(text: &str) -> Result<usize, String> {
    let jobs = text.parse().ok().filter(|jobs| (1..=JOBS_MAX).contains(jobs));
    jobs.ok_or_else(|| format!("`{text}` cases at the same time cannot be: expected 1 to {JOBS_MAX}"))
}

/// An interface and its version.
pub fn interface(text: &str) -> Result<SyntaxId, String> {
    let wrong =
        || format!("`{text}` is no interface: expected UUID@VERSION, as in afa8bd80-7d8a-11c9-bef4-08002b102989@1.0");
    let (uuid, version) = text.split_once('@').ok_or_else(wrong)?;
    let (major, minor) = version.split_once('.').unwrap_or((version, "0"));
    let number = |text: &str| text.parse::<u16>().map_err(|_| wrong());
    let version = u32::from(number(major)?) | u32::from(number(minor)?) << 16;
    Ok(SyntaxId { uuid: uuid.parse().map_err(|_| wrong())?, version })
}

/// A stub in hex, with or without spaces.
pub fn hex(text: &str) -> Result<Stub, String> {
    let digits: Vec<char> = text.chars().filter(|digit| !digit.is_whitespace()).collect();
    let byte = |pair: &[char]| match pair {
        [high, low] => Some((high.to_digit(16)? << 4 | low.to_digit(16)?) as u8),
        _ => None,
    };
    let bytes: Option<Vec<u8>> = digits.chunks(2).map(byte).collect();
    let bytes = bytes.ok_or_else(|| format!("`{text}` is no hex: expected pairs of hexadecimal digits"))?;
    if bytes.len() > STUB_MAX {
        return Err(format!("a stub of {} bytes does not go into one request: expected up to {STUB_MAX}", bytes.len()));
    }
    Ok(Stub(bytes))
}

/// More connections at the same time tell of a host's limits, and cases of their own do that.
const JOBS_MAX: usize = 32;
/// The longest stub that goes into one request, beside the headers of PDU and request.
const STUB_MAX: usize = MAX_FRAGMENT as usize - 24;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interfaces_and_stubs_are_read_as_people_write_them() {
        let mgmt = interface("afa8bd80-7d8a-11c9-bef4-08002b102989@1.0").unwrap();
        assert_eq!(mgmt.version, 1);
        assert_eq!(interface("afa8bd80-7d8a-11c9-bef4-08002b102989@3.2").unwrap().version, 0x0002_0003);
        assert!(interface("afa8bd80@1.0").is_err() && interface("1.0").is_err());
        assert_eq!(hex("04000000 0a").unwrap().0, [4, 0, 0, 0, 10]);
        assert!(hex("0400000").is_err() && hex("xx").is_err());
        assert!(hex(&"00".repeat(5816)).is_ok() && hex(&"00".repeat(5817)).is_err());
    }
}
