//! One batch on its way to the disk: an index transaction is begun, every arrival gets its place, the
//! directories are synced, the transaction names them all, and then everyone is answered. Nothing is answered with success before.

use super::ReceiveError;
use super::commit::{Arrival, Content};
use super::conflict::{Known, severity};
use super::receive::{Received, admits};
use super::shared::Shared;
use crate::config::ConflictAnswer;
use crate::domain::arrival::Severity;
use crate::domain::instance::{InstanceFacts, StoredFile};
use crate::domain::restriction::Restriction;
use crate::domain::uid::{SopInstanceUid, StudyInstanceUid};
use crate::index::{self, Existing, IndexError, NewConflict, NewInstance, NewQuarantined, Recording};
use crate::store::{Folder, PartFile, Place};
use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use ulid::Ulid;

pub(super) struct Batch<'a> {
    shared: &'a Arc<Shared>,
    runtime: &'a Handle,
    /// Until it is recorded or given up.
    recording: Option<Recording<'a>>,
    existing: HashMap<SopInstanceUid, Existing>,
    directories: BTreeSet<PathBuf>,
    rows: index::Batch,
    waiting: Vec<Waiting>,
}

/// An arrival that is answered when the batch is durable.
struct Waiting {
    answer: oneshot::Sender<Result<Received, ReceiveError>>,
    outcome: Result<Received, ReceiveError>,
    kept: Kept,
}

/// What a failed batch takes back.
enum Kept {
    /// The same bytes as another arrival of this batch.
    Nothing,
    Object(PartFile),
    Conflict(PartFile, u64),
    Quarantine(PartFile, super::quarantine::Prepared),
}

/// What to answer once the batch is durable and what to take back if it is not; `None` when it is durable
/// already, by an earlier batch.
type Placed = Option<(Result<Received, ReceiveError>, Kept)>;

/// How an instance stands to what is stored, or to what came earlier in this batch.
enum Standing {
    New,
    Stored(Option<Severity>, StudyInstanceUid),
    InThisBatch(Option<Severity>, StudyInstanceUid),
}

impl<'a> Batch<'a> {
    pub(super) fn new(shared: &'a Arc<Shared>, runtime: &'a Handle, mut recording: Recording<'a>) -> Self {
        Self {
            shared,
            runtime,
            existing: recording.existing(),
            recording: Some(recording),
            directories: BTreeSet::new(),
            rows: index::Batch::default(),
            waiting: Vec::new(),
        }
    }

    /// Gives one arrival its final name, or answers it when there is nothing to wait for.
    pub(super) fn place(&mut self, arrival: Arrival) {
        let Arrival { part, digests, content, source, received_at_ms, answer } = arrival;
        let outcome = match content {
            Content::Unusable { reason, refusal } => {
                let row = NewQuarantined {
                    id: reason.id,
                    reason: refusal.reason(),
                    offending: refusal.offending(),
                    path: String::new(),
                    size_bytes: digests.size_bytes,
                    received_at_ms,
                    source,
                };
                self.quarantine(part, row, reason).map(|kept| Some((Err(refusal.into()), kept)))
            }
            Content::Instance { facts, conflict, only, dataset_offset, transfer_syntax_uid } => {
                let file = StoredFile {
                    path: String::new(),
                    size_bytes: digests.size_bytes,
                    crc32: digests.crc32,
                    sha256: digests.sha256,
                    dataset_offset,
                    transfer_syntax_uid,
                };
                let new = NewInstance { facts: *facts, file, received_at_ms, source };
                match only.is_none_or(|only| self.is_inside(&new, &only)) {
                    true => self.instance(part, new, conflict),
                    false => Err(ReceiveError::NotAuthorized),
                }
            }
        };
        match outcome {
            Ok(Some((outcome, kept))) => self.waiting.push(Waiting { answer, outcome, kept }),
            Ok(None) => drop(answer.send(Ok(Received::Duplicate))),
            Err(error) => drop(answer.send(Err(error))),
        }
    }

