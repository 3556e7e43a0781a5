//! Which bytes change places when a big endian value becomes little endian (PS3.5 §7.3): the one rule of
//! rewriting, bulk data, frames and pictures.

use super::instance::{BulkValue, PixelFacts};
use super::vr;
use dicom_core::VR;
use std::ops::Range;

const PIXEL_DATA: &str = "7FE00010";

/// Bytes that are reversed together in Pixel Data (7FE0,0010). OW is words even where samples are bytes
/// (PS3.5 §8.1.2); of 32 or 64 bits allocated, writers of big endian wrote whole samples, and pydicom reads
/// them so.
pub fn pixel_word(declared: VR, bits_allocated: u16) -> usize {
    match (declared, bits_allocated) {
        (VR::OW, 32) => 4,
        (VR::OW, 64) => 8,
        (declared, _) => vr::word(declared),
    }
}

/// A big endian value whose words have more than one byte: how wide they are, counted from its first byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    bytes: u64,
    value: Range<u64>,
}

impl Words {
    /// Of a value whose data set begins at `dataset`; `None` when its bytes stay where they are. `pixels` is
    /// the data set's own image.
    pub fn of(value: &BulkValue, pixels: Option<&PixelFacts>, dataset: u64) -> Option<Self> {
        let word = match pixels {
            Some(pixels) if value.path == PIXEL_DATA => pixel_word(value.vr, pixels.bits_allocated),
            _ => vr::word(value.vr),
        };
        let value = dataset.checked_add(value.value.start)?..dataset.checked_add(value.value.end)?;
        (word > 1).then_some(Self { bytes: word as u64, value })
    }

    #[cfg(test)]
    pub fn new(bytes: u64, value: Range<u64>) -> Self {
        Self { bytes, value }
    }

    /// The whole words that hold `range`; of a value that ends within a word, up to its end.
    pub fn around(&self, range: &Range<u64>) -> Range<u64> {
        let start = range.start - range.start.saturating_sub(self.value.start) % self.bytes;
        let beyond = range.end.saturating_sub(self.value.start) % self.bytes;
        let end = if beyond == 0 { range.end } else { range.end.saturating_add(self.bytes - beyond) };
        start..end.min(self.value.end.max(range.end))
    }

    /// Reverses every whole word of `bytes`, which begin with one; the rest stays as it is.
    pub fn reverse(&self, bytes: &mut [u8]) {
        bytes.chunks_exact_mut(self.width()).for_each(<[u8]>::reverse);
    }

    /// How many of the first `length` bytes are whole words.
    pub fn whole(&self, length: usize) -> usize {
        length - length % self.width()
    }

    fn width(&self) -> usize {
        // 2, 4 or 8.
        self.bytes as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::instance::FrameTable;

    #[test]
    fn pixel_data_is_swapped_by_words_and_by_samples_where_they_are_wider() {
        let cases = [
            (VR::OB, 8, 1),
            (VR::OB, 16, 1),
            (VR::OW, 1, 2),
            (VR::OW, 8, 2),
            (VR::OW, 16, 2),
            (VR::OW, 32, 4),
            (VR::OW, 64, 8),
            (VR::OF, 32, 4),
            (VR::OD, 64, 8),
            (VR::UN, 16, 1),
        ];
        for (vr, bits, expected) in cases {
            assert_eq!(pixel_word(vr, bits), expected, "{vr:?} {bits}");
        }
    }

    #[test]
    fn only_the_image_itself_is_swapped_by_samples() {
        let value = |path: &str| BulkValue { path: path.into(), vr: VR::OW, value: 10..26 };
        let frames = FrameTable::Native { frame_bits: 32 };
        let pixels = PixelFacts { bits_allocated: 32, ..crate::domain::frames::tests::pixels(frames, 1, 10..26) };
        assert_eq!(Words::of(&value("7FE00010"), Some(&pixels), 100), Some(Words::new(4, 110..126)));
        assert_eq!(Words::of(&value("60003000"), Some(&pixels), 100), Some(Words::new(2, 110..126)));
        assert_eq!(Words::of(&value("00880200/0/7FE00010"), Some(&pixels), 0), Some(Words::new(2, 10..26)));
        assert_eq!(Words::of(&BulkValue { vr: VR::OB, ..value("7FE00010") }, Some(&pixels), 0), None);
    }

    #[test]
    fn a_range_grows_to_whole_words_and_not_beyond_its_value() {
        let words = Words::new(4, 3..21);
        for (range, expected) in [(3..7, 3..7), (4..5, 3..7), (6..8, 3..11), (7..20, 7..21), (19..21, 19..21)] {
            assert_eq!(words.around(&range), expected, "{range:?}");
        }
    }
}
