//! Who looked at which study over DICOMweb, in the audit trail: one row for a caller, an address and a
//! study in ten minutes, because a viewer asks for every frame by itself.

use crate::audit::{Actor, Event, Kind};
use crate::domain::uid::StudyInstanceUid;
use crate::index::Index;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

const ONE_ROW_PER: Duration = Duration::from_secs(600);
/// Then all are forgotten: a row too many is better than none.
const REMEMBERED: usize = 10_000;

type Reader = (Option<String>, Option<IpAddr>, StudyInstanceUid);

/// Writes the rows. Clones share it.
#[derive(Clone)]
pub struct Reads {
    index: Index,
    noted: Arc<Mutex<HashMap<Reader, Instant>>>,
}

impl Reads {
    pub fn new(index: Index) -> Self {
        Self { index, noted: Arc::default() }
    }

    /// Notes that `actor` is about to be sent something of `study`. `caller` tells actors apart. A full
    /// disk must not keep a doctor from the images, so a row that cannot be written is an error in the
    /// log and nothing more.
    pub async fn note(&self, caller: Option<&str>, actor: Actor, address: Option<IpAddr>, study: &StudyInstanceUid) {
        let reader = (caller.map(str::to_owned), address, study.clone());
        if !self.is_new(reader) {
            return;
        }
        let event = Event::new(Kind::InstancesRead, actor).address(address).study(study.clone());
        if let Err(error) = self.index.append(&event).await {
            tracing::error!(%error, "that instances were read could not be written to the audit trail");
        }
    }

    fn is_new(&self, reader: Reader) -> bool {
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        if noted.get(&reader).is_some_and(|at| at.elapsed() < ONE_ROW_PER) {
            return false;
        }
        if noted.len() >= REMEMBERED {
            noted.clear();
        }
        noted.insert(reader, Instant::now());
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::clock::Clock;
    use crate::index::IndexSettings;

    #[tokio::test]
    async fn each_reader_of_a_study_leaves_one_row() {
        let dir = tempfile::tempdir().unwrap();
        let index = Index::open(dir.path(), IndexSettings::default(), Clock::system()).await.unwrap();
        let reads = Reads::new(index.clone());
        let (near, far) = (Some(IpAddr::from([127, 0, 0, 1])), Some(IpAddr::from([10, 0, 0, 1])));
        let study = |uid| StudyInstanceUid::parse(uid).unwrap();
        for _ in 0..100 {
            reads.note(None, Actor::Caller(None), near, &study("1.2")).await;
            reads.note(None, Actor::Caller(None), near, &study("1.3")).await;
            reads.note(None, Actor::Caller(None), far, &study("1.2")).await;
        }
        let rows = index.trail(None, 100).await.unwrap();
        assert_eq!(rows.iter().filter(|row| row.kind == Kind::InstancesRead.word()).count(), 3);
    }
}
