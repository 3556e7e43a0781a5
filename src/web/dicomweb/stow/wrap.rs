//! One data set of the metadata made ready to be written: its bulk data found, its pixels described, its
//! document typed. What the bulk data says of itself fills what the metadata leaves out (PS3.18 §10.5.1.2).

use super::metadata::{BulkPart, Collected};
use super::outcome::Failed;
use crate::archive::Spool;
use crate::domain::codestream::{self, Picture};
use crate::domain::compose::{self, Bulk, ComposeError, Fault, Piece};
use crate::domain::failure::Failure;
use crate::domain::instance::hex_tag;
use crate::domain::transfer_syntax::{self, EXPLICIT_VR_LITTLE_ENDIAN, Encoding, Frames, TransferSyntax};
use crate::domain::uid::{SeriesInstanceUid, SopClassUid, SopInstanceUid, StudyInstanceUid};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dicom_core::{Tag, VR};
use dicom_dictionary_std::tags;
use serde_json::{Map, Value, json};

/// A data set in pieces.
#[derive(Debug)]
pub struct Wrapped {
    pub class: SopClassUid,
    pub instance: SopInstanceUid,
    pub syntax: &'static TransferSyntax,
    pub pieces: Vec<Piece>,
}

/// Required with Pixel Data (PS3.3 §C.7.6.3).
const IMAGE: [Tag; 8] = [
    tags::SAMPLES_PER_PIXEL,
    tags::PHOTOMETRIC_INTERPRETATION,
    tags::ROWS,
    tags::COLUMNS,
    tags::BITS_ALLOCATED,
    tags::BITS_STORED,
    tags::HIGH_BIT,
    tags::PIXEL_REPRESENTATION,
];
/// Encapsulated Document Storage SOP Classes and what they hold (PS3.3 §A.45, §A.85, ...).
const DOCUMENTS: [(&str, &[&str]); 5] = [
    ("1.2.840.10008.5.1.4.1.1.104.1", &[PDF]),
    ("1.2.840.10008.5.1.4.1.1.104.2", &["text/xml", "application/xml", "application/hl7-sda+xml"]),
    ("1.2.840.10008.5.1.4.1.1.104.3", &["model/stl", "application/sla", "application/vnd.ms-pki.stl"]),
    ("1.2.840.10008.5.1.4.1.1.104.4", &["model/obj"]),
    ("1.2.840.10008.5.1.4.1.1.104.5", &["model/mtl"]),
];
const PDF: &str = "application/pdf";
const OCTETS: &str = "application/octet-stream";
/// Where an MP4 file names its sample entries.
const ENDS: u64 = 64 << 10;

/// What a data set says its instance is, as far as it does.
pub fn names(dataset: &Map<String, Value>) -> (Option<SopClassUid>, Option<SopInstanceUid>) {
    let class = text(dataset, tags::SOP_CLASS_UID).and_then(|uid| SopClassUid::parse(uid).ok());
    let instance = text(dataset, tags::SOP_INSTANCE_UID).and_then(|uid| SopInstanceUid::parse(uid).ok());
    (class, instance)
}

