//! OHIF at `/ohif/`: its published build, unpacked into `[web] ohif_dir`, served as it is but for what
//! ties it to the root of a host. The viewer is code without patient data and open to everybody who
//! reaches `[web]`; what it shows it asks of DICOMweb, as the person in front of it.
//!
//! SharedArrayBuffer, which its volume rendering needs, is given to cross-origin isolated pages only:
//! COOP, COEP and CORP stand on every answer.

mod files;
mod page;

pub use files::Viewer;

use super::Web;
use super::base_url::BaseUrl;
use super::conditional::not_modified;
use super::dicomweb::takes_gzip;
use super::problem::{Problem, no_such_resource};
use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use files::Served;

/// What never changes may be kept for ever; the rest is asked for again.
const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
const ASK_AGAIN: HeaderValue = HeaderValue::from_static("no-cache");

/// OHIF compiles WebAssembly, starts workers from blobs and writes inline styles.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' 'wasm-unsafe-eval' blob:; \
     worker-src 'self' blob:; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; media-src 'self' blob:; \
     font-src 'self' data:; connect-src 'self' data: blob:; object-src 'self' blob:; frame-src 'self' blob:; \
     base-uri 'self'; form-action 'self'; frame-ancestors 'self'",
);

pub fn router() -> Router<Web> {
    Router::new()
        .route("/ohif", get(to_folder))
        .route("/ohif/", get(index))
        .route("/ohif/app-config.js", get(configuration))
        .route("/ohif/{*file}", get(file))
}

/// Without the slash every relative address of the page would be one folder too high.
async fn to_folder(State(web): State<Web>, base: BaseUrl) -> Response {
    if web.viewer.is_none() {
        return no_such_resource().await.into_response();
    }
    let location = format!("{}/ohif/", base.path());
    match HeaderValue::from_str(&location) {
        Ok(location) => (StatusCode::MOVED_PERMANENTLY, [(header::LOCATION, location)]).into_response(),
        Err(_) => Problem::internal().into_response(),
    }
}

async fn index(State(web): State<Web>, base: BaseUrl) -> Response {
    page_of(&web, &base).await
}

async fn configuration(State(web): State<Web>) -> Response {
    if web.viewer.is_none() {
        return no_such_resource().await.into_response();
    }
    isolated((
        [
            (header::CONTENT_TYPE, HeaderValue::from_static("text/javascript; charset=utf-8")),
            (header::CACHE_CONTROL, ASK_AGAIN),
        ],
        page::CONFIGURATION,
    ))
}

/// A file of the build, or the page itself for an address that its router knows, such as `viewer`.
async fn file(State(web): State<Web>, base: BaseUrl, Path(name): Path<String>, headers: HeaderMap) -> Response {
    let Some(viewer) = &web.viewer else { return no_such_resource().await.into_response() };
    if name == "index.html" || !name.rsplit('/').next().is_some_and(|last| last.contains('.')) {
        return page_of(&web, &base).await;
    }
    let gzip = takes_gzip(&headers);
    match viewer.file(&name).await {
        Ok(Some(served)) => answer(&served, gzip, &headers),
        Ok(None) => no_such_resource().await.into_response(),
        Err(error) => unreadable(&error),
    }
}

async fn page_of(web: &Web, base: &BaseUrl) -> Response {
    let Some(viewer) = &web.viewer else { return no_such_resource().await.into_response() };
    match viewer.index().await {
        Ok(html) => isolated((
            [
                (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
                (header::CACHE_CONTROL, ASK_AGAIN),
            ],
            page::placed(&html, base.path()),
        )),
        Err(error) => unreadable(&error),
    }
}

fn unreadable(error: &std::io::Error) -> Response {
    tracing::error!(error = %error.kind(), "a file of [web] ohif_dir cannot be read");
    Problem::unavailable("The viewer's files cannot be read; the log says more.").into_response()
}

fn answer(served: &Served, gzip: bool, asked: &HeaderMap) -> Response {
    let etag = served.etag(gzip);
    let Ok(tag) = HeaderValue::from_str(&etag) else { return Problem::internal().into_response() };
    let unchanged = not_modified(asked, &etag);
    let mut response = match unchanged {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => served.body(gzip).into_response(),
    };
    let headers = response.headers_mut();
    headers.insert(header::ETAG, tag);
    headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    headers.insert(header::CACHE_CONTROL, if served.never_changes { FOR_EVER } else { ASK_AGAIN });
    if !unchanged {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(served.media_type));
        match served.is_compressed(gzip) {
            true => headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip")),
            false => headers.insert(header::CONTENT_LENGTH, served.size.into()),
        };
    }
    isolated(response)
}

fn isolated(response: impl IntoResponse) -> Response {
    let mut response = response.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(HeaderName::from_static("cross-origin-embedder-policy"), HeaderValue::from_static("require-corp"));
    response
}

#[cfg(test)]
mod tests;
