//! The only way in. An instance is offered, streamed, and answered once it is durable.

use super::ReceiveError;
use crate::config::ConflictAnswer;
use crate::domain::arrival::{Severity, Source};
use crate::domain::transfer_syntax::TransferSyntax;
use crate::domain::uid::{SopClassUid, SopInstanceUid};

/// What a caller says about an instance before its first byte.
#[derive(Debug, Clone)]
pub struct Offer {
    pub source: Source,
    pub transfer_syntax: &'static TransferSyntax,
    /// From the C-STORE-RQ. The file meta is written ahead of the data set, so both UIDs must be known
    /// when it begins; an offer without them is refused as [`ReceiveError::Unidentified`].
    pub sop_class_uid: Option<SopClassUid>,
    pub sop_instance_uid: Option<SopInstanceUid>,
    /// What to answer when the UID is taken by other content.
    pub conflict: ConflictAnswer,
}

/// How an instance was taken in. Every variant is durable and is answered with success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Received {
    New,
    /// The same bytes are stored already.
    Duplicate,
    /// Kept beside the first one, which stays served.
    Conflict {
        severity: Severity,
    },
}

/// An instance on its way in. Blocking file I/O: use it from the association's own thread. Dropping it
/// removes what was written.
pub struct Intake {
    _part: (),
}

impl Intake {
    /// Takes the next bytes of the data set, in any chunking. After a data set turns out malformed it is
    /// still taken to its end, so that the quarantine holds all of it; errors here mean that nothing more
    /// is wanted.
    pub fn write(&mut self, _bytes: &[u8]) -> Result<(), ReceiveError> {
        Err(ReceiveError::Degraded)
    }
    /// Ends the data set. When this returns `Ok`, file, directory entry and row are durable.
    pub async fn finish(self) -> Result<Received, ReceiveError> {
        Err(ReceiveError::Degraded)
    }
}
