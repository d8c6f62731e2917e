//! A cursor that takes fields by name.
//!
//! One grammar serves two levels. Read strictly, the first illegal field is
//! the error and no value comes to be. Read with [`Reader::tracing`], the same
//! functions write down every field they pass and every complaint they have,
//! and go on as far as the bytes allow: that is the view which shows any
//! nonsense ([`crate::wire::dump`]).

use std::borrow::Cow;
use std::fmt;

use super::error::{DecodeError, Layer};
use super::{FileTime, Guid, Hresult};

type Result<T> = std::result::Result<T, DecodeError>;

/// A cursor over bytes; see the module's description.
#[derive(Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    position: usize,
    base: usize,
    layer: Layer,
    big_endian: bool,
    trace: Option<Box<Trace>>,
}

/// What a tracing reader wrote down.
#[derive(Debug, Default)]
pub struct Trace {
    /// Every field in the order it was read.
    pub fields: Vec<Field>,
    /// Every complaint, in the order it arose.
    pub issues: Vec<DecodeError>,
    group: String,
    /// Whether the field just read has no bytes, and so was not written down.
    is_empty: bool,
}

/// One field of a frame as it stands there, right or wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// The layer it belongs to.
    pub layer: Layer,
    /// Its name, with the group it stands in (`context[1].abstract_syntax`).
    pub name: String,
    /// Where it begins, in bytes from the start of the buffer.
    pub offset: usize,
    /// How many bytes it takes up.
    pub len: usize,
    /// Its value for a person.
    pub value: String,
}

