//! What the reading pass makes of the events of the walk.

use super::image::Image;
use crate::domain::attributes::{self, Attributes};
use crate::domain::instance::{BulkValue, InstanceFacts, hex_tag};
use crate::domain::json::{self, SPECIFIC_CHARACTER_SET, UTF_8};
use crate::domain::metadata::{Encoder, quote};
use crate::domain::text::Charset;
use crate::domain::transfer_syntax::TransferSyntax;
use crate::domain::uid::{SeriesInstanceUid, SopClassUid, SopInstanceUid, StudyInstanceUid};
use crate::domain::vr::{self, Kind};
use crate::domain::walker::{Element, Event, Fault, Length, Limit, ReadError, Visitor};
use dicom_core::{Tag, VR};
use dicom_dictionary_std::tags;

/// Longer binary values, and longer texts and lists of numbers, become bulk values.
const BINARY_MAX: u32 = 1 << 10;
const TEXT_MAX: u32 = 64 << 10;
/// Items of one sequence that are searched: a series answers a handful of requests.
const SEARCHED_ITEMS_MAX: usize = 256;

pub(super) struct Sink {
    encoder: Encoder,
    image: Image,
    /// Encapsulated Pixel Data is refused: the transfer syntax has none.
    is_native: bool,
    /// The data set and the items that are open.
    items: Vec<Item>,
    /// The sequences that are open; one less than `items` or as many.
    sequences: Vec<Sequence>,
    open: Open,
    /// The value being held.
    value: Vec<u8>,
    attributes: Attributes,
    uids: [Option<String>; 4],
    /// Of the open item of a sequence whose items are searched.
    of_item: Vec<(Tag, String)>,
    charset_written: bool,
}

#[derive(Default)]
struct Item {
    members: bool,
    /// Of (0008,0005) in here; the enclosing one's holds otherwise (PS3.3 §C.12.1.1.2).
    charset: Option<Charset>,
}

struct Sequence {
    tag: Tag,
    items: u32,
}

/// What is done with the bytes that come.
enum Open {
    Nothing,
    /// Kept, up to the limits above.
    Held(Element),
    /// Not even looked at.
    Skipped,
    /// (7FE0,0001) or (7FE0,0002) of the data set.
    OffsetTable(Tag),
    /// Encapsulated; of the data set itself, or of an item.
    Fragments {
        element: Element,
        frames: bool,
    },
}

/// The UIDs that identify an instance, in the order of `Sink::uids`.
const IDENTITY: [Tag; 4] =
    [tags::SOP_CLASS_UID, tags::SOP_INSTANCE_UID, tags::STUDY_INSTANCE_UID, tags::SERIES_INSTANCE_UID];

impl Sink {
    pub(super) fn new(syntax: &TransferSyntax) -> Self {
        let mut encoder = Encoder::new();
        encoder.text().push(b'{');
        Self {
            encoder,
            image: Image::new(syntax),
            is_native: syntax.is_native(),
            items: vec![Item::default()],
            sequences: Vec::new(),
            open: Open::Nothing,
            value: Vec::new(),
            attributes: Attributes::default(),
            uids: [const { None }; 4],
            of_item: Vec::new(),
            charset_written: false,
        }
    }

    pub(super) fn takes_fragments(&mut self) {
        self.is_native = false;
    }

    pub(super) fn finish(mut self) -> Result<InstanceFacts, ReadError> {
        self.charset_before(Tag(0xFFFF, 0xFFFF));
        self.encoder.text().push(b'}');
        let [class, instance, study, series] = self.uids;
        let [class_tag, instance_tag, study_tag, series_tag] = IDENTITY;
        let missing = |tag| ReadError::Uid { tag };
        let at = |value: Option<String>, tag| value.ok_or(missing(tag));
        Ok(InstanceFacts {
            sop_class_uid: SopClassUid::parse(&at(class, class_tag)?).map_err(|_| missing(class_tag))?,
            sop_instance_uid: SopInstanceUid::parse(&at(instance, instance_tag)?).map_err(|_| missing(instance_tag))?,
            study_instance_uid: StudyInstanceUid::parse(&at(study, study_tag)?).map_err(|_| missing(study_tag))?,
            series_instance_uid: SeriesInstanceUid::parse(&at(series, series_tag)?).map_err(|_| missing(series_tag))?,
            attributes: self.attributes,
            pixels: self.image.finish(),
            metadata: self.encoder.finish().map_err(|limit| ReadError::Limit { limit, tag: None })?,
        })
    }

    pub(super) fn named(&self) -> Result<(SopClassUid, SopInstanceUid), Tag> {
        let [class, instance, ..] = &self.uids;
        let text = |uid: &Option<String>| uid.clone().unwrap_or_default();
        Ok((
            SopClassUid::parse(&text(class)).map_err(|_| tags::SOP_CLASS_UID)?,
            SopInstanceUid::parse(&text(instance)).map_err(|_| tags::SOP_INSTANCE_UID)?,
        ))
    }

