use super::{fixture, instance, range, single, tag, wildcard};
use crate::domain::level::Level;
use crate::domain::query::{Match, Page, Query};
use crate::index::{Index, IndexError, IndexSettings};
use std::time::Duration;

#[tokio::test]
async fn studies_come_newest_first_and_a_limit_says_that_there_is_more() {
    let at = fixture().await;
    for (study, date) in [(1, "20240101"), (2, ""), (3, "20250101"), (4, "20240101")] {
        at.record(vec![instance(study, 1, 1, &[("StudyDate", date), ("Modality", "CT")])]).await;
    }
    assert_eq!(at.studies(&[]).await, ["3", "4", "1", "2"]);
    let mut query = Query::new(Level::Study);
    (query.limit, query.offset) = (Some(2), 1);
    let page = at.search(query.clone()).await;
    assert!(page.more);
    assert_eq!(page.rows.iter().map(|row| row.study.as_str()).collect::<Vec<_>>(), ["1.4", "1.1"]);
    query.offset = 2;
    assert!(!at.search(query).await.more);
}

#[tokio::test]
async fn a_page_of_a_common_name_is_the_beginning_of_all_of_them() {
    let at = fixture().await;
    let studies = (1..=90).map(|n| {
        let name = if n % 9 == 0 { "Rare^Ann" } else { "Common^Ann" };
        let (date, modality) =
            (format!("2026{:02}{:02}", 1 + n % 12, 1 + n % 28), if n % 2 == 0 { "CT" } else { "MR" });
        instance(n, 1, 1, &[("PatientName", name), ("StudyDate", &date), ("Modality", modality)])
    });
    at.record(studies.collect()).await;
    for pattern in ["comm*", "*ommo*", "*ann", "rare*", "*are*", "none*"] {
        for modality in ["CT", "MR", ""] {
            let mut query = Query::new(Level::Study);
            query.keys.push((tag("PatientName"), wildcard(pattern)));
            if !modality.is_empty() {
                query.keys.push((tag("ModalitiesInStudy"), single(modality)));
            }
            let uids = |page: Page| -> Vec<_> { page.rows.into_iter().map(|row| row.study).collect() };
            let all = uids(at.index.search(&query).await.unwrap());
            for (limit, offset) in [(1, 0), (2, 1), (3, 40), (25, 70)] {
                (query.limit, query.offset) = (Some(limit), offset);
                let (from, to) = (all.len().min(offset as usize), all.len().min((offset + limit) as usize));
                let page = at.index.search(&query).await.unwrap();
                assert_eq!(page.more, to < all.len(), "{pattern} {modality} {limit} {offset}");
                assert_eq!(uids(page), all[from..to], "{pattern} {modality} {limit} {offset}");
            }
        }
    }
}

#[tokio::test]
async fn every_kind_of_match_finds_what_it_should() {
    let at = fixture().await;
    let studies: [&[(&str, &str)]; 3] = [
        &[
            ("PatientName", "Müller^Änne"),
            ("PatientID", "100%_A"),
            ("StudyDate", "20240115"),
            ("StudyTime", "101112.5"),
            ("AccessionNumber", "ACC1"),
            ("Modality", "CT"),
            ("OtherPatientIDs", "X1\\X2"),
            ("PatientSex", "F"),
        ],
        &[
            ("PatientName", "Yamada^Tarou=山田^太郎=やまだ^たろう"),
            ("PatientID", "100XXA"),
            ("StudyDate", "20240220"),
            ("StudyTime", "1030"),
            ("AccessionNumber", "acc1"),
            ("Modality", "MR"),
            ("PhysiciansOfRecord", "Groß^Eva"),
        ],
        &[("PatientName", "Doe^John"), ("PatientID", "D[1]"), ("Modality", "US"), ("PatientWeight", "70.0")],
    ];
    for (number, attributes) in studies.into_iter().enumerate() {
        at.record(vec![instance(u32::try_from(number).unwrap() + 1, 1, 1, attributes)]).await;
    }
    let uid_list = |uids: &[&str]| Match::UidList(uids.iter().map(|uid| uid.to_string()).collect());
    let cases: Vec<(&str, Match, &[&str])> = vec![
        ("PatientID", single("100%_A"), &["1"]),
        ("PatientID", wildcard("100%_*"), &["1"]),
        ("PatientID", wildcard("100??A"), &["2", "1"]),
        ("PatientID", wildcard("D[1*"), &["3"]),
        ("PatientID", wildcard("*0%_*"), &["1"]),
        ("AccessionNumber", single("ACC1"), &["1"]),
        ("PatientName", single("MULLER^ANNE"), &["1"]),
        ("PatientName", wildcard("mull*"), &["1"]),
        ("PatientName", wildcard("*ANNE"), &["1"]),
        ("PatientName", wildcard("*u*"), &["2", "1"]),
        ("PatientName", wildcard("山*"), &["2"]),
        ("PatientName", single("やまだ^たろう"), &["2"]),
        ("PatientName", wildcard("*太*"), &["2"]),
        ("PhysiciansOfRecord", wildcard("gross*"), &["2"]),
        ("StudyDate", range("20240116", ""), &["2"]),
        ("StudyDate", range("", "20240115"), &["1"]),
        ("StudyDate", range("20240101", "20241231"), &["2", "1"]),
        ("StudyTime", range("10", "1011"), &["1"]),
        ("StudyTime", single("101112"), &["1"]),
        ("StudyTime", single("101112.500000"), &["1"]),
        ("StudyTime", single("101112.50"), &["1"]),
        ("StudyTime", single("101112.000000"), &[]),
        ("StudyTime", range("101112.50", "1015"), &["1"]),
        ("StudyTime", range("101112.51", "1015"), &[]),
        ("ModalitiesInStudy", single("MR"), &["2"]),
        ("ModalitiesInStudy", wildcard("?T"), &["1"]),
        ("OtherPatientIDs", single("X2"), &["1"]),
        ("PatientWeight", single("70"), &["3"]),
        ("PatientSex", single("F"), &["1"]),
        ("StudyInstanceUID", uid_list(&["1.3", "1.1", "9"]), &["1", "3"]),
        ("NumberOfStudyRelatedInstances", single("1"), &["2", "1", "3"]),
        ("PatientID", Match::Universal, &["2", "1", "3"]),
    ];
    for (keyword, rule, expected) in cases {
        assert_eq!(at.studies(&[(keyword, rule.clone())]).await, expected, "{keyword} {rule:?}");
    }
    let both = [("PatientName", wildcard("*a*")), ("StudyDate", range("20240201", ""))];
    assert_eq!(at.studies(&both).await, ["2"]);
}

