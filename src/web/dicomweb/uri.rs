//! WADO-URI (PS3.18 §9): one instance, named in the query, as its file or rendered. What is sent is what
//! WADO-RS sends; only the words of the question are older.

mod wanted;

use super::accept::Accept;
use super::asked::Asked;
use super::documents::{self, Document};
use super::media::DICOM;
use super::{rendered, wado};
use crate::archive::InstanceFrames;
use crate::domain::transfer_syntax::EXPLICIT_VR_LITTLE_ENDIAN;
use crate::domain::uid::StudyInstanceUid;
use crate::imaging::{Format, is_shown};
use crate::web::Web;
use crate::web::caller::Reader;
use crate::web::problem::Problem;
use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::get;
use wanted::Wanted;

/// Where the service is, beside `/dicom-web`.
pub const PATH: &str = "/wado";

const JPEG: &str = "image/jpeg";
const PNG: &str = "image/png";
const GIF: &str = "image/gif";
const HTML: &str = "text/html";

pub fn router() -> Router<Web> {
    Router::new().route("/wado", get(retrieve))
}

/// The study that a query names, for whoever holds a caller to their restriction.
pub fn study_of(query: Option<&str>) -> Option<StudyInstanceUid> {
    Wanted::of(query).ok().map(|wanted| wanted.selector.study)
}

/// `GET /wado?requestType=WADO&studyUID=..&seriesUID=..&objectUID=..`
async fn retrieve(State(web): State<Web>, reader: Reader, request: Request) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let wanted = Wanted::of(parts.uri.query())?;
    let asked = Asked::new(&web, reader, parts, wanted.selector.clone(), String::new()).await;
    let found = asked.frames().await?;
    let image = found.pixels.is_some() && is_shown(found.row.file.transfer_syntax_uid.as_str());
    let document = match image {
        true => None,
        false => documents::find(&asked, &asked.instance().await?).await?,
    };
    let names = document.as_ref().map(Document::names);
    let names: Option<Vec<&str>> = names.as_ref().map(|names| names.iter().map(String::as_str).collect());
    let offers = offers(&found, &wanted, image, names.as_deref());
    let accept = wanted.content_type.clone().unwrap_or_else(|| asked.accept());
    let chosen = accept.choose(&offers).ok_or_else(|| {
        Problem::not_acceptable(format!(
            "This instance is served as {}; contentType names one of them.",
            offers.join(", ")
        ))
    })?;
    let chosen = chosen.to_owned();
    match (chosen.as_str(), document) {
        (DICOM, _) => file(&asked, &wanted).await,
        (media, Some(document)) => {
            if media == HTML && !wanted.utf8 {
                return Err(Problem::not_acceptable("Text is sent in UTF-8; ask for charset=utf-8."));
            }
            asked.noted().await;
            Ok(document.taken(&accept)?.send(&asked))
        }
        (media, None) => picture(&asked, &wanted, &found, media).await,
    }
}

/// What there is, the default first (PS3.18 §8.7.4): of one frame a JPEG, of many the file, of a report a
/// page, of a document itself.
fn offers<'a>(found: &InstanceFrames, wanted: &Wanted, image: bool, document: Option<&[&'a str]>) -> Vec<&'a str> {
    let frames = found.pixels.as_ref().map_or(0, |pixels| pixels.number_of_frames);
    match document {
        Some(film) if found.pixels.is_some() => [&[DICOM], film].concat(),
        Some(document) => [document, &[DICOM]].concat(),
        None if !image => vec![DICOM],
        None if wanted.frame.is_some() => vec![JPEG, PNG, DICOM],
        None if frames == 1 => vec![JPEG, PNG, GIF, DICOM],
        None => vec![DICOM, JPEG, PNG, GIF],
    }
}

/// The instance as a file. Without `transferSyntax` in Explicit VR Little Endian where that can be had, else
/// as stored (PS3.18 §9.1.2.2).
async fn file(asked: &Asked, wanted: &Wanted) -> Result<Response, Problem> {
    if wanted.frame.is_some() {
        return Err(Problem::bad_request(
            "frameNumber names a picture: ask for image/jpeg or image/png, or leave it out.",
        ));
    }
    let accept = match &wanted.transfer_syntax {
        Some(wanted) => Accept::in_syntaxes(DICOM, &[wanted]),
        None => Accept::in_syntaxes(DICOM, &[EXPLICIT_VR_LITTLE_ENDIAN, "*"]),
    };
    wado::send(asked, &accept).await
}

async fn picture(asked: &Asked, wanted: &Wanted, found: &InstanceFrames, media: &str) -> Result<Response, Problem> {
    let format = if media == JPEG { Format::Jpeg } else { Format::Png };
    let view = wanted.view(format, found.pixels.as_ref());
    asked.noted().await;
    match media {
        GIF => rendered::moving(asked, &found.row, &view).await,
        _ => rendered::frame(asked, &found.row, wanted.frame.unwrap_or(1), &view).await,
    }
}

#[cfg(test)]
mod tests;
