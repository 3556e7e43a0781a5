//! What there is to ask for (Retrieve Capabilities, PS3.18 §8.9): as WADL, as OpenAPI, and as a page for
//! somebody who typed the address into a browser. All of it is made from one document, `openapi.json`.

mod wadl;

use super::Web;
use super::api::openapi;
use super::base_url::BaseUrl;
use super::conditional::not_modified;
use super::dicomweb::Accept;
use super::problem::Problem;
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::Response;
use axum::routing::get;

/// The roots that describe what is below them.
const ROOTS: [&str; 2] = ["/", "/dicom-web/"];

const WADL: &str = "application/vnd.sun.wadl+xml";
const OPENAPI: &str = "application/vnd.oai.openapi+json";
const JSON: &str = "application/json";
const XML: &str = "application/xml";
const HTML: &str = "text/html";

pub fn router() -> Router<Web> {
    Router::new().route("/", get(describe).options(describe)).merge(dicomweb_router())
}

/// For listeners that have nothing else.
pub fn dicomweb_router() -> Router<Web> {
    Router::new().route("/dicom-web/", get(describe).options(describe))
}

/// Whether a request asks for capabilities by OPTIONS. A preflight of a page (Fetch §4.8) does not.
pub(super) fn asked(request: &Parts) -> bool {
    request.method == Method::OPTIONS
        && ROOTS.contains(&request.uri.path())
        && !request.headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

async fn describe(State(web): State<Web>, base: BaseUrl, uri: Uri, headers: HeaderMap) -> Result<Response, Problem> {
    let media = Accept::of(&headers, uri.query()).choose(&[WADL, OPENAPI, JSON, HTML, XML]).ok_or_else(|| {
        Problem::not_acceptable(format!("Capabilities are served as {WADL}, {OPENAPI}, {JSON} or {HTML}."))
    })?;
    let root = uri.path().trim_end_matches('/');
    let text = match media {
        HTML => page(&web, root),
        WADL | XML => wadl::wadl(root, &format!("{base}{root}/")).ok_or_else(Problem::internal)?,
        _ => openapi::text(&web).into_owned(),
    };
    let etag = format!("\"{:08x}-{:x}\"", crc32fast::hash(text.as_bytes()), text.len());
    let unchanged = not_modified(&headers, &etag);
    let mut response = Response::new(if unchanged { Body::empty() } else { Body::from(text) });
    let answer = response.headers_mut();
    answer.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    answer.insert(header::ALLOW, HeaderValue::from_static("GET,HEAD,OPTIONS"));
    if let Ok(etag) = HeaderValue::from_str(&etag) {
        answer.insert(header::ETAG, etag);
    }
    if unchanged {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return Ok(response);
    }
    let media = if media == HTML { "text/html; charset=utf-8" } else { media };
    if let Ok(media) = HeaderValue::from_str(media) {
        response.headers_mut().insert(header::CONTENT_TYPE, media);
    }
    Ok(response)
}

/// Names the service and nothing of what is in it. Addresses are relative: a proxy may have put a path in
/// front.
fn page(web: &Web, root: &str) -> String {
    let up = if root.is_empty() { "" } else { "../" };
    let viewer = match web.viewer {
        Some(_) => format!("<li><a href=\"{up}ohif/\">Viewer</a></li>\n"),
        None => String::new(),
    };
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>Bluebridge</title></head>\n<body>\n\
         <h1>Bluebridge</h1>\n<p>Medical images over DICOMweb. The root of its services is \
         <code>dicom-web</code>.</p>\n<ul>\n{viewer}\
         <li><a href=\"{up}api/v1/openapi.json\">Every resource, as OpenAPI</a></li>\n\
         <li><a href=\"{up}dicom-web/?accept=application/xml\">The services, as WADL</a></li>\n\
         <li><a href=\"{up}readyz\">Is it ready?</a></li>\n</ul>\n</body>\n</html>\n"
    )
}

#[cfg(test)]
mod tests;
