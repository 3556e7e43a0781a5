//! Which studies a link opens: one, or every study of a patient, those to come included. The same
//! Patient ID is not yet the same person: IDs are typed, merged and reused. So a study also has to have
//! the birth date and the family name that the patient had when the link was granted; others are held
//! back and shown to staff.

use super::keys::Purpose;
use super::token::LinkKey;
use super::{Access, AccessError};
use crate::domain::attributes::{Attributes, tags};
use crate::domain::level::Level;
use crate::domain::person_name;
use crate::domain::phi::Phi;
use crate::domain::query::{Found, Include, Match, Query};
use crate::domain::uid::{SeriesInstanceUid, StudyInstanceUid};
use crate::index::Index;
use crate::index::links::{LinkRow, PatientKey};
use subtle::ConstantTimeEq;

/// Studies of one patient that a link is asked to open at most; beyond, the newest.
const STUDIES: u32 = 500;

/// What a link is to open.
#[derive(Debug, Clone)]
pub enum Whose {
    /// One study.
    Study(StudyInstanceUid),
    /// All studies, present and future, of the patient of this study.
    PatientOf(StudyInstanceUid),
    /// All studies, present and future, under this Patient ID.
    Patient { issuer_of_patient_id: Phi<String>, patient_id: Phi<String> },
}

/// The studies of a link as of now, newest first.
#[derive(Debug, Clone, Default)]
pub struct Studies {
    pub shown: Vec<Found>,
    pub held: Vec<Found>,
}

/// Whom a link is granted for.
pub(super) struct Subject {
    /// `None` for all studies of the patient.
    pub(super) study: Option<StudyInstanceUid>,
    pub(super) patient: PatientKey,
    pub(super) attributes: Attributes,
}

impl Subject {
    pub(super) fn identity(&self) -> String {
        identity(&self.attributes)
    }
}

pub(super) async fn subject(index: &Index, whose: &Whose) -> Result<Subject, AccessError> {
    match whose {
        Whose::Study(uid) | Whose::PatientOf(uid) => {
            let found = study(index, uid).await?.ok_or(AccessError::NoSuchStudy)?;
            if is_blocked(index, uid).await? {
                return Err(AccessError::PatientConflict);
            }
            let patient = patient_of(&found.attributes);
            let all = matches!(whose, Whose::PatientOf(_));
            if all && patient.patient_id.expose().is_empty() {
                // Without an ID every other anonymous patient would be the same one.
                return Err(AccessError::NoPatientId);
            }
            Ok(Subject { study: (!all).then(|| uid.clone()), patient, attributes: found.attributes })
        }
        Whose::Patient { issuer_of_patient_id, patient_id } => {
            let patient =
                PatientKey { issuer_of_patient_id: issuer_of_patient_id.clone(), patient_id: patient_id.clone() };
            let studies = of_patient(index, &patient).await?;
            let first = studies.first().ok_or(AccessError::NoSuchPatient)?;
            let same = identity(&first.attributes);
            if studies.iter().any(|study| identity(&study.attributes) != same) {
                return Err(AccessError::PatientAmbiguous);
            }
            let attributes = first.attributes.clone();
            for study in &studies {
                if is_blocked(index, &study.study).await? {
                    return Err(AccessError::PatientConflict);
                }
            }
            Ok(Subject { study: None, patient, attributes })
        }
    }
}

impl Access {
    /// The series of a study that the reader may see, by number; at most `limit`.
    pub async fn series_of(&self, study: &StudyInstanceUid, limit: u32) -> Result<Vec<Found>, AccessError> {
        let mut query = Query::new(Level::Series);
        query.study = Some(study.clone());
        query.include = Include::All;
        query.limit = Some(limit);
        Ok(self.0.index.search(&query).await?.rows)
    }

