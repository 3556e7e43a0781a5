//! The one table of searchable attributes, and the values that an instance brings for them.
//!
//! Every attribute here is kept in the index at its level, can be matched (PS3.4 §C.2.2.2) and can be
//! returned; nothing else is. The table is sorted by tag, so that the reading pass can ask it about
//! every element it walks over.

use super::level::Level;
use dicom_core::{Tag, VR};
use std::collections::BTreeMap;

/// One row of the table.
#[derive(Debug)]
pub struct Attribute {
    pub tag: Tag,
    pub keyword: &'static str,
    pub vr: VR,
    pub level: Level,
    /// Returned without being asked for (PS3.18 §10.6.3.3), as far as the instance has a value.
    pub by_default: bool,
    /// Stands in the items of this sequence and not in the data set itself: one value for each item, empty where
    /// the item has none, so that the values of one item stand at the same place.
    pub within: Option<Tag>,
    /// Computed by the index over the instances of a study or series (PS3.4 §C.3.4): never taken from
    /// a data set that happens to carry it.
    pub aggregate: bool,
}

/// The values of table attributes of one instance, decoded to UTF-8, padding removed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attributes(pub BTreeMap<Tag, Vec<String>>);

impl Attributes {
    /// The first value of `tag`; `None` when the attribute is absent or empty.
    pub fn first(&self, tag: Tag) -> Option<&str> {
        self.0.get(&tag)?.first().map(String::as_str).filter(|value| !value.is_empty())
    }
    /// All values of `tag`; none when the attribute is absent.
    pub fn values(&self, tag: Tag) -> &[String] {
        self.0.get(&tag).map_or(&[], Vec::as_slice)
    }
    pub fn set(&mut self, tag: Tag, values: Vec<String>) {
        self.0.insert(tag, values);
    }
}

/// The row for `tag`, when it is a searchable attribute.
pub fn lookup(tag: Tag) -> Option<&'static Attribute> {
    let at = TABLE.binary_search_by_key(&tag, |attribute| attribute.tag).ok()?;
    TABLE.get(at)
}

/// The row for a keyword of PS3.6 (`StudyDate`), as a QIDO-RS query names attributes.
pub fn by_keyword(keyword: &str) -> Option<&'static Attribute> {
    TABLE.iter().find(|attribute| attribute.keyword == keyword)
}

/// The rows of what stands in the items of `sequence`.
pub fn members(sequence: Tag) -> impl Iterator<Item = &'static Attribute> {
    TABLE.iter().filter(move |attribute| attribute.within == Some(sequence))
}

/// The tags that rules name one by one.
pub mod tags {
    pub use dicom_dictionary_std::tags::{
        ACCESSION_NUMBER, INSTANCE_AVAILABILITY, INSTANCE_NUMBER, ISSUER_OF_PATIENT_ID, MODALITIES_IN_STUDY, MODALITY,
        NUMBER_OF_FRAMES, NUMBER_OF_SERIES_RELATED_INSTANCES, NUMBER_OF_STUDY_RELATED_INSTANCES,
        NUMBER_OF_STUDY_RELATED_SERIES, PATIENT_BIRTH_DATE, PATIENT_ID, PATIENT_NAME, PATIENT_SEX,
        REQUEST_ATTRIBUTES_SEQUENCE, RETRIEVE_URL, SERIES_DESCRIPTION, SERIES_INSTANCE_UID, SERIES_NUMBER,
        SOP_CLASS_UID, SOP_CLASSES_IN_STUDY, SOP_INSTANCE_UID, STUDY_DATE, STUDY_DESCRIPTION, STUDY_ID,
        STUDY_INSTANCE_UID, STUDY_TIME,
    };
}

macro_rules! table {
    ($(($group:literal, $element:literal) $keyword:ident $vr:ident $level:ident $kind:ident;)*) => {
        pub static TABLE: &[Attribute] = &[$(Attribute {
            tag: Tag($group, $element),
            keyword: stringify!($keyword),
            vr: VR::$vr,
            level: Level::$level,
            by_default: !matches!(Kind::$kind, Kind::OnRequest),
            within: if matches!(Kind::$kind, Kind::OfRequest) { Some(tags::REQUEST_ATTRIBUTES_SEQUENCE) } else { None },
            aggregate: matches!(Kind::$kind, Kind::Aggregate),
        }),*];
    };
}

/// The last column of the table: returned by default, on request only, in the Request Attributes Sequence
/// (and returned), or computed (and returned).
enum Kind {
    ByDefault,
    OnRequest,
    OfRequest,
    Aggregate,
}

