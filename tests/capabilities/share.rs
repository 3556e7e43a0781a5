//! DICOMweb for the verified reader of a link: `/s/{link}/dicom-web`.

use crate::support::link::{Granted, cookie, download_href};
use crate::support::{Answer, Bridge, Dataset, Http};
use bluebridge::web::routes::{Listener, ROUTES};
use reqwest::Method;
use serde_json::json;

/// A verified reader.
struct Reader {
    patient: Http,
    cookie: String,
    link: String,
}

impl Reader {
    async fn of(bridge: &Bridge, link: &Granted) -> Self {
        let patient = bridge.patient();
        let cookie = cookie(&link.open(&patient).await);
        Self { patient, cookie, link: link.id.clone() }
    }
    /// `path` as on `[web]`.
    async fn send(&self, method: Method, path: &str) -> Answer {
        let path = format!("/s/{}{path}", self.link);
        self.patient.send(method, &path, &[("cookie", &self.cookie)], None).await
    }
    async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path).await
    }
}

#[tokio::test]
async fn a_reader_sees_the_studies_of_their_link_and_nothing_else() {
    let bridge = Bridge::start().await;
    let (mine, other) = (Dataset::ct(), Dataset::ct().text(0x0010_0020, "LO", "OTHER"));
    bridge.modality("CT1").store_all(&[mine.clone(), other.clone()]).await;
    let link = bridge.link(&mine.study_uid()).await;
    let reader = Reader::of(&bridge, &link).await;
    for level in ["studies", "series", "instances"] {
        for query in ["", "?PatientID=OTHER", "?PatientName=*", &format!("?StudyInstanceUID={}", other.study_uid())] {
            let found = reader.get(&format!("/dicom-web/{level}{query}")).await;
            assert!(matches!(found.status, 200 | 204) && !found.text().contains(&other.study_uid()), "{level}{query}");
        }
    }
    let found = reader.get("/dicom-web/studies").await.json();
    let root = format!("http://{}/s/{}{}", bridge.running.patient, link.id, mine.study_path());
    assert_eq!((found.as_array().unwrap().len(), &found[0]["00081190"]["Value"][0]), (1, &json!(root)));

    // Each resource of the archive's own DICOMweb, for the study of the link and for another.
    let shared = |path: &str| path.starts_with("/dicom-web/") || path == "/wado";
    for route in ROUTES.iter().filter(|route| route.listener == Listener::Web && shared(route.path)) {
        let path = |image: &Dataset| route.filled(&image.study_uid(), &image.series_uid(), &image.instance_uid());
        let method: Method = route.method.parse().unwrap();
        if method != Method::GET {
            for image in [&mine, &other] {
                let refused = reader.send(method.clone(), &path(image)).await;
                assert_eq!((refused.status, refused.header("allow")), (405, "GET, HEAD"), "{} {}", method, route.path);
            }
            continue;
        }
        let answer = reader.get(&path(&mine)).await;
        assert_eq!(answer.status, 200, "{}: {}", route.path, answer.text());
        if route.names_a_study() {
            assert_eq!(reader.get(&path(&other)).await.status, 404, "{}", route.path);
        }
        for (name, value) in [
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
            ("cross-origin-resource-policy", "same-origin"),
            ("referrer-policy", "no-referrer"),
            ("content-security-policy", "default-src 'none'; frame-ancestors 'none'; sandbox"),
        ] {
            assert_eq!(answer.header(name), value, "{name} of {}", route.path);
        }
    }
    let frame = reader.get(&format!("{}/frames/1", mine.path())).await;
    assert!(frame.body.windows(4).any(|bytes| bytes == &mine.bytes()[mine.bytes().len() - 4..]));
    let single = format!("{}?accept=application/dicom", mine.path());
    let (whole, shared) = (bridge.web().get(&single).await, reader.get(&single).await);
    assert!(shared.status == 200 && shared.body == whole.body);
    assert_eq!(shared.header("content-length"), whole.body.len().to_string());

    let trail = bridge.stop_and_read_trail().await;
    let read = format!(r#""actor":"link-holder","actor_id":"{}""#, link.id);
    assert!(trail.iter().any(|row| row.contains(&read) && row.contains("instances-read")), "{trail:?}");
}

#[tokio::test]
async fn without_the_session_of_that_very_link_there_is_nothing() {
    let bridge = Bridge::start().await;
    let (one, two) = (Dataset::ct(), Dataset::ct());
    bridge.modality("CT1").store_all(&[one.clone(), two.clone()]).await;
    let (link, other) = (bridge.link(&one.study_uid()).await, bridge.link(&two.study_uid()).await);
    let reader = Reader::of(&bridge, &link).await;
    let search = format!("/s/{}/dicom-web/studies", link.id);
    for headers in [&[][..], &[("cookie", "bb=x")], &[("authorization", "Bearer x")], &[("cookie", "__Host-bb=x")]] {
        let answer = bridge.patient().get_with(&search, headers).await;
        assert_eq!(answer.status, 403, "{headers:?}: {}", answer.text());
        assert!(!answer.text().contains(&one.study_uid()));
    }
    let elsewhere = Reader { link: other.id.clone(), ..Reader::of(&bridge, &link).await };
    assert_eq!(elsewhere.get("/dicom-web/studies").await.status, 404);
    assert_eq!(elsewhere.get(&two.study_path()).await.status, 404);
    // Beside the root there is nothing, and the archive's own is not on this listener.
    for path in ["/api/v1/links", "/metrics", "/healthz", "/dicom-web/../api/v1/status", "/ohif/"] {
        assert_eq!(reader.get(path).await.status, 404, "{path}");
    }
    for root in ["/dicom-web", "/dicom-web/"] {
        assert_eq!(reader.get(root).await.status, 200, "what there is, as the Link header of the page says");
    }
    let archive = bridge.patient().get_with("/dicom-web/studies", &[("cookie", &reader.cookie)]).await;
    assert_eq!(archive.status, 404);

    // A study that turns out to be of two patients is shown to neither, and a revoked link shows nothing.
    assert_eq!(reader.get(&one.study_path()).await.status, 200);
    let stray = Dataset::ct().study(&one.study_uid()).in_series(&one.series_uid()).text(0x0010_0020, "LO", "STRAY");
    bridge.modality("CT1").store_all(&[stray]).await;
    assert_eq!(reader.get(&one.study_path()).await.status, 404);
    let second = Reader::of(&bridge, &other).await;
    assert_eq!(second.get(&two.study_path()).await.status, 200);
    let revoked = bridge.web().send(Method::DELETE, &format!("/api/v1/links/{}", other.id), &[], None).await;
    assert_eq!(revoked.status, 200);
    assert_eq!(second.get(&two.study_path()).await.status, 403);
    bridge.stop().await;
}

#[tokio::test]
async fn the_bytes_of_a_link_are_counted_for_viewers_too() {
    let bridge = Bridge::start_with(|config| config.link.package_sizes_per_week = 1).await;
    let image = Dataset::ct().pixels(128, 128, 3);
    assert_eq!(bridge.modality("CT1").store(&image).await, 0);
    let reader = Reader::of(&bridge, &bridge.link(&image.study_uid()).await).await;
    let mut answered = 0;
    let refused = loop {
        let answer = reader.get(&image.path()).await;
        if answer.status != 200 {
            break answer;
        }
        answered += 1;
        assert!(answered < 10, "32 KiB each, 64 KiB in all");
    };
    assert_eq!((answered, refused.status), (2, 429));
    assert!(refused.header("retry-after").parse::<u64>().unwrap() > 3600);
    // It stands in the link's row: the download counts the same bytes.
    let page = bridge.patient().get_with("/my", &[("cookie", &reader.cookie)]).await.text();
    let again = bridge.patient().get(&download_href(&page)).await;
    assert_eq!(again.status, 429, "{}", again.text());
    bridge.stop().await;
}

#[tokio::test]
async fn a_program_finds_the_root_on_the_readers_page() {
    let bridge = Bridge::start().await;
    let image = Dataset::ct();
    assert_eq!(bridge.modality("CT1").store(&image).await, 0);
    let link = bridge.link(&image.study_uid()).await;
    let reader = Reader::of(&bridge, &link).await;
    let page = bridge.patient().get_with("/my", &[("cookie", &reader.cookie)]).await;
    assert_eq!(page.header("link"), format!("</s/{}/dicom-web>; rel=\"service\"", link.id));
    bridge.stop().await;
}
