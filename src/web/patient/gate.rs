//! What every request of the patient listener passes: host, body rules, cross-site posts, time, panics,
//! the headers of every answer, and one log line.

use super::PatientWeb;
use super::pages::{self, Reader};
use crate::web::forwarded::Sender;
use crate::web::host::authority_of;
use crate::web::serve::Peer;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use std::net::{IpAddr, Ipv4Addr};
use std::panic::AssertUnwindSafe;
use std::time::Instant;

/// Where a request comes from, as far as it can be trusted; an extension of every request.
#[derive(Debug, Clone, Copy)]
pub(super) struct From(pub(super) IpAddr);

pub(super) async fn pass(State(web): State<PatientWeb>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let route = route.unwrap_or_else(|| "none".into());
    let from = match request.extensions().get::<Peer>() {
        Some(Peer::Tcp { remote, .. }) => Sender::of(&web.patient.trusted_proxies, remote.ip(), request.headers()).0,
        Some(Peer::Control { .. }) | None => Ipv4Addr::LOCALHOST.into(),
    };
    request.extensions_mut().insert(From(from));
    let reader = Reader::of(&web, request.headers());

    let mut response = match refusal(&web, &route, &request) {
        Some(StatusCode::FORBIDDEN) => pages::refused(&reader),
        Some(status) => status.into_response(),
        None => {
            let handler = AssertUnwindSafe(next.run(request)).catch_unwind();
            match tokio::time::timeout(web.limits.http_handler_timeout.get(), handler).await {
                Ok(Ok(response)) => response,
                Ok(Err(_)) => {
                    metrics::counter!("bluebridge_panics_total").increment(1);
                    pages::failed(&reader, StatusCode::INTERNAL_SERVER_ERROR)
                }
                Err(_) => pages::failed(&reader, StatusCode::SERVICE_UNAVAILABLE),
            }
        }
    };
    headers(response.headers_mut(), web.secure);
    log(&method, &route, response.status(), started);
    response
}

fn refusal(web: &PatientWeb, route: &str, request: &Request) -> Option<StatusCode> {
    let headers = request.headers();
    // Of two, a proxy before us may have looked at the other (RFC 9112 §3.2).
    if headers.get_all(header::HOST).iter().nth(1).is_some() {
        return Some(StatusCode::BAD_REQUEST);
    }
    if route != "/healthz" && !is_our_host(web, request) {
        return Some(StatusCode::MISDIRECTED_REQUEST);
    }
    // hyper drops a Content-Length beside Transfer-Encoding before we see it; forms have a length.
    if headers.contains_key(header::TRANSFER_ENCODING) {
        return Some(StatusCode::BAD_REQUEST);
    }
    if headers.get_all(header::CONTENT_ENCODING).iter().any(|value| value != "identity") {
        return Some(StatusCode::UNSUPPORTED_MEDIA_TYPE);
    }
    // `no-referrer` makes browsers send `Origin: null` on our own forms, so Origin says nothing here.
    let cross_site = headers.get("sec-fetch-site").is_some_and(|site| site == "cross-site");
    (*request.method() == Method::POST && cross_site).then_some(StatusCode::FORBIDDEN)
}

/// The name in `public_url`, a loopback name, or a bare address: a name that someone else let point
/// here (DNS rebinding) is none of them.
fn is_our_host(web: &PatientWeb, request: &Request) -> bool {
    let Some(host) = authority_of(request.uri(), request.headers()) else { return false };
    let name = without_port(host).to_ascii_lowercase();
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    name == web.host || name == "localhost" || bare.parse::<IpAddr>().is_ok()
}

pub(super) fn without_port(authority: &str) -> &str {
    let end = authority.rfind(']').map_or(0, |place| place + 1);
    let (bracketed, rest) = authority.split_at(end);
    match rest.find(':') {
        Some(colon) => authority.get(..bracketed.len() + colon).unwrap_or(authority),
        None => authority,
    }
}

const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; \
     img-src 'self' blob:; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

fn headers(headers: &mut HeaderMap, secure: bool) {
    let fixed = [
        ("referrer-policy", "no-referrer"),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("permissions-policy", "camera=(), microphone=(), geolocation=()"),
        ("x-robots-tag", "noindex, nofollow, noarchive"),
    ];
    // DICOMweb brings a stricter policy of its own.
    let policy = HeaderValue::from_static(CONTENT_SECURITY_POLICY);
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(policy);
    for (name, value) in fixed {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    if secure {
        let value = HeaderValue::from_static("max-age=63072000; includeSubDomains");
        headers.insert(header::STRICT_TRANSPORT_SECURITY, value);
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}

fn log(method: &Method, route: &str, status: StatusCode, started: Instant) {
    let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let code = status.as_u16();
    metrics::counter!("bluebridge_http_requests_total",
        "listener" => "patient", "route" => route.to_owned(), "status" => code.to_string())
    .increment(1);
    tracing::debug!(http.listener = "patient", http.method = %method, http.route = route, http.status = code,
        duration_ms, "request answered");
}

#[cfg(test)]
mod tests {
    use super::without_port;

    #[test]
    fn a_port_is_cut_off_a_host() {
        for (authority, host) in [
            ("a.org:443", "a.org"),
            ("a.org", "a.org"),
            ("[::1]:80", "[::1]"),
            ("[::1]", "[::1]"),
            ("", ""),
            (":80", ""),
        ] {
            assert_eq!(without_port(authority), host);
        }
    }
}