table! {
    (0x0008, 0x0008) ImageType                           CS Instance OnRequest;
    (0x0008, 0x0012) InstanceCreationDate                DA Instance OnRequest;
    (0x0008, 0x0013) InstanceCreationTime                TM Instance OnRequest;
    (0x0008, 0x0016) SOPClassUID                         UI Instance ByDefault;
    (0x0008, 0x0018) SOPInstanceUID                      UI Instance ByDefault;
    (0x0008, 0x0020) StudyDate                           DA Study    ByDefault;
    (0x0008, 0x0021) SeriesDate                          DA Series   ByDefault;
    (0x0008, 0x0022) AcquisitionDate                     DA Instance OnRequest;
    (0x0008, 0x0023) ContentDate                         DA Instance OnRequest;
    (0x0008, 0x002A) AcquisitionDateTime                 DT Instance OnRequest;
    (0x0008, 0x0030) StudyTime                           TM Study    ByDefault;
    (0x0008, 0x0031) SeriesTime                          TM Series   ByDefault;
    (0x0008, 0x0032) AcquisitionTime                     TM Instance OnRequest;
    (0x0008, 0x0033) ContentTime                         TM Instance OnRequest;
    (0x0008, 0x0050) AccessionNumber                     SH Study    ByDefault;
    (0x0008, 0x0056) InstanceAvailability                CS Instance Aggregate;
    (0x0008, 0x0060) Modality                            CS Series   ByDefault;
    (0x0008, 0x0061) ModalitiesInStudy                   CS Study    Aggregate;
    (0x0008, 0x0062) SOPClassesInStudy                   UI Study    Aggregate;
    (0x0008, 0x0064) ConversionType                      CS Series   OnRequest;
    (0x0008, 0x0070) Manufacturer                        LO Series   OnRequest;
    (0x0008, 0x0080) InstitutionName                     LO Study    OnRequest;
    (0x0008, 0x0090) ReferringPhysicianName              PN Study    ByDefault;
    (0x0008, 0x0201) TimezoneOffsetFromUTC               SH Study    ByDefault;
    (0x0008, 0x1010) StationName                         SH Series   OnRequest;
    (0x0008, 0x1030) StudyDescription                    LO Study    ByDefault;
    (0x0008, 0x103E) SeriesDescription                   LO Series   ByDefault;
    (0x0008, 0x1040) InstitutionalDepartmentName         LO Series   OnRequest;
    (0x0008, 0x1048) PhysiciansOfRecord                  PN Study    OnRequest;
    (0x0008, 0x1050) PerformingPhysicianName             PN Series   OnRequest;
    (0x0008, 0x1060) NameOfPhysiciansReadingStudy        PN Study    OnRequest;
    (0x0008, 0x1070) OperatorsName                       PN Series   OnRequest;
    (0x0008, 0x1080) AdmittingDiagnosesDescription       LO Study    OnRequest;
    (0x0008, 0x1090) ManufacturerModelName               LO Series   OnRequest;
    (0x0010, 0x0010) PatientName                         PN Patient  ByDefault;
    (0x0010, 0x0020) PatientID                           LO Patient  ByDefault;
    (0x0010, 0x0021) IssuerOfPatientID                   LO Patient  ByDefault;
    (0x0010, 0x0022) TypeOfPatientID                     CS Patient  OnRequest;
    (0x0010, 0x0030) PatientBirthDate                    DA Patient  ByDefault;
    (0x0010, 0x0032) PatientBirthTime                    TM Patient  OnRequest;
    (0x0010, 0x0040) PatientSex                          CS Patient  ByDefault;
    (0x0010, 0x1000) OtherPatientIDs                     LO Patient  OnRequest;
    (0x0010, 0x1001) OtherPatientNames                   PN Patient  OnRequest;
    (0x0010, 0x1010) PatientAge                          AS Study    OnRequest;
    (0x0010, 0x1020) PatientSize                         DS Study    OnRequest;
    (0x0010, 0x1030) PatientWeight                       DS Study    OnRequest;
    (0x0010, 0x2160) EthnicGroup                         SH Patient  OnRequest;
    (0x0010, 0x2180) Occupation                          SH Study    OnRequest;
    (0x0010, 0x21B0) AdditionalPatientHistory            LT Study    OnRequest;
    (0x0010, 0x4000) PatientComments                     LT Patient  OnRequest;
    (0x0012, 0x0062) PatientIdentityRemoved              CS Patient  OnRequest;
    (0x0018, 0x0015) BodyPartExamined                    CS Series   OnRequest;
    (0x0018, 0x0050) SliceThickness                      DS Instance OnRequest;
    (0x0018, 0x1000) DeviceSerialNumber                  LO Series   OnRequest;
    (0x0018, 0x1020) SoftwareVersions                    LO Series   OnRequest;
    (0x0018, 0x1030) ProtocolName                        LO Series   OnRequest;
    (0x0018, 0x5100) PatientPosition                     CS Series   OnRequest;
    (0x0020, 0x000D) StudyInstanceUID                    UI Study    ByDefault;
    (0x0020, 0x000E) SeriesInstanceUID                   UI Series   ByDefault;
    (0x0020, 0x0010) StudyID                             SH Study    ByDefault;
    (0x0020, 0x0011) SeriesNumber                        IS Series   ByDefault;
    (0x0020, 0x0012) AcquisitionNumber                   IS Instance OnRequest;
    (0x0020, 0x0013) InstanceNumber                      IS Instance ByDefault;
    (0x0020, 0x0032) ImagePositionPatient                DS Instance OnRequest;
    (0x0020, 0x0037) ImageOrientationPatient             DS Instance OnRequest;
    (0x0020, 0x0052) FrameOfReferenceUID                 UI Series   OnRequest;
    (0x0020, 0x0060) Laterality                          CS Series   OnRequest;
    (0x0020, 0x0062) ImageLaterality                     CS Instance OnRequest;
    (0x0020, 0x1041) SliceLocation                       DS Instance OnRequest;
    (0x0020, 0x1206) NumberOfStudyRelatedSeries          IS Study    Aggregate;
    (0x0020, 0x1208) NumberOfStudyRelatedInstances       IS Study    Aggregate;
    (0x0020, 0x1209) NumberOfSeriesRelatedInstances      IS Series   Aggregate;
    (0x0020, 0x4000) ImageComments                       LT Instance OnRequest;
    (0x0028, 0x0002) SamplesPerPixel                     US Instance OnRequest;
    (0x0028, 0x0004) PhotometricInterpretation           CS Instance OnRequest;
    (0x0028, 0x0008) NumberOfFrames                      IS Instance ByDefault;
    (0x0028, 0x0010) Rows                                US Instance ByDefault;
    (0x0028, 0x0011) Columns                             US Instance ByDefault;
    (0x0028, 0x0100) BitsAllocated                       US Instance ByDefault;
    (0x0028, 0x1050) WindowCenter                        DS Instance OnRequest;
    (0x0028, 0x1051) WindowWidth                         DS Instance OnRequest;
    (0x0032, 0x1032) RequestingPhysician                 PN Study    OnRequest;
    (0x0032, 0x1033) RequestingService                   LO Study    OnRequest;
    (0x0032, 0x1060) RequestedProcedureDescription       LO Study    OnRequest;
    (0x0038, 0x0010) AdmissionID                         LO Study    OnRequest;
    (0x0040, 0x0009) ScheduledProcedureStepID            SH Series   OfRequest;
    (0x0040, 0x0244) PerformedProcedureStepStartDate     DA Series   ByDefault;
    (0x0040, 0x0245) PerformedProcedureStepStartTime     TM Series   ByDefault;
    (0x0040, 0x0253) PerformedProcedureStepID            SH Series   OnRequest;
    (0x0040, 0x0254) PerformedProcedureStepDescription   LO Series   OnRequest;
    (0x0040, 0x1001) RequestedProcedureID                SH Series   OfRequest;
    (0x0040, 0xA491) CompletionFlag                      CS Instance OnRequest;
    (0x0040, 0xA493) VerificationFlag                    CS Instance OnRequest;
    (0x0042, 0x0010) DocumentTitle                       ST Instance OnRequest;
    (0x0070, 0x0080) ContentLabel                        CS Instance OnRequest;
    (0x0070, 0x0081) ContentDescription                  LO Instance OnRequest;
    (0x0070, 0x0084) ContentCreatorName                  PN Instance OnRequest;
}

#[cfg(test)]
mod tests {
    use super::*;
    use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry};
    use dicom_dictionary_std::StandardDataDictionary;

    #[test]
    fn every_row_says_what_the_dictionary_says() {
        for attribute in TABLE {
            let entry = StandardDataDictionary.by_tag(attribute.tag).unwrap();
            assert_eq!(entry.alias(), attribute.keyword);
            assert_eq!(entry.vr().relaxed(), attribute.vr, "{}", attribute.keyword);
        }
    }

    #[test]
    fn the_table_is_sorted_so_that_lookup_finds_every_row() {
        assert!(TABLE.windows(2).all(|pair| pair[0].tag < pair[1].tag));
        for attribute in TABLE {
            assert_eq!(lookup(attribute.tag).map(|found| found.keyword), Some(attribute.keyword));
            assert_eq!(by_keyword(attribute.keyword).map(|found| found.tag), Some(attribute.tag));
        }
        assert!(lookup(Tag(0x7FE0, 0x0010)).is_none());
    }
}
