//! Rendered resources and thumbnails (PS3.18 §10.4.1.1.3, §10.4.1.1.4): frames as pictures that a browser
//! shows.

use super::accept::Accept;
use super::asked::Asked;
use super::frames::numbers;
use super::multipart::Multipart;
use super::representation::Representation;
use super::segments::{Picturing, Segment, Segments};
use super::{base_tag, documents, hex, viewing};
use crate::archive::InstanceRow;
use crate::imaging::{Format, Imaging, Picture, View, is_shown};
use crate::web::problem::Problem;
use axum::http::HeaderValue;
use axum::response::Response;
use sha2::{Digest, Sha256};

/// Frames that one request may have rendered before its answer begins.
const LIST_MAX: usize = 16;

/// `GET .../instances/{instance}/frames/{frames}/rendered`: one picture, or several in multipart/related.
pub async fn frames(asked: Asked) -> Result<Response, Problem> {
    let list = numbers(&asked.below)?;
    if list.len() > LIST_MAX {
        return Err(Problem::bad_request("A request has at most 16 frames rendered."));
    }
    let found = asked.frames().await?;
    let wanted = Wanted::still(&asked.accept())?;
    let view = viewing::view(asked.query(), wanted.format)?;
    asked.noted().await;
    let mut pictures = Vec::with_capacity(list.len());
    for number in list {
        pictures.push((number, asked.web.imaging.rendered(&found.row, number - 1, &view).await?));
    }
    Ok(asked.answer(match pictures.as_slice() {
        [(number, picture)] if !wanted.parts => single(&found.row, number - 1, &view, picture),
        _ => several(&asked, &found.row, &view, &pictures),
    }))
}

/// `GET` of a rendered study, series or instance. An instance is its first frame, its film, its document or
/// its report as a page; several are parts, each instance's first frame.
pub async fn rendered(asked: Asked) -> Result<Response, Problem> {
    let accept = asked.accept();
    if asked.selector.instance.is_none() {
        return many(&asked, &accept).await;
    }
    let found = asked.frames().await?;
    if found.pixels.is_none() || !is_shown(found.row.file.transfer_syntax_uid.as_str()) {
        let detail = asked.instance().await?;
        if let Some(document) = documents::find(&asked, &detail).await? {
            let document = document.taken(&accept)?;
            asked.noted().await;
            return Ok(document.send(&asked));
        }
    }
    let wanted = Wanted::of(&accept)?;
    let view = viewing::view(asked.query(), wanted.format)?;
    asked.noted().await;
    let row = &found.row;
    match (wanted.moving, wanted.parts) {
        (true, _) => moving(&asked, row, &view).await,
        (false, false) => frame(&asked, row, 1, &view).await,
        (false, true) => {
            let picture = asked.web.imaging.rendered(row, 0, &view).await?;
            Ok(asked.answer(several(&asked, row, &view, &[(1, picture)])))
        }
    }
}

/// Frame `number` (from 1) as a picture.
pub(super) async fn frame(asked: &Asked, row: &InstanceRow, number: u32, view: &View) -> Result<Response, Problem> {
    let frame = number.saturating_sub(1);
    let picture = asked.web.imaging.rendered(row, frame, view).await?;
    Ok(asked.answer(single(row, frame, view, &picture)))
}

/// All frames as one moving picture.
pub(super) async fn moving(asked: &Asked, row: &InstanceRow, view: &View) -> Result<Response, Problem> {
    let picture = asked.web.imaging.animated(row, view).await?;
    Ok(asked.answer(single(row, u32::MAX, view, &picture)))
}

