//! The Pixel Data of a data set that came as metadata: which transfer syntax it is in, described by what its bytes say,
//! and refused when it is not what it is said to be.

use super::attributes::{At, fill, first, inline, number, put, text, uri};
use super::metadata::BulkPart;
use super::outcome::Failed;
use crate::archive::Spool;
use crate::domain::codestream::{self, Picture};
use crate::domain::compose::Bulk;
use crate::domain::failure::Failure;
use crate::domain::instance::hex_tag;
use crate::domain::transfer_syntax::{self, Encoding, Frames, TransferSyntax};
use crate::web::dicomweb::media::OCTETS;
use dicom_core::{Tag, VR};
use dicom_dictionary_std::tags;
use serde_json::{Map, Value};

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
/// Where an MP4 file names its sample entries.
const ENDS: u64 = 64 << 10;

/// How Pixel Data is written: its transfer syntax, and its frames when they are compressed.
pub(super) type Pixels = (&'static TransferSyntax, Option<Bulk>);

/// Finds the pixels and describes them; `None` when there are none, or all is in the metadata itself.
pub(super) fn pixels(
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
pub(super) fn stated(part: &BulkPart) -> Result<Option<&'static TransferSyntax>, Failed> {
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
pub(super) fn head(spool: Option<&Spool>, part: &BulkPart, most: u64) -> Result<Vec<u8>, Failed> {
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
