//! Amounts as people write them on a command line: `10k` requests, `500/s`, stages of rates.

use std::time::Duration;

use super::common::parse_span;
use crate::scenario::Stage;

/// A count: `500`, `10k`, `1.5M`.
pub fn parse_count(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is no count: expected a whole number from 1 on, as in 500, 10k or 1M");
    let count = number(text.trim()).ok_or_else(wrong)?;
    if count < 1.0 || count.fract() != 0.0 || count > COUNT_MAX {
        return Err(wrong());
    }
    Ok(count as u64)
}

/// A count that can be none.
pub fn parse_count_or_none(text: &str) -> Result<u64, String> {
    if text.trim() == "0" { Ok(0) } else { parse_count(text) }
}

/// A count that is at most what `T` holds.
pub fn parse_small_count<T: TryFrom<u64>>(text: &str) -> Result<T, String> {
    T::try_from(parse_count(text)?).map_err(|_| format!("`{text}` is more than there is room for"))
}

/// A rate, in a second: `500/s`, `10k/s`, `3000/min`; without a unit, a second is meant.
pub fn parse_rate(text: &str) -> Result<f64, String> {
    match parse_rate_or_none(text)? {
        0.0 => Err(format!("`{text}` is no rate: {RATE_HELP}")),
        per_s => Ok(per_s),
    }
}

fn parse_rate_or_none(text: &str) -> Result<f64, String> {
    let wrong = || format!("`{text}` is no rate: {RATE_HELP}");
    let (amount, unit) = text.split_once('/').unwrap_or((text, "s"));
    let seconds = UNITS.iter().find(|(name, _)| *name == unit.trim()).ok_or_else(wrong)?.1;
    let per_s = number(amount.trim()).ok_or_else(wrong)? / seconds;
    if per_s > PER_S_MAX || (per_s > 0.0 && per_s < PER_S_MIN) {
        return Err(format!("`{text}` is out of range: at most 1000000/s, and at least one in a day"));
    }
    Ok(per_s)
}

/// Rates one after the other.
#[derive(Debug, Clone, PartialEq)]
pub struct Stages(pub Vec<Stage>);

/// Stages: `0/s..1000/s for 10s, 1000/s for 30s`; one that begins with `..` begins where the one before it ended.
pub fn parse_stages(text: &str) -> Result<Stages, String> {
    let mut stages: Vec<Stage> = Vec::new();
    for part in text.split(',') {
        let part = part.trim();
        let wrong = |why: String| format!("stage `{part}`: {why}; {STAGES_HELP}");
        let (rates, lasts) =
            part.split_once(" for ").ok_or_else(|| wrong("it does not say for how long".to_owned()))?;
        let lasts = parse_span(lasts.trim()).map_err(wrong)?;
        if lasts.is_zero() {
            return Err(wrong("it lasts no time".to_owned()));
        }
        let before = stages.last().map(|stage| stage.to_per_s);
        let (from_per_s, to_per_s) = match rates.split_once("..") {
            Some((from, to)) if from.trim().is_empty() => {
                let from = before.ok_or_else(|| wrong("there is no stage before it to begin at".to_owned()))?;
                (from, parse_rate_or_none(to.trim()).map_err(wrong)?)
            }
            Some((from, to)) => {
                let end = |text: &str| parse_rate_or_none(text.trim()).map_err(wrong);
                (end(from)?, end(to)?)
            }
            None => parse_rate_or_none(rates.trim()).map(|rate| (rate, rate)).map_err(wrong)?,
        };
        stages.push(Stage { from_per_s, to_per_s, lasts });
    }
    if stages.len() > STAGES_MAX {
        return Err(format!("there are {} stages; there is room for {STAGES_MAX}", stages.len()));
    }
    match stages.last() {
        Some(last) if last.to_per_s > 0.0 => Ok(Stages(stages)),
        _ => Err(format!("the last stage ends at a rate of nothing; let it end above 0, as in {STAGES_EXAMPLE}")),
    }
}

