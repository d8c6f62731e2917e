//! Whether what a host draws looks drawn: the random that V5 and V6 answers are proved with, and the IV of V6 answers
//! (protocol description, section 4).
//!
//! A host that draws right fails here less than once in 10^9 runs: each bound says how.

use std::collections::HashSet;

use super::tools::say;
use crate::conform::accept::{Answered, Then, Want, ok};
use crate::conform::{Case, Confidence, Level, Stop, Talk};
use crate::wire::hex;
use crate::wire::kms::ProtocolVersion;

pub(super) static CASES: &[Case] = &[Case::new(
    "kms/request/drawn",
    Level::Win,
    "what a host draws, over many answers",
    "The randoms of V5 and V6 answers and the IVs of V6 answers are drawn anew: none comes twice, they are not counted up, no \
     bit of them stands still, and no part of them is the request's or that of the answer before.",
    "protocol description, section 4: a random of 16 bytes, a fresh IV",
    |t| {
        let many = if t.is_paced() { FEW } else { MANY };
        let mut drawn = Drawn::default();
        // An answer in version 6 has both; of a host that takes its time those will do.
        for version in t.in_turn(&[ProtocolVersion::V6, ProtocolVersion::V5]) {
            let asks: Vec<_> = (0..many).collect();
            for _ in t.some_of(asks, FEW, 1) {
                if !draw(t, version, &mut drawn)? {
                    break;
                }
            }
        }
        drawn.look(t)
    },
)
.of_kms()
.confidence(Confidence::Medium)];

/// Takes in what is drawn for one answer; whether there was one.
fn draw(t: &mut Talk<'_>, version: ProtocolVersion, drawn: &mut Drawn) -> Result<bool, Stop> {
    if t.is_over() {
        t.bind()?;
    }
    let ask = t.ask(version, |_| {});
    let seen = say(t, ask.payload(), Some(&ask));
    if seen.answer != Some(Answered::Granted) {
        // A host that lacks the version is told of elsewhere.
        if !drawn.randoms.values.is_empty() && version == ProtocolVersion::V6 {
            t.judge("an answer", &seen, &[ok(Want::Served, Then::Either)]);
        }
        return Ok(false);
    }
    let (iv, random) = t.told().map(|told| (told.iv, told.random)).unwrap_or_default();
    let asked = ask.payload().get(4..20).and_then(|iv| iv.try_into().ok()).unwrap_or_default();
    if let Some(random) = random {
        drawn.randoms.take(random, asked);
    }
    // That of a V5 answer is the request's.
    if let Some(iv) = iv.filter(|_| version == ProtocolVersion::V6) {
        drawn.ivs.take(iv, asked);
    }
    Ok(true)
}

#[derive(Default)]
struct Drawn {
    randoms: Series,
    ivs: Series,
}

impl Drawn {
    fn look(&self, t: &mut Talk<'_>) -> Result<(), Stop> {
        if self.randoms.values.len() < FEW {
            return Err(Stop::NotApplicable("there are too few answers of versions 5 and 6".to_owned()));
        }
        for (field, series) in [("random", &self.randoms), ("iv", &self.ivs)] {
            let wrong = series.wrong();
            t.holds(field, wrong.is_none(), || ("16 bytes that are drawn".to_owned(), wrong.unwrap_or_default()));
        }
        // Whoever has few numbers to draw from gives the IV of one answer to another as its random: for others that is
        // one in 2^100.
        let all: HashSet<_> = self.randoms.values.iter().chain(&self.ivs.values).collect();
        let many = self.randoms.values.len() + self.ivs.values.len();
        t.holds("random", all.len() == many, || (format!("{many} values"), format!("{} of them", all.len())));
        Ok(())
    }
}

/// Values of one kind, one after the other, each with the IV that was asked with.
#[derive(Default)]
struct Series {
    values: Vec<[u8; 16]>,
    asked: Vec<[u8; 16]>,
}

impl Series {
    fn take(&mut self, value: [u8; 16], asked: [u8; 16]) {
        self.values.push(value);
        self.asked.push(asked);
    }

