//! Rows for retrieval, packages and pages: instances in order, one instance with everything, metadata as
//! a stream.

use super::columns;
use super::readers::Reader;
use super::{Existing, Extent, Index, IndexError, InstanceDetail, InstanceFrames, InstanceRow, InstanceUids};
use crate::domain::attributes::Attributes;
use crate::domain::frames;
use crate::domain::instance::{FrameTable, PixelFacts, Selector, StoredFile};
use crate::domain::metadata::Metadata;
use crate::domain::uid::{
    InvalidUid, SeriesInstanceUid, SopClassUid, SopInstanceUid, StudyInstanceUid, TransferSyntaxUid,
};
use futures_util::{Stream, TryStreamExt};
use serde_json::{Map, Value};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use std::collections::HashMap;
use std::sync::Arc;

/// How many instances' metadata are read at once after the first few.
const PAGE: u32 = 64;
/// The first page is small, so that the first byte leaves at once.
const FIRST_PAGE: u32 = 4;

/// The columns that an [`InstanceRow`] is made of, in its order.
macro_rules! instance_columns {
    () => {
        "SELECT study.study_instance_uid, series.series_instance_uid, instance.sop_instance_uid,
            instance.sop_class_uid, series.series_number, instance.instance_number, series.modality,
            series.series_description, instance.number_of_frames, instance.directory, instance.file_name,
            instance.size_bytes, instance.crc32, instance.sha256, instance.dataset_offset,
            instance.transfer_syntax_uid, instance.received_at_ms"
    };
}
/// From a study to its instances.
macro_rules! downwards {
    ($where:literal) => {
        concat!(
            instance_columns!(),
            " FROM study CROSS JOIN series ON series.study_id = study.id
              CROSS JOIN instance ON instance.series_id = series.id ",
            $where
        )
    };
}
/// One instance, found by its own UID; the others must agree. $1 study, $2 series or NULL, $3 instance.
macro_rules! one_instance {
    ($more:literal) => {
        concat!(
            instance_columns!(),
            $more,
            " FROM instance CROSS JOIN series ON series.id = instance.series_id
              CROSS JOIN study ON study.id = series.study_id
              LEFT JOIN instance_metadata ON instance_metadata.instance_id = instance.id
              WHERE instance.sop_instance_uid = $3 AND study.study_instance_uid = $1
                AND ($2 IS NULL OR series.series_instance_uid = $2)"
        )
    };
}

