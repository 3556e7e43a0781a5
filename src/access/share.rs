//! What a verified reader may read of the archive request by request, as a viewer does: the studies that
//! their link shows, within the bytes of the link, and until it is revoked, in the middle of an answer too.

use super::download::WEEK_MS;
use super::live::Running;
use super::meter::{Counted, Meter, Meters, in_units};
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
/// So many more wait for a place, so long: behind a proxy that speaks HTTP/2 a viewer has 200 under way.
const WAITING: usize = 192;
const PATIENCE: Duration = Duration::from_secs(5);
/// An answer that was begun within the budget may exceed it by this part: what wraps the bytes counts too.
const WRAPPING: u64 = 16;

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
    meters: Meters,
}

/// Whether a request may be answered now.
#[derive(Debug)]
pub enum Viewing {
    Go(Share, Box<View>),
    /// No session, or its link is over.
    Nobody,
    /// As many requests of this link are being answered as may, and none has ended in time.
    Busy,
    /// The week's bytes are used up.
    Much {
        seconds: u64,
    },
}

/// One answer on its way. Dropping it frees its place.
#[derive(Debug)]
pub struct View {
    access: Access,
    link: LinkKey,
    running: Running,
    /// One of the link's downloads, when the answer is a package.
    download: Option<Running>,
    meter: Arc<Meter>,
    /// What the link may have sent within the week before this answer ends.
    allowed: u64,
}

impl Access {
    /// Admits one request of the reader behind a session's cookie.
    pub async fn view(&self, cookie: &str) -> Result<Viewing, AccessError> {
        let now_ms = self.0.clock.now_ms();
        let Some(before) = self.0.sessions.find(cookie, now_ms) else { return Ok(Viewing::Nobody) };
        // Entered before the session is asked again: a revocation in between ends the one or the other.
        let Some(running) = self.0.views.enter_within(before.link, VIEWS, WAITING, PATIENCE).await else {
            return Ok(Viewing::Busy);
        };
        let Some(session) = self.0.sessions.find(cookie, now_ms) else { return Ok(Viewing::Nobody) };
        let Some(share) = self.share_of(session.link, now_ms).await? else {
            self.0.sessions.end_link(session.link);
            return Ok(Viewing::Nobody);
        };
        let (meter, due) = self.0.shares.meters.of(share.link);
        for (link, bytes) in due {
            self.keep_later(link, bytes);
        }
        let allowed = self.budget(share.size_bytes);
        if meter.used(share.week_began_ms, share.week_bytes, now_ms) >= allowed {
            // Now it goes into the row, where the week ends.
            self.keep_unkept(share.link, meter.take()).await;
            let week_over_ms = share.week_began_ms.saturating_add(WEEK_MS);
            let left_ms = if now_ms < week_over_ms { week_over_ms.saturating_sub(now_ms) } else { WEEK_MS };
            let left_ms = left_ms.unsigned_abs();
            return Ok(Viewing::Much { seconds: left_ms.div_ceil(1000) });
        }
        let allowed = allowed.saturating_add(allowed / WRAPPING);
        let view = View { access: self.clone(), link: share.link, running, download: None, meter, allowed };
        Ok(Viewing::Go(share, Box::new(view)))
    }

    /// What a link may send within a week when what it shows has this size.
    fn budget(&self, size_bytes: u64) -> u64 {
        in_units(size_bytes).saturating_mul(u64::from(self.0.link.package_sizes_per_week))
    }

    /// Writes sent bytes to the link's row, beside the answers.
    fn keep_later(&self, link: LinkKey, bytes: u64) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let access = self.clone();
        runtime.spawn(async move { access.keep_unkept(link, bytes).await });
    }
    async fn keep_unkept(&self, link: LinkKey, bytes: u64) {
        if bytes > 0 {
            self.keep_sent(link, in_units(bytes)).await;
            self.0.shares.doubt(link);
        }
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
    /// The link is asked for anew.
    pub(super) fn doubt(&self, link: LinkKey) {
        self.believed.lock().unwrap_or_else(PoisonError::into_inner).remove(&link);
    }
}

impl View {
    /// The answer is of a package of `bytes`: it takes one of the link's downloads, and the week's budget is
    /// in sizes of what is downloaded. `false` when as many downloads are running as may.
    pub fn is_package(&mut self, bytes: u64) -> bool {
        let parts = &self.access.0;
        self.download = parts.live.enter(self.link, parts.link.downloads_at_once);
        self.allowed = self.allowed.max(self.access.budget(bytes));
        self.download.is_some()
    }