/// The bytes a narrowed reader does not see; see [`Reader::narrow`].
#[derive(Debug)]
#[must_use]
pub struct Hidden<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// A strict reader of `bytes`.
    pub fn new(layer: Layer, bytes: &'a [u8]) -> Reader<'a> {
        Reader { bytes, position: 0, base: 0, layer, big_endian: false, trace: None }
    }

    /// A reader that writes down what it sees and does not stop at a field that
    /// is merely wrong, only where bytes are missing.
    pub fn tracing(layer: Layer, bytes: &'a [u8]) -> Reader<'a> {
        Reader { trace: Some(Box::default()), ..Reader::new(layer, bytes) }
    }

    /// Offsets in errors count from `base` instead of 0: for a part of a larger buffer.
    #[must_use]
    pub fn at(mut self, base: usize) -> Reader<'a> {
        self.base = base;
        self
    }

    /// Integers from here on are big endian (a sender may choose; receiver makes right).
    pub fn set_big_endian(&mut self, big_endian: bool) {
        self.big_endian = big_endian;
    }

    /// Whether integers are read as big endian.
    pub fn is_big_endian(&self) -> bool {
        self.big_endian
    }

    /// Fields from here on belong to `layer`.
    pub fn set_layer(&mut self, layer: Layer) {
        self.layer = layer;
    }

    /// Where the next field begins.
    pub fn offset(&self) -> usize {
        self.base + self.position
    }

    /// How many bytes are left.
    pub fn remaining(&self) -> usize {
        self.bytes.len() - self.position
    }

    /// The bytes that are left, without taking them.
    pub fn rest(&self) -> &'a [u8] {
        &self.bytes[self.position..]
    }

    /// One byte.
    pub fn u8(&mut self, field: &'static str) -> Result<u8> {
        let [value] = self.array(field)?;
        self.write_down(field, 1, || format!("{value}"));
        Ok(value)
    }

    /// A 16-bit integer.
    pub fn u16(&mut self, field: &'static str) -> Result<u16> {
        let raw = self.array(field)?;
        let value = if self.big_endian { u16::from_be_bytes(raw) } else { u16::from_le_bytes(raw) };
        self.write_down(field, 2, || format!("{value}"));
        Ok(value)
    }

    /// A 32-bit integer.
    pub fn u32(&mut self, field: &'static str) -> Result<u32> {
        let raw = self.array(field)?;
        let value = if self.big_endian { u32::from_be_bytes(raw) } else { u32::from_le_bytes(raw) };
        self.write_down(field, 4, || format!("{value}"));
        Ok(value)
    }

    /// A 64-bit integer.
    pub fn u64(&mut self, field: &'static str) -> Result<u64> {
        let raw = self.array(field)?;
        let value = if self.big_endian { u64::from_be_bytes(raw) } else { u64::from_le_bytes(raw) };
        self.write_down(field, 8, || format!("{value}"));
        Ok(value)
    }

    /// A GUID in Windows' mixed-endian layout (all big endian from a big-endian sender).
    pub fn guid(&mut self, field: &'static str) -> Result<Guid> {
        let raw = self.array(field)?;
        let value = if self.big_endian { Guid::from_big_endian(raw) } else { Guid::from_wire(raw) };
        self.write_down(field, 16, || value.to_string());
        Ok(value)
    }

    /// A FILETIME.
    pub fn filetime(&mut self, field: &'static str) -> Result<FileTime> {
        let value = FileTime(u64::from_le_bytes(self.array(field)?));
        self.write_down(field, 8, || format!("{} ({value})", value.0));
        Ok(value)
    }

    /// An HRESULT.
    pub fn hresult(&mut self, field: &'static str) -> Result<Hresult> {
        let raw = self.array(field)?;
        let value = Hresult(if self.big_endian { u32::from_be_bytes(raw) } else { u32::from_le_bytes(raw) });
        self.write_down(field, 4, || match value.name() {
            Some(name) => format!("{value} {name}"),
            None => value.to_string(),
        });
        Ok(value)
    }

    /// `len` bytes as they are.
    pub fn bytes(&mut self, field: &'static str, len: usize) -> Result<&'a [u8]> {
        let taken = self.take(field, len)?;
        if len > 0 {
            self.write_down(field, len, || hex_preview(taken));
        } else if let Some(trace) = &mut self.trace {
            trace.is_empty = true;
        }
        Ok(taken)
    }

    /// Exactly `N` bytes as they are.
    pub fn byte_array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N]> {
        let taken = self.array(field)?;
        self.write_down(field, N, || hex_preview(&taken));
        Ok(taken)
    }

    /// Refuses the field just read unless `ok`: `words` says what was expected and what was got,
    /// and is asked only then. A tracing reader notes the complaint and goes on.
    pub fn require<E: Into<Cow<'static, str>>, G: fmt::Display>(
        &mut self,
        ok: bool,
        field: &'static str,
        offset: usize,
        words: impl FnOnce() -> (E, G),
    ) -> Result<()> {
        if ok {
            return Ok(());
        }
        let (expected, got) = words();
        self.complain(self.error(field, offset, expected, got.to_string()))
    }

    /// An error at `offset` in this reader's layer.
    pub fn error(
        &self,
        field: &'static str,
        offset: usize,
        expected: impl Into<Cow<'static, str>>,
        got: impl Into<Cow<'static, str>>,
    ) -> DecodeError {
        DecodeError { layer: self.layer, field, offset, expected: expected.into(), got: got.into() }
    }

    /// Returns `error`, or only notes it when tracing.
    pub fn complain(&mut self, error: DecodeError) -> Result<()> {
        match &mut self.trace {
            Some(trace) => {
                trace.issues.push(error);
                Ok(())
            }
            None => Err(error),
        }
    }

    /// Makes of a complaint the end: there is no reading on from here, not even when tracing,
    /// which notes it all the same.
    pub fn stop(&mut self, error: DecodeError) -> DecodeError {
        if let Some(trace) = &mut self.trace {
            trace.issues.push(error.clone());
        }
        error
    }

    /// Refuses bytes that nothing claimed.
    pub fn finish(&mut self, whole: &'static str) -> Result<()> {
        let (offset, left) = (self.offset(), self.remaining());
        if left == 0 {
            return Ok(());
        }
        self.bytes("trailing bytes", left)?;
        self.require(false, "trailing bytes", offset, || {
            (format!("the end of the {whole}"), format!("{left} more bytes"))
        })
    }

    /// Names the group the next fields stand in (`context[1]`); for listings only.
    pub fn group(&mut self, name: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            trace.group = name();
        }
    }

    /// Says the value of the field just read in other words; for listings only.
    pub fn note(&mut self, words: impl FnOnce() -> String) {
        let trace = self.trace.as_mut().filter(|trace| !trace.is_empty);
        if let Some(field) = trace.and_then(|trace| trace.fields.last_mut()) {
            field.value = words();
        }
    }

    /// Hides all but the next `len` bytes until [`Reader::widen`] is given what this returns.
    /// `len` past the end hides nothing.
    pub fn narrow(&mut self, len: usize) -> Hidden<'a> {
        let whole = self.bytes;
        let end = self.position.saturating_add(len).min(whole.len());
        self.bytes = &whole[..end];
        Hidden(whole)
    }

    /// Shows again what [`Reader::narrow`] hid.
    pub fn widen(&mut self, hidden: Hidden<'a>) {
        self.bytes = hidden.0;
    }

    /// Reads bytes already taken once more, in finer grain: the field of this name most lately
    /// written down gives way to what `read` writes down of the same bytes. Does nothing unless tracing.
    pub(super) fn replace_bytes(&mut self, name: &str, read: impl FnOnce(&mut Reader<'a>)) {
        let Some(trace) = &mut self.trace else { return };
        let Some(at) = trace.fields.iter().rposition(|field| field.name == name) else { return };
        let later = trace.fields.split_off(at);
        let (start, len) = (later[0].offset - self.base, later[0].len);
        let mut inner = Reader::tracing(self.layer, &self.bytes[start..start + len]).at(later[0].offset);
        read(&mut inner);
        let unread = inner.remaining();
        if unread > 0 {
            let _ = inner.bytes("not read", unread);
        }
        let found = inner.into_trace();
        trace.fields.extend(found.fields);
        trace.fields.extend(later.into_iter().skip(1));
        trace.issues.extend(found.issues);
    }

    /// What a tracing reader wrote down so far.
    pub fn into_trace(self) -> Trace {
        self.trace.map(|trace| *trace).unwrap_or_default()
    }

    fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N]> {
        let taken = self.take(field, N)?;
        Ok(std::array::from_fn(|i| taken[i]))
    }

    fn take(&mut self, field: &'static str, len: usize) -> Result<&'a [u8]> {
        let offset = self.offset();
        let left = self.remaining();
        if len > left {
            let error = self.error(field, offset, bytes_of(len), format!("{} before the end", bytes_of(left)));
            if left > 0 {
                let cut = &self.bytes[self.position..];
                self.position = self.bytes.len();
                self.write_down(field, left, || format!("{} (cut short)", hex_preview(cut)));
            }
            return Err(self.stop(error));
        }
        let taken = &self.bytes[self.position..self.position + len];
        self.position += len;
        Ok(taken)
    }

    fn write_down(&mut self, field: &'static str, len: usize, value: impl FnOnce() -> String) {
        let offset = self.offset() - len;
        let layer = self.layer;
        if let Some(trace) = &mut self.trace {
            let name = if trace.group.is_empty() { field.to_owned() } else { format!("{}.{field}", trace.group) };
            trace.fields.push(Field { layer, name, offset, len, value: value() });
            trace.is_empty = false;
        }
    }
}

