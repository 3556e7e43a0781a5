//! The steps of the walk: what the next bytes are, and which levels they open and close.

use super::header::{Element, Found, Head, Length, Syntax};
use super::{Event, Fault, ITEM, ITEM_DELIMITATION, Limit, ReadError, ReadLimits, SEQUENCE_DELIMITATION, Visitor};
use crate::domain::vr::{self, Context};
use dicom_core::{Tag, VR};

const PIXEL_REPRESENTATION: Tag = Tag(0x0028, 0x0103);
const BITS_ALLOCATED: Tag = Tag(0x0028, 0x0100);
const LUT_DESCRIPTOR: Tag = Tag(0x0028, 0x3002);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holds {
    /// Elements: the data set itself, or an item.
    Elements,
    Items,
    Fragments,
}

#[derive(Debug)]
struct Level {
    holds: Holds,
    /// Where it ends; `None` when a delimiter says.
    end: Option<u64>,
    /// The end of the innermost level of defined length: nothing in here reaches past it.
    bound: u64,
    syntax: Syntax,
    /// Of elements: whether `syntax` has been compared with the first element. Of items: with the first item.
    settled: bool,
    /// Inside an element of VR UN, whose content is Implicit VR Little Endian (PS3.5 §6.2.2 note 2).
    unknown: bool,
    context: Context,
}

enum State {
    /// Between elements, or within the header of one.
    Head,
    /// Within a value or fragment.
    Value { left: u32 },
    /// After the data set: nothing but zeros may follow.
    Padding,
}

/// The walk over bytes that are inflated already.
pub(super) struct Steps {
    limits: ReadLimits,
    state: State,
    head: Head,
    /// Bytes taken, those of an incomplete header included.
    position: u64,
    stack: Vec<Level>,
    depth: u32,
    elements: u32,
    note: Option<Note>,
}

/// A value of two bytes that decides later Value Representations.
struct Note {
    tag: Tag,
    big_endian: bool,
    bytes: [u8; 2],
    filled: usize,
}

impl Steps {
    pub(super) fn new(syntax: Syntax, limits: ReadLimits) -> Self {
        let root = Level {
            holds: Holds::Elements,
            end: None,
            bound: u64::MAX,
            syntax,
            settled: false,
            unknown: false,
            context: Context::default(),
        };
        Self {
            limits,
            state: State::Head,
            head: Head::default(),
            position: 0,
            stack: vec![root],
            depth: 0,
            elements: 0,
            note: None,
        }
    }

