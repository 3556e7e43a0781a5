//! A body as a list of pieces whose lengths are known before any file is opened: text, and ranges of
//! stored files. So Content-Length, and a Range over the whole, are arithmetic; each file is opened when
//! its turn comes and read in chunks.

use super::transform;
use crate::access::package::Package;
use crate::archive::{Archive, InstanceDetail, InstanceFile, InstanceRow, RetrieveError};
use crate::domain::byte_order::Words;
use crate::domain::instance::StoredFile;
use crate::domain::reading::ReadLimits;
use crate::domain::transfer_syntax::TransferSyntax;
use crate::imaging::{DecodeFailure, Imaging, ImagingError, Target, Transcoded, View};
use axum::body::Body;
use bytes::Bytes;
use futures_util::stream::{BoxStream, StreamExt};
use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::sync::Arc;

/// A stored file, open already or to be opened.
#[derive(Debug, Clone)]
pub enum Handle {
    Open(InstanceFile),
    Closed(StoredFile),
}

/// One piece.
pub enum Segment {
    Literal(Bytes),
    /// Bytes of the file as they are.
    File(Handle, Range<u64>),
    /// Big endian bytes of the file, in little endian.
    Swapped(Handle, Words, Range<u64>),
    /// A range of the inflated data set of a deflated file.
    Inflated {
        file: Handle,
        dataset_offset: u64,
        range: Range<u64>,
    },
    /// Bytes of a study's package.
    Package(Arc<Package>, Range<u64>),
    /// The whole file as Explicit VR Little Endian; its length is not known before.
    Rewritten(Box<Rewritten>),
    /// An instance's first frame, rendered when its turn comes; its length is not known before.
    Picture(Box<Picturing>),
    /// Pieces that are looked up when their turn comes; how many, is not known before.
    Coming(BoxStream<'static, io::Result<Segments>>),
    /// An instance in another transfer syntax; its length is not known before.
    Transcoded(Box<Transcoding>),
    /// A frame in another transfer syntax, made when its turn comes.
    Frame(Box<Framing>),
}

impl Segment {
    fn length(&self) -> Option<u64> {
        match self {
            Self::Literal(bytes) => Some(bytes.len() as u64),
            Self::File(_, range)
            | Self::Swapped(_, _, range)
            | Self::Inflated { range, .. }
            | Self::Package(_, range) => Some(range.end.saturating_sub(range.start)),
            Self::Rewritten(_) | Self::Picture(_) | Self::Transcoded(_) | Self::Frame(_) | Self::Coming(_) => None,
        }
    }
    /// The part of it from `from` to `to`, counted from its first byte.
    fn slice(self, from: u64, to: u64) -> Self {
        let within = |range: Range<u64>| range.start + from..range.start + to;
        match self {
            Self::Literal(bytes) => Self::Literal(bytes.slice(from as usize..to as usize)),
            Self::File(file, range) => Self::File(file, within(range)),
            Self::Swapped(file, words, range) => Self::Swapped(file, words, within(range)),
            Self::Package(package, range) => Self::Package(package, within(range)),
            Self::Inflated { file, dataset_offset, range } => {
                Self::Inflated { file, dataset_offset, range: within(range) }
            }
            whole
            @ (Self::Rewritten(_) | Self::Picture(_) | Self::Transcoded(_) | Self::Frame(_) | Self::Coming(_)) => whole,
        }
    }
}

/// What rewriting a file needs.
#[derive(Debug, Clone)]
pub struct Rewritten {
    pub file: Handle,
    pub syntax: &'static TransferSyntax,
    pub limits: ReadLimits,
    /// Preamble and file meta of the new form.
    pub head: Bytes,
    pub dataset_offset: u64,
}

/// What rendering an instance needs, and the head of its part.
#[derive(Clone)]
pub struct Picturing {
    pub imaging: Imaging,
    pub row: InstanceRow,
    pub view: View,
    pub head: String,
}

/// What transcoding an instance needs; begun already where it was the first of an answer.
pub struct Transcoding {
    pub imaging: Imaging,
    pub row: InstanceRow,
    pub target: Target,
    pub begun: Option<Transcoded>,
}

/// What transcoding a frame needs.
pub struct Framing {
    pub imaging: Imaging,
    pub detail: Arc<InstanceDetail>,
    /// From 0.
    pub frame: u32,
    pub target: Target,
}

/// Pieces in order.
#[derive(Default)]
pub struct Segments(VecDeque<Segment>);

impl Segments {
    pub fn push(&mut self, segment: Segment) {
        self.0.push_back(segment);
    }
    pub fn text(&mut self, text: impl Into<Bytes>) {
        self.push(Segment::Literal(text.into()));
    }
    pub fn append(&mut self, mut others: Self) {
        self.0.append(&mut others.0);
    }
    /// `None` when a piece is rewritten on the way.
    pub fn length(&self) -> Option<u64> {
        self.0.iter().try_fold(0_u64, |sum, segment| sum.checked_add(segment.length()?))
    }
    /// The bytes of `range`. Every length must be known.
    pub fn slice(self, range: Range<u64>) -> Self {
        let mut at = 0_u64;
        let mut kept = VecDeque::new();
        for segment in self.0 {
            let length = segment.length().unwrap_or(0);
            let (from, to) = (range.start.max(at), range.end.min(at.saturating_add(length)));
            if from < to {
                kept.push_back(segment.slice(from - at, to - at));
            }
            at = at.saturating_add(length);
        }
        Self(kept)
    }