const OF_STUDY: &str = downwards!(
    "WHERE study.study_instance_uid = $1
     ORDER BY series.series_number, series.series_instance_uid, instance.instance_number,
        instance.sop_instance_uid"
);
const OF_SERIES: &str = downwards!(
    "WHERE study.study_instance_uid = $1 AND series.series_instance_uid = $2
     ORDER BY instance.instance_number, instance.sop_instance_uid"
);
const ONE: &str = one_instance!(
    ", instance.attributes, series.attributes, study.attributes, instance_metadata.metadata, instance_metadata.pixels"
);
/// Without what only the metadata needs.
const FRAMES: &str = one_instance!(", instance_metadata.pixels");
/// The instances of a JSON list of SOP Instance UIDs; its rows are read by [`existing_row`].
macro_rules! existing {
    ($uids:literal) => {
        concat!(
            $crate::index::retrieve::instance_columns!(),
            ", instance.attributes, series.attributes, study.attributes
            FROM json_each(",
            $uids,
            ") AS wanted CROSS JOIN instance ON instance.sop_instance_uid = wanted.value
            CROSS JOIN series ON series.id = instance.series_id CROSS JOIN study ON study.id = series.study_id"
        )
    };
}
pub(super) use {existing, instance_columns};
const EXISTING: &str = existing!("$1");
const SERIES: &str = "SELECT series.id, series.series_instance_uid FROM study
    CROSS JOIN series ON series.study_id = study.id
    WHERE study.study_instance_uid = $1 AND ($2 IS NULL OR series.series_instance_uid = $2)
    ORDER BY series.series_number, series.series_instance_uid";
/// What names the state of a study or series, the revision that every change of it raises, and of an instance, which
/// never changes, its digest; how many instances it has, and the number of the last one of the archive.
const STUDY_EXTENT: &str = "SELECT printf('%x.%x', revision, last_change_ms), instance_count,
        (SELECT max(id) FROM instance)
    FROM study WHERE study_instance_uid = $1";
const SERIES_EXTENT: &str = "SELECT printf('%x.%x', series.revision, series.last_change_ms), series.instance_count,
        (SELECT max(id) FROM instance)
    FROM study CROSS JOIN series ON series.study_id = study.id
    WHERE study.study_instance_uid = $1 AND series.series_instance_uid = $2";
const INSTANCE_EXTENT: &str = "SELECT lower(hex(substr(instance.sha256, 1, 16))), 1, instance.id
    FROM instance CROSS JOIN series ON series.id = instance.series_id CROSS JOIN study ON study.id = series.study_id
    WHERE study.study_instance_uid = $1 AND series.series_instance_uid = $2 AND instance.sop_instance_uid = $3";
/// $1 series row, $2 and $3 instance number and UID after which the page begins, $4 its size, $5 the one
/// instance that is wanted, or NULL, $6 the last row that is.
const METADATA: &str = "SELECT instance.instance_number, instance.sop_instance_uid, instance_metadata.metadata
    FROM instance CROSS JOIN instance_metadata ON instance_metadata.instance_id = instance.id
    WHERE instance.series_id = $1 AND (instance.instance_number, instance.sop_instance_uid) > ($2, $3)
        AND ($5 IS NULL OR instance.sop_instance_uid = $5) AND instance.id <= $6
    ORDER BY instance.instance_number, instance.sop_instance_uid LIMIT $4";

/// A row of [`existing`].
pub(super) fn existing_row(row: &SqliteRow) -> Result<(SopInstanceUid, Existing), IndexError> {
    let of = instance_row(row)?;
    let existing = Existing {
        sop_class_uid: of.sop_class_uid,
        study_instance_uid: of.uids.study,
        series_instance_uid: of.uids.series,
        file: of.file,
        attributes: attributes(row, 17)?,
    };
    Ok((of.uids.instance, existing))
}

impl Index {
    /// The stored instances among these.
    pub async fn existing(
        &self,
        instances: &[SopInstanceUid],
    ) -> Result<HashMap<SopInstanceUid, Existing>, IndexError> {
        let wanted = Value::from_iter(instances.iter().map(SopInstanceUid::as_str)).to_string();
        let mut reader = self.read().await?;
        let rows = sqlx::query(EXISTING).bind(wanted).fetch_all(&mut *reader).await?;
        rows.iter().map(existing_row).collect()
    }

    /// The instances of a study or series, or one instance; by series number, instance number and UID.
    pub async fn instances(&self, selector: &Selector) -> Result<Vec<InstanceRow>, IndexError> {
        if selector.instance.is_some() {
            return Ok(self.frames(selector).await?.into_iter().map(|found| found.row.clone()).collect());
        }
        let mut reader = self.read().await?;
        let study = selector.study.as_str();
        let rows = match &selector.series {
            Some(series) => sqlx::query(OF_SERIES).bind(study).bind(series.as_str()).fetch_all(&mut *reader).await?,
            None => sqlx::query(OF_STUDY).bind(study).fetch_all(&mut *reader).await?,
        };
        rows.iter().map(instance_row).collect()
    }

    /// One instance with its pixel facts and metadata. `selector.instance` names it.
    pub async fn instance(&self, selector: &Selector) -> Result<Option<InstanceDetail>, IndexError> {
        let mut reader = self.read().await?;
        let Some(row) = fetch_one(&mut reader, ONE, selector).await? else { return Ok(None) };
        let pixels: Option<Vec<u8>> = row.try_get(21)?;
        let metadata: Option<Vec<u8>> = row.try_get(20)?;
        Ok(Some(InstanceDetail {
            row: instance_row(&row)?,
            attributes: attributes(&row, 17)?,
            pixels: pixels.as_deref().map(decode_pixels).transpose()?,
            metadata: Metadata::from_bytes(metadata.unwrap_or_default()).map_err(|_| IndexError::Row)?,
        }))
    }

    /// Where one instance's frames are: what a viewer asks hundreds of times a second, so nothing else is read,
    /// and what was asked for last is not read again.
    pub async fn frames(&self, selector: &Selector) -> Result<Option<Arc<InstanceFrames>>, IndexError> {
        let recent = &self.inner.writer.recent;
        if let Some(found) = recent.get(selector) {
            return Ok(Some(found));
        }
        let since = recent.now();
        let mut reader = self.read().await?;
        let Some(row) = fetch_one(&mut reader, FRAMES, selector).await? else { return Ok(None) };
        let pixels: Option<Vec<u8>> = row.try_get(17)?;
        let pixels = pixels.as_deref().map(decode_pixels).transpose()?;
        let found = Arc::new(InstanceFrames { row: instance_row(&row)?, pixels });
        recent.keep(since, &found);
        Ok(Some(found))
    }

    /// What there is of `selector`, as one statement sees it; `None` when nothing.
    pub async fn extent(&self, selector: &Selector) -> Result<Option<Extent>, IndexError> {
        let mut reader = self.read().await?;
        let statement = match (&selector.series, &selector.instance) {
            (None, _) => STUDY_EXTENT,
            (Some(_), None) => SERIES_EXTENT,
            (Some(_), Some(_)) => INSTANCE_EXTENT,
        };
        let row = fetch_one(&mut reader, statement, selector).await?;
        let extent = |row: SqliteRow| {
            Ok(Extent { version: row.try_get(0)?, instances: row.try_get(1)?, newest: row.try_get(2)? })
        };
        row.map(extent).transpose()
    }

    /// `Metadata::to_bytes` of every instance of `selector`, in the order of [`Index::instances`], read
    /// page by page as the stream is asked. Nothing after the instance of number `newest` is in it: what is recorded
    /// meanwhile is not; but what is deleted meanwhile may be missing.
    pub fn metadata(
        &self,
        selector: &Selector,
        newest: i64,
    ) -> impl Stream<Item = Result<(InstanceUids, Vec<u8>), IndexError>> + Send + 'static + use<> {
        let place = Place {
            index: self.clone(),
            selector: selector.clone(),
            newest,
            series: None,
            after: START,
            size: FIRST_PAGE,
        };
        futures_util::stream::try_unfold(place, |mut place| async move {
            let page = place.page().await?;
            Ok::<_, IndexError>(page.map(|page| (futures_util::stream::iter(page.into_iter().map(Ok)), place)))
        })
        .try_flatten()
    }

    /// The files that a directory of objects should hold, for the comparison after an unclean stop.
    pub async fn files_in(&self, directory: &str) -> Result<Vec<(SopInstanceUid, StoredFile)>, IndexError> {
        let mut reader = self.read().await?;
        let rows = sqlx::query(
            "SELECT sop_instance_uid, directory, file_name, size_bytes, crc32, sha256, dataset_offset,
                transfer_syntax_uid FROM instance WHERE directory = $1",
        )
        .bind(directory.trim_end_matches('/'))
        .fetch_all(&mut *reader)
        .await?;
        rows.iter().map(|row| Ok((uid(row, 0, SopInstanceUid::parse)?, stored_file(row, 1)?))).collect()
    }
}

