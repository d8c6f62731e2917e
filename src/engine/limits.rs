//! What must be true of this machine before a run starts: enough open files, and enough local ports.
//!
//! A port is taken by every open connection, and for some time after it was closed (TIME_WAIT), by the side that
//! closed it first: the client. Away from loopback that is a minute on Linux, so that one source address has ports
//! for some 470 connections a second to one host. On loopback Linux takes such a port again after a second, but
//! first looks through one half of them all, which costs three times the processor time of the connection.

use std::time::Duration;

use super::terms::{Closing, Drive};
use crate::scenario::{Arrive, ConnectionUse, Plan, Step};
use crate::text::{counted, grouped};

/// What this machine lets one process have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowed {
    /// How many files may be open at a time; `None` where nobody counts them.
    pub open_files: Option<u64>,
    /// How many local ports each source address has.
    pub ports: u64,
    /// How long a closed connection keeps its port.
    pub port_kept: Duration,
    /// The same where both ends are on this machine.
    pub port_kept_on_loopback: Duration,
}

/// What a step needs of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Needs {
    /// So many connections are open at a time.
    pub open: u64,
    /// So many are made in all; `None` where nobody knows before.
    pub connections: Option<u64>,
    /// So many a second at most; `None` where the host decides it.
    pub connections_per_s: Option<f64>,
    /// From so many source addresses, one at least.
    pub sources: u64,
    /// Whether these are of our choice. A port of such an address is kept for as long as of any connection: the
    /// system gives it out before it knows where the connection goes.
    pub sources_chosen: bool,
    /// Whether the host's ends of them are in this process too.
    pub embedded: bool,
    /// Whether the host is on this machine.
    pub loopback: bool,
    /// How connections are closed.
    pub closing: Closing,
}

/// Where the host is, and how fast it may be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct There {
    /// In this process.
    pub embedded: bool,
    /// On this machine.
    pub loopback: bool,
    /// The least time between two requests, if there is one.
    pub pace: Option<Duration>,
}

/// What there is not enough of, and ways out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Short {
    /// Each connection is an open file.
    #[error(
        "{} at a time {} {} open files{}, and this process may have {}: {}ulimit -n {needed}",
        counted(*.open, "connection"), if *.open == 1 { "needs" } else { "need" }, grouped(*.needed), if *.embedded { " (as many again for the embedded host)" } else { "" },
        grouped(*.allowed), if *.fits > 0 { format!("say --open-max {fits}, or raise the limit first, with ") } else { "raise the limit first, with ".to_owned() }
    )]
    OpenFiles {
        /// Connections at a time.
        open: u64,
        /// Files for all of it.
        needed: u64,
        /// Files there may be.
        allowed: u64,
        /// Connections there are enough files for.
        fits: u64,
        /// Whether half of them are the host's ends.
        embedded: bool,
    },
    /// Each open connection has a port.
    #[error(
        "{} at a time need as many local ports, and {} {}: say --open-max {ports}, or more addresses with --source",
        counted(*.open, "connection"), counted(*.sources, "source address"), have(*.sources, *.ports)
    )]
    PortsOpen {
        /// Connections at a time.
        open: u64,
        /// Source addresses.
        sources: u64,
        /// Ports they have between them.
        ports: u64,
    },
    /// A closed connection keeps its port.
    #[error(
        "{} new connections a second need {} local ports ({} open, the others kept for {} s after they were closed), \
         and {} {}: at most {} a second; say --source with {} addresses of this machine, --reuse kept or --reuse {}, \
         or --close reset, which keeps no port and is not what clients do",
        grouped(*.per_s), grouped(*.needed), grouped(*.open), kept.as_secs(), counted(*.sources, "source address"),
        have(*.sources, *.ports), grouped(*.per_s_max), grouped(*.sources_due), grouped(*.calls_due)
    )]
    PortsKept {
        /// Connections a second.
        per_s: u64,
        /// Connections open meanwhile.
        open: u64,
        /// Ports for all of it.
        needed: u64,
        /// How long each is kept.
        kept: Duration,
        /// Source addresses.
        sources: u64,
        /// Ports they have between them.
        ports: u64,
        /// So many a second there would be enough for.
        per_s_max: u64,
        /// So many source addresses would be enough.
        sources_due: u64,
        /// So many times as many calls a connection would be enough.
        calls_due: u64,
    },
}

