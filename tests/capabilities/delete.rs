//! Deletion over DICOMweb: who may, what is gone, what goes with it, and what a crash in the middle leaves.

use crate::support::link::{Granted, cookie, download_href};
use crate::support::{Answer, Bridge, Dataset, Http, Spawned};
use reqwest::Method;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

impl Bridge {
    /// `Authorization` of a new token with these scopes.
    pub async fn bearer(&self, scopes: &[&str]) -> String {
        let made = self.control("POST", "/api/v1/tokens", &json!({ "name": "t", "scopes": scopes }).to_string()).await;
        format!("Bearer {}", made["token"].as_str().unwrap())
    }
}

const AS_STORED: &[(&str, &str)] = &[("accept", "application/dicom; transfer-syntax=*")];

async fn delete(web: &Http, path: &str, bearer: &str) -> Answer {
    web.send(Method::DELETE, path, &[("authorization", bearer)], None).await
}

#[tokio::test]
async fn only_a_token_that_says_so_deletes_and_what_it_deletes_is_gone_everywhere() {
    let bridge = Bridge::start().await;
    let series = Dataset::series(3);
    bridge.modality("CT01").store_all(&series).await;
    let web = bridge.web();
    let (study, first) = (series[0].study_path(), &series[0]);
    let metadata = web.get(&format!("{study}/metadata")).await;
    let rendered = format!("{}/rendered", first.path());
    assert_eq!(web.get(&rendered).await.status, 200);
    let reading = bridge.bearer(&["read", "write", "share"]).await;
    let deleting = bridge.bearer(&["delete"]).await;
    for path in [&study, &first.series_path(), &first.path()] {
        assert_eq!(web.send(Method::DELETE, path, &[], None).await.status, 401, "{path}");
        assert_eq!(delete(&web, path, &reading).await.status, 403, "{path}");
    }
    assert_eq!(delete(&web, "/dicom-web/studies/no-uid", &deleting).await.status, 400);

    let gone = delete(&web, &first.path(), &deleting).await;
    assert_eq!((gone.status, gone.body.len()), (204, 0), "{}", gone.text());
    assert_eq!(delete(&web, &first.path(), &deleting).await.status, 404);
    for path in [first.path(), rendered, format!("{}/metadata", first.path()), format!("{}/frames/1", first.path())] {
        assert_eq!(web.get(&path).await.status, 404, "{path}");
    }
    let unchanged = [("if-none-match", metadata.header("etag"))];
    let now = web.get_with(&format!("{study}/metadata"), &unchanged).await;
    assert_eq!((now.status, now.json().as_array().unwrap().len()), (200, 2), "the ETag is another");
    let found = web.get(&format!("/dicom-web/studies?StudyInstanceUID={}", first.study_uid())).await.json();
    assert_eq!(found[0]["00201208"]["Value"][0], 2);

    assert_eq!(delete(&web, &first.series_path(), &deleting).await.status, 204);
    assert_eq!(delete(&web, &study, &deleting).await.status, 404, "it went with its last series");
    for path in [study.clone(), format!("{study}/metadata"), format!("{study}/thumbnail")] {
        assert_eq!(web.get(&path).await.status, 404, "{path}");
    }
    // Whoever sends it again wants it here.
    bridge.modality("CT01").store_all(&series).await;
    assert!(web.get(&first.path()).await.body.len() > 512);
    bridge.stop().await;
}

#[tokio::test]
async fn a_deletion_is_undone_while_its_files_are_kept() {
    let bridge = Spawned::start();
    let series = Dataset::series(2);
    bridge.modality("CT01").store_all(&series).await;
    let token = String::from_utf8(bridge.cli(&["token", "create", "t", "--scope", "delete"]).stdout).unwrap();
    let token = token.split_whitespace().find(|word| word.starts_with("bbt_")).unwrap().to_owned();
    let web = bridge.web();
    assert_eq!(delete(&web, &series[0].study_path(), &format!("Bearer {token}")).await.status, 204);
    let list: serde_json::Value = serde_json::from_slice(&bridge.cli(&["deleted", "list", "--json"]).stdout).unwrap();
    assert_eq!((&list["deletions"][0]["restorable"], &list["deletions"][0]["level"]), (&json!(2), &json!("study")));
    let restored = bridge.cli(&["deleted", "restore", &list["deletions"][0]["id"].to_string()]);
    assert!(restored.status.success(), "{restored:?}");
    for image in &series {
        let served = web.get_with(&image.path(), AS_STORED).await;
        assert!(served.body.ends_with(&image.bytes()));
    }
    assert_eq!(bridge.cli(&["deleted", "restore", "1"]).status.code(), Some(1));
    assert!(bridge.cli(&["verify", "--full"]).status.success());
}

