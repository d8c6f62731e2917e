//! The KMS protocol version.

use std::fmt;
use std::str::FromStr;

use super::super::error::DecodeError;
use super::super::reader::Reader;

/// Major and minor version of the KMS protocol. Unknown ones survive.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProtocolVersion {
    /// 4, 5 or 6.
    pub major: u16,
    /// 0.
    pub minor: u16,
}

impl ProtocolVersion {
    /// Windows Vista to 7, Office 2010: a MAC over plain text.
    pub const V4: ProtocolVersion = ProtocolVersion { major: 4, minor: 0 };
    /// Windows 8, Office 2013: encrypted.
    pub const V5: ProtocolVersion = ProtocolVersion { major: 5, minor: 0 };
    /// Windows 8.1 and later, Office 2016 and later: encrypted, with an HMAC.
    pub const V6: ProtocolVersion = ProtocolVersion { major: 6, minor: 0 };
    /// The versions there are.
    pub const ALL: [ProtocolVersion; 3] = [ProtocolVersion::V4, ProtocolVersion::V5, ProtocolVersion::V6];

    pub(super) fn read(r: &mut Reader<'_>) -> Result<ProtocolVersion, DecodeError> {
        let minor = r.u16("minor version")?;
        let major = r.u16("major version")?;
        Ok(ProtocolVersion { major, minor })
    }

    /// The four bytes every body and every envelope begins with: minor, then major.
    pub const fn to_wire(self) -> [u8; 4] {
        let [minor_low, minor_high] = self.minor.to_le_bytes();
        let [major_low, major_high] = self.major.to_le_bytes();
        [minor_low, minor_high, major_low, major_high]
    }
}

impl fmt::Display for ProtocolVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl fmt::Debug for ProtocolVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Text that is not a protocol version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a KMS protocol version: expected a form like 6.0 (4.0, 5.0 and 6.0 exist)")]
pub struct ProtocolVersionError(String);

impl FromStr for ProtocolVersion {
    type Err = ProtocolVersionError;

    fn from_str(text: &str) -> Result<ProtocolVersion, ProtocolVersionError> {
        let wrong = || ProtocolVersionError(text.to_owned());
        let trimmed = text.trim();
        let digits = trimmed.strip_prefix(['v', 'V']).unwrap_or(trimmed);
        let (major, minor) = digits.split_once('.').unwrap_or((digits, "0"));
        let number = |part: &str| {
            let plain = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
            if plain { part.parse().map_err(|_| wrong()) } else { Err(wrong()) }
        };
        Ok(ProtocolVersion { major: number(major)?, minor: number(minor)? })
    }
}

impl serde::Serialize for ProtocolVersion {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_read_as_people_write_them() {
        for text in ["6", "6.0", "v6", "V6.0", " 6.0 "] {
            assert_eq!(text.parse(), Ok(ProtocolVersion::V6), "{text}");
        }
        for text in ["", "6.", ".6", "six", "6.0.0", "-6", "+6", "70000"] {
            assert!(text.parse::<ProtocolVersion>().is_err(), "{text}");
        }
    }
}
