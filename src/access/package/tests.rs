//! Packages of a real archive and index in a temporary folder.

use super::*;
use crate::archive::{ArchiveSettings, Offer, SyntaxSource};
use crate::config::{ConflictAnswer, Facility, Limits, Storage, units};
use crate::domain::clock::Clock;
use crate::domain::explicit::Elements;
use crate::domain::transfer_syntax;
use crate::domain::uid::{SeriesInstanceUid, SopClassUid, SopInstanceUid};
use crate::index::{Index, IndexSettings};
use dicom_core::header::HasLength;
use dicom_core::{Tag, VR};
use dicom_dictionary_std::{tags, uids};
use jiff::Timestamp;
use std::io::Read;
use std::time::Duration;

struct Bench {
    archive: Archive,
    index: Index,
    clock: Clock,
    packages: Packages,
    folder: tempfile::TempDir,
}

const STUDY: &str = "2.25.4711";
const CHEST: &str = "2.25.4712";

impl Bench {
    async fn new() -> Self {
        Self::open(tempfile::tempdir().unwrap(), &Limits::default()).await
    }

    async fn open(folder: tempfile::TempDir, limits: &Limits) -> Self {
        let clock = Clock::settable(Timestamp::now());
        let index = Index::open(folder.path(), IndexSettings::default(), clock.clone()).await.unwrap();
        let none = units::Floor::Bytes(units::Bytes::new(0));
        let settings = ArchiveSettings {
            data_dir: folder.path().to_owned(),
            storage: Storage { soft_stop: none, hard_stop: none, ballast: none, ..Storage::default() },
            limits: Limits::default(),
            disk: crate::store::Disk::default(),
            lock: None,
        };
        let (archive, _) = Archive::start(settings, index.clone(), clock.clone()).await.unwrap();
        let facility = Facility { name: "Röntgen Süd".into(), contact: "+49 30 1234".into() };
        let packages = Packages::new(archive.clone(), index.clone(), facility, limits, clock.clone());
        Self { archive, index, clock, packages, folder }
    }

    async fn restarted(self) -> Self {
        self.archive.stop().await;
        let _ = self.index.close().await;
        let Self { folder, archive, index, packages, .. } = self;
        drop((archive, index, packages));
        Self::open(folder, &Limits::default()).await
    }

    async fn receive(&self, class: &str, instance: &str, dataset: Vec<u8>) {
        let offer = Offer {
            source: crate::archive::Source::default(),
            transfer_syntax: transfer_syntax::lookup(transfer_syntax::EXPLICIT_VR_LITTLE_ENDIAN).unwrap(),
            syntax_from: SyntaxSource::Sender,
            sop_class_uid: SopClassUid::parse(class).ok(),
            sop_instance_uid: SopInstanceUid::parse(instance).ok(),
            study_instance_uid: None,
            only: None,
            conflict: ConflictAnswer::Keep,
        };
        let mut intake = self.archive.begin(offer).unwrap();
        intake.write(&dataset).unwrap();
        intake.finish().await.unwrap();
    }

    /// A localiser, and a series of `slices`.
    async fn study(&self, slices: u32) -> Scope {
        for number in 0..=slices {
            let (series, instance) = (format!("{CHEST}.{}", number.min(1)), format!("{CHEST}.9.{number}"));
            let number = number.to_string();
            let more = [
                (tags::STUDY_DATE, VR::DA, "20260914"),
                (tags::STUDY_TIME, VR::TM, "093000"),
                (tags::STUDY_DESCRIPTION, VR::LO, "CT chest <1>"),
                (tags::MODALITY, VR::CS, "CT"),
                (tags::INSTANCE_NUMBER, VR::IS, number.as_str()),
                (tags::PATIENT_NAME, VR::PN, "DOE^JANE"),
            ];
            let (class, patient) = (uids::CT_IMAGE_STORAGE, ("7", "A"));
            let object = Object { class, study: CHEST, series: &series, instance: &instance, patient, more: &more };
            self.object(&object).await;
        }
        Scope::study(StudyInstanceUid::parse(CHEST).unwrap())
    }

