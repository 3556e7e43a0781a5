//! What a viewer shows in a frame or an `<object>`: a document, a film, a report as a page.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

/// Takes the place of what the gate says of data, which no frame may show.
pub(super) const FRAMED: &str = "default-src 'none'; frame-ancestors 'self'";
/// A report brings its few lines of style.
pub(super) const STYLED: &str = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'";

/// Lets pages of our own origin frame this answer, and `origins`, those that may ask for it at all.
/// A page with COEP, such as OHIF's, frames only what sends COEP itself, of its own origin too (HTML §7.1.4).
pub(super) fn allow(headers: &mut HeaderMap, policy: &'static str, origins: &[String]) {
    let ancestors = [policy].into_iter().chain(origins.iter().map(String::as_str));
    let policy =
        HeaderValue::from_str(&ancestors.collect::<Vec<_>>().join(" ")).unwrap_or(HeaderValue::from_static(policy));
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    headers.insert(HeaderName::from_static("cross-origin-embedder-policy"), HeaderValue::from_static("require-corp"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listed_origins_may_show_documents_in_a_frame() {
        let told = |origins: &[&str]| {
            let origins: Vec<_> = origins.iter().map(|&origin| origin.to_owned()).collect();
            let mut headers = HeaderMap::new();
            allow(&mut headers, FRAMED, &origins);
            assert_eq!(headers["cross-origin-embedder-policy"], "require-corp");
            headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap().to_owned()
        };
        assert_eq!(told(&[]), "default-src 'none'; frame-ancestors 'self'");
        assert_eq!(
            told(&["https://a.example", "http://b.example:3000"]),
            "default-src 'none'; frame-ancestors 'self' https://a.example http://b.example:3000"
        );
        assert_eq!(told(&["https://a.example\n"]), FRAMED);
    }
}
