//! HRESULTs: the codes hosts answer with and clients show.

use std::fmt;
use std::str::FromStr;

/// A 32-bit result code. Values without a name survive and print in hex.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Hresult(pub u32);

macro_rules! hresults {
    ($($(#[$doc:meta])* $constant:ident = $value:literal, $name:literal;)*) => {
        impl Hresult {
            $($(#[$doc])* pub const $constant: Hresult = Hresult($value);)*

            /// Every code with a name, in the order of the source.
            pub const ALL: &[Hresult] = &[$(Hresult::$constant),*];

            /// The symbol in Microsoft's headers, for the codes this project meets.
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($value => Some($name),)*
                    _ => None,
                }
            }
        }
    };
}

hresults! {
    /// Success.
    OK = 0, "S_OK";
    /// The host's malformed-request answer, and the client's for an answer it cannot trust.
    INVALID_DATA = 0x8007_000D, "HRESULT_FROM_WIN32(ERROR_INVALID_DATA)";
    /// This host does not serve the product.
    KMS_ID_MISMATCH = 0xC004_F042, "SL_E_VL_KEY_MANAGEMENT_SERVICE_ID_MISMATCH";
    /// The client's clock is more than four hours from the host's.
    INVALID_TIMESTAMP = 0xC004_F06C, "SL_E_VL_INVALID_TIMESTAMP";
    /// The client's own verdict: the host's count is below its N policy.
    NOT_ENOUGH_COUNT = 0xC004_F038, "SL_E_VL_NOT_ENOUGH_COUNT";
    /// What a client shows once every host it knows has failed it.
    BINDING_SERVICE_UNAVAILABLE = 0xC004_F074, "SL_E_VL_BINDING_SERVICE_UNAVAILABLE";
    /// KMS does not respond (port 1688 blocked), in the words of some clients.
    BINDING_SERVICE_NOT_ENABLED = 0xC004_F039, "SL_E_VL_BINDING_SERVICE_NOT_ENABLED";
    /// The host's client table is full.
    TABLE_FULL = 0xC004_D104, "SL_REMAPPING_SP_STATUS_INVALIDARG";
    /// The host itself is not activated.
    HOST_NOT_ACTIVATED = 0xC004_F041, "SL_E_VL_KEY_MANAGEMENT_SERVICE_NOT_ACTIVATED";
    /// No product SKU installed for the request.
    SKU_NOT_INSTALLED = 0xC004_F015, "SL_E_PRODUCT_SKU_NOT_INSTALLED";
    /// No qualifying OEM marker; decided on the client before any packet.
    NOT_WINDOWS_SLP = 0xC004_F035, "SL_E_VL_NOT_WINDOWS_SLP";
    /// The client's grace is over, as it says of itself (Microsoft Learn, volume activation error codes).
    GRACE_EXPIRED = 0xC004_F009, "SL_E_GRACE_TIME_EXPIRED";
    /// Not elevated; decided on the client before any packet.
    ACCESS_DENIED = 0x8007_0005, "E_ACCESSDENIED";
    /// The RPC server is unavailable.
    RPC_SERVER_UNAVAILABLE = 0x8007_06BA, "HRESULT_FROM_WIN32(RPC_S_SERVER_UNAVAILABLE)";
    /// No DNS suffix, so no query.
    DNS_INVALID_NAME = 0x8007_007B, "HRESULT_FROM_WIN32(ERROR_INVALID_NAME)";
    /// The DNS name does not exist.
    DNS_NAME_ERROR = 0x8007_232B, "HRESULT_FROM_WIN32(DNS_ERROR_RCODE_NAME_ERROR)";
    /// The DNS name has no SRV record.
    DNS_NO_RECORDS = 0x8007_251D, "HRESULT_FROM_WIN32(DNS_INFO_NO_RECORDS)";
}

impl Hresult {
    /// Whether the code says success (the severity bit is clear).
    pub const fn is_success(self) -> bool {
        self.0 & 0x8000_0000 == 0
    }
}

impl fmt::Display for Hresult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:08X}", self.0)
    }
}

impl fmt::Debug for Hresult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Text that is not a result code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a result code: expected a form like 0xC004F042")]
pub struct HresultError(String);

impl FromStr for Hresult {
    type Err = HresultError;

    fn from_str(text: &str) -> Result<Hresult, HresultError> {
        let trimmed = text.trim();
        let digits = trimmed.strip_prefix("0x").or_else(|| trimmed.strip_prefix("0X")).unwrap_or(trimmed);
        let hex = !digits.is_empty() && digits.len() <= 8 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !hex {
            return Err(HresultError(text.to_owned()));
        }
        u32::from_str_radix(digits, 16).map(Hresult).map_err(|_| HresultError(text.to_owned()))
    }
}

impl serde::Serialize for Hresult {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Hresult {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Hresult, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_codes_have_names_and_unknown_ones_survive() {
        assert_eq!(Hresult::KMS_ID_MISMATCH.to_string(), "0xC004F042");
        assert_eq!(Hresult(0xC004_F06C).name(), Some("SL_E_VL_INVALID_TIMESTAMP"));
        assert_eq!(Hresult(0x1234_5678).name(), None);
        assert_eq!("c004f042".parse(), Ok(Hresult::KMS_ID_MISMATCH));
        assert_eq!("0x1F".parse(), Ok(Hresult(0x1F)));
    }

    #[test]
    fn text_that_is_no_code_is_refused() {
        for text in ["", "0x", "0xC004F0420", "+1", "hello"] {
            assert!(text.parse::<Hresult>().is_err(), "{text}");
        }
    }
}
