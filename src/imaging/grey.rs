//! Grey: stored values through the modality and VOI transformations to 8 bits (PS3.4 §N.2, PS3.3
//! §C.11.1, §C.11.2).

use super::attributes::{DisplayAttributes, Function, Window};
use super::error::ImagingError;
use super::lut::Table;
use super::samples::Shape;

/// Stored bits up to which every possible value is transformed once instead of every pixel.
const TABLE_BITS: u16 = 16;

/// One byte a pixel, in the window that was asked for or else as the object says, or else stretched over a span that
/// was asked for, or what the frame holds; `inverted` for MONOCHROME1, where the lowest value is white.
pub(super) fn render(
    shape: &Shape,
    frame: &[u8],
    display: &DisplayAttributes,
    (asked, span): (Option<Window>, Option<(f64, f64)>),
    inverted: bool,
) -> Result<Vec<u8>, ImagingError> {
    let modality = Modality::of(display)?;
    let unwindowed = asked.is_none() && !display.is_windowed();
    if shape.float {
        let stored = shape.floats(frame)?;
        let (low, high) = span.unwrap_or_else(|| float_extent(&stored, display, &modality));
        let grey = Grey::of(display, asked, low, high, inverted)?;
        // Padding is background as below, and what is no number has no brightness in any window.
        let of = |value: f64| match value.is_finite() && !(unwindowed && is_padding(display, value)) {
            true => grey.byte(modality.apply(value)),
            false => 0,
        };
        return Ok(stored.into_iter().map(of).collect());
    }
    let (low, high) = match (unwindowed, span) {
        (true, Some(span)) => span,
        (true, None) => modality_extent(shape, frame, display, &modality)?,
        (false, _) => extremes(std::iter::empty()),
    };
    let grey = Grey::of(display, asked, low, high, inverted)?;
    let of = |value: i64| {
        // Padding, which the span left out, is background, black in either interpretation.
        if unwindowed && is_padding(display, value as f64) { 0 } else { grey.byte(modality.apply(value as f64)) }
    };
    if shape.bits_stored > TABLE_BITS {
        let mut out = Vec::with_capacity(shape.area());
        shape.raw(frame, |raw| out.push(of(shape.interpret(raw))))?;
        return Ok(out);
    }
    let values = (0..1_u32 << shape.bits_stored).map(|bits| shape.interpret(bits << shape.shift));
    let table: Vec<u8> = match grey.straight(&modality).filter(|_| display.padding.is_none()) {
        Some((factor, offset)) => values.map(|value| value as f64 * factor + offset).map(to_byte).collect(),
        None => values.map(of).collect(),
    };
    looked_up(shape, frame, &table)
}

/// The lowest and highest modality value of a frame; `None` when it is padding everywhere.
pub(super) fn extent(
    shape: &Shape,
    frame: &[u8],
    display: &DisplayAttributes,
) -> Result<Option<(f64, f64)>, ImagingError> {
    let modality = Modality::of(display)?;
    let (low, high) = match shape.float {
        true => float_extent(&shape.floats(frame)?, display, &modality),
        false => modality_extent(shape, frame, display, &modality)?,
    };
    Ok((low <= high).then_some((low, high)))
}

/// The lowest and highest modality value, of floating point pixels; padding and what is no number left out.
fn float_extent(stored: &[f64], display: &DisplayAttributes, modality: &Modality) -> (f64, f64) {
    let counted = stored.iter().filter(|value| value.is_finite() && !is_padding(display, **value));
    extremes(counted.map(|value| modality.apply(*value)))
}

