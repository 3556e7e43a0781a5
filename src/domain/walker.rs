//! The bounded walk over an encoded data set (PS3.5 §7).
//!
//! Bytes are pushed in as they arrive, in portions of any size, and come out as [`Event`]s. There is no
//! recursion: open sequences and items stand on a stack of limited depth. No declared length is trusted
//! or allocated from: it must fit into what holds it, and values are handed through, not kept.
//!
//! Real devices deviate from PS3.5, and what they send must be kept all the same. Where the standard is
//! silent or broken, the walk reads as pydicom does, so that our JSON equals that of the library that
//! most of the field uses; each such place says so.

mod error;
mod header;
mod inflate;
mod steps;

pub use error::{Fault, Limit, ReadError};
pub use header::{Element, Length, Syntax};

use super::transfer_syntax::{Encoding, TransferSyntax};
use dicom_core::Tag;
use inflate::Inflater;
use steps::Steps;

pub const ITEM: Tag = Tag(0xFFFE, 0xE000);
pub const ITEM_DELIMITATION: Tag = Tag(0xFFFE, 0xE00D);
pub const SEQUENCE_DELIMITATION: Tag = Tag(0xFFFE, 0xE0DD);
pub const PIXEL_DATA: Tag = Tag(0x7FE0, 0x0010);

/// The bounds of one walk, from `[limits]` of the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadLimits {
    /// Sequences within sequences.
    pub sequence_depth: u32,
    /// Elements, items and fragments, wherever they stand.
    pub elements: u32,
    /// Bytes of a deflated data set after inflating.
    pub inflated_size: u64,
    /// Bytes after inflating for one before, once 1 MiB came out.
    pub inflated_ratio: u32,
}

impl Default for ReadLimits {
    fn default() -> Self {
        Self { sequence_depth: 64, elements: 2_000_000, inflated_size: 256 << 20, inflated_ratio: 100 }
    }
}

/// What the walk meets. Offsets count from the first byte of the (inflated) data set.
#[derive(Debug)]
pub enum Event<'a> {
    /// An element with a value of its own; [`Event::Bytes`] follow, then [`Event::End`].
    Element(&'a Element),
    /// A portion of the value, or of the fragment, that is open.
    Bytes(&'a [u8]),
    End,
    Sequence(&'a Element),
    SequenceEnd,
    Item,
    ItemEnd,
    /// An encapsulated value (PS3.5 §A.4): [`Event::Fragment`]s follow, the first of them is the Basic
    /// Offset Table, then [`Event::FragmentsEnd`].
    Fragments(&'a Element),
    /// Bytes and End follow. The offset is that of the fragment's first byte, after its item header.
    Fragment {
        offset: u64,
        length: u32,
    },
    /// The offset is that of the sequence delimiter.
    FragmentsEnd {
        offset: u64,
    },
}

/// Sees the events of a walk; an error ends it.
pub trait Visitor {
    fn event(&mut self, event: Event<'_>) -> Result<(), ReadError>;
}

/// The state of one walk.
pub struct Walker {
    inflater: Option<Box<Inflater>>,
    steps: Steps,
    failed: Option<ReadError>,
}

impl Walker {
    pub fn new(syntax: &TransferSyntax, limits: ReadLimits) -> Self {
        let deflated = syntax.encoding == Encoding::DeflatedExplicitLittle;
        Self {
            inflater: deflated.then(|| Box::new(Inflater::new(&limits))),
            steps: Steps::new(Syntax::of(syntax.encoding), limits),
            failed: None,
        }
    }

    /// Takes the next bytes as received. After an error every call returns that error.
    pub fn feed(&mut self, bytes: &[u8], visitor: &mut impl Visitor) -> Result<(), ReadError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let steps = &mut self.steps;
        let result = match &mut self.inflater {
            None => steps.feed(bytes, visitor),
            Some(inflater) => inflater.feed(bytes, |inflated| steps.feed(inflated, visitor)),
        };
        result.inspect_err(|error| self.failed = Some(*error))
    }

    /// Whether the data set may end behind the last byte taken. Not asked of a deflated one, whose end is in itself.
    pub fn may_end(&self) -> bool {
        self.failed.is_none() && self.inflater.is_none() && self.steps.may_end()
    }

    /// The data set must be complete.
    pub fn finish(&mut self) -> Result<(), ReadError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        if let Some(inflater) = &self.inflater {
            inflater.finish()?;
        }
        self.steps.finish()
    }
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
