//! One frame in memory, as pictures are made of it: native frames in little endian and from a byte edge
//! on, encapsulated ones with their fragments joined.

use super::{Archive, InstanceDetail, InstanceFile, RetrieveError};
use crate::domain::frames::{bit_offset, locate};
use crate::domain::instance::{FrameTable, PixelFacts};
use crate::domain::transfer_syntax::{self, Encoding, TransferSyntax};
use crate::domain::uid::TransferSyntaxUid;
use bytes::{Bytes, BytesMut};
use dicom_core::VR;
use flate2::{Decompress, FlushDecompress, Status};
use futures_util::{StreamExt, pin_mut};
use std::ops::Range;

impl Archive {
    /// Frame `frame`, counted from 0; refused as [`RetrieveError::TooLarge`] when it has more than `cap`
    /// bytes.
    pub async fn frame(&self, detail: &InstanceDetail, frame: u32, cap: usize) -> Result<Bytes, RetrieveError> {
        let pixels = detail.pixels.as_ref().ok_or(RetrieveError::NoSuchFrame)?;
        let syntax = syntax_of(&detail.row.file.transfer_syntax_uid)?;
        let ranges = locate(pixels, frame).ok_or(if frame < pixels.number_of_frames {
            RetrieveError::NotFramed
        } else {
            RetrieveError::NoSuchFrame
        })?;
        let total = ranges.iter().try_fold(0_u64, |sum, range| sum.checked_add(range.end.checked_sub(range.start)?));
        if total.is_none_or(|total| total > cap as u64) {
            return Err(RetrieveError::TooLarge);
        }
        let file = self.open(&detail.row.file).await?;
        let mut whole = BytesMut::new();
        for range in ranges {
            whole.extend_from_slice(&self.dataset_bytes(&file, detail, syntax, range, cap).await?);
        }
        let mut frame_bytes = whole;
        if let FrameTable::Native { frame_bits } = pixels.frames {
            if syntax.encoding == Encoding::ExplicitBig {
                // A frame of 8-bit words that begins in the middle of a 16-bit one is read by the door
                // that streams; pictures of such data are not made.
                swap(&mut frame_bytes, unit(detail, pixels));
            }
            if frame_bits % 8 != 0 {
                return Ok(shifted(&frame_bytes, bit_offset(pixels, frame), frame_bits));
            }
        }
        Ok(frame_bytes.freeze())
    }

    /// Bytes of the data set as `PixelFacts` counts them: for a deflated one, of the inflated data set.
    async fn dataset_bytes(
        &self,
        file: &InstanceFile,
        detail: &InstanceDetail,
        syntax: &TransferSyntax,
        range: Range<u64>,
        cap: usize,
    ) -> Result<Bytes, RetrieveError> {
        let start = u64::from(detail.row.file.dataset_offset);
        if syntax.encoding == Encoding::DeflatedExplicitLittle {
            let limit = self.shared.limits.inflated_size.get();
            return inflated(file, start, range, limit).await;
        }
        let moved = |at: u64| start.checked_add(at).ok_or(RetrieveError::Damaged);
        file.read_exact_at(moved(range.start)?..moved(range.end)?, cap).await
    }
}

fn syntax_of(uid: &TransferSyntaxUid) -> Result<&'static TransferSyntax, RetrieveError> {
    transfer_syntax::lookup(uid.as_str()).ok_or(RetrieveError::NotFramed)
}

/// Bytes of one unit of the value, as big endian writes it (PS3.5 §7.3): words of OW have two.
fn unit(detail: &InstanceDetail, pixels: &PixelFacts) -> usize {
    let bytes = usize::from(pixels.bits_allocated / 8);
    let path = format!("7FE0{:04X}", pixels.element);
    match detail.metadata.bulk_value(&path).map(|value| value.vr) {
        Some(VR::OB | VR::UN) => 1,
        Some(VR::OW) => 2,
        _ => bytes,
    }
}

fn swap(bytes: &mut [u8], unit: usize) {
    if unit > 1 {
        bytes.chunks_exact_mut(unit).for_each(<[u8]>::reverse);
    }
}

