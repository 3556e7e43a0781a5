//! What the display transformation needs to know besides the Image Pixel Module, read out of the
//! stored DICOM JSON (PS3.18 Annex F).

use super::annotation::{Annotation, Labels};
use super::error::ImagingError;
use super::json;
use super::lut::Lut;
use super::overlay::{Bits, Overlay};

/// Window, rescale, look-up tables, padding and aspect of one frame.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DisplayAttributes {
    pub window: Option<Window>,
    /// The first item of VOI LUT Sequence; used when there is no window.
    pub voi_lut: Option<Lut>,
    pub rescale: Option<Rescale>,
    /// The first item of Modality LUT Sequence; takes the place of the rescale (PS3.3 §C.11.1).
    pub modality_lut: Option<Lut>,
    /// Stored values that are no picture, both ends included (PS3.3 §C.7.5.1.1.2).
    pub padding: Option<(f64, f64)>,
    /// Red, green, blue.
    pub palette: Option<[Lut; 3]>,
    /// Height of a pixel in widths of a pixel; 1 when the attributes do not say.
    pub aspect: Option<f64>,
    /// Whether the lowest value is white; `None` leaves it to the photometric interpretation.
    pub inverse: Option<bool>,
    /// How long a frame of a moving picture stands, in milliseconds.
    pub frame_time_ms: Option<f64>,
    /// Planes to be painted over the picture: only when asked for.
    pub overlays: Vec<Overlay>,
    /// Texts to be drawn over the picture: only when asked for.
    pub(super) labels: Labels,
    /// The object's own ICC profile: only when one is asked for.
    pub profile: Option<Vec<u8>>,
    /// Columns and rows of the frame, where it was decoded smaller.
    pub whole: Option<(u32, u32)>,
}

/// Window Center (0028,1050), Window Width (0028,1051), VOI LUT Function (0028,1056).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Window {
    pub center: f64,
    pub width: f64,
    pub function: Function,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Function {
    Linear,
    LinearExact,
    Sigmoid,
}

/// Rescale Slope (0028,1053) and Rescale Intercept (0028,1052).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rescale {
    pub slope: f64,
    pub intercept: f64,
}

impl DisplayAttributes {
    /// Whether the object says which grey values are to be seen.
    pub(super) fn is_windowed(&self) -> bool {
        self.window.is_some() || self.voi_lut.is_some()
    }
    /// Reads the attributes that hold for `frame` (from 0) out of one instance's DICOM JSON object:
    /// top-level ones, and for enhanced multi-frame those of the functional groups (PS3.3 §C.7.6.16).
    /// Look-up tables that the JSON names by a BulkDataURI stay open: see [`DisplayAttributes::elsewhere`].
    pub fn from_json(json: &[u8], frame: u32) -> Result<Self, ImagingError> {
        json::read(json, frame)
    }

    /// Reads the overlay planes too.
    pub fn with_overlays(mut self, json: &[u8], frame: u32) -> Result<Self, ImagingError> {
        self.overlays = json::overlays(json, frame)?;
        Ok(self)
    }

    /// Reads the texts that are asked for too; `window` when it is not the object's own.
    pub fn with_labels(mut self, json: &[u8], asked: Annotation, window: Option<Window>) -> Result<Self, ImagingError> {
        self.labels = Labels::read(json, asked, window.or(self.window))?;
        Ok(self)
    }

    /// The places (`00281201`, `00283000/0/00283006`) of look-up tables whose values are bulk data.
    pub fn elsewhere(&self) -> Vec<String> {
        let overlays = self.overlays.iter().filter_map(Overlay::place);
        self.luts().filter_map(Lut::place).chain(overlays).map(str::to_owned).collect()
    }

    /// Hands in the value of one of the places, in little endian.
    pub fn supply(&mut self, place: &str, value: &[u8]) {
        let palette = self.palette.iter_mut().flatten();
        for lut in palette.chain(&mut self.modality_lut).chain(&mut self.voi_lut) {
            if lut.place() == Some(place) {
                lut.supply(value);
            }
        }
        for overlay in &mut self.overlays {
            if overlay.place() == Some(place) {
                overlay.bits = Bits::Data(value.to_vec());
            }
        }
    }

    fn luts(&self) -> impl Iterator<Item = &Lut> {
        self.palette.iter().flatten().chain(&self.modality_lut).chain(&self.voi_lut)
    }
}

impl Window {
    /// `None` for a width with which the function has no meaning (PS3.3 §C.11.2.1.2).
    pub fn new(center: f64, width: f64, function: Function) -> Option<Self> {
        let meaningful = match function {
            Function::Linear => width >= 1.0,
            Function::LinearExact | Function::Sigmoid => width > 0.0,
        };
        (meaningful && center.is_finite() && width.is_finite()).then_some(Self { center, width, function })
    }

    /// Everything from `low` to `high`, in equal steps.
    pub fn over(low: f64, high: f64) -> Self {
        Self { center: (low + high) / 2.0, width: (high - low).max(f64::MIN_POSITIVE), function: Function::LinearExact }
    }

    /// A modality value as a share of full brightness, 0 to 1 (PS3.3 §C.11.2.1.2 and §C.11.2.1.3).
    pub fn apply(&self, value: f64) -> f64 {
        let Self { center, width, function } = *self;
        match function {
            Function::Linear if width <= 1.0 => f64::from(u8::from(value > center - 0.5)),
            Function::Linear => ((value - (center - 0.5)) / (width - 1.0) + 0.5).clamp(0.0, 1.0),
            Function::LinearExact => ((value - center) / width + 0.5).clamp(0.0, 1.0),
            Function::Sigmoid => 1.0 / (1.0 + (-4.0 * (value - center) / width).exp()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_function_has_the_values_of_the_standard() {
        use Function::*;
        let cases = [
            // PS3.3 §C.11.2.1.2.1: c=2048, w=4096 is y = x / 4095; c=2048, w=1 is a step at 2047.5.
            (Linear, 2048.0, 4096.0, 0.0, 0.0),
            (Linear, 2048.0, 4096.0, 4095.0, 1.0),
            (Linear, 2048.0, 4096.0, 819.0, 0.2),
            (Linear, 2048.0, 1.0, 2047.0, 0.0),
            (Linear, 2048.0, 1.0, 2048.0, 1.0),
            (Linear, 0.0, 100.0, -51.0, 0.0),
            (LinearExact, 0.0, 1.0, 0.0, 0.5),
            (LinearExact, 2048.0, 4096.0, 4096.0, 1.0),
            (LinearExact, 2048.0, 4096.0, 1024.0, 0.25),
            (Sigmoid, 40.0, 400.0, 40.0, 0.5),
            (Sigmoid, 40.0, 400.0, 140.0, 0.731_058_578_630_004_9),
        ];
        for (function, center, width, value, expected) in cases {
            let got = Window::new(center, width, function).unwrap().apply(value);
            assert!((got - expected).abs() < 1e-12, "{function:?} {center} {width} of {value}: {got}");
        }
    }

    #[test]
    fn a_window_without_meaning_is_no_window() {
        for (center, width, function) in [
            (0.0, 0.0, Function::Linear),
            (0.0, 0.5, Function::Linear),
            (0.0, -5.0, Function::LinearExact),
            (0.0, 0.0, Function::Sigmoid),
            (f64::NAN, 5.0, Function::Linear),
            (0.0, f64::INFINITY, Function::Linear),
        ] {
            assert_eq!(Window::new(center, width, function), None);
        }
    }
}
