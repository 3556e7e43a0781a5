//! All bulk data, and all pixel data, of a study, a series or an instance (PS3.18 §10.4.1.1.5, §10.4.1.1.7):
//! a part for each value, or frame, under the URL at which it can be had alone; compressed Pixel Data is a part for
//! each frame in both, in bulk data under the URL of the value. What belongs to one
//! instance is looked up when its turn comes, so that memory stays flat; of one instance all is known
//! before, so that its answer has a length and ranges.

use super::asked::Asked;
use super::framed::{self, FRAMED};
use super::media::{self, FrameMedia, OCTETS, Packaging};
use super::multipart::Multipart;
use super::representation::{OneValue, Representation};
use super::segments::{Segment, Segments};
use super::wado::{digest_of, stored_syntaxes};
use super::{base_tag, bulk, frames, hex, instance_url};
use crate::archive::{InstanceDetail, InstanceRow, InstanceUids, RetrieveError};
use crate::domain::frames::locate;
use crate::domain::instance::BulkValue;
use crate::domain::transfer_syntax::{Frames, TransferSyntax};
use crate::imaging::is_shown;
use crate::web::Web;
use crate::web::problem::Problem;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use futures_util::{StreamExt, stream};
use std::io;

/// `GET .../bulkdata`
pub async fn bulkdata(asked: Asked) -> Result<Response, Problem> {
    let rows = asked.instances().await?;
    let accept = asked.accept();
    // One value may go out alone.
    let alone = asked.selector.instance.is_some() && asked.instance().await?.metadata.bulk.len() == 1;
    let (mut packaging, mut chosen) = (Packaging::Multipart, Vec::new());
    let syntaxes = stored_syntaxes(&rows)?;
    let others = syntaxes.iter().any(|syntax| is_shown(syntax.uid));
    for stored in syntaxes {
        let has_frames =
            |row: &InstanceRow| row.number_of_frames > 0 && row.file.transfer_syntax_uid.as_str() == stored.uid;
        if stored.is_native() || !rows.iter().any(has_frames) {
            packaging = media::all_bulk(&accept, alone)?;
        } else {
            let media = media::frames(&accept, stored, if alone && is_one(&rows, stored) { 1 } else { 2 });
            let media = media.or_else(|refused| media::spared(&accept, stored).filter(|_| others).ok_or(refused))?;
            packaging = media.packaging;
            chosen.push((stored.uid, media));
        }
    }
    answer(&asked, rows, Kind::Bulk(chosen), packaging).await
}

/// The compressed Pixel Data of one instance, by its BulkDataURI.
pub(super) async fn compressed(asked: &Asked, stored: &'static TransferSyntax) -> Result<Response, Problem> {
    let rows = asked.instances().await?;
    let media = media::compressed(&asked.accept(), stored, is_one(&rows, stored))?;
    let mut response = answer(asked, rows, Kind::Value(stored.uid, media), media.packaging).await?;
    if stored.frames == Frames::Video {
        framed::allow(response.headers_mut(), FRAMED, asked.framing_origins());
    }
    Ok(response)
}

/// Whether the compressed Pixel Data of these is one stream.
fn is_one(rows: &[InstanceRow], stored: &TransferSyntax) -> bool {
    stored.frames == Frames::Video || rows.iter().all(|row| row.number_of_frames == 1)
}

/// `GET .../pixeldata`
pub async fn pixeldata(asked: Asked) -> Result<Response, Problem> {
    let mut rows = asked.instances().await?;
    rows.retain(|row| row.number_of_frames > 0);
    let accept = asked.accept();
    // Values go out whole, frames one by one; one of either may go out alone.
    let one_frame = asked.selector.instance.is_some() && rows.iter().all(|row| row.number_of_frames == 1);
    let (mut packaging, mut chosen) = (Packaging::Multipart, Vec::new());
    for stored in stored_syntaxes(&rows)? {
        let mut media = media::frames(&accept, stored, if asked.selector.instance.is_some() { 1 } else { 2 })?;
        if media.packaging == Packaging::Single && !one_frame && !is_whole(stored, &media) {
            media = media::frames(&accept, stored, 2)?;
        }
        packaging = media.packaging;
        chosen.push((stored.uid, media));
    }
    answer(&asked, rows, Kind::Pixels(chosen), packaging).await
}

/// Whether Pixel Data goes out as one value: frames in native order, or one video stream.
fn is_whole(stored: &TransferSyntax, media: &FrameMedia) -> bool {
    (stored.is_native() && media.media == OCTETS) || stored.frames == Frames::Video
}

