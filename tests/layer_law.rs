//! The layer law, read off the sources: which room may name which, and who may
//! name sockets, clocks and ciphers. Tests and comments are free to say anything.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

/// What each room may use of the others. A room that does not exist is fine; one that stands
/// neither here nor in [`FREE`] is not.
const ROOMS: &[(&str, &[&str])] = &[
    ("text", &[]),
    ("exit", &[]),
    ("capacity", &[]),
    ("wire", &[]),
    ("crypto", &[]),
    ("proto", &["wire", "crypto"]),
    ("catalog", &["wire"]),
    ("explain", &["wire", "text"]),
    ("capture", &["wire", "text"]),
    ("client", &["wire", "crypto", "proto", "catalog"]),
    ("population", &["wire", "proto", "client", "catalog", "text"]),
    ("scenario", &["wire", "proto", "client", "population", "catalog", "explain", "text"]),
    ("oracle", &["wire", "proto", "catalog", "explain", "text"]),
    ("lab", &["wire", "crypto", "proto", "client", "catalog"]),
    ("conform", &["wire", "crypto", "proto", "client", "catalog", "lab", "text"]),
    // Not below the engine, but readers of what comes out of it: no sockets and no clocks either.
    ("events", &["wire", "proto", "oracle"]),
    ("checks", &["proto", "oracle", "scenario", "events"]),
    ("measure", &["wire", "proto", "oracle", "scenario", "events", "text"]),
    (
        "report",
        &[
            "wire",
            "proto",
            "oracle",
            "client",
            "catalog",
            "population",
            "explain",
            "scenario",
            "capture",
            "events",
            "measure",
            "conform",
            "capacity",
            "exit",
            "text",
        ],
    ),
    ("safety", &["client", "catalog", "population", "scenario"]),
];

/// Who may use any room, sockets and clocks.
const FREE: &[&str] = &["engine", "cli", "yardstick", "lib", "main"];

/// Time and bytes come in as arguments: below the engine nobody names these.
const OUTSIDE: &[&[&str]] = &[
    &["tokio"],
    &["std", "net"],
    &["Instant", "now"],
    &["SystemTime", "now"],
    &["Timestamp", "now"],
    &["Zoned", "now"],
];

/// Files of those rooms that may, and why.
const DOORS: &[(&str, &str)] = &[("lab/listener.rs", "the lab's one socket")];

/// Who may name a crate, by the beginning of the file's path, and why.
const CRATES: &[(&str, &[(&str, &str)])] = &[
    ("aes", &[("crypto/", "the envelopes' ciphers")]),
    ("hmac", &[("crypto/", "the V6 proof")]),
    (
        "sha2",
        &[
            ("crypto/", "the envelopes' proofs"),
            ("client/identity", "a client id anyone can recompute from its seed; nothing of the protocol"),
            ("scenario/", "the hash a plan is known by; nothing of the protocol"),
        ],
    ),
];

#[test]
fn the_sources_keep_the_layer_law() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&src, &mut files);
    files.sort();
    let sources: Vec<Source> = files
        .iter()
        .map(|file| {
            let name = file.strip_prefix(&src).unwrap().to_string_lossy().replace('\\', "/");
            Source::read(&name, &std::fs::read_to_string(file).unwrap())
        })
        .collect();
    let only_for_tests: BTreeSet<&String> = sources.iter().flat_map(|source| &source.test_files).collect();
    // A module for tests may be a folder, and all of it is.
    let is_for_tests = |name: &String| {
        only_for_tests.contains(name)
            || only_for_tests.iter().any(|file| name.starts_with(&format!("{}/", file.trim_end_matches(".rs"))))
    };
    let read: Vec<&Source> = sources.iter().filter(|source| !is_for_tests(&source.name)).collect();
    let breaks: Vec<String> = read.iter().flat_map(|source| source.breaks()).map(|found| found.to_string()).collect();
    assert!(breaks.is_empty(), "the layer law is broken:\n{}", breaks.join("\n"));

    // A new room is in nobody's way until somebody says what it may use.
    let unruled = |room: &&String| !FREE.contains(&room.as_str()) && !ROOMS.iter().any(|(ruled, _)| ruled == room);
    let unruled: BTreeSet<&String> = read.iter().map(|source| &source.room).filter(unruled).collect();
    assert!(unruled.is_empty(), "say in ROOMS what these may use: {unruled:?}");

    // Not because nothing was read.
    assert!(read.len() > 40 && only_for_tests.len() >= 2, "{} files, {} for tests", read.len(), only_for_tests.len());
    let rooms: BTreeSet<_> = read.iter().flat_map(|source| source.rooms_named()).collect();
    assert!(rooms.contains("wire") && rooms.contains("crypto"), "{rooms:?}");
}

