//! Operations: is it alive, is it ready, what has it done.

use super::Web;
use super::caller::{Caller, Kind, Scope};
use super::problem::Problem;
use crate::domain::uid::StudyInstanceUid;
use axum::Router;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use std::sync::Arc;
use tokio::sync::watch;

/// Set by `app` when every listener listens, unset when it begins to stop.
#[derive(Debug, Clone, Default)]
pub struct Readiness(Arc<watch::Sender<bool>>);

impl Readiness {
    pub fn set(&self, ready: bool) {
        self.0.send_replace(ready);
    }
    pub fn is_set(&self) -> bool {
        *self.0.borrow()
    }
    /// Waits until it is unset: what waits for something else is to end then.
    pub async fn ends(&self) {
        // The sender lives as long as this does.
        let _ = self.0.subscribe().wait_for(|ready| !ready).await;
    }
}

pub fn router() -> Router<Web> {
    Router::new().route("/healthz", get(healthz)).route("/readyz", get(readyz)).route("/metrics", get(render_metrics))
}

/// 200 while the process answers at all.
async fn healthz() -> &'static str {
    "ok\n"
}

/// 200 when every listener listens and the index answers, else 503.
async fn readyz(State(web): State<Web>) -> Result<&'static str, Problem> {
    if !web.readiness.is_set() {
        return Err(Problem::unavailable("The service is starting or stopping."));
    }
    if !web.archive.is_ready() {
        return Err(Problem::unavailable("Intake is stopped after a disk error; the log says which."));
    }
    // Any answer will do; no study has this UID.
    let probe = StudyInstanceUid::parse("0.0").map_err(|_| Problem::internal())?;
    web.archive.study(&probe).await?;
    Ok("ready\n")
}

/// The Prometheus text format, for this machine or a caller with the scope read.
async fn render_metrics(State(web): State<Web>, caller: Caller) -> Result<Response, Problem> {
    if caller.kind != Kind::Loopback {
        caller.require(Scope::Read)?;
    }
    if let Ok(space) = web.archive.space() {
        metrics::gauge!("bluebridge_free_bytes").set(space.free_bytes as f64);
    }
    web.metrics.run_upkeep();
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], web.metrics.render()).into_response())
}
