//! Small mistakes and small changes, key by key.

use std::time::Duration;

use super::*;

/// A file that is right and says nearly everything.
pub const RICH: &str = r#"
name = "rich"
question = "Does it all work?"
host = { table = "empty", serves = ["Windows", "Office Professional Plus 2019"] }
time = { virtual = true, begins = "2026-02-23T08:00:00+08:00" }
thresholds = ["p99 < 50ms", "wrong = 0"]

[clients.pc]
count = 30
product = "Windows 11 Enterprise"
vm = "30%"
lease = { age = ["0d", "7d"] }
generation = "vista-to-8"
clock = { wall = "Asia/Taipei", zone = "UTC", drift = "+2s/day", years = 1, skew = "-1m" }
workstation = "LAB-{number:04}"
clones = false
previous-id = true
away = [{ from = "10d", to = "45d", share = "60%" }]

[clients.office]
count = 5
products = [
    "Windows 10 Enterprise",
    { name = "Office Professional Plus 2019", n-policy = 6 },
    { application = "Office", sku = "6b6d7300-0000-4000-8000-00000000057a", counted = "6b6d7300-0000-4000-8000-0000000c0de0", protocol = "5.0" },
]
clock = { set = 2038-01-19T03:14:08 }
status = 5
minutes-left = 0

[clients.frozen]
count = 2
product = { name = "Windows Server 2022 Standard", application = "Windows" }
clock = { filetime = "18446744073709551615" }

[clients.late]
count = 2
product = "Windows Server 2022 Standard"
clock = "-4h 1m"
clones = true

[clients.listed]
population = "populations/campus.csv"

[[step]]
title = "one by one"
host = "fresh"
clients = ["pc[1..24]"]
connection = "kept"
expect = { wire = "0x00000000", verdict = "0xC004F038", count = { from = 1, to = 24 } }

[[step]]
title = "in rounds"
clients = "pc"
order = "shuffled"
protocol = ["7.0", "6.1"]
repeat = { times = 3, pause = "1m" }
arrive = { rate = "50/s", spread = "poisson" }
expect = { share = [{ verdict = "activated", most = "1%" }, { wire = "none", most = "5%" }] }

[[step]]
title = "nothing for a while"
wait = "2d"
host = "down"

[[step]]
title = "in stages"
clients = ["office", "frozen"]
arrive = { stages = [{ rate = "10/s", for = "30s" }, { from = "0/s", to = "100/s", for = "1m" }, { to = "20/s", for = "10s" }], burst = 5 }
expect = "oracle"

[[step]]
title = "nobody is there"
host = "down"
clients = ["frozen"]
arrive = { concurrency = 2 }
oracle = false
expect = { wire = ["none", "0xC004F06C"], shown = "0xC004F074" }

[[step]]
title = "late"
clients = ["late"]
arrive = { one-by-one = true }
expect = { wire = "0xC004F06C", shown = "0xC004F074" }

[[step]]
title = "as recorded"
clients = ["listed"]
arrive = { recorded = true, speed = 60 }

[[step]]
title = "as their leases make them"
clients = ["pc", "listed[1..2]"]
arrive = { lifecycle = "365d" }
"#;

