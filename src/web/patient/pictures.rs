//! `/my/{study}{series}.jpg`: one small picture of a series, for the page. The name holds digests: no
//! UID leaves in a URL.

use super::pages::{self, Reader};
use super::{PatientWeb, my};
use crate::access::AccessError;
use crate::access::ticket::{series_digest, study_digest};
use crate::domain::instance::Selector;
use crate::domain::query::Found;
use crate::domain::uid::{SeriesInstanceUid, StudyInstanceUid};
use crate::imaging::{self, Chosen, View};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};

/// The longer edge of a picture, in pixels: sharp on a telephone at twice the size on the page.
const EDGE: u32 = 384;

pub(super) fn path(study: &StudyInstanceUid, series: &SeriesInstanceUid) -> String {
    format!("/my/{}{}.jpg", hex(study_digest(study)), hex(series_digest(series)))
}

/// Whether the picture of a series can be made: its middle instance has pixels, and its transfer syntax
/// can be decoded.
pub(super) async fn can_be_shown(
    web: &PatientWeb,
    study: &StudyInstanceUid,
    series: &SeriesInstanceUid,
) -> Result<bool, AccessError> {
    Ok(web.access.middle_instance(study, series).await?.is_some_and(|found| is_picture(&found)))
}

fn is_picture(found: &Found) -> bool {
    let rows = found.attributes.first(dicom_dictionary_std::tags::ROWS).is_some();
    rows && found.transfer_syntax.as_ref().is_some_and(|uid| imaging::is_shown(uid.as_str()))
}

pub(super) async fn show(State(web): State<PatientWeb>, Path(name): Path<String>, headers: HeaderMap) -> Response {
    let reader = Reader::of(&web, &headers);
    let visit = match my::visit(&web, &reader).await {
        Ok(Some(visit)) => visit,
        Ok(None) => return pages::no_session(&reader),
        Err(error) => return my::failed(&reader, &error),
    };
    let named = name.strip_suffix(".jpg").and_then(|digests| digests.split_at_checked(16));
    let Some((study, series)) = named else { return pages::not_found(&reader) };
    let Some(study) = visit.studies.iter().map(|found| &found.study).find(|uid| hex(study_digest(uid)) == study) else {
        return pages::not_found(&reader);
    };
    let selector = match selector(&web, study, series).await {
        Ok(Some(selector)) => selector,
        Ok(None) => return pages::not_found(&reader),
        Err(error) => return my::failed(&reader, &error),
    };
    let view = View { longest_edge: Some(EDGE), ..View::default() };
    match web.imaging.first_picture(&selector, &view).await {
        Ok(Chosen { picture, .. }) => {
            ([(header::CONTENT_TYPE, HeaderValue::from_static(picture.media_type))], picture.bytes).into_response()
        }
        Err(error) => {
            tracing::info!(%error, "a picture could not be made");
            pages::not_found(&reader)
        }
    }
}

async fn selector(web: &PatientWeb, study: &StudyInstanceUid, series: &str) -> Result<Option<Selector>, AccessError> {
    let all = web.access.series_of(study, u32::from(u16::MAX)).await?;
    let wanted = all.into_iter().filter_map(|found| found.series).find(|uid| hex(series_digest(uid)) == series);
    let Some(series) = wanted else { return Ok(None) };
    Ok(Some(Selector { study: study.clone(), series: Some(series), instance: None }))
}

fn hex(digest: [u8; 8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
