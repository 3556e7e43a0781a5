//! The arithmetic of a ZIP whose entries are stored, not compressed (APPNOTE.TXT 6.3.10 §4.3).
//!
//! Sizes and CRC-32s are known beforehand, so there are no data descriptors, and every offset is a sum.
//! ZIP64 fields appear only where a value does not fit, because old readers stumble over them; a value
//! that equals the marker 0xFFFF or 0xFFFFFFFF counts as not fitting (§4.4.1.4).

use super::records::{self, Counts, EntryFields};
use bytes::Bytes;
use std::ops::Range;

/// One file of the archive. Paths are ASCII, relative, with `/` between folders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub path: Box<str>,
    pub size_bytes: u64,
    pub crc32: u32,
}

/// What stands at an offset of the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Segment {
    /// Headers and directories.
    Inline(Bytes),
    /// Bytes `range` of the file `entry` (its place in the list, from 0).
    File { entry: usize, range: Range<u64> },
}

impl Segment {
    pub fn len(&self) -> u64 {
        match self {
            Self::Inline(bytes) => bytes.len() as u64,
            Self::File { range, .. } => range.end - range.start,
        }
    }
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LayoutError {
    #[error("a path in the archive is empty, not ASCII, or too long")]
    Path,
    #[error("the archive would be larger than 2^64 bytes")]
    Overflow,
}

/// When every entry says it was last modified, in MS-DOS form (two-second steps, 1980 to 2107).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Modified {
    pub(super) date: u16,
    pub(super) time: u16,
}

impl Modified {
    /// 1980-01-01 00:00, the first moment that MS-DOS knew.
    pub const UNKNOWN: Self = Self { date: 0x21, time: 0 };

    /// From the values of a DA and a TM attribute; what is missing or ill-formed is [`Modified::UNKNOWN`].
    pub fn from_dicom(date: &str, time: &str) -> Self {
        let number = |text: &str, from: usize, to: usize| text.get(from..to).and_then(|digits| digits.parse().ok());
        let (year, month, day) = (number(date, 0, 4), number(date, 4, 6), number(date, 6, 8));
        let (Some(year @ 1980..=2107_u16), Some(month @ 1..=12_u16), Some(day @ 1..=31_u16)) = (year, month, day)
        else {
            return Self::UNKNOWN;
        };
        let hour = number(time, 0, 2).filter(|hour| *hour < 24).unwrap_or(0);
        let minute = number(time, 2, 4).filter(|minute| *minute < 60).unwrap_or(0);
        let second = number(time, 4, 6).filter(|second| *second < 60).unwrap_or(0);
        Self { date: ((year - 1980) << 9) | (month << 5) | day, time: (hour << 11) | (minute << 5) | (second / 2) }
    }
}

/// Where everything stands. Costs a few words an entry, however large the files are.
#[derive(Debug, Clone)]
pub struct Layout {
    places: Vec<Place>,
    modified: Modified,
    central_start: u64,
    end_start: u64,
    end: Bytes,
    length: u64,
}

#[derive(Debug, Clone)]
struct Place {
    entry: Entry,
    /// Of its local header.
    header: u64,
    /// Of its record in the central directory, counted from the directory's start.
    central: u64,
}

impl Place {
    fn fields(&self, modified: Modified) -> EntryFields<'_> {
        EntryFields {
            path: &self.entry.path,
            size_bytes: self.entry.size_bytes,
            crc32: self.entry.crc32,
            header_offset: self.header,
            modified,
        }
    }
    fn data(&self) -> u64 {
        self.header + records::local_header_length(&self.entry.path, self.entry.size_bytes)
    }
    fn end(&self) -> u64 {
        self.data() + self.entry.size_bytes
    }
}

impl Layout {
    pub fn new(entries: impl IntoIterator<Item = Entry>, modified: Modified) -> Result<Self, LayoutError> {
        let (mut places, mut offset, mut central) = (Vec::new(), 0_u64, 0_u64);
        for entry in entries {
            if !(1..=1024).contains(&entry.path.len()) || !entry.path.is_ascii() {
                return Err(LayoutError::Path);
            }
            let (header, record) = (offset, central);
            offset = records::local_header_length(&entry.path, entry.size_bytes)
                .checked_add(entry.size_bytes)
                .and_then(|length| offset.checked_add(length))
                .ok_or(LayoutError::Overflow)?;
            central += records::central_record_length(&entry.path, entry.size_bytes, header);
            places.push(Place { entry, header, central: record });
        }
        let end_start = offset.checked_add(central).ok_or(LayoutError::Overflow)?;
        let counts = Counts { entries: places.len() as u64, central_start: offset, central_length: central };
        let end = Bytes::from(records::end_of_directory(&counts));
        let length = end_start.checked_add(end.len() as u64).ok_or(LayoutError::Overflow)?;
        Ok(Self { places, modified, central_start: offset, end_start, end, length })
    }

    /// The exact length of the archive in bytes.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Where the data of an entry begins.
    pub fn data_offset(&self, entry: usize) -> Option<u64> {
        self.places.get(entry).map(Place::data)
    }

    /// The segments that together are bytes `range` of the archive; beyond its end there are none.
    pub fn segments(&self, range: Range<u64>) -> impl Iterator<Item = Segment> {
        let mut at = range.start;
        std::iter::from_fn(move || {
            let segment = self.segment_at(at, range.end)?;
            at += segment.len();
            Some(segment)
        })
    }

    /// The piece that begins exactly at `at` and ends at `end` or before.
    pub fn segment_at(&self, at: u64, end: u64) -> Option<Segment> {
        let end = end.min(self.length);
        if at >= end {
            return None;
        }
        if at >= self.end_start {
            return Some(inline(self.end.clone(), self.end_start, at, end));
        }
        if at >= self.central_start {
            let within = at - self.central_start;
            let place =
                self.places.get(self.places.partition_point(|place| place.central <= within).checked_sub(1)?)?;
            let record = records::central_record(&place.fields(self.modified));
            return Some(inline(record.into(), self.central_start + place.central, at, end));
        }
        let entry = self.places.partition_point(|place| place.header <= at).checked_sub(1)?;
        let place = self.places.get(entry)?;
        let data = place.data();
        if at < data {
            let header = records::local_header(&place.fields(self.modified));
            return Some(inline(header.into(), place.header, at, end));
        }
        Some(Segment::File { entry, range: at - data..end.min(place.end()) - data })
    }
}

/// The part of `bytes`, which begin at `start`, from `at` to `end`. Inline pieces are small: the casts hold.
fn inline(bytes: Bytes, start: u64, at: u64, end: u64) -> Segment {
    let from = (at - start) as usize;
    let to = bytes.len().min((end - start) as usize);
    Segment::Inline(bytes.slice(from..to))
}

#[cfg(test)]
mod tests;
