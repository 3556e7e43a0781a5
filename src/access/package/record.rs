//! Which directory record stands for an instance, and with which keys (PS3.3 §F.4, §F.5).

use dicom_core::{Tag, VR};
use dicom_dictionary_std::tags;

/// How a key is required; of those of Type 1 that the data set lacks, a value is made up, because strict
/// readers refuse the whole directory otherwise. The values are those that DCMTK makes up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// Type 1, and what stands for it.
    Value(&'static str),
    /// Type 1, a count of our own stands for it.
    Number,
    /// Type 1, one coded entry.
    Code,
    /// Type 2.
    Empty,
    /// Type 1C: only when the data set has it.
    Present,
}

pub(super) type Key = (Tag, VR, Need);

/// A kind of fourth-level directory record.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Kind {
    /// Directory Record Type (0004,1430).
    pub name: &'static str,
    pub keys: &'static [Key],
}

const NO_DATE: &str = "19000101";
const NO_TIME: &str = "000000";
const NUMBER: Key = (tags::INSTANCE_NUMBER, VR::IS, Need::Number);
const DATE: Key = (tags::CONTENT_DATE, VR::DA, Need::Value(NO_DATE));
const TIME: Key = (tags::CONTENT_TIME, VR::TM, Need::Value(NO_TIME));
const LABEL: Key = (tags::CONTENT_LABEL, VR::CS, Need::Value("UNNAMED"));
const DESCRIPTION: Key = (tags::CONTENT_DESCRIPTION, VR::LO, Need::Empty);
const CREATOR: Key = (tags::CONTENT_CREATOR_NAME, VR::PN, Need::Empty);
const CONCEPT: Key = (tags::CONCEPT_NAME_CODE_SEQUENCE, VR::SQ, Need::Code);
const CONTENT: Key = (tags::CONTENT_SEQUENCE, VR::SQ, Need::Present);

macro_rules! kinds {
    ($($constant:ident $name:literal [$($key:expr),* $(,)?];)*) => {
        $(pub(super) static $constant: Kind = Kind { name: $name, keys: &[$($key),*] };)*
        #[cfg(test)]
        static ALL: &[&Kind] = &[$(&$constant),*];
    };
}

