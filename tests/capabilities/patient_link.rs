//! The emailed link, from the grant to the download and its end.

use crate::support::link::{Granted, cookie, download_href};
use crate::support::{Bridge, Dataset};
use reqwest::Method;
use serde_json::json;

async fn with_study(count: u16) -> (Bridge, Vec<Dataset>) {
    let bridge = Bridge::start().await;
    let series = Dataset::series(count);
    bridge.modality("CT01").store_all(&series).await;
    (bridge, series)
}

#[tokio::test]
async fn what_the_patient_knows_opens_the_studies_and_the_blue_button_downloads_them() {
    let (bridge, series) = with_study(4).await;
    let link = bridge.link(&series[0].study_uid()).await;
    let patient = bridge.patient();
    let opened = link.open(&patient).await;
    assert_eq!((opened.status, opened.header("location")), (303, "/my"), "{}", opened.text());
    let session = cookie(&opened);
    let page = patient.get_with("/my", &[("cookie", &session)]).await;
    assert_eq!(page.status, 200);
    let href = download_href(&page.text());
    let zip = patient.get(&href).await;
    assert_eq!(zip.status, 200, "the ticket is enough, so that a download manager can resume");
    assert_eq!(zip.header("content-length"), zip.body.len().to_string());
    let archive = zip::ZipArchive::new(std::io::Cursor::new(&zip.body)).unwrap();
    let images = archive.file_names().filter(|name| name.as_ref().unwrap().starts_with("DICOM/")).count();
    assert_eq!(images, 4);
    let (tag, middle) = (zip.header("etag").to_owned(), zip.body.len() / 3);
    let rest = patient.get_with(&href, &[("range", &format!("bytes={middle}-")), ("if-range", &tag)]).await;
    assert_eq!((rest.status, &rest.body[..]), (206, &zip.body[middle..]));
    let other = patient.get_with(&href, &[("range", "bytes=5-"), ("if-range", "\"other\"")]).await;
    assert_eq!(other.status, 200, "changed since: whole again");
    let beyond = patient.get_with(&href, &[("range", &format!("bytes={}-", zip.body.len()))]).await;
    assert_eq!((beyond.status, beyond.header("content-range")), (416, format!("bytes */{}", zip.body.len()).as_str()));
    bridge.stop().await;
}

#[tokio::test]
async fn opening_a_link_tells_and_changes_nothing() {
    let (bridge, series) = with_study(1).await;
    let link = bridge.link(&series[0].study_uid()).await;
    let revoked = bridge.link(&series[0].study_uid()).await;
    bridge.web().send(Method::DELETE, &format!("/api/v1/links/{}", revoked.id), &[], None).await;
    let patient = bridge.patient();
    let good = patient.get(&link.path).await;
    let mut flipped = link.path.clone().into_bytes();
    let last = flipped.len() - 2;
    flipped[last] = if flipped[last] == b'A' { b'B' } else { b'A' };
    for path in [revoked.path.as_str(), std::str::from_utf8(&flipped).unwrap(), "/v/nonsense"] {
        let other = patient.get(path).await;
        assert!(other.status == 200 && other.body == good.body, "{path} looks like any other");
    }
    // A mail scanner's visits; more than 20 a second from one address would be told to wait.
    for _ in 0..3 {
        assert!(patient.get(&link.path).await.body == good.body);
        assert_eq!(patient.send(Method::HEAD, &link.path, &[], None).await.status, 200);
        // What a mail scanner presses: the empty form, and random text.
        assert_ne!(link.answer(&patient, "", ("", "", "")).await.status, 303);
        assert_ne!(link.answer(&patient, "hello", ("x", "y", "z")).await.status, 303);
    }
    assert!(good.headers.get("set-cookie").is_none());
    let page = good.text();
    assert!(!page.contains("TEST") && !page.contains("1970"), "no patient data before verification");
    assert_eq!(link.open(&patient).await.status, 303, "none of it used up a try");
    bridge.stop().await;
}

