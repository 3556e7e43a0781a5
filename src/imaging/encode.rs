//! 8-bit pixels: cut, mirrored, scaled, and written as JPEG or PNG.

use super::Picture;
use super::error::ImagingError;
use super::view::Format;
use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{PixelType, ResizeOptions, Resizer};
use std::ffi::c_int;
use turbojpeg_sys as tj;

/// libjpeg's limit; the format has room for 35 more.
const JPEG_EDGE_MAX: c_int = 65_500;

/// 8-bit pixels, grey or RGB.
#[derive(Debug, Clone)]
pub(super) struct Raster {
    pub width: u32,
    pub height: u32,
    pub colour: bool,
    pub bytes: Vec<u8>,
}

impl Raster {
    fn depth(&self) -> usize {
        if self.colour { 3 } else { 1 }
    }
    fn line(&self) -> usize {
        self.width as usize * self.depth()
    }

    /// The part whose corner is (`x`, `y`); it must lie within.
    pub fn cut(self, x: u32, y: u32, width: u32, height: u32) -> Self {
        if (x, y, width, height) == (0, 0, self.width, self.height) {
            return self;
        }
        let depth = self.depth();
        let (from, count) = (x as usize * depth, width as usize * depth);
        let lines = self.bytes.chunks_exact(self.line()).skip(y as usize).take(height as usize);
        let bytes = lines.flat_map(|line| line.iter().skip(from).take(count)).copied().collect();
        Self { width, height, colour: self.colour, bytes }
    }

    pub fn mirrored(mut self, sideways: bool, upside_down: bool) -> Self {
        let (line, depth) = (self.line(), self.depth());
        if sideways {
            for line in self.bytes.chunks_exact_mut(line) {
                line.reverse();
                // What was reversed within a pixel is put back.
                line.chunks_exact_mut(depth).for_each(<[u8]>::reverse);
            }
        }
        if upside_down {
            self.bytes = self.bytes.chunks_exact(line).rev().flatten().copied().collect();
        }
        self
    }

    /// The part whose corner is (`x`, `y`) in another size.
    pub fn scaled(self, width: u32, height: u32, (x, y): (f64, f64)) -> Result<Self, ImagingError> {
        if (width, height) == (self.width, self.height) {
            return Ok(self);
        }
        let kind = if self.colour { PixelType::U8x3 } else { PixelType::U8 };
        let source = ImageRef::new(self.width, self.height, &self.bytes, kind).map_err(failed)?;
        let mut scaled = Image::new(width, height, kind);
        let (wide, high) = (f64::from(self.width) - x, f64::from(self.height) - y);
        let options = ResizeOptions::new().crop(x, y, wide, high);
        Resizer::new().resize(&source, &mut scaled, &options).map_err(failed)?;
        Ok(Self { width, height, colour: self.colour, bytes: scaled.into_vec() })
    }

    /// With an ICC profile where there is one.
    pub fn encoded(self, format: Format, quality: u8, profile: Option<Vec<u8>>) -> Result<Picture, ImagingError> {
        let (bytes, media_type) = match format {
            Format::Jpeg => (self.jpeg(quality, profile)?, "image/jpeg"),
            Format::Png => (self.png(profile)?, "image/png"),
        };
        Ok(Picture { bytes: bytes.into(), media_type, width: self.width, height: self.height })
    }

