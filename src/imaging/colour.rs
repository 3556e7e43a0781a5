//! Colour: the photometric interpretations of PS3.3 §C.7.6.3.1.2 that native frames use, to 8-bit RGB.

use super::attributes::DisplayAttributes;
use super::error::ImagingError;
use super::lut::Lut;
use super::samples::Shape;

/// How three samples become red, green and blue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Model {
    Rgb,
    YbrFull,
    /// Two pixels share their chrominance: Y Y Cb Cr.
    YbrFull422,
    YbrPartial422,
}

/// Three bytes a pixel.
pub(super) fn render(shape: &Shape, frame: &[u8], model: Model) -> Result<Vec<u8>, ImagingError> {
    if shape.samples != 3 {
        return Err(ImagingError::Unsupported("a colour image needs three samples per pixel"));
    }
    if matches!(model, Model::YbrFull422 | Model::YbrPartial422) {
        // Some objects say 4:2:2 and hold all samples: then the frame has its full length.
        if frame.len() < shape.frame_bytes() {
            return shared_chrominance(shape, frame, model);
        }
    }
    let mut samples = Vec::with_capacity(shape.area() * 3);
    let excess = u32::from(shape.bits_stored.saturating_sub(8));
    let stored = u32::from(shape.bits_stored.min(8));
    // Fewer than 8 stored bits are stretched, more are cut.
    let full = (1_u32 << stored) - 1;
    let mask = u32::MAX >> (32 - u32::from(shape.bits_stored));
    shape.raw(frame, |raw| samples.push((((raw >> shape.shift & mask) >> excess) * 255 / full) as u8))?;
    if shape.planar {
        samples = interleaved(&samples, shape.area());
    }
    if model != Model::Rgb {
        for pixel in samples.chunks_exact_mut(3) {
            let rgb = to_rgb(model, pixel[0], pixel[1], pixel[2]);
            pixel.copy_from_slice(&rgb);
        }
    }
    Ok(samples)
}

fn interleaved(planes: &[u8], area: usize) -> Vec<u8> {
    let (red, rest) = planes.split_at(area);
    let (green, blue) = rest.split_at(area);
    red.iter().zip(green).zip(blue).flat_map(|((red, green), blue)| [*red, *green, *blue]).collect()
}

fn shared_chrominance(shape: &Shape, frame: &[u8], model: Model) -> Result<Vec<u8>, ImagingError> {
    if shape.bits_allocated != 8 || shape.width % 2 == 1 {
        return Err(ImagingError::Unsupported("YBR 4:2:2 needs 8 bits and an even number of columns"));
    }
    let frame = frame.get(..shape.area() * 2).ok_or(ImagingError::Truncated)?;
    Ok(frame
        .chunks_exact(4)
        .flat_map(|four| [to_rgb(model, four[0], four[2], four[3]), to_rgb(model, four[1], four[2], four[3])])
        .flatten()
        .collect())
}

/// ITU-R BT.601, with the full or the studio range (PS3.3 §C.7.6.3.1.2).
fn to_rgb(model: Model, y: u8, cb: u8, cr: u8) -> [u8; 3] {
    let (mut y, mut cb, mut cr) = (f64::from(y), f64::from(cb) - 128.0, f64::from(cr) - 128.0);
    if model == Model::YbrPartial422 {
        y = (y - 16.0) * 255.0 / 219.0;
        cb *= 255.0 / 224.0;
        cr *= 255.0 / 224.0;
    }
    let byte = |value: f64| value.round().clamp(0.0, 255.0) as u8;
    [byte(y + 1.402 * cr), byte(y - 0.344_136 * cb - 0.714_136 * cr), byte(y + 1.772 * cb)]
}

