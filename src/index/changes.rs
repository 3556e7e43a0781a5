//! What has changed, in the order in which it was committed. That an instance was stored says its row, whose id
//! is its number; deletions have rows of their own with numbers of the same counter. So telling of changes
//! costs nothing when an instance is stored.

use super::matching::Sql;
use super::retrieve::uid;
use super::search::push_only;
use super::{Index, IndexError, deleted};
use crate::domain::restriction::Restriction;
use crate::domain::uid::StudyInstanceUid;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use tokio::sync::watch;

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Grows from change to change; numbers may be missing.
    pub sequence: i64,
    pub at_ms: i64,
    pub deleted: bool,
    /// `study`, `series` or `instance`.
    pub level: String,
    pub study: StudyInstanceUid,
    pub series: Option<String>,
    pub instance: Option<String>,
    pub instances: i64,
}

/// Changes after a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changes {
    Told {
        changes: Vec<Change>,
        more: bool,
    },
    /// Deletions after that number are not told any more, or no such number was ever given.
    Forgotten,
}

/// What a row of instances looks like among changes.
const STORED: &str = "SELECT instance.id AS sequence, instance.received_at_ms AS at_ms, 0 AS deleted,
    'instance' AS level, study.study_instance_uid AS study, series.series_instance_uid AS series,
    instance.sop_instance_uid AS instance, 1 AS instances FROM ";
const BY_NUMBER: &str = "instance CROSS JOIN series ON series.id = instance.series_id
    CROSS JOIN study ON study.id = series.study_id WHERE 1";
/// For who sees a few studies only.
const BY_STUDY: &str = "study CROSS JOIN series ON series.study_id = study.id
    CROSS JOIN instance ON instance.series_id = series.id WHERE 1";
/// Deletions, under the name by which `push_only` knows whose study it is.
const DELETED: &str = "SELECT study.sequence, study.deleted_at_ms, 1, study.level, study.study_instance_uid,
    study.series_instance_uid, study.sop_instance_uid, study.instances FROM deletion AS study WHERE 1";

impl Index {
    /// The changes after number `since`, at most `limit`, as far as somebody may know of them who may see no more
    /// than `only`. [`IndexError::TooSlow`] after the search timeout.
    pub async fn changes(&self, since: i64, limit: u32, only: Option<&Restriction>) -> Result<Changes, IndexError> {
        if since < 0 || (since > *self.committed().borrow() && since > self.last_change().await?) {
            return Ok(Changes::Forgotten);
        }
        // One statement: what is committed between two would be missed.
        let mut sql = Sql::new("SELECT * FROM (SELECT * FROM (");
        let which = if only.is_some() { BY_STUDY } else { BY_NUMBER };
        push_part(&mut sql, &[STORED, which], " AND instance.id > ", since, limit, only);
        sql.push(") UNION ALL SELECT * FROM (");
        push_part(&mut sql, &[DELETED], " AND study.sequence > ", since, limit, only);
        sql.push(")) ORDER BY sequence LIMIT ").push_bind(i64::from(limit) + 1);
        let mut reader = self.inner.readers.get(Some(self.inner.search_timeout)).await?;
        let mut rows = sql.build().fetch_all(&mut *reader).await?;
        reader.finished();
        // Asked afterwards, so that what was forgotten meanwhile is not missed in silence. Who begins has
        // missed nothing.
        let forgotten = self.get_setting(deleted::FORGOTTEN).await?.and_then(|last| last.parse::<i64>().ok());
        if since > 0 && forgotten.is_some_and(|last| since < last) {
            return Ok(Changes::Forgotten);
        }
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = rows.len() > limit;
        rows.truncate(limit);
        Ok(Changes::Told { changes: rows.iter().map(change).collect::<Result<_, _>>()?, more })
    }

    /// The number of the last change that readers see: they may have been told of one before `committed` grows.
    pub(super) async fn last_change(&self) -> Result<i64, IndexError> {
        let row = sqlx::query(
            "SELECT max(coalesce((SELECT max(id) FROM instance), 0), coalesce((SELECT max(sequence) FROM deletion), 0))",
        )
        .fetch_one(&mut *self.read().await?)
        .await?;
        Ok(row.try_get(0)?)
    }

    /// The number of the last change that is committed, as it grows.
    pub fn committed(&self) -> watch::Receiver<i64> {
        self.inner.writer.committed()
    }
}

fn push_part(
    sql: &mut Sql,
    statement: &[&'static str],
    after: &'static str,
    since: i64,
    limit: u32,
    only: Option<&Restriction>,
) {
    for part in statement {
        sql.push(*part);
    }
    if let Some(only) = only {
        push_only(sql, only);
    }
    sql.push(after).push_bind(since).push(" ORDER BY 1 LIMIT ").push_bind(i64::from(limit) + 1);
}

fn change(row: &SqliteRow) -> Result<Change, IndexError> {
    Ok(Change {
        sequence: row.try_get(0)?,
        at_ms: row.try_get(1)?,
        deleted: row.try_get(2)?,
        level: row.try_get(3)?,
        study: uid(row, 4, StudyInstanceUid::parse)?,
        series: row.try_get(5)?,
        instance: row.try_get(6)?,
        instances: row.try_get(7)?,
    })
}
