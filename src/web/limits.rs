//! How much one address, one link and the whole site may ask of the patient listener. Failures count,
//! successes do not: a hospital shares one address. In memory, because addresses change anyway; what a
//! link has used up is in its row.

use crate::config::Link;
use governor::clock::{Clock, DefaultClock};
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota, RateLimiter};
use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

type Keyed<K> = RateLimiter<K, DefaultKeyedStateStore<K>, DefaultClock>;

const SITE_WINDOW: Duration = Duration::from_mins(10);
/// Keys are forgotten after so many checks once they would be allowed everything again.
const TIDY_EVERY: u32 = 1024;
/// Addresses remembered as blocked; beyond it the one that is free soonest makes room.
const BLOCKED: usize = 65_536;

/// An address as far as one person can change it at will: IPv4 whole, IPv6 by its first 64 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Network(IpAddr);

impl From<IpAddr> for Network {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(v6) => Self(Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64)).into()),
            v4 => Self(v4),
        }
    }
}

/// Seconds until it is worth trying again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryAfter(pub u64);

pub struct Limits {
    landing: Keyed<Network>,
    ranges: Keyed<String>,
    /// Per hour and per day, and both again at half, for as long as the site is on alert.
    failures: [Keyed<Network>; 2],
    failures_on_alert: [Keyed<Network>; 2],
    blocked: Mutex<HashMap<Network, Instant>>,
    site: Mutex<VecDeque<Instant>>,
    site_alert: usize,
    checks: AtomicU32,
}

impl Limits {
    pub fn new(link: &Link) -> Self {
        let hour = Duration::from_hours(1);
        let failures = |share: u32| {
            [
                keyed(spread(link.failures_per_address_hour / share, hour)),
                keyed(spread(link.failures_per_address_day / share, hour * 24)),
            ]
        };
        Self {
            landing: keyed(Quota::per_second(at_least_one(link.landing_per_address_second))),
            ranges: keyed(Quota::per_second(at_least_one(link.ranges_per_second))),
            failures: failures(1),
            failures_on_alert: failures(2),
            blocked: Mutex::default(),
            site: Mutex::default(),
            site_alert: usize::try_from(link.failures_site_alert).unwrap_or(usize::MAX),
            checks: AtomicU32::new(0),
        }
    }

    /// One look at the landing page.
    pub fn landing(&self, from: IpAddr) -> Result<(), RetryAfter> {
        self.tidy();
        check(&self.landing, &from.into())
    }

    /// One range of a download.
    pub fn range(&self, link_id: &str) -> Result<(), RetryAfter> {
        self.tidy();
        check(&self.ranges, &link_id.to_owned())
    }

    /// Whether an address that failed too often may try again.
    pub fn may_verify(&self, from: IpAddr) -> Result<(), RetryAfter> {
        let mut blocked = self.blocked.lock().unwrap_or_else(PoisonError::into_inner);
        let network = Network::from(from);
        let Some(until) = blocked.get(&network) else { return Ok(()) };
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            blocked.remove(&network);
            return Ok(());
        }
        Err(RetryAfter(left.as_secs().saturating_add(1)))
    }

    /// Counts a failed verification. `true` when it is the one that puts the site on alert.
    pub fn failed(&self, from: IpAddr) -> bool {
        self.tidy();
        let network = Network::from(from);
        let now = Instant::now();
        let (on_alert, begins) = {
            let mut site = self.site.lock().unwrap_or_else(PoisonError::into_inner);
            while site.front().is_some_and(|at| now.duration_since(*at) > SITE_WINDOW) {
                site.pop_front();
            }
            let before = site.len();
            if before <= self.site_alert {
                site.push_back(now);
            } else {
                // Still as many: only the newest matter.
                site.pop_front();
                site.push_back(now);
            }
            (site.len() > self.site_alert, before == self.site_alert)
        };
        // All four count always, so that an alert finds them filled; which of them blocks depends on it.
        let normal = self.failures.each_ref().map(|limiter| check(limiter, &network));
        let halved = self.failures_on_alert.each_ref().map(|limiter| check(limiter, &network));
        let deciding = if on_alert { halved.into_iter().chain(normal) } else { normal.into_iter().chain([Ok(()); 2]) };
        if let Some(RetryAfter(seconds)) = deciding.filter_map(Result::err).max_by_key(|retry| retry.0) {
            let mut blocked = self.blocked.lock().unwrap_or_else(PoisonError::into_inner);
            if blocked.len() >= BLOCKED {
                blocked.retain(|_, until| *until > now);
                let soonest = blocked.iter().min_by_key(|(_, until)| **until).map(|(network, _)| *network);
                if let Some(network) = soonest.filter(|_| blocked.len() >= BLOCKED) {
                    blocked.remove(&network);
                }
            }
            blocked.insert(network, now + Duration::from_secs(seconds));
        }
        begins
    }

    fn tidy(&self) {
        if self.checks.fetch_add(1, Ordering::Relaxed) % TIDY_EVERY == TIDY_EVERY - 1 {
            self.landing.retain_recent();
            self.ranges.retain_recent();
            for limiter in self.failures.iter().chain(&self.failures_on_alert) {
                limiter.retain_recent();
            }
        }
    }
}

