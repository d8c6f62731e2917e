use proptest::prelude::*;

use super::*;
use crate::cases;
use crate::wire::kms::LicenseStatus;

const EN_US: &[u8] = include_bytes!("../../../tests/import/export-en-us.csv");
const ZH_TW: &[u8] = include_bytes!("../../../tests/import/export-zh-tw.csv");
const XML: &[u8] = include_bytes!("../../../tests/import/export.xml");
const BROKEN: &[u8] = include_bytes!("../../../tests/import/broken.csv");

const INFO: &str = "0x0,25,pc-7.campus.example,36f27b39-2fd5-440b-be67-a09996d27a38,2026/11/9 8:30,1,2,41520,73111121-5638-40f6-bc11-f1d7b0d64300";

fn utc(text: &str) -> Result<Export, Unreadable> {
    read(text.as_bytes().to_vec(), &TimeZone::UTC)
}

/// An event as Event Viewer's XML has it.
fn event(data: &str) -> String {
    format!(
        "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System>\
         <Provider Name='Microsoft-Windows-Security-SPP'/><EventID Qualifiers='16384'>12290</EventID>\
         <TimeCreated SystemTime='2026-11-09T08:30:05.1234567Z'/><EventRecordID>7</EventRecordID></System>\
         <EventData><Data>{data}</Data></EventData></Event>"
    )
}

fn row(date: &str, message: &str) -> String {
    format!(
        "Information,{date},Microsoft-Windows-Security-SPP,12290,None,\"A sentence.\r\n \r\nInfo:\r\n{message}\"\r\n"
    )
}

const TITLES: &str = "Level,Date and Time,Source,Event ID,Task Category\r\n";

#[test]
fn every_form_says_the_same() {
    let due = Record {
        at: "2026-11-09T08:30:05.1234567Z".parse().unwrap(),
        number: Some(7),
        info: info::parse(INFO).unwrap(),
    };
    let xml = event(INFO);
    for text in [
        xml.clone(),
        format!("<?xml version=\"1.0\" encoding=\"utf-16\"?>\r\n<Events>\r\n{xml}\r\n</Events>\r\n"),
        event(&format!("<![CDATA[{INFO}]]>")),
        event(&INFO.replace("pc-7", "&#112;c&#x2d;7")),
        event(&format!("\r\n  {INFO}\r\n  ")),
        xml.replace("<Event ", "<!-- <Event> --><e:Event xmlns:e='x' ").replace("</Event>", "</e:Event>"),
        xml.replace(&format!("<Data>{INFO}</Data>"), "")
            .replace("</Event>", &format!("<RenderingInfo><Message>Info:\n{INFO}</Message></RenderingInfo></Event>")),
        xml.replace("</Event>", &format!("<RenderingInfo><Message>Info:\n{INFO}</Message></RenderingInfo></Event>")),
    ] {
        let export = utc(&text).unwrap();
        assert_eq!(export.problems.first(), [], "{text}");
        assert_eq!((export.form, export.records), (Form::Xml, vec![due.clone()]), "{text}");
    }

    let csv = format!("{TITLES}{}", row("11/9/2026 8:30:05 AM", &INFO.replace(',', ", ")));
    let whole_second = Record { at: "2026-11-09T08:30:05Z".parse().unwrap(), number: None, ..due.clone() };
    let bytes_of = |text: &str, unit: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(unit).collect::<Vec<u8>>();
    for text in [csv.clone(), csv.replace("\r\n", "\n"), format!("\u{feff}{csv}"), csv.replace("Level", "層級")] {
        for bytes in [text.as_bytes().to_vec(), bytes_of(&text, u16::to_le_bytes), bytes_of(&text, u16::to_be_bytes)] {
            let export = read(bytes, &TimeZone::UTC).unwrap();
            assert_eq!((export.form, export.records), (Form::Csv, vec![whole_second.clone()]), "{text}");
        }
    }

    let list = utc(&format!("\n{INFO}\n\n{INFO}\n")).unwrap();
    let of_client = Record { at: "2026-11-09T08:30:00Z".parse().unwrap(), number: None, ..due };
    assert_eq!((list.form, list.records), (Form::InfoList, vec![of_client.clone(), of_client]));
}

#[test]
fn other_events_are_counted_and_12290_of_others_is_one() {
    let text = format!(
        "{TITLES}{}{}{}",
        row("11/9/2026 8:30:05 AM", INFO),
        "Information,11/9/2026 8:30:05 AM,Microsoft-Windows-Security-SPP,12294,None,published\r\n",
        "Warning,11/9/2026 8:30:05 AM,VSS,12290,None,a shadow\r\n",
    );
    let export = utc(&text).unwrap();
    assert_eq!((export.records.len(), export.others, export.problems.count()), (1, 2, 0));
    let xml = format!(
        "{}{}",
        event(INFO).replace("12290", "1003"),
        event("").replace("Microsoft-Windows-Security-SPP", "VSS")
    );
    let export = utc(&xml).unwrap();
    assert_eq!((export.records.len(), export.others, export.problems.count()), (0, 2, 0));
}

