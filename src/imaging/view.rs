//! What of a frame is asked for: window, part, size, flips, format (PS3.18 §8.3.5).

use super::PIXELS_MAX;
use super::annotation::Annotation;
use super::attributes::{DisplayAttributes, Window};
use super::encode::Raster;
use super::error::ImagingError;
use super::icc::ColourSpace;
use crate::domain::instance::PixelFacts;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Jpeg,
    Png,
}

/// One way to see a frame. `View::default()` is the frame as its object wants it shown, in full size.
#[derive(Debug, Clone, PartialEq)]
pub struct View {
    pub format: Format,
    /// In place of the object's own windows and VOI tables.
    pub window: Option<Window>,
    /// What a grey frame without a window is stretched over, in place of the values that it holds.
    pub span: Option<(f64, f64)>,
    pub viewport: Option<Viewport>,
    /// The longer edge has at most so many pixels; nothing is enlarged for it.
    pub longest_edge: Option<u32>,
    /// Of a JPEG, 1 to 100.
    pub quality: u8,
    /// Overlay planes (PS3.3 §C.9.2) in white.
    pub overlays: bool,
    /// Text over the picture.
    pub annotation: Annotation,
    /// Of a colour picture; without one it carries no profile.
    pub space: Option<ColourSpace>,
}

/// The rectangle that the picture shall fill as far as its proportions allow, and the part of the frame
/// that is shown (PS3.18 §8.3.5.1.3).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Viewport {
    pub width: u32,
    pub height: u32,
    /// Left, top, width and height in pixels of the frame; a negative width or height mirrors the part.
    pub region: Option<[f64; 4]>,
}

/// Visibly lossless on grey anatomy at a quarter of the size of PNG.
pub const QUALITY: u8 = 88;

impl Default for View {
    fn default() -> Self {
        Self {
            format: Format::Jpeg,
            window: None,
            span: None,
            viewport: None,
            longest_edge: None,
            quality: QUALITY,
            overlays: false,
            annotation: Annotation::default(),
            space: None,
        }
    }
}

impl View {
    /// Twice the size of the picture, when the frame may be decoded smaller as long as it is no smaller than that
    /// (the rest is averaged, which is smoother): of a frame that is shown whole, and whose values mean the same
    /// after neighbours were mixed.
    pub(super) fn coarse(&self, pixels: &PixelFacts, display: &DisplayAttributes) -> Option<(u32, u32)> {
        let smaller = self.viewport.is_some() || self.longest_edge.is_some();
        let whole = self.is_whole() && !self.overlays;
        let windowed = self.window.is_some() || display.is_windowed();
        let averaged = (pixels.samples_per_pixel == 3 || windowed)
            && pixels.bits_allocated >= 8
            && display.modality_lut.is_none()
            && pixels.photometric_interpretation.trim() != "PALETTE COLOR";
        (smaller && whole && averaged).then(|| {
            let (width, height) = self.size(pixels.columns, pixels.rows, display.aspect.unwrap_or(1.0));
            (width.saturating_mul(2), height.saturating_mul(2))
        })
    }

    /// Nothing is cut out of the frame.
    pub(super) fn is_whole(&self) -> bool {
        self.viewport.is_none_or(|viewport| viewport.region.is_none())
    }

    /// The part that is asked for, mirrored and scaled as asked for, with square pixels. `whole` is the size of
    /// the frame where the raster was decoded smaller.
    pub(super) fn of(&self, raster: Raster, aspect: f64, whole: Option<(u32, u32)>) -> Result<Raster, ImagingError> {
        let raster = match self.viewport.and_then(|viewport| viewport.region) {
            Some(region) => cut(raster, region)?,
            None => raster,
        };
        let (columns, rows) = whole.unwrap_or((raster.width, raster.height));
        let (width, height) = self.size(columns, rows, aspect);
        // A halved image holds every second place, the first of a pair, and not what lies between the two.
        let off = |length: u32, whole: u32| 0.5 - 0.5 * f64::from(length) / f64::from(whole.max(1));
        let corner = (off(raster.width, columns), off(raster.height, rows));
        raster.scaled(width, height, if whole.is_some() { corner } else { (0.0, 0.0) })
    }

