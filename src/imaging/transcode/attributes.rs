//! The attributes that follow the pixel data into another transfer syntax.

use super::{Form, Target};
use crate::archive::InstanceDetail;
use crate::domain::explicit::Elements;
use crate::domain::recode::Edits;
use crate::domain::transfer_syntax::{Frames, TransferSyntax};
use crate::domain::uid::SopInstanceUid;
use crate::imaging::ImagingError;
use crate::imaging::source::{TEXT_MAX, failed};
use dicom_core::VR;
use dicom_dictionary_std::tags;
use sha2::{Digest, Sha256};

/// What changes in the data set. Of the first frame: its length in the new syntax, and whether its codestream had
/// lost something.
pub(super) async fn edits(
    detail: &InstanceDetail,
    stored: &TransferSyntax,
    target: Target,
    form: &Form,
    (encoded, was_lossy): (usize, bool),
) -> Result<Edits, ImagingError> {
    let mut edits = Edits::default();
    // Offsets of the old frames.
    edits.remove(tags::EXTENDED_OFFSET_TABLE);
    edits.remove(tags::EXTENDED_OFFSET_TABLE_LENGTHS);
    let mut put = pixel_attributes(detail, form);
    // Whatever the object says (PS3.3 §C.7.6.1.1.5).
    let was_lossy = was_lossy || (stored.frames == Frames::Lossy && stored.media_type == "image/jpeg");
    if target.is_lossy() || was_lossy {
        let said = said(detail).await?;
        if target.is_lossy() {
            lossy(&said, detail, target, form, encoded, &mut put, &mut edits);
        } else if said.lossy.first().is_none_or(|said| said != "01") {
            put.text(tags::LOSSY_IMAGE_COMPRESSION, VR::CS, "01");
        }
    }
    edits.put(put);
    Ok(edits)
}

/// Of the Image Pixel Module, what is no longer as declared.
fn pixel_attributes(detail: &InstanceDetail, form: &Form) -> Elements {
    let mut put = Elements::default();
    let Some(facts) = &detail.pixels else { return put };
    let mut number = |tag, declared: u16, now: u16| {
        if declared != now {
            put.us(tag, now);
        }
    };
    if form.samples > 1 {
        number(tags::PLANAR_CONFIGURATION, facts.planar_configuration, form.planar_configuration);
    }
    number(tags::BITS_ALLOCATED, facts.bits_allocated, form.bits_allocated);
    number(tags::BITS_STORED, facts.bits_stored, form.bits_stored);
    number(tags::HIGH_BIT, facts.high_bit, form.high_bit);
    if facts.photometric_interpretation.trim() != form.photometric_interpretation {
        put.text(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, &form.photometric_interpretation);
    }
    put
}

/// PS3.3 §C.7.6.1.1.5, §C.12.4.1.2 and §C.7.6.1.1.3: an instance of its own, derived from the stored one.
fn lossy(
    said: &Said,
    detail: &InstanceDetail,
    target: Target,
    form: &Form,
    encoded: usize,
    put: &mut Elements,
    edits: &mut Edits,
) {
    let row = &detail.row;
    let mut kinds = said.image_type.clone();
    match kinds.first_mut() {
        Some(first) => *first = "DERIVED".into(),
        None => kinds = vec!["DERIVED".into(), "SECONDARY".into()],
    }
    put.text(tags::IMAGE_TYPE, VR::CS, &kinds.join("\\"));
    put.text(tags::SOP_INSTANCE_UID, VR::UI, derived_uid(&row.uids.instance, target).as_str());
    put.text(tags::LOSSY_IMAGE_COMPRESSION, VR::CS, "01");
    let ratio = form.frame_bits as f64 / 8.0 / (encoded.max(1)) as f64;
    let joined = |before: &[String], now: String| [before, &[now]].concat().join("\\");
    put.text(tags::LOSSY_IMAGE_COMPRESSION_RATIO, VR::DS, &joined(&said.ratios, format!("{ratio:.2}")));
    put.text(tags::LOSSY_IMAGE_COMPRESSION_METHOD, VR::CS, &joined(&said.methods, target.method().into()));
    edits.append(tags::DERIVATION_DESCRIPTION, VR::ST, &target.derivation());
    edits.item(tags::DERIVATION_CODE_SEQUENCE, &code("113040", "Lossy Compression"));
    let mut source = Elements::default();
    source.text(tags::REFERENCED_SOP_CLASS_UID, VR::UI, row.sop_class_uid.as_str());
    source.text(tags::REFERENCED_SOP_INSTANCE_UID, VR::UI, row.uids.instance.as_str());
    let purpose = code("121322", "Source image for image processing operation");
    source.sequence(tags::PURPOSE_OF_REFERENCE_CODE_SEQUENCE, &[purpose]);
    edits.item(tags::SOURCE_IMAGE_SEQUENCE, &source);
}

fn code(value: &str, meaning: &str) -> Elements {
    let mut code = Elements::default();
    code.text(tags::CODE_VALUE, VR::SH, value);
    code.text(tags::CODING_SCHEME_DESIGNATOR, VR::SH, "DCM");
    code.text(tags::CODE_MEANING, VR::LO, meaning);
    code
}

/// The SOP Instance UID of an instance made with loss: the same for the same source and the same syntax and
/// parameters (PS3.5 §B.2).
pub(super) fn derived_uid(source: &SopInstanceUid, target: Target) -> SopInstanceUid {
    let mut digest = Sha256::new();
    for text in [source.as_str(), target.uid(), &target.derivation()] {
        digest.update(text);
        digest.update([0]);
    }
    let number = digest.finalize().first_chunk().copied().map_or(0, u128::from_be_bytes);
    // At most 5 + 39 digits.
    SopInstanceUid::parse(&format!("2.25.{number}")).unwrap_or_else(|_| source.clone())
}

/// What the data set says of itself so far.
struct Said {
    image_type: Vec<String>,
    lossy: Vec<String>,
    ratios: Vec<String>,
    methods: Vec<String>,
}

#[derive(serde::Deserialize)]
struct Attributes {
    #[serde(rename = "00080008")]
    image_type: Option<Attribute>,
    #[serde(rename = "00282110")]
    lossy: Option<Attribute>,
    #[serde(rename = "00282112")]
    ratios: Option<Attribute>,
    #[serde(rename = "00282114")]
    methods: Option<Attribute>,
}

#[derive(serde::Deserialize)]
struct Attribute {
    #[serde(rename = "Value", default)]
    values: Vec<Option<serde_json::Value>>,
}

async fn said(detail: &InstanceDetail) -> Result<Said, ImagingError> {
    let metadata = detail.metadata.clone();
    let read = move || {
        let text = metadata.text(TEXT_MAX).map_err(failed)?;
        let read: Attributes = serde_json::from_slice(&text)?;
        let values = |attribute: Option<Attribute>| {
            let text = |value| match value {
                Some(serde_json::Value::String(text)) => text,
                Some(serde_json::Value::Number(number)) => number.to_string(),
                _ => String::new(),
            };
            attribute.map(|attribute| attribute.values.into_iter().map(text).collect()).unwrap_or_default()
        };
        Ok(Said {
            image_type: values(read.image_type),
            lossy: values(read.lossy),
            ratios: values(read.ratios),
            methods: values(read.methods),
        })
    };
    tokio::task::spawn_blocking(read).await.map_err(failed)?
}
