//! One frame in memory, as pictures are made of it: native frames in little endian and from a byte edge
//! on, encapsulated ones with their fragments joined.

use super::{Archive, InstanceDetail, InstanceFile, RetrieveError};
use crate::domain::byte_order::Words;
use crate::domain::frames::{bit_offset, bits, locate};
use crate::domain::instance::{BulkValue, FrameTable};
use crate::domain::transfer_syntax::{self, Encoding, TransferSyntax};
use crate::domain::uid::TransferSyntaxUid;
use bytes::{Bytes, BytesMut};
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
        let words = match pixels.frames {
            FrameTable::Native { .. } if syntax.encoding == Encoding::ExplicitBig => {
                let value = detail.metadata.bulk_value(&format!("7FE0{:04X}", pixels.element));
                value.and_then(|value| Words::of(value, Some(pixels), 0))
            }
            _ => None,
        };
        let mut whole = BytesMut::new();
        for range in ranges {
            match &words {
                Some(words) => {
                    // A frame of 8-bit samples may begin in the middle of a word.
                    let around = words.around(&range);
                    let from = usize::try_from(range.start - around.start).unwrap_or_default();
                    let to = from.saturating_add(usize::try_from(range.end - range.start).unwrap_or_default());
                    let read = self.dataset_bytes(&file, detail, syntax, around, cap.saturating_add(16)).await?;
                    let mut read = BytesMut::from(read);
                    words.reverse(&mut read);
                    whole.extend_from_slice(read.get(from..to).ok_or(RetrieveError::Damaged)?);
                }
                None => whole.extend_from_slice(&self.dataset_bytes(&file, detail, syntax, range, cap).await?),
            }
        }
        Ok(match pixels.frames {
            FrameTable::Native { frame_bits } if frame_bits % 8 != 0 => {
                bits(&whole, bit_offset(pixels, frame), frame_bits).into()
            }
            _ => whole.freeze(),
        })
    }

    /// A value of bulk data in little endian; refused as [`RetrieveError::TooLarge`] when it has more than
    /// `cap` bytes.
    pub async fn value(&self, detail: &InstanceDetail, value: &BulkValue, cap: usize) -> Result<Bytes, RetrieveError> {
        let syntax = syntax_of(&detail.row.file.transfer_syntax_uid)?;
        let file = self.open(&detail.row.file).await?;
        if value.value.end.saturating_sub(value.value.start) > cap as u64 {
            return Err(RetrieveError::TooLarge);
        }
        let bytes = self.dataset_bytes(&file, detail, syntax, value.value.clone(), cap).await?;
        match Words::of(value, detail.pixels.as_ref(), 0).filter(|_| syntax.encoding == Encoding::ExplicitBig) {
            Some(words) => {
                let mut bytes = BytesMut::from(bytes);
                words.reverse(&mut bytes);
                Ok(bytes.freeze())
            }
            None => Ok(bytes),
        }
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
