//! Search (QIDO-RS, PS3.18 §10.6): 200 with a DICOM JSON array, 204 when nothing matches, 400 when the
//! query cannot be understood. Newest study first.

use super::accept::{Accept, takes_gzip};
use super::{json, media, not_utf8, params, select};
use crate::domain::level::Level;
use crate::domain::query::Query;
use crate::web::Web;
use crate::web::base_url::BaseUrl;
use crate::web::caller::Reader;
use crate::web::problem::Problem;
use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;

/// `GET /studies`
pub async fn studies(sought: Sought) -> Result<Response, Problem> {
    search(Level::Study, sought).await
}

/// `GET .../series`, of one study or of all.
pub async fn series(sought: Sought) -> Result<Response, Problem> {
    search(Level::Series, sought).await
}

/// `GET .../instances`, of one series, of one study or of all.
pub async fn instances(sought: Sought) -> Result<Response, Problem> {
    search(Level::Instance, sought).await
}

/// What the path narrows a search to.
#[derive(serde::Deserialize)]
struct Within {
    study: Option<String>,
    series: Option<String>,
}

/// A search, or a count of one, by somebody who may read.
pub struct Sought {
    pub web: Web,
    base: BaseUrl,
    reader: Reader,
    within: Within,
    request: Parts,
}

impl FromRequest<Web> for Sought {
    type Rejection = Problem;
    async fn from_request(request: Request, web: &Web) -> Result<Self, Problem> {
        let (mut request, _) = request.into_parts();
        // Nothing else is looked at before this.
        let reader = Reader::from_request_parts(&mut request, web).await?;
        let Ok(Path(within)) = Path::<Within>::from_request_parts(&mut request, web).await else {
            return Err(not_utf8());
        };
        let Ok(base) = BaseUrl::from_request_parts(&mut request, web).await;
        Ok(Self { web: web.clone(), base, reader, within, request })
    }
}

impl Sought {
    pub fn accept(&self) -> Accept {
        Accept::of(&self.request.headers, self.request.uri.query())
    }
    /// What is sought at `level`, by the path, the query string and who asks.
    pub fn query(&self, level: Level) -> Result<params::Asked, Problem> {
        let Within { study, series } = &self.within;
        let within = study.as_deref().map(|study| select(study, series.as_deref(), None)).transpose()?;
        let (study, series) = within.map_or((None, None), |within| (Some(within.study), within.series));
        let mut asked = params::parse(self.request.uri.query(), level, study, series, &self.web.limits)?;
        asked.query.only = self.reader.0.restriction.clone();
        Ok(asked)
    }
}

/// Rows read at a time when all are asked for.
const PAGE: u32 = 1000;

async fn search(level: Level, sought: Sought) -> Result<Response, Problem> {
    let media = media::model(&sought.accept())?;
    let mut asked = sought.query(level)?;
    let Sought { web, base, request, .. } = sought;
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
        json::answer(json::Matches::new(frame, page, rest), media, takes_gzip(&request.headers)).await?
    };
    asked.warn(&mut response);
    Ok(response)
}