/// PALETTE COLOR: each stored value is looked up three times (PS3.3 §C.7.6.3.1.5).
pub(super) fn palette(shape: &Shape, frame: &[u8], display: &DisplayAttributes) -> Result<Vec<u8>, ImagingError> {
    let Some(luts) = &display.palette else {
        return Err(ImagingError::Unsupported("a palette image without its palette"));
    };
    if shape.samples != 1 || shape.bits_stored > 16 || shape.float {
        return Err(ImagingError::Unsupported("a palette image of this depth"));
    }
    let [red, green, blue] = Lut::palette(luts)?;
    let colours: Vec<[u8; 3]> = (0..1_u32 << shape.bits_stored)
        .map(|bits| {
            let value = shape.interpret(bits << shape.shift) as f64;
            [red.byte(value), green.byte(value), blue.byte(value)]
        })
        .collect();
    let mask = colours.len() as u32 - 1;
    let mut out = Vec::with_capacity(shape.area() * 3);
    shape.raw(frame, |raw| out.extend_from_slice(&colours[(raw >> shape.shift & mask) as usize]))?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::super::lut::{Descriptor, Values};
    use super::super::samples::tests::facts;
    use super::*;

    #[test]
    fn planes_and_depths_come_out_the_same() {
        let mut pixels = facts(2, 1, 3, 8, "RGB");
        let shape = |pixels: &_| Shape::of(pixels).unwrap();
        assert_eq!(render(&shape(&pixels), &[1, 2, 3, 4, 5, 6, 0], Model::Rgb).unwrap(), [1, 2, 3, 4, 5, 6]);
        pixels.planar_configuration = 1;
        assert_eq!(render(&shape(&pixels), &[1, 4, 2, 5, 3, 6], Model::Rgb).unwrap(), [1, 2, 3, 4, 5, 6]);
        let pixels = facts(1, 1, 3, 16, "RGB");
        assert_eq!(render(&shape(&pixels), &[0, 1, 0, 2, 255, 255], Model::Rgb).unwrap(), [1, 2, 255]);
        assert!(matches!(render(&shape(&pixels), &[0; 5], Model::Rgb), Err(ImagingError::Truncated)));
    }

    #[test]
    fn grey_red_and_blue_of_ybr_are_those_of_the_standard() {
        for (model, ybr, rgb) in [
            (Model::YbrFull, [128, 128, 128], [128, 128, 128]),
            (Model::YbrFull, [76, 85, 255], [254, 0, 0]),
            (Model::YbrFull, [29, 255, 107], [0, 0, 254]),
            (Model::YbrPartial422, [16, 128, 128], [0, 0, 0]),
            (Model::YbrPartial422, [235, 128, 128], [255, 255, 255]),
        ] {
            assert_eq!(to_rgb(model, ybr[0], ybr[1], ybr[2]), rgb, "{model:?} {ybr:?}");
        }
    }

    #[test]
    fn two_pixels_share_their_chrominance() {
        let shape = Shape::of(&facts(2, 1, 3, 8, "YBR_FULL_422")).unwrap();
        let rgb = render(&shape, &[76, 128, 85, 255], Model::YbrFull422).unwrap();
        assert_eq!(rgb[..3], [254, 0, 0]);
        assert_eq!(rgb[3], 255);
        // All samples present, against what is declared.
        assert_eq!(render(&shape, &[9, 128, 128, 7, 128, 128], Model::YbrFull422).unwrap(), [9, 9, 9, 7, 7, 7]);
        let odd = Shape::of(&facts(3, 1, 3, 8, "YBR_FULL_422")).unwrap();
        assert!(render(&odd, &[0; 6], Model::YbrFull422).is_err());
    }

    #[test]
    fn a_palette_is_looked_up_from_its_first_value_on() {
        let lut =
            |values: [u16; 2]| Lut::new(Descriptor::new(2.0, 1.0, 16.0).unwrap(), Values::Words(values.into()), false);
        let display = DisplayAttributes {
            palette: Some([lut([0xFF00, 0]), lut([0, 0xFFFF]), lut([0x8000, 0x8000])]),
            ..Default::default()
        };
        let shape = Shape::of(&facts(4, 1, 1, 8, "PALETTE COLOR")).unwrap();
        let rgb = palette(&shape, &[0, 1, 2, 200], &display).unwrap();
        assert_eq!(rgb, [254, 0, 128, 254, 0, 128, 0, 255, 128, 0, 255, 128]);
        assert!(palette(&shape, &[0; 4], &DisplayAttributes::default()).is_err());
    }
}
