//! A table as a program or a person wrote it: columns by name, every problem at its cell.

use std::ops::Range;

use csv::{ReaderBuilder, StringRecord, Trim};

use super::problem::{Finding, Findings, Problems};
use super::source::Source;
use super::value::Fault;
use super::wording::{listed, nearest, quoted};
use crate::text::counted;

/// A table that is read row by row. Its text must outlive it.
pub(super) struct CsvTable<'t> {
    source: Source<'t>,
    reader: csv::Reader<&'t [u8]>,
    known: &'static [&'static str],
    /// Of each known column, which of the table's it is.
    places: Vec<Option<usize>>,
    /// How many columns there are; 0 when the header is no header.
    width: usize,
    has_rows: bool,
    /// The known columns that unknown ones were probably meant to be.
    meant: Vec<&'static str>,
    findings: Findings,
}

/// A row of it.
pub(super) struct CsvRow {
    record: StringRecord,
    start: usize,
    /// Whether it has as many values as there are columns.
    pub is_whole: bool,
}

impl<'t> CsvTable<'t> {
    /// Opens a table whose first row names columns among `known`, in any order; the one called `required` is there.
    pub fn open(text: &'t str, known: &'static [&'static str], required: &'static str) -> CsvTable<'t> {
        let source = Source::new(text);
        let reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .trim(Trim::All)
            .from_reader(source.text().as_bytes());
        let mut table = CsvTable {
            source,
            reader,
            known,
            places: vec![None; known.len()],
            width: 0,
            has_rows: false,
            meant: Vec::new(),
            findings: Findings::default(),
        };
        table.read_header(required);
        table
    }

    /// The next row, be it whole or not.
    pub fn next_row(&mut self) -> Option<CsvRow> {
        if self.width == 0 {
            return None;
        }
        let mut row = self.read()?;
        self.has_rows = true;
        row.is_whole = row.record.len() == self.width;
        if !row.is_whole {
            let (values, columns) = (row.record.len(), self.width);
            let message = format!("this row has {}, and there are {columns} columns", counted(values as u64, "value"));
            let help = match row.record.iter().any(|value| value.contains('\n')) {
                true => "is a quote never closed?",
                false => "a value with a comma in it stands in double quotes; an empty one still has its comma",
            };
            let span = self.line_span(row.start);
            self.findings.push(Finding::at(span, message).help(help));
        }
        Some(row)
    }

    /// Whether the table has a column.
    pub fn has(&self, column: &str) -> bool {
        self.place(column).is_some()
    }

    /// Whether the table has a column, or one that was probably meant to be it.
    pub fn has_or_means(&self, column: &str) -> bool {
        self.has(column) || self.meant.contains(&column)
    }

