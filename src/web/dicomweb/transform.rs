//! Streams of stored bytes turned into what is sent: byte order reversed, inflated, or rewritten to
//! Explicit VR Little Endian; each at flat memory.

use crate::domain::byte_order::Words;
use crate::domain::reading::ReadLimits;
use crate::domain::recode::Recoder;
use crate::domain::transfer_syntax::TransferSyntax;
use bytes::{Bytes, BytesMut};
use flate2::{Decompress, FlushDecompress, Status};
use futures_util::{Stream, StreamExt};
use std::io;
use std::ops::Range;

/// `stream` delivers [`Words::around`] `range`; the result is `range`, in little endian.
pub fn swapped(
    stream: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
    words: Words,
    range: Range<u64>,
) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    let around = words.around(&range);
    let mut coming = around.end.saturating_sub(around.start);
    let mut skip = (range.start - around.start) as usize;
    let mut left = range.end.saturating_sub(range.start) as usize;
    let mut carry = BytesMut::new();
    stream.map(move |chunk| {
        let chunk = chunk?;
        coming = coming.saturating_sub(chunk.len() as u64);
        carry.extend_from_slice(&chunk);
        // A value may end within a word: its last bytes go out as they are.
        let ready = if coming == 0 { carry.len() } else { words.whole(carry.len()) };
        let mut ready = carry.split_to(ready);
        words.reverse(&mut ready);
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
            // The second value ends within a word of 4 or 8.
            for end in [19, 21] {
                let mut expected = stored[3..end].to_vec();
                expected.chunks_exact_mut(unit as usize).for_each(<[u8]>::reverse);
                let words = Words::new(unit, 3..end as u64);
                for (from, to) in [(0, end as u64 - 3), (1, 16), (3, 5), (7, 8), (0, 1), (15, 16)] {
                    let range = 3 + from..3 + to;
                    let around = words.around(&range);
                    let raw = &stored[around.start as usize..around.end as usize];
                    for size in [1, 3, 64] {
                        let got = joined(swapped(chunks(raw, size), words.clone(), range.clone())).await.unwrap();
                        assert_eq!(got, &expected[from as usize..to as usize], "unit {unit}, {from}..{to}");
                    }
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
}
