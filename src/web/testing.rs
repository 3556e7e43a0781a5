//! The real routers over a real archive in a temporary folder, asked without a socket. For tests only.

use super::caller::Caller;
use super::dicomweb::Uploads;
use super::middleware::Given;
use super::serve::Peer;
use super::{Web, WebParts, control_router, ops, web_router};
use crate::access::Access;
use crate::access::bearer::{Tokens, Wanted};
use crate::access::package::Packages;
use crate::access::reads::Reads;
use crate::archive::{Archive, ArchiveSettings, Offer, Source, SyntaxSource};
use crate::audit::Actor;
use crate::config;
use crate::domain::ae_title::AeTitle;
use crate::domain::clock::Clock;
use crate::domain::instance::Selector;
use crate::domain::transfer_syntax::{self, Encoding, TransferSyntax};
use crate::domain::uid::{SopClassUid, SopInstanceUid};
use crate::imaging::Imaging;
use crate::index::{Index, IndexSettings};
use crate::store::Disk;
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, Response, header};
use bytes::Bytes;
use http_body_util::BodyExt;
use tokio::sync::Semaphore;
use tower::ServiceExt;

/// Who asks.
#[derive(Debug, Clone)]
pub enum Who {
    /// A loopback peer behind a proxy that nobody trusts.
    Nobody,
    Loopback,
    Token(&'static str),
    /// Known already, as readers of a share are.
    Given(Caller),
    /// The control socket, another user.
    Stranger,
    /// The control socket, our own user.
    Owner,
}

impl Who {
    pub fn token(scope: &'static str) -> Self {
        Self::Token(scope)
    }
}

pub struct Client {
    pub web: Web,
    web_router: Router,
    control: Router,
    dir: tempfile::TempDir,
}

impl Client {
    pub async fn start() -> Self {
        Self::with(config::Web::default()).await
    }

    pub async fn with(config: config::Web) -> Self {
        Self::open(config, Disk::default()).await
    }

    /// Over a disk that a test may break.
    pub async fn on(disk: Disk) -> Self {
        Self::open(config::Web::default(), disk).await
    }

    async fn open(config: config::Web, disk: Disk) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Clock::system();
        let index = Index::open(dir.path(), IndexSettings::default(), clock.clone()).await.unwrap();
        let archive = open_archive(dir.path(), index.clone(), clock.clone(), disk).await;
        let readiness = ops::Readiness::default();
        readiness.set(true);
        let url = "http://127.0.0.1:8081";
        let access = Access::open(dir.path(), config::Link::default(), url, index.clone(), clock.clone()).unwrap();
        let limits = config::Limits::default();
        let facility = config::Facility::default();
        let packages = Packages::new(archive.clone(), index.clone(), facility, &limits, clock.clone());
        let viewer = config.ohif_dir.as_deref().and_then(super::ohif::Viewer::open).map(std::sync::Arc::new);
        let web = Web::new(WebParts {
            imaging: Imaging::new(archive.clone(), &limits),
            archive,
            packages,
            access,
            reads: Reads::new(index.clone()),
            uploads: Uploads::new(&limits),
            waiters: Semaphore::new(limits.change_waiters as usize),
            tokens: Tokens::new(index, clock.clone()),
            oidc: None,
            ae_title: AeTitle::of_this_product(),
            config,
            limits,
            clock,
            metrics: metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder().handle(),
            readiness,
            viewer,
        });
        Self { web_router: web_router(web.clone()), control: control_router(web.clone()), web, dir }
    }

    /// Stores an instance as a C-STORE would.
    pub async fn store(&self, dataset: &Dataset) {
        let offer = Offer {
            source: Source::default(),
            transfer_syntax: dataset.syntax,
            syntax_from: SyntaxSource::Sender,
            sop_class_uid: SopClassUid::parse(dataset.sop_class_uid).ok(),
            sop_instance_uid: SopInstanceUid::parse(&dataset.sop_instance_uid).ok(),
            study_instance_uid: None,
            only: None,
            conflict: config::ConflictAnswer::Keep,
        };
        let mut intake = self.web.archive.begin(offer).unwrap();
        intake.write(&dataset.bytes).unwrap();
        intake.finish().await.unwrap();
    }

    /// Takes away the files of what is selected, and leaves its rows.
    pub async fn lose_files_of(&self, selector: &Selector) {
        for row in self.web.archive.instances(selector).await.unwrap() {
            std::fs::remove_file(self.dir.path().join(&row.file.path)).unwrap();
        }
    }

