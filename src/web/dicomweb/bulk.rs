//! Bulk data (PS3.18 §10.4.1.1.5): the value that a BulkDataURI of the metadata names, in little endian,
//! with ranges, alone or as a part. Compressed Pixel Data goes out as its frames do (`whole`).

use super::asked::Asked;
use super::framed::{self, FRAMED};
use super::media::{self, OCTETS, Packaging};
use super::multipart::Multipart;
use super::representation::{OneValue, Representation};
use super::segments::{Handle, Segment, Segments};
use super::{base_tag, hex, whole};
use crate::archive::{InstanceDetail, InstanceFile};
use crate::domain::byte_order::Words;
use crate::domain::instance::{BulkValue, FrameTable};
use crate::domain::transfer_syntax::{Encoding, Frames, TransferSyntax};
use crate::web::problem::Problem;
use axum::http::HeaderValue;
use axum::response::Response;

pub(super) const PIXEL_DATA: &str = "7FE00010";
/// Encapsulated Document (0042,0011).
pub(super) const DOCUMENT: &str = "00420011";

/// `GET .../instances/{instance}/bulkdata/{path}`
pub async fn bulkdata(asked: Asked) -> Result<Response, Problem> {
    let detail = asked.instance().await?;
    let path = asked.below.to_ascii_uppercase();
    let value = detail.metadata.bulk_value(&path).ok_or_else(|| {
        Problem::not_found("This instance has no such bulk data; its metadata lists what there is as BulkDataURI.")
    })?;
    let stored = media::stored(detail.row.file.transfer_syntax_uid.as_str())?;
    if is_compressed(value, stored) {
        return whole::compressed(&asked, stored).await;
    }
    let (packaging, wished) = media::bulk(&asked.accept())?;

    asked.noted().await;
    let file = asked.web.archive.open(&detail.row.file).await?;
    let media = kind(&detail, value, stored, wished, &file).await;
    let digest = &detail.row.file.sha256;
    let pieces = pieces(&detail, value, stored, media, file);
    let version = hex(digest.get(..16).unwrap_or_default());
    let kind = if packaging == Packaging::Single { "s" } else { "m" };
    let name = crc32fast::hash(format!("{path} {media}").as_bytes());
    let etag = format!("\"{version}-b{name:08x}-{kind}-{:x}\"", base_tag(&asked.base));
    let mut response = match packaging {
        Packaging::Single => {
            let mut segments = Segments::default();
            pieces.into_iter().for_each(|segment| segments.push(segment));
            asked.answer(Representation { content_type: HeaderValue::from_static(media), etag, segments })
        }
        Packaging::Multipart => {
            let location = format!("{}/bulkdata/{path}", asked.url_of(&detail.row.uids));
            let multipart = Multipart::new(media, digest.get(16..).unwrap_or_default());
            asked.answer_value(OneValue { etag, part: multipart.only(media, None, location, pieces) })
        }
    };
    if media != OCTETS {
        framed::allow(response.headers_mut(), FRAMED, asked.framing_origins());
    }
    Ok(response)
}

/// Whether a value stands in the file as items of fragments, which mean nothing outside of it (PS3.5 §A.4).
pub(super) fn is_compressed(value: &BulkValue, stored: &TransferSyntax) -> bool {
    value.path == PIXEL_DATA && !stored.is_native()
}

/// The media type under which a value that is not compressed goes out: octets, unless it is the document that
/// was asked for. The caller's wish is checked against the bytes, never believed.
pub(super) async fn kind(
    detail: &InstanceDetail,
    value: &BulkValue,
    stored: &TransferSyntax,
    wished: Option<&'static str>,
    file: &InstanceFile,
) -> &'static str {
    match wished {
        Some(media::PDF) if value.path == DOCUMENT && stored.encoding != Encoding::DeflatedExplicitLittle => {
            let start = u64::from(detail.row.file.dataset_offset) + value.value.start;
            match file.read_exact_at(start..start + 5, 5).await {
                Ok(bytes) if bytes.starts_with(b"%PDF-") => media::PDF,
                _ => OCTETS,
            }
        }
        _ => OCTETS,
    }
}

/// The bytes of the value as they go out.
pub(super) fn pieces(
    detail: &InstanceDetail,
    value: &BulkValue,
    stored: &TransferSyntax,
    media: &str,
    file: InstanceFile,
) -> Vec<Segment> {
    let dataset = u64::from(detail.row.file.dataset_offset);
    let placed = |range: &std::ops::Range<u64>| dataset + range.start..dataset + range.end;
    // A video as a player takes it: its fragments without their item headers.
    if media != OCTETS
        && stored.frames == Frames::Video
        && let Some(FrameTable::Encapsulated { frames }) = detail.pixels.as_ref().map(|pixels| &pixels.frames)
    {
        return frames.iter().flatten().map(|range| Segment::File(Handle::Open(file.clone()), placed(range))).collect();
    }
    let handle = Handle::Open(file);
    let range = value.value.clone();
    let words = Words::of(value, detail.pixels.as_ref(), dataset);
    vec![match (stored.encoding, words) {
        (Encoding::DeflatedExplicitLittle, _) => Segment::Inflated { file: handle, dataset_offset: dataset, range },
        (Encoding::ExplicitBig, Some(words)) => Segment::Swapped(handle, words, placed(&range)),
        _ => Segment::File(handle, placed(&range)),
    }]
}
