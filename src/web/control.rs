//! What the command line asks a running daemon over `<data_dir>/control.sock` (design D11): the API,
//! operations, and what is never taken from the network. The caller is known by SO_PEERCRED.

use super::{Web, api, ops};
use axum::Router;

/// The same API as on `[web]`, and the tokens of DICOMweb callers.
pub fn router() -> Router<Web> {
    Router::new().merge(ops::router()).nest("/api/v1", api::router())
}
