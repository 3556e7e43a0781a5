//! The gate: what every request passes, in one layer. Request id, host, caller, CORS, the time a handler
//! may take, panics, security headers, and one log line that names the route and never the URL.

use super::caller::{Caller, Kind, Scopes};
use super::forwarded::Sender;
use super::linger::Lingering;
use super::problem::{Problem, no_such_method, no_such_resource};
use super::serve::Peer;
use super::{Web, capabilities, cors, credentials, host, restricted};
use crate::access::bearer;
use crate::domain::restriction::Restriction;
use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::{MatchedPath, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use std::convert::Infallible;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tower::{Layer, Service};

/// `router` behind the gate, with problem documents for what it does not know.
pub fn gate(router: Router<Web>, web: Web, listener: &'static str) -> Router {
    router
        .fallback(no_such_resource)
        .method_not_allowed_fallback(no_such_method)
        .layer(GateLayer { web: web.clone(), listener })
        .with_state(web)
}

#[derive(Clone)]
struct GateLayer {
    web: Web,
    listener: &'static str,
}

impl<S> Layer<S> for GateLayer {
    type Service = Gate<S>;
    fn layer(&self, inner: S) -> Gate<S> {
        Gate { web: self.web.clone(), listener: self.listener, inner }
    }
}

#[derive(Clone)]
struct Gate<S> {
    web: Web,
    listener: &'static str,
    inner: S,
}

impl<S> Service<Request> for Gate<S>
where
    S: Service<Request, Response = Response, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let clone = self.inner.clone();
        let inner = std::mem::replace(&mut self.inner, clone);
        let (web, listener) = (self.web.clone(), self.listener);
        Box::pin(async move { Ok(pass(&web, listener, inner, request).await) })
    }
}

async fn pass<S>(web: &Web, listener: &'static str, inner: S, request: Request) -> Response
where
    S: Service<Request, Response = Response, Error = Infallible> + Send,
    S::Future: Send,
{
    let started = Instant::now();
    let id = RequestId::next();
    let (mut parts, body) = request.into_parts();
    let route = parts.extensions.get::<MatchedPath>().cloned();
    let method = parts.method.clone();
    let origin = cors::allowed_origin(&web.config, &parts.headers);
    parts.extensions.insert(id);
    if let Some(Peer::Tcp { remote, .. }) = parts.extensions.get::<Peer>() {
        let sender = Sender::of(&web.config.trusted_proxies, remote.ip(), &parts.headers);
        parts.extensions.insert(sender);
    }

    let upload = is_upload(&method, route.as_ref());
    let body = Lingering::over(body);
    // hyper drops a Content-Length that stands beside Transfer-Encoding before we can see it, and one of
    // the two was meant for somebody else (RFC 9112 §6.1): such a request is the last of its connection.
    let last = parts.headers.contains_key(header::TRANSFER_ENCODING);
    let mut response = match admit(web, &parts, route.is_some(), upload).await {
        Err(problem) => problem.into_response(),
        Ok(Admitted::Answered(response)) => response,
        Ok(Admitted::Caller(caller)) => {
            parts.extensions.insert(caller);
            // An upload takes as long as its body, which is timed by itself.
            let time = if upload { Duration::MAX } else { web.limits.http_handler_timeout.get() };
            handle(time, inner, Request::from_parts(parts, body)).await
        }
    };
    let mut cause = None;
    if let Some(mut problem) = response.extensions_mut().remove::<Problem>() {
        cause = problem.cause.take();
        let allow = response.headers_mut().remove(header::ALLOW);
        response = problem.render(Some(&id.to_string()));
        if let Some(allow) = allow {
            response.headers_mut().insert(header::ALLOW, allow);
        }
        if method == Method::HEAD {
            // The length that GET would have (RFC 9110 §8.6).
            if let Some(length) = response.body().size_hint().exact() {
                response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
            }
            *response.body_mut() = Body::empty();
        }
    }
    let headers = response.headers_mut();
    secure(headers, !web.config.cors_origins.is_empty());
    cors::expose(headers, origin);
    if last {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    if let Ok(value) = HeaderValue::from_str(&id.to_string()) {
        headers.insert(HeaderName::from_static("x-request-id"), value);
    }
    log(listener, &method, route.as_ref(), response.status(), started, id, cause.as_deref());
    response
}

/// A caller whom another gate has let in, and the address under which they reach us; an extension of the
/// request, which nothing from outside can set.
#[derive(Debug, Clone)]
pub struct Given {
    pub caller: Caller,
    /// What stands before `/dicom-web`.
    pub base: String,
}

enum Admitted {
    Answered(Response),
    Caller(Caller),
}

/// The routes of STOW-RS: bodies of any length, for any time.
fn is_upload(method: &Method, route: Option<&MatchedPath>) -> bool {
    let taken = ["/dicom-web/studies", "/dicom-web/studies/{study}"];
    *method == Method::POST && route.is_some_and(|route| taken.contains(&route.as_str()))
}

/// All that is decided before a handler runs.
async fn admit(web: &Web, request: &Parts, known_route: bool, upload: bool) -> Result<Admitted, Problem> {
    let headers = &request.headers;
    let Some(peer) = request.extensions.get::<Peer>().copied() else {
        return Err(Problem::internal());
    };
    let given = request.extensions.get::<Given>();
    if given.is_none() {
        host::check_host(&web.config, peer, &request.uri, headers)?;
    }
    // Only uploads come in bodies of unknown length.
    let mut transfer = headers.get_all(header::TRANSFER_ENCODING).iter();
    let chunked = transfer.next().is_some_and(|coding| coding.as_bytes().eq_ignore_ascii_case(b"chunked"));
    let plain = !headers.contains_key(header::TRANSFER_ENCODING);
    if !(plain || (upload && chunked && transfer.next().is_none())) {
        return Err(Problem::bad_request(
            "Request bodies are taken with Content-Length and without Transfer-Encoding.",
        ));
    }
    // A compressed request is a bomb until proven otherwise, and nobody sends one.
    let encoded = headers.get_all(header::CONTENT_ENCODING).iter().any(|value| value != "identity");
    if encoded {
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "Request bodies are taken without Content-Encoding.",
        ));
    }
    // A preflight of what is not there passes, or the page would see a broken cable in place of the 404.
    let answered = known_route || cors::is_preflight(headers);
    if request.method == Method::OPTIONS && answered && !capabilities::asked(request) {
        return cors::options(&web.config, headers).map(Admitted::Answered);
    }
    let caller = match given {
        Some(given) => given.caller.clone(),
        None => caller_of(web, peer, request).await?,
    };
    restricted::check(web, &caller, request).await?;
    Ok(Admitted::Caller(caller))
}