#[test]
fn a_planted_break_is_found_where_it_stands() {
    for (file, text, due) in [
        ("wire/rpc/pdu.rs", "\nuse crate::crypto::Cipher;", "src/wire/rpc/pdu.rs:2: wire names crypto"),
        ("wire/ndr.rs", "use super::super::proto::Ask;", "src/wire/ndr.rs:1: wire names proto"),
        ("wire/mod.rs", "use super::proto::Ask;", "src/wire/mod.rs:1: wire names proto"),
        ("crypto/mac.rs", "fn f(_: crate::wire::Guid) {}", "src/crypto/mac.rs:1: crypto names wire"),
        ("proto/ask.rs", "use crate::{wire::Guid, client::Identity};", "src/proto/ask.rs:1: proto names client"),
        ("proto/ask.rs", "use crate::{\n    wire::{Guid, kms},\n    lab,\n};", "src/proto/ask.rs:3: proto names lab"),
        ("catalog.rs", "use crate::explain::x;", "src/catalog.rs:1: catalog names explain"),
        ("explain/mod.rs", "use kmsproof::proto::Ask;", "src/explain/mod.rs:1: explain names proto"),
        ("capture/mod.rs", "use std::net::TcpStream;", "src/capture/mod.rs:1: capture names std::net"),
        ("capture/mod.rs", "use std::{io, net::{IpAddr, TcpStream}};", "src/capture/mod.rs:1: capture names std::net"),
        ("scenario/plan.rs", "let x = crate::engine::run();", "src/scenario/plan.rs:1: scenario names engine"),
        ("proto/host.rs", "let now = std::time::Instant::now();", "src/proto/host.rs:1: proto names Instant::now"),
        ("client/lease.rs", "let t = SystemTime::now();", "src/client/lease.rs:1: client names SystemTime::now"),
        ("client/lease.rs", "jiff::Timestamp::now()", "src/client/lease.rs:1: client names Timestamp::now"),
        ("lab/rules.rs", "use tokio;", "src/lab/rules.rs:1: lab names tokio"),
        ("lab/rules.rs", "#[tokio::main] fn f() {}", "src/lab/rules.rs:1: lab names tokio"),
        ("proto/ask.rs", "use sha2::{Digest, Sha256};", "src/proto/ask.rs:1: proto names the crate sha2"),
        ("engine/run.rs", "use aes::hazmat;", "src/engine/run.rs:1: engine names the crate aes"),
        ("client/model.rs", "use sha2::Digest;", "src/client/model.rs:1: client names the crate sha2"),
        ("client/identity.rs", "use hmac::Mac;", "src/client/identity.rs:1: client names the crate hmac"),
        (
            "wire/ndr.rs",
            "#[cfg(test)]\nmod tests { use crate::proto::X; }\nuse crate::lab::Y;",
            "src/wire/ndr.rs:3: wire names lab",
        ),
        ("wire/ndr.rs", "const C: char = '\"'; use crate::lab::Y; // \"", "src/wire/ndr.rs:1: wire names lab"),
    ] {
        let found: Vec<_> = Source::read(file, text).breaks().iter().map(ToString::to_string).collect();
        assert_eq!(found, [due], "{text}");
    }
}

