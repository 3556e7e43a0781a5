//! The committer: one thread that makes arrivals durable together. Whatever waits when a batch has ended
//! is the next batch; nobody waits for a timer, and while one batch syncs the next one gathers.

use super::batch::Batch;
use super::quarantine::{Prepared, Refusal};
use super::receive::Received;
use super::reconcile;
use super::shared::Shared;
use super::{ReceiveError, Source};
use crate::config::ConflictAnswer;
use crate::domain::instance::InstanceFacts;
use crate::domain::restriction::Restriction;
use crate::domain::uid::TransferSyntaxUid;
use crate::store::{Digests, PartFile};
use std::panic::AssertUnwindSafe;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::Instant;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

/// A batch is at most so many instances, or so many bytes, and always at least one instance.
const BATCH_INSTANCES: usize = 32;
const BATCH_BYTES: u64 = 64 << 20;

/// A part file whose bytes are on the disk, waiting for its name and its row.
pub(super) struct Arrival {
    pub(super) part: PartFile,
    pub(super) digests: Digests,
    pub(super) content: Content,
    pub(super) source: Source,
    pub(super) received_at_ms: i64,
    pub(super) answer: oneshot::Sender<Result<Received, ReceiveError>>,
}

pub(super) enum Content {
    Instance {
        facts: Box<InstanceFacts>,
        conflict: ConflictAnswer,
        only: Option<Restriction>,
        dataset_offset: u32,
        transfer_syntax_uid: TransferSyntaxUid,
    },
    /// Kept in quarantine, and refused.
    Unusable { reason: Prepared, refusal: Refusal },
}

/// The way to the committer's thread.
pub(super) struct Committer {
    sender: Mutex<Option<mpsc::Sender<Arrival>>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    shared: Arc<Shared>,
}

impl Committer {
    /// Starts the thread. The index is asked through `runtime`.
    pub(super) fn start(shared: Arc<Shared>, runtime: Handle) -> std::io::Result<Self> {
        let (sender, receiver) = mpsc::channel();
        let (of_thread, name) = (shared.clone(), "committer".to_owned());
        let thread = std::thread::Builder::new().name(name).spawn(move || run(&receiver, &of_thread, &runtime))?;
        Ok(Self { sender: Mutex::new(Some(sender)), threads: Mutex::new(vec![thread]), shared })
    }
    /// Another thread that ends when the archive stops.
    pub(super) fn also_wait_for(&self, thread: JoinHandle<()>) {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
    }
    pub(super) fn hand_over(&self, arrival: Arrival) -> Result<(), ReceiveError> {
        let sender = self.sender.lock().unwrap_or_else(PoisonError::into_inner);
        let sender = sender.as_ref().ok_or(ReceiveError::Degraded)?;
        sender.send(arrival).map_err(|_| ReceiveError::Degraded)
    }
    /// Takes nothing more, commits what was handed over, and ends the threads.
    pub(super) fn stop(&self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        drop(self.sender.lock().unwrap_or_else(PoisonError::into_inner).take());
        for thread in self.threads.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            thread.thread().unpark();
            // A panic there was logged where it happened.
            let _ = thread.join();
        }
    }
}

impl Drop for Committer {
    fn drop(&mut self) {
        self.stop();
    }
}

fn run(receiver: &mpsc::Receiver<Arrival>, shared: &Arc<Shared>, runtime: &Handle) {
    while let Ok(first) = receiver.recv() {
        let mut bytes = first.digests.size_bytes;
        let mut arrivals = vec![first];
        while arrivals.len() < BATCH_INSTANCES && bytes < BATCH_BYTES {
            let Ok(next) = receiver.try_recv() else { break };
            bytes = bytes.saturating_add(next.digests.size_bytes);
            arrivals.push(next);
        }
        // A panic is a bug of ours with these arrivals: they stay without an answer of success, their
        // files are found by the next start, and the next batch goes on.
        let outcome = std::panic::catch_unwind(AssertUnwindSafe(|| commit(shared, runtime, arrivals)));
        if outcome.is_err() {
            tracing::error!("the committer panicked over a batch; its instances were not acknowledged");
        }
        reconcile::move_mark(shared, runtime);
    }
}

fn commit(shared: &Arc<Shared>, runtime: &Handle, arrivals: Vec<Arrival>) {
    let began = Instant::now();
    if let Err(error) = shared.check_intake() {
        for arrival in arrivals {
            let _ = arrival.answer.send(Err(error.clone()));
        }
        return;
    }
    let recording = match runtime.block_on(shared.index.begin(arrivals.iter().filter_map(Arrival::facts))) {
        Ok(recording) => recording,
        Err(error) => {
            let error = shared.index_failed(error);
            for arrival in arrivals {
                let _ = arrival.answer.send(Err(error.clone()));
            }
            return;
        }
    };
    let mut batch = Batch::new(shared, runtime, recording);
    for arrival in arrivals {
        batch.place(arrival);
    }
    // A sync that failed while the batch was placed ends it: nothing after it is known to be durable.
    if let Err(error) = shared.check_intake() {
        return batch.take_back(&error);
    }
    if let Some(named) = batch.sync_directories() {
        named.record();
    }
    metrics::histogram!("bluebridge_commit_seconds").record(began.elapsed());
}

impl Arrival {
    fn facts(&self) -> Option<&InstanceFacts> {
        match &self.content {
            Content::Instance { facts, .. } => Some(facts),
            Content::Unusable { .. } => None,
        }
    }
}
