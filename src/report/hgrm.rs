//! `--out hgrm=PATH`: how long things took, as `.hgrm` text, the form HdrHistogram's own plots read.
//!
//! A table for each scenario and each thing that is timed, headed by a comment that names it. Values are in
//! milliseconds.

use std::fmt::Write as _;

use crate::measure::{Latency, ScenarioResult};
use crate::text::harmless;

/// The whole file.
pub fn text<'a>(results: impl IntoIterator<Item = &'a ScenarioResult>) -> String {
    let mut out = String::new();
    for result in results {
        let times = &result.latency;
        let timed = [
            ("response (intended start to reply)", &times.response),
            ("service (send to reply)", &times.service),
            ("connect", &times.connect),
            ("bind", &times.bind),
            ("alter_context", &times.alter),
        ];
        for (what, latency) in timed.into_iter().filter(|(_, latency)| latency.count() > 0) {
            if !out.is_empty() {
                out.push('\n');
            }
            let _ = writeln!(out, "# {}: {what}, ms", harmless(&result.plan.name));
            table(&mut out, latency);
        }
    }
    out
}

fn table(out: &mut String, latency: &Latency) {
    let _ = writeln!(out, "{:>12} {:>14} {:>10} {:>14}\n", "Value", "Percentile", "TotalCount", "1/(1-Percentile)");
    for (ns, share, count) in latency.distribution() {
        let _ = write!(out, "{:12.6} {share:2.12} {count:10}", ms(ns as f64));
        // Of all of them there is no such number.
        let _ = match share < 1.0 {
            true => writeln!(out, " {:14.2}", 1.0 / (1.0 - share)),
            false => writeln!(out),
        };
    }
    let (mean, deviation) = (ms(latency.mean_ns()), ms(latency.deviation_ns()));
    let _ = writeln!(out, "#[Mean    = {mean:12.6}, StdDeviation   = {deviation:12.6}]");
    let _ = writeln!(out, "#[Max     = {:12.6}, Total count    = {:12}]", ms(latency.max_ns() as f64), latency.count());
}

fn ms(ns: f64) -> f64 {
    ns / 1e6
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::measure::Measure;
    use crate::scenario::{Ids, ShippedTables, load};

    #[test]
    fn a_table_goes_from_the_shortest_to_the_longest() {
        let file = "name = \"plot\"\nquestion = \"?\"\n[clients.a]\ncount = 1\nproduct = \"Windows 11 Enterprise\"\n\
                    [[step]]\ntitle = \"one\"\nclients = [\"a\"]\n";
        let plan = load(file, "plot.toml", &ShippedTables).unwrap().plan(1, Ids::Seeded);
        let mut result = Measure::new(Arc::new(plan)).finish(Vec::new());
        [1_000_000, 2_000_000, 4_000_000, 8_000_000].into_iter().for_each(|ns| result.latency.response.record_ns(ns));
        insta::assert_snapshot!(text([&result]));
        assert_eq!(text([]), "");
    }
}