#[test]
fn what_is_allowed_is_not_found() {
    for (file, text) in [
        ("wire/rpc/pdu.rs", "use super::super::error::DecodeError; use crate::wire::Guid; use super::header::Header;"),
        ("proto/ask.rs", "use crate::{crypto::{self, Sealing}, wire::kms}; use super::verify;"),
        ("proto/verify/kms.rs", "let x = crypto::proof::hmac(a, b); let y = crypto::proof::sha256(&random); v6.hmac;"),
        ("lab/listener.rs", "use tokio::net::TcpListener; use std::net::SocketAddr;"),
        ("engine/run.rs", "use tokio::time::Instant; use crate::{lab, report}; Instant::now()"),
        ("client/identity.rs", "use sha2::{Digest, Sha256};"),
        (
            "wire/ndr.rs",
            "// use crate::proto::X;\n/* crate::lab /* nested */ tokio::x */ const S: &str = \"tokio::net \\\" crate::lab::x\";",
        ),
        (
            "wire/ndr.rs",
            "/// [`crate::proto::Ask`]\nfn f<'a>(x: &'a str) -> char { 'x' } const R: &str = r#\"crate::lab\"#;",
        ),
        (
            "wire/ndr.rs",
            "#[cfg(test)]\n#[allow(x)]\nuse crate::{proto::X, lab};\n#[cfg(test)]\nmod tests { mod deep { use crate::lab; } }",
        ),
        ("wire/ndr.rs", "pub(crate) fn f() {} pub(in crate::wire) fn g() {}"),
        ("client/model.rs", "let instant = Moment::now; struct Instant;"),
    ] {
        let found: Vec<_> = Source::read(file, text).breaks().iter().map(ToString::to_string).collect();
        assert_eq!(found, Vec::<String>::new(), "{text}");
    }
    let source = Source::read("capture/mod.rs", "mod hex;\n#[cfg(test)]\nmod by_hand;\n#[cfg(test)] mod tests;");
    assert_eq!(source.test_files, ["capture/by_hand.rs", "capture/tests.rs"]);
}

/// One file: the paths it names outside of tests and comments.
struct Source {
    /// Below `src`.
    name: String,
    room: String,
    /// How many modules below the crate's root it stands.
    depth: usize,
    paths: Vec<Named>,
    /// Files of modules that exist only in tests.
    test_files: Vec<String>,
}

struct Named {
    path: Vec<String>,
    line: usize,
}

struct Break<'a> {
    file: &'a str,
    line: usize,
    what: String,
}

impl fmt::Display for Break<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "src/{}:{}: {}", self.file, self.line, self.what)
    }
}

impl Source {
    fn read(name: &str, text: &str) -> Source {
        let (mut tokens, mut test_files) = (tokens(text), Vec::new());
        let is_root = name.ends_with("/mod.rs");
        let folder = if is_root { name.trim_end_matches("/mod.rs") } else { name.trim_end_matches(".rs") };
        strip_tests(&mut tokens, &mut |module| test_files.push(format!("{folder}/{module}.rs")));
        let mut paths = Vec::new();
        let mut at = 0;
        while at < tokens.len() {
            take_path(&tokens, &mut at, &mut Vec::new(), &mut paths);
        }
        Source {
            name: name.to_owned(),
            room: name.split(['/', '.']).next().unwrap_or_default().to_owned(),
            depth: folder.split('/').count(),
            paths,
            test_files,
        }
    }