fn bytes_of(len: usize) -> String {
    if len == 1 { "1 byte".to_owned() } else { format!("{len} bytes") }
}

/// Bytes in hex, nothing between them.
pub fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Up to sixteen bytes in hex, and how many there are when there are more.
pub(crate) fn hex_preview(bytes: &[u8]) -> String {
    match bytes.get(..16) {
        Some(first) if bytes.len() > 16 => format!("{}… ({} bytes)", hex(first), bytes.len()),
        _ => hex(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_byte_names_the_field_and_where_it_begins() {
        let mut reader = Reader::new(Layer::Rpc, &[1, 2, 3]).at(24);
        assert_eq!(reader.u16("context_id"), Ok(0x0201));
        let error = reader.u32("alloc_hint").unwrap_err();
        assert_eq!(error.to_string(), "rpc: alloc_hint at byte 26: expected 4 bytes, got 1 byte before the end");
    }

    #[test]
    fn a_tracing_reader_goes_on_past_a_wrong_value() {
        let mut reader = Reader::tracing(Layer::Rpc, &[9, 7]);
        let version = reader.u8("version").unwrap();
        reader.require(version == 5, "version", 0, || ("5", version)).unwrap();
        reader.group(|| "result[0]".into());
        reader.u8("reason").unwrap();
        let trace = reader.into_trace();
        assert_eq!(trace.issues.len(), 1);
        assert_eq!(trace.fields[1].name, "result[0].reason");
    }

    #[test]
    fn words_about_an_empty_field_do_not_go_to_the_one_before() {
        let mut reader = Reader::tracing(Layer::Rpc, &[7]);
        reader.u8("length").unwrap();
        reader.bytes("address", 0).unwrap();
        reader.note(|| "no address".into());
        let fields = reader.into_trace().fields;
        assert_eq!((fields.len(), fields[0].value.as_str()), (1, "7"));
    }

    #[test]
    fn trailing_bytes_are_refused_by_name() {
        let mut reader = Reader::new(Layer::Ndr32, &[0]);
        assert_eq!(
            reader.finish("response stub").unwrap_err().to_string(),
            "ndr32: trailing bytes at byte 0: expected the end of the response stub, got 1 more bytes"
        );
    }
}
