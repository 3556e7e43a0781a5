//! The SQLite index: what is stored where, found by attribute; links, tokens and audit rows. SQL is only
//! here.
//!
//! One connection writes, behind a lock, each change one transaction with `synchronous=FULL`; a few
//! others read, opened when they are needed. Study and series rows carry their aggregates, so that a
//! query touches only the rows it answers with. The room refuses to know files: it holds their paths.

mod error;
pub mod links;
mod rows;

use crate::audit::Event;
use crate::domain::clock::Clock;
use crate::domain::instance::Selector;
use crate::domain::query::{Page, Query};
use crate::domain::uid::{SopInstanceUid, StudyInstanceUid};
pub use error::IndexError;
use futures_util::{Stream, StreamExt};
pub use rows::{
    Batch, Existing, Held, InstanceDetail, InstanceRow, InstanceUids, NewConflict, NewInstance, NewQuarantined,
    SeriesRow, StudyRow, TrailRow,
};
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How the index is opened.
#[derive(Debug, Clone)]
pub struct IndexSettings {
    /// Connections that read, at most.
    pub readers: usize,
    pub search_timeout: Duration,
}

impl Default for IndexSettings {
    fn default() -> Self {
        Self { readers: 4, search_timeout: Duration::from_secs(2) }
    }
}

/// The index. Clones share it.
#[derive(Clone)]
pub struct Index {
    clock: Clock,
    _settings: Arc<IndexSettings>,
}

impl Index {
    /// Opens `data_dir/index.sqlite`, makes it when it is not there, and brings it to this version's form.
    pub async fn open(_data_dir: &Path, settings: IndexSettings, clock: Clock) -> Result<Self, IndexError> {
        Ok(Self { clock, _settings: Arc::new(settings) })
    }
    /// Writes what is in the WAL into the file and closes. Later calls fail as [`IndexError::Busy`].
    pub async fn close(&self) {}
    /// Whether the file is sound (`PRAGMA quick_check`), for the start after an unclean stop.
    pub async fn quick_check(&self) -> Result<(), IndexError> {
        Ok(())
    }
    /// Now, by the clock that the index was opened with.
    pub fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    /// The stored instances among these.
    pub async fn existing(
        &self,
        _instances: &[SopInstanceUid],
    ) -> Result<HashMap<SopInstanceUid, Existing>, IndexError> {
        Ok(HashMap::new())
    }
    /// Keeps a batch in one transaction: instance rows, study and series aggregates and revisions, audit
    /// rows. One `instances-received` row per study of the batch is written by this itself, and one
    /// `conflict` or `quarantined` row for each of those; `events` are others.
    pub async fn record(&self, _batch: Batch) -> Result<(), IndexError> {
        Ok(())
    }

    pub async fn search(&self, _query: &Query) -> Result<Page, IndexError> {
        Ok(Page::default())
    }

    /// The instances of a study or series, or one instance; by series number, instance number and UID.
    pub async fn instances(&self, _selector: &Selector) -> Result<Vec<InstanceRow>, IndexError> {
        Ok(Vec::new())
    }
    /// One instance with its pixel facts and metadata. `selector.instance` names it.
    pub async fn instance(&self, _selector: &Selector) -> Result<Option<InstanceDetail>, IndexError> {
        Ok(None)
    }
    /// `Metadata::to_bytes` of every instance of `selector`, in the order of [`Index::instances`], read
    /// from the index as the stream is asked.
    pub fn metadata(
        &self,
        _selector: &Selector,
    ) -> impl Stream<Item = Result<(InstanceUids, Vec<u8>), IndexError>> + Send + 'static + use<> {
        futures_util::stream::empty().boxed()
    }
    pub async fn study(&self, _study: &StudyInstanceUid) -> Result<Option<StudyRow>, IndexError> {
        Ok(None)
    }
    /// By series number and UID.
    pub async fn series_of(&self, _study: &StudyInstanceUid) -> Result<Vec<SeriesRow>, IndexError> {
        Ok(Vec::new())
    }

    /// Keeps a value under a name: the clean-stop mark, the object directory counter, the self-check.
    pub async fn put_setting(&self, _name: &str, _value: &str) -> Result<(), IndexError> {
        Ok(())
    }
    pub async fn get_setting(&self, _name: &str) -> Result<Option<String>, IndexError> {
        Ok(None)
    }

    /// Appends to the audit trail by itself; what belongs to another change is written in that change's
    /// transaction.
    pub async fn append(&self, _event: &Event) -> Result<(), IndexError> {
        Ok(())
    }
    /// The newest `limit` rows of the trail with a sequence number below `before`.
    pub async fn trail(&self, _before: Option<i64>, _limit: u32) -> Result<Vec<TrailRow>, IndexError> {
        Ok(Vec::new())
    }
    /// Recomputes the chain from its first row: the number of rows, or the sequence number of the first
    /// row that does not fit.
    pub async fn verify_trail(&self) -> Result<Result<u64, i64>, IndexError> {
        Ok(Ok(0))
    }
    pub async fn quarantined(&self) -> Result<Vec<Held>, IndexError> {
        Ok(Vec::new())
    }
    pub async fn conflicts(&self) -> Result<Vec<Held>, IndexError> {
        Ok(Vec::new())
    }
    /// Forgets a quarantined object; its file is the store's to remove. `false` when there is none.
    pub async fn drop_quarantined(&self, _id: &str) -> Result<bool, IndexError> {
        Ok(false)
    }
}
