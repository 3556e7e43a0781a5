//! A patient with a link: granted over the API, opened with what the patient knows.

use super::{Answer, Bridge, Http};
use reqwest::Method;
use serde_json::{Value, json};

pub struct Granted {
    pub id: String,
    pub path: String,
    pub code: Option<String>,
    pub json: Value,
}

impl Bridge {
    pub async fn grant(&self, body: Value) -> Answer {
        let headers = [("content-type", "application/json")];
        self.web().send(Method::POST, "/api/v1/links", &headers, Some(serde_json::to_vec(&body).unwrap())).await
    }
    /// A link for `study` in the default mode.
    pub async fn link(&self, study: &str) -> Granted {
        let answer = self.grant(json!({ "study": study })).await;
        assert!((200..300).contains(&answer.status), "{}", answer.text());
        Granted::new(answer.json())
    }
}

impl Granted {
    pub fn new(json: Value) -> Self {
        let url = json["url"].as_str().unwrap();
        let path = url[url.find("/v/").unwrap()..].to_owned();
        Self { id: json["id"].as_str().unwrap().to_owned(), path, code: json["code"].as_str().map(str::to_owned), json }
    }
    /// The form of the landing page, filled in for the patient of `Dataset::ct`.
    pub async fn open(&self, patient: &Http) -> Answer {
        self.answer(patient, self.code.as_deref().unwrap_or(""), ("31", "1", "1970")).await
    }
    pub async fn answer(&self, patient: &Http, code: &str, (day, month, year): (&str, &str, &str)) -> Answer {
        let form = [("code", code), ("day", day), ("month", month), ("year", year)];
        patient.post_form(&self.path, &[], &form).await
    }
}

/// The session cookie of an answer, as the next request sends it.
pub fn cookie(answer: &Answer) -> String {
    let set = answer.headers.get("set-cookie").unwrap_or_else(|| panic!("no cookie: {}", answer.text()));
    set.to_str().unwrap().split(';').next().unwrap().to_owned()
}

/// The download's address on the page.
pub fn download_href(page: &str) -> String {
    let at = page.find("href=\"/d/").unwrap_or_else(|| panic!("no blue button:\n{page}"));
    page[at + 6..].split('"').next().unwrap().to_owned()
}