    /// By libjpeg-turbo: these pixels are ours, so its encoder may run in this process.
    fn jpeg(&self, quality: u8, profile: Option<Vec<u8>>) -> Result<Vec<u8>, ImagingError> {
        let edge = |length: u32| c_int::try_from(length).ok().filter(|length| *length <= JPEG_EDGE_MAX);
        let (Some(width), Some(height)) = (edge(self.width), edge(self.height)) else {
            let reason = "a JPEG's edges have up to 65,500 pixels; ask for image/png, or a smaller viewport";
            return Err(ImagingError::Unsupported(reason));
        };
        if self.bytes.len() != self.line() * self.height as usize {
            return Err(ImagingError::Truncated);
        }
        // Coloured flow and burned-in text blur when their chrominance is halved.
        let (format, sampling) = match self.colour {
            true => (tj::TJPF_TJPF_RGB, tj::TJSAMP_TJSAMP_444),
            false => (tj::TJPF_TJPF_GRAY, tj::TJSAMP_TJSAMP_GRAY),
        };
        // SAFETY: the handle and the buffer that the library makes are checked for null and freed once; the
        // source has width x height pixels of the format, as was just checked.
        unsafe {
            let handle = tj::tj3Init(tj::TJINIT_TJINIT_COMPRESS as c_int);
            if handle.is_null() {
                return Err(failed(std::io::Error::from(std::io::ErrorKind::OutOfMemory)));
            }
            tj::tj3Set(handle, tj::TJPARAM_TJPARAM_QUALITY as c_int, c_int::from(quality.clamp(1, 100)));
            tj::tj3Set(handle, tj::TJPARAM_TJPARAM_SUBSAMP as c_int, sampling as c_int);
            if let Some(mut profile) = profile {
                // It is copied; one that does not fit is left out and the picture stays one.
                tj::tj3SetICCProfile(handle, profile.as_mut_ptr(), profile.len() as tj::size_t);
            }
            let (mut out, mut length) = (std::ptr::null_mut(), 0);
            let source = self.bytes.as_ptr();
            let code = tj::tj3Compress8(handle, source, width, 0, height, format as c_int, &mut out, &mut length);
            let written = (code == 0 && !out.is_null())
                .then(|| std::slice::from_raw_parts(out.cast_const(), length as usize).to_vec());
            tj::tj3Free(out.cast());
            tj::tj3Destroy(handle);
            written.ok_or_else(|| failed(std::io::Error::other("libjpeg-turbo refused the picture")))
        }
    }

    fn png(&self, profile: Option<Vec<u8>>) -> Result<Vec<u8>, ImagingError> {
        let mut out = Vec::with_capacity(self.bytes.len() / 2);
        let mut info = png::Info::with_size(self.width, self.height);
        info.color_type = if self.colour { png::ColorType::Rgb } else { png::ColorType::Grayscale };
        info.bit_depth = png::BitDepth::Eight;
        info.icc_profile = profile.map(Into::into);
        let mut encoder = png::Encoder::with_info(&mut out, info).map_err(failed)?;
        encoder.set_compression(png::Compression::Fast);
        let mut writer = encoder.write_header().map_err(failed)?;
        writer.write_image_data(&self.bytes).map_err(failed)?;
        writer.finish().map_err(failed)?;
        Ok(out)
    }
}

fn failed(error: impl std::error::Error + Send + Sync + 'static) -> ImagingError {
    ImagingError::Encode(Box::new(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_formats_begin_with_their_magic() {
        let raster =
            |colour: bool| Raster { width: 3, height: 2, colour, bytes: vec![128; if colour { 18 } else { 6 }] };
        for colour in [false, true] {
            let jpeg = raster(colour).encoded(Format::Jpeg, 90, None).unwrap();
            assert_eq!(jpeg.bytes[..3], [0xFF, 0xD8, 0xFF]);
            let png = raster(colour).encoded(Format::Png, 90, None).unwrap();
            assert_eq!(&png.bytes[1..4], b"PNG");
            let small = raster(colour).scaled(2, 1, (0.0, 0.0)).unwrap().encoded(Format::Png, 90, None).unwrap();
            assert_eq!((small.width, small.height), (2, 1));
        }
        let short = Raster { width: 3, height: 2, colour: false, bytes: vec![0; 5] };
        assert!(matches!(short.encoded(Format::Jpeg, 90, None), Err(ImagingError::Truncated)));
    }
}
