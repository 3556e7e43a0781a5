//! Study and series rows while a batch changes them: as read, with what its instances add.

use super::IndexError;
use super::columns::{self, add_to_list, first, first_matched};
use crate::domain::attributes::tags;
use dicom_dictionary_std::tags as dictionary;
use serde_json::{Map, Value, json};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

/// Kinds of `term` rows (0001_instances.sql).
pub(super) mod kind {
    pub(in crate::index) const PATIENT_NAME: i64 = 1;
    pub(in crate::index) const PATIENT_ID: i64 = 2;
    pub(in crate::index) const ACCESSION_NUMBER: i64 = 3;
    pub(in crate::index) const STUDY_DESCRIPTION: i64 = 4;
    pub(in crate::index) const REFERRING_PHYSICIAN: i64 = 5;
}

#[derive(Default)]
pub(super) struct StudyState {
    pub(super) id: i64,
    pub(super) uid: String,
    pub(super) attributes: Map<String, Value>,
    pub(super) modalities: String,
    pub(super) sop_classes: String,
    pub(super) series_count: i64,
    pub(super) instance_count: i64,
    pub(super) size_bytes: i64,
    pub(super) revision: i64,
    pub(super) first_received_ms: i64,
    pub(super) blocked: bool,
    /// Not in the table yet.
    pub(super) is_new: bool,
    /// Attributes were filled in.
    pub(super) filled: bool,
    pub(super) touched: bool,
}

impl StudyState {
    pub(super) fn new(id: i64, uid: &str, first_received_ms: i64) -> Self {
        Self { id, uid: uid.to_owned(), first_received_ms, is_new: true, ..Self::default() }
    }

    /// A row of `record::BEGIN`; `None` when the study is new.
    pub(super) fn read(row: &SqliteRow) -> Result<Option<Self>, IndexError> {
        let Some(id) = row.try_get::<Option<i64>, _>(2)? else { return Ok(None) };
        Ok(Some(Self {
            id,
            uid: row.try_get(0)?,
            attributes: serde_json::from_str(row.try_get(3)?).map_err(|_| IndexError::Row)?,
            modalities: row.try_get(4)?,
            sop_classes: row.try_get(5)?,
            series_count: row.try_get(6)?,
            instance_count: row.try_get(7)?,
            size_bytes: row.try_get(8)?,
            revision: row.try_get(9)?,
            first_received_ms: row.try_get(10)?,
            blocked: row.try_get(11)?,
            ..Self::default()
        }))
    }

    /// Patient ID, its issuer or the birth date are there on both sides and differ: two patients have
    /// come under one Study Instance UID.
    pub(super) fn names_another_patient(&self, newer: &Map<String, Value>) -> bool {
        [tags::PATIENT_ID, tags::ISSUER_OF_PATIENT_ID, tags::PATIENT_BIRTH_DATE].into_iter().any(|tag| {
            let (known, newer) = (first_matched(&self.attributes, tag), first_matched(newer, tag));
            !known.is_empty() && !newer.is_empty() && known != newer
        })
    }

    pub(super) fn take(&mut self, newer: Map<String, Value>, modality: &str, sop_class: &str, size_bytes: u64) {
        self.filled |= columns::fill_in(&mut self.attributes, newer);
        self.touched = true;
        add_to_list(&mut self.modalities, modality);
        add_to_list(&mut self.sop_classes, sop_class);
        self.instance_count += 1;
        self.size_bytes = self.size_bytes.saturating_add_unsigned(size_bytes);
    }

    /// Columns 0 to 22 of `record::WRITE`.
    pub(super) fn row(&self, now_ms: i64) -> Value {
        let matched = |tag| first_matched(&self.attributes, tag);
        json!([
            self.id,
            self.uid,
            matched(tags::STUDY_DATE),
            matched(tags::STUDY_TIME),
            matched(tags::ACCESSION_NUMBER),
            matched(tags::STUDY_ID),
            matched(tags::STUDY_DESCRIPTION),
            matched(dictionary::REFERRING_PHYSICIAN_NAME),
            matched(tags::PATIENT_NAME),
            matched(tags::PATIENT_ID),
            matched(tags::ISSUER_OF_PATIENT_ID),
            matched(tags::PATIENT_BIRTH_DATE),
            matched(tags::PATIENT_SEX),
            self.attributes,
            self.modalities,
            self.sop_classes,
            self.series_count,
            self.instance_count,
            self.size_bytes,
            self.revision,
            self.first_received_ms,
            now_ms,
            i64::from(self.blocked)
        ])
    }

