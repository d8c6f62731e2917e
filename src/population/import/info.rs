//! The Info string of event 12290: nine fields with commas between them.

use jiff::Timestamp;
use jiff::civil;
use jiff::tz::TimeZone;

use super::Wrong;
use crate::wire::kms::LicenseStatus;
use crate::wire::{Guid, Hresult};

/// What a host writes of a request (Microsoft's event reference, event 12290).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Info {
    /// What the host answered with.
    pub result: Hresult,
    /// The client's N policy.
    pub n_policy: u32,
    /// The name the client gave itself; may be empty.
    pub machine: Box<str>,
    /// The client machine id; all zero when the field is empty.
    pub cmid: Guid,
    /// The client's clock, UTC, without its seconds.
    pub client_time: Timestamp,
    /// Whether the client says it is virtual.
    pub is_vm: bool,
    /// The license status the client says it is in, 0 to 6.
    pub status: LicenseStatus,
    /// The minutes the client says are left in that status.
    pub minutes_left: u32,
    /// The SKU id (activation id) of the product.
    pub sku: Guid,
}

/// The one Info string in a message, wherever it stands and whatever language is around it.
pub(super) fn find(message: &str) -> Result<&str, Wrong> {
    let mut found = message.lines().filter_map(in_line);
    match (found.next(), found.next()) {
        (Some(info), None) => Ok(info),
        (None, _) => Err(Wrong::NoInfo),
        (Some(_), Some(_)) => Err(Wrong::SeveralInfos),
    }
}

/// Whether a line is an Info string from its first character on.
pub(super) fn begins(line: &str) -> bool {
    is_start(line.trim_start().trim_start_matches('"'))
}

/// Reads an Info string.
pub(super) fn parse(info: &str) -> Result<Info, Wrong> {
    let fields: Vec<&str> = info.trim().split(',').take(FIELDS_LOOKED_AT).map(str::trim).collect();
    let &[result, n_policy, machine, cmid, client_time, is_vm, status, minutes_left, sku] = &fields[..] else {
        return Err(Wrong::FieldCount(fields.len()));
    };
    let info = Info {
        result: result.parse().map_err(|_| wrong(1, "HRESULT", "a code like 0xC004F06C"))?,
        n_policy: match n_policy.parse() {
            // What a scenario may ask with: more is refused by hosts as malformed.
            Ok(n_policy @ 1..=1000) => n_policy,
            _ => return Err(wrong(2, "N policy", "a number from 1 to 1000")),
        },
        machine: machine.into(),
        cmid: match cmid {
            "" => Guid::NIL,
            _ => cmid.parse().map_err(|_| wrong(4, "client id", "a GUID"))?,
        },
        client_time: minute(client_time).ok_or(wrong(5, "client time", "year/month/day hour:minute"))?,
        is_vm: match is_vm {
            "0" => false,
            "1" => true,
            _ => return Err(wrong(6, "VM flag", "0 or 1")),
        },
        status: match status.parse() {
            Ok(status @ 0..=6) => LicenseStatus(status),
            _ => return Err(wrong(7, "license status", "0 to 6")),
        },
        minutes_left: minutes_left.parse().map_err(|_| wrong(8, "minutes to expiry", "a number"))?,
        sku: sku.parse().map_err(|_| wrong(9, "SKU id", "a GUID"))?,
    };
    if info.machine.is_empty() && info.cmid == Guid::NIL {
        return Err(Wrong::Nobody);
    }
    Ok(info)
}

fn wrong(number: usize, name: &'static str, expected: &'static str) -> Wrong {
    Wrong::Field { number, name, expected }
}

/// `2010/9/29 21:46`, which is UTC: it comes from the FILETIME in the request.
fn minute(text: &str) -> Option<Timestamp> {
    let (date, time) = text.split_once(' ')?;
    let mut date = date.split('/');
    let (year, month, day) = (date.next()?, date.next()?, date.next()?);
    let (hour, minute) = time.trim().split_once(':')?;
    if date.next().is_some() {
        return None;
    }
    let at = civil::Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?).ok()?;
    let at = at.to_datetime(civil::Time::new(hour.parse().ok()?, minute.parse().ok()?, 0, 0).ok()?);
    TimeZone::UTC.to_timestamp(at).ok()
}

