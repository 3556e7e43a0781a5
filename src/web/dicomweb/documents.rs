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
use super::segments::{Segment, Segments};
use crate::archive::InstanceDetail;
use crate::domain::instance::BulkValue;
use crate::domain::transfer_syntax::{Frames, TransferSyntax};
use crate::web::problem::Problem;
use axum::http::HeaderValue;
use axum::response::Response;
use base64::Engine;
use bytes::Bytes;
use dicom_dictionary_std::uids;
use serde::Deserialize;
use std::ops::Range;
use tokio::sync::Semaphore;

const HTML: &str = "text/html";
const MP4: &str = "video/mp4";
const MPEG: &str = "video/mpeg";
/// Bytes from which the container of a film is known: two packets of a transport stream.
const CONTAINER: usize = 197;
/// The longest JSON of a report that is made into a page.
const REPORT_MAX: u64 = 16 << 20;
/// Reports made into pages at a time: one that is nested deep is read once for each of its levels.
static WRITERS: Semaphore = Semaphore::const_new(1);
/// Goes up when the same report becomes another page, or the same document other bytes: browsers keep both.
const WRITER: u32 = 2;

/// The rendered form of an instance that is no picture.
pub struct Document {
    /// Its media types, the first unless another one is asked for.
    names: Vec<&'static str>,
    charset: &'static str,
    etag: String,
    segments: Segments,
    policy: &'static str,
}

/// What an instance is that is a document, a film or a report; `None` when it is none of them.
pub async fn find(asked: &Asked, detail: &InstanceDetail) -> Result<Option<Document>, Problem> {
    let stored = media::stored(detail.row.file.transfer_syntax_uid.as_str())?;
    if stored.frames == Frames::Video {
        return film(asked, detail, stored).await;
    }
    if detail.pixels.is_some() {
        return Ok(None);
    }
    match pdf(asked, detail, stored).await? {
        Some(document) => Ok(Some(document)),
        None => Ok(page(detail).await),
    }
}

async fn film(asked: &Asked, detail: &InstanceDetail, stored: &TransferSyntax) -> Result<Option<Document>, Problem> {
    let Some(value) = detail.metadata.bulk_value(bulk::PIXEL_DATA) else { return Ok(None) };
    let file = asked.web.archive.open(&detail.row.file).await?;
    let mut segments = Segments::default();
    let pieces = bulk::pieces(detail, value, stored, stored.media_type, file.clone());
    let start = match pieces.first() {
        Some(Segment::File(_, range)) => {
            let end = range.end.min(range.start + CONTAINER as u64);
            file.read_exact_at(range.start..end, CONTAINER).await.unwrap_or_default()
        }
        _ => Bytes::new(),
    };
    pieces.into_iter().for_each(|segment| segments.push(segment));
    let names = names(&start, stored.media_type);
    Ok(Some(Document { names, charset: "", etag: tag(detail, "d"), segments, policy: FRAMED }))
}

