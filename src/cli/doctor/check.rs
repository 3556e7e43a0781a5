//! One request of a viewer, and whether the answer is one that it can use.

use super::ask::{Answer, Daemon, is_below};
use super::page;
use super::subject::bulk_uris;
use super::viewers::Viewer;
use bytes::Bytes;
use hyper::Method;
use serde_json::{Value, json};
use std::fmt;
use std::time::Duration;

/// cornerstone looks for the end of a part's header in so many bytes.
const PART_HEADER_MAX: usize = 1000;

/// A request, and what its viewer needs of the answer.
pub struct Step {
    pub viewer: Viewer,
    /// What the viewer does by it.
    pub purpose: &'static str,
    pub method: Method,
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: Bytes,
    pub needs: Vec<Need>,
}

/// What an answer must be or have.
#[derive(Debug, Clone)]
pub enum Need {
    Status(&'static [u16]),
    /// Content-Type begins so.
    Type(&'static str),
    /// A JSON array whose every item has these attributes.
    Items(&'static [&'static str]),
    /// One part or several as multipart/related, with the header spelled as clients compare it.
    Parts,
    /// The same, and so many.
    PartCount(usize),
    /// Each item has this attribute, an address that begins so: it is followed in place of the root.
    Link(&'static str, String),
    /// Each BulkDataURI begins so.
    Bulk(String),
    /// The page names its scripts and styles, all by paths that begin so.
    Files(String),
    /// Each part says its transfer syntax.
    TransferSyntax,
    /// A header that contains this.
    Header(&'static str, String),
    /// A header, whatever it says.
    Present(&'static str),
    /// So many bytes.
    Length(usize),
    /// Asked again with the ETag, 304.
    Revalidates,
}

pub struct Verdict {
    step: Step,
    status: Option<u16>,
    took: Duration,
    pub failure: Option<String>,
}

pub async fn run(daemon: &Daemon, step: Step) -> Verdict {
    let answer = daemon.ask(step.method.clone(), &step.target, &step.headers, step.body.clone()).await;
    let answer = match answer {
        Ok(answer) => answer,
        Err(why) => return Verdict { step, status: None, took: Duration::ZERO, failure: Some(why) },
    };
    let doubled = answer.doubled();
    let mut failure = doubled.map(|name| format!("header {name} comes twice: let the proxy add none of its own"));
    for need in &step.needs {
        if failure.is_some() {
            break;
        }
        let met = match need {
            Need::Revalidates => revalidates(daemon, &step, &answer).await,
            need => met(need, &answer),
        };
        failure = met.err();
    }
    Verdict { status: Some(answer.status.as_u16()), took: answer.took, step, failure }
}

fn met(need: &Need, answer: &Answer) -> Result<(), String> {
    let status = answer.status.as_u16();
    match need {
        Need::Status(wanted) if wanted.contains(&status) => Ok(()),
        Need::Status(wanted) => {
            let told: Option<Value> = serde_json::from_slice(&answer.body).ok();
            let detail = told.as_ref().and_then(|told| told.get("detail")).and_then(Value::as_str).unwrap_or("");
            Err(format!("status {status} where the viewer needs {wanted:?} {detail}").trim_end().to_owned())
        }
        Need::Type(wanted) => {
            let found = answer.header("content-type");
            if found.starts_with(wanted) { Ok(()) } else { Err(format!("Content-Type is {found:?}, not {wanted}")) }
        }
        Need::Items(attributes) => items(&answer.body, attributes),
        Need::Parts => parts(answer).map(|_| ()),
        Need::PartCount(wanted) => match parts(answer)?.len() {
            found if found == *wanted => Ok(()),
            found => Err(format!("{found} parts came where the search says {wanted}")),
        },
        Need::Link(tag, root) => links(&answer.body, tag, root),
        Need::Bulk(root) => bulk(&answer.body, root),
        Need::Files(below) => files(&answer.body, below),
        Need::TransferSyntax => transfer_syntax(answer),
        Need::Header(name, wanted) => {
            let found = answer.header(name);
            if found.to_ascii_lowercase().contains(&wanted.to_ascii_lowercase()) {
                Ok(())
            } else {
                Err(format!("header {name} is {found:?} and does not say {wanted:?}"))
            }
        }
        Need::Present(name) if answer.headers.contains_key(*name) => Ok(()),
        Need::Present(name) => Err(format!("header {name} is missing")),
        Need::Length(wanted) if answer.body.len() == *wanted => Ok(()),
        Need::Length(wanted) => Err(format!("{} bytes came where {wanted} were asked for", answer.body.len())),
        Need::Revalidates => Ok(()),
    }
}

fn items(body: &[u8], attributes: &[&str]) -> Result<(), String> {
    let parsed: Value = serde_json::from_slice(body).map_err(|error| format!("the body is no JSON: {error}"))?;
    let items = parsed.as_array().ok_or("the body is no JSON array")?;
    if items.is_empty() {
        return Err("the list is empty".into());
    }
    match attributes.iter().find(|tag| items.iter().any(|item| item.get(**tag).is_none())) {
        Some(missing) => Err(format!("attribute {missing} is missing")),
        None => Ok(()),
    }
}

fn links(body: &[u8], tag: &str, root: &str) -> Result<(), String> {
    let parsed: Value = serde_json::from_slice(body).map_err(|error| format!("the body is no JSON: {error}"))?;
    let place = format!("/{tag}/Value/0");
    let urls = parsed.as_array().into_iter().flatten().map(|item| item.pointer(&place).and_then(Value::as_str));
    match urls.map(Option::unwrap_or_default).find(|url| !is_below(url, root)) {
        Some(url) => Err(elsewhere(tag, url, root)),
        None => Ok(()),
    }
}

fn bulk(body: &[u8], root: &str) -> Result<(), String> {
    let parsed: Value = serde_json::from_slice(body).map_err(|error| format!("the body is no JSON: {error}"))?;
    let mut wrong = None;
    bulk_uris(&parsed, false, &mut |uri, _| {
        if !is_below(uri, root) {
            wrong.get_or_insert(uri);
        }
    });
    wrong.map_or(Ok(()), |uri| Err(elsewhere("a BulkDataURI", uri, root)))
}

fn elsewhere(what: &str, url: &str, root: &str) -> String {
    format!(
        "{what} is {url:?}, which is not below {root}: set [web] public_url, or let the proxy pass on Host and \
         X-Forwarded-Prefix and list it in trusted_proxies"
    )
}

fn files(body: &[u8], below: &str) -> Result<(), String> {
    let named = page::named(&String::from_utf8_lossy(body));
    if named.is_empty() {
        return Err("the page names no script".into());
    }
    match named.iter().find(|(path, _)| !path.starts_with(below)) {
        Some((path, _)) => Err(format!("the page loads {path}, which is not below {below}")),
        None => Ok(()),
    }
}

/// The headers of each part.
fn parts(answer: &Answer) -> Result<Vec<String>, String> {
    let kind = answer.header("content-type");
    if !kind.starts_with("multipart/related") {
        return Err(format!("Content-Type is {kind:?}, not multipart/related"));
    }
    let boundary = kind
        .split(';')
        .filter_map(|parameter| parameter.trim().strip_prefix("boundary="))
        .map(|boundary| boundary.trim_matches('"'))
        .next()
        .ok_or("Content-Type names no boundary")?;
    if boundary.contains('=') {
        return Err("the boundary contains '=', at which clients cut it".into());
    }
    let (open, close) = (format!("--{boundary}\r\n"), format!("\r\n--{boundary}--"));
    if !answer.body.starts_with(open.as_bytes()) {
        return Err("the body does not begin with the boundary".into());
    }
    if memchr::memmem::rfind(&answer.body, close.as_bytes()).is_none() {
        return Err("the last boundary is missing: the body was cut off".into());
    }
    let mut found = Vec::new();
    for at in memchr::memmem::find_iter(&answer.body, open.as_bytes()) {
        let head = answer.body.get(at + open.len()..).unwrap_or_default();
        let head = head.get(..head.len().min(PART_HEADER_MAX)).unwrap_or_default();
        let end = memchr::memmem::find(head, b"\r\n\r\n").ok_or("a part's header does not end within 1,000 bytes")?;
        let text = String::from_utf8_lossy(head.get(..end).unwrap_or_default()).into_owned();
        if !text.lines().any(|line| line.starts_with("Content-Type:")) {
            return Err("a part has no header spelled exactly Content-Type:".into());
        }
        found.push(text);
    }
    Ok(found)
}

fn transfer_syntax(answer: &Answer) -> Result<(), String> {
    match parts(answer)?.iter().find(|part| !part.contains("transfer-syntax=")) {
        Some(_) => Err("a part does not say its transfer-syntax, so its bytes would be guessed at".into()),
        None => Ok(()),
    }
}

async fn revalidates(daemon: &Daemon, step: &Step, first: &Answer) -> Result<(), String> {
    let etag = first.header("etag");
    if etag.is_empty() {
        return Err("there is no ETag".into());
    }
    let mut headers = step.headers.clone();
    headers.push(("if-none-match".into(), etag.to_owned()));
    let again = daemon.ask(step.method.clone(), &step.target, &headers, Bytes::new()).await?;
    match again.status.as_u16() {
        304 => Ok(()),
        status => Err(format!("asked again with its ETag, the answer is {status} and not 304")),
    }
}

impl Verdict {
    pub fn to_json(&self) -> Value {
        json!({
            "viewer": self.step.viewer.name(),
            "purpose": self.step.purpose,
            "method": self.step.method.as_str(),
            "target": self.step.target,
            "status": self.status,
            "duration_ms": u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX),
            "failure": self.failure,
        })
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Step { viewer, purpose, method, target, .. } = &self.step;
        let word = if self.failure.is_none() { "ok  " } else { "FAIL" };
        write!(f, "{word} {:17} {purpose:44} {:4} ms", viewer.name(), self.took.as_millis())?;
        if let Some(why) = &self.failure {
            write!(f, "\n     {method} {target}")?;
            for (name, value) in &self.step.headers {
                write!(f, "\n     {name}: {value}")?;
            }
            write!(f, "\n     {why}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::{HeaderMap, StatusCode};

    fn answer(kind: &str, body: &str) -> Answer {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", kind.parse().unwrap());
        let body = Bytes::copy_from_slice(body.as_bytes());
        Answer { status: StatusCode::OK, headers, body, took: Duration::ZERO }
    }

    #[test]
    fn a_part_that_clients_would_misread_fails() {
        let related = "multipart/related; type=\"application/octet-stream\"; boundary=b";
        let good = "--b\r\nContent-Type: image/jls; transfer-syntax=1.2\r\n\r\nx\r\n--b--\r\n";
        assert_eq!(met(&Need::TransferSyntax, &answer(related, good)), Ok(()));
        let cases = [
            ("application/dicom", good, "not multipart/related"),
            ("multipart/related", good, "no boundary"),
            ("multipart/related; boundary=\"a=b\"", good, "'='"),
            (related, "\r\n--b\r\nContent-Type: x\r\n\r\nx\r\n--b--", "does not begin"),
            (related, "--b\r\nContent-Type: x\r\n\r\nx", "cut off"),
            (related, "--b\r\ncontent-type: x; transfer-syntax=1\r\n\r\nx\r\n--b--", "spelled exactly"),
            (related, "--b\r\nContent-Type: x\r\n\r\nx\r\n--b--", "transfer-syntax"),
        ];
        for (kind, body, why) in cases {
            let failure = met(&Need::TransferSyntax, &answer(kind, body)).unwrap_err();
            assert!(failure.contains(why), "{kind} {body}: {failure}");
        }
    }

    #[test]
    fn a_series_that_comes_short_and_an_address_that_leads_elsewhere_fail() {
        let related = "multipart/related; type=\"application/dicom\"; boundary=b";
        let one = "--b\r\nContent-Type: application/dicom\r\n\r\nx\r\n--b--\r\n";
        assert_eq!(met(&Need::PartCount(1), &answer(related, one)), Ok(()));
        assert!(met(&Need::PartCount(2), &answer(related, one)).unwrap_err().starts_with("1 parts came"));
        let need = Need::Link("00081190", "https://a.example/bb/dicom-web/studies/1.2".into());
        let told =
            |url: &str| met(&need, &answer("x", &format!(r#"[{{"00081190":{{"vr":"UR","Value":["{url}"]}}}}]"#)));
        assert_eq!(told("https://a.example/bb/dicom-web/studies/1.2/series/1"), Ok(()));
        for wrong in [
            "/bb/dicom-web/studies/1.2",
            "https://a.example/bb/dicom-web/studies/1.3",
            "http://localhost:9/bb/dicom-web/studies/1.2",
            "",
        ] {
            assert!(told(wrong).is_err(), "{wrong}");
        }
        let need = Need::Bulk("https://a.example/dicom-web".into());
        let told = |url: &str| met(&need, &answer("x", &format!(r#"[{{"7FE00010":{{"BulkDataURI":"{url}"}}}}]"#)));
        assert_eq!(told("https://a.example/dicom-web/studies/1.2/bulkdata/1"), Ok(()));
        assert!(told("http://localhost:9/dicom-web/studies/1.2/bulkdata/1").is_err());
    }

    #[test]
    fn a_header_that_is_not_there_fails() {
        let need = Need::Present("content-length");
        assert_eq!(met(&need, &answer("x", "")), Err("header content-length is missing".into()));
        assert_eq!(met(&Need::Present("content-type"), &answer("x", "")), Ok(()));
    }

    #[test]
    fn a_page_whose_scripts_lie_elsewhere_fails() {
        let need = Need::Files("/bb/ohif/".into());
        let told = |html: &str| met(&need, &answer("text/html", html));
        assert_eq!(told("<script src=\"/bb/ohif/app.js\">"), Ok(()));
        assert!(told("<script src=\"/ohif/app.js\">").unwrap_err().contains("not below /bb/ohif/"));
        assert!(told("<p>Welcome to nginx</p>").is_err());
    }

    #[test]
    fn a_list_without_what_the_viewer_reads_fails() {
        let need = Need::Items(&["0020000D"]);
        let failure = |body: &str| met(&need, &answer("application/dicom+json", body)).err().unwrap_or_default();
        assert_eq!(failure(r#"[{"0020000D":{"vr":"UI"}}]"#), "");
        assert_eq!(failure("[{}]"), "attribute 0020000D is missing");
        assert_eq!(failure("[]"), "the list is empty");
        assert!(failure("[NaN]").starts_with("the body is no JSON"));
    }
}
