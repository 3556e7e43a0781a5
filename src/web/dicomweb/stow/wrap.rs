//! One data set of the metadata made ready to be written: its bulk data found, its pixels described, its
//! document typed. What the bulk data says of itself fills what the metadata leaves out (PS3.18 §10.5.1.2).

use super::attributes::{At, fill, text, uri, uris};
use super::metadata::{BulkPart, Collected};
use super::outcome::Failed;
use super::pixels::{head, pixels, stated};
use crate::archive::Spool;
use crate::domain::codestream;
use crate::domain::compose::{self, Bulk, ComposeError, Fault, Piece};
use crate::domain::failure::Failure;
use crate::domain::instance::hex_tag;
use crate::domain::transfer_syntax::{self, EXPLICIT_VR_LITTLE_ENDIAN, TransferSyntax};
use crate::domain::uid::{SeriesInstanceUid, SopClassUid, SopInstanceUid, StudyInstanceUid};
use crate::web::dicomweb::media::OCTETS;
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

/// Encapsulated Document Storage SOP Classes and what they hold (PS3.3 §A.45, §A.85, ...).
const DOCUMENTS: [(&str, &[&str]); 5] = [
    ("1.2.840.10008.5.1.4.1.1.104.1", &[PDF]),
    ("1.2.840.10008.5.1.4.1.1.104.2", &["text/xml", "application/xml", "application/hl7-sda+xml"]),
    ("1.2.840.10008.5.1.4.1.1.104.3", &["model/stl", "application/sla", "application/vnd.ms-pki.stl"]),
    ("1.2.840.10008.5.1.4.1.1.104.4", &["model/obj"]),
    ("1.2.840.10008.5.1.4.1.1.104.5", &["model/mtl"]),
];
const PDF: &str = "application/pdf";

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