/// The lowest and highest modality value of a frame, padding left out. A straight line turns the ends around at most;
/// a table may rise and fall between them.
fn modality_extent(
    shape: &Shape,
    frame: &[u8],
    display: &DisplayAttributes,
    modality: &Modality,
) -> Result<(f64, f64), ImagingError> {
    if let Modality::Linear { .. } = modality {
        let ends = stored_extent(shape, frame, display)?.into_iter().flat_map(|(low, high)| [low, high]);
        return Ok(extremes(ends.map(|end| modality.apply(end as f64))));
    }
    let (mut lowest, mut highest) = extremes(std::iter::empty());
    shape.raw(frame, |raw| {
        let stored = shape.interpret(raw) as f64;
        if !is_padding(display, stored) {
            let value = modality.apply(stored);
            (lowest, highest) = (lowest.min(value), highest.max(value));
        }
    })?;
    Ok((lowest, highest))
}

/// The lowest and highest stored value of a frame, padding left out.
fn stored_extent(shape: &Shape, frame: &[u8], display: &DisplayAttributes) -> Result<Option<(i64, i64)>, ImagingError> {
    let (mut lowest, mut highest) = (i64::MAX, i64::MIN);
    if shape.bits_stored <= 8 {
        // So few bits are meant to be seen as they are.
        let whole = 1_i64 << shape.bits_stored;
        (lowest, highest) = if shape.signed { (-whole / 2, whole / 2 - 1) } else { (0, whole - 1) };
    }
    shape.raw(frame, |raw| {
        let value = shape.interpret(raw);
        if !is_padding(display, value as f64) {
            lowest = lowest.min(value);
            highest = highest.max(value);
        }
    })?;
    Ok((lowest <= highest).then_some((lowest, highest)))
}

fn is_padding(display: &DisplayAttributes, stored: f64) -> bool {
    display.padding.is_some_and(|(low, high)| (low..=high).contains(&stored))
}

/// Every sample looked up in `table`, which has an entry for all stored bits.
fn looked_up(shape: &Shape, frame: &[u8], table: &[u8]) -> Result<Vec<u8>, ImagingError> {
    let (mask, shift) = (table.len() - 1, shape.shift);
    let of = |raw: u16| table[usize::from(raw >> shift) & mask];
    Ok(match shape.bits_allocated {
        8 => shape.cut(frame)?.iter().map(|byte| of(u16::from(*byte))).collect(),
        16 => shape.cut(frame)?.chunks_exact(2).map(|two| of(u16::from_le_bytes([two[0], two[1]]))).collect(),
        _ => {
            let mut out = Vec::with_capacity(shape.area());
            shape.raw(frame, |raw| out.push(table[(raw >> shift) as usize & mask]))?;
            out
        }
    })
}

/// A brightness from 0 to 255; what lies beyond is black or white.
fn to_byte(brightness: f64) -> u8 {
    (brightness + 0.5).clamp(0.0, 255.0) as u8
}

fn extremes(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)))
}

/// Stored value to modality value: Hounsfield units, optical density, or the value itself.
enum Modality {
    Linear { slope: f64, intercept: f64 },
    Table(Table),
}

impl Modality {
    fn of(display: &DisplayAttributes) -> Result<Self, ImagingError> {
        Ok(match (&display.modality_lut, display.rescale) {
            (Some(lut), _) => Self::Table(lut.table()?),
            (None, Some(rescale)) => Self::Linear { slope: rescale.slope, intercept: rescale.intercept },
            (None, None) => Self::Linear { slope: 1.0, intercept: 0.0 },
        })
    }
    fn apply(&self, stored: f64) -> f64 {
        match self {
            Self::Linear { slope, intercept } => stored * slope + intercept,
            Self::Table(table) => f64::from(table.look_up(stored)),
        }
    }
}

/// Modality value to a byte.
struct Grey {
    voi: Voi,
    inverted: bool,
}

enum Voi {
    Window(Window),
    Table(Table),
}

