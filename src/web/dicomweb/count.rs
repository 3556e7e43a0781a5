//! How many there are (`.../count` beneath each search): the matches of a search without its `limit` and
//! `offset`, as `{"count": n}`. Not in PS3.18; portals know it from dcm4chee.

use super::media::JSON;
use super::params::CAPPED;
use super::qido::Sought;
use crate::domain::level::Level;
use crate::web::problem::Problem;
use axum::response::{IntoResponse, Response};

/// `GET /studies/count`
pub async fn studies(sought: Sought) -> Result<Response, Problem> {
    count(Level::Study, sought).await
}

/// `GET .../series/count`, of one study or of all.
pub async fn series(sought: Sought) -> Result<Response, Problem> {
    count(Level::Series, sought).await
}

/// `GET .../instances/count`, of one series, of one study or of all.
pub async fn instances(sought: Sought) -> Result<Response, Problem> {
    count(Level::Instance, sought).await
}

async fn count(level: Level, sought: Sought) -> Result<Response, Problem> {
    if sought.accept().choose(&[JSON]).is_none() {
        return Err(Problem::not_acceptable("A count is served as application/json."));
    }
    let mut asked = sought.query(level)?;
    let count = sought.web.archive.count(&asked.query).await?;
    // Nothing of a count is lowered.
    asked.warnings.retain(|warning| *warning != CAPPED);
    let mut response = axum::Json(serde_json::json!({ "count": count })).into_response();
    asked.warn(&mut response);
    Ok(response)
}
