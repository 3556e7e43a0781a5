//! Full and failing disks: nothing acknowledged is lost, nothing unsound is acknowledged.

use super::*;
use crate::store::Operation;
use rustix::io::Errno;

/// Two instances, one of them a conflict, and one for the quarantine: every kind of disk operation.
fn small_study() -> Vec<Data> {
    vec![Data::ct(1), Data::ct(2), Data { description: "OTHER".into(), ..Data::ct(1) }, Data { cut: 50, ..Data::ct(3) }]
}

#[tokio::test]
async fn a_full_disk_at_any_operation_loses_nothing_and_intake_goes_on_afterwards() {
    let measured = Bench::new().await;
    let before = measured.faults.operations();
    for data in small_study() {
        let _ = measured.send(&data).await;
    }
    let operations = measured.faults.operations() - before;
    assert!(operations > 20, "{operations}");
    for nth in 0..operations {
        let bench = Bench::new().await;
        bench.faults.fail(nth, None, Errno::NOSPC);
        let mut acknowledged = Vec::new();
        for data in small_study() {
            if let Ok(Received::New) = bench.send(&data).await {
                acknowledged.push(data);
            }
        }
        bench.faults.heal();
        assert!(bench.archive.is_ready(), "operation {nth}: a full disk is no broken disk");
        assert!(bench.files("incoming").is_empty(), "operation {nth}");
        let report = bench.archive.verify(true).await.unwrap();
        assert_eq!((report.missing, report.damaged), (0, 0), "operation {nth}: {report:?}");
        // Later ingest works, with what was refused as well.
        for data in [Data::ct(1), Data::ct(2), Data::ct(9)] {
            match bench.send(&data).await.unwrap() {
                Received::Conflict { .. } => {}
                Received::New | Received::Duplicate => acknowledged.push(data),
            }
        }
        let bench = bench.crash().await;
        for data in &acknowledged {
            assert!(bench.stored(data).await.as_ref() == Some(&data.bytes()), "operation {nth}");
        }
    }
}

#[tokio::test]
async fn a_failed_sync_is_never_acknowledged_and_stops_intake() {
    for operation in [Operation::Sync, Operation::SyncDirectory] {
        let bench = Bench::new().await;
        bench.send(&Data::ct(1)).await.unwrap();
        let fatal = bench.archive.fatal();
        assert!(!*fatal.borrow());
        // The first directory exists already: only the batch's own sync is left.
        bench.faults.fail(0, Some(operation), Errno::IO);
        assert!(matches!(bench.send(&Data::ct(2)).await, Err(ReceiveError::Store(_))), "{operation:?}");
        assert!(*fatal.borrow(), "{operation:?}: the process is asked to end");
        assert!(!bench.archive.is_ready());
        assert!(matches!(bench.archive.admit(), Err(ReceiveError::Degraded)));
        assert!(matches!(bench.send(&Data::ct(3)).await, Err(ReceiveError::Degraded)));
        assert!(bench.files("incoming").is_empty());
        let bench = bench.restart().await;
        assert!(!bench.report.clean, "{operation:?}: no clean mark after a failed sync");
        assert_eq!(bench.report.rechecked, 1);
        assert!(bench.stored(&Data::ct(1)).await.unwrap() == Data::ct(1).bytes());
        assert!(bench.send(&Data::ct(2)).await.is_ok());
    }
}

#[tokio::test]
async fn a_disk_error_that_is_no_sync_refuses_one_instance_only() {
    for operation in [Operation::Create, Operation::Write, Operation::Rename] {
        let bench = Bench::new().await;
        bench.faults.fail(0, Some(operation), Errno::IO);
        assert!(matches!(bench.send(&Data::ct(1)).await, Err(ReceiveError::Store(_))), "{operation:?}");
        assert!(bench.send(&Data::ct(1)).await.is_ok(), "{operation:?}");
        assert!(bench.archive.is_ready());
    }
}
