//! `GET /api/v1/openapi.json`: the description of the API, written by hand; a test holds it against the
//! route table.

use axum::http::header;
use axum::response::{IntoResponse, Response};

pub(in crate::web) const DOCUMENT: &str = include_str!("openapi.json");

pub async fn document() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], DOCUMENT).into_response()
}