async fn fetch_one(
    reader: &mut Reader,
    statement: &'static str,
    selector: &Selector,
) -> Result<Option<SqliteRow>, IndexError> {
    Ok(sqlx::query(statement)
        .bind(selector.study.as_str())
        .bind(selector.series.as_ref().map(|uid| uid.as_str()))
        .bind(selector.instance.as_ref().map(|uid| uid.as_str()))
        .fetch_optional(&mut **reader)
        .await?)
}

/// Before every instance.
const START: (i64, String) = (i64::MIN, String::new());

/// Where a stream of metadata stands.
struct Place {
    index: Index,
    selector: Selector,
    newest: i64,
    /// The series still to be read, the current one last; `None` before they were asked for.
    series: Option<Vec<(i64, SeriesInstanceUid)>>,
    /// Instance number and UID of the last row.
    after: (i64, String),
    size: u32,
}

impl Place {
    /// The next page that holds something; `None` at the end.
    async fn page(&mut self) -> Result<Option<Vec<(InstanceUids, Vec<u8>)>>, IndexError> {
        let mut reader = self.index.read().await?;
        let series = match &mut self.series {
            Some(series) => series,
            none => none.insert(series_of(&mut reader, &self.selector).await?),
        };
        while let Some((id, series_instance_uid)) = series.last() {
            let rows = sqlx::query(METADATA)
                .bind(id)
                .bind(self.after.0)
                .bind(&self.after.1)
                .bind(self.size)
                .bind(self.selector.instance.as_ref().map(|uid| uid.as_str()))
                .bind(self.newest)
                .fetch_all(&mut *reader)
                .await?;
            let mut page = Vec::with_capacity(rows.len());
            for row in &rows {
                let uids = InstanceUids {
                    study: self.selector.study.clone(),
                    series: series_instance_uid.clone(),
                    instance: uid(row, 1, SopInstanceUid::parse)?,
                };
                self.after = (row.try_get(0)?, row.try_get(1)?);
                page.push((uids, row.try_get(2)?));
            }
            if rows.len() < usize::try_from(self.size).unwrap_or(usize::MAX) {
                series.pop();
                self.after = START;
            }
            if !page.is_empty() {
                self.size = PAGE;
                return Ok(Some(page));
            }
        }
        Ok(None)
    }
}

