//! What a verified reader may read of the archive request by request, as a viewer does: the studies that
//! their link shows, within the bytes of the link, and until it is revoked, in the middle of an answer too.

use super::download::{UNIT, WEEK_MS};
use super::live::Running;
use super::token::LinkKey;
use super::{Access, AccessError, verify};
use crate::domain::uid::StudyInstanceUid;
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What a link shows is believed this long: a viewer asks for hundreds of frames in it.
const BELIEVED: Duration = Duration::from_millis(900);
/// Links that are read at once; beyond, all are asked for anew.
const LINKS: usize = 4096;
/// Requests of one link at once: six connections of a browser, for some people.
const VIEWS: u32 = 64;
/// Bytes that may be forgotten when the process dies.
const KEPT_EVERY: u64 = 16 << 20;

/// A link as its readers see it now.
#[derive(Debug, Clone)]
pub struct Share {
    pub link_id: String,
    pub studies: Arc<[StudyInstanceUid]>,
    link: LinkKey,
    size_bytes: u64,
    week_began_ms: i64,
    week_bytes: u64,
}

/// What readers share beside the sessions.
#[derive(Debug, Default)]
pub(super) struct Shares {
    believed: Mutex<HashMap<LinkKey, (Instant, Share)>>,
    /// Sent, and not in the link's row yet.
    unkept: Mutex<HashMap<LinkKey, u64>>,
}

/// Whether a request may be answered now.
#[derive(Debug)]
pub enum Viewing {
    Go(Share, View),
    /// No session, or its link is over.
    Nobody,
    /// As many requests of this link are being answered as may.
    Busy,
    /// The week's bytes are used up.
    Much {
        seconds: u64,
    },
}

/// One answer on its way. Dropping it frees its place and counts what was sent.
#[derive(Debug)]
pub struct View {
    access: Access,
    link: LinkKey,
    running: Running,
    sent: u64,
}

impl Access {
    /// Admits one request of the reader behind a session's cookie.
    pub async fn view(&self, cookie: &str) -> Result<Viewing, AccessError> {
        let now_ms = self.0.clock.now_ms();
        let Some(before) = self.0.sessions.find(cookie, now_ms) else { return Ok(Viewing::Nobody) };
        // Entered before the session is asked again: a revocation in between ends the one or the other.
        let Some(running) = self.0.views.enter(before.link, VIEWS) else { return Ok(Viewing::Busy) };
        let Some(session) = self.0.sessions.find(cookie, now_ms) else { return Ok(Viewing::Nobody) };
        let Some(share) = self.share_of(session.link, now_ms).await? else {
            self.0.sessions.end_link(session.link);
            return Ok(Viewing::Nobody);
        };
        let unkept = self.0.shares.unkept(share.link);
        let week_over_ms = share.week_began_ms.saturating_add(WEEK_MS);
        let used = if now_ms < week_over_ms { share.week_bytes.saturating_add(unkept) } else { unkept };
        if used >= in_units(share.size_bytes).saturating_mul(u64::from(self.0.link.package_sizes_per_week)) {
            // Now it goes into the row, where the week ends.
            if let Some(bytes) = self.0.shares.take(share.link) {
                self.keep_sent(share.link, in_units(bytes)).await;
            }
            let left_ms = if now_ms < week_over_ms { week_over_ms.saturating_sub(now_ms) } else { WEEK_MS };
            let left_ms = left_ms.unsigned_abs();
            return Ok(Viewing::Much { seconds: left_ms.div_ceil(1000) });
        }
        let view = View { access: self.clone(), link: share.link, running, sent: 0 };
        Ok(Viewing::Go(share, view))
    }

    /// What the link shows now; `None` when it is over.
    async fn share_of(&self, link: LinkKey, now_ms: i64) -> Result<Option<Share>, AccessError> {
        if let Some(share) = self.0.shares.believed(link) {
            return Ok(Some(share));
        }
        let Some(row) = self.0.index.link(link.bytes()).await?.filter(|row| verify::opens(row, now_ms)) else {
            return Ok(None);
        };
        let mut size_bytes = 0u64;
        let mut studies = Vec::new();
        for found in self.studies_of(&row).await?.shown {
            if let Some(study) = self.0.index.study(&found.study).await? {
                size_bytes = size_bytes.saturating_add(study.size_bytes);
            }
            studies.push(found.study);
        }
        let (week_began_ms, week_bytes) = (row.week_began_at_ms, row.week_bytes);
        let studies = studies.into();
        let share = Share { link_id: row.link_id, studies, link, size_bytes, week_began_ms, week_bytes };
        self.0.shares.believe(&share);
        Ok(Some(share))
    }
}

