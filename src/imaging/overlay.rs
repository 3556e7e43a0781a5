//! Overlay planes (PS3.3 §C.9.2): one bit a pixel in groups 6000 to 601E, or, in older objects, in an
//! unused bit of the pixels themselves.

use super::encode::Raster;
use super::samples::Shape;

/// One plane as its attributes describe it.
#[derive(Debug, Clone, PartialEq)]
pub struct Overlay {
    pub(super) rows: u32,
    pub(super) columns: u32,
    /// Where its first pixel is, counted from 1; it may lie outside.
    pub(super) origin: (i32, i32),
    /// Which of its own frames belongs to the image frame.
    pub(super) frame: u32,
    pub(super) bits: Bits,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Bits {
    /// Overlay Data, the first pixel in the lowest bit.
    Data(Vec<u8>),
    /// Overlay Data that is bulk data: where.
    Elsewhere(String),
    /// This bit of every pixel.
    Embedded(u16),
}

impl Overlay {
    pub(super) fn place(&self) -> Option<&str> {
        match &self.bits {
            Bits::Elsewhere(place) => Some(place),
            _ => None,
        }
    }

    /// Paints the plane white. `frame` is what `shape` describes.
    pub(super) fn paint(&self, raster: &mut Raster, shape: &Shape, frame: &[u8]) {
        let depth = if raster.colour { 3 } else { 1 };
        let mut white = |x: i64, y: i64| {
            let inside = (0..i64::from(raster.width)).contains(&x) && (0..i64::from(raster.height)).contains(&y);
            let at = if inside { (y as usize * raster.width as usize + x as usize) * depth } else { usize::MAX };
            if let Some(pixel) = at.checked_add(depth).and_then(|end| raster.bytes.get_mut(at..end)) {
                pixel.fill(255);
            }
        };
        match &self.bits {
            Bits::Elsewhere(_) => {}
            Bits::Embedded(bit) => {
                let (mut at, width) = (0_i64, i64::from(shape.width));
                let painted = shape.raw(frame, |raw| {
                    if raw >> bit.min(&31) & 1 == 1 {
                        white(at % width, at / width);
                    }
                    at += 1;
                });
                // A frame that is too short was refused before.
                let _ = painted;
            }
            Bits::Data(bytes) => {
                let area = u64::from(self.rows) * u64::from(self.columns);
                let first = area.saturating_mul(u64::from(self.frame));
                let (top, left) = (i64::from(self.origin.0) - 1, i64::from(self.origin.1) - 1);
                for at in 0..area {
                    let bit = first.saturating_add(at);
                    let Some(byte) = usize::try_from(bit / 8).ok().and_then(|at| bytes.get(at)) else { break };
                    if byte >> (bit % 8) & 1 == 1 {
                        let (y, x) = (at / u64::from(self.columns), at % u64::from(self.columns));
                        white(left + x as i64, top + y as i64);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::tests::facts;
    use super::*;

    fn painted(overlay: &Overlay, frame: &[u8]) -> Vec<u8> {
        let mut raster = Raster { width: 3, height: 2, colour: false, bytes: vec![0; 6] };
        overlay.paint(&mut raster, &Shape::of(&facts(3, 2, 1, 16, "MONOCHROME2")).unwrap(), frame);
        raster.bytes
    }

    #[test]
    fn a_plane_is_painted_where_its_origin_says() {
        let overlay =
            |origin, frame| Overlay { rows: 2, columns: 2, origin, frame, bits: Bits::Data(vec![0b1000_0111]) };
        assert_eq!(painted(&overlay((1, 1), 0), &[]), [255, 255, 0, 255, 0, 0]);
        assert_eq!(painted(&overlay((1, 2), 0), &[]), [0, 255, 255, 0, 255, 0]);
        assert_eq!(painted(&overlay((0, 0), 1), &[]), [255, 0, 0, 0, 0, 0]);
        assert_eq!(painted(&overlay((1, 1), 9), &[]), [0; 6]);
        assert_eq!(painted(&overlay((i32::MAX, i32::MIN), 0), &[]), [0; 6]);
    }

    #[test]
    fn a_plane_may_stand_in_a_bit_of_the_pixels() {
        let frame: Vec<u8> = [0x8001_u16, 1, 0x8000, 2, 3, 0xFFFF].iter().flat_map(|v| v.to_le_bytes()).collect();
        let overlay = Overlay { rows: 2, columns: 3, origin: (1, 1), frame: 0, bits: Bits::Embedded(15) };
        assert_eq!(painted(&overlay, &frame), [255, 0, 255, 0, 0, 255]);
    }
}
