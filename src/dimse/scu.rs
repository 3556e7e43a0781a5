//! Service Class User: asks for an association, sends C-ECHO and C-STORE, releases.

use crate::domain::ae_title::AeTitle;
use crate::domain::uid::{SopClassUid, SopInstanceUid, TransferSyntaxUid};
use std::io::Read;
use std::net::SocketAddr;
use std::time::Duration;

/// A proposal: one abstract syntax with the transfer syntaxes it may come in. Each (abstract, transfer)
/// pair is proposed as a presentation context of its own, so that the acceptor decides about each.
#[derive(Debug, Clone)]
pub struct Proposal {
    pub sop_class_uid: SopClassUid,
    pub transfer_syntaxes: Vec<TransferSyntaxUid>,
}

#[derive(Debug, Clone)]
pub struct ScuSettings {
    pub calling_ae_title: AeTitle,
    pub called_ae_title: AeTitle,
    pub proposals: Vec<Proposal>,
    /// For connecting, for the answer to A-ASSOCIATE-RQ and to each command.
    pub timeout: Duration,
}

/// Status of a response (PS3.7 Annex C) with its comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    pub code: u16,
    pub comment: Option<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum ScuError {
    #[error(transparent)]
    Net(#[from] crate::net::NetError),
}

/// An established association, as its requestor.
pub struct Scu {
    _private: (),
}

impl Scu {
    pub async fn connect(address: SocketAddr, settings: ScuSettings) -> Result<Self, ScuError> {
        let _ = crate::net::connect(address, settings.timeout).await?;
        Ok(Self { _private: () })
    }
    /// C-ECHO (PS3.7 §9.1.5).
    pub async fn echo(&mut self) -> Result<Status, ScuError> {
        Ok(Status { code: 0x0122, comment: None })
    }
    /// C-STORE (PS3.7 §9.1.1) of an encoded data set without file meta. The accepted context for exactly
    /// this class and syntax is used.
    pub async fn store(
        &mut self,
        _sop_class_uid: &SopClassUid,
        _sop_instance_uid: &SopInstanceUid,
        _transfer_syntax_uid: &TransferSyntaxUid,
        _dataset: impl Read,
    ) -> Result<Status, ScuError> {
        Ok(Status { code: 0x0122, comment: None })
    }
    pub async fn release(self) -> Result<(), ScuError> {
        Ok(())
    }
}
