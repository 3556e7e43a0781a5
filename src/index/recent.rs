//! Rows of the instances that were asked for last, in few bytes: a viewer asks for frame after frame of one
//! instance, and a page shows the same pictures again, and neither need wait for SQLite each time.
//!
//! The row of an instance changes only when it is deleted or when its series' attributes are filled in; whoever
//! writes either says so in their turn to write ([`Recent::forget`] runs after the commit, before anybody is
//! answered). What was read before that and arrives here after it is not kept.

use super::rows::InstanceFrames;
use crate::domain::instance::{FrameTable, Selector};
use crate::domain::uid::SopInstanceUid;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use std::mem::size_of;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

/// The most that is held.
const BYTES: u64 = 8 << 20;
/// How many rows there is room for at first; one takes about 1 KiB.
const PLACES: usize = 512;

pub(super) struct Recent {
    rows: Cache<SopInstanceUid, Arc<InstanceFrames>, Bytes>,
    /// How often everything was forgotten.
    forgotten: Mutex<u64>,
}

#[derive(Clone)]
struct Bytes;

impl Weighter<SopInstanceUid, Arc<InstanceFrames>> for Bytes {
    fn weight(&self, _: &SopInstanceUid, of: &Arc<InstanceFrames>) -> u64 {
        let table = match of.pixels.as_ref().map(|pixels| &pixels.frames) {
            Some(FrameTable::Encapsulated { frames }) => {
                let fragments: usize = frames.iter().map(Vec::capacity).sum();
                frames.len() * size_of::<Vec<Range<u64>>>() + fragments * size_of::<Range<u64>>()
            }
            Some(FrameTable::Native { .. }) | None => 0,
        };
        let row = &of.row;
        let texts = [row.series_description.as_deref(), row.modality.as_deref(), Some(row.file.path.as_str())];
        let texts = texts.into_iter().flatten().map(str::len).sum::<usize>();
        let interpretation = of.pixels.as_ref().map_or(0, |pixels| pixels.photometric_interpretation.len());
        (size_of::<InstanceFrames>() + 512 + texts + interpretation + table) as u64
    }
}

/// A point in time, as far as forgetting goes; taken before a row is read.
#[derive(Clone, Copy)]
pub(super) struct Since(u64);

impl Recent {
    pub(super) fn new() -> Self {
        Self { rows: Cache::with_weighter(PLACES, BYTES, Bytes), forgotten: Mutex::new(0) }
    }

    /// The instance that `selector` names, when its row is held.
    pub(super) fn get(&self, selector: &Selector) -> Option<Arc<InstanceFrames>> {
        let found = self.rows.get(selector.instance.as_ref()?)?;
        let uids = &found.row.uids;
        let meant =
            uids.study == selector.study && selector.series.as_ref().is_none_or(|series| *series == uids.series);
        meant.then_some(found)
    }

    pub(super) fn now(&self) -> Since {
        Since(*self.forgotten.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Holds a row that was read after `since`.
    pub(super) fn keep(&self, since: Since, read: &Arc<InstanceFrames>) {
        let forgotten = self.forgotten.lock().unwrap_or_else(PoisonError::into_inner);
        if *forgotten == since.0 {
            self.rows.insert(read.row.uids.instance.clone(), read.clone());
        }
    }

    pub(super) fn forget(&self) {
        let mut forgotten = self.forgotten.lock().unwrap_or_else(PoisonError::into_inner);
        *forgotten += 1;
        self.rows.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::instance::{PixelFacts, StoredFile};
    use crate::domain::uid::{SeriesInstanceUid, SopClassUid, StudyInstanceUid, TransferSyntaxUid};
    use crate::index::rows::{InstanceRow, InstanceUids};

    fn row(number: usize, frames: usize) -> Arc<InstanceFrames> {
        let uids = InstanceUids {
            study: StudyInstanceUid::parse("1.1").unwrap(),
            series: SeriesInstanceUid::parse("1.2").unwrap(),
            instance: SopInstanceUid::parse(&format!("1.3.{number}")).unwrap(),
        };
        let file = StoredFile {
            path: String::new(),
            size_bytes: 0,
            crc32: 0,
            sha256: [0; 32],
            dataset_offset: 0,
            transfer_syntax_uid: TransferSyntaxUid::parse("1.2.840.10008.1.2.1").unwrap(),
        };
        let pixels = PixelFacts {
            rows: 1,
            columns: 1,
            samples_per_pixel: 1,
            bits_allocated: 8,
            bits_stored: 8,
            high_bit: 7,
            pixel_representation: 0,
            planar_configuration: 0,
            photometric_interpretation: "MONOCHROME2".to_owned(),
            number_of_frames: 1,
            value: 0..1,
            element: 0x0010,
            frames: FrameTable::Encapsulated { frames: vec![vec![0..1]; frames] },
        };
        Arc::new(InstanceFrames {
            row: InstanceRow {
                uids,
                sop_class_uid: SopClassUid::parse("1.4").unwrap(),
                series_number: None,
                instance_number: None,
                modality: None,
                series_description: None,
                number_of_frames: 1,
                file,
                received_at_ms: 0,
            },
            pixels: Some(pixels),
        })
    }

    #[test]
    fn what_was_read_before_everything_was_forgotten_is_not_kept_after_it() {
        let recent = Recent::new();
        let one = row(1, 1);
        let selector = one.row.uids.selector();
        let before = recent.now();
        recent.forget();
        recent.keep(before, &one);
        assert!(recent.get(&selector).is_none());
        recent.keep(recent.now(), &one);
        assert!(recent.get(&selector).is_some());
        recent.forget();
        assert!(recent.get(&selector).is_none());
    }

    #[test]
    fn it_stays_within_its_bytes_whatever_tables_and_texts_it_is_given() {
        let recent = Recent::new();
        let frames = 10_000;
        (0..1000).for_each(|number| recent.keep(recent.now(), &row(number, frames)));
        let held = (0..1000).filter(|number| recent.get(&row(*number, 0).row.uids.selector()).is_some()).count();
        assert!((1..=BYTES as usize / (frames * 40)).contains(&held), "{held}");
        let wordy = |number| {
            let mut row = Arc::unwrap_or_clone(row(number, 1));
            row.row.series_description = Some("x".repeat(40_000));
            Arc::new(row)
        };
        (3000..4000).for_each(|number| recent.keep(recent.now(), &wordy(number)));
        let held = (3000..4000).filter(|number| recent.get(&row(*number, 0).row.uids.selector()).is_some()).count();
        assert!((1..=BYTES as usize / 40_000).contains(&held), "{held}");
        // One that is larger than all there is room for is not held, and nothing else goes for it.
        recent.keep(recent.now(), &row(2000, 1_000_000));
        assert!(recent.get(&row(2000, 0).row.uids.selector()).is_none());
    }
}
