//! Client machine ids that anyone can tell from real ones.
//!
//! A KMS host keeps every client machine id (CMID) it meets for 30 days and
//! writes it to its log. So the ids this project sends say what they are: an
//! admin sees `6b6d73…` ("kms" in ASCII) in the log, and
//! [`ClientId::recognise`] proves without any state, list or key whether an id
//! was minted here and from what. Printed, nibble by nibble:
//!
//! ```text
//! 6b6d73SS-SSTT-4GGG-vTTT-TTTTTIIIIIII
//!
//! 6b6d73  prefix, 24 bits: "kms" in ASCII
//! S       the seed folded to 16 bits; a seed below 65536 stands there literally
//! 4       version nibble: a random GUID (RFC 9562)
//! G       group, 12 bits
//! v       variant nibble: 10 in binary, then two bits of the tag
//! T       tag, 42 bits in all: 8 before the version, 2 in v, 32 after it
//! I       index within the group, 28 bits
//! ```
//!
//! The tag is the first 42 bits of SHA-256 over a fixed text, the folded seed,
//! the group and the index. It alone lets a stranger's id through once in
//! 2^42; with the 24 bits of the prefix a random version-4 GUID passes with a
//! chance of 2^-66. The tag is no secret and keeps nobody from forging an id:
//! it tells accidents from ours, not enemies.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::wire::Guid;

/// The client machine id of a synthetic machine. Every value is one that
/// [`ClientId::recognise`] knows again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientId(Guid);

impl ClientId {
    /// The id of machine `index` of `group` in a run with `seed`. Seeds that
    /// fold to the same 16 bits give the same ids.
    pub fn mint(seed: u64, group: Group, index: Index) -> ClientId {
        ClientId::of(Origin { seed_fold: fold(seed), group, index })
    }

    /// The `number`-th id of the fixed pool, which hosts that are not the embedded one are sent:
    /// the same few in every run, so that a hundred runs leave behind what one leaves.
    pub fn pool(number: Index) -> ClientId {
        ClientId::mint(POOL_SEED, POOL_GROUP, number)
    }

    /// The number of this id in the fixed pool, when it is of the pool.
    pub fn pool_number(self) -> Option<Index> {
        let Origin { seed_fold, group, index } = ClientId::recognise(self.0)?;
        (seed_fold == fold(POOL_SEED) && group == POOL_GROUP).then_some(index)
    }

    /// Where `id` comes from when it was minted here; `None` for any other id.
    pub fn recognise(id: Guid) -> Option<Origin> {
        let printed = id.as_u128();
        let origin = Origin {
            seed_fold: (printed >> SEED_SHIFT) as u16,
            group: Group((printed >> GROUP_SHIFT) as u16 & Group::MAX),
            index: Index(printed as u32 & Index::MAX),
        };
        // Minting again compares prefix, version, variant and tag at once.
        (ClientId::of(origin).0 == id).then_some(origin)
    }

    /// The client id that `id` is, when it was minted here.
    pub fn from_guid(id: Guid) -> Option<ClientId> {
        ClientId::recognise(id).map(ClientId::of)
    }

    /// The GUID as it goes into a request.
    pub const fn guid(self) -> Guid {
        self.0
    }

