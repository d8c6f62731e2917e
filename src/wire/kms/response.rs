//! The activation response (protocol description, section 3).

use std::fmt;

use super::super::error::{DecodeError, Layer};
use super::super::reader::Reader;
use super::super::{FileTime, Guid};
use super::ProtocolVersion;

/// The largest ePID size a response may announce, in bytes with the NUL.
pub const EPID_SIZE_MAX: u32 = 128;

/// What a host says when it grants a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActivationResponse {
    /// The protocol version of the request, echoed.
    pub version: ProtocolVersion,
    /// The host's extended product id.
    pub epid: EpidText,
    /// The client machine id of the request, echoed.
    pub cmid: Guid,
    /// The client time of the request, echoed.
    pub client_time: FileTime,
    /// How many machines the host has counted for the application.
    pub count: u32,
    /// Minutes until a client that was not activated tries again; 120 by default.
    pub activation_interval_min: u32,
    /// Minutes until an activated client renews; 10,080 (7 days) by default.
    pub renewal_interval_min: u32,
}

impl ActivationResponse {
    /// Reads exactly one response body.
    pub fn decode(body: &[u8]) -> Result<ActivationResponse, DecodeError> {
        let mut r = Reader::new(Layer::KmsResponse, body);
        let response = ActivationResponse::read(&mut r)?;
        r.finish("response body")?;
        Ok(response)
    }

    /// Reads a response body; what follows it stays in the reader.
    pub fn read(r: &mut Reader<'_>) -> Result<ActivationResponse, DecodeError> {
        r.set_layer(Layer::KmsResponse);
        let version = ProtocolVersion::read(r)?;
        let at = r.offset();
        let size = r.u32("epid_size")?;
        let legal = size % 2 == 0 && (2..=EPID_SIZE_MAX).contains(&size);
        r.require(legal, "epid_size", at, || ("an even number of bytes, 2 to 128", size))?;
        let at = r.offset();
        let raw = r.bytes("epid", size as usize)?;
        r.note(|| format!("{:?}", lossy_utf16(raw)));
        let epid = match EpidText::from_wire(raw) {
            Ok(epid) => epid,
            Err(error) => {
                let error = r.error("epid", at, "UTF-16 text that ends in its one NUL", error.to_string());
                r.complain(error)?;
                EpidText::default()
            }
        };
        Ok(ActivationResponse {
            version,
            epid,
            cmid: r.guid("cmid")?,
            client_time: r.filetime("client_time")?,
            count: r.u32("count")?,
            activation_interval_min: minutes(r, "activation_interval")?,
            renewal_interval_min: minutes(r, "renewal_interval")?,
        })
    }

    /// The bytes of this response.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(response_len(self.epid.wire_size()));
        out.extend_from_slice(&self.version.to_wire());
        out.extend_from_slice(&(self.epid.wire_size() as u32).to_le_bytes());
        for unit in self.epid.0.encode_utf16().chain([0]) {
            out.extend_from_slice(&unit.to_le_bytes());
        }
        out.extend_from_slice(&self.cmid.to_wire());
        out.extend_from_slice(&self.client_time.0.to_le_bytes());
        out.extend_from_slice(&self.count.to_le_bytes());
        out.extend_from_slice(&self.activation_interval_min.to_le_bytes());
        out.extend_from_slice(&self.renewal_interval_min.to_le_bytes());
        out
    }
}

/// The length of a response body whose ePID takes `epid_size` bytes, in bytes.
pub const fn response_len(epid_size: usize) -> usize {
    FIXED_LEN + epid_size
}

/// An ePID as text that fits its field: at most 63 UTF-16 units, no NUL inside.
/// Whether it follows the grammar is another question: [`super::Epid`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct EpidText(String);