    /// The room a path leads into, if it goes through the crate's root.
    fn room_of<'a>(&self, path: &'a [String]) -> Option<&'a str> {
        let supers = path.iter().take_while(|part| *part == "super").count();
        let rest = match path.first()?.as_str() {
            "crate" | "kmsproof" => &path[1..],
            "super" if supers >= self.depth => &path[supers..],
            _ => return None,
        };
        rest.first().map(String::as_str)
    }

    fn rooms_named(&self) -> impl Iterator<Item = &str> {
        self.paths.iter().filter_map(|named| self.room_of(&named.path)).filter(|room| *room != self.room)
    }

    fn breaks(&self) -> Vec<Break<'_>> {
        let law = ROOMS.iter().find(|(room, _)| *room == self.room);
        let is_door = DOORS.iter().any(|(file, _)| *file == self.name);
        let mut found: Vec<Break<'_>> = Vec::new();
        for Named { path, line } in &self.paths {
            let mut breaks = |what: String| {
                let what = format!("{} names {what}", self.room);
                if !found.iter().any(|earlier| earlier.line == *line && earlier.what == what) {
                    found.push(Break { file: &self.name, line: *line, what });
                }
            };
            if let (Some((_, allowed)), Some(room)) = (law, self.room_of(path))
                && room != self.room
                && !allowed.contains(&room)
            {
                breaks(room.to_owned());
            }
            for outside in OUTSIDE.iter().filter(|_| law.is_some() && !is_door) {
                let names = match outside {
                    [one] => path.first().is_some_and(|first| first == one),
                    _ => path.windows(outside.len()).any(|window| window == *outside),
                };
                if names {
                    breaks(outside.join("::"));
                }
            }
            for (krate, users) in CRATES {
                let is_user = users.iter().any(|(prefix, _)| self.name.starts_with(prefix));
                if path[0] == *krate && !is_user {
                    breaks(format!("the crate {krate}"));
                }
            }
        }
        found
    }
}

/// A word, or one character of punctuation, and its line. `::` is one.
type Token = (String, usize);

/// The words and punctuation of Rust source, without comments and what stands in quotes.
fn tokens(text: &str) -> Vec<Token> {
    let chars: Vec<char> = text.chars().collect();
    let mut tokens: Vec<Token> = Vec::new();
    let (mut at, mut line) = (0, 1);
    let peek = |at: usize| chars.get(at).copied().unwrap_or('\0');
    while at < chars.len() {
        let start = at;
        let c = chars[at];
        if c == '/' && peek(at + 1) == '/' {
            while at < chars.len() && chars[at] != '\n' {
                at += 1;
            }
        } else if c == '/' && peek(at + 1) == '*' {
            let mut depth = 0;
            loop {
                match (peek(at), peek(at + 1)) {
                    ('/', '*') => (depth, at) = (depth + 1, at + 2),
                    ('*', '/') => (depth, at) = (depth - 1, at + 2),
                    _ => at += 1,
                }
                if depth == 0 || at >= chars.len() {
                    break;
                }
            }
        } else if c == '"' {
            at = end_of_string(&chars, at);
        } else if c == 'r' && (peek(at + 1) == '"' || peek(at + 1) == '#') && end_of_raw(&chars, at).is_some() {
            at = end_of_raw(&chars, at).unwrap_or(at + 1);
        } else if c == '\'' && (peek(at + 1) == '\\' || peek(at + 2) == '\'') {
            at += if peek(at + 1) == '\\' { 3 } else { 2 };
            while at < chars.len() && chars[at] != '\'' {
                at += 1;
            }
            at += 1;
        } else if c.is_alphanumeric() || c == '_' {
            while peek(at).is_alphanumeric() || peek(at) == '_' {
                at += 1;
            }
            // The prefix of a byte or C string is none of our words.
            let is_prefix = peek(at) == '"' || (peek(at) == '\'' && at - start == 1);
            let word: String = chars[start..at].iter().collect();
            if matches!(&word[..], "br" | "cr") && peek(at) == '"'
                || matches!(&word[..], "br" | "cr") && peek(at) == '#'
            {
                at = end_of_raw(&chars, at - 1).unwrap_or(at);
            } else if !(is_prefix && matches!(&word[..], "b" | "c")) {
                tokens.push((word, line));
            }
        } else if c == ':' && peek(at + 1) == ':' {
            tokens.push(("::".to_owned(), line));
            at += 2;
        } else {
            if !c.is_whitespace() {
                tokens.push((c.to_string(), line));
            }
            at += 1;
        }
        line += chars[start..at.min(chars.len())].iter().filter(|c| **c == '\n').count();
    }
    tokens
}

