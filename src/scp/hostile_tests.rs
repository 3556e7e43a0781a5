//! What a socket can do to us, byte by byte.

use super::tests::{Service, dataset};
use super::*;
use crate::dimse::command::CommandSet;
use crate::domain::uid::{SopClassUid, SopInstanceUid};
use dicom_ul::pdu::{
    AssociationRQ, Pdu, PresentationContextProposed, PresentationContextResultReason, UserVariableItem, read_pdu,
    write_pdu,
};
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const VERIFICATION: &str = "1.2.840.10008.1.1";
const CT: &str = "1.2.840.10008.5.1.4.1.1.2";
const EXPLICIT: &str = "1.2.840.10008.1.2.1";
const RELEASE: [u8; 10] = [5, 0, 0, 0, 0, 4, 0, 0, 0, 0];

/// A client without manners. Context 1 is Verification, 3 is CT, 5 is a query that will be refused.
struct Raw(TcpStream);

fn association_request(pdu_max: u32) -> Vec<u8> {
    let context = |id, class: &str| PresentationContextProposed {
        id,
        abstract_syntax: class.into(),
        transfer_syntaxes: vec![EXPLICIT.into()],
    };
    let mut bytes = Vec::new();
    let request = AssociationRQ {
        protocol_version: 1,
        calling_ae_title: "RAW".into(),
        called_ae_title: "BLUEBRIDGE".into(),
        application_context_name: "1.2.840.10008.3.1.1.1".into(),
        presentation_contexts: vec![
            context(1, VERIFICATION),
            context(3, CT),
            context(5, "1.2.840.10008.5.1.4.1.2.2.1"),
        ],
        user_variables: vec![UserVariableItem::MaxLength(pdu_max)],
    };
    write_pdu(&mut bytes, &Pdu::AssociationRQ(request)).unwrap();
    bytes
}

