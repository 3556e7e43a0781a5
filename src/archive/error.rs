//! Why the archive did not do what it was asked. Doors turn these into codes: `scp/status.rs`,
//! `web/problem.rs`.

use crate::index::IndexError;
use crate::store::StoreError;
use dicom_core::Tag;
use std::error::Error;
use std::sync::Arc;

/// The cause of a failure that may answer several callers at once.
pub type Cause = Arc<dyn Error + Send + Sync>;

/// Why an instance was not taken in. Both doors read the same code from it: C-STORE Status
/// (PS3.4 §B.2.3) and STOW-RS Failure Reason (PS3.18 Annex I).
#[derive(Debug, Clone, thiserror::Error)]
pub enum ReceiveError {
    /// Too little free space, or the disk or the index is full (0xA700).
    #[error("no space left for more instances")]
    NoSpace,
    /// A sync failed earlier; nothing is taken in until the restart has re-checked the disk (0xA700).
    #[error("intake is stopped after a disk error")]
    Degraded,
    /// A disk operation failed (0xA700).
    #[error("instance file could not be written")]
    Store(#[source] Arc<StoreError>),
    /// The index did not take the row (0xA700).
    #[error("instance could not be indexed")]
    Index(#[source] Cause),
    /// `limits.instance_size` (0xA700: out of resources is all that PS3.4 offers).
    #[error("instance is larger than limits.instance_size")]
    TooLarge,
    /// The quarantine has reached `storage.quarantine_max` (0xA700).
    #[error("quarantine is full")]
    QuarantineFull,
    /// The data set is malformed, beyond a limit, or lacks a UID (0xC000). Its bytes are in quarantine,
    /// unless it never said which instance it is.
    #[error("data set cannot be understood")]
    Undecodable {
        offending: Option<Tag>,
        #[source]
        cause: Cause,
    },
    /// The data set says another SOP Class or SOP Instance UID than the command (0xA900). Its bytes are
    /// in quarantine.
    #[error("data set does not match the command")]
    Mismatch { offending: Tag },
    /// Pixel data is encapsulated, and its sender did not say in which transfer syntax (0xC122). Nothing is kept of it.
    #[error("pixel data is compressed and no transfer syntax is named")]
    SyntaxNotNamed,
    /// The SOP Class is not one we store (0x0122).
    #[error("SOP Class is not stored here")]
    ClassNotSupported,
    /// Same SOP Instance UID as a stored instance, other content, and the peer's entry says
    /// `conflict = "reject"` (0xA900).
    #[error("another instance with this SOP Instance UID is stored")]
    ConflictRejected,
    /// The instance belongs to another study than the one that it was offered for. Nothing is kept of it.
    #[error("instance belongs to another study")]
    OtherStudy,
    /// Its sender may only add to what they may see, and it is, or would come to be, something else (0x0124). Nothing
    /// of it is kept.
    #[error("instance is not of the patient or study that the caller is restricted to")]
    NotAuthorized,
}

impl From<StoreError> for ReceiveError {
    fn from(error: StoreError) -> Self {
        if error.is_no_space() { Self::NoSpace } else { Self::Store(Arc::new(error)) }
    }
}

/// Why stored bytes could not be handed out.
#[derive(Debug, thiserror::Error)]
pub enum RetrieveError {
    /// The row is there and the file is not, or it is shorter than recorded.
    #[error("instance file is missing or damaged")]
    Damaged,
    /// It was deleted between the look at its row and the look at its file.
    #[error("instance was deleted meanwhile")]
    Deleted,
    #[error("instance file could not be read")]
    Store(#[from] StoreError),
    #[error("index could not answer")]
    Index(#[source] Cause),
    #[error("instance has no such frame")]
    NoSuchFrame,
    /// Video and private codecs: frames cannot be addressed.
    #[error("frames of this instance cannot be told apart")]
    NotFramed,
    #[error("value is larger than what is read at once")]
    TooLarge,
    /// A deflated data set that does not inflate within its limits.
    #[error("stored data set cannot be decoded")]
    Undecodable,
}

/// Why nothing was deleted.
#[derive(Debug, thiserror::Error)]
pub enum RemoveError {
    /// A sync failed earlier; nothing is changed until the restart has re-checked the disk.
    #[error("the archive takes no changes after a disk error")]
    Degraded,
    #[error("index could not delete")]
    Index(#[from] IndexError),
}

/// Why the archive did not open.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    #[error("another bluebridge is running on this data_dir; stop it first, or give this one another data_dir")]
    Locked,
    #[error("data_dir cannot be used")]
    Store(#[from] StoreError),
    #[error("index cannot be read")]
    Index(#[source] Cause),
}
