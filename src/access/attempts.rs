//! How often a link may be tried: a pure rule over the counters of its row. Five wrong tries in a row,
//! then a wait before each further one; ten in the link's whole life, then locked until staff make a new
//! one. A right answer ends the row of wrong ones, but not the count of a lifetime.

use crate::config::Link;
use crate::index::links::Tries;

/// Before each try beyond those in a row.
const WAITS_MS: [i64; 4] = [30_000, 120_000, 900_000, 3_600_000];

/// Whether a try is answered at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    Open,
    Wait { until_ms: i64 },
    Locked,
}

pub fn standing(tries: &Tries, limits: &Link, now_ms: i64) -> Standing {
    match tries.wait_until_ms {
        _ if tries.lifetime >= limits.wrong_tries_lifetime => Standing::Locked,
        Some(until_ms) if now_ms < until_ms => Standing::Wait { until_ms },
        _ => Standing::Open,
    }
}

/// Counts one wrong answer; says what is left.
pub fn count_wrong(tries: &mut Tries, limits: &Link, now_ms: i64) -> Standing {
    tries.consecutive = tries.consecutive.saturating_add(1);
    tries.lifetime = tries.lifetime.saturating_add(1);
    if let Some(beyond) = tries.consecutive.checked_sub(limits.wrong_tries_in_a_row) {
        let step = usize::try_from(beyond).unwrap_or(usize::MAX).min(WAITS_MS.len() - 1);
        tries.wait_until_ms = WAITS_MS.get(step).map(|wait| now_ms.saturating_add(*wait));
    }
    standing(tries, limits, now_ms)
}

pub fn count_right(tries: &mut Tries) {
    tries.consecutive = 0;
    tries.wait_until_ms = None;
}

/// Tries before the next wait or the lock, whichever comes first.
pub fn left(tries: &Tries, limits: &Link) -> u32 {
    let life = limits.wrong_tries_lifetime.saturating_sub(tries.lifetime);
    // Once waiting has begun there is one try between waits.
    let row = limits.wrong_tries_in_a_row.saturating_sub(tries.consecutive).max(1);
    life.min(row)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_in_a_row_then_waits_then_locked_at_ten() {
        let limits = Link::default();
        let mut tries = Tries::default();
        let mut now = 0;
        let mut seen = Vec::new();
        for _ in 0..10 {
            let after = count_wrong(&mut tries, &limits, now);
            seen.push((after, left(&tries, &limits)));
            if let Standing::Wait { until_ms } = after {
                assert_eq!(standing(&tries, &limits, until_ms - 1), after);
                assert_eq!(standing(&tries, &limits, until_ms), Standing::Open);
                now = until_ms;
            }
        }
        let waits: Vec<_> = seen.iter().map(|(after, _)| *after).collect();
        let wait = |until_ms| Standing::Wait { until_ms };
        assert_eq!(waits[..4], [Standing::Open; 4]);
        assert_eq!(waits[4..9], [wait(30_000), wait(150_000), wait(1_050_000), wait(4_650_000), wait(8_250_000)]);
        assert_eq!(waits[9], Standing::Locked);
        assert_eq!(seen.iter().map(|(_, left)| *left).collect::<Vec<_>>(), [4, 3, 2, 1, 1, 1, 1, 1, 1, 0]);
    }

    #[test]
    fn a_right_answer_does_not_give_back_the_tries_of_a_lifetime() {
        let limits = Link::default();
        let mut tries = Tries::default();
        for _ in 0..9 {
            let after = count_wrong(&mut tries, &limits, 0);
            count_right(&mut tries);
            assert_ne!(after, Standing::Locked);
        }
        assert_eq!(left(&tries, &limits), 1);
        assert_eq!(count_wrong(&mut tries, &limits, 0), Standing::Locked);
        count_right(&mut tries);
        assert_eq!(standing(&tries, &limits, i64::MAX), Standing::Locked);
    }
}
