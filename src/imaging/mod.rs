//! Frames to pictures: the display transformation and encoding of native pixel data, in this process
//! (PS3.3 §C.7.6.3, §C.11.1, §C.11.2). Promises a picture that a reader of the modality would
//! recognise, or an error that says why there is none. Knows no person, no link and no route.

pub mod attributes;
pub mod error;

use crate::domain::instance::PixelFacts;
pub use attributes::DisplayAttributes;
use bytes::Bytes;
pub use error::ImagingError;

/// The most pixels a frame may have to be shown: 40 megapixels, beyond any detector we know of.
pub const PIXELS_MAX: u64 = 40_000_000;

/// An encoded picture: JPEG, or PNG where the frame has one bit per pixel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    pub bytes: Bytes,
    pub media_type: &'static str,
    pub width: u32,
    pub height: u32,
}

/// One native frame as a picture whose longer edge is at most `max_edge`. `frame` begins with the
/// frame's first bit and is little endian. `display` comes from the instance's DICOM JSON metadata.
/// Takes processor time in proportion to the frame: call it from a blocking task.
pub fn picture(
    pixels: &PixelFacts,
    frame: &[u8],
    display: &DisplayAttributes,
    max_edge: u32,
) -> Result<Picture, ImagingError> {
    let _ = (pixels, frame, display, max_edge);
    Err(ImagingError::Unsupported("photometric interpretation"))
}
