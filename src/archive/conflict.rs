//! How a newcomer stands to the stored instance of the same SOP Instance UID. Pure.

use crate::domain::arrival::Severity;
use crate::domain::attributes::Attributes;
use crate::domain::uid::{SeriesInstanceUid, SopClassUid, StudyInstanceUid};
use dicom_core::Tag;

const LEVEL_UIDS: [Tag; 4] = [Tag(0x0008, 0x0016), Tag(0x0008, 0x0018), Tag(0x0020, 0x000D), Tag(0x0020, 0x000E)];
const PATIENT_ID: Tag = Tag(0x0010, 0x0020);
const ISSUER_OF_PATIENT_ID: Tag = Tag(0x0010, 0x0021);
const PATIENT_BIRTH_DATE: Tag = Tag(0x0010, 0x0030);

/// What is compared of an instance.
pub(super) struct Known<'a> {
    pub(super) sha256: &'a [u8; 32],
    pub(super) sop_class_uid: &'a SopClassUid,
    pub(super) study_instance_uid: &'a StudyInstanceUid,
    pub(super) series_instance_uid: &'a SeriesInstanceUid,
    pub(super) attributes: &'a Attributes,
}

/// `None` when both are the same bytes. The digest covers the file meta, so it tells the transfer syntax too.
pub(super) fn severity(first: &Known<'_>, newcomer: &Known<'_>) -> Option<Severity> {
    if first.sha256 == newcomer.sha256 {
        return None;
    }
    let same = |tag| values(first.attributes, tag) == values(newcomer.attributes, tag);
    // A patient is Issuer, ID and birth date: a corrected spelling of the name is no other patient.
    let same_patient = same(PATIENT_ID) && same(ISSUER_OF_PATIENT_ID) && same(PATIENT_BIRTH_DATE);
    if first.study_instance_uid != newcomer.study_instance_uid || !same_patient {
        return Some(Severity::High);
    }
    let agree = first.sop_class_uid == newcomer.sop_class_uid
        && first.series_instance_uid == newcomer.series_instance_uid
        && others(first).chain(others(newcomer)).all(same);
    Some(if agree { Severity::Info } else { Severity::Content })
}

/// The attributes that are compared as values; the UIDs of the levels are compared as such.
fn others<'a>(known: &Known<'a>) -> impl Iterator<Item = Tag> + 'a {
    known.attributes.0.keys().copied().filter(|tag| !LEVEL_UIDS.contains(tag))
}

/// An absent attribute and an empty one say the same.
fn values(attributes: &Attributes, tag: Tag) -> &[String] {
    match attributes.0.get(&tag) {
        Some(values) if values.iter().any(|value| !value.is_empty()) => values,
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STUDY_DATE: Tag = Tag(0x0008, 0x0020);

    fn attributes(values: &[(Tag, &str)]) -> Attributes {
        Attributes(values.iter().map(|(tag, value)| (*tag, vec![(*value).to_owned()])).collect())
    }

    #[test]
    fn another_patient_or_study_is_worse_than_other_content() {
        let first = attributes(&[(PATIENT_ID, "1"), (STUDY_DATE, "20260101")]);
        let cases = [
            (attributes(&[(PATIENT_ID, "1"), (STUDY_DATE, "20260101")]), "1.1", "1.2", Severity::Info),
            (
                attributes(&[(PATIENT_ID, "1"), (STUDY_DATE, "20260101"), (ISSUER_OF_PATIENT_ID, "")]),
                "1.1",
                "1.2",
                Severity::Info,
            ),
            (attributes(&[(PATIENT_ID, "1")]), "1.1", "1.2", Severity::Content),
            (attributes(&[(PATIENT_ID, "1"), (STUDY_DATE, "20260101")]), "1.1", "1.9", Severity::Content),
            (attributes(&[(PATIENT_ID, "1"), (STUDY_DATE, "20260101")]), "1.9", "1.2", Severity::High),
            (attributes(&[(PATIENT_ID, "2"), (STUDY_DATE, "20260101")]), "1.1", "1.2", Severity::High),
            (attributes(&[(STUDY_DATE, "20260101")]), "1.1", "1.2", Severity::High),
        ];
        let class = SopClassUid::parse("1.2.840.10008.5.1.4.1.1.2").unwrap();
        let (study, series) = (StudyInstanceUid::parse("1.1").unwrap(), SeriesInstanceUid::parse("1.2").unwrap());
        let stored = Known {
            sha256: &[1; 32],
            sop_class_uid: &class,
            study_instance_uid: &study,
            series_instance_uid: &series,
            attributes: &first,
        };
        for (index, (newcomer, study, series, expected)) in cases.iter().enumerate() {
            let (study, series) = (StudyInstanceUid::parse(study).unwrap(), SeriesInstanceUid::parse(series).unwrap());
            let newcomer = Known {
                sha256: &[2; 32],
                sop_class_uid: &class,
                study_instance_uid: &study,
                series_instance_uid: &series,
                attributes: newcomer,
            };
            assert_eq!(severity(&stored, &newcomer), Some(*expected), "case {index}");
        }
        assert_eq!(severity(&stored, &stored), None);
    }
}
