//! What a client and a connection take.
//!
//! Host and client have to be processes of their own for that: the bench starts itself once more and
//! says in the environment which [`Part`] it is then.

use std::io::{Error, Result, Write};
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::yard::{Yard, load, met_or_not};
use crate::engine::{Clock, EmbeddedLab};
use crate::lab::Faults;
use crate::yardstick::{Harness, Load, median};

/// G8.
pub fn clients(yard: &Yard, out: &mut dyn Write) -> Result<()> {
    // It works its answers out: a table has none for a million machines.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let lab = runtime.block_on(EmbeddedLab::start(1, Clock::start(), Faults::default())).map_err(Error::other)?;
    let (mut few, mut many) = (Vec::new(), Vec::new());
    for _ in 0..yard.rounds.min(ROUNDS_MAX) {
        for (connections, figures) in [(FEW, &mut few), (MANY, &mut many)] {
            figures.push(Part { host: lab.address(), clients: CLIENTS, connections }.elsewhere()?);
        }
    }
    let of = |figures: &[Memory], figure: fn(&Memory) -> u64| median(figures.iter().map(|of| figure(of) as f64));
    let whole_mib = of(&few, |of| of.most_kib) / 1024.0;
    writeln!(
        out,
        "  {:<28} {whole_mib:>6.1} MiB at most, {:.1} MiB once all are open, {:.1} MiB before  {}",
        format!("{CLIENTS} clients, {FEW} open"),
        of(&few, |of| of.open_kib) / 1024.0,
        of(&few, |of| of.before_kib) / 1024.0,
        met_or_not(whole_mib <= WHOLE_MIB_MAX),
    )?;
    let each_kib = (of(&many, |of| of.open_kib) - of(&few, |of| of.open_kib)) / (MANY - FEW) as f64;
    writeln!(
        out,
        "  {:<28} {each_kib:>6.3} KiB each, from {FEW} to {MANY} open  {}",
        "a connection more",
        met_or_not(each_kib <= EACH_KIB_MAX),
    )
}

/// The part of the bench that is measured from outside itself: a client and nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    host: SocketAddr,
    clients: u32,
    connections: usize,
}

impl Part {
    /// Which part this process is, if it is one.
    ///
    /// # Errors
    /// When the environment names none that there is.
    pub fn of_this_process() -> Result<Option<Part>> {
        match std::env::var(PART) {
            Ok(text) => text.parse().map(Some).map_err(Error::other),
            Err(_) => Ok(None),
        }
    }

    /// Lets every client ask once, and prints what that took. More is written for a client once it has
    /// asked: where only some have, what connections take would be lost in how many did.
    ///
    /// # Errors
    /// When the host does not answer, or not all connections were ever open at a time.
    pub fn run(self, out: &mut dyn Write) -> Result<()> {
        let Part { host, clients, connections } = self;
        let before_kib = status()?.resident_kib;
        let arrive = format!("{{ concurrency = {connections} }}");
        let load = Load { clients, rounds: Some(1), ..load(&arrive, LASTS_MAX) };
        let is_over = AtomicBool::new(false);
        let (bout, open_kib) = std::thread::scope(|scope| {
            let looking = scope.spawn(|| resident_while_open(connections, &is_over));
            let bout = Harness::new(0, Clock::start().wall()).run(host, &load);
            is_over.store(true, Ordering::Relaxed);
            (bout, looking.join().expect("it does not panic"))
        });
        let (result, open_kib) = (bout?.result, open_kib?);
        let asked = result.totals.requests;
        if result.wrong > 0 || result.unanswered > 0 || asked != u64::from(clients) {
            return Err(Error::other(format!(
                "{} of {asked} requests were not answered, and {} wrongly",
                result.unanswered, result.wrong
            )));
        }
        let open_kib = open_kib.ok_or_else(|| Error::other(format!("{connections} were never open at a time")))?;
        // The system's own mark lags behind a little.
        let most_kib = status()?.most_kib.max(open_kib);
        writeln!(out, "{}", Memory { before_kib, open_kib, most_kib })
    }

