//! `/v/{token}`: one form for every token, and what its answers lead to.

use super::gate::From;
use super::pages::{self, Form, Landing, Reader};
use super::{PatientWeb, cookies};
use crate::access::birth_date::{DateFault, TypedDate};
use crate::access::code::CodeFault;
use crate::access::{Answers, Verdict};
use crate::domain::phi::Phi;
use axum::extract::rejection::FormRejection;
use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

/// GET and HEAD: always 200 and always the same bytes, whatever the token is; nothing is asked, counted
/// or remembered.
pub(super) async fn show(
    State(web): State<PatientWeb>,
    Extension(from): Extension<From>,
    headers: HeaderMap,
) -> Response {
    let reader = Reader::of(&web, &headers);
    if let Err(retry) = web.rates.landing(from.0) {
        return pages::busy(&reader, retry.0);
    }
    let form = Form::new(&reader.page, "", "", "", "");
    pages::html(StatusCode::OK, &Landing { page: &reader.page, form: &form })
}

/// What a browser, or anything else, sends. No `Debug`: it holds what only the patient knows.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Fields {
    code: String,
    day: String,
    month: String,
    year: String,
    /// The language of the page that was sent.
    language: String,
    /// Another language was asked for instead of opening the link.
    say: String,
}

pub(super) async fn answer(
    State(web): State<PatientWeb>,
    Extension(from): Extension<From>,
    token: Result<Path<String>, axum::extract::rejection::PathRejection>,
    headers: HeaderMap,
    form: Result<axum::Form<Fields>, FormRejection>,
) -> Response {
    // What is no form is an empty one: told so, and not counted.
    let fields = form.map(|form| form.0).unwrap_or_default();
    let chosen = if fields.say.is_empty() { &fields.language } else { &fields.say };
    let reader = Reader::of(&web, &headers).speaking(Some(chosen));
    if !fields.say.is_empty() {
        return page(&reader, &fields, StatusCode::OK, |_, _| {});
    }
    if let Err(retry) = web.rates.may_verify(from.0) {
        return pages::busy(&reader, retry.0);
    }
    let answers = Answers {
        code: Phi::new(fields.code.clone()),
        birth_date: TypedDate {
            day: Phi::new(fields.day.clone()),
            month: Phi::new(fields.month.clone()),
            year: Phi::new(fields.year.clone()),
        },
    };
    let token = token.map(|path| path.0).unwrap_or_default();
    let language = Some(reader.page.language.code().to_owned());
    let verdict = match web.access.verify(&token, &answers, from.0, language).await {
        Ok(verdict) => verdict,
        Err(error) => {
            tracing::error!(%error, "a link could not be verified");
            return pages::failed(&reader, StatusCode::SERVICE_UNAVAILABLE);
        }
    };
    if verdict.is_failure() && web.rates.failed(from.0) {
        tracing::warn!("many links are being tried: the limits for each address are halved");
        web.access.alert(from.0).await;
    }
    respond(&web, &reader, &fields, verdict)
}

fn respond(web: &PatientWeb, reader: &Reader, fields: &Fields, verdict: Verdict) -> Response {
    match verdict {
        Verdict::Welcome { cookie } => welcome(web, cookie.expose()),
        Verdict::Nothing => page(reader, fields, StatusCode::UNPROCESSABLE_ENTITY, |form, say| {
            form.general = Some(say("error-nothing"));
        }),
        Verdict::Incomplete { code, birth_date } => {
            page(reader, fields, StatusCode::UNPROCESSABLE_ENTITY, |form, say| {
                form.code_fault = code.map(|fault| match fault {
                    CodeFault::Empty => say("error-code-missing"),
                    CodeFault::Mistyped => say("error-code-mistyped"),
                });
                form.birth_fault = birth_date.map(|fault| match fault {
                    DateFault::Empty => say("error-birth-missing"),
                    DateFault::NoSuchDay => say("error-birth-invalid"),
                });
            })
        }
        Verdict::Wrong { left } => {
            let text = reader.page.say_with("error-mismatch", &[("left", u64::from(left).into())]);
            page(reader, fields, StatusCode::FORBIDDEN, |form, _| form.general = Some(text))
        }
        Verdict::Wait { seconds } => pages::wait(reader, seconds),
        Verdict::Locked => pages::locked(reader),
        Verdict::Ended => pages::ended(reader),
    }
}

/// On to an address without the token, so that it leaves the address bar, the history and Referer.
fn welcome(web: &PatientWeb, cookie: &str) -> Response {
    let mut response = (StatusCode::SEE_OTHER, [(header::LOCATION, HeaderValue::from_static("/my"))]).into_response();
    if let Some(cookie) = cookies::set(cookie, web.secure) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}

fn page(
    reader: &Reader,
    fields: &Fields,
    status: StatusCode,
    faults: impl FnOnce(&mut Form, &dyn Fn(&str) -> String),
) -> Response {
    let page = &reader.page;
    let mut form = Form::new(page, &fields.code, &fields.day, &fields.month, &fields.year);
    faults(&mut form, &|key| page.say(key));
    pages::html(status, &Landing { page, form: &form })
}
