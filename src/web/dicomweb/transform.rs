//! Streams of stored bytes turned into what is sent: byte order reversed, inflated, or rewritten to
//! Explicit VR Little Endian; each at flat memory.

use crate::domain::reading::ReadLimits;
use crate::domain::recode::Recoder;
use crate::domain::transfer_syntax::TransferSyntax;
use bytes::{Bytes, BytesMut};
use flate2::{Decompress, FlushDecompress, Status};
use futures_util::{Stream, StreamExt};
use std::io;
use std::ops::Range;

/// Units of 2, 4 or 8 bytes, counted from `origin` (the first byte of the value).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Swap {
    pub unit: u64,
    pub origin: u64,
}

impl Swap {
    /// The whole units that hold `range`.
    pub fn aligned(&self, range: &Range<u64>) -> Range<u64> {
        let start = range.start - (range.start.saturating_sub(self.origin)) % self.unit;
        let beyond = (range.end.saturating_sub(self.origin)) % self.unit;
        let end = if beyond == 0 { range.end } else { range.end + (self.unit - beyond) };
        start..end
    }
}

/// `stream` delivers [`Swap::aligned`] of `range`; the result is `range`, in little endian.
pub fn swapped(
    stream: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
    swap: Swap,
    range: Range<u64>,
) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    let unit = swap.unit as usize;
    let mut skip = (range.start - swap.aligned(&range).start) as usize;
    let mut left = range.end.saturating_sub(range.start) as usize;
    let mut carry = BytesMut::new();
    stream.map(move |chunk| {
        carry.extend_from_slice(&chunk?);
        let whole = carry.len() - carry.len() % unit;
        let mut ready = carry.split_to(whole);
        ready.chunks_exact_mut(unit).for_each(<[u8]>::reverse);
        let from = skip.min(ready.len());
        skip -= from;
        let to = (from + left).min(ready.len());
        left -= to - from;
        Ok(ready.freeze().slice(from..to))
    })
}

/// `stream` delivers raw deflate; the result is `range` of what it inflates to.
pub fn inflated(
    stream: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
    range: Range<u64>,
) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    let start =
        Inflating { stream: stream.boxed(), inflate: Decompress::new(false), input: Bytes::new(), at: 0, range };
    futures_util::stream::try_unfold(start, Inflating::next)
}

struct Inflating {
    stream: futures_util::stream::BoxStream<'static, io::Result<Bytes>>,
    inflate: Decompress,
    input: Bytes,
    /// How much was inflated so far.
    at: u64,
    range: Range<u64>,
}

impl Inflating {
    async fn next(mut self) -> io::Result<Option<(Bytes, Self)>> {
        loop {
            if self.at >= self.range.end {
                return Ok(None);
            }
            if self.input.is_empty() {
                match self.stream.next().await {
                    Some(chunk) => self.input = chunk?,
                    None => return Err(io::ErrorKind::UnexpectedEof.into()),
                }
            }
            let mut out = Vec::with_capacity(64 << 10);
            let before = self.inflate.total_in();
            let status = self
                .inflate
                .decompress_vec(&self.input, &mut out, FlushDecompress::None)
                .map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
            let used = (self.inflate.total_in() - before) as usize;
            self.input = self.input.slice(used.min(self.input.len())..);
            let begin = self.at;
            self.at += out.len() as u64;
            if status == Status::StreamEnd && self.at < self.range.end {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let from = self.range.start.max(begin);
            let to = self.range.end.min(self.at);
            if from < to {
                let bytes = Bytes::from(out).slice((from - begin) as usize..(to - begin) as usize);
                return Ok(Some((bytes, self)));
            }
        }
    }
}

/// `stream` delivers a data set in `syntax`; the result is `head` (preamble and file meta) and the data
/// set in Explicit VR Little Endian.
pub fn rewritten(
    stream: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
    syntax: &'static TransferSyntax,
    limits: ReadLimits,
    head: Bytes,
) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    let start = Rewriting { stream: stream.boxed(), recoder: Some(Recoder::new(syntax, limits)), head: Some(head) };
    futures_util::stream::try_unfold(start, Rewriting::next)
}

struct Rewriting {
    stream: futures_util::stream::BoxStream<'static, io::Result<Bytes>>,
    recoder: Option<Recoder>,
    head: Option<Bytes>,
}