fn keyed<K: Hash + Eq + Clone>(quota: Quota) -> Keyed<K> {
    RateLimiter::new(quota, DefaultKeyedStateStore::default(), DefaultClock::default())
}

/// `count` at once, and again one by one, `count` in `time`.
fn spread(count: u32, time: Duration) -> Quota {
    let count = at_least_one(count);
    let each = time / count.get();
    Quota::with_period(each).unwrap_or_else(|| Quota::per_hour(count)).allow_burst(count)
}

fn at_least_one(count: u32) -> NonZeroU32 {
    NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN)
}

fn check<K: Hash + Eq + Clone>(limiter: &Keyed<K>, key: &K) -> Result<(), RetryAfter> {
    limiter.check_key(key).map_err(|not_until| {
        let wait = not_until.wait_time_from(DefaultClock::default().now());
        RetryAfter(wait.as_secs().saturating_add(1))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> Limits {
        Limits::new(&Link::default())
    }
    fn address(last: u8) -> IpAddr {
        [192, 0, 2, last].into()
    }

    #[test]
    fn thirty_failures_of_an_address_are_answered_and_then_it_waits() {
        let limits = limits();
        for _ in 0..30 {
            assert_eq!(limits.may_verify(address(1)), Ok(()));
            limits.failed(address(1));
        }
        assert_eq!(limits.may_verify(address(1)), Ok(()));
        limits.failed(address(1));
        let RetryAfter(seconds) = limits.may_verify(address(1)).unwrap_err();
        assert!((1..=121).contains(&seconds), "{seconds}");
        assert_eq!(limits.may_verify(address(2)), Ok(()), "others are not touched");
    }

    #[test]
    fn an_attack_on_the_site_halves_what_an_address_may_fail() {
        let limits = limits();
        let alerts: Vec<bool> = (0..60).map(|n| limits.failed(address(n))).collect();
        assert_eq!(alerts.iter().filter(|begins| **begins).count(), 1, "one alert");
        assert!(alerts[50], "the 51st within ten minutes");
        for _ in 0..16 {
            limits.failed(address(200));
        }
        assert!(limits.may_verify(address(200)).is_err());
    }

    #[test]
    fn an_ipv6_network_is_one_address() {
        let one = Network::from("2001:db8:1:2::1".parse::<IpAddr>().unwrap());
        assert_eq!(one, Network::from("2001:db8:1:2:ffff::9".parse::<IpAddr>().unwrap()));
        assert_ne!(one, Network::from("2001:db8:1:3::1".parse::<IpAddr>().unwrap()));
        assert_eq!(Network::from("::ffff:192.0.2.1".parse::<IpAddr>().unwrap()), Network::from(address(1)));
    }

    #[test]
    fn a_scanner_that_floods_the_landing_page_is_slowed_alone() {
        let limits = limits();
        let refused = (0..100).filter(|_| limits.landing(address(1)).is_err()).count();
        assert!((70..=80).contains(&refused), "{refused}");
        assert_eq!(limits.landing(address(2)), Ok(()));
    }
}
