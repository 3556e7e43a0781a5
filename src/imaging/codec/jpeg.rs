//! JPEG by libjpeg-turbo: baseline, extended and progressive with 8 and 12 bits, lossless with 2 to 16.

use super::jpeg_header::Header;
use super::{Declared, DecodeError, Samples};
use crate::imaging::PIXELS_MAX;
use std::ffi::{CStr, c_int};
use turbojpeg_sys as tj;

/// Scans of a progressive stream beyond which it is a bomb.
const SCANS_MAX: c_int = 500;

pub(super) fn decode(declared: &Declared, bytes: &[u8]) -> Result<Samples, DecodeError> {
    let header = Header::read(bytes)?;
    // 0 to 3: Huffman coded; 9 and 10: arithmetic coded. The others are hierarchical or lossless arithmetic.
    if !matches!(header.process, 0..=3 | 9 | 10) || header.height == 0 {
        return Err(DecodeError::Unsupported);
    }
    let size = (u32::from(header.height), u32::from(header.width), header.components.len());
    if size != (declared.rows, declared.columns, usize::from(declared.samples)) {
        return Err(DecodeError::Mismatch);
    }
    let three = declared.samples == 3;
    let ybr = three && !header.is_lossless() && header.is_ybr(declared.rgb);
    let stream = header.rewritten(ybr);
    let (precision, lossy) = (u32::from(header.precision), !header.is_lossless());
    let mut samples = match precision {
        2..=8 => {
            let mut out = vec![0_u8; declared.count()];
            Decompressor::open()?.read(&stream, three, |handle, length, format| {
                // SAFETY: `read` hands over a live handle, the stream's length, and checked that the frame in
                // it has the size for which `out` was made.
                unsafe { tj::tj3Decompress8(handle, stream.as_ptr(), length, out.as_mut_ptr(), 0, format) }
            })?;
            declared.samples_of(out.into_iter().map(i32::from), precision, lossy)
        }
        9..=12 => {
            let mut out = vec![0_i16; declared.count()];
            Decompressor::open()?.read(&stream, three, |handle, length, format| {
                // SAFETY: as above.
                unsafe { tj::tj3Decompress12(handle, stream.as_ptr(), length, out.as_mut_ptr(), 0, format) }
            })?;
            declared.samples_of(out.into_iter().map(i32::from), precision, lossy)
        }
        13..=16 => {
            let mut out = vec![0_u16; declared.count()];
            Decompressor::open()?.read(&stream, three, |handle, length, format| {
                // SAFETY: as above.
                unsafe { tj::tj3Decompress16(handle, stream.as_ptr(), length, out.as_mut_ptr(), 0, format) }
            })?;
            declared.samples_of(out.into_iter().map(i32::from), precision, lossy)
        }
        _ => return Err(DecodeError::Unsupported),
    };
    // Lossy red, green and blue may stand in an object that says YBR_FULL_422; lossless samples are what the
    // data set says they are.
    samples.to_rgb = three && lossy;
    Ok(samples)
}

struct Decompressor(tj::tjhandle);

impl Decompressor {
    fn open() -> Result<Self, DecodeError> {
        // SAFETY: no argument but a constant; null is checked.
        let handle = unsafe { tj::tj3Init(tj::TJINIT_TJINIT_DECOMPRESS as c_int) };
        if handle.is_null() { Err(DecodeError::Unsupported) } else { Ok(Self(handle)) }
    }

    fn read(
        &self,
        stream: &[u8],
        three: bool,
        decompress: impl FnOnce(tj::tjhandle, tj::size_t, c_int) -> c_int,
    ) -> Result<(), DecodeError> {
        let length = stream.len() as tj::size_t;
        for (param, value) in [
            (tj::TJPARAM_TJPARAM_SCANLIMIT, SCANS_MAX),
            (tj::TJPARAM_TJPARAM_MAXPIXELS, PIXELS_MAX as c_int),
            (tj::TJPARAM_TJPARAM_SAVEMARKERS, 0),
        ] {
            // SAFETY: a live handle and plain numbers.
            unsafe { tj::tj3Set(self.0, param as c_int, value) };
        }
        // SAFETY: `stream` lives through the call.
        if unsafe { tj::tj3DecompressHeader(self.0, stream.as_ptr(), length) } != 0 {
            self.judged()?;
        }
        let format = if three { tj::TJPF_TJPF_RGB } else { tj::TJPF_TJPF_GRAY };
        if decompress(self.0, length, format as c_int) != 0 { self.judged() } else { Ok(()) }
    }

    /// An error is an error; of the warnings, those count that mean missing data.
    fn judged(&self) -> Result<(), DecodeError> {
        // SAFETY: a live handle; the library keeps the text until its next call.
        let (code, text) = unsafe { (tj::tj3GetErrorCode(self.0), CStr::from_ptr(tj::tj3GetErrorStr(self.0))) };
        let text = text.to_bytes();
        let names = |part: &[u8]| text.windows(part.len()).any(|window| window == part);
        if names(b"remature end") {
            Err(DecodeError::Truncated)
        } else if code == tj::TJERR_TJERR_WARNING as c_int {
            Ok(())
        } else if names(b"nsupported") {
            Err(DecodeError::Unsupported)
        } else {
            Err(DecodeError::Corrupt)
        }
    }
}

impl Drop for Decompressor {
    fn drop(&mut self) {
        // SAFETY: opened by `open`, closed once.
        unsafe { tj::tj3Destroy(self.0) }
    }
}
