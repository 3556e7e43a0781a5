//! Deletion of a study, series or instance. PS3.18 has no such transaction; the form is the one that other
//! archives and the dicomweb-clients use. 204; 404 when there is nothing of that name (any more).

use super::Named;
use super::asked::nothing_there;
use crate::web::Web;
use crate::web::caller::{self, Deleter};
use crate::web::problem::Problem;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;

/// `DELETE` of a study, series or instance. Answered when nobody is served it any more, and what patient
/// links were sending of it has been broken off.
pub async fn delete(
    State(web): State<Web>,
    Deleter(caller): Deleter,
    Path(named): Path<Named>,
    request: Request,
) -> Result<StatusCode, Problem> {
    let selector = named.selector()?;
    let address = caller::address(request.extensions());
    let absent = nothing_there(&selector);
    // A caller who hangs up in the middle does not keep links from being cut off.
    let deleting = tokio::spawn(async move {
        let deleted = web.archive.remove(&selector, &caller.actor(), address).await?;
        if let Some(deleted) = &deleted {
            web.access.cut_off(&deleted.links);
        }
        Ok::<_, Problem>(deleted)
    });
    match deleting.await.map_err(|_| Problem::internal())?? {
        Some(_) => Ok(StatusCode::NO_CONTENT),
        None => Err(absent),
    }
}