    fn instance(
        &mut self,
        mut part: PartFile,
        mut new: NewInstance,
        answer: ConflictAnswer,
    ) -> Result<Placed, ReceiveError> {
        let (severity, served) = match self.standing(&new) {
            Standing::New => {
                let placed = self.shared.store.place_object(&mut part, &new.file.sha256);
                new.file.path = self.touch(placed)?;
                self.rows.instances.push(new);
                return Ok(Some((Ok(Received::New), Kept::Object(part))));
            }
            Standing::Stored(None, _) => return self.heal(&mut part, &new.facts.sop_instance_uid),
            Standing::InThisBatch(None, _) => return Ok(Some((Ok(Received::Duplicate), Kept::Nothing))),
            Standing::Stored(Some(severity), served) | Standing::InThisBatch(Some(severity), served) => {
                (severity, served)
            }
        };
        // What agrees in every searchable attribute is the same image in another coat: never an error.
        if answer == ConflictAnswer::Reject && severity > Severity::Info {
            return Err(ReceiveError::ConflictRejected);
        }
        // The name comes from the digest: a sender that repeats itself does not fill the disk.
        let received = Received::Conflict { severity };
        let id = conflict_id(&new.file.sha256);
        if self.rows.conflicts.iter().any(|row| row.id == id) || self.is_held(id)? {
            return Ok(Some((Ok(received), Kept::Nothing)));
        }
        let size_bytes = new.file.size_bytes;
        self.shared.claim_aside(Folder::Conflicts, size_bytes)?;
        let placed = self.shared.store.place_aside(&mut part, Folder::Conflicts, &id.to_string());
        new.file.path = match self.touch(placed) {
            Ok(path) => path,
            Err(error) => {
                self.shared.release_aside(Folder::Conflicts, size_bytes);
                return Err(error);
            }
        };
        self.rows.conflicts.push(NewConflict {
            id,
            severity,
            sop_instance_uid: new.facts.sop_instance_uid,
            study_instance_uid: new.facts.study_instance_uid,
            served_study_instance_uid: served,
            file: new.file,
            received_at_ms: new.received_at_ms,
            source: new.source,
        });
        Ok(Some((Ok(received), Kept::Conflict(part, size_bytes))))
    }

    /// Whether a newcomer from somebody restricted leaves alone what is outside: a study of its UID, or an
    /// instance of its UID, would otherwise be marked as in doubt.
    fn is_inside(&self, new: &NewInstance, only: &Restriction) -> bool {
        let study = self.recording.as_ref().is_none_or(|known| known.admits(&new.facts, only));
        let instance = self.existing.get(&new.facts.sop_instance_uid).is_none_or(|first| first.is_within(only));
        let touched = |other: &&NewInstance| {
            other.facts.study_instance_uid == new.facts.study_instance_uid
                || other.facts.sop_instance_uid == new.facts.sop_instance_uid
        };
        study
            && instance
            && self
                .rows
                .instances
                .iter()
                .filter(touched)
                .all(|other| admits(only, &other.facts) && other.facts.patient() == new.facts.patient())
    }

    /// Whether the same bytes are kept as a conflict already. A file without its row is a leftover of a
    /// crash, and gives way.
    fn is_held(&self, id: Ulid) -> Result<bool, ReceiveError> {
        let name = id.to_string();
        let path = self.shared.store.folder(Folder::Conflicts).join(format!("{name}.dcm"));
        if !path.exists() {
            return Ok(false);
        }
        let held = self.runtime.block_on(self.shared.index.has_conflict(&name));
        if held.map_err(|error| self.shared.index_failed(error))? {
            return Ok(true);
        }
        self.shared.store.disk().remove(&path).map_err(|error| self.shared.disk_failed(error))?;
        Ok(false)
    }

    /// The same bytes again. When the stored file is gone or cut short, sending again is how people mend
    /// it: these bytes take its place before anybody is told that they are stored.
    fn heal(&mut self, part: &mut PartFile, uid: &SopInstanceUid) -> Result<Placed, ReceiveError> {
        let Some(stored) = self.existing.get(uid).map(|first| first.file.clone()) else { return Ok(None) };
        let found = self.shared.store.size(&stored.path).map_err(|error| self.shared.disk_failed(error))?;
        if found == Some(stored.size_bytes) {
            return Ok(None);
        }
        tracing::warn!(file = stored.path, "an object that was missing or cut short is mended by its sender");
        let placed = self.shared.store.replace_object(part, &stored.path);
        self.touch(placed)?;
        Ok(Some((Ok(Received::Duplicate), Kept::Nothing)))
    }

    fn standing(&self, new: &NewInstance) -> Standing {
        let newcomer = known(&new.facts, &new.file);
        if let Some(first) = self.existing.get(&new.facts.sop_instance_uid) {
            let stored = Known {
                sha256: &first.file.sha256,
                sop_class_uid: &first.sop_class_uid,
                study_instance_uid: &first.study_instance_uid,
                series_instance_uid: &first.series_instance_uid,
                attributes: &first.attributes,
            };
            return Standing::Stored(severity(&stored, &newcomer), first.study_instance_uid.clone());
        }
        let same_uid = |first: &&NewInstance| first.facts.sop_instance_uid == new.facts.sop_instance_uid;
        match self.rows.instances.iter().find(same_uid) {
            Some(first) => {
                let study = first.facts.study_instance_uid.clone();
                Standing::InThisBatch(severity(&known(&first.facts, &first.file), &newcomer), study)
            }
            None => Standing::New,
        }
    }

