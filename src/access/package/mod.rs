//! The package a patient downloads: a study, or several, or a part of one, as one ZIP that is never built.
//!
//! A package is a frozen ordered list of files whose sizes and checksums were recorded at ingest, so
//! its length, its entity tag and every byte range are arithmetic. Image files are opened when their
//! bytes are streamed and not before. Versions are kept in the index: the same version gives the same
//! bytes after a restart, and a new instance makes a new version, never other bytes of an old one.

mod build;
mod dicomdir;
pub mod error;
mod frozen;
mod keys;
mod pages;
mod plan;
mod record;
mod records;
mod service;
pub mod zip;

use crate::archive::Archive;
use crate::domain::instance::Selector;
use crate::domain::uid::StudyInstanceUid;
use bytes::Bytes;
pub use error::PackageError;
use frozen::{Frozen, Source};
use futures_util::stream::{self, Stream, StreamExt};
pub use service::Packages;
use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use zip::{Layout, Segment};

/// Which studies a package holds. `key` names what the package is of for as long as it may be asked for:
/// a study stays under its key, and so does a patient whose list of studies grows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    pub key: String,
    pub studies: Vec<StudyInstanceUid>,
    /// Only this series or instance of the study.
    part: Option<Selector>,
}

impl Scope {
    pub fn study(study: StudyInstanceUid) -> Self {
        Self { key: format!("study {study}"), studies: vec![study], part: None }
    }
    /// A study, or one series or instance of it.
    pub fn of(selector: &Selector) -> Self {
        let mut scope = Self::study(selector.study.clone());
        if let Some(series) = &selector.series {
            let instance = selector.instance.as_ref().map(|uid| format!(" instance {uid}")).unwrap_or_default();
            scope.key.push_str(&format!(" series {series}{instance}"));
            scope.part = Some(selector.clone());
        }
        scope
    }
    /// All studies that a patient link opens; `link` is the link's id.
    pub fn link(link: &str, studies: Vec<StudyInstanceUid>) -> Self {
        Self { key: format!("link {link}"), studies, part: None }
    }
    /// What of one of its studies is in it.
    fn within(&self, study: &StudyInstanceUid) -> Selector {
        let whole = || Selector { study: study.clone(), series: None, instance: None };
        self.part.clone().unwrap_or_else(whole)
    }
}

/// Of one file of a package, in memory.
const FILE_BYTES: usize = 400;

/// The bytes of a package, in order, in pieces of at most 256 KiB.
pub type PackageStream = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send + 'static>>;

/// One frozen version of a package.
pub struct Package {
    archive: Archive,
    version: i64,
    created_at_ms: i64,
    /// The studies in it.
    studies: Vec<StudyInstanceUid>,
    etag: String,
    layout: Layout,
    sources: Vec<Source>,
}

impl Package {
    fn new(
        archive: Archive,
        version: i64,
        created_at_ms: i64,
        studies: Vec<StudyInstanceUid>,
        frozen: Frozen,
    ) -> Result<Self, PackageError> {
        let (etag, layout) = (frozen.etag(), frozen.layout()?);
        let sources = frozen.files.into_iter().map(|file| file.source).collect();
        Ok(Self { archive, version, created_at_ms, studies, etag, layout, sources })
    }

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
    pub fn studies(&self) -> &[StudyInstanceUid] {
        &self.studies
    }
    /// About how many bytes it holds in memory: what was made for it, and of every file a place, paths and sums.
    fn weight(&self) -> usize {
        let made = |source: &Source| if let Source::Made(bytes) = source { bytes.len() } else { 0 };
        self.sources.iter().map(|source| FILE_BYTES + made(source)).sum()
    }
    /// DICOM instances in the package.
    pub fn instances(&self) -> usize {
        self.files().count()
    }
    /// The paths of their files.
    fn files(&self) -> impl Iterator<Item = &str> {
        self.sources.iter().filter_map(|source| match source {
            Source::Instance(file) => Some(file.path.as_str()),
            Source::Made(_) => None,
        })
    }

    /// Bytes `range` of the ZIP, clipped to its end. One file is open at a time, and at most one chunk is
    /// held. A file that is missing or damaged ends the stream with an error.
    pub fn stream(self: &Arc<Self>, range: Range<u64>) -> PackageStream {
        let end = range.end.min(self.len());
        let start = (self.clone(), range.start, end);
        let segments = stream::unfold(start, |(package, at, end)| async move {
            let segment = package.layout.segment_at(at, end)?;
            let next = at + segment.len();
            let bytes = package.segment(segment).await;
            // After an error nothing that follows would be in its place.
            let next = if bytes.is_ok() { next } else { end };
            let bytes = bytes.unwrap_or_else(|error| stream::once(async { Err(error) }).boxed());
            Some((bytes, (package, next, end)))
        });
        segments.flatten().boxed()
    }

    async fn segment(&self, segment: Segment) -> io::Result<PackageStream> {
        let (entry, range) = match segment {
            Segment::Inline(bytes) => return Ok(stream::once(async { Ok(bytes) }).boxed()),
            Segment::File { entry, range } => (entry, range),
        };
        match self.sources.get(entry) {
            Some(Source::Made(bytes)) => {
                let range = usize::try_from(range.start).ok().zip(usize::try_from(range.end).ok());
                let bytes = range.and_then(|(from, to)| (to <= bytes.len()).then(|| bytes.slice(from..to)));
                let bytes = bytes.ok_or(io::ErrorKind::UnexpectedEof)?;
                Ok(stream::once(async { Ok(bytes) }).boxed())
            }
            Some(Source::Instance(file)) => {
                let file = self.archive.open(file).await.map_err(io::Error::other)?;
                Ok(file.stream(range).boxed())
            }
            None => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

#[cfg(test)]
mod tests;