    /// The instance in the middle of a series, which shows more of a body than the first.
    pub async fn middle_instance(
        &self,
        study: &StudyInstanceUid,
        series: &SeriesInstanceUid,
    ) -> Result<Option<Found>, AccessError> {
        let mut query = Query::new(Level::Series);
        (query.study, query.series) = (Some(study.clone()), Some(series.clone()));
        let found = self.0.index.search(&query).await?.rows.into_iter().next();
        let count = found.and_then(|found| {
            found.attributes.first(tags::NUMBER_OF_SERIES_RELATED_INSTANCES)?.trim().parse::<u32>().ok()
        });
        let Some(count) = count else { return Ok(None) };
        query.level = Level::Instance;
        query.include = Include::All;
        query.limit = Some(1);
        query.offset = count.saturating_sub(1) / 2;
        Ok(self.0.index.search(&query).await?.rows.into_iter().next())
    }

    /// What `row` opens now.
    pub(super) async fn studies_of(&self, row: &LinkRow) -> Result<Studies, AccessError> {
        let candidates = match &row.study {
            Some(uid) => study(&self.0.index, uid).await?.into_iter().collect(),
            None => of_patient(&self.0.index, &row.patient).await?,
        };
        let mut studies = Studies::default();
        for found in candidates {
            let found_identity = identity(&found.attributes);
            // Without its key a link opens nothing, and lists still show it.
            let same = self
                .mac(row.kid, Purpose::Identity, &LinkKey(row.lid_sha256), &found_identity)
                .is_ok_and(|known| known.ct_eq(&row.identity_hmac).into());
            if same && !is_blocked(&self.0.index, &found.study).await? {
                studies.shown.push(found);
            } else {
                studies.held.push(found);
            }
        }
        Ok(studies)
    }
}

/// Instances of two patients came under this study, or one of its instances is in a grave conflict.
async fn is_blocked(index: &Index, uid: &StudyInstanceUid) -> Result<bool, AccessError> {
    Ok(index.study(uid).await?.is_some_and(|study| study.blocked))
}

async fn study(index: &Index, uid: &StudyInstanceUid) -> Result<Option<Found>, AccessError> {
    let query = Query { study: Some(uid.clone()), include: Include::All, limit: Some(1), ..Query::new(Level::Study) };
    Ok(index.search(&query).await?.rows.into_iter().next())
}

async fn of_patient(index: &Index, patient: &PatientKey) -> Result<Vec<Found>, AccessError> {
    let id = Match::Single(patient.patient_id.expose().clone());
    let mut query = Query::new(Level::Study).key(tags::PATIENT_ID, id);
    query.include = Include::All;
    query.limit = Some(STUDIES);
    let mut rows = index.search(&query).await?.rows;
    // Matching may fold case; a patient is exactly one.
    rows.retain(|found| patient_of(&found.attributes) == *patient);
    Ok(rows)
}

fn patient_of(attributes: &Attributes) -> PatientKey {
    let value = |tag| Phi::new(attributes.first(tag).unwrap_or_default().to_owned());
    PatientKey { issuer_of_patient_id: value(tags::ISSUER_OF_PATIENT_ID), patient_id: value(tags::PATIENT_ID) }
}

/// Birth date and folded family name, as one text.
fn identity(attributes: &Attributes) -> String {
    let name = attributes.first(tags::PATIENT_NAME).unwrap_or_default();
    // The first group that says anything: alphabetic, ideographic, phonetic (PS3.5 §6.2.1).
    let family = name.split('=').filter_map(|group| group.split('^').next()).find(|family| !family.trim().is_empty());
    let birth_date: String =
        attributes.first(tags::PATIENT_BIRTH_DATE).unwrap_or_default().chars().filter(char::is_ascii_digit).collect();
    format!("{birth_date}\0{}", person_name::fold(family.unwrap_or_default().trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str, birth_date: &str) -> String {
        let mut attributes = Attributes::default();
        attributes.set(tags::PATIENT_NAME, vec![name.into()]);
        attributes.set(tags::PATIENT_BIRTH_DATE, vec![birth_date.into()]);
        identity(&attributes)
    }

    #[test]
    fn the_same_person_is_known_by_family_name_and_birth_date() {
        let ross = named("Ross^Ellen", "19610307");
        assert_eq!(ross, named("ROSS^E.", "1961.03.07"));
        assert_eq!(ross, named("Ross", "19610307"));
        assert_ne!(ross, named("Rossi^Ellen", "19610307"));
        assert_ne!(ross, named("Ross^Ellen", "19610308"));
        assert_ne!(ross, named("Ross^Ellen", ""));
    }
}
