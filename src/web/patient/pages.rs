//! The templates and what they are filled with.

use super::words::date_of;
use super::{PatientWeb, assets, cookies};
use crate::wording::dates::Order;
use crate::wording::{Language, Value};
use askama::Template;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

/// What every page needs: the reader's language, and whom to ask.
#[derive(Clone)]
pub(super) struct Page {
    pub(super) language: Language,
    pub(super) order: Order,
    pub(super) facility: String,
    pub(super) contact: String,
}

impl Page {
    pub(super) fn say(&self, key: &str) -> String {
        self.language.say(key)
    }
    pub(super) fn say_with(&self, key: &str, values: &[(&'static str, Value)]) -> String {
        self.language.say_with(key, values)
    }
    fn help(&self) -> String {
        self.say_with("help-text", &[("facility", self.facility.as_str().into())])
    }
    fn contact_line(&self) -> String {
        self.say_with("help-contact", &[("contact", self.contact.as_str().into())])
    }
    fn languages(&self) -> Vec<Language> {
        Language::all().collect()
    }
    fn stylesheet(&self) -> String {
        assets::path("patient.css")
    }
    fn icon(&self) -> String {
        assets::path("icon.svg")
    }
}

/// The reader behind a request: a page in their language, and whether they hold a session.
pub(super) struct Reader {
    pub(super) page: Page,
    pub(super) cookie: Option<String>,
}

impl Reader {
    pub(super) fn of(web: &PatientWeb, headers: &HeaderMap) -> Self {
        let accept = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let language = Language::negotiate(accept);
        let page = Page {
            language,
            order: Order::of(language, accept),
            facility: web.facility.name.clone(),
            contact: web.facility.contact.clone(),
        };
        Self { page, cookie: cookies::read(headers, web.secure).map(str::to_owned) }
    }
    /// The same reader, in a language they chose.
    pub(super) fn speaking(mut self, code: Option<&str>) -> Self {
        if let Some(language) = code.and_then(Language::parse)
            && language != self.page.language
        {
            self.page.language = language;
            self.page.order = Order::of(language, "");
        }
        self
    }
}

/// The form of the landing page and what was wrong with it.
#[derive(Default)]
pub(super) struct Form {
    pub(super) code: String,
    pub(super) date_fields: Vec<DateField>,
    pub(super) birth_hint: String,
    pub(super) first_field: &'static str,
    pub(super) general: Option<String>,
    pub(super) code_fault: Option<String>,
    pub(super) birth_fault: Option<String>,
}

impl Form {
    const fn has_fault(&self) -> bool {
        self.general.is_some() || self.code_fault.is_some() || self.birth_fault.is_some()
    }
}

pub(super) struct DateField {
    pub(super) name: &'static str,
    pub(super) label: String,
    pub(super) value: String,
    /// A month may be typed as a name, so its keyboard has letters.
    pub(super) numeric: bool,
}

impl Form {
    /// Day, month and year in the reader's order, with what was typed.
    pub(super) fn new(page: &Page, code: &str, day: &str, month: &str, year: &str) -> Self {
        let field = |name, value: &str| DateField {
            name,
            label: page.say(name),
            value: value.to_owned(),
            numeric: name != "month",
        };
        let (day, month, year) = (field("day", day), field("month", month), field("year", year));
        let date_fields: Vec<_> = match page.order {
            Order::DayMonthYear => vec![day, month, year],
            Order::MonthDayYear => vec![month, day, year],
            Order::YearMonthDay => vec![year, month, day],
        };
        let example = date_of(page, 1961, 3, 7);
        Self {
            code: code.to_owned(),
            first_field: date_fields.first().map_or("day", |field| field.name),
            date_fields,
            birth_hint: page.say_with("birth-hint", &[("example", example.into())]),
            ..Self::default()
        }
    }
}

#[derive(Template)]
#[template(path = "landing.html", config = "src/web/assets/askama.toml")]
pub(super) struct Landing<'a> {
    pub(super) page: &'a Page,
    pub(super) form: &'a Form,
}

#[derive(Template)]
#[template(path = "message.html", config = "src/web/assets/askama.toml")]
struct Message<'a> {
    page: &'a Page,
    title: String,
    text: String,
    more: Option<String>,
    alert: bool,
}

