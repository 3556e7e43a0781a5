//! WADO-URI over a real archive.

use crate::domain::transfer_syntax::{EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN};
use crate::web::testing::{Client, Dataset, Pixels, Who, text};

const ONE: &str = "/wado?requestType=WADO&studyUID=1.2&seriesUID=1.2.1&objectUID=1.2.1.1";
const JPEG: &str = "1.2.840.10008.1.2.4.70";

async fn with(dataset: &Dataset) -> Client {
    let client = Client::start().await;
    client.store(dataset).await;
    client
}

/// Two native frames of 4 x 3.
async fn native(syntax: &str) -> Client {
    with(&Dataset::image(syntax, 1, 1, Pixels::Words)).await
}

#[tokio::test]
async fn an_instance_of_many_frames_is_a_file_unless_a_picture_is_asked_for() {
    let client = native(IMPLICIT_VR_LITTLE_ENDIAN).await;
    let browser = ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8");
    for (more, headers, expected) in [
        ("", &[][..], "application/dicom; transfer-syntax=1.2.840.10008.1.2.1"),
        ("", &[browser], "application/dicom; transfer-syntax=1.2.840.10008.1.2.1"),
        ("", &[("accept", "image/png")], "image/png"),
        ("&frameNumber=2", &[browser], "image/jpeg"),
        ("&contentType=image%2Fpng", &[("accept", "image/jpeg")], "image/png"),
        ("&contentType=image/webp,image/png;q=0.5", &[], "image/png"),
        ("&contentType=image/gif", &[], "image/gif"),
        (
            "&contentType=application/dicom&transferSyntax=*",
            &[],
            "application/dicom; transfer-syntax=1.2.840.10008.1.2",
        ),
        (
            "&contentType=application/dicom&transferSyntax=%2A&frame=1",
            &[],
            "application/dicom; transfer-syntax=1.2.840.10008.1.2",
        ),
        ("&contentType=application/dicom&transferSyntax=**", &[], ""),
        ("&transferSyntax=1.2.840.10008.1.2", &[], "application/dicom; transfer-syntax=1.2.840.10008.1.2"),
    ] {
        let answer = client.get(&format!("{ONE}{more}"), headers).await;
        let got = if answer.status() == 200 { text(answer.headers(), "content-type") } else { String::new() };
        assert_eq!(got, expected, "{more} {headers:?}: {}", answer.status());
    }
}

#[tokio::test]
async fn the_file_is_that_of_wado_rs_and_so_is_the_picture() {
    let client = native(EXPLICIT_VR_LITTLE_ENDIAN).await;
    let rs = "/dicom-web/studies/1.2/series/1.2.1/instances/1.2.1.1";
    let same = [
        (
            format!("{ONE}&contentType=application/dicom"),
            format!("{rs}?accept=application/dicom;transfer-syntax=1.2.840.10008.1.2.1"),
        ),
        (
            format!("{ONE}&frameNumber=2&contentType=image/png&windowCenter=12&windowWidth=20&rows=6&columns=8"),
            format!("{rs}/frames/2/rendered?accept=image/png&window=12,20,linear&viewport=8,6"),
        ),
        (
            format!("{ONE}&frameNumber=1&contentType=image/png&region=0.5,0,1,1"),
            format!("{rs}/frames/1/rendered?accept=image/png&viewport=2,3,2,0,2,3"),
        ),
        (
            format!("{ONE}&frameNumber=1&imageQuality=20"),
            format!("{rs}/frames/1/rendered?accept=image/jpeg&quality=20"),
        ),
    ];
    for (older, newer) in same {
        let (older, newer) = (client.get(&older, &[]).await, client.get(&newer, &[]).await);
        assert_eq!((older.status().as_u16(), older.body()), (200, newer.body()));
        assert_eq!(text(older.headers(), "etag"), text(newer.headers(), "etag"));
    }
    let etag = text(client.get(ONE, &[]).await.headers(), "etag");
    assert_eq!(client.get(ONE, &[("if-none-match", &etag)]).await.status(), 304);
    assert_eq!(client.get(ONE, &[("range", "bytes=0-3")]).await.status(), 206);
    let head = client.ask(&Who::Loopback, "HEAD", ONE, &[], "").await;
    assert!(head.status() == 200 && head.body().is_empty() && text(head.headers(), "etag") == etag);
}

#[tokio::test]
async fn what_cannot_be_sent_is_refused_in_a_sentence() {
    let client = with(&Dataset::image(JPEG, 1, 1, Pixels::Fragments(&[b"ab", b"cd"]))).await;
    for (path, status, word) in [
        ("/wado".to_owned(), 400, "requestType"),
        (ONE.replace("objectUID=1.2.1.1", "objectUID=1.2.1.9"), 404, "no such instance"),
        (ONE.replace("studyUID=1.2&", "studyUID=1.9&"), 404, "no such instance"),
        (ONE.replace("seriesUID=1.2.1&", "seriesUID=1.2.2&"), 404, "no such instance"),
        (format!("{ONE}&studyUID=1.2"), 400, "twice"),
        (format!("{ONE}&contentType=text/plain"), 406, "application/dicom"),
        (format!("{ONE}&frameNumber=1&contentType=application/dicom"), 400, "frameNumber"),
        (format!("{ONE}&frameNumber=3"), 404, "frame"),
        (format!("{ONE}&anonymize=yes"), 406, "de-identify"),
        (format!("{ONE}&transferSyntax=1.2.840.10008.1.2.4.201"), 406, JPEG),
    ] {
        let answer = client.get(&path, &[]).await;
        assert_eq!(answer.status(), status, "{path}");
        assert_eq!(text(answer.headers(), "content-type"), "application/problem+json");
        assert!(String::from_utf8_lossy(answer.body()).contains(word), "{path}: {:?}", answer.body());
    }
    assert_eq!(client.ask(&Who::Loopback, "POST", ONE, &[], "").await.status(), 405);
}

#[tokio::test]
async fn an_annotated_picture_is_another_one() {
    let client = native(EXPLICIT_VR_LITTLE_ENDIAN).await;
    let plain = client.get(&format!("{ONE}&frameNumber=1"), &[]).await;
    let answer = client.get(&format!("{ONE}&frameNumber=1&annotation=patient,technique"), &[]).await;
    assert!(answer.status() == 200 && text(answer.headers(), "etag") != text(plain.headers(), "etag"));
    assert_eq!(client.get(&format!("{ONE}&annotation=everything"), &[]).await.status(), 400);
}
