//! Portals and scripts store over DICOMweb; what is acknowledged is there, for every other door too.

use crate::support::{Answer, Bridge, Dataset, Http, Spawned};
use bluebridge::domain::clock::Clock;
use bluebridge::index::{Index, IndexSettings};
use reqwest::Method;
use serde_json::Value;

const RELATED: &str = "multipart/related; type=\"application/dicom\"; boundary=\"a boundary\"";

fn body(datasets: &[Dataset]) -> Vec<u8> {
    let mut body = Vec::new();
    for dataset in datasets {
        body.extend_from_slice(b"\r\n--a boundary\r\nContent-Type: application/dicom\r\n\r\n");
        body.extend_from_slice(&dataset.file());
    }
    body.extend_from_slice(b"\r\n--a boundary--\r\n");
    body
}

async fn store(web: &Http, path: &str, datasets: &[Dataset], headers: &[(&str, &str)]) -> Answer {
    let headers = [&[("content-type", RELATED)], headers].concat();
    web.send(Method::POST, path, &headers, Some(body(datasets))).await
}

fn named(answer: &Answer, tag: &str) -> Vec<String> {
    let items = answer.json()[tag]["Value"].as_array().cloned().unwrap_or_default();
    items.iter().filter_map(|item| Some(item["00081155"]["Value"].get(0)?.as_str()?.to_owned())).collect()
}

#[tokio::test]
async fn what_is_stored_over_the_web_is_found_and_comes_back_byte_for_byte() {
    let bridge = Bridge::start().await;
    let series = Dataset::series(40);
    let answer = store(&bridge.web(), "/dicom-web/studies", &series, &[]).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("content-type"), "application/dicom+json");
    let uids: Vec<_> = series.iter().map(Dataset::instance_uid).collect();
    assert_eq!(named(&answer, "00081199"), uids, "in the order in which they came");
    assert!(answer.json().get("00081198").is_none() && answer.json().get("0008119A").is_none());
    for (ct, item) in series.iter().zip(answer.json()["00081199"]["Value"].as_array().unwrap()) {
        let url = item["00081190"]["Value"][0].as_str().unwrap();
        let back = bridge.web().get_with(url, &[("accept", "application/dicom; transfer-syntax=*")]).await;
        assert!(back.status == 200 && back.body.ends_with(&ct.bytes()));
    }
    let found = bridge.web().get(&format!("/dicom-web/studies?StudyInstanceUID={}", series[0].study_uid())).await;
    assert_eq!(found.json()[0]["00201208"]["Value"][0], 40);
    bridge.stop().await;
}

#[tokio::test]
async fn both_doors_know_each_others_instances() {
    let bridge = Bridge::start().await;
    let (scanned, uploaded) = (Dataset::ct(), Dataset::ct());
    assert_eq!(bridge.modality("CT01").store(&scanned).await, 0);
    for _ in 0..2 {
        let both = [scanned.clone(), uploaded.clone()];
        let answer = store(&bridge.web(), "/dicom-web/studies", &both, &[]).await;
        assert_eq!((answer.status, named(&answer, "00081199").len()), (200, 2), "the same again is success");
    }
    assert_eq!(bridge.modality("CT01").store(&uploaded).await, 0);
    let objects = std::fs::read_dir(bridge.data_dir().join("objects/0000")).unwrap().count();
    assert_eq!(objects, 2, "stored once, whichever door it came through");
    bridge.stop().await;
}

#[tokio::test]
async fn only_instances_of_the_study_in_the_url_are_taken() {
    let bridge = Bridge::start().await;
    let (wanted, other) = (Dataset::ct(), Dataset::ct());
    let answer = store(&bridge.web(), &wanted.study_path(), &[other.clone(), wanted.clone()], &[]).await;
    assert_eq!(answer.status, 202);
    assert_eq!(named(&answer, "00081199"), [wanted.instance_uid()]);
    assert_eq!(named(&answer, "00081198"), [other.instance_uid()]);
    assert_eq!(answer.json()["00081198"]["Value"][0]["00081197"]["Value"][0], 0xC409);
    let nothing = store(&bridge.web(), &wanted.study_path(), std::slice::from_ref(&other), &[]).await;
    assert_eq!(nothing.status, 409);
    assert_eq!(
        bridge.web().get(&format!("/dicom-web/studies?StudyInstanceUID={}", other.study_uid())).await.status,
        204
    );
    bridge.stop().await;
}

#[tokio::test]
async fn whoever_stores_needs_the_scope_and_is_named_in_the_trail() {
    let bridge = Spawned::start();
    let token = |scope: &str| {
        let made = bridge.cli(&["token", "create", scope, "--scope", scope]);
        let (text, said) = (String::from_utf8(made.stdout).unwrap(), String::from_utf8(made.stderr).unwrap());
        let id = said.trim().rsplit(' ').next().unwrap().trim_end_matches('.').to_owned();
        (format!("Bearer {}", text.trim()), id)
    };
    let ((reader, _), (writer, id)) = (token("read"), token("write"));
    let ct = Dataset::ct();
    // As if a proxy had passed it on: nobody of this machine.
    let far = ("x-forwarded-for", "192.0.2.7");
    for (headers, status) in [
        (vec![far], 401),
        (vec![far, ("authorization", reader.as_str())], 403),
        (vec![far, ("authorization", writer.as_str())], 200),
    ] {
        let answer = store(&bridge.web(), "/dicom-web/studies", std::slice::from_ref(&ct), &headers).await;
        assert_eq!(answer.status, status, "{}", answer.text());
    }
    let index = Index::open(&bridge.data_dir(), IndexSettings::default(), Clock::system()).await.unwrap();
    let trail = index.trail(None, 100).await.unwrap();
    index.close().await.unwrap();
    let told: Vec<Value> = trail
        .iter()
        .filter(|row| row.kind == "instances-received")
        .map(|row| serde_json::from_str(&row.event).unwrap())
        .collect();
    assert_eq!(told.len(), 1);
    assert_eq!((told[0]["actor"].as_str(), told[0]["actor_id"].as_str()), (Some("caller"), Some(id.as_str())));
    assert_eq!(told[0]["studies"][0], ct.study_uid());
    let metrics = bridge.web().get("/metrics").await.text();
    assert!(metrics.contains("bluebridge_upload_parts_total{status=\"0x0000\"} 1"), "{metrics}");
    assert!(!bridge.log().contains(&ct.study_uid()), "no UID and no name in the log");
    assert_eq!(bridge.terminate(), Some(0));
}