/// The Info string in a line: from its HRESULT to the end. `Info:` may stand before it.
fn in_line(line: &str) -> Option<&str> {
    let starts = line.match_indices("0x").map(|(at, _)| at).take(STARTS_MAX);
    starts.map(|at| (&line[..at], &line[at..])).find_map(|(before, rest)| {
        let begins = !before.ends_with(|character: char| character.is_alphanumeric() || character == ',');
        (begins && is_start(rest)).then_some(rest.trim_end())
    })
}

/// An HRESULT and a comma.
fn is_start(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("0x") else { return false };
    let digits = rest.bytes().take_while(u8::is_ascii_hexdigit).count();
    (1..=8).contains(&digits) && rest[digits..].trim_start_matches(' ').starts_with(',')
}

/// One more than there should be is enough to say so; a line of a million commas is not counted out.
const FIELDS_LOOKED_AT: usize = 100;

/// How often in a line the beginning of an Info string is looked for.
const STARTS_MAX: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = "0xC004F06C,5,client01.example.com,36f27b39-2fd5-440b-be67-a09996d27a38,2010/9/29 21:46,0,2,41520,68531fb9-5511-4989-97be-d11a0f55633f";

    fn with(number: usize, text: &str) -> Result<Info, Wrong> {
        let mut fields: Vec<&str> = SAMPLE.split(',').collect();
        fields[number - 1] = text;
        parse(&fields.join(","))
    }

    #[test]
    fn microsofts_sample_is_read() {
        let info = parse(SAMPLE).unwrap();
        assert_eq!(info.result, Hresult::INVALID_TIMESTAMP);
        assert_eq!((info.n_policy, &*info.machine), (5, "client01.example.com"));
        assert_eq!(info.cmid.to_string(), "36f27b39-2fd5-440b-be67-a09996d27a38");
        assert_eq!(info.client_time.to_string(), "2010-09-29T21:46:00Z");
        assert_eq!((info.is_vm, info.status, info.minutes_left), (false, LicenseStatus::OOB_GRACE, 41520));
        assert_eq!(info.sku.to_string(), "68531fb9-5511-4989-97be-d11a0f55633f");
        assert_eq!(parse(&SAMPLE.replace(',', ", ")), Ok(info));
    }

    #[test]
    fn what_is_wrong_is_said_by_position_and_not_repeated() {
        for (number, text, due) in [
            (1, "0xC004F06C0", "field 1 of the Info string (HRESULT): expected a code like 0xC004F06C"),
            (2, "five", "field 2 of the Info string (N policy): expected a number from 1 to 1000"),
            (4, "secret", "field 4 of the Info string (client id): expected a GUID"),
            (5, "9/29/2010 21:46", "field 5 of the Info string (client time): expected year/month/day hour:minute"),
            (5, "2010/9/31 21:46", "field 5 of the Info string (client time): expected year/month/day hour:minute"),
            (5, "2010/9/29/1 21:46", "field 5 of the Info string (client time): expected year/month/day hour:minute"),
            (6, "2", "field 6 of the Info string (VM flag): expected 0 or 1"),
            (7, "7", "field 7 of the Info string (license status): expected 0 to 6"),
            (8, "-1", "field 8 of the Info string (minutes to expiry): expected a number"),
            (9, "", "field 9 of the Info string (SKU id): expected a GUID"),
        ] {
            assert_eq!(with(number, text).unwrap_err().to_string(), due);
        }
        assert_eq!(with(3, "a,b"), Err(Wrong::FieldCount(10)));
        assert_eq!(parse(""), Err(Wrong::FieldCount(1)));
    }

    #[test]
    fn a_name_or_an_id_is_enough_and_neither_is_not() {
        assert_eq!(with(4, "").unwrap().cmid, Guid::NIL);
        assert_eq!(&*with(3, "").unwrap().machine, "");
        let neither = SAMPLE.replace("client01.example.com,36f27b39-2fd5-440b-be67-a09996d27a38", ",");
        assert_eq!(parse(&neither), Err(Wrong::Nobody));
    }

    #[test]
    fn it_is_found_in_any_language() {
        let message = format!("已處理啟用要求。\r\n\r\n資訊:\r\n{SAMPLE}  \r\n");
        assert_eq!(find(&message), Ok(SAMPLE));
        assert_eq!(find(&format!("Info: {SAMPLE}")), Ok(SAMPLE));
        assert_eq!(find("An activation request has been processed.\nInfo:\n"), Err(Wrong::NoInfo));
        assert_eq!(find(&format!("{SAMPLE}\n{SAMPLE}")), Err(Wrong::SeveralInfos));
        assert!(begins(&format!(" {SAMPLE}")) && !begins(&format!("Level,{SAMPLE}")));
    }
}
