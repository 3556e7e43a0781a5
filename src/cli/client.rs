//! The way of a command to the archive: over the control socket of the running daemon, or, when none
//! runs, through the same router in this process. Either way the same code answers.

use super::Failure;
use crate::app;
use crate::config::Config;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;

/// An answer longer than this is not one of ours.
const ANSWER_MAX: usize = 64 << 20;

/// Sends one request of the API and returns its JSON (`Null` for an empty body). A refusal becomes the
/// sentence of its problem document.
pub async fn call(config: &Config, method: Method, path: &str, body: Option<&Value>) -> Result<Value, Failure> {
    let bytes = match body {
        Some(body) => Bytes::from(serde_json::to_vec(body).map_err(Failure::failed)?),
        None => Bytes::new(),
    };
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", "localhost")
        .header("content-type", "application/json")
        .body(Full::new(bytes))
        .map_err(Failure::failed)?;
    let (status, answer) = match tokio::net::UnixStream::connect(config.data_dir.join("control.sock")).await {
        Ok(stream) => over_socket(stream, request).await?,
        Err(_) => app::in_process(config, request).await.map_err(Failure::failed)?,
    };
    let json =
        if answer.is_empty() { Value::Null } else { serde_json::from_slice(&answer).map_err(Failure::failed)? };
    if status.is_success() {
        return Ok(json);
    }
    let sentence = json.get("detail").or_else(|| json.get("title")).and_then(Value::as_str);
    let sentence = sentence.map_or_else(|| format!("the daemon answered {status}"), str::to_owned);
    match status {
        // What was asked for cannot be: the caller's to mend.
        StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => Err(Failure::Usage(sentence)),
        _ => Err(Failure::Failed(sentence)),
    }
}

async fn over_socket(
    stream: tokio::net::UnixStream,
    request: Request<Full<Bytes>>,
) -> Result<(StatusCode, Bytes), Failure> {
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(Failure::failed)?;
    let driver = tokio::spawn(connection);
    let response = sender.send_request(request).await.map_err(Failure::failed)?;
    let status = response.status();
    let body = http_body_util::Limited::new(response.into_body(), ANSWER_MAX);
    let body = body.collect().await.map_err(|error| Failure::Failed(error.to_string()))?.to_bytes();
    driver.abort();
    Ok((status, body))
}