    async fn object(&self, object: &Object<'_>) {
        self.receive(object.class, object.instance, object.dataset()).await;
    }

    fn later(&self) {
        self.clock.advance(Duration::from_secs(61));
    }
}

/// A small instance of any class: identity, and what `more` adds.
struct Object<'a> {
    class: &'a str,
    study: &'a str,
    series: &'a str,
    instance: &'a str,
    patient: (&'a str, &'a str),
    more: &'a [(Tag, VR, &'a str)],
}

impl Object<'_> {
    fn dataset(&self) -> Vec<u8> {
        let mut elements = Elements::default();
        for (tag, vr, value) in [
            (tags::SOP_CLASS_UID, VR::UI, self.class),
            (tags::SOP_INSTANCE_UID, VR::UI, self.instance),
            (tags::STUDY_INSTANCE_UID, VR::UI, self.study),
            (tags::SERIES_INSTANCE_UID, VR::UI, self.series),
            (tags::PATIENT_ID, VR::LO, self.patient.0),
            (tags::ISSUER_OF_PATIENT_ID, VR::LO, self.patient.1),
        ] {
            elements.text(tag, vr, value);
        }
        for (tag, vr, value) in self.more {
            elements.text(*tag, *vr, value);
        }
        elements.to_bytes()
    }
}

async fn bytes(package: &Arc<Package>, range: Range<u64>) -> Vec<u8> {
    let chunks: Vec<_> = package.stream(range).collect().await;
    chunks.into_iter().map(Result::unwrap).collect::<Vec<_>>().concat()
}

fn unpacked(zip: Vec<u8>) -> Vec<(String, Vec<u8>)> {
    let mut archive = ::zip::ZipArchive::new(io::Cursor::new(zip)).unwrap();
    (0..archive.len())
        .map(|at| {
            let mut file = archive.by_index(at).unwrap();
            let name = file.name().unwrap().into_owned();
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes).unwrap();
            (name, bytes)
        })
        .collect()
}

#[tokio::test]
async fn a_package_streams_its_exact_length_and_any_range_of_it() {
    let bench = Bench::new().await;
    let package = bench.packages.current(&bench.study(3).await).await.unwrap();
    let whole = bytes(&package, 0..u64::MAX).await;
    assert_eq!(whole.len() as u64, package.len());
    assert_eq!(package.instances(), 4);
    for (from, to) in [(0, 1), (29, 90), (100, 7_000), (whole.len() - 30, whole.len()), (5, 5)] {
        assert_eq!(bytes(&package, from as u64..to as u64).await, whole[from..to]);
    }
    let names: Vec<_> = unpacked(whole).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names[..4], ["README.TXT", "INDEX.HTM", "DICOMDIR", "DICOM/PT000001/ST000001/SE000001/IM000001"]);
    assert_eq!(names.last().unwrap(), "SHA256.TXT");
    for component in names.iter().flat_map(|name| name.split('/')) {
        let (stem, ending) = component.split_once('.').unwrap_or((component, ""));
        let allowed = |text: &str| text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
        assert!(stem.len() <= 8 && ending.len() <= 3 && allowed(stem) && allowed(ending), "{component}");
    }
}