/// `bits` bits that begin `offset` bits into the first byte (PS3.5 §8.1.1: the first pixel is the least
/// significant bit), moved to a byte edge; the last byte is filled with zeros.
fn shifted(bytes: &[u8], offset: u8, bits: u64) -> Bytes {
    let length = usize::try_from(bits.div_ceil(8)).unwrap_or(usize::MAX).min(bytes.len());
    let mut out = BytesMut::with_capacity(length);
    for index in 0..length {
        let low = bytes.get(index).copied().unwrap_or(0);
        let high = bytes.get(index + 1).copied().unwrap_or(0);
        let both = u16::from_le_bytes([low, high]) >> (offset % 8);
        out.extend_from_slice(&both.to_le_bytes()[..1]);
    }
    let spare = u32::try_from(bits % 8).unwrap_or(0);
    if let (Some(last), 1..) = (out.last_mut(), spare) {
        *last &= (1_u8 << spare) - 1;
    }
    out.freeze()
}

/// Inflates the data set up to the end of `range` and keeps `range` of it. What inflates to more than
/// `limit` was refused when it came.
async fn inflated(
    file: &InstanceFile,
    dataset_offset: u64,
    range: Range<u64>,
    limit: u64,
) -> Result<Bytes, RetrieveError> {
    if range.end > limit {
        return Err(RetrieveError::TooLarge);
    }
    let mut inflater = Decompress::new(false);
    let mut kept = BytesMut::new();
    let mut out = vec![0; 64 * 1024];
    let chunks = file.stream(dataset_offset..file.size_bytes());
    pin_mut!(chunks);
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| RetrieveError::Damaged)?;
        let mut rest = chunk.as_ref();
        loop {
            let (before_in, before_out) = (inflater.total_in(), inflater.total_out());
            let status =
                inflater.decompress(rest, &mut out, FlushDecompress::None).map_err(|_| RetrieveError::Undecodable)?;
            let taken = usize::try_from(inflater.total_in() - before_in).unwrap_or(rest.len());
            rest = rest.get(taken..).unwrap_or_default();
            let made = before_out..inflater.total_out();
            let (from, to) = (made.start.max(range.start), made.end.min(range.end));
            if from < to {
                let place = usize::try_from(from - made.start).ok().zip(usize::try_from(to - made.start).ok());
                kept.extend_from_slice(place.and_then(|(from, to)| out.get(from..to)).unwrap_or_default());
            }
            if made.end >= range.end {
                return Ok(kept.freeze());
            }
            let stuck = taken == 0 && made.is_empty();
            match status {
                Status::StreamEnd => return Err(RetrieveError::Damaged),
                _ if rest.is_empty() && (made.end - made.start) < out.len() as u64 => break,
                _ if stuck => return Err(RetrieveError::Undecodable),
                _ => {}
            }
        }
    }
    Err(RetrieveError::Damaged)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_of_single_bits_is_moved_to_a_byte_edge() {
        let cases: [(&[u8], u8, u64, &[u8]); 4] = [
            (&[0b1010_1010], 0, 8, &[0b1010_1010]),
            (&[0b1010_1010], 1, 7, &[0b0101_0101]),
            (&[0b1100_0000, 0b0000_0001], 6, 3, &[0b0000_0111]),
            (&[0xFF, 0xFF], 4, 12, &[0xFF, 0x0F]),
        ];
        for (bytes, offset, bits, expected) in cases {
            assert_eq!(shifted(bytes, offset, bits).as_ref(), expected, "{bytes:?} {offset} {bits}");
        }
    }

    #[test]
    fn words_are_swapped_as_wide_as_they_are() {
        for (unit, expected) in [(1, [1, 2, 3, 4]), (2, [2, 1, 4, 3]), (4, [4, 3, 2, 1])] {
            let mut bytes = [1, 2, 3, 4];
            swap(&mut bytes, unit);
            assert_eq!(bytes, expected);
        }
    }
}
