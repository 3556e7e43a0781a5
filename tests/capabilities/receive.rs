//! Scanners send; what is acknowledged is there.

use crate::support::{Bridge, Dataset};
use bluebridge::dimse::scu::Proposal;

#[tokio::test]
async fn an_echo_is_answered() {
    let bridge = Bridge::start().await;
    assert_eq!(bridge.modality("CT01").echo().await.unwrap().code, 0);
    bridge.stop().await;
}

#[tokio::test]
async fn an_acknowledged_instance_is_found_and_comes_back_byte_for_byte() {
    let bridge = Bridge::start().await;
    let ct = Dataset::ct();
    assert_eq!(bridge.modality("CT01").store(&ct).await, 0);
    let found = bridge.web().get(&format!("/dicom-web/studies?StudyInstanceUID={}", ct.study_uid())).await;
    assert_eq!(found.status, 200);
    let answer = bridge.web().get_with(&ct.path(), &[("accept", "application/dicom; transfer-syntax=*")]).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(answer.body.ends_with(&ct.bytes()), "the data set is kept exactly as received");
    assert_eq!(&answer.body[..128], &[0; 128], "the preamble is empty");
    bridge.stop().await;
}

#[tokio::test]
async fn the_same_instance_again_is_success_and_stored_once() {
    let bridge = Bridge::start().await;
    let ct = Dataset::ct();
    for _ in 0..3 {
        assert_eq!(bridge.modality("CT01").store(&ct).await, 0);
    }
    let study = bridge.web().get(&format!("/dicom-web/studies?StudyInstanceUID={}", ct.study_uid())).await.json();
    assert_eq!(study[0]["00201208"]["Value"][0], 1);
    bridge.stop().await;
}

#[tokio::test]
async fn other_content_under_a_known_uid_is_kept_and_never_served_in_its_place() {
    let bridge = Bridge::start().await;
    let first = Dataset::ct();
    let second = first.clone().pixels(16, 16, 99);
    let scanner = bridge.modality("CT01");
    assert_eq!(scanner.store(&first).await, 0);
    assert_eq!(scanner.store(&second).await, 0, "kept, so the sender need not try again");
    let answer = bridge.web().get_with(&first.path(), &[("accept", "application/dicom; transfer-syntax=*")]).await;
    assert!(answer.body.ends_with(&first.bytes()));
    let kept = std::fs::read_dir(bridge.data_dir().join("conflicts")).unwrap().count();
    assert!(kept >= 1, "the newcomer is kept beside it");
    bridge.stop().await;
}

#[tokio::test]
async fn what_cannot_be_understood_is_refused_precisely_and_kept() {
    let bridge = Bridge::start().await;
    let cases = [
        (Dataset::ct().without(0x0020_000D), 0xC000, "no Study Instance UID"),
        (Dataset::ct().text(0x0020_000D, "UI", "../../etc/passwd"), 0xC000, "a path for a UID"),
        (Dataset::ct().raw(0x0028_0030, "SQ", vec![1; 10]), 0xC000, "a sequence without items"),
    ];
    for (dataset, status, what) in cases {
        assert_eq!(bridge.modality("CT01").store(&dataset).await, status, "{what}");
    }
    assert!(std::fs::read_dir(bridge.data_dir().join("quarantine")).unwrap().count() >= 3);
    assert_eq!(bridge.web().get("/dicom-web/studies").await.status, 204, "nothing of it is served");
    bridge.stop().await;
}