impl Grey {
    fn of(
        display: &DisplayAttributes,
        asked: Option<Window>,
        low: f64,
        high: f64,
        inverted: bool,
    ) -> Result<Self, ImagingError> {
        let voi = match (asked.or(display.window), &display.voi_lut) {
            (Some(window), _) => Voi::Window(window),
            (None, Some(lut)) => Voi::Table(lut.table()?),
            (None, None) if low < high => Voi::Window(Window::over(low, high)),
            // One value everywhere has no contrast to show: any grey will do.
            (None, None) => Voi::Window(Window::over(low.min(0.0), low.max(0.0) + 1.0)),
        };
        Ok(Self { voi, inverted })
    }
    /// Factor and offset from stored value to brightness, where rescale and window are straight lines.
    fn straight(&self, modality: &Modality) -> Option<(f64, f64)> {
        let (Voi::Window(Window { center, width, function }), Modality::Linear { slope, intercept }) =
            (&self.voi, modality)
        else {
            return None;
        };
        let (middle, span) = match function {
            Function::Linear if *width > 1.0 => (center - 0.5, width - 1.0),
            Function::LinearExact => (*center, *width),
            _ => return None,
        };
        let (factor, offset) = (slope / span * 255.0, ((intercept - middle) / span + 0.5) * 255.0);
        Some(if self.inverted { (-factor, 255.0 - offset) } else { (factor, offset) })
    }
    fn byte(&self, value: f64) -> u8 {
        let byte = match &self.voi {
            Voi::Window(window) => (window.apply(value) * 255.0).round() as u8,
            Voi::Table(table) => table.byte(value),
        };
        if self.inverted { 255 - byte } else { byte }
    }
}

#[cfg(test)]
mod tests {
    use super::super::attributes::Rescale;
    use super::super::lut::{Descriptor, Lut, Values};
    use super::super::samples::tests::facts;
    use super::*;

    fn words(values: &[i16]) -> Vec<u8> {
        values.iter().flat_map(|value| value.to_le_bytes()).collect()
    }

    fn shape(count: usize, signed: bool) -> Shape {
        let mut pixels = facts(count as u32, 1, 1, 16, "MONOCHROME2");
        pixels.pixel_representation = u16::from(signed);
        Shape::of(&pixels).unwrap()
    }

    #[test]
    fn a_ct_is_windowed_in_hounsfield_units() {
        let display = DisplayAttributes {
            window: Window::new(40.0, 400.0, Function::Linear),
            rescale: Some(Rescale { slope: 1.0, intercept: -1024.0 }),
            ..Default::default()
        };
        // -160, 40 and 240 HU: below, at and above the window; 1064 is 40 HU.
        let frame = words(&[0, 863, 864, 1064, 1264, 3000]);
        let bytes = render(&shape(6, false), &frame, &display, (None, None), false).unwrap();
        assert_eq!(bytes, [0, 0, 0, 128, 255, 255]);
        let inverted = render(&shape(6, false), &frame, &display, (None, None), true).unwrap();
        assert_eq!(inverted, [255, 255, 255, 127, 0, 0]);
    }

    #[test]
    fn without_a_window_the_picture_spans_what_is_there_and_padding_is_ignored() {
        let frame = words(&[-2000, -100, 0, 100]);
        let plain = render(&shape(4, true), &frame, &DisplayAttributes::default(), (None, None), false).unwrap();
        assert_eq!(plain, [0, 231, 243, 255]);
        let display = DisplayAttributes { padding: Some((-2000.0, -2000.0)), ..Default::default() };
        assert_eq!(render(&shape(4, true), &frame, &display, (None, None), false).unwrap(), [0, 0, 128, 255]);
        assert_eq!(render(&shape(4, true), &frame, &display, (None, None), true).unwrap(), [0, 255, 127, 0]);
    }

    #[test]
    fn a_falling_rescale_turns_the_picture_around() {
        let display =
            DisplayAttributes { rescale: Some(Rescale { slope: -1.0, intercept: 100.0 }), ..Default::default() };
        assert_eq!(
            render(&shape(3, true), &words(&[0, 25, 100]), &display, (None, None), false).unwrap(),
            [255, 191, 0]
        );
    }

