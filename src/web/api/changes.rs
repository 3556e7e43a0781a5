//! `GET /api/v1/changes`: what was stored and deleted, in the order in which it was committed. Whoever follows it
//! keeps the last number they have seen and asks for what comes after it; `wait` lets the answer come when
//! there is something to tell.

use super::body::Json;
use super::time;
use crate::archive::{Change, Changes};
use crate::config::units::Span;
use crate::web::Web;
use crate::web::caller::Reader;
use crate::web::dicomweb::accept::Accept;
use crate::web::dicomweb::metadata::NDJSON;
use crate::web::problem::Problem;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tokio::time::Instant;

const JSON: &str = "application/json";
/// Changes in one answer, when nothing is said and at most.
const LIMIT: u32 = 1000;
const LIMIT_MAX: u32 = 10_000;
const WAIT_MAX: Duration = Duration::from_secs(60);
/// What a handler needs beside waiting.
const SPARE: Duration = Duration::from_secs(2);
/// A look that found nothing is not repeated sooner, however much comes in that this caller may not see.
const LOOKS_EVERY: Duration = Duration::from_millis(250);

#[derive(Debug, Deserialize)]
pub struct Asked {
    #[serde(default)]
    since: i64,
    limit: Option<u32>,
    wait: Option<String>,
}

#[derive(Debug, Serialize)]
struct Answer {
    changes: Vec<Told>,
    /// What to ask for next: `since`.
    next: i64,
    /// There is more already.
    more: bool,
}

#[derive(Debug, Serialize)]
struct Told {
    sequence: i64,
    time: String,
    /// `stored` or `deleted`.
    event: &'static str,
    /// `study`, `series` or `instance`.
    level: String,
    study: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    series: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    instance: Option<String>,
    instances: i64,
}

impl From<Change> for Told {
    fn from(change: Change) -> Self {
        Self {
            sequence: change.sequence,
            time: time(change.at_ms),
            event: if change.deleted { "deleted" } else { "stored" },
            level: change.level,
            study: change.study.to_string(),
            series: change.series,
            instance: change.instance,
            instances: change.instances,
        }
    }
}

pub async fn changes(
    State(web): State<Web>,
    Reader(caller): Reader,
    asked: Result<Query<Asked>, QueryRejection>,
    request: Request,
) -> Result<Response, Problem> {
    let refused = |_| Problem::bad_request("since and limit are whole numbers, wait is a time such as 30s.");
    let Query(asked) = asked.map_err(refused)?;
    let media = Accept::of(request.headers(), None)
        .choose(&[JSON, NDJSON])
        .ok_or_else(|| Problem::not_acceptable("Changes are served as application/json or application/x-ndjson."))?;
    let limit = asked.limit.unwrap_or(LIMIT);
    if asked.since < 0 || !(1..=LIMIT_MAX).contains(&limit) {
        return Err(Problem::bad_request("since is 0 or a number that was told, limit is from 1 to 10000."));
    }
    let wait = asked.wait.as_deref().map_or(Ok(Span::seconds(0)), Span::parse).map_err(Problem::bad_request)?;
    let most = web.limits.http_handler_timeout.get().saturating_sub(SPARE).min(WAIT_MAX);
    let until = Instant::now() + wait.get().min(most);
    let _place = if wait.get().is_zero() {
        None
    } else {
        let full = |_| Problem::unavailable("As many callers wait for changes as limits.change_waiters allows.");
        Some(web.waiters.try_acquire().map_err(full)?)
    };
    let mut committed = web.archive.committed();
    loop {
        // Before the look: what is committed after it wakes us.
        committed.mark_unchanged();
        let found = web.archive.changes(asked.since, limit, caller.restriction.as_ref()).await?;
        let Changes::Told { changes, more } = found else { return Err(forgotten()) };
        let over = Instant::now() >= until || !web.readiness.is_set();
        if over || !changes.is_empty() {
            return Ok(answer(asked.since, changes, more, media));
        }
        let rested = Instant::now() + LOOKS_EVERY;
        tokio::select! {
            _ = committed.changed() => {}
            () = tokio::time::sleep_until(until) => {}
            () = web.readiness.ends() => {}
        }
        // Who sees everything is told at once.
        if caller.restriction.is_some() {
            tokio::time::sleep_until(rested.min(until)).await;
        }
    }
}

fn forgotten() -> Problem {
    Problem::new(
        StatusCode::GONE,
        "Changes after this number are not all told any more, or it is of another archive. Ask with since=0 and compare \
         with what you have: what is not told as stored is not here.",
    )
}

fn answer(since: i64, changes: Vec<Change>, more: bool, media: &str) -> Response {
    let next = changes.last().map_or(since, |last| last.sequence);
    let changes: Vec<Told> = changes.into_iter().map(Told::from).collect();
    if media != NDJSON {
        return Json(Answer { changes, next, more }).into_response();
    }
    let mut lines = Vec::new();
    for change in &changes {
        // Writing to memory does not fail.
        let _ = serde_json::to_writer(&mut lines, change);
        lines.push(b'\n');
    }
    ([(header::CONTENT_TYPE, NDJSON)], lines).into_response()
}

#[cfg(test)]
mod tests {
    use crate::archive::Archive;
    use crate::audit::Actor;
    use crate::domain::instance::Selector;
    use crate::domain::restriction::Restriction;
    use crate::domain::uid::StudyInstanceUid;
    use crate::web::caller::{Caller, Kind, Scopes};
    use crate::web::testing::{Client, Dataset, Who};
    use serde_json::{Value, json};
    use std::time::{Duration, Instant};

