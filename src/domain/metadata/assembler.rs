//! One JSON array, or one line each, out of the stored pieces of many instances, in chunks, at flat memory.

use super::encoder::escape;
use super::{Metadata, MetadataError};
use bytes::Bytes;
use flate2::{Decompress, FlushDecompress, Status};
use std::collections::VecDeque;

/// How the body is encoded (RFC 9110 §8.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Gzip,
    Identity,
}

/// What stands around the instances.
#[derive(Debug, Clone, Copy)]
struct Frame {
    open: &'static [u8],
    between: &'static [u8],
    close: &'static [u8],
    /// Without any instance.
    nothing: &'static [u8],
}

const ARRAY: Frame = Frame { open: b"[", between: b",", close: b"]", nothing: b"[]" };
/// An object a line (NDJSON), which says what it holds.
const LINES: Frame = Frame { open: b"{\"instance\":", between: b"}\n{\"instance\":", close: b"}\n", nothing: b"" };

/// Chunks are about this long.
const CHUNK: usize = 64 << 10;

/// Takes [`Metadata`] by [`Assembler::push`], gives the body by [`Assembler::next_chunk`] until there is
/// nothing more, and its end by [`Assembler::finish`].
pub struct Assembler {
    form: Form,
    frame: Frame,
    /// Lines before the first instance.
    head: Vec<u8>,
    /// Of the text so far.
    crc: crc32fast::Hasher,
    length: u64,
    begun: bool,
    waiting: VecDeque<Waiting>,
    inflate: Option<Decompress>,
}

struct Waiting {
    metadata: Metadata,
    /// `<instance base URL>/bulkdata/`, escaped for a JSON string.
    prefix: Vec<u8>,
    /// The comma or bracket before the instance was written.
    begun: bool,
    piece: usize,
    /// Of the piece: bytes taken, and text given, when inflating.
    taken: usize,
    given: u64,
}

impl Assembler {
    /// One array.
    pub fn new(form: Form) -> Self {
        Self::framed(form, ARRAY, Vec::new())
    }
    /// `{"instance": ...}` a line, behind the lines of `head`.
    pub fn lines(form: Form, head: Vec<u8>) -> Self {
        Self::framed(form, LINES, head)
    }
    fn framed(form: Form, frame: Frame, head: Vec<u8>) -> Self {
        let (crc, waiting) = (crc32fast::Hasher::new(), VecDeque::new());
        Self { form, frame, head, crc, length: 0, begun: false, waiting, inflate: None }
    }

    /// Appends an instance; its BulkDataURIs are `<base_url>/bulkdata/<path>`.
    pub fn push(&mut self, metadata: Metadata, base_url: &str) {
        let mut prefix = Vec::with_capacity(base_url.len() + 10);
        escape(&mut prefix, base_url);
        prefix.extend_from_slice(b"/bulkdata/");
        self.waiting.push_back(Waiting { metadata, prefix, begun: false, piece: 0, taken: 0, given: 0 });
    }

    /// Some of the body, about 64 KiB at most; `None` when everything pushed has been given.
    pub fn next_chunk(&mut self) -> Result<Option<Bytes>, MetadataError> {
        let mut out = Vec::new();
        while let Some(mut first) = self.waiting.pop_front() {
            if out.is_empty() {
                out.reserve(
                    CHUNK.min(64 + first.metadata.pieces.iter().map(|p| p.deflated.len() + 256).sum::<usize>()),
                );
            }
            let done = self.instance(&mut first, &mut out)?;
            if !done {
                self.waiting.push_front(first);
            }
            if out.len() >= CHUNK {
                break;
            }
        }
        Ok((!out.is_empty()).then(|| out.into()))
    }

    /// The end of the body, after what was pushed and not yet given.
    pub fn finish(mut self) -> Result<Bytes, MetadataError> {
        let mut out = Vec::new();
        while let Some(chunk) = self.next_chunk()? {
            out.extend_from_slice(&chunk);
        }
        let close = if self.begun { self.frame.close } else { self.frame.nothing };
        if !self.begun {
            self.begin(&mut out);
        }
        match self.form {
            Form::Identity => out.extend_from_slice(close),
            Form::Gzip => {
                // BFINAL, stored.
                self.stored(1, close, &mut out);
                out.extend_from_slice(&self.crc.finalize().to_le_bytes());
                // ISIZE is the length modulo 2^32 (RFC 1952 §2.3.1).
                out.extend_from_slice(&(self.length as u32).to_le_bytes());
            }
        }
        Ok(out.into())
    }

