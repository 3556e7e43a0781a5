//! Values with units: `90s 30m 12h 30d`, `128KiB 1MiB 16GiB`. A bare number is refused, because the
//! next reader would have to guess.

use ipnet::IpNet;
use serde::{Deserialize, Deserializer, de::Error};
use std::fmt;
use std::time::Duration;

/// A length of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(Duration);

impl Span {
    pub const fn seconds(n: u64) -> Self {
        Self(Duration::from_secs(n))
    }
    pub const fn minutes(n: u64) -> Self {
        Self::seconds(n * 60)
    }
    pub const fn hours(n: u64) -> Self {
        Self::minutes(n * 60)
    }
    pub const fn days(n: u64) -> Self {
        Self::hours(n * 24)
    }
    pub const fn get(self) -> Duration {
        self.0
    }
    /// Reads `90s`, `30m`, `12h`, `30d`; also `250ms`, for tests.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is not a length of time; write 90s, 30m, 12h or 30d");
        let (number, unit) = split(text).ok_or_else(wrong)?;
        let ms = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(wrong()),
        };
        number.checked_mul(ms).map(|ms| Self(Duration::from_millis(ms))).ok_or_else(wrong)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = self.0.as_secs();
        match s {
            0 => write!(f, "{}ms", self.0.as_millis()),
            _ if s.is_multiple_of(86_400) => write!(f, "{}d", s / 86_400),
            _ if s.is_multiple_of(3_600) => write!(f, "{}h", s / 3_600),
            _ if s.is_multiple_of(60) => write!(f, "{}m", s / 60),
            _ => write!(f, "{s}s"),
        }
    }
}

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes(u64);

impl Bytes {
    pub const fn new(n: u64) -> Self {
        Self(n)
    }
    pub const fn kib(n: u64) -> Self {
        Self(n << 10)
    }
    pub const fn mib(n: u64) -> Self {
        Self(n << 20)
    }
    pub const fn gib(n: u64) -> Self {
        Self(n << 30)
    }
    pub const fn get(self) -> u64 {
        self.0
    }
    /// Saturates on machines whose `usize` is smaller.
    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is not a size; write 512B, 128KiB, 1MiB, 16GiB or 2TiB");
        let (number, unit) = split(text).ok_or_else(wrong)?;
        let shift = match unit {
            "B" => 0,
            "KiB" => 10,
            "MiB" => 20,
            "GiB" => 30,
            "TiB" => 40,
            _ => return Err(wrong()),
        };
        number.checked_mul(1 << shift).map(Self).ok_or_else(wrong)
    }
}

/// An amount of disk space: a size, a share of the file system (`5%`), or `auto`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Floor {
    Auto,
    Bytes(Bytes),
    Percent(f64),
}

impl Floor {
    pub fn parse(text: &str) -> Result<Self, String> {
        if text == "auto" {
            return Ok(Self::Auto);
        }
        if let Some(number) = text.strip_suffix('%') {
            return match number.trim().parse::<f64>() {
                Ok(share) if (0.0..=90.0).contains(&share) => Ok(Self::Percent(share)),
                _ => Err(format!("{text:?} is not a share of the disk; write 0% to 90%")),
            };
        }
        Bytes::parse(text).map(Self::Bytes)
    }
    /// In bytes, on a file system of `total`; `auto` is `percent` of it but at most `cap`.
    pub fn resolve(self, total: u64, percent: u64, cap: Bytes) -> u64 {
        match self {
            Self::Auto => (total / 100).saturating_mul(percent).min(cap.get()),
            Self::Bytes(bytes) => bytes.get(),
            Self::Percent(share) => (total as f64 * share / 100.0) as u64,
        }
    }
}

fn split(text: &str) -> Option<(u64, &str)> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(end);
    Some((number.parse().ok()?, unit.trim()))
}

macro_rules! from_text {
    ($($name:ident),*) => {$(
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = text_or_number(deserializer)?;
                Self::parse(&text).map_err(D::Error::custom)
            }
        }
        impl std::str::FromStr for $name {
            type Err = String;
            fn from_str(text: &str) -> Result<Self, String> {
                Self::parse(text)
            }
        }
    )*};
}
from_text!(Span, Bytes, Floor);

/// A number without a unit reaches our own error message instead of serde's.
fn text_or_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Text(String),
        Number(i64),
    }
    Ok(match Either::deserialize(deserializer)? {
        Either::Text(text) => text,
        Either::Number(number) => number.to_string(),
    })
}

pub(super) fn address_or_network<'de, D: Deserializer<'de>>(deserializer: D) -> Result<IpNet, D::Error> {
    network(&String::deserialize(deserializer)?).map_err(D::Error::custom)
}

pub(super) fn addresses_or_networks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<IpNet>, D::Error> {
    let list = Vec::<String>::deserialize(deserializer)?;
    list.iter().map(|text| network(text).map_err(D::Error::custom)).collect()
}

fn network(text: &str) -> Result<IpNet, String> {
    text.parse::<IpNet>()
        .or_else(|_| text.parse::<std::net::IpAddr>().map(IpNet::from))
        .map_err(|_| format!("{text:?} is not an address or range; write 10.1.2.3 or 10.1.2.0/24"))
}

pub(super) const fn yes() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_needs_its_unit() {
        let cases = [
            ("90s", Some(90)),
            ("30m", Some(1800)),
            ("12h", Some(43_200)),
            ("30d", Some(2_592_000)),
            ("5 m", Some(300)),
            ("90", None),
            ("", None),
            ("s", None),
            ("-1s", None),
            ("1w", None),
            ("99999999999999999999s", None),
        ];
        for (text, seconds) in cases {
            assert_eq!(Span::parse(text).ok().map(|span| span.get().as_secs()), seconds, "{text:?}");
        }
    }

    #[test]
    fn a_size_needs_its_unit() {
        let cases = [
            ("512B", Some(512)),
            ("128KiB", Some(131_072)),
            ("16GiB", Some(17_179_869_184)),
            ("1MB", None),
            ("10", None),
            ("99999999TiB", None),
        ];
        for (text, bytes) in cases {
            assert_eq!(Bytes::parse(text).ok().map(Bytes::get), bytes, "{text:?}");
        }
    }

    #[test]
    fn auto_is_a_share_of_the_disk_with_a_cap() {
        let gib = 1 << 30;
        assert_eq!(Floor::Auto.resolve(100 * gib, 10, Bytes::gib(20)), 10 * gib);
        assert_eq!(Floor::Auto.resolve(1000 * gib, 10, Bytes::gib(20)), 20 * gib);
        assert_eq!(Floor::Percent(50.0).resolve(1000, 10, Bytes::gib(20)), 500);
    }
}
