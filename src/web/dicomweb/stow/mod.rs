//! Store (STOW-RS, PS3.18 §10.5): instances in the parts of a multipart/related body, or one instance as
//! the body itself. Each is taken in by `archive::receive` while it arrives, and answered by name.
//!
//! A request has a thread of its own ([`desk`]), because taking in writes files and hashes; the handler
//! hands it the body in portions ([`body`]) and waits for what became of the parts. A request that is given
//! up leaves what was stored and nothing else.

mod answer;
mod attributes;
mod body;
mod content_type;
mod desk;
mod metadata;
mod outcome;
mod part;
mod pixels;
mod related;
mod wrap;

use super::accept::Accept;
use super::media;
use crate::archive::Source;
use crate::config::Limits;
use crate::web::Web;
use crate::web::base_url::BaseUrl;
use crate::web::caller::{self, Caller, Writer};
use crate::web::problem::Problem;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use content_type::ContentType;
use desk::{Counter, Desk, Framing, Report};
use std::sync::Arc;
use tokio::sync::{Semaphore, mpsc, oneshot};

/// RFC 2046 §5.1.1 allows 70; nothing is gained by refusing a few more.
const BOUNDARY_MAX: usize = 256;
/// Portions of a body that wait for the desk: of HTTP/1.1 they have at most 32 KiB.
const PORTIONS: usize = 32;
/// Files that are synced at the same time, over all requests: each occupies a thread.
const SYNCS: usize = 64;
/// Documents of metadata that are in memory as trees at the same time.
const PARSERS: usize = 2;

/// What all uploads share.
#[derive(Debug, Clone)]
pub struct Uploads {
    requests: Arc<Semaphore>,
    syncs: Arc<Semaphore>,
    /// Metadata that is being written as instances.
    parsers: Arc<Semaphore>,
}

impl Uploads {
    pub fn new(limits: &Limits) -> Self {
        Self {
            requests: Arc::new(Semaphore::new(limits.uploads as usize)),
            syncs: Arc::new(Semaphore::new(SYNCS)),
            parsers: Arc::new(Semaphore::new(PARSERS)),
        }
    }
}

/// `POST /studies`
pub async fn studies(
    State(web): State<Web>,
    Writer(caller): Writer,
    base: BaseUrl,
    request: Request,
) -> Result<Response, Problem> {
    store(&web, &caller, &base, None, request).await
}

/// `POST /studies/{study}`: instances of this study only.
pub async fn study(
    State(web): State<Web>,
    Writer(caller): Writer,
    base: BaseUrl,
    Path(study): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    store(&web, &caller, &base, Some(&study), request).await
}

async fn store(
    web: &Web,
    caller: &Caller,
    base: &BaseUrl,
    study: Option<&str>,
    request: Request,
) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    let study = study.map(|study| super::select(study, None, None)).transpose()?.map(|selector| selector.study);
    let media = answer::Media::of(&Accept::of(&head.headers, head.uri.query()));
    let framing = framing(&head.headers)?;
    let length = head.headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > web.limits.upload_size.get()) {
        return Err(Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "The upload is larger than limits.upload_size; send fewer instances at once.",
        ));
    }
    let Ok(_place) = web.uploads.requests.try_acquire() else {
        return Err(Problem::unavailable("As many uploads as limits.uploads allows are running; ask again."));
    };
    let (archive, only) = (web.archive.clone(), caller.restriction.clone());
    let counter = Counter { archive, source: source(caller, &head), study, only };
    let report = take_in(web, counter, framing, body).await?;
    report.count();
    Ok(answer::render(&report, &base.dicomweb(), media))
}

/// Runs the desk over the body until every part has its answer.
async fn take_in(web: &Web, counter: Counter, framing: Framing, body: Body) -> Result<Report, Problem> {
    let (portions, arriving) = mpsc::channel(PORTIONS);
    let (report, reported) = oneshot::channel();
    let desk = Desk::new(web, counter, framing, tokio::runtime::Handle::current());
    let thread = std::thread::Builder::new().name("upload".into());
    thread
        .spawn(move || drop(report.send(desk.run(arriving))))
        .map_err(|_| Problem::unavailable("The server has no thread for this upload; ask again."))?;
    metrics::gauge!("bluebridge_uploads_active").increment(1);
    let active = Active;
    let fed = body::feed(body, &web.limits, portions).await;
    let report = reported.await;
    drop(active);
    match (fed, report) {
        (Err(problem), _) => Err(problem),
        (Ok(()), Ok(Some(report))) => report,
        // The desk is gone without a word: it panicked, and said so in the log.
        (Ok(()), Ok(None) | Err(_)) => Err(Problem::internal()),
    }
}

/// Counts an upload as running for as long as it lives, however it ends.
struct Active;

impl Drop for Active {
    fn drop(&mut self) {
        metrics::gauge!("bluebridge_uploads_active").decrement(1);
    }
}

fn source(caller: &Caller, head: &Parts) -> Source {
    Source { address: caller::address(&head.extensions), uploader: caller.uploader(), ..Source::default() }
}

/// How the body is to be read (PS3.18 §10.5.1.2), by its Content-Type.
fn framing(headers: &HeaderMap) -> Result<Framing, Problem> {
    const TAKEN: &str = "Instances are taken as multipart/related with parts of application/dicom, \
        application/dicom+json or application/dicom+xml, or one as application/dicom.";
    let unsupported = || Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, TAKEN);
    let mut values = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(Problem::bad_request(format!("The request must have one Content-Type. {TAKEN}")));
    };
    let content = value.to_str().ok().and_then(ContentType::parse).ok_or_else(unsupported)?;
    match content.media.as_str() {
        "multipart/related" => {}
        media::DICOM => return Ok(Framing::Single(content)),
        "multipart/form-data" => {
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, format!("A form is not taken. {TAKEN}")));
        }
        _ => return Err(unsupported()),
    }
    let parts = content.get("type").map(ContentType::media_of);
    if parts.as_deref().is_some_and(|parts| !part::KINDS.contains(&parts)) {
        return Err(unsupported());
    }
    let mut boundaries = content.all("boundary");
    match (boundaries.next(), boundaries.next()) {
        (Some(boundary), None) if is_boundary(boundary) => Ok(Framing::multipart(boundary, parts)),
        (None, _) => Err(Problem::bad_request("Content-Type names no boundary (RFC 2046 §5.1.1).")),
        _ => Err(Problem::bad_request("Content-Type must name one boundary of up to 256 printable characters.")),
    }
}

fn is_boundary(text: &str) -> bool {
    (1..=BOUNDARY_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ')
        && !text.ends_with(' ')
}

#[cfg(test)]
mod tests;
