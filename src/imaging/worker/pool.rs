//! The daemon's side of the decode workers: a few threads, each with a child of its own, that begin on
//! demand and end when nothing has come for a while.

use super::wire::{self, HELLO, Hello, Request};
use crate::config::Limits;
use crate::imaging::codec::{Codec, Declared, DecodeError, Encoder, Samples, Task};
use bytes::Bytes;
use std::collections::VecDeque;
use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// Why a frame was not decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeFailure {
    #[error(transparent)]
    Frame(#[from] DecodeError),
    /// The frame ended its decoder: a crash, its memory, or an answer that is none.
    #[error("the decoder ended over the frame")]
    Died,
    #[error("the frame took longer than limits.decode_timeout")]
    TimedOut,
    /// No decoder could be started: the frame is not to blame.
    #[error("no decoder could be started")]
    Unavailable,
}

/// How a decode worker is started: its executable, arguments and environment.
#[derive(Debug, Clone)]
pub struct Program {
    pub path: PathBuf,
    pub arguments: Vec<OsString>,
    pub environment: Vec<(OsString, OsString)>,
}

/// A handle to the workers; clones share them.
#[derive(Clone)]
pub struct Decoders(Arc<Shared>);

struct Shared {
    program: Program,
    decoders: usize,
    timeout: Duration,
    idle: Duration,
    queue: Mutex<Queue>,
    wake: Condvar,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    threads: usize,
    idle: usize,
}

struct Job {
    request: Request,
    frame: Bytes,
    answer: oneshot::Sender<Result<Samples, DecodeFailure>>,
}

impl Program {
    /// This executable's own hidden command. `/proc/self/exe` is what runs now, even when an upgrade has
    /// replaced the file meanwhile.
    pub fn own(limits: &Limits) -> Self {
        let memory = limits.decode_memory.get().to_string();
        Self {
            path: "/proc/self/exe".into(),
            arguments: vec!["decode-worker".into(), "--memory".into(), memory.into()],
            environment: Vec::new(),
        }
    }
}

impl Decoders {
    /// Starts nothing yet.
    pub fn new(program: Program, limits: &Limits) -> Self {
        Self(Arc::new(Shared {
            program,
            decoders: limits.decoders as usize,
            timeout: limits.decode_timeout.get(),
            idle: limits.decoder_idle.get(),
            queue: Mutex::default(),
            wake: Condvar::new(),
        }))
    }

    pub async fn decode(&self, codec: Codec, declared: Declared, frame: Bytes) -> Result<Samples, DecodeFailure> {
        self.run(Task::Decode(codec), declared, frame).await
    }

    /// A native frame as a codestream.
    pub async fn encode(&self, encoder: Encoder, declared: Declared, frame: Bytes) -> Result<Bytes, DecodeFailure> {
        Ok(self.run(Task::Encode(encoder), declared, frame).await?.bytes.into())
    }

    async fn run(&self, task: Task, declared: Declared, frame: Bytes) -> Result<Samples, DecodeFailure> {
        let (answer, answered) = oneshot::channel();
        self.submit(Job { request: Request { task, declared, cpu: self.0.timeout }, frame, answer });
        answered.await.unwrap_or(Err(DecodeFailure::Unavailable))
    }

    /// Returns when no thread is left, and so no child.
    #[cfg(test)]
    pub(super) async fn all_ended(&self) {
        while self.0.lock().threads > 0 {
            tokio::task::yield_now().await;
        }
    }

