//! Serves a router on a listener: HTTP/1.1 and HTTP/2, in clear or over TLS, with every wait and every count
//! bounded (header 10 s, 64 streams, 16 KiB/s after 60 s, idle 60 s). `axum::serve` installs no
//! header timer, so connections are built with hyper-util and a `TokioTimer`.

use super::activity::Activity;
use super::paced::Paced;
use crate::config;
use crate::net::tls::{ClientCertificate, Tls};
use crate::net::{self, Admission};
use axum::Router;
use axum::extract::Request;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The bounds of one listener.
#[derive(Debug, Clone)]
pub struct ServeLimits {
    pub connections: u32,
    pub connections_per_address: u32,
    /// From accept to the end of the first request's header, and for each header after that.
    pub header_timeout: Duration,
    /// How long an HTTP/2 connection may ask for nothing and take nothing.
    pub idle_timeout: Duration,
    /// How long running responses may take once the listener stops.
    pub drain: Duration,
    /// HTTP/2 beside HTTP/1.1, in clear too: there for programs, a browser would not speak it without TLS.
    pub http2: bool,
    /// Not counted per address: proxies stand for many.
    pub trusted_proxies: Vec<IpNet>,
}

impl ServeLimits {
    /// The bounds of `[web]`.
    pub fn web(limits: &config::Limits, web: &config::Web) -> Self {
        Self {
            connections: limits.http_connections,
            connections_per_address: limits.http_connections_per_address,
            header_timeout: limits.http_header_timeout.get(),
            idle_timeout: limits.http_idle_timeout.get(),
            drain: DRAIN,
            http2: true,
            trusted_proxies: web.trusted_proxies.clone(),
        }
    }
    /// The bounds of `[patient]`.
    pub fn patient(limits: &config::Limits, patient: &config::Patient) -> Self {
        Self {
            connections: limits.patient_connections,
            connections_per_address: limits.patient_connections_per_address,
            header_timeout: limits.http_header_timeout.get(),
            idle_timeout: limits.http_idle_timeout.get(),
            drain: DRAIN,
            http2: false,
            trusted_proxies: patient.trusted_proxies.clone(),
        }
    }
    /// The bounds of the control socket.
    pub fn control(limits: &config::Limits) -> Self {
        Self {
            connections: 64,
            connections_per_address: 64,
            header_timeout: limits.http_header_timeout.get(),
            idle_timeout: limits.http_idle_timeout.get(),
            drain: DRAIN,
            http2: true,
            trusted_proxies: Vec::new(),
        }
    }
}

/// After SIGTERM running responses have this long.
const DRAIN: Duration = Duration::from_secs(30);
const HEADER_BYTES_H1: usize = 32 << 10;
const HEADER_BYTES_H2: u32 = 16 << 10;
const HEADERS: usize = 100;
const STREAMS: u32 = 64;
const PENDING_RESETS: usize = 20;
const LOCAL_RESETS: usize = 256;
/// What one h2 stream may hold in memory ahead of its peer.
const SEND_BUFFER: usize = 512 << 10;

/// Who is at the other end of a connection; an extension of every request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    Tcp {
        remote: SocketAddr,
        /// Our own address, as the peer knows it.
        local: SocketAddr,
    },
    /// The control socket; the user id by SO_PEERCRED.
    Control { uid: u32 },
}

/// The certificate that a caller has shown; an extension of each of its requests, when there is one.
#[derive(Debug, Clone)]
pub struct Shown(pub Arc<ClientCertificate>);

/// Serves until `stop`, then lets running responses end within the drain time. With `tls` nothing is
/// spoken in clear.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: ServeLimits,
    tls: Option<Tls>,
    stop: CancellationToken,
) {
    let admission = Admission::new(limits.connections as usize, limits.connections_per_address as usize);
    let server = Server::new(router, &limits, stop.clone());
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let (stream, remote) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                pause_after(&error).await;
                continue;
            }
        };
        let remote = SocketAddr::new(remote.ip().to_canonical(), remote.port());
        let exempt = remote.ip().is_loopback() || trusts(&limits.trusted_proxies, remote.ip());
        // Over the cap the connection is closed unanswered: an answer would cost what the cap saves.
        let Ok(guard) = (if exempt { admission.enter_exempt() } else { admission.enter(remote.ip()) }) else {
            metrics::counter!("bluebridge_http_connections_refused_total").increment(1);
            continue;
        };
        net::http_socket(&stream);
        let Ok(local) = stream.local_addr() else { continue };
        let peer = Peer::Tcp { remote, local: SocketAddr::new(local.ip().to_canonical(), local.port()) };
        match tls.clone() {
            None => server.spawn(std::future::ready(Some((stream, None))), peer, guard),
            Some(tls) => {
                let opened = async move {
                    let (stream, client) = tls.accept(stream, remote.ip()).await.ok()?;
                    Some((stream, client.map(|certificate| Shown(Arc::new(certificate)))))
                };
                server.spawn(opened, peer, guard);
            }
        }
    }
    drop(listener);
    server.drain().await;
}

