//! What changes while an answer is being sent: it is whole as its ETag names it, or it does not look whole.

use super::*;
use http_body_util::BodyExt;

const STUDY: &str = "/dicom-web/studies/1.2";

/// Enough that nothing is read ahead to the end, and the last of them.
async fn of_many() -> (Client, Dataset) {
    let all: Vec<Dataset> = (1..=60).map(|number| words(EXPLICIT_VR_LITTLE_ENDIAN, number)).collect();
    let client = with(&all).await;
    (client, all.into_iter().last().unwrap())
}

async fn delete(client: &Client, uid: &str) {
    let path = format!("{STUDY}/series/1.2.1/instances/{uid}");
    assert_eq!(client.ask(&Who::token("delete"), "DELETE", &path, &[], "").await.status(), 204);
}

#[tokio::test]
async fn a_body_of_which_an_instance_is_deleted_meanwhile_breaks_off() {
    let octets = "multipart/related; type=\"application/octet-stream\"";
    for (path, accept) in [
        ("/bulkdata", octets),
        ("/pixeldata", octets),
        ("/rendered", "image/png"),
        ("/metadata", "application/dicom+json"),
        ("/bootstrap", "application/x-ndjson"),
    ] {
        for again in [false, true] {
            let (client, last) = of_many().await;
            let answer = client.begin(&format!("{STUDY}{path}"), &[("accept", accept)]).await;
            assert_eq!(answer.status(), 200, "{path}");
            let mut body = answer.into_body();
            let first = body.frame().await.unwrap().unwrap();
            delete(&client, &last.sop_instance_uid).await;
            if again {
                // Other bytes under the same UID are not what was asked for either.
                let mut other = last.clone();
                *other.bytes.last_mut().unwrap() ^= 1;
                client.store(&other).await;
            }
            assert!(body.collect().await.is_err(), "{path}, stored again: {again}: {:?}", first.data_ref());
        }
    }
}

#[tokio::test]
async fn what_comes_meanwhile_is_not_in_metadata() {
    let (client, _) = of_many().await;
    for path in ["/metadata", "/bootstrap"] {
        let answer = client.begin(&format!("{STUDY}{path}"), &[]).await;
        let mut body = answer.into_body();
        let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
        let number = if path == "/metadata" { 90 } else { 91 };
        client.store(&words(EXPLICIT_VR_LITTLE_ENDIAN, number)).await;
        let whole = [first, body.collect().await.unwrap().to_bytes()].concat();
        let text = String::from_utf8(whole).unwrap();
        assert!(!text.contains(&format!("1.2.1.{number}")), "{path}");
    }
}

#[tokio::test]
async fn padding_is_no_part_of_a_uid_in_a_path() {
    let client = with(&[words(EXPLICIT_VR_LITTLE_ENDIAN, 1)]).await;
    for path in ["/dicom-web/studies/1.2%00", "/dicom-web/studies/1.2%20", "/dicom-web/studies/1.2/series/1.2.1%00"] {
        assert_eq!(client.ask(&Who::token("delete"), "DELETE", path, &[], "").await.status(), 400, "{path}");
    }
    assert_eq!(client.get(&format!("{STUDY}/metadata"), &[]).await.status(), 200);
}
