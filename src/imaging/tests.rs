//! Pictures of what a real archive holds.

use super::*;
use crate::archive::{Archive, ArchiveSettings, Offer, Source, SyntaxSource};
use crate::config::{ConflictAnswer, Limits, Storage, units};
use crate::domain::clock::Clock;
use crate::domain::explicit::Elements;
use crate::domain::instance::Selector;
use crate::domain::transfer_syntax;
use crate::domain::uid::{SeriesInstanceUid, SopClassUid, SopInstanceUid, StudyInstanceUid};
use crate::index::{Index, IndexSettings};
use dicom_core::VR;
use dicom_dictionary_std::{tags, uids};

async fn archive(folder: &std::path::Path) -> Archive {
    let index = Index::open(folder, IndexSettings::default(), Clock::system()).await.unwrap();
    let none = units::Floor::Bytes(units::Bytes::new(0));
    let settings = ArchiveSettings {
        data_dir: folder.to_owned(),
        storage: Storage { soft_stop: none, hard_stop: none, ballast: none, ..Storage::default() },
        limits: Limits::default(),
        disk: crate::store::Disk::default(),
        lock: None,
    };
    Archive::start(settings, index, Clock::system()).await.unwrap().0
}

async fn receive(archive: &Archive, series: &str, number: u8, syntax: &str, more: impl FnOnce(&mut Elements)) {
    let instance = format!("2.25.77.{number}");
    let mut elements = Elements::default();
    for (tag, value) in [
        (tags::SOP_CLASS_UID, uids::CT_IMAGE_STORAGE),
        (tags::SOP_INSTANCE_UID, &instance),
        (tags::STUDY_INSTANCE_UID, "2.25.5"),
        (tags::SERIES_INSTANCE_UID, series),
    ] {
        elements.text(tag, VR::UI, value);
    }
    elements.text(tags::INSTANCE_NUMBER, VR::IS, &number.to_string());
    more(&mut elements);
    let offer = Offer {
        source: Source::default(),
        transfer_syntax: transfer_syntax::lookup(syntax).unwrap(),
        syntax_from: SyntaxSource::Sender,
        sop_class_uid: SopClassUid::parse(uids::CT_IMAGE_STORAGE).ok(),
        sop_instance_uid: SopInstanceUid::parse(&instance).ok(),
        study_instance_uid: None,
        only: None,
        conflict: ConflictAnswer::Keep,
    };
    let mut intake = archive.begin(offer).unwrap();
    intake.write(&elements.to_bytes()).unwrap();
    intake.finish().await.unwrap();
}

fn image(elements: &mut Elements, columns: u16, interpretation: &str) {
    elements.text(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, interpretation);
    for (tag, value) in [
        (tags::SAMPLES_PER_PIXEL, 1),
        (tags::ROWS, 2),
        (tags::COLUMNS, columns),
        (tags::BITS_ALLOCATED, 8),
        (tags::BITS_STORED, 8),
        (tags::HIGH_BIT, 7),
        (tags::PIXEL_REPRESENTATION, 0),
    ] {
        elements.us(tag, value);
    }
    elements.put(tags::PIXEL_DATA, VR::OW, (0..2 * columns).map(|value| value as u8).collect());
}

fn series(uid: &str) -> Selector {
    Selector {
        study: StudyInstanceUid::parse("2.25.5").unwrap(),
        series: SeriesInstanceUid::parse(uid).ok(),
        instance: None,
    }
}

async fn shown(archive: &Archive, series: &Selector, max_edge: u32) -> Result<Picture, ImagingError> {
    let view = View { longest_edge: Some(max_edge), ..View::default() };
    let imaging = Imaging::with_program(archive.clone(), worker::testing::program(), &Limits::default());
    imaging.first_picture(series, &view).await.map(|chosen| chosen.picture)
}

#[tokio::test]
async fn a_series_is_shown_by_its_middle_instance() {
    let folder = tempfile::tempdir().unwrap();
    let archive = archive(folder.path()).await;
    for number in 1..=3_u8 {
        let columns = u16::from(number) * 4;
        let explicit = transfer_syntax::EXPLICIT_VR_LITTLE_ENDIAN;
        receive(&archive, "2.25.6", number, explicit, |e| image(e, columns, "MONOCHROME2")).await;
    }
    let shown = shown(&archive, &series("2.25.6"), 256).await.unwrap();
    assert_eq!((shown.width, shown.height, shown.media_type), (8, 2, "image/jpeg"));
}

/// Ten frames are declared and one is held.
#[tokio::test]
async fn a_series_that_lacks_its_middle_frame_is_shown_by_its_first() {
    let folder = tempfile::tempdir().unwrap();
    let archive = archive(folder.path()).await;
    receive(&archive, "2.25.6", 1, transfer_syntax::EXPLICIT_VR_LITTLE_ENDIAN, |elements| {
        image(elements, 4, "MONOCHROME2");
        elements.text(tags::NUMBER_OF_FRAMES, VR::IS, "10");
    })
    .await;
    let shown = shown(&archive, &series("2.25.6"), 256).await.unwrap();
    assert_eq!((shown.width, shown.height), (4, 2));
}

/// A palette of 600 bytes a colour is bulk data: it is read from the file.
#[tokio::test]
async fn a_palette_that_the_metadata_leaves_out_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let archive = archive(folder.path()).await;
    receive(&archive, "2.25.6", 1, transfer_syntax::EXPLICIT_VR_LITTLE_ENDIAN, |elements| {
        image(elements, 4, "PALETTE COLOR");
        for (descriptor, data) in [
            (tags::RED_PALETTE_COLOR_LOOKUP_TABLE_DESCRIPTOR, tags::RED_PALETTE_COLOR_LOOKUP_TABLE_DATA),
            (tags::GREEN_PALETTE_COLOR_LOOKUP_TABLE_DESCRIPTOR, tags::GREEN_PALETTE_COLOR_LOOKUP_TABLE_DATA),
            (tags::BLUE_PALETTE_COLOR_LOOKUP_TABLE_DESCRIPTOR, tags::BLUE_PALETTE_COLOR_LOOKUP_TABLE_DATA),
        ] {
            elements.put(descriptor, VR::US, [600_u16, 0, 16].map(u16::to_le_bytes).concat());
            elements.put(data, VR::OW, (0..600_u16).flat_map(|value| (value * 100).to_le_bytes()).collect());
        }
    })
    .await;
    let shown = shown(&archive, &series("2.25.6"), 256).await.unwrap();
    assert_eq!((shown.width, shown.height), (4, 2));
}

#[tokio::test]
async fn what_cannot_be_shown_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let archive = archive(folder.path()).await;
    let nothing = shown(&archive, &series("2.25.6"), 256).await;
    assert!(matches!(nothing, Err(ImagingError::NothingToShow)));
    receive(&archive, "2.25.7", 1, transfer_syntax::EXPLICIT_VR_LITTLE_ENDIAN, |_| {}).await;
    let no_pixels = shown(&archive, &series("2.25.7"), 256).await;
    assert!(matches!(no_pixels, Err(ImagingError::NothingToShow)));
    receive(&archive, "2.25.8", 2, transfer_syntax::EXPLICIT_VR_LITTLE_ENDIAN, |e| image(e, 4, "CMYK")).await;
    let cmyk = shown(&archive, &series("2.25.8"), 256).await;
    assert!(matches!(cmyk, Err(ImagingError::Unsupported(_))));
}
