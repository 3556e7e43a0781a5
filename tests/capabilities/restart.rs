//! Kills and restarts: nothing acknowledged is lost.

use crate::support::{Dataset, Spawned};
use std::sync::{Arc, Mutex};

/// Rounds of the kill test; `BLUEBRIDGE_KILL_ROUNDS` asks for more.
fn rounds() -> usize {
    std::env::var("BLUEBRIDGE_KILL_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(50)
}

/// An instance that was acknowledged is there after a crash, byte for byte.
#[tokio::test(flavor = "multi_thread")]
async fn acknowledged_instances_survive_kills_at_random_moments_under_load() {
    let mut bridge = Spawned::start();
    let ledger: Arc<Mutex<Vec<Dataset>>> = Arc::default();
    let mut checked = 0;
    for round in 0..rounds() {
        let mut senders = tokio::task::JoinSet::new();
        for sender in 0..4 {
            let scanner = bridge.modality(&format!("CT{sender}"));
            let ledger = ledger.clone();
            senders.spawn(async move {
                let series = Dataset::series(200);
                let proposal = bluebridge::dimse::scu::Proposal {
                    sop_class_uid: series[0].class(),
                    transfer_syntaxes: vec![series[0].transfer_syntax()],
                };
                let Ok(mut scu) = scanner.associate(vec![proposal]).await else { return };
                for ct in series {
                    let sent =
                        scu.store(&ct.class(), &ct.instance(), &ct.transfer_syntax(), ct.bytes().as_slice()).await;
                    match sent {
                        Ok(status) => {
                            assert_eq!(status.code, 0);
                            ledger.lock().unwrap().push(ct);
                        }
                        Err(_) => return, // the kill
                    }
                }
            });
        }
        // The moment of the kill: after a number of acknowledgements that differs from round to round.
        let target = ledger.lock().unwrap().len() + 1 + (round * 37) % 150;
        while ledger.lock().unwrap().len() < target {
            tokio::task::yield_now().await;
        }
        bridge = bridge.kill_and_restart();
        while let Some(ended) = senders.join_next().await {
            ended.unwrap();
        }
        // What was acknowledged since the last look is served, unaltered.
        let acknowledged = ledger.lock().unwrap().clone();
        let web = bridge.web();
        for ct in &acknowledged[checked..] {
            let answer = web.get_with(&ct.path(), &[("accept", "application/dicom; transfer-syntax=*")]).await;
            assert_eq!(answer.status, 200, "round {round}: an acknowledged instance is gone\n{}", bridge.log());
            assert!(answer.body.ends_with(&ct.bytes()), "round {round}: an acknowledged instance was altered");
        }
        checked = acknowledged.len();
        assert_eq!(std::fs::read_dir(bridge.data_dir().join("incoming")).unwrap().count(), 0, "parts are removed");
    }
    // And all of it is still there at the end.
    let total = ledger.lock().unwrap().len();
    let mut served = 0;
    let studies: std::collections::BTreeSet<String> = ledger.lock().unwrap().iter().map(Dataset::study_uid).collect();
    for study in studies {
        let found = bridge.web().get(&format!("/dicom-web/studies?StudyInstanceUID={study}")).await.json();
        served += found[0]["00201208"]["Value"][0].as_u64().unwrap();
    }
    assert!(served as usize >= total, "{served} served, {total} acknowledged");
    assert_eq!(bridge.terminate(), Some(0));
}

#[tokio::test]
async fn a_term_signal_ends_the_daemon_with_0_and_a_clean_mark() {
    let bridge = Spawned::start();
    let ct = Dataset::ct();
    assert_eq!(bridge.modality("CT01").store(&ct).await, 0);
    assert_eq!(bridge.terminate(), Some(0));
}

#[tokio::test]
async fn a_restart_serves_what_was_there() {
    let bridge = crate::support::Bridge::start().await;
    let series = Dataset::series(3);
    bridge.modality("CT01").store_all(&series).await;
    let bridge = bridge.restart().await;
    let metadata = bridge.web().get(&format!("{}/metadata", series[0].series_path())).await.json();
    assert_eq!(metadata.as_array().unwrap().len(), 3);
    bridge.stop().await;
}
