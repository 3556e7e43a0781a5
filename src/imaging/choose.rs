//! The picture that stands for many: which instance and frame show a series or a study best.

use super::source::{failed, is_shown};
use super::view::View;
use super::{Imaging, ImagingError, Picture, plate};
use crate::archive::InstanceRow;
use crate::domain::instance::Selector;
use dicom_dictionary_std::uids;
use std::collections::BTreeMap;

/// Instances asked for their pixels before a series counts as having none to show.
const TRIES: usize = 16;
/// Kinds of instances that have pixels but stand for others, or show no anatomy.
const DERIVED: [&str; 8] = ["SEG", "PR", "KO", "REG", "RTDOSE", "SR", "DOC", "OT"];

/// A picture and what it is of.
#[derive(Debug, Clone)]
pub struct Chosen {
    pub row: InstanceRow,
    /// From 0.
    pub frame: u32,
    pub picture: Picture,
}

impl Imaging {
    /// The middle frame, or else the first, of the middle instance that can be shown; of a study, of its series with
    /// most frames.
    /// When there is none, `NothingToShow`, or why the last one tried could not be shown.
    pub async fn first_picture(&self, of: &Selector, view: &View) -> Result<Chosen, ImagingError> {
        self.first_of(&self.archive.instances(of).await.map_err(failed)?, view).await
    }

    /// The same, of instances in the order of their series and their numbers.
    pub async fn first_of(&self, rows: &[InstanceRow], view: &View) -> Result<Chosen, ImagingError> {
        let has_images =
            |row: &InstanceRow| row.number_of_frames > 0 && !plate::is_film(row.file.transfer_syntax_uid.as_str());
        let mut last = match rows.iter().any(has_images) {
            true => ImagingError::Unsupported("no decoder for its transfer syntax"),
            false => ImagingError::NothingToShow,
        };
        for row in best_first(rows).into_iter().take(TRIES) {
            match self.middle_or_first(row, view).await {
                Ok(chosen) => return Ok(chosen),
                Err(error @ (ImagingError::Archive(_) | ImagingError::Encode(_))) => return Err(error),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// The same, or, of what has no images, a plate that says what the first instance is: viewers show a tile for all.
    pub async fn tile_of(&self, rows: &[InstanceRow], view: &View) -> Result<Chosen, ImagingError> {
        match (self.first_of(rows, view).await, rows.first()) {
            (Err(ImagingError::NothingToShow), Some(row)) => {
                let (row, view) = (row.clone(), view.clone());
                let drawn = move || plate::of(&row, &view).map(|picture| Chosen { row, frame: 0, picture });
                tokio::task::spawn_blocking(drawn).await.map_err(failed)?
            }
            (chosen, _) => chosen,
        }
    }

    /// Some objects declare more frames than they hold: then their middle is not there, but their first frame is.
    async fn middle_or_first(&self, row: &InstanceRow, view: &View) -> Result<Chosen, ImagingError> {
        let chosen = |frame, picture| Chosen { row: row.clone(), frame, picture };
        let middle = row.number_of_frames / 2;
        match self.rendered(row, middle, view).await {
            Ok(picture) => Ok(chosen(middle, picture)),
            Err(ImagingError::NoSuchFrame | ImagingError::Truncated | ImagingError::Unsupported(_)) if middle > 0 => {
                Ok(chosen(0, self.rendered(row, 0, view).await?))
            }
            Err(error) => Err(error),
        }
    }
}

/// Whether an instance stands for others: by its kind, or as a secondary capture of whatever modality.
fn is_derived(row: &InstanceRow) -> bool {
    let capture = uids::SECONDARY_CAPTURE_IMAGE_STORAGE;
    let beneath = row.sop_class_uid.as_str().strip_prefix(capture);
    let captured = beneath.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    captured || row.modality.as_deref().is_some_and(|kind| DERIVED.contains(&kind))
}

/// What can be shown: of the most telling series, from its middle outwards. What stands for others is shown where
/// there is nothing else.
fn best_first(rows: &[InstanceRow]) -> Vec<&InstanceRow> {
    let mut series: BTreeMap<&str, Vec<&InstanceRow>> = BTreeMap::new();
    for row in rows {
        if row.number_of_frames > 0 && is_shown(row.file.transfer_syntax_uid.as_str()) {
            series.entry(row.uids.series.as_str()).or_default().push(row);
        }
    }
    let mut series: Vec<_> = series.into_values().collect();
    series.sort_by_key(|rows| {
        let derived = rows.iter().all(|row| is_derived(row));
        let frames: u64 = rows.iter().map(|row| u64::from(row.number_of_frames)).sum();
        (derived, std::cmp::Reverse(frames))
    });
    series.into_iter().flat_map(outwards).collect()
}

/// The middle one, its neighbours, theirs.
fn outwards<T>(all: Vec<T>) -> Vec<T> {
    let middle = all.len() / 2;
    let mut numbered: Vec<_> = all.into_iter().enumerate().collect();
    numbered.sort_by_key(|(at, _)| (at.abs_diff(middle), std::cmp::Reverse(*at)));
    numbered.into_iter().map(|(_, one)| one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_comes_first_and_the_ends_last() {
        assert_eq!(outwards(vec![0, 1, 2, 3, 4]), [2, 3, 1, 4, 0]);
        assert_eq!(outwards(vec![0, 1]), [1, 0]);
        assert!(outwards(Vec::<u8>::new()).is_empty());
    }
}
