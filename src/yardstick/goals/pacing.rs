//! Whether what is to start at a time starts then.

use std::io::{Error, Result, Write};
use std::time::Instant;

use super::yard::{Yard, met_or_not};
use crate::report::plain::nanoseconds;
use crate::yardstick::{FixedHost, Load, median, tokio_pacer};

/// G6.
pub fn starts(yard: &Yard, out: &mut dyn Write) -> Result<()> {
    let host = yard.host(false)?;
    for per_s in [1_000, 10_000] {
        let mut figures = Vec::new();
        for round in 0..=yard.rounds {
            let timer = tokio_pacer(f64::from(per_s), yard.lasts)?;
            let bout = yard.bout(&host, &yard.load(&format!("{{ rate = \"{per_s}/s\" }}")))?;
            let late = &bout.result.latency.late;
            if round > 0 {
                figures.push([0.5, 0.99].map(|share| (late.quantile_ns(share), timer.quantile_ns(share))));
            }
        }
        for (at, name, most_ns) in [(0, "p50", 2_000), (1, "p99", 100_000)] {
            let ours = median(figures.iter().map(|round| round[at].0 as f64));
            let timer = median(figures.iter().map(|round| round[at].1 as f64));
            let ratio = median(figures.iter().map(|round| round[at].0 as f64 / round[at].1.max(1) as f64));
            let met = ours <= f64::from(most_ns) && (at == 0 || ratio <= 0.1);
            writeln!(
                out,
                "  {:<28} {name} {:>9}   tokio timer {:>9}   ratio {ratio:.3}  {}",
                format!("{per_s}/s"),
                nanoseconds(ours as u64),
                nanoseconds(timer as u64),
                met_or_not(met),
            )?;
        }
    }
    Ok(())
}

/// G7.
pub fn offered(yard: &Yard, out: &mut dyn Write) -> Result<()> {
    let host = yard.host(true)?;
    let seen = rounds(yard, &host, 10_000)?;
    let burst = median(seen.iter().map(|seen| seen.short_gaps_percent));
    print(out, 10_000, &seen, &format!("   {burst:.2}% of gaps under a tenth of the mean"), burst <= 2.0)?;

    let most = yard.bout(&host, &yard.load("{ concurrency = 64 }"))?.sample.per_s();
    host.take_arrivals();
    let per_s = (0.7 * most) as u64;
    let seen = rounds(yard, &host, per_s)?;
    print(out, per_s, &seen, &format!("   0.7 of {most:.0}/s"), true)
}

/// What the host saw of a rate once all connections were there.
struct Seen {
    per_s: f64,
    short_gaps_percent: f64,
    /// How many connections it took.
    connections: u64,
}

impl Seen {
    /// `None` if too little came to tell.
    fn of(arrivals: &[Instant]) -> Option<Seen> {
        // The first ones open connections: what is asked is what comes once these are there.
        let steady = &arrivals[arrivals.len() / 4..];
        let (first, last) = (*steady.first()?, *steady.last()?);
        let gaps = (steady.len() - 1) as f64;
        let mean = (last - first).as_secs_f64() / gaps;
        if mean.is_nan() || mean <= 0.0 {
            return None;
        }
        let short = steady.windows(2).filter(|two| (two[1] - two[0]).as_secs_f64() < mean / 10.0).count();
        Some(Seen { per_s: 1.0 / mean, short_gaps_percent: short as f64 * 100.0 / gaps, connections: 0 })
    }

    fn error_percent(&self, per_s: u64) -> f64 {
        (self.per_s / per_s as f64 - 1.0).abs() * 100.0
    }
}

fn rounds(yard: &Yard, host: &FixedHost, per_s: u64) -> Result<Vec<Seen>> {
    let load = Load { kept: true, ..yard.load(&format!("{{ rate = \"{per_s}/s\" }}")) };
    let mut rounds = Vec::new();
    for round in 0..=yard.rounds {
        let connections = yard.bout(host, &load)?.result.totals.connections;
        let seen = Seen::of(&host.take_arrivals());
        let seen = seen.ok_or_else(|| Error::other(format!("too few requests came at {per_s}/s to see a rate")))?;
        if round > 0 {
            rounds.push(Seen { connections, ..seen });
        }
    }
    Ok(rounds)
}

fn print(out: &mut dyn Write, asked: u64, rounds: &[Seen], more: &str, met: bool) -> Result<()> {
    let error = median(rounds.iter().map(|seen| seen.error_percent(asked)));
    writeln!(
        out,
        "  {:<28} seen {:>9.1}/s over {:>4.0} connections   off by {error:.3}%{more}  {}",
        format!("{asked}/s asked"),
        median(rounds.iter().map(|seen| seen.per_s)),
        median(rounds.iter().map(|seen| seen.connections as f64)),
        met_or_not(met && error <= 0.1),
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_rate_is_seen_in_what_comes_after_the_first_quarter() {
        let begun = Instant::now();
        // Four in a burst, then one every millisecond but for one that comes right behind another.
        let mut at_us: Vec<u64> = vec![0, 1, 2, 3];
        at_us.extend((1..13).map(|number| number * 1_000));
        at_us[9] = at_us[8] + 10;
        let arrivals: Vec<Instant> = at_us.iter().map(|at| begun + Duration::from_micros(*at)).collect();
        let seen = Seen::of(&arrivals).unwrap();
        assert!((seen.per_s - 1_000.0).abs() < 0.01, "{}", seen.per_s);
        assert!((seen.short_gaps_percent - 100.0 / 11.0).abs() < 0.01, "{}", seen.short_gaps_percent);
        assert!((seen.error_percent(2_000) - 50.0).abs() < 0.01);
        assert!(Seen::of(&arrivals[..1]).is_none() && Seen::of(&[]).is_none());
    }
}
