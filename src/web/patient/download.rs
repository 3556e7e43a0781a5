//! `/d/{ticket}/images.zip`: the package behind the blue button, whole or from where a browser stopped.

use super::PatientWeb;
use super::gate::From;
use super::pages::{self, Reader};
use super::range::{self, Part};
use crate::access::package::{Package, PackageError, Scope};
use crate::access::ticket::package_digest;
use crate::access::{AccessError, Admission, Opened};
use crate::web::conditional::precondition_fails;
use axum::body::Body;
use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use std::sync::Arc;

pub(super) async fn send(
    State(web): State<PatientWeb>,
    Extension(from): Extension<From>,
    Path(ticket): Path<String>,
    method: Method,
    headers: HeaderMap,
) -> Response {
    let reader = Reader::of(&web, &headers);
    let opened = match web.access.open_ticket(&ticket).await {
        Ok(Some(opened)) => opened,
        Ok(None) => return pages::gone(&reader),
        Err(error) => return failed(&reader, &error),
    };
    if let Err(retry) = web.rates.range(&opened.link_id) {
        return pages::busy(&reader, retry.0);
    }
    let package = match package_of(&web, &opened).await {
        Ok(package) => package,
        Err(error) => {
            tracing::error!(link.id = opened.link_id, error = %error, "a package could not be made");
            return pages::failed(&reader, StatusCode::SERVICE_UNAVAILABLE);
        }
    };
    let etag = format!("\"{}\"", package.etag());
    if precondition_fails(&headers, &etag) {
        return StatusCode::PRECONDITION_FAILED.into_response();
    }
    let last_modified = http_date(package.last_modified_ms());
    // Range is for GET (RFC 9110 §14.2); and a client that does not say which bytes it has must not get
    // the rest of others, when the version of its ticket is gone.
    let same = package_digest(package.etag()) == opened.ticket.package;
    let ranged = method == Method::GET && (same || headers.contains_key(header::IF_RANGE));
    let part = match ranged {
        true => range::asked(&headers, &etag, &last_modified, package.len()),
        false => Part::Whole,
    };
    let mut response = Response::new(Body::empty());
    describe(&mut response, &package, &part, &etag, &last_modified);
    let range = match part {
        Part::Beyond => return response,
        Part::Whole => 0..package.len(),
        Part::Of(range) => range,
    };
    if method == Method::HEAD {
        return response;
    }
    let Some(place) = web.packages.place() else { return pages::download_busy(&reader) };
    let instances = package.instances() as u64;
    match web.access.begin_download(&opened, instances, package.len(), from.0).await {
        Ok(Admission::Go(download)) => {
            let bytes = download.guard(package.stream(range));
            *response.body_mut() = Body::from_stream(bytes.map(move |piece| {
                // Held until the last byte: one of `limits.downloads`.
                let _ = &place;
                piece
            }));
            response
        }
        Ok(Admission::Gone) => pages::gone(&reader),
        Ok(Admission::Busy) => pages::download_busy(&reader),
        Ok(Admission::Much { seconds }) => pages::download_much(&reader, seconds),
        Err(error) => failed(&reader, &error),
    }
}

/// The version that the ticket was made for, so that a download goes on over the same bytes; the newest
/// when that one is gone, whose other entity tag then starts the download anew.
async fn package_of(web: &PatientWeb, opened: &Opened) -> Result<Arc<Package>, PackageError> {
    let scope = scope(opened);
    match web.packages.frozen(&scope, |etag| package_digest(etag) == opened.ticket.package).await {
        Err(PackageError::VersionGone) => web.packages.current(&scope).await,
        found => found,
    }
}

/// Where a ticket is used.
pub(super) fn path(ticket: &str) -> String {
    format!("/d/{ticket}/images.zip")
}

/// Which package a ticket is for. A study's and a link's packages are frozen under different names.
fn scope(opened: &Opened) -> Scope {
    match (opened.whole_link, opened.studies.as_slice()) {
        (false, [study]) => Scope::study(study.clone()),
        _ => Scope::link(&opened.link_id, opened.studies.clone()),
    }
}

fn describe(response: &mut Response, package: &Package, part: &Part, etag: &str, last_modified: &str) {
    let length = package.len();
    let (status, bytes, content_range) = match part {
        Part::Whole => (StatusCode::OK, length, None),
        Part::Of(range) => {
            let text = format!("bytes {}-{}/{length}", range.start, range.end.saturating_sub(1));
            (StatusCode::PARTIAL_CONTENT, range.end.saturating_sub(range.start), Some(text))
        }
        Part::Beyond => (StatusCode::RANGE_NOT_SATISFIABLE, 0, Some(format!("bytes */{length}"))),
    };
    *response.status_mut() = status;
    let day = jiff::Timestamp::from_millisecond(package.last_modified_ms()).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    let day = day.to_zoned(jiff::tz::TimeZone::system()).date();
    let texts = [
        (header::CONTENT_LENGTH, bytes.to_string()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"images-{day}.zip\"")),
        (header::ETAG, etag.to_owned()),
        (header::LAST_MODIFIED, last_modified.to_owned()),
    ];
    let headers = response.headers_mut();
    for (name, text) in texts.into_iter().chain(content_range.map(|text| (header::CONTENT_RANGE, text))) {
        if let Ok(value) = HeaderValue::from_str(&text) {
            headers.insert(name, value);
        }
    }
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/zip"));
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-transform"));
}

/// IMF-fixdate (RFC 9110 §5.6.7).
fn http_date(at_ms: i64) -> String {
    let at = jiff::Timestamp::from_millisecond(at_ms).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

fn failed(reader: &Reader, error: &AccessError) -> Response {
    tracing::error!(%error, "a download could not begin");
    pages::failed(reader, StatusCode::SERVICE_UNAVAILABLE)
}

#[cfg(test)]
mod tests {
    #[test]
    fn http_dates_are_of_fixed_form() {
        assert_eq!(super::http_date(784_111_777_000), "Sun, 06 Nov 1994 08:49:37 GMT");
    }
}
