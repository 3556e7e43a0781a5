//! JPEG XL by jxl-oxide: a bare codestream or one in its container.

use super::{Declared, DecodeError, Samples};
use crate::imaging::PIXELS_MAX;
use jxl_oxide::frame::Encoding;
use jxl_oxide::image::BitDepth;
use jxl_oxide::{AllocTracker, JxlImage, JxlThreadPool};

/// Bytes for a pixel that jxl-oxide may hold while it works.
const BYTES_PER_PIXEL: usize = 48;

pub(super) fn decode(declared: &Declared, bytes: &[u8]) -> Result<Samples, DecodeError> {
    let budget = declared.area().min(PIXELS_MAX as usize) * BYTES_PER_PIXEL + (64 << 20);
    let image = JxlImage::builder()
        .pool(JxlThreadPool::none())
        .alloc_tracker(AllocTracker::with_limit(budget))
        .read(bytes)
        .map_err(|_| DecodeError::Corrupt)?;
    let header = image.image_header();
    let components: u16 = if header.metadata.grayscale() { 1 } else { 3 };
    if (image.height(), image.width(), components) != (declared.rows, declared.columns, declared.samples) {
        return Err(DecodeError::Mismatch);
    }
    let BitDepth::IntegerSample { bits_per_sample: precision @ 1..=16 } = header.metadata.bit_depth else {
        return Err(DecodeError::Unsupported);
    };
    // XYB has no meaning outside the codec: it is rendered into what the stream says it was made of.
    let xyb = header.metadata.xyb_encoded;
    if !image.is_loading_done() {
        return Err(DecodeError::Truncated);
    }
    let render = image.render_frame(0).map_err(|_| DecodeError::Corrupt)?;
    let mut stream = render.stream_no_alpha();
    if (stream.height(), stream.width(), stream.channels())
        != (declared.rows, declared.columns, u32::from(declared.samples))
    {
        return Err(DecodeError::Mismatch);
    }
    let mut shares = vec![0_f32; declared.count()];
    if stream.write_to_buffer(&mut shares) != shares.len() {
        return Err(DecodeError::Truncated);
    }
    let (lossy, ycbcr) =
        image.frame_header(0).map_or((xyb, false), |head| (xyb || head.encoding == Encoding::VarDct, head.do_ycbcr));
    let full = ((1_u32 << precision) - 1) as f32;
    let values = shares.into_iter().map(|share| (share * full).round().clamp(0.0, full) as i32);
    let mut samples = declared.samples_of(values, precision, lossy);
    // A recompressed JPEG of luminance and chrominance comes as red, green and blue.
    samples.to_rgb = (xyb || ycbcr) && components == 3;
    Ok(samples)
}