/// The series of the selector, the first one last.
async fn series_of(reader: &mut Reader, selector: &Selector) -> Result<Vec<(i64, SeriesInstanceUid)>, IndexError> {
    let rows = sqlx::query(SERIES)
        .bind(selector.study.as_str())
        .bind(selector.series.as_ref().map(|uid| uid.as_str()))
        .fetch_all(&mut **reader)
        .await?;
    rows.iter().rev().map(|row| Ok((row.try_get(0)?, uid(row, 1, SeriesInstanceUid::parse)?))).collect()
}

/// Column `at` as a UID. What is in the index was parsed before it came in.
pub(super) fn uid<T>(row: &SqliteRow, at: usize, parse: fn(&str) -> Result<T, InvalidUid>) -> Result<T, IndexError> {
    parse(row.try_get(at)?).map_err(|_| IndexError::Row)
}

/// Columns 0 to 16 of the queries above.
fn instance_row(row: &SqliteRow) -> Result<InstanceRow, IndexError> {
    let text = |at: usize| -> Result<Option<String>, IndexError> {
        Ok(Some(row.try_get::<String, _>(at)?).filter(|text| !text.is_empty()))
    };
    Ok(InstanceRow {
        uids: InstanceUids {
            study: uid(row, 0, StudyInstanceUid::parse)?,
            series: uid(row, 1, SeriesInstanceUid::parse)?,
            instance: uid(row, 2, SopInstanceUid::parse)?,
        },
        sop_class_uid: uid(row, 3, SopClassUid::parse)?,
        series_number: columns::known_number(row.try_get(4)?),
        instance_number: columns::known_number(row.try_get(5)?),
        modality: text(6)?,
        series_description: text(7)?,
        number_of_frames: row.try_get(8)?,
        file: stored_file(row, 9)?,
        received_at_ms: row.try_get(16)?,
    })
}