/// What is changed in the good file, what of the change is pointed at, and what is said of it. The
/// rest of the message, its label and its help are held by the snapshots of whole files.
const MISTAKES: &[(&str, &str, &str, &str)] = &[
    ("\"empty\"", "\"emtpy\"", "\"emtpy\"", "`table` cannot be \"emtpy\""),
    ("\"Windows\", ", "\"Widnows\", ", "\"Widnows\"", "no product named \"Widnows\""),
    ("\"Windows\", ", "\"Windows 10/11 Home\", ", "\"Windows 10/11", "no host serves \"Windows 10/11 Home\""),
    ("host = { table = \"empty\", serves", "host = { serve", "serve", "`host` has no key \"serve\""),
    ("virtual = true, begins", "begins", "{ begins", "`time` needs `virtual`"),
    ("virtual = true", "virtual = false", "{ virtual", "the time on the wall begins when it does"),
    ("2026-02-23T08:00:00+08:00", "2026-02-23T08:00:00", "\"2026-02", "`begins` cannot be"),
    ("2026-02-23T08:00:00+08:00", "1600-01-01T00:00:00Z", "\"1600", "`begins` cannot be"),
    ("p99 < 50ms", "p98 < 50ms", "\"p98", "\"p98\" is no measure"),
    ("\"wrong = 0\"", "\"p99 < 50ms\"", "\"p99 < 50ms\"]", "this stands in `thresholds` already"),
    ("[\"p99 < 50ms\", \"wrong = 0\"]", "[]", "[]", "`thresholds` is an empty list"),
    ("vm = \"30%\"", "vm = \"30\"", "\"30\"", "`vm` must be true or false, or a share in quotes"),
    ("vm = \"30%\"", "vm = \"130%\"", "\"130%\"", "`130%` is no share"),
    ("[\"0d\", \"7d\"]", "[\"7d\", \"0d\"]", "[\"7d\"", "these ages go backwards"),
    ("[\"0d\", \"7d\"]", "[\"7d\"]", "[\"7d\"]", "`age` has 1 values"),
    ("[\"0d\", \"7d\"]", "[\"0d\", \"101y\"]", "\"101y\"", "`age` cannot be \"101y\""),
    ("[\"0d\", \"7d\"]", "7", "7 }", "`age` must be text in quotes"),
    ("generation = \"vista-to-8\"", "generation = \"vista\"", "\"vista\"", "`generation` cannot be \"vista\""),
    ("Asia/Taipei", "Asia/Taipeh", "\"Asia", "no time zone is named \"Asia/Taipeh\""),
    ("drift = \"+2s/day\"", "drift = \"2s\"", "\"2s\"", "`2s` is no drift"),
    ("drift = \"+2s/day\"", "drift = \"25h/day\"", "\"25h", "`25h/day` is no drift"),
    ("years = 1", "years = 20000", "20000", "`years` must be -19998 to 19998, and is 20000"),
    ("skew = \"-1m\"", "skew = \"a minute\"", "\"a minute", "`skew` cannot be \"a minute\""),
    ("skew = \"-1m\"", "set = \"2038-01-19\"", "set = ", "`wall` and `set` exclude one another"),
    ("skew = \"-1m\"", "filetime = 1", "filetime", "`filetime` goes with no other key"),
    ("LAB-{number:04}", "LAB", "\"LAB\"", "a name needs the machine's number once"),
    (
        "{number:04}\"",
        "{number}xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"",
        "\"LAB",
        "the name can have",
    ),
    ("clones = false", "clones = 0", "0\n", "`clones` must be true or false"),
    ("from = \"10d\", to", "from = \"50d\", to", "{ from = \"50d", "this span ends before it begins"),
    ("from = \"10d\", to", "form = \"10d\", to", "form", "a span of `away` has no key \"form\""),
    ("share = \"60%\"", "share = \"some\"", "\"some\"", "`some` is no share"),
    ("status = 5", "status = 7", "7", "`status` must be 0 to 6, and is 7"),
    ("status = 5", "lease = { age = \"1d\" }\nstatus = 5", "status", "`lease` and `status` exclude one another"),
    ("2038-01-19T03:14:08", "2038-01-19T03:14:08Z", "2038", "`2038-01-19T03:14:08Z` is no wall time"),
    ("2038-01-19T03:14:08", "\"2038-02-30\"", "\"2038", "`2038-02-30` is no wall time"),
    ("2038-01-19T03:14:08", "2038", "2038", "`set` must be text in quotes"),
    ("n-policy = 6", "n-policy = 1001", "1001", "`n-policy` must be 1 to 1000"),
    ("application = \"Office\", sku", "sku", "{ sku", "a product needs `name`, or `application`, `sku` and `counted`"),
    ("application = \"Office\"", "application = \"Ofice\"", "\"Ofice\"", "no application is named \"Ofice\""),
    ("protocol = \"5.0\"", "protocol = \"7.0\"", "\"7.0\"", "`protocol` cannot be \"7.0\""),
    (
        "00000000057a\"",
        "00000000057\"",
        "\"6b6d7300-0000-4000-8000-00000000057\"",
        "`6b6d7300-0000-4000-8000-00000000057` is not a GUID",
    ),
    (
        "{ name = \"Office Professional Plus 2019\", n-policy = 6 }",
        "\"Windows 11 Enterprise\"",
        "\"Windows 11 Enterprise\",\n    {",
        "this stands in `products` already",
    ),
    (
        "products = [",
        "product = \"Windows 10 Enterprise\"\nproducts = [",
        "products",
        "`product` and `products` exclude",
    ),
    ("18446744073709551615", "18446744073709551616", "\"1844", "`filetime` cannot be"),
    ("clock = \"-4h 1m\"", "clock = -4", "-4", "`clock` must be a duration in quotes or a table"),
    ("clock = \"-4h 1m\"", "clock = {}", "{}", "`clock` does not say what the clock shows"),
    ("clock = \"-4h 1m\"", "clock = \"-101y\"", "\"-101y\"", "`clock` cannot be \"-101y\""),
    ("populations/campus.csv", "../campus.csv", "\"../", "`population` cannot be \"../campus.csv\""),
    ("populations/campus.csv", "/etc/passwd", "\"/etc", "`population` cannot be"),
    ("populations/campus.csv", "C:/campus.csv", "\"C:", "`population` cannot be"),
    ("populations/campus.csv", "a\\\\..\\\\b.csv", "\"a", "`population` cannot be"),
    ("populations/campus.csv", "populations/campsu.csv", "\"pop", "cannot read the table \"populations/campsu.csv\""),
    ("[clients.listed]", "[clients.listed]\ncount = 4", "4", "`count` is 4, and the table has 3 machines"),
    ("[clients.listed]", "[clients.listed]\nclones = true", "population = ", "`clones` and `population` exclude"),
    ("wait = \"2d\"", "wait = \"2 fortnights\"", "\"2 fort", "`wait` cannot be \"2 fortnights\""),
    ("wait = \"2d\"", "wait = \"2d\"\nexpect = \"oracle\"", "expect", "`expect` makes sense only with `clients`"),
    ("wait = \"2d\"\n", "", "[[step]]\ntitle = \"nothing", "a step needs `clients` or `wait`"),
    ("order = \"shuffled\"", "order = \"random\"", "\"random\"", "`order` cannot be \"random\""),
    ("\"7.0\", \"6.1\"", "\"60\"", "\"60\"", "`protocol` cannot be \"60\""),
    ("times = 3", "times = 0", "0,", "`times` must be 1 to 10000000"),
    ("times = 3, ", "", "{ pause", "`repeat` needs `times`"),
    ("pause = \"1m\"", "pause = \"-1m\"", "\"-1m\"", "`pause` cannot be \"-1m\""),
    ("connection = \"kept\"", "connection = \"keep\"", "\"keep\"", "`connection` cannot be \"keep\""),
    ("connection = \"kept\"", "connection = 5", "5\n", "`connection` must be a word or a table"),
    ("connection = \"kept\"", "connection = {}", "{}", "`connection` needs `calls`"),
    ("connection = \"kept\"", "connection = { calls = 0 }", "0 }", "`calls` must be 1 to 10000000, and is 0"),
    (
        "connection = \"kept\"",
        "connection = { calls = 10 }\nsyntax = [\"ndr32\", \"ndr64\"]",
        "[\"ndr32\"",
        "one connection is bound once",
    ),
    ("times = 3, pause = \"1m\"", "for = \"30s\"", "{ for", "in a time of its own no time goes by"),
    ("times = 3, pause = \"1m\"", "for = \"0s\"", "\"0s\"", "`for` cannot be nothing"),
    ("pause = \"1m\"", "for = \"30s\"", "for", "`times` and `for` exclude one another"),
    ("concurrency = 2", "concurrency = 2, think = \"-1s\"", "\"-1s\"", "`think` cannot be \"-1s\""),
    ("one-by-one = true", "one-by-one = true, think = \"1s\"", "think", "`think` makes sense only with `concurrency`"),
    ("rate = \"50/s\"", "rate = \"50\"", "\"50\"", "`rate` cannot be \"50\""),
    ("rate = \"50/s\"", "rate = \"50/d\"", "\"50/d\"", "`rate` cannot be \"50/d\""),
    ("rate = \"50/s\"", "rate = \"0/s\"", "\"0/s\"", "`rate` cannot be nothing"),
    ("rate = \"50/s\"", "rate = \"2000000/s\"", "\"2000000/s\"", "`rate` is out of range"),
    ("rate = \"50/s\"", "concurrency = 8", "spread", "`spread` makes sense only with `rate` or `stages`"),
    ("rate = \"50/s\", spread", "rate = \"50/s\", burst = 2, spread", "spread", "`burst` and `spread` exclude"),
    ("rate = \"50/s\", ", "", "{ spread", "`arrive` needs `one-by-one`, `concurrency`, `rate`"),
    ("one-by-one = true", "one-by-one = false", "{ one", "`arrive` does not say how the clients arrive"),
    (
        "[{ rate = \"10/s\", for = \"30s\" }, { from = \"0/s\", to",
        "[{ to",
        "{ to",
        "the first stage has no stage before it",
    ),
    ("to = \"20/s\", for", "to = \"0/s\", for", "{ to", "the last stage ends at a rate of nothing"),
    ("rate = \"10/s\", for = \"30s\"", "rate = \"10/s\"", "{ rate", "a stage needs `for`"),
    ("rate = \"10/s\", for = \"30s\"", "rate = \"10/s\", for = \"0s\"", "\"0s\"", "`for` cannot be nothing"),
    ("to = \"20/s\", for", "rate = \"1/s\", to = \"20/s\", for", "to", "`rate` and `to` exclude"),
    ("burst = 5", "burst = 0", "0 }", "`burst` must be 1 to 1000000"),
    ("speed = 60", "speed = 0", "0 }", "`speed` must be 1 to 1000000"),
    ("recorded = true, speed", "speed", "{ speed", "`arrive` needs"),
    (
        "[\"listed\"]",
        "[\"listed[1..2]\"]",
        "[\"listed[1..2]\"]\narrive = { rec",
        "only a whole group can arrive as recorded",
    ),
    ("[\"listed\"]", "[\"listed\", \"late\"]", "[\"listed\", \"late\"]", "only one whole group can arrive as recorded"),
    ("[\"listed\"]", "[\"late\"]", "[\"late\"]\narrive = { rec", "no table says when the clients of \"late\" arrive"),
    ("recorded = true", "recorded = false", "{ recorded", "`arrive` does not say how"),
    (
        "as recorded\"",
        "as recorded\"\nrepeat = 2",
        "2\n",
        "`repeat` makes no sense where a table says who arrives when",
    ),
    ("lifecycle = \"365d\"", "lifecycle = \"0d\"", "\"0d\"", "`lifecycle` cannot be nothing"),
    ("lifecycle = \"365d\"", "lifecycle = \"101y\"", "\"101y\"", "`lifecycle` cannot be"),
    ("leases make them\"", "leases make them\"\nrepeat = 2", "2\n", "`repeat` makes no sense where leases say"),
    (
        "leases make them\"",
        "leases make them\"\norder = \"shuffled\"",
        "\"shuffled\"\nclients",
        "`order` makes no sense where leases say",
    ),
    (
        "leases make them\"",
        "leases make them\"\nprotocol = [\"5.0\", \"6.0\"]",
        "[\"5.0\"",
        "who goes by a lease asks once at a time",
    ),
    ("lifecycle = \"365d\"", "lifecycle = \"365d\", speed = 168", "168", "in a time of its own months are over in"),
    ("lifecycle = \"365d\"", "lifecycle = \"365d\", speed = 0", "0 }", "`speed` must be 1 to 1000000"),
    ("one-by-one = true", "one-by-one = true, speed = 2", "speed", "`speed` makes sense only with `recorded` or"),
    ("count = 30", "count = 999000", "{ lifecycle", "renewed every 7 days, these leases ask 52,090,818 times"),
    ("verdict = \"activated\", most", "most", "{ most", "`share` needs `verdict`, `wire` or `shown`"),
    (
        "verdict = \"activated\", most = \"1%\"",
        "verdict = \"activated\"",
        "{ verdict = \"activated\" }",
        "`share` needs `least` or `most`",
    ),
    (
        "most = \"1%\"",
        "least = \"2%\", most = \"1%\"",
        "{ verdict = \"activated\", least",
        "no share is at least 2% and at most 1%",
    ),
    (
        "wire = \"none\", most",
        "verdict = \"activated\", least",
        "{ verdict = \"activated\", least",
        "this stands in `share` already",
    ),
    (
        "wire = \"none\", most",
        "wire = \"nobody\", most",
        "\"nobody\"",
        "`wire` must be a code or \"none\", not \"nobody\"",
    ),
    ("expect = \"oracle\"", "expect = \"oricle\"", "\"oricle\"", "`expect` cannot be \"oricle\""),
    ("expect = \"oracle\"", "expect = 5", "5\n", "`expect` must be \"oracle\" or a table"),
    ("expect = \"oracle\"", "oracle = false", "false", "nothing says what the answers must be"),
    ("wire = [\"none\", \"0xC004F06C\"], shown", "count = 1, shown", "1, shown", "a host that is down counts nobody"),
    (
        "[\"none\", \"0xC004F06C\"]",
        "\"0xC004F06C\"",
        "{ wire = \"0xC004F06C\", shown = \"0xC004F074\" }",
        "nobody answers while the host is down, and `wire`",
    ),
    (
        "clients = [\"pc[1..24]\"]",
        "clients = [\"office[1..4]\"]",
        "{ from = 1",
        "from 1 to 24 are 24 counts, but the step has 12 arrivals",
    ),
    (
        "wire = \"0xC004F06C\", shown = \"0xC004F074\" }\n\n[[step]]\ntitle = \"as",
        "count = { from = 1, to = 2 } }\n\n[[step]]\ntitle = \"as",
        "{ from = 1, to = 2 }",
        "the count cannot rise with each of the 2 arrivals",
    ),
    (
        "wire = \"0xC004F06C\", shown = \"0xC004F074\" }\n\n[[step]]\ntitle = \"as",
        "wire = \"0xC004F06C\", shown = \"activated\" }\n\n[[step]]\ntitle = \"as",
        "{ wire = \"0xC004F06C\", shown = \"activated\"",
        "`wire` and `shown` exclude one another",
    ),
];