impl Allowed {
    /// What this machine says, after the limit of open files was raised as far as it goes.
    pub fn by_this_machine() -> Allowed {
        Allowed { open_files: raise_open_files(), ..ports_of_this_system() }
    }

    /// How many connections there are enough open files for.
    pub fn connections(&self, embedded: bool) -> u64 {
        self.open_files.map_or(u64::MAX, |allowed| allowed.saturating_sub(RESERVE) / ends(embedded))
    }
}

impl Needs {
    /// What a step needs when it is driven so against a host that is there.
    pub fn of(step: &Step, drive: &Drive, there: There) -> Needs {
        let arrivals = step.arrivals() as u64;
        let calls = match step.connection {
            ConnectionUse::Each => 1,
            ConnectionUse::Kept => u64::MAX,
            ConnectionUse::Calls(calls) => u64::from(calls.max(1)),
        };
        let at_a_time = step.concurrency().unwrap_or(drive.open_max) as u64;
        let renewals_per_s = step.renewals_per_s();
        // Nobody asks twice at a time, however often their leases make them ask.
        let open = at_a_time.min(if renewals_per_s.is_some() { step.activations() } else { arrivals });
        let connections = arrivals.div_ceil(calls).max(open.min(arrivals));
        // How often whoever goes by a lease asks is up to the answers.
        let are_known = !step.is_open_ended() && renewals_per_s.is_none();
        let per_s = match &step.arrive {
            _ if step.connection == ConnectionUse::Kept => Some(0.0),
            Arrive::Open(schedule) => {
                Some(schedule.peak_per_s(step.repeat.lasts.unwrap_or(Duration::MAX)) / calls as f64)
            }
            // Once the first are over; whoever is refused asks more often.
            Arrive::Lifecycle { .. } => renewals_per_s.map(|per_s| per_s / calls as f64),
            // Nobody asks again before having rested.
            _ if !step.think.is_zero() => Some(at_a_time as f64 / step.think.as_secs_f64() / calls as f64),
            _ => None,
        };
        let paced_per_s = there.pace.map(|pace| 1.0 / pace.as_secs_f64());
        let per_s = match (per_s, paced_per_s) {
            (Some(per_s), Some(paced_per_s)) => Some(per_s.min(paced_per_s)),
            (per_s, paced_per_s) => per_s.or(paced_per_s),
        };
        Needs {
            open,
            connections: are_known.then_some(connections),
            connections_per_s: per_s,
            sources: drive.sources.len().max(1) as u64,
            sources_chosen: !drive.sources.is_empty(),
            embedded: there.embedded,
            loopback: there.loopback,
            closing: drive.closing,
        }
    }
}

/// Whether this machine has enough for every step of a plan, and what is better known before.
///
/// # Errors
/// What there is not enough of, for the first step of which that is so.
pub fn check_plan(plan: &Plan, drive: &Drive, there: There, allowed: &Allowed) -> Result<Vec<String>, Short> {
    let mut warnings = Vec::new();
    for step in &plan.steps {
        if let Some(warning) = check(&Needs::of(step, drive, there), allowed)?
            && !warnings.contains(&warning)
        {
            warnings.push(warning);
        }
    }
    Ok(warnings)
}

