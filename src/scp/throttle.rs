//! One log line a minute for what a caller can provoke as often as it likes.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

const EVERY: Duration = Duration::from_secs(60);
/// Callers remembered; beyond it all are forgotten, which costs a few extra lines.
const KEYS_MAX: usize = 1024;

/// Remembers who was logged when.
#[derive(Debug)]
pub struct Throttle<K>(Mutex<HashMap<K, (Instant, u64)>>);

impl<K: Eq + Hash> Default for Throttle<K> {
    fn default() -> Self {
        Self(Mutex::new(HashMap::new()))
    }
}

impl<K: Eq + Hash> Throttle<K> {
    /// `Some` when `key` may be logged at `now`: how often it was kept back since the last line.
    pub fn allow(&self, key: K, now: Instant) -> Option<u64> {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= KEYS_MAX && !seen.contains_key(&key) {
            seen.clear();
        }
        match seen.get_mut(&key) {
            Some((last, kept_back)) if now.saturating_duration_since(*last) < EVERY => {
                *kept_back += 1;
                None
            }
            Some(entry) => Some(std::mem::replace(entry, (now, 0)).1),
            None => {
                seen.insert(key, (now, 0));
                Some(0)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_is_logged_once_a_minute_and_the_rest_is_counted() {
        let throttle = Throttle::default();
        let start = Instant::now();
        let steps = [(0, "a", Some(0)), (1, "a", None), (59, "a", None), (59, "b", Some(0)), (60, "a", Some(2))];
        for (second, key, expected) in steps {
            assert_eq!(throttle.allow(key, start + Duration::from_secs(second)), expected, "{key} at {second}");
        }
    }

    #[test]
    fn a_flood_of_callers_takes_no_more_memory() {
        let throttle = Throttle::default();
        for key in 0..100_000 {
            throttle.allow(key, Instant::now());
        }
        assert!(throttle.0.lock().unwrap().len() <= KEYS_MAX);
    }
}
