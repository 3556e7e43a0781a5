//! What is taken in, what is kept beside, what is refused.

use super::*;
use crate::archive::Severity;
use crate::audit::Actor;
use crate::domain::uid::StudyInstanceUid;

#[tokio::test]
async fn an_instance_is_stored_byte_for_byte_and_found() {
    let bench = Bench::new().await;
    let data = Data::ct(1);
    assert_eq!(bench.send(&data).await.unwrap(), Received::New);
    assert!(bench.stored(&data).await.unwrap() == data.bytes());
    assert!(bench.files("incoming").is_empty());
    let files = bench.files("objects");
    assert_eq!(files.len(), 1);
    assert!(!files[0].contains("TEST") && files[0].starts_with("objects/0000/"), "{files:?}");
    // The file is one that others read.
    let object = dicom_object::open_file(bench.path().join(&files[0])).unwrap();
    assert_eq!(object.meta().media_storage_sop_instance_uid(), data.instance);
    assert!(bench.archive.verify(true).await.unwrap().is_sound());
}

#[tokio::test]
async fn every_way_to_arrive_a_second_time_is_answered_as_the_table_says() {
    let other_padding = |data: &mut Data| data.fill = 9;
    let other_description = |data: &mut Data| data.description = "ABDOMEN".into();
    let other_study = |data: &mut Data| data.study = "1.2.826.0.1.9".into();
    let other_patient = |data: &mut Data| data.patient = "TEST-2".into();
    type Change = Box<dyn Fn(&mut Data)>;
    let cases: Vec<(&str, Change, Received, bool)> = vec![
        ("same bytes", Box::new(|_: &mut Data| {}), Received::Duplicate, true),
        ("same attributes", Box::new(other_padding), Received::Conflict { severity: Severity::Info }, true),
        ("other content", Box::new(other_description), Received::Conflict { severity: Severity::Content }, false),
        ("other study", Box::new(other_study), Received::Conflict { severity: Severity::High }, false),
        ("other patient", Box::new(other_patient), Received::Conflict { severity: Severity::High }, false),
    ];
    for (name, change, expected, taken_by_reject) in cases {
        for conflict in [ConflictAnswer::Keep, ConflictAnswer::Reject] {
            let bench = Bench::new().await;
            let first = Data::ct(1);
            bench.send(&first).await.unwrap();
            let mut second = Data { conflict, ..first.clone() };
            change(&mut second);
            let kept = usize::from(matches!(expected, Received::Conflict { .. }));
            for _ in 0..2 {
                let answer = bench.send(&second).await;
                if conflict == ConflictAnswer::Keep || taken_by_reject {
                    assert_eq!(answer.unwrap(), expected, "{name}");
                    assert_eq!(bench.files("conflicts").len(), kept, "{name}: kept once");
                    assert_eq!(bench.index.conflicts().await.unwrap().len(), kept, "{name}");
                } else {
                    assert!(matches!(answer, Err(ReceiveError::ConflictRejected)), "{name}: {answer:?}");
                    assert!(bench.files("conflicts").is_empty(), "{name}");
                }
            }
            assert!(bench.stored(&first).await.unwrap() == first.bytes(), "{name}: the first stays served");
            assert_eq!(bench.files("objects").len(), 1);
            assert!(bench.files("incoming").is_empty());
        }
    }
}

#[tokio::test]
async fn copies_that_finish_together_are_stored_once() {
    let bench = Bench::new().await;
    let same: Vec<_> = (0..8).map(|_| Data::ct(1)).collect();
    let answers = futures_util::future::join_all(same.iter().map(|data| bench.send(data))).await;
    let new = answers.iter().filter(|answer| matches!(answer, Ok(Received::New))).count();
    let duplicates = answers.iter().filter(|answer| matches!(answer, Ok(Received::Duplicate))).count();
    assert_eq!((new, duplicates), (1, 7), "{answers:?}");

    let other: Vec<_> = (0..4).map(|fill| Data { fill, ..Data::ct(2) }).collect();
    let answers = futures_util::future::join_all(other.iter().map(|data| bench.send(data))).await;
    let conflicts = answers.iter().filter(|answer| matches!(answer, Ok(Received::Conflict { .. }))).count();
    assert_eq!(conflicts, 3, "{answers:?}");
    assert_eq!((bench.files("objects").len(), bench.files("conflicts").len()), (2, 3));
}

