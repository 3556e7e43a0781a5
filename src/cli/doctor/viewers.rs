//! What each viewer asks, in its order and with its headers, as seen on the wire and in their sources:
//! OHIF 3.x with its defaults, cornerstone3D's image loader, Weasis, the dicomweb-clients of JavaScript
//! and Python.

mod ohif;

pub use ohif::served;

use super::check::{Need, Step};
use super::subject::{Kind, Subject};
use crate::config::Config;
use bytes::Bytes;
use hyper::Method;

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Viewer {
    Ohif,
    Cornerstone,
    Weasis,
    DicomwebClient,
}

impl Viewer {
    pub fn name(self) -> &'static str {
        match self {
            Self::Ohif => "OHIF",
            Self::Cornerstone => "cornerstone",
            Self::Weasis => "Weasis",
            Self::DicomwebClient => "dicomweb-client",
        }
    }
}

const JSON: &str = "application/dicom+json";
const DICOM: &str = "multipart/related; type=\"application/dicom\"";
const OCTETS: &str = "multipart/related; type=application/octet-stream; transfer-syntax=*";

fn get(viewer: Viewer, purpose: &'static str, target: String, accept: &str, needs: Vec<Need>) -> Step {
    let headers = match accept {
        "" => Vec::new(),
        accept => vec![("accept".to_owned(), accept.to_owned())],
    };
    Step { viewer, purpose, method: Method::GET, target, headers, body: Bytes::new(), needs }
}

const OK: Need = Need::Status(&[200]);

/// All of them, in the order in which the viewers ask.
pub fn steps(subject: &Subject, config: &Config, store: bool) -> Vec<Step> {
    let mut steps = ohif::asks(subject);
    if store && !subject.part10.is_empty() {
        steps.push(ohif::save(subject));
    }
    if let Some(origin) = config.web.cors_origins.first() {
        steps.extend(ohif::from_elsewhere(subject, origin));
    }
    steps.extend(cornerstone(subject));
    steps.extend(weasis(subject));
    steps.extend(dicomweb_client(subject));
    steps
}

fn ranged(mut step: Step, from: u64, to: u64) -> Step {
    step.headers.push(("range".into(), format!("bytes={from}-{to}")));
    let length = usize::try_from(to - from + 1).unwrap_or(usize::MAX);
    step.needs.push(Need::Length(length));
    step
}

fn cornerstone(subject: &Subject) -> Vec<Step> {
    if subject.frames == 0 {
        return Vec::new();
    }
    let ask = |purpose, target, accept: &str, needs| get(Viewer::Cornerstone, purpose, target, accept, needs);
    let frame = subject.of_instance("/frames/1");
    let beginning = ask(
        "the beginning of a frame's body (progressive)",
        frame.clone(),
        OCTETS,
        vec![Need::Status(&[206]), Need::Header("content-range", "bytes 0-63/".into())],
    );
    vec![
        ask(
            "a frame, with several wishes",
            frame.clone(),
            "multipart/related; type=image/jls; q=1,multipart/related; type=application/octet-stream; q=0.1",
            vec![OK, Need::Parts, Need::TransferSyntax],
        ),
        ask("a frame, with any wish (microscopy)", frame.clone(), "*/*", vec![OK, Need::Parts]),
        ask("a frame, with its wish in the address", format!("{frame}?accept=*/*"), "", vec![OK]),
        ranged(beginning, 0, 63),
    ]
}

/// What its launch link sets off, first what 4.7.2 and later ask, then what earlier ones asked of each series, and
/// what its search window asks. It takes no status but 200, and no Accept is one of its own.
fn weasis(subject: &Subject) -> Vec<Step> {
    const FIELDS: &str = "00080020,00080030,00080050,00080061,00080090,00081030,00100010,00100020,00100021,00100030,\
                          00100040,0020000D,00200010";
    let Subject { root, study, series, instances, .. } = subject;
    let ask = |purpose, target, accept: &str, needs| get(Viewer::Weasis, purpose, target, accept, needs);
    let retrieve_url = Need::Link("00081190", format!("{}/studies/{study}", subject.url));
    let mut steps = vec![
        ask(
            "the study of the link",
            format!("{root}/studies?0020000D={study}&includefield={FIELDS}"),
            "",
            vec![OK, Need::Items(&["0020000D"])],
        ),
        ask(
            "its series",
            subject.of_study("/series?includefield=0008103E,00080060,0020000E,00200011,00081190"),
            "",
            vec![OK, Need::Items(&["0020000E", "00081190"]), retrieve_url],
        ),
        ask(
            "how many instances a series has",
            subject.of_study(&format!("/series?0020000E={series}&includefield=00201209")),
            JSON,
            vec![OK, Need::Items(&["0020000E", "00201209"])],
        ),
        ask(
            "a series as stored",
            subject.of_series(""),
            "multipart/related;type=\"application/dicom\";transfer-syntax=*",
            vec![OK, Need::PartCount(*instances)],
        ),
        ask(
            "instances of a series, when it came short",
            subject.of_series("/instances?includefield=00080016,00080018,00200013&offset=0&limit=1000"),
            JSON,
            vec![OK, Need::Items(&["00080018"])],
        ),
        ask(
            "instances of a series (4.7.1 and before)",
            subject.of_series("/instances?includefield=00080018,00200013,00081190&offset=0&limit=1000"),
            "",
            vec![OK, Need::Items(&["00080018", "00081190"])],
        ),
        ask(
            "an instance as stored",
            subject.of_instance(""),
            "multipart/related;type=\"application/dicom\";transfer-syntax=*",
            vec![OK, Need::PartCount(1)],
        ),
        ask(
            "study list of its search window, which begins with an empty parameter",
            format!("{root}/studies?&includefield={FIELDS}&limit=10&offset=0"),
            "",
            vec![OK, Need::Items(&["0020000D", "00100020"])],
        ),
    ];
    if subject.frames > 0 {
        steps.push(ask(
            "a thumbnail of a series",
            subject.of_series("/thumbnail?viewport=256%2C256"),
            "image/jpeg",
            vec![OK, Need::Type("image/jpeg")],
        ));
    }
    steps
}

fn dicomweb_client(subject: &Subject) -> Vec<Step> {
    let ask = |purpose, target, accept: &str, needs| get(Viewer::DicomwebClient, purpose, target, accept, needs);
    // No film is Little Endian, which the first of them asks for.
    let instance = match subject.kind {
        Kind::Film => "multipart/related; type=\"application/dicom\"; transfer-syntax=*",
        _ => DICOM,
    };
    vec![
        ask(
            "study search",
            format!("{}/studies?StudyInstanceUID={}", subject.root, subject.study),
            "application/dicom+json, application/json",
            vec![OK, Need::Items(&["0020000D"])],
        ),
        ask("metadata of the study", subject.of_study("/metadata"), JSON, vec![OK, Need::Items(&["00080018"])]),
        ask("metadata of an instance", subject.of_instance("/metadata"), JSON, vec![OK, Need::Items(&["00080018"])]),
        ask("an instance", subject.of_instance(""), instance, vec![OK, Need::Parts]),
        ask(
            "a series",
            subject.of_series(""),
            "multipart/related; type=\"application/dicom\"; transfer-syntax=*",
            vec![OK, Need::Parts],
        ),
    ]
}
