//! DICOMweb (PS3.18): search (QIDO-RS) and retrieve (WADO-RS).

use super::Web;
use axum::Router;

/// All resources, relative to `/dicom-web`.
pub fn router() -> Router<Web> {
    Router::new()
}