    fn study(n: u32) -> Selector {
        Selector { study: StudyInstanceUid::parse(&format!("1.2.{n}")).unwrap(), series: None, instance: None }
    }
    async fn delete(archive: &Archive, n: u32) {
        archive.remove(&study(n), &Actor::Operator, None).await.unwrap().unwrap();
    }
    async fn ask(client: &Client, who: &Who, query: &str) -> (u16, Value) {
        let answer = client.ask(who, "GET", &format!("/api/v1/changes{query}"), &[], "").await;
        (answer.status().as_u16(), serde_json::from_slice(answer.body()).unwrap())
    }
    /// (event, study) of each change, and the number to go on with.
    fn told(answer: &Value) -> (Vec<(String, String)>, i64) {
        let word = |change: &Value, key: &str| change[key].as_str().unwrap().to_owned();
        let changes = answer["changes"].as_array().unwrap();
        let sequence: Vec<_> = changes.iter().map(|change| change["sequence"].as_i64().unwrap()).collect();
        assert!(sequence.is_sorted_by(|a, b| a < b), "{sequence:?}");
        let told = changes.iter().map(|change| (word(change, "event"), word(change, "study"))).collect();
        (told, answer["next"].as_i64().unwrap())
    }
    fn pair(event: &str, n: u32) -> (String, String) {
        (event.to_owned(), format!("1.2.{n}"))
    }

    #[tokio::test]
    async fn changes_are_told_once_each_in_the_order_of_their_commits() {
        let client = Client::start().await;
        client.store(&Dataset::of_patient(1, "A")).await;
        client.store(&Dataset::of_patient(2, "B")).await;
        delete(&client.web.archive, 1).await;
        client.store(&Dataset::of_patient(3, "A")).await;
        let everything = [pair("stored", 2), pair("deleted", 1), pair("stored", 3)];
        let (_, whole) = ask(&client, &Who::Loopback, "").await;
        assert_eq!(told(&whole).0, everything);
        assert_eq!(whole["changes"][1]["level"], "study");
        // One at a time, by the number of the last.
        let (mut since, mut seen) = (0, Vec::new());
        loop {
            let (_, answer) = ask(&client, &Who::Loopback, &format!("?since={since}&limit=1")).await;
            let (changes, next) = told(&answer);
            if changes.is_empty() {
                assert_eq!((next, &answer["more"]), (since, &json!(false)));
                break;
            }
            seen.extend(changes);
            since = next;
        }
        assert_eq!(seen, everything);
        assert_eq!(ask(&client, &Who::Loopback, &format!("?since={}", since + 1)).await.0, 410);
        for wrong in ["?since=x", "?since=-1", "?limit=-1", "?limit=0", "?limit=10001", "?wait=soon"] {
            assert_eq!(ask(&client, &Who::Loopback, wrong).await.0, 400, "{wrong}");
        }
    }

    #[tokio::test]
    async fn who_is_restricted_hears_of_their_own_only() {
        let client = Client::start().await;
        for n in 1..=3 {
            client.store(&Dataset::of_patient(n, if n == 2 { "B" } else { "A" })).await;
        }
        delete(&client.web.archive, 2).await;
        delete(&client.web.archive, 3).await;
        let only = Restriction::to_studies([study(1).study, study(3).study]);
        let who = Who::Given(Caller::new(Kind::Loopback, Scopes::ALL).restricted_to(Some(only)));
        let (status, answer) = ask(&client, &who, "").await;
        assert_eq!((status, told(&answer).0), (200, vec![pair("stored", 1), pair("deleted", 3)]));
    }

    #[tokio::test]
    async fn a_line_is_a_change_when_lines_are_asked_for() {
        let client = Client::start().await;
        for n in 1..=2 {
            client.store(&Dataset::of_patient(n, "A")).await;
        }
        let answer = client.get("/api/v1/changes", &[("accept", "application/x-ndjson")]).await;
        assert_eq!(answer.headers()["content-type"], "application/x-ndjson");
        let text = String::from_utf8(answer.body().to_vec()).unwrap();
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!((lines.len(), &lines[1]["instance"]), (2, &json!("1.4.2")));
        assert_eq!(client.get("/api/v1/changes", &[("accept", "text/csv")]).await.status(), 406);
    }

    #[tokio::test]
    async fn who_waits_is_told_at_once_and_let_go_at_the_end() {
        let client = Client::start().await;
        let began = Instant::now();
        let waiting = ask(&client, &Who::Loopback, "?wait=20s");
        let storing = async {
            tokio::task::yield_now().await;
            client.store(&Dataset::of_patient(1, "A")).await;
        };
        let ((_, answer), ()) = tokio::join!(waiting, storing);
        assert_eq!(told(&answer).0, [pair("stored", 1)]);
        let waiting = ask(&client, &Who::Loopback, "?since=1&wait=20s");
        let stopping = async {
            tokio::task::yield_now().await;
            client.web.readiness.set(false);
        };
        let ((status, answer), ()) = tokio::join!(waiting, stopping);
        assert_eq!((status, told(&answer)), (200, (vec![], 1)));
        assert!(began.elapsed() < Duration::from_secs(10));
    }

    #[tokio::test]
    async fn no_more_wait_than_the_limit_says() {
        let client = Client::start().await;
        let all = client.web.limits.change_waiters;
        let taken = client.web.waiters.acquire_many(all).await.unwrap();
        assert_eq!(ask(&client, &Who::Loopback, "?wait=1s").await.0, 503);
        assert_eq!(ask(&client, &Who::Loopback, "").await.0, 200);
        drop(taken);
        assert_eq!(ask(&client, &Who::Loopback, "?wait=1ms").await.0, 200);
    }
}
