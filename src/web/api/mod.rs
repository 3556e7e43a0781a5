//! `/api/v1`: JSON for programs and for the command line.

use super::Web;
use axum::Router;

pub fn router() -> Router<Web> {
    Router::new()
}