#[tokio::test]
async fn fuzzy_matching_takes_the_beginnings_of_words_in_any_order() {
    let at = fixture().await;
    at.record(vec![instance(1, 1, 1, &[("PatientName", "Smith-Jones^Mary Ann")])]).await;
    for (name, found) in [("ann smi", 1), ("jo ma", 1), ("MARY^SMITH", 1), ("ary", 0), ("smithers", 0)] {
        let mut query = Query::new(Level::Study).key(tag("PatientName"), single(name));
        query.fuzzy = true;
        assert_eq!(at.search(query).await.rows.len(), found, "{name}");
    }
}

#[tokio::test]
async fn series_and_instances_are_found_within_their_study_and_across() {
    let at = fixture().await;
    for study in 1..=2 {
        let attributes = [("Modality", "CT"), ("PatientID", "P1"), ("Rows", "512"), ("StudyDate", "20240101")];
        at.record(vec![
            instance(study, 2, 1, &attributes),
            instance(study, 1, 2, &attributes),
            instance(study, 1, 1, &attributes),
        ])
        .await;
    }
    let mut query = Query::new(Level::Series);
    query.study = Some(crate::domain::uid::StudyInstanceUid::parse("1.1").unwrap());
    let page = at.search(query).await;
    let uids: Vec<_> = page.rows.iter().map(|row| row.series.clone().unwrap().to_string()).collect();
    assert_eq!(uids, ["1.1.1", "1.1.2"]);
    assert_eq!(page.rows[0].attributes.first(tag("NumberOfSeriesRelatedInstances")), Some("2"));
    assert_eq!(page.rows[0].attributes.first(tag("PatientID")), Some("P1"));

    let page = at.search(Query::new(Level::Instance).key(tag("Modality"), single("CT"))).await;
    let uids: Vec<_> = page.rows.iter().map(|row| row.instance.clone().unwrap().to_string()).collect();
    assert_eq!(uids, ["1.2.1.1", "1.2.1.2", "1.2.2.1", "1.1.1.1", "1.1.1.2", "1.1.2.1"]);
    assert_eq!(page.rows[0].attributes.first(tag("Rows")), Some("512"));
    assert!(page.rows[0].transfer_syntax.is_some());

    let page = at.search(Query::new(Level::Instance).key(tag("SOPInstanceUID"), single("1.2.1.2"))).await;
    assert_eq!(page.rows.len(), 1);
    let page = at.search(Query::new(Level::Series).key(tag("SeriesInstanceUID"), single("1.2.2"))).await;
    assert_eq!(page.rows.len(), 1);
}

#[tokio::test]
async fn a_key_below_the_level_is_refused() {
    let at = fixture().await;
    let query = Query::new(Level::Study).key(tag("InstanceNumber"), single("1"));
    assert!(at.index.search(&query).await.is_err());
}

#[tokio::test]
async fn a_search_that_takes_too_long_is_ended_and_the_next_one_is_answered() {
    let at = fixture().await;
    for first in (0..1600).step_by(32) {
        at.record((first..first + 32).map(|study| instance(study, 1, 1, &[("PatientComments", "none")])).collect())
            .await;
    }
    let hurried = IndexSettings { search_timeout: Duration::ZERO, ..IndexSettings::default() };
    let hurried = Index::open(at.folder.path(), hurried, at.clock.clone()).await.unwrap();
    let slow = Query::new(Level::Study).key(tag("PatientComments"), wildcard("*x*"));
    let ended = hurried.search(&slow).await;
    assert!(matches!(ended, Err(IndexError::TooSlow)), "{ended:?}");
    assert!(at.search(slow).await.rows.is_empty());
    let quick = Query::new(Level::Study).key(tag("StudyInstanceUID"), single("1.7"));
    assert_eq!(hurried.search(&quick).await.unwrap().rows.len(), 1);
}