/// Every instance that can be shown, one part each, made as the caller reads on. One that turns out not to
/// be an image is left out, and the log says so.
async fn many(asked: &Asked, accept: &Accept) -> Result<Response, Problem> {
    let rows = asked.instances().await?;
    let wanted = Wanted::still(accept)?;
    let view = viewing::view(asked.query(), wanted.format)?;
    let can_be = |row: &&InstanceRow| row.number_of_frames > 0 && is_shown(row.file.transfer_syntax_uid.as_str());
    let shown: Vec<&InstanceRow> = rows.iter().filter(can_be).collect();
    asked.noted().await;
    let [_, ..] = shown.as_slice() else {
        return Err(Problem::not_acceptable("Nothing of it can be rendered as pictures."));
    };
    let mut digest = Sha256::new();
    shown.iter().for_each(|row| digest.update(Imaging::name(row, 0, &view)));
    let digest = digest.finalize();
    let media = wanted.media();
    let mut multipart = Multipart::new(media, digest.get(16..).unwrap_or_default());
    for row in shown {
        let location = asked.url_of(&row.uids) + "/rendered";
        let head = multipart.head(media, None, &location);
        let picturing = Picturing { imaging: asked.web.imaging.clone(), row: row.clone(), view: view.clone(), head };
        multipart.segment(Segment::Picture(Box::new(picturing)));
    }
    let (content_type, segments) = multipart.finish();
    let etag = format!("\"{}-{:x}\"", hex(digest.get(..16).unwrap_or_default()), base_tag(&asked.base));
    Ok(asked.answer(Representation { content_type, etag, segments }))
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
    /// Of an instance.
    fn of(accept: &Accept) -> Result<Self, Problem> {
        Self::first(accept, true)
    }
    /// Of what has no moving form: a frame, a thumbnail, the parts of a series or a study.
    fn still(accept: &Accept) -> Result<Self, Problem> {
        Self::first(accept, false)
    }
    /// JPEG unless something else is wanted more.
    fn first(accept: &Accept, may_move: bool) -> Result<Self, Problem> {
        for range in accept.wanted() {
            let parts = range.media.starts_with("multipart/");
            let media = if parts { range.part.as_deref().unwrap_or("*/*") } else { range.media.as_str() };
            let (format, moving) = match media {
                "image/jpeg" | "image/*" | "*/*" => (Format::Jpeg, false),
                "image/png" => (Format::Png, false),
                "image/gif" if may_move && !parts => (Format::Png, true),
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

fn several(asked: &Asked, row: &InstanceRow, view: &View, pictures: &[(u32, Picture)]) -> Representation {
    let media = if view.format == Format::Png { "image/png" } else { "image/jpeg" };
    let location = asked.url_of(&row.uids);
    let mut tag = format!("{:x}", base_tag(&asked.base));
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

/// `GET` of a study's, series' or instance's thumbnail: the picture that stands for it, or a plate with its kind.
pub async fn thumbnail(asked: Asked) -> Result<Response, Problem> {
    let wanted = Wanted::still(&asked.accept())?;
    let view = viewing::thumbnail(asked.query(), wanted.format)?;
    let rows = asked.instances().await?;
    asked.noted().await;
    let chosen = asked.web.imaging.tile_of(&rows, &view).await?;
    Ok(asked.answer(single(&chosen.row, chosen.frame, &view, &chosen.picture)))
}

/// `GET .../instances/{instance}/frames/{frames}/thumbnail`: of the first frame that is named.
pub async fn frames_thumbnail(asked: Asked) -> Result<Response, Problem> {
    let frame = numbers(&asked.below)?.first().copied().unwrap_or(1) - 1;
    let wanted = Wanted::still(&asked.accept())?;
    let view = viewing::thumbnail(asked.query(), wanted.format)?;
    let found = asked.frames().await?;
    asked.noted().await;
    let picture = asked.web.imaging.rendered(&found.row, frame, &view).await?;
    Ok(asked.answer(single(&found.row, frame, &view, &picture)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_instance_moves() {
        let media = |wanted: Result<Wanted, Problem>| wanted.ok().map(|wanted| (wanted.media(), wanted.moving));
        for (accept, of_instance, of_others) in [
            ("image/gif", Some(("image/png", true)), None),
            ("image/gif, image/jpeg", Some(("image/png", true)), Some(("image/jpeg", false))),
            ("image/gif;q=0.5, image/png", Some(("image/png", false)), Some(("image/png", false))),
            ("multipart/related; type=\"image/gif\"", None, None),
            ("*/*", Some(("image/jpeg", false)), Some(("image/jpeg", false))),
        ] {
            let accept = Accept::listed(accept).unwrap();
            assert_eq!(media(Wanted::of(&accept)), of_instance, "{accept:?}");
            assert_eq!(media(Wanted::still(&accept)), of_others, "{accept:?}");
        }
    }
}
