//! The patient's pages through their router, over a real index and archive in a temporary folder.

mod downloads;
mod scanner;
mod visits;

use super::*;
use crate::access::Whose;
use crate::access::tests::{House, token_of};
use crate::archive::{Archive, ArchiveSettings, Offer, SyntaxSource};
use crate::demo::phantom::{self, PhantomSettings};
use crate::domain::transfer_syntax;
use crate::domain::uid::StudyInstanceUid;
use crate::imaging::Imaging;
use crate::web::serve::Peer;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use std::net::SocketAddr;
use tower::ServiceExt;

pub(super) struct Site {
    pub(super) house: House,
    pub(super) archive: Archive,
    pub(super) router: Router,
}

pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) bytes: Vec<u8>,
}

impl Answer {
    pub(super) fn text(&self) -> String {
        String::from_utf8(self.bytes.clone()).unwrap()
    }
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }
    pub(super) fn cookie(&self) -> String {
        self.header("set-cookie").split(';').next().unwrap_or_default().to_owned()
    }
}

impl Site {
    pub(super) async fn new() -> Self {
        Self::at("http://127.0.0.1:8081").await
    }
    pub(super) async fn at(public_url: &str) -> Self {
        let house = House::at(public_url).await;

        let settings = ArchiveSettings { data_dir: house.dir.path().to_owned(), ..ArchiveSettings::default() };
        let (archive, _) = Archive::start(settings, house.index.clone(), house.clock.clone()).await.unwrap();
        let patient = config::Patient { public_url: public_url.to_owned(), ..config::Patient::default() };
        let facility = config::Facility { name: "Ashby Imaging".into(), contact: "01632 960 001".into() };
        let limits = config::Limits::default();
        let parts = PatientParts {
            access: house.access.clone(),
            packages: Packages::new(
                archive.clone(),
                house.index.clone(),
                facility.clone(),
                &limits,
                house.clock.clone(),
            ),
            imaging: Imaging::new(archive.clone(), &limits),
            facility,
            patient,
            link: config::Link::default(),
            limits,
            clock: house.clock.clone(),
            share: Router::new(),
        };
        Self { archive, house, router: router(PatientWeb::new(parts)) }
    }
    pub(super) async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        let named = headers.iter().any(|(name, _)| *name == "host");
        for (name, value) in [("host", "127.0.0.1:8081")].iter().filter(|_| !named).chain(headers) {
            request = request.header(*name, *value);
        }
        let remote: SocketAddr = "192.0.2.7:50000".parse().unwrap();
        let request = request.extension(Peer::Tcp { remote, local: "192.0.2.1:8081".parse().unwrap() });
        let request = request.body(Body::from(body.to_owned())).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.map(|body| body.to_bytes().to_vec()).unwrap_or_default();
        Answer { status: parts.status, headers: parts.headers, bytes }
    }
    pub(super) async fn get_as(&self, host: &str, path: &str) -> Answer {
        self.get(path, &[("host", host)]).await
    }
    pub(super) async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.send(Method::GET, path, headers, "").await
    }
    pub(super) async fn post(&self, path: &str, headers: &[(&str, &str)], form: &str) -> Answer {
        let form_type = ("content-type", "application/x-www-form-urlencoded");
        let headers: Vec<_> = headers.iter().copied().chain([form_type]).collect();
        self.send(Method::POST, path, &headers, form).await
    }
    /// A small synthetic CT through the archive; the study's UID.
    pub(super) async fn phantom(&self) -> StudyInstanceUid {
        let settings = PhantomSettings { slices: 3, matrix: 64, birth_date: "19610307".into(), ..Default::default() };
        for instance in phantom::study(&settings) {
            let offer = Offer {
                source: crate::archive::Source::default(),
                transfer_syntax: transfer_syntax::lookup(instance.transfer_syntax.as_str()).unwrap(),
                syntax_from: SyntaxSource::Sender,
                sop_class_uid: Some(instance.sop_class),
                sop_instance_uid: Some(instance.sop_instance),
                study_instance_uid: None,
                only: None,
                conflict: config::ConflictAnswer::Keep,
            };
            let mut intake = self.archive.begin(offer).unwrap();
            intake.write(&instance.dataset).unwrap();
            intake.finish().await.unwrap();
        }
        phantom::study_instance_uid(&settings)
    }
    /// A link that asks for the birth date only; its path.
    pub(super) async fn link(&self) -> (String, String) {
        let study = self.house.study("1.2.3", "P1", "Ross^Ellen", "19610307").await;
        let granted = self.house.grant(Whose::Study(study), Some(config::Verify::BirthDate)).await.unwrap();
        (format!("/v/{}", token_of(&granted)), granted.id)
    }
}

pub(super) const RIGHT: &str = "code=&day=7&month=3&year=1961&language=en";
pub(super) const WRONG: &str = "code=&day=8&month=3&year=1961&language=en";
