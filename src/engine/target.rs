//! Which host is meant.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use crate::lab::{Faults, FaultsError};
use crate::wire::kms::PORT;

/// What `--target` names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// An embedded lab host on an ephemeral loopback port, with these faults.
    Lab(Faults),
    /// A host by address or name.
    Host {
        /// The address or name.
        host: String,
        /// The port.
        port: u16,
    },
    /// The hosts a domain publishes in DNS (`_vlmcs._tcp.DOMAIN`).
    Srv {
        /// The domain.
        domain: String,
    },
}

/// A target that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a target: {why}; expected lab, lab:FAULT[,FAULT], HOST, HOST:PORT, [IPV6]:PORT or srv:DOMAIN")]
pub struct TargetParseError {
    text: String,
    why: String,
}

impl FromStr for Target {
    type Err = TargetParseError;

    fn from_str(text: &str) -> Result<Target, TargetParseError> {
        let wrong = |why: &str| TargetParseError { text: text.to_owned(), why: why.to_owned() };
        let trimmed = text.trim();
        if trimmed == "lab" {
            return Ok(Target::Lab(Faults::default()));
        }
        if let Some(faults) = trimmed.strip_prefix("lab:") {
            return faults.parse().map(Target::Lab).map_err(|error: FaultsError| wrong(&error.to_string()));
        }
        if let Some(domain) = trimmed.strip_prefix("srv:") {
            check_name(domain).map_err(|why| wrong(&why))?;
            return Ok(Target::Srv { domain: domain.to_owned() });
        }
        if trimmed.contains("://") {
            return Err(wrong("it is a URL"));
        }
        let (host, port) = split_port(trimmed).map_err(|why| wrong(&why))?;
        if host.parse::<IpAddr>().is_err() {
            check_name(host).map_err(|why| wrong(&why))?;
        }
        Ok(Target::Host { host: host.to_owned(), port })
    }
}

impl Target {
    /// Whether this is the embedded lab host.
    pub fn is_embedded(&self) -> bool {
        matches!(self, Target::Lab(_))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Lab(faults) if faults.is_empty() => f.write_str("lab"),
            Target::Lab(faults) => write!(f, "lab:{faults}"),
            Target::Host { host, port } if host.parse::<Ipv6Addr>().is_ok() => write!(f, "[{host}]:{port}"),
            Target::Host { host, port } => write!(f, "{host}:{port}"),
            Target::Srv { domain } => write!(f, "srv:{domain}"),
        }
    }
}

/// Splits `HOST`, `HOST:PORT`, `[V6]` and `[V6]:PORT`; a bare IPv6 address has no port.
fn split_port(text: &str) -> Result<(&str, u16), String> {
    let port = |digits: &str| match digits.parse::<u16>() {
        Ok(port) if port != 0 && digits.bytes().all(|byte| byte.is_ascii_digit()) => Ok(port),
        _ => Err(format!("`{digits}` is no port (1 to 65535)")),
    };
    if let Some(rest) = text.strip_prefix('[') {
        let (address, after) = rest.split_once(']').ok_or("the bracket is not closed")?;
        if address.parse::<Ipv6Addr>().is_err() {
            return Err(format!("`{address}` is no IPv6 address"));
        }
        return match after.strip_prefix(':') {
            Some(digits) => Ok((address, port(digits)?)),
            None if after.is_empty() => Ok((address, PORT)),
            None => Err(format!("`{after}` stands behind the bracket")),
        };
    }
    if text.parse::<Ipv6Addr>().is_ok() {
        return Ok((text, PORT));
    }
    match text.split_once(':') {
        Some((host, digits)) => Ok((host, port(digits)?)),
        None => Ok((text, PORT)),
    }
}

/// Whether a name could be a host's: the rules of RFC 1123, and underscores, which exist.
fn check_name(name: &str) -> Result<(), String> {
    let bare = name.strip_suffix('.').unwrap_or(name);
    if bare.is_empty() {
        return Err("the name is empty".to_owned());
    }
    if bare.len() > 253 {
        return Err("the name is longer than 253 characters".to_owned());
    }
    if bare.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return Err(format!("`{name}` is no IPv4 address"));
    }
    for label in bare.split('.') {
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if label.is_empty() || label.len() > 63 || !label.bytes().all(legal) || label.starts_with('-') {
            return Err(format!("`{label}` cannot be a part of a host name"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(host: &str, port: u16) -> Result<Target, TargetParseError> {
        Ok(Target::Host { host: host.to_owned(), port })
    }

    #[test]
    fn targets_are_read_as_documented() {
        assert_eq!("lab".parse(), Ok(Target::Lab(Faults::default())));
        assert_eq!("lab:ignores-skew".parse(), Ok(Target::Lab("ignores-skew".parse().unwrap())));
        assert_eq!("kms.example.edu".parse(), host("kms.example.edu", 1688));
        assert_eq!("kms.example.edu:1700".parse(), host("kms.example.edu", 1700));
        assert_eq!("192.0.2.7".parse(), host("192.0.2.7", 1688));
        assert_eq!("[2001:db8::7]:1700".parse(), host("2001:db8::7", 1700));
        assert_eq!("[::1]".parse(), host("::1", 1688));
        assert_eq!("::1".parse(), host("::1", 1688));
        assert_eq!("srv:example.edu".parse(), Ok(Target::Srv { domain: "example.edu".into() }));
    }

    #[test]
    fn printing_a_target_and_reading_it_again_changes_nothing() {
        for text in
            ["lab", "lab:ignores-skew,loses-updates", "kms.example.edu:1688", "[2001:db8::7]:1700", "srv:example.edu"]
        {
            assert_eq!(text.parse::<Target>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn nonsense_says_what_is_wrong_with_it() {
        for (text, why) in [
            ("", "the name is empty"),
            ("kms:", "`` is no port"),
            ("kms:0", "`0` is no port"),
            ("kms:99999", "`99999` is no port"),
            ("kms:+80", "`+80` is no port"),
            ("[::1", "the bracket is not closed"),
            ("[kms]:1688", "`kms` is no IPv6 address"),
            ("[::1]1688", "`1688` stands behind the bracket"),
            ("http://kms", "it is a URL"),
            ("a b", "`a b` cannot be a part"),
            ("a..b", "`` cannot be a part"),
            ("1.2.3", "`1.2.3` is no IPv4 address"),
            ("999.1.1.1", "`999.1.1.1` is no IPv4 address"),
            ("lab:ignores-skw", "no fault named `ignores-skw`; did you mean ignores-skew?"),
            ("lab:", "the name of a fault is missing"),
            ("lab:loses-updates,", "the name of a fault is missing"),
            ("lab:loses-updates,loses-updates", "the fault loses-updates is named twice"),
            ("srv:", "the name is empty"),
        ] {
            let error = text.parse::<Target>().unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
