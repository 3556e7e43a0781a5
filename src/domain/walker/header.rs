//! The header of an element or item: tag, Value Representation, length (PS3.5 §7.1).

use super::{ITEM, PIXEL_DATA};
use crate::domain::transfer_syntax::Encoding;
use crate::domain::vr::{self, Context};
use dicom_core::{Tag, VR};

/// How elements are written at some place of a data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Syntax {
    pub explicit: bool,
    pub big_endian: bool,
}

impl Syntax {
    pub(super) const IMPLICIT_LITTLE: Self = Self { explicit: false, big_endian: false };

    pub(super) const fn of(encoding: Encoding) -> Self {
        match encoding {
            Encoding::ImplicitLittle => Self::IMPLICIT_LITTLE,
            Encoding::ExplicitLittle | Encoding::DeflatedExplicitLittle => Self { explicit: true, big_endian: false },
            Encoding::ExplicitBig => Self { explicit: true, big_endian: true },
        }
    }
    fn u16(self, bytes: [u8; 2]) -> u16 {
        if self.big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) }
    }
    fn u32(self, bytes: [u8; 4]) -> u32 {
        if self.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    Defined(u32),
    Undefined,
}

/// The header of a data element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Element {
    pub tag: Tag,
    /// As declared; of the dictionary where none is declared, or UN is declared for a known attribute.
    pub vr: VR,
    /// What an explicit header says, when it is one we know.
    pub declared: Option<VR>,
    pub length: Length,
    pub syntax: Syntax,
    /// Of the first byte of the value, from the beginning of the data set.
    pub value_offset: u64,
}

/// What a complete header turns out to be.
pub(super) enum Found {
    /// More bytes are needed to tell.
    NeedsMore,
    Element(Element),
    /// An item or a delimiter, group FFFE.
    Mark(Tag, u32),
}

/// Bytes of a header as they come in: 8, or 12 where the length has 32 bits, and 8 more where only the
/// beginning of the value tells what it is.
pub(super) struct Head {
    bytes: [u8; 20],
    filled: usize,
    needed: usize,
}

impl Default for Head {
    fn default() -> Self {
        Self { bytes: [0; 20], filled: 0, needed: 8 }
    }
}

impl Head {
    /// Takes what is needed from `from`; returns how much that was.
    pub(super) fn fill(&mut self, from: &[u8]) -> usize {
        let mut used = 0;
        let wanted = self.needed.saturating_sub(self.filled);
        for (to, byte) in self.bytes.iter_mut().skip(self.filled).take(wanted).zip(from) {
            *to = *byte;
            used += 1;
        }
        self.filled += used;
        used
    }
    pub(super) const fn is_full(&self) -> bool {
        self.filled >= self.needed
    }
    pub(super) const fn filled(&self) -> u64 {
        self.filled as u64
    }
    pub(super) const fn needed(&self) -> u64 {
        self.needed as u64
    }
    pub(super) const fn clear(&mut self) {
        self.filled = 0;
        self.needed = 8;
    }
    /// Whether all bytes so far are zero; true of none.
    pub(super) fn is_zero(&self) -> bool {
        self.bytes.iter().take(self.filled).all(|&byte| byte == 0)
    }

    /// Bytes of the value that were taken to look at.
    pub(super) const fn ahead(&self) -> u64 {
        if self.needed == 20 { 8 } else { 0 }
    }
    /// Gives them back as value.
    pub(super) fn take_ahead(&mut self) -> Option<[u8; 8]> {
        let ahead = self.bytes.last_chunk::<8>().copied();
        self.clear();
        ahead
    }
    /// Makes them the header that comes next.
    pub(super) fn shift(&mut self) {
        let ahead = self.ahead() > 0;
        self.clear();
        if ahead {
            self.bytes.copy_within(12..20, 0);
            self.filled = 8;
        }
    }

    fn part<const N: usize>(&self, at: usize) -> [u8; N] {
        self.bytes.get(at..).and_then(|rest| rest.first_chunk::<N>()).copied().unwrap_or([0; N])
    }
    fn tag(&self, syntax: Syntax) -> Tag {
        Tag(syntax.u16(self.part(0)), syntax.u16(self.part(2)))
    }

