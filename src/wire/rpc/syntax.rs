//! What a presentation context names: interfaces and transfer syntaxes.

use std::fmt;

use super::super::Guid;
use super::super::error::DecodeError;
use super::super::reader::Reader;

/// The name and version of an interface or of a transfer syntax.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SyntaxId {
    /// The UUID.
    pub uuid: Guid,
    /// One 32-bit number on the wire: major in the low half, minor in the high half.
    pub version: u32,
}

impl SyntaxId {
    /// The KMS interface, version 1.0 (protocol description, section 1).
    pub const KMS: SyntaxId = SyntaxId { uuid: Guid::from_u128(0x51c82175_844e_4750_b0d8_ec255555bc06), version: 1 };
    /// NDR32, version 2.
    pub const NDR32: SyntaxId = SyntaxId { uuid: Guid::from_u128(0x8a885d04_1ceb_11c9_9fe8_08002b104860), version: 2 };
    /// NDR64, version 1.
    pub const NDR64: SyntaxId = SyntaxId { uuid: Guid::from_u128(0x71710533_beba_4937_8319_b5dbef9ccc36), version: 1 };
    /// All zero: what a host names where it accepts nothing.
    pub const NONE: SyntaxId = SyntaxId { uuid: Guid::NIL, version: 0 };

    /// The pseudo transfer syntax that asks for `features` at bind time
    /// (1 security context multiplexing, 2 keep connection on orphan).
    pub const fn bind_time_features(features: u16) -> SyntaxId {
        // The features stand little endian in the ninth and tenth byte, which the printed form shows as they are.
        let printed = BTFN_PREFIX | (features.swap_bytes() as u128) << 48;
        SyntaxId { uuid: Guid::from_u128(printed), version: 1 }
    }

    /// The features asked for, when this is bind time feature negotiation.
    pub const fn as_bind_time_features(self) -> Option<u16> {
        let printed = self.uuid.as_u128();
        if printed & BTFN_MASK == BTFN_PREFIX && self.version == 1 {
            Some(((printed >> 48) as u16).swap_bytes())
        } else {
            None
        }
    }

    /// Major and minor version.
    pub const fn major_minor(self) -> (u16, u16) {
        (self.version as u16, (self.version >> 16) as u16)
    }

    pub(super) fn read(r: &mut Reader<'_>, field: &'static str) -> Result<SyntaxId, DecodeError> {
        let uuid = r.guid(field)?;
        let version = r.u32("version")?;
        let syntax = SyntaxId { uuid, version };
        r.note(|| format!("{version} ({syntax})"));
        Ok(syntax)
    }

    pub(super) fn write(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.uuid.to_wire());
        out.extend_from_slice(&self.version.to_le_bytes());
    }
}

impl fmt::Display for SyntaxId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            SyntaxId::KMS => f.write_str("KMS v1.0"),
            SyntaxId::NDR32 => f.write_str("NDR32 v2"),
            SyntaxId::NDR64 => f.write_str("NDR64 v1"),
            SyntaxId::NONE => f.write_str("none"),
            other => match other.as_bind_time_features() {
                Some(features) => write!(f, "bind time features 0x{features:04x}"),
                None => {
                    let (major, minor) = other.major_minor();
                    write!(f, "{} v{major}.{minor}", other.uuid)
                }
            },
        }
    }
}

/// How a call's arguments are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TransferSyntax {
    /// 32-bit counts and pointers.
    Ndr32,
    /// 64-bit counts and pointers.
    Ndr64,
}

impl TransferSyntax {
    /// Both of them, in the order a Windows client offers them.
    pub const ALL: [TransferSyntax; 2] = [TransferSyntax::Ndr32, TransferSyntax::Ndr64];

    /// Its name and version on the wire.
    pub const fn id(self) -> SyntaxId {
        match self {
            TransferSyntax::Ndr32 => SyntaxId::NDR32,
            TransferSyntax::Ndr64 => SyntaxId::NDR64,
        }
    }

    /// The transfer syntax `id` names, when it is one of the two.
    pub fn from_id(id: SyntaxId) -> Option<TransferSyntax> {
        TransferSyntax::ALL.into_iter().find(|syntax| syntax.id() == id)
    }
}

impl fmt::Display for TransferSyntax {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            TransferSyntax::Ndr32 => "NDR32",
            TransferSyntax::Ndr64 => "NDR64",
        })
    }
}

/// `6cb71c2c-9812-4540-XXXX-000000000000`.
const BTFN_PREFIX: u128 = 0x6cb7_1c2c_9812_4540 << 64;
const BTFN_MASK: u128 = !(0xffff << 48);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn feature_bits_stand_little_endian_in_the_ninth_byte() {
        let asked = SyntaxId::bind_time_features(3);
        assert_eq!(asked.uuid.to_wire()[8..10], [3, 0]);
        assert_eq!(asked.as_bind_time_features(), Some(3));
        assert_eq!(SyntaxId::bind_time_features(0x1234).as_bind_time_features(), Some(0x1234));
        assert_eq!(SyntaxId::NDR64.as_bind_time_features(), None);
    }

    #[test]
    fn names_are_those_people_know() {
        assert_eq!(SyntaxId::NDR64.to_string(), "NDR64 v1");
        assert_eq!(
            SyntaxId { version: 0x0002_0001, ..SyntaxId::KMS }.to_string(),
            "51c82175-844e-4750-b0d8-ec255555bc06 v1.2"
        );
    }
}