    /// Lets another process be it: this program once more, with the same arguments.
    fn elsewhere(self) -> Result<Memory> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(std::env::args_os().skip(1)).env(PART, self.to_string());
        let output = command.stderr(Stdio::inherit()).output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        text.parse().map_err(|wrong| Error::other(format!("a client of its own ended with {}: {wrong}", output.status)))
    }
}

impl FromStr for Part {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Part, String> {
        let part = || {
            let (rest, connections) = text.strip_prefix("memory:")?.rsplit_once(':')?;
            let (host, clients) = rest.rsplit_once(':')?;
            let (host, clients, connections) = (host.parse().ok()?, clients.parse().ok()?, connections.parse().ok()?);
            (clients > 0 && connections > 0).then_some(Part { host, clients, connections })
        };
        part().ok_or_else(|| format!("{PART} is `{text}`: expected memory:ADDR:PORT:CLIENTS:CONNECTIONS"))
    }
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "memory:{}:{}:{}", self.host, self.clients, self.connections)
    }
}

/// What a client took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Memory {
    /// Before there was a plan.
    before_kib: u64,
    /// The most while all connections were open.
    open_kib: u64,
    /// The most at any time.
    most_kib: u64,
}

impl FromStr for Memory {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Memory, String> {
        let figures: Vec<u64> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        match figures[..] {
            [before_kib, open_kib, most_kib] => Ok(Memory { before_kib, open_kib, most_kib }),
            _ => Err(format!("`{}` are not three figures", text.trim())),
        }
    }
}

impl std::fmt::Display for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} {}", self.before_kib, self.open_kib, self.most_kib)
    }
}

/// The most memory that was resident while so many connections were open; `None` if they never were.
fn resident_while_open(connections: usize, is_over: &AtomicBool) -> Result<Option<u64>> {
    let mut most = None;
    while !is_over.load(Ordering::Relaxed) {
        // Each is a file descriptor, and there are some others.
        if std::fs::read_dir("/proc/self/fd")?.count() >= connections {
            most = most.max(Some(status()?.resident_kib));
        }
        std::thread::sleep(LOOKS_EVERY);
    }
    Ok(most)
}

struct Status {
    resident_kib: u64,
    most_kib: u64,
}

fn status() -> Result<Status> {
    let text = std::fs::read_to_string("/proc/self/status")?;
    let figure = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        let figure = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        figure.ok_or_else(|| Error::other(format!("/proc/self/status has no {name}")))
    };
    Ok(Status { resident_kib: figure("VmRSS:")?, most_kib: figure("VmHWM:")? })
}

const PART: &str = "KMSPROOF_BENCH_PART";
const CLIENTS: u32 = 1_000_000;
const FEW: usize = 1_000;
const MANY: usize = 4_000;
const WHOLE_MIB_MAX: f64 = 64.0;
const EACH_KIB_MAX: f64 = 0.6;
/// What is resident hardly differs from one round to the next.
const ROUNDS_MAX: usize = 3;
/// A minute is much for a million requests.
const LASTS_MAX: Duration = Duration::from_secs(600);
const LOOKS_EVERY: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_survives_the_environment() {
        let part = Part { host: "127.0.0.1:1688".parse().unwrap(), clients: 1_000_000, connections: 9_000 };
        assert_eq!(part.to_string(), "memory:127.0.0.1:1688:1000000:9000");
        assert_eq!(part.to_string().parse(), Ok(part));
        let six = Part { host: "[::1]:1688".parse().unwrap(), ..part };
        assert_eq!(six.to_string().parse(), Ok(six));
        for wrong in ["", "memory:", "memory:127.0.0.1:1:1", "memory:127.0.0.1:1688:0:1", "time:127.0.0.1:1688:1:1"] {
            assert!(wrong.parse::<Part>().unwrap_err().contains("memory:ADDR"), "{wrong}");
        }
    }

    #[test]
    fn figures_survive_a_pipe() {
        let memory = Memory { before_kib: 1, open_kib: 20, most_kib: 300 };
        assert_eq!(format!("{memory}\n").parse(), Ok(memory));
        assert!("1 2".parse::<Memory>().is_err());
        let status = status().unwrap();
        assert!(0 < status.resident_kib && status.resident_kib <= status.most_kib);
    }
}