    /// Reads tag and length of an item or delimiter; these have no Value Representation (PS3.5 §7.5).
    pub(super) fn mark(&self, big_endian: bool) -> (Tag, u32) {
        let syntax = Syntax { explicit: false, big_endian };
        (self.tag(syntax), syntax.u32(self.part(4)))
    }
    pub(super) fn is_big_endian_item(&self) -> bool {
        self.part(0) == [0xFF, 0xFE, 0xE0, 0x00]
    }

    /// How the elements really are written, told by the first: files say Explicit and are Implicit, and
    /// items within explicit data sets are implicit, and where `either` the other way round. An implicit
    /// length looks like two letters from 16,705 bytes on only. pydicom decides the same way.
    pub(super) fn settle(&self, declared: Syntax, either: bool) -> Syntax {
        let code: [u8; 2] = self.part(4);
        if self.tag(declared).0 == 0xFFFE {
            return declared;
        }
        let explicit = match declared.explicit {
            true => are_letters(code),
            false => either && vr::from_code(code).is_some(),
        };
        Syntax { explicit, ..declared }
    }

    /// Reads the header of an element in `syntax`.
    pub(super) fn read(&mut self, syntax: Syntax, context: Context) -> Found {
        let tag = self.tag(syntax);
        if tag.0 == 0xFFFE {
            return Found::Mark(tag, syntax.u32(self.part(4)));
        }
        let code: [u8; 2] = self.part(4);
        // pydicom reads a single header without letters as an implicit one.
        if !syntax.explicit || !are_letters(code) {
            return Found::Element(self.implicit(tag, syntax, context));
        }
        let declared = vr::from_code(code);
        let long = match declared {
            Some(vr) => vr::has_long_length(vr),
            // PS3.5 §7.1.2: every VR to come has two reserved bytes, which are zero, and a long length.
            // Short elements with codes nobody knows exist, and pydicom takes all for such.
            None => self.part(6) == [0, 0],
        };
        if long && self.filled < 12 {
            self.needed = 12;
            return Found::NeedsMore;
        }
        let length = if long { syntax.u32(self.part(8)) } else { u32::from(syntax.u16(self.part(6))) };
        let length = if long && length == u32::MAX { Length::Undefined } else { Length::Defined(length) };
        let vr = match declared {
            Some(VR::UN) => match self.known(tag, length, context) {
                Some(vr) => vr,
                None => {
                    self.needed = 20;
                    return Found::NeedsMore;
                }
            },
            Some(vr) => vr,
            None => VR::UN,
        };
        Found::Element(Element { tag, vr, declared, length, syntax, value_offset: 0 })
    }

    /// What an element declared UN is (PS3.5 §6.2.2): a sequence when its length is undefined, else as the
    /// dictionary says, provided that what should be a sequence begins with an item. `None`: look ahead.
    fn known(&self, tag: Tag, length: Length, context: Context) -> Option<VR> {
        match (length, vr::of(tag, context, false)) {
            (Length::Undefined, _) if tag == PIXEL_DATA => Some(VR::OB),
            (Length::Undefined, _) => Some(VR::SQ),
            (Length::Defined(length), Some(VR::SQ)) => match () {
                () if length < 8 => Some(VR::UN),
                () if self.filled < 20 => None,
                () if self.part(12) == [0xFE, 0xFF, 0x00, 0xE0] || self.part(12) == [0xFF, 0xFE, 0xE0, 0x00] => {
                    Some(VR::SQ)
                }
                () => Some(VR::UN),
            },
            (Length::Defined(_), vr) => Some(vr.unwrap_or(VR::UN)),
        }
    }

    fn implicit(&self, tag: Tag, syntax: Syntax, context: Context) -> Element {
        let length = syntax.u32(self.part(4));
        let length = if length == u32::MAX { Length::Undefined } else { Length::Defined(length) };
        let known = vr::of(tag, context, true);
        let vr = match (length, known) {
            (Length::Undefined, Some(VR::OB | VR::OW)) => VR::OB,
            // Only sequences have items (PS3.5 §7.5), so an attribute nobody knows is one.
            (Length::Undefined, None | Some(VR::UN)) => VR::SQ,
            (_, known) => known.unwrap_or(VR::UN),
        };
        Element { tag, vr, declared: None, length, syntax, value_offset: 0 }
    }
}

const fn are_letters(code: [u8; 2]) -> bool {
    code[0].is_ascii_uppercase() && code[1].is_ascii_uppercase()
}

const _: () = assert!(ITEM.0 == 0xFFFE);
