//! What each link has sent within its week, counted piece by piece as it is sent: however many answers run
//! at once, they use up one budget. Kept in memory and written to the link's row now and then, so that a
//! piece costs no write.

use super::download::{KEPT_EVERY, UNIT, WEEK_MS};
use super::token::LinkKey;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Links whose counts are held; beyond, those that send nothing are written to their rows and let go.
const LINKS: usize = 4096;

#[derive(Debug, Default)]
pub(super) struct Meters(Mutex<HashMap<LinkKey, Arc<Meter>>>);

/// The count of one link, shared by all that is sent for it.
#[derive(Debug, Default)]
pub(super) struct Meter(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    week_began_ms: i64,
    /// Within the week, in the row or not.
    used: u64,
    /// Sent, and not in the row yet.
    unkept: u64,
}

/// What became of a piece.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Counted {
    /// It may go; so many bytes are due to be written to the row.
    Goes { due: u64 },
    /// The budget was used up before it.
    Over,
}

/// As rows count.
pub(super) const fn in_units(bytes: u64) -> u64 {
    bytes.div_ceil(UNIT).saturating_mul(UNIT)
}

impl Meters {
    /// The meter of a link, and what is due to the rows of others.
    pub(super) fn of(&self, link: LinkKey) -> (Arc<Meter>, Vec<(LinkKey, u64)>) {
        let mut meters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut due = Vec::new();
        if meters.len() >= LINKS && !meters.contains_key(&link) {
            let idle = meters.extract_if(|_, meter| Arc::strong_count(meter) == 1);
            due.extend(idle.map(|(link, meter)| (link, meter.take())).filter(|(_, bytes)| *bytes > 0));
        }
        (meters.entry(link).or_default().clone(), due)
    }
}

impl Meter {
    /// What is used up of the week at `now_ms`, when the row says this. Of the row and of what was counted
    /// here the higher one holds: what was taken to be written may not have arrived.
    pub(super) fn used(&self, week_began_ms: i64, week_bytes: u64, now_ms: i64) -> u64 {
        let over = |began_ms: i64| now_ms >= began_ms.saturating_add(WEEK_MS);
        let mut counts = self.counts();
        if over(counts.week_began_ms) {
            (counts.week_began_ms, counts.used) =
                (if over(week_began_ms) { now_ms } else { week_began_ms }, counts.unkept);
        }
        if !over(week_began_ms) {
            counts.used = counts.used.max(week_bytes.saturating_add(counts.unkept));
            counts.week_began_ms = counts.week_began_ms.max(week_began_ms);
        }
        counts.used
    }

    /// Counts a piece before it is sent, unless `allowed` was used up by those before it.
    pub(super) fn count(&self, bytes: u64, allowed: u64) -> Counted {
        let mut counts = self.counts();
        if counts.used >= allowed {
            return Counted::Over;
        }
        counts.used = counts.used.saturating_add(bytes);
        counts.unkept = counts.unkept.saturating_add(bytes);
        let due = if counts.unkept >= KEPT_EVERY { std::mem::take(&mut counts.unkept) } else { 0 };
        Counted::Goes { due }
    }
    /// What is not in the row yet, to be put there.
    pub(super) fn take(&self) -> u64 {
        std::mem::take(&mut self.counts().unkept)
    }
    fn counts(&self) -> std::sync::MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_many_answers_use_up_one_budget() {
        let meter = Meter::default();
        assert_eq!(meter.used(0, 100, 1), 100);
        let sent = (0..60).filter(|_| meter.count(10, 200) == Counted::Goes { due: 0 }).count();
        assert_eq!((sent, meter.take(), meter.take()), (10, 100, 0));
        assert_eq!(meter.count(1, 200), Counted::Over, "whatever was taken to be written");
        assert_eq!(meter.count(KEPT_EVERY, u64::MAX), Counted::Goes { due: KEPT_EVERY });
    }

    #[test]
    fn a_week_that_is_over_is_forgotten_and_one_of_the_row_is_not() {
        let meter = Meter::default();
        meter.used(0, 50, 1);
        meter.count(10, u64::MAX);
        meter.take();
        // The row that was believed before the writing arrived says less.
        assert_eq!(meter.used(0, 50, 2), 60);
        assert_eq!(meter.used(0, 64, 3), 64);
        assert_eq!(meter.used(0, 64, WEEK_MS), 0);
        meter.count(5, u64::MAX);
        assert_eq!(meter.used(0, 64, WEEK_MS + 1), 5);
        // Bytes of a download by ticket began a week of the row's own.
        assert_eq!(meter.used(WEEK_MS + 2, 1000, WEEK_MS + 3), 1005);
        // And does so when it is the first to know of the new one.
        meter.count(5000, u64::MAX);
        meter.take();
        assert_eq!(meter.used(3 * WEEK_MS, 100, 3 * WEEK_MS + 1), 100);
    }

    #[test]
    fn links_that_send_nothing_are_let_go_with_what_is_due() {
        let meters = Meters::default();
        let key = |n: usize| {
            let mut key = [0; 32];
            key[..8].copy_from_slice(&n.to_be_bytes());
            LinkKey(key)
        };
        let (sending, _) = meters.of(key(0));
        sending.count(7, u64::MAX);
        meters.of(key(1)).0.count(9, u64::MAX);
        for n in 2..LINKS {
            assert!(meters.of(key(n)).1.is_empty());
        }
        assert_eq!(meters.of(key(LINKS)).1, [(key(1), 9)]);
        assert!(Arc::ptr_eq(&meters.of(key(0)).0, &sending));
    }
}