/// `alone`: all bulk data that came can only be meant for this data set.
pub fn wrap(
    mut dataset: Map<String, Value>,
    collected: &mut Collected,
    depth_max: u32,
    alone: bool,
) -> Result<Wrapped, Failed> {
    let Collected { bulk, spool, .. } = collected;
    if alone {
        refer(&mut dataset, bulk);
    }
    mark(&dataset, bulk);
    let (class, instance) = names(&dataset);
    let missing = |tag| Failed::new(Failure::CANNOT_UNDERSTAND, format!("{}: UID missing or ill-formed", At(tag)));
    let class = class.ok_or(missing(tags::SOP_CLASS_UID))?;
    let instance = instance.ok_or(missing(tags::SOP_INSTANCE_UID))?;
    text(&dataset, tags::STUDY_INSTANCE_UID)
        .and_then(|uid| StudyInstanceUid::parse(uid).ok())
        .ok_or(missing(tags::STUDY_INSTANCE_UID))?;
    text(&dataset, tags::SERIES_INSTANCE_UID)
        .and_then(|uid| SeriesInstanceUid::parse(uid).ok())
        .ok_or(missing(tags::SERIES_INSTANCE_UID))?;
    let said = text(&dataset, tags::TRANSFER_SYNTAX_UID).and_then(transfer_syntax::lookup);
    document(&mut dataset, &class, bulk, spool.as_ref())?;
    let pixels = pixels(&mut dataset, bulk, spool.as_ref(), said)?;
    let native = || transfer_syntax::lookup(EXPLICIT_VR_LITTLE_ENDIAN);
    let syntax = pixels.as_ref().map(|pixels| pixels.0).or_else(native);
    let syntax = syntax.ok_or_else(|| Failed::new(Failure::PROCESSING_FAILURE, "no transfer syntax"))?;
    let mut fault = None;
    let mut find = |tag: Tag, uri: &str| {
        if let (true, Some((_, Some(pixels)))) = (tag == tags::PIXEL_DATA, &pixels) {
            return Some(pixels.clone());
        }
        let mut named = bulk.iter().enumerate().filter(|(_, part)| part.is_named(uri));
        let (source, part) = named.next()?;
        if named.next().is_some() {
            let comment = format!("{}: several parts have its BulkDataURI", At(tag));
            fault.get_or_insert(Failed::new(Failure::CANNOT_UNDERSTAND, comment));
        }
        if let Some(error) = &part.broken {
            fault.get_or_insert(Failed::from(error));
        }
        if let Err(failed) = stated(part) {
            fault.get_or_insert(failed);
        }
        Some(Bulk::Native { source, length: part.length() })
    };
    let pieces = compose::compose(&dataset, depth_max, &mut find);
    if let Some(failed) = fault {
        return Err(failed);
    }
    Ok(Wrapped { class, instance, syntax, pieces: pieces.map_err(|error| failed(&error))? })
}

fn failed(error: &ComposeError) -> Failed {
    let reason = match error.fault {
        Fault::NoBulkData => Failure::BULK_DATA_MISSING,
        Fault::Member | Fault::Vr | Fault::Value | Fault::TooLong | Fault::TooDeep => Failure::METADATA_NOT_UNDERSTOOD,
    };
    Failed::new(reason, error.to_string())
}

/// A document or an image whose metadata refers to nothing, and one kind of bulk data: they belong together. What is
/// no document does not become the Pixel Data of a class that holds one: [`document`] refuses it.
fn refer(dataset: &mut Map<String, Value>, bulk: &mut [BulkPart]) {
    let Some(first) = bulk.first() else { return };
    let media = first.content.media.clone();
    let inline = [tags::PIXEL_DATA, tags::ENCAPSULATED_DOCUMENT].iter().any(|tag| dataset.contains_key(&hex_tag(*tag)));
    if inline || !uris(dataset).is_empty() || bulk.iter().any(|part| part.content.media != media) {
        return;
    }
    let class = text(dataset, tags::SOP_CLASS_UID).unwrap_or_default();
    let document = DOCUMENTS.iter().any(|(uid, taken)| *uid == class || taken.contains(&media.as_str()));
    // Several frames make an image; a document is one.
    if document && bulk.len() > 1 {
        return;
    }
    let tag = if document { tags::ENCAPSULATED_DOCUMENT } else { tags::PIXEL_DATA };
    const UNNAMED: &str = "urn:bluebridge:part";
    bulk.iter_mut().for_each(|part| part.name(UNNAMED));
    dataset.insert(hex_tag(tag), json!({"vr": "OB", "BulkDataURI": UNNAMED}));
}

/// Parts that a data set refers to have their answer in that of the data set.
fn mark(dataset: &Map<String, Value>, bulk: &mut [BulkPart]) {
    for uri in uris(dataset) {
        bulk.iter_mut().filter(|part| part.is_named(uri)).for_each(|part| part.used = true);
    }
}

