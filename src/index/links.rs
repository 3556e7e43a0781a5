//! Rows of patient links. The index keeps digests of what opens a link, never the thing itself, and
//! decides nothing: a change is a function of the row, run inside the one write transaction that also
//! holds its audit rows, so that parallel guesses are counted one after the other.

use super::{Index, IndexError};
use crate::audit::Event;
use crate::domain::phi::Phi;
use crate::domain::uid::StudyInstanceUid;

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
    pub async fn insert_link(&self, _link: &LinkRow, _events: &[Event]) -> Result<(), IndexError> {
        Err(IndexError::Busy)
    }
    pub async fn link(&self, _lid_sha256: &[u8; 32]) -> Result<Option<LinkRow>, IndexError> {
        Ok(None)
    }
    pub async fn link_by_id(&self, _link_id: &str) -> Result<Option<LinkRow>, IndexError> {
        Ok(None)
    }
    /// The newest first, at most `limit`.
    pub async fn links(&self, _limit: u32) -> Result<Vec<LinkRow>, IndexError> {
        Ok(Vec::new())
    }
    /// Runs `change` over the row and keeps what it made of expiry, revocation, tries and counters,
    /// with the audit rows it returns, in one transaction. `None` when there is no such link.
    pub async fn change_link<T>(
        &self,
        _lid_sha256: &[u8; 32],
        _change: impl FnOnce(&mut LinkRow) -> (T, Vec<Event>) + Send,
    ) -> Result<Option<T>, IndexError> {
        Ok(None)
    }
    /// The first use of a ticket: `change` runs, its events are kept and the ticket is remembered, in
    /// one transaction. `false` when the ticket was used before, and nothing is changed.
    pub async fn first_use_of_ticket(
        &self,
        _ticket_sha256: &[u8; 32],
        _expires_at_ms: i64,
        _now_ms: i64,
        _lid_sha256: &[u8; 32],
        _change: impl FnOnce(&mut LinkRow) -> Vec<Event> + Send,
    ) -> Result<bool, IndexError> {
        Ok(false)
    }
}
