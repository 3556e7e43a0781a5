//! The keys behind every link: 32 random bytes in `<data_dir>/keys`, readable by the owner only. A new
//! one every 90 days; an old one verifies until the last link made with it has ended. Deleting a file
//! ends every link of that key.
//!
//! Nothing is made with the file's bytes themselves: each use derives its own key (HKDF, RFC 5869), so
//! that a download ticket can never pass for a link.

use super::error::{AccessError, random};
use crate::domain::phi::Phi;
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

const ROTATION: Duration = Duration::from_hours(90 * 24);

/// What a derived key is used for; the label is part of the derivation and never changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Link,
    Ticket,
    Csrf,
    BirthDate,
    Identity,
}

impl Purpose {
    const ALL: [Self; 5] = [Self::Link, Self::Ticket, Self::Csrf, Self::BirthDate, Self::Identity];
    const fn label(self) -> &'static [u8] {
        match self {
            Self::Link => b"bluebridge/link/v1",
            Self::Ticket => b"bluebridge/ticket/v1",
            Self::Csrf => b"bluebridge/csrf/v1",
            Self::BirthDate => b"bluebridge/birth-date/v1",
            Self::Identity => b"bluebridge/identity/v1",
        }
    }
}

#[derive(Debug, Clone)]
struct Key {
    created_at_ms: i64,
    derived: [Phi<[u8; 32]>; Purpose::ALL.len()],
}

/// Every key that still verifies, by key id.
#[derive(Debug)]
pub(super) struct KeyRing {
    folder: PathBuf,
    /// How long an old key is kept: no link outlives it.
    keep: Duration,
    keys: RwLock<BTreeMap<u8, Key>>,
}

impl KeyRing {
    /// Reads every key of `<data_dir>/keys` and makes the first one. `link_life_max` is the longest life
    /// of a link, which decides how long an old key is needed.
    pub(super) fn open(data_dir: &Path, link_life_max: Duration, now_ms: i64) -> Result<Self, AccessError> {
        let folder = data_dir.join("keys");
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&folder)
            .map_err(|source| AccessError::KeyFile { path: folder.clone(), source })?;
        let mut keys = BTreeMap::new();
        let listing =
            std::fs::read_dir(&folder).map_err(|source| AccessError::KeyFile { path: folder.clone(), source })?;
        for entry in listing {
            let path = entry.map_err(|source| AccessError::KeyFile { path: folder.clone(), source })?.path();
            if let Some(kid) = kid_of(&path) {
                keys.insert(kid, read(&path)?);
            }
        }
        let keep = ROTATION.saturating_add(link_life_max);
        let ring = Self { folder, keep, keys: RwLock::new(keys) };
        ring.rotate(now_ms)?;
        Ok(ring)
    }

    /// Makes a new key when the newest is due, and drops those that no living link can have been made
    /// with.
    pub(super) fn rotate(&self, now_ms: i64) -> Result<(), AccessError> {
        if self.newest().is_some_and(|(_, made)| now_ms.saturating_sub(made) < as_ms(ROTATION)) {
            return Ok(());
        }
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        // The newest by time, not by number: numbers wrap after 255.
        let newest = keys.iter().max_by_key(|(_, key)| key.created_at_ms).map_or(0, |(kid, _)| *kid);
        let Some(kid) =
            (1..=255u8).map(|step| newest.wrapping_add(step)).find(|kid| *kid != 0 && !keys.contains_key(kid))
        else {
            return Err(AccessError::Key { path: self.folder.clone(), problem: "every key id is in use" });
        };
        let secret: [u8; 32] = random()?;
        write(&self.folder, kid, &secret, now_ms)?;
        keys.insert(kid, Key::derive(&secret, now_ms));
        keys.retain(|kid, key| {
            let needed = now_ms.saturating_sub(key.created_at_ms) <= as_ms(self.keep);
            // A file that stays only costs a little memory at the next start.
            needed || std::fs::remove_file(file_of(&self.folder, *kid)).is_err()
        });
        Ok(())
    }

    /// The key that new links and tickets are made with.
    pub(super) fn current(&self) -> Result<u8, AccessError> {
        let problem = || AccessError::Key { path: self.folder.clone(), problem: "there is no key" };
        self.newest().map(|(kid, _)| kid).ok_or_else(problem)
    }

    fn newest(&self) -> Option<(u8, i64)> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        keys.iter().map(|(kid, key)| (*kid, key.created_at_ms)).max_by_key(|(_, made)| *made)
    }

    /// HMAC-SHA-256 over `parts`, each preceded by its length; `None` for a key id that is not known.
    pub(super) fn mac(&self, kid: u8, purpose: Purpose, parts: &[&[u8]]) -> Option<[u8; 32]> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let key = keys.get(&kid)?.derived.get(purpose as usize)?;
        let mut mac = Hmac::<Sha256>::new_from_slice(key.expose()).ok()?;
        mac.update(purpose.label());
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        Some(mac.finalize().into_bytes().into())
    }
}

