//! Rows of a search as matches: the attributes that the query wants, of this level and those above.

use super::IndexError;
use super::columns;
use super::retrieve::uid;
use crate::domain::attributes::{Attributes, TABLE, lookup, tags};
use crate::domain::level::Level;
use crate::domain::query::{Found, Query};
use crate::domain::uid::{SeriesInstanceUid, SopInstanceUid, StudyInstanceUid, TransferSyntaxUid};
use dicom_core::Tag;
use serde_json::{Map, Value};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use std::collections::HashSet;

/// Reads the rows of one answer. Rows of one study follow each other, so what is read of a study and of
/// a series is kept for the next row.
pub(super) struct Reading {
    level: Level,
    wanted: HashSet<Tag>,
    study: Option<(String, Attributes)>,
    series: Option<(String, Attributes)>,
}

impl Reading {
    pub(super) fn new(query: &Query) -> Self {
        let keys: HashSet<Tag> = query.keys.iter().map(|(tag, _)| *tag).collect();
        let wanted = TABLE
            .iter()
            .filter(|attribute| attribute.level <= query.level.max(Level::Study))
            .filter(|attribute| query.include.wants(attribute) || keys.contains(&attribute.tag))
            .map(|attribute| attribute.tag)
            .collect();
        Self { level: query.level, wanted, study: None, series: None }
    }

    pub(super) fn found(&mut self, row: &SqliteRow) -> Result<Found, IndexError> {
        let study: StudyInstanceUid = uid(row, 0, StudyInstanceUid::parse)?;
        if self.study.as_ref().is_none_or(|known| known.0 != study.as_str()) {
            let mut attributes = self.read(row, 1)?;
            let list = |at| -> Result<Vec<String>, IndexError> {
                Ok(columns::split_list(row.try_get(at)?).map(str::to_owned).collect())
            };
            let number = |at| -> Result<Vec<String>, IndexError> { Ok(vec![row.try_get::<i64, _>(at)?.to_string()]) };
            self.put(&mut attributes, tags::STUDY_INSTANCE_UID, vec![study.to_string()]);
            self.put(&mut attributes, tags::MODALITIES_IN_STUDY, list(2)?);
            self.put(&mut attributes, tags::SOP_CLASSES_IN_STUDY, list(3)?);
            self.put(&mut attributes, tags::NUMBER_OF_STUDY_RELATED_SERIES, number(4)?);
            self.put(&mut attributes, tags::NUMBER_OF_STUDY_RELATED_INSTANCES, number(5)?);
            self.study = Some((study.to_string(), attributes));
            self.series = None;
        }
        let mut attributes = self.study.as_ref().map(|known| known.1.clone()).unwrap_or_default();
        let mut found =
            Found { study, series: None, instance: None, attributes: Attributes::default(), transfer_syntax: None };
        if self.level >= Level::Series {
            let series: SeriesInstanceUid = uid(row, 6, SeriesInstanceUid::parse)?;
            if self.series.as_ref().is_none_or(|known| known.0 != series.as_str()) {
                let mut of_series = self.read(row, 7)?;
                let count = vec![row.try_get::<i64, _>(8)?.to_string()];
                self.put(&mut of_series, tags::SERIES_INSTANCE_UID, vec![series.to_string()]);
                self.put(&mut of_series, tags::NUMBER_OF_SERIES_RELATED_INSTANCES, count);
                self.series = Some((series.to_string(), of_series));
            }
            if let Some((_, of_series)) = &self.series {
                attributes.0.extend(of_series.0.iter().map(|(tag, values)| (*tag, values.clone())));
            }
            found.series = Some(series);
        }
        if self.level >= Level::Instance {
            let instance: SopInstanceUid = uid(row, 9, SopInstanceUid::parse)?;
            attributes.0.append(&mut self.read(row, 10)?.0);
            self.put(&mut attributes, tags::SOP_INSTANCE_UID, vec![instance.to_string()]);
            self.put(&mut attributes, tags::SOP_CLASS_UID, vec![row.try_get(11)?]);
            found.transfer_syntax = Some(uid(row, 12, TransferSyntaxUid::parse)?);
            found.instance = Some(instance);
        }
        // What is in the index is on the disk.
        attributes.set(tags::INSTANCE_AVAILABILITY, vec!["ONLINE".to_owned()]);
        found.attributes = attributes;
        Ok(found)
    }

    fn put(&self, attributes: &mut Attributes, tag: Tag, values: Vec<String>) {
        if self.wanted.contains(&tag) {
            attributes.set(tag, values);
        }
    }

    fn read(&self, row: &SqliteRow, at: usize) -> Result<Attributes, IndexError> {
        let map: Map<String, Value> = serde_json::from_str(row.try_get(at)?).map_err(|_| IndexError::Row)?;
        let mut attributes = Attributes::default();
        columns::to_attributes(&map, &mut attributes, |tag| self.wanted.contains(&tag) && lookup(tag).is_some());
        Ok(attributes)
    }
}
