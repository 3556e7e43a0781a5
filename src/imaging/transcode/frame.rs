//! One frame from its stored form into that of a target.

use super::Target;
use crate::archive::InstanceDetail;
use crate::domain::instance::PixelFacts;
use crate::imaging::codec::{self, Declared};
use crate::imaging::samples::Shape;
use crate::imaging::source::{Samples, declared, failed};
use crate::imaging::{Imaging, ImagingError};
use bytes::Bytes;

/// What the Image Pixel attributes say of a converted frame; the same for all frames of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Form {
    pub samples: u16,
    pub photometric_interpretation: String,
    pub planar_configuration: u16,
    pub bits_allocated: u16,
    pub bits_stored: u16,
    pub high_bit: u16,
    /// Before it was encoded.
    pub frame_bits: u64,
}

/// A frame in the form of a target.
pub(super) struct Converted {
    pub bytes: Bytes,
    pub form: Form,
    /// Its stored form had lost something already.
    pub was_lossy: bool,
}

impl Imaging {
    pub(super) async fn converted(
        &self,
        detail: &InstanceDetail,
        frame: u32,
        target: Target,
    ) -> Result<Converted, ImagingError> {
        let facts = detail.pixels.as_ref().ok_or(ImagingError::NothingToShow)?;
        target.takes(facts)?;
        let Samples { pixels, bytes, decoded, values, lossy, room } = self.samples(detail, frame, None).await?;
        let shape = Shape::of(&pixels)?;
        let mut form = form(facts, &pixels, &shape, values);
        let native = bytes.get(..shape.frame_bytes()).ok_or(ImagingError::Truncated)?.len();
        let bytes = bytes.slice(..native);
        let interpretation = pixels.photometric_interpretation.trim();
        let mut shape = declared(&pixels, &shape);
        // In fields of bits that begin above bit 0 an encoder takes those below with them.
        shape.bits_stored = form.bits_stored.max(form.high_bit.saturating_add(1));
        let converted = match target.encoder() {
            Some(encoder) => {
                form.planar_configuration = 0;
                form.photometric_interpretation = target.interpretation(interpretation, form.samples).into();
                self.decoders.encode(encoder, shape, bytes).await?
            }
            None if decoded => {
                form.planar_configuration = 0;
                tokio::task::spawn_blocking(move || plain(&shape, bytes, values)).await.map_err(failed)?
            }
            None => bytes,
        };
        drop(room);
        Ok(Converted { bytes: converted, form, was_lossy: lossy })
    }
}

/// Bits are said to be stored as the data set says, unless the decoder gave wider samples.
fn form(facts: &PixelFacts, pixels: &PixelFacts, shape: &Shape, values: bool) -> Form {
    let kept = pixels.bits_allocated == facts.bits_allocated && (1..=facts.bits_allocated).contains(&facts.bits_stored);
    let bits_stored = if kept { facts.bits_stored } else { pixels.bits_stored };
    Form {
        samples: pixels.samples_per_pixel,
        photometric_interpretation: pixels.photometric_interpretation.trim().into(),
        planar_configuration: pixels.planar_configuration,
        bits_allocated: pixels.bits_allocated,
        bits_stored,
        // Decoders give values, not bit fields: the lowest bit is bit 0.
        high_bit: if values { bits_stored.saturating_sub(1) } else { facts.high_bit },
        frame_bits: shape.area() as u64 * u64::from(pixels.samples_per_pixel) * u64::from(pixels.bits_allocated),
    }
}

/// Samples of a pixel side by side; signed `values` with their sign in every bit above those that are stored, as
/// readers of native data expect it. In fields of bits something else may stand there, and stays.
fn plain(shape: &Declared, bytes: Bytes, values: bool) -> Bytes {
    let spare = shape.bits_allocated.saturating_sub(shape.bits_stored);
    let extends = values && shape.signed && spare > 0;
    if !shape.planar && !extends {
        return bytes;
    }
    let mut out = codec::woven(shape, &bytes);
    if extends {
        match shape.bits_allocated {
            8 => out.iter_mut().for_each(|byte| *byte = ((*byte as i8) << spare >> spare) as u8),
            16 => out.chunks_exact_mut(2).for_each(|two| {
                let value = i16::from_le_bytes([two[0], two[1]]) << spare >> spare;
                two.copy_from_slice(&value.to_le_bytes());
            }),
            _ => {}
        }
    }
    out.into()
}
