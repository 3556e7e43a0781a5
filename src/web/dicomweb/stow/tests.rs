//! Uploads over the real router and a real archive, on disks that fail.

use super::*;
use crate::domain::transfer_syntax::{EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN};
use crate::store::{Disk, Faults, Operation};
use crate::web::testing::{Client, Dataset, Pixels, Who};
use axum::http::Response as Answer;
use bytes::Bytes;
use rustix::io::Errno;
use serde_json::Value;

const RELATED: &str = r#"multipart/related; type="application/dicom"; boundary="b0""#;

fn image(number: u32) -> Dataset {
    Dataset::image(EXPLICIT_VR_LITTLE_ENDIAN, 1, number, Pixels::Words)
}

fn file(dataset: &Dataset) -> Vec<u8> {
    let class = crate::domain::uid::SopClassUid::parse(dataset.sop_class_uid).unwrap();
    let instance = crate::domain::uid::SopInstanceUid::parse(&dataset.sop_instance_uid).unwrap();
    let mut file = crate::archive::file_header(&class, &instance, &dataset.syntax.uid());
    file.extend_from_slice(&dataset.bytes);
    file
}

fn body(parts: &[Vec<u8>]) -> Vec<u8> {
    let mut body = Vec::new();
    for part in parts {
        body.extend_from_slice(b"\r\n--b0\r\nContent-Type: application/dicom\r\n\r\n");
        body.extend_from_slice(part);
    }
    body.extend_from_slice(b"\r\n--b0--");
    body
}

async fn upload(client: &Client, body: impl Into<Body>) -> Answer<Bytes> {
    client.send(&Who::Loopback, "POST", "/dicom-web/studies", &[("content-type", RELATED)], body.into()).await
}

/// The status, the instances that are stored, and the reasons of those that are not.
fn told(answer: &Answer<Bytes>) -> (u16, Vec<String>, Vec<u64>) {
    let module: Value = serde_json::from_slice(answer.body()).unwrap();
    let items = |tag: &str| module[tag]["Value"].as_array().cloned().unwrap_or_default();
    let stored = items("00081199").into_iter().map(|item| item["00081155"]["Value"][0].as_str().unwrap().to_owned());
    let reasons = items("00081198").into_iter().chain(items("0008119A"));
    let stored = stored.collect();
    (answer.status().as_u16(), stored, reasons.map(|item| item["00081197"]["Value"][0].as_u64().unwrap()).collect())
}

async fn served(client: &Client, uid: &str) -> bool {
    let path = format!("/dicom-web/studies/1.2/series/1.2.1/instances/{uid}");
    client.get(&path, &[("accept", "application/dicom; transfer-syntax=*")]).await.status() == 200
}

#[tokio::test]
async fn a_disk_that_fills_up_at_any_moment_is_told_per_instance_and_loses_nothing_acknowledged() {
    for nth in 0..40 {
        let faults = Faults::default();
        let client = Client::on(Disk::with_faults(faults.clone())).await;
        let images: Vec<_> = (1..=4).map(image).collect();
        faults.fail_from(nth, Some(Operation::Write), Errno::NOSPC);
        let parts: Vec<_> = images.iter().map(file).collect();
        let (status, stored, reasons) = told(&upload(&client, body(&parts)).await);
        faults.heal();
        let expected = match stored.len() {
            0 => 409,
            4 => 200,
            _ => 202,
        };
        assert_eq!(status, expected, "fault {nth}");
        assert_eq!(stored.len() + reasons.len(), 4, "every part has its answer");
        assert!(reasons.iter().all(|reason| *reason == 0xA700), "{reasons:?}");
        for image in &images {
            let uid = &image.sop_instance_uid;
            assert_eq!(served(&client, uid).await, stored.contains(uid), "fault {nth}: {uid}");
        }
        // Sent again once there is room, all is well.
        let (status, stored, _) = told(&upload(&client, body(&parts)).await);
        assert_eq!((status, stored.len()), (200, 4));
        if nth > 8 && reasons.is_empty() {
            return;
        }
    }
    panic!("the last fault came before the end");
}