fn end_of_string(chars: &[char], quote: usize) -> usize {
    let mut at = quote + 1;
    while at < chars.len() && chars[at] != '"' {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    at + 1
}

/// The end of the raw string whose `r` stands at `start`, if one does.
fn end_of_raw(chars: &[char], start: usize) -> Option<usize> {
    let hashes = chars[start + 1..].iter().take_while(|c| **c == '#').count();
    let mut at = start + 1 + hashes;
    if chars.get(at) != Some(&'"') {
        return None;
    }
    at += 1;
    while at < chars.len() {
        if chars[at] == '"' && chars[at + 1..].iter().take_while(|c| **c == '#').count() >= hashes {
            return Some(at + 1 + hashes);
        }
        at += 1;
    }
    Some(at)
}

/// Takes out what is compiled for tests alone, and names the modules whose files are.
fn strip_tests(tokens: &mut Vec<Token>, module_file: &mut dyn FnMut(&str)) {
    const MARK: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut at = 0;
    while at + MARK.len() <= tokens.len() {
        if !tokens[at..at + MARK.len()].iter().map(|(text, _)| text).eq(MARK) {
            at += 1;
            continue;
        }
        let mut end = at + MARK.len();
        while tokens.get(end).is_some_and(|(text, _)| text == "#") {
            end = end_of_group(tokens, end + 1);
        }
        let words = |from: usize| tokens.get(from).map_or("", |(text, _)| text.as_str());
        if words(end) == "mod" && words(end + 2) == ";" {
            module_file(words(end + 1));
        }
        let ends_with_semicolon = matches!(words(end), "use" | "const" | "static" | "type");
        while end < tokens.len() {
            match tokens[end].0.as_str() {
                ";" => {
                    end += 1;
                    break;
                }
                "{" => {
                    end = end_of_group(tokens, end);
                    if !ends_with_semicolon {
                        break;
                    }
                }
                "(" | "[" => end = end_of_group(tokens, end),
                _ => end += 1,
            }
        }
        tokens.drain(at..end);
    }
}

/// Past the bracket that closes the one at `open`.
fn end_of_group(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0;
    for (at, (text, _)) in tokens.iter().enumerate().skip(open) {
        match text.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    tokens.len()
}

/// Takes the path that begins at `at`, or one token that begins none. The branches of
/// `a::{b, c::d}` come out as paths of their own, each with the line its own part stands on.
fn take_path(tokens: &[Token], at: &mut usize, before: &mut Vec<String>, paths: &mut Vec<Named>) {
    let depth = before.len();
    let mut line = tokens[*at].1;
    let is_word =
        |at: usize| tokens.get(at).is_some_and(|(text, _)| text.starts_with(|c: char| c.is_alphanumeric() || c == '_'));
    let is = |at: usize, what: &str| tokens.get(at).is_some_and(|(text, _)| text == what);
    if !is_word(*at) {
        *at += 1;
        return;
    }
    let follows_use = *at > 0 && is(*at - 1, "use");
    while is_word(*at) {
        before.push(tokens[*at].0.clone());
        line = if before.len() == depth + 1 { tokens[*at].1 } else { line };
        *at += 1;
        if !is(*at, "::") {
            break;
        }
        *at += 1;
        if is(*at, "{") {
            let end = end_of_group(tokens, *at);
            *at += 1;
            while *at < end {
                take_path(tokens, at, before, paths);
            }
            before.truncate(depth);
            return;
        }
    }
    // A word alone is a path only where nothing else is meant: in a use.
    if before.len() > 1 || follows_use {
        paths.push(Named { path: before.clone(), line });
    }
    before.truncate(depth);
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}
