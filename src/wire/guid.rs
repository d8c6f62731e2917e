//! GUIDs in the layout Windows puts on the wire.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

/// A GUID. On the wire its first three groups are little endian
/// (protocol description, preamble); printed it is the usual hyphenated form.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Guid(Uuid);

impl Guid {
    /// All zero: "no previous client machine id", "no transfer syntax".
    pub const NIL: Guid = Guid(Uuid::nil());

    /// From the number one reads when the printed form is taken as hex.
    pub const fn from_u128(printed: u128) -> Guid {
        Guid(Uuid::from_u128(printed))
    }

    /// The number one reads when the printed form is taken as hex.
    pub const fn as_u128(self) -> u128 {
        self.0.as_u128()
    }

    /// From the sixteen bytes of a little-endian sender.
    pub const fn from_wire(bytes: [u8; 16]) -> Guid {
        Guid(Uuid::from_bytes_le(bytes))
    }

    /// The sixteen bytes as they go on the wire.
    pub const fn to_wire(self) -> [u8; 16] {
        self.0.to_bytes_le()
    }

    /// From the sixteen bytes of a big-endian sender.
    pub const fn from_big_endian(bytes: [u8; 16]) -> Guid {
        Guid(Uuid::from_bytes(bytes))
    }
}

impl fmt::Display for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl fmt::Debug for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Text that is not a GUID.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a GUID: expected a form like 55c92734-d682-4d71-983e-d6ec3f16059f")]
pub struct GuidError(String);

impl FromStr for Guid {
    type Err = GuidError;

    fn from_str(text: &str) -> Result<Guid, GuidError> {
        Uuid::try_parse(text.trim()).map(Guid).map_err(|_| GuidError(text.to_owned()))
    }
}

impl serde::Serialize for Guid {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Guid {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Guid, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_three_groups_are_little_endian_on_the_wire() {
        let interface: Guid = "51c82175-844e-4750-b0d8-ec255555bc06".parse().unwrap();
        assert_eq!(
            interface.to_wire(),
            [0x75, 0x21, 0xc8, 0x51, 0x4e, 0x84, 0x50, 0x47, 0xb0, 0xd8, 0xec, 0x25, 0x55, 0x55, 0xbc, 0x06]
        );
        assert_eq!(Guid::from_wire(interface.to_wire()), interface);
        assert_eq!(interface.to_string(), "51c82175-844e-4750-b0d8-ec255555bc06");
    }

    #[test]
    fn braces_are_welcome_and_nonsense_is_named() {
        assert!("{51C82175-844E-4750-B0D8-EC255555BC06}".parse::<Guid>().is_ok());
        assert!("51c82175".parse::<Guid>().unwrap_err().to_string().starts_with("`51c82175` is not a GUID"));
    }
}