#[derive(Template)]
#[template(path = "my.html", config = "src/web/assets/askama.toml")]
pub(super) struct My<'a> {
    pub(super) page: &'a Page,
    pub(super) whose: Option<String>,
    pub(super) download: Option<Offer>,
    pub(super) studies: Vec<StudyCard>,
    pub(super) until: String,
    pub(super) idle: String,
    pub(super) csrf: String,
}

/// The blue button.
pub(super) struct Offer {
    pub(super) href: String,
    pub(super) size: String,
    pub(super) large: bool,
}

pub(super) struct StudyCard {
    pub(super) title: String,
    pub(super) date: String,
    pub(super) institution: Option<String>,
    pub(super) counts: String,
    pub(super) series: Vec<SeriesCard>,
    pub(super) more: Option<String>,
}

pub(super) struct SeriesCard {
    pub(super) title: String,
    pub(super) count: String,
    pub(super) picture: Option<PictureOf>,
}

pub(super) struct PictureOf {
    pub(super) href: String,
    pub(super) alt: String,
}

/// A filled template as an answer.
pub(super) fn html(status: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(body) => (status, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], body).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page could not be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

fn message(page: &Page, status: StatusCode, topic: &str, more: Option<String>) -> Response {
    let title = page.say(&format!("{topic}-title"));
    let text = page.say(&format!("{topic}-text"));
    html(status, &Message { page, title, text, more, alert: status.is_client_error() })
}

/// 429 in the reader's words, with Retry-After for their browser.
fn later(page: &Page, topic: &str, seconds: u64, more: Option<String>) -> Response {
    let mut response = message(page, StatusCode::TOO_MANY_REQUESTS, topic, more);
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    response
}

pub(super) fn busy(reader: &Reader, seconds: u64) -> Response {
    later(&reader.page, "busy", seconds, Some(until(&reader.page, seconds)))
}
pub(super) fn wait(reader: &Reader, seconds: u64) -> Response {
    later(&reader.page, "wait", seconds, Some(until(&reader.page, seconds)))
}
pub(super) fn download_busy(reader: &Reader) -> Response {
    later(&reader.page, "download-busy", 10, None)
}
pub(super) fn download_much(reader: &Reader, seconds: u64) -> Response {
    let page = &reader.page;
    let text = page.say_with("download-much-text", &[("time", page.language.time(seconds).into())]);
    let title = page.say("download-much-title");
    let mut response = html(StatusCode::TOO_MANY_REQUESTS, &Message { page, title, text, more: None, alert: true });
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    response
}
pub(super) fn locked(reader: &Reader) -> Response {
    message(&reader.page, StatusCode::FORBIDDEN, "locked", None)
}
pub(super) fn ended(reader: &Reader) -> Response {
    message(&reader.page, StatusCode::GONE, "ended", None)
}
pub(super) fn gone(reader: &Reader) -> Response {
    message(&reader.page, StatusCode::GONE, "gone", None)
}
pub(super) fn no_session(reader: &Reader) -> Response {
    message(&reader.page, StatusCode::FORBIDDEN, "session", None)
}
pub(super) fn signed_out(reader: &Reader) -> Response {
    message(&reader.page, StatusCode::OK, "signed-out", None)
}
pub(super) fn refused(reader: &Reader) -> Response {
    message(&reader.page, StatusCode::FORBIDDEN, "refused", None)
}
pub(super) fn failed(reader: &Reader, status: StatusCode) -> Response {
    message(&reader.page, status, "error", None)
}
pub(super) fn not_found(reader: &Reader) -> Response {
    message(&reader.page, StatusCode::NOT_FOUND, "missing", None)
}

/// The answer where there is no such page.
pub(super) async fn missing(State(web): State<PatientWeb>, headers: HeaderMap) -> Response {
    not_found(&Reader::of(&web, &headers))
}

/// The answer to what no page is asked for; the router names what may be.
pub(super) async fn not_allowed(State(web): State<PatientWeb>, headers: HeaderMap) -> Response {
    message(&Reader::of(&web, &headers).page, StatusCode::METHOD_NOT_ALLOWED, "missing", None)
}

fn until(page: &Page, seconds: u64) -> String {
    page.say_with("wait-until", &[("time", page.language.time(seconds).into())])
}
