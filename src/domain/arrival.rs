//! Where an instance came from, and how it stands to one that has its SOP Instance UID already.

use super::ae_title::AeTitle;
use std::net::IpAddr;
use ulid::Ulid;

/// Who brings an instance. Kept with its row and in the audit trail.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Source {
    /// The name of the `[[dicom.peer]]` entry.
    pub peer: Option<String>,
    pub calling_ae_title: Option<AeTitle>,
    pub called_ae_title: Option<AeTitle>,
    pub address: Option<IpAddr>,
    /// Who uploaded it, as far as they are known.
    pub uploader: Option<Uploader>,
}

/// A caller over HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Uploader {
    /// The number of an access token.
    Token(Ulid),
    /// The name of a `[[web.client]]`.
    Certificate(String),
    /// The pseudonym of an OpenID Connect subject.
    Subject([u8; 8]),
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
