//! What became of one part, and which code says it: the one place where a failure of the intake becomes a
//! Failure Reason (PS3.18 §I.2.2).

use crate::archive::{InstanceUids, ReceiveError, Received};
use crate::domain::failure::Failure;
use crate::domain::uid::{SopClassUid, SopInstanceUid};

/// The answer to one part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Stored { class: SopClassUid, uids: InstanceUids, warning: Option<Failure> },
    Failed(Failed),
}

/// Why a part was not stored. Nothing of it is kept, except that a data set which cannot be understood
/// is held in quarantine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    /// As far as the part said it.
    pub class: Option<SopClassUid>,
    pub instance: Option<SopInstanceUid>,
    pub reason: Failure,
    /// For people. No value of the data set.
    pub comment: String,
}

impl Failed {
    pub fn new(reason: Failure, comment: impl Into<String>) -> Self {
        Self { class: None, instance: None, reason, comment: comment.into() }
    }
    pub fn of(mut self, class: Option<SopClassUid>, instance: Option<SopInstanceUid>) -> Self {
        (self.class, self.instance) = (class, instance);
        self
    }
}

impl From<&ReceiveError> for Failed {
    fn from(error: &ReceiveError) -> Self {
        use ReceiveError as E;
        let (reason, comment) = match error {
            E::NoSpace | E::Degraded | E::Store(_) | E::Index(_) | E::TooLarge | E::QuarantineFull => {
                (Failure::OUT_OF_RESOURCES, error.to_string())
            }
            E::Undecodable { cause, .. } => (Failure::CANNOT_UNDERSTAND, cause.to_string()),
            E::Mismatch { .. } | E::ConflictRejected => (Failure::DATA_SET_DOES_NOT_MATCH, error.to_string()),
            E::SyntaxNotNamed => (Failure::TRANSFER_SYNTAX_NOT_SUPPORTED, error.to_string()),
            E::ClassNotSupported => (Failure::SOP_CLASS_NOT_SUPPORTED, error.to_string()),
            E::OtherStudy => (Failure::OTHER_STUDY, error.to_string()),
            E::NotAuthorized => (Failure::NOT_AUTHORIZED, error.to_string()),
        };
        Self::new(reason, comment)
    }
}

/// The Warning Reason of an instance that was stored (PS3.18 §I.2.1).
pub fn warning(received: Received) -> Option<Failure> {
    match received {
        Received::New | Received::Duplicate => None,
        Received::Conflict { .. } => Some(Failure::DUPLICATE_KEPT_BESIDE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::Cause;
    use dicom_dictionary_std::tags;
    use std::sync::Arc;

    #[test]
    fn every_failure_has_the_reason_that_the_standard_gives_it() {
        let cause: Cause = Arc::new(std::fmt::Error);
        let cases = [
            (ReceiveError::NoSpace, 0xA700),
            (ReceiveError::Degraded, 0xA700),
            (ReceiveError::Index(cause.clone()), 0xA700),
            (ReceiveError::TooLarge, 0xA700),
            (ReceiveError::QuarantineFull, 0xA700),
            (ReceiveError::Undecodable { offending: None, cause }, 0xC000),
            (ReceiveError::Mismatch { offending: tags::SOP_CLASS_UID }, 0xA900),
            (ReceiveError::ConflictRejected, 0xA900),
            (ReceiveError::SyntaxNotNamed, 0xC122),
            (ReceiveError::ClassNotSupported, 0x0122),
            (ReceiveError::OtherStudy, 0xC409),
            (ReceiveError::NotAuthorized, 0x0124),
        ];
        for (error, code) in cases {
            let failed = Failed::from(&error);
            assert_eq!(failed.reason.code, code, "{error}");
            assert!(!failed.comment.is_empty());
        }
    }
}