#[test]
fn a_small_mistake_in_any_key_is_found_where_it_is() {
    good(RICH);
    for (from, to, at, message) in MISTAKES {
        assert!(RICH.contains(from), "{from}");
        let source = RICH.replacen(from, to, 1);
        let problems = load(&source, "test.toml").err().unwrap_or_else(|| panic!("{to} is let through"));
        let changed = RICH.find(from).unwrap();
        // What is pointed at stands in the change, just before it, or somewhere else entirely.
        let near = source[changed.saturating_sub(20)..].find(at).map(|found| changed.saturating_sub(20) + found);
        let due = near.or_else(|| source.find(at)).unwrap_or_else(|| panic!("{at} is nowhere"));
        let line = source[..due].matches('\n').count() + 1;
        let column = due - source[..due].rfind('\n').unwrap_or(0);
        let first = problems.iter().find(|problem| problem.message().starts_with(message));
        let first = first.unwrap_or_else(|| panic!("{to}: {message} is not among\n{problems}"));
        assert_eq!((first.line(), first.column()), (line, column), "{to}:\n{problems}");
        assert!(problems.count() <= 2, "one mistake, {problems}");
    }
}

/// What is changed, each on its own, and changes what is sent or expected.
const CHANGES: &[(&str, &str)] = &[
    ("\"empty\"", "\"any\""),
    ("\"Windows\", ", ""),
    ("virtual = true, begins = \"2026-02-23T08:00:00+08:00\"", "virtual = true"),
    ("p99 < 50ms", "p99 < 51ms"),
    ("vm = \"30%\"", "vm = \"31%\""),
    ("\"7d\"", "\"8d\""),
    ("generation = \"vista-to-8\"", "generation = \"current\""),
    ("generation = \"vista-to-8\"\n", ""),
    ("Asia/Taipei", "Asia/Tokyo"),
    ("zone = \"UTC\"", "zone = \"Europe/London\""),
    ("+2s/day", "-2s/day"),
    ("years = 1", "years = 2"),
    ("skew = \"-1m\"", "skew = \"-2m\""),
    ("{number:04}", "{number:05}"),
    ("clones = true", "clones = false"),
    ("previous-id = true", "previous-id = false"),
    ("from = \"10d\"", "from = \"11d\""),
    ("to = \"45d\"", "to = \"46d\""),
    ("share = \"60%\"", "share = \"61%\""),
    ("\"Windows 10 Enterprise\",\n", ""),
    ("n-policy = 6", "n-policy = 7"),
    ("application = \"Office\", sku", "application = \"Office 2010\", sku"),
    ("00000000057a", "00000000057b"),
    ("0000000c0de0", "0000000c0de1"),
    ("protocol = \"5.0\"", "protocol = \"4.0\""),
    ("2038-01-19T03:14:08", "2038-01-19T03:14:09"),
    ("status = 5", "status = 2"),
    ("minutes-left = 0", "minutes-left = 1"),
    ("18446744073709551615", "18446744073709551614"),
    ("-4h 1m", "+4h 1m"),
    ("wait = \"2d\"", "wait = \"3d\""),
    ("order = \"shuffled\"", "order = \"listed\""),
    ("\"7.0\", \"6.1\"", "\"7.0\", \"6.2\""),
    ("times = 3", "times = 4"),
    ("pause = \"1m\"", "pause = \"2m\""),
    ("rate = \"50/s\"", "rate = \"51/s\""),
    ("spread = \"poisson\"", "spread = \"even\""),
    ("rate = \"10/s\"", "rate = \"11/s\""),
    ("for = \"30s\"", "for = \"31s\""),
    ("from = \"0/s\", ", ""),
    ("to = \"20/s\"", "to = \"21/s\""),
    ("burst = 5", "burst = 6"),
    ("oracle = false", "oracle = true"),
    ("[\"none\", \"0xC004F06C\"]", "\"none\""),
    ("verdict = \"activated\", most", "shown = \"activated\", most"),
    ("most = \"1%\"", "most = \"2%\""),
    ("most = \"1%\"", "least = \"0.1%\", most = \"1%\""),
    ("speed = 60", "speed = 61"),
    ("lifecycle = \"365d\"", "lifecycle = \"366d\""),
    ("\"listed[1..2]\"", "\"listed[1..3]\""),
    ("concurrency = 2", "one-by-one = true"),
    ("concurrency = 2", "concurrency = 2, think = \"1s\""),
    ("concurrency = 2", "concurrency = 2, think = \"2s\""),
    ("connection = \"kept\"", "connection = \"each\""),
    ("connection = \"kept\"", "connection = { calls = 10 }"),
    ("connection = \"kept\"", "connection = { calls = 11 }"),
];

