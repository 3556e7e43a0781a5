//! A peer that reads too slowly is let go: in every 60 s that a connection spends waiting for its peer
//! to take bytes, the peer must take 16 KiB for each of them. Idle time does not count.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

const WINDOW: Duration = Duration::from_secs(60);
const BYTES_PER_WINDOW: u64 = 60 * (16 << 10);

pub(super) struct Paced<S> {
    stream: S,
    window: Duration,
    bytes_per_window: u64,
    /// Set while a write waits.
    waiting_since: Option<Instant>,
    waited: Duration,
    taken: u64,
    timer: Option<Pin<Box<Sleep>>>,
    pace: Pace,
}

/// Whether a connection waits for its peer to take bytes.
#[derive(Clone, Default)]
pub(super) struct Pace(Arc<AtomicBool>);

impl Pace {
    pub(super) fn is_waiting(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl<S> Paced<S> {
    pub(super) fn new(stream: S) -> Self {
        Self::with(stream, WINDOW, BYTES_PER_WINDOW)
    }
    fn with(stream: S, window: Duration, bytes_per_window: u64) -> Self {
        let (waiting_since, waited, taken, timer, pace) = (None, Duration::ZERO, 0, None, Pace::default());
        Self { stream, window, bytes_per_window, waiting_since, waited, taken, timer, pace }
    }
    pub(super) fn pace(&self) -> Pace {
        self.pace.clone()
    }

    /// After a write: starts, continues or judges the wait.
    fn judge(&mut self, outcome: Poll<io::Result<usize>>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.pace.0.store(outcome.is_pending(), Ordering::Relaxed);
        match outcome {
            Poll::Ready(Ok(n)) => {
                self.taken = self.taken.saturating_add(n as u64);
                if let Some(since) = self.waiting_since.take() {
                    self.waited = self.waited.saturating_add(since.elapsed());
                    self.timer = None;
                    if self.waited >= self.window {
                        (self.waited, self.taken) = (Duration::ZERO, 0);
                    }
                }
                Poll::Ready(Ok(n))
            }
            Poll::Pending => {
                let now = Instant::now();
                let since = *self.waiting_since.get_or_insert(now);
                let (waited, window) = (self.waited, self.window);
                let timer = self
                    .timer
                    .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(since + window.saturating_sub(waited))));
                ready!(timer.as_mut().poll(cx));
                if self.taken < self.bytes_per_window {
                    return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
                }
                (self.waited, self.taken, self.waiting_since) = (Duration::ZERO, 0, Some(now));
                let mut timer = Box::pin(tokio::time::sleep_until(now + window));
                // Registers the new timer; a full window lies ahead of it.
                let _ = timer.as_mut().poll(cx);
                self.timer = Some(timer);
                Poll::Pending
            }
            failed => failed,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Paced<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.stream).poll_write(cx, buf);
        this.judge(outcome, cx)
    }
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.stream).poll_write_vectored(cx, slices);
        this.judge(outcome, cx)
    }
    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn a_peer_that_takes_nothing_for_a_window_is_let_go() {
        let (ours, _theirs) = tokio::io::duplex(1024);
        let mut paced = Paced::with(ours, Duration::from_millis(20), 1);
        let error = paced.write_all(&[0; 4096]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn a_peer_that_keeps_the_rate_is_served_over_many_windows() {
        let (ours, mut theirs) = tokio::io::duplex(64);
        let reader = tokio::spawn(async move {
            let mut buf = [0; 16];
            while theirs.read(&mut buf).await.unwrap() > 0 {}
        });
        let mut paced = Paced::with(ours, Duration::from_micros(50), 1);
        paced.write_all(&vec![0; 256 << 10]).await.unwrap();
        drop(paced);
        reader.await.unwrap();
    }
}
