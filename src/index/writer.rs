//! The one connection that writes, its lock, and the task that checkpoints behind it.

use super::engine;
use super::recent::Recent;
use super::{Index, IndexError};
use crate::audit::{self, Event};
use crate::domain::clock::Clock;
use sqlx::Row;
use sqlx::sqlite::SqliteConnection;
use std::ops::{Deref, DerefMut};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{Mutex, MutexGuard, Notify, watch};

/// How long writing must have paused before the WAL is copied.
const PAUSE: Duration = Duration::from_secs(1);

/// What the writer knows without asking: it is the only one that changes it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Heads {
    pub(super) study: i64,
    pub(super) series: i64,
    /// The last number of an instance or of a deletion: no number is used twice, and the order of numbers is
    /// the order of commits.
    pub(super) instance: i64,
    pub(super) trail: i64,
    pub(super) hash: audit::Hash,
}

pub(super) struct Writing {
    connection: Option<SqliteConnection>,
    heads: Heads,
    /// A transaction was begun and not seen to its end.
    unfinished: bool,
}

pub(super) struct Writer {
    writing: Mutex<Writing>,
    /// Bytes written since the last checkpoint, roughly.
    written: AtomicU64,
    wake: Notify,
    /// The number of the last change that is committed.
    committed: watch::Sender<i64>,
    pub(super) recent: Recent,
}

impl Writer {
    pub(super) async fn new(mut connection: SqliteConnection) -> Result<Arc<Self>, IndexError> {
        let heads = read_heads(&mut connection).await?;
        let writing = Mutex::new(Writing { connection: Some(connection), heads, unfinished: false });
        let (written, wake, committed) = (AtomicU64::new(0), Notify::new(), watch::Sender::new(heads.instance));
        Ok(Arc::new(Self { writing, written, wake, committed, recent: Recent::new() }))
    }

    /// Waits for the turn to write. The transaction is not begun: that is for a statement that
    /// begins with `BEGIN IMMEDIATE`.
    pub(super) async fn turn(&self, clock: &Clock) -> Result<Turn<'_>, IndexError> {
        let mut writing = self.writing.lock().await;
        if writing.unfinished {
            let connection = writing.connection.as_mut().ok_or(IndexError::Busy)?;
            // Fails when SQLite has rolled back by itself, which is as good.
            let _ = sqlx::query("ROLLBACK").execute(&mut *connection).await;
            let heads = read_heads(connection).await?;
            writing.heads = heads;
            writing.unfinished = false;
            // Or it was committed, and whoever did it was gone by then.
            self.recent.forget();
        }
        if writing.connection.is_none() {
            return Err(IndexError::Busy);
        }
        Ok(Turn { heads: writing.heads, changes_rows: false, writing, writer: self, now_ms: clock.now_ms() })
    }

    pub(super) fn committed(&self) -> watch::Receiver<i64> {
        self.committed.subscribe()
    }

    /// After a test has written rows behind the writer's back.
    #[cfg(test)]
    pub(super) async fn reread_heads(&self) -> Result<(), IndexError> {
        let mut writing = self.writing.lock().await;
        let connection = writing.connection.as_mut().ok_or(IndexError::Busy)?;
        let heads = read_heads(connection).await?;
        writing.heads = heads;
        Ok(())
    }

    pub(super) async fn close(&self) -> Result<(), IndexError> {
        let mut writing = self.writing.lock().await;
        self.wake.notify_one();
        if let Some(mut connection) = writing.connection.take() {
            engine::checkpoint_at_end(&mut connection).await?;
            sqlx::Connection::close(connection).await?;
        }
        Ok(())
    }

    /// Copies the WAL whenever enough was written or writing has paused; ends when the writer is closed.
    pub(super) async fn checkpoints(self: Arc<Self>, mut connection: SqliteConnection) {
        loop {
            self.wake.notified().await;
            while self.written.load(Ordering::Relaxed) < engine::CHECKPOINT_BYTES {
                if tokio::time::timeout(PAUSE, self.wake.notified()).await.is_err() {
                    break;
                }
            }
            self.written.store(0, Ordering::Relaxed);
            match engine::checkpoint(&mut connection).await {
                Ok(false) => {}
                Ok(true) => {
                    let _pause = self.writing.lock().await;
                    if let Err(error) = engine::checkpoint(&mut connection).await {
                        tracing::warn!(error = %error, "index could not be checkpointed");
                    }
                }
                Err(error) => tracing::warn!(error = %error, "index could not be checkpointed"),
            }
            if self.writing.lock().await.connection.is_none() {
                return;
            }
        }
    }
}