#[test]
fn the_hash_is_over_every_key_that_matters() {
    let hash = |source: &str| good(source).plan(1, Ids::Seeded).hash;
    let original = hash(RICH);
    let mut hashes = HashSet::from([original.clone()]);
    for (from, to) in CHANGES {
        assert!(RICH.contains(from), "{from}");
        assert!(hashes.insert(hash(&RICH.replacen(from, to, 1))), "{to}");
    }
    for (from, to) in [
        ("host = {", "# who it is\nhost = {"),
        ("2026-02-23T08:00:00+08:00", "2026-02-23T00:00:00Z"),
        ("\"Windows\", \"Office Professional Plus 2019\"", "\"Office Professional Plus 2019\", \"Windows\""),
        ("[\"0d\", \"7d\"]", "[\"0h\", \"1w\"]"),
        // Two names of one product.
        ("\"Windows 10 Enterprise\"", "\"Windows 10/11 Enterprise\""),
        ("status = 5", "status = \"notification\""),
        ("expect = \"oracle\"\n", ""),
        ("rate = \"50/s\"", "rate = \"3000/min\""),
        (", speed = 60", ", speed = 0x3c"),
        ("clones = false\n", ""),
    ] {
        assert!(RICH.contains(from), "{from}");
        assert_eq!(hash(&RICH.replacen(from, to, 1)), original, "{to}");
    }
}

