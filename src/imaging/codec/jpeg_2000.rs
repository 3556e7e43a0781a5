//! JPEG 2000 and HTJ2K by OpenJPEG: a bare codestream, as DICOM asks for (PS3.5 §A.4.4), or, against the
//! standard, one in a JP2 file.

use super::{Declared, DecodeError, Samples};
use openjpeg_sys as opj;
use std::ffi::c_void;
use std::ptr;

const JP2_SIGNATURE: [u8; 8] = [0, 0, 0, 12, b'j', b'P', b' ', b' '];
pub(super) const TRUE: opj::OPJ_BOOL = 1;

/// Some encoders write wrong tile-part lengths, which only the lenient mode of OpenJPEG reads; but it also
/// fills what a cut-off stream lacks with grey. So it is asked second, and only for a stream that has its end.
pub(super) fn decode(declared: &Declared, bytes: &[u8]) -> Result<Samples, DecodeError> {
    match attempt(declared, bytes, TRUE) {
        Err(DecodeError::Corrupt | DecodeError::Truncated) if is_ended(bytes) => attempt(declared, bytes, 0),
        outcome => outcome,
    }
}

/// How often the main header lets an image be halved: its decomposition levels (ISO/IEC 15444-1 §A.6.1).
pub(super) fn levels(stream: &[u8]) -> Option<u8> {
    coding_style(stream)?.get(7).copied()
}

/// Whether the wavelet is the one that loses something; of a JP2 file, of the codestream in it.
fn is_irreversible(bytes: &[u8]) -> bool {
    let start = memchr::memmem::find(bytes, &[0xFF, 0x4F, 0xFF, 0x51]).unwrap_or(0);
    bytes.get(start..).and_then(coding_style).and_then(|style| style.get(11)) == Some(&0)
}

/// COD, its length first (ISO/IEC 15444-1 §A.6.1).
fn coding_style(stream: &[u8]) -> Option<&[u8]> {
    let mut rest = stream.strip_prefix(&[0xFF, 0x4F])?;
    loop {
        let (marker, segment) = rest.split_first_chunk::<2>()?;
        let length = u16::from_be_bytes(*segment.first_chunk()?);
        match *marker {
            [0xFF, 0x52] => return Some(segment),
            // The first tile-part ends the main header.
            [0xFF, 0x90] => return None,
            _ => rest = segment.get(usize::from(length.max(2))..)?,
        }
    }
}

/// Whether EOC stands at the end; the padding of a fragment, or what a device left there, may follow.
fn is_ended(bytes: &[u8]) -> bool {
    let tail = bytes.len().saturating_sub(TAIL);
    bytes.get(tail..).unwrap_or_default().windows(2).any(|pair| pair == [0xFF, 0xD9])
}

/// Bytes behind which no end of the stream is looked for.
const TAIL: usize = 16;

fn attempt(declared: &Declared, bytes: &[u8], strict: opj::OPJ_BOOL) -> Result<Samples, DecodeError> {
    let format = match bytes {
        [0xFF, 0x4F, 0xFF, 0x51, ..] => opj::OPJ_CODEC_FORMAT::OPJ_CODEC_J2K,
        _ if bytes.starts_with(&JP2_SIGNATURE) => opj::OPJ_CODEC_FORMAT::OPJ_CODEC_JP2,
        _ => return Err(DecodeError::Corrupt),
    };
    let mut source = Source { bytes, at: 0 };
    // SAFETY: `source` and `bytes` outlive codec and stream, which are dropped at the end of this function.
    let (codec, stream) = unsafe { open(format, &mut source, strict, declared.halvings)? };
    let mut image = Image(ptr::null_mut());
    // SAFETY: live codec and stream; the image is checked for null before it is read.
    unsafe {
        if opj::opj_read_header(stream.0, codec.0, &mut image.0) != TRUE || image.0.is_null() {
            return Err(DecodeError::Corrupt);
        }
        let head = &*image.0;
        let halved = |start: u32, end: u32| Some(end.checked_sub(start)?.div_ceil(1 << declared.halvings));
        let size = (halved(head.y0, head.y1), halved(head.x0, head.x1), head.numcomps);
        if size != (Some(declared.rows), Some(declared.columns), u32::from(declared.samples)) {
            return Err(DecodeError::Mismatch);
        }
        if declared.halvings > 0 && !may_be_halved(declared, head) {
            return Err(DecodeError::Unsupported);
        }
        if opj::opj_decode(codec.0, stream.0, image.0) != TRUE {
            return Err(if source.at >= bytes.len() { DecodeError::Truncated } else { DecodeError::Corrupt });
        }
    }
    // SAFETY: OpenJPEG filled the image; its components are read within their own width and height.
    let components = unsafe { components(&image)? };
    samples(declared, &components, is_irreversible(bytes))
}