    /// The bytes of `body`, until they end, the budget of the link is used up, or it is revoked; then the last
    /// item is an error, so that the connection breaks instead of looking complete.
    pub fn guard<S, E>(self, body: S) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static
    where
        S: Stream<Item = Result<Bytes, E>> + Unpin + Send + 'static,
        E: Into<Box<dyn std::error::Error + Send + Sync>> + Send + 'static,
    {
        stream::unfold((self, body, false), |(view, mut body, over)| async move {
            if over {
                return None;
            }
            let next = tokio::select! {
                biased;
                () = view.running.ended() => Some(Err(io::Error::other("the link was revoked"))),
                next = body.next() => next.map(|piece| piece.map_err(io::Error::other)),
            }?;
            let next = next.and_then(|bytes| view.count(bytes));
            let over = next.is_err();
            Some((next, (view, body, over)))
        })
    }

    fn count(&self, bytes: Bytes) -> io::Result<Bytes> {
        match self.meter.count(bytes.len() as u64, self.allowed) {
            Counted::Goes { due } => {
                if due > 0 {
                    self.access.keep_later(self.link, due);
                }
                Ok(bytes)
            }
            Counted::Over => {
                self.access.keep_later(self.link, self.meter.take());
                Err(io::Error::other("the link has sent as much as it may within a week"))
            }
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

    #[tokio::test]
    async fn answers_at_once_share_the_bytes_of_their_link() {
        const PIECE: usize = 64 << 10;
        let house = House::new().await;
        let study = house.study("1.2.3", "P1", "Ross^Ellen", "19610307").await;
        let granted = house.grant(Whose::Study(study), Some(Verify::BirthDate)).await.unwrap();
        let verdict = house.verify(&token_of(&granted), "", ["7", "3", "1961"]).await;
        let crate::access::Verdict::Welcome { cookie } = verdict else { panic!("{verdict:?}") };
        let mut answers = Vec::new();
        for _ in 0..20 {
            let Viewing::Go(_, view) = house.access.view(cookie.expose()).await.unwrap() else { panic!() };
            let endless = stream::repeat_with(|| Ok::<_, io::Error>(Bytes::from_static(&[0; PIECE])));
            answers.push(Box::pin(view.guard(endless)));
        }
        let mut pieces = 0;
        while !answers.is_empty() {
            let mut going = Vec::new();
            for mut answer in answers {
                if answer.next().await.unwrap().is_ok() {
                    pieces += 1;
                    going.push(answer);
                }
            }
            answers = going;
        }
        // One small study is a unit of 64 KiB, five of them a week, and a piece for what wraps them.
        assert_eq!(pieces, 6);
        assert!(matches!(house.access.view(cookie.expose()).await.unwrap(), Viewing::Much { .. }));
    }

    #[tokio::test]
    async fn packages_of_a_link_are_downloads_of_it() {
        let house = House::new().await;
        let study = house.study("1.2.3", "P1", "Ross^Ellen", "19610307").await;
        let granted = house.grant(Whose::Study(study), Some(Verify::BirthDate)).await.unwrap();
        let verdict = house.verify(&token_of(&granted), "", ["7", "3", "1961"]).await;
        let crate::access::Verdict::Welcome { cookie } = verdict else { panic!("{verdict:?}") };
        let mut views = Vec::new();
        for _ in 0..3 {
            let Viewing::Go(_, view) = house.access.view(cookie.expose()).await.unwrap() else { panic!() };
            views.push(view);
        }
        let begun: Vec<bool> = views.iter_mut().map(|view| view.is_package(1)).collect();
        assert_eq!(begun, [true, true, false]);
        views.remove(0);
        assert!(views[1].is_package(1), "one is over");
    }

    #[tokio::test]
    async fn a_viewer_that_asks_for_much_at_once_waits_and_is_answered() {
        let house = House::new().await;
        let study = house.study("1.2.3", "P1", "Ross^Ellen", "19610307").await;
        let granted = house.grant(Whose::Study(study), Some(Verify::BirthDate)).await.unwrap();
        let verdict = house.verify(&token_of(&granted), "", ["7", "3", "1961"]).await;
        let crate::access::Verdict::Welcome { cookie } = verdict else { panic!("{verdict:?}") };
        let asked = (0..200).map(|_| async {
            let Viewing::Go(_, view) = house.access.view(cookie.expose()).await.unwrap() else { panic!() };
            let body = stream::iter([Ok::<_, io::Error>(Bytes::from_static(b"x"))]);
            assert_eq!(Box::pin(view.guard(body)).count().await, 1);
        });
        futures_util::future::join_all(asked).await;
    }
}
