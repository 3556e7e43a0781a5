//! A chosen representation, answered: ETag with 304 and 412, Range and 206, 416, exact Content-Length.

use super::range::{Wanted, wanted};
use super::segments::Segments;
use crate::archive::Archive;
use crate::web::conditional::{not_modified, precondition_fails};
use crate::web::problem::another_version;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

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
        if precondition_fails(headers, &self.etag) {
            return another_version().into_response();
        }
        let mut response = Response::new(Body::empty());
        let answer = response.headers_mut();
        answer.insert(header::CACHE_CONTROL, REVALIDATE);
        if let Ok(etag) = HeaderValue::from_str(&self.etag) {
            answer.insert(header::ETAG, etag);
        }
        if not_modified(headers, &self.etag) {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            return response;
        }
        answer.insert(header::CONTENT_TYPE, self.content_type);
        let Some(length) = self.segments.length() else {
            *response.body_mut() = self.segments.into_body(archive);
            return response;
        };
        answer.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        let (segments, sent) = match wanted(headers, &self.etag, length) {
            Wanted::Whole => (self.segments, length),
            Wanted::Part(range) => {
                let sent = range.end - range.start;
                if let Ok(value) = HeaderValue::from_str(&format!("bytes {}-{}/{length}", range.start, range.end - 1)) {
                    answer.insert(header::CONTENT_RANGE, value);
                }
                *response.status_mut() = StatusCode::PARTIAL_CONTENT;
                (self.segments.slice(range), sent)
            }
            Wanted::Unsatisfiable => {
                answer.remove(header::CONTENT_TYPE);
                if let Ok(value) = HeaderValue::from_str(&format!("bytes */{length}")) {
                    answer.insert(header::CONTENT_RANGE, value);
                }
                answer.insert(header::CONTENT_LENGTH, HeaderValue::from(0));
                *response.status_mut() = StatusCode::RANGE_NOT_SATISFIABLE;
                return response;
            }
        };
        response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(sent));
        *response.body_mut() = segments.into_body(archive);
        response
    }
}
