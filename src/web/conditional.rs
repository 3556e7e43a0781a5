//! Conditions on the version of a resource: If-Match and If-None-Match (RFC 9110 §13.1).

use axum::http::{HeaderMap, HeaderValue, header};

/// Whether If-Match is there and names another version than `etag` (strong comparison, RFC 9110 §13.1.1).
pub fn precondition_fails(headers: &HeaderMap, etag: &str) -> bool {
    let named = |value: &HeaderValue| {
        value.to_str().is_ok_and(|text| text.trim() == "*" || text.split(',').any(|tag| tag.trim() == etag))
    };
    headers.contains_key(header::IF_MATCH) && !headers.get_all(header::IF_MATCH).iter().any(named)
}

/// Whether If-None-Match names `etag` (weak comparison, RFC 9110 §13.1.2).
pub fn not_modified(headers: &HeaderMap, etag: &str) -> bool {
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .any(|value| value.trim() == "*" || value.split(',').any(|tag| opaque(tag) == opaque(etag)))
}

/// Whether the conditions of a request keep its body from being sent, so that nothing need be made for it.
pub fn is_answered_without_body(headers: &HeaderMap, etag: &str) -> bool {
    precondition_fails(headers, etag) || not_modified(headers, etag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_very_version_meets_a_condition() {
        for (text, fails) in
            [("\"a\"", false), ("*", false), ("\"b\", \"a\"", false), ("\"b\"", true), ("W/\"a\"", true)]
        {
            let mut headers = HeaderMap::new();
            headers.insert(header::IF_MATCH, HeaderValue::from_static(text));
            assert_eq!(precondition_fails(&headers, "\"a\""), fails, "{text}");
        }
        assert!(!precondition_fails(&HeaderMap::new(), "\"a\""));
    }

    #[test]
    fn any_of_the_named_tags_will_do() {
        let matches = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::IF_NONE_MATCH, HeaderValue::from_static(text));
            not_modified(&headers, "\"a\"")
        };
        assert!(matches("\"a\"") && matches("\"x\", W/\"a\"") && matches("*"));
        assert!(!matches("\"b\"") && !matches(""));
    }
}
