//! `/api/v1/links`: patient links for staff programs and for the command line. What opens a link, its URL
//! and its desk code, is in the answer to `POST` and nowhere afterwards.

use super::body::Json;
use super::time;
use crate::access::{GrantRequest, Granted, LinkSummary, Whose};
use crate::config::Verify;
use crate::config::units::Span;
use crate::domain::phi::Phi;
use crate::domain::uid::StudyInstanceUid;
use crate::web::Web;
use crate::web::caller::Sharer;
use crate::web::problem::Problem;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};

/// Links in one list.
const LISTED: u32 = 1000;

pub fn router() -> Router<Web> {
    Router::new()
        .route("/links", get(list).post(grant))
        .route("/links/{link}", get(show).delete(revoke))
        .route("/links/{link}/extend", post(extend))
}

/// Whom a link is for: exactly one of `study`, `patient_of_study` and `patient`. No `Debug`: it holds a
/// Patient ID.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewLink {
    /// Study Instance UID: this study.
    #[serde(default)]
    study: Option<String>,
    /// Study Instance UID: all studies of its patient, present and future.
    #[serde(default)]
    patient_of_study: Option<String>,
    /// All studies under this Patient ID, present and future.
    #[serde(default)]
    patient: Option<Patient>,
    #[serde(default)]
    verify: Option<Verify>,
    /// From now, such as `30d`; or `expires_s`, in seconds.
    #[serde(default)]
    expires: Option<Span>,
    #[serde(default)]
    expires_s: Option<u64>,
    /// Where staff mean to send it; kept for them, nothing is mailed.
    #[serde(default)]
    email: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Patient {
    id: String,
    #[serde(default)]
    issuer: String,
}

/// How long from now: `"expires": "30d"`, or in seconds.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Life {
    #[serde(default)]
    expires: Option<Span>,
    #[serde(default)]
    expires_s: Option<u64>,
}

fn span(expires: Option<Span>, expires_s: Option<u64>) -> Option<Span> {
    expires.or(expires_s.map(Span::seconds))
}

/// The answer to a grant.
#[derive(Serialize)]
struct New {
    id: String,
    url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    expires_at: String,
    verify: Verify,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'static str>,
}

/// A link in lists.
#[derive(Serialize)]
struct Listed {
    id: String,
    state: &'static str,
    verify: Verify,
    /// Absent for a link to all studies of a patient.
    #[serde(skip_serializing_if = "Option::is_none")]
    study: Option<String>,
    granted_at: String,
    granted_by: String,
    expires_at: String,
    /// The link may be extended up to here.
    expires_latest: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    /// Times the patient was verified.
    opened: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_opened_at: Option<String>,
    wrong_tries: u32,
    downloads: u64,
    bytes: u64,
    /// Studies under the same Patient ID with another name or birth date: not shown to the patient.
    held_studies: usize,
}

#[derive(Serialize)]
struct List {
    links: Vec<Listed>,
}

impl Listed {
    fn of(summary: LinkSummary) -> Self {
        let row = summary.row;
        Self {
            id: row.link_id,
            state: summary.state.name(),
            verify: summary.verify,
            study: row.study.map(|uid| uid.to_string()),
            granted_at: time(row.granted_at_ms),
            granted_by: row.granted_by,
            expires_at: time(row.expires_at_ms),
            expires_latest: time(row.expires_latest_ms),
            revoked_at: row.revoked_at_ms.map(time),
            email: row.meant_for.map(Phi::into_exposed),
            opened: row.verified,
            last_opened_at: row.last_verified_at_ms.map(time),
            wrong_tries: row.tries.lifetime,
            downloads: row.downloads,
            bytes: row.bytes,
            held_studies: summary.held,
        }
    }
}

async fn grant(State(web): State<Web>, Sharer(caller): Sharer, Json(new): Json<NewLink>) -> Result<Response, Problem> {
    let request = GrantRequest {
        whose: whose(&new)?,
        verify: new.verify,
        expires: span(new.expires, new.expires_s),
        meant_for: new.email.map(Phi::new),
        by: caller.actor(),
    };
    let Granted { id, url, code, expires_at_ms, verify, fell_back_to_code } = web.access.grant(request).await?;
    let note = "The study has no usable birth date, so the code alone is asked for.";
    let location = HeaderValue::from_str(&format!("/api/v1/links/{id}")).map_err(|_| Problem::internal())?;
    let answer = New {
        id,
        url: url.into_exposed(),
        code: code.map(Phi::into_exposed),
        expires_at: time(expires_at_ms),
        verify,
        note: fell_back_to_code.then_some(note),
    };
    let headers: [(HeaderName, HeaderValue); 1] = [(header::LOCATION, location)];
    Ok((StatusCode::CREATED, headers, Json(answer)).into_response())
}

fn whose(new: &NewLink) -> Result<Whose, Problem> {
    let uid = |text: &str| {
        StudyInstanceUid::parse(text)
            .map_err(|_| Problem::bad_request("That is not a Study Instance UID (PS3.5 §9.1)."))
    };
    match (&new.study, &new.patient_of_study, &new.patient) {
        (Some(study), None, None) => Ok(Whose::Study(uid(study)?)),
        (None, Some(study), None) => Ok(Whose::PatientOf(uid(study)?)),
        (None, None, Some(patient)) if !patient.id.is_empty() => Ok(Whose::Patient {
            issuer_of_patient_id: Phi::new(patient.issuer.clone()),
            patient_id: Phi::new(patient.id.clone()),
        }),
        _ => Err(Problem::bad_request(
            "Say for whom: exactly one of study, patient_of_study (Study Instance UIDs) and patient (its id).",
        )),
    }
}

async fn list(State(web): State<Web>, Sharer(_): Sharer) -> Result<Json<List>, Problem> {
    let links = web.access.list(LISTED).await?;
    Ok(Json(List { links: links.into_iter().map(Listed::of).collect() }))
}

async fn show(State(web): State<Web>, Sharer(_): Sharer, Path(link): Path<String>) -> Result<Json<Listed>, Problem> {
    Ok(Json(Listed::of(web.access.show(&link).await?)))
}

async fn extend(
    State(web): State<Web>,
    Sharer(caller): Sharer,
    Path(link): Path<String>,
    Json(life): Json<Life>,
) -> Result<Json<Listed>, Problem> {
    let span = span(life.expires, life.expires_s)
        .ok_or_else(|| Problem::bad_request("Say how long from now: expires, such as \"30d\"."))?;
    Ok(Json(Listed::of(web.access.extend(&link, span, caller.actor()).await?)))
}

async fn revoke(
    State(web): State<Web>,
    Sharer(caller): Sharer,
    Path(link): Path<String>,
) -> Result<Json<Listed>, Problem> {
    Ok(Json(Listed::of(web.access.revoke(&link, caller.actor()).await?)))
}
