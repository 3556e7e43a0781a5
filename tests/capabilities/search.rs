//! QIDO-RS as portals and viewers ask.

use crate::support::{Bridge, Dataset};

async fn three_studies() -> (Bridge, Vec<Dataset>) {
    let bridge = Bridge::start().await;
    let studies = vec![
        Dataset::ct().patient("MÜLLER^JÖRG").text(0x0010_0020, "LO", "A-1").text(0x0008_0020, "DA", "20240101"),
        Dataset::ct().patient("Yamada^Tarou=山田^太郎=やまだ^たろう").text(0x0010_0020, "LO", "B%2").text(
            0x0008_0020,
            "DA",
            "20250615",
        ),
        Dataset::ct().patient("SMITH^ANNA").text(0x0010_0020, "LO", "C_3").text(0x0008_0020, "DA", "20261120"),
    ];
    bridge.modality("CT01").store_all(&studies).await;
    (bridge, studies)
}

/// How many studies a query string finds; 204 counts as none.
async fn count(bridge: &Bridge, query: &str) -> usize {
    let answer = bridge.web().get(&format!("/dicom-web/studies?{query}")).await;
    match answer.status {
        204 => 0,
        200 => answer.json().as_array().unwrap().len(),
        status => panic!("{query}: {status} {}", answer.text()),
    }
}

#[tokio::test]
async fn every_way_of_asking_finds_what_it_should() {
    let (bridge, studies) = three_studies().await;
    let both = format!("StudyInstanceUID={}%5C{}", studies[0].study_uid(), studies[1].study_uid());
    let comma = format!("0020000D={},{}", studies[0].study_uid(), studies[2].study_uid());
    let cases: Vec<(&str, usize)> = vec![
        ("", 3),
        ("&includefield=00080020,00080030", 3),
        ("PatientID=A-1", 1),
        ("00100020=A-1", 1),
        ("PatientID=B%252", 1),
        ("PatientID=C_3", 1),
        ("PatientID=C%3F3", 1),
        ("PatientID=*", 3),
        ("PatientName=muller*", 1),
        ("PatientName=M%C3%9CLLER^J%C3%96RG", 1),
        ("PatientName=Müller*", 1),
        ("PatientName=*smi*", 1),
        ("PatientName=%E5%B1%B1%E7%94%B0*", 1),
        ("PatientName=anna&fuzzymatching=true", 1),
        ("StudyDate=20250101-", 2),
        ("StudyDate=-20241231", 1),
        ("StudyDate=20240101-20251231", 2),
        ("StudyDate=20240101", 1),
        ("ModalitiesInStudy=CT", 3),
        ("ModalitiesInStudy=MR", 0),
        ("AccessionNumber=ACC-1&PatientID=A-1", 1),
        ("limit=2", 2),
        ("limit=2&offset=2", 1),
        (&both, 2),
        (&comma, 2),
    ];
    for (query, expected) in cases {
        assert_eq!(count(&bridge, query).await, expected, "{query}");
    }
    bridge.stop().await;
}

#[tokio::test]
async fn newest_comes_first_and_more_is_told() {
    let (bridge, _) = three_studies().await;
    let answer = bridge.web().get("/dicom-web/studies?limit=2&includefield=StudyDate").await;
    let dates: Vec<_> = answer.json().as_array().unwrap().iter().map(|s| s["00080020"]["Value"][0].clone()).collect();
    assert_eq!(dates, ["20261120", "20250615"]);
    assert!(answer.header("warning").starts_with("299 "), "{:?}", answer.headers);
    bridge.stop().await;
}

#[tokio::test]
async fn nonsense_is_told_apart_from_nothing() {
    let (bridge, _) = three_studies().await;
    for query in ["StudyDate=yesterday", "limit=-1", "limit=many", "StudyInstanceUID=../x"] {
        let answer = bridge.web().get(&format!("/dicom-web/studies?{query}")).await;
        assert_eq!(answer.status, 400, "{query}: {}", answer.text());
        assert_eq!(answer.header("content-type"), "application/problem+json", "{query}");
    }
    assert_eq!(count(&bridge, "PatientID=nobody").await, 0);
    let ignored = bridge.web().get("/dicom-web/studies?includefield=NoSuchKeyword").await;
    assert_eq!(ignored.status, 200);
    assert!(ignored.header("warning").starts_with("299 "), "what is ignored is told");
    bridge.stop().await;
}

#[tokio::test]
async fn series_and_instances_carry_what_viewers_read() {
    let bridge = Bridge::start().await;
    let series = Dataset::series(4);
    bridge.modality("CT01").store_all(&series).await;
    let http = bridge.web();
    let rows = http.get(&format!("{}/series", series[0].study_path())).await.json();
    assert_eq!(rows[0]["00201209"]["Value"][0], 4);
    assert_eq!(rows[0]["00080060"]["Value"][0], "CT");
    assert_eq!(rows[0]["0020000D"]["Value"][0], series[0].study_uid());
    let rows = http.get(&format!("{}/instances", series[0].series_path())).await.json();
    assert_eq!(rows.as_array().unwrap().len(), 4);
    assert_eq!(rows[0]["00280010"]["Value"][0], 16);
    let url = rows[0]["00081190"]["Value"][0].as_str().unwrap().to_owned();
    assert_eq!(http.get(&url).await.status, 200, "RetrieveURL works as it stands");
    for path in ["/dicom-web/series", "/dicom-web/instances"] {
        assert_eq!(http.get(path).await.status, 200, "{path}");
    }
    bridge.stop().await;
}
