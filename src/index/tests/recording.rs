use super::{fixture, instance, tag};
use crate::audit::{Actor, Event, Kind};
use crate::domain::arrival::Severity;
use crate::domain::instance::Selector;
use crate::domain::uid::{SopInstanceUid, StudyInstanceUid};
use crate::index::{Batch, Index, IndexError, IndexSettings, NewConflict};
use futures_util::TryStreamExt;

fn study(uid: &str) -> StudyInstanceUid {
    StudyInstanceUid::parse(uid).unwrap()
}

#[tokio::test]
async fn study_and_series_rows_carry_their_aggregates_over_batches() {
    let at = fixture().await;
    let ct = [("Modality", "CT"), ("PatientID", "P1"), ("PatientName", "DOE^JANE")];
    at.record(vec![instance(1, 1, 1, &ct), instance(1, 1, 2, &ct), instance(1, 2, 1, &[("Modality", "SR")])]).await;
    at.clock.advance(std::time::Duration::from_secs(5));
    at.record(vec![instance(1, 1, 3, &ct), instance(2, 1, 1, &ct)]).await;

    let row = at.index.study(&study("1.1")).await.unwrap().unwrap();
    assert_eq!((row.series_count, row.instance_count, row.size_bytes, row.revision), (2, 4, 4000, 2));
    assert_eq!(row.modalities, ["CT", "SR"]);
    assert_eq!(row.last_change_ms, at.clock.now_ms());
    assert_eq!(row.attributes.first(tag("NumberOfStudyRelatedInstances")), Some("4"));
    let series = at.index.series_of(&study("1.1")).await.unwrap();
    let counts: Vec<_> = series.iter().map(|row| (row.instance_count, row.revision)).collect();
    assert_eq!(counts, [(3, 2), (1, 1)]);
}

#[tokio::test]
async fn the_first_instance_decides_and_later_ones_fill_in() {
    let at = fixture().await;
    at.record(vec![instance(1, 1, 1, &[("StudyDescription", "HEAD"), ("AccessionNumber", "")])]).await;
    at.record(vec![instance(1, 1, 2, &[("StudyDescription", "NECK"), ("AccessionNumber", "A7")])]).await;
    let row = at.index.study(&study("1.1")).await.unwrap().unwrap();
    assert_eq!(row.attributes.first(tag("StudyDescription")), Some("HEAD"));
    assert_eq!(row.attributes.first(tag("AccessionNumber")), Some("A7"));
    assert_eq!(at.studies(&[("AccessionNumber", super::single("A7"))]).await, ["1"]);
}

#[tokio::test]
async fn a_study_with_two_patients_is_stored_and_blocked() {
    let at = fixture().await;
    at.record(vec![instance(1, 1, 1, &[("PatientID", "P1"), ("PatientBirthDate", "19700101")])]).await;
    assert!(!at.index.study(&study("1.1")).await.unwrap().unwrap().blocked);
    at.record(vec![instance(1, 1, 2, &[("PatientID", "P2"), ("PatientBirthDate", "19700101")])]).await;
    let row = at.index.study(&study("1.1")).await.unwrap().unwrap();
    assert!(row.blocked);
    assert_eq!(row.instance_count, 2);
    let held = at.index.conflicts().await.unwrap();
    assert_eq!(
        (held.len(), held[0].reason.as_str(), held[0].severity.as_deref()),
        (1, "patient-mismatch", Some("high"))
    );
}

#[tokio::test]
async fn a_conflict_of_high_severity_blocks_both_studies() {
    let at = fixture().await;
    at.record(vec![instance(1, 1, 1, &[]), instance(2, 1, 1, &[])]).await;
    let newcomer = instance(1, 1, 9, &[]);
    let conflict = NewConflict {
        id: ulid::Ulid::from_parts(1, 2),
        severity: Severity::High,
        sop_instance_uid: newcomer.facts.sop_instance_uid.clone(),
        study_instance_uid: study("1.1"),
        served_study_instance_uid: study("1.2"),
        file: newcomer.file,
        received_at_ms: 5,
        source: newcomer.source,
    };
    at.index.record(Batch { conflicts: vec![conflict], ..Batch::default() }).await.unwrap();
    for uid in ["1.1", "1.2"] {
        assert!(at.index.study(&study(uid)).await.unwrap().unwrap().blocked);
    }
}

#[tokio::test]
async fn a_batch_with_a_taken_uid_is_refused_whole_and_the_next_one_is_kept() {
    let at = fixture().await;
    at.record(vec![instance(1, 1, 1, &[])]).await;
    let batch = Batch { instances: vec![instance(1, 1, 2, &[]), instance(1, 1, 1, &[])], ..Batch::default() };
    assert!(matches!(at.index.record(batch).await, Err(IndexError::Taken)));
    at.record(vec![instance(1, 1, 3, &[])]).await;
    assert_eq!(at.index.study(&study("1.1")).await.unwrap().unwrap().instance_count, 2);
    assert_eq!(at.index.verify_trail().await.unwrap(), Ok(2));
}