#[test]
fn what_is_no_export_is_refused_with_what_would_be_right() {
    let deep = format!("<Events>{}", "<a>".repeat(100_000));
    for (text, due) in [
        ("", "it is empty"),
        ("\u{feff}\r\n \r\n", "it is empty"),
        ("ElfFile\0whatever", "it is the log itself (.evtx): export it first, with `wevtutil qe FILE.evtx"),
        ("name = \"smoke\"\nquestion = \"?\"\n", "it is no export of an event log: expected Event Viewer's CSV or XML"),
        ("a,b,c,d,e\nf,g,h,i,j\n", "it is no export of an event log"),
        ("<html><body>12290</body></html>", "it is no export of an event log"),
        ("<Events>\n<Event>\n</Evant></Events>", "line 3: it is not well-formed XML from here on"),
        ("<Events>\n<Event>\n", "line 3: it ends inside an element: the export is cut off"),
        (&deep, "line 1: elements are nested more than 64 deep"),
    ] {
        let unreadable = utc(text).unwrap_err().to_string();
        assert!(unreadable.starts_with(due), "{unreadable}");
    }
    let cut = read(XML[..XML.len() - 10].to_vec(), &TimeZone::UTC).unwrap_err();
    assert!(matches!(cut, Unreadable::Xml { .. } | Unreadable::CutOff { .. }), "{cut:?}");
    let big5 = read(b"\xbc\x68\xaf\xc5,a,b,12290\r\n".to_vec(), &TimeZone::UTC).unwrap_err();
    assert_eq!(big5.to_string(), "it is no text (not UTF-8): expected UTF-8 or UTF-16");
}

#[test]
fn an_empty_log_is_an_export_without_records() {
    for text in [TITLES, "\u{feff}層級,日期和時間,來源,事件識別碼,工作類別\r\n", "<Events></Events>", "<Events/>"]
    {
        let export = utc(text).unwrap();
        assert_eq!((export.records.len(), export.others, export.problems.count()), (0, 0, 0), "{text}");
    }
}

#[test]
fn what_is_wrong_with_a_record_is_said_where_it_begins() {
    let export = read(BROKEN.to_vec(), &TimeZone::UTC).unwrap();
    assert_eq!(export.records.len(), 1);
    let lines: Vec<u64> = export.problems.first().iter().map(|problem| problem.line).collect();
    let text = std::str::from_utf8(BROKEN).unwrap();
    let begins = text.lines().enumerate().filter(|(_, line)| line.starts_with("Information,"));
    let begins: Vec<u64> = begins.map(|(index, _)| index as u64 + 1).take(lines.len()).collect();
    assert_eq!((lines, export.problems.count()), (begins, 6));

    let broken = event(INFO).replace("36f27b39", "36f27b3");
    let xml = utc(&format!("<Events>\n{}\n\n{broken}\n</Events>", event(INFO))).unwrap();
    assert_eq!((xml.records.len(), xml.problems.first()[0].line), (1, 4));
    let no_time = utc(&event(INFO).replace("SystemTime", "Time")).unwrap();
    assert_eq!(no_time.problems.first(), [Problem { line: 1, wrong: Wrong::TimeCreated }]);
    let twice = format!("{TITLES}{}", row("11/9/2026 8:30:05 AM", &format!("{INFO}\r\n{INFO}")));
    assert_eq!(utc(&twice).unwrap().problems.first(), [Problem { line: 2, wrong: Wrong::SeveralInfos }]);
    let other_order = format!("{TITLES}{}{}", row("11/13/2026 8:30", INFO), row("11/14/2026 8:30", INFO));
    let export = utc(&format!("{other_order}{}", row("13/11/2026 8:30", INFO))).unwrap();
    assert_eq!(export.problems.first(), [Problem { line: 10, wrong: Wrong::DateOrder(DateOrder::MonthFirst) }]);
}

#[test]
fn problems_are_counted_beyond_those_that_are_kept() {
    let export = utc(&format!("{INFO}\n{}", "nonsense\n".repeat(1000))).unwrap();
    assert_eq!((export.problems.first().len(), export.problems.count()), (PROBLEMS_KEPT, 1000));
}