/// The same on the control socket; who asks is known by SO_PEERCRED.
pub async fn serve_control(listener: UnixListener, router: Router, limits: ServeLimits, stop: CancellationToken) {
    let admission = Arc::new(tokio::sync::Semaphore::new(limits.connections as usize));
    let server = Server::new(router, &limits, stop.clone());
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                let Ok(guard) = Arc::clone(&admission).try_acquire_owned() else { continue };
                if let Some(peer) = control_peer(&stream) {
                    server.spawn(std::future::ready(Some((stream, None))), peer, guard);
                }
            }
            Err(error) => pause_after(&error).await,
        }
    }
    drop(listener);
    server.drain().await;
}

fn control_peer(stream: &UnixStream) -> Option<Peer> {
    stream.peer_cred().ok().map(|credentials| Peer::Control { uid: credentials.uid() })
}

/// Whether `address` is one of `proxies`.
pub fn trusts(proxies: &[IpNet], address: IpAddr) -> bool {
    proxies.iter().any(|proxy| proxy.contains(&address))
}

/// Out of descriptors and the like: accepting again at once would spin.
async fn pause_after(error: &std::io::Error) {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionReset};
    if !matches!(error.kind(), ConnectionAborted | ConnectionReset) {
        tracing::warn!(error = %error.kind(), "a connection could not be accepted");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

struct Server {
    router: Router,
    builder: Arc<auto::Builder<TokioExecutor>>,
    header_timeout: Duration,
    idle_timeout: Duration,
    drain: Duration,
    stop: CancellationToken,
    connections: TaskTracker,
    /// Ends what outlives the drain time.
    kill: CancellationToken,
}

impl Server {
    fn new(router: Router, limits: &ServeLimits, stop: CancellationToken) -> Self {
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.header_timeout)
            .max_headers(HEADERS)
            .max_buf_size(HEADER_BYTES_H1);
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(STREAMS)
            .max_pending_accept_reset_streams(PENDING_RESETS)
            .max_local_error_reset_streams(LOCAL_RESETS)
            .max_header_list_size(HEADER_BYTES_H2)
            .max_send_buf_size(SEND_BUFFER)
            .keep_alive_interval(Duration::from_secs(30))
            .keep_alive_timeout(Duration::from_secs(20));
        if !limits.http2 {
            builder = builder.http1_only();
        }
        Self {
            router,
            builder: Arc::new(builder),
            header_timeout: limits.header_timeout,
            idle_timeout: limits.idle_timeout,
            drain: limits.drain,
            stop,
            connections: TaskTracker::new(),
            kill: CancellationToken::new(),
        }
    }

    /// Serves the stream that `opened` gives; `None` is a handshake that failed.
    fn spawn<O, S, G>(&self, opened: O, peer: Peer, guard: G)
    where
        O: Future<Output = Option<(S, Option<Shown>)>> + Send + 'static,
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        G: Send + 'static,
    {
        let builder = Arc::clone(&self.builder);
        let (router, stop, kill) = (self.router.clone(), self.stop.clone(), self.kill.clone());
        let first_header = CancellationToken::new();
        let (header_timeout, idle_timeout) = (self.header_timeout, self.idle_timeout);
        self.connections.spawn(async move {
            let _guard = guard;
            let opened = tokio::select! {
                biased;
                opened = opened => opened,
                () = stop.cancelled() => None,
            };
            let Some((stream, shown)) = opened else { return };
            let stream = Paced::new(stream);
            let activity = Activity::new(stream.pace());
            let (seen, watched) = (first_header.clone(), activity.clone());
            let service = hyper::service::service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
                if !seen.is_cancelled() {
                    seen.cancel();
                }
                answer(router.clone(), request, peer, shown.clone(), watched.clone())
            });
            let connection = builder.serve_connection(TokioIo::new(stream), service);
            let mut connection = std::pin::pin!(connection);
            // hyper's own timer starts once it has seen whether HTTP/1 or HTTP/2 is spoken; this one
            // covers a peer that never says.
            let silent = async {
                if tokio::time::timeout(header_timeout, first_header.cancelled()).await.is_ok() {
                    std::future::pending::<()>().await;
                }
            };
            let mut silent = std::pin::pin!(silent);
            let mut idle = std::pin::pin!(activity.idle(idle_timeout));
            let mut stopping = false;
            loop {
                tokio::select! {
                    biased;
                    // How a connection ends (reset, garbage, timeout) is the peer's matter.
                    _ = connection.as_mut() => break,
                    () = kill.cancelled() => break,
                    () = stop.cancelled(), if !stopping => {
                        stopping = true;
                        connection.as_mut().graceful_shutdown();
                    }
                    () = silent.as_mut() => break,
                    () = idle.as_mut() => break,
                }
            }
        });
    }

    async fn drain(self) {
        self.connections.close();
        if tokio::time::timeout(self.drain, self.connections.wait()).await.is_err() {
            self.kill.cancel();
            self.connections.wait().await;
        }
    }
}

async fn answer(
    mut router: Router,
    request: hyper::Request<hyper::body::Incoming>,
    peer: Peer,
    shown: Option<Shown>,
    activity: Arc<Activity>,
) -> Result<axum::response::Response, std::convert::Infallible> {
    let _work = activity.request(request.version());
    let mut request: Request = request.map(axum::body::Body::new);
    request.extensions_mut().insert(peer);
    if let Some(shown) = shown {
        request.extensions_mut().insert(shown);
    }
    let response = tower::Service::call(&mut router, request).await?;
    Ok(response.map(|body| activity.watch(body)))
}

#[cfg(test)]
mod tests;