impl Key {
    fn derive(secret: &[u8; 32], created_at_ms: i64) -> Self {
        let hkdf = Hkdf::<Sha256>::new(None, secret);
        let derived = Purpose::ALL.map(|purpose| {
            let mut key = [0; 32];
            // Fails only for outputs beyond 255 hash lengths; ours is one.
            let expanded = hkdf.expand(purpose.label(), &mut key);
            debug_assert!(expanded.is_ok());
            Phi::new(key)
        });
        Self { created_at_ms, derived }
    }
}

fn as_ms(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

fn file_of(folder: &Path, kid: u8) -> PathBuf {
    folder.join(format!("link-{kid}.key"))
}

fn kid_of(path: &Path) -> Option<u8> {
    path.file_name()?.to_str()?.strip_prefix("link-")?.strip_suffix(".key")?.parse().ok().filter(|kid| *kid != 0)
}

/// `<milliseconds since 1970> <64 hex digits>`: text, so that a backup of it can be checked by eye.
fn read(path: &Path) -> Result<Key, AccessError> {
    let broken = |problem| AccessError::Key { path: path.to_owned(), problem };
    let failed = |source| AccessError::KeyFile { path: path.to_owned(), source };
    let mode = std::fs::metadata(path).map_err(failed)?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(broken("others can read it; chmod 0600 it, or delete it to end every link made with it"));
    }
    let text = std::fs::read_to_string(path).map_err(failed)?;
    let parsed = text.trim_end().split_once(' ').and_then(|(made, hex)| Some((made.parse().ok()?, unhex(hex)?)));
    let (created_at_ms, secret) = parsed.ok_or_else(|| broken("it is not a key file"))?;
    Ok(Key::derive(&secret, created_at_ms))
}

/// Durable before the first link is made with it: a link whose key is lost can never be opened.
fn write(folder: &Path, kid: u8, secret: &[u8; 32], now_ms: i64) -> Result<(), AccessError> {
    let path = file_of(folder, kid);
    let failed = |source| AccessError::KeyFile { path: path.clone(), source };
    let part = folder.join(format!("link-{kid}.part"));
    let mut file =
        std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part).map_err(failed)?;
    let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    file.write_all(format!("{now_ms} {hex}\n").as_bytes()).map_err(failed)?;
    file.sync_all().map_err(failed)?;
    std::fs::rename(&part, &path).map_err(failed)?;
    std::fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(index * 2..index * 2 + 2)?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_MS: i64 = 86_400_000;

    #[test]
    fn a_key_is_made_once_and_read_by_its_owner_only() {
        let dir = tempfile::tempdir().unwrap();
        let life = Duration::from_hours(90 * 24);
        let first = KeyRing::open(dir.path(), life, 0).unwrap();
        let second = KeyRing::open(dir.path(), life, DAY_MS).unwrap();
        let kid = first.current().unwrap();
        assert_eq!(kid, second.current().unwrap());
        assert_eq!(first.mac(kid, Purpose::Link, &[b"a"]), second.mac(kid, Purpose::Link, &[b"a"]));
        assert_ne!(first.mac(kid, Purpose::Link, &[b"a"]), first.mac(kid, Purpose::Ticket, &[b"a"]));
        let path = file_of(&dir.path().join("keys"), kid);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(KeyRing::open(dir.path(), life, 0), Err(AccessError::Key { .. })));
    }

    #[test]
    fn an_old_key_verifies_until_its_last_link_has_ended() {
        let dir = tempfile::tempdir().unwrap();
        let ring = KeyRing::open(dir.path(), Duration::from_hours(90 * 24), 0).unwrap();
        let old = ring.current().unwrap();
        ring.rotate(91 * DAY_MS).unwrap();
        assert_ne!(ring.current().unwrap(), old);
        assert!(ring.mac(old, Purpose::Link, &[]).is_some());
        ring.rotate(182 * DAY_MS).unwrap();
        assert!(ring.mac(old, Purpose::Link, &[]).is_none());
        assert!(!file_of(&dir.path().join("keys"), old).exists());
    }

    #[test]
    fn parts_cannot_be_moved_from_one_to_the_next() {
        let dir = tempfile::tempdir().unwrap();
        let ring = KeyRing::open(dir.path(), Duration::ZERO, 0).unwrap();
        assert_ne!(ring.mac(1, Purpose::Link, &[b"ab", b"c"]), ring.mac(1, Purpose::Link, &[b"a", b"bc"]));
    }
}
