//! 8-bit pixels, scaled to fit and written as JPEG or PNG.

use super::Picture;
use super::error::ImagingError;
use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{PixelType, Resizer};

/// Visibly lossless on grey anatomy at a quarter of the size of PNG.
const JPEG_QUALITY: u8 = 88;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Jpeg,
    Png,
}

/// 8-bit pixels, grey or RGB.
pub(super) struct Raster {
    pub width: u32,
    pub height: u32,
    pub colour: bool,
    pub bytes: Vec<u8>,
}

/// The size in which a raster with pixels `aspect` times as high as wide is shown: square pixels, never
/// enlarged beyond what the aspect asks for, the longer edge at most `max_edge`.
fn target(width: u32, height: u32, aspect: f64, max_edge: u32) -> (u32, u32) {
    let (mut wide, mut high) = (f64::from(width), f64::from(height));
    if aspect > 1.0 {
        high *= aspect
    } else {
        wide /= aspect
    }
    let shrink = (f64::from(max_edge.max(1)) / wide.max(high)).min(1.0);
    let edge = |length: f64| (length * shrink).round().clamp(1.0, 65_535.0) as u32;
    (edge(wide), edge(high))
}

impl Raster {
    pub fn fitted(self, aspect: f64, max_edge: u32) -> Result<Self, ImagingError> {
        let (width, height) = target(self.width, self.height, aspect, max_edge);
        if (width, height) == (self.width, self.height) {
            return Ok(self);
        }
        let kind = if self.colour { PixelType::U8x3 } else { PixelType::U8 };
        let source = ImageRef::new(self.width, self.height, &self.bytes, kind).map_err(failed)?;
        let mut scaled = Image::new(width, height, kind);
        Resizer::new().resize(&source, &mut scaled, None).map_err(failed)?;
        Ok(Self { width, height, colour: self.colour, bytes: scaled.into_vec() })
    }

    pub fn encoded(self, format: Format) -> Result<Picture, ImagingError> {
        let (bytes, media_type) = match format {
            Format::Jpeg => (self.jpeg()?, "image/jpeg"),
            Format::Png => (self.png()?, "image/png"),
        };
        Ok(Picture { bytes: bytes.into(), media_type, width: self.width, height: self.height })
    }

    fn jpeg(&self) -> Result<Vec<u8>, ImagingError> {
        let (Ok(width), Ok(height)) = (u16::try_from(self.width), u16::try_from(self.height)) else {
            return Err(ImagingError::Unsupported("an edge beyond 65,535 pixels"));
        };
        let colour = if self.colour { jpeg_encoder::ColorType::Rgb } else { jpeg_encoder::ColorType::Luma };
        let mut out = Vec::new();
        let mut encoder = jpeg_encoder::Encoder::new(&mut out, JPEG_QUALITY);
        // Coloured flow and burned-in text blur when their chrominance is halved.
        encoder.set_sampling_factor(jpeg_encoder::SamplingFactor::F_1_1);
        encoder.encode(&self.bytes, width, height, colour).map_err(failed)?;
        Ok(out)
    }

    fn png(&self) -> Result<Vec<u8>, ImagingError> {
        let mut out = Vec::new();
        let mut encoder = png::Encoder::new(&mut out, self.width, self.height);
        encoder.set_color(if self.colour { png::ColorType::Rgb } else { png::ColorType::Grayscale });
        encoder.set_depth(png::BitDepth::Eight);
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
    fn a_picture_fits_its_edge_and_has_square_pixels() {
        let cases = [
            ((512, 512, 1.0, 256), (256, 256)),
            ((512, 512, 1.0, 1024), (512, 512)),
            ((100, 50, 2.0, 1000), (100, 100)),
            ((100, 50, 0.5, 1000), (200, 50)),
            ((4000, 1, 1.0, 100), (100, 1)),
            ((10, 10, 1.0, 0), (1, 1)),
        ];
        for ((width, height, aspect, edge), expected) in cases {
            assert_eq!(target(width, height, aspect, edge), expected);
        }
    }

    #[test]
    fn both_formats_begin_with_their_magic() {
        let raster =
            |colour: bool| Raster { width: 3, height: 2, colour, bytes: vec![128; if colour { 18 } else { 6 }] };
        for colour in [false, true] {
            let jpeg = raster(colour).encoded(Format::Jpeg).unwrap();
            assert_eq!(jpeg.bytes[..3], [0xFF, 0xD8, 0xFF]);
            let png = raster(colour).encoded(Format::Png).unwrap();
            assert_eq!(&png.bytes[1..4], b"PNG");
            let small = raster(colour).fitted(1.0, 2).unwrap().encoded(Format::Png).unwrap();
            assert_eq!((small.width, small.height), (2, 1));
        }
    }
}