#[tokio::test]
async fn what_cannot_be_understood_is_kept_with_its_reason_and_refused() {
    let bench = Bench::new().await;
    let truncated = Data { cut: 100, ..Data::ct(1) };
    assert!(matches!(bench.send(&truncated).await, Err(ReceiveError::Undecodable { .. })));
    let mismatched = Data { command_instance: Some("1.2.3".into()), ..Data::ct(2) };
    match bench.send(&mismatched).await {
        Err(ReceiveError::Mismatch { offending }) => assert_eq!(offending, dicom_core::Tag(8, 0x18)),
        other => panic!("{other:?}"),
    }
    let held = bench.archive.quarantined().unwrap();
    let reasons: Vec<_> = held.iter().map(|held| held.record.as_ref().unwrap().reason.as_str()).collect();
    assert_eq!(reasons, ["undecodable", "mismatch"]);
    assert!(bench.files("objects").is_empty() && bench.files("incoming").is_empty());
    for held in &held {
        let bytes = std::fs::read(bench.path().join(format!("quarantine/{}.dcm", held.id))).unwrap();
        let sent = if held.record.as_ref().unwrap().reason == "mismatch" { &mismatched } else { &truncated };
        assert!(bytes.ends_with(&sent.bytes()));
    }
    assert_eq!(bench.index.quarantined().await.unwrap().len(), 2);
    assert!(bench.archive.drop_quarantined(&held[0].id).await.unwrap());
    assert!(!bench.archive.drop_quarantined(&held[0].id).await.unwrap());
    assert!(!bench.archive.drop_quarantined("../objects/0000/x").await.unwrap());
    assert_eq!(bench.files("quarantine").len(), 2);
    assert_eq!(bench.index.quarantined().await.unwrap().len(), 1);
}

#[tokio::test]
async fn compressed_pixels_under_a_native_syntax_are_held_unless_the_syntax_was_our_guess() {
    let bench = Bench::new().await;
    let data = Data::ct(1);
    let bytes = with_fragments(&data);

    let mut guessed = bench.archive.begin(Offer { syntax_from: SyntaxSource::Guess, ..data.offer() }).unwrap();
    assert!(matches!(guessed.write(&bytes), Err(ReceiveError::SyntaxNotNamed)));
    drop(guessed);
    assert!(bench.archive.quarantined().unwrap().is_empty() && bench.files("incoming").is_empty());

    let mut said = bench.archive.begin(data.offer()).unwrap();
    said.write(&bytes).unwrap();
    match said.finish().await {
        Err(ReceiveError::Undecodable { offending, .. }) => {
            assert_eq!(offending, Some(dicom_core::Tag(0x7FE0, 0x10)));
        }
        other => panic!("{other:?}"),
    }
    let held = bench.archive.quarantined().unwrap();
    assert_eq!(held[0].record.as_ref().unwrap().offending.as_deref(), Some("7FE00010"));
    let kept = std::fs::read(bench.path().join(format!("quarantine/{}.dcm", held[0].id))).unwrap();
    assert!(kept.ends_with(&bytes), "all of it");
    assert_eq!(bench.stored(&data).await, None);
}

#[tokio::test]
async fn the_quarantine_has_a_limit() {
    let bench = Bench::with(|settings| settings.storage.quarantine_max = Bytes::kib(8)).await;
    let truncated = |number| Data { cut: 100, ..Data::ct(number) };
    assert!(matches!(bench.send(&truncated(1)).await, Err(ReceiveError::Undecodable { .. })));
    assert!(matches!(bench.send(&truncated(2)).await, Err(ReceiveError::QuarantineFull)));
    let id = bench.archive.quarantined().unwrap()[0].id.clone();
    bench.archive.drop_quarantined(&id).await.unwrap();
    assert!(matches!(bench.send(&truncated(3)).await, Err(ReceiveError::Undecodable { .. })));
    assert_eq!(bench.send(&Data::ct(4)).await.unwrap(), Received::New);
}

