//! The files of what was deleted: which are still in their old place, which are kept, which are due to go.

use super::retrieve::uid;
use super::writer::Transaction;
use super::{Index, IndexError};
use crate::domain::uid::StudyInstanceUid;
use serde_json::json;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

/// The setting that holds the last change that is not told any more.
pub(super) const FORGOTTEN: &str = "changes.forgotten";

/// One file of a deletion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeletedFile {
    pub deletion: i64,
    pub number: i64,
    /// Where it was, relative to `data_dir`.
    pub path: String,
    pub size_bytes: u64,
    /// The same bytes came again and have this place now, or had it and are of a later deletion.
    pub taken: bool,
}

impl DeletedFile {
    /// What it is called while it is kept.
    pub fn name(&self) -> String {
        format!("{}-{}.dcm", self.deletion, self.number)
    }
}

/// One deletion, as lists show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeletionRow {
    pub sequence: i64,
    pub level: String,
    pub study_instance_uid: StudyInstanceUid,
    pub series_instance_uid: Option<String>,
    pub sop_instance_uid: Option<String>,
    pub deleted_at_ms: i64,
    pub instances: i64,
    pub size_bytes: i64,
    /// Its files that can still be restored.
    pub kept: i64,
}

/// What becomes of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Kept,
    Removed,
    Taken,
    Restored,
}

impl Fate {
    fn code(self) -> i64 {
        match self {
            Self::Kept => 1,
            Self::Removed => 2,
            Self::Taken => 3,
            Self::Restored => 4,
        }
    }
}

/// Files that nobody else names while this lives: nothing is recorded meanwhile.
pub struct Moving<'a> {
    pub files: Vec<DeletedFile>,
    transaction: Transaction<'a>,
}

/// Of the same SOP Instance UID in the same place: the name of an object is its digest. A place that a later deletion
/// names too holds the file of that one: there is one file, and the first to take it would leave the other none.
const PENDING: &str = "SELECT deletion, number, path, size_bytes,
        EXISTS (SELECT 1 FROM instance WHERE instance.sop_instance_uid = deleted_file.sop_instance_uid
            AND instance.directory || '/' || instance.file_name = deleted_file.path)
        OR EXISTS (SELECT 1 FROM conflict WHERE conflict.path = deleted_file.path)
        OR EXISTS (SELECT 1 FROM deleted_file AS later INDEXED BY deleted_file_place WHERE later.state = 0
            AND later.path = deleted_file.path
            AND (later.deletion, later.number) > (deleted_file.deletion, deleted_file.number))
    FROM deleted_file INDEXED BY deleted_file_pending WHERE state = 0 ORDER BY deletion, number LIMIT $1";

macro_rules! deletions {
    ($which:literal) => {
        concat!(
            "SELECT sequence, level, study_instance_uid, series_instance_uid, sop_instance_uid, deleted_at_ms,
                instances, size_bytes,
                (SELECT count(*) FROM deleted_file WHERE deletion = sequence AND state IN (0, 1))
             FROM deletion ",
            $which
        )
    };
}