/// Neighbours may be mixed only where all that stands in a sample is its value: not the sign of what the stream
/// takes for unsigned, nor bits above Bits Stored.
///
/// # Safety
/// `head` is what a successful `opj_read_header` gave.
unsafe fn may_be_halved(declared: &Declared, head: &opj::opj_image_t) -> bool {
    // SAFETY: by contract the image has `numcomps` components.
    let parts = unsafe { std::slice::from_raw_parts(head.comps, head.numcomps as usize) };
    parts.iter().all(|part| {
        let signs_agree = (part.sgnd != 0) == declared.signed;
        signs_agree && part.prec <= u32::from(declared.bits_stored)
    })
}

struct Component<'a> {
    data: &'a [i32],
    width: usize,
    precision: u32,
    signed: bool,
    dx: usize,
    dy: usize,
}

/// # Safety
/// `image` is what a successful `opj_decode` left.
unsafe fn components(image: &Image) -> Result<Vec<Component<'_>>, DecodeError> {
    // SAFETY: by contract the image holds `numcomps` components, each with w x h values or none.
    unsafe {
        let head = &*image.0;
        std::slice::from_raw_parts(head.comps, head.numcomps as usize)
            .iter()
            .map(|part| {
                let (width, height) = (part.w as usize, part.h as usize);
                if part.data.is_null() || width == 0 || height == 0 || part.dx == 0 || part.dy == 0 {
                    return Err(DecodeError::Corrupt);
                }
                let data = std::slice::from_raw_parts(part.data, width * height);
                let (dx, dy) = (part.dx as usize, part.dy as usize);
                Ok(Component { data, width, precision: part.prec, signed: part.sgnd != 0, dx, dy })
            })
            .collect()
    }
}

fn samples(declared: &Declared, components: &[Component], lossy: bool) -> Result<Samples, DecodeError> {
    let precision = components.iter().map(|part| part.precision).max().filter(|bits| (1..=32).contains(bits));
    let precision = precision.ok_or(DecodeError::Unsupported)?;
    let mut values = vec![0_i32; declared.count()];
    let (columns, step) = (declared.columns as usize, components.len());
    for (at, part) in components.iter().enumerate() {
        // Some encoders mark signed samples as unsigned: then the top bit of the precision is the sign.
        let lost_sign = (declared.signed && !part.signed && part.precision < 32).then(|| 32 - part.precision);
        let read = |value: i32| lost_sign.map_or(value, |spare| value << spare >> spare);
        let rows = values.chunks_exact_mut(columns * step);
        for (y, row) in rows.enumerate() {
            let line = part.data.get(y / part.dy * part.width..).ok_or(DecodeError::Mismatch)?;
            for (x, place) in row.iter_mut().skip(at).step_by(step).enumerate() {
                *place = read(*line.get(x / part.dx).ok_or(DecodeError::Mismatch)?);
            }
        }
    }
    Ok(declared.samples_of(values.into_iter(), precision, lossy))
}

struct Source<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// What OpenJPEG made, null or destroyed with it; `jpeg_2000_write` makes such too.
pub(super) struct Codec(pub(super) *mut opj::opj_codec_t);
pub(super) struct Stream(pub(super) *mut opj::opj_stream_t);
pub(super) struct Image(pub(super) *mut opj::opj_image_t);

