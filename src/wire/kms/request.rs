//! The activation request: 236 bytes, the same in all versions (protocol
//! description, section 2).

use std::fmt;

use super::super::error::{DecodeError, Layer};
use super::super::reader::Reader;
use super::super::{FileTime, Guid};
use super::ProtocolVersion;

/// The length of a request body in bytes.
pub const REQUEST_LEN: usize = 236;

/// What a client says of itself when it asks to be activated. Every 236 bytes are one:
/// what a host makes of the values is policy, not grammar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActivationRequest {
    /// The protocol version the client speaks.
    pub version: ProtocolVersion,
    /// Whether the client is a virtual machine: 0 or 1.
    pub is_vm: u32,
    /// The license status the client is in.
    pub license_status: LicenseStatus,
    /// Minutes left in that status.
    pub binding_expiration_min: u32,
    /// The application: Windows, or a generation of Office.
    pub application_id: Guid,
    /// The SKU (activation id); hosts ignore it.
    pub sku_id: Guid,
    /// The KMS counted id: what a host grants or refuses by.
    pub kms_counted_id: Guid,
    /// The client machine id: what a host counts by.
    pub cmid: Guid,
    /// The count the client needs before it activates (its N policy).
    pub n_policy: u32,
    /// The client's clock, UTC.
    pub client_time: FileTime,
    /// The client machine id it had before; nil if it never changed.
    pub previous_cmid: Guid,
    /// The client's name.
    pub workstation: WorkstationName,
}

impl ActivationRequest {
    /// Reads exactly one request body.
    pub fn decode(body: &[u8]) -> Result<ActivationRequest, DecodeError> {
        let mut r = Reader::new(Layer::KmsRequest, body);
        let request = ActivationRequest::read(&mut r)?;
        r.finish("request body")?;
        Ok(request)
    }

    /// Reads a request body; what follows it stays in the reader.
    pub fn read(r: &mut Reader<'_>) -> Result<ActivationRequest, DecodeError> {
        r.set_layer(Layer::KmsRequest);
        Ok(ActivationRequest {
            version: ProtocolVersion::read(r)?,
            is_vm: r.u32("is_vm")?,
            license_status: {
                let status = LicenseStatus(r.u32("license_status")?);
                r.note(|| status.to_string());
                status
            },
            binding_expiration_min: {
                let minutes = r.u32("binding_expiration")?;
                r.note(|| format!("{minutes} min"));
                minutes
            },
            application_id: r.guid("application_id")?,
            sku_id: r.guid("sku_id")?,
            kms_counted_id: r.guid("kms_counted_id")?,
            cmid: r.guid("cmid")?,
            n_policy: r.u32("n_policy")?,
            client_time: r.filetime("client_time")?,
            previous_cmid: r.guid("previous_cmid")?,
            workstation: {
                let name = WorkstationName::from_wire(&r.byte_array("workstation")?);
                r.note(|| format!("{:?}", name.to_string()));
                name
            },
        })
    }

    /// The 236 bytes of this request.
    pub fn encode(&self) -> [u8; REQUEST_LEN] {
        let mut out = [0; REQUEST_LEN];
        out[0..4].copy_from_slice(&self.version.to_wire());
        out[4..8].copy_from_slice(&self.is_vm.to_le_bytes());
        out[8..12].copy_from_slice(&self.license_status.0.to_le_bytes());
        out[12..16].copy_from_slice(&self.binding_expiration_min.to_le_bytes());
        out[16..32].copy_from_slice(&self.application_id.to_wire());
        out[32..48].copy_from_slice(&self.sku_id.to_wire());
        out[48..64].copy_from_slice(&self.kms_counted_id.to_wire());
        out[64..80].copy_from_slice(&self.cmid.to_wire());
        out[80..84].copy_from_slice(&self.n_policy.to_le_bytes());
        out[84..92].copy_from_slice(&self.client_time.0.to_le_bytes());
        out[92..108].copy_from_slice(&self.previous_cmid.to_wire());
        for (at, unit) in self.workstation.0.iter().enumerate() {
            out[108 + 2 * at..110 + 2 * at].copy_from_slice(&unit.to_le_bytes());
        }
        out
    }
}

/// The license status a client reports. Unknown values survive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LicenseStatus(pub u32);

