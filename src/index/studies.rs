//! One study, its series, and the studies of one patient, with their aggregates.

use super::columns;
use super::retrieve::uid;
use super::{Index, IndexError, SeriesRow, StudyRow};
use crate::domain::attributes::{Attributes, tags};
use crate::domain::uid::{SeriesInstanceUid, SopClassUid, StudyInstanceUid};
use serde_json::{Map, Value};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

impl Index {
    pub async fn study(&self, study: &StudyInstanceUid) -> Result<Option<StudyRow>, IndexError> {
        let mut reader = self.read().await?;
        let row = sqlx::query(
            "SELECT study_instance_uid, attributes, series_count, instance_count, size_bytes, modalities_in_study,
                sop_classes_in_study, revision, first_received_ms, last_change_ms, blocked
             FROM study WHERE study_instance_uid = $1",
        )
        .bind(study.as_str())
        .fetch_optional(&mut *reader)
        .await?;
        row.as_ref().map(study_row).transpose()
    }

    /// The studies with this Patient ID, newest first; at most `limit`. Issuer, birth date and name are
    /// the caller's to compare.
    pub async fn studies_of_patient(&self, patient_id: &str, limit: u32) -> Result<Vec<StudyRow>, IndexError> {
        let mut reader = self.read().await?;
        let rows = sqlx::query(
            "SELECT study_instance_uid, attributes, series_count, instance_count, size_bytes, modalities_in_study,
                sop_classes_in_study, revision, first_received_ms, last_change_ms, blocked
             FROM study WHERE patient_id = $1 AND patient_id <> '' ORDER BY study_date DESC, study_time DESC, id DESC LIMIT $2",
        )
        .bind(patient_id)
        .bind(limit)
        .fetch_all(&mut *reader)
        .await?;
        rows.iter().map(study_row).collect()
    }

    /// By series number and UID.
    pub async fn series_of(&self, study: &StudyInstanceUid) -> Result<Vec<SeriesRow>, IndexError> {
        let mut reader = self.read().await?;
        let rows = sqlx::query(
            "SELECT series.series_instance_uid, series.attributes, series.series_number, series.modality,
                series.instance_count, series.size_bytes, series.sop_classes, series.revision, series.last_change_ms
             FROM study CROSS JOIN series ON series.study_id = study.id WHERE study.study_instance_uid = $1
             ORDER BY series.series_number, series.series_instance_uid",
        )
        .bind(study.as_str())
        .fetch_all(&mut *reader)
        .await?;
        rows.iter().map(series_row).collect()
    }
}

fn read_attributes(row: &SqliteRow, at: usize) -> Result<Attributes, IndexError> {
    let map: Map<String, Value> = serde_json::from_str(row.try_get(at)?).map_err(|_| IndexError::Row)?;
    let mut attributes = Attributes::default();
    columns::to_attributes(&map, &mut attributes, |_| true);
    Ok(attributes)
}

fn sop_classes(list: &str) -> Vec<SopClassUid> {
    columns::split_list(list).filter_map(|uid| SopClassUid::parse(uid).ok()).collect()
}

fn study_row(row: &SqliteRow) -> Result<StudyRow, IndexError> {
    let mut attributes = read_attributes(row, 1)?;
    let (series_count, instance_count): (u32, u32) = (row.try_get(2)?, row.try_get(3)?);
    let (modalities, classes): (String, String) = (row.try_get(5)?, row.try_get(6)?);
    let modalities: Vec<String> = columns::split_list(&modalities).map(str::to_owned).collect();
    attributes.set(tags::NUMBER_OF_STUDY_RELATED_SERIES, vec![series_count.to_string()]);
    attributes.set(tags::NUMBER_OF_STUDY_RELATED_INSTANCES, vec![instance_count.to_string()]);
    attributes.set(tags::MODALITIES_IN_STUDY, modalities.clone());
    attributes.set(tags::SOP_CLASSES_IN_STUDY, columns::split_list(&classes).map(str::to_owned).collect());
    Ok(StudyRow {
        study_instance_uid: uid(row, 0, StudyInstanceUid::parse)?,
        attributes,
        series_count,
        instance_count,
        size_bytes: row.try_get::<i64, _>(4)?.unsigned_abs(),
        modalities,
        sop_classes: sop_classes(&classes),
        revision: row.try_get(7)?,
        first_received_ms: row.try_get(8)?,
        last_change_ms: row.try_get(9)?,
        blocked: row.try_get(10)?,
    })
}

fn series_row(row: &SqliteRow) -> Result<SeriesRow, IndexError> {
    let mut attributes = read_attributes(row, 1)?;
    let instance_count: u32 = row.try_get(4)?;
    attributes.set(tags::NUMBER_OF_SERIES_RELATED_INSTANCES, vec![instance_count.to_string()]);
    let classes: String = row.try_get(6)?;
    Ok(SeriesRow {
        series_instance_uid: uid(row, 0, SeriesInstanceUid::parse)?,
        attributes,
        series_number: columns::known_number(row.try_get(2)?),
        modality: Some(row.try_get::<String, _>(3)?).filter(|modality| !modality.is_empty()),
        instance_count,
        size_bytes: row.try_get::<i64, _>(5)?.unsigned_abs(),
        sop_classes: sop_classes(&classes),
        revision: row.try_get(7)?,
        last_change_ms: row.try_get(8)?,
    })
}
