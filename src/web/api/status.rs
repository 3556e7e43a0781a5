//! `GET /api/v1/status`: what runs here.

use super::body::Json;
use crate::web::Web;
use crate::web::caller::Reader;
use axum::extract::State;
use serde::Serialize;

#[derive(Debug, Serialize)]
pub struct Status {
    version: &'static str,
    ready: bool,
    ae_title: String,
}

pub async fn status(State(web): State<Web>, Reader(_): Reader) -> Json<Status> {
    Json(Status {
        version: env!("CARGO_PKG_VERSION"),
        ready: web.readiness.is_set(),
        ae_title: web.ae_title.to_string(),
    })
}
