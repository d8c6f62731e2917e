//! `population = "campus.csv"`: machines one by one, as a table lists them.

use std::collections::HashMap;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use super::csv_table::{CsvRow, CsvTable};
use super::problem::Findings;
use super::products::{Asked, N_POLICY};
use super::value::{self, Fault};
use super::walk::Node;
use super::wording::quoted;
use super::{Around, Tables};
use crate::client::{LeaseRules, Wanted};
use crate::population::{Row, Rows};
use crate::scenario::duration::DURATION_MAX;
use crate::scenario::spec::{CLIENTS_MAX, POPULATION_BYTES_MAX};
use crate::text::{self, grouped};
use crate::wire::kms::{LicenseStatus, ProtocolVersion};

/// What a group says of the machines its table lists, where the table says nothing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told<'g> {
    /// Its products; empty when it names none, or none that could be read.
    pub wanted: &'g [Arc<Wanted>],
    /// Whether it names none.
    pub names_none: bool,
    pub n_policy: Option<u32>,
    pub protocol: Option<ProtocolVersion>,
    pub generation: Option<LeaseRules>,
    pub standing: Option<(LicenseStatus, u32)>,
}

/// A table that was read; where something was found wrong with it, as much of it as is right.
#[derive(Debug)]
pub(super) struct Listed {
    /// How many rows it has.
    pub len: u32,
    /// Whether it says when each machine arrives.
    pub has_times: bool,
    pub rows: Rows,
    /// What the rows want, each once.
    pub wanted: Vec<Arc<Wanted>>,
}

/// Reads the table a group names; `None` when there is none to be read.
pub(super) fn read(node: &Node<'_>, told: Told<'_>, around: &Around<'_>, findings: &mut Findings) -> Option<Listed> {
    let name = node.text(findings)?;
    node.sound(check_path(name), findings)?;
    let text = node.sound(read_text(around.tables, name), findings)?;
    let file = beside(around.file, name);
    let mut table = CsvTable::open(&text, &COLUMNS, "machine");
    // A column of products that has another name is told of once.
    let names_none = told.names_none && (table.has("product") || !table.has_or_means("product"));
    let mut reader = Reader {
        told: Told { names_none, ..told },
        wanted: Vec::new(),
        places: HashMap::new(),
        combined: HashMap::new(),
        ids: HashMap::new(),
        identities: 0,
        last: Duration::ZERO,
    };
    let mut rows = Vec::new();
    let mut len = 0;
    while let Some(row) = table.next_row() {
        if len == CLIENTS_MAX {
            table.refuse_row(&row, format!("the table has more than {} machines", grouped(CLIENTS_MAX as u64)));
            break;
        }
        len += 1;
        rows.extend(reader.row(&row, &mut table));
    }
    let has_times = table.has("at");
    findings.push_table(table.finish(&file));
    let listed = Listed { len: len as u32, has_times, rows: Rows::new(rows), wanted: reader.wanted };
    (len > 0).then_some(listed)
}

/// A scenario reads below its own folder only: it may come from anybody.
fn check_path(name: &str) -> Result<(), Fault> {
    let is_plain = |part: &str| !matches!(part, "" | "." | "..") && !part.contains(['\\', ':', '\0']);
    if name.split('/').all(is_plain) && !name.chars().any(char::is_control) {
        return Ok(());
    }
    let fault = Fault::new(format!("`population` cannot be {}", quoted(name)));
    Err(fault.help("a path below the scenario's folder, with /, as in populations/campus.csv"))
}

fn read_text(tables: &dyn Tables, name: &str) -> Result<String, Fault> {
    let cannot = |error: String| Fault::new(format!("cannot read the table {}", quoted(name))).help(error);
    let bytes = tables.read(name).map_err(cannot)?;
    if bytes.len() > POPULATION_BYTES_MAX {
        return Err(cannot(format!("it has {} bytes; {POPULATION_BYTES_MAX} are read at most", bytes.len())));
    }
    text::decode(&bytes).map_err(|error| cannot(format!("{error}; save it as UTF-8")))
}

/// What to call the table, so that it can be found from where the scenario was found.
fn beside(file: &str, name: &str) -> String {
    match file.rfind(['/', '\\']) {
        Some(end) => format!("{}{name}", &file[..=end]),
        None => name.to_owned(),
    }
}

