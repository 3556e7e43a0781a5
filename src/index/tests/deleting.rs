//! What a deletion leaves in the index, and what it does not.

use super::*;
use crate::audit::{Actor, Kind};
use crate::domain::instance::Selector;
use crate::domain::level::Level;
use crate::index::changes::Changes;
use crate::index::deleted::Fate;
use futures_util::TryStreamExt;

fn selector(study: u32, series: Option<u32>, instance: Option<u32>) -> Selector {
    let series_uid = |series| format!("1.{study}.{series}");
    Selector {
        study: StudyInstanceUid::parse(&format!("1.{study}")).unwrap(),
        series: series.map(|series| SeriesInstanceUid::parse(&series_uid(series)).unwrap()),
        instance: instance
            .map(|number| SopInstanceUid::parse(&format!("{}.{number}", series_uid(series.unwrap()))).unwrap()),
    }
}

/// Study 1 with a CT series of three and an MR series of one, study 2 with one.
async fn two_studies() -> Fixture {
    let fixture = fixture().await;
    let patient = |name| [("PatientName", name), ("PatientID", name), ("Modality", "CT")];
    let mut mr = instance(1, 2, 1, &[("PatientName", "ROSS^ELLEN"), ("PatientID", "ROSS^ELLEN"), ("Modality", "MR")]);
    mr.facts.sop_class_uid = SopClassUid::parse("1.2.840.10008.5.1.4.1.1.4").unwrap();
    let mut all: Vec<_> = (1..=3).map(|number| instance(1, 1, number, &patient("ROSS^ELLEN"))).collect();
    all.extend([mr, instance(2, 1, 1, &patient("OTHER"))]);
    fixture.record(all).await;
    fixture
}

impl Fixture {
    async fn delete(&self, selector: &Selector) -> Option<crate::index::delete::Deleted> {
        self.index.delete(selector, &Actor::Operator, None).await.unwrap()
    }
    async fn rows(&self, level: Level) -> usize {
        self.search(Query::new(level)).await.rows.len()
    }
}

#[tokio::test]
async fn what_is_left_is_counted_again() {
    let fixture = two_studies().await;
    let study = selector(1, None, None).study;
    let before = fixture.index.study(&study).await.unwrap().unwrap();
    let deleted = fixture.delete(&selector(1, Some(1), Some(2))).await.unwrap();
    assert_eq!((deleted.instances, deleted.size_bytes), (1, 1000));
    let row = fixture.index.study(&study).await.unwrap().unwrap();
    assert_eq!((row.series_count, row.instance_count, row.size_bytes), (2, 3, 3000));
    assert_eq!((row.modalities.len(), row.sop_classes.len()), (2, 2));
    assert!(row.revision > before.revision);
    let series = fixture.index.series_of(&study).await.unwrap();
    assert_eq!(series.iter().map(|row| row.instance_count).collect::<Vec<_>>(), [2, 1]);
    fixture.delete(&selector(1, Some(2), None)).await.unwrap();
    let row = fixture.index.study(&study).await.unwrap().unwrap();
    assert_eq!((row.series_count, row.instance_count, &row.modalities[..]), (1, 2, &["CT".to_owned()][..]));
    assert_eq!(row.sop_classes.len(), 1);
}

#[tokio::test]
async fn a_study_goes_with_its_last_instance_and_with_all_that_names_it() {
    let fixture = two_studies().await;
    for (series, number) in [(1, 1), (1, 2), (1, 3), (2, 1)] {
        assert!(fixture.delete(&selector(1, Some(series), Some(number))).await.is_some());
    }
    assert!(fixture.index.study(&selector(1, None, None).study).await.unwrap().is_none());
    assert_eq!((fixture.rows(Level::Study).await, fixture.rows(Level::Instance).await), (1, 1));
    assert!(fixture.studies(&[("PatientName", wildcard("*ROSS*"))]).await.is_empty());
    let mut reader = fixture.index.read().await.unwrap();
    for (table, left) in [
        ("SELECT count(*) FROM term WHERE value LIKE '%ross%'", 0_i64),
        ("SELECT count(*) FROM term_study", 2),
        ("SELECT count(*) FROM instance_metadata", 1),
        ("SELECT count(*) FROM series", 1),
    ] {
        let row = sqlx::query(table).fetch_one(&mut *reader).await.unwrap();
        assert_eq!(sqlx::Row::get::<i64, _>(&row, 0), left, "{table}");
    }
}

