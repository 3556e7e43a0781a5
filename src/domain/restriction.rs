//! What of the archive is there for a caller who may not see all of it.

use super::phi::Phi;
use super::uid::StudyInstanceUid;
use std::sync::Arc;

/// A study has to satisfy every part that is present. Studies in which instances of two patients were found
/// satisfy none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Restriction {
    /// One of these.
    pub studies: Option<Arc<[StudyInstanceUid]>>,
    /// Of this patient.
    pub patient: Option<Patient>,
}

/// A patient as an authority names them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patient {
    /// Patient ID (0010,0020), to the letter.
    pub id: Phi<String>,
    /// Issuer of Patient ID (0010,0021); `None` is any.
    pub issuer: Option<Phi<String>>,
}

impl Restriction {
    /// Whether a study of this UID is inside, whose patient has this Patient ID and Issuer of Patient ID (empty
    /// when absent).
    pub fn admits(&self, study: &StudyInstanceUid, patient_id: &str, issuer: &str) -> bool {
        let of_patient = |patient: &Patient| {
            !patient_id.is_empty()
                && patient.id.expose() == patient_id
                && patient.issuer.as_ref().is_none_or(|known| known.expose() == issuer)
        };
        self.studies.as_ref().is_none_or(|studies| studies.contains(study))
            && self.patient.as_ref().is_none_or(of_patient)
    }
    /// Whether a study of this UID may come to be inside: its patient is not known.
    pub fn may_admit(&self, study: &StudyInstanceUid) -> bool {
        self.studies.as_ref().is_none_or(|studies| studies.contains(study))
    }
    pub fn to_studies(studies: impl IntoIterator<Item = StudyInstanceUid>) -> Self {
        Self { studies: Some(studies.into_iter().collect()), patient: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_study_is_inside_when_every_part_says_so() {
        let uid = |text: &str| StudyInstanceUid::parse(text).unwrap();
        let patient = |id: &str, issuer: Option<&str>| {
            let issuer = issuer.map(|issuer| Phi::new(issuer.to_owned()));
            Restriction { patient: Some(Patient { id: Phi::new(id.to_owned()), issuer }), studies: None }
        };
        let both = Restriction { patient: patient("A", None).patient, ..Restriction::to_studies([uid("1.2")]) };
        let cases = [
            (Restriction::default(), "1.2", "", "", true),
            (Restriction::to_studies([uid("1.2")]), "1.2", "B", "", true),
            (Restriction::to_studies([uid("1.2")]), "1.3", "B", "", false),
            (Restriction::to_studies([]), "1.2", "B", "", false),
            (patient("A", None), "1.2", "A", "ANY", true),
            (patient("A", None), "1.2", "a", "", false),
            (patient("", None), "1.2", "", "", false),
            (patient("A", Some("X")), "1.2", "A", "X", true),
            (patient("A", Some("X")), "1.2", "A", "", false),
            (both.clone(), "1.2", "A", "", true),
            (both.clone(), "1.3", "A", "", false),
            (both, "1.2", "B", "", false),
        ];
        for (only, study, id, issuer, inside) in cases {
            assert_eq!(only.admits(&uid(study), id, issuer), inside, "{only:?} {study} {id} {issuer}");
        }
    }
}
