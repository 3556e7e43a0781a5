//! Where each frame of an instance is (PS3.5 §8, §A.4), as arithmetic over what the reading pass found.

mod scan;

pub(crate) use scan::Fragments;

use super::instance::{FrameTable, PixelFacts};
use super::varint;
use std::ops::Range;

/// The byte ranges of frame `frame`, counted from 0, in order; `None` when the data set does not hold
/// that frame. A native frame is one range. When its bits do not begin or end on byte edges (1 bit
/// allocated), the range covers every byte that has some of them, and [`bit_offset`] says where in the
/// first byte they begin.
pub fn locate(pixels: &PixelFacts, frame: u32) -> Option<Vec<Range<u64>>> {
    if frame >= pixels.number_of_frames {
        return None;
    }
    match &pixels.frames {
        FrameTable::Native { frame_bits: 0 } => None,
        FrameTable::Native { frame_bits } => {
            let first = u64::from(frame).checked_mul(*frame_bits)?;
            let last = first.checked_add(*frame_bits)?;
            let start = pixels.value.start.checked_add(first / 8)?;
            let end = pixels.value.start.checked_add(last.div_ceil(8))?;
            (end <= pixels.value.end).then(|| std::iter::once(start..end).collect())
        }
        FrameTable::Encapsulated { frames } => {
            let fragments = frames.get(usize::try_from(frame).ok()?)?;
            (!fragments.is_empty()).then(|| fragments.clone())
        }
    }
}

/// How many bits of the first byte of a native frame belong to the frame before (PS3.5 §8.1.1: the
/// first pixel is in the least significant bit).
pub fn bit_offset(pixels: &PixelFacts, frame: u32) -> u8 {
    match pixels.frames {
        FrameTable::Native { frame_bits } => (u64::from(frame).wrapping_mul(frame_bits) % 8) as u8,
        FrameTable::Encapsulated { .. } => 0,
    }
}

/// `count` bits of `bytes` from bit `from` of the first byte on, moved to a byte edge; what is left of the last
/// byte is filled with zeros.
pub fn bits(bytes: &[u8], from: u8, count: u64) -> Vec<u8> {
    let length = usize::try_from(count.div_ceil(8)).unwrap_or(usize::MAX).min(bytes.len());
    let byte = |index: usize| bytes.get(index).copied().unwrap_or(0);
    let mut out: Vec<u8> = (0..length)
        .map(|index| (u16::from_le_bytes([byte(index), byte(index + 1)]) >> (from % 8)).to_le_bytes()[0])
        .collect();
    if let (Some(last), spare @ 1..) = (out.last_mut(), count % 8) {
        *last &= (1 << spare) - 1;
    }
    out
}

/// Bits of one native frame; 0 when the attributes give none.
pub(crate) fn native_bits(pixels: &PixelFacts) -> u64 {
    let samples = match pixels.photometric_interpretation.as_str() {
        // PS3.3 §C.7.6.3.1.2: two of three samples are shared by two, or by four, pixels.
        "YBR_FULL_422" | "YBR_PARTIAL_422" if pixels.samples_per_pixel == 3 => 4,
        "YBR_PARTIAL_420" if pixels.samples_per_pixel == 3 => 3,
        _ => 2 * u64::from(pixels.samples_per_pixel),
    };
    // 65,535 x 65,535 x 131,070 x 65,535 overflows: such a frame is in no file.
    [u64::from(pixels.columns), samples, u64::from(pixels.bits_allocated)]
        .iter()
        .try_fold(u64::from(pixels.rows), |bits, factor| bits.checked_mul(*factor))
        .map_or(0, |twice| twice / 2)
}

/// A frame table as the index keeps it: about two bytes for a frame of one fragment.
pub fn encode(table: &FrameTable) -> Vec<u8> {
    let mut out = Vec::new();
    match table {
        FrameTable::Native { frame_bits } => {
            out.push(NATIVE);
            varint::write(&mut out, *frame_bits);
        }
        FrameTable::Encapsulated { frames } => {
            out.push(ENCAPSULATED);
            varint::write(&mut out, frames.len() as u64);
            let mut at = 0u64;
            for fragments in frames {
                varint::write(&mut out, fragments.len() as u64);
                for fragment in fragments {
                    // Backwards only when an offset table reorders frames; wrapping keeps it exact.
                    varint::write(&mut out, fragment.start.wrapping_sub(at));
                    varint::write(&mut out, fragment.end.wrapping_sub(fragment.start));
                    at = fragment.end;
                }
            }
        }
    }
    out
}

/// Reads a blob of [`encode`]; `None` when it is damaged.
pub fn decode(blob: &[u8]) -> Option<FrameTable> {
    let (kind, mut rest) = blob.split_first()?;
    let mut next = || {
        let (value, used) = varint::read(rest)?;
        rest = rest.get(used..)?;
        Some((value, rest.len()))
    };
    let table = match *kind {
        NATIVE => FrameTable::Native { frame_bits: next()?.0 },
        ENCAPSULATED => {
            let (count, left) = next()?;
            let count = usize::try_from(count).ok().filter(|count| *count <= left)?;
            let mut frames = Vec::with_capacity(count);
            let mut at = 0u64;
            for _ in 0..count {
                let (count, left) = next()?;
                let count = usize::try_from(count).ok().filter(|count| *count <= left)?;
                let mut fragments = Vec::with_capacity(count);
                for _ in 0..count {
                    let start = at.wrapping_add(next()?.0);
                    let end = start.checked_add(next()?.0)?;
                    fragments.push(start..end);
                    at = end;
                }
                frames.push(fragments);
            }
            FrameTable::Encapsulated { frames }
        }
        _ => return None,
    };
    rest.is_empty().then_some(table)
}

const NATIVE: u8 = 1;
const ENCAPSULATED: u8 = 2;

#[cfg(test)]
pub(in crate::domain) mod tests;
