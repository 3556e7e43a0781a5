//! What is running right now for each link: how many downloads, and the word that it was revoked, which
//! reaches every one of them at once.

use super::token::LinkKey;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

#[derive(Debug, Clone, Default)]
pub(super) struct Live(Arc<Mutex<HashMap<LinkKey, State>>>);

#[derive(Debug)]
struct State {
    places: Arc<Semaphore>,
    ended: watch::Sender<bool>,
}

/// One running download of a link. Taken *before* the row is asked, so that a revocation between the two
/// is seen by one or the other.
#[derive(Debug)]
pub struct Running {
    ended: watch::Receiver<bool>,
    _place: OwnedSemaphorePermit,
    // Dropped last: the link is forgotten when this was all.
    _leaving: Leaving,
}

/// Forgets a link of which nothing runs and for which nobody waits.
#[derive(Debug)]
struct Leaving {
    live: Live,
    link: LinkKey,
}

impl Live {
    /// `None` when `at_once` downloads of the link are running.
    pub(super) fn enter(&self, link: LinkKey, at_once: u32) -> Option<Running> {
        let leaving = Leaving { live: self.clone(), link };
        let place = self.places(link, at_once).try_acquire_owned().ok()?;
        Some(self.running(place, leaving))
    }

    /// Waits up to `patience` for a place; `None` at once when `waiting` do already.
    pub(super) async fn enter_within(
        &self,
        link: LinkKey,
        at_once: u32,
        waiting: usize,
        patience: Duration,
    ) -> Option<Running> {
        let leaving = Leaving { live: self.clone(), link };
        let places = self.places(link, at_once);
        // Each place that is taken and each one that is waited for holds one, and so do the map and we.
        let others = Arc::strong_count(&places).saturating_sub(2);
        if others >= at_once as usize + waiting {
            return None;
        }
        let place = tokio::time::timeout(patience, places.acquire_owned()).await.ok()?.ok()?;
        Some(self.running(place, leaving))
    }

    fn places(&self, link: LinkKey, at_once: u32) -> Arc<Semaphore> {
        let new = || State { places: Arc::new(Semaphore::new(at_once as usize)), ended: watch::Sender::new(false) };
        let mut links = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        links.entry(link).or_insert_with(new).places.clone()
    }

    fn running(&self, place: OwnedSemaphorePermit, leaving: Leaving) -> Running {
        let links = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // While a place is taken the link is not forgotten.
        let ended = links
            .get(&leaving.link)
            .map_or_else(|| watch::Sender::new(true).subscribe(), |state| state.ended.subscribe());
        drop(links);
        Running { ended, _place: place, _leaving: leaving }
    }

    /// Ends what is running now; what begins from now on runs.
    pub(super) fn interrupt(&self, link: LinkKey) {
        let mut links = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(state) = links.get_mut(&link) {
            std::mem::replace(&mut state.ended, watch::Sender::new(false)).send_replace(true);
        }
    }

    pub(super) fn end(&self, link: LinkKey) {
        let links = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(state) = links.get(&link) {
            state.ended.send_replace(true);
        }
    }
}

impl Running {
    pub fn is_ended(&self) -> bool {
        *self.ended.borrow()
    }
    /// Waits until the link is revoked; for ever when it is not.
    pub async fn ended(&self) {
        let mut ended = self.ended.clone();
        if ended.wait_for(|ended| *ended).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Leaving {
    fn drop(&mut self) {
        let mut links = self.live.0.lock().unwrap_or_else(PoisonError::into_inner);
        if links.get(&self.link).is_some_and(|state| Arc::strong_count(&state.places) == 1) {
            links.remove(&self.link);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn revocation_reaches_running_downloads_of_that_link_only() {
        let live = Live::default();
        let one = live.enter(LinkKey([1; 32]), 2).unwrap();
        let other = live.enter(LinkKey([2; 32]), 2).unwrap();
        live.end(LinkKey([1; 32]));
        one.ended().await;
        assert!(one.is_ended() && !other.is_ended());
    }

    #[tokio::test]
    async fn an_interruption_ends_what_runs_and_nothing_that_comes_after() {
        let live = Live::default();
        let link = LinkKey([1; 32]);
        let before = live.enter(link, 2).unwrap();
        live.interrupt(link);
        let after = live.enter(link, 2).unwrap();
        before.ended().await;
        assert!(before.is_ended() && !after.is_ended());
        live.end(link);
        after.ended().await;
    }

    #[test]
    fn a_third_download_is_refused_until_one_is_over() {
        let live = Live::default();
        let link = LinkKey([1; 32]);
        let first = live.enter(link, 2).unwrap();
        let second = live.enter(link, 2).unwrap();
        assert!(live.enter(link, 2).is_none());
        drop(first);
        assert!(live.enter(link, 2).is_some());
        drop(second);
        assert!(live.0.lock().unwrap().is_empty(), "and then nothing is kept of the link");
    }

    #[tokio::test]
    async fn a_place_is_waited_for_by_a_few_and_not_for_ever() {
        let live = Live::default();
        let link = LinkKey([1; 32]);
        let long = Duration::from_mins(1);
        let first = live.enter_within(link, 1, 1, long).await.unwrap();
        let second = tokio::spawn({
            let live = live.clone();
            async move { live.enter_within(link, 1, 1, long).await }
        });
        while Arc::strong_count(&live.places(link, 1)) < 4 {
            tokio::task::yield_now().await;
        }
        assert!(live.enter_within(link, 1, 1, long).await.is_none(), "one waits already");
        drop(first);
        let second = second.await.unwrap().unwrap();
        assert!(live.enter_within(link, 1, 1, Duration::from_millis(1)).await.is_none(), "not for ever");
        live.end(link);
        second.ended().await;
        drop(second);
        assert!(live.0.lock().unwrap().is_empty());
    }
}