#[tokio::test]
async fn a_second_deletion_finds_nothing() {
    let fixture = two_studies().await;
    for what in [selector(1, Some(1), Some(3)), selector(1, Some(1), None), selector(1, None, None)] {
        assert!(fixture.delete(&what).await.is_some(), "{what:?}");
        assert!(fixture.delete(&what).await.is_none(), "{what:?}");
    }
    assert!(fixture.delete(&selector(2, Some(7), Some(1))).await.is_none());
    assert_eq!(fixture.rows(Level::Study).await, 1);
}

#[tokio::test]
async fn the_trail_says_who_deleted_what_and_how_much() {
    let fixture = two_studies().await;
    fixture.delete(&selector(1, Some(1), None)).await.unwrap();
    let rows = fixture.index.trail(None, 10).await.unwrap();
    assert_eq!(rows[0].kind, Kind::InstancesDeleted.word());
    assert_eq!(
        rows[0].event,
        r#"{"actor":"operator","bytes":3000,"event":"instances-deleted","event_id":"110105","instances":3,"level":"series","outcome":0,"studies":["1.1"]}"#
    );
    assert!(fixture.index.verify_trail().await.unwrap().is_ok());
}

#[tokio::test]
async fn no_number_is_used_twice_not_even_after_a_restart_without_what_was_deleted() {
    let fixture = two_studies().await;
    let deleted = fixture.delete(&selector(2, None, None)).await.unwrap();
    assert_eq!(deleted.sequence, 6, "after five instances");
    let files = fixture.index.begin_moving(10).await.unwrap().unwrap().files;
    let removed: Vec<_> = files.into_iter().map(|file| (file, Fate::Removed)).collect();
    fixture.index.settle_deleted(&removed).await.unwrap();
    let much_later = fixture.index.now_ms() + 1;
    fixture.index.forget_deletions(much_later).await.unwrap();
    fixture.index.close().await.unwrap();
    let index = Index::open(fixture.folder.path(), IndexSettings::default(), fixture.clock.clone()).await.unwrap();
    index.record(Batch { instances: vec![instance(3, 1, 1, &[])], ..Batch::default() }).await.unwrap();
    let deleted = index.delete(&selector(3, None, None), &Actor::Operator, None).await.unwrap().unwrap();
    assert_eq!(deleted.sequence, 8);
    // Who has seen number 5 and not 6 has missed a deletion that is not told any more.
    for (since, told) in [(0, true), (5, false), (6, true), (8, true), (9, false)] {
        let changes = index.changes(since, 10, None).await.unwrap();
        assert_eq!(matches!(changes, Changes::Told { .. }), told, "{since}");
    }
}

#[tokio::test]
async fn a_place_that_was_given_to_the_same_bytes_again_is_not_emptied() {
    let fixture = two_studies().await;
    fixture.delete(&selector(2, None, None)).await.unwrap();
    fixture.record(vec![instance(2, 1, 1, &[])]).await;
    let moving = fixture.index.begin_moving(10).await.unwrap().unwrap();
    assert!(moving.files[0].taken);
    moving.done().await.unwrap();
    assert!(fixture.index.begin_moving(10).await.unwrap().is_none());
    assert!(fixture.index.deleted_files().await.unwrap().is_empty());
}

