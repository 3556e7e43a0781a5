//! `/api/v1/tokens`, on the control socket only: access tokens are made where the machine is, so that a
//! token can make no other but one that reads a single study for some hours (`viewers`).

use super::body::Json;
use super::time;
use crate::access::bearer::{TokenRow, Wanted};
use crate::config::units::Span;
use crate::domain::phi::Phi;
use crate::web::Web;
use crate::web::caller::{Caller, Scope};
use crate::web::problem::Problem;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get};
use serde::{Deserialize, Serialize};

/// A token lives this long when nothing is said, and never longer than the other.
const LIFETIME: Span = Span::days(365);
const LIFETIME_MAX: Span = Span::days(5 * 365);

pub fn router() -> Router<Web> {
    Router::new().route("/tokens", get(list).post(create)).route("/tokens/{token}", delete(revoke))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    name: String,
    /// Of `read`, `write`, `share`, `delete`.
    #[serde(default = "read_only")]
    scopes: Vec<String>,
    /// 365 days when it is not said.
    #[serde(default)]
    expires_s: Option<u64>,
}

fn read_only() -> Vec<String> {
    vec![Scope::Read.name().to_owned()]
}

/// One token in lists, and with its text in the answer to `POST`.
#[derive(Debug, Serialize)]
pub struct Token {
    id: String,
    name: String,
    scopes: Vec<String>,
    created_at: String,
    expires_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_at: Option<String>,
    /// `active`, `expired` or `revoked`.
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used_at: Option<String>,
    /// Of a viewer's token: the only study that it opens.
    #[serde(skip_serializing_if = "Option::is_none")]
    study: Option<String>,
    /// The token that made it, and with whose revocation it ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    made_by: Option<String>,
    /// Only here and only once.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

#[derive(Debug, Serialize)]
pub struct Tokens {
    tokens: Vec<Token>,
}

impl Token {
    fn of(row: TokenRow, now_ms: i64, token: Option<Phi<String>>) -> Self {
        Self {
            id: row.token_id,
            name: row.name,
            scopes: row.scopes.split(',').filter(|word| !word.is_empty()).map(str::to_owned).collect(),
            created_at: time(row.created_at_ms),
            expires_at: time(row.expires_at_ms),
            state: match row.revoked_at_ms {
                Some(_) => "revoked",
                None if row.expires_at_ms <= now_ms => "expired",
                None => "active",
            },
            revoked_at: row.revoked_at_ms.map(time),
            last_used_at: row.last_used_at_ms.map(time),
            study: row.study.map(|study| study.to_string()),
            made_by: row.made_by,
            token: token.map(Phi::into_exposed),
        }
    }
}

async fn create(State(web): State<Web>, caller: Caller, Json(new): Json<NewToken>) -> Result<Response, Problem> {
    caller.require_control()?;
    let unknown = || Problem::bad_request("scopes are of read, write, share and delete, at least one.");
    let mut scopes: Vec<&'static str> = Vec::new();
    for word in &new.scopes {
        let scope = Scope::parse(word).ok_or_else(unknown)?.name();
        if !scopes.contains(&scope) {
            scopes.push(scope);
        }
    }
    if scopes.is_empty() {
        return Err(unknown());
    }
    if new.name.trim().is_empty() {
        return Err(Problem::bad_request("A token needs a name, so that it can be told from others in a list."));
    }
    let lifetime = new.expires_s.map_or(LIFETIME, Span::seconds);
    if lifetime.get().is_zero() || lifetime > LIFETIME_MAX {
        return Err(Problem::bad_request("A token expires after some time, at most 1825d."));
    }
    let (name, lifetime) = (new.name.trim(), lifetime.get());
    let wanted = Wanted { name, scopes: &scopes, lifetime, study: None, by: caller.actor() };
    let made = web.tokens.create(wanted).await?;
    Ok((StatusCode::CREATED, Json(Token::of(made.row, web.clock.now_ms(), Some(made.token)))).into_response())
}

async fn list(State(web): State<Web>, caller: Caller) -> Result<Json<Tokens>, Problem> {
    caller.require_control()?;
    let tokens = web.tokens.list().await?;
    Ok(Json(Tokens { tokens: tokens.into_iter().map(|row| Token::of(row, web.clock.now_ms(), None)).collect() }))
}

async fn revoke(State(web): State<Web>, caller: Caller, Path(id): Path<String>) -> Result<StatusCode, Problem> {
    caller.require_control()?;
    match web.tokens.revoke(&id).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Problem::not_found("There is no such token, or it was revoked before.")),
    }
}
