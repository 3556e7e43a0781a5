//! Rows of access tokens. The index keeps the digest of a token, never the token, and decides nothing:
//! whether one is still good is `access::bearer`'s to say.

use super::{Index, IndexError};
use crate::audit::Event;
use crate::domain::uid::StudyInstanceUid;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

/// An access token as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRow {
    /// What lists, logs and the audit trail call it.
    pub token_id: String,
    pub sha256: [u8; 32],
    pub name: String,
    /// Words separated by commas.
    pub scopes: String,
    pub created_at_ms: i64,
    pub expires_at_ms: i64,
    pub revoked_at_ms: Option<i64>,
    /// To the minute.
    pub last_used_at_ms: Option<i64>,
    /// The only study it is good for; `None` is all.
    pub study: Option<StudyInstanceUid>,
    /// Of a viewer's token: the token that made it.
    pub made_by: Option<String>,
}

impl Index {
    /// Keeps a new token with its audit row. Viewers' tokens are many: those that have ended leave their rows here.
    pub async fn insert_token(&self, token: &TokenRow, event: &Event) -> Result<(), IndexError> {
        let mut transaction = self.write().await?;
        sqlx::query(
            "INSERT INTO access_token (token_id, sha256, name, scopes, created_at_ms, expires_at_ms, study_instance_uid,
                made_by)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(&token.token_id)
        .bind(token.sha256.as_slice())
        .bind(&token.name)
        .bind(&token.scopes)
        .bind(token.created_at_ms)
        .bind(token.expires_at_ms)
        .bind(token.study.as_ref().map(|study| study.to_string()))
        .bind(token.made_by.as_deref())
        .execute(&mut *transaction)
        .await?;
        sqlx::query("DELETE FROM access_token WHERE study_instance_uid IS NOT NULL AND expires_at_ms < $1")
            .bind(token.created_at_ms)
            .execute(&mut *transaction)
            .await?;
        transaction.append(event).await?;
        transaction.commit().await
    }
    /// The token of this digest, revoked and expired ones included.
    pub async fn token(&self, sha256: &[u8; 32]) -> Result<Option<TokenRow>, IndexError> {
        let mut reader = self.read().await?;
        let found = sqlx::query(
            "SELECT token_id, sha256, name, scopes, created_at_ms, expires_at_ms, revoked_at_ms, last_used_at_ms,
                study_instance_uid, made_by FROM access_token WHERE sha256 = $1",
        )
        .bind(sha256.as_slice())
        .fetch_optional(&mut *reader)
        .await?;
        found.as_ref().map(row).transpose()
    }
    /// All of them: those that people made, then those that viewers were started with, the newest first.
    pub async fn tokens(&self) -> Result<Vec<TokenRow>, IndexError> {
        let mut reader = self.read().await?;
        let all = sqlx::query(
            "SELECT token_id, sha256, name, scopes, created_at_ms, expires_at_ms, revoked_at_ms, last_used_at_ms,
                study_instance_uid, made_by FROM access_token
             ORDER BY study_instance_uid IS NOT NULL, created_at_ms DESC, token_id DESC",
        )
        .fetch_all(&mut *reader)
        .await?;
        all.iter().map(row).collect()
    }
    /// Revokes one, and those that were made with it, with its audit row; `false` when there is none that is not revoked.
    pub async fn revoke_token(&self, token_id: &str, event: &Event) -> Result<bool, IndexError> {
        let mut transaction = self.write().await?;
        let now_ms = transaction.now_ms();
        let one = "UPDATE access_token SET revoked_at_ms = $1 WHERE token_id = $2 AND revoked_at_ms IS NULL";
        let changed = sqlx::query(one).bind(now_ms).bind(token_id).execute(&mut *transaction).await?.rows_affected();
        if changed == 0 {
            return Ok(false);
        }
        let made = "UPDATE access_token SET revoked_at_ms = $1 WHERE made_by = $2 AND revoked_at_ms IS NULL";
        sqlx::query(made).bind(now_ms).bind(token_id).execute(&mut *transaction).await?;
        transaction.append(event).await?;
        transaction.commit().await?;
        Ok(true)
    }
    /// Notes that the token was used.
    pub async fn touch_token(&self, token_id: &str) -> Result<(), IndexError> {
        let mut transaction = self.write().await?;
        let now_ms = transaction.now_ms();
        sqlx::query("UPDATE access_token SET last_used_at_ms = $1 WHERE token_id = $2")
            .bind(now_ms)
            .bind(token_id)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await
    }
}

fn row(row: &SqliteRow) -> Result<TokenRow, IndexError> {
    let sha256: Vec<u8> = row.try_get(1)?;
    Ok(TokenRow {
        token_id: row.try_get(0)?,
        sha256: sha256.try_into().map_err(|_| IndexError::Row)?,
        name: row.try_get(2)?,
        scopes: row.try_get(3)?,
        created_at_ms: row.try_get(4)?,
        expires_at_ms: row.try_get(5)?,
        revoked_at_ms: row.try_get(6)?,
        last_used_at_ms: row.try_get(7)?,
        study: row
            .try_get::<Option<&str>, _>(8)?
            .map(|uid| StudyInstanceUid::parse(uid).map_err(|_| IndexError::Row))
            .transpose()?,
        made_by: row.try_get(9)?,
    })
}