    pub async fn status(&self, who: &Who, method: &str, path: &str, body: &'static str) -> u16 {
        self.ask(who, method, path, &[], body).await.status().as_u16()
    }

    /// The studies of the rows that a search answers.
    pub async fn studies_found(&self, who: &Who, path: &str) -> Vec<String> {
        let answer = self.ask(who, "GET", path, &[], "").await;
        assert!(matches!(answer.status().as_u16(), 200 | 204), "{path}: {}", answer.status());
        let rows: serde_json::Value = match answer.body().is_empty() {
            true => serde_json::json!([]),
            false => serde_json::from_slice(answer.body()).unwrap(),
        };
        let study = |row: &serde_json::Value| row["0020000D"]["Value"][0].as_str().unwrap().to_owned();
        rows.as_array().unwrap().iter().map(study).collect()
    }

    /// What a `.../count` answers.
    pub async fn count(&self, who: &Who, path: &str) -> u64 {
        let answer = self.ask(who, "GET", path, &[], "").await;
        assert_eq!(answer.status(), 200, "{path}");
        let document: serde_json::Value = serde_json::from_slice(answer.body()).unwrap();
        document["count"].as_u64().unwrap()
    }

    /// A GET from loopback with `headers`.
    pub async fn get(&self, path: &str, headers: &[(&'static str, &str)]) -> Response<Bytes> {
        self.ask(&Who::Loopback, "GET", path, headers, "").await
    }

    pub async fn ask(
        &self,
        who: &Who,
        method: &str,
        path: &str,
        headers: &[(&'static str, &str)],
        body: &'static str,
    ) -> Response<Bytes> {
        let json = [(header::CONTENT_TYPE.as_str(), "application/json")];
        let headers = if body.is_empty() { headers.to_vec() } else { [&json, headers].concat() };
        self.send(who, method, path, &headers, Body::from(body)).await
    }

    pub async fn send(
        &self,
        who: &Who,
        method: &str,
        path: &str,
        headers: &[(&'static str, &str)],
        body: Body,
    ) -> Response<Bytes> {
        let (parts, body) = self.begun(who, method, path, headers, body).await.into_parts();
        Response::from_parts(parts, body.collect().await.unwrap().to_bytes())
    }

    /// The answer to a GET from loopback, its body still to come.
    pub async fn begin(&self, path: &str, headers: &[(&'static str, &str)]) -> Response<Body> {
        self.begun(&Who::Loopback, "GET", path, headers, Body::empty()).await
    }

    async fn begun(
        &self,
        who: &Who,
        method: &str,
        path: &str,
        headers: &[(&'static str, &str)],
        body: Body,
    ) -> Response<Body> {
        let mut request = Request::builder().method(method).uri(path).header(header::HOST, "localhost:8080");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if matches!(who, Who::Nobody) {
            request = request.header("x-forwarded-for", "192.0.2.1");
        }
        if let Who::Given(caller) = who {
            request = request.extension(Given { caller: caller.clone(), base: "http://share".into() });
        }
        if let Who::Token(scope) = who {
            let (scopes, lifetime) = ([*scope], std::time::Duration::from_secs(60));
            let wanted = Wanted { name: "test", scopes: &scopes, lifetime, study: None, by: Actor::Operator };
            let made = self.web.tokens.create(wanted).await.unwrap();
            request = request.header(header::AUTHORIZATION, format!("Bearer {}", made.token.expose()));
            request = request.header("x-forwarded-for", "192.0.2.1");
        }
        let ours = rustix::process::geteuid().as_raw();
        let (router, peer) = match who {
            Who::Stranger => (&self.control, Peer::Control { uid: ours.wrapping_add(12345) }),
            Who::Owner => (&self.control, Peer::Control { uid: ours }),
            _ => {
                let (remote, local) = ("127.0.0.1:50000".parse().unwrap(), "127.0.0.1:8080".parse().unwrap());
                (&self.web_router, Peer::Tcp { remote, local })
            }
        };
        let request = request.extension(peer).body(body).unwrap();
        router.clone().oneshot(request).await.unwrap()
    }
}

/// A header as text, empty when absent.
pub fn text(headers: &HeaderMap, name: &str) -> String {
    headers.get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
}

async fn open_archive(dir: &std::path::Path, index: Index, clock: Clock, disk: Disk) -> Archive {
    let settings = ArchiveSettings { data_dir: dir.to_owned(), storage: without_ballast(), disk, ..Default::default() };
    Archive::start(settings, index, clock).await.unwrap().0
}

fn without_ballast() -> config::Storage {
    use config::units::{Bytes, Floor};
    let none = Floor::Bytes(Bytes::new(0));
    config::Storage { ballast: none, soft_stop: none, hard_stop: none, ..config::Storage::default() }
}

/// A data set under construction, in any native syntax or in front of fragments.
#[derive(Clone)]
pub struct Dataset {
    pub syntax: &'static TransferSyntax,
    pub sop_class_uid: &'static str,
    pub sop_instance_uid: String,
    /// As stored: in the byte order and VR form of `syntax`, deflated when it is.
    pub bytes: Vec<u8>,
}

impl Dataset {
    /// An image of study `1.2`, series `1.2.<series>`, instance `1.2.<series>.<number>`, of 2 frames of
    /// 4 x 3 pixels of 16 bits counting up from 0, or of what `pixels` are.
    pub fn image(syntax: &str, series: u32, number: u32, pixels: Pixels) -> Self {
        let series_uid = format!("1.2.{series}");
        Self::of(syntax, ["1.2", &series_uid, &format!("{series_uid}.{number}"), "PAT-1"], series, number, pixels)
    }

    /// One image of study `1.2.<n>`, series `1.3.<n>`, instance `1.4.<n>`, of the patient `patient_id`.
    pub fn of_patient(n: u32, patient_id: &str) -> Self {
        let uids = [format!("1.2.{n}"), format!("1.3.{n}"), format!("1.4.{n}")];
        let [study, series, instance] = uids.each_ref().map(String::as_str);
        Self::of("1.2.840.10008.1.2.1", [study, series, instance, patient_id], 1, 1, Pixels::Words)
    }

    /// One image of this study under this SOP Instance UID.
    pub fn in_study(study: &str, instance: &str, patient_id: &str) -> Self {
        Self::of("1.2.840.10008.1.2.1", [study, "1.3.9", instance, patient_id], 1, 1, Pixels::Words)
    }

    fn of(
        syntax: &str,
        [study, series_uid, instance, patient_id]: [&str; 4],
        series: u32,
        number: u32,
        pixels: Pixels,
    ) -> Self {
        let syntax = transfer_syntax::lookup(syntax).unwrap();
        let class = "1.2.840.10008.5.1.4.1.1.7";
        let instance = instance.to_owned();
        let mut out = Writer { encoding: syntax.encoding, bytes: Vec::new() };
        out.text(0x0008, 0x0005, b"CS", "ISO_IR 192");
        out.text(0x0008, 0x0016, b"UI", class);
        out.text(0x0008, 0x0018, b"UI", &instance);
        out.text(0x0008, 0x0020, b"DA", "20260131");
        out.text(0x0008, 0x0030, b"TM", "101500");
        out.text(0x0008, 0x0050, b"SH", "ACC1");
        out.text(0x0008, 0x0060, b"CS", if series == 1 { "CT" } else { "MR" });
        out.text(0x0008, 0x1030, b"LO", "Thorax");
        out.text(0x0010, 0x0010, b"PN", "Müller^Jörg");
        out.text(0x0010, 0x0020, b"LO", patient_id);
        out.text(0x0020, 0x000D, b"UI", study);
        out.text(0x0020, 0x000E, b"UI", series_uid);
        out.text(0x0020, 0x0011, b"IS", &series.to_string());
        out.text(0x0020, 0x0013, b"IS", &number.to_string());
        out.number(0x0028, 0x0002, 1);
        out.text(0x0028, 0x0004, b"CS", "MONOCHROME2");
        let frames = if let Pixels::Fragments(frames) = pixels { frames.len() } else { 2 };
        out.text(0x0028, 0x0008, b"IS", &frames.to_string());
        let (rows, columns, bits) = if matches!(pixels, Pixels::Bits) { (5, 5, 1) } else { (3, 4, 16) };
        out.number(0x0028, 0x0010, rows);
        out.number(0x0028, 0x0011, columns);
        out.number(0x0028, 0x0100, bits);
        out.number(0x0028, 0x0101, bits);
        out.number(0x0028, 0x0102, bits - 1);
        out.number(0x0028, 0x0103, 0);
        if series == 1 {
            out.requests(&[("SPS1", "RP1"), ("SPS2", "")]);
        }
        match pixels {
            Pixels::Words => {
                let order = |n: u16| if out.big() { n.to_be_bytes() } else { n.to_le_bytes() };
                let value: Vec<u8> = (0..24).flat_map(order).collect();
                out.element(0x7FE0, 0x0010, b"OW", &value);
            }
            // 50 bits, all ones in the second frame.
            Pixels::Bits => out.element(0x7FE0, 0x0010, b"OB", &[0, 0, 0, 0xFE, 0xFF, 0xFF, 0x03, 0]),
            Pixels::Fragments(frames) => out.fragments(frames),
        }
        let bytes = match syntax.encoding {
            Encoding::DeflatedExplicitLittle => deflated(&out.bytes),
            _ => out.bytes,
        };
        Self { syntax, sop_class_uid: class, sop_instance_uid: instance, bytes }
    }
}

/// What stands in Pixel Data.
#[derive(Clone, Copy)]
pub enum Pixels {
    Words,
    Bits,
    /// One frame each, as one fragment.
    Fragments(&'static [&'static [u8]]),
}

struct Writer {
    encoding: Encoding,
    bytes: Vec<u8>,
}

impl Writer {
    fn big(&self) -> bool {
        self.encoding == Encoding::ExplicitBig
    }
    fn u16(&mut self, n: u16) {
        let bytes = if self.big() { n.to_be_bytes() } else { n.to_le_bytes() };
        self.bytes.extend_from_slice(&bytes);
    }
    fn u32(&mut self, n: u32) {
        let bytes = if self.big() { n.to_be_bytes() } else { n.to_le_bytes() };
        self.bytes.extend_from_slice(&bytes);
    }
    fn text(&mut self, group: u16, element: u16, vr: &[u8; 2], value: &str) {
        let mut value = value.as_bytes().to_vec();
        if value.len() % 2 == 1 {
            value.push(if vr == b"UI" { 0 } else { b' ' });
        }
        self.element(group, element, vr, &value);
    }
    fn number(&mut self, group: u16, element: u16, n: u16) {
        let value = if self.big() { n.to_be_bytes() } else { n.to_le_bytes() };
        self.element(group, element, b"US", &value);
    }
    fn element(&mut self, group: u16, element: u16, vr: &[u8; 2], value: &[u8]) {
        self.u16(group);
        self.u16(element);
        let length = u32::try_from(value.len()).unwrap();
        match (self.encoding, vr[0] == b'O' || vr == b"SQ") {
            (Encoding::ImplicitLittle, _) => self.u32(length),
            (_, true) => {
                self.bytes.extend_from_slice(vr);
                self.u16(0);
                self.u32(length);
            }
            (_, false) => {
                self.bytes.extend_from_slice(vr);
                self.u16(u16::try_from(length).unwrap());
            }
        }
        self.bytes.extend_from_slice(value);
    }
    /// Request Attributes Sequence: Scheduled Procedure Step ID and Requested Procedure ID of each item. Lengths
    /// are undefined, as in a rewritten data set.
    fn requests(&mut self, items: &[(&str, &str)]) {
        let mark = |out: &mut Self, element: u16, length: u32| {
            out.u16(0xFFFE);
            out.u16(element);
            out.u32(length);
        };
        self.element(0x0040, 0x0275, b"SQ", &[]);
        self.bytes.truncate(self.bytes.len() - 4);
        self.u32(u32::MAX);
        for (step, procedure) in items {
            mark(self, 0xE000, u32::MAX);
            self.text(0x0040, 0x0009, b"SH", step);
            self.text(0x0040, 0x1001, b"SH", procedure);
            mark(self, 0xE00D, 0);
        }
        mark(self, 0xE0DD, 0);
    }
    fn fragments(&mut self, frames: &[&[u8]]) {
        self.bytes.extend_from_slice(b"\xE0\x7F\x10\0OB\0\0\xFF\xFF\xFF\xFF\xFE\xFF\0\xE0\0\0\0\0");
        for frame in frames {
            self.bytes.extend_from_slice(b"\xFE\xFF\0\xE0");
            self.u32(u32::try_from(frame.len()).unwrap());
            self.bytes.extend_from_slice(frame);
        }
        self.bytes.extend_from_slice(b"\xFE\xFF\xDD\xE0\0\0\0\0");
    }
}

fn deflated(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}