#[tokio::test]
async fn an_instance_may_be_as_large_as_the_limit_and_no_larger() {
    let data = Data::ct(1);
    let size = data.bytes().len() as u64;
    for (limit, fits) in [(size, true), (size - 1, false)] {
        let bench = Bench::with(|settings| settings.limits.instance_size = Bytes::new(limit)).await;
        let answer = bench.send(&data).await;
        assert_eq!(answer.is_ok(), fits, "{answer:?}");
        assert!(fits || matches!(answer, Err(ReceiveError::TooLarge)));
        assert!(bench.files("incoming").is_empty());
    }
}

#[tokio::test]
async fn an_association_that_dies_leaves_nothing_behind() {
    let bench = Bench::new().await;
    let mut intake = bench.archive.begin(Data::ct(1).offer()).unwrap();
    intake.write(&Data::ct(1).bytes()).unwrap();
    assert_eq!(bench.files("incoming").len(), 1);
    drop(intake);
    assert!(bench.files("incoming").is_empty() && bench.files("objects").is_empty());
}

#[tokio::test]
async fn below_the_floors_nothing_begins() {
    let bench = Bench::with(|settings| settings.storage.soft_stop = Floor::Bytes(Bytes::new(u64::MAX))).await;
    assert!(matches!(bench.archive.admit(), Err(ReceiveError::NoSpace)));
    assert_eq!(bench.send(&Data::ct(1)).await.unwrap(), Received::New, "what is running is finished");
    let bench = Bench::with(|settings| settings.storage.hard_stop = Floor::Bytes(Bytes::new(u64::MAX))).await;
    assert!(matches!(bench.send(&Data::ct(1)).await, Err(ReceiveError::NoSpace)));
}

#[tokio::test]
async fn no_instance_crosses_the_hard_floor_while_it_arrives() {
    const FLOOR: u64 = 20 << 20;
    // What an intake gathers before it writes.
    const GATHERED: u64 = 256 << 10;
    let bench = Bench::with(|settings| settings.storage.hard_stop = Floor::Bytes(Bytes::new(FLOOR))).await;
    bench.faults.set_free(FLOOR + (8 << 20));
    let large = Data::ct(1);
    let mut intake = bench.archive.begin(large.offer()).unwrap();
    let bytes = large.with_pixels(16 << 20);
    let refused = bytes.chunks(16 << 10).find_map(|portion| intake.write(portion).err());
    assert!(matches!(refused, Some(ReceiveError::NoSpace)), "{refused:?}");
    assert!(matches!(intake.finish().await, Err(ReceiveError::NoSpace)));
    assert!(bench.files("incoming").is_empty() && bench.files("objects").is_empty());
    assert!(bench.faults.free().unwrap() + GATHERED >= FLOOR);

    // Nor do many small ones within a second, and what was acknowledged stays.
    bench.faults.set_free(FLOOR + (8 << 20));
    let mut acknowledged = Vec::new();
    for number in 2..22 {
        let data = Data::ct(number);
        let Ok(mut intake) = bench.archive.begin(data.offer()) else { continue };
        let taken = data.with_pixels(3 << 20).chunks(16 << 10).all(|portion| intake.write(portion).is_ok());
        match intake.finish().await {
            Ok(_) => acknowledged.push(data),
            Err(error) => assert!(!taken && matches!(error, ReceiveError::NoSpace), "{error:?}"),
        }
    }
    assert_eq!(acknowledged.len(), 2, "the third no longer fits");
    assert!(bench.faults.free().unwrap() + GATHERED >= FLOOR);
    for data in &acknowledged {
        assert_eq!(bench.stored(data).await.unwrap(), data.with_pixels(3 << 20));
    }
}