async fn caller_of(web: &Web, peer: Peer, request: &Parts) -> Result<Caller, Problem> {
    let headers = &request.headers;
    if let Peer::Control { uid } = peer {
        let ours = rustix::process::geteuid().as_raw();
        return Ok(if uid == ours || uid == 0 { Caller::CONTROL } else { Caller::NOBODY });
    }
    if let Some(token) = credentials::bearer(headers)? {
        if let Some(oidc) = web.oidc.as_ref().filter(|_| !bearer::is_ours(token)) {
            return oidc.check(token).await.map(credentials::subject).map_err(Problem::from);
        }
        let bearer = web.tokens.check(token).await?.ok_or_else(Problem::invalid_token)?;
        let scopes = Scopes::parse(&bearer.scopes).unwrap_or(Scopes::NONE);
        let only = bearer.study.map(|study| Restriction::to_studies([study]));
        return Ok(Caller::new(Kind::Token { id: bearer.token_id }, scopes).restricted_to(only));
    }
    // After the token: who sends one wants to be taken for its bearer.
    if let Some(known) = credentials::certified(&web.config, peer, request) {
        return Ok(known);
    }
    if credentials::anonymous_allowed(&web.config, peer, request) {
        return Ok(Caller::LOOPBACK);
    }
    Ok(Caller::NOBODY)
}

/// Runs the handler until it has response headers; a panic is our bug and ends this request only.
async fn handle<S>(time: Duration, mut inner: S, request: Request) -> Response
where
    S: Service<Request, Response = Response, Error = Infallible> + Send,
    S::Future: Send,
{
    let handler = AssertUnwindSafe(inner.call(request)).catch_unwind();
    match tokio::time::timeout(time, handler).await {
        Ok(Ok(Ok(response))) => response,
        Ok(Err(_)) => {
            metrics::counter!("bluebridge_panics_total").increment(1);
            Problem::internal().into_response()
        }
        Err(_) => Problem::unavailable("The answer took too long; ask for less, or again later.").into_response(),
    }
}

/// Headers that keep a browser from doing more with an answer than showing it.
fn secure(headers: &mut HeaderMap, shared: bool) {
    const NONE: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'; sandbox");
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(NONE);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.insert(HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin"));
    // A viewer of another origin that is cross-origin isolated may load us only when we say so.
    headers.insert(
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static(if shared { "cross-origin" } else { "same-site" }),
    );
}

/// The route's template, never the URL: a QIDO-RS query string is PHI.
fn log(
    listener: &'static str,
    method: &Method,
    route: Option<&MatchedPath>,
    status: StatusCode,
    started: Instant,
    id: RequestId,
    cause: Option<&str>,
) {
    let route = route.map_or("none", MatchedPath::as_str);
    let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let code = status.as_u16();
    metrics::counter!("bluebridge_http_requests_total",
        "listener" => listener, "route" => route.to_owned(), "status" => code.to_string())
    .increment(1);
    if status.is_server_error() {
        tracing::error!(request.id = %id, http.listener = listener, http.method = %method, http.route = route,
            http.status = code, duration_ms, cause, "request failed");
    } else {
        tracing::debug!(request.id = %id, http.listener = listener, http.method = %method, http.route = route,
            http.status = code, duration_ms, "request answered");
    }
}

/// Names one request in its answer and in the log: the process, and a number. A caller's own
/// `X-Request-Id` is not taken over, because it could hold anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestId(u64);

impl RequestId {
    fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

impl std::fmt::Display for RequestId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        static PROCESS: LazyLock<u32> = LazyLock::new(|| getrandom::u32().unwrap_or(0));
        write!(f, "{:08x}-{:x}", *PROCESS, self.0)
    }
}
