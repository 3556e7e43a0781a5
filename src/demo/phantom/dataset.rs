//! An image as a CT Image (PS3.3 §A.3): every attribute of Type 1 and 2, and what viewers look for.

use super::{Image, PhantomInstance, PhantomSettings, uid};
use crate::domain::explicit::Elements;
use crate::domain::transfer_syntax;
use crate::domain::uid::{SopClassUid, TransferSyntaxUid};
use dicom_core::{Tag, VR};
use dicom_dictionary_std::{tags, uids};

/// What is stored is the Hounsfield unit plus 1024, in 12 bits.
const INTERCEPT: f32 = -1024.0;

pub(super) fn instance(settings: &PhantomSettings, image: &Image) -> PhantomInstance {
    let sop_instance = uid::instance(settings.seed, image.series, image.number);
    let mut elements = Elements::default();
    let mut text = |tag: Tag, vr: VR, value: &str| elements.text(tag, vr, value);
    let (date, time) = (settings.study_date.as_str(), settings.study_time.as_str());
    text(tags::SPECIFIC_CHARACTER_SET, VR::CS, "ISO_IR 192");
    text(tags::IMAGE_TYPE, VR::CS, image.image_type);
    text(tags::SOP_CLASS_UID, VR::UI, uids::CT_IMAGE_STORAGE);
    text(tags::SOP_INSTANCE_UID, VR::UI, sop_instance.as_str());
    for (tag, vr, value) in [
        (tags::STUDY_DATE, VR::DA, date),
        (tags::SERIES_DATE, VR::DA, date),
        (tags::ACQUISITION_DATE, VR::DA, date),
        (tags::CONTENT_DATE, VR::DA, date),
        (tags::STUDY_TIME, VR::TM, time),
        (tags::SERIES_TIME, VR::TM, time),
        (tags::ACQUISITION_TIME, VR::TM, time),
        (tags::CONTENT_TIME, VR::TM, time),
        (tags::ACCESSION_NUMBER, VR::SH, "PH-2026-0001"),
        (tags::MODALITY, VR::CS, "CT"),
        (tags::MANUFACTURER, VR::LO, "Bluebridge"),
        (tags::INSTITUTION_NAME, VR::LO, &settings.institution),
        (tags::REFERRING_PHYSICIAN_NAME, VR::PN, "REFERRER^PHANTOM"),
        (tags::STATION_NAME, VR::SH, "PHANTOM1"),
        (tags::STUDY_DESCRIPTION, VR::LO, "CT chest with contrast"),
        (tags::SERIES_DESCRIPTION, VR::LO, if image.series == 1 { "Localiser" } else { "Axial chest" }),
        (tags::MANUFACTURER_MODEL_NAME, VR::LO, "Synthetic chest"),
        (tags::PATIENT_NAME, VR::PN, "PHANTOM^CLARA"),
        (tags::PATIENT_ID, VR::LO, "PHANTOM-0001"),
        (tags::ISSUER_OF_PATIENT_ID, VR::LO, "BLUEBRIDGE"),
        (tags::PATIENT_BIRTH_DATE, VR::DA, &settings.birth_date),
        (tags::PATIENT_SEX, VR::CS, "F"),
        (tags::CONTRAST_BOLUS_AGENT, VR::LO, if image.series == 1 { "" } else { "Iodinated" }),
        (tags::BODY_PART_EXAMINED, VR::CS, "CHEST"),
        (tags::KVP, VR::DS, "120"),
        (tags::PROTOCOL_NAME, VR::LO, "Chest"),
        (tags::RECONSTRUCTION_DIAMETER, VR::DS, "380"),
        (tags::CONVOLUTION_KERNEL, VR::SH, "SOFT"),
        (tags::PATIENT_POSITION, VR::CS, "HFS"),
        (tags::STUDY_ID, VR::SH, "1"),
        (tags::ACQUISITION_NUMBER, VR::IS, "1"),
        (tags::POSITION_REFERENCE_INDICATOR, VR::LO, ""),
        (tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "MONOCHROME2"),
        (tags::BURNED_IN_ANNOTATION, VR::CS, "NO"),
        (tags::RESCALE_INTERCEPT, VR::DS, "-1024"),
        (tags::RESCALE_SLOPE, VR::DS, "1"),
        (tags::IMAGE_COMMENTS, VR::LT, "Synthetic phantom. Not a patient, not for diagnosis."),
        (tags::WINDOW_CENTER, VR::DS, image.windows[0]),
        (tags::WINDOW_WIDTH, VR::DS, image.windows[1]),
        (tags::WINDOW_CENTER_WIDTH_EXPLANATION, VR::LO, image.windows[2]),
    ] {
        text(tag, vr, value);
    }
    if image.series > 1 {
        text(tags::RESCALE_TYPE, VR::LO, "HU");
    }
    text(tags::STUDY_INSTANCE_UID, VR::UI, uid::study(settings.seed).as_str());
    text(tags::SERIES_INSTANCE_UID, VR::UI, uid::series(settings.seed, image.series).as_str());
    text(tags::FRAME_OF_REFERENCE_UID, VR::UI, &uid::frame_of_reference(settings.seed));
    text(tags::SERIES_NUMBER, VR::IS, &image.series.to_string());
    text(tags::INSTANCE_NUMBER, VR::IS, &image.number.to_string());
    text(tags::SLICE_THICKNESS, VR::DS, &decimal(image.thickness));
    text(tags::SLICE_LOCATION, VR::DS, &decimal(image.position[2]));
    text(tags::IMAGE_POSITION_PATIENT, VR::DS, &image.position.map(decimal).join("\\"));
    text(tags::IMAGE_ORIENTATION_PATIENT, VR::DS, image.orientation);
    text(tags::PIXEL_SPACING, VR::DS, &[decimal(image.pitch.0), decimal(image.pitch.1)].join("\\"));
    for (tag, value) in [
        (tags::SAMPLES_PER_PIXEL, 1),
        (tags::ROWS, image.rows),
        (tags::COLUMNS, image.columns),
        (tags::BITS_ALLOCATED, 16),
        (tags::BITS_STORED, 12),
        (tags::HIGH_BIT, 11),
        (tags::PIXEL_REPRESENTATION, 0),
    ] {
        elements.us(tag, value);
    }
    let stored = image.hu.iter().flat_map(|hu| ((hu - INTERCEPT).round().clamp(0.0, 4095.0) as u16).to_le_bytes());
    elements.put(tags::PIXEL_DATA, VR::OW, stored.collect());
    PhantomInstance {
        sop_class: SopClassUid::parse(uids::CT_IMAGE_STORAGE).unwrap_or_else(|_| unreachable!("a UID of PS3.6")),
        sop_instance,
        transfer_syntax: TransferSyntaxUid::parse(transfer_syntax::EXPLICIT_VR_LITTLE_ENDIAN)
            .unwrap_or_else(|_| unreachable!("a UID of PS3.6")),
        dataset: elements.to_bytes(),
    }
}

/// At most six digits behind the point, no exponent, at most 16 characters (VR DS).
fn decimal(value: f32) -> String {
    let text = format!("{value:.6}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".into() } else { text.into() }
}