impl Index {
    /// Up to `limit` files that are to be moved out of their old places; none, when all are.
    pub async fn begin_moving(&self, limit: u32) -> Result<Option<Moving<'_>>, IndexError> {
        // Without a look first, every start and every idle minute would take the turn to write.
        let waits = "SELECT 1 FROM deleted_file INDEXED BY deleted_file_pending WHERE state = 0 LIMIT 1";
        if sqlx::query(waits).fetch_optional(&mut *self.read().await?).await?.is_none() {
            return Ok(None);
        }
        let mut transaction = self.write().await?;
        let rows = sqlx::query(PENDING).bind(limit).fetch_all(&mut *transaction).await?;
        let files = rows.iter().map(file).collect::<Result<_, _>>()?;
        Ok(Some(Moving { files, transaction }))
    }

    /// Files of `state` kept and pending, for the comparison with what is on the disk.
    pub async fn deleted_files(&self) -> Result<Vec<(DeletedFile, bool)>, IndexError> {
        let rows = sqlx::query(
            "SELECT deletion, number, path, size_bytes, 0, state FROM deleted_file WHERE state IN (0, 1)
             ORDER BY deletion, number",
        )
        .fetch_all(&mut *self.read().await?)
        .await?;
        rows.iter().map(|row| Ok((file(row)?, row.try_get::<i64, _>(5)? == 1))).collect()
    }

    /// Up to `limit` kept files of deletions before `before_ms`.
    pub async fn due_for_removal(&self, before_ms: i64, limit: u32) -> Result<Vec<DeletedFile>, IndexError> {
        let rows = sqlx::query(
            "SELECT deletion, number, path, deleted_file.size_bytes, 0
             FROM deleted_file INDEXED BY deleted_file_kept CROSS JOIN deletion ON deletion.sequence = deletion
             WHERE state = 1 AND deleted_at_ms <= $1 ORDER BY deletion, number LIMIT $2",
        )
        .bind(before_ms)
        .bind(limit)
        .fetch_all(&mut *self.read().await?)
        .await?;
        rows.iter().map(file).collect()
    }

    /// The kept files of one deletion.
    pub async fn kept_files(&self, deletion: i64) -> Result<Vec<DeletedFile>, IndexError> {
        let rows = sqlx::query(
            "SELECT deletion, number, path, size_bytes, 0 FROM deleted_file
             WHERE deletion = $1 AND state = 1 ORDER BY number",
        )
        .bind(deletion)
        .fetch_all(&mut *self.read().await?)
        .await?;
        rows.iter().map(file).collect()
    }

    /// The newest deletions first, at most `limit`.
    pub async fn deletions(&self, limit: u32) -> Result<Vec<DeletionRow>, IndexError> {
        let rows = sqlx::query(deletions!("ORDER BY sequence DESC LIMIT $1"))
            .bind(limit)
            .fetch_all(&mut *self.read().await?)
            .await?;
        rows.iter().map(deletion).collect()
    }

    pub async fn deletion(&self, sequence: i64) -> Result<Option<DeletionRow>, IndexError> {
        let row = sqlx::query(deletions!("WHERE sequence = $1"))
            .bind(sequence)
            .fetch_optional(&mut *self.read().await?)
            .await?;
        row.as_ref().map(deletion).transpose()
    }

    /// Notes what became of files.
    pub async fn settle_deleted(&self, files: &[(DeletedFile, Fate)]) -> Result<(), IndexError> {
        let mut transaction = self.write().await?;
        settle(&mut transaction, files).await?;
        transaction.commit().await
    }

    /// Forgets deletions before `before_ms` whose files are gone; from then on changes up to the last of them
    /// are not told any more.
    pub async fn forget_deletions(&self, before_ms: i64) -> Result<(), IndexError> {
        let old = "SELECT max(sequence) FROM deletion WHERE deleted_at_ms <= $1
             AND NOT EXISTS (SELECT 1 FROM deleted_file WHERE deletion = sequence AND state IN (0, 1))";
        let row = sqlx::query(old).bind(before_ms).fetch_one(&mut *self.read().await?).await?;
        let Some(last) = row.try_get::<Option<i64>, _>(0)? else { return Ok(()) };
        let mut transaction = self.write().await?;
        for statement in [
            "DELETE FROM deleted_file WHERE deletion <= $1 AND deletion IN (SELECT sequence FROM deletion
                WHERE deleted_at_ms <= $2 AND NOT EXISTS (SELECT 1 FROM deleted_file AS kept
                    WHERE kept.deletion = sequence AND kept.state IN (0, 1)))",
            "DELETE FROM deletion WHERE sequence <= $1 AND deleted_at_ms <= $2
                AND NOT EXISTS (SELECT 1 FROM deleted_file WHERE deletion = sequence)",
        ] {
            sqlx::query(statement).bind(last).bind(before_ms).execute(&mut *transaction).await?;
        }
        sqlx::query(
            "INSERT INTO setting (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        )
        .bind(FORGOTTEN)
        .bind(last.to_string())
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await
    }

    /// Whether a row names this file of `objects/`.
    pub async fn names_file(&self, path: &str) -> Result<bool, IndexError> {
        let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
        let found = sqlx::query("SELECT 1 FROM instance WHERE directory = $1 AND file_name = $2")
            .bind(directory)
            .bind(name)
            .fetch_optional(&mut *self.read().await?)
            .await?;
        Ok(found.is_some())
    }
}

impl Moving<'_> {
    /// The files are where they are to be, durably.
    pub async fn done(mut self) -> Result<(), IndexError> {
        let fate = |file: DeletedFile| {
            let fate = if file.taken { Fate::Taken } else { Fate::Kept };
            (file, fate)
        };
        let files: Vec<_> = std::mem::take(&mut self.files).into_iter().map(fate).collect();
        settle(&mut self.transaction, &files).await?;
        self.transaction.commit().await
    }
}

async fn settle(transaction: &mut Transaction<'_>, files: &[(DeletedFile, Fate)]) -> Result<(), IndexError> {
    let list: Vec<_> = files.iter().map(|(file, fate)| json!([file.deletion, file.number, fate.code()])).collect();
    sqlx::query(
        "UPDATE deleted_file SET state = j.value->>2 FROM json_each($1) AS j
         WHERE deleted_file.deletion = j.value->>0 AND deleted_file.number = j.value->>1",
    )
    .bind(serde_json::Value::from(list).to_string())
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

fn deletion(row: &SqliteRow) -> Result<DeletionRow, IndexError> {
    Ok(DeletionRow {
        sequence: row.try_get(0)?,
        level: row.try_get(1)?,
        study_instance_uid: uid(row, 2, StudyInstanceUid::parse)?,
        series_instance_uid: row.try_get(3)?,
        sop_instance_uid: row.try_get(4)?,
        deleted_at_ms: row.try_get(5)?,
        instances: row.try_get(6)?,
        size_bytes: row.try_get(7)?,
        kept: row.try_get(8)?,
    })
}

fn file(row: &SqliteRow) -> Result<DeletedFile, IndexError> {
    Ok(DeletedFile {
        deletion: row.try_get(0)?,
        number: row.try_get(1)?,
        path: row.try_get(2)?,
        size_bytes: row.try_get::<i64, _>(3)?.unsigned_abs(),
        taken: row.try_get(4)?,
    })
}
