//! The answer to an upload: the Store Instances Response Module (PS3.18 §I.2) as DICOM JSON or XML, and
//! the status that sums it up (§10.5.3.1).

use super::desk::Report;
use super::outcome::{Failed, Outcome};
use crate::archive::InstanceUids;
use crate::domain::failure::Failure;
use crate::domain::native_xml;
use crate::domain::uid::{SopClassUid, SopInstanceUid, StudyInstanceUid};
use crate::web::dicomweb::accept::Accept;
use crate::web::dicomweb::{instance_url, media};
use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde_json::{Map, Value, json};

/// How the answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Media(&'static str);

/// What older clients and libraries ask the XML form by.
const XML: [&str; 2] = ["application/xml", "text/xml"];

impl Media {
    /// The best that is taken, else JSON: an upload is not lost because its sender named a type that no answer has
    /// (RFC 9110 §12.4.1 leaves that to the server), and what was stored is worth more than the form in which it is said.
    pub fn of(accept: &Accept) -> Self {
        let [application, text] = XML;
        Self(
            accept
                .choose(&[media::DICOM_JSON, media::DICOM_XML, media::JSON, application, text])
                .unwrap_or(media::DICOM_JSON),
        )
    }

    fn is_xml(self) -> bool {
        self.0 == media::DICOM_XML || XML.contains(&self.0)
    }
}

/// 200 when all is stored without a warning, 409 when nothing is, else 202.
pub fn render(report: &Report, root: &str, media: Media) -> Response {
    let module = module(report, root);
    let body = if media.is_xml() { native_xml::document(&module) } else { Value::Object(module).to_string() };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status(report);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media.0));
    response
}

fn status(report: &Report) -> StatusCode {
    let stored = report.outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Stored { .. })).count();
    let clean = |outcome: &Outcome| matches!(outcome, Outcome::Stored { warning: None, .. });
    if stored == 0 {
        StatusCode::CONFLICT
    } else if report.outcomes.iter().all(clean) {
        StatusCode::OK
    } else {
        StatusCode::ACCEPTED
    }
}

/// Sequences without items are left out: there are clients that take an empty Failed SOP Sequence for a
/// failure.
fn module(report: &Report, root: &str) -> Map<String, Value> {
    let (mut referenced, mut failed, mut other) = (Vec::new(), Vec::new(), Vec::new());
    for outcome in &report.outcomes {
        match outcome {
            Outcome::Stored { class, uids, warning } => referenced.push(stored(class, uids, *warning, root)),
            Outcome::Failed(why) => match (&why.class, &why.instance) {
                (Some(class), Some(instance)) => failed.push(refused(why, Some((class, instance)))),
                _ => other.push(refused(why, None)),
            },
        }
    }
    let study = only_study(report).map(|study| format!("{root}/studies/{study}"));
    let mut module = Map::from_iter([retrieve_url(study)]);
    for (tag, items) in [("00081198", failed), ("00081199", referenced), ("0008119A", other)] {
        if !items.is_empty() {
            module.insert(tag.into(), json!({"vr": "SQ", "Value": items}));
        }
    }
    module
}

/// Type 2 (PS3.18 Table I.1-1): empty where no one URL gives what was stored.
fn retrieve_url(url: Option<String>) -> (String, Value) {
    let element = url.map_or_else(|| json!({"vr": "UR"}), |url| json!({"vr": "UR", "Value": [url]}));
    ("00081190".into(), element)
}

fn references(class: &SopClassUid, instance: &SopInstanceUid) -> Map<String, Value> {
    let uid = |uid: &str| json!({"vr": "UI", "Value": [uid]});
    Map::from_iter([("00081150".into(), uid(class.as_str())), ("00081155".into(), uid(instance.as_str()))])
}

fn stored(class: &SopClassUid, uids: &InstanceUids, warning: Option<Failure>, root: &str) -> Value {
    let mut item = references(class, &uids.instance);
    // What is kept beside another instance is not what its URL serves.
    let served = warning.is_none().then(|| instance_url(root, &uids.study, &uids.series, &uids.instance));
    item.extend([retrieve_url(served)]);
    if let Some(warning) = warning {
        item.insert("00081196".into(), json!({"vr": "US", "Value": [warning.code]}));
    }
    Value::Object(item)
}

fn refused(why: &Failed, names: Option<(&SopClassUid, &SopInstanceUid)>) -> Value {
    let mut item = names.map_or_else(Map::new, |(class, instance)| references(class, instance));
    item.insert("00081197".into(), json!({"vr": "US", "Value": [why.reason.code]}));
    // Error Comment is LO: 64 characters (PS3.5 §6.2).
    let comment: String = why.comment.chars().take(64).collect();
    let attributes = json!([{"00000902": {"vr": "LO", "Value": [comment]}}]);
    item.insert("00741048".into(), json!({"vr": "SQ", "Value": attributes}));
    Value::Object(item)
}

/// The study that all stored instances belong to.
fn only_study(report: &Report) -> Option<&StudyInstanceUid> {
    let mut studies = report.outcomes.iter().filter_map(|outcome| match outcome {
        Outcome::Stored { uids, warning: None, .. } => Some(&uids.study),
        Outcome::Stored { .. } | Outcome::Failed(_) => None,
    });
    let first = studies.next()?;
    studies.all(|study| study == first).then_some(first)
}