fn pdata(values: &[(u8, u8, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (context_id, control, bytes) in values {
        body.extend_from_slice(&(bytes.len() as u32 + 2).to_be_bytes());
        body.extend_from_slice(&[*context_id, *control]);
        body.extend_from_slice(bytes);
    }
    let mut pdu = vec![4, 0];
    pdu.extend_from_slice(&(body.len() as u32).to_be_bytes());
    pdu.extend_from_slice(&body);
    pdu
}

fn echo(message_id: u16) -> Vec<u8> {
    CommandSet::echo_request(message_id).to_bytes()
}

fn store(message_id: u16) -> CommandSet {
    let class = SopClassUid::parse(CT).unwrap();
    CommandSet::store_request(message_id, &class, &SopInstanceUid::parse("1.2.3.9").unwrap())
}

impl Raw {
    async fn connect(address: SocketAddr) -> Self {
        Self(TcpStream::connect(address).await.unwrap())
    }
    async fn associated(address: SocketAddr, pdu_max: u32) -> Self {
        let mut raw = Self::connect(address).await;
        raw.send(&association_request(pdu_max)).await;
        raw.accepted().await;
        raw
    }
    async fn accepted(&mut self) {
        let Some(Pdu::AssociationAC(accept)) = self.pdu().await else { panic!("not accepted") };
        use PresentationContextResultReason::{AbstractSyntaxNotSupported, Acceptance};
        let reasons: Vec<_> = accept.presentation_contexts.into_iter().map(|context| context.reason).collect();
        assert_eq!(reasons, [Acceptance, Acceptance, AbstractSyntaxNotSupported]);
        assert!(accept.user_variables.contains(&UserVariableItem::MaxLength(131_072)));
    }
    async fn send(&mut self, bytes: &[u8]) {
        // A peer that has hung up already shows in what is read.
        let _ = self.0.write_all(bytes).await;
    }
    /// The next PDU with its header, or `None` at the end of the connection.
    async fn bytes(&mut self) -> Option<Vec<u8>> {
        let mut pdu = vec![0; 6];
        self.0.read_exact(&mut pdu).await.ok()?;
        let length = u32::from_be_bytes(pdu[2..6].try_into().unwrap());
        pdu.resize(6 + length as usize, 0);
        self.0.read_exact(&mut pdu[6..]).await.ok()?;
        Some(pdu)
    }
    async fn pdu(&mut self) -> Option<Pdu> {
        let bytes = self.bytes().await?;
        Some(read_pdu(bytes.as_slice(), 1 << 20, true).unwrap().unwrap())
    }
    /// The next command, whatever number of PDUs it comes in, and the longest of them.
    async fn response(&mut self) -> (CommandSet, usize) {
        let (mut command, mut longest) = (Vec::new(), 0);
        loop {
            let bytes = self.bytes().await.expect("a response");
            longest = longest.max(bytes.len() - 6);
            let Pdu::PData { data } = read_pdu(bytes.as_slice(), 1 << 20, true).unwrap().unwrap() else {
                panic!("not a response: {bytes:?}")
            };
            for value in data {
                command.extend_from_slice(&value.data);
                if value.is_last {
                    return (CommandSet::from_bytes(&command).unwrap(), longest);
                }
            }
        }
    }
    async fn status(&mut self) -> u16 {
        self.response().await.0.status.unwrap()
    }
    /// Source and reason of the A-ABORT that comes next.
    async fn aborted(&mut self) -> (u8, u8) {
        let bytes = self.bytes().await.expect("an abort");
        assert_eq!(bytes[0], 7, "not an abort: {bytes:?}");
        (bytes[8], bytes[9])
    }
    async fn closed(&mut self) {
        assert_eq!(self.bytes().await, None);
    }
}

fn limits(change: impl FnOnce(&mut Limits)) -> Limits {
    let mut limits = Limits::default();
    change(&mut limits);
    limits
}

fn ms(ms: u64) -> crate::config::units::Span {
    crate::config::units::Span::parse(&format!("{ms}ms")).unwrap()
}

#[tokio::test]
async fn what_does_not_begin_like_dicom_is_closed_at_once_without_a_word() {
    let service = Service::start(Dicom::default(), &Limits::default());
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
async fn a_silent_or_slow_caller_is_closed_by_artim() {
    let service = Service::start(Dicom::default(), &limits(|limits| limits.associate_timeout = ms(150)));
    let mut silent = Raw::connect(service.address).await;
    let mut slow = Raw::connect(service.address).await;
    slow.send(&association_request(0)[..40]).await;
    silent.closed().await;
    slow.closed().await;
    service.stop().await;
}

#[tokio::test]
async fn each_kind_of_nonsense_is_aborted_with_its_reason() {
    let service = Service::start(Dicom::default(), &Limits::default());
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
    let service = Service::start(Dicom::default(), &Limits::default());
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
    let service = Service::start(Dicom::default(), &Limits::default());
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
    let service = Service::start(Dicom::default(), &Limits::default());
    let mut raw = Raw::connect(service.address).await;
    raw.send(&[association_request(0), pdata(&[(1, 3, &echo(7))]), RELEASE.to_vec()].concat()).await;
    raw.accepted().await;
    assert_eq!(raw.response().await.0.message_id_being_responded_to, Some(7));
    assert_eq!(raw.pdu().await, Some(Pdu::ReleaseRP));
    service.stop().await;
}

#[tokio::test]
async fn a_request_that_cannot_be_served_is_told_why_and_the_association_goes_on() {
    let service = Service::start(Dicom::default(), &Limits::default());
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
    let service = Service::start(Dicom::default(), &Limits::default());
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
    let service = Service::start(Dicom::default(), &Limits::default());
    let mut raw = Raw::associated(service.address, 0).await;
    raw.send(&pdata(&[(3, 3, &store(1).to_bytes())])).await;
    raw.send(&pdata(&[(3, 2, &vec![0; (1 << 20) - 6])])).await;
    assert_eq!(raw.response().await.0.message_id_being_responded_to, Some(1));
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
        let service = Service::start(Dicom::default(), &limits);
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
    let service = Service::start(Dicom::default(), &limits(|limits| limits.half_open_per_address = 1));
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
    );
    let mut idle = Raw::associated(service.address, 0).await;
    assert_eq!(idle.aborted().await, (0, 0));
    let mut slow = Raw::associated(service.address, 0).await;
    slow.send(&pdata(&[(1, 3, &echo(1))])[..20]).await;
    assert_eq!(slow.aborted().await, (0, 0));
    service.stop().await;
}

#[tokio::test]
async fn an_association_has_an_end_even_when_it_is_busy() {
    let service = Service::start(Dicom::default(), &limits(|limits| limits.association_lifetime = ms(200)));
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
async fn stopping_ends_idle_associations_and_lets_an_instance_finish() {
    let service = Service::start(Dicom::default(), &Limits::default());
    let mut idle = Raw::associated(service.address, 0).await;
    let mut busy = Raw::associated(service.address, 0).await;
    let mut silent = Raw::connect(service.address).await;
    busy.send(&pdata(&[(3, 3, &store(4).to_bytes())])).await;
    busy.send(&pdata(&[(3, 0, b"ab")])).await;
    // An echo on the other association comes back only after the bytes above were sent.
    idle.send(&pdata(&[(1, 3, &echo(1))])).await;
    assert_eq!(idle.status().await, 0);
    let running = tokio::spawn(service.stop());
    assert_eq!(idle.aborted().await, (2, 0));
    drop(idle);
    silent.closed().await;
    assert!(!running.is_finished());
    busy.send(&pdata(&[(3, 2, b"cd")])).await;
    assert_eq!(busy.response().await.0.message_id_being_responded_to, Some(4));
    assert_eq!(busy.aborted().await, (2, 0));
    drop(busy);
    running.await.unwrap();
}

#[tokio::test]
async fn a_flood_after_an_abort_is_not_listened_to_for_ever() {
    let service = Service::start(Dicom::default(), &limits(|limits| limits.associate_timeout = ms(200)));
    let mut raw = Raw::associated(service.address, 0).await;
    raw.send(&[9, 0, 0, 0, 0, 4]).await;
    assert_eq!(raw.aborted().await, (2, 1));
    while raw.0.write_all(&[0; 65_536]).await.is_ok() {}
    service.stop().await;
}