    fn submit(&self, job: Job) {
        let mut queue = self.0.lock();
        queue.jobs.push_back(job);
        if queue.jobs.len() > queue.idle && queue.threads < self.0.decoders {
            let shared = Arc::clone(&self.0);
            let thread = std::thread::Builder::new().name("decoder".into()).spawn(move || work(&shared));
            match thread {
                Ok(_) => queue.threads += 1,
                // Others are at work and will take it; without any, nobody would.
                Err(_) if queue.threads > 0 => {}
                Err(error) => {
                    tracing::error!(%error, "no thread for a decoder");
                    queue.jobs.clear();
                }
            }
        }
        drop(queue);
        self.0.wake.notify_one();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        // Nothing that is done under this lock can panic half way.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next job, or `None` after a while without one: then the thread is no longer counted.
    fn next(&self) -> Option<Job> {
        let mut queue = self.lock();
        let until = Instant::now() + self.idle;
        loop {
            if let Some(job) = queue.jobs.pop_front() {
                return Some(job);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                queue.threads -= 1;
                return None;
            }
            queue.idle += 1;
            (queue, _) = self.wake.wait_timeout(queue, left).unwrap_or_else(PoisonError::into_inner);
            queue.idle -= 1;
        }
    }
}

/// One thread: its child lives as long as it does, so that the kernel ends the child with it
/// (`PR_SET_PDEATHSIG` looks at the thread that started a process).
fn work(shared: &Shared) {
    let mut worker = None;
    while let Some(job) = shared.next() {
        if job.answer.is_closed() {
            continue; // whoever asked has gone
        }
        let answer = answer(shared, &mut worker, &job);
        let _ = job.answer.send(answer);
    }
}

/// A frame is to blame only when it ends a fresh decoder: one that has read other frames may have been
/// damaged by them.
fn answer(shared: &Shared, worker: &mut Option<Worker>, job: &Job) -> Result<Samples, DecodeFailure> {
    let fresh = match worker.take_if(|running| running.has_ended()) {
        Some(_) => true,
        None => worker.is_none(),
    };
    match attempt(shared, worker, job) {
        Err(DecodeFailure::Died) if !fresh => attempt(shared, worker, job),
        outcome => outcome,
    }
}

fn attempt(shared: &Shared, worker: &mut Option<Worker>, job: &Job) -> Result<Samples, DecodeFailure> {
    let running = match worker {
        Some(running) => running,
        None => worker.insert(Worker::start(&shared.program).map_err(|error| {
            tracing::error!(%error, "no decoder could be started");
            DecodeFailure::Unavailable
        })?),
    };
    let failure = match running.decode(job, shared.timeout) {
        Ok(answer) => return Ok(answer?),
        Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
            DecodeFailure::TimedOut
        }
        Err(_) => DecodeFailure::Died,
    };
    // Dropped, and so ended: the next frame gets a new one.
    *worker = None;
    metrics::counter!("bluebridge_decoders_lost_total").increment(1);
    tracing::warn!(error = %failure, task = ?job.request.task, "a decoder was lost to a frame; the next gets a new one");
    Err(failure)
}

struct Worker {
    child: Child,
    socket: UnixStream,
}

impl Worker {
    fn start(program: &Program) -> io::Result<Self> {
        let (ours, theirs) = UnixStream::pair()?;
        let child = Command::new(&program.path)
            .args(&program.arguments)
            .env_clear()
            .envs(program.environment.iter().map(|(key, value)| (key, value)))
            .current_dir("/")
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let mut worker = Self { child, socket: ours };
        worker.socket.set_read_timeout(Some(START_TIMEOUT))?;
        let mut hello = [0; HELLO];
        worker.socket.read_exact(&mut hello)?;
        let hello = Hello::read(hello).ok_or(io::ErrorKind::InvalidData)?;
        if hello.holes != 0 {
            return Err(io::Error::other(format!("its sandbox does not close (holes {:#010b})", hello.holes)));
        }
        tracing::info!(seccomp = true, landlock = hello.landlock, "a decoder has started behind its walls");
        Ok(worker)
    }

    /// Whether somebody ended it while it waited.
    fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// One frame there and its samples back, all within `timeout`.
    fn decode(&mut self, job: &Job, timeout: Duration) -> io::Result<Result<Samples, DecodeError>> {
        let mut timed = Timed { socket: &self.socket, until: Instant::now() + timeout };
        timed.write_all(&job.request.head(job.frame.len() as u64))?;
        timed.write_all(&job.frame)?;
        wire::read_answer(&mut timed, &job.request)
    }
}

/// How long a child may take to stand behind its walls; a busy machine needs a tenth of a second.
const START_TIMEOUT: Duration = Duration::from_secs(20);

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A socket that must be done at one moment, however many calls it takes.
struct Timed<'a> {
    socket: &'a UnixStream,
    until: Instant,
}

impl Timed<'_> {
    fn left(&self) -> io::Result<Option<Duration>> {
        match self.until.saturating_duration_since(Instant::now()) {
            Duration::ZERO => Err(io::ErrorKind::TimedOut.into()),
            left => Ok(Some(left)),
        }
    }
}

impl Read for Timed<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.socket.set_read_timeout(self.left()?)?;
        self.socket.read(into)
    }
}

impl Write for Timed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.set_write_timeout(self.left()?)?;
        self.socket.write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
