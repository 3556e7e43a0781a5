//! The SQLite index: what is stored where, found by attribute; links, tokens and audit rows. SQL is only
//! here.
//!
//! One connection writes, behind a lock, each change one transaction with `synchronous=FULL`; a few
//! others read, opened when they are needed. Study and series rows carry their aggregates, so that a
//! query touches only the rows it answers with. The room refuses to know files: it holds their paths.

pub mod changes;
mod columns;
pub mod delete;
pub mod deleted;
mod directories;
mod engine;
mod error;
mod found;
pub mod links;
mod matching;
pub mod packages;
mod readers;
mod recent;
mod record;
mod retrieve;
mod rows;
mod search;
mod settings;
mod states;
mod studies;
#[cfg(test)]
mod tests;
pub mod tokens;
mod trail;
mod writer;

use crate::domain::clock::Clock;
pub use error::IndexError;
pub use record::Recording;
pub use rows::{
    Batch, Existing, Extent, Held, InstanceDetail, InstanceFrames, InstanceRow, InstanceUids, NewConflict, NewInstance,
    NewQuarantined, SeriesRow, StudyRow, TrailRow,
};
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
    inner: Arc<Inner>,
}

struct Inner {
    writer: Arc<writer::Writer>,
    readers: Arc<readers::Readers>,
    clock: Clock,
    search_timeout: Duration,
}

impl Index {
    /// Opens `data_dir/index.sqlite`, makes it when it is not there, and brings it to this version's
    /// form. Starts the task that checkpoints on the runtime it is called from.
    pub async fn open(data_dir: &Path, settings: IndexSettings, clock: Clock) -> Result<Self, IndexError> {
        let file = data_dir.join("index.sqlite");
        let writer = writer::open(&file).await?;
        tokio::spawn(writer.clone().checkpoints(engine::checkpointer(&file).await?));
        let readers = readers::Readers::new(file, settings.readers);
        Ok(Self { inner: Arc::new(Inner { writer, readers, clock, search_timeout: settings.search_timeout }) })
    }

    /// Writes what is in the WAL into the file and closes. Later calls fail as [`IndexError::Busy`].
    pub async fn close(&self) -> Result<(), IndexError> {
        self.inner.readers.close();
        self.inner.writer.close().await
    }

    /// Whether the file is sound (`PRAGMA quick_check`), for the start after an unclean stop.
    pub async fn quick_check(&self) -> Result<(), IndexError> {
        let mut reader = self.read().await?;
        engine::quick_check(&mut reader).await
    }

    /// Now, by the clock that the index was opened with.
    pub fn now_ms(&self) -> i64 {
        self.inner.clock.now_ms()
    }
}