    /// What stands in a column of a row; nothing where the table has no such column.
    pub fn text<'r>(&self, row: &'r CsvRow, column: &str) -> &'r str {
        self.place(column).and_then(|place| row.record.get(place)).unwrap_or_default()
    }

    /// The value in a column of a row, unless it is wrong.
    pub fn cell<T>(&mut self, row: &CsvRow, column: &str, read: impl FnOnce(&str) -> Result<T, Fault>) -> Option<T> {
        match read(self.text(row, column)) {
            Ok(value) => Some(value),
            Err(fault) => {
                // A table of a million rows may be wrong in each.
                let span = match self.place(column) {
                    _ if self.findings.is_full() => 0..0,
                    Some(place) => self.cell_span(row.start, place),
                    None => self.line_span(row.start),
                };
                self.findings.push(Finding::of(span, fault));
                None
            }
        }
    }

    /// Something is wrong with a whole row.
    pub fn refuse_row(&mut self, row: &CsvRow, message: String) {
        let span = self.line_span(row.start);
        self.findings.push(Finding::at(span, message));
    }

    /// Everything that was found wrong with it.
    pub fn finish(mut self, file: &str) -> Option<Problems> {
        if self.width > 0 && !self.has_rows {
            let end = self.source.text().len();
            self.findings
                .push(Finding::at(end..end, "the table has no machine in it").help("one row for each machine"));
        }
        self.findings.finish(file, &self.source)
    }

    fn read_header(&mut self, required: &str) {
        let all = || listed(self.known.iter().copied(), '`', "and");
        let Some(header) = self.read() else {
            let finding = Finding::at(0..0, "the table is empty");
            self.findings.push(finding.help(format!("its first row names its columns, of {}", all())));
            return;
        };
        let names: Vec<&str> = header.record.iter().collect();
        if let [only] = names[..]
            && only.contains([';', '\t'])
        {
            let finding = Finding::at(self.line_span(header.start), "the columns of a table are separated by commas");
            self.findings.push(finding.help("save it as CSV with commas"));
            return;
        }
        for (place, name) in names.iter().enumerate() {
            let span = self.cell_span(header.start, place);
            let Some(column) = self.known.iter().position(|known| known == name) else {
                let finding = Finding::at(span, format!("a table has no column {}", quoted(name)));
                let near = nearest(name, self.known.iter().copied());
                self.meant.extend(near);
                self.findings.push(match near {
                    Some(near) => finding.label(format!("did you mean `{near}`?")),
                    None => finding.help(format!("its columns are {}", listed(self.known.iter().copied(), '`', "and"))),
                });
                continue;
            };
            if self.places[column].is_some() {
                self.findings.push(Finding::at(span, format!("there are two columns `{name}`")));
            }
            self.places[column] = Some(place);
        }
        if self.place(required).is_none() {
            if !self.meant.contains(&required) {
                let message = format!("the table has no column `{required}`");
                let finding = Finding::at(self.line_span(header.start), message);
                self.findings.push(finding.help("its first row names its columns, for example: machine,product,at"));
            }
            return;
        }
        self.width = names.len();
    }

    fn read(&mut self) -> Option<CsvRow> {
        let mut record = StringRecord::new();
        // In memory, of any width and known to be text, a table cannot fail to be read.
        if !self.reader.read_record(&mut record).unwrap_or(false) {
            return None;
        }
        let from = record.position().map_or(0, |position| position.byte() as usize);
        // The reader leaves the second half of a CRLF, and empty lines, to the row that follows.
        let rest = &self.source.text()[from..];
        let start = from + rest.bytes().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        Some(CsvRow { record, start, is_whole: true })
    }

    fn place(&self, column: &str) -> Option<usize> {
        debug_assert!(self.known.contains(&column));
        self.known.iter().position(|known| *known == column).and_then(|known| self.places[known])
    }

    fn line_span(&self, start: usize) -> Range<usize> {
        let line = self.source.line_text(self.source.line(start));
        start..line.start + line.text.len()
    }

    /// Where a value of the row that begins at `start` stands, without the spaces around it.
    fn cell_span(&self, start: usize, place: usize) -> Range<usize> {
        let text = self.source.text();
        let mut from = start;
        for _ in 0..place {
            from = (end_of_value(text, from) + 1).min(text.len());
        }
        let cell = &text[from..end_of_value(text, from)];
        let from = from + (cell.len() - cell.trim_start().len());
        from..(from + cell.trim().len())
    }
}

/// Where the value ends that begins at `from`. It stands in quotes when it begins with one.
fn end_of_value(text: &str, from: usize) -> usize {
    let mut bytes = text.bytes().enumerate().skip(from).peekable();
    let mut is_quoted = bytes.next_if(|(_, byte)| *byte == b'"').is_some();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            // Two of them are one.
            b'"' if is_quoted => is_quoted = bytes.next_if(|(_, next)| *next == b'"').is_some(),
            b',' | b'\r' | b'\n' if !is_quoted => return at,
            _ => {}
        }
    }
    text.len()
}
