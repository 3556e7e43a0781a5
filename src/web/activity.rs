//! Whether anything goes on in an HTTP/2 connection. HTTP/1 has hyper's timer between requests and `Paced`
//! while it writes; an HTTP/2 peer that answers pings could hold a connection without a request, or a
//! stream whose window it never opens, for as long as it likes.

use super::paced::Pace;
use axum::body::Body;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::Instant;

/// What goes on in one connection.
pub(super) struct Activity {
    /// When something was last asked, or taken from us.
    last: Mutex<Instant>,
    /// Handlers and bodies that are waiting for us, not for the peer.
    ours: AtomicUsize,
    http2: AtomicBool,
    pace: Pace,
}

impl Activity {
    pub(super) fn new(pace: Pace) -> Arc<Self> {
        let (ours, http2) = (AtomicUsize::new(0), AtomicBool::new(false));
        Arc::new(Self { last: Mutex::new(Instant::now()), ours, http2, pace })
    }

    /// A request came; it is ours until the guard goes.
    pub(super) fn request(self: &Arc<Self>, version: axum::http::Version) -> Work {
        if version == axum::http::Version::HTTP_2 {
            self.http2.store(true, Ordering::Relaxed);
        }
        self.work()
    }

    fn work(self: &Arc<Self>) -> Work {
        self.ours.fetch_add(1, Ordering::Relaxed);
        self.touch();
        Work(self.clone())
    }

    fn touch(&self) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// Ends when for `limit` nothing was asked, no body moved, and nobody waited for us. While the socket takes
    /// bytes slowly, `Paced` is the judge.
    pub(super) async fn idle(&self, limit: Duration) {
        loop {
            let due = *self.last.lock().unwrap_or_else(PoisonError::into_inner) + limit;
            if due > Instant::now() {
                tokio::time::sleep_until(due).await;
            } else if self.ours.load(Ordering::Relaxed) > 0 || self.pace.is_waiting() {
                tokio::time::sleep(limit / 4).await;
            } else if self.http2.load(Ordering::Relaxed) {
                return;
            } else {
                tokio::time::sleep(limit).await;
            }
        }
    }

    /// `body`, watched as it is sent.
    pub(super) fn watch(self: &Arc<Self>, body: Body) -> Body {
        Body::new(Watched { body, activity: self.clone(), work: None })
    }
}

/// Something that waits for us.
pub(super) struct Work(Arc<Activity>);

impl Drop for Work {
    fn drop(&mut self) {
        self.0.ours.fetch_sub(1, Ordering::Relaxed);
        self.0.touch();
    }
}

struct Watched {
    body: Body,
    activity: Arc<Activity>,
    /// While the peer would take more than there is.
    work: Option<Work>,
}

impl http_body::Body for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = self.get_mut();
        if this.work.is_none() {
            this.work = Some(this.activity.work());
        }
        let frame = ready!(Pin::new(&mut this.body).poll_frame(cx));
        this.work = None;
        Poll::Ready(frame)
    }
    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }
    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