/// A record `second` seconds after midnight of 2026-11-09, of a machine with that name and id.
fn record(second: i64, machine: &str, cmid: u128, sku: &str) -> Record {
    let at: Timestamp = "2026-11-09T00:00:00Z".parse().unwrap();
    let at = at + jiff::SignedDuration::from_secs(second);
    let text = format!("0x0,25,{machine},,2026/11/9 0:0,0,1,1,{sku}");
    let mut info = info::parse(&text).unwrap_or_else(|_| info::parse(INFO).unwrap());
    (info.machine, info.cmid, info.client_time) = (machine.into(), crate::wire::Guid::from_u128(cmid), at);
    info.sku = sku.parse().unwrap();
    Record { at, number: None, info }
}

fn gathered(files: &[&[Record]]) -> Imported {
    let export = |records: &&[Record]| Export { records: records.to_vec(), ..Export::new(Form::Csv) };
    gather(files.iter().map(export).collect())
}

fn machines_and_ids(imported: &Imported) -> Vec<(u32, u32)> {
    imported.rows.iter().map(|row| (row.machine, row.id)).collect()
}

const ENTERPRISE: &str = "73111121-5638-40f6-bc11-f1d7b0d64300";
const OFFICE: &str = "85dd8b5f-eaa4-4af3-a628-cce9e77c9a03";

#[test]
fn machines_are_told_apart_by_id_and_clones_by_name() {
    let of = |second, machine, cmid| record(second, machine, cmid, ENTERPRISE);
    let imported = gathered(&[&[
        of(0, "a.campus.example", 1),
        of(1, "B", 2),
        of(2, "A.home.example", 1),
        of(3, "clone", 1),
        of(4, "", 2),
        of(5, "nameless-id", 0),
        of(6, "another", 0),
        of(7, "NAMELESS-ID", 0),
        of(8, "b", 3),
    ]]);
    let due = [(1, 1), (2, 2), (1, 1), (3, 1), (2, 2), (4, 3), (5, 4), (4, 3), (6, 5)];
    assert_eq!(machines_and_ids(&imported), due);
    let found = &imported.found;
    assert_eq!((found.machines, found.ids, found.shared_ids, found.clones), (6, 5, 1, 2));
}

#[test]
fn rows_are_in_the_order_of_arrival_whichever_way_the_file_goes() {
    let [a, b, c] = [(5, "a", 1), (5, "b", 2), (9, "c", 3)].map(|(at, name, id)| record(at, name, id, ENTERPRISE));
    let forward = gathered(&[&[a.clone(), b.clone(), c.clone()]]);
    assert_eq!(machines_and_ids(&forward), [(1, 1), (2, 2), (3, 3)]);
    assert_eq!(forward.rows[2].at, std::time::Duration::from_secs(4));
    assert_eq!(gathered(&[&[c, b, a]]).rows, forward.rows);
}

#[test]
fn what_stands_in_two_files_counts_once_and_what_stands_twice_in_one_counts_twice() {
    let [a, b, c] = [0, 1, 2].map(|at| record(at, "a", 1, ENTERPRISE));
    let imported = gathered(&[&[a.clone(), a.clone(), b.clone()], &[a, b, c]]);
    assert_eq!((imported.rows.len(), imported.found.repeated), (4, 2));
}

#[test]
fn unknown_products_are_left_out_and_their_ids_not_taken_for_more_than_they_are() {
    const UNKNOWN: &str = "0badcafe-5eed-4a11-8bad-0ddba11ca5e5";
    let misplaced = crate::wire::Guid::from_u128(77).to_string();
    let imported = gathered(&[&[
        record(0, "a", 1, UNKNOWN),
        record(5, "b", 2, OFFICE),
        record(6, "b", 2, ENTERPRISE),
        record(7, "c", 77, ENTERPRISE),
        record(8, "d", 4, &misplaced),
    ]]);
    assert_eq!(machines_and_ids(&imported), [(1, 1), (1, 1), (2, 2)]);
    assert_eq!(imported.rows[0].at, std::time::Duration::ZERO);
    assert_eq!(imported.found.unknown, 2);
    assert_eq!(imported.found.unknown_skus, [(UNKNOWN.parse().unwrap(), 1)], "not the client id");
    let by_application: Vec<_> = imported.found.ids_by_application.values().copied().collect();
    assert_eq!(by_application, [2, 1]);
}

#[test]
fn clocks_are_told_to_the_minute_and_the_host_settles_four_hours() {
    let mut record = record(59, "a", 1, ENTERPRISE);
    let mut off = |seconds: i64, result| {
        record.info.client_time = record.at + jiff::SignedDuration::from_secs(seconds - 59);
        record.info.result = result;
        record.clock_min()
    };
    let ok = Hresult::OK;
    assert_eq!([0, 60, -60, 119].map(|seconds| off(seconds, ok)), [0; 4]);
    assert_eq!([120, -120, -57_600].map(|seconds| off(seconds, ok)), [2, -2, -960]);
    let four_hours = [14_400, -14_400];
    assert_eq!(four_hours.map(|seconds| off(seconds, ok)), [240, -240]);
    assert_eq!(four_hours.map(|seconds| off(seconds, Hresult::INVALID_TIMESTAMP)), [241, -241]);
}

