//! The load engine asks for no memory for an exchange, once it is warm.
#![cfg(target_os = "linux")]

use std::sync::Arc;
use std::time::Duration;

use kmsproof::engine::{Clock, Engine};
use kmsproof::yardstick::{Canned, FixedHost, Harness, Load};

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
    let host = FixedHost::start(canned, None, false).unwrap();
    for kept in [true, false] {
        let (few, first) = allocations(&host, &harness, kept, 20);
        let (many, second) = allocations(&host, &harness, kept, 100);
        let more = second - first;
        assert!(more > 15_000, "{more}");
        // The host itself takes some for each connection it opens; kept ones are few.
        let for_connections = if kept { 0 } else { HOST_BLOCKS_PER_CONNECTION * more };
        let surplus = many.saturating_sub(few).saturating_sub(for_connections);
        assert!(surplus < more / 20, "{surplus} more allocations for {more} more exchanges, kept: {kept}");
    }
}

/// What the yardstick's host asks for to answer one bind.
const HOST_BLOCKS_PER_CONNECTION: u64 = 40;
