//! The stylesheet and the icon, embedded in the binary, under the digest of their bytes: they may be
//! kept for ever, and a new release has new names.

use axum::extract::Path;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};
use std::sync::LazyLock;

struct Asset {
    name: &'static str,
    media_type: &'static str,
    bytes: &'static [u8],
}

static ASSETS: [Asset; 2] = [
    Asset {
        name: "patient.css",
        media_type: "text/css; charset=utf-8",
        bytes: include_bytes!("../assets/patient.css"),
    },
    Asset { name: "icon.svg", media_type: "image/svg+xml", bytes: include_bytes!("../assets/icon.svg") },
];

/// One digest over all of them: any change renames all.
static DIGEST: LazyLock<String> = LazyLock::new(|| {
    let mut digest = Sha256::new();
    for asset in &ASSETS {
        digest.update(asset.bytes);
    }
    digest.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
});

/// The path of an asset.
pub(super) fn path(name: &str) -> String {
    format!("/assets/{}/{name}", *DIGEST)
}

pub(super) async fn show(Path((hash, file)): Path<(String, String)>) -> Response {
    let asset = ASSETS.iter().find(|asset| asset.name == file && hash == *DIGEST);
    let Some(asset) = asset else { return StatusCode::NOT_FOUND.into_response() };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(asset.media_type)),
        (header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable")),
    ];
    (headers, asset.bytes).into_response()
}