    pub(super) fn feed(&mut self, mut bytes: &[u8], visitor: &mut impl Visitor) -> Result<(), ReadError> {
        while !bytes.is_empty() {
            match self.state {
                State::Value { left } => {
                    let now = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                    let (value, rest) = bytes.split_at(now);
                    bytes = rest;
                    self.value(value, visitor)?;
                }
                State::Head => {
                    let used = self.head.fill(bytes);
                    self.position += used as u64;
                    bytes = bytes.get(used..).unwrap_or_default();
                    while self.head.is_full() {
                        self.head(visitor)?;
                        if !matches!(self.state, State::Head) {
                            break;
                        }
                    }
                }
                State::Padding => {
                    if bytes.iter().any(|&byte| byte != 0) {
                        return Err(ReadError::Malformed { fault: Fault::TrailingBytes, tag: None });
                    }
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Whether the data set may end behind the last byte taken.
    pub(super) fn may_end(&self) -> bool {
        let between = matches!(self.state, State::Head) && self.head.filled() == 0;
        self.stack.len() == 1 && (between || matches!(self.state, State::Padding))
    }

    pub(super) fn finish(&self) -> Result<(), ReadError> {
        // Less than a header of zeros is padding; pydicom ignores any such rest.
        let between = matches!(self.state, State::Head) && self.head.is_zero();
        let complete = matches!(self.state, State::Padding) || between;
        if complete && self.stack.len() == 1 { Ok(()) } else { Err(ReadError::Truncated) }
    }

    fn value(&mut self, value: &[u8], visitor: &mut impl Visitor) -> Result<(), ReadError> {
        let State::Value { left } = &mut self.state else { return Ok(()) };
        // `value` is at most `left` long.
        *left -= value.len() as u32;
        let done = *left == 0;
        self.position += value.len() as u64;
        if let Some(note) = &mut self.note {
            for (to, from) in note.bytes.iter_mut().skip(note.filled).zip(value) {
                *to = *from;
            }
            note.filled += value.len();
        }
        visitor.event(Event::Bytes(value))?;
        if done { self.end_value(visitor) } else { Ok(()) }
    }

    fn end_value(&mut self, visitor: &mut impl Visitor) -> Result<(), ReadError> {
        self.state = State::Head;
        if let (Some(note), Some(level)) = (self.note.take(), self.stack.last_mut())
            && note.filled >= 2
        {
            let value =
                Some(if note.big_endian { u16::from_be_bytes(note.bytes) } else { u16::from_le_bytes(note.bytes) });
            match note.tag {
                PIXEL_REPRESENTATION => level.context.pixel_representation = value,
                BITS_ALLOCATED => level.context.bits_allocated = value,
                _ => level.context.lut_entries = value,
            }
        }
        visitor.event(Event::End)?;
        self.close_ended(visitor)
    }

    /// Ends the levels of defined length whose last byte has been taken.
    fn close_ended(&mut self, visitor: &mut impl Visitor) -> Result<(), ReadError> {
        let at = self.position - self.head.filled();
        while self.stack.len() > 1 && self.stack.last().is_some_and(|level| level.end == Some(at)) {
            self.pop(visitor)?;
        }
        Ok(())
    }

    fn pop(&mut self, visitor: &mut impl Visitor) -> Result<(), ReadError> {
        match self.stack.pop().map(|level| level.holds) {
            Some(Holds::Items) => {
                self.depth -= 1;
                visitor.event(Event::SequenceEnd)
            }
            Some(Holds::Elements) => visitor.event(Event::ItemEnd),
            Some(Holds::Fragments) => visitor.event(Event::FragmentsEnd { offset: self.position - self.head.filled() }),
            None => Ok(()),
        }
    }

    fn count(&mut self, tag: Tag) -> Result<(), ReadError> {
        self.elements = self.elements.saturating_add(1);
        if self.elements > self.limits.elements { Err(ReadError::limit(Limit::Elements, tag)) } else { Ok(()) }
    }

    /// A full header is there: asks for more of it, or acts on it.
    fn head(&mut self, visitor: &mut impl Visitor) -> Result<(), ReadError> {
        let at_root = self.stack.len() == 1;
        let Some(level) = self.stack.last_mut() else { return Err(ReadError::Truncated) };
        match level.holds {
            Holds::Elements => {
                if at_root && self.head.is_zero() {
                    // Zeros in place of an element: the sender padded the data set.
                    self.state = State::Padding;
                    return Ok(());
                }
                if !level.settled {
                    level.settled = true;
                    level.syntax = self.head.settle(level.syntax, at_root || level.unknown);
                }
                match self.head.read(level.syntax, level.context) {
                    Found::NeedsMore => self.head_fits(),
                    Found::Element(element) => self.element(element, visitor),
                    Found::Mark(tag, length) => self.mark_among_elements(tag, length, visitor),
                }
            }
            Holds::Items | Holds::Fragments => {
                if !level.settled {
                    level.settled = true;
                    if level.unknown {
                        level.syntax.big_endian = self.head.is_big_endian_item();
                    }
                }
                let (tag, length) = self.head.mark(level.syntax.big_endian);
                let (holds, bound, at) = (level.holds, level.bound, self.position);
                self.head.clear();
                if at > bound {
                    return Err(ReadError::malformed(Fault::LengthExceedsParent, tag));
                }
                match (holds, tag, length) {
                    (Holds::Items, ITEM, length) => self.begin_item(length, visitor),
                    (Holds::Fragments, ITEM, u32::MAX) => Err(ReadError::malformed(Fault::UndefinedLength, tag)),
                    (Holds::Fragments, ITEM, length) => {
                        self.count(tag)?;
                        visitor.event(Event::Fragment { offset: at, length })?;
                        self.begin_value(length, visitor)
                    }
                    // pydicom ignores the length of a delimiter, and ends a sequence of defined length at one.
                    (_, SEQUENCE_DELIMITATION, _) => self.end_items(at, visitor),
                    // Some writers end items of defined length by a delimiter too.
                    (Holds::Items, ITEM_DELIMITATION, _) => self.close_ended(visitor),
                    _ => Err(ReadError::malformed(Fault::ItemExpected, tag)),
                }
            }
        }
    }

    /// Ends the sequence or the fragments whose delimiter has been taken.
    fn end_items(&mut self, at: u64, visitor: &mut impl Visitor) -> Result<(), ReadError> {
        if self.stack.last().is_some_and(|level| level.holds == Holds::Fragments) {
            self.stack.pop();
            visitor.event(Event::FragmentsEnd { offset: at - 8 })?;
        } else {
            self.pop(visitor)?;
        }
        self.close_ended(visitor)
    }

    /// An item tag or delimiter where elements are expected.
    fn mark_among_elements(&mut self, tag: Tag, length: u32, visitor: &mut impl Visitor) -> Result<(), ReadError> {
        self.head_fits()?;
        self.head.clear();
        match tag {
            ITEM_DELIMITATION if self.stack.len() > 1 => {
                self.pop(visitor)?;
                self.close_ended(visitor)
            }
            // The item was not ended, but its sequence is.
            SEQUENCE_DELIMITATION if self.stack.len() > 2 => {
                self.pop(visitor)?;
                self.end_items(self.position, visitor)
            }
            // A delimiter after the sequence's defined length. pydicom reads an empty element.
            SEQUENCE_DELIMITATION if length == 0 => self.close_ended(visitor),
            _ => Err(ReadError::malformed(Fault::StrayDelimiter, tag)),
        }
    }

    /// The bytes of the header must not reach past what holds the element.
    fn head_fits(&self) -> Result<(), ReadError> {
        if self.position - self.head.filled() + self.head.needed() > self.bound() {
            return Err(ReadError::Malformed { fault: Fault::LengthExceedsParent, tag: None });
        }
        Ok(())
    }

    fn bound(&self) -> u64 {
        self.stack.last().map_or(0, |level| level.bound)
    }

    fn element(&mut self, mut element: Element, visitor: &mut impl Visitor) -> Result<(), ReadError> {
        let ahead = self.head.ahead();
        element.value_offset = self.position - ahead;
        self.count(element.tag)?;
        let defined = if let Length::Defined(length) = element.length { length } else { 0 };
        let end = element.value_offset + u64::from(defined);
        if end > self.bound() {
            return Err(ReadError::malformed(Fault::LengthExceedsParent, element.tag));
        }
        match element.length {
            Length::Defined(length) => {
                if element.vr == VR::SQ {
                    self.begin_sequence(&element, Some(end), visitor)?;
                    self.head.shift();
                    return self.close_ended(visitor);
                }
                self.note = self.note_of(&element);
                visitor.event(Event::Element(&element))?;
                let peeked = self.head.take_ahead();
                self.position -= ahead;
                self.begin_value(length, visitor)?;
                match peeked {
                    Some(bytes) if ahead > 0 => self.value(&bytes, visitor),
                    _ => Ok(()),
                }
            }
            Length::Undefined => {
                self.head.clear();
                match element.vr {
                    VR::SQ => self.begin_sequence(&element, None, visitor),
                    VR::OB | VR::OW => {
                        let level = self.below(Holds::Fragments, None, &element);
                        self.stack.push(level);
                        visitor.event(Event::Fragments(&element))
                    }
                    _ => Err(ReadError::malformed(Fault::UndefinedLength, element.tag)),
                }
            }
        }
    }

    fn begin_value(&mut self, length: u32, visitor: &mut impl Visitor) -> Result<(), ReadError> {
        if length == 0 {
            return self.end_value(visitor);
        }
        self.state = State::Value { left: length };
        Ok(())
    }

    fn begin_sequence(
        &mut self,
        element: &Element,
        end: Option<u64>,
        visitor: &mut impl Visitor,
    ) -> Result<(), ReadError> {
        if self.depth >= self.limits.sequence_depth {
            return Err(ReadError::limit(Limit::SequenceDepth, element.tag));
        }
        self.depth += 1;
        let level = self.below(Holds::Items, end, element);
        self.stack.push(level);
        visitor.event(Event::Sequence(element))
    }

    fn below(&self, holds: Holds, end: Option<u64>, element: &Element) -> Level {
        let parent = self.stack.last();
        let mut syntax = parent.map_or(Syntax::IMPLICIT_LITTLE, |level| level.syntax);
        let unknown = element.declared == Some(VR::UN) && holds == Holds::Items;
        if unknown {
            syntax = Syntax::IMPLICIT_LITTLE;
        }
        let inherited = parent.is_some_and(|level| level.unknown);
        let context = parent.map(|level| level.context).unwrap_or_default();
        let bound = end.or_else(|| parent.map(|level| level.bound)).unwrap_or(u64::MAX);
        Level { holds, end, bound, syntax, settled: false, unknown: unknown || inherited, context }
    }

    fn begin_item(&mut self, length: u32, visitor: &mut impl Visitor) -> Result<(), ReadError> {
        self.count(ITEM)?;
        let Some(parent) = self.stack.last() else { return Err(ReadError::Truncated) };
        let end = (length != u32::MAX).then(|| self.position + u64::from(length));
        let bound = end.unwrap_or(parent.bound);
        if bound > parent.bound || self.position > parent.bound {
            return Err(ReadError::malformed(Fault::LengthExceedsParent, ITEM));
        }
        let context = Context { lut_entries: None, ..parent.context };
        let level = Level {
            holds: Holds::Elements,
            end,
            bound,
            syntax: parent.syntax,
            settled: false,
            unknown: parent.unknown,
            context,
        };
        self.stack.push(level);
        visitor.event(Event::Item)?;
        self.close_ended(visitor)
    }

    fn note_of(&self, element: &Element) -> Option<Note> {
        let wanted = matches!(element.tag, PIXEL_REPRESENTATION | BITS_ALLOCATED | LUT_DESCRIPTOR);
        (wanted && vr::word(element.vr) == 2).then_some(Note {
            tag: element.tag,
            big_endian: element.syntax.big_endian,
            bytes: [0; 2],
            filled: 0,
        })
    }
}