/// As rows count.
const fn in_units(bytes: u64) -> u64 {
    bytes.div_ceil(UNIT).saturating_mul(UNIT)
}

impl Shares {
    fn believed(&self, link: LinkKey) -> Option<Share> {
        let believed = self.believed.lock().unwrap_or_else(PoisonError::into_inner);
        believed.get(&link).filter(|(at, _)| at.elapsed() < BELIEVED).map(|(_, share)| share.clone())
    }
    fn believe(&self, share: &Share) {
        let mut believed = self.believed.lock().unwrap_or_else(PoisonError::into_inner);
        if believed.len() >= LINKS {
            believed.clear();
        }
        believed.insert(share.link, (Instant::now(), share.clone()));
    }
    fn unkept(&self, link: LinkKey) -> u64 {
        self.unkept.lock().unwrap_or_else(PoisonError::into_inner).get(&link).copied().unwrap_or(0)
    }
    /// The link is asked for anew.
    pub(super) fn doubt(&self, link: LinkKey) {
        self.believed.lock().unwrap_or_else(PoisonError::into_inner).remove(&link);
    }
    /// What is not in the row yet, to be put there; the link is then asked for anew.
    fn take(&self, link: LinkKey) -> Option<u64> {
        self.doubt(link);
        self.unkept.lock().unwrap_or_else(PoisonError::into_inner).remove(&link)
    }
    /// Adds what was sent; what is then due to be written to rows.
    fn sent(&self, link: LinkKey, bytes: u64) -> Vec<(LinkKey, u64)> {
        let mut unkept = self.unkept.lock().unwrap_or_else(PoisonError::into_inner);
        let of_link = unkept.entry(link).or_default();
        *of_link = of_link.saturating_add(bytes);
        if *of_link >= KEPT_EVERY {
            return unkept.remove(&link).map(|bytes| (link, bytes)).into_iter().collect();
        }
        if unkept.len() >= LINKS { unkept.drain().collect() } else { Vec::new() }
    }
}

impl View {
    /// The bytes of `body`, until they end or the link is revoked; then the last item is an error, so that
    /// the connection breaks instead of looking complete.
    pub fn guard<S, E>(self, body: S) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static
    where
        S: Stream<Item = Result<Bytes, E>> + Unpin + Send + 'static,
        E: Into<Box<dyn std::error::Error + Send + Sync>> + Send + 'static,
    {
        stream::unfold((self, body, false), |(mut view, mut body, over)| async move {
            if over {
                return None;
            }
            let next = tokio::select! {
                biased;
                () = view.running.ended() => Some(Err(io::Error::other("the link was revoked"))),
                next = body.next() => next.map(|piece| piece.map_err(io::Error::other)),
            }?;
            if let Ok(bytes) = &next {
                view.sent = view.sent.saturating_add(bytes.len() as u64);
            }
            let over = next.is_err();
            Some((next, (view, body, over)))
        })
    }
}

impl Drop for View {
    fn drop(&mut self) {
        let due = self.access.0.shares.sent(self.link, self.sent);
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        for (link, bytes) in due {
            let access = self.access.clone();
            runtime.spawn(async move { access.keep_sent(link, in_units(bytes)).await });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Whose;
    use crate::access::tests::{House, token_of};
    use crate::audit::Actor;
    use crate::config::Verify;

    #[tokio::test]
    async fn revocation_breaks_an_answer_that_is_on_its_way() {
        let house = House::new().await;
        let study = house.study("1.2.3", "P1", "Ross^Ellen", "19610307").await;
        let granted = house.grant(Whose::Study(study.clone()), Some(Verify::BirthDate)).await.unwrap();
        let verdict = house.verify(&token_of(&granted), "", ["7", "3", "1961"]).await;
        let crate::access::Verdict::Welcome { cookie } = verdict else { panic!("{verdict:?}") };
        let Viewing::Go(share, view) = house.access.view(cookie.expose()).await.unwrap() else { panic!() };
        assert_eq!((&*share.studies, share.link_id), ([study].as_slice(), granted.id.clone()));
        let body = stream::iter([Ok::<_, io::Error>(Bytes::from_static(b"x"))]).chain(stream::pending());
        let mut guarded = Box::pin(view.guard(body));
        assert_eq!(guarded.next().await.unwrap().unwrap(), "x");
        house.access.revoke(&granted.id, Actor::Operator).await.unwrap();
        assert!(guarded.next().await.unwrap().is_err());
        assert!(guarded.next().await.is_none());
        assert!(matches!(house.access.view(cookie.expose()).await.unwrap(), Viewing::Nobody));
    }
}
