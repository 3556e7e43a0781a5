//! `/api/v1/studies/{study}/viewers`: addresses under which viewers open a study. Those that `GET` gives hold no
//! secret: OHIF asks as the page it stands on, and Weasis as nobody, so where nobody may read without a token its
//! address opens an empty window. Those that `POST` gives hold a token for this one study, made for them.

use super::body::Json;
use super::time;
use crate::access::bearer::Wanted;
use crate::config::units::Span;
use crate::domain::uid::StudyInstanceUid;
use crate::web::Web;
use crate::web::base_url::BaseUrl;
use crate::web::caller::{Reader, Scope, Sharer};
use crate::web::problem::Problem;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

/// How long a viewer may read when nothing is said, and at most: somebody's working day.
const LIFETIME: Span = Span::seconds(3600);
const LIFETIME_MAX: Span = Span::days(1);

#[derive(Debug, Serialize)]
pub struct Viewers {
    /// Absent when `[web] ohif_dir` names no build of OHIF.
    #[serde(skip_serializing_if = "Option::is_none")]
    ohif: Option<String>,
    /// For a Weasis installed on the reader's computer.
    weasis: String,
    /// The DICOMweb root, for every other viewer.
    dicomweb: String,
    /// What the addresses hold, and every other viewer sends as `Authorization: Bearer`.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
}

/// `GET`: addresses without a secret.
pub async fn viewers(
    State(web): State<Web>,
    Reader(_): Reader,
    base: BaseUrl,
    Path(study): Path<String>,
) -> Result<Json<Viewers>, Problem> {
    let study = stored(&web, &study).await?;
    Ok(Json(Viewers::of(&web, &base, &study, None)))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewLaunch {
    /// From now, such as `8h`; an hour when it is not said.
    #[serde(default)]
    expires: Option<Span>,
}

/// `POST`: addresses with a token that reads this study and nothing else, for whoever the caller gives them to.
pub async fn launch(
    State(web): State<Web>,
    Sharer(caller): Sharer,
    base: BaseUrl,
    Path(study): Path<String>,
    Json(new): Json<NewLaunch>,
) -> Result<Response, Problem> {
    // Nobody gives away more than they have.
    caller.require(Scope::Read)?;
    let lifetime = new.expires.unwrap_or(LIFETIME);
    if lifetime.get().is_zero() || lifetime > LIFETIME_MAX {
        return Err(Problem::bad_request("Addresses for viewers expire after some time, at most 24h."));
    }
    let study = stored(&web, &study).await?;
    let wanted = Wanted {
        name: "viewer",
        scopes: &[Scope::Read.name()],
        lifetime: lifetime.get(),
        study: Some(study.clone()),
        by: caller.actor(),
    };
    let made = web.tokens.create(wanted).await?;
    let token = made.token.into_exposed();
    let mut viewers = Viewers::of(&web, &base, &study, Some(&token));
    viewers.token = Some(token);
    viewers.expires_at = Some(time(made.row.expires_at_ms));
    Ok((StatusCode::CREATED, Json(viewers)).into_response())
}

/// A study that is there.
async fn stored(web: &Web, study: &str) -> Result<StudyInstanceUid, Problem> {
    let nothing = || Problem::not_found("There is no such study.");
    let study = StudyInstanceUid::parse(study).map_err(|_| nothing())?;
    web.archive.study(&study).await?.ok_or_else(nothing)?;
    Ok(study)
}

impl Viewers {
    fn of(web: &Web, base: &BaseUrl, study: &StudyInstanceUid, token: Option<&str>) -> Self {
        Self {
            ohif: web.viewer.is_some().then(|| ohif(base.as_str(), study, token)),
            weasis: weasis(&base.dicomweb(), study, token),
            dicomweb: base.dicomweb(),
            token: None,
            expires_at: None,
        }
    }
}

/// OHIF takes a token out of its address and sends it as `Authorization`.
fn ohif(base: &str, study: &StudyInstanceUid, token: Option<&str>) -> String {
    let token = token.map(|token| format!("&token={token}")).unwrap_or_default();
    format!("{base}/ohif/viewer?StudyInstanceUIDs={study}{token}")
}

/// Weasis takes its commands, percent-encoded, behind `weasis://?`: with the question mark every way by which
/// addresses reach programs leaves them as they are, and none takes the command for a host. Its shell reads what
/// stands in single quotes as it is; the two characters that would end or split it are escaped as the URL allows.
fn weasis(root: &str, study: &StudyInstanceUid, token: Option<&str>) -> String {
    let root = root.replace('\'', "%27").replace('$', "%24");
    let header = token.map(|token| format!(r#" -H "Authorization: Bearer {token}""#)).unwrap_or_default();
    format!("weasis://?{}", encoded(&format!(r#"$dicom:rs --url '{root}' -r "studyUID={study}"{header}"#)))
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
            weasis("https://pacs.example:444/bb/dicom-web", &study, None),
            "weasis://?%24dicom%3Ars%20--url%20%27https%3A%2F%2Fpacs.example%3A444%2Fbb%2Fdicom-web%27%20-r%20%22studyUID%3D1.2.3%22"
        );
        assert!(weasis("http://[::1]/a%20b/it's/$x", &study, Some("bbt_1")).ends_with(&encoded(
            r#"'http://[::1]/a%20b/it%27s/%24x' -r "studyUID=1.2.3" -H "Authorization: Bearer bbt_1""#
        )));
    }

    #[tokio::test]
    async fn viewers_are_named_as_far_as_they_are_there() {
        let client = Client::start().await;
        client.store(&Dataset::of_patient(1, "A")).await;
        let answer = client.get("/api/v1/studies/1.2.1/viewers", &[]).await;
        let found: serde_json::Value = serde_json::from_slice(answer.body()).unwrap();
        assert_eq!(found["dicomweb"], "http://localhost:8080/dicom-web");
        assert!(found["weasis"].as_str().unwrap().contains("studyUID%3D1.2.1%22"));
        assert!(found.get("ohif").is_none() && found.get("token").is_none());
        for absent in ["1.2.9", "x"] {
            let path = format!("/api/v1/studies/{absent}/viewers");
            assert_eq!(client.status(&Who::Loopback, "GET", &path, "").await, 404);
            assert_eq!(client.status(&Who::Loopback, "POST", &path, "{}").await, 404);
        }
        for wrong in
            [r#"{"expires":"25h"}"#, r#"{"expires":"0s"}"#, r#"{"expires":"soon"}"#, r#"{"x":1}"#, "[]", r#" ["8h"]"#]
        {
            assert_eq!(
                client.status(&Who::Loopback, "POST", "/api/v1/studies/1.2.1/viewers", wrong).await,
                400,
                "{wrong}"
            );
        }
    }
}