#[tokio::test]
async fn after_a_failed_sync_nothing_is_acknowledged() {
    let faults = Faults::default();
    let client = Client::on(Disk::with_faults(faults.clone())).await;
    assert_eq!(told(&upload(&client, body(&[file(&image(1))])).await).0, 200);
    faults.fail(0, Some(Operation::Sync), Errno::IO);
    let parts: Vec<_> = (2..=5).map(|number| file(&image(number))).collect();
    for _ in 0..2 {
        let (status, stored, reasons) = told(&upload(&client, body(&parts)).await);
        assert_eq!((status, stored.len(), reasons), (409, 0, vec![0xA700; 4]));
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_leaves_what_was_complete_and_nothing_else() {
    let client = Client::start().await;
    let whole = body(&[file(&image(1)), file(&image(2))]);
    let cut = whole[..whole.len() - 100].to_vec();
    let chunks: Vec<Result<Bytes, std::io::Error>> =
        vec![Ok(cut.into()), Err(std::io::ErrorKind::ConnectionReset.into())];
    let answer = upload(&client, Body::from_stream(futures_util::stream::iter(chunks))).await;
    assert_eq!(answer.status(), 400);
    assert!(!served(&client, "1.2.1.2").await, "its last part was not complete");
}

#[tokio::test]
async fn a_part_without_its_last_boundary_is_not_stored_and_those_before_it_are() {
    let client = Client::start().await;
    let whole = body(&[file(&image(1)), file(&image(2))]);
    let (status, stored, reasons) = told(&upload(&client, whole[..whole.len() - 8].to_vec()).await);
    assert_eq!((status, stored, reasons), (202, vec!["1.2.1.1".to_owned()], vec![0xC000]));
}

#[tokio::test]
async fn one_instance_may_be_the_body_itself() {
    let client = Client::start().await;
    let bare = Dataset::image(IMPLICIT_VR_LITTLE_ENDIAN, 1, 2, Pixels::Words);
    let cases = [
        ("application/dicom", file(&image(1)), "1.2.1.1"),
        ("Application/DICOM; transfer-syntax=1.2.840.10008.1.2", bare.bytes.clone(), "1.2.1.2"),
    ];
    for (media, body, uid) in cases {
        let headers = [("content-type", media)];
        let answer = client.send(&Who::Loopback, "POST", "/dicom-web/studies/1.2", &headers, body.into()).await;
        assert_eq!(told(&answer), (200, vec![uid.to_owned()], vec![]));
        assert!(served(&client, uid).await);
    }
    let headers = [("content-type", "application/dicom")];
    let empty = client.send(&Who::Loopback, "POST", "/dicom-web/studies", &headers, Body::empty()).await;
    assert_eq!(told(&empty), (409, vec![], vec![0xC000]));
}

#[tokio::test]
async fn compressed_pixel_data_is_not_stored_under_a_native_syntax() {
    const NOT_NAMED: u64 = 0xC122;
    let client = Client::start().await;
    let jpeg = "1.2.840.10008.1.2.4.50";
    let compressed = Dataset::image(jpeg, 1, 1, Pixels::Fragments(&[b"\xFF\xD8\xFF\xD9", b"\xFF\xD8\xFF\xD9"]));
    let native = crate::domain::transfer_syntax::lookup(EXPLICIT_VR_LITTLE_ENDIAN).unwrap();
    let mislabelled = file(&Dataset { syntax: native, ..compressed.clone() });
    // The meta without (0002,0010), which stands last in it but for the implementation.
    let mut unlabelled = file(&compressed);
    let at = unlabelled.windows(6).position(|bytes| bytes == b"\x02\0\x10\0UI").unwrap();
    let length = 8 + usize::from(unlabelled[at + 6]);
    unlabelled.drain(at..at + length);
    let with_syntax = format!("application/dicom; transfer-syntax={jpeg}");
    let with_native = format!("application/dicom; transfer-syntax={EXPLICIT_VR_LITTLE_ENDIAN}");
    let cases = [
        ("guessed by us", "application/dicom", compressed.bytes.clone(), 409, Some(NOT_NAMED)),
        ("a file that does not say", "application/dicom", unlabelled, 409, Some(NOT_NAMED)),
        ("said by the part", with_native.as_str(), compressed.bytes.clone(), 409, Some(0xC000)),
        ("said by the file", "application/dicom", mislabelled, 409, Some(0xC000)),
        ("as it is", with_syntax.as_str(), compressed.bytes.clone(), 200, None),
    ];
    for (what, media, body, status, reason) in cases {
        let headers = [("content-type", media)];
        let answer = client.send(&Who::Loopback, "POST", "/dicom-web/studies", &headers, body.into()).await;
        let (told, _, reasons) = told(&answer);
        assert_eq!((told, reasons.first().copied()), (status, reason), "{what}");
    }
}

#[tokio::test]
async fn one_line_end_behind_a_data_set_is_not_of_it() {
    let client = Client::start().await;
    let whole = image(1);
    // One whose last value is a line end, in bytes that come one by one and at once.
    let mut text = image(2);
    text.bytes.extend_from_slice(b"\xFC\xFF\xFC\xFF\x4F\x42\0\0\x02\0\0\0\r\n");
    let cases = [
        (&whole, "", true),
        (&whole, "\r\n", true),
        (&whole, "\n", true),
        (&text, "", true),
        (&text, "\r\n", true),
        (&text, "\n", true),
        (&whole, "\r\n\r\n", false),
        (&whole, "\r", false),
        (&whole, "\r\nx", false),
    ];
    for (image, behind, taken) in cases {
        for portion in [1, usize::MAX] {
            let body = [file(image).as_slice(), behind.as_bytes()].concat();
            let portions: Vec<_> = body.chunks(portion.min(body.len())).map(Bytes::copy_from_slice).collect();
            let body = Body::from_stream(futures_util::stream::iter(portions.into_iter().map(Ok::<_, std::io::Error>)));
            let headers = [("content-type", "application/dicom")];
            let answer = client.send(&Who::Loopback, "POST", "/dicom-web/studies", &headers, body).await;
            assert_eq!(answer.status().as_u16() == 200, taken, "{behind:?} by {portion}: {:?}", answer.body());
        }
        if taken {
            let path = format!("/dicom-web/studies/1.2/series/1.2.1/instances/{}", image.sop_instance_uid);
            let served = client.get(&path, &[("accept", "application/dicom; transfer-syntax=*")]).await;
            assert!(served.body().ends_with(&image.bytes), "to the byte: {behind:?}");
        }
    }
    // Of a value that is cut off behind a line end nothing is taken for a stray one.
    let mut cut = file(&text);
    cut.truncate(cut.len() - 1);
    let headers = [("content-type", "application/dicom")];
    let answer = client.send(&Who::Loopback, "POST", "/dicom-web/studies", &headers, cut.into()).await;
    assert_eq!(told(&answer).2, [0xC000]);
}

#[tokio::test]
async fn two_parts_of_one_uid_keep_their_order() {
    let client = Client::start().await;
    for round in 0..5_u32 {
        let first = image(round + 1);
        let mut second = file(&first);
        let last = second.len() - 1;
        second[last] ^= 0xFF;
        let answer = upload(&client, body(&[file(&first), second.clone(), file(&first)])).await;
        let module: Value = serde_json::from_slice(answer.body()).unwrap();
        let warnings: Vec<_> = module["00081199"]["Value"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item["00081196"]["Value"][0].as_u64())
            .collect();
        assert_eq!((answer.status().as_u16(), warnings), (202, vec![None, Some(0xB111), None]));
    }
}

#[tokio::test]
async fn the_retrieve_url_is_there_and_empty_where_there_is_none() {
    let client = Client::start().await;
    let none = serde_json::json!({"vr": "UR"});
    let answered = async |parts: &[Vec<u8>]| -> Value {
        serde_json::from_slice(upload(&client, body(parts)).await.body()).unwrap()
    };
    let first = file(&image(1));
    let mut other_content = first.clone();
    *other_content.last_mut().unwrap() ^= 0xFF;
    let module = answered(std::slice::from_ref(&first)).await;
    assert_eq!(module["00081190"]["Value"][0], "http://localhost:8080/dicom-web/studies/1.2");
    let module = answered(&[other_content]).await;
    let item = &module["00081199"]["Value"][0];
    assert_eq!((&item["00081196"]["Value"][0], &item["00081190"]), (&0xB111.into(), &none));
    assert_eq!(module["00081190"], none, "of what was stored nothing is served");
    assert_eq!(answered(&[b"nothing".to_vec()]).await["00081190"], none);
    let two_studies = [file(&Dataset::of_patient(1, "A")), file(&Dataset::of_patient(2, "B"))];
    assert_eq!(answered(&two_studies).await["00081190"], none);
}

#[tokio::test]
async fn a_request_without_instances_is_told_so() {
    let client = Client::start().await;
    let metadata = "--b0\r\nContent-Type: application/dicom+json\r\n\r\n[]\r\n--b0--";
    for body in ["--b0--", "\r\n--b0--\r\n", metadata, ""] {
        let answer = upload(&client, body).await;
        let problem: Value = serde_json::from_slice(answer.body()).unwrap();
        assert_eq!(answer.status(), 400, "{body:?}");
        assert!(problem["detail"].as_str().unwrap().ends_with('.'), "{problem}");
    }
}

#[tokio::test]
async fn the_answer_has_a_form_whatever_is_accepted() {
    let client = Client::start().await;
    let json = "application/dicom+json";
    let cases = [
        ("*/*", json),
        ("application/*", json),
        ("application/json", "application/json"),
        ("application/dicom+xml", "application/dicom+xml"),
        ("application/xml", "application/xml"),
        ("text/xml", "text/xml"),
        ("text/xml, application/dicom+json;q=0.5", "text/xml"),
        ("application/dicom", json),
        ("image/png", json),
        ("application/dicom+json;q=0", json),
    ];
    for (accept, expected) in cases {
        let headers = [("content-type", RELATED), ("accept", accept)];
        let body = body(&[file(&image(1))]).into();
        let answer = client.send(&Who::Loopback, "POST", "/dicom-web/studies", &headers, body).await;
        let media = answer.headers()["content-type"].to_str().unwrap();
        assert_eq!((answer.status().as_u16(), media), (200, expected), "{accept}");
        assert_eq!(answer.body().starts_with(b"<?xml"), expected.contains("xml"), "{accept}");
    }
}

#[tokio::test]
async fn other_parts_are_answered_beside_the_instances() {
    let client = Client::start().await;
    let instance = [b"\r\n--b0\r\n\r\n".as_slice(), &file(&image(1))].concat();
    let others = [
        "Content-Type: text/plain",
        "Content-Type: nonsense",
        "Content-Type: application/dicom\r\nContent-Transfer-Encoding: base64",
        "Content-Type: application/dicom\r\nContent-Encoding: gzip",
        "no colon",
    ];
    let mut sent = instance;
    for header in others {
        sent.extend_from_slice(format!("\r\n--b0\r\n{header}\r\n\r\nsomething").as_bytes());
    }
    sent.extend_from_slice(b"\r\n--b0--");
    let (status, stored, reasons) = told(&upload(&client, sent).await);
    assert_eq!((status, stored.len(), reasons), (202, 1, vec![0xC000; 5]));
}

/// Somebody who may read and write no more than patient `PAT-1`.
fn restricted() -> Who {
    let id = crate::domain::phi::Phi::new("PAT-1".to_owned());
    let patient = Some(crate::domain::restriction::Patient { id, issuer: None });
    let only = crate::domain::restriction::Restriction { patient, studies: None };
    let scopes = crate::web::caller::Scopes::ALL;
    Who::Given(Caller::new(crate::web::caller::Kind::Loopback, scopes).restricted_to(Some(only)))
}

/// 0x0124.
const NOT_AUTHORIZED: u64 = 0x0124;

#[tokio::test]
async fn who_is_restricted_to_a_patient_adds_nothing_of_anybody_else() {
    let client = Client::start().await;
    let who = restricted();
    let send = async |path: &str, images: &[Dataset]| {
        let body = body(&images.iter().map(file).collect::<Vec<_>>());
        told(&client.send(&who, "POST", path, &[("content-type", RELATED)], body.into()).await)
    };
    let (own, other) = (Dataset::of_patient(1, "PAT-1"), Dataset::of_patient(2, "OTHER"));
    // A new study of the own patient may begin, at both resources; nobody else's.
    assert_eq!(send("/dicom-web/studies", &[own, other]).await, (202, vec!["1.4.1".to_owned()], vec![NOT_AUTHORIZED]));
    assert_eq!(send("/dicom-web/studies/1.2.5", &[Dataset::of_patient(5, "PAT-1")]).await.0, 200);
    assert_eq!(send("/dicom-web/studies/1.2.6", &[Dataset::of_patient(6, "OTHER")]).await.0, 409);
    // An instance of somebody else does not get into a study that may be written, which would be in doubt then.
    let stray = Dataset::in_study("1.2.1", "1.4.9", "OTHER");
    assert_eq!(send("/dicom-web/studies/1.2.1", &[stray]).await, (409, vec![], vec![NOT_AUTHORIZED]));
    // Nor does one of the own patient under a UID that is somebody else's.
    client.store(&Dataset::of_patient(7, "OTHER")).await;
    let under_their_study = Dataset::in_study("1.2.7", "1.4.70", "PAT-1");
    assert_eq!(send("/dicom-web/studies", &[under_their_study]).await, (409, vec![], vec![NOT_AUTHORIZED]));
    let under_their_instance = Dataset::in_study("1.2.1", "1.4.7", "PAT-1");
    assert_eq!(send("/dicom-web/studies", &[under_their_instance]).await, (409, vec![], vec![NOT_AUTHORIZED]));
    for (study, blocked) in [("1.2.1", false), ("1.2.5", false), ("1.2.7", false)] {
        let uid = crate::domain::uid::StudyInstanceUid::parse(study).unwrap();
        let row = client.web.archive.study(&uid).await.unwrap().unwrap();
        assert_eq!((row.blocked, row.instance_count), (blocked, 1), "{study}");
    }
    assert_eq!(client.studies_found(&who, "/dicom-web/studies").await.len(), 2);
}

#[tokio::test]
async fn who_is_restricted_to_a_study_does_not_bring_it_into_doubt() {
    let client = Client::start().await;
    client.store(&Dataset::of_patient(1, "PAT-1")).await;
    let uid = crate::domain::uid::StudyInstanceUid::parse("1.2.1").unwrap();
    let only = crate::domain::restriction::Restriction::to_studies([uid.clone()]);
    let scopes = crate::web::caller::Scopes::ALL;
    let who = Who::Given(Caller::new(crate::web::caller::Kind::Loopback, scopes).restricted_to(Some(only)));
    let (stray, own) = (Dataset::in_study("1.2.1", "1.4.8", "OTHER"), Dataset::in_study("1.2.1", "1.4.9", "PAT-1"));
    let body = body(&[file(&stray), file(&own)]);
    let answer = client.send(&who, "POST", "/dicom-web/studies/1.2.1", &[("content-type", RELATED)], body.into()).await;
    assert_eq!(told(&answer), (202, vec!["1.4.9".to_owned()], vec![NOT_AUTHORIZED]));
    let row = client.web.archive.study(&uid).await.unwrap().unwrap();
    assert_eq!((row.blocked, row.instance_count), (false, 2));
}