#[test]
fn leases_go_by_the_wall_too_and_as_fast_as_is_said() {
    let plan = |lifecycle: &str| {
        let time = "time = { virtual = true, begins = \"2026-02-23T08:00:00+08:00\" }";
        let by_the_wall = RICH.replacen(time, "", 1).replacen("lifecycle = \"365d\"", lifecycle, 1);
        good(&by_the_wall).plan(1, Ids::Seeded)
    };
    let speeds = ["", ", speed = 1", ", speed = 168", ", speed = 169"]
        .map(|speed| plan(&format!("lifecycle = \"365d\"{speed}")));
    let year = Duration::from_secs(365 * 86_400);
    assert_eq!(speeds.each_ref().map(Plan::leases_last), [year, year, year / 168, year / 169]);
    let [left_out, one, week_an_hour, other] = speeds.each_ref().map(|plan| plan.hash.as_str());
    assert_eq!(left_out, one);
    assert!(one != week_an_hour && week_an_hour != other);
    // However fast they go, their leases are as often renewed.
    assert_eq!(speeds[2].leased_requests(), speeds[0].leased_requests());
    assert_eq!(speeds[2].leased_requests_left(), speeds[0].leased_requests());
    assert_ne!(good(RICH).plan(1, Ids::Seeded).hash, left_out, "the time is another");
}