#[tokio::test]
async fn checksums_and_directory_agree_with_the_files() {
    use sha2::{Digest, Sha256};
    let bench = Bench::new().await;
    let package = bench.packages.current(&bench.study(2).await).await.unwrap();
    let files = unpacked(bytes(&package, 0..u64::MAX).await);
    let sums = String::from_utf8(files.last().unwrap().1.clone()).unwrap();
    let expected: String = files[..files.len() - 1]
        .iter()
        .map(|(name, bytes)| format!("{}  {name}\n", pages::hex(&Sha256::digest(bytes))))
        .collect();
    assert_eq!(sums, expected);
    let directory = dicom_object::from_reader(files[2].1.as_slice()).unwrap();
    let records = directory.element(tags::DIRECTORY_RECORD_SEQUENCE).unwrap().items().unwrap();
    let types: Vec<_> = records
        .iter()
        .map(|record| record.element(tags::DIRECTORY_RECORD_TYPE).unwrap().to_str().unwrap().trim().to_owned())
        .collect();
    assert_eq!(types, ["PATIENT", "STUDY", "SERIES", "IMAGE", "SERIES", "IMAGE", "IMAGE"]);
    for record in records {
        if let Ok(id) = record.element(tags::REFERENCED_FILE_ID) {
            let path = id.to_str().unwrap().trim().replace('\\', "/");
            assert!(files.iter().any(|(name, _)| *name == path), "{path}");
        }
    }
}

#[tokio::test]
async fn a_version_keeps_its_bytes_through_a_restart() {
    let bench = Bench::new().await;
    let scope = bench.study(2).await;
    let first = bench.packages.current(&scope).await.unwrap();
    let (etag, whole) = (first.etag().to_owned(), bytes(&first, 0..u64::MAX).await);
    drop(first);
    let bench = bench.restarted().await;
    let again = bench.packages.current(&scope).await.unwrap();
    assert_eq!((again.etag(), again.version()), (etag.as_str(), 1));
    assert_eq!(bytes(&again, 0..u64::MAX).await, whole);
}

#[tokio::test]
async fn a_series_and_an_instance_have_packages_that_are_not_kept_and_come_out_the_same() {
    let bench = Bench::new().await;
    bench.study(3).await;
    let series = format!("{CHEST}.1");
    let part = |instance: Option<&str>| {
        Scope::of(&Selector {
            study: StudyInstanceUid::parse(CHEST).unwrap(),
            series: SeriesInstanceUid::parse(&series).ok(),
            instance: instance.and_then(|uid| SopInstanceUid::parse(uid).ok()),
        })
    };
    let one = format!("{CHEST}.9.2");
    let parts = [(part(None), 3), (part(Some(&one)), 1)];
    let mut first = Vec::new();
    for (scope, instances) in &parts {
        let package = bench.packages.current(scope).await.unwrap();
        assert_eq!(package.instances(), *instances);
        let files = unpacked(bytes(&package, 0..u64::MAX).await);
        assert!(files.iter().any(|(name, _)| name == "DICOMDIR"));
        assert!(bench.index.packages(&scope.key).await.unwrap().is_empty());
        first.push((package.etag().to_owned(), package.len()));
    }
    let bench = bench.restarted().await;
    for ((scope, _), (etag, length)) in parts.iter().zip(first) {
        assert!(bench.packages.frozen(scope, |_| true).await.is_err());
        let again = bench.packages.current(scope).await.unwrap();
        assert_eq!((again.etag(), again.len()), (etag.as_str(), length));
        assert!(bench.packages.frozen(scope, |known| known == etag).await.is_ok());
    }
    let nothing = part(Some("2.25.404"));
    assert!(matches!(bench.packages.current(&nothing).await, Err(PackageError::Empty)));
}

#[tokio::test]
async fn a_new_instance_makes_a_new_version_once_it_is_quiet_and_the_old_one_stays() {
    let bench = Bench::new().await;
    let scope = bench.study(2).await;
    bench.later();
    let first = bench.packages.current(&scope).await.unwrap();
    let patient = ("7", "A");
    let late = Object {
        class: uids::ENCAPSULATED_PDF_STORAGE,
        study: CHEST,
        series: "2.25.1",
        instance: "2.25.2",
        patient,
        more: &[],
    };
    bench.object(&late).await;
    assert_eq!(bench.packages.current(&scope).await.unwrap().etag(), first.etag());
    bench.later();
    let second = bench.packages.current(&scope).await.unwrap();
    assert_ne!(second.etag(), first.etag());
    assert_eq!((second.version(), second.instances()), (2, first.instances() + 1));
    let kept = bench.packages.frozen(&scope, |etag| etag == first.etag()).await.unwrap();
    assert_eq!((kept.version(), kept.len()), (1, first.len()));
}