/// What an Encapsulated PDF is besides its bytes: a short one stands in the JSON itself.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Encapsulated {
    #[serde(rename = "00420011")]
    document: Inline,
    #[serde(rename = "00420015")]
    length: Lengths,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Inline {
    #[serde(rename = "InlineBinary")]
    base64: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Lengths {
    #[serde(rename = "Value")]
    values: Vec<u64>,
}

async fn pdf(asked: &Asked, detail: &InstanceDetail, stored: &TransferSyntax) -> Result<Option<Document>, Problem> {
    let value = detail.metadata.bulk_value(bulk::DOCUMENT);
    if value.is_none() && detail.row.sop_class_uid.as_str() != uids::ENCAPSULATED_PDF_STORAGE {
        return Ok(None);
    }
    let metadata = detail.metadata.clone();
    let read = move || {
        let json = metadata.text(REPORT_MAX).ok()?;
        serde_json::from_slice::<Encapsulated>(&json).ok()
    };
    let read = tokio::task::spawn_blocking(read).await.ok().flatten().unwrap_or_default();
    let unpadded = |length: u64| without_padding(length, read.length.values.first().copied());
    let mut segments = Segments::default();
    match (value, &read.document.base64) {
        (Some(value), _) => {
            let file = asked.web.archive.open(&detail.row.file).await?;
            if bulk::kind(detail, value, stored, Some(PDF), &file).await != PDF {
                return Ok(None);
            }
            let Range { start, end } = value.value;
            let value = BulkValue { value: start..start + unpadded(end - start), ..value.clone() };
            bulk::pieces(detail, &value, stored, PDF, file).into_iter().for_each(|segment| segments.push(segment));
        }
        (None, Some(base64)) => {
            let mut bytes = base64::engine::general_purpose::STANDARD.decode(base64).unwrap_or_default();
            if !bytes.starts_with(b"%PDF-") {
                return Ok(None);
            }
            bytes.truncate(unpadded(bytes.len() as u64) as usize);
            segments.text(bytes);
        }
        (None, None) => return Ok(None),
    }
    Ok(Some(Document { names: vec![PDF], charset: "", etag: tag(detail, "d"), segments, policy: FRAMED }))
}

/// Encapsulated Document Length (0042,0015) tells the byte that makes a value even from the last of the document; a
/// length that is further off is no reason to cut (PS3.3 §C.24.2).
fn without_padding(length: u64, stated: Option<u64>) -> u64 {
    stated.filter(|stated| stated.checked_add(1) == Some(length)).unwrap_or(length)
}

/// What a film is called, by the container it begins with: PS3.18 §8.7.3.3 names them by transfer syntax, but players
/// go by the container. HEVC keeps its own name beside that of MP4.
fn names(start: &[u8], of_syntax: &'static str) -> Vec<&'static str> {
    let sync = |first: usize, second: usize| [first, second].iter().all(|at| start.get(*at) == Some(&0x47));
    let is_mp4 = start.get(4..8).is_some_and(|kind| [*b"ftyp", *b"styp", *b"moov", *b"mdat"].iter().any(|k| k == kind));
    // Program stream, elementary stream, transport stream: the last with packets of 188 bytes, or of 192 with times.
    let is_mpeg = matches!(start, [0, 0, 1, 0xBA | 0xB3, ..]) || sync(0, 188) || sync(4, 196);
    match (is_mp4, is_mpeg) {
        (true, _) if of_syntax == MP4 || of_syntax == MPEG => vec![MP4],
        (true, _) => vec![MP4, of_syntax],
        (_, true) => vec![MPEG],
        _ => vec![of_syntax],
    }
}

async fn page(detail: &InstanceDetail) -> Option<Document> {
    let metadata = detail.metadata.clone();
    let turn = WRITERS.acquire().await.ok()?;
    let read = move || {
        let _turn = turn;
        metadata.text(REPORT_MAX).ok().and_then(|json| report::page(&json))
    };
    let page = tokio::task::spawn_blocking(read).await.ok().flatten()?;
    let mut segments = Segments::default();
    segments.text(page);
    Some(Document { names: vec![HTML], charset: "; charset=utf-8", etag: tag(detail, "h"), segments, policy: STYLED })
}

impl Document {
    /// Its media types, lower case.
    pub fn names(&self) -> Vec<String> {
        self.names.iter().map(|name| name.to_ascii_lowercase()).collect()
    }
    /// Under the name that is asked for; 406 where it is none of them.
    pub fn taken(mut self, accept: &Accept) -> Result<Self, Problem> {
        let names = self.names();
        let taken = accept.wanted().find_map(|range| names.iter().position(|name| range.covers(name)));
        match taken.and_then(|at| self.names.get(at).copied()) {
            Some(name) => self.names = vec![name],
            None => {
                return Err(Problem::not_acceptable(format!("This instance is rendered as {}.", names.join(" or "))));
            }
        }
        Ok(self)
    }
    pub fn send(self, asked: &Asked) -> Response {
        let media = self.names.first().copied().unwrap_or(media::OCTETS);
        let content_type = HeaderValue::try_from(format!("{media}{}", self.charset))
            .unwrap_or(HeaderValue::from_static(media::OCTETS));
        let representation = Representation { content_type, etag: self.etag, segments: self.segments };
        let mut response = asked.answer(representation);
        framed::allow(response.headers_mut(), self.policy, asked.framing_origins());
        response
    }
}

fn tag(detail: &InstanceDetail, kind: &str) -> String {
    format!("\"{}-r{kind}{WRITER}\"", hex(detail.row.file.sha256.get(..16).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_film_is_called_by_its_container() {
        let packets = |length: usize, first: usize| {
            let mut bytes = vec![0; 400];
            bytes.iter_mut().skip(first).step_by(length).for_each(|byte| *byte = 0x47);
            bytes
        };
        let mp4 = b"\0\0\0\x18ftypmp42".to_vec();
        for (start, of_syntax, expected) in [
            (mp4.clone(), MP4, vec![MP4]),
            (mp4.clone(), MPEG, vec![MP4]),
            (mp4, "video/H265", vec![MP4, "video/H265"]),
            (vec![0, 0, 1, 0xBA, 0x44], MP4, vec![MPEG]),
            (packets(188, 0), MP4, vec![MPEG]),
            (packets(192, 4), "video/H265", vec![MPEG]),
            (vec![0x47, 1, 2], MP4, vec![MP4]),
            (vec![0, 0, 0, 1, 0x67], "video/H265", vec!["video/H265"]),
            (Vec::new(), MPEG, vec![MPEG]),
        ] {
            assert_eq!(names(&start, of_syntax), expected, "{:?}", start.get(..8));
        }
    }

    #[test]
    fn only_a_pad_byte_is_cut() {
        for (length, stated, expected) in
            [(10, Some(9), 9), (10, Some(10), 10), (10, Some(5), 10), (10, None, 10), (0, Some(u64::MAX), 0)]
        {
            assert_eq!(without_padding(length, stated), expected);
        }
    }
}
