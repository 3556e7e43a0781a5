//! JPEG 2000 written by OpenJPEG: a bare codestream, as DICOM asks for (PS3.5 §A.4.4).

use super::DecodeError;
use super::jpeg_2000::{Codec, Image, Stream, TRUE};
use super::native::Native;
use openjpeg_sys as opj;
use std::ffi::c_void;
use std::ptr;

/// Halvings of an image that large pictures take; small ones take fewer, down to a line of one pixel.
const RESOLUTIONS_MAX: u32 = 6;

/// `ratio` is about how many times smaller the codestream becomes; 0 is without loss.
pub(super) fn encode(native: &Native, ratio: u8) -> Result<Vec<u8>, DecodeError> {
    if native.width > 2 {
        return Err(DecodeError::Unsupported);
    }
    let mut target = Target::default();
    // SAFETY: every pointer is checked for null before use and lives until the end of this function; `target`
    // outlives the stream that writes into it.
    unsafe {
        let image = image(native)?;
        let codec = Codec(opj::opj_create_compress(opj::OPJ_CODEC_FORMAT::OPJ_CODEC_J2K));
        let stream = Stream(opj::opj_stream_create(1 << 16, 0));
        if codec.0.is_null() || stream.0.is_null() {
            return Err(DecodeError::Unsupported);
        }
        let mut parameters = parameters(native, ratio);
        opj::opj_stream_set_write_function(stream.0, Some(write));
        opj::opj_stream_set_skip_function(stream.0, Some(skip));
        opj::opj_stream_set_seek_function(stream.0, Some(seek));
        opj::opj_stream_set_user_data(stream.0, ptr::from_mut(&mut target).cast(), None);
        let done = opj::opj_setup_encoder(codec.0, &mut parameters, image.0) == TRUE
            && opj::opj_start_compress(codec.0, image.0, stream.0) == TRUE
            && opj::opj_encode(codec.0, stream.0) == TRUE
            && opj::opj_end_compress(codec.0, stream.0) == TRUE;
        if !done {
            return Err(DecodeError::Unsupported);
        }
    }
    Ok(target.bytes)
}

fn parameters(native: &Native, ratio: u8) -> opj::opj_cparameters_t {
    // SAFETY: plain numbers and null pointers, filled by the library.
    let mut parameters = unsafe {
        let mut parameters = std::mem::zeroed::<opj::opj_cparameters_t>();
        opj::opj_set_default_encoder_parameters(&mut parameters);
        parameters
    };
    parameters.tcp_numlayers = 1;
    parameters.cp_disto_alloc = 1;
    parameters.irreversible = i32::from(ratio > 0);
    if let Some(first) = parameters.tcp_rates.first_mut() {
        *first = f32::from(ratio);
    }
    let edge = native.declared.rows.min(native.declared.columns).max(1);
    parameters.numresolution = (edge.ilog2() + 1).min(RESOLUTIONS_MAX) as i32;
    // Of red, green and blue; what is luminance and chrominance already stays so.
    parameters.tcp_mct = i8::from(native.declared.samples == 3 && native.declared.rgb) as _;
    parameters
}

/// # Safety
/// The image is destroyed by its `Drop` only.
unsafe fn image(native: &Native) -> Result<Image, DecodeError> {
    let declared = native.declared;
    let samples = usize::from(declared.samples);
    // SAFETY: plain numbers.
    let mut component = unsafe { std::mem::zeroed::<opj::opj_image_cmptparm_t>() };
    (component.dx, component.dy, component.w, component.h) = (1, 1, declared.columns, declared.rows);
    (component.prec, component.sgnd) = (native.precision(), u32::from(declared.signed));
    let mut components = vec![component; samples];
    let space = match (samples, declared.rgb) {
        (1, _) => opj::OPJ_COLOR_SPACE::OPJ_CLRSPC_GRAY,
        (_, true) => opj::OPJ_COLOR_SPACE::OPJ_CLRSPC_SRGB,
        _ => opj::OPJ_COLOR_SPACE::OPJ_CLRSPC_SYCC,
    };
    // SAFETY: as many components as are said; the image and their data are checked for null.
    unsafe {
        let image = Image(opj::opj_image_create(samples as u32, components.as_mut_ptr(), space));
        if image.0.is_null() {
            return Err(DecodeError::Unsupported);
        }
        let head = &mut *image.0;
        (head.x0, head.y0, head.x1, head.y1) = (0, 0, declared.columns, declared.rows);
        let parts = std::slice::from_raw_parts(head.comps, samples);
        for (at, part) in parts.iter().enumerate() {
            if part.data.is_null() {
                return Err(DecodeError::Unsupported);
            }
            let data = std::slice::from_raw_parts_mut(part.data, declared.area());
            data.iter_mut().zip(native.values().skip(at).step_by(samples)).for_each(|(to, value)| *to = value);
        }
        Ok(image)
    }
}

/// What is written; OpenJPEG goes back to fill in lengths.
#[derive(Default)]
struct Target {
    bytes: Vec<u8>,
    at: usize,
}

unsafe extern "C" fn write(from: *mut c_void, length: opj::OPJ_SIZE_T, target: *mut c_void) -> opj::OPJ_SIZE_T {
    // SAFETY: `encode` set this user data, and OpenJPEG gives `length` bytes.
    unsafe {
        let target = &mut *target.cast::<Target>();
        let Some(end) = target.at.checked_add(length) else { return opj::OPJ_SIZE_T::MAX };
        if target.bytes.len() < end {
            target.bytes.resize(end, 0);
        }
        ptr::copy_nonoverlapping(from.cast(), target.bytes.as_mut_ptr().add(target.at), length);
        target.at = end;
        length
    }
}

unsafe extern "C" fn skip(count: opj::OPJ_OFF_T, target: *mut c_void) -> opj::OPJ_OFF_T {
    // SAFETY: `encode` set this user data.
    let target = unsafe { &mut *target.cast::<Target>() };
    match usize::try_from(count).ok().and_then(|count| target.at.checked_add(count)) {
        Some(at) => {
            target.at = at;
            count
        }
        None => -1,
    }
}

unsafe extern "C" fn seek(to: opj::OPJ_OFF_T, target: *mut c_void) -> opj::OPJ_BOOL {
    // SAFETY: `encode` set this user data.
    let target = unsafe { &mut *target.cast::<Target>() };
    usize::try_from(to).map_or(0, |to| {
        target.at = to;
        TRUE
    })
}
