//! Frames to pictures: decoding in a walled-off child process, then the display transformation and
//! encoding in this one (PS3.3 §C.7.6.3, §C.11.1, §C.11.2). Promises a picture that a reader of the
//! modality would recognise, or an error that says why there is none; whatever a frame does to its
//! decoder, this process goes on. Knows no person, no link and no route.

mod animation;
mod annotation;
pub mod attributes;
mod cache;
mod choose;
mod codec;
mod colour;
mod encode;
pub mod error;
mod grey;
mod icc;
mod json;
mod letters;
mod lut;
mod overlay;
mod plate;
mod samples;
mod source;
mod transcode;
pub mod view;
pub mod worker;

use crate::domain::instance::PixelFacts;
pub use annotation::Annotation;
pub use attributes::DisplayAttributes;
use bytes::Bytes;
pub use choose::Chosen;
pub use codec::DecodeError;
use colour::Model;
use encode::Raster;
pub use error::ImagingError;
pub use icc::ColourSpace;
use samples::Shape;
pub use source::{Imaging, is_shown};
pub use transcode::{Target, Transcoded};
pub use view::{Format, View, Viewport};
pub use worker::{DecodeFailure, Decoders, Program};

/// The most pixels a frame may have to be shown: 40 megapixels, beyond any detector we know of.
pub const PIXELS_MAX: u64 = 40_000_000;

/// Goes up when a stored frame becomes other samples, another picture or another codestream than by the release before:
/// it is part of the ETags by which browsers keep them.
pub const WRITER: u32 = 2;

/// An encoded picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    pub bytes: Bytes,
    pub media_type: &'static str,
    pub width: u32,
    pub height: u32,
}

/// One frame as a picture. `frame` begins with the frame's first bit and is native and little endian.
/// `display` comes from the instance's DICOM JSON metadata. Takes processor time in proportion to the
/// frame: call it from a blocking task.
pub fn picture(
    pixels: &PixelFacts,
    frame: &[u8],
    display: &DisplayAttributes,
    view: &View,
) -> Result<Picture, ImagingError> {
    let raster = raster(pixels, frame, display, view)?;
    let (raster, profile) = icc::managed(raster, view.space, display.profile.as_deref())?;
    raster.encoded(view.format, view.quality, profile)
}

/// Whether frames are shades of grey; without the interpretation one sample is grey, and three are red, green and blue.
fn is_grey(pixels: &PixelFacts) -> bool {
    match pixels.photometric_interpretation.trim() {
        "MONOCHROME1" | "MONOCHROME2" => true,
        "" => pixels.samples_per_pixel != 3,
        _ => false,
    }
}

fn raster(pixels: &PixelFacts, frame: &[u8], display: &DisplayAttributes, view: &View) -> Result<Raster, ImagingError> {
    let shape = Shape::of(pixels)?;
    let interpretation = pixels.photometric_interpretation.trim();
    let colour = match interpretation {
        _ if is_grey(pixels) => false,
        "" | "RGB" | "YBR_FULL" | "YBR_FULL_422" | "YBR_PARTIAL_422" | "PALETTE COLOR" => true,
        _ => return Err(ImagingError::Unsupported("photometric interpretation")),
    };
    let bytes = match interpretation {
        "PALETTE COLOR" => colour::palette(&shape, frame, display)?,
        "YBR_FULL" => colour::render(&shape, frame, Model::YbrFull)?,
        "YBR_FULL_422" => colour::render(&shape, frame, Model::YbrFull422)?,
        "YBR_PARTIAL_422" => colour::render(&shape, frame, Model::YbrPartial422)?,
        _ if colour => colour::render(&shape, frame, Model::Rgb)?,
        _ if shape.samples != 1 => return Err(ImagingError::Unsupported("a grey image with three samples per pixel")),
        _ => {
            // Presentation LUT Shape decides over the photometric interpretation (PS3.3 §C.11.6).
            let inverted = display.inverse.unwrap_or(interpretation == "MONOCHROME1");
            grey::render(&shape, frame, display, (view.window, view.span), inverted)?
        }
    };
    let mut raster = Raster { width: shape.width, height: shape.height, colour, bytes };
    display.overlays.iter().for_each(|overlay| overlay.paint(&mut raster, &shape, frame));
    let mut raster = view.of(raster, display.aspect.unwrap_or(1.0), display.whole)?;
    display.labels.paint(&mut raster);
    Ok(raster)
}

#[cfg(test)]
mod tests;
