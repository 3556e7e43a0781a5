//! Frozen versions of packages: what a download was promised, byte for byte, after a restart too.

use super::{Index, IndexError};
use sqlx::Row;

/// How long a version outlives its successor: longer than any download ticket.
const KEPT_MS: i64 = 7 * 24 * 3_600_000;

/// A version about to be kept.
#[derive(Debug)]
pub struct NewPackage<'a> {
    pub scope: &'a str,
    /// The studies in it with their revisions.
    pub revisions: &'a str,
    pub etag: &'a str,
    pub files: &'a [u8],
}

/// A version without its files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrozenPackage {
    pub version: i64,
    pub revisions: String,
    pub etag: String,
    pub created_at_ms: i64,
}

impl Index {
    /// Keeps the next version of a scope and forgets those that were superseded a week ago.
    pub async fn keep_package(&self, new: NewPackage<'_>) -> Result<FrozenPackage, IndexError> {
        let mut transaction = self.write().await?;
        let now_ms = transaction.now_ms();
        let row = sqlx::query(
            "INSERT INTO package (scope, version, revisions, etag, created_at_ms, files)
             SELECT $1, coalesce(max(version), 0) + 1, $2, $3, $4, $5 FROM package WHERE scope = $1
             RETURNING version",
        )
        .bind(new.scope)
        .bind(new.revisions)
        .bind(new.etag)
        .bind(now_ms)
        .bind(new.files)
        .fetch_one(&mut *transaction)
        .await?;
        let version: i64 = row.try_get(0)?;
        // A version was superseded when the next one was made.
        sqlx::query(
            "DELETE FROM package WHERE scope = $1 AND EXISTS (
                 SELECT 1 FROM package AS next
                 WHERE next.scope = package.scope AND next.version > package.version AND next.created_at_ms < $2)",
        )
        .bind(new.scope)
        .bind(now_ms.saturating_sub(KEPT_MS))
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(FrozenPackage {
            version,
            revisions: new.revisions.to_owned(),
            etag: new.etag.to_owned(),
            created_at_ms: now_ms,
        })
    }

    /// The kept versions of a scope, newest first.
    pub async fn packages(&self, scope: &str) -> Result<Vec<FrozenPackage>, IndexError> {
        let mut reader = self.read().await?;
        let rows = sqlx::query(
            "SELECT version, revisions, etag, created_at_ms FROM package WHERE scope = $1 ORDER BY version DESC",
        )
        .bind(scope)
        .fetch_all(&mut *reader)
        .await?;
        rows.into_iter()
            .map(|row| {
                Ok(FrozenPackage {
                    version: row.try_get(0)?,
                    revisions: row.try_get(1)?,
                    etag: row.try_get(2)?,
                    created_at_ms: row.try_get(3)?,
                })
            })
            .collect()
    }

    /// The files of one version, as they were kept.
    pub async fn package_files(&self, scope: &str, version: i64) -> Result<Option<Vec<u8>>, IndexError> {
        let mut reader = self.read().await?;
        let row = sqlx::query("SELECT files FROM package WHERE scope = $1 AND version = $2")
            .bind(scope)
            .bind(version)
            .fetch_optional(&mut *reader)
            .await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?)
    }
}
