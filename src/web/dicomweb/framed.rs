//! What a viewer shows in a frame or an `<object>`: a document, a film, a report as a page.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

/// Takes the place of what the gate says of data, which no frame may show.
pub(super) const FRAMED: &str = "default-src 'none'; frame-ancestors 'self'";
/// A report brings its few lines of style.
pub(super) const STYLED: &str = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'";

/// A page with COEP, such as OHIF's, frames only what sends COEP itself, of its own origin too (HTML §7.1.4).
pub(super) fn allow(headers: &mut HeaderMap, policy: &'static str) {
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    headers.insert(HeaderName::from_static("cross-origin-embedder-policy"), HeaderValue::from_static("require-corp"));
}