#[tokio::test]
async fn a_link_to_the_study_ends_with_it_and_a_running_download_too() {
    // What was sent of the deleted study counts; here it is not to be the reason.
    let bridge = Bridge::start_with(|config| config.link.package_sizes_per_week = 1_000_000).await;
    let study: Vec<Dataset> = Dataset::series(60).into_iter().map(|image| image.pixels(512, 512, 3)).collect();
    let other = Dataset::ct();
    bridge.modality("CT01").store_all(&study).await;
    bridge.modality("CT01").store_all(std::slice::from_ref(&other)).await;
    let one = bridge.link(&study[0].study_uid()).await;
    let all = bridge.grant(json!({ "patient_of_study": other.study_uid() })).await;
    let all = Granted::new(all.json());
    let patient = bridge.patient();
    let (one_session, all_session) = (cookie(&one.open(&patient).await), cookie(&all.open(&patient).await));
    let mut running = Vec::new();
    for session in [&one_session, &all_session] {
        let page = patient.get_with("/my", &[("cookie", session)]).await.text();
        let mut response = reqwest::get(patient.url(&download_href(&page))).await.unwrap();
        assert!(response.content_length().unwrap() > 16 << 20);
        assert!(response.chunk().await.unwrap().is_some());
        running.push(response);
    }
    let share = format!("/s/{}{}", all.id, study[0].study_path());
    assert_eq!(patient.send(Method::HEAD, &share, &[("cookie", &all_session)], None).await.status, 200);

    let deleting = bridge.bearer(&["delete"]).await;
    assert_eq!(delete(&bridge.web(), &study[0].study_path(), &deleting).await.status, 204);
    for mut response in running {
        let broken = loop {
            match response.chunk().await {
                Ok(Some(_)) => {}
                Ok(None) => break false,
                Err(_) => break true,
            }
        };
        assert!(broken, "what was being sent breaks off and does not look complete");
    }
    assert_ne!(patient.get_with("/my", &[("cookie", &one_session)]).await.status, 200);
    assert_ne!(one.open(&patient).await.status, 303);
    let listed = bridge.web().get(&format!("/api/v1/links/{}", one.id)).await.json();
    assert_eq!(listed["state"], "revoked");
    // The link to all of the patient's studies lives on with what is left.
    let page = patient.get_with("/my", &[("cookie", &all_session)]).await;
    assert_eq!(page.status, 200);
    assert_eq!(patient.get_with(&share, &[("cookie", &all_session)]).await.status, 404);
    let zip = patient.get(&download_href(&page.text())).await;
    let names = zip::ZipArchive::new(std::io::Cursor::new(&zip.body)).unwrap();
    assert_eq!(names.file_names().filter(|name| name.as_ref().unwrap().starts_with("DICOM/")).count(), 1);
    let trail = bridge.stop_and_read_trail().await.join("\n");
    assert!(trail.contains(r#""event":"instances-deleted","event_id":"110105","instances":60,"level":"study""#));
    assert!(trail.contains(r#""event":"link-revoked""#));
}

/// Rounds of the kill test; `BLUEBRIDGE_KILL_ROUNDS` asks for more.
fn rounds() -> u64 {
    std::env::var("BLUEBRIDGE_KILL_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(8)
}

/// A study is there whole or not at all; one whose deletion was answered does not come back.
#[tokio::test(flavor = "multi_thread")]
async fn a_kill_in_the_middle_of_a_deletion_leaves_all_or_nothing() {
    let mut bridge = Spawned::start();
    let token = String::from_utf8(bridge.cli(&["token", "create", "t", "--scope", "delete"]).stdout).unwrap();
    let bearer = format!("Bearer {}", token.split_whitespace().find(|word| word.starts_with("bbt_")).unwrap());
    let mut gone: Vec<Dataset> = Vec::new();
    for round in 0..rounds() {
        let studies: Vec<Vec<Dataset>> = (0..4).map(|_| Dataset::series(70)).collect();
        for study in &studies {
            bridge.modality("CT01").store_all(study).await;
        }
        let (web, bearer, paths) = (bridge.web(), bearer.clone(), studies.clone());
        let answers: Arc<AtomicU64> = Arc::default();
        let counted = answers.clone();
        let deleting = tokio::spawn(async move {
            let mut answered = Vec::new();
            for study in paths {
                let url = web.url(&study[0].study_path());
                let asked = reqwest::Client::new().delete(url).header("authorization", &bearer).send().await;
                match asked {
                    Ok(answer) => {
                        assert_eq!(answer.status(), 204);
                        answered.push(study[0].clone());
                        counted.fetch_add(1, Ordering::SeqCst);
                    }
                    Err(_) => break, // the kill
                }
            }
            answered
        });
        // Another moment in each round: after none to three answers, and some turns of this loop later.
        while answers.load(Ordering::SeqCst) < round % 4 {
            tokio::task::yield_now().await;
        }
        for _ in 0..(round * 37) % 500 {
            tokio::task::yield_now().await;
        }
        bridge = bridge.kill_and_restart();
        gone.extend(deleting.await.unwrap());
        let web = bridge.web();
        for image in &gone {
            assert_eq!(web.get(&image.study_path()).await.status, 404, "round {round}: it came back\n{}", bridge.log());
        }
        for study in &studies {
            let found = web.get(&format!("/dicom-web/studies?StudyInstanceUID={}", study[0].study_uid())).await;
            if found.status == 204 {
                continue;
            }
            assert_eq!(found.json()[0]["00201208"]["Value"][0], 70, "round {round}");
            for image in [&study[0], &study[69]] {
                let served = web.get_with(&image.path(), AS_STORED).await;
                assert!(served.body.ends_with(&image.bytes()), "round {round}");
            }
        }
        let verified = bridge.cli(&["verify", "--full"]);
        assert!(verified.status.success(), "round {round}: {}", String::from_utf8_lossy(&verified.stdout));
    }
    assert!(!gone.is_empty(), "some deletion was answered before its kill");
    assert_eq!(bridge.terminate(), Some(0));
}
