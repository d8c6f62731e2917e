//! Event XML: Event Viewer's export with its `<Events>` root, and what `wevtutil qe LOG /f:xml`
//! prints, which has no root. Names are read without their namespaces.

use jiff::Timestamp;
use quick_xml::XmlVersion;
use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::reader::Reader;

use super::csv_export::is_of_licensing;
use super::lines::Lines;
use super::{DEPTH_MAX, EVENT_ID, Export, Form, Record, Unreadable, Wrong, info};

pub(super) fn read(text: &str) -> Result<Export, Unreadable> {
    let mut export = Export::new(Form::Xml);
    let mut reader = Reader::from_str(text);
    let mut lines = Lines::new(text);
    let mut path: Vec<Element> = Vec::new();
    let mut fields: Option<Fields> = None;
    let mut is_log = false;
    loop {
        let begin = reader.buffer_position();
        // quick-xml's own words may repeat what stands there.
        let event = reader.read_event().map_err(|_| Unreadable::Xml { line: lines.at(reader.error_position()) })?;
        match event {
            Event::Start(start) => {
                if path.len() == DEPTH_MAX {
                    return Err(Unreadable::Deep { line: lines.at(begin) });
                }
                let element = Element::of(&start);
                is_log |= matches!(element, Element::Events | Element::Event);
                if element == Element::Event && fields.is_none() {
                    fields = Some(Fields::new(lines.at(begin), path.len()));
                }
                if let Some(fields) = &mut fields {
                    fields.begin(element, &start);
                }
                path.push(element);
            }
            Event::Empty(start) => {
                let element = Element::of(&start);
                is_log |= element == Element::Events;
                if let Some(fields) = &mut fields {
                    fields.begin(element, &start);
                }
            }
            Event::End(_) => {
                path.pop();
                if let Some(whole) = fields.take_if(|fields| fields.depth == path.len()) {
                    whole.end(&mut export)?;
                }
            }
            Event::Text(text) => add(&mut fields, &path, &text),
            Event::CData(data) => add(&mut fields, &path, &data),
            Event::GeneralRef(reference) => add(&mut fields, &path, resolve(&reference).encode_utf8(&mut [0; 4])),
            Event::Eof if !path.is_empty() => return Err(Unreadable::CutOff { line: lines.at(text.len() as u64) }),
            Event::Eof if !is_log => return Err(Unreadable::NotAnExport),
            Event::Eof => return Ok(export),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
        }
    }
}

/// The elements that matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Element {
    Events,
    Event,
    Provider,
    EventId,
    TimeCreated,
    RecordId,
    Data,
    Message,
    Other,
}

impl Element {
    fn of(start: &BytesStart<'_>) -> Element {
        match start.local_name().into_inner() {
            "Events" => Element::Events,
            "Event" => Element::Event,
            "Provider" => Element::Provider,
            "EventID" => Element::EventId,
            "TimeCreated" => Element::TimeCreated,
            "EventRecordID" => Element::RecordId,
            "Data" => Element::Data,
            "Message" => Element::Message,
            _ => Element::Other,
        }
    }
}

/// What is read of one event.
struct Fields {
    line: u64,
    /// How many elements it stands in.
    depth: usize,
    source: Option<String>,
    id: String,
    time: Option<Timestamp>,
    number: String,
    data: String,
    message: String,
}

impl Fields {
    fn new(line: u64, depth: usize) -> Fields {
        let empty = String::new;
        Fields { line, depth, source: None, id: empty(), time: None, number: empty(), data: empty(), message: empty() }
    }

    fn begin(&mut self, element: Element, start: &BytesStart<'_>) {
        match element {
            Element::Provider => self.source = attribute(start, "Name"),
            Element::TimeCreated => {
                self.time = attribute(start, "SystemTime").and_then(|time| time.trim().parse().ok())
            }
            Element::Data => self.data.push('\n'),
            _ => {}
        }
    }

    fn end(self, export: &mut Export) -> Result<(), Unreadable> {
        let line = self.line;
        match self.record() {
            Ok(Some(record)) => export.push(record)?,
            Ok(None) => export.others += 1,
            Err(wrong) => export.problems.push(line, wrong),
        }
        Ok(())
    }

    /// The record, when the event is a request's.
    fn record(self) -> Result<Option<Record>, Wrong> {
        let id: u32 = self.id.trim().parse().map_err(|_| Wrong::NoEventId)?;
        if id != EVENT_ID {
            return Ok(None);
        }
        // The message repeats the data in words; alone it has the string too.
        let info = match info::find(&self.data) {
            Err(Wrong::NoInfo) => info::find(&self.message),
            info => info,
        };
        let info = match info {
            Err(Wrong::NoInfo) if !is_of_licensing(self.source.as_deref().unwrap_or("")) => return Ok(None),
            info => info::parse(info?)?,
        };
        let at = self.time.ok_or(Wrong::TimeCreated)?;
        Ok(Some(Record { at, number: self.number.trim().parse().ok(), info }))
    }
}

/// Adds text to the field that the innermost element is.
fn add(fields: &mut Option<Fields>, path: &[Element], text: &str) {
    let (Some(fields), Some(element)) = (fields, path.last()) else { return };
    let field = match element {
        Element::EventId => &mut fields.id,
        Element::RecordId => &mut fields.number,
        Element::Data => &mut fields.data,
        Element::Message => &mut fields.message,
        _ => return,
    };
    field.push_str(text);
}

fn attribute(start: &BytesStart<'_>, name: &str) -> Option<String> {
    let attribute = start.try_get_attribute(name).ok()??;
    attribute.normalized_value(XmlVersion::Implicit1_0).ok().map(std::borrow::Cow::into_owned)
}

/// What a reference stands for. One that is unknown stands for a character that no field has.
fn resolve(reference: &BytesRef<'_>) -> char {
    let named = || quick_xml::escape::resolve_predefined_entity(reference)?.chars().next();
    match reference.resolve_char_ref() {
        Ok(Some(character)) => character,
        Ok(None) => named().unwrap_or(char::REPLACEMENT_CHARACTER),
        Err(_) => char::REPLACEMENT_CHARACTER,
    }
}
