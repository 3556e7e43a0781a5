//! What of the archive is there for a caller who may not see all of it.

use super::phi::Phi;
use super::uid::StudyInstanceUid;
use std::sync::Arc;

/// A study has to satisfy every part that is present. Studies in which instances of two patients were found
/// satisfy none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Restriction {
    /// One of these.
    pub studies: Option<Arc<[StudyInstanceUid]>>,
    /// Of this patient.
    pub patient: Option<Patient>,
}

/// A patient as an authority names them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patient {
    /// Patient ID (0010,0020), to the letter.
    pub id: Phi<String>,
    /// Issuer of Patient ID (0010,0021); `None` is any.
    pub issuer: Option<Phi<String>>,
}

impl Restriction {
    pub fn to_studies(studies: impl IntoIterator<Item = StudyInstanceUid>) -> Self {
        Self { studies: Some(studies.into_iter().collect()), patient: None }
    }
}
