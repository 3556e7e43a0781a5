//! WADO-RS as viewers fetch.

use crate::support::{Bridge, Dataset};
use std::io::Read;

async fn stored(count: u16) -> (Bridge, Vec<Dataset>) {
    let bridge = Bridge::start().await;
    let series = Dataset::series(count);
    bridge.modality("CT01").store_all(&series).await;
    (bridge, series)
}

#[tokio::test]
async fn metadata_is_whole_gzipped_when_accepted_and_not_sent_twice() {
    let (bridge, series) = stored(30).await;
    let path = format!("{}/metadata", series[0].series_path());
    let plain = bridge.web().get(&path).await;
    assert_eq!(plain.json().as_array().unwrap().len(), 30);
    let zipped = bridge.web().get_with(&path, &[("accept-encoding", "gzip")]).await;
    assert_eq!(zipped.header("content-encoding"), "gzip");
    let mut text = Vec::new();
    flate2::read::GzDecoder::new(zipped.body.as_slice()).read_to_end(&mut text).unwrap();
    assert_eq!(text, plain.body);
    let head = bridge.web().send(reqwest::Method::HEAD, &path, &[], None).await;
    assert_eq!((head.status, head.header("content-length")), (200, ""), "no length that the body does not have");
    let etag = plain.header("etag").to_owned();
    assert!(!etag.is_empty());
    assert_eq!(bridge.web().get_with(&path, &[("if-none-match", &etag)]).await.status, 304);
    // A new instance changes the series, so the tag changes.
    let next = series[0].clone().text(0x0008_0018, "UI", "2.25.77").number(31);
    assert_eq!(bridge.modality("CT01").store(&next).await, 0);
    assert_eq!(bridge.web().get_with(&path, &[("if-none-match", &etag)]).await.status, 200);
    bridge.stop().await;
}

#[tokio::test]
async fn pixel_data_is_a_link_that_works() {
    let (bridge, series) = stored(1).await;
    let json = bridge.web().get(&format!("{}/metadata", series[0].path())).await.json();
    let uri = json[0]["7FE00010"]["BulkDataURI"].as_str().unwrap().to_owned();
    let answer = bridge.web().get_with(&uri, &[("accept", "application/octet-stream")]).await;
    assert_eq!((answer.status, answer.body.len()), (200, 512));
    let range = [("accept", "application/octet-stream"), ("range", "bytes=10-19")];
    let part = bridge.web().get_with(&uri, &range).await;
    assert_eq!((part.status, part.body.as_slice()), (206, &answer.body[10..20]));
    assert_eq!(part.header("content-range"), "bytes 10-19/512");
    bridge.stop().await;
}

#[tokio::test]
async fn frames_come_as_stored_and_count_from_one() {
    let (bridge, series) = stored(1).await;
    let frame = |n: &str| format!("{}/frames/{n}", series[0].path());
    let accept = [("accept", "multipart/related; type=application/octet-stream; transfer-syntax=*")];
    let answer = bridge.web().get_with(&frame("1"), &accept).await;
    assert_eq!(answer.status, 200);
    assert!(answer.header("content-type").starts_with("multipart/related"));
    let bytes = series[0].bytes();
    let pixels = &bytes[bytes.len() - 512..];
    assert!(answer.body.windows(512).any(|window| window == pixels));
    assert!(answer.text().contains("Content-Type: application/octet-stream"));
    for (n, status) in [("0", 400), ("2", 404), ("x", 400), ("1,1", 200)] {
        assert_eq!(bridge.web().get_with(&frame(n), &accept).await.status, status, "frame {n}");
    }
    bridge.stop().await;
}