    pub(super) fn aggregates(&self, now_ms: i64) -> Value {
        json!([
            self.id,
            self.modalities,
            self.sop_classes,
            self.series_count,
            self.instance_count,
            self.size_bytes,
            self.revision,
            now_ms,
            i64::from(self.blocked)
        ])
    }

    /// [study row, kind, value] for everything that is searched for by parts.
    pub(super) fn terms(&self) -> Vec<Value> {
        let mut terms = Vec::new();
        let mut add = |kind: i64, value: &str| {
            if !value.is_empty() {
                terms.push(json!([self.id, kind, value]));
            }
        };
        for (kind, tag) in [
            (kind::PATIENT_NAME, tags::PATIENT_NAME),
            (kind::REFERRING_PHYSICIAN, dictionary::REFERRING_PHYSICIAN_NAME),
        ] {
            let folded = first_matched(&self.attributes, tag);
            if folded.contains('=') {
                folded.split('=').for_each(|group| add(kind, group));
            }
            add(kind, &folded);
        }
        for (kind, tag) in [
            (kind::PATIENT_ID, tags::PATIENT_ID),
            (kind::ACCESSION_NUMBER, tags::ACCESSION_NUMBER),
            (kind::STUDY_DESCRIPTION, tags::STUDY_DESCRIPTION),
        ] {
            add(kind, first(&self.attributes, tag));
        }
        terms
    }
}

#[derive(Default)]
pub(super) struct SeriesState {
    pub(super) id: i64,
    study: i64,
    pub(super) uid: String,
    pub(super) attributes: Map<String, Value>,
    pub(super) sop_classes: String,
    pub(super) instance_count: i64,
    pub(super) size_bytes: i64,
    pub(super) revision: i64,
    pub(super) is_new: bool,
    pub(super) filled: bool,
    pub(super) touched: bool,
}

impl SeriesState {
    pub(super) fn new(id: i64, study: i64, uid: &str) -> Self {
        Self { id, study, uid: uid.to_owned(), is_new: true, ..Self::default() }
    }

    /// A row of `record::BEGIN`; `None` when the series is new.
    pub(super) fn read(row: &SqliteRow) -> Result<Option<Self>, IndexError> {
        let Some(id) = row.try_get::<Option<i64>, _>(12)? else { return Ok(None) };
        Ok(Some(Self {
            id,
            study: row.try_get(2)?,
            uid: row.try_get(1)?,
            attributes: serde_json::from_str(row.try_get(13)?).map_err(|_| IndexError::Row)?,
            sop_classes: row.try_get(14)?,
            instance_count: row.try_get(15)?,
            size_bytes: row.try_get(16)?,
            revision: row.try_get(17)?,
            ..Self::default()
        }))
    }

    pub(super) fn take(&mut self, newer: Map<String, Value>, sop_class: &str, size_bytes: u64) {
        self.filled |= columns::fill_in(&mut self.attributes, newer);
        self.touched = true;
        add_to_list(&mut self.sop_classes, sop_class);
        self.instance_count += 1;
        self.size_bytes = self.size_bytes.saturating_add_unsigned(size_bytes);
    }

    /// Columns 0 to 14 of `record::WRITE`.
    pub(super) fn row(&self, now_ms: i64) -> Value {
        let matched = |tag| first_matched(&self.attributes, tag);
        json!([
            self.id,
            self.study,
            self.uid,
            columns::number(&self.attributes, tags::SERIES_NUMBER),
            matched(tags::MODALITY),
            matched(tags::SERIES_DESCRIPTION),
            matched(dictionary::BODY_PART_EXAMINED),
            matched(dictionary::SERIES_DATE),
            matched(dictionary::PERFORMED_PROCEDURE_STEP_START_DATE),
            self.attributes,
            self.sop_classes,
            self.instance_count,
            self.size_bytes,
            self.revision,
            now_ms
        ])
    }

    pub(super) fn aggregates(&self, now_ms: i64) -> Value {
        json!([self.id, self.sop_classes, self.instance_count, self.size_bytes, self.revision, now_ms])
    }
}
