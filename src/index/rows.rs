//! What the index is given and what it hands back, as plain values.

use crate::audit::Event;
use crate::domain::arrival::{Severity, Source};
use crate::domain::attributes::{Attributes, tags};
use crate::domain::instance::{InstanceFacts, PixelFacts, Selector, StoredFile};
use crate::domain::metadata::Metadata;
use crate::domain::restriction::Restriction;
use crate::domain::uid::{SeriesInstanceUid, SopClassUid, SopInstanceUid, StudyInstanceUid};
use dicom_core::Tag;

/// What one transaction keeps: all of it or nothing.
#[derive(Debug, Default)]
pub struct Batch {
    pub instances: Vec<NewInstance>,
    pub conflicts: Vec<NewConflict>,
    pub quarantined: Vec<NewQuarantined>,
    pub events: Vec<Event>,
}

/// An instance whose file is durable.
#[derive(Debug)]
pub struct NewInstance {
    pub facts: InstanceFacts,
    pub file: StoredFile,
    pub received_at_ms: i64,
    pub source: Source,
}

/// An instance kept beside the stored one of the same SOP Instance UID.
#[derive(Debug)]
pub struct NewConflict {
    pub id: ulid::Ulid,
    pub severity: Severity,
    pub sop_instance_uid: SopInstanceUid,
    /// The study that the newcomer names.
    pub study_instance_uid: StudyInstanceUid,
    /// The study of the instance that stays served; blocked like the newcomer's when `severity` is high.
    pub served_study_instance_uid: StudyInstanceUid,
    pub file: StoredFile,
    pub received_at_ms: i64,
    pub source: Source,
}

/// Bytes that are kept but could not be understood.
#[derive(Debug)]
pub struct NewQuarantined {
    pub id: ulid::Ulid,
    /// One of our own words, never text from the data set.
    pub reason: &'static str,
    pub offending: Option<Tag>,
    pub path: String,
    pub size_bytes: u64,
    pub received_at_ms: i64,
    pub source: Source,
}

/// The stored instance of a SOP Instance UID, as far as a newcomer is compared with it.
#[derive(Debug, Clone)]
pub struct Existing {
    pub sop_class_uid: SopClassUid,
    pub study_instance_uid: StudyInstanceUid,
    pub series_instance_uid: SeriesInstanceUid,
    pub file: StoredFile,
    /// Of the instance, its series, its study and its patient; aggregates left out.
    pub attributes: Attributes,
}

impl Existing {
    pub fn is_within(&self, only: &Restriction) -> bool {
        let value = |tag| self.attributes.first(tag).unwrap_or_default();
        only.admits(&self.study_instance_uid, value(tags::PATIENT_ID), value(tags::ISSUER_OF_PATIENT_ID))
    }
}

/// The UIDs of one instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceUids {
    pub study: StudyInstanceUid,
    pub series: SeriesInstanceUid,
    pub instance: SopInstanceUid,
}

impl InstanceUids {
    /// What names this instance.
    pub fn selector(&self) -> Selector {
        let series = Some(self.series.clone());
        Selector { study: self.study.clone(), series, instance: Some(self.instance.clone()) }
    }
}

/// One instance for retrieval and packages.
#[derive(Debug, Clone)]
pub struct InstanceRow {
    pub uids: InstanceUids,
    pub sop_class_uid: SopClassUid,
    pub series_number: Option<i64>,
    pub instance_number: Option<i64>,
    pub modality: Option<String>,
    /// The series' description, which patient pages show as a title.
    pub series_description: Option<String>,
    /// 0 when the instance has no pixel data.
    pub number_of_frames: u32,
    pub file: StoredFile,
    pub received_at_ms: i64,
}

/// One instance with everything that is known of it.
#[derive(Debug, Clone)]
pub struct InstanceDetail {
    pub row: InstanceRow,
    /// Of the instance, its series, its study and its patient; aggregates left out.
    pub attributes: Attributes,
    pub pixels: Option<PixelFacts>,
    pub metadata: Metadata,
}

/// One instance as far as its frames are concerned.
#[derive(Debug, Clone)]
pub struct InstanceFrames {
    pub row: InstanceRow,
    pub pixels: Option<PixelFacts>,
}

/// One study with its aggregates.
#[derive(Debug, Clone)]
pub struct StudyRow {
    pub study_instance_uid: StudyInstanceUid,
    /// Of the study and its patient, aggregates included.
    pub attributes: Attributes,
    pub series_count: u32,
    pub instance_count: u32,
    pub size_bytes: u64,
    pub modalities: Vec<String>,
    pub sop_classes: Vec<SopClassUid>,
    /// Grows with every change; part of ETags.
    pub revision: i64,
    pub first_received_ms: i64,
    pub last_change_ms: i64,
    /// Instances of more than one patient came under this Study Instance UID, or an instance of it is in
    /// conflict of high severity: no link may be made to it until staff have looked.
    pub blocked: bool,
}

/// One series with its aggregates.
#[derive(Debug, Clone)]
pub struct SeriesRow {
    pub series_instance_uid: SeriesInstanceUid,
    /// Of the series only, aggregates included.
    pub attributes: Attributes,
    pub series_number: Option<i64>,
    pub modality: Option<String>,
    pub instance_count: u32,
    pub size_bytes: u64,
    pub sop_classes: Vec<SopClassUid>,
    pub revision: i64,
    pub last_change_ms: i64,
}

/// One row of the audit trail.
#[derive(Debug, Clone)]
pub struct TrailRow {
    pub sequence: i64,
    pub recorded_ms: i64,
    pub kind: String,
    /// [`Event::canonical`].
    pub event: String,
}

/// What there is of a study, series or instance at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extent {
    /// Another one whenever something else is there.
    pub version: String,
    pub instances: u32,
    /// No instance of it has a number beyond this; each that comes later has.
    pub newest: i64,
}

/// A stored row of the quarantine or of the conflicts.
#[derive(Debug, Clone)]
pub struct Held {
    pub id: String,
    /// The quarantine's reason, or the conflict's kind: one of our own words.
    pub reason: String,
    /// Relative to `data_dir`; `None` for a study blocked for instances that were stored.
    pub path: Option<String>,
    pub size_bytes: u64,
    pub received_at_ms: i64,
    pub calling_ae_title: Option<String>,
    pub study_instance_uid: Option<String>,
    pub sop_instance_uid: Option<String>,
    pub offending: Option<String>,
    pub severity: Option<String>,
}
