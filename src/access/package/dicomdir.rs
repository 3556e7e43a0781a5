//! The DICOMDIR of a package: the Basic Directory of PS3.10 §8 and PS3.3 Annex F in Explicit VR Little
//! Endian, all text in ISO_IR 192.
//!
//! Records stand depth first, so a record's first lower record follows it at once; offsets count from
//! the first byte of the file, preamble included (PS3.3 §F.3.2.2).

use super::error::PackageError;
use super::keys::Keys;
use super::plan::{Plan, file_id};
use super::record;
use crate::domain::attributes::Attributes;
use crate::domain::explicit::Elements;
use crate::domain::implementation::{IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME};
use crate::domain::transfer_syntax::EXPLICIT_VR_LITTLE_ENDIAN;
use crate::domain::uid::SopInstanceUid;
use dicom_core::{Tag, VR};
use dicom_dictionary_std::{tags, uids};
use std::collections::HashMap;

const PREAMBLE: usize = 128 + 4;
/// Tag, VR, reserved and length of a sequence; tag and length of an item.
const SEQUENCE_HEADER: usize = 12;
const ITEM_HEADER: usize = 8;

struct Record {
    depth: usize,
    elements: Elements,
}

/// The whole file. `keys` holds what was read of instances that are no images.
pub(super) fn write(
    plan: &Plan,
    keys: &HashMap<SopInstanceUid, Keys>,
    sop_instance_uid: &str,
) -> Result<Vec<u8>, PackageError> {
    let mut records = records(plan, keys);
    let meta = meta(sop_instance_uid);
    let mut head = head();
    let start = PREAMBLE + meta.len() + head.encoded_len() + SEQUENCE_HEADER;
    let roots = link(&mut records, start)?;
    head.ul(tags::OFFSET_OF_THE_FIRST_DIRECTORY_RECORD_OF_THE_ROOT_DIRECTORY_ENTITY, roots.0);
    head.ul(tags::OFFSET_OF_THE_LAST_DIRECTORY_RECORD_OF_THE_ROOT_DIRECTORY_ENTITY, roots.1);
    let length: usize = records.iter().map(|record| ITEM_HEADER + record.elements.encoded_len()).sum();
    let mut out = vec![0; 128];
    out.reserve(start + length);
    out.extend_from_slice(b"DICM");
    out.extend_from_slice(&meta);
    out.extend_from_slice(&head.to_bytes());
    out.extend_from_slice(&[0x04, 0x00, 0x20, 0x12, b'S', b'Q', 0, 0]);
    out.extend_from_slice(&offset(length)?.to_le_bytes());
    for record in &records {
        out.extend_from_slice(&[0xFE, 0xFF, 0x00, 0xE0]);
        out.extend_from_slice(&offset(record.elements.encoded_len())?.to_le_bytes());
        out.extend_from_slice(&record.elements.to_bytes());
    }
    Ok(out)
}

fn offset(bytes: usize) -> Result<u32, PackageError> {
    u32::try_from(bytes).map_err(|_| PackageError::Directory)
}

fn meta(sop_instance_uid: &str) -> Vec<u8> {
    let mut meta = Elements::default();
    meta.put(tags::FILE_META_INFORMATION_VERSION, VR::OB, vec![0, 1]);
    meta.text(tags::MEDIA_STORAGE_SOP_CLASS_UID, VR::UI, uids::MEDIA_STORAGE_DIRECTORY_STORAGE);
    meta.text(tags::MEDIA_STORAGE_SOP_INSTANCE_UID, VR::UI, sop_instance_uid);
    meta.text(tags::TRANSFER_SYNTAX_UID, VR::UI, EXPLICIT_VR_LITTLE_ENDIAN);
    meta.text(tags::IMPLEMENTATION_CLASS_UID, VR::UI, IMPLEMENTATION_CLASS_UID);
    meta.text(tags::IMPLEMENTATION_VERSION_NAME, VR::SH, IMPLEMENTATION_VERSION_NAME);
    // Group Length counts what follows it.
    let length = meta.encoded_len() as u32;
    meta.ul(tags::FILE_META_INFORMATION_GROUP_LENGTH, length);
    meta.to_bytes()
}

/// The directory before its records, offsets still 0.
fn head() -> Elements {
    let mut head = Elements::default();
    head.text(tags::FILE_SET_ID, VR::CS, "BLUEBRIDGE");
    head.ul(tags::OFFSET_OF_THE_FIRST_DIRECTORY_RECORD_OF_THE_ROOT_DIRECTORY_ENTITY, 0);
    head.ul(tags::OFFSET_OF_THE_LAST_DIRECTORY_RECORD_OF_THE_ROOT_DIRECTORY_ENTITY, 0);
    head.us(tags::FILE_SET_CONSISTENCY_FLAG, 0);
    head
}

fn record(depth: usize, name: &str) -> Record {
    let mut elements = Elements::default();
    elements.ul(tags::OFFSET_OF_THE_NEXT_DIRECTORY_RECORD, 0);
    elements.us(tags::RECORD_IN_USE_FLAG, 0xFFFF);
    elements.ul(tags::OFFSET_OF_REFERENCED_LOWER_LEVEL_DIRECTORY_ENTITY, 0);
    elements.text(tags::DIRECTORY_RECORD_TYPE, VR::CS, name);
    elements.text(tags::SPECIFIC_CHARACTER_SET, VR::CS, "ISO_IR 192");
    Record { depth, elements }
}

