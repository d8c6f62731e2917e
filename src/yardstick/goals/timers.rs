//! What a timer costs.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::hint::black_box;
use std::io::{Result, Write};
use std::time::Instant;

use super::yard::{Yard, met_or_not};
use crate::engine::Wheel;
use crate::yardstick::median;

/// G9.
pub fn wheel(yard: &Yard, out: &mut dyn Write) -> Result<()> {
    // The interval that is fixed is what a worker has: a timeout of five seconds in ticks of a millisecond.
    for (name, intervals) in
        [("random, up to 2^20 ticks", Intervals::Random(1 << 20)), ("fixed, 5,000 ticks", Intervals::Fixed(5_000))]
    {
        let mut rounds = Vec::new();
        for round in 0..=yard.rounds {
            let figures = (wheel_ns(intervals), heap_ns(intervals));
            if round > 0 {
                rounds.push(figures);
            }
        }
        let ours = median(rounds.iter().map(|round| round.0));
        let least = rounds.iter().map(|round| round.0).fold(f64::INFINITY, f64::min);
        writeln!(
            out,
            "  {name:<28} {ours:>6.1} ns (least {least:.1})   binary heap {:>6.1} ns   ratio {:.3}  {}",
            median(rounds.iter().map(|round| round.1)),
            median(rounds.iter().map(|round| round.0 / round.1)),
            met_or_not(ours <= MOST_NS),
        )?;
    }
    Ok(())
}

/// After how many ticks a timer is due again.
#[derive(Debug, Clone, Copy)]
enum Intervals {
    /// Somewhere below this.
    Random(u64),
    Fixed(u64),
}

impl Intervals {
    fn next(self, random: &mut u64) -> u64 {
        match self {
            Intervals::Random(below) => 1 + below_of(random, below - 1),
            Intervals::Fixed(ticks) => ticks,
        }
    }

    /// Any time within one.
    fn first(self, random: &mut u64) -> u64 {
        let (Intervals::Random(ticks) | Intervals::Fixed(ticks)) = self;
        1 + below_of(random, ticks)
    }
}

/// Xorshift: what has to be random here must cost next to nothing.
fn below_of(random: &mut u64, below: u64) -> u64 {
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    ((*random >> 32) * below) >> 32
}

/// For each timer that fires and is given a new time, with a clock that goes on tick by tick.
fn wheel_ns(intervals: Intervals) -> f64 {
    let mut random = SEED;
    let mut wheel = Wheel::new(TIMERS as usize, TICK_NS);
    for id in 0..TIMERS {
        wheel.insert(id, intervals.first(&mut random) * TICK_NS);
    }
    let mut fired = Vec::with_capacity(TIMERS as usize);
    let mut now_ns = 0;
    let mut until = |many: u64| {
        let (begun, mut count) = (Instant::now(), 0);
        while count < many {
            now_ns += TICK_NS;
            while wheel.next_due_ns().is_some_and(|due_ns| due_ns <= now_ns) {
                wheel.advance(now_ns, &mut fired);
                count += fired.len() as u64;
                for id in fired.drain(..) {
                    wheel.insert(id, now_ns + intervals.next(&mut random) * TICK_NS);
                }
            }
        }
        begun.elapsed().as_nanos() as f64 / count as f64
    };
    until(u64::from(TIMERS));
    until(FIRES)
}

/// The same of what the standard library has.
fn heap_ns(intervals: Intervals) -> f64 {
    let mut random = SEED;
    let mut heap: BinaryHeap<Reverse<(u64, u32)>> =
        (0..TIMERS).map(|id| Reverse((intervals.first(&mut random), id))).collect();
    let mut until = |many: u64| {
        let begun = Instant::now();
        for _ in 0..many {
            let Some(Reverse((tick, id))) = heap.pop() else { break };
            heap.push(Reverse((tick + intervals.next(&mut random), black_box(id))));
        }
        begun.elapsed().as_nanos() as f64 / many as f64
    };
    until(u64::from(TIMERS));
    // It takes ten times as long, and shows as much in fewer.
    until(FIRES / 4)
}

const MOST_NS: f64 = 60.0;
const TIMERS: u32 = 1_000_000;
const FIRES: u64 = 4_000_000;
const TICK_NS: u64 = 1_000_000;
const SEED: u64 = 0x2545_f491_4f6c_dd1d;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_within_their_bounds() {
        let mut random = SEED;
        for _ in 0..10_000 {
            assert!((1..=1 << 20).contains(&Intervals::Random(1 << 20).next(&mut random)));
            assert!((1..=7).contains(&Intervals::Fixed(7).first(&mut random)));
            assert_eq!(Intervals::Fixed(7).next(&mut random), 7);
        }
    }
}
