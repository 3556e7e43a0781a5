//! `application/zip` of a study: the same package that a patient downloads (design D8), with its exact
//! length, strong ETag and ranges.

use super::media::ZIP;
use super::representation::Representation;
use super::segments::{Segment, Segments};
use crate::access::package::{Package, PackageError, Scope};
use crate::domain::instance::Selector;
use crate::web::Web;
use crate::web::problem::Problem;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::response::Response;
use futures_util::StreamExt;
use std::sync::Arc;

/// The package of a study; of a series or an instance there is none.
pub async fn zip(web: &Web, selector: &Selector, request: Request) -> Result<Response, Problem> {
    if selector.series.is_some() {
        return Err(Problem::not_acceptable(
            "A package is made of whole studies; ask for the study as application/zip.",
        ));
    }
    let scope = Scope::study(selector.study.clone());
    let package = version(web, &scope, request.headers()).await?;
    let mut segments = Segments::default();
    segments.push(Segment::Package(package.clone(), 0..package.len()));
    let etag = format!("\"{}\"", package.etag());
    let representation = Representation { content_type: HeaderValue::from_static(ZIP), etag, segments };
    let (method, headers) = (request.method(), request.headers());
    let mut response = representation.respond(headers, &web.archive);
    let name = HeaderValue::from_static("attachment; filename=\"images.zip\"");
    response.headers_mut().insert(header::CONTENT_DISPOSITION, name);
    if method == Method::HEAD || !response.status().is_success() {
        return Ok(response);
    }
    let place = web.packages.place().ok_or_else(|| Problem::unavailable(FULL))?;
    // Held until the last byte: one of `limits.downloads`.
    Ok(response.map(|body| {
        Body::from_stream(body.into_data_stream().map(move |piece| {
            let _ = &place;
            piece
        }))
    }))
}

const FULL: &str = "As many downloads are running as this server allows at once; ask again later.";

/// A download that goes on gets the version it began with, as long as it is kept.
async fn version(web: &Web, scope: &Scope, headers: &HeaderMap) -> Result<Arc<Package>, PackageError> {
    if let Some(begun) = headers.get(header::IF_RANGE).and_then(|value| value.to_str().ok()) {
        let begun = begun.trim().trim_matches('"');
        if let Ok(package) = web.packages.frozen(scope, |etag| etag == begun).await {
            return Ok(package);
        }
    }
    web.packages.current(scope).await
}
