//! Reading a data set once, as it arrives: identity, searchable attributes, where the frames are, and the
//! compressed JSON, in one pass and in bounded memory.

mod image;
mod sink;

pub use super::walker::{Fault, Limit, ReadError, ReadLimits};

use super::instance::InstanceFacts;
use super::transfer_syntax::TransferSyntax;
use super::uid::{SopClassUid, SopInstanceUid};
use super::walker::Walker;
use dicom_core::Tag;
use sink::Sink;

/// One data set being read.
pub struct Reading {
    walker: Walker,
    sink: Sink,
}

impl Reading {
    pub fn new(syntax: &TransferSyntax, limits: ReadLimits) -> Self {
        Self { walker: Walker::new(syntax, limits), sink: Sink::new(syntax) }
    }

    /// Of a data set that was stored before, by whatever rules of admission: only what cannot be read is refused.
    pub fn of_stored(syntax: &TransferSyntax, limits: ReadLimits) -> Self {
        let mut reading = Self::new(syntax, limits);
        reading.sink.takes_fragments();
        reading
    }

    /// The next bytes of the data set as received, in portions of any size. After an error, every call
    /// returns that error.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<(), ReadError> {
        self.walker.feed(bytes, &mut self.sink)
    }

    /// Which instance it is, as soon as the data set has said both, or the attribute that is missing or
    /// ill-formed so far.
    pub fn named(&self) -> Result<(SopClassUid, SopInstanceUid), Tag> {
        self.sink.named()
    }

    /// Whether the data set may end behind the last byte taken: between two elements, of the data set itself.
    pub fn may_end(&self) -> bool {
        self.walker.may_end()
    }

    /// What the data set holds, when it was complete and names its instance.
    pub fn finish(mut self) -> Result<InstanceFacts, ReadError> {
        self.walker.finish()?;
        self.sink.finish()
    }
}

#[cfg(test)]
mod tests;
