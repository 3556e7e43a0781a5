//! JSON text of one instance into deflated pieces, as it is written.

use super::{Metadata, Piece};
use crate::domain::instance::BulkValue;
use crate::domain::walker::Limit;
use bytes::Bytes;
use flate2::{Compress, Compression, FlushCompress};
use std::cell::Cell;

/// Text is handed to the compressor in portions of this size.
const PORTION: usize = 16 << 10;
/// Deflated bytes of one instance. Real headers stay below 1 MiB even with 10,000 frames described.
const DEFLATED_MAX: usize = 16 << 20;
/// Values left out of one instance's JSON.
const BULK_MAX: usize = 65_536;

thread_local! {
    /// A compressor costs some 300 KiB to set up; instances that follow on the same thread reuse it.
    static SPARE: Cell<Option<Box<Compress>>> = const { Cell::new(None) };
}

/// Takes text, gives [`Metadata`].
pub(crate) struct Encoder {
    compress: Option<Box<Compress>>,
    text: Vec<u8>,
    deflated: Vec<u8>,
    crc: crc32fast::Hasher,
    length: u64,
    stored: usize,
    metadata: Metadata,
    /// Nothing is pending in the compressor.
    flushed: bool,
}

impl Encoder {
    pub(crate) fn new() -> Self {
        Self {
            compress: None,
            text: Vec::with_capacity(PORTION),
            deflated: Vec::new(),
            crc: crc32fast::Hasher::new(),
            length: 0,
            stored: 0,
            metadata: Metadata::default(),
            flushed: false,
        }
    }

    /// Where the next text goes. After each element, [`Encoder::settle`] keeps it short.
    pub(crate) fn text(&mut self) -> &mut Vec<u8> {
        &mut self.text
    }

    pub(crate) fn settle(&mut self) -> Result<(), Limit> {
        if self.text.len() >= PORTION { self.deflate(FlushCompress::None) } else { Ok(()) }
    }

    /// The text so far is followed by the URI of `value`.
    pub(crate) fn cut(&mut self, value: BulkValue) -> Result<(), Limit> {
        if self.metadata.bulk.len() >= BULK_MAX {
            return Err(Limit::BulkValues);
        }
        self.metadata.bulk.push(value);
        self.piece()
    }

    pub(crate) fn finish(mut self) -> Result<Metadata, Limit> {
        self.piece()?;
        Ok(std::mem::take(&mut self.metadata))
    }

    fn piece(&mut self) -> Result<(), Limit> {
        self.deflate(FlushCompress::Full)?;
        let crc = std::mem::take(&mut self.crc).finalize();
        let deflated = Bytes::copy_from_slice(&self.deflated);
        self.stored += deflated.len();
        self.deflated.clear();
        self.metadata.pieces.push(Piece { deflated, length: std::mem::take(&mut self.length), crc32: crc });
        Ok(())
    }

    fn deflate(&mut self, flush: FlushCompress) -> Result<(), Limit> {
        let compress = self.compress.get_or_insert_with(|| match SPARE.take() {
            Some(mut spare) => {
                spare.reset();
                spare
            }
            None => Box::new(Compress::new(LEVEL, false)),
        });
        self.crc.update(&self.text);
        self.length += self.text.len() as u64;
        self.flushed = matches!(flush, FlushCompress::Full);
        let mut input = self.text.as_slice();
        loop {
            self.deflated.reserve(input.len() / 4 + 256);
            let before = compress.total_in();
            // Only a misused stream is an error here (RFC 1951 cannot fail on any input); the text would
            // be incomplete, so it must not pass for whole.
            if compress.compress_vec(input, &mut self.deflated, flush).is_err() {
                return Err(Limit::Metadata);
            }
            let used = usize::try_from(compress.total_in() - before).unwrap_or(usize::MAX);
            input = input.get(used..).unwrap_or_default();
            // Room left over means that the compressor had nothing more to say.
            if input.is_empty() && self.deflated.len() < self.deflated.capacity() {
                break;
            }
        }
        self.text.clear();
        if self.stored + self.deflated.len() > DEFLATED_MAX { Err(Limit::Metadata) } else { Ok(()) }
    }
}

impl Drop for Encoder {
    fn drop(&mut self) {
        // zlib-rs 0.6 leaves an open block open when it is reset in the middle of a stream at level 1, and
        // what is compressed next is damaged; a test below holds this.
        if let Some(compress) = self.compress.take().filter(|_| self.flushed) {
            // A thread that is ending has no place left for it.
            let _ = SPARE.try_with(|spare| spare.set(Some(compress)));
        }
    }
}

/// Chosen for speed: measured on CT and MR headers, level 2 costs the reading pass 30 % more time and
/// saves 20 % of the bytes.
const LEVEL: Compression = Compression::new(1);

/// Writes `text` as a JSON string (RFC 8259 §7).
pub(crate) fn quote(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    escape(out, text);
    out.push(b'"');
}

/// The inside of a JSON string.
pub(crate) fn escape(out: &mut Vec<u8>, text: &str) {
    let mut plain = 0;
    let bytes = text.as_bytes();
    for (i, &byte) in bytes.iter().enumerate() {
        let short: &[u8] = match byte {
            b'"' => b"\\\"",
            b'\\' => b"\\\\",
            b'\n' => b"\\n",
            b'\r' => b"\\r",
            b'\t' => b"\\t",
            // U+2028 and U+2029 need no escape in JSON; below 0x20 everything does.
            0..0x20 => b"",
            _ => continue,
        };
        out.extend_from_slice(bytes.get(plain..i).unwrap_or_default());
        plain = i + 1;
        if short.is_empty() {
            const HEX: &[u8; 16] = b"0123456789abcdef";
            out.extend_from_slice(b"\\u00");
            out.push(HEX[usize::from(byte >> 4)]);
            out.push(HEX[usize::from(byte & 15)]);
        } else {
            out.extend_from_slice(short);
        }
    }
    out.extend_from_slice(bytes.get(plain..).unwrap_or_default());
}
