//! A data set in Explicit VR Little Endian from its DICOM JSON Model (PS3.18 Annex F), as uploads of
//! metadata bring it. Walks with a stack of its own; sequences and items are written with undefined length,
//! so nothing has to be measured before. Text is UTF-8, and (0008,0005) says so.
//!
//! Values that are not in the JSON are asked for by their URI and left as places in the output. No URI is
//! ever followed.

mod value;

use super::vr::{self, Context, has_long_length};
use dicom_core::{Tag, VR};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fmt;

const SPECIFIC_CHARACTER_SET: Tag = Tag(0x0008, 0x0005);
const UNDEFINED: u32 = u32::MAX;
/// A fragment, and a value of defined length, are shorter than this.
pub const LONGEST: u64 = 0xFFFF_FFFE;

/// A stretch of the data set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    Bytes(Vec<u8>),
    /// All bytes of the source of this number.
    Source(usize),
}

/// What stands behind a BulkDataURI, in the words of whoever has it: numbered sources of known length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bulk {
    Native {
        source: usize,
        length: u64,
    },
    /// Frames, or a stream: one fragment each (PS3.5 §A.4).
    Encapsulated(Vec<(usize, u64)>),
}

/// Why no data set can be made. Holds no value, only the attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ComposeError {
    pub tag: Option<Tag>,
    pub fault: Fault,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A member is not named by eight hexadecimal digits, or twice by the same, or is no object.
    Member,
    /// No Value Representation, or one that PS3.5 does not know.
    Vr,
    /// The value is not one of its Value Representation.
    Value,
    /// The value does not fit the length field.
    TooLong,
    TooDeep,
    /// No part of the upload has the URI.
    NoBulkData,
}

impl fmt::Display for ComposeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(Tag(group, element)) = self.tag {
            write!(f, "({group:04X},{element:04X}): ")?;
        }
        f.write_str(match self.fault {
            Fault::Member => "no attribute of the DICOM JSON Model",
            Fault::Vr => "Value Representation missing or unknown",
            Fault::Value => "value does not fit its Value Representation",
            Fault::TooLong => "value is too long",
            Fault::TooDeep => "sequences nested too deeply",
            Fault::NoBulkData => "no part has its BulkDataURI",
        })
    }
}

impl std::error::Error for ComposeError {}

/// What is still to be written; the last comes first.
enum Step<'a> {
    Element(Tag, &'a Map<String, Value>),
    Item(&'a Map<String, Value>),
    ItemEnd,
    SequenceEnd,
}

/// Writes `dataset`. `bulk` is asked for every BulkDataURI. Elements of the file meta, group lengths and
/// padding are left out: they describe another file.
pub fn compose(
    dataset: &Map<String, Value>,
    depth_max: u32,
    bulk: &mut dyn FnMut(Tag, &str) -> Option<Bulk>,
) -> Result<Vec<Piece>, ComposeError> {
    let mut writer = Writer { pieces: Vec::new(), bytes: Vec::new() };
    let mut steps = Vec::new();
    push_elements(&mut steps, dataset, true)?;
    let mut depth = 0;
    while let Some(step) = steps.pop() {
        match step {
            Step::Element(tag, element) => {
                let fail = |fault| ComposeError { tag: Some(tag), fault };
                let vr = vr_of(tag, element).ok_or(fail(Fault::Vr))?;
                if vr == VR::SQ {
                    depth += 1;
                    if depth > depth_max {
                        return Err(fail(Fault::TooDeep));
                    }
                    writer.header(tag, vr, UNDEFINED).map_err(fail)?;
                    steps.push(Step::SequenceEnd);
                    for item in value::items(element).map_err(fail)?.iter().rev() {
                        match item {
                            Value::Object(item) => steps.push(Step::Item(item)),
                            _ => return Err(fail(Fault::Value)),
                        }
                    }
                } else if let Some(uri) = element.get("BulkDataURI") {
                    let uri = uri.as_str().ok_or(fail(Fault::Value))?;
                    if element.contains_key("InlineBinary") || !value::items(element).map_err(fail)?.is_empty() {
                        return Err(fail(Fault::Value));
                    }
                    let found = bulk(tag, uri).ok_or(fail(Fault::NoBulkData))?;
                    writer.bulk(tag, vr, found).map_err(fail)?;
                } else {
                    let mut bytes = value::encode(vr, element).map_err(fail)?;
                    if bytes.len() % 2 == 1 {
                        bytes.push(vr::padding(vr));
                    }
                    let length = u32::try_from(bytes.len()).map_err(|_| fail(Fault::TooLong))?;
                    writer.header(tag, vr, length).map_err(fail)?;
                    writer.bytes.append(&mut bytes);
                }
            }
            Step::Item(item) => {
                writer.mark(0xE000, UNDEFINED);
                steps.push(Step::ItemEnd);
                push_elements(&mut steps, item, false)?;
            }
            Step::ItemEnd => writer.mark(0xE00D, 0),
            Step::SequenceEnd => {
                depth -= 1;
                writer.mark(0xE0DD, 0);
            }
        }
    }
    writer.cut();
    Ok(writer.pieces)
}

/// Pushes the elements of one data set or item in the order in which they are popped: ascending.
fn push_elements<'a>(steps: &mut Vec<Step<'a>>, of: &'a Map<String, Value>, root: bool) -> Result<(), ComposeError> {
    let mut elements = BTreeMap::new();
    if root {
        elements.insert(SPECIFIC_CHARACTER_SET, utf_8());
    }
    for (name, element) in of {
        let tag = tag_of(name).ok_or(ComposeError { tag: None, fault: Fault::Member })?;
        let fail = ComposeError { tag: Some(tag), fault: Fault::Member };
        if tag.0 < 0x0008 || tag.1 == 0 || tag.0 == 0xFFFC || tag == SPECIFIC_CHARACTER_SET {
            continue;
        }
        let Value::Object(element) = element else { return Err(fail) };
        if tag.0 == 0xFFFE || elements.insert(tag, element).is_some() {
            return Err(fail);
        }
    }
    steps.extend(elements.into_iter().rev().map(|(tag, element)| Step::Element(tag, element)));
    Ok(())
}

