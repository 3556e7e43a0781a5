//! What the command line asks a running daemon over `<data_dir>/control.sock`: the API,
//! operations, and what is never taken from the network. The caller is known by SO_PEERCRED.

use super::{Peer, Web, api, ops};
use axum::Router;
use axum::extract::Request;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::StatusCode;
use tower::ServiceExt;

/// The same API as on `[web]`, and the tokens of DICOMweb callers.
pub fn router() -> Router<Web> {
    Router::new().merge(ops::router()).nest("/api/v1", api::router().merge(api::tokens::router()))
}

/// Answers one request as the socket would, in this process and for its own user.
pub async fn answer(web: Web, request: hyper::Request<Full<Bytes>>) -> (StatusCode, Bytes) {
    let mut request: Request = request.map(axum::body::Body::new);
    request.extensions_mut().insert(Peer::Control { uid: rustix::process::geteuid().as_raw() });
    let Ok(response) = super::control_router(web).oneshot(request).await;
    let status = response.status();
    let body = response.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    (status, body)
}