/// What is gathered of each instance, and how frames stored in each transfer syntax go out.
enum Kind {
    /// Every value; what is chosen is for compressed Pixel Data.
    Bulk(Vec<(&'static str, FrameMedia)>),
    Pixels(Vec<(&'static str, FrameMedia)>),
    /// Compressed Pixel Data only, as one value of bulk data.
    Value(&'static str, FrameMedia),
}

impl Kind {
    /// Names it in an ETag.
    fn tag(&self) -> String {
        let (letter, chosen) = match self {
            Self::Bulk(chosen) if chosen.is_empty() => return "w".into(),
            Self::Bulk(chosen) => ('w', chosen.as_slice()),
            Self::Pixels(chosen) => ('p', chosen.as_slice()),
            Self::Value(stored, media) => ('v', &[(*stored, *media)][..]),
        };
        let forms: String = chosen.iter().map(|(stored, media)| format!("{stored} {} ", media.code())).collect();
        format!("{letter}{:08x}", crc32fast::hash(forms.as_bytes()))
    }
    /// How frames that are stored in `syntax` go out.
    fn media(&self, syntax: &str) -> Option<FrameMedia> {
        match self {
            Self::Bulk(chosen) | Self::Pixels(chosen) => {
                chosen.iter().find(|(stored, _)| *stored == syntax).map(|(_, media)| *media)
            }
            Self::Value(stored, media) => (*stored == syntax).then_some(*media),
        }
    }
}

async fn answer(asked: &Asked, rows: Vec<InstanceRow>, kind: Kind, packaging: Packaging) -> Result<Response, Problem> {
    asked.noted().await;
    let digest = digest_of(&rows);
    let letter = if packaging == Packaging::Single { 's' } else { 'm' };
    let tag =
        format!("\"{}-{}{letter}-{:x}\"", hex(digest.get(..16).unwrap_or_default()), kind.tag(), base_tag(&asked.base));
    let (web, root, sends) = (asked.web.clone(), asked.base.dicomweb(), asked.sends(&tag));
    let mut gathering = Gathering { web, root, rows: rows.into_iter(), kind, sends };
    // The first parts are found before the headers leave, so that their faults are errors and no short bodies.
    let first = gathering.next().await?.ok_or_else(|| {
        Problem::not_found(match gathering.kind {
            Kind::Bulk(_) => "There is no bulk data in it: its metadata is all there is.",
            Kind::Pixels(_) | Kind::Value(..) => "There is no pixel data in it.",
        })
    })?;
    let seed = digest.get(16..).unwrap_or_default();
    let one_value = matches!(gathering.kind, Kind::Value(..));
    let (content_type, segments) = match (packaging, first) {
        (Packaging::Multipart, mut parts) if one_value && parts.len() == 1 => {
            let only = parts.pop().ok_or_else(Problem::internal)?;
            let multipart = Multipart::new(only.media, seed);
            let part = multipart.only(only.media, only.transfer_syntax, only.location, only.bytes);
            return Ok(asked.answer_value(OneValue { etag: tag, part }));
        }
        (Packaging::Single, mut parts) => {
            let only = parts.pop().ok_or_else(Problem::internal)?;
            let mut segments = Segments::default();
            only.bytes.into_iter().for_each(|segment| segments.push(segment));
            let value = match only.transfer_syntax {
                Some(uid) => format!("{}; transfer-syntax={uid}", only.media),
                None => only.media.to_owned(),
            };
            (HeaderValue::from_str(&value).unwrap_or(HeaderValue::from_static(OCTETS)), segments)
        }
        (Packaging::Multipart, first) => gathering.into_parts(first, seed),
    };
    let representation = Representation { content_type, etag: tag, segments };
    Ok(match packaging {
        Packaging::Multipart if one_value => asked.answer_values(representation),
        _ => asked.answer(representation),
    })
}

/// One part before it is written.
struct Part {
    media: &'static str,
    transfer_syntax: Option<&'static str>,
    location: String,
    bytes: Vec<Segment>,
}

/// Walks over instances.
struct Gathering {
    web: Web,
    root: String,
    rows: std::vec::IntoIter<InstanceRow>,
    kind: Kind,
    /// Unless the body will be sent nothing is decoded.
    sends: bool,
}

impl Gathering {
    /// The parts of the next instance that has some.
    async fn next(&mut self) -> Result<Option<Vec<Part>>, Problem> {
        while let Some(row) = self.rows.next() {
            let media = self.kind.media(row.file.transfer_syntax_uid.as_str());
            let parts = match (&self.kind, media) {
                (Kind::Bulk(_), media) => self.values(&row, media.as_ref()).await?,
                (_, Some(media)) => self.pixels(&row, &media).await?,
                (_, None) => Vec::new(),
            };
            if !parts.is_empty() {
                return Ok(Some(parts));
            }
        }
        Ok(None)
    }

    /// What was there when the answer began: without it, it would not be what its ETag names.
    async fn detail(&self, row: &InstanceRow) -> Result<InstanceDetail, Problem> {
        let found = self.web.archive.instance(&row.uids.selector()).await?;
        Ok(found.filter(|found| found.row.file.sha256 == row.file.sha256).ok_or(RetrieveError::Deleted)?)
    }

    fn url(&self, uids: &InstanceUids) -> String {
        instance_url(&self.root, &uids.study, &uids.series, &uids.instance)
    }

    /// Every value that the metadata names by a URI; `media`: what becomes of compressed frames.
    async fn values(&self, row: &InstanceRow, media: Option<&FrameMedia>) -> Result<Vec<Part>, Problem> {
        let detail = self.detail(row).await?;
        let stored = media::stored(row.file.transfer_syntax_uid.as_str())?;
        if detail.metadata.bulk.is_empty() {
            return Ok(Vec::new());
        }
        let (file, url) = (self.web.archive.open(&row.file).await?, self.url(&row.uids));
        let part = |value: &BulkValue| Part {
            media: OCTETS,
            transfer_syntax: None,
            location: format!("{url}/bulkdata/{}", value.path),
            bytes: bulk::pieces(&detail, value, stored, OCTETS, file.clone()),
        };
        let mut parts = Vec::with_capacity(detail.metadata.bulk.len());
        for value in detail.metadata.bulk.iter() {
            match media.filter(|_| bulk::is_compressed(value, stored)) {
                Some(media) => parts.extend(self.pixels(row, media).await?),
                None => parts.push(part(value)),
            }
        }
        Ok(parts)
    }

    async fn pixels(&self, row: &InstanceRow, media: &FrameMedia) -> Result<Vec<Part>, Problem> {
        let url = self.url(&row.uids);
        let stored = media::stored(row.file.transfer_syntax_uid.as_str())?;
        let part = |location: String, media: &'static str, transfer_syntax, bytes| Part {
            media,
            transfer_syntax,
            location,
            bytes,
        };
        let found = self.web.archive.frames(&row.uids.selector()).await?;
        let found = found.filter(|found| found.row.file.sha256 == row.file.sha256).ok_or(RetrieveError::Deleted)?;
        let Some(pixels) = found.pixels.clone() else { return Ok(Vec::new()) };
        let path = format!("7FE0{:04X}", pixels.element);
        let value_url = format!("{url}/bulkdata/{path}");
        // Parts of one value share its URL, as a store of metadata takes them (§10.5).
        let named = |own: String| if matches!(self.kind, Kind::Pixels(_)) { own } else { value_url.clone() };
        let told_apart = pixels.number_of_frames > 0 && locate(&pixels, pixels.number_of_frames - 1).is_some();
        if !is_whole(stored, media) && told_apart {
            let list: Vec<u32> = (1..=pixels.number_of_frames).collect();
            let located = frames::located(&self.web, &found, &pixels, stored, media, &list, self.sends).await?;
            let parts = list.iter().zip(located).map(|(number, bytes)| {
                part(named(format!("{url}/frames/{number}")), media.media, Some(media.transfer_syntax), bytes)
            });
            return Ok(parts.collect());
        }
        let detail = self.detail(row).await?;
        let Some(value) = detail.metadata.bulk_value(&path) else { return Ok(Vec::new()) };
        let file = self.web.archive.open(&row.file).await?;
        Ok(vec![match is_whole(stored, media) {
            true => {
                let bytes = bulk::pieces(&detail, value, stored, media.media, file);
                part(named(format!("{url}/pixeldata")), media.media, Some(media.transfer_syntax), bytes)
            }
            // Frames that cannot be told apart: the value as it stands in the file.
            false => part(value_url, OCTETS, None, bulk::pieces(&detail, value, stored, OCTETS, file)),
        }])
    }

    /// The body, of which `first` is known.
    fn into_parts(self, first: Vec<Part>, seed: &[u8]) -> (HeaderValue, Segments) {
        let media = first.first().map_or(OCTETS, |part| part.media);
        let mut multipart = Multipart::new(media, seed);
        write(&mut multipart, first);
        if self.rows.len() == 0 {
            return multipart.finish();
        }
        let (content_type, mut segments) = (multipart.content_type(), multipart.taken());
        let rest = stream::unfold((self, Some(multipart)), |(mut gathering, multipart)| async move {
            let mut multipart = multipart?;
            match gathering.next().await {
                Ok(Some(parts)) => {
                    write(&mut multipart, parts);
                    let written = multipart.taken();
                    Some((Ok(written), (gathering, Some(multipart))))
                }
                Ok(None) => Some((Ok(multipart.finish().1), (gathering, None))),
                Err(problem) => Some((Err(broken(&problem)), (gathering, None))),
            }
        });
        segments.push(Segment::Coming(rest.boxed()));
        (content_type, segments)
    }
}

fn write(multipart: &mut Multipart, parts: Vec<Part>) {
    for part in parts {
        multipart.part(part.media, part.transfer_syntax, &part.location, part.bytes);
    }
}

/// The headers are gone: the log is the only place left to say it.
fn broken(problem: &Problem) -> io::Error {
    if problem.status == StatusCode::NOT_FOUND {
        tracing::info!("a body ended early: what it was to hold was deleted");
    } else {
        tracing::error!(cause = problem.cause.as_deref(), "a body ended early: {}", problem.detail);
    }
    io::Error::other("an instance could not be read")
}