/// Whether there is enough, and what is better known before.
///
/// # Errors
/// What there is not enough of.
pub fn check(needs: &Needs, allowed: &Allowed) -> Result<Option<String>, Short> {
    let Needs { open, sources, embedded, .. } = *needs;
    let files = open.saturating_mul(ends(embedded)).saturating_add(RESERVE);
    if let Some(allowed_files) = allowed.open_files.filter(|&allowed| open > 0 && files > allowed) {
        let fits = allowed.connections(embedded);
        return Err(Short::OpenFiles { open, needed: files, allowed: allowed_files, fits, embedded });
    }
    let ports = allowed.ports.saturating_mul(sources);
    if open > ports {
        return Err(Short::PortsOpen { open, sources, ports });
    }
    if needs.closing == Closing::Reset {
        return Ok(None);
    }
    let is_soon_free = needs.loopback && !needs.sources_chosen;
    let kept = if is_soon_free { allowed.port_kept_on_loopback } else { allowed.port_kept };
    let kept_s = kept.as_secs_f64();
    let all = needs.connections.unwrap_or(u64::MAX);
    // With a port for each connection of the run it does not matter how fast they come.
    if all <= ports {
        return Ok(None);
    }
    let free = (ports - open) as f64;
    let Some(per_s) = needs.connections_per_s else {
        return Ok(Some(unknown_rate(needs, ports, kept, free / kept_s)));
    };
    let waiting = (per_s * kept_s).min(all as f64);
    if waiting > free {
        return Err(Short::PortsKept {
            per_s: per_s.ceil() as u64,
            open,
            needed: (waiting.ceil() as u64).saturating_add(open),
            kept,
            sources,
            ports,
            per_s_max: (free / kept_s) as u64,
            sources_due: ((waiting + open as f64) / allowed.ports.max(1) as f64).ceil() as u64,
            calls_due: (waiting / free.max(1.0)).ceil() as u64,
        });
    }
    // The search for a free port looks through those of one parity first.
    let is_slow = needs.loopback && waiting > free / 2.0;
    Ok(is_slow.then(|| half_taken(needs, ports, free / 2.0 / kept_s)))
}

fn unknown_rate(needs: &Needs, ports: u64, kept: Duration, per_s: f64) -> String {
    if needs.loopback {
        return half_taken(needs, ports, per_s / 2.0);
    }
    format!(
        "beyond {} new connections a second for longer than {} s the {} local ports of {} run out: more addresses \
         with --source, --reuse, or --close reset",
        grouped(per_s as u64),
        kept.as_secs(),
        grouped(ports),
        counted(needs.sources, "source address"),
    )
}

fn half_taken(needs: &Needs, ports: u64, per_s: f64) -> String {
    format!(
        "beyond {} new connections a second it costs this machine three times as much to find a free one of the {} \
         local ports of {}: more addresses, as --source 127.0.1.0/26, --reuse, or --close reset",
        grouped(per_s as u64),
        grouped(ports),
        counted(needs.sources, "source address"),
    )
}

fn have(sources: u64, ports: u64) -> String {
    format!("{} {}", if sources == 1 { "has" } else { "have" }, grouped(ports))
}

/// How many ends of each connection are in this process.
fn ends(embedded: bool) -> u64 {
    if embedded { 2 } else { 1 }
}

/// Raises what may be to what could be, and says how much that is.
#[cfg(unix)]
fn raise_open_files() -> Option<u64> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let before = getrlimit(Resource::Nofile);
    if before.current == before.maximum {
        return before.current;
    }
    // macOS takes no more than OPEN_MAX, whatever it says could be.
    let wishes = [before.maximum, before.maximum.map_or(Some(OPEN_MAX), |most| Some(most.min(OPEN_MAX)))];
    for current in wishes {
        let is_more = current.is_none_or(|current| before.current.is_some_and(|before| current > before));
        if is_more && setrlimit(Resource::Nofile, Rlimit { current, maximum: before.maximum }).is_ok() {
            return current;
        }
    }
    before.current
}

#[cfg(not(unix))]
fn raise_open_files() -> Option<u64> {
    None
}

