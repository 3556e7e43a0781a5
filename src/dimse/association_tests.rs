//! Both roles against each other, and the requestor against acceptors that misbehave.

use super::*;
use dicom_ul::pdu::UserVariableItem;
use tokio::io::duplex;

const fn settings(ms: u64) -> Settings {
    let time = Duration::from_millis(ms);
    Settings {
        pdu: PduLimits { associate_max: 1 << 20, data_announced: 131_072, data_tolerated: 1 << 20 },
        timers: Timers { artim: time, pdu: time, idle: time, lifetime: Duration::from_secs(60) },
    }
}

fn request() -> AssociationRQ {
    AssociationRQ {
        protocol_version: 1,
        calling_ae_title: "A".into(),
        called_ae_title: "B".into(),
        application_context_name: "1.2.840.10008.3.1.1.1".into(),
        presentation_contexts: Vec::new(),
        user_variables: vec![UserVariableItem::MaxLength(16_384)],
    }
}

fn answer() -> AssociationAC {
    AssociationAC {
        protocol_version: 1,
        calling_ae_title: "A".into(),
        called_ae_title: "B".into(),
        application_context_name: "1.2.840.10008.3.1.1.1".into(),
        presentation_contexts: Vec::new(),
        user_variables: vec![UserVariableItem::MaxLength(0)],
    }
}

async fn pair() -> (Association<tokio::io::DuplexStream>, Association<tokio::io::DuplexStream>) {
    let (here, there) = duplex(1 << 16);
    let mut requestor = Association::requestor(here, settings(5_000));
    let mut acceptor = Association::acceptor(there, settings(5_000));
    let accepting = async {
        acceptor.request().await.unwrap();
        acceptor.accept(answer(), 16_384).await.unwrap();
    };
    let (accepted, ()) = tokio::join!(requestor.associate(request()), accepting);
    accepted.unwrap();
    (requestor, acceptor)
}

#[tokio::test]
async fn a_release_collision_ends_well_on_both_sides() {
    let (mut requestor, mut acceptor) = pair().await;
    let (here, there) = tokio::join!(
        async {
            requestor.release().await?;
            requestor.linger().await;
            Ok::<_, AssociationError>(())
        },
        async {
            acceptor.release().await?;
            acceptor.linger().await;
            Ok::<_, AssociationError>(())
        }
    );
    here.unwrap();
    there.unwrap();
}

#[tokio::test]
async fn data_on_its_way_while_we_release_does_no_harm() {
    let (mut requestor, mut acceptor) = pair().await;
    acceptor.send_command(1, &[0; 100]).await.unwrap();
    let answering = async {
        assert!(matches!(acceptor.next().await, Ok(Incoming::Release)));
        acceptor.confirm_release().await.unwrap();
        acceptor.linger().await;
    };
    let (released, ()) = tokio::join!(
        async {
            let released = requestor.release().await;
            drop(requestor);
            released
        },
        answering
    );
    released.unwrap();
}

#[tokio::test]
async fn an_abort_of_the_peer_is_told_as_such() {
    let (mut requestor, mut acceptor) = pair().await;
    requestor.abort_as_user().await;
    let error = acceptor.next().await.unwrap_err();
    assert!(matches!(error, AssociationError::Aborted { source_code: 0, reason: 0 }), "{error}");
    // Nothing more can be said.
    assert!(matches!(acceptor.send(&[]).await, Err(AssociationError::OutOfPlace(_))));
}

/// What the requestor makes of an acceptor that answers its request with `answer` and then hangs up.
async fn answered_with(answer: &[u8]) -> AssociationError {
    let (here, mut there) = duplex(1 << 16);
    let mut requestor = Association::requestor(here, settings(100));
    there.write_all(answer).await.unwrap();
    there.shutdown().await.unwrap();
    requestor.associate(request()).await.unwrap_err()
}

#[tokio::test]
async fn an_acceptor_that_answers_oddly_is_an_error_and_never_a_hang() {
    let rejected = answered_with(&[3, 0, 0, 0, 0, 4, 0, 2, 3, 2]).await;
    assert_eq!(rejected.to_string(), "rejected by the peer: local limit exceeded, for the moment");
    assert!(matches!(answered_with(&[3, 0, 0, 0, 0, 4, 0, 9, 9, 9]).await, AssociationError::Rejected(_)));
    assert!(matches!(
        answered_with(&[7, 0, 0, 0, 0, 4, 0, 0, 2, 1]).await,
        AssociationError::Aborted { source_code: 2, reason: 1 }
    ));
    assert!(matches!(answered_with(&[]).await, AssociationError::Closed));
    assert!(matches!(answered_with(b"HTTP/1.1 400 Bad").await, AssociationError::Fault(PduFault::UnknownType(b'H'))));
    for out_of_place in [&[5, 0, 0, 0, 0, 4, 0, 0, 0, 0][..], &[6, 0, 0, 0, 0, 4, 0, 0, 0, 0]] {
        assert!(matches!(answered_with(out_of_place).await, AssociationError::Fault(PduFault::Unexpected)));
    }
    let (here, _there) = duplex(1 << 16);
    let mut requestor = Association::requestor(here, settings(50));
    let error = requestor.associate(request()).await.unwrap_err();
    assert!(matches!(error, AssociationError::TimedOut(Timer::Artim)));
}

#[tokio::test]
async fn a_peer_that_does_not_read_is_given_up() {
    let (here, there) = duplex(64);
    let mut acceptor = Association::acceptor(here, settings(100));
    let mut there = there;
    let mut bytes = Vec::new();
    dicom_ul::pdu::write_pdu(&mut bytes, &Pdu::AssociationRQ(request())).unwrap();
    let (asked, ()) = tokio::join!(acceptor.request(), async { there.write_all(&bytes).await.unwrap() });
    asked.unwrap();
    let error = acceptor.accept(answer(), 0).await.unwrap_err();
    assert!(matches!(error, AssociationError::TimedOut(Timer::Write)));
}
