//! A picture of what is stored: one frame of an instance, or the one that shows a series best.

use super::codec::{Codec, Declared};
use super::{Decoders, DisplayAttributes, ImagingError, PIXELS_MAX, Picture, Program, Shape, picture};
use crate::archive::{Archive, InstanceDetail, RetrieveError};
use crate::config::Limits;
use crate::domain::instance::{FrameTable, PixelFacts, Selector};
use crate::domain::transfer_syntax::{self, Encoding, Frames};
use bytes::Bytes;
use dicom_core::VR;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Frames shown at the same time: each takes a core and some hundred megabytes at most.
const SHOWN_AT_ONCE: usize = 4;
/// JSON beyond which display attributes are not looked for.
const TEXT_MAX: u64 = 64 << 20;
/// The largest look-up table: 65,536 entries of 16 bits.
const TABLE_MAX: usize = 1 << 18;
/// Instances asked for their pixels before a series counts as having none to show.
const TRIES: usize = 16;

/// Pictures of what the archive holds; clones share their decoders.
#[derive(Clone)]
pub struct Imaging {
    archive: Archive,
    decoders: Decoders,
    showing: Arc<Semaphore>,
}

/// Whether frames of a transfer syntax can be made into pictures.
pub fn is_shown(uid: &str) -> bool {
    transfer_syntax::lookup(uid).is_some_and(|syntax| syntax.is_native() || syntax.uid == UNCOMPRESSED)
        || Codec::of(uid).is_some()
}

/// Encapsulated Uncompressed Explicit VR Little Endian: native frames in fragments (PS3.5 §A.4.11).
const UNCOMPRESSED: &str = "1.2.840.10008.1.2.1.98";

impl Imaging {
    /// Starts no decoder yet.
    pub fn new(archive: Archive, limits: &Limits) -> Self {
        Self::with_program(archive, Program::own(limits), limits)
    }

    /// With decoders that are started by `program`.
    pub fn with_program(archive: Archive, program: Program, limits: &Limits) -> Self {
        let decoders = Decoders::new(program, limits);
        Self { archive, decoders, showing: Arc::new(Semaphore::new(SHOWN_AT_ONCE)) }
    }

    /// The picture of a series: the middle frame of its middle instance that can be shown. When it has
    /// none, `NothingToShow`, or why the last one tried could not be shown.
    pub async fn first_picture(&self, series: &Selector, max_edge: u32) -> Result<Picture, ImagingError> {
        let rows = self.archive.instances(series).await.map_err(failed)?;
        let candidates: Vec<_> = rows
            .iter()
            .filter(|row| row.number_of_frames > 0 && is_shown(row.file.transfer_syntax_uid.as_str()))
            .collect();
        let middle = candidates.len() / 2;
        let outwards = (0..candidates.len())
            .map(|step| if step % 2 == 0 { middle + step / 2 } else { middle.wrapping_sub(step.div_ceil(2)) });
        let mut last = match rows.iter().any(|row| row.number_of_frames > 0) {
            true if candidates.is_empty() => ImagingError::Unsupported("no decoder for its transfer syntax"),
            _ => ImagingError::NothingToShow,
        };
        for row in outwards.filter_map(|at| candidates.get(at)).take(TRIES) {
            let selector = Selector {
                study: row.uids.study.clone(),
                series: Some(row.uids.series.clone()),
                instance: Some(row.uids.instance.clone()),
            };
            match self.frame_picture(&selector, row.number_of_frames / 2, max_edge).await {
                Err(error @ (ImagingError::Archive(_) | ImagingError::Encode(_))) => return Err(error),
                Err(error) => last = error,
                picture => return picture,
            }
        }
        Err(last)
    }

    /// Frame `frame` (from 0) of an instance.
    pub async fn frame_picture(&self, instance: &Selector, frame: u32, max_edge: u32) -> Result<Picture, ImagingError> {
        let detail = self.archive.instance(instance).await.map_err(failed)?.ok_or(ImagingError::NothingToShow)?;
        let _showing = self.showing.acquire().await.map_err(failed)?;
        let (pixels, bytes) = self.samples(&detail, frame).await?;
        let display = display(&self.archive, &detail, frame).await?;
        tokio::task::spawn_blocking(move || picture(&pixels, &bytes, &display, max_edge)).await.map_err(failed)?
    }

