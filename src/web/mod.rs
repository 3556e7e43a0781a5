//! HTTP in, HTTP out: DICOMweb, the API, operations, the patient's pages.
//!
//! Handlers are thin: read the request, call one workshop function, write the answer. What every
//! request has in common (host, caller, CORS, time, log) is the gate's (`middleware`), which HTTP
//! status an error is, is decided in `problem`, and who asks in `credentials`.

mod activity;
pub mod api;
pub mod base_url;
pub mod caller;
mod capabilities;
mod conditional;
pub mod control;
mod cors;
mod credentials;
pub mod dicomweb;
pub mod forwarded;
mod front;
mod host;
pub mod limits;
mod linger;
pub mod middleware;
pub mod ohif;
pub mod ops;
mod paced;
pub mod patient;
pub mod problem;
mod restricted;
pub mod routes;
pub mod serve;
#[cfg(test)]
pub mod testing;

pub use serve::{Peer, ServeLimits, serve, serve_control};

use crate::access::Access;
use crate::access::bearer::Tokens;
use crate::access::oidc::Oidc;
use crate::access::package::Packages;
use crate::access::reads::Reads;
use crate::archive::Archive;
use crate::config;
use crate::domain::ae_title::AeTitle;
use crate::domain::clock::Clock;
use crate::imaging::Imaging;
use axum::Router;
use metrics_exporter_prometheus::PrometheusHandle;
use std::ops::Deref;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// What the handlers of `[web]` and of the control socket share.
#[derive(Clone)]
pub struct Web(Arc<WebParts>);

/// Handed over by `app`, by value.
pub struct WebParts {
    pub archive: Archive,
    pub tokens: Tokens,
    pub oidc: Option<Oidc>,
    pub access: Access,
    pub packages: Packages,
    pub imaging: Imaging,
    pub reads: Reads,
    pub uploads: dicomweb::Uploads,
    /// Places of those who wait for changes.
    pub waiters: Semaphore,
    /// Ours, as answers name it (Retrieve AE Title).
    pub ae_title: AeTitle,
    pub config: config::Web,
    pub limits: config::Limits,
    pub clock: Clock,
    pub metrics: PrometheusHandle,
    pub readiness: ops::Readiness,
    /// OHIF, when its files are there.
    pub viewer: Option<Arc<ohif::Viewer>>,
}

impl Web {
    pub fn new(parts: WebParts) -> Self {
        Self(Arc::new(parts))
    }
}

impl Deref for Web {
    type Target = WebParts;
    fn deref(&self) -> &WebParts {
        &self.0
    }
}

/// Everything on `[web]`.
pub fn web_router(web: Web) -> Router {
    let router = Router::new()
        .merge(ops::router())
        .merge(ohif::router())
        .merge(capabilities::router())
        .merge(dicomweb::uri::router())
        .nest("/dicom-web", dicomweb::router())
        .nest("/api/v1", api::router());
    front::front(middleware::gate(router, web, "web"))
}

/// DICOMweb for callers whom another gate has let in (`middleware::Given`), and for nobody else.
pub fn share_router(web: Web) -> Router {
    let router = Router::new()
        .merge(capabilities::dicomweb_router())
        .merge(dicomweb::uri::router())
        .nest("/dicom-web", dicomweb::router());
    front::front(middleware::gate(router, web, "share"))
}

/// Everything on the control socket.
pub fn control_router(web: Web) -> Router {
    front::front(middleware::gate(control::router(), web, "control"))
}
