//! JPEG written by libjpeg-turbo: baseline with 8 bits, and lossless with first-order prediction.

use super::DecodeError;
use super::native::Native;
use std::ffi::c_int;
use turbojpeg_sys as tj;

/// Baseline (Process 1): the chrominance of two neighbours is shared, as YBR_FULL_422 says.
pub(super) fn baseline(native: &Native, quality: u8) -> Result<Vec<u8>, DecodeError> {
    if native.width != 1 || native.declared.signed {
        return Err(DecodeError::Unsupported);
    }
    let colour = native.declared.samples == 3;
    let compressor = Compressor::open()?;
    compressor.set(tj::TJPARAM_TJPARAM_QUALITY, c_int::from(quality.clamp(1, 100)));
    let sampling = if colour { tj::TJSAMP_TJSAMP_422 } else { tj::TJSAMP_TJSAMP_GRAY };
    compressor.set(tj::TJPARAM_TJPARAM_SUBSAMP, sampling as c_int);
    let converted;
    let source = if colour && !native.declared.rgb {
        converted = rgb_of_ybr(&native.bytes);
        converted.as_slice()
    } else {
        native.bytes.as_ref()
    };
    compressor.write(native, |handle, [width, height, format], out, length| {
        // SAFETY: `write` hands over a live handle; the source has width x height pixels of the format.
        unsafe { tj::tj3Compress8(handle, source.as_ptr(), width, 0, height, format, out, length) }
    })
}

/// Lossless (Process 14, Selection Value 1).
pub(super) fn lossless(native: &Native) -> Result<Vec<u8>, DecodeError> {
    let precision = native.unsigned_precision();
    let compressor = Compressor::open()?;
    compressor.set(tj::TJPARAM_TJPARAM_LOSSLESS, 1);
    compressor.set(tj::TJPARAM_TJPARAM_LOSSLESSPSV, 1);
    compressor.set(tj::TJPARAM_TJPARAM_LOSSLESSPT, 0);
    compressor.set(tj::TJPARAM_TJPARAM_PRECISION, precision as c_int);
    let words = || native.bytes.chunks_exact(2).map(|two| u16::from_le_bytes([two[0], two[1]]));
    match (native.width, precision) {
        (1, ..=8) => compressor.write(native, |handle, [width, height, format], out, length| {
            // SAFETY: as above.
            unsafe { tj::tj3Compress8(handle, native.bytes.as_ptr(), width, 0, height, format, out, length) }
        }),
        (2, ..=12) => {
            let source: Vec<i16> = words().map(|word| word as i16).collect();
            compressor.write(native, |handle, [width, height, format], out, length| {
                // SAFETY: as above; samples fit their precision.
                unsafe { tj::tj3Compress12(handle, source.as_ptr(), width, 0, height, format, out, length) }
            })
        }
        (2, ..=16) => {
            let source: Vec<u16> = words().collect();
            compressor.write(native, |handle, [width, height, format], out, length| {
                // SAFETY: as above.
                unsafe { tj::tj3Compress16(handle, source.as_ptr(), width, 0, height, format, out, length) }
            })
        }
        _ => Err(DecodeError::Unsupported),
    }
}

/// PS3.3 §C.7.6.3.1.2: what libjpeg-turbo makes luminance and chrominance of again.
fn rgb_of_ybr(bytes: &[u8]) -> Vec<u8> {
    let pixel = |ybr: &[u8]| {
        let (y, b, r) = (f32::from(ybr[0]), f32::from(ybr[1]) - 128.0, f32::from(ybr[2]) - 128.0);
        [y + 1.402 * r, y - 0.344_136 * b - 0.714_136 * r, y + 1.772 * b].map(|value| value.round() as u8)
    };
    bytes.chunks_exact(3).flat_map(pixel).collect()
}

struct Compressor(tj::tjhandle);

impl Compressor {
    fn open() -> Result<Self, DecodeError> {
        // SAFETY: no argument but a constant; null is checked.
        let handle = unsafe { tj::tj3Init(tj::TJINIT_TJINIT_COMPRESS as c_int) };
        if handle.is_null() { Err(DecodeError::Unsupported) } else { Ok(Self(handle)) }
    }

    fn set(&self, parameter: tj::TJPARAM, value: c_int) {
        // SAFETY: a live handle and plain numbers; what is not taken shows in the next call.
        unsafe { tj::tj3Set(self.0, parameter as c_int, value) };
    }

    /// Calls `compress` with width, height and pixel format, and takes what the library allocated.
    fn write(
        &self,
        native: &Native,
        compress: impl FnOnce(tj::tjhandle, [c_int; 3], *mut *mut u8, *mut tj::size_t) -> c_int,
    ) -> Result<Vec<u8>, DecodeError> {
        let format = match native.declared.samples {
            1 => tj::TJPF_TJPF_GRAY,
            3 => tj::TJPF_TJPF_RGB,
            _ => return Err(DecodeError::Unsupported),
        };
        // Rows and Columns were checked against PIXELS_MAX.
        let size = [native.declared.columns as c_int, native.declared.rows as c_int, format as c_int];
        let (mut out, mut length) = (std::ptr::null_mut(), 0);
        let code = compress(self.0, size, &mut out, &mut length);
        // SAFETY: the buffer is the library's, `length` bytes long, and freed once.
        unsafe {
            let written = (code == 0 && !out.is_null())
                .then(|| std::slice::from_raw_parts(out.cast_const(), length as usize).to_vec());
            tj::tj3Free(out.cast());
            written.ok_or(DecodeError::Unsupported)
        }
    }
}

impl Drop for Compressor {
    fn drop(&mut self) {
        // SAFETY: opened by `open`, closed once.
        unsafe { tj::tj3Destroy(self.0) }
    }
}