/// A product cell, an N policy and a version.
type Combination = (String, Option<u32>, Option<ProtocolVersion>);

/// What is remembered from row to row.
struct Reader<'g> {
    told: Told<'g>,
    wanted: Vec<Arc<Wanted>>,
    places: HashMap<Asked, u16>,
    /// What a product cell comes to with an N policy and a version: the same few, a million times.
    combined: HashMap<Combination, Result<Box<[u16]>, Fault>>,
    /// Client machine ids by what the table calls them. Who has none of that has one of their own.
    ids: HashMap<String, u32>,
    identities: u32,
    /// When the row before arrives.
    last: Duration,
}

impl Reader<'_> {
    /// A row, if nothing is wrong with it.
    fn row(&mut self, row: &CsvRow, table: &mut CsvTable<'_>) -> Option<Row> {
        if !row.is_whole {
            return None;
        }
        let label = table.cell(row, "machine", read_label);
        let n_policy = table.cell(row, "n_policy", |text| filled(text, read_n_policy));
        let protocol = table.cell(row, "protocol", |text| filled(text, |text| value::protocol("protocol", text)));
        let wanted = match (n_policy, protocol) {
            (Some(n_policy), Some(protocol)) => {
                table.cell(row, "product", |text| self.products(text, n_policy, protocol))
            }
            _ => None,
        };
        let is_vm = table.cell(row, "vm", |text| filled(text, read_vm));
        let status = table.cell(row, "status", |text| filled(text, |text| value::status("status", text)));
        let minutes_left = table.cell(row, "minutes_left", |text| filled(text, read_minutes));
        let clock = table.cell(row, "clock", |text| filled(text, |text| value::skew("clock", text)));
        let at = table.cell(row, "at", |text| read_time(text, self.last));
        self.last = at.unwrap_or(self.last);
        let identity = self.identity(table.text(row, "id"));
        let wanted = wanted?;
        let standing = self.standing(status?, minutes_left?, &wanted);
        Some(Row { label: label?, identity, wanted, is_vm: is_vm?, standing, clock: clock?, at: at? })
    }

    fn products(
        &mut self,
        text: &str,
        n_policy: Option<u32>,
        protocol: Option<ProtocolVersion>,
    ) -> Result<Box<[u16]>, Fault> {
        let key = (text.to_owned(), n_policy, protocol);
        if let Some(known) = self.combined.get(&key) {
            return known.clone();
        }
        let found = self.combine(text, n_policy, protocol);
        self.combined.insert(key, found.clone());
        found
    }

    fn combine(
        &mut self,
        text: &str,
        n_policy: Option<u32>,
        protocol: Option<ProtocolVersion>,
    ) -> Result<Box<[u16]>, Fault> {
        let told = self.told;
        let products: Vec<Wanted> = match text {
            "" if told.names_none => {
                let fault = Fault::new("neither this row nor the group names a product");
                return Err(fault.help("a name of `kmsproof catalog`, or `product` in the group"));
            }
            "" => told.wanted.iter().map(|wanted| Wanted::clone(wanted)).collect(),
            text => {
                text.split(';').map(|name| value::product(name.trim()).map(Wanted::from)).collect::<Result<_, _>>()?
            }
        };
        let (n_policy, protocol) = (n_policy.or(told.n_policy), protocol.or(told.protocol));
        let mut places = Vec::with_capacity(products.len());
        for product in products {
            let wanted = Wanted {
                n_policy: n_policy.unwrap_or(product.n_policy),
                protocol: protocol.unwrap_or(product.protocol),
                ..product
            };
            let place = self.place(wanted)?;
            if places.contains(&place) {
                let fault = Fault::new("a product stands here twice");
                return Err(fault.help("each product once; a machine that asks twice has two rows with one `id`"));
            }
            places.push(place);
        }
        Ok(places.into())
    }

    /// Where a product stands in the group's list, which it joins if it is not in it.
    fn place(&mut self, wanted: Wanted) -> Result<u16, Fault> {
        let asked = Asked::of(&wanted);
        if let Some(&place) = self.places.get(&asked) {
            return Ok(place);
        }
        let full = "the table has more than 65535 products; with another N policy or version it is another product";
        let place = u16::try_from(self.wanted.len()).ok().filter(|place| *place < u16::MAX);
        let place = place.ok_or_else(|| Fault::new(full))?;
        self.places.insert(asked, place);
        self.wanted.push(Arc::new(wanted));
        Ok(place)
    }

    /// Ids are numbered from 1 as they appear, so that there are no more of them than rows.
    fn identity(&mut self, text: &str) -> u32 {
        if let Some(&known) = self.ids.get(text) {
            return known;
        }
        self.identities += 1;
        if !text.is_empty() {
            self.ids.insert(text.to_owned(), self.identities);
        }
        self.identities
    }

    fn standing(
        &self,
        status: Option<LicenseStatus>,
        minutes_left: Option<u32>,
        wanted: &[u16],
    ) -> Option<(LicenseStatus, u32)> {
        if status.is_none() && minutes_left.is_none() {
            return None;
        }
        let rules = || self.told.generation.or_else(|| Some(self.wanted[usize::from(*wanted.first()?)].rules));
        let grace = || rules().map_or(0, |rules| rules.initial_grace_min);
        let (of_group, left) = self.told.standing.unzip();
        Some((status.or(of_group).unwrap_or(LicenseStatus::OOB_GRACE), minutes_left.or(left).unwrap_or_else(grace)))
    }
}

