//! The pages of the `[patient]` listener: a form that opens a link, what it opens, the download, and DICOMweb
//! over the link's studies.
//!
//! Nothing a mail scanner can do changes anything: GET and HEAD have no effect, and an empty or mistyped
//! form costs no attempt. Every answer passes the gate, which sets the headers and writes the one log
//! line, with the route and never the URL: the token stands in it.

mod assets;
mod cookies;
mod download;
mod gate;
mod landing;
mod my;
mod pages;
mod pictures;
mod range;
mod share;
mod words;

#[cfg(test)]
mod tests;

use super::limits::Limits;
use crate::access::Access;
use crate::access::package::Packages;
use crate::config;
use crate::domain::clock::Clock;
use crate::imaging::Imaging;
use axum::extract::DefaultBodyLimit;
use axum::routing::{any, get, post};
use axum::{Router, middleware};
use std::ops::Deref;
use std::sync::Arc;

/// What the handlers of `[patient]` share.
#[derive(Clone)]
pub struct PatientWeb(Arc<Shared>);

/// Handed over by `app`, by value.
pub struct PatientParts {
    pub access: Access,
    pub imaging: Imaging,
    pub packages: Packages,
    pub facility: config::Facility,
    pub patient: config::Patient,
    pub link: config::Link,
    pub limits: config::Limits,
    pub clock: Clock,
    /// `/dicom-web` for readers whom `share` has let in.
    pub share: Router,
}

pub struct Shared {
    parts: PatientParts,
    rates: Limits,
    /// Links begin with https, so cookies are `Secure` and browsers are told to stay with it.
    secure: bool,
    /// The host name that readers use.
    host: String,
}

impl PatientWeb {
    pub fn new(parts: PatientParts) -> Self {
        let url = parts.patient.public_url.to_ascii_lowercase();
        let (scheme, rest) = url.split_once("://").unwrap_or(("https", &url));
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        Self(Arc::new(Shared {
            rates: Limits::new(&parts.link),
            secure: scheme == "https",
            host: gate::without_port(authority).to_owned(),
            parts,
        }))
    }
}

impl Deref for PatientWeb {
    type Target = Shared;
    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl Deref for Shared {
    type Target = PatientParts;
    fn deref(&self) -> &PatientParts {
        &self.parts
    }
}

/// Everything on `[patient]`.
pub fn router(web: PatientWeb) -> Router {
    let body_max = usize::try_from(web.limits.patient_body.get()).unwrap_or(usize::MAX);
    Router::new()
        .route("/v/{token}", get(landing::show).post(landing::answer))
        .route("/my", get(my::show))
        .route("/my/{picture}", get(pictures::show))
        .route("/my/sign-out", post(my::sign_out))
        .route("/s/{link}/dicom-web", any(share::serve))
        .route("/s/{link}/dicom-web/", any(share::serve))
        .route("/s/{link}/dicom-web/{*resource}", any(share::serve))
        .route("/s/{link}/wado", any(share::serve))
        .route("/s/{link}/wado/", any(share::serve))
        .route("/d/{ticket}/images.zip", get(download::send))
        .route("/assets/{hash}/{file}", get(assets::show))
        .route("/healthz", get(|| async { "ok\n" }))
        .fallback(pages::missing)
        .method_not_allowed_fallback(pages::not_allowed)
        .layer(DefaultBodyLimit::max(body_max))
        .layer(middleware::from_fn_with_state(web.clone(), gate::pass))
        .with_state(web)
}