async fn read_heads(connection: &mut SqliteConnection) -> Result<Heads, IndexError> {
    let row = sqlx::query(
        "SELECT (SELECT coalesce(max(id), 0) FROM study), (SELECT coalesce(max(id), 0) FROM series),
                max((SELECT coalesce(max(id), 0) FROM instance), (SELECT coalesce(max(sequence), 0) FROM deletion),
                    (SELECT coalesce(max(CAST(value AS INTEGER)), 0) FROM setting WHERE name = 'changes.forgotten')),
                (SELECT coalesce(max(sequence), 0) FROM trail),
                (SELECT hash FROM trail ORDER BY sequence DESC LIMIT 1)",
    )
    .fetch_one(connection)
    .await?;
    let hash: Option<Vec<u8>> = row.try_get(4)?;
    let hash = match hash {
        Some(hash) => hash.try_into().map_err(|_| IndexError::Row)?,
        None => audit::genesis(),
    };
    Ok(Heads {
        study: row.try_get(0)?,
        series: row.try_get(1)?,
        instance: row.try_get(2)?,
        trail: row.try_get(3)?,
        hash,
    })
}

/// The turn to write. Dropped without [`Turn::done`], what was begun is rolled back before the next turn.
pub(super) struct Turn<'a> {
    pub(super) heads: Heads,
    /// The time of everything in this turn.
    pub(super) now_ms: i64,
    /// Rows of instances that were there are other ones, or gone, once this is done.
    pub(super) changes_rows: bool,
    writing: MutexGuard<'a, Writing>,
    writer: &'a Writer,
}

impl Turn<'_> {
    pub(super) fn connection(&mut self) -> Result<&mut SqliteConnection, IndexError> {
        self.writing.unfinished = true;
        self.writing.connection.as_mut().ok_or(IndexError::Busy)
    }
    /// What was begun was rolled back, and nothing was written.
    pub(super) fn rolled_back(mut self) {
        self.writing.unfinished = false;
    }
    /// What was begun is committed; `bytes` were written, roughly.
    pub(super) fn done(mut self, bytes: u64) {
        self.writing.heads = self.heads;
        self.writing.unfinished = false;
        if self.changes_rows {
            self.writer.recent.forget();
        }
        self.writer.written.fetch_add(bytes.saturating_add(32 << 10), Ordering::Relaxed);
        self.writer.wake.notify_one();
        let last = self.heads.instance;
        self.writer.committed.send_if_modified(|known| std::mem::replace(known, last) != last);
    }
}

/// One transaction of the room's other files. Use `&mut *transaction` as the executor; without
/// [`Transaction::commit`] nothing of it is kept.
pub(super) struct Transaction<'a> {
    turn: Turn<'a>,
}

impl Transaction<'_> {
    /// Milliseconds since 1970; the same for everything in this transaction.
    pub(super) fn now_ms(&self) -> i64 {
        self.turn.now_ms
    }
    /// The next number of the counter that instances and deletions share.
    pub(super) fn next_number(&mut self) -> i64 {
        self.turn.heads.instance += 1;
        self.turn.heads.instance
    }
    /// Instances are deleted in this transaction.
    pub(super) fn deletes(&mut self) {
        self.turn.changes_rows = true;
    }
    /// Appends to the audit trail within this transaction.
    pub(super) async fn append(&mut self, event: &Event) -> Result<(), IndexError> {
        let rows = super::trail::chained(&mut self.turn.heads, self.turn.now_ms, std::slice::from_ref(event));
        let connection = self.turn.connection()?;
        super::trail::insert(connection, &rows).await?;
        super::trail::count(std::slice::from_ref(event));
        Ok(())
    }
    pub(super) async fn commit(mut self) -> Result<(), IndexError> {
        sqlx::query("COMMIT").execute(self.turn.connection()?).await?;
        self.turn.done(0);
        Ok(())
    }
}

impl Deref for Transaction<'_> {
    type Target = SqliteConnection;
    fn deref(&self) -> &SqliteConnection {
        match &self.turn.writing.connection {
            Some(connection) => connection,
            None => unreachable!("a turn is given only while the index is open, and holds its lock"),
        }
    }
}
impl DerefMut for Transaction<'_> {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        match &mut self.turn.writing.connection {
            Some(connection) => connection,
            None => unreachable!("a turn is given only while the index is open, and holds its lock"),
        }
    }
}

impl Index {
    /// Begins a transaction (`BEGIN IMMEDIATE`); waits for its turn.
    pub(super) async fn write(&self) -> Result<Transaction<'_>, IndexError> {
        let mut turn = self.inner.writer.turn(&self.inner.clock).await?;
        sqlx::query("BEGIN IMMEDIATE").execute(turn.connection()?).await?;
        Ok(Transaction { turn })
    }
    /// A connection for reading: `&mut *reader` is the executor.
    pub(super) async fn read(&self) -> Result<super::readers::Reader, IndexError> {
        self.inner.readers.get(None).await
    }
}

/// Opens the writer, checks the version, migrates.
pub(super) async fn open(file: &Path) -> Result<Arc<Writer>, IndexError> {
    let mut connection = engine::writer(file).await?;
    engine::check_version(&mut connection).await?;
    sqlx::migrate!("src/index/migrations")
        .run_direct(None, &mut connection, false)
        .await
        .map_err(|error| IndexError::Migration(Box::new(error)))?;
    super::record::prepare(&mut connection).await?;
    Writer::new(connection).await
}