    fn quarantine(
        &mut self,
        mut part: PartFile,
        mut row: NewQuarantined,
        reason: super::quarantine::Prepared,
    ) -> Result<Kept, ReceiveError> {
        let placed = self.shared.store.place_aside(&mut part, Folder::Quarantine, &row.id.to_string());
        row.path = self.touch(placed)?;
        self.rows.quarantined.push(row);
        Ok(Kept::Quarantine(part, reason))
    }

    fn touch(&mut self, placed: Result<Place, crate::store::StoreError>) -> Result<String, ReceiveError> {
        let place = placed.map_err(|error| self.shared.disk_failed(error))?;
        self.directories.insert(place.directory);
        Ok(place.path)
    }

    /// Makes the new names durable. On failure everyone is answered and nothing is left: `None`.
    pub(super) fn sync_directories(self) -> Option<Self> {
        for directory in &self.directories {
            if let Err(error) = self.shared.store.disk().sync_directory(directory) {
                let error = self.shared.disk_failed(error);
                self.take_back(&error);
                return None;
            }
        }
        Some(self)
    }

    /// One transaction, then the answers.
    pub(super) fn record(mut self) {
        if self.waiting.is_empty() {
            return self.give_up();
        }
        let Some(recording) = self.recording.take() else { return };
        let rows = std::mem::take(&mut self.rows);
        let first = rows.instances.first().map(|new| new.facts.sop_instance_uid.clone());
        match self.runtime.block_on(recording.record(rows)) {
            Ok(()) => self.answer(),
            Err(error) => {
                // After an I/O error the commit may be in the WAL although it cannot be seen: the files stay.
                let unknown = matches!(error, IndexError::Io(_) | IndexError::Corrupt(_));
                let rolled_back = error.is_full() || (!unknown && self.is_absent(first));
                let error = self.shared.index_failed(error);
                if rolled_back { self.take_back(&error) } else { self.leave(&error) }
            }
        }
    }

    /// Ends the transaction without a row. One that cannot even be rolled back is before the next begins.
    fn give_up(&mut self) {
        if let Some(recording) = self.recording.take()
            && let Err(error) = self.runtime.block_on(recording.give_up())
        {
            tracing::warn!(error = %error, "a batch without rows could not be rolled back");
        }
    }

    /// Whether the transaction left nothing behind, as far as the index can still say so.
    fn is_absent(&self, first: Option<SopInstanceUid>) -> bool {
        let Some(first) = first else { return false };
        matches!(self.runtime.block_on(self.shared.index.existing(&[first])), Ok(found) if found.is_empty())
    }

    fn answer(self) {
        for waiting in self.waiting {
            match waiting.kept {
                Kept::Quarantine(_, reason) => reason.keep(),
                Kept::Nothing | Kept::Object(_) | Kept::Conflict(..) => {}
            }
            // A caller that is gone does not take its instance back: the row is there.
            let _ = waiting.answer.send(waiting.outcome);
        }
    }

    /// Nothing of the batch is kept.
    pub(super) fn take_back(mut self, error: &ReceiveError) {
        self.give_up();
        for waiting in self.waiting {
            match waiting.kept {
                Kept::Nothing => {}
                Kept::Object(part) | Kept::Quarantine(part, _) => part.withdraw(),
                Kept::Conflict(part, size_bytes) => {
                    part.withdraw();
                    self.shared.release_aside(Folder::Conflicts, size_bytes);
                }
            }
            let _ = waiting.answer.send(Err(error.clone()));
        }
    }

    /// The row may or may not be there, so the files stay; the next start compares the two.
    fn leave(self, error: &ReceiveError) {
        for waiting in self.waiting {
            if let Kept::Quarantine(_, reason) = waiting.kept {
                reason.keep();
            }
            let _ = waiting.answer.send(Err(error.clone()));
        }
    }
}

/// The first 128 bits of the digest, written as a ULID.
fn conflict_id(sha256: &[u8; 32]) -> Ulid {
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(sha256).for_each(|(byte, digest)| *byte = *digest);
    Ulid::from_bytes(bytes)
}

fn known<'a>(facts: &'a InstanceFacts, file: &'a StoredFile) -> Known<'a> {
    Known {
        sha256: &file.sha256,
        sop_class_uid: &facts.sop_class_uid,
        study_instance_uid: &facts.study_instance_uid,
        series_instance_uid: &facts.series_instance_uid,
        attributes: &facts.attributes,
    }
}
