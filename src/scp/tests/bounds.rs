//! Caps, timers and stopping.

use super::raw::*;
use super::*;
use dicom_ul::pdu::Pdu;
use tokio::io::AsyncWriteExt;

#[tokio::test]
async fn a_silent_or_slow_caller_is_closed_by_artim() {
    let service = Service::start(Dicom::default(), &limits(|limits| limits.associate_timeout = ms(150))).await;
    let mut silent = Raw::connect(service.address).await;
    let mut slow = Raw::connect(service.address).await;
    slow.send(&association_request(0)[..40]).await;
    silent.closed().await;
    slow.closed().await;
    service.stop().await;
}

#[tokio::test]
async fn an_association_beyond_a_cap_is_rejected_for_the_moment() {
    let cases = [
        limits(|limits| limits.associations = 1),
        limits(|limits| limits.associations_per_address = 1),
        limits(|limits| limits.associations_per_peer = 1),
    ];
    for limits in cases {
        let service = Service::start(Dicom::default(), &limits).await;
        let mut first = Raw::associated(service.address, 0).await;
        let mut second = Raw::connect(service.address).await;
        second.send(&association_request(0)).await;
        let rejection = second.bytes().await.unwrap();
        assert_eq!((rejection[0], &rejection[7..10]), (3, &[2, 3, 2][..]));
        first.send(&RELEASE).await;
        assert_eq!(first.pdu().await, Some(Pdu::ReleaseRP));
        first.0.shutdown().await.unwrap();
        first.closed().await;
        while service.scp.associations() > 0 {
            tokio::task::yield_now().await;
        }
        Raw::associated(service.address, 0).await;
        service.stop().await;
    }
}

#[tokio::test]
async fn connections_without_an_association_are_capped() {
    let service = Service::start(Dicom::default(), &limits(|limits| limits.half_open_per_address = 1)).await;
    let _silent = Raw::connect(service.address).await;
    while service.scp.half_open.held() == 0 {
        tokio::task::yield_now().await;
    }
    Raw::connect(service.address).await.closed().await;
    service.stop().await;
}

#[tokio::test]
async fn an_idle_association_and_a_slow_pdu_are_aborted() {
    let service = Service::start(
        Dicom::default(),
        &limits(|limits| {
            limits.idle_timeout = ms(100);
            limits.pdu_timeout = ms(100);
        }),
    )
    .await;
    let mut idle = Raw::associated(service.address, 0).await;
    assert_eq!(idle.aborted().await, (0, 0));
    let mut slow = Raw::associated(service.address, 0).await;
    slow.send(&pdata(&[(1, 3, &echo(1))])[..20]).await;
    assert_eq!(slow.aborted().await, (0, 0));
    service.stop().await;
}

#[tokio::test]
async fn an_association_has_an_end_even_when_it_is_busy() {
    let service = Service::start(Dicom::default(), &limits(|limits| limits.association_lifetime = ms(200))).await;
    let mut raw = Raw::associated(service.address, 0).await;
    let aborted = loop {
        raw.send(&pdata(&[(1, 3, &echo(1))])).await;
        match raw.bytes().await {
            Some(bytes) if bytes[0] == 4 => {}
            other => break other,
        }
    };
    assert_eq!(aborted.map(|bytes| bytes[0]), Some(7));
    service.stop().await;
}

#[tokio::test]
async fn stopping_ends_idle_associations_at_once() {
    let service = Service::start(Dicom::default(), &Limits::default()).await;
    let mut idle = Raw::associated(service.address, 0).await;
    let mut silent = Raw::connect(service.address).await;
    idle.send(&pdata(&[(1, 3, &echo(1))])).await;
    assert_eq!(idle.status().await, 0);
    let running = tokio::spawn(service.stop());
    assert_eq!(idle.aborted().await, (2, 0));
    drop(idle);
    silent.closed().await;
    running.await.unwrap();
}

#[tokio::test]
async fn stopping_lets_an_instance_that_has_begun_finish() {
    let bench = super::Bench::new().await;
    let scp = Scp::new(Dicom::default(), &Limits::default(), bench.archive.clone(), None);
    let address: IpAddr = "127.0.0.1".parse().unwrap();
    let place = scp.half_open.enter(address).unwrap();
    // So narrow a pipe that what was written has been read, but for a few bytes.
    let (client, server) = tokio::io::duplex(16);
    let stop = CancellationToken::new();
    let mut raw = Raw(client);
    let talk = async {
        raw.send(&association_request(0)).await;
        raw.accepted().await;
        raw.send(&pdata(&[(3, 3, &store(4).to_bytes())])).await;
        raw.send(&pdata(&[(3, 0, &[0; 100])])).await;
        stop.cancel();
        raw.send(&pdata(&[(3, 2, b"cd")])).await;
        assert_eq!(raw.response().await.0.message_id_being_responded_to, Some(4));
        assert_eq!(raw.aborted().await, (2, 0));
        drop(raw);
    };
    tokio::join!(conversation::hold(&scp, server, address, 1, place, &stop), talk);
}

#[tokio::test]
async fn a_flood_after_an_abort_is_not_listened_to_for_ever() {
    let service = Service::start(Dicom::default(), &limits(|limits| limits.associate_timeout = ms(200))).await;
    let mut raw = Raw::associated(service.address, 0).await;
    raw.send(&[9, 0, 0, 0, 0, 4]).await;
    assert_eq!(raw.aborted().await, (2, 1));
    while raw.0.write_all(&[0; 65_536]).await.is_ok() {}
    service.stop().await;
}
