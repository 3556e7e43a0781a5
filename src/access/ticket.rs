//! Download tickets: what stands in the plain link behind the blue button, so that a browser's download
//! manager can go on for a day without the session's cookie. Stateless; revocation is asked at every use.
//!
//! ```text
//! 0x01 | kid (1) | link (8) | study (8) | package (8) | expires, s (5) | tag (16)
//! ```
//! Link, study and package are the beginnings of digests: nothing in the URL names a patient or a study.

use super::error::AccessError;
use super::keys::{KeyRing, Purpose};
use crate::domain::uid::{SeriesInstanceUid, StudyInstanceUid};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

const VERSION: u8 = 0x01;
const BODY: usize = 31;
const TAG: usize = 16;

/// What a ticket says, once its tag has been found to be ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ticket {
    pub link: [u8; 8],
    pub study: [u8; 8],
    pub package: [u8; 8],
    /// Seconds since 1970.
    pub expires_s: u64,
}

impl Ticket {
    /// The link's id as staff know it.
    pub fn link_id(&self) -> String {
        self.link.iter().map(|byte| format!("{byte:02x}")).collect()
    }
    pub(super) fn write(&self, ring: &KeyRing, origin: &str) -> Result<String, AccessError> {
        let kid = ring.current()?;
        let mut bytes = Vec::with_capacity(BODY + TAG);
        bytes.extend([VERSION, kid]);
        bytes.extend(self.link);
        bytes.extend(self.study);
        bytes.extend(self.package);
        bytes.extend(&self.expires_s.to_be_bytes()[3..]);
        let tag = ring.mac(kid, Purpose::Ticket, &[origin.as_bytes(), &bytes]).ok_or(AccessError::NoKey)?;
        bytes.extend(&tag[..TAG]);
        Ok(URL_SAFE_NO_PAD.encode(bytes))
    }
    /// `None` for anything that is not a ticket of ours or whose day is over.
    pub(super) fn read(ring: &KeyRing, origin: &str, text: &str, now_ms: i64) -> Option<Self> {
        if text.len() != (BODY + TAG) * 8 / 6 + 1 {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (body, tag) = bytes.split_at_checked(BODY)?;
        let [VERSION, kid, rest @ ..] = body else { return None };
        let expected = ring.mac(*kid, Purpose::Ticket, &[origin.as_bytes(), body])?;
        if !bool::from(expected.get(..TAG)?.ct_eq(tag)) {
            return None;
        }
        let (link, rest) = rest.split_first_chunk::<8>()?;
        let (study, rest) = rest.split_first_chunk::<8>()?;
        let (package, rest) = rest.split_first_chunk::<8>()?;
        let expires_s = rest.iter().fold(0u64, |sum, byte| (sum << 8) | u64::from(*byte));
        let ticket = Self { link: *link, study: *study, package: *package, expires_s };
        (now_ms.max(0).unsigned_abs() / 1000 < expires_s).then_some(ticket)
    }
}

/// How a ticket names a study.
pub fn study_digest(study: &StudyInstanceUid) -> [u8; 8] {
    head(&Sha256::digest(study.as_str()))
}

/// How the address of a picture names a series.
pub fn series_digest(series: &SeriesInstanceUid) -> [u8; 8] {
    head(&Sha256::digest(series.as_str()))
}

/// How a ticket names a package version: by its entity tag.
pub fn package_digest(etag: &str) -> [u8; 8] {
    head(&Sha256::digest(etag))
}

fn head(digest: &[u8]) -> [u8; 8] {
    digest.first_chunk::<8>().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_ticket_is_ours_unchanged_and_of_its_day() {
        let dir = tempfile::tempdir().unwrap();
        let ring = KeyRing::open(dir.path(), Duration::ZERO, 0).unwrap();
        let ticket = Ticket { link: [1; 8], study: [2; 8], package: [3; 8], expires_s: 86_400 };
        let text = ticket.write(&ring, "https://a").unwrap();
        assert_eq!(text.len(), 63);
        assert_eq!(Ticket::read(&ring, "https://a", &text, 86_399_999), Some(ticket));
        assert_eq!(Ticket::read(&ring, "https://a", &text, 86_400_000), None);
        assert_eq!(Ticket::read(&ring, "https://b", &text, 0), None);
        let bytes = URL_SAFE_NO_PAD.decode(&text).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Ticket::read(&ring, "https://a", &URL_SAFE_NO_PAD.encode(flipped), 0), None);
        }
        assert_eq!(ticket.link_id(), "0101010101010101");
    }
}
