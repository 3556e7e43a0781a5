//! Who has verified themselves: kept in memory, so a restart asks again. The cookie is 256 random bits
//! and is itself kept nowhere; what is looked up is its SHA-256.

use super::error::{AccessError, random};
use super::token::LinkKey;
use crate::config::Link;
use crate::domain::phi::Phi;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Sessions at once, in all and of one link; the one idle for longest makes room.
const SESSIONS: usize = 20_000;
const SESSIONS_PER_LINK: usize = 16;

/// The name of a session in memory: SHA-256 of its cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SessionKey(pub(super) [u8; 32]);

#[derive(Debug, Clone)]
pub struct Session {
    pub session: SessionKey,
    pub link: LinkKey,
    /// The language the reader chose, when one was.
    pub language: Option<String>,
}

#[derive(Debug)]
struct Entry {
    link: LinkKey,
    began_ms: i64,
    seen_ms: i64,
    language: Option<String>,
}

#[derive(Debug)]
pub(super) struct Sessions {
    entries: Mutex<HashMap<SessionKey, Entry>>,
    idle_ms: i64,
    life_ms: i64,
}

impl Sessions {
    pub(super) fn new(limits: &Link) -> Self {
        let ms = |span: crate::config::units::Span| i64::try_from(span.get().as_millis()).unwrap_or(i64::MAX);
        Self { entries: Mutex::default(), idle_ms: ms(limits.session_idle), life_ms: ms(limits.session_max) }
    }

    /// Begins a session; returns the cookie's value.
    pub(super) fn begin(
        &self,
        link: LinkKey,
        language: Option<String>,
        now_ms: i64,
    ) -> Result<Phi<String>, AccessError> {
        let cookie = URL_SAFE_NO_PAD.encode(random::<32>()?);
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.len() >= SESSIONS {
            entries.retain(|_, entry| self.lives(entry, now_ms));
        }
        let of_link = entries.values().filter(|entry| entry.link == link).count();
        if of_link >= SESSIONS_PER_LINK {
            drop_idlest(&mut entries, |entry| entry.link == link);
        } else if entries.len() >= SESSIONS {
            drop_idlest(&mut entries, |_| true);
        }
        entries.insert(key_of(&cookie), Entry { link, began_ms: now_ms, seen_ms: now_ms, language });
        Ok(Phi::new(cookie))
    }

    /// The session of a cookie, which counts as activity.
    pub(super) fn find(&self, cookie: &str, now_ms: i64) -> Option<Session> {
        if cookie.len() != 43 {
            return None;
        }
        let session = key_of(cookie);
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = entries.get_mut(&session)?;
        if !self.lives(entry, now_ms) {
            entries.remove(&session);
            return None;
        }
        entry.seen_ms = now_ms;
        Some(Session { session, link: entry.link, language: entry.language.clone() })
    }

    pub(super) fn speak(&self, session: SessionKey, language: &str) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = entries.get_mut(&session) {
            entry.language = Some(language.to_owned());
        }
    }

    pub(super) fn end(&self, session: SessionKey) {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).remove(&session);
    }

    /// Ends every session of a link.
    pub(super) fn end_link(&self, link: LinkKey) {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).retain(|_, entry| entry.link != link);
    }

    fn lives(&self, entry: &Entry, now_ms: i64) -> bool {
        now_ms.saturating_sub(entry.seen_ms) < self.idle_ms && now_ms.saturating_sub(entry.began_ms) < self.life_ms
    }
}

fn key_of(cookie: &str) -> SessionKey {
    SessionKey(Sha256::digest(cookie).into())
}

fn drop_idlest(entries: &mut HashMap<SessionKey, Entry>, among: impl Fn(&Entry) -> bool) {
    let idlest =
        entries.iter().filter(|(_, entry)| among(entry)).min_by_key(|(_, entry)| entry.seen_ms).map(|(key, _)| *key);
    if let Some(key) = idlest {
        entries.remove(&key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000;
    const LINK: LinkKey = LinkKey([7; 32]);

    #[test]
    fn a_session_ends_after_15_idle_minutes_and_after_8_hours() {
        let sessions = Sessions::new(&Link::default());
        let cookie = sessions.begin(LINK, None, 0).unwrap();
        assert!(sessions.find(cookie.expose(), 14 * MINUTE).is_some());
        assert!(sessions.find(cookie.expose(), 28 * MINUTE).is_some(), "activity prolongs");
        assert!(sessions.find(cookie.expose(), 43 * MINUTE).is_none());
        let cookie = sessions.begin(LINK, None, 0).unwrap();
        for minute in (0..480).step_by(10) {
            assert!(sessions.find(cookie.expose(), minute * MINUTE).is_some());
        }
        assert!(sessions.find(cookie.expose(), 480 * MINUTE).is_none());
    }

    #[test]
    fn revocation_ends_every_session_of_the_link_and_no_other() {
        let sessions = Sessions::new(&Link::default());
        let one = sessions.begin(LINK, None, 0).unwrap();
        let other = sessions.begin(LinkKey([8; 32]), None, 0).unwrap();
        sessions.end_link(LINK);
        assert!(sessions.find(one.expose(), 1).is_none());
        assert!(sessions.find(other.expose(), 1).is_some());
    }

    #[test]
    fn one_link_holds_at_most_16_sessions() {
        let sessions = Sessions::new(&Link::default());
        let cookies: Vec<_> = (0..17).map(|now| sessions.begin(LINK, None, now).unwrap()).collect();
        assert!(sessions.find(cookies[0].expose(), 20).is_none(), "the idlest made room");
        assert!(sessions.find(cookies[16].expose(), 20).is_some());
    }
}