kinds! {
    IMAGE "IMAGE" [NUMBER];
    RT_DOSE "RT DOSE" [NUMBER, (tags::DOSE_SUMMATION_TYPE, VR::CS, Need::Value("PLAN"))];
    RT_STRUCTURE_SET "RT STRUCTURE SET" [
        NUMBER,
        (tags::STRUCTURE_SET_LABEL, VR::SH, Need::Value("UNNAMED")),
        (tags::STRUCTURE_SET_DATE, VR::DA, Need::Empty),
        (tags::STRUCTURE_SET_TIME, VR::TM, Need::Empty),
    ];
    RT_PLAN "RT PLAN" [
        NUMBER,
        (tags::RT_PLAN_LABEL, VR::SH, Need::Value("UNNAMED")),
        (tags::RT_PLAN_DATE, VR::DA, Need::Empty),
        (tags::RT_PLAN_TIME, VR::TM, Need::Empty),
    ];
    RT_TREAT_RECORD "RT TREAT RECORD" [
        NUMBER,
        (tags::TREATMENT_DATE, VR::DA, Need::Empty),
        (tags::TREATMENT_TIME, VR::TM, Need::Empty),
    ];
    PRESENTATION "PRESENTATION" [
        (tags::PRESENTATION_CREATION_DATE, VR::DA, Need::Value(NO_DATE)),
        (tags::PRESENTATION_CREATION_TIME, VR::TM, Need::Value(NO_TIME)),
        NUMBER, LABEL, DESCRIPTION, CREATOR,
        (tags::REFERENCED_SERIES_SEQUENCE, VR::SQ, Need::Present),
        (tags::BLENDING_SEQUENCE, VR::SQ, Need::Present),
    ];
    WAVEFORM "WAVEFORM" [NUMBER, DATE, TIME];
    SR_DOCUMENT "SR DOCUMENT" [
        NUMBER,
        (tags::COMPLETION_FLAG, VR::CS, Need::Value("PARTIAL")),
        (tags::VERIFICATION_FLAG, VR::CS, Need::Value("UNVERIFIED")),
        DATE, TIME,
        (tags::VERIFICATION_DATE_TIME, VR::DT, Need::Present),
        CONCEPT, CONTENT,
    ];
    KEY_OBJECT_DOC "KEY OBJECT DOC" [NUMBER, DATE, TIME, CONCEPT, CONTENT];
    SPECTROSCOPY "SPECTROSCOPY" [
        (tags::IMAGE_TYPE, VR::CS, Need::Value("ORIGINAL\\PRIMARY")),
        DATE, TIME, NUMBER,
        (tags::REFERENCED_IMAGE_EVIDENCE_SEQUENCE, VR::SQ, Need::Present),
        (tags::NUMBER_OF_FRAMES, VR::IS, Need::Value("1")),
        (tags::ROWS, VR::US, Need::Value("1")),
        (tags::COLUMNS, VR::US, Need::Value("1")),
        (tags::DATA_POINT_ROWS, VR::UL, Need::Value("1")),
        (tags::DATA_POINT_COLUMNS, VR::UL, Need::Value("1")),
    ];
    RAW_DATA "RAW DATA" [NUMBER, DATE, TIME];
    REGISTRATION "REGISTRATION" [NUMBER, DATE, TIME, LABEL, DESCRIPTION, CREATOR];
    FIDUCIAL "FIDUCIAL" [NUMBER, DATE, TIME, LABEL, DESCRIPTION, CREATOR];
    ENCAP_DOC "ENCAP DOC" [
        (tags::CONTENT_DATE, VR::DA, Need::Empty),
        (tags::CONTENT_TIME, VR::TM, Need::Empty),
        NUMBER,
        (tags::DOCUMENT_TITLE, VR::ST, Need::Empty),
        (tags::HL7_INSTANCE_IDENTIFIER, VR::ST, Need::Present),
        (tags::CONCEPT_NAME_CODE_SEQUENCE, VR::SQ, Need::Empty),
        (tags::MIME_TYPE_OF_ENCAPSULATED_DOCUMENT, VR::LO, Need::Value("application/octet-stream")),
    ];
    VALUE_MAP "VALUE MAP" [NUMBER, DATE, TIME, LABEL, DESCRIPTION, CREATOR];
    STEREOMETRIC "STEREOMETRIC" [];
    PLAN "PLAN" [];
    MEASUREMENT "MEASUREMENT" [NUMBER, DATE, TIME, LABEL, DESCRIPTION, CREATOR];
    SURFACE "SURFACE" [NUMBER, DATE, TIME, LABEL, DESCRIPTION, CREATOR];
    SURFACE_SCAN "SURFACE SCAN" [DATE, TIME];
    TRACT "TRACT" [NUMBER, DATE, TIME, LABEL, DESCRIPTION, CREATOR];
    ASSESSMENT "ASSESSMENT" [
        NUMBER,
        (tags::INSTANCE_CREATION_DATE, VR::DA, Need::Value(NO_DATE)),
        (tags::INSTANCE_CREATION_TIME, VR::TM, Need::Empty),
    ];
    RADIOTHERAPY "RADIOTHERAPY" [
        NUMBER,
        (tags::USER_CONTENT_LABEL, VR::SH, Need::Present),
        (tags::USER_CONTENT_LONG_LABEL, VR::LO, Need::Present),
        DESCRIPTION, CREATOR,
    ];
    ANNOTATION "ANNOTATION" [NUMBER, DATE, TIME, LABEL, DESCRIPTION, CREATOR];
}

