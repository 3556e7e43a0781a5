//! Rendered resources and thumbnails (PS3.18 §10.4.1.1.3, §10.4.1.1.4): frames as pictures that a browser
//! shows.

use super::accept::Accept;
use super::frames::numbers;
use super::multipart::Multipart;
use super::representation::Representation;
use super::segments::{Picturing, Segment, Segments};
use super::{Resource, base_tag, documents, hex, instance_url, nothing_there, select, viewing};
use crate::archive::InstanceRow;
use crate::domain::instance::Selector;
use crate::imaging::{Format, Imaging, Picture, View, is_shown};
use crate::web::Web;
use crate::web::base_url::BaseUrl;
use crate::web::caller::Reader;
use crate::web::problem::Problem;
use axum::extract::{Path, Request, State};
use axum::http::HeaderValue;
use axum::response::Response;
use sha2::{Digest, Sha256};

/// Frames that one request may have rendered before its answer begins.
const LIST_MAX: usize = 16;

/// `GET .../instances/{instance}/frames/{frames}/rendered`: one picture, or several in multipart/related.
pub async fn frames(
    State(web): State<Web>,
    reader: Reader,
    base: BaseUrl,
    Path((study, series, instance, list)): Path<(String, String, String, String)>,
    request: Request,
) -> Result<Response, Problem> {
    let selector = select(&study, Some(&series), Some(&instance))?;
    let list = numbers(&list)?;
    if list.len() > LIST_MAX {
        return Err(Problem::bad_request("A request has at most 16 frames rendered."));
    }
    let found = web.archive.frames(&selector).await?.ok_or_else(|| nothing_there(&selector))?;
    let wanted = Wanted::of(&Accept::of(request.headers(), request.uri().query()))?;
    let view = viewing::view(request.uri().query(), wanted.format)?;
    reader.notes(&web, request.extensions(), &selector.study).await;
    let mut pictures = Vec::with_capacity(list.len());
    for number in list {
        pictures.push((number, web.imaging.rendered(&found.row, number - 1, &view).await?));
    }
    Ok(match pictures.as_slice() {
        [(number, picture)] if !wanted.parts => single(&found.row, number - 1, &view, picture),
        _ => several(&base, &found.row, &view, &pictures),
    }
    .respond(request.headers(), &web.archive))
}

/// `GET` of a rendered study, series or instance. An instance is its first frame, its film, its document or
/// its report as a page; several are parts, each instance's first frame.
pub async fn rendered(
    State(web): State<Web>,
    reader: Reader,
    base: BaseUrl,
    Resource(selector): Resource,
    request: Request,
) -> Result<Response, Problem> {
    let accept = Accept::of(request.headers(), request.uri().query());
    if selector.instance.is_none() {
        return many(&web, &reader, &base, &selector, &accept, request).await;
    }
    let found = web.archive.frames(&selector).await?.ok_or_else(|| nothing_there(&selector))?;
    if found.pixels.is_none() || !is_shown(found.row.file.transfer_syntax_uid.as_str()) {
        let detail = web.archive.instance(&selector).await?.ok_or_else(|| nothing_there(&selector))?;
        reader.notes(&web, request.extensions(), &selector.study).await;
        if let Some(response) = documents::document(&web, &detail, &accept, request.headers()).await? {
            return Ok(response);
        }
    }
    let wanted = Wanted::of(&accept)?;
    let view = viewing::view(request.uri().query(), wanted.format)?;
    reader.notes(&web, request.extensions(), &selector.study).await;
    let row = &found.row;
    let representation = if wanted.moving {
        let picture = web.imaging.animated(row, &view).await?;
        single(row, u32::MAX, &view, &picture)
    } else {
        let picture = web.imaging.rendered(row, 0, &view).await?;
        if wanted.parts { several(&base, row, &view, &[(1, picture)]) } else { single(row, 0, &view, &picture) }
    };
    Ok(representation.respond(request.headers(), &web.archive))
}

/// Every instance that can be shown, one part each, made as the caller reads on. One that turns out not to
/// be an image is left out, and the log says so.
async fn many(
    web: &Web,
    reader: &Reader,
    base: &BaseUrl,
    selector: &Selector,
    accept: &Accept,
    request: Request,
) -> Result<Response, Problem> {
    let rows = web.archive.instances(selector).await?;
    if rows.is_empty() {
        return Err(nothing_there(selector));
    }
    let wanted = Wanted::of(accept)?;
    let view = viewing::view(request.uri().query(), wanted.format)?;
    let can_be = |row: &&InstanceRow| row.number_of_frames > 0 && is_shown(row.file.transfer_syntax_uid.as_str());
    let shown: Vec<&InstanceRow> = rows.iter().filter(can_be).collect();
    reader.notes(web, request.extensions(), &selector.study).await;
    let [_, ..] = shown.as_slice() else {
        return Err(Problem::not_acceptable("Nothing of it can be rendered as pictures."));
    };
    let mut digest = Sha256::new();
    shown.iter().for_each(|row| digest.update(Imaging::name(row, 0, &view)));
    let digest = digest.finalize();
    let media = wanted.media();
    let root = base.dicomweb();
    let mut multipart = Multipart::new(media, digest.get(16..).unwrap_or_default());
    for row in shown {
        let uids = &row.uids;
        let location = instance_url(&root, &uids.study, &uids.series, &uids.instance) + "/rendered";
        let head = multipart.head(media, None, &location);
        let picturing = Picturing { imaging: web.imaging.clone(), row: row.clone(), view: view.clone(), head };
        multipart.segment(Segment::Picture(Box::new(picturing)));
    }
    let (content_type, segments) = multipart.finish();
    let etag = format!("\"{}-{:x}\"", hex(digest.get(..16).unwrap_or_default()), base_tag(base));
    Ok(Representation { content_type, etag, segments }.respond(request.headers(), &web.archive))
}