/// What a cell says, if anything stands in it.
fn filled<T>(text: &str, read: impl FnOnce(&str) -> Result<T, Fault>) -> Result<Option<T>, Fault> {
    if text.is_empty() { Ok(None) } else { read(text).map(Some) }
}

/// Labels go to terminals and reports.
fn read_label(text: &str) -> Result<Box<str>, Fault> {
    if (1..=LABEL_CHARS_MAX).contains(&text.chars().count()) && !text.chars().any(char::is_control) {
        return Ok(text.into());
    }
    let what = if text.is_empty() { "is empty".to_owned() } else { format!("cannot be {}", quoted(text)) };
    Err(Fault::new(format!("`machine` {what}"))
        .help(format!("a name of 1 to {LABEL_CHARS_MAX} characters, on one line")))
}

fn read_n_policy(text: &str) -> Result<u32, Fault> {
    let (least, most) = (N_POLICY.start(), N_POLICY.end());
    let fitting = digits(text).filter(|n_policy| N_POLICY.contains(n_policy));
    fitting.ok_or_else(|| Fault::new(format!("`n_policy` must be {least} to {most}, and is {}", quoted(text))))
}

fn read_minutes(text: &str) -> Result<u32, Fault> {
    let wrong = || Fault::new(format!("`minutes_left` must be 0 to {}, and is {}", u32::MAX, quoted(text)));
    digits(text).ok_or_else(wrong)
}

fn read_vm(text: &str) -> Result<bool, Fault> {
    value::word("vm", &text.to_ascii_lowercase(), &[("true", true), ("false", false), ("1", true), ("0", false)])
}

/// Seconds with up to three decimals, or a duration; not before the row above.
fn read_time(text: &str, last: Duration) -> Result<Duration, Fault> {
    let at = match text {
        "" => Duration::ZERO,
        _ => match seconds(text) {
            Some(at) => at,
            None => value::duration("at", text).map_err(|fault| {
                fault
                    .help("seconds since the first machine, as in 61.5, or a duration, as in 1m 30s; at most 100 years")
            })?,
        },
    };
    if at > DURATION_MAX {
        return Err(Fault::new(format!("`at` cannot be {}", quoted(text))).help("at most 100 years"));
    }
    if at < last {
        let fault = Fault::new(format!("`at` goes back: {}s after {}s", at.as_secs_f64(), last.as_secs_f64()));
        return Err(fault.help("rows stand in the order in which their machines arrive"));
    }
    Ok(at)
}

fn seconds(text: &str) -> Option<Duration> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
    if decimals.is_empty() || decimals.len() > 3 || !decimals.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(Duration::from_secs(digits(whole)?) + Duration::from_millis(digits(&format!("{decimals:0<3}"))?))
}

/// A number without a sign.
fn digits<T: FromStr>(text: &str) -> Option<T> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

const COLUMNS: [&str; 10] =
    ["machine", "id", "product", "n_policy", "protocol", "vm", "status", "minutes_left", "clock", "at"];

const LABEL_CHARS_MAX: usize = 60;
