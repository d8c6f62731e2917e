//! `--source`: the addresses connections are made from.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::str::FromStr;

use crate::text::grouped;

/// One address, or all of a block: `10.0.0.5`, `127.0.1.0/26`, `2001:db8::/120`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source {
    first: IpAddr,
    prefix: u8,
}

/// What `--source` cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// It is no address and no block.
    #[error(
        "`{text}` is no source: {why}; expected an address of this machine, as in 10.0.0.5, or a block of them, as in 127.0.1.0/26"
    )]
    NotOne {
        /// What was given.
        text: String,
        /// What is wrong with it.
        why: String,
    },
    /// There are more than anybody has ports to use.
    #[error("these are {} source addresses; there is room for {}: a longer prefix, as in /24", grouped(*.addresses), grouped(SOURCES_MAX as u64))]
    TooMany {
        /// How many.
        addresses: u64,
    },
    /// An address given twice would be used twice as often.
    #[error("{address} is in --source twice: each address once")]
    Twice {
        /// The address.
        address: IpAddr,
    },
    /// IPv4 cannot reach IPv6.
    #[error("from {source_address} nobody reaches {targets}: say {} addresses for --source", if *.wants_v4 { "IPv4" } else { "IPv6" })]
    OtherFamily {
        /// The first such source.
        source_address: IpAddr,
        /// Where it should go.
        targets: String,
        /// Whether targets have IPv4 addresses.
        wants_v4: bool,
    },
    /// No connection can be made from there.
    #[error(
        "no connection can be made from {address}: {why}; --source takes addresses this machine has (every address of 127.0.0.0/8 on Linux)"
    )]
    NotOurs {
        /// The address.
        address: IpAddr,
        /// What the system says.
        why: String,
    },
}

impl Source {
    /// How many addresses it stands for.
    pub fn len(&self) -> u64 {
        let host_bits = bits(self.first) - u32::from(self.prefix);
        if host_bits > 63 { u64::MAX } else { 1 << host_bits }
    }

    /// Whether it stands for none, which no source does.
    pub fn is_empty(&self) -> bool {
        false
    }

    fn addresses(&self) -> impl Iterator<Item = IpAddr> + use<> {
        let first = self.first;
        (0..self.len()).map(move |number| match first {
            IpAddr::V4(first) => IpAddr::V4(Ipv4Addr::from_bits(first.to_bits() + number as u32)),
            IpAddr::V6(first) => IpAddr::V6(Ipv6Addr::from_bits(first.to_bits() + u128::from(number))),
        })
    }
}

/// The addresses of all `sources`, in order, for a host at `targets`. Addresses of the host that none of them can
/// reach are left to the connection, which passes over them.
///
/// # Errors
/// When there are too many, one stands there twice, or one can reach none of `targets`.
pub fn pool(sources: &[Source], targets: &[SocketAddr]) -> Result<Vec<IpAddr>, SourceError> {
    let addresses = sources.iter().fold(0_u64, |sum, source| sum.saturating_add(source.len()));
    if addresses > SOURCES_MAX as u64 {
        return Err(SourceError::TooMany { addresses });
    }
    let pool: Vec<IpAddr> = sources.iter().flat_map(Source::addresses).collect();
    let mut sorted = pool.clone();
    sorted.sort_unstable();
    if let Some(twice) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(SourceError::Twice { address: twice[0] });
    }
    for source in &pool {
        if !targets.iter().any(|target| target.is_ipv4() == source.is_ipv4()) {
            let shown: Vec<String> = targets.iter().map(ToString::to_string).collect();
            return Err(SourceError::OtherFamily {
                source_address: *source,
                targets: shown.join(", "),
                wants_v4: targets.first().is_some_and(SocketAddr::is_ipv4),
            });
        }
    }
    Ok(pool)
}

/// Whether connections can be made from each of them.
///
/// # Errors
/// The first from which none can.
pub fn check_ours(pool: &[IpAddr]) -> Result<(), SourceError> {
    // A datagram socket is bound by the same rules, and nobody is asked for anything.
    for &address in pool {
        UdpSocket::bind((address, 0)).map_err(|error| SourceError::NotOurs { address, why: error.to_string() })?;
    }
    Ok(())
}

impl FromStr for Source {
    type Err = SourceError;

    fn from_str(text: &str) -> Result<Source, SourceError> {
        let wrong = |why: String| SourceError::NotOne { text: text.to_owned(), why };
        let (address, prefix) = match text.trim().split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text.trim(), None),
        };
        let first: IpAddr = address.parse().map_err(|_| wrong(format!("`{address}` is no address")))?;
        if first.is_unspecified() || first.is_multicast() {
            return Err(wrong(format!("nobody can be at {first}")));
        }
        let Some(prefix) = prefix else { return Ok(Source { first, prefix: bits(first) as u8 }) };
        let is_plain = !prefix.is_empty() && prefix.bytes().all(|byte| byte.is_ascii_digit());
        let most = bits(first);
        let prefix = prefix.parse::<u8>().ok().filter(|prefix| is_plain && u32::from(*prefix) <= most);
        let prefix = prefix.ok_or_else(|| wrong(format!("after the / there must be 0 to {most}")))?;
        let begins = Source { first: network(first, prefix), prefix };
        if begins.first != first {
            return Err(wrong(format!("the block that {first} is in begins at {begins}")));
        }
        Ok(begins)
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match u32::from(self.prefix) == bits(self.first) {
            true => write!(f, "{}", self.first),
            false => write!(f, "{}/{}", self.first, self.prefix),
        }
    }
}

