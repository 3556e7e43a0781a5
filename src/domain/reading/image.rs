//! What the reading pass takes from the Image Pixel Module (PS3.3 §C.7.6.3), and where the pixels are.

use crate::domain::frames::{self, Fragments};
use crate::domain::instance::{FrameTable, PixelFacts};
use crate::domain::transfer_syntax::{Frames, TransferSyntax};
use crate::domain::vr::{self, Kind};
use dicom_core::{Tag, VR};
use dicom_dictionary_std::tags;
use std::ops::Range;

/// Bytes kept of each offset table: 262,144 frames of the Extended, twice as many of the Basic one. A
/// longer one is not used; fragments are counted then.
const TABLE_MAX: usize = 2 << 20;

pub(super) struct Image {
    video: bool,
    facts: PixelFacts,
    present: bool,
    encapsulated: bool,
    fragments: Fragments,
    table: Vec<u8>,
    begin: Vec<u8>,
    items: u64,
}

impl Image {
    pub(super) fn new(syntax: &TransferSyntax) -> Self {
        let facts = PixelFacts {
            rows: 0,
            columns: 0,
            samples_per_pixel: 1,
            bits_allocated: 0,
            bits_stored: 0,
            high_bit: 0,
            pixel_representation: 0,
            planar_configuration: 0,
            photometric_interpretation: String::new(),
            number_of_frames: 1,
            value: 0..0,
            element: 0,
            frames: FrameTable::Native { frame_bits: 0 },
        };
        Self {
            video: syntax.frames == Frames::Video,
            facts,
            present: false,
            encapsulated: false,
            fragments: Fragments::default(),
            table: Vec::new(),
            begin: Vec::new(),
            items: 0,
        }
    }

    /// An attribute of the data set itself, not of an item.
    pub(super) fn attribute(&mut self, tag: Tag, vr: VR, bytes: &[u8], big_endian: bool, values: &[String]) {
        if tag.0 != 0x0028 {
            return;
        }
        let first = values.first().map(String::as_str).unwrap_or_default();
        let number = match (vr::kind(vr), vr::word(vr)) {
            (Kind::Text, _) => first.trim().parse().unwrap_or(0),
            (_, word) => first_number(bytes, word, big_endian),
        };
        let wide = u32::try_from(number).unwrap_or(0);
        let short = u16::try_from(number).unwrap_or(0);
        let facts = &mut self.facts;
        match tag {
            tags::ROWS => facts.rows = wide,
            tags::COLUMNS => facts.columns = wide,
            tags::SAMPLES_PER_PIXEL => facts.samples_per_pixel = short,
            tags::BITS_ALLOCATED => facts.bits_allocated = short,
            tags::BITS_STORED => facts.bits_stored = short,
            tags::HIGH_BIT => facts.high_bit = short,
            tags::PIXEL_REPRESENTATION => facts.pixel_representation = short,
            tags::PLANAR_CONFIGURATION => facts.planar_configuration = short,
            tags::NUMBER_OF_FRAMES => facts.number_of_frames = wide.max(1),
            tags::PHOTOMETRIC_INTERPRETATION => facts.photometric_interpretation = first.into(),
            _ => {}
        }
    }

    /// Pixel Data, or Float or Double Float Pixel Data, native, at `value`.
    pub(super) fn native(&mut self, tag: Tag, value: Range<u64>) {
        if matches!(tag.1, 0x0008 | 0x0009 | 0x0010) && value.end > value.start {
            self.present = true;
            self.encapsulated = false;
            self.facts.element = tag.1;
            self.facts.value = value;
        }
    }

    /// Bytes of an Extended Offset Table or of its lengths.
    pub(super) fn table_bytes(&mut self, bytes: &[u8]) {
        if self.table.len() + bytes.len() <= TABLE_MAX {
            self.table.extend_from_slice(bytes);
        }
    }

    pub(super) fn table_end(&mut self, tag: Tag) {
        let table = std::mem::take(&mut self.table);
        // OV, always little endian: encapsulated syntaxes are (PS3.5 §A.4).
        let values = table.chunks_exact(8).filter_map(|word| word.first_chunk()).map(|word| u64::from_le_bytes(*word));
        match tag.1 {
            0x0001 => self.fragments.extended = values.collect(),
            _ => self.fragments.extended_lengths = values.collect(),
        }
    }

    pub(super) fn fragment(&mut self, offset: u64, length: u32) {
        self.begin.clear();
        if self.items > 0 {
            self.fragments.push(offset, length);
        }
        self.items += 1;
    }

    pub(super) fn fragment_bytes(&mut self, bytes: &[u8]) {
        if self.items == 1 {
            self.table_bytes(bytes);
        } else if self.begin.len() < 2 {
            self.begin.extend(bytes.iter().take(2 - self.begin.len()));
        }
    }

    pub(super) fn fragment_end(&mut self) {
        if self.items == 1 {
            let table = std::mem::take(&mut self.table);
            let words = table.chunks_exact(4).filter_map(|word| word.first_chunk());
            self.fragments.basic = words.map(|word| u64::from(u32::from_le_bytes(*word))).collect();
        } else if let Some(begin) = self.begin.first_chunk::<2>() {
            self.fragments.begins_with(*begin);
        }
    }

    /// All items with their headers stood at `value`.
    pub(super) fn encapsulated(&mut self, tag: Tag, value: Range<u64>) {
        self.present = true;
        self.encapsulated = true;
        self.facts.element = tag.1;
        self.facts.value = value;
    }

    pub(super) fn finish(mut self) -> Option<PixelFacts> {
        if !self.present {
            return None;
        }
        self.facts.frames = if self.encapsulated {
            let frames = self.fragments.into_frames(self.facts.number_of_frames, self.video);
            FrameTable::Encapsulated { frames }
        } else {
            FrameTable::Native { frame_bits: frames::native_bits(&self.facts) }
        };
        Some(self.facts)
    }
}

fn first_number(bytes: &[u8], word: usize, big_endian: bool) -> u64 {
    let word = bytes.get(..word).unwrap_or_default();
    let fold = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
    if big_endian { word.iter().fold(0, fold) } else { word.iter().rev().fold(0, fold) }
}
