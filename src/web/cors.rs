//! Pages of other origins (Fetch standard §3.2): only those that `[web] cors_origins` lists, and for
//! them errors carry the headers too, or a viewer could not tell 401 from a broken cable.

use super::problem::Problem;
use crate::config;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;

/// What a page may use at all; which of them a resource takes, its Allow says.
const METHODS: &str = "GET, HEAD, POST, DELETE, OPTIONS";
const REQUEST_HEADERS: &str = "Authorization, Accept, Content-Type, Range, If-None-Match, If-Range, X-Requested-With";
const EXPOSED: &str = "Content-Type, Content-Length, Content-Range, Accept-Ranges, ETag, Location, Warning, \
    Retry-After, X-Total-Count, X-Request-Id";
/// Quotes in Accept make every URL of a viewer a preflight of its own: let them be remembered for a day.
const MAX_AGE_S: u32 = 86_400;

/// The Origin of a request when the configuration lists it.
pub(super) fn allowed_origin(web: &config::Web, headers: &HeaderMap) -> Option<HeaderValue> {
    let origin = headers.get(header::ORIGIN)?;
    origin.to_str().is_ok_and(|text| lists(web, text)).then(|| origin.clone())
}

/// Whether the configuration lists an origin.
pub(super) fn lists(web: &config::Web, origin: &str) -> bool {
    web.cors_origins.iter().any(|allowed| allowed.trim_end_matches('/').eq_ignore_ascii_case(origin))
}

/// Whether a browser asks for a page what that may ask (Fetch standard §4.8).
pub(super) fn is_preflight(headers: &HeaderMap) -> bool {
    headers.contains_key(header::ORIGIN) && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// Answers OPTIONS: a preflight from a listed origin, or what a resource takes; the route itself adds Allow.
pub(super) fn options(web: &config::Web, headers: &HeaderMap) -> Result<Response, Problem> {
    let preflight = is_preflight(headers);
    if preflight && allowed_origin(web, headers).is_none() {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "Pages of this origin may not ask; [web] cors_origins lists those that may.",
        ));
    }
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let answer = response.headers_mut();
    if preflight {
        answer.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(METHODS));
        answer.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(REQUEST_HEADERS));
        answer.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from(MAX_AGE_S));
        if headers.contains_key("access-control-request-private-network") {
            answer.insert(
                HeaderName::from_static("access-control-allow-private-network"),
                HeaderValue::from_static("true"),
            );
        }
    }
    Ok(response)
}

/// What every answer says to a page of another origin.
pub(super) fn expose(headers: &mut HeaderMap, origin: Option<HeaderValue>) {
    headers.insert(header::VARY, HeaderValue::from_static("Origin, Accept, Accept-Encoding"));
    if let Some(origin) = origin {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(n, v)| (HeaderName::from_static(n), HeaderValue::from_static(v))).collect()
    }

    #[test]
    fn only_listed_origins_pass_a_preflight() {
        let web = config::Web { cors_origins: vec!["https://ohif.example".into()], ..config::Web::default() };
        let method = ("access-control-request-method", "GET");
        let passed = options(&web, &asked(&[("origin", "https://ohif.example"), method])).unwrap();
        assert_eq!(passed.status(), 204);
        let allowed = passed.headers()["access-control-allow-headers"].to_str().unwrap();
        for name in ["Authorization", "Accept", "Range", "If-None-Match", "If-Range"] {
            assert!(allowed.contains(name), "{name}");
        }
        for other in ["https://ohif.example.evil", "null", "http://ohif.example"] {
            assert!(options(&web, &asked(&[("origin", other), method])).is_err(), "{other}");
        }
        let plain = options(&web, &asked(&[])).unwrap();
        assert_eq!(plain.status(), 204);
    }
}
