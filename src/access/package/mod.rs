//! The package a patient downloads: a study, or several, as one ZIP that is never built (design D8).
//!
//! A package is a frozen ordered list of files whose sizes and checksums were recorded at ingest, so
//! its length, its entity tag and every byte range are arithmetic. Image files are opened when their
//! bytes are streamed and not before.

pub mod error;
mod records;
pub mod zip;

use crate::domain::instance::StoredFile;
use crate::domain::uid::StudyInstanceUid;
use bytes::Bytes;
pub use error::PackageError;
use futures_util::Stream;
use std::io;
use std::pin::Pin;
use zip::Layout;

/// Which studies a package holds. `key` names what the package is of for as long as it may be asked for:
/// a study stays under its key, and so does a patient whose list of studies grows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    pub key: String,
    pub studies: Vec<StudyInstanceUid>,
}

impl Scope {
    pub fn study(study: StudyInstanceUid) -> Self {
        Self { key: format!("study {study}"), studies: vec![study] }
    }
    /// All studies that a patient link opens; `link` is the link's id.
    pub fn link(link: &str, studies: Vec<StudyInstanceUid>) -> Self {
        Self { key: format!("link {link}"), studies }
    }
}

/// The bytes of a package, in order, in pieces of at most 256 KiB.
pub type PackageStream = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send + 'static>>;

/// Where the bytes of one file of the package are.
#[derive(Debug, Clone)]
enum Source {
    Instance(StoredFile),
    Frozen(Bytes),
}

/// One frozen version of a package.
#[derive(Debug)]
pub struct Package {
    version: i64,
    created_at_ms: i64,
    etag: String,
    layout: Layout,
    sources: Vec<Source>,
}

impl Package {
    /// The exact length of the ZIP in bytes.
    #[expect(clippy::len_without_is_empty, reason = "a package without files is never made")]
    pub fn len(&self) -> u64 {
        self.layout.length()
    }
    /// The strong entity tag without its quotes: hex SHA-256 of the frozen list.
    pub fn etag(&self) -> &str {
        &self.etag
    }
    /// Counts up within a scope; for the audit trail.
    pub fn version(&self) -> i64 {
        self.version
    }
    /// For `Last-Modified`: when this version was frozen.
    pub fn last_modified_ms(&self) -> i64 {
        self.created_at_ms
    }
    /// DICOM instances in the package.
    pub fn instances(&self) -> usize {
        self.sources.iter().filter(|source| matches!(source, Source::Instance(_))).count()
    }
}