impl LicenseStatus {
    /// 0: never activated, no grace.
    pub const UNLICENSED: LicenseStatus = LicenseStatus(0);
    /// 1: activated.
    pub const LICENSED: LicenseStatus = LicenseStatus(1);
    /// 2: the grace after installation (out of box).
    pub const OOB_GRACE: LicenseStatus = LicenseStatus(2);
    /// 3: the grace after an activation lapsed (out of tolerance).
    pub const OOT_GRACE: LicenseStatus = LicenseStatus(3);
    /// 4: the grace of a copy found not genuine.
    pub const NON_GENUINE_GRACE: LicenseStatus = LicenseStatus(4);
    /// 5: no grace left; the user is told.
    pub const NOTIFICATION: LicenseStatus = LicenseStatus(5);
    /// 6: an extended grace.
    pub const EXTENDED_GRACE: LicenseStatus = LicenseStatus(6);

    /// The documented name, in the words of `slmgr /dlv`.
    pub const fn name(self) -> Option<&'static str> {
        match self.0 {
            0 => Some("Unlicensed"),
            1 => Some("Licensed"),
            2 => Some("Initial grace period"),
            3 => Some("License expired or Hardware out of tolerance"),
            4 => Some("Non-genuine grace period"),
            5 => Some("Notification"),
            6 => Some("Extended grace period"),
            _ => None,
        }
    }
}

impl fmt::Display for LicenseStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.0, self.name().unwrap_or("not documented"))
    }
}

/// The workstation name field: 64 UTF-16 units, whatever they are. Hosts only log it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct WorkstationName([u16; NAME_UNITS]);

/// A name that does not fit in 63 UTF-16 units before its NUL, or holds a NUL itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` does not fit a workstation name: at most 63 UTF-16 units, no NUL (it has {units})")]
pub struct NameTooLong {
    name: String,
    units: usize,
}

impl WorkstationName {
    /// A name as a well-behaved client writes it: NUL-terminated, zeros after.
    pub fn new(name: &str) -> Result<WorkstationName, NameTooLong> {
        let units = name.encode_utf16().count();
        if units >= NAME_UNITS || name.contains('\0') {
            return Err(NameTooLong { name: name.to_owned(), units });
        }
        let mut field = [0; NAME_UNITS];
        for (slot, unit) in field.iter_mut().zip(name.encode_utf16()) {
            *slot = unit;
        }
        Ok(WorkstationName(field))
    }

    /// The field as it stands on the wire.
    pub fn from_wire(bytes: &[u8; 2 * NAME_UNITS]) -> WorkstationName {
        WorkstationName(std::array::from_fn(|at| u16::from_le_bytes([bytes[2 * at], bytes[2 * at + 1]])))
    }

    /// The field as it goes on the wire, unit by unit.
    pub fn units(&self) -> &[u16; NAME_UNITS] {
        &self.0
    }

    /// A field of any units, to send what no client should.
    pub fn from_units(units: [u16; NAME_UNITS]) -> WorkstationName {
        WorkstationName(units)
    }
}

impl fmt::Display for WorkstationName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = self.0.iter().position(|&unit| unit == 0).unwrap_or(NAME_UNITS);
        char::decode_utf16(self.0[..end].iter().copied())
            .try_for_each(|unit| write!(f, "{}", unit.unwrap_or(char::REPLACEMENT_CHARACTER)))
    }
}

impl fmt::Debug for WorkstationName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.to_string())
    }
}

const NAME_UNITS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sixty_three_units_fit_and_sixty_four_do_not() {
        let name = "n".repeat(63);
        assert_eq!(WorkstationName::new(&name).unwrap().to_string(), name);
        assert!(WorkstationName::new(&"n".repeat(64)).is_err());
        // An emoji is two units.
        assert!(WorkstationName::new(&"😀".repeat(32)).is_err());
        assert!(WorkstationName::new("a\0b").is_err());
    }

    #[test]
    fn a_name_no_client_should_send_is_still_shown() {
        let unterminated = WorkstationName::from_units([u16::from(b'x'); 64]);
        assert_eq!(unterminated.to_string().len(), 64);
        let mut lone = [0; 64];
        lone[0] = 0xd800;
        assert_eq!(WorkstationName::from_units(lone).to_string(), "\u{fffd}");
    }

    #[test]
    fn a_short_body_names_the_first_field_that_is_missing() {
        let error = ActivationRequest::decode(&[0; 100]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "kms request: previous_cmid at byte 92: expected 16 bytes, got 8 bytes before the end"
        );
    }
}