/// Every BulkDataURI, also those within items of sequences.
fn uris(dataset: &Map<String, Value>) -> Vec<&str> {
    let mut found = Vec::new();
    let mut waiting: Vec<&Value> = dataset.values().collect();
    while let Some(value) = waiting.pop() {
        match value {
            Value::Object(members) => {
                found.extend(members.get("BulkDataURI").and_then(Value::as_str));
                waiting.extend(members.values());
            }
            Value::Array(values) => waiting.extend(values),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    found
}

/// Types an encapsulated document (PS3.3 §C.24.2) and holds it against the SOP Class.
fn document(
    dataset: &mut Map<String, Value>,
    class: &SopClassUid,
    bulk: &[BulkPart],
    spool: Option<&Spool>,
) -> Result<(), Failed> {
    let Some(uri) = uri(dataset, tags::ENCAPSULATED_DOCUMENT) else { return Ok(()) };
    let Some(part) = bulk.iter().find(|part| part.is_named(uri)) else { return Ok(()) };
    let media = part.content.media.clone();
    let taken = DOCUMENTS.iter().find(|(uid, _)| *uid == class.as_str()).map(|(_, taken)| *taken);
    if media != OCTETS && taken.is_some_and(|taken| !taken.contains(&media.as_str())) {
        let comment = "the document is not of the type that the SOP Class holds";
        return Err(Failed::new(Failure::DATA_SET_DOES_NOT_MATCH, comment));
    }
    let length = part.length();
    let is_pdf = taken.is_some_and(|taken| taken.contains(&PDF)) || media == PDF;
    if length == 0 || (is_pdf && !codestream::is_pdf(&head(spool, part, codestream::PDF_HEAD)?)) {
        let comment = "the part is not the document that it is said to be";
        return Err(Failed::new(Failure::DATA_SET_DOES_NOT_MATCH, comment));
    }
    let media = taken.and_then(|taken| taken.first()).map_or(media, |first| (*first).to_owned());
    fill(dataset, tags::MIME_TYPE_OF_ENCAPSULATED_DOCUMENT, VR::LO, media.into());
    if u32::try_from(length).is_ok() {
        fill(dataset, tags::ENCAPSULATED_DOCUMENT_LENGTH, VR::UL, length.into());
    }
    Ok(())
}

/// How Pixel Data is written: its transfer syntax, and its frames when they are compressed.
type Pixels = (&'static TransferSyntax, Option<Bulk>);

/// Finds the pixels and describes them; `None` when there are none, or all is in the metadata itself.
fn pixels(
    dataset: &mut Map<String, Value>,
    bulk: &[BulkPart],
    spool: Option<&Spool>,
    said: Option<&'static TransferSyntax>,
) -> Result<Option<Pixels>, Failed> {
    let Some(uri) = uri(dataset, tags::PIXEL_DATA).map(str::to_owned) else {
        if dataset.contains_key(&hex_tag(tags::PIXEL_DATA)) {
            described(dataset)?;
        }
        if let Some(value) = inline(dataset, tags::PIXEL_DATA) {
            native(dataset, &value, value.len() as u64)?;
        }
        return Ok(None);
    };
    let parts: Vec<(usize, &BulkPart)> = bulk.iter().enumerate().filter(|(_, part)| part.is_named(&uri)).collect();
    let Some((_, first)) = parts.first() else { return Ok(None) };
    let (content, range) = (first.content.clone(), first.range.clone());
    if let Some(error) = parts.iter().find_map(|(_, part)| part.broken.clone()) {
        return Err(Failed::from(&error));
    }
    let head = head(spool, first, codestream::HEAD)?;
    if codestream::is_boxed(&head) {
        let comment = "Pixel Data holds JPEG 2000 codestreams, not JP2 files (PS3.5 A.4.4)";
        return Err(Failed::new(Failure::CANNOT_UNDERSTAND, comment));
    }
    let picture = codestream::read(&head);
    let said = stated(first)?.or(said);
    if said.is_some_and(|said| !is_plain(said)) {
        return Err(unsupported());
    }
    let encoded = said.filter(|syntax| !syntax.is_native());
    let syntax = if content.media == OCTETS && encoded.is_none() {
        None
    } else {
        Some(compressed(&content.media, picture, encoded, spool, &range)?)
    };
    let Some(syntax) = syntax else {
        described(dataset)?;
        if parts.len() > 1 {
            let comment = "uncompressed Pixel Data comes in one part";
            return Err(Failed::new(Failure::CANNOT_UNDERSTAND, comment));
        }
        native(dataset, &head, range.end - range.start)?;
        return Ok(None);
    };
    for (_, part) in &parts {
        if !codestream::may_be(syntax.media_type, &self::head(spool, part, codestream::SIGNATURE)?) {
            return Err(not_that_image());
        }
    }
    if let Some(picture) = picture {
        describe(dataset, &picture);
    }
    described(dataset)?;
    if syntax.frames == Frames::Lossy {
        fill(dataset, tags::LOSSY_IMAGE_COMPRESSION, VR::CS, "01".into());
        if let Some(method) = method(syntax) {
            fill(dataset, tags::LOSSY_IMAGE_COMPRESSION_METHOD, VR::CS, method.into());
        }
    }
    let count = parts.len();
    if syntax.frames == Frames::Video {
        if count > 1 {
            return Err(Failed::new(Failure::CANNOT_UNDERSTAND, "a video comes in one part"));
        }
    } else if count > 1 || dataset.contains_key(&hex_tag(tags::NUMBER_OF_FRAMES)) {
        fill(dataset, tags::NUMBER_OF_FRAMES, VR::IS, count.into());
        if number(dataset, tags::NUMBER_OF_FRAMES) != u64::try_from(count).ok() {
            let comment = format!("{}: not the number of frames that came", At(tags::NUMBER_OF_FRAMES));
            return Err(Failed::new(Failure::DATA_SET_DOES_NOT_MATCH, comment));
        }
    }
    let frames = parts.iter().map(|(source, part)| (*source, part.length()));
    Ok(Some((syntax, Some(Bulk::Encapsulated(frames.collect())))))
}

/// The transfer syntax of compressed pixels: what the bytes say, before what the sender says, before what
/// the media type stands for (PS3.18 §8.7.3.3).
fn compressed(
    media: &str,
    picture: Option<Picture>,
    said: Option<&'static TransferSyntax>,
    spool: Option<&Spool>,
    range: &std::ops::Range<u64>,
) -> Result<&'static TransferSyntax, Failed> {
    if let Some(picture) = picture {
        // JPEG 2000 may be called lossy although its wavelet is not; then the sender knows more.
        let agrees =
            |said: &&TransferSyntax| said.media_type == picture.syntax.media_type && said.frames == Frames::Lossy;
        return Ok(said.filter(agrees).filter(|_| picture.syntax.media_type == "image/jp2").unwrap_or(picture.syntax));
    }
    const READ: [&str; 4] = ["image/jpeg", "image/jls", "image/jp2", "image/jphc"];
    if let Some(said) = said {
        // Codestreams that can be read speak for themselves.
        return if READ.contains(&said.media_type) { Err(not_that_image()) } else { Ok(said) };
    }
    let uid = match media {
        "video/mpeg" => "1.2.840.10008.1.2.4.100",
        "video/mp4" if hevc(spool, range)? => "1.2.840.10008.1.2.4.107",
        "video/mp4" => "1.2.840.10008.1.2.4.102",
        "video/h265" => "1.2.840.10008.1.2.4.107",
        "image/dicom-rle" | "image/x-dicom-rle" => "1.2.840.10008.1.2.5",
        "image/jph" => return Err(not_that_image()),
        media if READ.contains(&media) => return Err(not_that_image()),
        _ => return Err(unsupported()),
    };
    transfer_syntax::lookup(uid).ok_or_else(unsupported)
}

/// The transfer syntax that a part states for itself. Bulk data is written as it came, so numbers in big endian and
/// what is deflated would become something else (PS3.18 §8.7.3.3.2: uncompressed bulk data is little endian).
fn stated(part: &BulkPart) -> Result<Option<&'static TransferSyntax>, Failed> {
    let Some(uid) = part.content.get("transfer-syntax") else { return Ok(None) };
    transfer_syntax::lookup(uid).filter(|syntax| is_plain(syntax)).map(Some).ok_or_else(unsupported)
}

fn is_plain(syntax: &TransferSyntax) -> bool {
    !syntax.is_native() || matches!(syntax.encoding, Encoding::ExplicitLittle | Encoding::ImplicitLittle)
}

fn unsupported() -> Failed {
    Failed::new(Failure::TRANSFER_SYNTAX_NOT_SUPPORTED, "bulk data is not taken in such a transfer syntax")
}

fn not_that_image() -> Failed {
    Failed::new(Failure::CANNOT_UNDERSTAND, "the part is no readable image of the kind that it is said to be")
}

/// The first bytes of a part, at most so many.
fn head(spool: Option<&Spool>, part: &BulkPart, most: u64) -> Result<Vec<u8>, Failed> {
    let Some(spool) = spool else { return Ok(Vec::new()) };
    spool.head(&part.range, most).map_err(|error| Failed::from(&error))
}

fn hevc(spool: Option<&Spool>, range: &std::ops::Range<u64>) -> Result<bool, Failed> {
    let Some(spool) = spool else { return Ok(false) };
    let read = |range| spool.head(&range, ENDS).map_err(|error| Failed::from(&error));
    let end = range.end.saturating_sub(ENDS).max(range.start)..range.end;
    Ok(codestream::is_hevc(&read(range.clone())?) || codestream::is_hevc(&read(end)?))
}

/// (0028,2114), PS3.3 §C.7.6.1.1.5.1.
fn method(syntax: &TransferSyntax) -> Option<&'static str> {
    match syntax.media_type {
        "image/jpeg" => Some("ISO_10918_1"),
        "image/jls" => Some("ISO_14495_1"),
        "image/jp2" => Some("ISO_15444_1"),
        "image/jphc" => Some("ISO_15444_15"),
        _ => None,
    }
}

