//! What a socket can do to us, byte by byte, and what it is told.

use super::raw::*;
use super::*;
use crate::dimse::command::CommandSet;
use dicom_ul::pdu::Pdu;
use tokio::io::AsyncWriteExt;

#[tokio::test]
async fn what_does_not_begin_like_dicom_is_closed_at_once_without_a_word() {
    let service = Service::start(Dicom::default(), &Limits::default()).await;
    for bytes in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"\x16\x03\x01\x02\x00", b"\x04", b"\x00\x00\x00\x00\x00\x00"] {
        let mut raw = Raw::connect(service.address).await;
        let began = Instant::now();
        raw.send(bytes).await;
        raw.closed().await;
        assert!(began.elapsed() < Duration::from_secs(5));
    }
    service.stop().await;
}

#[tokio::test]
async fn each_kind_of_nonsense_is_aborted_with_its_reason() {
    let service = Service::start(Dicom::default(), &Limits::default()).await;
    let header = |kind: u8, length: u32| [&[kind, 0][..], &length.to_be_bytes()].concat();
    let data_first = pdata(&[(1, 2, b"ab")]);
    let mixed = [pdata(&[(3, 3, &store(1).to_bytes())]), pdata(&[(1, 2, b"ab")])].concat();
    let command_in_data = [pdata(&[(3, 3, &store(1).to_bytes())]), pdata(&[(3, 3, &echo(2))])].concat();
    let response = CommandSet::response(&CommandSet::echo_request(1), 0).to_bytes();
    let cases: Vec<(&str, Vec<u8>, (u8, u8))> = vec![
        ("unknown type", header(9, 4), (2, 1)),
        ("second request", association_request(0), (2, 2)),
        ("release reply unasked", [&[6][..], &RELEASE[1..]].concat(), (2, 2)),
        ("512 MiB", header(4, 512 << 20), (2, 6)),
        ("one past what is tolerated", header(4, (1 << 20) + 1), (2, 6)),
        ("empty P-DATA", header(4, 0), (2, 6)),
        ("long release", header(5, 5), (2, 6)),
        ("value longer than its PDU", [header(4, 6), vec![0, 0, 0, 9, 1, 3]].concat(), (2, 6)),
        ("refused context", pdata(&[(5, 3, &echo(1))]), (2, 5)),
        ("unproposed context", pdata(&[(99, 3, &echo(1))]), (2, 5)),
        ("even context", pdata(&[(2, 3, &echo(1))]), (2, 5)),
        ("response to nothing", pdata(&[(1, 3, &response)]), (2, 2)),
        ("data before its command", data_first, (0, 0)),
        ("mixed contexts", mixed, (0, 0)),
        ("command within data", command_in_data, (0, 0)),
        ("command that is none", pdata(&[(1, 3, b"nonsense")]), (0, 0)),
        ("command without end", pdata(&[(1, 1, &vec![0; 65_537])]), (0, 0)),
    ];
    for (what, bytes, expected) in cases {
        let mut raw = Raw::associated(service.address, 0).await;
        raw.send(&bytes).await;
        assert_eq!(raw.aborted().await, expected, "{what}");
        raw.0.shutdown().await.unwrap();
        raw.closed().await;
    }
    service.stop().await;
}

#[tokio::test]
async fn a_malformed_request_is_aborted() {
    let service = Service::start(Dicom::default(), &Limits::default()).await;
    let mut too_long = vec![1, 0];
    too_long.extend_from_slice(&((1 << 20) + 1_u32).to_be_bytes());
    let mut cut = association_request(0);
    cut.truncate(100);
    cut[2..6].copy_from_slice(&94_u32.to_be_bytes());
    for bytes in [too_long, cut] {
        let mut raw = Raw::connect(service.address).await;
        raw.send(&bytes).await;
        // AA-1 of PS3.8 §9.2: in Sta2 the source is the service user.
        assert_eq!(raw.aborted().await, (0, 0));
    }
    service.stop().await;
}

