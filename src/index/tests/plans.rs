//! Each fast kind of search uses its index and reads no whole table.

use super::{fixture, instance, range, single, tag, wildcard};
use crate::domain::level::Level;
use crate::domain::query::{Match, Query};

#[tokio::test]
async fn every_fast_search_uses_its_index_and_scans_nothing() {
    let at = fixture().await;
    at.record(vec![instance(1, 1, 1, &[("PatientName", "Doe^Jane"), ("PatientID", "P1"), ("Modality", "CT")])]).await;
    let one = |keyword: &'static str, rule: Match| vec![(keyword, rule)];
    let cases = [
        (Level::Study, vec![], "SCAN study USING INDEX study_newest"),
        (Level::Study, one("StudyDate", Match::Universal), "SCAN study USING INDEX study_newest"),
        (Level::Study, one("StudyInstanceUID", single("1.1")), "sqlite_autoindex_study_1 (study_instance_uid=?)"),
        (Level::Study, one("AccessionNumber", single("A")), "study_by_accession_number (accession_number=?)"),
        (Level::Study, one("PatientID", single("P1")), "study_by_patient_id (patient_id=?)"),
        (Level::Study, one("StudyID", single("P1")), "study_by_study_id (study_id=?)"),
        (Level::Study, one("PatientBirthDate", single("19700101")), "study_by_birth_date (patient_birth_date=?)"),
        (Level::Study, one("StudyDate", single("20260101")), "study_newest (study_date=?)"),
        (Level::Study, one("StudyDate", range("20260101", "20260201")), "study_newest (study_date>? AND study_date<?)"),
        (Level::Study, one("PatientName", wildcard("doe*")), "(kind=? AND value>? AND value<?)"),
        (Level::Study, one("PatientName", wildcard("*jan*")), "SCAN term_text VIRTUAL TABLE INDEX"),
        (Level::Study, one("PatientName", single("doe^jane")), "(kind=? AND value=?)"),
        (Level::Study, one("PatientID", wildcard("P*")), "(kind=? AND value>? AND value<?)"),
        (Level::Series, one("StudyInstanceUID", single("1.1")), "sqlite_autoindex_series_1 (study_id=?)"),
        (Level::Series, one("SeriesInstanceUID", single("1.1.1")), "series_by_uid (series_instance_uid=?)"),
        (Level::Instance, one("SOPInstanceUID", single("1")), "sqlite_autoindex_instance_1 (sop_instance_uid=?)"),
        (Level::Instance, one("StudyInstanceUID", single("1.1")), "instance_in_order (series_id=?)"),
    ];
    for (level, keys, index) in cases {
        let mut query = Query::new(level);
        query.keys = keys.iter().map(|(keyword, rule)| (tag(keyword), rule.clone())).collect();
        let plan = at.index.plan(&query).await.unwrap();
        assert!(plan.iter().any(|line| line.contains(index)), "{keys:?}: {plan:#?}");
        let scans = plan.iter().filter(|line| line.starts_with("SCAN") && !line.contains("VIRTUAL TABLE"));
        let walk = |line: &&String| line.starts_with("SCAN study USING INDEX study_newest");
        assert!(scans.clone().all(|line| walk(&line)), "{keys:?}: {plan:#?}");
        let sorted_by_index = matches!(level, Level::Study) && !index.contains("kind") && !index.contains("term_text");
        let sorts = plan.iter().any(|line| line.contains("TEMP B-TREE"));
        assert!(!(sorted_by_index && sorts && !index.contains("autoindex")), "{keys:?}: {plan:#?}");
    }
}