#[cfg(target_os = "linux")]
fn ports_of_this_system() -> Allowed {
    let read = |name: &str| std::fs::read_to_string(format!("/proc/sys/net/ipv4/{name}")).ok();
    let reuse = read("tcp_tw_reuse").and_then(|text| text.trim().parse::<u8>().ok());
    let minute = Duration::from_secs(60);
    let second = Duration::from_secs(1);
    Allowed {
        open_files: None,
        ports: read("ip_local_port_range").and_then(|text| ports_in(&text)).unwrap_or(28_232),
        port_kept: if reuse == Some(1) { second } else { minute },
        port_kept_on_loopback: if reuse == Some(0) { minute } else { second },
    }
}

/// The ephemeral ports IANA has set apart, kept for twice the longest a segment lives, as these systems take it.
#[cfg(not(target_os = "linux"))]
fn ports_of_this_system() -> Allowed {
    let kept = Duration::from_secs(if cfg!(windows) { 120 } else { 30 });
    Allowed { open_files: None, ports: 16_384, port_kept: kept, port_kept_on_loopback: kept }
}

/// How many ports `32768 60999` are.
#[cfg(any(target_os = "linux", test))]
fn ports_in(range: &str) -> Option<u64> {
    let mut ends = range.split_ascii_whitespace().map(|end| end.parse::<u16>().ok());
    let (first, last) = (ends.next()??, ends.next()??);
    (first <= last).then(|| u64::from(last - first) + 1)
}