    fn at_root(&self) -> bool {
        self.sequences.is_empty()
    }

    /// Begins the member `tag` of the innermost item: comma, name, opening brace.
    fn member(&mut self, tag: Tag) {
        if self.at_root() {
            self.charset_before(tag);
        }
        let Some(item) = self.items.last_mut() else { return };
        let out = self.encoder.text();
        if std::mem::replace(&mut item.members, true) {
            out.push(b',');
        }
        quote(out, &hex_tag(tag));
        out.extend_from_slice(b":{");
    }

    /// Writes (0008,0005) of the data set once, in its place, whether the data set has it or not.
    fn charset_before(&mut self, tag: Tag) {
        if tag >= SPECIFIC_CHARACTER_SET && !std::mem::replace(&mut self.charset_written, true) {
            self.charset_member();
        }
    }

    fn charset_member(&mut self) {
        let Some(item) = self.items.last_mut() else { return };
        let out = self.encoder.text();
        if std::mem::replace(&mut item.members, true) {
            out.push(b',');
        }
        quote(out, &hex_tag(SPECIFIC_CHARACTER_SET));
        out.push(b':');
        out.extend_from_slice(b"{\"vr\":\"CS\",\"Value\":[");
        quote(out, UTF_8);
        out.extend_from_slice(b"]}");
    }

    /// Writes a member whose value is a bulk value, and notes where it is.
    fn bulk(&mut self, tag: Tag, vr: VR, value: std::ops::Range<u64>) -> Result<(), ReadError> {
        self.member(tag);
        let out = self.encoder.text();
        json::write_vr(out, vr);
        if value.end > value.start {
            out.extend_from_slice(b",\"BulkDataURI\":\"");
            let path = self.path(tag);
            self.encoder.cut(BulkValue { path, vr, value }).map_err(|limit| ReadError::limit(limit, tag))?;
            self.encoder.text().push(b'"');
        }
        self.encoder.text().push(b'}');
        Ok(())
    }

    fn path(&self, tag: Tag) -> String {
        let mut path = String::new();
        for sequence in &self.sequences {
            path.push_str(&hex_tag(sequence.tag));
            path.push('/');
            path.push_str(&sequence.items.saturating_sub(1).to_string());
            path.push('/');
        }
        path.push_str(&hex_tag(tag));
        path
    }

    fn element(&mut self, element: &Element) -> Result<(), ReadError> {
        let (tag, vr) = (element.tag, element.vr);
        let length = if let Length::Defined(length) = element.length { length } else { 0 };
        if is_left_out(tag) {
            self.open = Open::Skipped;
            return Ok(());
        }
        let pixels = tag.0 == 0x7FE0;
        let overlay = tag.0 & 0xFF00 == 0x6000 && tag.1 == 0x3000;
        let max = if vr::kind(vr) == Kind::Binary { BINARY_MAX } else { TEXT_MAX };
        if length == 0 || !(pixels || overlay || length > max) {
            self.value.clear();
            self.open = Open::Held(element.clone());
            return Ok(());
        }
        let value = element.value_offset..element.value_offset + u64::from(length);
        self.open = Open::Skipped;
        if pixels && self.at_root() {
            self.image.native(tag, value.clone());
            if matches!(tag.1, 0x0001 | 0x0002) {
                self.open = Open::OffsetTable(tag);
            }
        }
        self.bulk(tag, vr, value)
    }

