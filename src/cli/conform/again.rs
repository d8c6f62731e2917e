//! The command that repeats a case.

use super::{ConformArgs, parse_product};
use crate::conform::Service;

/// A command that puts this case to the same host in the same way, whatever the shell makes of spaces and quotes.
pub fn command(args: &ConformArgs, case: &str) -> String {
    // Every flag is named, so that a new one is thought of here: those that neither change what is sent nor what it
    // costs are left out.
    let ConformArgs {
        target,
        seed,
        disruptive,
        product,
        interface,
        opnum,
        stub,
        pid,
        profile: _,
        strict: _,
        filters: _,
        level: _,
        layer: _,
        list: _,
        jobs: _,
        out: _,
        verbose: _,
        quiet: _,
        known_failures,
        write_known_failures: _,
    } = args;
    let asked = target.target.to_string();
    let mut words: Vec<String> =
        ["kmsproof", "conform", case, "--target", &asked, "--seed"].map(str::to_owned).to_vec();
    words.push(seed.to_string());
    let mut say = |flag: &str, value: Option<String>| {
        words.push(flag.to_owned());
        words.extend(value);
    };
    match args.profile_name() {
        "windows" => {}
        profile => say("--profile", Some(profile.to_owned())),
    }
    if !target.has_usual_timeout() {
        let timeout = jiff::SignedDuration::try_from(target.timeout).unwrap_or(jiff::SignedDuration::MAX);
        say("--timeout", Some(format!("{timeout:#}")));
    }
    if parse_product(Service::KMS.product).is_ok_and(|usual| usual.edition != product.edition) {
        say("--product", Some(product.edition.clone()));
    }
    if let Some(interface) = interface {
        let (major, minor) = interface.major_minor();
        say("--interface", Some(format!("{}@{major}.{minor}", interface.uuid)));
        say("--opnum", Some(opnum.to_string()));
    }
    if let Some(stub) = stub {
        say("--stub", Some(stub.0.iter().map(|byte| format!("{byte:02x}")).collect()));
    }
    if let Some(list) = known_failures {
        say("--known-failures", Some(list.display().to_string()));
    }
    if let Some(pid) = pid {
        say("--pid", Some(pid.to_string()));
    }
    let flags = [
        (target.authorized, "--authorized"),
        (target.disposable_host, "--disposable-host"),
        (*disruptive, "--disruptive"),
        (true, "--verbose"),
    ];
    flags.iter().filter(|(is_said, _)| *is_said).for_each(|(_, flag)| say(flag, None));
    words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
}

/// A word as a shell reads it back.
fn quoted(word: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./:,=@%+".contains(letter);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        conform: ConformArgs,
    }

    fn again(arguments: &[&str]) -> String {
        let cli = Cli::try_parse_from([&["conform"], arguments].concat()).unwrap_or_else(|error| panic!("{error}"));
        command(&cli.conform, "rpc/bind/one")
    }

    #[test]
    fn what_is_usual_is_not_said() {
        assert_eq!(again(&[]), "kmsproof conform rpc/bind/one --target lab --seed 1 --verbose");
        assert_eq!(again(&["--timeout", "5s", "--profile", "windows", "kms/*"]), again(&[]));
    }

    #[test]
    fn whatever_changes_what_is_sent_is_said_and_says_the_same_when_it_is_read() {
        let asked = [
            "--target=[::1]:1688",
            "--seed=7",
            "--profile=my profile's.toml",
            "--timeout=1m 30s",
            "--interface=afa8bd80-7d8a-11c9-bef4-08002b102989@3.2",
            "--opnum=4",
            "--stub=0400 0a",
            "--authorized",
            "--disposable-host",
            "--disruptive",
            "--pid=17",
            "--known-failures=known here.toml",
        ];
        let said = again(&asked);
        assert_eq!(
            said,
            "kmsproof conform rpc/bind/one --target '[::1]:1688' --seed 7 --profile 'my profile'\\''s.toml' \
             --timeout '1m 30s' --interface afa8bd80-7d8a-11c9-bef4-08002b102989@3.2 --opnum 4 --stub 04000a \
             --known-failures 'known here.toml' --pid 17 --authorized --disposable-host --disruptive --verbose"
        );
        assert_eq!(
            again(&["--strict"]),
            "kmsproof conform rpc/bind/one --target lab --seed 1 --profile strict --verbose"
        );
        let read_back =
            again(&["--interface=afa8bd80-7d8a-11c9-bef4-08002b102989@3.2", "--stub=04000a", "--timeout=750ms"]);
        assert!(read_back.contains("--timeout 750ms"), "{read_back}");
    }
}