    #[test]
    fn a_modality_lut_that_rises_and_falls_is_spanned_from_its_lowest_to_its_highest() {
        let table = Values::Words(vec![100, 300, 500, 200]);
        let lut = Lut::new(Descriptor::new(4.0, 0.0, 16.0).unwrap(), table, false);
        let display = DisplayAttributes { modality_lut: Some(lut), ..Default::default() };
        let frame = words(&[0, 1, 2, 3]);
        assert_eq!(extent(&shape(4, false), &frame, &display).unwrap(), Some((100.0, 500.0)));
        assert_eq!(render(&shape(4, false), &frame, &display, (None, None), false).unwrap(), [0, 128, 255, 64]);
        let padded = DisplayAttributes { padding: Some((2.0, 2.0)), ..display };
        assert_eq!(render(&shape(4, false), &frame, &padded, (None, None), false).unwrap(), [0, 255, 0, 128]);
    }

    #[test]
    fn one_value_everywhere_and_padding_everywhere_are_pictures_too() {
        assert_eq!(
            render(&shape(2, true), &words(&[7, 7]), &DisplayAttributes::default(), (None, None), false).unwrap().len(),
            2
        );
        let display = DisplayAttributes { padding: Some((7.0, 7.0)), ..Default::default() };
        assert_eq!(render(&shape(2, true), &words(&[7, 7]), &display, (None, None), false).unwrap().len(), 2);
    }

    #[test]
    fn thirty_two_bits_and_floats_are_spanned_without_a_table() {
        let mut pixels = facts(3, 1, 1, 32, "MONOCHROME2");
        let frame: Vec<u8> = [0_u32, 2_000_000_000, 4_000_000_000].iter().flat_map(|v| v.to_le_bytes()).collect();
        let bytes =
            render(&Shape::of(&pixels).unwrap(), &frame, &DisplayAttributes::default(), (None, None), false).unwrap();
        assert_eq!(bytes, [0, 128, 255]);
        pixels.element = 0x0008;
        let frame: Vec<u8> = [-1.5_f32, 0.0, 1.5].iter().flat_map(|v| v.to_le_bytes()).collect();
        let bytes =
            render(&Shape::of(&pixels).unwrap(), &frame, &DisplayAttributes::default(), (None, None), false).unwrap();
        assert_eq!(bytes, [0, 128, 255]);
    }

    #[test]
    fn a_span_takes_the_place_of_what_the_frame_holds_and_padding_stays_black() {
        let display = DisplayAttributes { padding: Some((7.0, 7.0)), ..Default::default() };
        let of = |span, inverted| {
            render(&shape(4, false), &words(&[7, 0, 50, 100]), &display, (None, span), inverted).unwrap()
        };
        assert_eq!(of(None, false), [0, 0, 128, 255]);
        assert_eq!(of(Some((0.0, 200.0)), false), [0, 0, 64, 128]);
        assert_eq!(of(Some((0.0, 200.0)), true), [0, 255, 191, 127]);
    }

    #[test]
    fn of_floats_padding_and_what_is_no_number_are_black_and_stretch_nothing() {
        let values = [f32::NAN, 5000.0, f32::INFINITY, -1e30, 5001.0, 5002.0, f32::NEG_INFINITY];
        let mut pixels = facts(values.len() as u32, 1, 1, 32, "MONOCHROME2");
        pixels.element = 0x0008;
        let shape = Shape::of(&pixels).unwrap();
        let frame: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let padding = f64::from(-1e30_f32);
        let display = DisplayAttributes { padding: Some((padding, padding)), ..Default::default() };
        assert_eq!(extent(&shape, &frame, &display).unwrap(), Some((5000.0, 5002.0)));
        assert_eq!(render(&shape, &frame, &display, (None, None), false).unwrap(), [0, 0, 0, 0, 128, 255, 0]);
        assert_eq!(render(&shape, &frame, &display, (None, None), true).unwrap(), [0, 255, 0, 0, 127, 0, 0]);
        let window = Window::new(5001.0, 2.0, Function::LinearExact);
        assert_eq!(render(&shape, &frame, &display, (window, None), false).unwrap(), [0, 0, 0, 0, 128, 255, 0]);
    }
}
