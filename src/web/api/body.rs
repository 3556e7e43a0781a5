//! JSON in: within `limits.api_body`, typed, and refused with a sentence. JSON out.

use crate::web::Web;
use crate::web::problem::Problem;
use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A JSON document, as an argument of a handler or as its answer.
#[derive(Debug)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned> FromRequest<Web> for Json<T> {
    type Rejection = Problem;
    async fn from_request(request: Request, web: &Web) -> Result<Self, Problem> {
        let media = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let media = media.and_then(|value| value.split(';').next()).unwrap_or_default().trim();
        if !media.eq_ignore_ascii_case("application/json") {
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "Send a document of type application/json."));
        }
        let too_large = || Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "The document is larger than limits.api_body.");
        let limit = web.limits.api_body.as_usize();
        let bytes = match Limited::new(request.into_body(), limit).collect().await {
            Ok(collected) => collected.to_bytes(),
            Err(error) if error.is::<LengthLimitError>() => return Err(too_large()),
            Err(_) => return Err(Problem::bad_request("The document was cut short.")),
        };
        // serde would take the values of an array for the members, in their order.
        if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[') {
            return Err(Problem::bad_request("The document is an array; this resource takes an object."));
        }
        // serde's own message repeats values; line and column say where, and hold none.
        serde_json::from_slice(&bytes).map(Self).map_err(|error| {
            let what = match error.classify() {
                serde_json::error::Category::Data => "is not what this resource takes, see /api/v1/openapi.json",
                _ => "is not JSON",
            };
            Problem::bad_request(format!("The document {what} (line {}, column {}).", error.line(), error.column()))
        })
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(document) => ([(header::CONTENT_TYPE, "application/json")], Body::from(document)).into_response(),
            Err(_) => Problem::internal().into_response(),
        }
    }
}