/// What the codestream says replaces what the metadata says of the same: only one of them is drawn.
fn describe(dataset: &mut Map<String, Value>, picture: &Picture) {
    let allocated = if picture.bits_stored <= 8 { 8 } else { 16 };
    let numbers = [
        (tags::ROWS, picture.rows),
        (tags::COLUMNS, picture.columns),
        (tags::SAMPLES_PER_PIXEL, picture.samples_per_pixel),
        (tags::BITS_STORED, picture.bits_stored),
        (tags::HIGH_BIT, picture.bits_stored.saturating_sub(1)),
        (tags::BITS_ALLOCATED, allocated),
    ];
    for (tag, number) in numbers {
        put(dataset, tag, VR::US, number.into());
    }
    // These may say more than the codestream knows: an inverted scale, a sign, a palette. One sample is no colour, and
    // three are no grey, though.
    let one = text(dataset, tags::PHOTOMETRIC_INTERPRETATION)
        .is_some_and(|said| matches!(said, "MONOCHROME1" | "MONOCHROME2" | "PALETTE COLOR"));
    if one != (picture.samples_per_pixel == 1) {
        dataset.remove(&hex_tag(tags::PHOTOMETRIC_INTERPRETATION));
    }
    fill(dataset, tags::PHOTOMETRIC_INTERPRETATION, VR::CS, picture.photometric_interpretation.into());
    fill(dataset, tags::PIXEL_REPRESENTATION, VR::US, u16::from(picture.signed).into());
    if picture.samples_per_pixel > 1 {
        fill(dataset, tags::PLANAR_CONFIGURATION, VR::US, 0.into());
    }
}

