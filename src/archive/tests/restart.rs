//! What a start finds after a stop, a crash, and worse.

use super::*;
use crate::archive::ArchiveError;

#[tokio::test]
async fn after_a_clean_stop_there_is_nothing_to_do() {
    let bench = Bench::new().await;
    assert!(bench.report.clean);
    bench.send(&Data::ct(1)).await.unwrap();
    let bench = bench.restart().await;
    assert_eq!(bench.report, ReconcileReport { clean: true, ..ReconcileReport::default() });
    assert!(bench.stored(&Data::ct(1)).await.unwrap() == Data::ct(1).bytes());
}

#[tokio::test]
async fn after_a_crash_parts_go_and_new_objects_are_read_again() {
    let bench = Bench::new().await;
    bench.send(&Data::ct(1)).await.unwrap();
    bench.send(&Data::ct(2)).await.unwrap();
    std::fs::write(bench.path().join("incoming/01ARZ3NDEKTSV4RRFFQ69G5FAV.part"), b"half").unwrap();
    std::fs::write(bench.path().join("quarantine/01ARZ3NDEKTSV4RRFFQ69G5FAV.json"), b"{}").unwrap();
    let bench = bench.crash().await;
    let expected = ReconcileReport { clean: false, parts_removed: 1, rechecked: 2, ..ReconcileReport::default() };
    assert_eq!(bench.report, expected);
    assert!(bench.files("quarantine").is_empty(), "a reason without bytes goes");
}

#[tokio::test]
async fn a_file_without_a_row_gets_one() {
    let bench = Bench::new().await;
    bench.send(&Data::ct(1)).await.unwrap();
    let file = bench.files("objects").remove(0);
    let bytes = std::fs::read(bench.path().join(&file)).unwrap();
    // The same object in an archive whose index has not seen it.
    let other = Bench::new().await;
    std::fs::create_dir(other.path().join("objects/0000")).unwrap();
    std::fs::write(other.path().join(&file), &bytes).unwrap();
    let other = other.crash().await;
    assert_eq!((other.report.indexed, other.report.set_aside), (1, 0), "{}", other.report);
    assert!(other.stored(&Data::ct(1)).await.unwrap() == Data::ct(1).bytes());
    assert!(other.archive.verify(true).await.unwrap().is_sound());
    assert_eq!(other.send(&Data::ct(1)).await.unwrap(), Received::Duplicate);
}

#[tokio::test]
async fn an_index_that_was_lost_is_made_again_from_the_files() {
    let bench = Bench::new().await;
    for number in 0..40 {
        bench.send(&Data::ct(number)).await.unwrap();
    }
    let bench = bench.lose_index().await;
    assert_eq!(bench.report.indexed, 40);
    assert!(bench.stored(&Data::ct(39)).await.unwrap() == Data::ct(39).bytes());
}

#[tokio::test]
async fn a_file_that_is_not_what_its_name_says_is_set_aside() {
    let bench = Bench::new().await;
    bench.send(&Data::ct(1)).await.unwrap();
    let name = format!("objects/0000/{}.dcm", "ab".repeat(32));
    std::fs::write(bench.path().join(&name), b"torn").unwrap();
    let bench = bench.crash().await;
    assert_eq!(bench.report.set_aside, 1);
    assert!(!bench.path().join(&name).exists());
    let held = bench.archive.quarantined().unwrap();
    assert_eq!(held[0].record.as_ref().unwrap().reason, "wrong-digest");
    assert_eq!(held[0].size_bytes, 4);
}

#[tokio::test]
async fn a_row_without_its_file_is_counted_and_never_dropped() {
    let bench = Bench::new().await;
    for number in 1..=3 {
        bench.send(&Data::ct(number)).await.unwrap();
    }
    let files = bench.files("objects");
    std::fs::remove_file(bench.path().join(&files[0])).unwrap();
    let flipped = bench.path().join(&files[1]);
    let mut bytes = std::fs::read(&flipped).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&flipped, bytes).unwrap();
    let bench = bench.crash().await;
    assert_eq!((bench.report.missing, bench.report.damaged), (1, 1), "{}", bench.report);
    assert_eq!(bench.archive.verify(false).await.unwrap().missing, 1);
    let full = bench.archive.verify(true).await.unwrap();
    assert_eq!((full.instances, full.missing, full.damaged, full.orphans), (3, 1, 1, 0));
}

#[tokio::test]
async fn a_missing_file_is_mended_by_the_same_bytes_that_lie_elsewhere() {
    let bench = Bench::new().await;
    for number in 1..=2 {
        bench.send(&Data::ct(number)).await.unwrap();
    }
    // One is gone and one cut short; both lie in another folder of objects, as after a restore.
    std::fs::create_dir(bench.path().join("objects/0001")).unwrap();
    for (at, file) in bench.files("objects").iter().enumerate() {
        let (file, twin) = (bench.path().join(file), bench.path().join(file.replace("/0000/", "/0001/")));
        std::fs::copy(&file, &twin).unwrap();
        match at {
            0 => std::fs::remove_file(&file).unwrap(),
            _ => std::fs::OpenOptions::new().write(true).open(&file).unwrap().set_len(100).unwrap(),
        }
    }
    let bench = bench.crash().await;
    let ReconcileReport { mended, set_aside, missing, damaged, .. } = bench.report;
    assert_eq!((mended, set_aside, missing, damaged), (2, 0, 0, 0), "{}", bench.report);
    for number in 1..=2 {
        assert!(bench.stored(&Data::ct(number)).await.unwrap() == Data::ct(number).bytes());
    }
    assert!(bench.archive.verify(true).await.unwrap().is_sound());
}

#[tokio::test]
async fn a_second_daemon_on_one_folder_is_refused() {
    let bench = Bench::new().await;
    let settings = ArchiveSettings { data_dir: bench.path().to_owned(), ..ArchiveSettings::default() };
    let second = Archive::start(settings, bench.index.clone(), Clock::system()).await;
    assert!(matches!(second, Err(ArchiveError::Locked)));
}
