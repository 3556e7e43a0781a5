//! What OHIF asks: for itself, for a study, when it saves, and when another origin serves it.

use super::{DICOM, JSON, OCTETS, OK, Viewer, get, ranged};
use crate::cli::doctor::check::{Need, Step};
use crate::cli::doctor::page::File;
use crate::cli::doctor::subject::Subject;
use hyper::Method;

/// As a browser asks for what it shows by itself.
const PAGE: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

/// OHIF as this server serves it: its page, and the files without which the page stays empty.
pub fn served(prefix: &str, files: Vec<File>) -> Vec<Step> {
    let mut steps = vec![get(
        Viewer::Ohif,
        "the viewer itself, cross-origin isolated",
        "/ohif/".into(),
        PAGE,
        vec![
            OK,
            Need::Type("text/html"),
            Need::Header("cross-origin-opener-policy", "same-origin".into()),
            Need::Header("cross-origin-embedder-policy", "require-corp".into()),
            Need::Files(format!("{prefix}/ohif/")),
        ],
    )];
    steps.extend(files.into_iter().map(|file| {
        let needs = vec![OK, Need::Type(file.media_type)];
        get(Viewer::Ohif, "a script or style of the viewer", file.target, "*/*", needs)
    }));
    steps
}

/// A study, with its defaults.
pub(super) fn asks(subject: &Subject) -> Vec<Step> {
    let list = "limit=101&offset=0&fuzzymatching=false&includefield=00081030%2C00080060%2C00080090%2C00100030";
    let read = &["0020000D", "00080020", "00080030", "00080050", "00100020", "00100010", "00201208", "00080061"];
    let series = &["0020000E", "00080060", "00200011", "00201209", "0020000D"];
    let json = |needs: Need| vec![OK, Need::Type(JSON), needs];
    let ask = |purpose, target, accept: &str, needs| get(Viewer::Ohif, purpose, target, accept, needs);
    let accept_ranges = Need::Header("accept-ranges", "bytes".into());
    let mut steps = vec![
        ask("study list", format!("{}/studies?{list}", subject.root), JSON, json(Need::Items(read))),
        ask(
            "the study, by its UID",
            format!("{}/studies?{list}&StudyInstanceUID={}", subject.root, subject.study),
            JSON,
            json(Need::Items(read)),
        ),
        ask("series of the study", subject.of_study("/series"), JSON, json(Need::Items(series))),
        ask(
            "series for the study panel",
            subject.of_study("/series?includefield=0008103E%2C00080021"),
            JSON,
            json(Need::Items(series)),
        ),
        ask(
            "metadata of a series",
            subject.of_series("/metadata"),
            "application/dicom+json, multipart/related; type=application/octet-stream; transfer-syntax=*",
            vec![
                OK,
                Need::Type(JSON),
                Need::Items(&["00080018", "00080016"]),
                Need::Bulk(subject.url.clone()),
                Need::Revalidates,
            ],
        ),
        ask(
            "the first instance, for a thumbnail",
            subject.of_series("/instances?limit=1&includefield=00080018"),
            JSON,
            json(Need::Items(&["00080018"])),
        ),
    ];
    if subject.frames > 0 {
        steps.extend([
            ask(
                "a frame",
                subject.of_instance("/frames/1"),
                OCTETS,
                vec![OK, Need::Parts, Need::TransferSyntax, Need::Present("content-length"), accept_ranges],
            ),
            ask(
                "a frame, as it writes its Accept by default",
                subject.of_instance("/frames/1"),
                "multipart/related; type=\"image/jls\"; transfer-syntax=\"1.2.840.10008.1.2.4.80\"; transfer-syntax=\"*\"",
                vec![OK, Need::Parts, Need::TransferSyntax],
            ),
            ask(
                "a thumbnail",
                subject.of_instance("/thumbnail?viewport=256%2C256"),
                "image/jpeg",
                vec![OK, Need::Type("image/jpeg")],
            ),
            ask("a picture", subject.of_instance("/rendered"), "image/jpeg", vec![OK, Need::Type("image/jpeg")]),
        ]);
    }
    if let Some(object) = &subject.object {
        steps.push(ask("an instance (SEG, SR, RTSTRUCT)", object.clone(), DICOM, vec![OK, Need::Parts]));
    }
    if let Some(document) = &subject.document {
        steps.push(ask(
            "a document, embedded in its page",
            format!("{document}/rendered"),
            PAGE,
            vec![
                OK,
                Need::Type("application/pdf"),
                Need::Header("cross-origin-embedder-policy", "require-corp".into()),
                Need::Header("content-security-policy", "frame-ancestors 'self'".into()),
            ],
        ));
    }
    if let Some(film) = &subject.film {
        let rendered = format!("{film}/rendered");
        let film = |purpose, from: u64, to: u64| {
            let needs = vec![
                Need::Status(&[206]),
                Need::Type("video/"),
                Need::Header("content-range", format!("bytes {from}-{to}/")),
            ];
            ranged(ask(purpose, rendered.clone(), "*/*", needs), from, to)
        };
        steps.extend([film("a film, its first bytes", 0, 1), film("a film, further on", 64, 127)]);
    }
    if let Some(bulk) = &subject.bulk {
        let needs = vec![Need::Status(&[200, 206])];
        let mut step = ask("a bulk value, by its BulkDataURI", bulk.target.clone(), "", needs);
        if bulk.pixels {
            step.headers.push(("range".into(), "bytes=0-63".into()));
        }
        steps.push(step);
    }
    steps
}

