//! DICOMweb (PS3.18): search (QIDO-RS, §10.6), retrieve (WADO-RS, §10.4) and store (STOW-RS, §10.5).
//!
//! Files are opened for pixels only: searches and metadata come from the index, and what a body is made
//! of is known before its first file is touched.

pub(in crate::web) mod accept;
mod asked;
mod bulk;
mod count;
mod delete;
mod documents;
mod framed;
mod frames;
mod json;
mod media;
pub(in crate::web) mod metadata;
mod multipart;
mod package;
mod params;
mod qido;
mod range;
mod rendered;
mod report;
mod representation;
mod segments;
mod stow;
#[cfg(test)]
mod tests;
mod transform;
pub mod uri;
mod viewing;
mod wado;
mod whole;
mod xml;

pub(super) use accept::{Accept, takes_gzip};
pub(super) use media::ZIP;
pub use stow::Uploads;

use super::Web;
use super::base_url::BaseUrl;
use super::problem::Problem;
use crate::domain::instance::Selector;
use crate::domain::uid::{InvalidUid, SeriesInstanceUid, SopInstanceUid, StudyInstanceUid};
use axum::Router;
use axum::routing::get;

/// All resources, relative to `/dicom-web`.
pub fn router() -> Router<Web> {
    Router::new()
        .route("/studies", get(qido::studies).post(stow::studies))
        .route("/series", get(qido::series))
        .route("/instances", get(qido::instances))
        .route("/studies/{study}", get(wado::retrieve).post(stow::study).delete(delete::delete))
        .route("/studies/{study}/metadata", get(metadata::metadata))
        .route("/studies/{study}/bootstrap", get(metadata::bootstrap))
        .route("/studies/{study}/series", get(qido::series))
        .route("/studies/{study}/instances", get(qido::instances))
        .route("/studies/{study}/series/{series}", get(wado::retrieve).delete(delete::delete))
        .route("/studies/{study}/series/{series}/metadata", get(metadata::metadata))
        .route("/studies/{study}/series/{series}/instances", get(qido::instances))
        .route("/studies/{study}/series/{series}/instances/{instance}", get(wado::retrieve).delete(delete::delete))
        .route("/studies/{study}/series/{series}/instances/{instance}/metadata", get(metadata::metadata))
        .route("/studies/{study}/series/{series}/instances/{instance}/frames/{frames}", get(frames::frames))
        .route("/studies/{study}/series/{series}/instances/{instance}/bulkdata/{*path}", get(bulk::bulkdata))
        .merge(counts())
        .merge(wholes())
        .merge(pictures())
}

fn counts() -> Router<Web> {
    Router::new()
        .route("/studies/count", get(count::studies))
        .route("/series/count", get(count::series))
        .route("/instances/count", get(count::instances))
        .route("/studies/{study}/series/count", get(count::series))
        .route("/studies/{study}/instances/count", get(count::instances))
        .route("/studies/{study}/series/{series}/instances/count", get(count::instances))
}

fn wholes() -> Router<Web> {
    Router::new()
        .route("/studies/{study}/bulkdata", get(whole::bulkdata))
        .route("/studies/{study}/pixeldata", get(whole::pixeldata))
        .route("/studies/{study}/series/{series}/bulkdata", get(whole::bulkdata))
        .route("/studies/{study}/series/{series}/pixeldata", get(whole::pixeldata))
        .route("/studies/{study}/series/{series}/instances/{instance}/bulkdata", get(whole::bulkdata))
        .route("/studies/{study}/series/{series}/instances/{instance}/pixeldata", get(whole::pixeldata))
}

fn pictures() -> Router<Web> {
    Router::new()
        .route("/studies/{study}/rendered", get(rendered::rendered))
        .route("/studies/{study}/thumbnail", get(rendered::thumbnail))
        .route("/studies/{study}/series/{series}/rendered", get(rendered::rendered))
        .route("/studies/{study}/series/{series}/thumbnail", get(rendered::thumbnail))
        .route("/studies/{study}/series/{series}/instances/{instance}/rendered", get(rendered::rendered))
        .route("/studies/{study}/series/{series}/instances/{instance}/thumbnail", get(rendered::thumbnail))
        .route("/studies/{study}/series/{series}/instances/{instance}/frames/{frames}/rendered", get(rendered::frames))
        .route(
            "/studies/{study}/series/{series}/instances/{instance}/frames/{frames}/thumbnail",
            get(rendered::frames_thumbnail),
        )
}

/// What the path names.
#[derive(serde::Deserialize)]
struct Named {
    study: String,
    series: Option<String>,
    instance: Option<String>,
    frames: Option<String>,
    path: Option<String>,
}

impl Named {
    fn selector(&self) -> Result<Selector, Problem> {
        select(&self.study, self.series.as_deref(), self.instance.as_deref())
    }
    fn below(self) -> String {
        self.frames.or(self.path).unwrap_or_default()
    }
}

fn not_utf8() -> Problem {
    Problem::bad_request("The path is not UTF-8.")
}

/// Parses the UIDs of a path; what is no UID cannot name anything.
fn select(study: &str, series: Option<&str>, instance: Option<&str>) -> Result<Selector, Problem> {
    let wrong = |_: InvalidUid| {
        Problem::bad_request("A UID in the path is not one: 1 to 64 of the characters 0-9 and '.' (PS3.5 §9.1).")
    };
    // Padding is of values in data sets; here it is a typing error, and nothing is deleted by a guess.
    if [Some(study), series, instance].into_iter().flatten().any(|uid| uid.ends_with(['\0', ' '])) {
        return Err(wrong(InvalidUid));
    }
    Ok(Selector {
        study: StudyInstanceUid::parse(study).map_err(wrong)?,
        series: series.map(SeriesInstanceUid::parse).transpose().map_err(wrong)?,
        instance: instance.map(SopInstanceUid::parse).transpose().map_err(wrong)?,
    })
}

/// The URL of one instance.
fn instance_url(root: &str, study: &StudyInstanceUid, series: &SeriesInstanceUid, instance: &SopInstanceUid) -> String {
    let mut url = String::with_capacity(root.len() + 230);
    for piece in [root, "/studies/", study.as_str(), "/series/", series.as_str(), "/instances/", instance.as_str()] {
        url.push_str(piece);
    }
    url
}

/// What of the base URL stands in a body, for an ETag: the same instance under another name is another
/// body.
fn base_tag(base: &BaseUrl) -> u32 {
    crc32fast::hash(base.as_str().as_bytes())
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