#[tokio::test]
async fn a_study_comes_as_one_part_for_each_instance() {
    let (bridge, series) = stored(5).await;
    let accept = [("accept", "multipart/related; type=\"application/dicom\"; transfer-syntax=*")];
    let answer = bridge.web().get_with(&series[0].study_path(), &accept).await;
    assert_eq!(answer.status, 200);
    let parts = answer.body.windows(4).filter(|window| window == b"DICM").count();
    assert_eq!(parts, 5);
    for instance in &series {
        let bytes = instance.bytes();
        assert!(answer.body.windows(bytes.len()).any(|window| window == bytes));
    }
    bridge.stop().await;
}

#[tokio::test]
async fn what_is_not_there_is_404_and_what_cannot_be_given_is_406() {
    let (bridge, series) = stored(1).await;
    let http = bridge.web();
    for path in [
        "/dicom-web/studies/1.2.3",
        "/dicom-web/studies/1.2.3/metadata",
        "/dicom-web/nothing",
        "/dicom-web/studies/1.2.3/series/4/instances/5/frames/1",
    ] {
        let answer = http.get(path).await;
        assert_eq!(answer.status, 404, "{path}");
        assert_eq!(answer.header("content-type"), "application/problem+json", "{path}");
    }
    let answer = http
        .get_with(&series[0].path(), &[("accept", "application/dicom; transfer-syntax=1.2.840.10008.1.2.4.201")])
        .await;
    assert_eq!(answer.status, 406);
    assert!(answer.text().contains("1.2.840.10008.1.2.1"), "names the stored syntax: {}", answer.text());
    assert_eq!(http.get("/dicom-web/studies/not-a-uid/series").await.status, 400);
    bridge.stop().await;
}

#[tokio::test]
async fn the_study_zip_is_exact_and_can_be_resumed() {
    let (bridge, series) = stored(3).await;
    let accept = ("accept", "application/zip");
    let whole = bridge.web().get_with(&series[0].study_path(), &[accept]).await;
    assert_eq!(whole.status, 200, "{}", whole.text());
    let etag = whole.header("etag").to_owned();
    let range = format!("bytes={}-", whole.body.len() / 2);
    let rest = bridge.web().get_with(&series[0].study_path(), &[accept, ("range", &range), ("if-range", &etag)]).await;
    assert_eq!(rest.status, 206);
    assert_eq!(rest.body, whole.body[whole.body.len() / 2..]);
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(whole.body)).unwrap();
    let mut dicom = 0;
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).unwrap();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        if entry.name().unwrap().starts_with("DICOM/") {
            dicom += 1;
            assert!(series.iter().any(|instance| bytes.ends_with(&instance.bytes())));
        }
    }
    assert_eq!(dicom, 3);
    bridge.stop().await;
}

#[tokio::test]
async fn everything_is_reached_over_ipv6_as_well() {
    if let Err(error) = std::net::TcpListener::bind("[::1]:0") {
        eprintln!("this machine has no ::1 ({error}); nothing to show");
        return;
    }
    let bridge = Bridge::start_with(|config| {
        for address in [&mut config.dicom.listen, &mut config.web.listen, &mut config.patient.listen] {
            *address = "[::1]:0".parse().unwrap();
        }
    })
    .await;
    let series = Dataset::series(3);
    bridge.modality("CT01").store_all(&series).await;
    let found =
        bridge.web().get(&format!("/dicom-web/studies?StudyInstanceUID={}", series[0].study_uid())).await.json();
    let study = found[0]["00081190"]["Value"][0].as_str().unwrap().to_owned();
    assert!(study.starts_with(&format!("http://[::1]:{}/dicom-web/studies/", bridge.running.web.port())), "{study}");
    let package = bridge.web().get_with(&study, &[("accept", "application/zip")]).await;
    assert_eq!((package.status, &package.body[..2]), (200, &b"PK"[..]));
    let json = bridge.web().get(&format!("{}/metadata", series[0].path())).await.json();
    let uri = json[0]["7FE00010"]["BulkDataURI"].as_str().unwrap();
    assert_eq!(bridge.web().get(uri).await.status, 200, "{uri}");
    assert_eq!(bridge.patient().get("/healthz").await.status, 200);
    bridge.stop().await;
}