fn utf_8() -> &'static Map<String, Value> {
    static ELEMENT: std::sync::LazyLock<Map<String, Value>> = std::sync::LazyLock::new(|| {
        let member = |name: &str, value: Value| (name.to_owned(), value);
        Map::from_iter([member("vr", "CS".into()), member("Value", vec![Value::from(super::json::UTF_8)].into())])
    });
    &ELEMENT
}

/// `ggggeeee` (PS3.18 §F.2.2).
pub fn tag_of(name: &str) -> Option<Tag> {
    if name.len() != 8 || !name.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let number = u32::from_str_radix(name, 16).ok()?;
    let [group_high, group_low, element_high, element_low] = number.to_be_bytes();
    Some(Tag(u16::from_be_bytes([group_high, group_low]), u16::from_be_bytes([element_high, element_low])))
}

/// As stated; of the dictionary where nothing is.
fn vr_of(tag: Tag, element: &Map<String, Value>) -> Option<VR> {
    match element.get("vr") {
        Some(Value::String(text)) => vr::from_code(text.as_bytes().try_into().ok()?),
        Some(_) => None,
        None => vr::of(tag, Context::default(), false),
    }
}

struct Writer {
    pieces: Vec<Piece>,
    bytes: Vec<u8>,
}

impl Writer {
    fn tag(&mut self, tag: Tag) {
        self.bytes.extend_from_slice(&tag.0.to_le_bytes());
        self.bytes.extend_from_slice(&tag.1.to_le_bytes());
    }
    /// PS3.5 §7.1.2.
    fn header(&mut self, tag: Tag, vr: VR, length: u32) -> Result<(), Fault> {
        let short = if has_long_length(vr) { None } else { Some(u16::try_from(length).map_err(|_| Fault::TooLong)?) };
        self.tag(tag);
        self.bytes.extend_from_slice(vr.to_string().as_bytes());
        match short {
            Some(length) => self.bytes.extend_from_slice(&length.to_le_bytes()),
            None => {
                self.bytes.extend_from_slice(&[0, 0]);
                self.bytes.extend_from_slice(&length.to_le_bytes());
            }
        }
        Ok(())
    }
    /// An item, or the end of something (PS3.5 §7.5).
    fn mark(&mut self, element: u16, length: u32) {
        self.tag(Tag(0xFFFE, element));
        self.bytes.extend_from_slice(&length.to_le_bytes());
    }
    fn cut(&mut self) {
        if !self.bytes.is_empty() {
            self.pieces.push(Piece::Bytes(std::mem::take(&mut self.bytes)));
        }
    }
    fn source(&mut self, source: usize, length: u64, vr: VR) {
        self.cut();
        self.pieces.push(Piece::Source(source));
        if length % 2 == 1 {
            self.bytes.push(vr::padding(vr));
        }
    }
    fn bulk(&mut self, tag: Tag, vr: VR, bulk: Bulk) -> Result<(), Fault> {
        let even = |length: u64| {
            let length = length.saturating_add(length % 2);
            if length > LONGEST { Err(Fault::TooLong) } else { u32::try_from(length).map_err(|_| Fault::TooLong) }
        };
        match bulk {
            Bulk::Native { source, length } => {
                if vr::kind(vr) != vr::Kind::Text && !length.is_multiple_of(vr::word(vr) as u64) {
                    return Err(Fault::Value);
                }
                self.header(tag, vr, even(length)?)?;
                self.source(source, length, vr);
            }
            Bulk::Encapsulated(frames) => {
                self.header(tag, VR::OB, UNDEFINED)?;
                // An empty Basic Offset Table: frames have one fragment each.
                self.mark(0xE000, 0);
                for (source, length) in frames {
                    let padded = even(length)?;
                    self.mark(0xE000, padded);
                    self.source(source, length, VR::OB);
                }
                self.mark(0xE0DD, 0);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
