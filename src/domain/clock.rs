//! The one place that knows what time it is, so that expiry and limits can be tested without waiting.

use jiff::Timestamp;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// A clock: the system's, or one that a test sets.
#[derive(Clone, Debug, Default)]
pub struct Clock(Option<Arc<AtomicI64>>);

impl Clock {
    /// The system's clock.
    pub const fn system() -> Self {
        Self(None)
    }
    /// A clock that stands still until [`Clock::advance`] moves it; clones share it.
    pub fn settable(at: Timestamp) -> Self {
        Self(Some(Arc::new(AtomicI64::new(at.as_millisecond()))))
    }
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            None => Timestamp::now(),
            Some(ms) => Timestamp::from_millisecond(ms.load(Ordering::SeqCst)).unwrap_or(Timestamp::UNIX_EPOCH),
        }
    }
    /// Milliseconds since 1970, the form in which the index keeps times.
    pub fn now_ms(&self) -> i64 {
        self.now().as_millisecond()
    }
    /// Moves a settable clock; the system's does not move.
    pub fn advance(&self, by: std::time::Duration) {
        if let Some(ms) = &self.0 {
            ms.fetch_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX), Ordering::SeqCst);
        }
    }
}
