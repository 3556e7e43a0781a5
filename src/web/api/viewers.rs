//! `GET /api/v1/studies/{study}/viewers`: addresses under which viewers open a study. They hold no secret: who
//! follows one asks as themselves.

use super::body::Json;
use crate::domain::uid::StudyInstanceUid;
use crate::web::Web;
use crate::web::base_url::BaseUrl;
use crate::web::caller::Reader;
use crate::web::problem::Problem;
use axum::extract::{Path, State};
use serde::Serialize;

#[derive(Debug, Serialize)]
pub struct Viewers {
    /// Absent when `[web] ohif_dir` names no build of OHIF.
    #[serde(skip_serializing_if = "Option::is_none")]
    ohif: Option<String>,
    /// For a Weasis installed on the reader's computer.
    weasis: String,
    /// The DICOMweb root, for every other viewer.
    dicomweb: String,
}

pub async fn viewers(
    State(web): State<Web>,
    Reader(_): Reader,
    base: BaseUrl,
    Path(study): Path<String>,
) -> Result<Json<Viewers>, Problem> {
    let nothing = || Problem::not_found("There is no such study.");
    let study = StudyInstanceUid::parse(&study).map_err(|_| nothing())?;
    web.archive.study(&study).await?.ok_or_else(nothing)?;
    let ohif = web.viewer.is_some().then(|| ohif(base.as_str(), &study));
    Ok(Json(Viewers { ohif, weasis: weasis(&base.dicomweb(), &study), dicomweb: base.dicomweb() }))
}

fn ohif(base: &str, study: &StudyInstanceUid) -> String {
    format!("{base}/ohif/viewer?StudyInstanceUIDs={study}")
}

/// Weasis takes its commands, percent-encoded, behind `weasis://?`: with the question mark browsers pass them on as
/// they are, and do not take the command for a host.
fn weasis(root: &str, study: &StudyInstanceUid) -> String {
    format!("weasis://?{}", encoded(&format!(r#"$dicom:rs --url "{root}" -r "studyUID={study}""#)))
}

/// Everything but the unreserved characters of RFC 3986 §2.3.
fn encoded(text: &str) -> String {
    use std::fmt::Write;
    text.bytes().fold(String::with_capacity(text.len() * 2), |mut out, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            // Writing to a String cannot fail.
            other => drop(write!(out, "%{other:02X}")),
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::testing::{Client, Dataset, Who};

    #[test]
    fn an_address_for_weasis_is_one_encoded_command() {
        let study = StudyInstanceUid::parse("1.2.3").unwrap();
        assert_eq!(
            weasis("https://pacs.example:444/bb/dicom-web", &study),
            "weasis://?%24dicom%3Ars%20--url%20%22https%3A%2F%2Fpacs.example%3A444%2Fbb%2Fdicom-web%22%20-r%20%22studyUID%3D1.2.3%22"
        );
    }

    #[tokio::test]
    async fn viewers_are_named_as_far_as_they_are_there() {
        let client = Client::start().await;
        client.store(&Dataset::of_patient(1, "A")).await;
        let answer = client.get("/api/v1/studies/1.2.1/viewers", &[]).await;
        let found: serde_json::Value = serde_json::from_slice(answer.body()).unwrap();
        assert_eq!(found["dicomweb"], "http://localhost:8080/dicom-web");
        assert!(found["weasis"].as_str().unwrap().contains("studyUID%3D1.2.1%22"));
        assert!(found.get("ohif").is_none());
        for absent in ["1.2.9", "x"] {
            let path = format!("/api/v1/studies/{absent}/viewers");
            assert_eq!(client.status(&Who::Loopback, "GET", &path, "").await, 404);
        }
    }
}
