//! Our errors to DIMSE Status: the one place. A new variant does not compile until someone has chosen
//! its code.

use crate::archive::ReceiveError;
use crate::dimse::command::CommandSet;
use crate::domain::failure::Failure;
use dicom_core::Tag;
use dicom_dictionary_std::tags;

/// What a response says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub comment: Option<String>,
    pub offending: Option<Tag>,
}

impl Answer {
    pub const SUCCESS: Self = Self { status: 0x0000, comment: None, offending: None };

    pub fn refused(failure: Failure, comment: &str) -> Self {
        Self { status: failure.code, comment: Some(comment.to_owned()), offending: None }
    }
    pub fn offending(mut self, tag: Tag) -> Self {
        self.offending = Some(tag);
        self
    }
    pub fn to(&self, request: &CommandSet) -> CommandSet {
        let response = CommandSet::response(request, self.status).with_offending(self.offending);
        match &self.comment {
            Some(comment) => response.with_comment(comment),
            None => response,
        }
    }
}

/// C-STORE Status of an instance that was not taken in (PS3.4 §B.2.3). Error texts hold no value of the
/// data set, so they may travel as Error Comment.
pub fn of(error: &ReceiveError) -> Answer {
    match error {
        ReceiveError::NoSpace
        | ReceiveError::Degraded
        | ReceiveError::Store(_)
        | ReceiveError::Index(_)
        | ReceiveError::TooLarge
        | ReceiveError::QuarantineFull => Answer::refused(Failure::OUT_OF_RESOURCES, &error.to_string()),
        ReceiveError::Undecodable { offending, cause } => {
            Answer { offending: *offending, ..Answer::refused(Failure::CANNOT_UNDERSTAND, &cause.to_string()) }
        }
        // C-STORE has a transfer syntax by its presentation context.
        ReceiveError::SyntaxNotNamed => Answer::refused(Failure::CANNOT_UNDERSTAND, &error.to_string()),
        ReceiveError::Mismatch { offending } => {
            Answer::refused(Failure::DATA_SET_DOES_NOT_MATCH, &error.to_string()).offending(*offending)
        }
        ReceiveError::ClassNotSupported => {
            Answer::refused(Failure::SOP_CLASS_NOT_SUPPORTED, &error.to_string()).offending(tags::SOP_CLASS_UID)
        }
        ReceiveError::ConflictRejected => {
            Answer::refused(Failure::DATA_SET_DOES_NOT_MATCH, &error.to_string()).offending(tags::SOP_INSTANCE_UID)
        }
        ReceiveError::NotAuthorized => Answer::refused(Failure::NOT_AUTHORIZED, &error.to_string()),
        ReceiveError::OtherStudy => {
            Answer::refused(Failure::CANNOT_UNDERSTAND, &error.to_string()).offending(tags::STUDY_INSTANCE_UID)
        }
    }
}

/// Whether a person must look at it: the fault is ours, not the sender's.
pub fn is_our_fault(error: &ReceiveError) -> bool {
    of(error).status == Failure::OUT_OF_RESOURCES.code
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn every_reason_has_the_code_that_the_standard_gives_it() {
        let cause: crate::archive::Cause = Arc::new(std::fmt::Error);
        let cases = [
            (ReceiveError::NoSpace, 0xA700, None),
            (ReceiveError::Degraded, 0xA700, None),
            (ReceiveError::Index(cause.clone()), 0xA700, None),
            (ReceiveError::TooLarge, 0xA700, None),
            (ReceiveError::QuarantineFull, 0xA700, None),
            (
                ReceiveError::Undecodable { offending: Some(tags::STUDY_INSTANCE_UID), cause },
                0xC000,
                Some(tags::STUDY_INSTANCE_UID),
            ),
            (ReceiveError::Mismatch { offending: tags::SOP_CLASS_UID }, 0xA900, Some(tags::SOP_CLASS_UID)),
            (ReceiveError::ClassNotSupported, 0x0122, Some(tags::SOP_CLASS_UID)),
            (ReceiveError::ConflictRejected, 0xA900, Some(tags::SOP_INSTANCE_UID)),
            (ReceiveError::OtherStudy, 0xC000, Some(tags::STUDY_INSTANCE_UID)),
            (ReceiveError::NotAuthorized, 0x0124, None),
        ];
        for (error, status, offending) in cases {
            let answer = of(&error);
            assert_eq!((answer.status, answer.offending), (status, offending), "{error}");
            assert!(answer.comment.is_some());
        }
    }
}