    fn of(origin: Origin) -> ClientId {
        let tag = u128::from(tag(origin));
        ClientId(Guid::from_u128(
            PREFIX << PREFIX_SHIFT
                | u128::from(origin.seed_fold) << SEED_SHIFT
                | (tag >> 34) << TAG_HIGH_SHIFT
                | 0x4 << VERSION_SHIFT
                | u128::from(origin.group.0) << GROUP_SHIFT
                | (0b1000 | (tag >> 32 & 0b11)) << VARIANT_SHIFT
                | (tag & 0xFFFF_FFFF) << TAG_LOW_SHIFT
                | u128::from(origin.index.0),
        ))
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a synthetic id says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Origin {
    /// The seed of the run, its four 16-bit parts XORed together: the seed
    /// itself when it is below 65536.
    pub seed_fold: u16,
    /// The group of machines.
    pub group: Group,
    /// Which machine of the group.
    pub index: Index,
}

/// A group of machines, 0 to 4095.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Group(u16);

impl Group {
    /// The highest group.
    pub const MAX: u16 = 0xFFF;

    /// The group of that number.
    ///
    /// # Errors
    /// When `number` is above [`Group::MAX`].
    pub const fn new(number: u16) -> Result<Group, OutOfRange> {
        if number <= Group::MAX {
            Ok(Group(number))
        } else {
            Err(OutOfRange { what: "group", number: number as u32, max: Group::MAX as u32 })
        }
    }

    /// Its number.
    pub const fn number(self) -> u16 {
        self.0
    }
}

/// A machine of a group, 0 to 268435455.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Index(u32);

impl Index {
    /// The highest index.
    pub const MAX: u32 = 0xFFF_FFFF;

    /// The machine of that number.
    ///
    /// # Errors
    /// When `number` is above [`Index::MAX`].
    pub const fn new(number: u32) -> Result<Index, OutOfRange> {
        if number <= Index::MAX {
            Ok(Index(number))
        } else {
            Err(OutOfRange { what: "index", number, max: Index::MAX })
        }
    }

    /// Its number.
    pub const fn number(self) -> u32 {
        self.0
    }
}

/// A group or index that an id has no room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{what} {number} is out of range: a synthetic client id has room for 0 to {max}")]
pub struct OutOfRange {
    what: &'static str,
    number: u32,
    max: u32,
}

/// The workstation name of a synthetic machine, such as
/// `campus-pc-0007.kmsproof.invalid` for machine 7 of the group labelled
/// "Campus PC".
///
/// Of `label`, in lower case, only `a-z 0-9 - .` is kept; a space or an
/// underscore becomes a hyphen. A label of which nothing is left reads
/// `client`. The name always ends in `.kmsproof.invalid`, a top-level domain
/// that no resolver serves (RFC 2606), and never has more than
/// [`WORKSTATION_NAME_UNITS_MAX`] UTF-16 units.
pub fn workstation_name(label: &str, index: Index) -> String {
    let tail = format!("-{:04}{DOMAIN}", index.number());
    let mut name = String::with_capacity(WORKSTATION_NAME_UNITS_MAX);
    for letter in label.chars() {
        if name.len() + tail.len() == WORKSTATION_NAME_UNITS_MAX {
            break;
        }
        match letter.to_ascii_lowercase() {
            kept @ ('a'..='z' | '0'..='9') => name.push(kept),
            // An empty DNS label or a hyphen at the edge of one would be no host name.
            kept @ ('-' | '.') if !name.is_empty() && !name.ends_with(['-', '.']) => name.push(kept),
            ' ' | '_' if !name.is_empty() && !name.ends_with(['-', '.']) => name.push('-'),
            _ => {}
        }
    }
    name.truncate(name.trim_end_matches(['-', '.']).len());
    if name.is_empty() {
        name.push_str("client");
    }
    name + &tail
}

/// The longest workstation name a request carries, in UTF-16 units without the
/// NUL (protocol description, section 2).
pub const WORKSTATION_NAME_UNITS_MAX: usize = 63;

fn fold(seed: u64) -> u16 {
    (seed ^ seed >> 16 ^ seed >> 32 ^ seed >> 48) as u16
}

/// The first 42 bits of the hash, in the low bits.
fn tag(origin: Origin) -> u64 {
    let hash = Sha256::new()
        .chain_update(TAG_DOMAIN)
        .chain_update(origin.seed_fold.to_be_bytes())
        .chain_update(origin.group.0.to_be_bytes())
        .chain_update(origin.index.0.to_be_bytes())
        .finalize();
    let first_eight: [u8; 8] = std::array::from_fn(|i| hash[i]);
    u64::from_be_bytes(first_eight) >> (64 - TAG_BITS)
}

const DOMAIN: &str = ".kmsproof.invalid";
const TAG_DOMAIN: &[u8] = b"kmsproof synthetic client id 1";
const TAG_BITS: u32 = 42;
const PREFIX: u128 = 0x6b_6d73;

// How far each field stands from the low end of the printed number, in bits.
const PREFIX_SHIFT: u32 = 104;
const SEED_SHIFT: u32 = 88;
const TAG_HIGH_SHIFT: u32 = 80;
const VERSION_SHIFT: u32 = 76;
const GROUP_SHIFT: u32 = 64;
const VARIANT_SHIFT: u32 = 60;
const TAG_LOW_SHIFT: u32 = 28;

/// The seed and the group of the fixed pool; scenarios number their groups from 0 and never get so far.
const POOL_SEED: u64 = 0;
const POOL_GROUP: Group = Group(Group::MAX);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::{Rng, SeedableRng};

    use super::*;
    use crate::cases::config;

    fn id(seed: u64, group: u16, index: u32) -> ClientId {
        ClientId::mint(seed, Group::new(group).unwrap(), Index::new(index).unwrap())
    }

    #[test]
    fn ids_never_change_from_one_release_to_the_next() {
        assert_eq!(id(1, 0, 0).to_string(), "6b6d7300-017d-4000-b548-b5b700000000");
        assert_eq!(id(42, 7, 123).to_string(), "6b6d7300-2a71-4007-b59d-603ac000007b");
        assert_eq!(id(0x1234, Group::MAX, Index::MAX).to_string(), "6b6d7312-34ee-4fff-9e58-38d4ffffffff");
    }

    #[test]
    fn a_large_seed_is_folded() {
        assert_eq!(id(0x0001_0000, 3, 4), id(1, 3, 4));
        assert_eq!(id(0x0001_0002_0004_0008, 3, 4), id(0xF, 3, 4));
    }

    #[test]
    fn numbers_an_id_has_no_room_for_are_refused() {
        assert_eq!(
            Group::new(4096).unwrap_err().to_string(),
            "group 4096 is out of range: a synthetic client id has room for 0 to 4095"
        );
        assert!(Index::new(Index::MAX + 1).is_err());
    }

    proptest! {
        #![proptest_config(config(256))]

        #[test]
        fn an_id_tells_where_it_comes_from(seed: u64, group in 0..=Group::MAX, index in 0..=Index::MAX) {
            let minted = id(seed, group, index);
            let origin = ClientId::recognise(minted.guid()).unwrap();
            prop_assert_eq!((origin.group.number(), origin.index.number()), (group, index));
            prop_assert_eq!(origin.seed_fold, fold(seed));
            prop_assert_eq!(id(u64::from(origin.seed_fold), group, index), minted);

            let printed = minted.guid().as_u128();
            prop_assert_eq!(printed >> 104, 0x6b6d73);
            prop_assert_eq!(printed >> 76 & 0xF, 4, "version");
            prop_assert_eq!(printed >> 62 & 0b11, 0b10, "variant");
        }

        #[test]
        fn one_wrong_bit_anywhere_is_noticed(seed: u64, group in 0..=Group::MAX, index in 0..=Index::MAX) {
            let printed = id(seed, group, index).guid().as_u128();
            for bit in 0..128 {
                let flipped = Guid::from_u128(printed ^ 1 << bit);
                prop_assert_eq!(ClientId::recognise(flipped), None, "bit {} of {}", bit, flipped);
            }
        }

        #[test]
        fn a_workstation_name_fits_and_is_recognisable(label: String, index in 0..=Index::MAX) {
            let name = workstation_name(&label, Index::new(index).unwrap());
            prop_assert!(name.encode_utf16().count() <= WORKSTATION_NAME_UNITS_MAX, "{name}");
            prop_assert!(name.ends_with(".kmsproof.invalid"), "{name}");
            for part in name.split('.') {
                prop_assert!(!part.is_empty() && !part.starts_with('-') && !part.ends_with('-'), "{name}");
                prop_assert!(part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'), "{name}");
            }
        }
    }

    /// The arithmetic of the module's description. A version-4 GUID has 122
    /// random bits; an id is fixed by 16 bits of seed, 12 of group and 28 of
    /// index, so 2^56 of 2^122 are ids: 2^-66. That is the 24 bits of the prefix
    /// and the 42 of the tag. In 1e5 draws even the prefix alone is unlikely.
    #[test]
    fn random_guids_are_not_taken_for_ours() {
        assert_eq!((128 - 4 - 2) - (16 + 12 + 28), 24 + TAG_BITS);
        let mut random = ChaCha8Rng::seed_from_u64(1);
        for _ in 0..100_000 {
            let bits = u128::from(random.next_u64()) << 64 | u128::from(random.next_u64());
            let version_4 = bits & !(0xF << 76 | 0b11 << 62) | 4 << 76 | 0b10 << 62;
            assert_eq!(ClientId::recognise(Guid::from_u128(version_4)), None);
            // The prefix for nothing: now only the tag stands between, 2^-42.
            let prefixed = version_4 & (!0 >> 24) | 0x6b6d73 << 104;
            assert_eq!(ClientId::recognise(Guid::from_u128(prefixed)), None);
        }
    }

    #[test]
    fn a_workstation_name_keeps_what_a_host_name_may_have() {
        let seven = Index::new(7).unwrap();
        assert_eq!(workstation_name("Campus PC", seven), "campus-pc-0007.kmsproof.invalid");
        assert_eq!(workstation_name("lab_3..east-", seven), "lab-3.east-0007.kmsproof.invalid");
        assert_eq!(workstation_name("電腦教室", seven), "client-0007.kmsproof.invalid");
        let longest = workstation_name(&"x".repeat(100), Index::new(Index::MAX).unwrap());
        assert_eq!(longest, format!("{}-268435455.kmsproof.invalid", "x".repeat(36)));
    }
}
