//! What is running right now for each link: how many downloads, and the word that it was revoked, which
//! reaches every one of them at once.

use super::token::LinkKey;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

#[derive(Debug, Clone, Default)]
pub(super) struct Live(Arc<Mutex<HashMap<LinkKey, State>>>);

#[derive(Debug)]
struct State {
    downloads: u32,
    ended: watch::Sender<bool>,
}

/// One running download of a link. Taken *before* the row is asked, so that a revocation between the two
/// is seen by one or the other.
#[derive(Debug)]
pub struct Running {
    live: Live,
    link: LinkKey,
    ended: watch::Receiver<bool>,
}

impl Live {
    /// `None` when `at_once` downloads of the link are running.
    pub(super) fn enter(&self, link: LinkKey, at_once: u32) -> Option<Running> {
        let mut links = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let state = links.entry(link).or_insert_with(|| State { downloads: 0, ended: watch::Sender::new(false) });
        if state.downloads >= at_once {
            return None;
        }
        state.downloads += 1;
        Some(Running { live: self.clone(), link, ended: state.ended.subscribe() })
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

impl Drop for Running {
    fn drop(&mut self) {
        let mut links = self.live.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(state) = links.get_mut(&self.link) {
            state.downloads = state.downloads.saturating_sub(1);
            if state.downloads == 0 {
                links.remove(&self.link);
            }
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
    fn a_third_download_waits_until_one_is_over() {
        let live = Live::default();
        let link = LinkKey([1; 32]);
        let first = live.enter(link, 2).unwrap();
        let _second = live.enter(link, 2).unwrap();
        assert!(live.enter(link, 2).is_none());
        drop(first);
        assert!(live.enter(link, 2).is_some());
    }
}
