//! A native data set rewritten to Explicit VR Little Endian (PS3.5 §A.2), as it streams by.
//!
//! - Sequences and items get undefined lengths, because their new lengths are not known when they begin.
//! - Group lengths are dropped (PS3.5 §7.2), and so are file meta and command elements.
//! - Values are swapped by the words of their Value Representation, Pixel Data as `byte_order` says.
//! - UN stays UN (PS3.5 §6.2.2), but what is known to be a sequence becomes SQ.
//! - A value too long for the 16-bit length of its Value Representation is written as UN (§6.2.2).
//!
//! Attributes of the data set itself can be changed on the way ([`Edits`]), and its Pixel Data left out so that
//! the caller writes another in its place.

mod edits;

pub use edits::Edits;

use super::byte_order::pixel_word;
use super::transfer_syntax::TransferSyntax;
use super::vr::{self, Kind};
use super::walker::{
    Element, Event, Fault, ITEM, ITEM_DELIMITATION, Length, PIXEL_DATA, ReadError, ReadLimits, SEQUENCE_DELIMITATION,
    Visitor, Walker,
};
use dicom_core::{Tag, VR};
use edits::Edit;

const BITS_ALLOCATED: Tag = Tag(0x0028, 0x0100);

/// One data set being rewritten.
pub struct Recoder {
    walker: Walker,
    writer: Writer,
}

impl Recoder {
    pub fn new(syntax: &TransferSyntax, limits: ReadLimits) -> Self {
        Self { walker: Walker::new(syntax, limits), writer: Writer::default() }
    }

    /// Changes attributes on the way, and leaves Pixel Data (7FE0,0010) out; the data set may be encapsulated.
    pub fn replacing_pixels(syntax: &TransferSyntax, limits: ReadLimits, edits: Edits) -> Self {
        Self {
            walker: Walker::new(syntax, limits),
            writer: Writer { edits, pixels: Pixels::Awaited, ..Writer::default() },
        }
    }

    /// Where in the output of the last [`Recoder::feed`] the Pixel Data that was left out stood; once.
    pub fn pixels_left_out(&mut self) -> Option<usize> {
        match self.writer.pixels {
            Pixels::LeftOut(at) => {
                self.writer.pixels = Pixels::Gone;
                Some(at)
            }
            _ => None,
        }
    }

    /// Appends to `out` what `bytes` become. Memory does not grow with values: what is not passed on is a
    /// header or part of one word.
    pub fn feed(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), ReadError> {
        self.walker.feed(bytes, &mut Appending { writer: &mut self.writer, out })
    }

    /// The data set must be complete. All of it has been passed on by then; what is appended are changes of
    /// attributes that would stand behind the last one.
    pub fn finish(mut self, out: &mut Vec<u8>) -> Result<(), ReadError> {
        self.walker.finish()?;
        self.writer.edits.flush(None, out);
        Ok(())
    }
}

/// What is done with Pixel Data of the data set itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Pixels {
    /// Passed on like any other attribute.
    #[default]
    Kept,
    /// Will be left out.
    Awaited,
    /// Was left out here.
    LeftOut(usize),
    Gone,
}

#[derive(Default)]
struct Writer {
    /// Bytes of the words of the open value that change places; 1 when none do.
    word: usize,
    /// The beginning of a word whose end has not come yet.
    part: [u8; 8],
    filled: usize,
    /// What makes the open value's length even.
    padding: Option<u8>,
    /// The open value is not passed on.
    dropped: bool,
    /// (0028,0100) of the data set itself; `noting` while its bytes come in.
    bits_allocated: u16,
    noting: bool,
    big_endian: bool,
    depth: u32,
    edits: Edits,
    pixels: Pixels,
    /// Fragments of Pixel Data that is left out are coming.
    skipping: bool,
    /// What comes behind the open value, or as the last item of the sequence that is open.
    more: Option<Vec<u8>>,
    item: Option<Vec<u8>>,
}