    /// Streams the pieces. A fault in the middle ends the connection: a short body must not look whole.
    pub fn into_body(mut self, archive: &Archive) -> Body {
        if self.0.iter().all(|segment| matches!(segment, Segment::Literal(_))) {
            return match self.0.len() {
                0 => Body::empty(),
                1 => self.0.pop_front().map_or_else(Body::empty, |only| match only {
                    Segment::Literal(bytes) => Body::from(bytes),
                    _ => Body::empty(),
                }),
                _ => Body::from_stream(futures_util::stream::iter(self.0.into_iter().filter_map(
                    |segment| match segment {
                        Segment::Literal(bytes) => Some(io::Result::Ok(bytes)),
                        _ => None,
                    },
                ))),
            };
        }
        let start = Sending { archive: archive.clone(), waiting: self.0, current: None };
        Body::from_stream(futures_util::stream::try_unfold(start, Sending::next))
    }
}

struct Sending {
    archive: Archive,
    waiting: VecDeque<Segment>,
    current: Option<BoxStream<'static, io::Result<Bytes>>>,
}

impl Sending {
    async fn next(mut self) -> io::Result<Option<(Bytes, Self)>> {
        loop {
            if let Some(current) = &mut self.current {
                match current.next().await {
                    Some(chunk) => return Ok(Some((chunk.inspect_err(note)?, self))),
                    None => self.current = None,
                }
            }
            match self.waiting.pop_front() {
                None => return Ok(None),
                Some(Segment::Literal(bytes)) => return Ok(Some((bytes, self))),
                Some(Segment::Coming(mut coming)) => {
                    if let Some(segments) = coming.next().await {
                        self.waiting.push_front(Segment::Coming(coming));
                        segments?.0.into_iter().rev().for_each(|segment| self.waiting.push_front(segment));
                    }
                }
                Some(segment) => self.current = Some(start(&self.archive, segment).await.inspect_err(note)?),
            }
        }
    }
}

type Chunks = BoxStream<'static, io::Result<Bytes>>;

async fn start(archive: &Archive, segment: Segment) -> io::Result<Chunks> {
    Ok(match segment {
        Segment::Literal(bytes) => futures_util::stream::iter([Ok(bytes)]).boxed(),
        // Its pieces have been taken in its place.
        Segment::Coming(_) => futures_util::stream::empty().boxed(),
        Segment::File(file, range) => open(archive, file).await?.stream(range).boxed(),
        Segment::Swapped(file, words, range) => {
            let around = words.around(&range);
            transform::swapped(open(archive, file).await?.stream(around), words, range).boxed()
        }
        Segment::Inflated { file, dataset_offset, range } => {
            let file = open(archive, file).await?;
            transform::inflated(file.stream(dataset_offset..file.size_bytes()), range).boxed()
        }
        Segment::Package(package, range) => package.stream(range),
        Segment::Picture(what) => match what.imaging.rendered(&what.row, 0, &what.view).await {
            Ok(picture) => futures_util::stream::iter([Ok(what.head.into()), Ok(picture.bytes)]).boxed(),
            Err(ImagingError::Archive(error)) => return Err(io::Error::other(error)),
            // It is an image, and would be there when asked again.
            Err(error @ (ImagingError::Busy | ImagingError::NotDecoded(DecodeFailure::Unavailable))) => {
                return Err(io::Error::other(error));
            }
            Err(error) => {
                tracing::info!(%error, "an instance is left out of a rendered answer");
                futures_util::stream::empty().boxed()
            }
        },
        Segment::Transcoded(what) => match what.begun {
            Some(begun) => begun.stream(),
            None => what.imaging.transcoded(&what.row, what.target).await.map_err(io::Error::other)?.stream(),
        },
        Segment::Frame(what) => {
            let frame = what.imaging.transcoded_frame(&what.detail, what.frame, what.target).await;
            futures_util::stream::iter([Ok(frame.map_err(io::Error::other)?)]).boxed()
        }
        Segment::Rewritten(what) => {
            let file = open(archive, what.file).await?;
            let dataset = file.stream(what.dataset_offset..file.size_bytes());
            transform::rewritten(dataset, what.syntax, what.limits, what.head).boxed()
        }
    })
}

async fn open(archive: &Archive, file: Handle) -> io::Result<InstanceFile> {
    match file {
        Handle::Open(file) => Ok(file),
        Handle::Closed(stored) => archive.open(&stored).await.map_err(io::Error::other),
    }
}

/// The headers are gone: the log is the only place left to say it.
fn note(error: &io::Error) {
    let deleted = |cause: &(dyn std::error::Error + Send + Sync + 'static)| match cause.downcast_ref() {
        Some(ImagingError::Archive(cause)) => matches!(cause.downcast_ref(), Some(RetrieveError::Deleted)),
        _ => matches!(cause.downcast_ref(), Some(RetrieveError::Deleted)),
    };
    if error.get_ref().is_some_and(deleted) {
        // Somebody wanted that; what breaks off here is not to look complete.
        tracing::info!("a body ended early: what it was to hold was deleted");
        return;
    }
    tracing::error!(error = %error, "a body ended early: an instance could not be read or transcoded");
}
