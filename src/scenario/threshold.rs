//! `p99 < 50ms`: what a scenario's measures must keep to.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::SignedDuration;

use super::duration::duration;
use super::excerpt::Excerpt;
use crate::population::Share;

/// A bound on a measure of the whole scenario.
#[derive(Debug, Clone, PartialEq)]
pub struct Threshold {
    /// As it was written.
    pub text: String,
    /// The line of the file it stands on, from 1; 0 when it comes from elsewhere.
    pub line: usize,
    /// That line, when it comes from a file.
    pub excerpt: Option<Excerpt>,
    /// What is measured.
    pub metric: Metric,
    /// How it is compared.
    pub comparison: Comparison,
    /// With what.
    pub bound: Bound,
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Metric {
    /// A quantile, the mean or the most of a duration.
    Time {
        /// Of which duration.
        of: Timed,
        /// Which figure.
        figure: Figure,
    },
    /// The share of requests that had no trustworthy answer.
    Errors,
    /// The share of answers a check, an expectation or the oracle found wrong.
    Wrong,
    /// The share of requests that activated.
    Activated,
    /// Answers a second.
    Throughput,
}

/// A duration that is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Timed {
    /// TCP connections.
    Connect,
    /// Binds.
    Bind,
    /// Calls, send to reply.
    Service,
    /// Whole exchanges, intended start to reply.
    Response,
}

/// A figure of many durations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Figure {
    /// The quantile of so many thousandths.
    Quantile(u16),
    /// The mean.
    Mean,
    /// The most.
    Max,
}

/// How a measure is compared with its bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Comparison {
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    More,
    /// `>=`
    AtLeast,
    /// `=` or `==`
    Equal,
}

/// What a measure is compared with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Bound {
    /// A time.
    Time(Duration),
    /// A share.
    Share(Share),
    /// A number a second.
    PerSecond(f64),
}

/// What a measure came to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Measured {
    /// A time.
    Time(Duration),
    /// So many of so many.
    Part(u64, u64),
    /// A number a second.
    PerSecond(f64),
}

impl Threshold {
    /// Whether what was measured keeps to the bound.
    pub fn holds(&self, measured: Measured) -> bool {
        let (less, equal) = match (measured, self.bound) {
            (Measured::Time(time), Bound::Time(bound)) => (time < bound, time == bound),
            (Measured::Part(part, whole), Bound::Share(bound)) => {
                let more = bound.is_exceeded_by(part, whole);
                let reached = bound.is_reached_by(part, whole);
                (!reached, reached && !more)
            }
            (Measured::PerSecond(rate), Bound::PerSecond(bound)) => (rate < bound, rate == bound),
            // A parsed threshold compares like with like.
            _ => return false,
        };
        match self.comparison {
            Comparison::Less => less,
            Comparison::AtMost => less || equal,
            Comparison::More => !less && !equal,
            Comparison::AtLeast => !less,
            Comparison::Equal => equal,
        }
    }
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Measured::Time(time) => {
                let shown = SignedDuration::try_from(time).unwrap_or(SignedDuration::MAX);
                write!(f, "{shown:#}")
            }
            Measured::Part(part, whole) => {
                let percent = if whole == 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 };
                write!(f, "{part} of {whole} ({percent:.3}%)")
            }
            Measured::PerSecond(rate) => write!(f, "{rate:.1}/s"),
        }
    }
}

impl FromStr for Threshold {
    type Err = String;

    fn from_str(text: &str) -> Result<Threshold, String> {
        let at = text.find(['<', '>', '=']).ok_or_else(|| format!("{text:?} compares nothing: {FORM}"))?;
        let (name, rest) = text.split_at(at);
        let (sign, bound) = match rest.as_bytes() {
            [_, b'=', ..] => rest.split_at(2),
            _ => rest.split_at(1),
        };
        let comparison = match sign {
            "<" => Comparison::Less,
            "<=" => Comparison::AtMost,
            ">" => Comparison::More,
            ">=" => Comparison::AtLeast,
            _ => Comparison::Equal,
        };
        let metric: Metric = name.trim().parse()?;
        let bound = metric.bound(bound.trim())?;
        Ok(Threshold { text: text.trim().to_owned(), line: 0, excerpt: None, metric, comparison, bound })
    }
}

impl FromStr for Metric {
    type Err = String;

