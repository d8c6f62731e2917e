//! The load engine asks for no memory for an exchange, once it is warm.
#![cfg(target_os = "linux")]

use std::sync::Arc;
use std::time::Duration;

use kmsproof::engine::{Clock, Engine};
use kmsproof::yardstick::{Canned, FixedHost, Harness, Load, Raw, RawClient};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

const CLIENTS: u32 = 256;

fn allocations(host: &FixedHost, harness: &Harness, kept: bool, rounds: u32) -> (u64, u64) {
    let load = Load {
        arrive: "{ concurrency = 16 }".to_owned(),
        kept,
        clients: CLIENTS,
        lasts: Duration::from_secs(600),
        rounds: Some(rounds),
        workers: 1,
        pin: Vec::new(),
        plain: false,
        engine: Engine::Epoll,
    };
    let before = dhat::HeapStats::get().total_blocks;
    let bout = harness.run(host.address(), &load).unwrap();
    assert_eq!((bout.result.wrong, bout.result.unanswered), (0, 0), "{:?}", bout.result.failures);
    (dhat::HeapStats::get().total_blocks - before, bout.result.totals.requests)
}

/// All threads are counted: worker, judge and host. What a run takes once, and each interval, is the same
/// in both runs or nearly; what an exchange took would be there so many times more.
#[test]
fn more_exchanges_take_no_more_memory() {
    let _profiler = dhat::Profiler::builder().testing().build();
    let now = Clock::start().wall();
    let harness = Harness::new(u64::from(CLIENTS), now);
    let any = Load {
        arrive: "{ concurrency = 1 }".to_owned(),
        kept: true,
        clients: CLIENTS,
        lasts: Duration::ZERO,
        rounds: None,
        workers: 1,
        pin: Vec::new(),
        plain: false,
        engine: Engine::Epoll,
    };
    let canned = Arc::new(Canned::new(&harness.plan(&any), u64::from(CLIENTS), now));
    let host = FixedHost::start(Arc::clone(&canned), None, false).unwrap();
    let for_connection = of_the_host(&RawClient::new(host.address(), canned.request()));
    for kept in [true, false] {
        // What is told one by one until the counts are settled depends on how busy the machine is; an allocation for
        // each exchange would be there every time.
        let mut surpluses = Vec::new();
        let is_none = (0..TRIES).any(|_| {
            let (few, first) = allocations(&host, &harness, kept, 20);
            let (many, second) = allocations(&host, &harness, kept, 100);
            let more = second - first;
            assert!(more > 15_000, "{more}");
            let for_connections = if kept { 0.0 } else { for_connection * more as f64 };
            let surplus = many.saturating_sub(few).saturating_sub(for_connections as u64);
            surpluses.push((surplus, more));
            surplus * 20 < more
        });
        assert!(is_none, "more allocations for so many more exchanges, kept: {kept}: {surpluses:?}");
    }
}

/// How many blocks the host itself asks for to answer on a new connection: what is asked for while a client that
/// asks for none opens one after the other.
fn of_the_host(client: &RawClient) -> f64 {
    let raw = Raw { connections: 16, one_each: true, lasts: Duration::from_millis(500), ..Raw::default() };
    let before = dhat::HeapStats::get().total_blocks;
    let sample = client.run(raw).unwrap();
    assert!(sample.exchanges > 50, "{sample:?}");
    (dhat::HeapStats::get().total_blocks - before) as f64 / sample.exchanges as f64
}

const TRIES: usize = 3;