#[tokio::test]
async fn rows_come_back_as_they_were_recorded() {
    let at = fixture().await;
    let new = instance(1, 1, 1, &[("Modality", "CT"), ("PatientID", "P1"), ("Rows", "512")]);
    let (uid, file) = (new.facts.sop_instance_uid.clone(), new.file.clone());
    at.record(vec![new]).await;
    let existing = at.index.existing(&[uid.clone(), SopInstanceUid::parse("9.9").unwrap()]).await.unwrap();
    assert_eq!(existing.len(), 1);
    assert_eq!(existing[&uid].file, file);
    assert_eq!(existing[&uid].attributes.first(tag("Rows")), Some("512"));
    let selector = Selector { study: study("1.1"), series: None, instance: Some(uid.clone()) };
    let detail = at.index.instance(&selector).await.unwrap().unwrap();
    assert_eq!((detail.row.file, detail.row.modality.as_deref()), (file, Some("CT")));
    let elsewhere = Selector { study: study("1.2"), ..selector };
    assert!(at.index.instance(&elsewhere).await.unwrap().is_none());
    assert_eq!(at.index.files_in("objects/0000/").await.unwrap().len(), 1);
}

#[tokio::test]
async fn metadata_streams_in_the_order_of_the_instances_across_pages() {
    let at = fixture().await;
    let numbers: Vec<u32> = (1..=150).rev().collect();
    for chunk in numbers.chunks(32) {
        at.record(chunk.iter().map(|number| instance(1, number % 2 + 1, *number, &[])).collect()).await;
    }
    let selector = Selector { study: study("1.1"), series: None, instance: None };
    let rows = at.index.instances(&selector).await.unwrap();
    let ordered: Vec<_> = rows.iter().map(|row| row.uids.clone()).collect();
    let streamed: Vec<_> = at.index.metadata(&selector, i64::MAX).map_ok(|(uids, _)| uids).try_collect().await.unwrap();
    assert_eq!(ordered.len(), 150);
    assert_eq!(streamed, ordered);
    assert!(rows.windows(2).all(
        |pair| (pair[0].series_number, pair[0].instance_number) < (pair[1].series_number, pair[1].instance_number)
    ));
}

#[tokio::test]
async fn what_was_recorded_is_there_after_reopening_and_numbers_go_on() {
    let at = fixture().await;
    at.record(vec![instance(1, 1, 1, &[])]).await;
    at.index.put_setting("clean-stop", "no").await.unwrap();
    at.index.close().await.unwrap();
    assert!(at.index.get_setting("clean-stop").await.is_err());
    let again = Index::open(at.folder.path(), IndexSettings::default(), at.clock.clone()).await.unwrap();
    again.quick_check().await.unwrap();
    assert_eq!(again.get_setting("clean-stop").await.unwrap().as_deref(), Some("no"));
    again.record(Batch { instances: vec![instance(2, 1, 1, &[])], ..Batch::default() }).await.unwrap();
    assert_eq!(again.verify_trail().await.unwrap(), Ok(2));
    assert!(!at.folder.path().join("index.sqlite-wal").metadata().is_ok_and(|wal| wal.len() == 0));
}

#[tokio::test]
async fn trail_rows_are_chained_and_cannot_be_changed_or_removed() {
    let at = fixture().await;
    at.index.append(&Event::new(Kind::Start, Actor::System)).await.unwrap();
    at.record(vec![instance(1, 1, 1, &[]), instance(1, 1, 2, &[])]).await;
    let rows = at.index.trail(None, 10).await.unwrap();
    let kinds: Vec<_> = rows.iter().map(|row| row.kind.as_str()).collect();
    assert_eq!(kinds, ["instances-received", "start"]);
    assert_eq!(at.index.trail_of(&study("1.1"), 10).await.unwrap().len(), 1);
    for sql in ["UPDATE trail SET recorded_ms = 0", "DELETE FROM trail", "DELETE FROM trail_study"] {
        let mut transaction = at.index.write().await.unwrap();
        assert!(sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&mut *transaction).await.is_err(), "{sql}");
    }
    assert_eq!(at.index.verify_trail().await.unwrap(), Ok(2));
    let mut transaction = at.index.write().await.unwrap();
    for sql in ["DROP TRIGGER trail_keeps_its_rows", "UPDATE trail SET recorded_ms = 7 WHERE sequence = 1"] {
        sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&mut *transaction).await.unwrap();
    }
    transaction.commit().await.unwrap();
    assert_eq!(at.index.verify_trail().await.unwrap(), Err(1));
}

#[tokio::test]
async fn a_transaction_that_is_dropped_leaves_nothing() {
    let at = fixture().await;
    let mut transaction = at.index.write().await.unwrap();
    transaction.append(&Event::new(Kind::Start, Actor::System)).await.unwrap();
    drop(transaction);
    at.index.append(&Event::new(Kind::Stop, Actor::System)).await.unwrap();
    let rows = at.index.trail(None, 10).await.unwrap();
    assert_eq!((rows.len(), rows[0].sequence, rows[0].kind.as_str()), (1, 1, "stop"));
}