#[tokio::test]
async fn an_association_that_dies_in_the_middle_leaves_nothing_behind() {
    let bridge = Bridge::start().await;
    let ct = Dataset::ct().pixels(1024, 1024, 1);
    let proposal = Proposal { sop_class_uid: ct.class(), transfer_syntaxes: vec![ct.transfer_syntax()] };
    let mut scu = bridge.modality("CT01").associate(vec![proposal]).await.unwrap();
    // A reader that breaks half-way makes the requestor give the association up.
    struct Breaks(usize);
    impl std::io::Read for Breaks {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            if self.0 == 0 {
                return Err(std::io::Error::other("cable pulled"));
            }
            let count = buffer.len().min(self.0);
            buffer[..count].fill(0);
            self.0 -= count;
            Ok(count)
        }
    }
    assert!(scu.store(&ct.class(), &ct.instance(), &ct.transfer_syntax(), Breaks(700_000)).await.is_err());
    drop(scu);
    // The next association proves that the daemon lives; stopping waits for the broken one to be cleared.
    assert_eq!(bridge.modality("CT01").echo().await.unwrap().code, 0);
    let incoming = bridge.data_dir().join("incoming");
    let folder = bridge.data_dir().to_path_buf();
    let _ = folder;
    bridge.running.stop().await.unwrap();
    assert_eq!(std::fs::read_dir(incoming).unwrap().count(), 0);
}

#[tokio::test]
async fn who_may_call_is_decided_by_title_and_address() {
    let bridge = Bridge::start_with(|config| {
        config.dicom.peer = vec![
            toml::from_str("name = 'CT 1'\nae_title = 'CT1'\naddress = '127.0.0.1'\nallow = ['echo', 'store']")
                .unwrap(),
            toml::from_str("name = 'echo only'\nae_title = 'PING'\naddress = '127.0.0.0/8'\nallow = ['echo']").unwrap(),
            toml::from_str("name = 'elsewhere'\nae_title = 'CT2'\naddress = '10.9.8.7'").unwrap(),
        ]
    })
    .await;
    assert_eq!(bridge.modality("CT1").echo().await.unwrap().code, 0);
    assert!(bridge.modality("CT2").echo().await.is_err(), "known title, other address");
    assert!(bridge.modality("NOBODY").echo().await.is_err(), "unknown title");
    assert!(bridge.modality("CT1").calling_as("OTHER").echo().await.is_err(), "other called title");
    assert_eq!(bridge.modality("CT1").store(&Dataset::ct()).await, 0);
    assert!(bridge.modality("PING").try_store(&[Dataset::ct()]).await.is_err(), "echo is all this peer may");
    bridge.stop().await;
}

#[tokio::test]
async fn many_associations_at_once_lose_nothing() {
    let bridge = Bridge::start().await;
    let mut senders = tokio::task::JoinSet::new();
    for n in 0..16 {
        let scanner = bridge.modality(&format!("CT{n:02}"));
        senders.spawn(async move {
            let series = Dataset::series(25);
            scanner.store_all(&series).await;
            series[0].study_uid()
        });
    }
    while let Some(study) = senders.join_next().await {
        let study = study.unwrap();
        let found = bridge.web().get(&format!("/dicom-web/studies?StudyInstanceUID={study}")).await.json();
        assert_eq!(found[0]["00201208"]["Value"][0], 25);
    }
    bridge.stop().await;
}

#[tokio::test]
async fn sending_again_mends_a_file_that_was_lost_or_cut_short() {
    let bridge = Bridge::start().await;
    let series = Dataset::series(2);
    let scanner = bridge.modality("CT01");
    scanner.store_all(&series).await;
    let objects = bridge.data_dir().join("objects/0000");
    let mut files: Vec<_> = std::fs::read_dir(&objects).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    std::fs::remove_file(&files[0]).unwrap();
    std::fs::OpenOptions::new().write(true).open(&files[1]).unwrap().set_len(100).unwrap();
    scanner.store_all(&series).await;
    for ct in &series {
        let answer = bridge.web().get_with(&ct.path(), &[("accept", "application/dicom; transfer-syntax=*")]).await;
        assert_eq!(answer.status, 200);
        assert!(answer.body.ends_with(&ct.bytes()), "acknowledged again, so there again");
    }
    bridge.stop().await;
}
