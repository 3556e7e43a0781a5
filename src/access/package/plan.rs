//! What stands where in a package: patients, studies, series and instances, and their names in it.

use crate::domain::attributes::Attributes;
use crate::domain::uid::SeriesInstanceUid;
use crate::index::{InstanceRow, SeriesRow, StudyRow};
use dicom_dictionary_std::tags;
use std::collections::{HashMap, HashSet};

/// The content of a package, in its order.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub patients: Vec<Patient>,
}

#[derive(Debug)]
pub(super) struct Patient {
    /// Unique in the package; made up where the data has none (PS3.3 Table F.5-1).
    pub id: String,
    key: [String; 3],
    pub studies: Vec<Study>,
}

#[derive(Debug)]
pub(super) struct Study {
    pub row: StudyRow,
    pub series: Vec<Series>,
}

#[derive(Debug)]
pub(super) struct Series {
    pub uid: SeriesInstanceUid,
    pub attributes: Attributes,
    pub instances: Vec<InstanceRow>,
}

impl Patient {
    /// Without a Patient ID every other anonymous patient would be the same one.
    fn id_is_made_up(&self) -> bool {
        self.key[0].is_empty()
    }
}

impl Plan {
    /// Adds a study; one of a patient (Patient ID and its issuer) already there goes under that patient.
    pub fn add(&mut self, row: StudyRow, series: Vec<SeriesRow>, instances: Vec<InstanceRow>) {
        if instances.is_empty() {
            return;
        }
        let mut ordered: Vec<Series> = Vec::new();
        let mut places: HashMap<SeriesInstanceUid, usize> = HashMap::new();
        for instance in instances {
            let uid = instance.uids.series.clone();
            let at = *places.entry(uid.clone()).or_insert_with(|| {
                let of = series.iter().find(|row| row.series_instance_uid == uid);
                let attributes = of.map(|row| row.attributes.clone()).unwrap_or_default();
                ordered.push(Series { uid, attributes, instances: Vec::new() });
                ordered.len() - 1
            });
            if let Some(series) = ordered.get_mut(at) {
                series.instances.push(instance);
            }
        }
        let value = |tag| row.attributes.first(tag).unwrap_or_default().trim().to_owned();
        // In a conflict of patients the same ID may be of two people, who are told apart by their birth dates.
        let birth_date = if row.blocked { value(tags::PATIENT_BIRTH_DATE) } else { String::new() };
        let key = [value(tags::PATIENT_ID), value(tags::ISSUER_OF_PATIENT_ID), birth_date];
        let study = Study { row, series: ordered };
        match self.patients.iter_mut().find(|patient| patient.key == key && !patient.id_is_made_up()) {
            Some(patient) => patient.studies.push(study),
            None => {
                let id = self.unique_id(&key[0]);
                self.patients.push(Patient { id, key, studies: vec![study] });
            }
        }
    }

    /// The same number under two issuers is two patients: the second gets an ending of ours.
    fn unique_id(&self, id: &str) -> String {
        let taken: HashSet<&str> = self.patients.iter().map(|patient| patient.id.as_str()).collect();
        if !id.is_empty() && !taken.contains(id) {
            return id.to_owned();
        }
        let stem = if id.is_empty() { "UNKNOWN" } else { id };
        // A Patient ID has at most 64 characters (VR LO).
        let stem: String = stem.chars().take(56).collect();
        let mut candidates = (1..).map(|number| format!("{stem}_{number}"));
        candidates.find(|candidate| !taken.contains(candidate.as_str())).unwrap_or(stem)
    }

    /// Every instance with the components of its File ID (PS3.10 §8.2: at most 8 characters of A-Z, 0-9, _).
    pub fn instances(&self) -> impl Iterator<Item = ([String; 5], &InstanceRow)> {
        self.patients.iter().enumerate().flat_map(|(patient, of_patient)| {
            of_patient.studies.iter().enumerate().flat_map(move |(study, of_study)| {
                of_study.series.iter().enumerate().flat_map(move |(series, of_series)| {
                    of_series
                        .instances
                        .iter()
                        .enumerate()
                        .map(move |(instance, row)| (file_id(patient, study, series, instance), row))
                })
            })
        })
    }

    pub fn is_empty(&self) -> bool {
        self.patients.is_empty()
    }
}

/// All counted from 0, named from 1.
pub(super) fn file_id(patient: usize, study: usize, series: usize, instance: usize) -> [String; 5] {
    [
        "DICOM".into(),
        format!("PT{:06}", patient + 1),
        format!("ST{:06}", study + 1),
        format!("SE{:06}", series + 1),
        format!("IM{:06}", instance + 1),
    ]
}
