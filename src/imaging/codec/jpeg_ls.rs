//! JPEG-LS by CharLS, lossless and near-lossless.

use super::native::Native;
use super::{Declared, DecodeError, Samples};
use charls_sys as ls;

unsafe extern "C" {
    /// In CharLS since 2.1; the bindings leave it out.
    fn charls_jpegls_decoder_get_interleave_mode(
        decoder: *const ls::charls_jpegls_decoder,
        mode: *mut ls::charls_interleave_mode,
    ) -> ls::charls_jpegls_errc;
    /// The same of NEAR.
    fn charls_jpegls_decoder_get_near_lossless(
        decoder: *const ls::charls_jpegls_decoder,
        component: i32,
        near: *mut i32,
    ) -> ls::charls_jpegls_errc;
}

pub(super) fn decode(declared: &Declared, bytes: &[u8]) -> Result<Samples, DecodeError> {
    let decoder = Decoder::open(bytes)?;
    let mut info = ls::charls_frame_info { width: 0, height: 0, bits_per_sample: 0, component_count: 0 };
    let mut interleave = ls::charls_interleave_mode_none;
    let (mut length, mut near) = (0, 0);
    // SAFETY: a live decoder whose header was read, and places for what it tells.
    unsafe {
        checked(ls::charls_jpegls_decoder_get_frame_info(decoder.0, &mut info))?;
        checked(charls_jpegls_decoder_get_interleave_mode(decoder.0, &mut interleave))?;
        checked(charls_jpegls_decoder_get_near_lossless(decoder.0, 0, &mut near))?;
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
    let lossy = near > 0;
    let mut samples = match width {
        1 => declared.samples_of(out.into_iter().map(i32::from), precision, lossy),
        // Samples stand as this machine writes them.
        _ => {
            let values = out.chunks_exact(2).map(|pair| i32::from(u16::from_ne_bytes([pair[0], pair[1]])));
            declared.samples_of(values, precision, lossy)
        }
    };
    samples.planar = declared.samples > 1 && interleave == ls::charls_interleave_mode_none;
    Ok(samples)
}

/// `near` is how far a value may be off; 0 is without loss.
pub(super) fn encode(native: &Native, near: u8) -> Result<Vec<u8>, DecodeError> {
    let precision = native.unsigned_precision();
    if native.width > 2 || precision > 16 {
        return Err(DecodeError::Unsupported);
    }
    // Rows and Columns were checked against PIXELS_MAX.
    let info = ls::charls_frame_info {
        width: native.declared.columns,
        height: native.declared.rows,
        bits_per_sample: precision as i32,
        component_count: i32::from(native.declared.samples),
    };
    let interleave =
        if native.declared.samples == 1 { ls::charls_interleave_mode_none } else { ls::charls_interleave_mode_sample };
    // Samples of two bytes are read as this machine writes them.
    let words: Vec<u8>;
    let source = match native.width {
        2 if cfg!(target_endian = "big") => {
            words = native.bytes.chunks_exact(2).flat_map(|two| [two[1], two[0]]).collect();
            &words
        }
        _ => native.bytes.as_ref(),
    };
    let encoder = Encoder::open()?;
    let mut size = 0;
    // SAFETY: a live encoder and places for what it tells.
    unsafe {
        checked(ls::charls_jpegls_encoder_set_frame_info(encoder.0, &info))?;
        checked(ls::charls_jpegls_encoder_set_near_lossless(encoder.0, i32::from(near)))?;
        checked(ls::charls_jpegls_encoder_set_interleave_mode(encoder.0, interleave))?;
        checked(ls::charls_jpegls_encoder_get_estimated_destination_size(encoder.0, &mut size))?;
    }
    // Noise grows a little; the estimate is not meant for it.
    let mut out = vec![0_u8; size + size / 2 + 1024];
    let mut written = 0;
    // SAFETY: source and target live through the calls and have the lengths that are said.
    unsafe {
        checked(ls::charls_jpegls_encoder_set_destination_buffer(encoder.0, out.as_mut_ptr().cast(), out.len()))?;
        checked(ls::charls_jpegls_encoder_encode_from_buffer(encoder.0, source.as_ptr().cast(), source.len(), 0))?;
        checked(ls::charls_jpegls_encoder_get_bytes_written(encoder.0, &mut written))?;
    }
    out.truncate(written);
    Ok(out)
}

struct Encoder(*mut ls::charls_jpegls_encoder);

impl Encoder {
    fn open() -> Result<Self, DecodeError> {
        // SAFETY: null is checked before use.
        let encoder = unsafe { ls::charls_jpegls_encoder_create() };
        if encoder.is_null() { Err(DecodeError::Unsupported) } else { Ok(Self(encoder)) }
    }
}

impl Drop for Encoder {
    fn drop(&mut self) {
        // SAFETY: made by `open`, destroyed once.
        unsafe { ls::charls_jpegls_encoder_destroy(self.0) }
    }
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
