//! What the display transformation needs to know besides the Image Pixel Module, read out of the
//! stored DICOM JSON (PS3.18 Annex F).

use super::error::ImagingError;

/// Window, rescale, look-up tables, padding and aspect of one frame.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DisplayAttributes {}

impl DisplayAttributes {
    /// Reads the attributes that hold for `frame` (from 0) out of one instance's DICOM JSON object:
    /// top-level ones, and for enhanced multi-frame those of the functional groups (PS3.3 §C.7.6.16).
    pub fn from_json(json: &[u8], frame: u32) -> Result<Self, ImagingError> {
        let _ = (json, frame);
        Ok(Self::default())
    }
}
