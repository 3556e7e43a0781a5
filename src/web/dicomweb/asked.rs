//! What every retrieval begins with: somebody who may read, what of which study is asked for, and in
//! which form. So the scope, the 400 of a path that makes no sense, the 404 in the words of the level and
//! the line in the audit trail are decided here, and handlers answer.

use super::accept::Accept;
use super::representation::{OneValue, Representation};
use super::{Named, instance_url, not_utf8};
use crate::archive::{InstanceDetail, InstanceFrames, InstanceRow, InstanceUids};
use crate::domain::instance::Selector;
use crate::web::Web;
use crate::web::base_url::BaseUrl;
use crate::web::caller::Reader;
use crate::web::conditional::is_answered_without_body;
use crate::web::middleware::Given;
use crate::web::problem::Problem;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};
use axum::response::Response;
use std::sync::Arc;

/// A request for something of one study.
pub struct Asked {
    pub web: Web,
    pub base: BaseUrl,
    pub selector: Selector,
    /// What the path names below the instance: a list of frames, or the place of a bulk value.
    pub below: String,
    reader: Reader,
    request: Parts,
}

impl FromRequest<Web> for Asked {
    type Rejection = Problem;
    async fn from_request(request: Request, web: &Web) -> Result<Self, Problem> {
        let (mut parts, _) = request.into_parts();
        // Nothing else is looked at before this.
        let reader = Reader::from_request_parts(&mut parts, web).await?;
        let Ok(Path(named)) = Path::<Named>::from_request_parts(&mut parts, web).await else {
            return Err(not_utf8());
        };
        let selector = named.selector()?;
        Ok(Self::new(web, reader, parts, selector, named.below()).await)
    }
}

impl Asked {
    /// Beneath handlers that find elsewhere than in the path what is asked for.
    pub async fn new(web: &Web, reader: Reader, mut request: Parts, selector: Selector, below: String) -> Self {
        let Ok(base) = BaseUrl::from_request_parts(&mut request, web).await;
        // A Range is of a GET (RFC 9110 §14.2), and If-Range stands beside it.
        if request.method != Method::GET {
            request.headers.remove(header::RANGE);
            request.headers.remove(header::IF_RANGE);
        }
        Self { web: web.clone(), base, selector, below, reader, request }
    }
    pub fn method(&self) -> &Method {
        &self.request.method
    }
    pub fn headers(&self) -> &HeaderMap {
        &self.request.headers
    }
    /// The raw query string.
    pub fn query(&self) -> Option<&str> {
        self.request.uri.query()
    }
    /// Whose pages, besides our own, may show the answer in a frame: on the patient's listener nobody's.
    pub fn framing_origins(&self) -> &[String] {
        match self.request.extensions.get::<Given>() {
            Some(_) => &[],
            None => &self.web.config.cors_origins,
        }
    }
    pub fn accept(&self) -> Accept {
        Accept::of(self.headers(), self.query())
    }

    /// The instances that are asked for, at least one, in order.
    pub async fn instances(&self) -> Result<Vec<InstanceRow>, Problem> {
        let rows = self.web.archive.instances(&self.selector).await?;
        if rows.is_empty() { Err(self.nothing_there()) } else { Ok(rows) }
    }
    /// The one instance that is asked for, and where its frames are.
    pub async fn frames(&self) -> Result<Arc<InstanceFrames>, Problem> {
        self.web.archive.frames(&self.selector).await?.ok_or_else(|| self.nothing_there())
    }
    /// The one instance that is asked for, with its metadata.
    pub async fn instance(&self) -> Result<InstanceDetail, Problem> {
        self.web.archive.instance(&self.selector).await?.ok_or_else(|| self.nothing_there())
    }
    pub fn nothing_there(&self) -> Problem {
        nothing_there(&self.selector)
    }

    /// Writes to the audit trail that this caller is about to be sent something of the study.
    pub async fn noted(&self) {
        self.reader.notes(&self.web, &self.request.extensions, &self.selector.study).await;
    }
    /// The URL of one instance, as this caller reaches it.
    pub fn url_of(&self, uids: &InstanceUids) -> String {
        instance_url(&self.base.dicomweb(), &uids.study, &uids.series, &uids.instance)
    }
    /// Whether the body of a representation will be sent: else nothing need be decoded for it.
    pub fn sends(&self, etag: &str) -> bool {
        self.method() != Method::HEAD && !is_answered_without_body(self.headers(), etag)
    }
    pub fn answer(&self, representation: Representation) -> Response {
        representation.respond(self.headers(), &self.web.archive)
    }
    /// One value in an envelope.
    pub fn answer_value(&self, value: OneValue) -> Response {
        value.respond(self.headers(), &self.web.archive)
    }
    /// Several parts of one value: no Range is over a value then, and only who resumes means the body.
    pub fn answer_values(&self, representation: Representation) -> Response {
        if self.headers().contains_key(header::IF_RANGE) {
            return self.answer(representation);
        }
        let mut headers = self.headers().clone();
        headers.remove(header::RANGE);
        representation.respond(&headers, &self.web.archive)
    }
}

/// 404 in the words of the level that was asked for.
pub fn nothing_there(selector: &Selector) -> Problem {
    Problem::not_found(match (&selector.series, &selector.instance) {
        (_, Some(_)) => "There is no such instance in this series of this study.",
        (Some(_), None) => "There is no such series in this study.",
        (None, None) => "There is no such study.",
    })
}
