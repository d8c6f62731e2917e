//! How fast exchanges are carried, and at what price.

use std::io::{Result, Write};

use super::yard::{Contestant, Yard, met_or_not};
use crate::engine::Engine;
use crate::yardstick::{Load, Raw, RawClient, Sample, Series};

/// G1.
pub fn plain(yard: &Yard, out: &mut dyn Write) -> Result<()> {
    kept(yard, out, PLAIN)
}

/// G2.
pub fn sealed(yard: &Yard, out: &mut dyn Write) -> Result<()> {
    kept(yard, out, SEALED)
}

/// G4.
pub fn many(yard: &Yard, out: &mut dyn Write) -> Result<()> {
    let connections = [connections_max(10_000)];
    kept(yard, out, Kept { connections: &connections, rate: Some(0.90), cpu: None, portable: false, ..PLAIN })
}

/// G5: G1 and G2 once more, for what they cost.
pub fn cpu(yard: &Yard, out: &mut dyn Write) -> Result<()> {
    kept(yard, out, Kept { rate: None, portable: false, ..PLAIN })?;
    kept(yard, out, Kept { rate: None, portable: false, ..SEALED })
}

/// G3.
pub fn one_each(yard: &Yard, out: &mut dyn Write) -> Result<()> {
    for connections in [64, 1000] {
        let host = yard.host(false)?;
        let client = RawClient::new(host.address(), yard.canned.request());
        let raw = Raw { connections, one_each: true, lasts: yard.lasts, core: yard.client_core(), ..Raw::default() };
        let ours = Load { kept: false, ..yard.load(&format!("{{ concurrency = {connections} }}")) };
        let two = Load { workers: 2, pin: Vec::new(), ..ours.clone() };
        let portable = Load { engine: Engine::Portable, ..ours.clone() };
        let series = yard.series(vec![
            Box::new(|| client.run(raw)),
            Box::new(|| yard.bout(&host, &ours).map(|bout| bout.sample)),
            Box::new(|| yard.bout(&host, &two).map(|bout| bout.sample)),
            Box::new(|| yard.bout(&host, &portable).map(|bout| bout.sample)),
        ])?;
        print(out, &format!("raw, {connections} at a time"), &series, 0, None)?;
        print(out, "kmsproof", &series, 1, Some(0.93))?;
        print(out, "kmsproof, 2 workers", &series, 2, Some(1.10))?;
        print(out, "kmsproof, portable engine", &series, 3, None)?;
    }
    Ok(())
}

/// Connections that are kept, and what is asked of those who keep them.
#[derive(Clone, Copy)]
struct Kept<'a> {
    plain: bool,
    connections: &'a [usize],
    /// At least so much of the raw rate.
    rate: Option<f64>,
    /// At most so much of the raw CPU time.
    cpu: Option<f64>,
    /// Whether the portable engine runs too.
    portable: bool,
}

const PLAIN: Kept<'_> =
    Kept { plain: true, connections: &[64, 256], rate: Some(0.95), cpu: Some(1.15), portable: true };
const SEALED: Kept<'_> = Kept { plain: false, rate: Some(0.80), cpu: Some(1.25), ..PLAIN };

fn kept(yard: &Yard, out: &mut dyn Write, kept: Kept<'_>) -> Result<()> {
    for &connections in kept.connections {
        let host = yard.host(false)?;
        let client = RawClient::new(host.address(), yard.canned.request());
        let raw = Raw { connections, lasts: yard.lasts, core: yard.client_core(), ..Raw::default() };
        let ours = Load { plain: kept.plain, kept: true, ..yard.load(&format!("{{ concurrency = {connections} }}")) };
        let portable = Load { engine: Engine::Portable, ..ours.clone() };
        let mut contestants: Vec<Contestant<'_>> = vec![
            Box::new(|| client.run(raw)),
            Box::new(|| client.run(Raw { records: true, ..raw })),
            Box::new(|| yard.bout(&host, &ours).map(|bout| bout.sample)),
        ];
        if kept.portable {
            contestants.push(Box::new(|| yard.bout(&host, &portable).map(|bout| bout.sample)));
        }
        let series = yard.series(contestants)?;
        print(out, &format!("raw, {connections} connections"), &series, 0, None)?;
        print(out, "raw + recording", &series, 1, None)?;
        print(out, "kmsproof", &series, 2, kept.rate)?;
        if kept.portable {
            // It has no way past sealing.
            print(out, "kmsproof, portable (seals)", &series, 3, None)?;
        }
        if let Some(cpu_max) = kept.cpu {
            let [least, middle, most] = series.ratio(2, Sample::cpu_us);
            writeln!(
                out,
                "  {:<28} {:>8.2} us  {middle:.3} ({least:.3} to {most:.3})   at most {cpu_max:.2}  {}",
                "G5: client CPU",
                series.median_of(2, Sample::cpu_us),
                met_or_not(middle <= cpu_max),
            )?;
        }
    }
    Ok(())
}

/// So many, or as many as there are file descriptors for: host and client are one process here.
fn connections_max(wanted: usize) -> usize {
    let files = crate::engine::limits::Allowed::by_this_machine().open_files;
    files.map_or(wanted, |files| wanted.min((files as usize).saturating_sub(200) / 2))
}

fn print(out: &mut dyn Write, name: &str, series: &Series, at: usize, rate: Option<f64>) -> Result<()> {
    let [least, middle, most] = series.ratio(at, Sample::per_s);
    let [_, cpu, _] = series.ratio(at, Sample::cpu_us);
    writeln!(
        out,
        "  {name:<28} {:>9.0}/s  {middle:.3} ({least:.3} to {most:.3})   CPU {:>6.2} us  {cpu:.3}  {}",
        series.median_of(at, Sample::per_s),
        series.median_of(at, Sample::cpu_us),
        rate.map_or("", |rate| met_or_not(middle >= rate)),
    )
}