#[tokio::test]
async fn commands_may_come_in_pieces_and_with_their_data_set() {
    let service = Service::start(Dicom::default(), &Limits::default()).await;
    let mut raw = Raw::associated(service.address, 0).await;
    // One byte a value, all in one PDU; then one byte a PDU.
    let command = echo(1);
    let values: Vec<(u8, u8, &[u8])> =
        command.chunks(1).enumerate().map(|(n, byte)| (1, if n + 1 == command.len() { 3 } else { 1 }, byte)).collect();
    raw.send(&pdata(&values)).await;
    assert_eq!(raw.status().await, 0);
    for value in &values {
        raw.send(&pdata(&[*value])).await;
    }
    assert_eq!(raw.status().await, 0);
    // Command and data set in one PDU, the data set in two values, the last one empty.
    let bytes = dataset(CT, "1.2.3.9", 100);
    raw.send(&pdata(&[(3, 3, &store(2).to_bytes()), (3, 0, &bytes), (3, 2, b"")])).await;
    let (response, _) = raw.response().await;
    assert_eq!(response.message_id_being_responded_to, Some(2));
    assert_eq!(response.affected_sop_instance_uid.as_deref(), Some("1.2.3.9"));
    raw.send(&RELEASE).await;
    assert_eq!(raw.pdu().await, Some(Pdu::ReleaseRP));
    service.stop().await;
}

#[tokio::test]
async fn what_is_sent_before_we_have_answered_is_not_lost() {
    let service = Service::start(Dicom::default(), &Limits::default()).await;
    let mut raw = Raw::connect(service.address).await;
    raw.send(&[association_request(0), pdata(&[(1, 3, &echo(7))]), RELEASE.to_vec()].concat()).await;
    raw.accepted().await;
    assert_eq!(raw.response().await.0.message_id_being_responded_to, Some(7));
    assert_eq!(raw.pdu().await, Some(Pdu::ReleaseRP));
    service.stop().await;
}

#[tokio::test]
async fn a_request_that_cannot_be_served_is_told_why_and_the_association_goes_on() {
    let service = Service::start(Dicom::default(), &Limits::default()).await;
    let mut raw = Raw::associated(service.address, 0).await;
    let cases: Vec<(&str, u8, CommandSet, u16)> = vec![
        ("C-FIND", 1, CommandSet { command_field: 0x0020, ..store(1) }, 0x0211),
        ("N-CREATE without data", 1, CommandSet::request(0x0140, 1), 0x0211),
        ("no class", 3, CommandSet { affected_sop_class_uid: None, ..store(1) }, 0x0106),
        ("no instance", 3, CommandSet { affected_sop_instance_uid: None, ..store(1) }, 0x0117),
        ("traversal", 3, CommandSet { affected_sop_instance_uid: Some("../../x".into()), ..store(1) }, 0x0117),
        (
            "another class than the context's",
            3,
            CommandSet { affected_sop_class_uid: Some("1.2.840.10008.5.1.4.1.1.4".into()), ..store(1) },
            0x0122,
        ),
        ("C-STORE on the Verification context", 1, store(1), 0x0122),
        ("C-ECHO on a storage context", 3, CommandSet::echo_request(1), 0x0122),
    ];
    for (what, context_id, command, expected) in cases {
        raw.send(&pdata(&[(context_id, 3, &command.to_bytes())])).await;
        if command.has_data_set() {
            raw.send(&pdata(&[(context_id, 2, &[0; 1000])])).await;
        }
        let (response, _) = raw.response().await;
        assert_eq!(response.status, Some(expected), "{what}");
        assert_eq!(response.command_field, command.command_field | 0x8000, "{what}");
        assert!(response.error_comment.is_some(), "{what}");
    }
    // C-CANCEL has no response; the echo behind it is the next that is answered.
    let cancel =
        CommandSet { command_field: 0x0FFF, message_id_being_responded_to: Some(1), ..CommandSet::request(0, 1) };
    raw.send(&pdata(&[(1, 3, &cancel.to_bytes())])).await;
    raw.send(&pdata(&[(1, 3, &echo(9))])).await;
    assert_eq!(raw.response().await.0.message_id_being_responded_to, Some(9));
    service.stop().await;
}

#[tokio::test]
async fn a_peer_with_a_tiny_maximum_gets_tiny_pdus() {
    let service = Service::start(Dicom::default(), &Limits::default()).await;
    for pdu_max in [8, 64, 128] {
        let mut raw = Raw::associated(service.address, pdu_max).await;
        raw.send(&pdata(&[(1, 3, &echo(1))])).await;
        let (response, longest) = raw.response().await;
        assert_eq!(response.status, Some(0));
        assert!(longest <= pdu_max as usize, "{longest} of {pdu_max}");
    }
    service.stop().await;
}

#[tokio::test]
async fn a_longer_pdu_than_announced_is_taken() {
    let service = Service::start(Dicom::default(), &Limits::default()).await;
    let mut raw = Raw::associated(service.address, 0).await;
    raw.send(&pdata(&[(3, 3, &store(1).to_bytes())])).await;
    raw.send(&pdata(&[(3, 2, &vec![0; (1 << 20) - 6])])).await;
    assert_eq!(raw.response().await.0.message_id_being_responded_to, Some(1));
    service.stop().await;
}