#[tokio::test]
async fn without_uids_in_the_offer_the_data_set_says_what_it_is() {
    let bench = Bench::new().await;
    let offered = |data: &Data| Offer { sop_class_uid: None, sop_instance_uid: None, ..data.offer() };
    let data = Data::ct(1);
    for chunk in [1, 7, 100_000] {
        let mut intake = bench.archive.begin(offered(&data)).unwrap();
        assert!(intake.identity().is_none());
        for bytes in data.bytes().chunks(chunk) {
            intake.write(bytes).unwrap();
        }
        assert_eq!(intake.identity().unwrap().1.as_str(), data.instance);
        let expected = if chunk == 1 { Received::New } else { Received::Duplicate };
        assert_eq!(intake.finish().await.unwrap(), expected, "the same file, however it came");
    }
    assert!(bench.stored(&data).await.unwrap() == data.bytes());

    // Neither what ends before it says so, nor what never does, is kept.
    let mut cut = bench.archive.begin(offered(&data)).unwrap();
    cut.write(&data.bytes()[..20]).unwrap();
    assert!(matches!(cut.finish().await, Err(ReceiveError::Undecodable { .. })));
    let mut endless = bench.archive.begin(offered(&data)).unwrap();
    endless.write(b"\x09\0\x10\x10OB\0\0\0\0\0\x40").unwrap();
    let refused = (0..64).find_map(|_| endless.write(&[0; 8192]).err()).unwrap();
    let class = dicom_dictionary_std::tags::SOP_CLASS_UID;
    assert!(matches!(refused, ReceiveError::Undecodable { offending: Some(tag), .. } if tag == class), "{refused:?}");
    drop(endless);
    assert!(bench.files("incoming").is_empty() && bench.files("quarantine").is_empty());
}

#[tokio::test]
async fn an_instance_of_another_study_than_offered_is_refused_and_not_kept() {
    let bench = Bench::new().await;
    let data = Data::ct(1);
    for (study, taken) in [("1.2.999", false), (data.study.as_str(), true)] {
        let offer = Offer { study_instance_uid: StudyInstanceUid::parse(study).ok(), ..data.offer() };
        let mut intake = bench.archive.begin(offer).unwrap();
        intake.write(&data.bytes()).unwrap();
        match intake.finish().await {
            Ok(Received::New) => assert!(taken),
            Err(ReceiveError::OtherStudy) => assert!(!taken),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(bench.files("objects").len(), 1);
    assert!(bench.files("incoming").is_empty() && bench.files("quarantine").is_empty());
}

#[tokio::test]
async fn instances_handed_over_one_after_the_other_become_durable_together() {
    let bench = Bench::new().await;
    let committing: Vec<_> = (1..=20)
        .map(|number| {
            let data = Data::ct(number);
            let mut intake = bench.archive.begin(data.offer()).unwrap();
            intake.write(&data.bytes()).unwrap();
            intake.hand_over().unwrap()
        })
        .collect();
    for one in committing {
        assert_eq!(one.durable().await.unwrap(), Received::New);
    }
    assert_eq!(bench.files("objects").len(), 20);
}

/// An earlier release may have acknowledged it.
#[tokio::test]
async fn compressed_pixels_under_a_native_syntax_that_are_stored_stay_so() {
    let bench = Bench::new().await;
    let (data, second) = (Data::ct(1), Data::ct(2));
    for data in [&data, &second] {
        let stored = Offer { syntax_from: SyntaxSource::Archive, ..data.offer() };
        let mut intake = bench.archive.begin(stored).unwrap();
        intake.write(&with_fragments(data)).unwrap();
        assert_eq!(intake.finish().await.unwrap(), Received::New);
    }
    let deleted = bench.archive.remove(&data.selector(), &Actor::Operator, None).await.unwrap().unwrap();
    let restored = bench.archive.restore(deleted.sequence, &Actor::Operator, None).await.unwrap().unwrap();
    assert_eq!((restored.instances, restored.failed), (1, 0));
    let bench = bench.lose_index().await;
    assert_eq!((bench.report.indexed, bench.report.set_aside), (2, 0), "{}", bench.report);
    for data in [&data, &second] {
        assert!(bench.stored(data).await.unwrap().ends_with(&with_fragments(data)));
    }
}

/// Pixel Data of two items, as it would stand in a compressed transfer syntax.
fn with_fragments(data: &Data) -> Vec<u8> {
    let mut bytes = Data { pixel_bytes: 0, ..data.clone() }.bytes();
    bytes.truncate(bytes.len() - 4);
    bytes.extend_from_slice(&[0xFF, 0xFF, 0xFF, 0xFF, 0xFE, 0xFF, 0, 0xE0, 0, 0, 0, 0]);
    bytes.extend_from_slice(&[0xFE, 0xFF, 0, 0xE0, 4, 0, 0, 0, 0xFF, 0xD8, 0xFF, 0xD9]);
    bytes.extend_from_slice(&[0xFE, 0xFF, 0xDD, 0xE0, 0, 0, 0, 0]);
    bytes
}