    fn begin(&mut self, out: &mut Vec<u8>) {
        self.begun = true;
        if self.form == Form::Gzip {
            // No name, no time, unknown system: the same instances give the same bytes.
            out.extend_from_slice(&[0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 0xFF]);
        }
        let head = std::mem::take(&mut self.head);
        self.text(&head, out);
    }

    /// Writes as much of an instance as a chunk takes; true when that was all.
    fn instance(&mut self, one: &mut Waiting, out: &mut Vec<u8>) -> Result<bool, MetadataError> {
        if !one.begun {
            one.begun = true;
            if self.begun {
                self.text(self.frame.between, out);
            } else {
                self.begin(out);
                self.text(self.frame.open, out);
            }
            if let Some(inflate) = &mut self.inflate {
                inflate.reset(false);
            }
        }
        while let Some(piece) = one.metadata.pieces.get(one.piece) {
            match self.form {
                Form::Gzip => {
                    out.extend_from_slice(&piece.deflated);
                    self.crc.combine(&crc32fast::Hasher::new_with_initial_len(piece.crc32, piece.length));
                    self.length += piece.length;
                }
                Form::Identity => {
                    let inflate = self.inflate.get_or_insert_with(|| Decompress::new(false));
                    if !inflate_some(inflate, &piece.deflated, piece.length, &mut one.taken, &mut one.given, out)? {
                        return Ok(false);
                    }
                    (one.taken, one.given) = (0, 0);
                }
            }
            if let Some(value) = one.metadata.bulk.get(one.piece) {
                let mut uri = Vec::with_capacity(one.prefix.len() + value.path.len());
                uri.extend_from_slice(&one.prefix);
                uri.extend_from_slice(value.path.as_bytes());
                self.text(&uri, out);
            }
            one.piece += 1;
            if out.len() >= CHUNK && one.piece < one.metadata.pieces.len() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Text that was not stored: in gzip, as stored blocks of at most 65,535 bytes.
    fn text(&mut self, text: &[u8], out: &mut Vec<u8>) {
        match self.form {
            Form::Identity => out.extend_from_slice(text),
            Form::Gzip => text.chunks(0xFFFF).for_each(|part| self.stored(0, part, out)),
        }
    }

    fn stored(&mut self, last: u8, text: &[u8], out: &mut Vec<u8>) {
        let length = text.len() as u16;
        out.push(last);
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(&(!length).to_le_bytes());
        out.extend_from_slice(text);
        self.crc.update(text);
        self.length += u64::from(length);
    }
}

/// Inflates on from where the last call stopped; true when the piece is complete.
fn inflate_some(
    inflate: &mut Decompress,
    deflated: &[u8],
    length: u64,
    taken: &mut usize,
    given: &mut u64,
    out: &mut Vec<u8>,
) -> Result<bool, MetadataError> {
    loop {
        if out.len() >= CHUNK {
            return Ok(false);
        }
        let left = length.checked_sub(*given).ok_or(MetadataError)?;
        // One byte more than is expected, so that the flush marker is taken in too.
        let room = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK) + 1;
        out.reserve(room);
        let (before_in, before_out) = (inflate.total_in(), inflate.total_out());
        let rest = deflated.get(*taken..).ok_or(MetadataError)?;
        let status = inflate.decompress_vec(rest, out, FlushDecompress::None).map_err(|_| MetadataError)?;
        let (used, gave) = (inflate.total_in() - before_in, inflate.total_out() - before_out);
        *taken += usize::try_from(used).map_err(|_| MetadataError)?;
        *given += gave;
        let all = *taken >= deflated.len();
        if all && *given == length {
            return Ok(true);
        }
        if status == Status::StreamEnd || *given > length || (used == 0 && gave == 0) {
            return Err(MetadataError);
        }
    }
}
