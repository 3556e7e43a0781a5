//! Rows of patient links. The index keeps digests of what opens a link, never the thing itself, and
//! decides nothing: a change is a function of the row, run inside the one write transaction that also
//! holds its audit rows, so that parallel guesses are counted one after the other.

use super::writer::Transaction;
use super::{Index, IndexError};
use crate::audit::Event;
use crate::domain::phi::Phi;
use crate::domain::uid::StudyInstanceUid;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

/// A patient link as stored.
#[derive(Debug, Clone)]
pub struct LinkRow {
    /// SHA-256 of the random part of the token.
    pub lid_sha256: [u8; 32],
    /// Its first 16 hex digits: what staff and logs call the link.
    pub link_id: String,
    pub kid: u8,
    /// `None`: every study of the patient.
    pub study: Option<StudyInstanceUid>,
    pub patient: PatientKey,
    pub identity_hmac: Vec<u8>,
    pub birth_date_hmac: Option<Vec<u8>>,
    pub code_argon2id: Option<Vec<u8>>,
    /// Where staff meant to send it.
    pub meant_for: Option<Phi<String>>,
    pub granted_at_ms: i64,
    pub granted_by: String,
    pub expires_at_ms: i64,
    pub expires_latest_ms: i64,
    pub revoked_at_ms: Option<i64>,
    pub tries: Tries,
    pub first_verified_at_ms: Option<i64>,
    pub last_verified_at_ms: Option<i64>,
    pub verified: u64,
    pub downloads: u64,
    pub bytes: u64,
    pub week_began_at_ms: i64,
    pub week_bytes: u64,
}

/// Whose studies: Issuer of Patient ID (0010,0021), empty when absent, and Patient ID (0010,0020).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatientKey {
    pub issuer_of_patient_id: Phi<String>,
    pub patient_id: Phi<String>,
}

/// What a link has used up of its tries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tries {
    pub consecutive: u32,
    pub lifetime: u32,
    /// No try is answered before this time.
    pub wait_until_ms: Option<i64>,
}

impl Index {
    /// Keeps a new link, with its audit rows, in one transaction.
    pub async fn insert_link(&self, link: &LinkRow, events: &[Event]) -> Result<(), IndexError> {
        let mut transaction = self.write().await?;
        sqlx::query(
            "INSERT INTO patient_link (lid_sha256, link_id, kid, study_instance_uid, issuer_of_patient_id, patient_id, \
             identity_hmac, birth_date_hmac, code_argon2id, meant_for, granted_at_ms, granted_by, expires_at_ms, \
             expires_latest_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
        )
        .bind(link.lid_sha256.as_slice())
        .bind(&link.link_id)
        .bind(i64::from(link.kid))
        .bind(link.study.as_ref().map(StudyInstanceUid::as_str))
        .bind(link.patient.issuer_of_patient_id.expose())
        .bind(link.patient.patient_id.expose())
        .bind(&link.identity_hmac)
        .bind(link.birth_date_hmac.as_deref())
        .bind(link.code_argon2id.as_deref())
        .bind(link.meant_for.as_ref().map(Phi::expose))
        .bind(link.granted_at_ms)
        .bind(&link.granted_by)
        .bind(link.expires_at_ms)
        .bind(link.expires_latest_ms)
        .execute(&mut *transaction)
        .await?;
        append(&mut transaction, events).await?;
        transaction.commit().await?;
        Ok(())
    }

    pub async fn link(&self, lid_sha256: &[u8; 32]) -> Result<Option<LinkRow>, IndexError> {
        let row = sqlx::query("SELECT * FROM patient_link WHERE lid_sha256 = $1")
            .bind(lid_sha256.as_slice())
            .fetch_optional(&mut *self.read().await?)
            .await?;
        row.as_ref().map(read).transpose()
    }

    pub async fn link_by_id(&self, link_id: &str) -> Result<Option<LinkRow>, IndexError> {
        let row = sqlx::query("SELECT * FROM patient_link WHERE link_id = $1")
            .bind(link_id)
            .fetch_optional(&mut *self.read().await?)
            .await?;
        row.as_ref().map(read).transpose()
    }

    /// The newest first, at most `limit`.
    pub async fn links(&self, limit: u32) -> Result<Vec<LinkRow>, IndexError> {
        let rows = sqlx::query("SELECT * FROM patient_link ORDER BY granted_at_ms DESC, link_id LIMIT $1")
            .bind(i64::from(limit))
            .fetch_all(&mut *self.read().await?)
            .await?;
        rows.iter().map(read).collect()
    }

    /// Runs `change` over the row and keeps what it made of expiry, revocation, tries and counters,
    /// with the audit rows it returns; nothing is written when it leaves the row as it was and returns
    /// no event. `None` when there is no such link.
    pub async fn change_link<T>(
        &self,
        lid_sha256: &[u8; 32],
        change: impl FnOnce(&mut LinkRow) -> (T, Vec<Event>) + Send,
    ) -> Result<Option<T>, IndexError> {
        let mut transaction = self.write().await?;
        let row = sqlx::query("SELECT * FROM patient_link WHERE lid_sha256 = $1")
            .bind(lid_sha256.as_slice())
            .fetch_optional(&mut *transaction)
            .await?;
        let Some(row) = row else { return Ok(None) };
        let mut link = read(&row)?;
        let (outcome, events) = change(&mut link);
        write(&mut transaction, &link).await?;
        append(&mut transaction, &events).await?;
        transaction.commit().await?;
        Ok(Some(outcome))
    }