#[test]
fn what_is_left_out_is_as_it_is_said_to_be() {
    let hash = |source: &str| good(source).plan(1, Ids::Seeded).hash;
    let bare = r#"
name = "bare"
question = "What is left out?"
[clients.pc]
count = 3
product = "Windows 11 Enterprise"
[[step]]
title = "one"
clients = "pc"
"#;
    let said = r#"
name = "bare"
question = "What is left out?"
host = { table = "any" }
time = "wall"
[clients.pc]
count = 3
products = [{ name = "Windows 11 Enterprise", n-policy = 25, protocol = "6.0" }]
vm = false
clock = "0s"
clones = false
previous-id = false
[[step]]
title = "one"
host = "kept"
wait = "0s"
clients = ["pc[1..3]"]
arrive = { concurrency = 1, think = "0s" }
order = "listed"
connection = "each"
syntax = "windows"
repeat = { times = 1 }
oracle = true
expect = "oracle"
"#;
    assert_eq!(hash(bare), hash(said));
    let plan = good(&bare.replace("[clients", "time = \"virtual\"\n[clients")).plan(1, Ids::Seeded);
    let TimeMode::Virtual { begins } = plan.time else { panic!("{:?}", plan.time) };
    assert_eq!(begins.to_string(), "2026-01-05T00:00:00Z");
}

