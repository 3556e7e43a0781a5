//! Patient links: granted, verified, counted, revoked; and the package a patient downloads.
//!
//! Promises that no byte of a study leaves before its patient said something that only they know, that
//! a link can be tried only so often however many try at once, and that a revoked link is dead within a
//! second even in the middle of a download. Refuses to know HTTP, SQL and the wording of a page.

pub mod attempts;
pub mod bearer;
pub mod birth_date;
pub mod code;
pub mod download;
pub mod error;
mod grant;
mod keys;
pub mod live;
mod meter;
pub mod oidc;
pub mod package;
pub mod reads;
mod scope;
pub mod session;
mod share;
#[cfg(test)]
pub(crate) mod tests;
pub mod ticket;
pub mod token;
mod trail;
mod verify;

pub use download::{Admission, Download, Opened};
pub use error::AccessError;
pub use grant::{GrantRequest, Granted, LinkSummary, State};
pub use scope::{Studies, Whose};
pub use session::Session;
pub use share::{Share, View, Viewing};
pub use token::LinkKey;
pub use verify::{Answers, Verdict};

use crate::archive::AffectedLink;
use crate::audit::{Actor, Event, Kind, Outcome};
use crate::config;
use crate::domain::clock::Clock;
use crate::index::Index;
use keys::{KeyRing, Purpose};
use live::Live;
use session::{SessionKey, Sessions};
use share::Shares;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use subtle::ConstantTimeEq;
use tokio::sync::Semaphore;

/// Patient links. Clones share everything.
#[derive(Clone)]
pub struct Access(Arc<Parts>);

struct Parts {
    link: config::Link,
    /// `[patient] public_url` without a slash at its end; links begin with it, never with what a
    /// request says in Host.
    public_url: String,
    /// What tokens and tickets are bound to.
    origin: String,
    ring: KeyRing,
    sessions: Sessions,
    live: Live,
    /// Requests of viewers, which have places of their own.
    views: Live,
    shares: Shares,
    /// argon2id takes 19 MiB and tens of milliseconds: one at a time.
    hashing: Semaphore,
    index: Index,
    clock: Clock,
}

/// A verified reader and the link they came by, read fresh.
#[derive(Debug, Clone)]
pub struct Visit {
    pub session: Session,
    pub link_id: String,
    pub expires_at_ms: i64,
    pub studies: Vec<crate::domain::query::Found>,
}

impl Access {
    /// Reads the keys of `data_dir` (the first start makes one). `public_url` is that of `[patient]`.
    pub fn open(
        data_dir: &Path,
        link: config::Link,
        public_url: &str,
        index: Index,
        clock: Clock,
    ) -> Result<Self, AccessError> {
        let ring = KeyRing::open(data_dir, link.expires_max.get(), clock.now_ms())?;
        let public_url = public_url.trim_end_matches('/').to_owned();
        Ok(Self(Arc::new(Parts {
            origin: origin_of(&public_url),
            public_url,
            ring,
            sessions: Sessions::new(&link),
            live: Live::default(),
            views: Live::default(),
            shares: Shares::default(),
            hashing: Semaphore::new(1),
            link,
            index,
            clock,
        })))
    }

    /// The reader behind a session's cookie; `None` when the session, or its link, is over.
    pub async fn visit(&self, cookie: &str) -> Result<Option<Visit>, AccessError> {
        let now_ms = self.0.clock.now_ms();
        let Some(session) = self.0.sessions.find(cookie, now_ms) else { return Ok(None) };
        let row = self.0.index.link(session.link.bytes()).await?.filter(|row| verify::opens(row, now_ms));
        let Some(row) = row else {
            self.0.sessions.end_link(session.link);
            return Ok(None);
        };
        let studies = self.studies_of(&row).await?.shown;
        Ok(Some(Visit { session, link_id: row.link_id, expires_at_ms: row.expires_at_ms, studies }))
    }

    /// Something that these links showed was deleted: what they send now breaks off. Those that showed nothing
    /// else were revoked with it, and their sessions end too.
    pub fn cut_off(&self, links: &[AffectedLink]) {
        for affected in links {
            let link = LinkKey(affected.lid_sha256);
            self.0.shares.doubt(link);
            if affected.revoked {
                self.end_all(link);
            } else {
                self.0.live.interrupt(link);
                self.0.views.interrupt(link);
            }
        }
    }

    /// Ends what a revoked link has: sessions, downloads, requests of viewers.
    fn end_all(&self, link: LinkKey) {
        self.0.sessions.end_link(link);
        self.0.live.end(link);
        self.0.views.end(link);
    }

    /// Tells the trail that many links are being tried.
    pub async fn alert(&self, from: IpAddr) {
        let event =
            Event::new(Kind::SecurityAlert, Actor::Unknown).address(Some(from)).outcome(Outcome::SeriousFailure);
        if let Err(error) = self.0.index.append(&event).await {
            tracing::error!(%error, "an alert could not be written to the audit trail");
        }
    }

    /// Remembers the language a reader chose.
    pub fn speak(&self, session: &Session, language: &str) {
        self.0.sessions.speak(session.session, language);
    }

    pub fn sign_out(&self, session: &Session) {
        self.0.sessions.end(session.session);
    }

    /// What a form has to send back to be taken as this session's own.
    pub fn csrf(&self, session: &Session) -> Result<String, AccessError> {
        let mac = self.csrf_of(session.session)?;
        Ok(mac.iter().take(16).map(|byte| format!("{byte:02x}")).collect())
    }

    pub fn csrf_holds(&self, session: &Session, sent: &str) -> bool {
        self.csrf(session).is_ok_and(|known| known.as_bytes().ct_eq(sent.as_bytes()).into())
    }

    fn csrf_of(&self, session: SessionKey) -> Result<[u8; 32], AccessError> {
        let kid = self.0.ring.current()?;
        self.0.ring.mac(kid, Purpose::Csrf, &[&session.0]).ok_or(AccessError::NoKey)
    }

    /// HMAC of a value of one link: the same value of two links gives two digests.
    fn mac(&self, kid: u8, purpose: Purpose, link: &LinkKey, value: &str) -> Result<Vec<u8>, AccessError> {
        let mac = self.0.ring.mac(kid, purpose, &[link.bytes(), value.as_bytes()]).ok_or(AccessError::NoKey)?;
        Ok(mac.to_vec())
    }

    /// Runs a slow hash where blocking is allowed, one at a time.
    async fn hashing<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, AccessError> {
        let _turn = self.0.hashing.acquire().await.map_err(|_| AccessError::Hash)?;
        tokio::task::spawn_blocking(work).await.map_err(|_| AccessError::Hash)
    }
}

/// Scheme, host and port, in lower case: a path in `public_url` does not make another site.
fn origin_of(public_url: &str) -> String {
    let (scheme, rest) = public_url.split_once("://").unwrap_or(("https", public_url));
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    format!("{scheme}://{host}").to_ascii_lowercase()
}

impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Access").finish_non_exhaustive()
    }
}
