//! `GET /api/v1/openapi.json`: the description of the API, written by hand; a test holds it against the
//! route table. Where an OpenID Connect issuer is configured, it says where to ask that one for tokens.

use crate::web::Web;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::borrow::Cow;

pub(in crate::web) const DOCUMENT: &str = include_str!("openapi.json");

pub async fn document(State(web): State<Web>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], text(&web)).into_response()
}

/// The document as it holds for this server.
pub(in crate::web) fn text(web: &Web) -> Cow<'static, str> {
    let issuer = web.config.oidc.as_ref().map(|oidc| oidc.discovery());
    let with_issuer = issuer.and_then(|url| {
        let mut document: Value = serde_json::from_str(DOCUMENT).ok()?;
        let scheme = json!({ "type": "openIdConnect", "openIdConnectUrl": url });
        document.pointer_mut("/components/securitySchemes")?.as_object_mut()?.insert("openid".into(), scheme);
        document.pointer_mut("/security")?.as_array_mut()?.push(json!({ "openid": [] }));
        Some(document.to_string())
    });
    with_issuer.map_or(Cow::Borrowed(DOCUMENT), Cow::Owned)
}
