//! What an import tells people. None of it names a machine or a client id.

use std::fmt::Write as _;
use std::path::Path;

use jiff::tz::Offset;

use super::Zone;
use crate::population::import::write::clock;
use crate::population::import::{Export, Form, Found};
use crate::text::{counted, grouped, wrapped};

/// What one file holds, and every record that cannot be read.
pub(super) fn export(name: &str, export: &Export, zone: &Zone) -> String {
    let mut text =
        format!("{name}: {}, {} of event 12290", export.form, counted(export.records.len() as u64, "record"));
    if export.others > 0 {
        let _ = write!(text, ", {} skipped", counted(export.others, "other event"));
    }
    text.push('\n');
    match export.form {
        Form::Csv => {
            let _ = write!(text, "  times are local, read as {zone} (--zone says which)");
            if let Some(decided) = export.dates {
                let _ = write!(text, "; {decided}");
            }
            text.push('\n');
        }
        Form::InfoList => {
            text.push_str("  the clients' times alone, so arrivals are to the minute and every clock counts as right\n")
        }
        Form::Xml => {}
    }
    let problems = &export.problems;
    for problem in problems.first() {
        let _ = writeln!(text, "{name}:{}: record skipped: {}", problem.line, problem.wrong);
    }
    let rest = problems.count() - problems.first().len() as u64;
    if rest > 0 {
        let _ = writeln!(text, "{name}: {} more skipped", counted(rest, "record"));
    }
    text
}

/// What all of it comes to.
pub(super) fn found(found: &Found, requests: usize, zone: &Zone) -> String {
    let mut text = format!(
        "{} by {} with {}",
        counted(requests as u64, "request"),
        counted(found.machines as u64, "machine"),
        counted(found.ids as u64, "client id")
    );
    if let Some((first, last)) = found.span {
        let local = |at| zone.zone.to_datetime(at).strftime("%Y-%m-%d %H:%M:%S").to_string();
        let _ = write!(text, ", {} to {} ({zone})", local(first), local(last));
    }
    text.push('\n');

    let times = |count: u64, what: String| format!("{} x {what}", grouped(count));
    let products = found.products.iter().map(|(product, count)| times(*count, product.edition.clone())).collect();
    entry(&mut text, "products", products);
    entry(
        &mut text,
        "statuses",
        found.statuses.iter().map(|(status, count)| times(*count, status.to_string())).collect(),
    );
    let result = |(result, count): (&crate::wire::Hresult, &u64)| times(*count, result.to_string());
    entry(&mut text, "results", found.results.iter().map(result).collect());
    entry(&mut text, "clocks", clocks(found));
    if found.shared_ids > 0 {
        let (ids, machines) = (counted(found.shared_ids as u64, "client id"), counted(found.clones as u64, "machine"));
        entry(
            &mut text,
            "clones",
            vec![format!("{ids} shared by {machines}: images that were cloned without sysprep")],
        );
    }
    if found.repeated > 0 {
        let repeated = counted(found.repeated, "record");
        entry(&mut text, "repeated", vec![format!("{repeated} of one file stood in another too, and counted once")]);
    }
    if found.unknown > 0 {
        let requests = counted(found.unknown, "request");
        let mut skus = vec![format!("{requests} left out, for products the catalogue does not know")];
        let shown = found.unknown_skus.iter().take(UNKNOWN_SHOWN);
        skus.extend(shown.map(|(sku, count)| times(*count, format!("SKU id {sku}"))));
        let more = found.unknown_skus.len().saturating_sub(UNKNOWN_SHOWN);
        if more > 0 {
            skus.push(format!("{} more", grouped(more as u64)));
        }
        entry(&mut text, "unknown", skus);
    }
    for product in &found.first_of_several {
        let (edition, sku) = (&product.edition, product.sku_id);
        let note = format!("the SKU id of {edition} is other products' too (`kmsproof catalog {sku}` lists them)");
        entry(&mut text, "note", vec![note]);
    }
    if found.synthetic > 0 {
        let note = format!(
            "{} from ids that kmsproof minted: part of the log is its own",
            counted(found.synthetic, "request")
        );
        entry(&mut text, "note", vec![note]);
    }
    if let Some(off_min) = found.common_clock_min {
        entry(&mut text, "note", vec![common_clock(found, off_min, zone)]);
    }
    text
}

/// Where it all went.
pub(super) fn written(paths: &[std::path::PathBuf]) -> String {
    let paths: Vec<String> = paths.iter().map(|path| shown(path)).collect();
    format!("wrote {}\n", paths.join(" and "))
}

fn clocks(found: &Found) -> Vec<String> {
    let refused = &found.clocks_refused_min;
    let mut clocks = Vec::new();
    if let (Some(least), Some(most)) = (refused.iter().min(), refused.iter().max()) {
        let span = if least == most { clock(*least) } else { format!("{} to {}", clock(*least), clock(*most)) };
        clocks.push(format!("{} off by more than 4h ({span})", counted(refused.len() as u64, "request")));
    }
    if found.clocks_passed > 0 {
        clocks.push(format!("{} off by less", counted(found.clocks_passed, "request")));
    }
    if clocks.is_empty() {
        clocks.push("all right to the minute".to_owned());
    }
    clocks
}

/// Most clocks off by the same quarter hours: a zone that was not said, or the host's own clock.
fn common_clock(found: &Found, off_min: i64, zone: &Zone) -> String {
    let off = clock(off_min);
    let assumed = found.span.map(|(first, _)| zone.zone.to_offset(first).seconds());
    let fitting = assumed.and_then(|seconds| Offset::from_seconds(seconds - i32::try_from(off_min * 60).ok()?).ok());
    let fitting = fitting.map_or(String::new(), |offset| format!(", where --zone {} would fit,", signed(offset)));
    format!(
        "more than half of the clocks are off by {off}: either the times are not from {zone}{fitting} or the host's own clock was off"
    )
}

fn signed(offset: Offset) -> String {
    let minutes = offset.seconds() / 60;
    let sign = if minutes < 0 { '-' } else { '+' };
    format!("{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60)
}

/// A label and what belongs to it, in lines.
fn entry(text: &mut String, label: &str, parts: Vec<String>) {
    for (index, line) in wrapped(&parts.join(", "), COLUMNS).iter().enumerate() {
        let label = if index == 0 { label } else { "" };
        let _ = writeln!(text, "  {label:<9} {line}");
    }
}

fn shown(path: &Path) -> String {
    crate::text::harmless_lines(&path.display().to_string())
}

/// SKU ids that are listed; a log may hold as many as it likes.
const UNKNOWN_SHOWN: usize = 10;

const COLUMNS: usize = 88;
