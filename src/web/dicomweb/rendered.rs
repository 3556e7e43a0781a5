//! Rendered resources and thumbnails (PS3.18 §10.4.1.1.3, §10.4.1.1.4): frames as pictures that a browser
//! shows.

use super::accept::Accept;
use super::frames::numbers;
use super::multipart::Multipart;
use super::representation::Representation;
use super::segments::{Segment, Segments};
use super::{hex, instance_url, nothing_there, select, viewing};
use crate::archive::InstanceRow;
use crate::domain::instance::Selector;
use crate::imaging::{Format, Picture, View};
use crate::web::Web;
use crate::web::base_url::BaseUrl;
use crate::web::caller::Reader;
use crate::web::problem::Problem;
use axum::extract::{Path, Request, State};
use axum::http::HeaderValue;
use axum::response::Response;

/// Frames that one request may have rendered at once.
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
    answer(&web, &reader, &base, &selector, &list, request).await
}

/// `GET .../instances/{instance}/rendered`: its first frame.
pub async fn instance(
    State(web): State<Web>,
    reader: Reader,
    base: BaseUrl,
    Path((study, series, instance)): Path<(String, String, String)>,
    request: Request,
) -> Result<Response, Problem> {
    let selector = select(&study, Some(&series), Some(&instance))?;
    answer(&web, &reader, &base, &selector, &[1], request).await
}

async fn answer(
    web: &Web,
    reader: &Reader,
    base: &BaseUrl,
    selector: &Selector,
    list: &[u32],
    request: Request,
) -> Result<Response, Problem> {
    let found = web.archive.frames(selector).await?.ok_or_else(|| nothing_there(selector))?;
    let (format, parts) = format(&Accept::of(request.headers(), request.uri().query()))?;
    let view = viewing::view(request.uri().query(), format)?;
    reader.notes(web, request.extensions(), &selector.study).await;
    let mut pictures = Vec::with_capacity(list.len());
    for number in list {
        let picture = web.imaging.rendered(&found.row, number - 1, &view).await?;
        pictures.push((*number, picture));
    }
    Ok(match pictures.as_slice() {
        [(number, picture)] if !parts => single(&found.row, number - 1, &view, picture),
        _ => several(base, &found.row, &view, &pictures),
    }
    .respond(request.headers(), &web.archive))
}

/// JPEG unless PNG is wanted more, and whether parts are asked for.
fn format(accept: &Accept) -> Result<(Format, bool), Problem> {
    for range in accept.wanted() {
        let parts = range.media.starts_with("multipart/");
        let media = if parts { range.part.as_deref().unwrap_or("*/*") } else { range.media.as_str() };
        match media {
            "image/jpeg" | "image/*" | "*/*" => return Ok((Format::Jpeg, parts)),
            "image/png" => return Ok((Format::Png, parts)),
            _ => {}
        }
    }
    Err(Problem::not_acceptable(
        "Rendered frames are served as image/jpeg or image/png, alone or in multipart/related.",
    ))
}

fn single(row: &InstanceRow, frame: u32, view: &View, picture: &Picture) -> Representation {
    let mut segments = Segments::default();
    segments.push(Segment::Literal(picture.bytes.clone()));
    Representation {
        content_type: HeaderValue::from_static(picture.media_type),
        etag: format!("\"{}\"", hex(&crate::imaging::Imaging::name(row, frame, view))),
        segments,
    }
}

fn several(base: &BaseUrl, row: &InstanceRow, view: &View, pictures: &[(u32, Picture)]) -> Representation {
    let media = if view.format == Format::Png { "image/png" } else { "image/jpeg" };
    let uids = &row.uids;
    let location = instance_url(&base.dicomweb(), &uids.study, &uids.series, &uids.instance);
    let mut tag = format!("{:x}", super::base_tag(base));
    let mut multipart = Multipart::new(media, row.file.sha256.get(16..).unwrap_or_default());
    for (number, picture) in pictures {
        tag.push('.');
        tag.push_str(&hex(&crate::imaging::Imaging::name(row, number - 1, view)));
        let location = format!("{location}/frames/{number}/rendered");
        multipart.part(media, None, &location, [Segment::Literal(picture.bytes.clone())]);
    }
    let (content_type, segments) = multipart.finish();
    Representation { content_type, etag: format!("\"{tag}\""), segments }
}

/// `GET /studies/{study}/thumbnail`
pub async fn study_thumbnail(
    State(web): State<Web>,
    reader: Reader,
    Path(study): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    thumbnail(&web, &reader, &select(&study, None, None)?, None, request).await
}

/// `GET /studies/{study}/series/{series}/thumbnail`
pub async fn series_thumbnail(
    State(web): State<Web>,
    reader: Reader,
    Path((study, series)): Path<(String, String)>,
    request: Request,
) -> Result<Response, Problem> {
    thumbnail(&web, &reader, &select(&study, Some(&series), None)?, None, request).await
}

/// `GET .../instances/{instance}/thumbnail`
pub async fn instance_thumbnail(
    State(web): State<Web>,
    reader: Reader,
    Path((study, series, instance)): Path<(String, String, String)>,
    request: Request,
) -> Result<Response, Problem> {
    thumbnail(&web, &reader, &select(&study, Some(&series), Some(&instance))?, None, request).await
}

/// `GET .../instances/{instance}/frames/{frames}/thumbnail`: of the first frame that is named.
pub async fn frames_thumbnail(
    State(web): State<Web>,
    reader: Reader,
    Path((study, series, instance, list)): Path<(String, String, String, String)>,
    request: Request,
) -> Result<Response, Problem> {
    let selector = select(&study, Some(&series), Some(&instance))?;
    let frame = numbers(&list)?.first().copied();
    thumbnail(&web, &reader, &selector, frame, request).await
}

async fn thumbnail(
    web: &Web,
    reader: &Reader,
    selector: &Selector,
    number: Option<u32>,
    request: Request,
) -> Result<Response, Problem> {
    let (format, _) = format(&Accept::of(request.headers(), request.uri().query()))?;
    let view = viewing::thumbnail(request.uri().query(), format)?;
    let representation = match number {
        Some(number) => {
            let found = web.archive.frames(selector).await?.ok_or_else(|| nothing_there(selector))?;
            reader.notes(web, request.extensions(), &selector.study).await;
            let picture = web.imaging.rendered(&found.row, number - 1, &view).await?;
            single(&found.row, number - 1, &view, &picture)
        }
        None => {
            if web.archive.instances(selector).await?.is_empty() {
                return Err(nothing_there(selector));
            }
            reader.notes(web, request.extensions(), &selector.study).await;
            let chosen = web.imaging.first_picture(selector, &view).await?;
            single(&chosen.row, chosen.frame, &view, &chosen.picture)
        }
    };
    Ok(representation.respond(request.headers(), &web.archive))
}