#[tokio::test]
async fn of_two_deletions_that_name_one_place_the_later_has_the_file() {
    let fixture = two_studies().await;
    fixture.delete(&selector(2, None, None)).await.unwrap();
    fixture.record(vec![instance(2, 1, 1, &[])]).await;
    fixture.delete(&selector(2, None, None)).await.unwrap();
    // Also when they are moved in different turns.
    for taken in [true, false] {
        let moving = fixture.index.begin_moving(1).await.unwrap().unwrap();
        assert_eq!(moving.files.iter().map(|file| file.taken).collect::<Vec<_>>(), [taken]);
        moving.done().await.unwrap();
    }
    let kept = fixture.index.deleted_files().await.unwrap();
    assert!(kept.len() == 1 && kept[0].1, "{kept:?}");
}

#[tokio::test]
async fn a_change_that_readers_see_is_known_before_its_writer_says_so() {
    let fixture = two_studies().await;
    fixture.delete(&selector(2, None, None)).await.unwrap();
    let Changes::Told { changes, .. } = fixture.index.changes(0, 100, None).await.unwrap() else { panic!() };
    let last = changes.last().unwrap().sequence;
    assert_eq!(fixture.index.last_change().await.unwrap(), last);
    assert_eq!(*fixture.index.committed().borrow(), last);
    assert_eq!(fixture.index.changes(last + 1, 100, None).await.unwrap(), Changes::Forgotten);
}

#[tokio::test]
async fn an_extent_is_of_one_moment() {
    let fixture = two_studies().await;
    let whole = selector(1, None, None);
    let before = fixture.index.extent(&whole).await.unwrap().unwrap();
    assert_eq!(before.instances as usize, fixture.index.instances(&whole).await.unwrap().len());
    fixture.record(vec![instance(1, 1, 77, &[])]).await;
    let after = fixture.index.extent(&whole).await.unwrap().unwrap();
    assert!(after.version != before.version && after.instances == before.instances + 1 && after.newest > before.newest);
    let listed = fixture.index.metadata(&whole, before.newest).map_ok(|(uids, _)| uids);
    let listed: Vec<_> = listed.try_collect().await.unwrap();
    assert_eq!(listed.len(), before.instances as usize, "what came later is not of it");
    for (series, instance) in [(Some(1), None), (Some(1), Some(77))] {
        let part = selector(1, series, instance);
        let extent = fixture.index.extent(&part).await.unwrap().unwrap();
        assert_eq!(extent.instances as usize, fixture.index.instances(&part).await.unwrap().len());
    }
    assert_eq!(fixture.index.extent(&selector(9, None, None)).await.unwrap(), None);
}

#[tokio::test]
async fn a_row_that_was_asked_for_is_the_row_as_it_is() {
    let fixture = two_studies().await;
    let held = selector(1, Some(1), Some(2));
    let path =
        async |what: &Selector| fixture.index.frames(what).await.unwrap().map(|found| found.row.file.path.clone());
    assert_eq!(path(&held).await.as_deref(), Some("objects/0000/1.1.1.2.dcm"));
    // The same instance by another study or series is not there, whoever asked before.
    let elsewhere = Selector { study: selector(2, None, None).study, ..held.clone() };
    assert!(path(&elsewhere).await.is_none());
    assert!(path(&Selector { series: selector(1, Some(2), None).series, ..held.clone() }).await.is_none());
    assert!(path(&Selector { series: None, ..held.clone() }).await.is_some());

    fixture.delete(&held).await.unwrap();
    assert!(path(&held).await.is_none());
    let mut again = instance(1, 1, 2, &[("SeriesDescription", "Thorax")]);
    again.file.path = "objects/0001/again.dcm".to_owned();
    fixture.record(vec![again]).await;
    assert_eq!(path(&held).await.as_deref(), Some("objects/0001/again.dcm"));

    // What the series learnt from an instance that came later, the rows of the others say too.
    let described =
        async |what: &Selector| fixture.index.frames(what).await.unwrap().unwrap().row.series_description.clone();
    assert_eq!(described(&selector(1, Some(1), Some(1))).await.as_deref(), Some("Thorax"));
    let other = selector(2, Some(1), Some(1));
    assert_eq!(described(&other).await, None);
    fixture.record(vec![instance(2, 1, 2, &[("SeriesDescription", "Knee")])]).await;
    assert_eq!(described(&other).await.as_deref(), Some("Knee"));
}