impl Rewriting {
    async fn next(mut self) -> io::Result<Option<(Bytes, Self)>> {
        if let Some(head) = self.head.take() {
            return Ok(Some((head, self)));
        }
        let Some(mut recoder) = self.recoder.take() else { return Ok(None) };
        loop {
            let mut out = Vec::new();
            match self.stream.next().await {
                Some(chunk) => recoder.feed(&chunk?, &mut out).map_err(io::Error::other)?,
                None => {
                    recoder.finish(&mut out).map_err(io::Error::other)?;
                    return Ok(Some((out.into(), self)));
                }
            }
            if !out.is_empty() {
                self.recoder = Some(recoder);
                return Ok(Some((out.into(), self)));
            }
        }
    }
}

/// Bits `from` to `to` of `bytes`, moved so that the first of them is the lowest bit of the first byte
/// (PS3.5 §8.1.1: the first pixel of a byte is its least significant bit).
pub fn bits(bytes: &[u8], from: u64, to: u64) -> Vec<u8> {
    let length = to.saturating_sub(from);
    let shift = (from % 8) as u32;
    let start = (from / 8) as usize;
    let byte = |index: usize| u16::from(bytes.get(index).copied().unwrap_or(0));
    let mut out: Vec<u8> = (0..length.div_ceil(8) as usize)
        .map(|i| ((byte(start + i) | byte(start + i + 1) << 8) >> shift) as u8)
        .collect();
    if let Some(last) = out.last_mut()
        && !length.is_multiple_of(8)
    {
        *last &= (1 << (length % 8)) - 1;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::DeflateEncoder};
    use std::io::Write;

    fn chunks(bytes: &[u8], size: usize) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
        let parts: Vec<_> = bytes.chunks(size).map(|part| Ok(Bytes::copy_from_slice(part))).collect();
        futures_util::stream::iter(parts)
    }
    async fn joined(stream: impl Stream<Item = io::Result<Bytes>>) -> io::Result<Vec<u8>> {
        let parts: Vec<_> = stream.collect().await;
        parts.into_iter().try_fold(Vec::new(), |mut all, part| {
            all.extend_from_slice(&part?);
            Ok(all)
        })
    }

    #[tokio::test]
    async fn any_range_of_a_swapped_value_is_the_range_of_the_whole() {
        let stored: Vec<u8> = (0..=23).collect();
        for unit in [2_u64, 4, 8] {
            let mut expected = stored[3..19].to_vec();
            expected.chunks_exact_mut(unit as usize).for_each(<[u8]>::reverse);
            let swap = Swap { unit, origin: 3 };
            for (from, to) in [(0, 16), (1, 16), (3, 5), (7, 8), (0, 1), (15, 16)] {
                let range = 3 + from..3 + to;
                let aligned = swap.aligned(&range);
                let raw = &stored[aligned.start as usize..aligned.end as usize];
                for size in [1, 3, 64] {
                    let got = joined(swapped(chunks(raw, size), swap, range.clone())).await.unwrap();
                    assert_eq!(got, &expected[from as usize..to as usize], "unit {unit}, {from}..{to}");
                }
            }
        }
    }

    #[tokio::test]
    async fn a_range_is_found_in_what_inflates_and_a_short_stream_is_an_error() {
        let plain: Vec<u8> = (0..200_000_u32).flat_map(|n| n.to_le_bytes()).collect();
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(&plain).unwrap();
        let deflated = encoder.finish().unwrap();
        for (from, to) in [(0, 4), (100_001, 300_000), (799_999, 800_000)] {
            let got = joined(inflated(chunks(&deflated, 1000), from..to)).await.unwrap();
            assert_eq!(got, &plain[from as usize..to as usize]);
        }
        assert!(joined(inflated(chunks(&deflated, 1000), 0..800_001)).await.is_err());
        assert!(joined(inflated(chunks(&deflated[..1000], 1000), 0..800_000)).await.is_err());
    }

    #[test]
    fn a_frame_of_bits_begins_at_the_lowest_bit() {
        let bytes = [0b1011_0001, 0b0000_1111];
        assert_eq!(bits(&bytes, 0, 8), [0b1011_0001]);
        assert_eq!(bits(&bytes, 4, 12), [0b1111_1011]);
        assert_eq!(bits(&bytes, 4, 7), [0b011]);
        assert_eq!(bits(&bytes, 15, 16), [0]);
    }
}
