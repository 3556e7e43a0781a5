//! What can go wrong with a link, told apart by what the caller can do about it. No variant holds a
//! token, a code or a value of a data set.

use crate::index::IndexError;
use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    #[error("no such study")]
    NoSuchStudy,
    #[error("no study of this patient is stored")]
    NoSuchPatient,
    /// All studies of a patient were asked for, and nothing says which those are.
    #[error(
        "the study has no Patient ID, so other studies of the same person cannot be found; grant a link for this study alone"
    )]
    NoPatientId,
    /// An instance of the study arrived with another patient or under another study.
    #[error("the study is part of a patient conflict; settle it before anyone is given a link")]
    PatientConflict,
    /// The studies under one Patient ID do not agree on family name and birth date.
    #[error("the studies under this patient ID do not agree on name and birth date; grant a link for one study")]
    PatientAmbiguous,
    /// (0010,0030) missing, invalid or a filler, and nothing else was to be asked.
    #[error("the study has no usable birth date; verify by a code instead")]
    NoBirthDate,
    #[error("a link may live at most {0}")]
    TooLong(crate::config::units::Span),
    #[error("a link must live longer than no time at all")]
    TooShort,
    #[error("no such link")]
    NoSuchLink,
    #[error("the link was revoked")]
    Revoked,
    #[error("the link key {path} cannot be used: {problem}")]
    Key { path: PathBuf, problem: &'static str },
    #[error("the link key {path} cannot be read or written")]
    KeyFile {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("the key that the link was made with is gone")]
    NoKey,
    #[error("the operating system gives no random numbers")]
    Random,
    #[error("a code could not be hashed")]
    Hash,
    #[error("the index does not answer")]
    Index(#[from] IndexError),
}

/// Fresh random bytes from the operating system.
pub(super) fn random<const N: usize>() -> Result<[u8; N], AccessError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| AccessError::Random)?;
    Ok(bytes)
}