/// The record of a SOP Class; what is not known is an IMAGE, as DCMTK and pydicom have it.
pub(super) fn kind(sop_class_uid: &str) -> &'static Kind {
    let Some(storage) = sop_class_uid.strip_prefix("1.2.840.10008.5.1.4.1.1.") else {
        return if sop_class_uid.starts_with("1.2.840.10008.5.1.4.34.") { &PLAN } else { &IMAGE };
    };
    match storage {
        "481.2" => &RT_DOSE,
        "481.3" => &RT_STRUCTURE_SET,
        "481.5" | "481.8" => &RT_PLAN,
        "481.4" | "481.6" | "481.7" | "481.9" => &RT_TREAT_RECORD,
        // Enhanced X-Ray and RT images of the second generation are images; the rest is radiotherapy.
        "481.1" | "481.23" | "481.24" => &IMAGE,
        _ if storage.starts_with("481.") => &RADIOTHERAPY,
        "131" => &PRESENTATION,
        _ if storage.starts_with("11.") => &PRESENTATION,
        _ if storage.starts_with("9.") => &WAVEFORM,
        "88.59" => &KEY_OBJECT_DOC,
        _ if storage.starts_with("88.") => &SR_DOCUMENT,
        // Spectacle prescription and macular grid reports are structured reports elsewhere in the tree.
        "78.6" | "79.1" => &SR_DOCUMENT,
        "78.1" | "78.2" | "78.3" | "78.4" | "78.5" | "78.7" | "78.8" | "80.1" => &MEASUREMENT,
        "4.2" => &SPECTROSCOPY,
        "66" => &RAW_DATA,
        "66.1" | "66.3" => &REGISTRATION,
        "66.2" => &FIDUCIAL,
        "66.5" => &SURFACE,
        "66.6" => &TRACT,
        "67" => &VALUE_MAP,
        "68.1" | "68.2" => &SURFACE_SCAN,
        "77.1.5.3" => &STEREOMETRIC,
        "90.1" => &ASSESSMENT,
        "91.1" => &ANNOTATION,
        _ if storage.starts_with("104.") => &ENCAP_DOC,
        _ => &IMAGE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dicom_dictionary_std::uids;

    #[test]
    fn the_record_follows_the_sop_class() {
        for (uid, name) in [
            (uids::CT_IMAGE_STORAGE, "IMAGE"),
            (uids::SEGMENTATION_STORAGE, "IMAGE"),
            (uids::RT_IMAGE_STORAGE, "IMAGE"),
            (uids::RT_ION_PLAN_STORAGE, "RT PLAN"),
            (uids::RT_PHYSICIAN_INTENT_STORAGE, "RADIOTHERAPY"),
            (uids::GRAYSCALE_SOFTCOPY_PRESENTATION_STATE_STORAGE, "PRESENTATION"),
            (uids::KEY_OBJECT_SELECTION_DOCUMENT_STORAGE, "KEY OBJECT DOC"),
            (uids::X_RAY_RADIATION_DOSE_SR_STORAGE, "SR DOCUMENT"),
            (uids::ENCAPSULATED_PDF_STORAGE, "ENCAP DOC"),
            (uids::TWELVE_LEAD_ECG_WAVEFORM_STORAGE, "WAVEFORM"),
            (uids::DEFORMABLE_SPATIAL_REGISTRATION_STORAGE, "REGISTRATION"),
            (uids::SPECTACLE_PRESCRIPTION_REPORT_STORAGE, "SR DOCUMENT"),
            (uids::OPHTHALMIC_AXIAL_MEASUREMENTS_STORAGE, "MEASUREMENT"),
            ("1.2.3.4", "IMAGE"),
        ] {
            assert_eq!(kind(uid).name, name, "{uid}");
        }
    }

    #[test]
    fn names_are_code_strings_and_kinds_are_told_apart() {
        for (at, kind) in ALL.iter().enumerate() {
            assert!(kind.name.len() <= 16 && ALL[..at].iter().all(|other| other.name != kind.name));
        }
    }
}