    /// What is wrong with them, if anything is.
    fn wrong(&self) -> Option<String> {
        if self.values.len() < FEW {
            return None;
        }
        let shown = |value: &[u8; 16]| hex(value);
        let seen: HashSet<_> = self.values.iter().collect();
        if seen.len() < self.values.len() {
            return Some(format!("{} different ones among {}", seen.len(), self.values.len()));
        }
        // 128 bits that are the same 48 times over: one in 2^40.
        let always = |bits: fn(u8, u8) -> u8| self.values.iter().copied().reduce(|all, one| zip(all, one, bits));
        let (ones, zeros) = (always(|all, one| all & one)?, always(|all, one| all | one)?);
        if ones != [0; 16] || zeros != [0xff; 16] {
            return Some(format!(
                "the bits {} are always set, and {} never",
                shown(&ones),
                shown(&zeros.map(|all| !all))
            ));
        }
        // Of 48 bytes 24 are the same as others at most: one in 10^20.
        for at in 0..16 {
            let bytes: HashSet<_> = self.values.iter().take(FEW).map(|value| value[at]).collect();
            if bytes.len() <= FEW / 2 {
                return Some(format!("{} different bytes at {at} in {FEW}", bytes.len()));
            }
        }
        // Two that are as near as 2^64: one in 2^64, a thousand times.
        for pair in self.values.windows(2) {
            let near = [u128::from_be_bytes, u128::from_le_bytes].iter().any(|number| {
                let (one, next) = (number(pair[0]), number(pair[1]));
                next.wrapping_sub(one).min(one.wrapping_sub(next)) < 1 << 64
            });
            if near {
                return Some(format!("{} and then {}", shown(&pair[0]), shown(&pair[1])));
            }
        }
        // Four bytes that are those of something else four times among some thousand: one in 10^26.
        let before = self.values.windows(2).map(|pair| (pair[1], pair[0]));
        let asked = self.values.iter().copied().zip(self.asked.iter().copied());
        for (whose, pairs) in [("the request's", asked.collect::<Vec<_>>()), ("those before", before.collect())] {
            for at in (0..16).step_by(4) {
                let same = pairs.iter().filter(|(one, other)| one[at..at + 4] == other[at..at + 4]).count();
                if same >= 4 {
                    return Some(format!("bytes {at} to {} are {whose} in {same} of {}", at + 3, pairs.len()));
                }
            }
        }
        None
    }
}

fn zip(one: [u8; 16], other: [u8; 16], bits: fn(u8, u8) -> u8) -> [u8; 16] {
    std::array::from_fn(|at| bits(one[at], other[at]))
}

/// Whoever draws from 2^15 numbers draws one twice among so many.
const MANY: usize = 512;
const FEW: usize = 48;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Randomness;

    fn series(values: impl Iterator<Item = [u8; 16]>) -> Series {
        let mut asked = Randomness::new(2);
        let mut series = Series::default();
        values.for_each(|value| series.take(value, asked.next_iv()));
        series
    }

    fn drawn(seed: u64) -> impl Iterator<Item = [u8; 16]> {
        let mut random = Randomness::new(seed);
        std::iter::repeat_with(move || random.next_iv()).take(MANY)
    }

    #[test]
    fn what_is_drawn_passes() {
        for seed in 10..60 {
            assert_eq!(series(drawn(seed)).wrong(), None);
            assert_eq!(series(drawn(seed).take(FEW)).wrong(), None);
        }
    }

    #[test]
    fn what_is_not_drawn_is_told() {
        let wrong = |change: fn([u8; 16], usize) -> [u8; 16]| {
            series(drawn(3).enumerate().map(|(at, value)| change(value, at))).wrong()
        };
        let some = |change| assert!(wrong(change).is_some(), "{:?}", wrong(change));
        some(|value, _| value.map(|byte| byte & 0x7f));
        some(|value, _| value.map(|byte| b"0123456789abcdef"[usize::from(byte & 15)]));
        some(|mut value, _| {
            value[8..].fill(0);
            value
        });
        some(|value, at| if [30, 400].contains(&at) { [7; 16] } else { value });
        some(|_, at| (0x1234_5678_9abc_def0_0fed_cba9_8765_4321_u128 + at as u128).to_le_bytes());
    }
}
