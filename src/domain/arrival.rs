//! Where an instance came from, and how it stands to one that has its SOP Instance UID already.

use super::ae_title::AeTitle;
use std::net::IpAddr;

/// Who brings an instance. Kept with its row and in the audit trail.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Source {
    /// The name of the `[[dicom.peer]]` entry, or of the token.
    pub peer: Option<String>,
    pub calling_ae_title: Option<AeTitle>,
    pub called_ae_title: Option<AeTitle>,
    pub address: Option<IpAddr>,
}

/// How much a newcomer differs from the stored instance of the same SOP Instance UID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// All searchable attributes agree: another syntax, padding, group lengths.
    Info,
    /// Same study and patient, other content.
    Content,
    /// Another study or another patient.
    High,
}
