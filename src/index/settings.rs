//! Small values under a name, and what is held in quarantine and in conflict.

use super::{Held, Index, IndexError};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

impl Index {
    /// Keeps a value under a name: the clean-stop mark, the object directory counter, the self-check.
    pub async fn put_setting(&self, name: &str, value: &str) -> Result<(), IndexError> {
        let mut transaction = self.write().await?;
        sqlx::query(
            "INSERT INTO setting (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        )
        .bind(name)
        .bind(value)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await
    }

    pub async fn get_setting(&self, name: &str) -> Result<Option<String>, IndexError> {
        let mut reader = self.read().await?;
        let row =
            sqlx::query("SELECT value FROM setting WHERE name = $1").bind(name).fetch_optional(&mut *reader).await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?)
    }

    /// What is in quarantine, oldest first.
    pub async fn quarantined(&self) -> Result<Vec<Held>, IndexError> {
        let mut reader = self.read().await?;
        let rows = sqlx::query(
            "SELECT id, reason, path, size_bytes, received_at_ms, calling_ae_title, NULL, NULL, offending, NULL
             FROM quarantine ORDER BY id",
        )
        .fetch_all(&mut *reader)
        .await?;
        rows.iter().map(held).collect()
    }

    /// What is in conflict, oldest first.
    pub async fn conflicts(&self) -> Result<Vec<Held>, IndexError> {
        let mut reader = self.read().await?;
        let rows = sqlx::query(
            "SELECT id, kind, path, size_bytes, received_at_ms, calling_ae_title, study_instance_uid,
                sop_instance_uid, NULL, severity FROM conflict ORDER BY id",
        )
        .fetch_all(&mut *reader)
        .await?;
        rows.iter().map(held).collect()
    }

    /// Whether a conflict of this id is kept.
    pub async fn has_conflict(&self, id: &str) -> Result<bool, IndexError> {
        let mut reader = self.read().await?;
        let found = sqlx::query("SELECT 1 FROM conflict WHERE id = $1").bind(id).fetch_optional(&mut *reader).await?;
        Ok(found.is_some())
    }

    /// Forgets a quarantined object; its file is the store's to remove. `false` when there is none.
    pub async fn drop_quarantined(&self, id: &str) -> Result<bool, IndexError> {
        let mut transaction = self.write().await?;
        let done = sqlx::query("DELETE FROM quarantine WHERE id = $1").bind(id).execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(done.rows_affected() > 0)
    }
}

fn held(row: &SqliteRow) -> Result<Held, IndexError> {
    let size: i64 = row.try_get(3)?;
    Ok(Held {
        id: row.try_get(0)?,
        reason: row.try_get(1)?,
        path: row.try_get(2)?,
        size_bytes: u64::try_from(size).unwrap_or_default(),
        received_at_ms: row.try_get(4)?,
        calling_ae_title: row.try_get(5)?,
        study_instance_uid: row.try_get(6)?,
        sop_instance_uid: row.try_get(7)?,
        offending: row.try_get(8)?,
        severity: row.try_get(9)?,
    })
}
