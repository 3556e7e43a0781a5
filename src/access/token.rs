//! The `bb1` link token: 37 bytes as 50 characters of base64url.
//!
//! ```text
//! 0x01 | kid (1) | lid (16, random) | exp_hours (3) | tag (16)
//! ```
//!
//! The tag is over the site's origin and the 21 bytes before it, so a token is worth nothing at another
//! site and a forged one is refused without touching the index. The index row of the lid decides
//! everything else. `exp_hours` is the latest moment to which the link may ever be extended, in hours
//! since 1970, rounded up.

use super::error::{AccessError, random};
use super::keys::{KeyRing, Purpose};
use crate::domain::phi::Phi;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

const VERSION: u8 = 0x01;
const BODY: usize = 21;
const TAG: usize = 16;
pub(super) const CHARACTERS: usize = 50;

/// What the index knows a link by: SHA-256 of the lid. The lid itself is kept nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LinkKey(pub(super) [u8; 32]);

impl LinkKey {
    /// The first 16 hex digits: what staff, logs and the API call the link. It opens nothing.
    pub fn id(&self) -> String {
        self.head().iter().map(|byte| format!("{byte:02x}")).collect()
    }
    /// The bytes of that id.
    pub(super) fn head(&self) -> [u8; 8] {
        self.0.first_chunk::<8>().copied().unwrap_or_default()
    }
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// A token that was just made, and what the row has to hold for it.
pub(super) struct Minted {
    pub(super) token: Phi<String>,
    pub(super) key: LinkKey,
    pub(super) kid: u8,
}

/// A token whose tag is ours and whose time is not over. Whether the link exists, only the index knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Checked {
    pub(super) key: LinkKey,
    pub(super) kid: u8,
}

pub(super) fn mint(ring: &KeyRing, origin: &str, latest_end_ms: i64) -> Result<Minted, AccessError> {
    let kid = ring.current()?;
    let lid: [u8; 16] = random()?;
    let hours =
        u32::try_from(latest_end_ms.max(0).unsigned_abs().div_ceil(3_600_000)).unwrap_or(u32::MAX).min(0x00FF_FFFF);
    let mut bytes = Vec::with_capacity(BODY + TAG);
    bytes.extend([VERSION, kid]);
    bytes.extend(lid);
    bytes.extend(&hours.to_be_bytes()[1..]);
    let tag = ring.mac(kid, Purpose::Link, &[origin.as_bytes(), &bytes]).ok_or(AccessError::NoKey)?;
    bytes.extend(&tag[..TAG]);
    Ok(Minted { token: Phi::new(URL_SAFE_NO_PAD.encode(&bytes)), key: key_of(&lid), kid })
}

/// Length and alphabet, key id, tag, time, in this order; one answer for every fault.
pub(super) fn check(ring: &KeyRing, origin: &str, text: &str, now_ms: i64) -> Option<Checked> {
    let text = without_mail_debris(text);
    if text.len() != CHARACTERS {
        return None;
    }
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let (body, tag) = bytes.split_at_checked(BODY)?;
    let [VERSION, kid, rest @ ..] = body else { return None };
    let expected = ring.mac(*kid, Purpose::Link, &[origin.as_bytes(), body])?;
    if !bool::from(expected.get(..TAG)?.ct_eq(tag)) {
        return None;
    }
    let (lid, hours) = rest.split_at_checked(16)?;
    let &[high, middle, low] = hours else { return None };
    let ends_ms = i64::from(u32::from_be_bytes([0, high, middle, low])) * 3_600_000;
    (now_ms < ends_ms).then(|| Checked { key: key_of(lid), kid: *kid })
}

fn key_of(lid: &[u8]) -> LinkKey {
    LinkKey(Sha256::digest(lid).into())
}

/// Mail programs take the punctuation after a link for a part of it.
fn without_mail_debris(text: &str) -> &str {
    let mut text = text;
    loop {
        let shorter = text.trim_end_matches(['.', '>', ')', ',', ' ']);
        let shorter = shorter.strip_suffix("%20").or_else(|| shorter.strip_suffix("%3E")).unwrap_or(shorter);
        if shorter.len() == text.len() {
            return text;
        }
        text = shorter;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const ORIGIN: &str = "https://img.example.org";
    const YEAR_MS: i64 = 365 * 86_400_000;

    fn ring() -> (tempfile::TempDir, KeyRing) {
        let dir = tempfile::tempdir().unwrap();
        let ring = KeyRing::open(dir.path(), Duration::ZERO, 0).unwrap();
        (dir, ring)
    }

    #[test]
    fn a_token_is_50_characters_and_opens_its_own_link() {
        let (_dir, ring) = ring();
        let minted = mint(&ring, ORIGIN, YEAR_MS).unwrap();
        assert_eq!(minted.token.expose().len(), CHARACTERS);
        assert_eq!(check(&ring, ORIGIN, minted.token.expose(), 0).unwrap().key, minted.key);
        for debris in [".", ">", ")", "%20", " ", ").", ">%20."] {
            assert!(check(&ring, ORIGIN, &format!("{}{debris}", minted.token.expose()), 0).is_some(), "{debris:?}");
        }
    }

    #[test]
    fn one_flipped_bit_anywhere_is_refused() {
        let (_dir, ring) = ring();
        let minted = mint(&ring, ORIGIN, YEAR_MS).unwrap();
        let bytes = URL_SAFE_NO_PAD.decode(minted.token.expose()).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(check(&ring, ORIGIN, &URL_SAFE_NO_PAD.encode(&flipped), 0).is_none(), "bit {bit}");
        }
    }

    #[test]
    fn every_changed_character_is_refused() {
        let (_dir, ring) = ring();
        let minted = mint(&ring, ORIGIN, YEAR_MS).unwrap();
        let token = minted.token.expose();
        for place in 0..token.len() {
            for other in b"ABCXYZabcxyz019-_+/=%&".iter().filter(|other| **other != token.as_bytes()[place]) {
                let mut changed = token.clone().into_bytes();
                changed[place] = *other;
                let changed = String::from_utf8(changed).unwrap();
                assert!(check(&ring, ORIGIN, &changed, 0).is_none(), "{place}");
            }
        }
    }

    #[test]
    fn another_site_another_key_and_a_later_time_refuse() {
        let (_dir, ring) = ring();
        let (_other_dir, other) = self::ring();
        let minted = mint(&ring, ORIGIN, YEAR_MS - 1).unwrap();
        let token = minted.token.expose();
        assert!(check(&ring, "https://img.example.com", token, 0).is_none());
        assert!(check(&other, ORIGIN, token, 0).is_none());
        assert!(check(&ring, ORIGIN, token, YEAR_MS - 1).is_some(), "rounded up to the hour");
        assert!(check(&ring, ORIGIN, token, YEAR_MS).is_none());
        for odd in ["", "a", &"A".repeat(50), &"é".repeat(25), &"A".repeat(10_000)] {
            assert!(check(&ring, ORIGIN, odd, 0).is_none());
        }
    }

    #[test]
    fn nothing_prints_a_token() {
        let (_dir, ring) = ring();
        let minted = mint(&ring, ORIGIN, YEAR_MS).unwrap();
        assert!(!format!("{:?}", minted.token).contains(minted.token.expose().as_str()));
    }
}
