//! The shape of a native frame, checked, and its samples as numbers (PS3.5 §8.1.1, §8.2).

use super::PIXELS_MAX;
use super::error::ImagingError;
use crate::domain::instance::PixelFacts;

/// What the Image Pixel Module declares, after it was found possible.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    pub width: u32,
    pub height: u32,
    pub samples: u16,
    pub bits_allocated: u16,
    pub bits_stored: u16,
    /// How far the stored bits stand from bit 0.
    pub shift: u16,
    pub signed: bool,
    pub planar: bool,
    /// IEEE 754 values: Float or Double Float Pixel Data.
    pub float: bool,
}

impl Shape {
    pub fn of(pixels: &PixelFacts) -> Result<Self, ImagingError> {
        let area = u64::from(pixels.rows) * u64::from(pixels.columns);
        if area == 0 {
            return Err(ImagingError::Unsupported("it has no rows or no columns"));
        }
        if area > PIXELS_MAX || pixels.rows > 65_535 || pixels.columns > 65_535 {
            return Err(ImagingError::TooLarge { max_megapixels: (PIXELS_MAX / 1_000_000) as u32 });
        }
        if !matches!(pixels.samples_per_pixel, 1 | 3) {
            return Err(ImagingError::Unsupported("samples per pixel are neither 1 nor 3"));
        }
        let float = matches!(pixels.element, 0x0008 | 0x0009);
        let allocated = pixels.bits_allocated;
        match (pixels.element, allocated) {
            (0x0008, 32) | (0x0009, 64) => {}
            (0x0008 | 0x0009, _) => return Err(ImagingError::Unsupported("bits allocated of floating point pixels")),
            (_, 1..=32) => {}
            _ => return Err(ImagingError::Unsupported("bits allocated")),
        }
        // Some devices leave Bits Stored or High Bit at nonsense: then all allocated bits are stored.
        let stored = if (1..=allocated).contains(&pixels.bits_stored) { pixels.bits_stored } else { allocated };
        let high = if (stored - 1..allocated).contains(&pixels.high_bit) { pixels.high_bit } else { stored - 1 };
        Ok(Self {
            width: pixels.columns,
            height: pixels.rows,
            samples: pixels.samples_per_pixel,
            bits_allocated: allocated,
            bits_stored: stored,
            shift: high + 1 - stored,
            signed: pixels.pixel_representation == 1,
            planar: pixels.planar_configuration == 1 && pixels.samples_per_pixel > 1,
            float,
        })
    }

    pub fn area(&self) -> usize {
        // At most PIXELS_MAX.
        self.width as usize * self.height as usize
    }

    /// Bytes of a frame with all samples present.
    pub fn frame_bytes(&self) -> usize {
        let bits = self.area() as u64 * u64::from(self.samples) * u64::from(self.bits_allocated);
        usize::try_from(bits.div_ceil(8)).unwrap_or(usize::MAX)
    }