#[tokio::test]
async fn every_patient_page_carries_its_protective_headers() {
    let (bridge, series) = with_study(1).await;
    let link = bridge.link(&series[0].study_uid()).await;
    let answer = bridge.patient().get(&link.path).await;
    let policy = answer.header("content-security-policy");
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
    for (name, value) in [
        ("referrer-policy", "no-referrer"),
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("cross-origin-opener-policy", "same-origin"),
        ("x-robots-tag", "noindex, nofollow, noarchive"),
    ] {
        assert_eq!(answer.header(name), value, "{name}");
    }
    bridge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_guesses_at_once_get_no_more_than_their_tries() {
    let (bridge, series) = with_study(1).await;
    let link = std::sync::Arc::new(bridge.link(&series[0].study_uid()).await);
    let mut guesses = tokio::task::JoinSet::new();
    for n in 0..200u32 {
        let (patient, link) = (bridge.patient(), link.clone());
        let code = link.code.clone().unwrap();
        // The right code with wrong birth dates: a family member's guess.
        guesses
            .spawn(async move { link.answer(&patient, &code, ("1", "2", &(1800 + n % 100).to_string())).await.status });
    }
    let mut statuses = Vec::new();
    while let Some(status) = guesses.join_next().await {
        statuses.push(status.unwrap());
    }
    assert!(!statuses.contains(&303));
    let links = bridge.web().get("/api/v1/links").await.json();
    let text = links.to_string();
    assert!(text.contains(&link.id), "{text}");
    // Even the right answer has to wait now, and the count survives a restart.
    assert_ne!(link.open(&bridge.patient()).await.status, 303, "{statuses:?}");
    let bridge = bridge.restart().await;
    assert_ne!(link.open(&bridge.patient()).await.status, 303);
    bridge.stop().await;
}

#[tokio::test]
async fn a_revoked_link_is_dead_at_once_for_pages_and_downloads() {
    let (bridge, series) = with_study(2).await;
    let link = bridge.link(&series[0].study_uid()).await;
    let patient = bridge.patient();
    let session = cookie(&link.open(&patient).await);
    let page = patient.get_with("/my", &[("cookie", &session)]).await.text();
    let href = download_href(&page);
    assert_eq!(patient.get(&href).await.status, 200);
    let revoked = bridge.web().send(Method::DELETE, &format!("/api/v1/links/{}", link.id), &[], None).await;
    assert!((200..300).contains(&revoked.status), "{}", revoked.text());
    assert_eq!(patient.get(&href).await.status, 410);
    assert_ne!(patient.get_with("/my", &[("cookie", &session)]).await.status, 200);
    assert_ne!(link.open(&patient).await.status, 303);
    bridge.stop().await;
}

#[tokio::test]
async fn a_link_cannot_be_granted_for_what_is_not_there_or_not_safe() {
    let (bridge, series) = with_study(1).await;
    let cases = [
        (json!({ "study": "1.2.3" }), 404),
        (json!({ "study": "not a uid" }), 400),
        (json!({}), 400),
        (json!({ "study": series[0].study_uid(), "expires_s": 91 * 86_400 }), 422),
        (json!({ "study": series[0].study_uid(), "verify": "nothing" }), 400),
    ];
    for (body, status) in cases {
        let answer = bridge.grant(body.clone()).await;
        assert_eq!(answer.status, status, "{body}: {}", answer.text());
    }
    let undated = Dataset::ct().without(0x0010_0030);
    bridge.modality("CT01").store_all(std::slice::from_ref(&undated)).await;
    let refused = bridge.grant(json!({ "study": undated.study_uid(), "verify": "birth-date" })).await;
    assert_eq!(refused.status, 422, "{}", refused.text());
    let by_code = Granted::new(bridge.grant(json!({ "study": undated.study_uid() })).await.json());
    let code = by_code.code.clone().unwrap();
    assert_eq!(by_code.answer(&bridge.patient(), &code, ("", "", "")).await.status, 303, "{}", by_code.json);
    bridge.stop().await;
}

#[tokio::test]
async fn all_studies_of_a_patient_are_those_of_the_same_person_only() {
    let bridge = Bridge::start().await;
    let first = Dataset::ct();
    let later = Dataset::ct().text(0x0008_0020, "DA", "20261121");
    let namesake = Dataset::ct().text(0x0010_0030, "DA", "19991231");
    bridge.modality("CT01").store_all(std::slice::from_ref(&first)).await;
    let answer = bridge.grant(json!({ "patient_of_study": first.study_uid() })).await;
    assert!((200..300).contains(&answer.status), "{}", answer.text());
    let link = Granted::new(answer.json());
    bridge.modality("CT01").store_all(&[later, namesake]).await;
    let patient = bridge.patient();
    let session = cookie(&link.open(&patient).await);
    let page = patient.get_with("/my", &[("cookie", &session)]).await.text();
    assert_eq!(page.matches("class=\"card study\"").count(), 2, "the later one is there, the namesake's is not");
    bridge.stop().await;
}