/// Why bytes or text are no ePID text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EpidTextError {
    /// Longer than 63 UTF-16 units.
    #[error("text of more than 63 UTF-16 units")]
    TooLong,
    /// A NUL before the end.
    #[error("a NUL inside")]
    InteriorNul,
    /// The last unit is not NUL.
    #[error("no NUL at the end")]
    NoNul,
    /// An odd number of bytes, or a lone surrogate.
    #[error("no UTF-16")]
    NotUtf16,
}

impl EpidText {
    /// Text that goes into the field.
    pub fn new(text: &str) -> Result<EpidText, EpidTextError> {
        if text.contains('\0') {
            return Err(EpidTextError::InteriorNul);
        }
        if 2 * (text.encode_utf16().count() + 1) > EPID_SIZE_MAX as usize {
            return Err(EpidTextError::TooLong);
        }
        Ok(EpidText(text.to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The size of the field with its NUL, in bytes.
    pub fn wire_size(&self) -> usize {
        2 * (self.0.encode_utf16().count() + 1)
    }

    fn from_wire(bytes: &[u8]) -> Result<EpidText, EpidTextError> {
        if !bytes.len().is_multiple_of(2) {
            return Err(EpidTextError::NotUtf16);
        }
        let Some((text, [0, 0])) = bytes.split_last_chunk() else { return Err(EpidTextError::NoNul) };
        let text = String::from_utf16(&units(text).collect::<Vec<_>>()).map_err(|_| EpidTextError::NotUtf16)?;
        EpidText::new(&text)
    }
}

impl fmt::Display for EpidText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn minutes(r: &mut Reader<'_>, field: &'static str) -> Result<u32, DecodeError> {
    let minutes = r.u32(field)?;
    r.note(|| format!("{minutes} min"));
    Ok(minutes)
}

fn units(bytes: &[u8]) -> impl Iterator<Item = u16> {
    bytes.as_chunks().0.iter().map(|&unit| u16::from_le_bytes(unit))
}

fn lossy_utf16(bytes: &[u8]) -> String {
    String::from_utf16_lossy(&units(bytes).collect::<Vec<_>>())
}

/// Everything but the ePID.
const FIXED_LEN: usize = 8 + 16 + 8 + 12;

#[cfg(test)]
mod tests {
    use super::*;

    fn response(epid: &str) -> ActivationResponse {
        ActivationResponse {
            version: ProtocolVersion::V6,
            epid: EpidText::new(epid).unwrap(),
            cmid: Guid::from_u128(1),
            client_time: FileTime(2),
            count: 25,
            activation_interval_min: 120,
            renewal_interval_min: 10_080,
        }
    }

    #[test]
    fn the_length_follows_from_the_epid() {
        for epid in ["", "x", "03612-00206-556-123727-03-1033-17763.0000-2972018", &"e".repeat(63)] {
            let value = response(epid);
            let bytes = value.encode();
            assert_eq!(bytes.len(), response_len(2 * epid.len() + 2));
            assert_eq!(ActivationResponse::decode(&bytes), Ok(value));
        }
        assert_eq!(EpidText::new(&"e".repeat(64)), Err(EpidTextError::TooLong));
    }

    #[test]
    fn a_size_or_text_that_cannot_be_is_named() {
        let good = response("ab").encode();
        for (size, text) in [(0, "got 0"), (5, "got 5"), (130, "got 130"), (u32::MAX, "got 4294967295")] {
            let mut bytes = good.clone();
            bytes[4..8].copy_from_slice(&size.to_le_bytes());
            let error = ActivationResponse::decode(&bytes).unwrap_err();
            assert_eq!(error.field, "epid_size");
            assert!(error.to_string().ends_with(text), "{error}");
        }
        for (at, byte, why) in [(12, 1, "no NUL at the end"), (8, 0, "a NUL inside"), (9, 0xd8, "no UTF-16")] {
            let mut bytes = good.clone();
            bytes[at] = byte;
            let error = ActivationResponse::decode(&bytes).unwrap_err();
            assert_eq!((error.field, error.got.as_ref()), ("epid", why));
        }
    }
}