fn records(plan: &Plan, keys: &HashMap<SopInstanceUid, Keys>) -> Vec<Record> {
    let mut out = Vec::new();
    let none = Keys::default();
    for (patient_at, patient) in plan.patients.iter().enumerate() {
        let mut record = record(0, "PATIENT");
        if let Some(study) = patient.studies.first() {
            copy(&mut record.elements, &study.row.attributes, tags::PATIENT_NAME, VR::PN, "");
            copy(&mut record.elements, &study.row.attributes, tags::PATIENT_BIRTH_DATE, VR::DA, "");
            copy(&mut record.elements, &study.row.attributes, tags::PATIENT_SEX, VR::CS, "");
        }
        record.elements.text(tags::PATIENT_ID, VR::LO, &patient.id);
        out.push(record);
        for (study_at, study) in patient.studies.iter().enumerate() {
            out.push(self::study(study, study_at));
            for (series_at, series) in study.series.iter().enumerate() {
                out.push(self::series(series, series_at));
                for (instance_at, row) in series.instances.iter().enumerate() {
                    let kind = record::kind(row.sop_class_uid.as_str());
                    let mut leaf = self::record(3, kind.name);
                    let number = row.instance_number.unwrap_or(instance_at as i64 + 1);
                    keys.get(&row.uids.instance).unwrap_or(&none).write(kind, number, &mut leaf.elements);
                    let id = file_id(patient_at, study_at, series_at, instance_at).join("\\");
                    for (tag, vr, value) in [
                        (tags::REFERENCED_FILE_ID, VR::CS, id.as_str()),
                        (tags::REFERENCED_SOP_CLASS_UID_IN_FILE, VR::UI, row.sop_class_uid.as_str()),
                        (tags::REFERENCED_SOP_INSTANCE_UID_IN_FILE, VR::UI, row.uids.instance.as_str()),
                        (tags::REFERENCED_TRANSFER_SYNTAX_UID_IN_FILE, VR::UI, row.file.transfer_syntax_uid.as_str()),
                    ] {
                        leaf.elements.text(tag, vr, value);
                    }
                    out.push(leaf);
                }
            }
        }
    }
    out
}

fn study(study: &super::plan::Study, at: usize) -> Record {
    let mut record = record(1, "STUDY");
    for (tag, vr, made_up) in [
        (tags::STUDY_DATE, VR::DA, "19000101"),
        (tags::STUDY_TIME, VR::TM, "000000"),
        (tags::ACCESSION_NUMBER, VR::SH, ""),
        (tags::STUDY_DESCRIPTION, VR::LO, ""),
        (tags::STUDY_ID, VR::SH, &(at + 1).to_string()),
    ] {
        copy(&mut record.elements, &study.row.attributes, tag, vr, made_up);
    }
    record.elements.text(tags::STUDY_INSTANCE_UID, VR::UI, study.row.study_instance_uid.as_str());
    record
}

fn series(series: &super::plan::Series, at: usize) -> Record {
    let mut record = record(2, "SERIES");
    copy(&mut record.elements, &series.attributes, tags::MODALITY, VR::CS, "OT");
    copy(&mut record.elements, &series.attributes, tags::SERIES_NUMBER, VR::IS, &(at + 1).to_string());
    if series.attributes.first(tags::SERIES_DESCRIPTION).is_some() {
        copy(&mut record.elements, &series.attributes, tags::SERIES_DESCRIPTION, VR::LO, "");
    }
    record.elements.text(tags::SERIES_INSTANCE_UID, VR::UI, series.uid.as_str());
    record
}

/// The values of `tag`, or what is made up for it.
fn copy(into: &mut Elements, attributes: &Attributes, tag: Tag, vr: VR, made_up: &str) {
    let value = match attributes.first(tag) {
        Some(_) => attributes.values(tag).iter().map(|value| value.trim_end()).collect::<Vec<_>>().join("\\"),
        None => made_up.to_owned(),
    };
    into.text(tag, vr, &value);
}

/// Fills in the offsets between records; returns those of the first and the last root record.
fn link(records: &mut [Record], start: usize) -> Result<(u32, u32), PackageError> {
    let mut at = start;
    let mut places = Vec::with_capacity(records.len());
    for record in records.iter() {
        places.push(offset(at)?);
        at += ITEM_HEADER + record.elements.encoded_len();
    }
    // The last record seen at each depth, which the next one of the same parent follows.
    let mut last: [Option<usize>; 4] = [None; 4];
    let mut roots = (0, 0);
    for here in 0..records.len() {
        let depth = records[here].depth;
        if let Some(before) = last[depth] {
            records[before].elements.ul(tags::OFFSET_OF_THE_NEXT_DIRECTORY_RECORD, places[here]);
        } else if let Some(parent) = depth.checked_sub(1).and_then(|above| last[above]) {
            records[parent].elements.ul(tags::OFFSET_OF_REFERENCED_LOWER_LEVEL_DIRECTORY_ENTITY, places[here]);
        }
        if depth == 0 {
            roots = (if roots.0 == 0 { places[here] } else { roots.0 }, places[here]);
        }
        last[depth] = Some(here);
        last[depth + 1..].fill(None);
    }
    Ok(roots)
}
