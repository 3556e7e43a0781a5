//! A deletion undone: its kept files are taken in again, by the only way in.

use super::{Archive, ArchiveError, Offer, ReceiveError, Source, SyntaxSource};
use crate::audit::{Actor, Event, Kind, Outcome};
use crate::config::ConflictAnswer;
use crate::domain::transfer_syntax;
use crate::index::deleted::{DeletedFile, DeletionRow, Fate};
use crate::store::{InstanceStore, StoreError, StoredReader, part10};
use futures_util::{StreamExt, stream};
use std::net::IpAddr;

/// Files that are read and committed at the same time.
const AT_ONCE: usize = 16;
/// Files whose fate is noted in one transaction.
const SETTLED_AT_ONCE: usize = 64;
const PORTION: usize = 256 << 10;
/// Longer than any head of ours: preamble, file meta of three UIDs.
const HEAD: usize = 1024;

/// What became of a deletion's files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Restored {
    pub instances: u64,
    /// Still kept, because they could not be taken in; the log says why.
    pub failed: u64,
}

impl Archive {
    /// What was deleted and is still told, newest first; at most `limit`.
    pub async fn deletions(&self, limit: u32) -> Result<Vec<DeletionRow>, ArchiveError> {
        self.shared.index.deletions(limit).await.map_err(super::reconcile::index_error)
    }

    /// Takes what a deletion took out of the archive in again; it is then new. `None` when nothing of it is
    /// kept (any more). Files that are still on their way to where they are kept are put there first.
    pub async fn restore(
        &self,
        deletion: i64,
        by: &Actor,
        address: Option<IpAddr>,
    ) -> Result<Option<Restored>, ArchiveError> {
        let index_error = super::reconcile::index_error;
        super::remove::move_all(&self.shared).await?;
        let Some(row) = self.shared.index.deletion(deletion).await.map_err(index_error)? else { return Ok(None) };
        let files = self.shared.index.kept_files(deletion).await.map_err(index_error)?;
        if files.is_empty() {
            return Ok(None);
        }
        let mut restored = Restored::default();
        let (mut bytes, mut settled) = (0_u64, Vec::new());
        // Copies that were in conflict come after what was served; those together, so that they share batches.
        let (served, copies): (Vec<_>, Vec<_>) = files.into_iter().partition(|file| file.path.starts_with("objects/"));
        let mut taken = stream::iter(served)
            .map(|file| self.taken_in_again(file))
            .buffer_unordered(AT_ONCE)
            .chain(stream::iter(copies).then(|file| self.taken_in_again(file)))
            .boxed();
        while let Some((file, outcome)) = taken.next().await {
            match outcome {
                Ok(()) => {
                    restored.instances += 1;
                    bytes = bytes.saturating_add(file.size_bytes);
                    self.shared.store.remove_deleted(&file.name())?;
                    settled.push((file, Fate::Restored));
                    if settled.len() >= SETTLED_AT_ONCE {
                        let settled = std::mem::take(&mut settled);
                        self.shared.index.settle_deleted(&settled).await.map_err(index_error)?;
                    }
                }
                Err(error) => {
                    tracing::error!(file = file.name(), error = %super::shared::Chain(&error), "a deleted instance could not be restored");
                    restored.failed += 1;
                }
            }
        }
        self.shared.index.settle_deleted(&settled).await.map_err(index_error)?;
        let outcome = if restored.failed == 0 { Outcome::Success } else { Outcome::MinorFailure };
        let event = Event::new(Kind::InstancesRestored, by.clone())
            .address(address)
            .outcome(outcome)
            .study(row.study_instance_uid)
            .counts(restored.instances, bytes);
        self.shared.index.append(&event).await.map_err(index_error)?;
        Ok(Some(restored))
    }

    async fn taken_in_again(&self, file: DeletedFile) -> (DeletedFile, Result<(), ReceiveError>) {
        let outcome = self.take_in_again(file.clone()).await;
        (file, outcome)
    }

    async fn take_in_again(&self, file: DeletedFile) -> Result<(), ReceiveError> {
        let archive = self.clone();
        let handed = tokio::task::spawn_blocking(move || {
            let reader = archive.shared.store.read(&InstanceStore::deleted_path(&file.name()))?;
            let mut head = vec![0; HEAD];
            let read = reader.read_at(&mut head, 0).map_err(StoreError::reading)?;
            head.truncate(read);
            let unreadable = || StoreError::reading(std::io::ErrorKind::InvalidData.into());
            let (class, instance, syntax, length) = part10::parse(&head).ok_or_else(unreadable)?;
            let mut intake = archive.begin(Offer {
                source: Source::default(),
                transfer_syntax: transfer_syntax::lookup(syntax.as_str()).ok_or_else(unreadable)?,
                syntax_from: SyntaxSource::Archive,
                sop_class_uid: Some(class),
                sop_instance_uid: Some(instance),
                study_instance_uid: None,
                only: None,
                conflict: ConflictAnswer::Keep,
            })?;
            copy(&reader, length as u64, |portion| intake.write(portion))?;
            intake.hand_over()
        });
        handed.await.map_err(|_| ReceiveError::Degraded)??.durable().await.map(|_| ())
    }
}

/// The data set of a file, in portions.
fn copy(
    reader: &StoredReader,
    mut at: u64,
    mut take: impl FnMut(&[u8]) -> Result<(), ReceiveError>,
) -> Result<(), ReceiveError> {
    let mut buffer = vec![0; PORTION];
    loop {
        let read = reader.read_at(&mut buffer, at).map_err(StoreError::reading)?;
        match buffer.get(..read) {
            None | Some([]) => return Ok(()),
            Some(portion) => take(portion)?,
        }
        at = at.saturating_add(read as u64);
    }
}