#[test]
fn requests_that_kmsproof_made_are_known_again() {
    let ours = crate::client::identity::ClientId::pool(crate::client::identity::Index::new(3).unwrap());
    let records = [record(0, "a", ours.guid().as_u128(), ENTERPRISE), record(1, "b", 2, ENTERPRISE)];
    assert_eq!(gathered(&[&records]).found.synthetic, 1);
}

#[test]
fn a_zone_that_was_not_said_shows_in_the_clocks() {
    let found = |zone: TimeZone| gather(vec![read(ZH_TW.to_vec(), &zone).unwrap()]).found;
    assert_eq!(found(TimeZone::UTC).common_clock_min, Some(-480));
    assert_eq!(found(TimeZone::get("Asia/Taipei").unwrap()).common_clock_min, None);
}

#[test]
fn the_samples_are_what_they_were_made_to_be() {
    for (bytes, zone, form, others) in
        [(EN_US, "America/Los_Angeles", Form::Csv, 3), (ZH_TW, "Asia/Taipei", Form::Csv, 2), (XML, "UTC", Form::Xml, 2)]
    {
        let export = read(bytes.to_vec(), &TimeZone::get(zone).unwrap()).unwrap();
        assert_eq!((export.form, export.records.len(), export.others), (form, 60, others));
        assert_eq!(export.problems.count(), 0);
        // A host that refuses a clock, and only then, is one whose log is read rightly.
        for record in &export.records {
            let is_off = record.clock_min().abs() > CLOCK_MAX_MIN;
            if record.info.result != Hresult::KMS_ID_MISMATCH {
                assert_eq!(record.info.result == Hresult::INVALID_TIMESTAMP, is_off, "{record:?}");
            }
        }
        let imported = gather(vec![export]);
        assert_eq!((imported.rows.len(), imported.found.clones, imported.found.unknown), (58, 3, 2));
        assert!(imported.rows.iter().all(|row| row.status <= LicenseStatus::EXTENDED_GRACE));
    }
}

/// Reads, gathers and writes whatever it is, and returns all of the words that come of it.
fn whatever(bytes: Vec<u8>) -> String {
    let export = match read(bytes, &TimeZone::UTC) {
        Ok(export) => export,
        Err(unreadable) => return unreadable.to_string(),
    };
    let mut words: String = export.problems.first().iter().map(|problem| problem.wrong.to_string()).collect();
    let imported = gather(vec![export]);
    let mut csv = Vec::new();
    write::population(&imported.rows, &mut csv).unwrap();
    words.push_str(&String::from_utf8(csv).unwrap());
    let name = "any".parse().unwrap();
    words.push_str(&write::scenario(&imported, &name, std::num::NonZeroU32::MIN, &TimeZone::UTC));
    words
}

/// Something that is nearly one of the samples.
fn nearly_an_export() -> impl Strategy<Value = Vec<u8>> {
    let sample = prop_oneof![Just(EN_US), Just(ZH_TW), Just(XML), Just(BROKEN)];
    let inserted = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..4),
        prop::sample::select(vec!["\"", "\r\n", ",", "<Data>", "</Event>", "&amp;", "&x;", "]]>", "0x0,", "999999999"])
            .prop_map(|text| text.as_bytes().to_vec()),
    ];
    let edits = prop::collection::vec((any::<prop::sample::Index>(), 0..40_usize, inserted), 1..8);
    (sample, edits).prop_map(|(sample, edits)| {
        let mut bytes = sample.to_vec();
        for (at, removed, inserted) in edits {
            let at = at.index(bytes.len());
            let end = (at + removed).min(bytes.len());
            bytes.splice(at..end, inserted);
            if bytes.is_empty() {
                break;
            }
        }
        bytes
    })
}

proptest! {
    #![proptest_config(cases::config(256))]

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        whatever(bytes);
    }

    #[test]
    fn what_is_nearly_an_export_neither_panics_nor_tells_a_name(bytes in nearly_an_export()) {
        let words = whatever(bytes);
        for part in ["campus", "lab-", "room-", "library", "hall-", "srv-files"] {
            prop_assert!(!words.contains(part), "{part} in {words}");
        }
    }

    #[test]
    fn dates_are_never_a_panic(text in "[0-9/:. -]{0,30}(AM|下午)?") {
        let written = local_time::Written::read(&text);
        let at = written.map(|written| written.at(DateOrder::DayFirst, &TimeZone::UTC));
        prop_assert!(at.is_none() || text.len() >= "1/1/2026 1:1".len());
    }
}
