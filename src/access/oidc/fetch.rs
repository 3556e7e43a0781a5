//! One GET of a small JSON document: bounded in time and size, no redirect followed.

use crate::config::oidc::is_safe_url;
use crate::net::tls::Outbound;
use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::{Request, StatusCode, Uri, header};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::time::Duration;

/// From the name's resolution to the last byte.
const TIME: Duration = Duration::from_secs(5);
/// Of discovery documents and key sets, which are some KiB.
const SIZE: usize = 512 << 10;

/// Why nothing came; for the log.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error("{0:?} is neither https nor on this machine")]
    Url(String),
    #[error("no answer within {} s", TIME.as_secs())]
    Slow,
    #[error("no connection: {0}")]
    Connect(std::io::Error),
    #[error("no answer: {0}")]
    Http(#[from] hyper::Error),
    #[error("the answer was {0}")]
    Status(StatusCode),
    #[error("the answer broke off, or is larger than {} KiB", SIZE >> 10)]
    Body,
    #[error("the answer is not JSON")]
    Json,
}

pub(super) async fn get_json(outbound: &Outbound, url: &str) -> Result<Value, FetchError> {
    tokio::time::timeout(TIME, get(outbound, url)).await.map_err(|_| FetchError::Slow)?
}

async fn get(outbound: &Outbound, url: &str) -> Result<Value, FetchError> {
    let wrong = || FetchError::Url(url.to_owned());
    let uri: Uri = url.parse().map_err(|_| wrong())?;
    let (Some(host), true) = (uri.host(), is_safe_url(url)) else { return Err(wrong()) };
    let encrypted = uri.scheme_str() == Some("https");
    let port = uri.port_u16().unwrap_or(if encrypted { 443 } else { 80 });
    let stream = outbound.connect(host, port, encrypted).await.map_err(FetchError::Connect)?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let driver = Driver(tokio::spawn(async move {
        let _ = connection.await;
    }));
    let authority = uri.authority().map_or(host, |authority| authority.as_str());
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let request = Request::get(path)
        .header(header::HOST, authority)
        .header(header::ACCEPT, "application/json")
        .body(Empty::<Bytes>::new())
        .map_err(|_| wrong())?;
    let answer = sender.send_request(request).await?;
    if answer.status() != StatusCode::OK {
        return Err(FetchError::Status(answer.status()));
    }
    let body = Limited::new(answer.into_body(), SIZE).collect().await.map_err(|_| FetchError::Body)?;
    drop(driver);
    serde_json::from_slice(&body.to_bytes()).map_err(|_| FetchError::Json)
}

/// Ends the connection's task with the request, also when that is given up.
struct Driver(tokio::task::JoinHandle<()>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}
