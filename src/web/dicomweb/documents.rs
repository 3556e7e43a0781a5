//! What an instance without pictures is rendered as (PS3.18 §8.7.4): its document, its film, or its report
//! as a page.

use super::accept::Accept;
use super::asked::Asked;
use super::bulk;
use super::framed::{self, FRAMED, STYLED};
use super::hex;
use super::media::{self, PDF};
use super::report;
use super::representation::Representation;
use super::segments::Segments;
use crate::archive::InstanceDetail;
use crate::domain::transfer_syntax::Frames;
use crate::web::problem::Problem;
use axum::http::HeaderValue;
use axum::response::Response;

const HTML: &str = "text/html";
/// The longest JSON of a report that is made into a page.
const REPORT_MAX: u64 = 16 << 20;

/// The rendered form of an instance that is no picture.
pub struct Document {
    /// Lower case.
    media: String,
    content_type: HeaderValue,
    etag: String,
    segments: Segments,
    policy: &'static str,
}

/// What an instance is that is a document, a film or a report; `None` when it is none of them.
pub async fn find(asked: &Asked, detail: &InstanceDetail) -> Result<Option<Document>, Problem> {
    let stored = media::stored(detail.row.file.transfer_syntax_uid.as_str())?;
    let (path, wished) = match stored.frames {
        Frames::Video => (bulk::PIXEL_DATA, stored.media_type),
        _ if detail.metadata.bulk_value(bulk::DOCUMENT).is_some() => (bulk::DOCUMENT, PDF),
        _ => return Ok(page(detail).await),
    };
    let Some(value) = detail.metadata.bulk_value(path) else { return Ok(None) };
    let file = asked.web.archive.open(&detail.row.file).await?;
    let kind = bulk::kind(detail, value, stored, Some(wished), &file).await;
    if kind != wished {
        return Ok(None);
    }
    let mut segments = Segments::default();
    bulk::pieces(detail, value, stored, kind, file).into_iter().for_each(|segment| segments.push(segment));
    Ok(Some(Document {
        media: kind.to_ascii_lowercase(),
        content_type: HeaderValue::from_static(kind),
        etag: tag(detail, "d"),
        segments,
        policy: FRAMED,
    }))
}

async fn page(detail: &InstanceDetail) -> Option<Document> {
    if detail.pixels.is_some() {
        return None;
    }
    let metadata = detail.metadata.clone();
    let read = move || metadata.text(REPORT_MAX).ok().and_then(|json| report::page(&json));
    let page = tokio::task::spawn_blocking(read).await.ok().flatten()?;
    let mut segments = Segments::default();
    segments.text(page);
    let content_type = HeaderValue::from_static("text/html; charset=utf-8");
    Some(Document { media: HTML.into(), content_type, etag: tag(detail, "h"), segments, policy: STYLED })
}

impl Document {
    /// Its media type, lower case.
    pub fn media(&self) -> &str {
        &self.media
    }
    /// 406 where it is not.
    pub fn taken(&self, accept: &Accept) -> Result<(), Problem> {
        match accept.wanted().any(|range| range.covers(&self.media)) {
            true => Ok(()),
            false => Err(Problem::not_acceptable(format!("This instance is rendered as {}.", self.media))),
        }
    }
    pub fn send(self, asked: &Asked) -> Response {
        let representation =
            Representation { content_type: self.content_type, etag: self.etag, segments: self.segments };
        let mut response = asked.answer(representation);
        framed::allow(response.headers_mut(), self.policy, &asked.web.config);
        response
    }
}

fn tag(detail: &InstanceDetail, kind: &str) -> String {
    format!("\"{}-r{kind}\"", hex(detail.row.file.sha256.get(..16).unwrap_or_default()))
}