/// Open files for all else: standard streams, the listener, reports, the runtime's own.
const RESERVE: u64 = 64;
#[cfg(unix)]
const OPEN_MAX: u64 = 10_240;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{self, Product};
    use crate::scenario::{AdHoc, Ids};

    const LINUX: Allowed = Allowed {
        open_files: Some(20_000),
        ports: 28_232,
        port_kept: Duration::from_secs(60),
        port_kept_on_loopback: Duration::from_secs(1),
    };

    const QUIET: Needs = Needs {
        open: 64,
        connections: Some(1_000),
        connections_per_s: Some(100.0),
        sources: 1,
        sources_chosen: false,
        embedded: false,
        loopback: false,
        closing: Closing::Fin,
    };

    #[test]
    fn a_port_of_a_chosen_address_is_kept_for_a_minute_on_loopback_too() {
        let there = |sources_chosen| check(&Needs { loopback: true, sources_chosen, ..many(5_000.0) }, &LINUX);
        assert!(there(false).is_ok());
        assert!(matches!(there(true), Err(Short::PortsKept { sources_due: 11, .. })), "{:?}", there(true));
    }

    fn many(per_s: f64) -> Needs {
        Needs { connections: Some(10_000_000), connections_per_s: Some(per_s), ..QUIET }
    }

    #[test]
    fn open_files_are_counted_with_the_hosts_ends_and_a_reserve() {
        let open = |open, embedded| check(&Needs { open, embedded, ..QUIET }, &LINUX);
        assert_eq!(open(19_936, false), Ok(None));
        assert_eq!(open(9_968, true), Ok(None));
        assert_eq!(
            open(9_969, true).unwrap_err().to_string(),
            "9,969 connections at a time need 20,002 open files (as many again for the embedded host), and this process \
             may have 20,000: say --open-max 9968, or raise the limit first, with ulimit -n 20002"
        );
        assert!(matches!(open(19_937, false), Err(Short::OpenFiles { fits: 19_936, embedded: false, .. })));
        let unlimited = Allowed { open_files: None, ..LINUX };
        assert_eq!(check(&Needs { open: 28_000, ..QUIET }, &unlimited), Ok(None));
        assert_eq!((unlimited.connections(true), LINUX.connections(true)), (u64::MAX, 9_968));
    }

    #[test]
    fn open_connections_have_a_port_each() {
        let unlimited = Allowed { open_files: None, ..LINUX };
        let open = |open, sources| check(&Needs { open, sources, closing: Closing::Reset, ..QUIET }, &unlimited);
        assert_eq!((open(28_232, 1), open(56_464, 2)), (Ok(None), Ok(None)));
        assert_eq!(
            open(30_000, 1).unwrap_err().to_string(),
            "30,000 connections at a time need as many local ports, and 1 source address has 28,232: say --open-max \
             28232, or more addresses with --source"
        );
    }

    #[test]
    fn closed_connections_keep_their_ports() {
        // (per second, sources, loopback, closing) and whether it is refused, warned of, or neither.
        let table = [
            (469.0, 1, false, Closing::Fin, Ok(false)),
            (470.0, 1, false, Closing::Fin, Err((22, 2))),
            (470.0, 2, false, Closing::Fin, Ok(false)),
            (10_000.0, 1, false, Closing::Fin, Err((22, 22))),
            (10_000.0, 22, false, Closing::Fin, Ok(false)),
            (10_000.0, 1, false, Closing::Reset, Ok(false)),
            (10_000.0, 1, true, Closing::Fin, Ok(false)),
            (14_085.0, 1, true, Closing::Fin, Ok(true)),
            (28_168.0, 1, true, Closing::Fin, Ok(true)),
            (28_169.0, 1, true, Closing::Fin, Err((2, 2))),
            (28_169.0, 64, true, Closing::Fin, Ok(false)),
        ];
        for (per_s, sources, loopback, closing, due) in table {
            let came = check(&Needs { sources, loopback, closing, ..many(per_s) }, &LINUX);
            match (&came, due) {
                (Ok(warning), Ok(warned)) => assert_eq!(warning.is_some(), warned, "{per_s} {sources} {loopback}"),
                (Err(Short::PortsKept { sources_due, .. }), Err((most, least))) => {
                    assert!((least..=most).contains(sources_due), "{per_s}: {sources_due}");
                    let enough = Needs { sources: *sources_due, loopback, closing, ..many(per_s) };
                    assert!(check(&enough, &LINUX).is_ok(), "{per_s}: it would be enough");
                }
                _ => panic!("{per_s} {sources} {loopback}: {came:?}"),
            }
        }
        assert_eq!(
            check(&many(10_000.0), &LINUX).unwrap_err().to_string(),
            "10,000 new connections a second need 600,064 local ports (64 open, the others kept for 60 s after they were \
             closed), and 1 source address has 28,232: at most 469 a second; say --source with 22 addresses of this \
             machine, --reuse kept or --reuse 22, or --close reset, which keeps no port and is not what clients do"
        );
    }

    #[test]
    fn a_run_with_a_port_for_each_of_its_connections_may_be_as_fast_as_it_likes() {
        let few = Needs { connections: Some(28_232), ..many(1e6) };
        assert_eq!(check(&few, &LINUX), Ok(None));
        assert!(check(&Needs { connections: Some(28_233), ..few }, &LINUX).is_err());
    }

    #[test]
    fn where_the_host_decides_the_rate_the_wall_is_told_of() {
        let open_ended = Needs { connections: None, connections_per_s: None, ..QUIET };
        let away = check(&open_ended, &LINUX).unwrap().unwrap();
        assert!(away.starts_with("beyond 469 new connections a second for longer than 60 s the 28,232"), "{away}");
        let here = check(&Needs { loopback: true, ..open_ended }, &LINUX).unwrap().unwrap();
        assert!(here.starts_with("beyond 14,084 new connections a second it costs"), "{here}");
        assert_eq!(check(&Needs { closing: Closing::Reset, ..open_ended }, &LINUX), Ok(None));
        assert_eq!(check(&Needs { connections_per_s: Some(0.0), ..open_ended }, &LINUX), Ok(None));
    }

    #[test]
    fn a_host_that_is_asked_gently_leaves_ports_enough() {
        let load = AdHoc {
            lasts: Some(Duration::from_secs(3_600)),
            ..AdHoc::new(product(), 50, Arrive::Turns { concurrency: 64 })
        };
        let plan = load.scenario().plan(1, Ids::Pool);
        let paced = There { pace: Some(Duration::from_millis(20)), ..There::default() };
        assert_eq!(check_plan(&plan, &Drive::default(), paced, &LINUX), Ok(Vec::new()));
        assert_eq!(check_plan(&plan, &Drive::default(), There::default(), &LINUX).unwrap().len(), 1);
    }

    fn product() -> &'static Product {
        catalog::find("Windows 11 Enterprise").unwrap()
    }

    #[test]
    fn a_range_of_ports_is_read_as_the_system_writes_it() {
        assert_eq!(ports_in("32768\t60999\n"), Some(28_232));
        assert_eq!(ports_in("1024 65535"), Some(64_512));
        for text in ["", "32768", "60999 32768", "a b", "1 70000"] {
            assert_eq!(ports_in(text), None, "{text}");
        }
    }

    #[test]
    fn this_machine_says_something_sensible() {
        let allowed = Allowed::by_this_machine();
        assert!(allowed.ports > 0 && allowed.port_kept >= allowed.port_kept_on_loopback, "{allowed:?}");
        assert_eq!(Allowed::by_this_machine(), allowed, "raised once, it stays");
    }

    #[test]
    fn a_step_needs_what_its_words_come_to() {
        let needs = |arrive: &str, more: &str, drive: &Drive| {
            let source = format!(
                "name = \"load\"\nquestion = \"How?\"\n[clients.pc]\ncount = 10\nproduct = \"Windows 11 Enterprise\"\n\
                 [[step]]\ntitle = \"load\"\nclients = [\"pc\"]\narrive = {{ {arrive} }}\n{more}\n"
            );
            let scenario = crate::scenario::load(&source, "load.toml", &crate::scenario::ShippedTables);
            let plan = scenario.unwrap_or_else(|problems| panic!("{problems}")).plan(1, crate::scenario::Ids::Seeded);
            let Needs { open, connections, connections_per_s, .. } = Needs::of(&plan.steps[0], drive, There::default());
            (open, connections, connections_per_s)
        };
        let drive = Drive { open_max: 100, ..Drive::default() };
        let timed = "repeat = { for = \"10s\" }";
        assert_eq!(needs("rate = \"500/s\"", timed, &drive), (100, Some(5_000), Some(500.0)));
        assert_eq!(needs("rate = \"500/s\"", "", &drive), (10, Some(10), Some(500.0)));
        let tenth = format!("{timed}\nconnection = {{ calls = 10 }}");
        assert_eq!(needs("rate = \"500/s\"", &tenth, &drive), (100, Some(500), Some(50.0)));
        let kept = format!("{timed}\nconnection = \"kept\"");
        assert_eq!(needs("rate = \"500/s\"", &kept, &drive), (100, Some(100), Some(0.0)));
        assert_eq!(needs("concurrency = 8", timed, &drive), (8, None, None));
        assert_eq!(needs("concurrency = 8, think = \"20ms\"", timed, &drive), (8, None, Some(400.0)));
        assert_eq!(needs("concurrency = 8", "repeat = 100", &drive), (8, Some(1_000), None));
        // Ten leases are renewed once in seven days.
        let week = |speed: &str| format!("lifecycle = \"7d\"{speed}");
        assert_eq!(needs(&week(""), "", &drive), (10, None, Some(10.0 / 604_800.0)));
        assert_eq!(needs(&week(", speed = 604800"), "", &drive), (10, None, Some(10.0)));
        assert_eq!(needs(&week(", speed = 604800"), "connection = { calls = 10 }", &drive), (10, None, Some(1.0)));
        assert_eq!(needs(&week(", speed = 604800"), "connection = \"kept\"", &drive), (10, None, Some(0.0)));
        assert_eq!(needs(&week(""), "", &Drive { open_max: 4, ..Drive::default() }).0, 4);
        let ramp = "stages = [{ from = \"0/s\", to = \"100/s\", for = \"1m\" }, { to = \"900/s\", for = \"10s\" }]";
        assert_eq!(needs(ramp, timed, &drive).2, Some(100.0), "later stages are not reached");
    }
}