/// What Accept comes to.
struct Wanted {
    format: Format,
    /// In multipart/related.
    parts: bool,
    /// All frames as one GIF.
    moving: bool,
}

impl Wanted {
    /// JPEG unless something else is wanted more.
    fn of(accept: &Accept) -> Result<Self, Problem> {
        for range in accept.wanted() {
            let parts = range.media.starts_with("multipart/");
            let media = if parts { range.part.as_deref().unwrap_or("*/*") } else { range.media.as_str() };
            let (format, moving) = match media {
                "image/jpeg" | "image/*" | "*/*" => (Format::Jpeg, false),
                "image/png" => (Format::Png, false),
                "image/gif" => (Format::Png, true),
                _ => continue,
            };
            return Ok(Self { format, parts, moving });
        }
        Err(Problem::not_acceptable(
            "Frames are rendered as image/jpeg or image/png, alone or in multipart/related; instances as image/gif too.",
        ))
    }
    fn media(&self) -> &'static str {
        if self.format == Format::Png { "image/png" } else { "image/jpeg" }
    }
}

fn single(row: &InstanceRow, frame: u32, view: &View, picture: &Picture) -> Representation {
    let mut segments = Segments::default();
    segments.push(Segment::Literal(picture.bytes.clone()));
    let etag = format!("\"{}\"", hex(&Imaging::name(row, frame, view)));
    Representation { content_type: HeaderValue::from_static(picture.media_type), etag, segments }
}

fn several(base: &BaseUrl, row: &InstanceRow, view: &View, pictures: &[(u32, Picture)]) -> Representation {
    let media = if view.format == Format::Png { "image/png" } else { "image/jpeg" };
    let uids = &row.uids;
    let location = instance_url(&base.dicomweb(), &uids.study, &uids.series, &uids.instance);
    let mut tag = format!("{:x}", base_tag(base));
    let mut multipart = Multipart::new(media, row.file.sha256.get(16..).unwrap_or_default());
    for (number, picture) in pictures {
        tag.push('.');
        tag.push_str(&hex(&Imaging::name(row, number - 1, view)));
        let location = format!("{location}/frames/{number}/rendered");
        multipart.part(media, None, &location, [Segment::Literal(picture.bytes.clone())]);
    }
    let (content_type, segments) = multipart.finish();
    Representation { content_type, etag: format!("\"{tag}\""), segments }
}

/// `GET` of a study's, series' or instance's thumbnail: the picture that stands for it.
pub async fn thumbnail(
    State(web): State<Web>,
    reader: Reader,
    Resource(selector): Resource,
    request: Request,
) -> Result<Response, Problem> {
    let wanted = Wanted::of(&Accept::of(request.headers(), request.uri().query()))?;
    let view = viewing::thumbnail(request.uri().query(), wanted.format)?;
    let rows = web.archive.instances(&selector).await?;
    if rows.is_empty() {
        return Err(nothing_there(&selector));
    }
    reader.notes(&web, request.extensions(), &selector.study).await;
    let chosen = web.imaging.first_of(&rows, &view).await?;
    Ok(single(&chosen.row, chosen.frame, &view, &chosen.picture).respond(request.headers(), &web.archive))
}

/// `GET .../instances/{instance}/frames/{frames}/thumbnail`: of the first frame that is named.
pub async fn frames_thumbnail(
    State(web): State<Web>,
    reader: Reader,
    Path((study, series, instance, list)): Path<(String, String, String, String)>,
    request: Request,
) -> Result<Response, Problem> {
    let selector = select(&study, Some(&series), Some(&instance))?;
    let frame = numbers(&list)?.first().copied().unwrap_or(1) - 1;
    let wanted = Wanted::of(&Accept::of(request.headers(), request.uri().query()))?;
    let view = viewing::thumbnail(request.uri().query(), wanted.format)?;
    let found = web.archive.frames(&selector).await?.ok_or_else(|| nothing_there(&selector))?;
    reader.notes(&web, request.extensions(), &selector.study).await;
    let picture = web.imaging.rendered(&found.row, frame, &view).await?;
    Ok(single(&found.row, frame, &view, &picture).respond(request.headers(), &web.archive))
}
