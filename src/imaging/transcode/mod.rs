//! An instance in another transfer syntax than the one it is stored in (PS3.18 §8.7.3.5), frame by frame: never
//! more than a few frames are in memory, however many there are. Frames are decoded and encoded behind the walls
//! of `imaging::worker`; the data set goes by as it is but for the attributes that follow its pixel data.

mod attributes;
mod frame;
mod stream;
mod target;
#[cfg(test)]
mod tests;

pub use target::Target;

use super::source::failed;
use super::{Imaging, ImagingError};
use crate::archive::{InstanceDetail, InstanceFile, InstanceRow, file_header};
use crate::domain::frames::locate;
use crate::domain::instance::{FrameTable, PixelFacts};
use crate::domain::pixel_data::PixelData;
use crate::domain::recode::{Edits, Recoder};
use crate::domain::transfer_syntax::{self, TransferSyntax};
use bytes::Bytes;
use frame::{Converted, Form};
use futures_util::stream::BoxStream;
use std::io;
use std::sync::Arc;
use tokio::sync::OwnedSemaphorePermit;

/// Answers that are transcoded at once: each may hold some frames while its reader takes them.
pub(super) const ANSWERS: usize = 64;

/// An instance on its way into another transfer syntax: its first frame is there.
pub struct Transcoded {
    imaging: Imaging,
    detail: Arc<InstanceDetail>,
    file: InstanceFile,
    stored: &'static TransferSyntax,
    head: Bytes,
    edits: Edits,
    /// None of an instance without Pixel Data, or whose native Pixel Data is passed on.
    pixels: Option<Pixels>,
    answer: OwnedSemaphorePermit,
}

struct Pixels {
    target: Target,
    form: Form,
    first: Bytes,
    frames: u32,
}

impl Imaging {
    /// Whether an instance can be had in `target`, as far as can be told without reading a frame.
    pub fn check(&self, pixels: &PixelFacts, target: Target) -> Result<(), ImagingError> {
        target.takes(pixels)?;
        // A data set that declares more frames than it has would be found out in the middle of an answer.
        let counted = match &pixels.frames {
            FrameTable::Encapsulated { frames } => frames.len() as u64 >= u64::from(pixels.number_of_frames),
            FrameTable::Native { .. } => true,
        };
        if matches!(pixels.frames, FrameTable::Encapsulated { .. }) {
            let frame_bits = u64::from(pixels.rows) * u64::from(pixels.columns) * u64::from(pixels.samples_per_pixel);
            fits(target, frame_bits.saturating_mul(pixels.bits_allocated.into()), pixels.number_of_frames)?;
        }
        match counted && locate(pixels, pixels.number_of_frames.saturating_sub(1)).is_some() {
            true => Ok(()),
            false => Err(ImagingError::Truncated),
        }
    }

    /// One frame (from 0) in `target`: a codestream, or native samples in little endian.
    pub async fn transcoded_frame(
        &self,
        detail: &InstanceDetail,
        frame: u32,
        target: Target,
    ) -> Result<Bytes, ImagingError> {
        Ok(self.converted(detail, frame, target).await?.bytes)
    }

    /// An instance in `target`, begun: its first frame was read, decoded and encoded.
    pub async fn transcoded(&self, row: &InstanceRow, target: Target) -> Result<Transcoded, ImagingError> {
        let answer = self.place(&self.answers, 1).await?;
        let detail = Arc::new(self.detail(row).await?);
        let stored = transfer_syntax::lookup(row.file.transfer_syntax_uid.as_str())
            .ok_or(ImagingError::Unsupported("its transfer syntax is not known"))?;
        let file = self.archive.open(&row.file).await.map_err(failed)?;
        let facts = detail.pixels.as_ref().filter(|_| !(stored.is_native() && target == Target::ExplicitLittle));
        let (pixels, edits) = match facts {
            None => (None, Edits::default()),
            Some(facts) => {
                self.check(facts, target)?;
                let Converted { bytes: first, form, was_lossy } = self.converted(&detail, 0, target).await?;
                let frames = facts.number_of_frames;
                // Samples may have come out wider than declared.
                fits(target, form.frame_bits, frames)?;
                let edits = attributes::edits(&detail, stored, target, &form, (first.len(), was_lossy)).await?;
                (Some(Pixels { target, form, first, frames }), edits)
            }
        };
        let syntax = if pixels.is_some() { target.syntax() } else { Target::ExplicitLittle.syntax() };
        let instance = match target.is_lossy() && pixels.is_some() {
            true => attributes::derived_uid(&row.uids.instance, target),
            false => row.uids.instance.clone(),
        };
        let head = file_header(&row.sop_class_uid, &instance, &syntax.uid()).into();
        Ok(Transcoded { imaging: self.clone(), detail, file, stored, head, edits, pixels, answer })
    }
}

/// Native pixel data has a length of 32 bits (PS3.5 §8.1.1); what is longer has only its compressed form.
fn fits(target: Target, frame_bits: u64, frames: u32) -> Result<(), ImagingError> {
    match target.encoder().is_some() || PixelData::native(frame_bits, frames, 8).is_some() {
        true => Ok(()),
        false => Err(ImagingError::NotEncodable {
            syntax: target.syntax().name,
            reason: "uncompressed its pixel data has more than 4 GiB; ask for transfer-syntax=*, or for its frames",
        }),
    }
}

impl Transcoded {
    /// Preamble, file meta and data set. An error in the middle is one of the stream: what came is no file.
    pub fn stream(self) -> BoxStream<'static, io::Result<Bytes>> {
        let limits = self.imaging.archive.read_limits();
        let recoder = match &self.pixels {
            Some(_) => Recoder::replacing_pixels(self.stored, limits, self.edits.clone()),
            None => Recoder::new(self.stored, limits),
        };
        stream::of(self, recoder)
    }
}