    fn from_str(text: &str) -> Result<Metric, String> {
        match text {
            "errors" => return Ok(Metric::Errors),
            "wrong" => return Ok(Metric::Wrong),
            "activated" => return Ok(Metric::Activated),
            "throughput" => return Ok(Metric::Throughput),
            _ => {}
        }
        let (of, figure) = match text.split_once('.') {
            None => (Timed::Service, text),
            Some((of, figure)) => {
                let timed = [
                    ("connect", Timed::Connect),
                    ("bind", Timed::Bind),
                    ("service", Timed::Service),
                    ("response", Timed::Response),
                ];
                let found = timed.iter().find(|(name, _)| *name == of);
                (found.ok_or_else(|| format!("{of:?} is nothing that is timed: {FORM}"))?.1, figure)
            }
        };
        let figure = match figure {
            "mean" => Figure::Mean,
            "max" => Figure::Max,
            "p50" => Figure::Quantile(500),
            "p90" => Figure::Quantile(900),
            "p95" => Figure::Quantile(950),
            "p99" => Figure::Quantile(990),
            "p999" | "p99.9" => Figure::Quantile(999),
            _ => return Err(format!("{text:?} is no measure: {FORM}")),
        };
        Ok(Metric::Time { of, figure })
    }
}

impl Metric {
    fn bound(self, text: &str) -> Result<Bound, String> {
        match self {
            Metric::Time { .. } => duration(text)
                .map(Bound::Time)
                .ok_or_else(|| format!("{text:?} is no time: a form like 50ms or 1s 500ms")),
            // A count of none needs no unit.
            Metric::Errors | Metric::Wrong | Metric::Activated if text == "0" => Ok(Bound::Share(Share::NONE)),
            Metric::Errors | Metric::Wrong | Metric::Activated => {
                text.parse().map(Bound::Share).map_err(|error: crate::population::ShareError| error.to_string())
            }
            Metric::Throughput => {
                let number = text.strip_suffix("/s").unwrap_or(text).trim();
                let rate = number.parse::<f64>().ok().filter(|rate| rate.is_finite() && *rate >= 0.0);
                rate.map(Bound::PerSecond).ok_or_else(|| format!("{text:?} is no rate: a form like 500/s"))
            }
        }
    }
}

const FORM: &str = "a threshold is a measure, a comparison and a bound, as in p99 < 50ms, connect.max < 1s, \
                    errors < 0.1%, wrong = 0, activated >= 99% or throughput > 500/s";

#[cfg(test)]
mod tests {
    use super::*;

    fn threshold(text: &str) -> Threshold {
        text.parse().unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn every_form_is_read_and_held_against_its_measure() {
        let ms = |ms| Measured::Time(Duration::from_millis(ms));
        let table = [
            ("p99 < 50ms", ms(49), ms(50)),
            ("connect.max <= 1s", ms(1000), ms(1001)),
            ("response.mean>2ms", ms(3), ms(2)),
            ("errors < 0.1%", Measured::Part(9, 10_000), Measured::Part(10, 10_000)),
            ("wrong = 0", Measured::Part(0, 7), Measured::Part(1, 7)),
            ("wrong == 0", Measured::Part(0, 0), Measured::Part(1, 1)),
            ("activated >= 99%", Measured::Part(99, 100), Measured::Part(98, 100)),
            ("throughput > 500/s", Measured::PerSecond(500.5), Measured::PerSecond(500.0)),
        ];
        for (text, good, bad) in table {
            let threshold = threshold(text);
            assert!(threshold.holds(good), "{text}");
            assert!(!threshold.holds(bad), "{text}");
        }
    }

    #[test]
    fn what_is_none_says_what_would_be() {
        for (text, beginning) in [
            ("p99", "\"p99\" compares nothing"),
            ("p98 < 1ms", "\"p98\" is no measure"),
            ("dns.p99 < 1ms", "\"dns\" is nothing that is timed"),
            ("p99 < 50", "\"50\" is no time"),
            ("p99 < -1ms", "\"-1ms\" is no time"),
            ("errors < 5", "`5` is no share"),
            ("throughput > many", "\"many\" is no rate"),
            ("", "\"\" compares nothing"),
        ] {
            let error = text.parse::<Threshold>().unwrap_err();
            assert!(error.starts_with(beginning), "{text}: {error}");
        }
    }

    #[test]
    fn measures_read_as_people_say_them() {
        assert_eq!(Measured::Time(Duration::from_micros(1500)).to_string(), "1ms 500µs");
        assert_eq!(Measured::Part(1, 8).to_string(), "1 of 8 (12.500%)");
        assert_eq!(Measured::PerSecond(12.345).to_string(), "12.3/s");
    }
}