/// Directory, file name, size, CRC-32, SHA-256, where the data set begins, transfer syntax.
fn stored_file(row: &SqliteRow, at: usize) -> Result<StoredFile, IndexError> {
    let (directory, name): (String, String) = (row.try_get(at)?, row.try_get(at + 1)?);
    let size: i64 = row.try_get(at + 2)?;
    let sha256: Vec<u8> = row.try_get(at + 4)?;
    Ok(StoredFile {
        path: if directory.is_empty() { name } else { format!("{directory}/{name}") },
        size_bytes: u64::try_from(size).map_err(|_| IndexError::Row)?,
        crc32: row.try_get(at + 3)?,
        sha256: sha256.try_into().map_err(|_| IndexError::Row)?,
        dataset_offset: row.try_get(at + 5)?,
        transfer_syntax_uid: uid(row, at + 6, TransferSyntaxUid::parse)?,
    })
}

/// Three columns of JSON: instance, series, study.
fn attributes(row: &SqliteRow, at: usize) -> Result<Attributes, IndexError> {
    let mut attributes = Attributes::default();
    for column in at..at + 3 {
        let map: Map<String, Value> = serde_json::from_str(row.try_get(column)?).map_err(|_| IndexError::Row)?;
        columns::to_attributes(&map, &mut attributes, |_| true);
    }
    Ok(attributes)
}

/// The facts as JSON without their frame table, the length of that first, the table behind it.
pub(super) fn encode_pixels(pixels: &PixelFacts) -> Result<Vec<u8>, IndexError> {
    let facts = PixelFacts {
        frames: FrameTable::Native { frame_bits: 0 },
        photometric_interpretation: pixels.photometric_interpretation.clone(),
        value: pixels.value.clone(),
        ..*pixels
    };
    let json = serde_json::to_vec(&facts).map_err(|_| IndexError::Row)?;
    let length = u32::try_from(json.len()).map_err(|_| IndexError::Row)?;
    Ok([&length.to_le_bytes(), json.as_slice(), &frames::encode(&pixels.frames)].concat())
}

fn decode_pixels(bytes: &[u8]) -> Result<PixelFacts, IndexError> {
    let (length, rest) = bytes.split_first_chunk::<4>().ok_or(IndexError::Row)?;
    let length = usize::try_from(u32::from_le_bytes(*length)).map_err(|_| IndexError::Row)?;
    let (json, table) = rest.split_at_checked(length).ok_or(IndexError::Row)?;
    let mut pixels: PixelFacts = serde_json::from_slice(json).map_err(|_| IndexError::Row)?;
    pixels.frames = frames::decode(table).ok_or(IndexError::Row)?;
    Ok(pixels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixel_facts_come_back_with_their_frame_table() {
        let mut pixels = PixelFacts {
            rows: 512,
            columns: 256,
            samples_per_pixel: 1,
            bits_allocated: 16,
            bits_stored: 12,
            high_bit: 11,
            pixel_representation: 1,
            planar_configuration: 0,
            photometric_interpretation: "MONOCHROME2".to_owned(),
            number_of_frames: 2,
            value: 1000..9000,
            element: 0x0010,
            frames: FrameTable::Native { frame_bits: 512 * 256 * 16 },
        };
        for frames in
            [pixels.frames.clone(), FrameTable::Encapsulated { frames: vec![vec![8..100, 108..200], vec![208..300]] }]
        {
            pixels.frames = frames;
            assert_eq!(decode_pixels(&encode_pixels(&pixels).unwrap()).unwrap(), pixels);
        }
        assert!(decode_pixels(&[1, 0, 0]).is_err());
        assert!(decode_pixels(&[9, 0, 0, 0, b'{']).is_err());
    }
}