fn described(dataset: &Map<String, Value>) -> Result<(), Failed> {
    match IMAGE.iter().find(|tag| first(dataset, **tag).is_none()) {
        None => Ok(()),
        Some(tag) => {
            let comment = format!("{}: missing, and required with Pixel Data", At(*tag));
            Err(Failed::new(Failure::DATA_SET_DOES_NOT_MATCH, comment))
        }
    }
}

/// A value that stands in the metadata itself; what is no base64 is refused where it is written.
fn inline(dataset: &Map<String, Value>, tag: Tag) -> Option<Vec<u8>> {
    let text = dataset.get(&hex_tag(tag))?.get("InlineBinary")?.as_str()?;
    STANDARD.decode(text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect::<Vec<_>>()).ok()
}

/// The beginning of an item (PS3.5 §7.5): of compressed Pixel Data as it stands in a file.
const ITEM: [u8; 4] = [0xFE, 0xFF, 0x00, 0xE0];

/// Uncompressed pixels must be as many as the metadata says (PS3.5 §8.1.1), and no items with compressed frames, which
/// may be more bytes than those.
fn native(dataset: &Map<String, Value>, head: &[u8], length: u64) -> Result<(), Failed> {
    let frames = number(dataset, tags::NUMBER_OF_FRAMES).or(Some(1));
    let factors =
        [tags::ROWS, tags::COLUMNS, tags::SAMPLES_PER_PIXEL, tags::BITS_ALLOCATED].map(|tag| number(dataset, tag));
    let bits = factors.into_iter().chain([frames]).try_fold(1_u64, |product, factor| product.checked_mul(factor?));
    // 4:2:2 has two samples a pixel where three are declared.
    let subsampled = text(dataset, tags::PHOTOMETRIC_INTERPRETATION) == Some("YBR_FULL_422");
    let expected = bits.map(|bits| if subsampled { bits / 3 * 2 } else { bits }.div_ceil(8));
    if head.starts_with(&ITEM) && expected.is_none_or(|expected| length != expected.next_multiple_of(2)) {
        let comment = "compressed Pixel Data comes as its frames, without items";
        return Err(Failed::new(Failure::CANNOT_UNDERSTAND, comment));
    }
    match expected {
        Some(expected) if length >= expected => Ok(()),
        _ => Err(Failed::new(Failure::DATA_SET_DOES_NOT_MATCH, "Pixel Data is shorter than its attributes say")),
    }
}