/// # Safety
/// `source` must outlive what is returned.
unsafe fn open(
    format: opj::OPJ_CODEC_FORMAT,
    source: &mut Source,
    strict: opj::OPJ_BOOL,
    halvings: u8,
) -> Result<(Codec, Stream), DecodeError> {
    // SAFETY: each pointer is checked for null before it is used; the callbacks are those below.
    unsafe {
        let codec = Codec(opj::opj_create_decompress(format));
        let stream = Stream(opj::opj_stream_create(1 << 16, TRUE));
        if codec.0.is_null() || stream.0.is_null() {
            return Err(DecodeError::Unsupported);
        }
        let mut parameters = std::mem::zeroed::<opj::opj_dparameters_t>();
        opj::opj_set_default_decoder_parameters(&mut parameters);
        parameters.cp_reduce = u32::from(halvings);
        // A decoder begins as a strict one. Telling it so once more also keeps it from noticing that a stream
        // counts its tile-parts one too few, and then it leaves out the last ones in silence.
        if opj::opj_setup_decoder(codec.0, &mut parameters) != TRUE
            || (strict != TRUE && opj::opj_decoder_set_strict_mode(codec.0, strict) != TRUE)
        {
            return Err(DecodeError::Unsupported);
        }
        opj::opj_stream_set_read_function(stream.0, Some(read));
        opj::opj_stream_set_skip_function(stream.0, Some(skip));
        opj::opj_stream_set_seek_function(stream.0, Some(seek));
        opj::opj_stream_set_user_data_length(stream.0, source.bytes.len() as u64);
        opj::opj_stream_set_user_data(stream.0, ptr::from_mut(source).cast(), None);
        Ok((codec, stream))
    }
}

unsafe extern "C" fn read(into: *mut c_void, length: opj::OPJ_SIZE_T, source: *mut c_void) -> opj::OPJ_SIZE_T {
    // SAFETY: `open` set this user data, and OpenJPEG gives a buffer of `length` bytes.
    unsafe {
        let source = &mut *source.cast::<Source>();
        let rest = source.bytes.get(source.at..).unwrap_or_default();
        let count = rest.len().min(length);
        if count == 0 {
            return opj::OPJ_SIZE_T::MAX; // the end, in OpenJPEG's words
        }
        ptr::copy_nonoverlapping(rest.as_ptr(), into.cast(), count);
        source.at += count;
        count
    }
}

unsafe extern "C" fn skip(count: opj::OPJ_OFF_T, source: *mut c_void) -> opj::OPJ_OFF_T {
    // SAFETY: `open` set this user data.
    let source = unsafe { &mut *source.cast::<Source>() };
    let before = source.at;
    let wanted = usize::try_from(count).ok().and_then(|count| source.at.checked_add(count));
    source.at = wanted.unwrap_or(source.at).min(source.bytes.len());
    if source.at == before && count != 0 { -1 } else { (source.at - before) as opj::OPJ_OFF_T }
}

unsafe extern "C" fn seek(to: opj::OPJ_OFF_T, source: *mut c_void) -> opj::OPJ_BOOL {
    // SAFETY: `open` set this user data.
    let source = unsafe { &mut *source.cast::<Source>() };
    match usize::try_from(to).ok().filter(|to| *to <= source.bytes.len()) {
        Some(to) => {
            source.at = to;
            TRUE
        }
        None => 0,
    }
}

impl Drop for Codec {
    fn drop(&mut self) {
        // SAFETY: made by `open`; destroying null is a no-op.
        unsafe { opj::opj_destroy_codec(self.0) }
    }
}
impl Drop for Stream {
    fn drop(&mut self) {
        // SAFETY: made by `open`; destroying null is a no-op.
        unsafe { opj::opj_stream_destroy(self.0) }
    }
}
impl Drop for Image {
    fn drop(&mut self) {
        // SAFETY: made by OpenJPEG; destroying null is a no-op.
        unsafe { opj::opj_image_destroy(self.0) }
    }
}
