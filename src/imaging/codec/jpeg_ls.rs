//! JPEG-LS by CharLS, lossless and near-lossless.

use super::{Declared, DecodeError, Samples};
use charls_sys as ls;

unsafe extern "C" {
    /// In CharLS since 2.1; the bindings leave it out.
    fn charls_jpegls_decoder_get_interleave_mode(
        decoder: *const ls::charls_jpegls_decoder,
        mode: *mut ls::charls_interleave_mode,
    ) -> ls::charls_jpegls_errc;
}

pub(super) fn decode(declared: &Declared, bytes: &[u8]) -> Result<Samples, DecodeError> {
    let decoder = Decoder::open(bytes)?;
    let mut info = ls::charls_frame_info { width: 0, height: 0, bits_per_sample: 0, component_count: 0 };
    let mut interleave = ls::charls_interleave_mode_none;
    let mut length = 0;
    // SAFETY: a live decoder whose header was read, and places for what it tells.
    unsafe {
        checked(ls::charls_jpegls_decoder_get_frame_info(decoder.0, &mut info))?;
        checked(charls_jpegls_decoder_get_interleave_mode(decoder.0, &mut interleave))?;
        checked(ls::charls_jpegls_decoder_get_destination_size(decoder.0, 0, &mut length))?;
    }
    if (info.height, info.width, info.component_count) != (declared.rows, declared.columns, i32::from(declared.samples))
    {
        return Err(DecodeError::Mismatch);
    }
    let precision = u32::try_from(info.bits_per_sample).map_err(|_| DecodeError::Corrupt)?;
    let width = if precision <= 8 { 1 } else { 2 };
    if length != declared.count() * width {
        return Err(DecodeError::Mismatch);
    }
    let mut out = vec![0_u8; length];
    // SAFETY: `out` has as many bytes as the decoder asked for.
    checked(unsafe { ls::charls_jpegls_decoder_decode_to_buffer(decoder.0, out.as_mut_ptr().cast(), length, 0) })?;
    let mut samples = match width {
        1 => declared.samples_of(out.into_iter().map(i32::from), precision),
        // Samples stand as this machine writes them.
        _ => declared
            .samples_of(out.chunks_exact(2).map(|pair| i32::from(u16::from_ne_bytes([pair[0], pair[1]]))), precision),
    };
    samples.planar = declared.samples > 1 && interleave == ls::charls_interleave_mode_none;
    Ok(samples)
}

struct Decoder(*mut ls::charls_jpegls_decoder);

impl Decoder {
    /// `bytes` must outlive the decoder: both are locals of one function.
    fn open(bytes: &[u8]) -> Result<Self, DecodeError> {
        // SAFETY: null is checked before use; the source lives as said above.
        unsafe {
            let decoder = ls::charls_jpegls_decoder_create();
            if decoder.is_null() {
                return Err(DecodeError::Unsupported);
            }
            let decoder = Self(decoder);
            checked(ls::charls_jpegls_decoder_set_source_buffer(decoder.0, bytes.as_ptr().cast(), bytes.len()))?;
            checked(ls::charls_jpegls_decoder_read_header(decoder.0))?;
            Ok(decoder)
        }
    }
}

impl Drop for Decoder {
    fn drop(&mut self) {
        // SAFETY: made by `open`, destroyed once.
        unsafe { ls::charls_jpegls_decoder_destroy(self.0) }
    }
}

fn checked(code: ls::charls_jpegls_errc) -> Result<(), DecodeError> {
    match code {
        ls::charls_jpegls_errc_success => Ok(()),
        ls::charls_jpegls_errc_source_buffer_too_small => Err(DecodeError::Truncated),
        ls::charls_jpegls_errc_encoding_not_supported | ls::charls_jpegls_errc_parameter_value_not_supported => {
            Err(DecodeError::Unsupported)
        }
        _ => Err(DecodeError::Corrupt),
    }
}
