//! `/s/{link}/dicom-web/...`: DICOMweb for the verified reader of a link, over the studies that it shows.
//! The same resources as on `[web]`, read only, behind the gate that holds callers to a restriction.

use super::PatientWeb;
use super::gate::From;
use super::pages::Reader;
use crate::access::{AccessError, Viewing};
use crate::domain::restriction::Restriction;
use crate::web::Peer;
use crate::web::caller::{Caller, Kind, Scope, Scopes};
use crate::web::dicomweb::ZIP;
use crate::web::middleware::Given;
use crate::web::problem::Problem;
use axum::body::Body;
use axum::extract::{Extension, Path, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header, response};
use axum::response::{IntoResponse, Response};
use http_body::Body as _;
use std::net::SocketAddr;
use tower::ServiceExt;

/// What may come along: the session is ours, and everything else is nobody's business.
const PASSED: [header::HeaderName; 8] = [
    header::ACCEPT,
    header::ACCEPT_CHARSET,
    header::ACCEPT_ENCODING,
    header::RANGE,
    header::IF_RANGE,
    header::IF_NONE_MATCH,
    header::IF_MATCH,
    header::IF_MODIFIED_SINCE,
];

#[derive(serde::Deserialize)]
pub(super) struct Named {
    link: String,
}

pub(super) async fn serve(
    State(web): State<PatientWeb>,
    Extension(from): Extension<From>,
    Path(Named { link }): Path<Named>,
    request: Request,
) -> Response {
    match answer(&web, from, &link, request).await {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    }
}

async fn answer(web: &PatientWeb, from: From, link: &str, request: Request) -> Result<Response, Problem> {
    let reader = Reader::of(web, request.headers());
    let viewing = match &reader.cookie {
        Some(cookie) => web.access.view(cookie).await.map_err(failed)?,
        None => Viewing::Nobody,
    };
    let (share, mut view) = match viewing {
        Viewing::Go(share, view) => (share, view),
        Viewing::Nobody => {
            return Err(Problem::new(StatusCode::FORBIDDEN, "Open the link and answer its questions first."));
        }
        Viewing::Busy => return Err(Problem::too_many("Too many requests of this link at once.", 1)),
        Viewing::Much { seconds } => {
            let seconds = u32::try_from(seconds).unwrap_or(u32::MAX);
            return Err(Problem::too_many("This link has sent as much as it may within a week.", seconds));
        }
    };
    // The session is of one link, and the address may be of another.
    if share.link_id != link {
        return Err(Problem::not_found("There is no such resource."));
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut refused = Problem::new(StatusCode::METHOD_NOT_ALLOWED, "A shared study is read only.").into_response();
        refused.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        return Ok(refused);
    }
    let with_body = *request.method() == Method::GET;
    let base = format!("{}/s/{link}", web.patient.public_url.trim_end_matches('/'));
    let kind = Kind::Link { id: share.link_id.clone() };
    let caller = Caller::new(kind, Scopes::NONE.with(Scope::Read))
        .restricted_to(Some(Restriction { studies: Some(share.studies.clone()), patient: None }));
    let inner = inside(request, link, from, Given { caller, base }).ok_or_else(Problem::internal)?;
    let Ok(response) = web.share.clone().oneshot(inner).await;
    let (mut parts, body) = response.into_parts();
    // A guarded body no longer knows its length.
    if let Some(length) = body.size_hint().exact().filter(|_| with_body && parts.status == StatusCode::OK) {
        parts.headers.entry(header::CONTENT_LENGTH).or_insert(HeaderValue::from(length));
    }
    let package = with_body.then(|| package_size(&parts, &body)).flatten();
    if package.is_some_and(|bytes| !view.is_package(bytes)) {
        return Err(Problem::too_many("As many downloads of this link are running as may at once.", 30));
    }
    // What a reader has seen does not stay behind on a computer that they share.
    parts.headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(Response::from_parts(parts, Body::from_stream(view.guard(body.into_data_stream()))))
}

/// The size of the package that is being sent, whole or in part.
fn package_size(parts: &response::Parts, body: &Body) -> Option<u64> {
    let zip = parts.headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind == ZIP);
    let of_range = || parts.headers.get(header::CONTENT_RANGE)?.to_str().ok()?.rsplit('/').next()?.parse().ok();
    let of_whole = || parts.headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok();
    let size = of_range().or_else(of_whole).or_else(|| body.size_hint().exact()).unwrap_or(0);
    (zip && parts.status.is_success()).then_some(size)
}

/// The request as the archive's own DICOMweb would get it. Made anew, so that nothing that the patient's
/// listener knows of it goes along unseen.
fn inside(request: Request, link: &str, from: From, given: Given) -> Option<Request> {
    let (parts, _) = request.into_parts();
    let path = parts.uri.path().strip_prefix("/s/")?.strip_prefix(link)?;
    let target = match parts.uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    let mut headers = HeaderMap::new();
    for name in PASSED {
        for value in parts.headers.get_all(&name) {
            headers.append(name.clone(), value.clone());
        }
    }
    let local = match parts.extensions.get::<Peer>() {
        Some(Peer::Tcp { local, .. }) => *local,
        _ => SocketAddr::new(from.0, 0),
    };
    let mut inner = Request::new(Body::empty());
    *inner.method_mut() = parts.method;
    *inner.uri_mut() = target.parse::<Uri>().ok()?;
    *inner.headers_mut() = headers;
    inner.extensions_mut().insert(Peer::Tcp { remote: SocketAddr::new(from.0, 0), local });
    inner.extensions_mut().insert(given);
    Some(inner)
}

fn failed(error: AccessError) -> Problem {
    tracing::error!(%error, "a shared study could not be looked up");
    Problem::unavailable("The link cannot be looked up; ask again.")
}
