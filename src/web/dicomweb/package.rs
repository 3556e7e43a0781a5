//! `application/zip` of a study, a series or an instance: the same package that a patient downloads, with its exact
//! length, strong ETag and ranges.

use super::asked::Asked;
use super::media::ZIP;
use super::representation::Representation;
use super::segments::{Segment, Segments};
use crate::access::package::{Package, PackageError, Scope};
use crate::web::Web;
use crate::web::problem::Problem;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::response::Response;
use futures_util::StreamExt;
use std::sync::Arc;

/// The package of what is asked for.
pub async fn zip(asked: &Asked) -> Result<Response, Problem> {
    let scope = Scope::of(&asked.selector);
    let package = version(&asked.web, &scope, asked.headers()).await?;
    let mut segments = Segments::default();
    segments.push(Segment::Package(package.clone(), 0..package.len()));
    let etag = format!("\"{}\"", package.etag());
    let representation = Representation { content_type: HeaderValue::from_static(ZIP), etag, segments };
    let mut response = asked.answer(representation);
    let name = HeaderValue::from_static("attachment; filename=\"images.zip\"");
    response.headers_mut().insert(header::CONTENT_DISPOSITION, name);
    if asked.method() == Method::HEAD || !response.status().is_success() {
        return Ok(response);
    }
    let place = asked.web.packages.place().ok_or_else(|| Problem::unavailable(FULL))?;
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