    /// The size in which pixels `aspect` times as high as wide are shown: square pixels, never enlarged
    /// unless a viewport asks for it.
    pub(super) fn size(&self, width: u32, height: u32, aspect: f64) -> (u32, u32) {
        // A spacing that was rounded when it was written is no reason to resample.
        let aspect = if (0.99..1.01).contains(&aspect) { 1.0 } else { aspect };
        let (mut wide, mut high) = (f64::from(width), f64::from(height));
        if aspect > 1.0 {
            high *= aspect
        } else {
            wide /= aspect
        }
        let fill = self.viewport.map(|port| (f64::from(port.width) / wide).min(f64::from(port.height) / high));
        let fit = self.longest_edge.map(|edge| (f64::from(edge.max(1)) / wide.max(high)).min(1.0));
        // Proportions alone make no poster of a frame.
        let most = (PIXELS_MAX as f64 / (wide * high)).sqrt().min(1.0);
        let scale = fill.or(fit.map(|fit| fit.min(most))).unwrap_or(most);
        let edge = |length: f64| (length * scale).round().clamp(1.0, f64::from(EDGE_MAX)) as u32;
        (edge(wide), edge(high))
    }
}

/// The longest edge of a picture; JPEG has no longer one.
pub const EDGE_MAX: u32 = 65_535;

/// Cuts a region out, and mirrors it where its width or height is negative.
fn cut(raster: Raster, [left, top, wide, high]: [f64; 4]) -> Result<Raster, ImagingError> {
    let span = |start: f64, length: f64, whole: u32| {
        let ends = [start, start + length.abs()].map(|at| at.round().clamp(0.0, f64::from(whole)) as u32);
        (ends[0] < ends[1]).then_some((ends[0], ends[1] - ends[0]))
    };
    let (Some((x, width)), Some((y, height))) = (span(left, wide, raster.width), span(top, high, raster.height)) else {
        return Err(ImagingError::OutsideTheFrame);
    };
    Ok(raster.cut(x, y, width, height).mirrored(wide < 0.0, high < 0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_fits_its_edge_and_has_square_pixels() {
        let cases = [
            ((512, 512, 1.0, 256), (256, 256)),
            ((512, 512, 1.005, 1024), (512, 512)),
            ((100, 50, 2.0, 1000), (100, 100)),
            ((100, 50, 0.5, 1000), (200, 50)),
            ((4000, 1, 1.0, 100), (100, 1)),
            ((10, 10, 1.0, 0), (1, 1)),
        ];
        for ((width, height, aspect, edge), expected) in cases {
            let view = View { longest_edge: Some(edge), ..View::default() };
            assert_eq!(view.size(width, height, aspect), expected);
        }
        assert_eq!(View::default().size(512, 100, 1.0), (512, 100));
        let (width, height) = View::default().size(6000, 6000, 20.0);
        assert!(
            u64::from(width) * u64::from(height) <= PIXELS_MAX + 65_535 && height / width == 20,
            "{width}x{height}"
        );
        assert_eq!(View::default().size(6000, 6000, 1.0), (6000, 6000));
    }

    #[test]
    fn a_viewport_is_filled_as_far_as_the_proportions_allow() {
        let viewport = Some(Viewport { width: 100, height: 300, region: None });
        let view = View { viewport, ..View::default() };
        assert_eq!(view.size(50, 50, 1.0), (100, 100));
        assert_eq!(view.size(1000, 500, 1.0), (100, 50));
        assert_eq!(view.size(10, 500, 1.0), (6, 300));
        assert_eq!(view.size(50, 50, 2.0), (100, 200));
    }

    #[test]
    fn a_region_is_cut_and_mirrored() {
        let raster = || Raster { width: 3, height: 2, colour: false, bytes: vec![1, 2, 3, 4, 5, 6] };
        let of = |region| cut(raster(), region).map(|raster| (raster.width, raster.height, raster.bytes));
        assert_eq!(of([1.0, 0.0, 2.0, 2.0]).unwrap(), (2, 2, vec![2, 3, 5, 6]));
        assert_eq!(of([0.0, 0.0, -3.0, 2.0]).unwrap(), (3, 2, vec![3, 2, 1, 6, 5, 4]));
        assert_eq!(of([0.0, 0.0, 3.0, -2.0]).unwrap(), (3, 2, vec![4, 5, 6, 1, 2, 3]));
        assert_eq!(of([2.0, 1.0, 99.0, 99.0]).unwrap(), (1, 1, vec![6]));
        for outside in [[3.0, 0.0, 1.0, 1.0], [0.0, 0.0, 0.0, 1.0], [-5.0, 0.0, 2.0, 1.0], [f64::NAN, 0.0, 1.0, 1.0]] {
            assert!(matches!(of(outside), Err(ImagingError::OutsideTheFrame)), "{outside:?}");
        }
        let colour = Raster { width: 2, height: 1, colour: true, bytes: vec![1, 2, 3, 4, 5, 6] };
        assert_eq!(cut(colour, [0.0, 0.0, -2.0, 1.0]).unwrap().bytes, [4, 5, 6, 1, 2, 3]);
    }
}
