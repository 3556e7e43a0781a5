//! Brings the body of an upload to its desk, no faster than the desk takes it, and gives up one that
//! comes too slowly or grows too large.

use crate::config::Limits;
use crate::web::problem::Problem;
use axum::body::Body;
use axum::http::StatusCode;
use bytes::Bytes;
use http_body_util::BodyExt;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// What arrives at the desk. When the sender is gone before `End`, the upload was given up.
#[derive(Debug)]
pub enum Portion {
    Bytes(Bytes),
    /// Nothing more is taken, because of `limits.upload_size`: what is there is answered.
    CutOff,
    End,
}

/// Less than this is no upload, but somebody who keeps a place occupied.
const BYTES_PER_SECOND: u64 = 1 << 10;

/// Passes the whole body on. Returns when the desk has all of it, or wants no more.
pub async fn feed(mut body: Body, limits: &Limits, desk: mpsc::Sender<Portion>) -> Result<(), Problem> {
    let mut pace = Pace::new(limits.upload_stall.get());
    let mut room = limits.upload_size.get();
    loop {
        let asked = Instant::now();
        let portion = match tokio::time::timeout(pace.left(), body.frame()).await {
            Ok(None) => Portion::End,
            Ok(Some(Ok(frame))) => match frame.into_data() {
                Ok(bytes) => Portion::Bytes(bytes),
                Err(_trailers) => continue,
            },
            Ok(Some(Err(_))) => return Err(Problem::bad_request("The body ended before it was complete.")),
            Err(_) => return Err(too_slow()),
        };
        let size = if let Portion::Bytes(bytes) = &portion { bytes.len() as u64 } else { 0 };
        if !pace.allows(asked.elapsed(), size) {
            return Err(too_slow());
        }
        let portion = match room.checked_sub(size) {
            Some(left) => {
                room = left;
                portion
            }
            None => Portion::CutOff,
        };
        let last = !matches!(portion, Portion::Bytes(_));
        if desk.send(portion).await.is_err() || last {
            return Ok(());
        }
    }
}

fn too_slow() -> Problem {
    Problem::new(
        StatusCode::REQUEST_TIMEOUT,
        "The body came too slowly (limits.upload_stall); what was stored of it stays, send all of it again.",
    )
}

/// How much came in the time that was spent waiting for it. Time in which the desk was busy does not count.
struct Pace {
    window: Duration,
    waited: Duration,
    came: u64,
}

impl Pace {
    fn new(window: Duration) -> Self {
        Self { window, waited: Duration::ZERO, came: 0 }
    }
    /// Until when the next bytes must come.
    fn left(&self) -> Duration {
        self.window.saturating_sub(self.waited)
    }
    fn allows(&mut self, waited: Duration, bytes: u64) -> bool {
        self.waited = self.waited.saturating_add(waited);
        self.came = self.came.saturating_add(bytes);
        if self.waited < self.window {
            return true;
        }
        let enough = self.came >= self.window.as_secs().saturating_mul(BYTES_PER_SECOND);
        (self.waited, self.came) = (Duration::ZERO, 0);
        enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_now_and_then_is_too_slow_and_a_pause_of_ours_is_not() {
        let second = Duration::from_secs(1);
        let mut pace = Pace::new(10 * second);
        assert!((0..9).all(|_| pace.allows(second, 1)));
        assert_eq!(pace.left(), second);
        assert!(!pace.allows(second, 1));
        assert!((0..100).all(|_| pace.allows(second, BYTES_PER_SECOND)));
        assert!(pace.allows(Duration::ZERO, 1 << 30) && pace.allows(10 * second, 0), "a burst pays for a pause");
    }

    #[tokio::test]
    async fn a_body_that_grows_beyond_the_limit_is_cut_off() {
        let limits = Limits { upload_size: crate::config::units::Bytes::new(10), ..Limits::default() };
        let chunks = (0..5).map(|_| Ok::<_, std::io::Error>(Bytes::from_static(b"1234")));
        let (desk, mut arriving) = mpsc::channel(32);
        feed(Body::from_stream(futures_util::stream::iter(chunks)), &limits, desk).await.unwrap();
        let mut sizes = Vec::new();
        while let Some(portion) = arriving.recv().await {
            sizes.push(match portion {
                Portion::Bytes(bytes) => bytes.len(),
                Portion::CutOff => 0,
                Portion::End => panic!("it did not end"),
            });
        }
        assert_eq!(sizes, [4, 4, 0]);
    }
}
