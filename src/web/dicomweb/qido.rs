//! Search (QIDO-RS, PS3.18 §10.6): 200 with a DICOM JSON array, 204 when nothing matches, 400 when the
//! query cannot be understood. Newest study first.

use super::accept::{Accept, takes_gzip};
use super::{json, media, params, select};
use crate::domain::level::Level;
use crate::domain::query::Query;
use crate::web::Web;
use crate::web::base_url::BaseUrl;
use crate::web::caller::Reader;
use crate::web::problem::Problem;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;

/// `GET /studies`
pub async fn studies(
    web: State<Web>,
    reader: Reader,
    base: BaseUrl,
    within: Path<Within>,
    request: Request,
) -> Result<Response, Problem> {
    search(Level::Study, web, reader, base, within, request).await
}

/// `GET .../series`, of one study or of all.
pub async fn series(
    web: State<Web>,
    reader: Reader,
    base: BaseUrl,
    within: Path<Within>,
    request: Request,
) -> Result<Response, Problem> {
    search(Level::Series, web, reader, base, within, request).await
}

/// `GET .../instances`, of one series, of one study or of all.
pub async fn instances(
    web: State<Web>,
    reader: Reader,
    base: BaseUrl,
    within: Path<Within>,
    request: Request,
) -> Result<Response, Problem> {
    search(Level::Instance, web, reader, base, within, request).await
}

/// What the path narrows the search to.
#[derive(serde::Deserialize)]
pub struct Within {
    study: Option<String>,
    series: Option<String>,
}

/// What a search is for, by its path, its query string and who asks.
pub(super) fn asked(
    level: Level,
    web: &Web,
    Reader(caller): Reader,
    Within { study, series }: Within,
    query: Option<&str>,
) -> Result<params::Asked, Problem> {
    let within = study.map(|study| select(&study, series.as_deref(), None)).transpose()?;
    let (study, series) = within.map_or((None, None), |within| (Some(within.study), within.series));
    let mut asked = params::parse(query, level, study, series, &web.limits)?;
    asked.query.only = caller.restriction;
    Ok(asked)
}

/// Rows read at a time when all are asked for.
const PAGE: u32 = 1000;

async fn search(
    level: Level,
    State(web): State<Web>,
    reader: Reader,
    base: BaseUrl,
    Path(within): Path<Within>,
    request: Request,
) -> Result<Response, Problem> {
    let query = request.uri().query();
    let media = media::model(&Accept::of(request.headers(), query))?;
    let mut asked = asked(level, &web, reader, within, query)?;
    // Within a study everything is given; it is read in pages, so that memory stays flat.
    let everything = asked.query.limit.is_none();
    if everything {
        asked.query.limit = Some(PAGE);
    }
    let page = web.archive.search(&asked.query).await?;
    if page.more && !everything && !asked.warnings.contains(&params::CAPPED) {
        asked.warnings.push(params::MORE);
    }
    let mut response = if page.rows.is_empty() {
        let mut nothing = Response::new(Body::empty());
        *nothing.status_mut() = StatusCode::NO_CONTENT;
        nothing
    } else {
        let frame = json::Frame { level, root: base.dicomweb(), ae_title: web.ae_title.to_string() };
        let offset = asked.query.offset.saturating_add(PAGE);
        let rest = everything.then(|| (web.archive.clone(), Query { offset, ..asked.query.clone() }));
        json::answer(json::Matches::new(frame, page, rest), media, takes_gzip(request.headers())).await?
    };
    asked.warn(&mut response);
    Ok(response)
}