#[tokio::test]
async fn two_patients_in_one_study_are_two_records_of_the_directory() {
    let bench = Bench::new().await;
    let people = [
        ("1", "7", "DOE^JANE", "19700101"),
        ("2", "8", "ROSS^ELLEN", "19610307"),
        ("3", "7", "MILLER^ANN", "19800202"),
        ("4", "7", "DOE^JANE", ""),
    ];
    for (number, id, name, birth_date) in people {
        let (series, instance) = (format!("{CHEST}.{}", number.len()), format!("{CHEST}.9.{number}"));
        let more = [
            (tags::MODALITY, VR::CS, "CT"),
            (tags::PATIENT_NAME, VR::PN, name),
            (tags::PATIENT_BIRTH_DATE, VR::DA, birth_date),
            (tags::INSTANCE_NUMBER, VR::IS, number),
        ];
        let (class, patient) = (uids::CT_IMAGE_STORAGE, (id, "A"));
        bench.object(&Object { class, study: CHEST, series: &series, instance: &instance, patient, more: &more }).await;
    }
    let package = bench.packages.current(&Scope::study(StudyInstanceUid::parse(CHEST).unwrap())).await.unwrap();
    let files = unpacked(bytes(&package, 0..u64::MAX).await);
    let directory = &files.iter().find(|(name, _)| name == "DICOMDIR").unwrap().1;
    let directory = dicom_object::from_reader(directory.as_slice()).unwrap();
    let text = |record: &dicom_object::InMemDicomObject, tag| {
        record.get(tag).map(|element| element.to_str().unwrap().into_owned()).unwrap_or_default()
    };
    let mut patients = Vec::new();
    for record in directory.element(tags::DIRECTORY_RECORD_SEQUENCE).unwrap().items().unwrap() {
        match text(record, tags::DIRECTORY_RECORD_TYPE).as_str() {
            "PATIENT" => patients.push((text(record, tags::PATIENT_ID), text(record, tags::PATIENT_NAME), 0)),
            "IMAGE" => patients.last_mut().unwrap().2 += 1,
            _ => {}
        }
    }
    let expected = [("7", "DOE^JANE", 2), ("8", "ROSS^ELLEN", 1), ("7_1", "MILLER^ANN", 1)];
    assert_eq!(patients, expected.map(|(id, name, images)| (id.to_owned(), name.to_owned(), images)));
}

#[tokio::test]
async fn a_study_that_left_the_scope_is_not_served_again() {
    let bench = Bench::new().await;
    let one = bench.study(1).await.studies[0].clone();
    let other = Object {
        class: uids::CT_IMAGE_STORAGE,
        study: STUDY,
        series: "2.25.1",
        instance: "2.25.2",
        patient: ("X", ""),
        more: &[],
    };
    bench.object(&other).await;
    let two = StudyInstanceUid::parse(STUDY).unwrap();
    let both = bench.packages.current(&Scope::link("1", vec![one.clone(), two])).await.unwrap();
    let narrowed = Scope::link("1", vec![one]);
    let now = bench.packages.current(&narrowed).await.unwrap();
    assert_eq!(now.studies(), narrowed.studies);
    let old = bench.packages.frozen(&narrowed, |etag| etag == both.etag()).await;
    assert!(matches!(old, Err(PackageError::VersionGone)));
}

#[tokio::test]
async fn limits_and_nothing_have_their_own_answers() {
    let limits = Limits { package_files: 1, ..Limits::default() };
    let bench = Bench::open(tempfile::tempdir().unwrap(), &limits).await;
    let nothing = Scope::study(StudyInstanceUid::parse("2.25.9").unwrap());
    assert!(matches!(bench.packages.current(&nothing).await, Err(PackageError::Empty)));
    let scope = bench.study(1).await;
    assert!(matches!(bench.packages.current(&scope).await, Err(PackageError::TooManyFiles { max: 1 })));
}