    /// The samples of a frame in little endian, decoded when they are compressed, and what they mean.
    async fn samples(&self, detail: &InstanceDetail, frame: u32) -> Result<(PixelFacts, Bytes), ImagingError> {
        let mut pixels = detail.pixels.clone().ok_or(ImagingError::NothingToShow)?;
        let uid = detail.row.file.transfer_syntax_uid.as_str();
        // Whatever cannot be shown is refused before a byte of it is read.
        let shape = Shape::of(&pixels)?;
        let native = shape.frame_bytes().saturating_add(1).min(PIXELS_MAX as usize * 12);
        let encapsulated = matches!(pixels.frames, FrameTable::Encapsulated { .. });
        let codec = match (encapsulated, transfer_syntax::lookup(uid).map(|syntax| syntax.frames)) {
            (false, _) => None,
            (true, Some(Frames::Video)) => return Err(ImagingError::Unsupported("a frame of a video")),
            (true, _) if uid == UNCOMPRESSED => None,
            (true, _) => Some(Codec::of(uid).ok_or(ImagingError::Unsupported("no decoder for its transfer syntax"))?),
        };
        // What compression made larger than twice its frame is no frame.
        let cap = if codec.is_some() { native.saturating_mul(2).saturating_add(1 << 20) } else { native };
        let bytes = self.archive.frame(detail, frame, cap).await.map_err(|error| match error {
            RetrieveError::NoSuchFrame => ImagingError::NoSuchFrame,
            RetrieveError::NotFramed => ImagingError::Unsupported("its frames cannot be told apart"),
            error => failed(error),
        })?;
        pixels.frames = FrameTable::Native { frame_bits: 0 };
        let Some(codec) = codec else { return Ok((pixels, bytes)) };
        let samples = self.decoders.decode(codec, declared(&pixels, &shape), bytes).await?;
        pixels.element = 0x0010;
        pixels.bits_allocated = samples.bits_allocated;
        pixels.bits_stored = samples.bits_stored;
        // Decoders give values, not bit fields: the lowest bit is bit 0.
        pixels.high_bit = if samples.bits_allocated == 1 { 0 } else { samples.bits_stored.saturating_sub(1) };
        pixels.planar_configuration = u16::from(samples.planar);
        pixels.photometric_interpretation = match pixels.photometric_interpretation.trim() {
            // The transformations of JPEG 2000 and JPEG XL are undone with the compression (PS3.3 §C.7.6.3.1.2).
            "YBR_ICT" | "YBR_RCT" | "XYB" => "RGB",
            _ if samples.to_rgb => "RGB",
            // What was shared by neighbours is now with each pixel.
            "YBR_FULL_422" => "YBR_FULL",
            other => other,
        }
        .into();
        Ok((pixels, samples.bytes.into()))
    }
}

fn declared(pixels: &PixelFacts, shape: &Shape) -> Declared {
    Declared {
        rows: shape.height,
        columns: shape.width,
        samples: shape.samples,
        bits_allocated: shape.bits_allocated,
        bits_stored: shape.bits_stored,
        signed: shape.signed,
        planar: shape.planar,
        rgb: pixels.photometric_interpretation.trim() == "RGB",
    }
}

async fn display(archive: &Archive, detail: &InstanceDetail, frame: u32) -> Result<DisplayAttributes, ImagingError> {
    let metadata = detail.metadata.clone();
    let read = move || DisplayAttributes::from_json(&metadata.text(TEXT_MAX).map_err(failed)?, frame);
    let mut display = tokio::task::spawn_blocking(read).await.map_err(failed)??;
    for place in display.elsewhere() {
        if let Some(bytes) = table(archive, detail, &place).await? {
            display.supply(&place, &bytes);
        }
    }
    Ok(display)
}

/// A look-up table that is bulk data, in little endian. That of a deflated data set has no place in the
/// file: the picture will say that it is missing.
async fn table(archive: &Archive, detail: &InstanceDetail, place: &str) -> Result<Option<Vec<u8>>, ImagingError> {
    let file = &detail.row.file;
    let encoding = transfer_syntax::lookup(file.transfer_syntax_uid.as_str()).map(|syntax| syntax.encoding);
    let (Some(value), false) = (detail.metadata.bulk_value(place), encoding == Some(Encoding::DeflatedExplicitLittle))
    else {
        return Ok(None);
    };
    let start = u64::from(file.dataset_offset);
    let (Some(from), Some(to)) = (start.checked_add(value.value.start), start.checked_add(value.value.end)) else {
        return Ok(None);
    };
    let open = archive.open(file).await.map_err(failed)?;
    let mut bytes = open.read_exact_at(from..to, TABLE_MAX).await.map_err(failed)?.to_vec();
    if encoding == Some(Encoding::ExplicitBig) && value.vr != VR::OB {
        bytes.chunks_exact_mut(2).for_each(|word| word.swap(0, 1));
    }
    Ok(Some(bytes))
}

fn failed(error: impl std::error::Error + Send + Sync + 'static) -> ImagingError {
    ImagingError::Archive(Box::new(error))
}
