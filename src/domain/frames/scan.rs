//! Fragments of an encapsulated value, put together to frames.
//!
//! In this order: Extended Offset Table, Basic Offset Table (both only as far as they agree with where
//! fragments really begin), counting, and at last the first bytes of each fragment. A table that
//! contradicts the fragments is one that a device wrote wrongly, not a reason to refuse its images.

use std::ops::Range;

/// Item header before each fragment (PS3.5 §A.4).
const HEADER: u64 = 8;

/// What the reading pass keeps of an encapsulated value: six bytes a fragment.
#[derive(Debug, Default)]
pub(crate) struct Fragments {
    /// Of the first fragment's item header, that is, after the Basic Offset Table.
    first: Option<u64>,
    lengths: Vec<u32>,
    begins: Vec<[u8; 2]>,
    /// Values of the Basic Offset Table.
    pub(crate) basic: Vec<u64>,
    /// (7FE0,0001) and (7FE0,0002).
    pub(crate) extended: Vec<u64>,
    pub(crate) extended_lengths: Vec<u64>,
}

impl Fragments {
    /// A fragment whose first byte is at `offset`. Fragments follow each other without gaps.
    pub(crate) fn push(&mut self, offset: u64, length: u32) {
        self.first.get_or_insert(offset.saturating_sub(HEADER));
        self.lengths.push(length);
        self.begins.push([0; 2]);
    }

    /// The first bytes of the last fragment pushed.
    pub(crate) fn begins_with(&mut self, bytes: [u8; 2]) {
        if let Some(last) = self.begins.last_mut() {
            *last = bytes;
        }
    }

    /// The fragments of each of `number_of_frames`; of a video, all of them are the one stream. Fewer
    /// frames than declared when the fragments do not tell them apart.
    pub(crate) fn into_frames(self, number_of_frames: u32, video: bool) -> Vec<Vec<Range<u64>>> {
        let number = usize::try_from(number_of_frames).unwrap_or(usize::MAX);
        let all = self.ranges();
        if video || (number == 1 && self.extended_lengths.len() != 1) {
            return if all.is_empty() { Vec::new() } else { vec![all] };
        }
        if let Some(frames) = self.by_extended_table(&all, number) {
            return frames;
        }
        if let Some(starts) = self.by_basic_table(&all, number) {
            return group(&all, &starts);
        }
        if all.len() > number {
            // A frame begins as the first one does.
            let first = self.begins.first().copied().filter(|begin| is_codestream(*begin));
            let starts: Vec<usize> =
                self.begins.iter().enumerate().filter(|(_, begin)| first == Some(**begin)).map(|(i, _)| i).collect();
            if starts.len() == number && starts.first() == Some(&0) {
                return group(&all, &starts);
            }
            // More fragments than frames, and nothing says which belong together.
            return Vec::new();
        }
        all.into_iter().map(|fragment| vec![fragment]).collect()
    }

    fn ranges(&self) -> Vec<Range<u64>> {
        let mut at = self.first.unwrap_or(0);
        let range = |length: &u32| {
            let start = at + HEADER;
            at = start + u64::from(*length);
            start..at
        };
        self.lengths.iter().map(range).collect()
    }

    /// PS3.3 §C.7.6.3.1.8: one fragment a frame, whose padding the lengths leave out.
    fn by_extended_table(&self, all: &[Range<u64>], number: usize) -> Option<Vec<Vec<Range<u64>>>> {
        if self.extended.len() != number || self.extended_lengths.len() != number || number == 0 {
            return None;
        }
        let frame = |(offset, length): (&u64, &u64)| {
            let fragment = all.get(self.fragment_at(all, *offset)?)?;
            let end = fragment.start.checked_add(*length)?;
            (end <= fragment.end).then(|| std::iter::once(fragment.start..end).collect())
        };
        self.extended.iter().zip(&self.extended_lengths).map(frame).collect()
    }

    fn by_basic_table(&self, all: &[Range<u64>], number: usize) -> Option<Vec<usize>> {
        if self.basic.len() != number || self.basic.first() != Some(&0) {
            return None;
        }
        let starts: Vec<usize> =
            self.basic.iter().map(|offset| self.fragment_at(all, *offset)).collect::<Option<_>>()?;
        starts.is_sorted_by(|a, b| a < b).then_some(starts)
    }

    /// The fragment whose item begins `offset` bytes after the item of the first.
    fn fragment_at(&self, all: &[Range<u64>], offset: u64) -> Option<usize> {
        let start = self.first?.checked_add(offset)?.checked_add(HEADER)?;
        all.binary_search_by_key(&start, |fragment| fragment.start).ok()
    }
}

/// SOI of JPEG and JPEG-LS, SOC of JPEG 2000, the signature of a bare JPEG XL codestream.
/// The length of the first box of a JPEG XL file (ISO/IEC 18181-2 §4.1), 12.
const JXL_BOX: [u8; 2] = [0, 0];

fn is_codestream(begin: [u8; 2]) -> bool {
    matches!(begin, [0xFF, 0xD8] | [0xFF, 0x4F] | [0xFF, 0x0A] | JXL_BOX)
}

fn group(all: &[Range<u64>], starts: &[usize]) -> Vec<Vec<Range<u64>>> {
    let ends = starts.iter().skip(1).copied().chain([all.len()]);
    starts.iter().zip(ends).map(|(start, end)| all.get(*start..end).unwrap_or_default().to_vec()).collect()
}
