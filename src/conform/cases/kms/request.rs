//! What a KMS host makes of ordinary requests, and of versions that do not exist.

use super::tools::{MALFORMED, cmid, goes_on, put, put_ask, told};
use crate::conform::cases::rpc::tools::SERVED_NEXT;
use crate::conform::{Case, Confidence, Level, Stop, Talk};
use crate::wire::kms::ProtocolVersion;

pub(super) static CASES: &[Case] = &[
    Case::new(
        "kms/request/v6",
        Level::Must,
        "ordinary requests of version 6",
        "A request of version 6.0 is answered in version 6.0 with code 0, whichever machine asks.",
        "protocol description, section 4; seen on every host",
        |t| ordinary(t, ProtocolVersion::V6),
    )
    .of_kms(),
    Case::new(
        "kms/request/v5",
        Level::Must,
        "ordinary requests of version 5",
        "A request of version 5.0 is answered in version 5.0 with code 0, whichever machine asks.",
        "protocol description, section 4; seen on every host",
        |t| ordinary(t, ProtocolVersion::V5),
    )
    .of_kms(),
    Case::new(
        "kms/request/v4",
        Level::Must,
        "ordinary requests of version 4",
        "A request of version 4.0 is answered in version 4.0 with code 0, whichever machine asks.",
        "Microsoft 2008 operations guide; protocol description, section 4",
        |t| ordinary(t, ProtocolVersion::V4),
    )
    .of_kms(),
    Case::new(
        "kms/request/versions-mixed",
        Level::Must,
        "requests of several versions over one connection",
        "Each request is answered in its own version, whatever versions came before it on the connection.",
        "protocol description, section 4; independent implementations agree",
        |t| {
            use ProtocolVersion as V;
            t.bind()?;
            for (number, version) in [V::V6, V::V4, V::V5, V::V6, V::V5, V::V4].into_iter().enumerate() {
                let ask = t.ask(version, |_| {});
                put_ask(t, &format!("request {}, of version {version}", number + 1), &ask, SERVED_NEXT)?;
            }
            Ok(())
        },
    )
    .of_kms(),
    Case::new(
        "kms/request/unknown-version",
        Level::Win,
        "protocol versions that do not exist",
        "A request whose major version is none of 4, 5 and 6 is refused with 0x8007000D.",
        "independent implementations agree on what genuine hosts do",
        |t| {
            for major in [0, 1, 2, 3, 7, 8, 0x104, 0x105, 0x106, 0x400, 0x600, 0x8006, 0xffff] {
                version(t, ProtocolVersion { major, minor: 0 })?;
            }
            goes_on(t);
            Ok(())
        },
    )
    .revision(2)
    .of_kms()
    .confidence(Confidence::Medium),
    Case::new(
        "kms/request/minor-version",
        Level::Win,
        "minor versions that do not exist",
        "A request whose minor version is not 0 is refused with 0x8007000D.",
        "independent implementations agree on what genuine hosts do",
        |t| {
            for (major, minor) in
                [(4, 1), (5, 1), (6, 1), (6, 0xffff), (4, 0x100), (5, 0x100), (6, 0x100), (5, 0x8000), (4, 0xffff)]
            {
                version(t, ProtocolVersion { major, minor })?;
            }
            for version in ProtocolVersion::ALL {
                // The two halves of the version, each in the other's place, before a body in which all is right.
                let mut payload = t.ask(version, |_| {}).payload().to_vec();
                payload[..4].rotate_left(2);
                put(t, &format!("version 0.{}", version.major), &payload, None, MALFORMED)?;
            }
            goes_on(t);
            Ok(())
        },
    )
    .revision(3)
    .of_kms()
    .confidence(Confidence::Medium),
    Case::new(
        "kms/request/replay",
        Level::Win,
        "the same bytes twice",
        "A request that comes again byte for byte, be it over another connection, is granted again, with another random \
         and in version 6.0 another IV, and told what the count is by then.",
        "protocol description, section 4; independent implementations agree",
        |t| {
            let drawn = |t: &Talk<'_>| t.told().map(|answer| (answer.iv, answer.random));
            for (turn, version) in t.in_turn(&ProtocolVersion::ALL).into_iter().enumerate() {
                let ask = t.ask(version, |_| {});
                put_ask(t, &format!("version {version}, for the first time"), &ask, SERVED_NEXT)?;
                let mut before = drawn(t);
                let other = cmid(t, OTHERS + turn as u32);
                let other = t.ask(version, |request| request.cmid = other);
                put_ask(t, &format!("another machine in version {version}"), &other, SERVED_NEXT)?;
                let due = told(t).map(|told| told.count);
                for (time, is_new) in [("second", false), ("third", true), ("fourth", true)] {
                    if is_new {
                        t.bind()?;
                    }
                    put_ask(t, &format!("version {version}, for the {time} time"), &ask, SERVED_NEXT)?;
                    let again = drawn(t);
                    if let (Some(before), Some(again)) = (before, again) {
                        if version != ProtocolVersion::V4 {
                            differs(t, "random", before.1, again.1);
                        }
                        if version == ProtocolVersion::V6 {
                            differs(t, "iv", before.0, again.0);
                        }
                    }
                    if let (Some(due), Some(told), true) = (due, told(t), t.is_alone()) {
                        t.holds("count", told.count >= due, || (format!("{due} or more"), told.count.to_string()));
                    }
                    before = again;
                }
            }
            Ok(())
        },
    )
    .revision(2)
    .of_kms()
    .confidence(Confidence::Medium),
];

fn ordinary(t: &mut Talk<'_>, version: ProtocolVersion) -> Result<(), Stop> {
    t.bind()?;
    for number in 0..3 {
        let id = cmid(t, number);
        let ask = t.ask(version, |request| request.cmid = id);
        put_ask(t, &format!("machine {} in version {version}", number + 1), &ask, SERVED_NEXT)?;
    }
    Ok(())
}

fn version(t: &mut Talk<'_>, version: ProtocolVersion) -> Result<(), Stop> {
    let ask = t.ask(version, |_| {});
    put_ask(t, &format!("version {version}"), &ask, MALFORMED)?;
    Ok(())
}

fn differs<T: PartialEq + std::fmt::Debug>(t: &mut Talk<'_>, field: &'static str, first: T, again: T) {
    t.holds(field, first != again, || (format!("another than {first:02x?}"), format!("{again:02x?}")));
}

/// The first of three others, which add to the count where a host has not seen them.
const OTHERS: u32 = 3;
