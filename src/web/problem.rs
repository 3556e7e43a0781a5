//! Our errors to HTTP: the one place. Every refusal is `application/problem+json` (RFC 9457) with one
//! sentence for the caller; causes stay in the log. Nothing here holds a path, SQL or a value that
//! came from a data set.

use crate::access::AccessError;
use crate::access::oidc::OidcError;
use crate::access::package::PackageError;
use crate::archive::{ArchiveError, RemoveError, RetrieveError, SearchError};
use crate::imaging::{DecodeError, DecodeFailure, ImagingError};
use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use std::borrow::Cow;

/// One refusal. It travels as a response extension too, so that the gate can add the request's id.
#[derive(Debug, Clone)]
pub struct Problem {
    pub status: StatusCode,
    /// What the caller can do something with. Never a value that the caller did not send.
    pub detail: Cow<'static, str>,
    /// `WWW-Authenticate: Bearer ...` (RFC 6750 §3), on 401 and 403.
    challenge: Option<&'static str>,
    /// `Retry-After` in seconds, on 429 and 503.
    retry_after_s: Option<u32>,
    /// For the log, under the request's id: the error with its causes. Never sent.
    pub(super) cause: Option<String>,
}

impl Problem {
    pub fn new(status: StatusCode, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { status, detail: detail.into(), challenge: None, retry_after_s: None, cause: None }
    }
    /// 400: the request cannot be understood.
    pub fn bad_request(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }
    /// 401: nobody in particular asks, and nobody in particular may not have this.
    pub fn unauthorized(detail: impl Into<Cow<'static, str>>) -> Self {
        Self { challenge: Some(r#"Bearer realm="bluebridge""#), ..Self::new(StatusCode::UNAUTHORIZED, detail) }
    }
    /// 401 for a token that is wrong, expired or revoked (RFC 6750 §3.1); the three read alike.
    pub fn invalid_token() -> Self {
        Self {
            challenge: Some(r#"Bearer realm="bluebridge", error="invalid_token""#),
            ..Self::new(StatusCode::UNAUTHORIZED, "The bearer token is not valid, has expired, or was revoked.")
        }
    }
    /// 403: we know who asks; the token lacks the scope.
    pub fn insufficient_scope(scope: &'static str) -> Self {
        Self {
            challenge: Some(r#"Bearer realm="bluebridge", error="insufficient_scope""#),
            ..Self::new(
                StatusCode::FORBIDDEN,
                format!("This needs the scope {scope:?}, which the caller does not have."),
            )
        }
    }
    pub fn not_found(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }
    pub fn not_acceptable(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::NOT_ACCEPTABLE, detail)
    }
    pub fn unavailable(detail: impl Into<Cow<'static, str>>) -> Self {
        Self { retry_after_s: Some(5), ..Self::new(StatusCode::SERVICE_UNAVAILABLE, detail) }
    }
    pub fn too_many(detail: impl Into<Cow<'static, str>>, retry_after_s: u32) -> Self {
        Self { retry_after_s: Some(retry_after_s), ..Self::new(StatusCode::TOO_MANY_REQUESTS, detail) }
    }
    /// 500: a fault of ours, logged under the request's id.
    pub fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "The server failed; its log has the cause under this id.")
    }

    fn because(mut self, error: &dyn std::error::Error) -> Self {
        self.cause = Some(with_causes(error));
        self
    }

    /// The answer, with the request's id when the gate knows it.
    pub fn render(&self, request_id: Option<&str>) -> Response {
        let mut document = serde_json::json!({
            "type": "about:blank",
            "title": self.status.canonical_reason().unwrap_or("Error"),
            "status": self.status.as_u16(),
            "detail": self.detail,
        });
        if let (Some(id), Some(map)) = (request_id, document.as_object_mut()) {
            map.insert("instance".into(), format!("urn:bluebridge:request:{id}").into());
        }
        let mut response = Response::new(Body::from(document.to_string()));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(challenge) = self.challenge {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.render(None);
        response.extensions_mut().insert(self);
        response
    }
}

const NO_INDEX: &str = "The index could not answer; ask again.";

/// The one table of what a failed retrieval is to a caller. Causes are for the log.
impl From<RetrieveError> for Problem {
    fn from(error: RetrieveError) -> Self {
        match error {
            RetrieveError::Damaged | RetrieveError::Store(_) | RetrieveError::Undecodable => Self::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "The stored instance cannot be read; the server's log has the cause under this id.",
            )
            .because(&error),
            RetrieveError::Index(_) => Self::unavailable(NO_INDEX).because(&error),
            RetrieveError::Deleted => Self::not_found("This instance was deleted just now."),
            RetrieveError::NoSuchFrame => Self::not_found("This instance has no such frame."),
            RetrieveError::NotFramed => Self::not_found("The frames of this instance cannot be told apart."),
            RetrieveError::TooLarge => Self::unavailable("The value is larger than this server reads at once."),
        }
    }
}

/// What a failed restoration is to a caller.
impl From<ArchiveError> for Problem {
    fn from(error: ArchiveError) -> Self {
        match error {
            ArchiveError::Index(_) => Self::unavailable(NO_INDEX).because(&error),
            ArchiveError::Store(_) | ArchiveError::Locked => Self::internal().because(&error),
        }
    }
}

/// The one table of what a failed deletion is to a caller.
impl From<RemoveError> for Problem {
    fn from(error: RemoveError) -> Self {
        match error {
            RemoveError::Degraded => {
                Self::unavailable("The archive takes no changes after a disk error; its log says which.")
            }
            RemoveError::Index(error) => error.into(),
        }
    }
}

impl From<OidcError> for Problem {
    fn from(error: OidcError) -> Self {
        match error {
            // Which check failed would only help somebody who is trying.
            OidcError::Refused(_) => Self::invalid_token(),
            OidcError::Unavailable => {
                Self::unavailable("The issuer of this token cannot be asked for its keys; try again.").because(&error)
            }
        }
    }
}

/// The one table of what a failed search is to a caller.
impl From<SearchError> for Problem {
    fn from(error: SearchError) -> Self {
        use SearchError as E;
        match error {
            E::NotSearchable(_) => {
                Self::bad_request("The query asks for an attribute that is not searchable at this level.")
            }
            E::TooSlow => Self::unavailable("The search takes too long; give it more keys, or longer ones."),
            E::Full
            | E::Busy
            | E::Corrupt(_)
            | E::Io(_)
            | E::TooOld(_)
            | E::Migration(_)
            | E::Row
            | E::Taken
            | E::Other(_) => Self::unavailable(NO_INDEX).because(&error),
        }
    }
}

/// The one table of what a failure around links and tokens is to a caller.
impl From<AccessError> for Problem {
    fn from(error: AccessError) -> Self {
        use AccessError as E;
        match error {
            E::NoSuchStudy => Self::not_found("There is no such study."),
            E::NoSuchPatient => Self::not_found("No study of this patient is stored."),
            E::NoSuchLink => Self::not_found("There is no such link."),
            E::PatientConflict | E::PatientAmbiguous | E::Revoked => Self::new(StatusCode::CONFLICT, sentence(&error)),
            E::NoPatientId | E::NoBirthDate | E::TooLong(_) | E::TooShort => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, sentence(&error))
            }
            E::Index(_) => Self::unavailable(NO_INDEX).because(&error),
            E::Key { .. } | E::KeyFile { .. } | E::NoKey | E::Random | E::Hash => Self::internal().because(&error),
        }
    }
}