impl Stages {
    /// How long they last together.
    pub fn lasts(&self) -> Duration {
        self.0.iter().fold(Duration::ZERO, |sum, stage| sum.saturating_add(stage.lasts))
    }
}

/// A number with a k for thousand or an M for million behind it.
fn number(text: &str) -> Option<f64> {
    let (digits, factor) = match text.strip_suffix(['k', 'K']) {
        Some(digits) => (digits, 1e3),
        None => text.strip_suffix('M').map_or((text, 1.0), |digits| (digits, 1e6)),
    };
    let is_plain = digits.starts_with(|first: char| first.is_ascii_digit())
        && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    digits.parse::<f64>().ok().filter(|_| is_plain).map(|number| number * factor)
}

const UNITS: [(&str, f64); 3] = [("s", 1.0), ("min", 60.0), ("h", 3_600.0)];
const PER_S_MAX: f64 = 1_000_000.0;
const PER_S_MIN: f64 = 1.0 / 86_400.0;
const STAGES_MAX: usize = 100;
/// So many arrivals a step can have.
const COUNT_MAX: f64 = (1_u64 << 40) as f64;
const RATE_HELP: &str = "expected so many a second, a minute or an hour, as in 500/s, 10k/s, 3000/min or 500";
const STAGES_EXAMPLE: &str = "\"0/s..1000/s for 10s, 1000/s for 30s\"";
const STAGES_HELP: &str = "expected a rate or two and a time, as in \"0/s..1000/s for 10s, 1000/s for 30s\"";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_a_k_or_an_m() {
        for (text, due) in
            [("1", 1), ("500", 500), ("10k", 10_000), ("10K", 10_000), ("1M", 1_000_000), ("1.5k", 1_500)]
        {
            assert_eq!(parse_count(text), Ok(due), "{text}");
        }
        for text in ["", "0", "-1", "+1", "1.5", "1.0005k", "k", "10m", "1e3", "ten", "2000000M"] {
            assert!(parse_count(text).is_err(), "{text}");
        }
        assert_eq!(parse_count_or_none("0"), Ok(0));
        assert!(parse_small_count::<u32>("5000M").is_err());
    }

    #[test]
    fn a_rate_is_in_a_second_when_it_does_not_say() {
        for (text, due) in
            [("500/s", 500.0), ("10k/s", 1e4), ("10k", 1e4), ("500", 500.0), ("3000/min", 50.0), ("0.5/s", 0.5)]
        {
            assert_eq!(parse_rate(text), Ok(due), "{text}");
        }
        for text in ["", "0", "0/s", "5/d", "/s", "-5", "nan", "inf", "2M/s", "1001k", "0.0000001/h", "5/s/s"] {
            assert!(parse_rate(text).is_err(), "{text}");
        }
    }

    #[test]
    fn stages_follow_one_another() {
        let stage = |from_per_s, to_per_s, lasts_s| Stage { from_per_s, to_per_s, lasts: Duration::from_secs(lasts_s) };
        let read = |text: &str| parse_stages(text).unwrap_or_else(|error| panic!("{error}"));
        let stages = read("0/s..1000/s for 10s, 1k for 1m 30s,..50/s for 5s");
        assert_eq!(stages.0, [stage(0.0, 1000.0, 10), stage(1000.0, 1000.0, 90), stage(1000.0, 50.0, 5)]);
        assert_eq!(stages.lasts(), Duration::from_secs(105));
        for (text, why) in [
            ("", "does not say for how long"),
            ("5/s", "does not say for how long"),
            ("5/s for 0s", "it lasts no time"),
            ("5/s for ever", "`ever` is not a duration"),
            ("..5/s for 1s", "no stage before it"),
            ("x..5/s for 1s", "`x` is no rate"),
            ("5/s for 1s, 5..0/s for 1s", "the last stage ends at a rate of nothing"),
            ("5/s for 1s,", "stage ``: it does not say"),
        ] {
            let error = parse_stages(text).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
        assert!(parse_stages(&"5/s for 1s,".repeat(101)).is_err());
    }
}
