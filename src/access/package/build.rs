//! A version computed from what the archive holds now.

use super::error::PackageError;
use super::frozen::{File, Frozen};
use super::keys::{Keys, PATIENT};
use super::plan::Plan;
use super::zip::Modified;
use super::{Scope, dicomdir, pages, record};
use crate::archive::Archive;
use crate::config::Facility;
use crate::domain::attributes::Attributes;
use crate::domain::instance::Selector;
use crate::domain::metadata::Metadata;
use crate::domain::uid::{SopInstanceUid, StudyInstanceUid};
use crate::index::{InstanceRow, StudyRow};
use dicom_dictionary_std::tags;
use futures_util::StreamExt;
use sha2::{Digest, Sha256};
use std::collections::{HashMap, HashSet};

/// JSON of one instance beyond which its record's keys are made up instead of read.
const TEXT_MAX: u64 = 64 << 20;
/// Instances whose metadata is read in one go.
const READ_AT_ONCE: usize = 32;

/// What a package may hold: `limits.package_files`, `limits.package_size`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Most {
    pub files: u32,
    pub bytes: u64,
}

/// The files of a package of these studies, the rows of the scope's. No image file is read: what is asked is in the index.
pub(super) async fn freeze(
    archive: &Archive,
    facility: &Facility,
    most: Most,
    scope: &Scope,
    studies: Vec<StudyRow>,
) -> Result<Frozen, PackageError> {
    let (mut plan, mut keys, mut modified) = (Plan::default(), HashMap::new(), Modified::UNKNOWN);
    let (mut files, mut bytes) = (0_u64, 0_u64);
    for row in studies {
        let (uid, row_blocked) = (row.study_instance_uid.clone(), row.blocked);
        let selector = scope.within(&uid);
        let instances = archive.instances(&selector).await.map_err(PackageError::archive)?;
        files = files.saturating_add(instances.len() as u64);
        bytes = instances.iter().fold(bytes, |sum, row| sum.saturating_add(row.file.size_bytes));
        if files > u64::from(most.files) {
            return Err(PackageError::TooManyFiles { max: most.files });
        }
        if bytes > most.bytes {
            return Err(PackageError::TooLarge { max: most.bytes });
        }
        let kinds: HashMap<SopInstanceUid, _> =
            instances.iter().map(|row| (row.uids.instance.clone(), record::kind(row.sop_class_uid.as_str()))).collect();
        // The record of an image needs nothing that the row does not have; others are looked into, and so is all
        // of a study in which patients may have been mixed up.
        let looked_into: HashSet<_> = instances
            .iter()
            .filter(|row| row_blocked || kinds.get(&row.uids.instance).is_some_and(|kind| **kind != record::IMAGE))
            .map(|row| row.uids.series.clone())
            .collect();
        let mut patients = HashMap::new();
        for series in looked_into {
            let selector = Selector { series: Some(series), ..selector.clone() };
            // What comes meanwhile has no kind, and no place.
            let mut stored = std::pin::pin!(archive.metadata(&selector, i64::MAX).ready_chunks(READ_AT_ONCE));
            while let Some(next) = stored.next().await {
                let mut texts = Vec::with_capacity(next.len());
                for row in next {
                    let (uids, blob) = row.map_err(PackageError::archive)?;
                    let kind = kinds.get(&uids.instance).copied();
                    texts.extend(kind.map(|kind| (uids.instance, kind, blob)));
                }
                for (instance, found, patient) in blocking(move || Ok(look_into(texts, row_blocked))).await? {
                    patients.extend(patient.map(|patient| (instance.clone(), patient)));
                    keys.insert(instance, found);
                }
            }
        }
        if modified == Modified::UNKNOWN {
            let value = |tag| row.attributes.first(tag).unwrap_or_default();
            modified = Modified::from_dicom(value(tags::STUDY_DATE), value(tags::STUDY_TIME));
        }
        let series = archive.series_of(&uid).await.map_err(PackageError::archive)?;
        for (row, instances) in by_patient(row, instances, patients) {
            plan.add(row, series.clone(), instances);
        }
    }
    if plan.is_empty() {
        return Err(PackageError::Empty);
    }
    let facility = facility.clone();
    // Records and checksums of 100,000 files take their time.
    blocking(move || assemble(&plan, &keys, modified, &facility)).await
}

/// Runs what takes processor time off the tasks that serve others.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, PackageError> + Send + 'static,
) -> Result<T, PackageError> {
    tokio::task::spawn_blocking(work).await.map_err(PackageError::archive)?
}

type Text = (SopInstanceUid, &'static record::Kind, Vec<u8>);

/// What the directory needs of stored metadata, and whom it names when that is asked. What cannot be read is made
/// up: a directory with it is better than no package.
fn look_into(texts: Vec<Text>, whom: bool) -> Vec<(SopInstanceUid, Keys, Option<Attributes>)> {
    let look = |(instance, kind, blob): Text| {
        let text = Metadata::from_bytes(blob).and_then(|metadata| metadata.text(TEXT_MAX)).ok();
        let keys = text.as_ref().and_then(|text| Keys::read(kind, text).ok()).unwrap_or_default();
        let patient = text.as_ref().filter(|_| whom).and_then(|text| Keys::patient(text).ok());
        (instance, keys, patient)
    };
    texts.into_iter().map(look).collect()
}

/// The study once for each patient whom its instances name: by Patient ID, issuer and birth date, as far as both
/// sides have them. `patients` is empty unless they may have been mixed up.
fn by_patient(
    row: StudyRow,
    instances: Vec<InstanceRow>,
    patients: HashMap<SopInstanceUid, Attributes>,
) -> Vec<(StudyRow, Vec<InstanceRow>)> {
    let mut parts: Vec<(StudyRow, Vec<InstanceRow>)> = Vec::new();
    for instance in instances {
        let named = patients.get(&instance.uids.instance).unwrap_or(&row.attributes);
        let same = |other: &Attributes| {
            PATIENT.iter().take(3).all(|tag| match (named.first(*tag), other.first(*tag)) {
                (Some(one), Some(two)) => one.trim() == two.trim(),
                _ => true,
            })
        };
        match parts.iter_mut().find(|(part, _)| same(&part.attributes)) {
            Some((_, of_patient)) => of_patient.push(instance),
            None => {
                let mut part = row.clone();
                for tag in PATIENT {
                    part.attributes.set(tag, named.values(tag).to_vec());
                }
                parts.push((part, vec![instance]));
            }
        }
    }
    parts
}

fn assemble(
    plan: &Plan,
    keys: &HashMap<SopInstanceUid, Keys>,
    modified: Modified,
    facility: &Facility,
) -> Result<Frozen, PackageError> {
    let mut instances: Vec<File> =
        plan.instances().map(|(id, row)| File::instance(id.join("/"), row.file.clone())).collect();
    let directory = dicomdir::write(plan, keys, &directory_uid(&instances))?;
    let mut files = vec![
        File::made("README.TXT", pages::readme(facility)),
        File::made("INDEX.HTM", pages::index(facility, plan)),
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
