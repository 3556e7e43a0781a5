//! `/api/v1`: JSON for programs and for the command line. Described at `/api/v1/openapi.json`.

pub mod body;
mod changes;
mod deletions;
mod links;
pub(in crate::web) mod openapi;
#[cfg(test)]
pub(in crate::web) use openapi::DOCUMENT;
mod status;
pub mod tokens;
mod viewers;

use super::Web;
use axum::Router;
use axum::routing::get;
use jiff::Timestamp;

/// What is taken on `[web]` and on the control socket.
pub fn router() -> Router<Web> {
    Router::new()
        .route("/openapi.json", get(openapi::document))
        .route("/status", get(status::status))
        .route("/changes", get(changes::changes))
        .route("/studies/{study}/viewers", get(viewers::viewers).post(viewers::launch))
        .merge(links::router())
        .merge(deletions::router())
}

/// A time as the API writes it (RFC 3339).
fn time(ms: i64) -> String {
    Timestamp::from_millisecond(ms).unwrap_or(Timestamp::MAX).to_string()
}