/// As OHIF saves: a line break before the first boundary, none after the last.
pub(super) fn save(subject: &Subject) -> Step {
    let boundary = "7a2c3f1e-9d54-4c1b-8a63-0f5d2b9e6c41";
    let mut body = format!("\r\n--{boundary}\r\nContent-Type: application/dicom\r\n\r\n").into_bytes();
    body.extend_from_slice(&subject.part10);
    body.extend_from_slice(format!("\r\n--{boundary}--").as_bytes());
    Step {
        viewer: Viewer::Ohif,
        purpose: "saving an instance",
        method: Method::POST,
        target: format!("{}/studies", subject.root),
        headers: vec![
            ("accept".into(), JSON.into()),
            ("content-type".into(), format!("multipart/related; type=\"application/dicom\"; boundary=\"{boundary}\"")),
        ],
        body: body.into(),
        needs: vec![Need::Status(&[200, 202]), Need::Type(JSON)],
    }
}

/// A viewer that another origin serves.
pub(super) fn from_elsewhere(subject: &Subject, origin: &str) -> Vec<Step> {
    let allowed = Need::Header("access-control-allow-origin", origin.to_owned());
    let mut preflight = get(
        Viewer::Ohif,
        "preflight from another origin",
        subject.of_series("/metadata"),
        "",
        vec![
            Need::Status(&[200, 204]),
            allowed.clone(),
            Need::Header("access-control-allow-headers", "accept".into()),
            Need::Header("access-control-allow-headers", "authorization".into()),
        ],
    );
    preflight.method = Method::OPTIONS;
    preflight.headers = vec![
        ("origin".into(), origin.to_owned()),
        ("access-control-request-method".into(), "GET".into()),
        ("access-control-request-headers".into(), "accept,authorization".into()),
    ];
    let mut asked = get(
        Viewer::Ohif,
        "metadata from another origin",
        subject.of_series("/metadata"),
        JSON,
        vec![OK, allowed, Need::Header("access-control-expose-headers", "etag".into())],
    );
    asked.headers.push(("origin".into(), origin.to_owned()));
    let mut steps = vec![preflight, asked];
    // What a page with COEP takes from another origin without asking by CORS says so itself (HTML §7.1.4).
    let shared = Need::Header("cross-origin-resource-policy", "cross-origin".into());
    if let Some(document) = &subject.document {
        let framed = Need::Header("content-security-policy", origin.to_owned());
        let needs = vec![OK, shared.clone(), framed];
        steps.push(get(
            Viewer::Ohif,
            "a document, embedded in another origin",
            format!("{document}/rendered"),
            PAGE,
            needs,
        ));
    }
    if let Some(film) = &subject.film {
        let needs = vec![Need::Status(&[206]), shared.clone()];
        let film = get(Viewer::Ohif, "a film, shown by another origin", format!("{film}/rendered"), "*/*", needs);
        steps.push(ranged(film, 0, 1));
    }
    if subject.frames > 0 {
        let mut frame = get(
            Viewer::Ohif,
            "a frame from another origin",
            subject.of_instance("/frames/1"),
            OCTETS,
            vec![OK, Need::Header("access-control-allow-origin", origin.to_owned()), shared],
        );
        frame.headers.push(("origin".into(), origin.to_owned()));
        steps.push(frame);
    }
    steps
}