    /// The first use of a ticket: `change` runs, its events are kept and the ticket is remembered, in
    /// one transaction. `false` when the ticket was used before, and nothing is changed.
    pub async fn first_use_of_ticket(
        &self,
        ticket_sha256: &[u8; 32],
        expires_at_ms: i64,
        now_ms: i64,
        lid_sha256: &[u8; 32],
        change: impl FnOnce(&mut LinkRow) -> Vec<Event> + Send,
    ) -> Result<bool, IndexError> {
        // Every range of a download comes by here, and a used ticket never becomes unused.
        let seen = sqlx::query("SELECT 1 FROM download_ticket WHERE ticket_sha256 = $1")
            .bind(ticket_sha256.as_slice())
            .fetch_optional(&mut *self.read().await?)
            .await?;
        if seen.is_some() {
            return Ok(false);
        }
        let mut transaction = self.write().await?;
        sqlx::query("DELETE FROM download_ticket WHERE expires_at_ms <= $1")
            .bind(now_ms)
            .execute(&mut *transaction)
            .await?;
        let inserted = sqlx::query(
            "INSERT INTO download_ticket (ticket_sha256, lid_sha256, expires_at_ms) VALUES ($1, $2, $3) \
             ON CONFLICT (ticket_sha256) DO NOTHING",
        )
        .bind(ticket_sha256.as_slice())
        .bind(lid_sha256.as_slice())
        .bind(expires_at_ms)
        .execute(&mut *transaction)
        .await?;
        if inserted.rows_affected() == 0 {
            return Ok(false);
        }
        let row = sqlx::query("SELECT * FROM patient_link WHERE lid_sha256 = $1")
            .bind(lid_sha256.as_slice())
            .fetch_one(&mut *transaction)
            .await?;
        let mut link = read(&row)?;
        let events = change(&mut link);
        write(&mut transaction, &link).await?;
        append(&mut transaction, &events).await?;
        transaction.commit().await?;
        Ok(true)
    }
}

/// What may change in the life of a link; identity, scope and secrets never do.
async fn write(connection: &mut SqliteConnection, link: &LinkRow) -> Result<(), IndexError> {
    sqlx::query(
        "UPDATE patient_link SET expires_at_ms = $2, revoked_at_ms = $3, tries_consecutive = $4, tries_lifetime = $5, \
         wait_until_ms = $6, first_verified_at_ms = $7, last_verified_at_ms = $8, verified = $9, downloads = $10, \
         bytes = $11, week_began_at_ms = $12, week_bytes = $13 WHERE lid_sha256 = $1",
    )
    .bind(link.lid_sha256.as_slice())
    .bind(link.expires_at_ms)
    .bind(link.revoked_at_ms)
    .bind(i64::from(link.tries.consecutive))
    .bind(i64::from(link.tries.lifetime))
    .bind(link.tries.wait_until_ms)
    .bind(link.first_verified_at_ms)
    .bind(link.last_verified_at_ms)
    .bind(stored(link.verified))
    .bind(stored(link.downloads))
    .bind(stored(link.bytes))
    .bind(link.week_began_at_ms)
    .bind(stored(link.week_bytes))
    .execute(connection)
    .await?;
    Ok(())
}

async fn append(transaction: &mut Transaction<'_>, events: &[Event]) -> Result<(), IndexError> {
    for event in events {
        transaction.append(event).await?;
    }
    Ok(())
}

fn stored(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn read(row: &SqliteRow) -> Result<LinkRow, IndexError> {
    let count = |column: &str| row.try_get::<i64, _>(column).map(|count| count.max(0).unsigned_abs());
    let small = |column: &str| count(column).map(|count| u32::try_from(count).unwrap_or(u32::MAX));
    let lid: Vec<u8> = row.try_get("lid_sha256")?;
    let study: Option<String> = row.try_get("study_instance_uid")?;
    Ok(LinkRow {
        lid_sha256: lid.try_into().map_err(|_| IndexError::Row)?,
        link_id: row.try_get("link_id")?,
        kid: u8::try_from(count("kid")?).map_err(|_| IndexError::Row)?,
        study: study.map(|uid| StudyInstanceUid::parse(&uid)).transpose().map_err(|_| IndexError::Row)?,
        patient: PatientKey {
            issuer_of_patient_id: Phi::new(row.try_get("issuer_of_patient_id")?),
            patient_id: Phi::new(row.try_get("patient_id")?),
        },
        identity_hmac: row.try_get("identity_hmac")?,
        birth_date_hmac: row.try_get("birth_date_hmac")?,
        code_argon2id: row.try_get("code_argon2id")?,
        meant_for: row.try_get::<Option<String>, _>("meant_for")?.map(Phi::new),
        granted_at_ms: row.try_get("granted_at_ms")?,
        granted_by: row.try_get("granted_by")?,
        expires_at_ms: row.try_get("expires_at_ms")?,
        expires_latest_ms: row.try_get("expires_latest_ms")?,
        revoked_at_ms: row.try_get("revoked_at_ms")?,
        tries: Tries {
            consecutive: small("tries_consecutive")?,
            lifetime: small("tries_lifetime")?,
            wait_until_ms: row.try_get("wait_until_ms")?,
        },
        first_verified_at_ms: row.try_get("first_verified_at_ms")?,
        last_verified_at_ms: row.try_get("last_verified_at_ms")?,
        verified: count("verified")?,
        downloads: count("downloads")?,
        bytes: count("bytes")?,
        week_began_at_ms: row.try_get("week_began_at_ms")?,
        week_bytes: count("week_bytes")?,
    })
}