/// The one table of why there is no package, to a caller.
impl From<PackageError> for Problem {
    fn from(error: PackageError) -> Self {
        use PackageError as E;
        match error {
            E::Empty => Self::not_found("There is no such study."),
            E::TooManyFiles { .. } | E::TooLarge { .. } | E::Directory => {
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, sentence(&error))
            }
            E::VersionGone => Self::unavailable("The package has just changed; ask again."),
            E::Frozen => Self::internal().because(&error),
            E::Archive(_) => Self::unavailable(NO_INDEX).because(&error),
        }
    }
}

/// The one table of why there is no picture, to a caller. 422: the pixels are there and are no image; 406:
/// they may be one, and cannot be rendered here.
impl From<ImagingError> for Problem {
    fn from(error: ImagingError) -> Self {
        use ImagingError as E;
        let unprocessable = |error: &E| Self::new(StatusCode::UNPROCESSABLE_ENTITY, sentence(error));
        match error {
            E::NotDecoded(DecodeFailure::Frame(DecodeError::Unsupported))
            | E::Unsupported(_)
            | E::NotEncodable { .. }
            | E::TooLarge { .. }
            | E::NothingToShow => Self::not_acceptable(sentence(&error)),
            E::Busy => Self::unavailable("Every decoder is busy; ask again."),
            E::NotDecoded(DecodeFailure::Unavailable) => {
                Self::unavailable("No decoder could be started; ask again.").because(&error)
            }
            E::NotDecoded(_) | E::Truncated => unprocessable(&error),
            E::OutsideTheFrame => Self::bad_request(sentence(&error)),
            E::NoSuchFrame => Self::not_found(sentence(&error)),
            E::Archive(cause) if matches!(cause.downcast_ref(), Some(RetrieveError::Deleted)) => {
                RetrieveError::Deleted.into()
            }
            E::Attributes(_) | E::Encode(_) | E::Archive(_) => Self::internal().because(&error),
        }
    }
}

/// The text of an error that says nothing but what the caller did, as a sentence.
fn sentence(error: &dyn std::error::Error) -> String {
    let text = error.to_string();
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| format!("{}{}.", first.to_uppercase(), letters.as_str()))
}

/// An error with its causes. None of our errors' texts holds a value from a data set.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

/// The answer where the router knows no such path.
pub async fn no_such_resource() -> Problem {
    Problem::not_found("There is no such resource; the API is described at /api/v1/openapi.json.")
}

/// The answer where If-Match names another version (RFC 9110 §13.1.1).
pub fn another_version() -> Problem {
    Problem::new(StatusCode::PRECONDITION_FAILED, "If-Match names another version than the one that is here.")
}

/// The answer where the path is known and the method is not.
pub async fn no_such_method() -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "This resource does not take this method; Allow lists those it takes.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    async fn document(problem: Problem, id: Option<&str>) -> (Response<()>, serde_json::Value) {
        let (parts, body) = problem.render(id).into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        (Response::from_parts(parts, ()), serde_json::from_slice(&bytes).unwrap())
    }

    #[tokio::test]
    async fn a_refusal_is_a_problem_document_with_its_request_id() {
        let (response, body) = document(Problem::not_found("No such study."), Some("01ABC")).await;
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        assert_eq!(body["status"], 404);
        assert_eq!(body["title"], "Not Found");
        assert_eq!(body["detail"], "No such study.");
        assert_eq!(body["instance"], "urn:bluebridge:request:01ABC");
    }

    #[tokio::test]
    async fn a_401_says_how_to_ask_again() {
        for problem in [Problem::unauthorized("x"), Problem::invalid_token()] {
            let (response, _) = document(problem, None).await;
            assert!(response.headers()["www-authenticate"].to_str().unwrap().starts_with("Bearer"));
        }
    }
}
