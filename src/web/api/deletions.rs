//! `/api/v1/deletions`: what was deleted, and a deletion undone while its files are kept.

use super::body::Json;
use super::time;
use crate::archive::{DeletionRow, Restored};
use crate::web::Web;
use crate::web::caller::{Deleter, address};
use crate::web::problem::Problem;
use axum::Router;
use axum::extract::{Path, Request, State};
use axum::routing::{get, post};
use serde::Serialize;

/// The newest are shown.
const LISTED: u32 = 1000;

pub fn router() -> Router<Web> {
    Router::new().route("/deletions", get(list)).route("/deletions/{deletion}/restore", post(restore))
}

#[derive(Debug, Serialize)]
struct List {
    deletions: Vec<Deletion>,
}

#[derive(Debug, Serialize)]
struct Deletion {
    id: i64,
    /// `study`, `series` or `instance`.
    level: String,
    study: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    series: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    instance: Option<String>,
    deleted_at: String,
    instances: i64,
    bytes: i64,
    /// Files that `restore` would bring back.
    restorable: i64,
}

impl From<DeletionRow> for Deletion {
    fn from(row: DeletionRow) -> Self {
        Self {
            id: row.sequence,
            level: row.level,
            study: row.study_instance_uid.to_string(),
            series: row.series_instance_uid,
            instance: row.sop_instance_uid,
            deleted_at: time(row.deleted_at_ms),
            instances: row.instances,
            bytes: row.size_bytes,
            restorable: row.kept,
        }
    }
}

async fn list(State(web): State<Web>, Deleter(_): Deleter) -> Result<Json<List>, Problem> {
    let rows = web.archive.deletions(LISTED).await?;
    Ok(Json(List { deletions: rows.into_iter().map(Deletion::from).collect() }))
}

async fn restore(
    State(web): State<Web>,
    Deleter(caller): Deleter,
    Path(deletion): Path<String>,
    request: Request,
) -> Result<Json<Restored>, Problem> {
    let address = address(request.extensions());
    let nothing = || Problem::not_found("Nothing of such a deletion is kept; the list shows what can be restored.");
    let deletion = deletion.parse::<i64>().map_err(|_| nothing())?;
    // To its end, whether the caller waits or not.
    let restoring = tokio::spawn(async move { web.archive.restore(deletion, &caller.actor(), address).await });
    restoring.await.map_err(|_| Problem::internal())??.map(Json).ok_or_else(nothing)
}
