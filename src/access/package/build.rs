//! A version computed from what the archive holds now.

use super::error::PackageError;
use super::frozen::{File, Frozen};
use super::keys::Keys;
use super::plan::Plan;
use super::zip::Modified;
use super::{dicomdir, pages, record};
use crate::archive::Archive;
use crate::config::Facility;
use crate::domain::instance::Selector;
use crate::domain::metadata::Metadata;
use crate::domain::uid::{SopInstanceUid, StudyInstanceUid};
use crate::index::StudyRow;
use dicom_dictionary_std::tags;
use futures_util::StreamExt;
use sha2::{Digest, Sha256};
use std::collections::{HashMap, HashSet};

/// JSON of one instance beyond which its record's keys are made up instead of read.
const TEXT_MAX: u64 = 64 << 20;

/// What a package may hold: `limits.package_files`, `limits.package_size`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Most {
    pub files: u32,
    pub bytes: u64,
}

/// The files of a package of these studies. No image file is read: what is asked is in the index.
pub(super) async fn freeze(
    archive: &Archive,
    facility: &Facility,
    most: Most,
    studies: Vec<StudyRow>,
) -> Result<Frozen, PackageError> {
    let (mut plan, mut keys, mut modified) = (Plan::default(), HashMap::new(), Modified::UNKNOWN);
    let (mut files, mut bytes) = (0_u64, 0_u64);
    for row in studies {
        let uid = row.study_instance_uid.clone();
        let selector = Selector { study: uid.clone(), series: None, instance: None };
        let instances = archive.instances(&selector).await.map_err(PackageError::archive)?;
        files = files.saturating_add(instances.len() as u64);
        bytes = instances.iter().fold(bytes, |sum, row| sum.saturating_add(row.file.size_bytes));
        if files > u64::from(most.files) {
            return Err(PackageError::TooManyFiles { max: most.files });
        }
        if bytes > most.bytes {
            return Err(PackageError::TooLarge { max: most.bytes });
        }
        let kinds: HashMap<&SopInstanceUid, _> =
            instances.iter().map(|row| (&row.uids.instance, record::kind(row.sop_class_uid.as_str()))).collect();
        // The record of an image needs nothing that the row does not have; others are looked into.
        let looked_into: HashSet<_> = instances
            .iter()
            .filter(|row| kinds.get(&row.uids.instance).is_some_and(|kind| **kind != record::IMAGE))
            .map(|row| row.uids.series.clone())
            .collect();
        for series in looked_into {
            let selector = Selector { study: uid.clone(), series: Some(series), instance: None };
            let mut stored = std::pin::pin!(archive.metadata(&selector));
            while let Some(next) = stored.next().await {
                let (uids, blob) = next.map_err(PackageError::archive)?;
                let Some(kind) = kinds.get(&uids.instance) else { continue };
                let text = Metadata::from_bytes(blob).and_then(|metadata| metadata.text(TEXT_MAX));
                // What cannot be read is made up: a directory with it is better than no package.
                let found = text.ok().and_then(|text| Keys::read(kind, &text).ok()).unwrap_or_default();
                keys.insert(uids.instance, found);
            }
        }
        if modified == Modified::UNKNOWN {
            let value = |tag| row.attributes.first(tag).unwrap_or_default();
            modified = Modified::from_dicom(value(tags::STUDY_DATE), value(tags::STUDY_TIME));
        }
        let series = archive.series_of(&uid).await.map_err(PackageError::archive)?;
        plan.add(row, series, instances);
    }
    if plan.is_empty() {
        return Err(PackageError::Empty);
    }
    let mut instances: Vec<File> =
        plan.instances().map(|(id, row)| File::instance(id.join("/"), row.file.clone())).collect();
    let directory = dicomdir::write(&plan, &keys, &directory_uid(&instances))?;
    let mut files = vec![
        File::made("README.TXT", pages::readme(facility)),
        File::made("INDEX.HTM", pages::index(facility, &plan)),
        File::made("DICOMDIR", directory),
    ];
    files.append(&mut instances);
    let checksums = pages::checksums(files.iter().map(|file| (&*file.path, file.sha256)));
    files.push(File::made("SHA256.TXT", checksums));
    Ok(Frozen { modified, files })
}

/// The SOP Instance UID of the directory follows from what it lists (PS3.5 §B.2, a name-based number).
fn directory_uid(instances: &[File]) -> String {
    let mut hash = Sha256::new();
    hash.update(b"bluebridge directory");
    instances.iter().for_each(|file| hash.update(file.sha256));
    let mut number = [0; 16];
    number.iter_mut().zip(hash.finalize()).for_each(|(to, from)| *to = from);
    number[6] = number[6] & 0x0F | 0x80;
    number[8] = number[8] & 0x3F | 0x80;
    format!("2.25.{}", u128::from_be_bytes(number))
}

/// The studies of a package in a form that tells whether anything has changed.
pub(super) fn revisions(studies: &[StudyRow]) -> String {
    let each: Vec<_> = studies.iter().map(|row| format!("{}={}", row.study_instance_uid, row.revision)).collect();
    each.join(" ")
}

/// The studies that [`revisions`] named.
pub(super) fn studies_of(revisions: &str) -> Vec<StudyInstanceUid> {
    revisions.split(' ').filter_map(|each| StudyInstanceUid::parse(each.split('=').next()?).ok()).collect()
}
