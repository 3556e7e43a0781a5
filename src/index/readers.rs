//! The connections that read: opened when they are needed, kept, never more than a few.
//!
//! Not sqlx's pool: associations live on threads with runtimes of their own, and a connection must be
//! handed back without a task that outlives them.

use super::IndexError;
use super::engine::{self, Deadline};
use sqlx::sqlite::SqliteConnection;
use std::ops::{Deref, DerefMut};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

type Idle = (SqliteConnection, Deadline);

pub(super) struct Readers {
    file: PathBuf,
    slots: Arc<Semaphore>,
    idle: Mutex<Vec<Idle>>,
}

impl Readers {
    pub(super) fn new(file: PathBuf, most: usize) -> Arc<Self> {
        Arc::new(Self { file, slots: Arc::new(Semaphore::new(most.max(1))), idle: Mutex::new(Vec::new()) })
    }

    /// A connection; waits while all are in use. After `within` its query ends as `TooSlow`.
    pub(super) async fn get(self: &Arc<Self>, within: Option<Duration>) -> Result<Reader, IndexError> {
        let permit = self.slots.clone().acquire_owned().await.map_err(|_| IndexError::Busy)?;
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = match idle {
            Some(idle) => idle,
            None => engine::reader(&self.file).await?,
        };
        match within {
            Some(within) => connection.1.set(within),
            None => connection.1.lift(),
        }
        Ok(Reader { connection: Some(connection), home: self.clone(), finished: within.is_none(), _permit: permit })
    }

    /// No more readers; those in use are closed when they come back.
    pub(super) fn close(&self) {
        self.slots.close();
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// A connection in use; dropping it hands it back.
pub(super) struct Reader {
    connection: Option<Idle>,
    home: Arc<Readers>,
    /// No statement of ours can still be running on the connection's thread.
    finished: bool,
    _permit: OwnedSemaphorePermit,
}

impl Reader {
    /// The limited query has ended, so the connection is fit for the next caller.
    pub(super) fn finished(mut self) {
        self.finished = true;
    }
}

impl Deref for Reader {
    type Target = SqliteConnection;
    fn deref(&self) -> &SqliteConnection {
        match &self.connection {
            Some((connection, _)) => connection,
            None => unreachable!("taken only by drop"),
        }
    }
}
impl DerefMut for Reader {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        match &mut self.connection {
            Some((connection, _)) => connection,
            None => unreachable!("taken only by drop"),
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        if let Some(idle) = self.connection.take()
            && !self.home.slots.is_closed()
        {
            // A query that was given up half way ends at its next look at the clock.
            idle.1.set(Duration::ZERO);
            // A search that was given up is closed with its connection: the next caller would lift the
            // deadline before that look, and the search would go on without one.
            if !self.finished {
                return;
            }
            self.home.idle.lock().unwrap_or_else(PoisonError::into_inner).push(idle);
        }
    }
}
