//! `/my`: what a verified reader sees. The blue button, then their studies in plain words.

use super::pages::{self, My, Offer, PictureOf, Reader, SeriesCard, StudyCard};
use super::words;
use super::{PatientWeb, cookies, download, pictures};
use crate::access::package::Scope;
use crate::access::{AccessError, Visit};
use crate::domain::attributes::{Attributes, tags};
use crate::domain::query::Found;
use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use dicom_core::Tag;
use serde::Deserialize;

/// Series shown with a picture, of one study; and studies with pictures, on the page.
const SERIES_SHOWN: u32 = 24;
const STUDIES_PICTURED: usize = 20;
/// From here on a telephone is told that a computer is more comfortable.
const LARGE_BYTES: u64 = 2_000_000_000;

const BODY_PART_EXAMINED: Tag = Tag(0x0018, 0x0015);
const INSTITUTION_NAME: Tag = Tag(0x0008, 0x0080);
const NUMBER_OF_INSTANCES: Tag = tags::NUMBER_OF_SERIES_RELATED_INSTANCES;

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Choice {
    language: String,
}

pub(super) async fn show(
    State(web): State<PatientWeb>,
    choice: Result<Query<Choice>, QueryRejection>,
    headers: HeaderMap,
) -> Response {
    let reader = Reader::of(&web, &headers);
    let visit = match visit(&web, &reader).await {
        Ok(Some(visit)) => visit,
        Ok(None) => return pages::no_session(&reader),
        Err(error) => return failed(&reader, &error),
    };
    let chosen = choice.ok().map(|choice| choice.0.language).filter(|code| !code.is_empty());
    if let Some(code) = &chosen {
        web.access.speak(&visit.session, code);
    }
    let reader = reader.speaking(chosen.as_deref().or(visit.session.language.as_deref()));
    match page(&web, &reader, &visit).await {
        Ok(page) => with_service(pages::html(StatusCode::OK, &page), &visit.link_id),
        Err(error) => failed(&reader, &error),
    }
}

/// Tells programs where this reader's DICOMweb is (RFC 8631).
fn with_service(mut page: Response, link_id: &str) -> Response {
    if let Ok(link) = HeaderValue::from_str(&format!("</s/{link_id}/dicom-web>; rel=\"service\"")) {
        page.headers_mut().append(header::LINK, link);
    }
    page
}

/// The verified reader of a request.
pub(super) async fn visit(web: &PatientWeb, reader: &Reader) -> Result<Option<Visit>, AccessError> {
    match &reader.cookie {
        Some(cookie) => web.access.visit(cookie).await,
        None => Ok(None),
    }
}

async fn page<'a>(web: &PatientWeb, reader: &'a Reader, visit: &Visit) -> Result<My<'a>, AccessError> {
    let page = &reader.page;
    let mut studies = Vec::new();
    for (place, found) in visit.studies.iter().enumerate() {
        studies.push(study(web, reader, found, place < STUDIES_PICTURED).await?);
    }
    let now_ms = web.clock.now_ms();
    let idle = page.language.time(web.link.session_idle.get().as_secs());
    Ok(My {
        page,
        whose: visit.studies.first().and_then(|found| words::whose(page, &found.attributes, now_ms)),
        download: offer(web, reader, visit).await,
        studies,
        until: page.say_with("my-until", &[("date", words::moment(page, visit.expires_at_ms).into())]),
        idle: page.say_with("idle-note", &[("time", idle.into())]),
        csrf: web.access.csrf(&visit.session)?,
    })
}

/// The blue button, for everything the link opens. Without a package the page still shows the studies.
async fn offer(web: &PatientWeb, reader: &Reader, visit: &Visit) -> Option<Offer> {
    let (study, scope) = match visit.studies.as_slice() {
        [] => return None,
        [one] => (Some(&one.study), Scope::study(one.study.clone())),
        many => (None, Scope::link(&visit.link_id, many.iter().map(|found| found.study.clone()).collect())),
    };
    let package = match web.packages.current(&scope).await {
        Ok(package) => package,
        Err(error) => {
            tracing::error!(link.id = visit.link_id, error = %error, "a package could not be made");
            return None;
        }
    };
    let ticket = web.access.ticket(&visit.session, study, package.etag()).ok()?;
    let language = reader.page.language;
    let values = [("size", language.size(package.len()).into()), ("time", language.load_time(package.len()).into())];
    Some(Offer {
        href: download::path(&ticket),
        size: reader.page.say_with("download-size", &values),
        large: package.len() >= LARGE_BYTES,
    })
}