fn first(dataset: &Map<String, Value>, tag: Tag) -> Option<&Value> {
    dataset.get(&hex_tag(tag))?.get("Value")?.as_array()?.first().filter(|value| !value.is_null())
}

fn text(dataset: &Map<String, Value>, tag: Tag) -> Option<&str> {
    first(dataset, tag)?.as_str()
}

fn number(dataset: &Map<String, Value>, tag: Tag) -> Option<u64> {
    let value = first(dataset, tag)?;
    value.as_u64().or_else(|| value.as_str()?.trim().parse().ok())
}

fn uri(dataset: &Map<String, Value>, tag: Tag) -> Option<&str> {
    dataset.get(&hex_tag(tag))?.get("BulkDataURI")?.as_str()
}

fn put(dataset: &mut Map<String, Value>, tag: Tag, vr: VR, value: Value) {
    dataset.insert(hex_tag(tag), json!({"vr": vr.to_string(), "Value": [value]}));
}

fn fill(dataset: &mut Map<String, Value>, tag: Tag, vr: VR, value: Value) {
    if first(dataset, tag).is_none() {
        put(dataset, tag, vr, value);
    }
}

/// `(gggg,eeee)`
struct At(Tag);

impl std::fmt::Display for At {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "({:04X},{:04X})", self.0.0, self.0.1)
    }
}