    /// The part of `frame` that its shape asks for; a padding byte behind it is dropped.
    pub fn cut<'a>(&self, frame: &'a [u8]) -> Result<&'a [u8], ImagingError> {
        frame.get(..self.frame_bytes()).ok_or(ImagingError::Truncated)
    }

    /// Keeps the stored bits and extends their sign.
    pub fn interpret(&self, raw: u32) -> i64 {
        let stored = u32::from(self.bits_stored);
        let value = i64::from(raw >> self.shift) & ((1_i64 << stored) - 1);
        if self.signed && value >> (stored - 1) & 1 == 1 { value - (1_i64 << stored) } else { value }
    }

    /// Every sample in the order of the bytes, as allocated: calls `each` once a sample.
    pub fn raw(&self, frame: &[u8], mut each: impl FnMut(u32)) -> Result<(), ImagingError> {
        let frame = self.cut(frame)?;
        match self.bits_allocated {
            8 => frame.iter().for_each(|byte| each(u32::from(*byte))),
            16 => frame.chunks_exact(2).for_each(|two| each(u32::from(u16::from_le_bytes([two[0], two[1]])))),
            32 => frame.chunks_exact(4).for_each(|four| each(u32::from_le_bytes([four[0], four[1], four[2], four[3]]))),
            // 1, 12 and 24 bits stand one after the other, the lowest bit first (PS3.5 §8.1.1).
            bits => {
                let (mut held, mut have, mut bytes) = (0_u64, 0_u32, frame.iter());
                for _ in 0..self.area() * usize::from(self.samples) {
                    while have < u32::from(bits) {
                        held |= u64::from(*bytes.next().ok_or(ImagingError::Truncated)?) << have;
                        have += 8;
                    }
                    each((held & ((1 << bits) - 1)) as u32);
                    held >>= bits;
                    have -= u32::from(bits);
                }
            }
        }
        Ok(())
    }

    /// Floating point samples, infinities and what is no number among them.
    pub fn floats(&self, frame: &[u8]) -> Result<Vec<f64>, ImagingError> {
        let frame = self.cut(frame)?;
        Ok(match self.bits_allocated {
            32 => frame
                .chunks_exact(4)
                .map(|four| f64::from(f32::from_le_bytes([four[0], four[1], four[2], four[3]])))
                .collect(),
            _ => frame.chunks_exact(8).map(|eight| f64::from_le_bytes(eight.try_into().unwrap_or_default())).collect(),
        })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::domain::instance::FrameTable;

    pub fn facts(columns: u32, rows: u32, samples: u16, allocated: u16, interpretation: &str) -> PixelFacts {
        PixelFacts {
            rows,
            columns,
            samples_per_pixel: samples,
            bits_allocated: allocated,
            bits_stored: allocated,
            high_bit: allocated.saturating_sub(1),
            pixel_representation: 0,
            planar_configuration: 0,
            photometric_interpretation: interpretation.into(),
            number_of_frames: 1,
            value: 0..0,
            element: 0x0010,
            frames: FrameTable::Native { frame_bits: 0 },
        }
    }

    #[test]
    fn what_cannot_be_an_image_is_refused_before_memory_is_taken() {
        let cases = [
            (facts(0, 5, 1, 8, ""), "no columns"),
            (facts(65_535, 65_535, 3, 32, ""), "larger than 40 megapixels"),
            (facts(u32::MAX, u32::MAX, 1, 8, ""), "larger than 40 megapixels"),
            (facts(5, 5, 2, 8, ""), "samples per pixel"),
            (facts(5, 5, 1, 0, ""), "bits allocated"),
            (facts(5, 5, 1, 64, ""), "bits allocated"),
        ];
        for (pixels, message) in cases {
            assert!(Shape::of(&pixels).unwrap_err().to_string().contains(message), "{pixels:?}");
        }
    }

    #[test]
    fn stored_bits_are_cut_out_and_signs_extended() {
        let mut pixels = facts(1, 1, 1, 16, "");
        (pixels.bits_stored, pixels.high_bit, pixels.pixel_representation) = (12, 11, 1);
        let shape = Shape::of(&pixels).unwrap();
        for (raw, expected) in [(0x0FFF, -1), (0x0800, -2048), (0x07FF, 2047), (0xF001, 1)] {
            assert_eq!(shape.interpret(raw), expected, "{raw:#x}");
        }
        (pixels.high_bit, pixels.pixel_representation) = (15, 0);
        assert_eq!(Shape::of(&pixels).unwrap().interpret(0xABC7), 0xABC);
        (pixels.bits_stored, pixels.high_bit) = (99, 99);
        assert_eq!(Shape::of(&pixels).unwrap().interpret(0xFFFF), 0xFFFF);
    }

    #[test]
    fn samples_that_end_inside_a_byte_are_read_lowest_bit_first() {
        let read = |allocated, bytes: &[u8]| {
            let mut out = Vec::new();
            let shape = Shape::of(&facts(4, 1, 1, allocated, "")).unwrap();
            shape.raw(bytes, |raw| out.push(raw)).map(|()| out)
        };
        assert_eq!(read(1, &[0b0110]).unwrap(), [0, 1, 1, 0]);
        assert_eq!(read(12, &[0x01, 0x23, 0x45, 0x67, 0x89, 0xAB]).unwrap(), [0x301, 0x452, 0x967, 0xAB8]);
        assert_eq!(read(16, &[1, 0, 2, 0, 3, 0, 4, 0, 99]).unwrap(), [1, 2, 3, 4]);
        assert!(matches!(read(16, &[1, 0, 2, 0, 3, 0, 4]), Err(ImagingError::Truncated)));
    }
}
