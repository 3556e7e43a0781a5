//! A client without manners: PDUs written and read byte by byte.

use super::*;
use crate::dimse::command::CommandSet;
use crate::domain::uid::{SopClassUid, SopInstanceUid};
use dicom_ul::pdu::{
    AssociationRQ, Pdu, PresentationContextProposed, PresentationContextResultReason, UserVariableItem, read_pdu,
    write_pdu,
};
use std::net::SocketAddr;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

pub(super) const VERIFICATION: &str = "1.2.840.10008.1.1";
pub(super) const CT: &str = "1.2.840.10008.5.1.4.1.1.2";
pub(super) const EXPLICIT: &str = "1.2.840.10008.1.2.1";
pub(super) const RELEASE: [u8; 10] = [5, 0, 0, 0, 0, 4, 0, 0, 0, 0];

/// Context 1 is Verification, 3 is CT, 5 is a query that will be refused.
pub(super) struct Raw<S = TcpStream>(pub S);

pub(super) fn association_request(pdu_max: u32) -> Vec<u8> {
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

pub(super) fn pdata(values: &[(u8, u8, &[u8])]) -> Vec<u8> {
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

pub(super) fn echo(message_id: u16) -> Vec<u8> {
    CommandSet::echo_request(message_id).to_bytes()
}

pub(super) fn store(message_id: u16) -> CommandSet {
    let class = SopClassUid::parse(CT).unwrap();
    CommandSet::store_request(message_id, &class, &SopInstanceUid::parse("1.2.3.9").unwrap())
}

impl Raw {
    pub async fn connect(address: SocketAddr) -> Self {
        Self(TcpStream::connect(address).await.unwrap())
    }
    pub async fn associated(address: SocketAddr, pdu_max: u32) -> Self {
        let mut raw = Self::connect(address).await;
        raw.send(&association_request(pdu_max)).await;
        raw.accepted().await;
        raw
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Raw<S> {
    pub async fn accepted(&mut self) {
        let Some(Pdu::AssociationAC(accept)) = self.pdu().await else { panic!("not accepted") };
        use PresentationContextResultReason::{AbstractSyntaxNotSupported, Acceptance};
        let reasons: Vec<_> = accept.presentation_contexts.into_iter().map(|context| context.reason).collect();
        assert_eq!(reasons, [Acceptance, Acceptance, AbstractSyntaxNotSupported]);
        assert!(accept.user_variables.contains(&UserVariableItem::MaxLength(131_072)));
    }
    pub async fn send(&mut self, bytes: &[u8]) {
        // A peer that has hung up already shows in what is read.
        let _ = self.0.write_all(bytes).await;
    }
    /// The next PDU with its header, or `None` at the end of the connection.
    pub async fn bytes(&mut self) -> Option<Vec<u8>> {
        let mut pdu = vec![0; 6];
        self.0.read_exact(&mut pdu).await.ok()?;
        let length = u32::from_be_bytes(pdu[2..6].try_into().unwrap());
        pdu.resize(6 + length as usize, 0);
        self.0.read_exact(&mut pdu[6..]).await.ok()?;
        Some(pdu)
    }
    pub async fn pdu(&mut self) -> Option<Pdu> {
        let bytes = self.bytes().await?;
        Some(read_pdu(bytes.as_slice(), 1 << 20, true).unwrap().unwrap())
    }
    /// The next command, whatever number of PDUs it comes in, and the longest of them.
    pub async fn response(&mut self) -> (CommandSet, usize) {
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
    pub async fn status(&mut self) -> u16 {
        self.response().await.0.status.unwrap()
    }
    /// Source and reason of the A-ABORT that comes next.
    pub async fn aborted(&mut self) -> (u8, u8) {
        let bytes = self.bytes().await.expect("an abort");
        assert_eq!(bytes[0], 7, "not an abort: {bytes:?}");
        (bytes[8], bytes[9])
    }
    pub async fn closed(&mut self) {
        assert_eq!(self.bytes().await, None);
    }
}

pub(super) fn limits(change: impl FnOnce(&mut Limits)) -> Limits {
    let mut limits = Limits::default();
    change(&mut limits);
    limits
}

pub(super) fn ms(ms: u64) -> crate::config::units::Span {
    crate::config::units::Span::parse(&format!("{ms}ms")).unwrap()
}
