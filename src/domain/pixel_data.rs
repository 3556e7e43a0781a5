//! Pixel Data (7FE0,0010) written frame by frame, in Explicit VR Little Endian: native (PS3.5 §8.2) or in
//! fragments, one a frame (PS3.5 §A.4).

use super::recode::{explicit, mark};
use super::walker::{ITEM, PIXEL_DATA, SEQUENCE_DELIMITATION};
use bytes::Bytes;
use dicom_core::VR;

/// The element under construction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PixelData {
    /// Bits of a frame, and bits that were left over by the frames before (PS3.5 §8.1.1: a frame does not begin
    /// on a byte edge).
    Native {
        frame_bits: u64,
        held: u8,
        holding: u32,
        bytes: u64,
    },
    Encapsulated,
}

impl PixelData {
    /// `frames` native ones of `frame_bits`, and the header; `None` when 32 bits do not hold their length.
    pub fn native(frame_bits: u64, frames: u32, bits_allocated: u16) -> Option<(Self, Vec<u8>)> {
        let bytes = frame_bits.checked_mul(u64::from(frames))?.div_ceil(8);
        let length = u32::try_from(bytes.next_multiple_of(2)).ok().filter(|length| *length < u32::MAX - 1)?;
        let mut head = Vec::with_capacity(12);
        explicit(&mut head, PIXEL_DATA, if bits_allocated <= 8 { VR::OB } else { VR::OW }, length);
        Some((Self::Native { frame_bits, held: 0, holding: 0, bytes: 0 }, head))
    }

    /// In fragments, and the header with the Basic Offset Table: of one frame its offset. Of several it is
    /// empty, as §A.4 allows, because it stands before frames whose lengths are not known yet.
    pub fn encapsulated(frames: u32) -> (Self, Vec<u8>) {
        let mut head = Vec::with_capacity(24);
        explicit(&mut head, PIXEL_DATA, VR::OB, u32::MAX);
        let table: &[u8] = if frames == 1 { &[0; 4] } else { &[] };
        mark(&mut head, ITEM, table.len() as u32);
        head.extend_from_slice(table);
        (Self::Encapsulated, head)
    }

    /// The bytes that one more frame adds; a native one has exactly its bits. `None` when it is too long.
    pub fn frame(&mut self, frame: Bytes) -> Option<[Bytes; 3]> {
        match self {
            Self::Encapsulated => {
                let odd = frame.len() % 2;
                let length = u32::try_from(frame.len() + odd).ok()?;
                let mut head = Vec::with_capacity(8);
                mark(&mut head, ITEM, length);
                Some([head.into(), frame, Bytes::from_static(&[0]).slice(..odd)])
            }
            Self::Native { frame_bits, held, holding, bytes } => {
                let expected = usize::try_from(frame_bits.div_ceil(8)).ok()?;
                let frame = (frame.len() >= expected).then(|| frame.slice(..expected))?;
                let frame = match (*holding, *frame_bits % 8) {
                    (0, 0) => frame,
                    _ => joined(&frame, *frame_bits, held, holding),
                };
                *bytes += frame.len() as u64;
                Some([frame, Bytes::new(), Bytes::new()])
            }
        }
    }

    /// What stands behind the last frame.
    pub fn end(self) -> Vec<u8> {
        let mut out = Vec::new();
        match self {
            Self::Encapsulated => mark(&mut out, SEQUENCE_DELIMITATION, 0),
            Self::Native { held, holding, bytes, .. } => {
                out.extend((holding > 0).then_some(held));
                if !(bytes + out.len() as u64).is_multiple_of(2) {
                    out.push(0);
                }
            }
        }
        out
    }
}

/// The bits of a frame behind those that are held; whole bytes come out, the rest is held.
fn joined(frame: &[u8], frame_bits: u64, held: &mut u8, holding: &mut u32) -> Bytes {
    let mut out = Vec::with_capacity(frame.len() + 1);
    let mut left = frame_bits;
    for byte in frame {
        let count = left.min(8) as u32;
        left -= u64::from(count);
        // The first pixel is in the lowest bit.
        let bits = u16::from(*byte) & ((1 << count) - 1);
        let both = u16::from(*held) | bits << *holding;
        *holding += count;
        *held = both as u8;
        if *holding >= 8 {
            out.push(both as u8);
            *held = (both >> 8) as u8;
            *holding -= 8;
        }
    }
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(mut data: PixelData, frames: &[&[u8]]) -> Vec<u8> {
        let mut out = Vec::new();
        for frame in frames {
            data.frame(Bytes::copy_from_slice(frame)).unwrap().iter().for_each(|bytes| out.extend_from_slice(bytes));
        }
        out.extend(data.end());
        out
    }

    #[test]
    fn native_frames_follow_each_other_without_gaps_and_end_evenly() {
        let of = |bits, frames, allocated| PixelData::native(bits, frames, allocated).unwrap().0;
        assert_eq!(written(of(24, 1, 8), &[&[1, 2, 3]]), [1, 2, 3, 0]);
        assert_eq!(written(of(16, 2, 16), &[&[1, 2], &[3, 4]]), [1, 2, 3, 4]);
        // Five pixels of one bit: the second frame begins in the middle of a byte.
        assert_eq!(written(of(5, 3, 1), &[&[0b10001], &[0b11111], &[0b00001]]), [0b1111_0001, 0b0000_0111]);
        assert_eq!(written(of(4, 2, 1), &[&[0xF], &[0x1]]), [0x1F, 0]);
        assert_eq!(of(24, 1, 8).frame(Bytes::from_static(&[1, 2])), None);
        let (_, head) = PixelData::native(24, 1, 8).unwrap();
        assert_eq!(head, [0xE0, 0x7F, 0x10, 0, b'O', b'B', 0, 0, 4, 0, 0, 0]);
        assert_eq!(PixelData::native(1 << 35, 1, 8), None);
        assert_eq!(PixelData::native(u64::MAX, 9, 8), None);
    }

    #[test]
    fn fragments_are_even_and_one_frame_has_its_offset() {
        let (data, head) = PixelData::encapsulated(1);
        assert_eq!(head[12..], [0xFE, 0xFF, 0, 0xE0, 4, 0, 0, 0, 0, 0, 0, 0]);
        let end = [0xFE, 0xFF, 0xDD, 0xE0, 0, 0, 0, 0];
        assert_eq!(written(data, &[&[1, 2, 3]]), [&[0xFE, 0xFF, 0, 0xE0, 4, 0, 0, 0, 1, 2, 3, 0][..], &end].concat());
        assert_eq!(PixelData::encapsulated(2).1[12..], [0xFE, 0xFF, 0, 0xE0, 0, 0, 0, 0]);
    }
}
