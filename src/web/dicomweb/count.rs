//! How many there are (`.../count` beneath each search): the matches of a search without its `limit` and
//! `offset`, as `{"count": n}`. Not in PS3.18; portals know it from dcm4chee.

use super::accept::Accept;
use super::media::JSON;
use super::qido::{Within, asked};
use crate::domain::level::Level;
use crate::web::Web;
use crate::web::caller::Reader;
use crate::web::problem::Problem;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};

/// `GET /studies/count`
pub async fn studies(
    web: State<Web>,
    reader: Reader,
    within: Path<Within>,
    request: Request,
) -> Result<Response, Problem> {
    count(Level::Study, web, reader, within, request).await
}

/// `GET .../series/count`, of one study or of all.
pub async fn series(
    web: State<Web>,
    reader: Reader,
    within: Path<Within>,
    request: Request,
) -> Result<Response, Problem> {
    count(Level::Series, web, reader, within, request).await
}

/// `GET .../instances/count`, of one series, of one study or of all.
pub async fn instances(
    web: State<Web>,
    reader: Reader,
    within: Path<Within>,
    request: Request,
) -> Result<Response, Problem> {
    count(Level::Instance, web, reader, within, request).await
}

async fn count(
    level: Level,
    State(web): State<Web>,
    reader: Reader,
    Path(within): Path<Within>,
    request: Request,
) -> Result<Response, Problem> {
    if Accept::of(request.headers(), request.uri().query()).choose(&[JSON]).is_none() {
        return Err(Problem::not_acceptable("A count is served as application/json."));
    }
    let mut asked = asked(level, &web, reader, within, request.uri().query())?;
    let count = web.archive.count(&asked.query).await?;
    // Nothing of a count is lowered.
    asked.warnings.retain(|warning| *warning != super::params::CAPPED);
    let mut response = axum::Json(serde_json::json!({ "count": count })).into_response();
    asked.warn(&mut response);
    Ok(response)
}