struct Appending<'a> {
    writer: &'a mut Writer,
    out: &'a mut Vec<u8>,
}

impl Visitor for Appending<'_> {
    fn event(&mut self, event: Event<'_>) -> Result<(), ReadError> {
        let (writer, out) = (&mut *self.writer, &mut *self.out);
        match event {
            Event::Element(element) => writer.element(element, out),
            Event::Bytes(bytes) => writer.bytes(bytes, out),
            Event::End => writer.end(out),
            Event::Sequence(element) => {
                writer.sequence(element.tag, out);
                writer.depth += 1;
                explicit(out, element.tag, VR::SQ, u32::MAX);
            }
            Event::SequenceEnd => {
                writer.depth -= 1;
                if writer.depth == 0
                    && let Some(item) = writer.item.take()
                {
                    edits::one_item(&item, out);
                }
                mark(out, SEQUENCE_DELIMITATION, 0);
            }
            Event::Item => mark(out, ITEM, u32::MAX),
            Event::ItemEnd => mark(out, ITEM_DELIMITATION, 0),
            // An icon may be encapsulated in a native data set; its own Pixel Data may not (PS3.5 §A.4).
            Event::Fragments(element) if writer.depth == 0 && element.tag == PIXEL_DATA => {
                if writer.leaves_out(out) {
                    writer.skipping = true;
                    return Ok(());
                }
                return Err(ReadError::Malformed { fault: Fault::Encapsulated, tag: Some(PIXEL_DATA) });
            }
            Event::Fragments(element) => explicit(out, element.tag, VR::OB, u32::MAX),
            Event::Fragment { .. } if writer.skipping => writer.dropped = true,
            Event::FragmentsEnd { .. } if writer.skipping => writer.skipping = false,
            Event::Fragment { length, .. } => {
                mark(out, ITEM, length + length % 2);
                writer.begin(1, (length % 2 == 1).then_some(0));
            }
            Event::FragmentsEnd { .. } => mark(out, SEQUENCE_DELIMITATION, 0),
        }
        Ok(())
    }
}

impl Writer {
    fn begin(&mut self, word: usize, padding: Option<u8>) {
        self.word = word;
        self.filled = 0;
        self.padding = padding;
        self.dropped = false;
    }

    /// Whether Pixel Data of the data set itself, which comes next, is left out.
    fn leaves_out(&mut self, out: &mut Vec<u8>) -> bool {
        if self.pixels == Pixels::Awaited {
            self.edits.flush(Some(PIXEL_DATA), out);
            self.pixels = Pixels::LeftOut(out.len());
        }
        self.pixels != Pixels::Kept
    }

    /// The header of a sequence comes next.
    fn sequence(&mut self, tag: Tag, out: &mut Vec<u8>) {
        if self.depth > 0 {
            return;
        }
        self.edits.flush(Some(tag), out);
        // Only items are ever added to sequences.
        if let Some(Edit::Item(item)) = self.edits.take(tag) {
            self.item = Some(item);
        }
    }

    /// What becomes of a value that comes next: `false` when it is not passed on.
    fn passes(&mut self, tag: Tag, length: u32, vr: VR, out: &mut Vec<u8>) -> bool {
        if self.depth > 0 {
            return true;
        }
        if tag == PIXEL_DATA && self.leaves_out(out) {
            return false;
        }
        self.edits.flush(Some(tag), out);
        match self.edits.take(tag) {
            Some(Edit::Text(_, text)) if vr::kind(vr) == Kind::Text && length > 0 => {
                // A text that would no longer fit its attribute stays as it is (PS3.5 §6.2: ST 1,024).
                self.more = (length as usize + text.len() <= 1024).then(|| [b"; ", text.as_slice()].concat());
                true
            }
            Some(edit @ (Edit::Replaced(_) | Edit::Text(..))) => {
                edit.alone(tag, out);
                false
            }
            // An item for what is no sequence here.
            Some(Edit::Item(_)) | None => true,
        }
    }

