//! A chosen representation, answered: ETag with 304 and 412, Range and 206, 416, exact Content-Length.

use super::multipart::OnePart;
use super::range::{Wanted, wanted};
use super::segments::Segments;
use crate::archive::Archive;
use crate::web::conditional::{not_modified, precondition_fails};
use crate::web::problem::another_version;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use std::ops::{ControlFlow, Range};

/// Stored instances never change, but who may see them does: a cache asks each time.
pub const REVALIDATE: HeaderValue = HeaderValue::from_static("private, no-cache");

pub struct Representation {
    pub content_type: HeaderValue,
    /// Strong: the same tag is the same bytes. Quoted.
    pub etag: String,
    pub segments: Segments,
}

impl Representation {
    /// Answers a GET or HEAD with `headers`; axum drops the body of a HEAD before a file is opened.
    pub fn respond(self, headers: &HeaderMap, archive: &Archive) -> Response {
        let mut response = match begun(headers, &self.etag, self.content_type) {
            ControlFlow::Continue(response) => response,
            ControlFlow::Break(answered) => return answered,
        };
        let Some(length) = self.segments.length() else {
            *response.body_mut() = self.segments.into_body(archive);
            return response;
        };
        response.headers_mut().insert(header::ACCEPT_RANGES, BYTES);
        let segments = match wanted(headers, &self.etag, length) {
            Wanted::Whole => self.segments,
            Wanted::Part(range) => {
                partial(&mut response, &content_range(&range, length));
                self.segments.slice(range)
            }
            Wanted::Unsatisfiable => return beyond(response, length),
        };
        sent(response, segments, archive)
    }
}

/// One value in an envelope. The clients that ask for a Range of it (Python's and npm's dicomweb-client) take each
/// answer for a multipart body of its own with those bytes of the value. Who names a version has seen the body, and
/// means its bytes.
pub struct OneValue {
    /// Of the body. Quoted.
    pub etag: String,
    pub part: OnePart,
}

impl OneValue {
    /// Answers as [`Representation::respond`] does.
    pub fn respond(self, headers: &HeaderMap, archive: &Archive) -> Response {
        let content_type = self.part.content_type();
        let knows_it = [header::IF_RANGE, header::IF_MATCH].iter().any(|name| headers.contains_key(name))
            || not_modified(headers, &self.etag);
        let length = self.part.length().filter(|_| !knows_it);
        let wanted = length.map_or(Wanted::Whole, |length| wanted(headers, &self.etag, length));
        let (Some(length), Wanted::Part(_) | Wanted::Unsatisfiable) = (length, &wanted) else {
            let whole = Representation { content_type, etag: self.etag, segments: self.part.whole() };
            return whole.respond(headers, archive);
        };
        // Another tag: bytes of the value are no bytes of the body, and may not be completed with them.
        let etag = format!("{}-v\"", self.etag.trim_end_matches('"'));
        let mut response = match begun(headers, &etag, content_type) {
            ControlFlow::Continue(response) => response,
            ControlFlow::Break(answered) => return answered,
        };
        response.headers_mut().insert(header::ACCEPT_RANGES, BYTES);
        let Wanted::Part(range) = wanted else { return beyond(response, length) };
        let content_range = content_range(&range, length);
        partial(&mut response, &content_range);
        sent(response, self.part.of(range, &content_range), archive)
    }
}

const BYTES: HeaderValue = HeaderValue::from_static("bytes");

/// The head of an answer; `Break` for the whole of it, where conditions make it so.
fn begun(headers: &HeaderMap, etag: &str, content_type: HeaderValue) -> ControlFlow<Response, Response> {
    if precondition_fails(headers, etag) {
        return ControlFlow::Break(another_version().into_response());
    }
    let mut response = Response::new(Body::empty());
    let answer = response.headers_mut();
    answer.insert(header::CACHE_CONTROL, REVALIDATE);
    if let Ok(etag) = HeaderValue::from_str(etag) {
        answer.insert(header::ETAG, etag);
    }
    if not_modified(headers, etag) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return ControlFlow::Break(response);
    }
    answer.insert(header::CONTENT_TYPE, content_type);
    ControlFlow::Continue(response)
}

fn content_range(range: &Range<u64>, length: u64) -> String {
    format!("bytes {}-{}/{length}", range.start, range.end.saturating_sub(1))
}

/// 206.
fn partial(response: &mut Response, content_range: &str) {
    if let Ok(value) = HeaderValue::from_str(content_range) {
        response.headers_mut().insert(header::CONTENT_RANGE, value);
    }
    *response.status_mut() = StatusCode::PARTIAL_CONTENT;
}

/// 416.
fn beyond(mut response: Response, length: u64) -> Response {
    let answer = response.headers_mut();
    answer.remove(header::CONTENT_TYPE);
    if let Ok(value) = HeaderValue::from_str(&format!("bytes */{length}")) {
        answer.insert(header::CONTENT_RANGE, value);
    }
    answer.insert(header::CONTENT_LENGTH, HeaderValue::from(0));
    *response.status_mut() = StatusCode::RANGE_NOT_SATISFIABLE;
    response
}

/// With a body of known length.
fn sent(mut response: Response, segments: Segments, archive: &Archive) -> Response {
    if let Some(length) = segments.length() {
        response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    *response.body_mut() = segments.into_body(archive);
    response
}