#[test]
fn a_plan_of_every_kind_of_arrival() {
    let plan = good(RICH).plan(1, Ids::Seeded);
    let arrivals: Vec<usize> = plan.steps.iter().map(Step::arrivals).collect();
    assert_eq!(arrivals, [24, 30 * 2 * 3, 0, 5 * 3 + 2, 2, 2, 4, 0]);
    assert!(plan.has_lifecycle() && plan.needs_embedded_host().is_some());
    let Arrive::Open(stages) = &plan.steps[3].arrive else { panic!("{:?}", plan.steps[3].arrive) };
    let rates: Vec<_> =
        stages.stages.iter().map(|stage| (stage.from_per_s, stage.to_per_s, stage.lasts.as_secs())).collect();
    assert_eq!(rates, [(10.0, 10.0, 30), (0.0, 100.0, 60), (100.0, 20.0, 10)]);
    assert_eq!(stages.spread, Spread::Bursts { size: 5 });
    let ids = |step: usize| plan.steps[step].expect.iter().map(|one| one.id("rich", step + 1)).collect::<Vec<_>>();
    assert_eq!(ids(1), ["rich/2/share/verdict/activated", "rich/2/share/wire/none"]);
    let versions: Vec<_> = plan.steps[1].versions.iter().map(ToString::to_string).collect();
    assert_eq!(versions, ["7.0", "6.1"]);
    assert_eq!(plan.thresholds.iter().map(|threshold| threshold.line).collect::<Vec<_>>(), [6, 6]);
    // Each as its table says, sixty times as fast.
    let times: Vec<u128> = plan.times(6).unwrap().map(|time| time.as_millis()).collect();
    assert_eq!(times, [0, 25, 2000, 2000]);
}
