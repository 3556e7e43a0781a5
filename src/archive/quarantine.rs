//! What could not be understood: its bytes as they came, and why. Names are ULIDs; the reason file holds
//! UIDs, sizes and the sender, nothing of the patient.

use super::shared::Shared;
use super::{Archive, ArchiveError, Cause, ReceiveError};
use crate::domain::reading::ReadError;
use crate::index::Index;
use crate::store::{Folder, InstanceStore, StoreError, StoredReader};
use dicom_core::Tag;
use std::path::PathBuf;
use std::sync::Arc;
use ulid::Ulid;

/// Why bytes are held and the sender is told no.
#[derive(Debug)]
pub(super) enum Refusal {
    Undecodable(ReadError),
    Mismatch { offending: Tag },
}

impl Refusal {
    /// The word in the reason file and in the index.
    pub(super) fn reason(&self) -> &'static str {
        match self {
            Self::Undecodable(_) => "undecodable",
            Self::Mismatch { .. } => "mismatch",
        }
    }
    pub(super) fn detail(&self) -> Option<String> {
        match self {
            Self::Undecodable(error) => Some(error.to_string()),
            Self::Mismatch { .. } => None,
        }
    }
    pub(super) fn offending(&self) -> Option<Tag> {
        match self {
            Self::Undecodable(error) => error.offending(),
            Self::Mismatch { offending } => Some(*offending),
        }
    }
}

impl From<Refusal> for ReceiveError {
    fn from(refusal: Refusal) -> Self {
        let offending = refusal.offending();
        match refusal {
            Refusal::Mismatch { offending } => Self::Mismatch { offending },
            Refusal::Undecodable(error) => {
                let cause: Cause = Arc::new(error);
                Self::Undecodable { offending, cause }
            }
        }
    }
}

/// `<ulid>.json` beside the bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Record {
    /// `undecodable`, `mismatch`, or what a start after a crash found: `wrong-digest`, `orphan-conflict`.
    pub reason: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub detail: Option<String>,
    /// `ggggeeee` of the attribute that is at fault.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub offending: Option<String>,
    pub received_at_ms: i64,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub peer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub calling_ae_title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub address: Option<String>,
    /// As the command named them.
    pub sop_class_uid: String,
    pub sop_instance_uid: String,
    pub transfer_syntax_uid: String,
    pub size_bytes: u64,
}

/// One held object.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Quarantined {
    pub id: String,
    /// Of the bytes, as found on the disk.
    pub size_bytes: u64,
    /// Absent when the reason file is.
    pub record: Option<Record>,
}

/// A reason file that waits for its bytes. Removed when dropped, unless they came.
pub(super) struct Prepared {
    pub(super) id: Ulid,
    shared: Arc<Shared>,
    claimed: u64,
    kept: bool,
}

impl Prepared {
    pub(super) fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for Prepared {
    fn drop(&mut self) {
        if !self.kept {
            // What cannot be removed is a reason without bytes, which the next start removes.
            let _ = self.shared.store.disk().remove(&reason_path(&self.shared.store, &self.id.to_string()));
            self.shared.release_aside(Folder::Quarantine, self.claimed);
        }
    }
}

/// Claims room and writes the reason; the committer moves the bytes beside it.
pub(super) fn prepare(shared: &Arc<Shared>, record: &Record) -> Result<Prepared, ReceiveError> {
    let json = serde_json::to_vec_pretty(record).unwrap_or_default();
    let claimed = record.size_bytes.saturating_add(json.len() as u64);
    shared.claim_aside(Folder::Quarantine, claimed)?;
    let prepared = Prepared { id: Ulid::generate(), shared: shared.clone(), claimed, kept: false };
    let path = reason_path(&shared.store, &prepared.id.to_string());
    shared.store.write_small(&path, &json).map_err(|error| shared.disk_failed(error))?;
    Ok(prepared)
}

pub(super) fn reason_path(store: &InstanceStore, id: &str) -> PathBuf {
    store.folder(Folder::Quarantine).join(format!("{id}.json"))
}

/// Everything in quarantine, oldest first (a ULID begins with its time).
pub fn list(store: &InstanceStore) -> Result<Vec<Quarantined>, StoreError> {
    let names = store.names_aside(Folder::Quarantine)?;
    let ids = names.iter().filter_map(|name| name.strip_suffix(".dcm"));
    ids.filter_map(|id| show(store, id).transpose()).collect()
}

/// One held object, `None` when there is none of that name.
pub fn show(store: &InstanceStore, id: &str) -> Result<Option<Quarantined>, StoreError> {
    // Anything that is no ULID could be a path.
    let Ok(ulid) = Ulid::from_string(id) else { return Ok(None) };
    let id = ulid.to_string();
    let Some(size_bytes) = store.size(&format!("quarantine/{id}.dcm"))? else { return Ok(None) };
    let record = std::fs::read(reason_path(store, &id)).ok().and_then(|json| serde_json::from_slice(&json).ok());
    Ok(Some(Quarantined { id, size_bytes, record }))
}

/// The held bytes: preamble, file meta, the data set as it came.
pub fn bytes(store: &InstanceStore, id: &str) -> Result<Option<StoredReader>, StoreError> {
    match show(store, id)? {
        Some(found) => store.read(&format!("quarantine/{}.dcm", found.id)).map(Some),
        None => Ok(None),
    }
}

/// Removes a held object for good. `false` when there is none of that name.
pub async fn remove(store: &InstanceStore, index: &Index, id: &str) -> Result<bool, ArchiveError> {
    let Some(found) = show(store, id)? else { return Ok(false) };
    let folder = store.folder(Folder::Quarantine);
    store.disk().remove(&folder.join(format!("{}.dcm", found.id)))?;
    store.disk().remove(&reason_path(store, &found.id))?;
    store.disk().sync_directory(&folder)?;
    index.drop_quarantined(&found.id).await.map_err(|error| ArchiveError::Index(Arc::new(error)))?;
    Ok(true)
}

impl Archive {
    /// Everything in quarantine, oldest first.
    pub fn quarantined(&self) -> Result<Vec<Quarantined>, StoreError> {
        list(&self.shared.store)
    }
    /// One held object, `None` when there is none of that name.
    pub fn quarantined_one(&self, id: &str) -> Result<Option<Quarantined>, StoreError> {
        show(&self.shared.store, id)
    }
    /// Removes a held object for good; `false` when there is none of that name.
    pub async fn drop_quarantined(&self, id: &str) -> Result<bool, ArchiveError> {
        remove(&self.shared.store, &self.shared.index, id).await
    }
}