    fn end(&mut self) -> Result<(), ReadError> {
        if let Open::Fragments { frames, .. } = &self.open {
            if *frames {
                self.image.fragment_end();
            }
            return Ok(());
        }
        match std::mem::replace(&mut self.open, Open::Nothing) {
            Open::Held(element) => self.held(&element),
            Open::OffsetTable(tag) => {
                self.image.table_end(tag);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// A whole value is there.
    fn held(&mut self, element: &Element) -> Result<(), ReadError> {
        let value = std::mem::take(&mut self.value);
        let (tag, vr, big_endian) = (element.tag, element.vr, element.syntax.big_endian);
        if tag == SPECIFIC_CHARACTER_SET {
            self.charset(&value);
        } else {
            let charset = self.items.iter().rev().find_map(|item| item.charset.as_ref());
            let values = match charset {
                Some(charset) => json::decode(charset, vr, &value),
                None => json::decode(&Charset::default(), vr, &value),
            };
            self.member(tag);
            let out = self.encoder.text();
            json::write(out, vr, &value, big_endian, &values);
            out.push(b'}');
            if self.at_root() {
                self.image.attribute(tag, vr, &value, big_endian, &values);
                self.searchable(tag, vr, &value, big_endian, values);
            } else if let [sequence] = self.sequences.as_slice()
                && attributes::lookup(tag).is_some_and(|attribute| attribute.within == Some(sequence.tag))
            {
                self.of_item.push((tag, values.into_iter().next().unwrap_or_default()));
            }
        }
        self.value = value;
        self.settle(tag)
    }

    fn charset(&mut self, value: &[u8]) {
        let text = String::from_utf8_lossy(value);
        let terms: Vec<&str> = text.split('\\').map(|term| term.trim_matches([' ', '\0'])).collect();
        // An empty (0008,0005) of an item changes nothing.
        if terms.iter().any(|term| !term.is_empty())
            && let Some(item) = self.items.last_mut()
        {
            item.charset = Some(Charset::from_values(&terms));
        }
        if self.at_root() { self.charset_before(SPECIFIC_CHARACTER_SET) } else { self.charset_member() }
    }

    fn searchable(&mut self, tag: Tag, vr: VR, value: &[u8], big_endian: bool, values: Vec<String>) {
        if let Some(at) = IDENTITY.iter().position(|identity| *identity == tag)
            && let Some(uid) = self.uids.get_mut(at)
        {
            // Several values are no UID, and must not be cut down to one.
            *uid = Some(values.join("\\"));
        }
        if attributes::lookup(tag).is_some_and(|attribute| !attribute.aggregate && attribute.within.is_none()) {
            let values = match vr::kind(vr) {
                Kind::Text => values,
                Kind::Number => json::numbers(vr, value, big_endian),
                _ => return,
            };
            self.attributes.set(tag, values);
        }
    }

    /// The open item ends: its searched values, one for each attribute of the sequence.
    fn item_ends(&mut self) {
        let of_item = std::mem::take(&mut self.of_item);
        let ([sequence], true) = (self.sequences.as_slice(), of_item.iter().any(|(_, value)| !value.is_empty())) else {
            return;
        };
        for attribute in attributes::members(sequence.tag) {
            let values = self.attributes.0.entry(attribute.tag).or_default();
            if values.len() < SEARCHED_ITEMS_MAX {
                let value = of_item.iter().find(|(tag, _)| *tag == attribute.tag).map(|(_, value)| value.clone());
                values.push(value.unwrap_or_default());
            }
        }
    }

    fn settle(&mut self, tag: Tag) -> Result<(), ReadError> {
        self.encoder.settle().map_err(|limit: Limit| ReadError::limit(limit, tag))
    }
}

impl Visitor for Sink {
    fn event(&mut self, event: Event<'_>) -> Result<(), ReadError> {
        match event {
            Event::Bytes(bytes) => match &self.open {
                Open::Nothing | Open::Skipped | Open::Fragments { frames: false, .. } => {}
                Open::Held(_) => self.value.extend_from_slice(bytes),
                Open::OffsetTable(_) => self.image.table_bytes(bytes),
                Open::Fragments { frames: true, .. } => self.image.fragment_bytes(bytes),
            },
            Event::Element(element) => return self.element(element),
            Event::End => return self.end(),
            Event::Sequence(element) => {
                self.member(element.tag);
                json::write_vr(self.encoder.text(), VR::SQ);
                self.sequences.push(Sequence { tag: element.tag, items: 0 });
            }
            Event::SequenceEnd => {
                let items = self.sequences.pop().map_or(0, |sequence| sequence.items);
                self.encoder.text().extend_from_slice(if items > 0 { b"]}" } else { b"}" });
            }
            Event::Item => {
                let Some(sequence) = self.sequences.last_mut() else { return Ok(()) };
                let first = sequence.items == 0;
                sequence.items += 1;
                self.items.push(Item::default());
                self.encoder.text().extend_from_slice(if first { b",\"Value\":[{" } else { b",{" });
            }
            Event::ItemEnd => {
                self.item_ends();
                self.items.pop();
                self.encoder.text().push(b'}');
                return self.settle(crate::domain::walker::ITEM);
            }
            Event::Fragments(element) => {
                let frames = self.at_root() && element.tag == tags::PIXEL_DATA;
                // PS3.5 §A.1 to §A.3, §A.5: which codec it is says the transfer syntax alone, and a native one
                // says that there is none. What is stored so could never be shown, nor sent on.
                if frames && self.is_native {
                    return Err(ReadError::malformed(Fault::Encapsulated, element.tag));
                }
                self.open = Open::Fragments { element: element.clone(), frames };
            }
            Event::Fragment { offset, length } => {
                if let Open::Fragments { frames: true, .. } = self.open {
                    self.image.fragment(offset, length);
                }
            }
            Event::FragmentsEnd { offset } => {
                if let Open::Fragments { element, frames } = std::mem::replace(&mut self.open, Open::Nothing) {
                    let value = element.value_offset..offset;
                    if frames {
                        self.image.encapsulated(element.tag, value.clone());
                    }
                    return self.bulk(element.tag, element.vr, value);
                }
            }
        }
        Ok(())
    }
}

/// Neither searched nor shown: group lengths (PS3.5 §7.2), and command or file meta elements (PS3.7 §6.3,
/// PS3.10 §7) that some device copied into the data set.
fn is_left_out(tag: Tag) -> bool {
    tag.1 == 0 || tag.0 < 0x0004
}