/// The first address of the block.
fn network(address: IpAddr, prefix: u8) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from_bits(address.to_bits() & mask))
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & mask))
        }
    }
}

fn bits(address: IpAddr) -> u32 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// The most source addresses of a run: with fewer ports than these have nobody is short of them.
pub const SOURCES_MAX: usize = 65_536;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn source(text: &str) -> Source {
        text.parse().unwrap_or_else(|error| panic!("{error}"))
    }

    fn pooled(texts: &[&str], targets: &[&str]) -> Result<Vec<String>, String> {
        let sources: Vec<Source> = texts.iter().map(|text| source(text)).collect();
        let targets: Vec<SocketAddr> = targets.iter().map(|text| text.parse().unwrap()).collect();
        let pool = pool(&sources, &targets).map_err(|error| error.to_string())?;
        Ok(pool.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_source_is_an_address_or_a_block() {
        for (text, len) in [
            ("10.0.0.5", 1),
            ("127.0.1.0/26", 64),
            ("10.0.0.5/32", 1),
            ("10.0.0.0/8", 1 << 24),
            ("2001:db8::5", 1),
            ("2001:db8::/120", 256),
            ("2001:db8::/32", u64::MAX),
        ] {
            let block = source(text);
            assert_eq!(block.len(), len, "{text}");
            assert_eq!(block.to_string(), if len == 1 { text.trim_end_matches("/32") } else { text });
        }
        let four = ["127.0.1.4", "127.0.1.5", "127.0.1.6", "127.0.1.7"];
        assert_eq!(pooled(&["127.0.1.4/30"], &["127.0.0.1:1688"]).unwrap(), four);
        assert_eq!(pooled(&["::2/127", "::9"], &["[::1]:1688"]).unwrap(), ["::2", "::3", "::9"]);
        assert_eq!(pooled(&[], &["127.0.0.1:1688"]).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn what_is_none_says_why() {
        for (text, why) in [
            ("", "`` is no address"),
            ("kms", "`kms` is no address"),
            ("127.0.0.1/", "after the / there must be 0 to 32"),
            ("127.0.0.1/33", "after the / there must be 0 to 32"),
            ("127.0.0.1/+8", "after the / there must be 0 to 32"),
            ("::1/129", "after the / there must be 0 to 128"),
            ("127.0.1.5/26", "begins at 127.0.1.0/26"),
            ("0.0.0.0", "nobody can be at 0.0.0.0"),
            ("0.0.0.0/0", "nobody can be at"),
            ("224.0.0.1", "nobody can be at"),
            ("127.0.0.1:5", "is no address"),
        ] {
            let error = text.parse::<Source>().unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    #[test]
    fn a_pool_fits_its_targets_and_has_an_end() {
        let refused = |texts: &[&str], targets: &[&str]| pooled(texts, targets).unwrap_err();
        assert!(refused(&["10.0.0.0/15"], &["10.0.0.1:1688"]).starts_with("these are 131,072 source addresses"));
        assert_eq!(pooled(&["10.0.0.0/16"], &["10.0.0.1:1688"]).unwrap().len(), SOURCES_MAX);
        assert!(refused(&["2001:db8::/32", "::5"], &["[::1]:1"]).contains("there is room for 65,536"));
        assert!(
            refused(&["127.0.1.0/30", "127.0.1.2"], &["127.0.0.1:1"]).starts_with("127.0.1.2 is in --source twice")
        );
        let family = refused(&["::1"], &["127.0.0.1:1688"]);
        assert_eq!(family, "from ::1 nobody reaches 127.0.0.1:1688: say IPv4 addresses for --source");
        assert!(pooled(&["::1"], &["127.0.0.1:1688", "[::1]:1688"]).is_ok(), "one of them will do");
    }

    #[test]
    fn what_is_no_address_of_ours_is_named() {
        assert_eq!(check_ours(&["127.0.0.1".parse().unwrap()]), Ok(()));
        // Kept for documentation: no machine has it.
        let foreign: IpAddr = "192.0.2.1".parse().unwrap();
        let refused = check_ours(&[foreign]).unwrap_err().to_string();
        assert!(refused.starts_with("no connection can be made from 192.0.2.1: "), "{refused}");
    }

    proptest! {
        #![proptest_config(crate::cases::config(256))]

        #[test]
        fn every_address_of_a_block_is_in_it_once(bits: u32, prefix in 20_u8..=32) {
            let first = network(IpAddr::V4(Ipv4Addr::from_bits(bits)), prefix);
            prop_assume!(!first.is_unspecified() && !first.is_multicast());
            let source = source(&format!("{first}/{prefix}"));
            let addresses: Vec<IpAddr> = source.addresses().collect();
            prop_assert_eq!(addresses.len() as u64, source.len());
            prop_assert!(addresses.windows(2).all(|pair| pair[0] < pair[1]));
            prop_assert!(addresses.iter().all(|address| network(*address, prefix) == first));
        }

        #[test]
        fn nothing_makes_it_panic(text in ".{0,40}") {
            let _ = text.parse::<Source>();
        }
    }
}
