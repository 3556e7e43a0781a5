//! How many connections are let in: in all, and from one address. A place is held by a guard and given
//! back when the guard is dropped, however the connection ended.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

/// Which cap was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Full {
    #[error("as many as are admitted in all")]
    Total,
    #[error("as many as are admitted from one of its kind")]
    Key,
}

/// Counts places in all and per key; the key is by default the address (IPv6: its /64, because one host
/// owns all of it).
#[derive(Debug)]
pub struct Admission<K: Eq + Hash + Clone = IpAddr> {
    counts: Arc<Mutex<Counts<K>>>,
    total_max: usize,
    per_key_max: usize,
}

#[derive(Debug)]
struct Counts<K> {
    total: usize,
    by_key: HashMap<K, usize>,
}

/// A place; dropping it gives the place back.
#[derive(Debug)]
pub struct Admitted<K: Eq + Hash + Clone = IpAddr> {
    counts: Arc<Mutex<Counts<K>>>,
    key: Option<K>,
}

impl<K: Eq + Hash + Clone> Clone for Admission<K> {
    fn clone(&self) -> Self {
        Self { counts: Arc::clone(&self.counts), total_max: self.total_max, per_key_max: self.per_key_max }
    }
}

impl<K: Eq + Hash + Clone> Admission<K> {
    pub fn new(total_max: usize, per_key_max: usize) -> Self {
        let counts = Counts { total: 0, by_key: HashMap::new() };
        Self { counts: Arc::new(Mutex::new(counts)), total_max, per_key_max }
    }
    /// A place for `key`, or which cap is reached.
    pub fn enter_as(&self, key: K) -> Result<Admitted<K>, Full> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.total >= self.total_max {
            return Err(Full::Total);
        }
        let held = counts.by_key.get(&key).copied().unwrap_or(0);
        if held >= self.per_key_max {
            return Err(Full::Key);
        }
        counts.by_key.insert(key.clone(), held + 1);
        counts.total += 1;
        Ok(Admitted { counts: Arc::clone(&self.counts), key: Some(key) })
    }
    /// A place that counts towards the total only, for callers exempt from the cap per key.
    pub fn enter_exempt(&self) -> Result<Admitted<K>, Full> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.total >= self.total_max {
            return Err(Full::Total);
        }
        counts.total += 1;
        Ok(Admitted { counts: Arc::clone(&self.counts), key: None })
    }
    /// Places held now.
    pub fn held(&self) -> usize {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).total
    }
}

impl Admission<IpAddr> {
    /// A place for a connection from `address`.
    pub fn enter(&self, address: IpAddr) -> Result<Admitted, Full> {
        self.enter_as(prefix(address))
    }
}

impl<K: Eq + Hash + Clone> Drop for Admitted<K> {
    fn drop(&mut self) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.total = counts.total.saturating_sub(1);
        let Some(key) = self.key.take() else { return };
        match counts.by_key.get_mut(&key) {
            Some(held) if *held > 1 => *held -= 1,
            _ => {
                counts.by_key.remove(&key);
            }
        }
    }
}

/// The part of an address that stands for one caller.
fn prefix(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_place_is_refused_at_the_cap_and_free_again_after_the_guard_is_dropped() {
        let admission = Admission::new(3, 2);
        let first = admission.enter(address("10.0.0.1")).unwrap();
        let _second = admission.enter(address("::ffff:10.0.0.1")).unwrap();
        assert_eq!(admission.enter(address("10.0.0.1")).unwrap_err(), Full::Key);
        let _third = admission.enter(address("10.0.0.2")).unwrap();
        assert_eq!(admission.enter(address("10.0.0.3")).unwrap_err(), Full::Total);
        assert_eq!(admission.enter_exempt().unwrap_err(), Full::Total);
        drop(first);
        assert_eq!(admission.held(), 2);
        let _exempt = admission.enter_exempt().unwrap();
        assert_eq!(admission.held(), 3);
    }

    #[test]
    fn all_addresses_of_one_ipv6_network_are_one_caller() {
        let admission = Admission::new(9, 1);
        let _held = admission.enter(address("2001:db8:1:2::1")).unwrap();
        assert!(admission.enter(address("2001:db8:1:2:ffff::9")).is_err());
        assert!(admission.enter(address("2001:db8:1:3::1")).is_ok());
    }

    #[test]
    fn nothing_is_kept_of_callers_that_have_left() {
        let admission = Admission::new(9, 9);
        drop(admission.enter(address("10.0.0.1")));
        assert!(admission.counts.lock().unwrap().by_key.is_empty());
    }
}