async fn study(web: &PatientWeb, reader: &Reader, found: &Found, pictured: bool) -> Result<StudyCard, AccessError> {
    let page = &reader.page;
    let rows = web.access.series_of(&found.study, if pictured { SERIES_SHOWN } else { 1 }).await?;
    let attributes = &found.attributes;
    let body = rows.iter().find_map(|series| words::body_part(page, series.attributes.first(BODY_PART_EXAMINED)?));
    let modalities = words::modalities(page, attributes.values(tags::MODALITIES_IN_STUDY));
    let count = number(attributes, tags::NUMBER_OF_STUDY_RELATED_SERIES);
    let mut series = Vec::new();
    for found in rows.iter().filter(|_| pictured) {
        series.push(series_card(web, reader, found).await?);
    }
    let beyond = count.saturating_sub(series.len() as u64);
    let counts = [
        page.say_with("series-count", &[("count", count.into())]),
        page.say_with("pictures", &[("count", number(attributes, tags::NUMBER_OF_STUDY_RELATED_INSTANCES).into())]),
    ];
    let date = attributes.first(tags::STUDY_DATE).and_then(|value| words::date(page, value));
    Ok(StudyCard {
        title: body.map_or_else(|| modalities.clone(), |body| format!("{modalities}: {body}")),
        date: date.unwrap_or_else(|| page.say("study-date-unknown")),
        institution: attributes.first(INSTITUTION_NAME).map(str::to_owned),
        counts: counts.join(" · "),
        series,
        more: (beyond > 0).then(|| page.say_with("more-series", &[("count", beyond.into())])),
    })
}

async fn series_card(web: &PatientWeb, reader: &Reader, found: &Found) -> Result<SeriesCard, AccessError> {
    let page = &reader.page;
    let number_text = found.attributes.first(tags::SERIES_NUMBER).unwrap_or("–");
    let described = found.attributes.first(tags::SERIES_DESCRIPTION).map(str::to_owned);
    let title = described.unwrap_or_else(|| page.say_with("series-unnamed", &[("number", number_text.into())]));
    let picture = match &found.series {
        Some(series) if pictures::can_be_shown(web, &found.study, series).await? => Some(PictureOf {
            href: pictures::path(&found.study, series),
            alt: page.say_with("picture-of", &[("series", title.as_str().into())]),
        }),
        _ => None,
    };
    let count = page.say_with("pictures", &[("count", number(&found.attributes, NUMBER_OF_INSTANCES).into())]);
    Ok(SeriesCard { title, count, picture })
}

fn number(attributes: &Attributes, tag: Tag) -> u64 {
    attributes.first(tag).and_then(|value| value.trim().parse().ok()).unwrap_or(0)
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct SignOut {
    csrf: String,
}

pub(super) async fn sign_out(
    State(web): State<PatientWeb>,
    headers: HeaderMap,
    form: Result<axum::Form<SignOut>, FormRejection>,
) -> Response {
    let reader = Reader::of(&web, &headers);
    let visit = match visit(&web, &reader).await {
        Ok(Some(visit)) => visit,
        Ok(None) => return pages::signed_out(&reader),
        Err(error) => return failed(&reader, &error),
    };
    let reader = reader.speaking(visit.session.language.as_deref());
    let sent = form.map(|form| form.0.csrf).unwrap_or_default();
    if !web.access.csrf_holds(&visit.session, &sent) {
        return pages::refused(&reader);
    }
    web.access.sign_out(&visit.session);
    let mut response = pages::signed_out(&reader);
    response.headers_mut().insert(header::SET_COOKIE, cookies::clear(web.secure));
    response
}

pub(super) fn failed(reader: &Reader, error: &AccessError) -> Response {
    tracing::error!(%error, "a page could not be made");
    pages::failed(reader, StatusCode::SERVICE_UNAVAILABLE)
}
