//! Why an association ended otherwise than by release.

use super::machine::OutOfPlace;
use super::message::MessageFault;
use super::pdu::PduFault;
use dicom_ul::pdu::AssociationRJ;
use std::io;

/// The time that ran out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Timer {
    #[error("the association request or its answer took too long (ARTIM)")]
    Artim,
    #[error("one PDU took too long")]
    Pdu,
    #[error("nothing came for too long")]
    Idle,
    #[error("the association lived too long")]
    Lifetime,
    #[error("the peer does not read")]
    Write,
}

#[derive(Debug, thiserror::Error)]
pub enum AssociationError {
    #[error("the first byte {0:#04x} is not that of an association request")]
    NotDicom(u8),
    #[error("{0}; aborted")]
    Fault(#[from] PduFault),
    #[error("{0}; aborted")]
    Message(#[from] MessageFault),
    #[error("{0}")]
    TimedOut(Timer),
    #[error("aborted by the peer (source {source_code}, reason {reason})")]
    Aborted { source_code: u8, reason: u8 },
    #[error("rejected by the peer: {}", rejection(.0))]
    Rejected(AssociationRJ),
    #[error("the peer closed the connection")]
    Closed,
    #[error("connection lost")]
    Io(#[from] io::Error),
    #[error(transparent)]
    OutOfPlace(#[from] OutOfPlace),
}

fn rejection(reject: &AssociationRJ) -> String {
    use dicom_ul::pdu::AssociationRJResult;
    let lasting = match reject.result {
        AssociationRJResult::Permanent => "permanently",
        AssociationRJResult::Transient => "for the moment",
    };
    format!("{}, {lasting}", reject.source)
}
