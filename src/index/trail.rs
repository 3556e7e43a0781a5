//! Rows of the audit trail: appended in the transaction of what they tell of, paged, verified.

use super::writer::Heads;
use super::{Index, IndexError, TrailRow};
use crate::audit::{self, Event, Hash, Kind};
use crate::domain::uid::StudyInstanceUid;
use futures_util::TryStreamExt;
use serde_json::{Value, json};
use sqlx::Row;
use sqlx::sqlite::SqliteConnection;

/// A row with its place in the chain.
pub(super) struct Chained {
    pub(super) sequence: i64,
    pub(super) recorded_ms: i64,
    pub(super) kind: &'static str,
    pub(super) event: String,
    pub(super) previous: Hash,
    pub(super) hash: Hash,
    pub(super) studies: Vec<StudyInstanceUid>,
}

/// Chains `events` behind the head of the trail and moves the head.
pub(super) fn chained(heads: &mut Heads, now_ms: i64, events: &[Event]) -> Vec<Chained> {
    let chain = |event: &Event| {
        let (sequence, previous) = (heads.trail + 1, heads.hash);
        let canonical = event.canonical();
        let hash = audit::next(&previous, sequence, now_ms, &canonical);
        (heads.trail, heads.hash) = (sequence, hash);
        let (kind, studies) = (event.kind.word(), event.studies.clone());
        Chained { sequence, recorded_ms: now_ms, kind, event: canonical, previous, hash, studies }
    };
    events.iter().map(chain).collect()
}

/// Counts what the trail now tells, by its kind.
pub(super) fn count(events: &[Event]) {
    for event in events {
        metrics::counter!("bluebridge_events_total", "kind" => event.kind.word()).increment(1);
        if event.kind == Kind::InstancesReceived {
            metrics::counter!("bluebridge_instances_received_total").increment(event.instances.unwrap_or(0));
            metrics::counter!("bluebridge_received_bytes_total").increment(event.bytes.unwrap_or(0));
        }
    }
}

/// The rows as the lists `trail` and `trail_studies` of `record::BATCH`.
pub(super) fn as_json(rows: &[Chained]) -> (Vec<Value>, Vec<Value>) {
    let row =
        |row: &Chained| json!([row.sequence, row.recorded_ms, row.kind, row.event, hex(&row.previous), hex(&row.hash)]);
    let studies = rows.iter().flat_map(|row| row.studies.iter().map(|study| json!([study.as_str(), row.sequence])));
    (rows.iter().map(row).collect(), studies.collect())
}

fn hex(hash: &Hash) -> String {
    hash.iter().fold(String::with_capacity(64), |mut text, byte| {
        let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
        text.push(digit(byte >> 4));
        text.push(digit(byte & 0xF));
        text
    })
}

pub(super) async fn insert(connection: &mut SqliteConnection, rows: &[Chained]) -> Result<(), IndexError> {
    for row in rows {
        sqlx::query(
            "INSERT INTO trail (sequence, recorded_ms, kind, event, prev_hash, hash) VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(row.sequence)
        .bind(row.recorded_ms)
        .bind(row.kind)
        .bind(&row.event)
        .bind(row.previous.as_slice())
        .bind(row.hash.as_slice())
        .execute(&mut *connection)
        .await?;
        for study in &row.studies {
            sqlx::query(
                "INSERT INTO trail_study (study_instance_uid, sequence) VALUES ($1, $2) ON CONFLICT DO NOTHING",
            )
            .bind(study.as_str())
            .bind(row.sequence)
            .execute(&mut *connection)
            .await?;
        }
    }
    Ok(())
}

fn row(row: &sqlx::sqlite::SqliteRow) -> Result<TrailRow, IndexError> {
    Ok(TrailRow {
        sequence: row.try_get(0)?,
        recorded_ms: row.try_get(1)?,
        kind: row.try_get(2)?,
        event: row.try_get(3)?,
    })
}

impl Index {
    /// Appends to the audit trail by itself; what belongs to another change is written in that change's
    /// transaction.
    pub async fn append(&self, event: &Event) -> Result<(), IndexError> {
        let mut transaction = self.write().await?;
        transaction.append(event).await?;
        transaction.commit().await
    }

    /// The newest `limit` rows with a sequence number below `before`.
    pub async fn trail(&self, before: Option<i64>, limit: u32) -> Result<Vec<TrailRow>, IndexError> {
        let mut reader = self.read().await?;
        let rows = sqlx::query(
            "SELECT sequence, recorded_ms, kind, event FROM trail WHERE sequence < $1 ORDER BY sequence DESC LIMIT $2",
        )
        .bind(before.unwrap_or(i64::MAX))
        .bind(limit)
        .fetch_all(&mut *reader)
        .await?;
        rows.iter().map(row).collect()
    }

    /// Everything that is told of one study, newest first.
    pub async fn trail_of(&self, study: &StudyInstanceUid, limit: u32) -> Result<Vec<TrailRow>, IndexError> {
        let mut reader = self.read().await?;
        let rows = sqlx::query(
            "SELECT trail.sequence, recorded_ms, kind, event FROM trail_study JOIN trail USING (sequence)
             WHERE study_instance_uid = $1 ORDER BY trail_study.sequence DESC LIMIT $2",
        )
        .bind(study.as_str())
        .bind(limit)
        .fetch_all(&mut *reader)
        .await?;
        rows.iter().map(row).collect()
    }

    /// Recomputes the chain from its first row: the number of rows, or the sequence number of the first
    /// row that does not fit. Rows cut off at the end are not seen by this: compare the number with an
    /// earlier one.
    pub async fn verify_trail(&self) -> Result<Result<u64, i64>, IndexError> {
        let mut reader = self.read().await?;
        let mut rows =
            sqlx::query("SELECT sequence, recorded_ms, kind, event, prev_hash, hash FROM trail ORDER BY sequence")
                .fetch(&mut *reader);
        let (mut expected, mut previous) = (1_i64, audit::genesis());
        while let Some(row) = rows.try_next().await? {
            let sequence: i64 = row.try_get(0)?;
            let (recorded_ms, kind, event): (i64, String, String) = (row.try_get(1)?, row.try_get(2)?, row.try_get(3)?);
            let (prev_hash, hash): (Vec<u8>, Vec<u8>) = (row.try_get(4)?, row.try_get(5)?);
            let computed = audit::next(&previous, sequence, recorded_ms, &event);
            let told = serde_json::from_str::<serde_json::Value>(&event).ok();
            let kind_fits = told.is_some_and(|event| event.get("event").and_then(|word| word.as_str()) == Some(&kind));
            if sequence != expected || prev_hash != previous || hash != computed || !kind_fits {
                return Ok(Err(expected));
            }
            (expected, previous) = (expected.saturating_add(1), computed);
        }
        Ok(Ok(u64::try_from(expected - 1).unwrap_or_default()))
    }
}