/// Objects of many classes with nothing but their UIDs, and two patients who share a number.
#[tokio::test]
async fn every_class_gets_its_record_with_every_required_key() {
    let bench = Bench::new().await;
    let classes = [
        uids::CT_IMAGE_STORAGE,
        uids::BASIC_TEXT_SR_STORAGE,
        uids::KEY_OBJECT_SELECTION_DOCUMENT_STORAGE,
        uids::ENCAPSULATED_PDF_STORAGE,
        uids::GRAYSCALE_SOFTCOPY_PRESENTATION_STATE_STORAGE,
        uids::RT_DOSE_STORAGE,
        uids::RT_STRUCTURE_SET_STORAGE,
        uids::RT_PLAN_STORAGE,
        uids::RT_BEAMS_TREATMENT_RECORD_STORAGE,
        uids::TWELVE_LEAD_ECG_WAVEFORM_STORAGE,
        uids::MR_SPECTROSCOPY_STORAGE,
        uids::RAW_DATA_STORAGE,
        uids::SPATIAL_REGISTRATION_STORAGE,
        uids::SPATIAL_FIDUCIALS_STORAGE,
        uids::REAL_WORLD_VALUE_MAPPING_STORAGE,
        uids::SURFACE_SEGMENTATION_STORAGE,
        uids::TRACTOGRAPHY_RESULTS_STORAGE,
        uids::LENSOMETRY_MEASUREMENTS_STORAGE,
        uids::CONTENT_ASSESSMENT_RESULTS_STORAGE,
    ];
    for (at, class) in classes.iter().enumerate() {
        let (series, instance) = (format!("2.25.100{at}"), format!("2.25.200{at}"));
        let more = [(tags::PATIENT_NAME, VR::PN, "DOE^JANE")];
        let object =
            Object { class, study: STUDY, series: &series, instance: &instance, patient: ("7", "A"), more: &more };
        bench.object(&object).await;
    }
    let other = Object {
        class: uids::CT_IMAGE_STORAGE,
        study: CHEST,
        series: "2.25.5",
        instance: "2.25.6",
        patient: ("7", "B"),
        more: &[],
    };
    bench.object(&other).await;
    let studies = [STUDY, CHEST].map(|uid| StudyInstanceUid::parse(uid).unwrap());
    let package = bench.packages.current(&Scope::link("1", studies.into())).await.unwrap();
    let files = unpacked(bytes(&package, 0..u64::MAX).await);
    let directory = dicom_object::from_reader(files[2].1.as_slice()).unwrap();
    let records = directory.element(tags::DIRECTORY_RECORD_SEQUENCE).unwrap().items().unwrap();
    let mut ids = Vec::new();
    for record in records {
        let name = record.element(tags::DIRECTORY_RECORD_TYPE).unwrap().to_str().unwrap().trim().to_owned();
        if name == "PATIENT" {
            ids.push(record.element(tags::PATIENT_ID).unwrap().to_str().unwrap().trim().to_owned());
        }
        let Ok(class) = record.element(tags::REFERENCED_SOP_CLASS_UID_IN_FILE) else { continue };
        let kind = record::kind(class.to_str().unwrap().trim_end_matches(['\0', ' ']));
        assert_eq!(kind.name, name);
        for (tag, _, need) in kind.keys {
            let written = record.element_opt(*tag).unwrap();
            match need {
                record::Need::Present => {}
                record::Need::Empty => assert!(written.is_some(), "{name} {tag}"),
                _ => assert!(!written.unwrap().is_empty(), "{name} {tag}"),
            }
        }
    }
    assert_eq!(ids, ["7", "7_1"]);
}
