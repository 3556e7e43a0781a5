//! Deflated Image Frame Compression (PS3.5 §A.4.13): a native frame behind raw deflate (RFC 1951).

use super::{Declared, DecodeError, Samples};
use flate2::{Decompress, FlushDecompress};

pub(super) fn decode(declared: &Declared, bytes: &[u8]) -> Result<Samples, DecodeError> {
    let length = (declared.count() * usize::from(declared.bits_allocated)).div_ceil(8);
    let mut out = Vec::with_capacity(length);
    // Never more than the frame's own length is inflated; what follows is padding.
    let mut inflater = Decompress::new(false);
    inflater.decompress_vec(bytes, &mut out, FlushDecompress::Finish).map_err(|_| DecodeError::Corrupt)?;
    out.truncate(length);
    if out.len() < length {
        return Err(DecodeError::Truncated);
    }
    Ok(Samples {
        bytes: out,
        bits_allocated: declared.bits_allocated,
        bits_stored: declared.bits_stored,
        planar: declared.planar,
        to_rgb: false,
        lossy: false,
        precision: declared.bits_allocated,
    })
}

#[cfg(test)]
mod tests {
    use super::super::declared;
    use super::*;
    use std::io::Write;

    #[test]
    fn a_frame_inflates_to_its_own_length() {
        let deflated = |bytes: &[u8]| {
            let mut writer = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
            writer.write_all(bytes).unwrap();
            writer.finish().unwrap()
        };
        assert_eq!(decode(&declared(9, 1, 1, 1), &deflated(&[0xFF, 1, 0])).unwrap().bytes, [0xFF, 1]);
        assert_eq!(decode(&declared(2, 1, 1, 16), &deflated(&[1, 2, 3, 4])).unwrap().bytes, [1, 2, 3, 4]);
        assert_eq!(decode(&declared(2, 2, 1, 16), &deflated(&[1, 2])).unwrap_err(), DecodeError::Truncated);
        assert_eq!(decode(&declared(2, 2, 1, 16), &[0xFF; 9]).unwrap_err(), DecodeError::Corrupt);
    }
}
