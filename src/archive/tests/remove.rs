//! Deletion: rows first, files after, nothing lost that was sent again.

use super::*;
use crate::archive::Deleted;
use crate::audit::Actor;
use crate::config::units::Span;
use crate::store::Operation;
use rustix::io::Errno;

/// Waits until the remover has nothing left to move.
async fn put_away(bench: &Bench) {
    while bench.index.deleted_files().await.unwrap().iter().any(|(_, kept)| !kept) {
        tokio::task::yield_now().await;
    }
}

impl Bench {
    async fn delete(&self, data: &Data) -> Option<Deleted> {
        self.archive.remove(&data.selector(), &Actor::Operator, None).await.unwrap()
    }
    async fn is_sound(&self) -> bool {
        let report = self.archive.verify(true).await.unwrap();
        assert!(report.is_sound(), "{report} {:?}", report.examples);
        true
    }
}

#[tokio::test]
async fn a_deleted_instance_is_served_to_nobody_and_its_file_is_kept_for_a_while() {
    let bench = Bench::new().await;
    for number in 1..=2 {
        bench.send(&Data::ct(number)).await.unwrap();
    }
    assert_eq!(bench.delete(&Data::ct(1)).await.unwrap().instances, 1);
    assert!(bench.stored(&Data::ct(1)).await.is_none() && bench.stored(&Data::ct(2)).await.is_some());
    assert!(bench.delete(&Data::ct(1)).await.is_none());
    put_away(&bench).await;
    assert_eq!((bench.files("objects").len(), bench.files("deleted").len()), (1, 1));
    assert_eq!(bench.archive.verify(true).await.unwrap().deleted, 1);
    assert!(bench.is_sound().await);
}

#[tokio::test]
async fn without_a_time_to_keep_them_files_go_at_once() {
    let bench = Bench::with(|settings| settings.storage.deleted_keep = Span::seconds(0)).await;
    bench.send(&Data::ct(1)).await.unwrap();
    bench.delete(&Data::ct(1)).await.unwrap();
    while !bench.index.deleted_files().await.unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    assert!(bench.files("objects").is_empty() && bench.files("deleted").is_empty());
    assert!(bench.is_sound().await);
}

#[tokio::test]
async fn what_was_deleted_is_taken_in_again_as_new() {
    let bench = Bench::new().await;
    for _ in 0..3 {
        assert_eq!(bench.send(&Data::ct(1)).await.unwrap(), Received::New);
        assert_eq!(bench.send(&Data::ct(1)).await.unwrap(), Received::Duplicate);
        bench.delete(&Data::ct(1)).await.unwrap();
    }
    // Whether the remover was faster or the sender, the bytes are there.
    assert_eq!(bench.send(&Data::ct(1)).await.unwrap(), Received::New);
    put_away(&bench).await;
    assert!(bench.stored(&Data::ct(1)).await.unwrap() == Data::ct(1).bytes());
    assert!(bench.is_sound().await);
}

#[tokio::test]
async fn a_crash_before_the_files_are_put_away_does_not_bring_them_back() {
    let bench = Bench::new().await;
    for number in 1..=3 {
        bench.send(&Data::ct(number)).await.unwrap();
    }
    // The disk takes no name from now on: the remover cannot move anything.
    bench.faults.fail_from(0, Some(Operation::Rename), Errno::IO);
    let whole = Selector { instance: None, ..Data::ct(1).selector() };
    bench.archive.remove(&whole, &Actor::Operator, None).await.unwrap().unwrap();
    assert_eq!(bench.files("objects").len(), 3);
    assert!(bench.archive.verify(false).await.unwrap().is_sound(), "what waits to be put away is no orphan");
    let bench = bench.crash().await;
    assert_eq!((bench.report.put_away, bench.report.indexed), (3, 0), "{}", bench.report);
    assert!(bench.stored(&Data::ct(1)).await.is_none());
    assert_eq!((bench.files("objects").len(), bench.files("deleted").len()), (0, 3));
    assert!(bench.is_sound().await);
}

#[tokio::test]
async fn a_crash_between_a_move_and_its_note_is_noticed() {
    let bench = Bench::new().await;
    bench.send(&Data::ct(1)).await.unwrap();
    bench.faults.fail_from(0, Some(Operation::Rename), Errno::IO);
    bench.delete(&Data::ct(1)).await.unwrap();
    let (file, _) = bench.index.deleted_files().await.unwrap().remove(0);
    std::fs::rename(bench.path().join(&file.path), bench.path().join("deleted").join(file.name())).unwrap();
    let bench = bench.crash().await;
    assert_eq!(bench.report.put_away, 1);
    assert_eq!(bench.files("deleted").len(), 1);
    assert!(bench.is_sound().await);
}

#[tokio::test]
async fn copies_in_conflict_go_with_their_instance() {
    let bench = Bench::new().await;
    bench.send(&Data::ct(1)).await.unwrap();
    bench.send(&Data { fill: 9, ..Data::ct(1) }).await.unwrap();
    assert_eq!(bench.files("conflicts").len(), 1);
    bench.delete(&Data::ct(1)).await.unwrap();
    put_away(&bench).await;
    assert!(bench.files("conflicts").is_empty() && bench.index.conflicts().await.unwrap().is_empty());
    assert_eq!(bench.files("deleted").len(), 2);
    assert!(bench.is_sound().await);
}

#[tokio::test]
async fn a_reading_that_meets_a_deletion_is_told_so() {
    let bench = Bench::new().await;
    bench.send(&Data::ct(1)).await.unwrap();
    let row = bench.archive.instances(&Data::ct(1).selector()).await.unwrap().remove(0);
    let open = bench.archive.open(&row.file).await.unwrap();
    bench.delete(&Data::ct(1)).await.unwrap();
    put_away(&bench).await;
    assert!(matches!(bench.archive.open(&row.file).await, Err(crate::archive::RetrieveError::Deleted)));
    let whole = open.read_exact_at(0..open.size_bytes(), 1 << 20).await.unwrap();
    assert!(whole.ends_with(&Data::ct(1).bytes()), "what was open stays readable");
}

#[tokio::test]
async fn restored_is_as_if_sent_again() {
    let bench = Bench::new().await;
    for number in 1..=3 {
        bench.send(&Data::ct(number)).await.unwrap();
    }
    let whole = Selector { instance: None, ..Data::ct(1).selector() };
    let deleted = bench.archive.remove(&whole, &Actor::Operator, None).await.unwrap().unwrap();
    assert!(bench.stored(&Data::ct(2)).await.is_none());
    let restored = bench.archive.restore(deleted.sequence, &Actor::Operator, None).await.unwrap().unwrap();
    assert_eq!((restored.instances, restored.failed), (3, 0));
    for number in 1..=3 {
        assert!(bench.stored(&Data::ct(number)).await.unwrap() == Data::ct(number).bytes());
    }
    assert!(bench.files("deleted").is_empty());
    assert!(bench.archive.restore(deleted.sequence, &Actor::Operator, None).await.unwrap().is_none());
    assert!(bench.is_sound().await);
}