    fn element(&mut self, element: &Element, out: &mut Vec<u8>) {
        let (tag, Length::Defined(length)) = (element.tag, element.length) else { return };
        if tag.1 == 0 || tag.0 < 0x0004 {
            self.dropped = true;
            return;
        }
        if !self.passes(tag, length, element.vr, out) {
            self.dropped = true;
            return;
        }
        let length = length + self.more.as_ref().map_or(0, |more| more.len() as u32);
        let at_root = self.depth == 0;
        self.noting = at_root && tag == BITS_ALLOCATED && length == 2;
        self.big_endian = element.syntax.big_endian;
        // 0xFFFFFFFF would be an undefined length, so a value that long is not padded.
        let even = if length < u32::MAX - 1 { length + length % 2 } else { length };
        let declared = match element.declared {
            Some(VR::UN) => VR::UN,
            _ => element.vr,
        };
        let fits = vr::has_long_length(declared) || even <= u32::from(u16::MAX);
        let written = if fits { declared } else { VR::UN };
        let word = match (element.syntax.big_endian, declared) {
            (false, _) => 1,
            (true, vr) if at_root && tag == PIXEL_DATA => pixel_word(vr, self.bits_allocated),
            (true, vr) => vr::word(vr),
        };
        explicit(out, tag, written, even);
        let padding = if vr::kind(declared) == Kind::Binary { 0 } else { vr::padding(declared) };
        self.begin(word, (even != length).then_some(padding));
    }

    fn bytes(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        if self.dropped {
            return;
        }
        if self.noting {
            for byte in bytes {
                let (low, high) = (u16::from(*byte), u16::from(*byte) << 8);
                self.bits_allocated =
                    if self.big_endian { self.bits_allocated << 8 | low } else { self.bits_allocated >> 8 | high };
            }
        }
        if self.word <= 1 {
            out.extend_from_slice(bytes);
        } else {
            self.swap(bytes, out);
        }
    }

    fn swap(&mut self, mut bytes: &[u8], out: &mut Vec<u8>) {
        if self.filled > 0 {
            let wanted = (self.word - self.filled).min(bytes.len());
            let (now, rest) = bytes.split_at(wanted);
            self.keep(now);
            bytes = rest;
            if self.filled == self.word {
                out.extend(self.part.iter().take(self.word).rev());
                self.filled = 0;
            }
        }
        let words = bytes.chunks_exact(self.word);
        let rest = words.remainder();
        out.reserve(bytes.len());
        for word in words {
            out.extend(word.iter().rev());
        }
        self.keep(rest);
    }

    fn keep(&mut self, bytes: &[u8]) {
        for (to, from) in self.part.iter_mut().skip(self.filled).zip(bytes) {
            *to = *from;
        }
        self.filled += bytes.len();
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        if std::mem::take(&mut self.dropped) {
            return;
        }
        // A value that ends within a word: its last bytes as they are.
        out.extend(self.part.iter().take(self.filled));
        self.filled = 0;
        out.extend(self.more.take().into_iter().flatten());
        out.extend(self.padding.take());
    }
}

pub(super) fn explicit(out: &mut Vec<u8>, tag: Tag, vr: VR, length: u32) {
    out.extend_from_slice(&tag.0.to_le_bytes());
    out.extend_from_slice(&tag.1.to_le_bytes());
    out.extend_from_slice(&vr.to_bytes());
    if vr::has_long_length(vr) {
        out.extend_from_slice(&[0, 0]);
        out.extend_from_slice(&length.to_le_bytes());
    } else {
        // The caller has chosen a VR that holds the length.
        out.extend_from_slice(&(length as u16).to_le_bytes());
    }
}

pub(super) fn mark(out: &mut Vec<u8>, tag: Tag, length: u32) {
    out.extend_from_slice(&tag.0.to_le_bytes());
    out.extend_from_slice(&tag.1.to_le_bytes());
    out.extend_from_slice(&length.to_le_bytes());
}

#[cfg(test)]
mod tests;
