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
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;

/// `GET /studies`
pub async fn studies(
    State(web): State<Web>,
    Reader(_): Reader,
    base: BaseUrl,
    request: Request,
) -> Result<Response, Problem> {
    search(&web, &base, Level::Study, (None, None), request).await
}

/// `GET /series`
pub async fn all_series(
    State(web): State<Web>,
    Reader(_): Reader,
    base: BaseUrl,
    request: Request,
) -> Result<Response, Problem> {
    search(&web, &base, Level::Series, (None, None), request).await
}

/// `GET /instances`
pub async fn all_instances(
    State(web): State<Web>,
    Reader(_): Reader,
    base: BaseUrl,
    request: Request,
) -> Result<Response, Problem> {
    search(&web, &base, Level::Instance, (None, None), request).await
}

/// `GET /studies/{study}/series`
pub async fn series_of_study(
    State(web): State<Web>,
    Reader(_): Reader,
    base: BaseUrl,
    Path(study): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    search(&web, &base, Level::Series, (Some(study), None), request).await
}

/// `GET /studies/{study}/instances`
pub async fn instances_of_study(
    State(web): State<Web>,
    Reader(_): Reader,
    base: BaseUrl,
    Path(study): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    search(&web, &base, Level::Instance, (Some(study), None), request).await
}

/// `GET /studies/{study}/series/{series}/instances`
pub async fn instances_of_series(
    State(web): State<Web>,
    Reader(_): Reader,
    base: BaseUrl,
    Path((study, series)): Path<(String, String)>,
    request: Request,
) -> Result<Response, Problem> {
    search(&web, &base, Level::Instance, (Some(study), Some(series)), request).await
}

/// Rows read at a time when all are asked for.
const PAGE: u32 = 1000;

async fn search(
    web: &Web,
    base: &BaseUrl,
    level: Level,
    (study, series): (Option<String>, Option<String>),
    request: Request,
) -> Result<Response, Problem> {
    let (study, series) = match &study {
        None => (None, None),
        Some(study) => {
            let selector = select(study, series.as_deref(), None)?;
            (Some(selector.study), selector.series)
        }
    };
    let query = request.uri().query();
    let media = media::json(&Accept::of(request.headers(), query))?;
    let mut asked = params::parse(query, level, study, series, &web.limits)?;
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
        let rest = everything.then(|| (web.archive.clone(), Query { offset, ..asked.query }));
        json::answer(json::Matches::new(frame, page, rest), media, takes_gzip(request.headers())).await?
    };
    for warning in asked.warnings {
        if let Ok(value) = HeaderValue::from_str(&format!("299 bluebridge: \"{warning}\"")) {
            response.headers_mut().append(header::WARNING, value);
        }
    }
    Ok(response)
}
