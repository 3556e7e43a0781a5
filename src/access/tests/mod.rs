//! The promises of patient links over a real index in a temporary folder.

mod limits;
mod scopes;

use super::birth_date::TypedDate;
use super::*;
use crate::audit::Actor;
use crate::config::Link;
use crate::domain::arrival::Source;
use crate::domain::attributes::{Attributes, tags};
use crate::domain::instance::{InstanceFacts, StoredFile};
use crate::domain::phi::Phi;
use crate::domain::uid::{SeriesInstanceUid, SopClassUid, SopInstanceUid, StudyInstanceUid, TransferSyntaxUid};
use crate::index::{Batch, IndexSettings, NewInstance};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

pub(super) const HOME: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const NOW: &str = "2026-11-22T12:00:00Z";

/// An index and an `Access` over it, with a clock that tests move.
pub(crate) struct House {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) index: Index,
    pub(crate) access: Access,
    pub(crate) clock: Clock,
}

impl House {
    pub(crate) async fn new() -> Self {
        Self::at("http://127.0.0.1:8081/").await
    }
    pub(crate) async fn at(public_url: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Clock::settable(NOW.parse().unwrap());
        Self::over(dir, clock, public_url).await
    }
    async fn over(dir: tempfile::TempDir, clock: Clock, public_url: &str) -> Self {
        let index = Index::open(dir.path(), IndexSettings::default(), clock.clone()).await.unwrap();
        let access = Access::open(dir.path(), Link::default(), public_url, index.clone(), clock.clone()).unwrap();
        Self { dir, index, access, clock }
    }
    /// The process ends and another one begins over the same folder.
    pub(super) async fn restart(self) -> Self {
        let Self { dir, index, access, clock } = self;
        drop(access);
        index.close().await.unwrap();
        Self::over(dir, clock, "http://127.0.0.1:8081/").await
    }
    /// Keeps one instance of a study; other UIDs follow from the study's.
    pub(crate) async fn study(&self, uid: &str, id: &str, name: &str, birth_date: &str) -> StudyInstanceUid {
        self.instance(uid, "1.1", id, name, birth_date).await;
        StudyInstanceUid::parse(uid).unwrap()
    }
    async fn instance(&self, uid: &str, suffix: &str, id: &str, name: &str, birth_date: &str) {
        let mut attributes = Attributes::default();
        for (tag, value) in [
            (tags::PATIENT_ID, id),
            (tags::PATIENT_NAME, name),
            (tags::PATIENT_BIRTH_DATE, birth_date),
            (tags::STUDY_DATE, "20261120"),
            (tags::MODALITY, "CT"),
            (tags::SERIES_NUMBER, "1"),
            (tags::INSTANCE_NUMBER, "1"),
        ] {
            attributes.set(tag, vec![value.to_owned()]);
        }
        let facts = InstanceFacts {
            sop_class_uid: SopClassUid::parse("1.2.840.10008.5.1.4.1.1.2").unwrap(),
            sop_instance_uid: SopInstanceUid::parse(&format!("{uid}.{suffix}")).unwrap(),
            study_instance_uid: StudyInstanceUid::parse(uid).unwrap(),
            series_instance_uid: SeriesInstanceUid::parse(&format!("{uid}.1")).unwrap(),
            attributes,
            pixels: None,
            metadata: Default::default(),
        };
        let file = StoredFile {
            path: format!("objects/0001/{uid}.{suffix}.dcm"),
            size_bytes: 1000,
            crc32: 0,
            sha256: [1; 32],
            dataset_offset: 200,
            transfer_syntax_uid: TransferSyntaxUid::parse("1.2.840.10008.1.2.1").unwrap(),
        };
        let instance = NewInstance { facts, file, received_at_ms: self.clock.now_ms(), source: Source::default() };
        self.index.record(Batch { instances: vec![instance], ..Batch::default() }).await.unwrap();
    }
    /// Another patient's instance arrives under a study that is there.
    pub(super) async fn second_patient(&self, uid: &str) {
        self.instance(uid, "2.2", "P9", "Miller^Jane", "19800101").await;
    }
    pub(crate) async fn grant(&self, whose: Whose, verify: Option<config::Verify>) -> Result<Granted, AccessError> {
        let (expires, meant_for) = (None, None);
        self.access.grant(GrantRequest { whose, verify, expires, meant_for, by: Actor::Operator }).await
    }
    pub(super) async fn verify(&self, token: &str, code: &str, birth_date: [&str; 3]) -> Verdict {
        self.access.verify(token, &answers(code, birth_date), HOME, None).await.unwrap()
    }
    /// How often each kind of event stands in the trail, in the order of first appearance.
    pub(crate) async fn events(&self) -> Vec<String> {
        let mut rows = self.index.trail(None, 1000).await.unwrap();
        rows.reverse();
        rows.into_iter().map(|row| row.kind).filter(|kind| kind != "instances-received" && kind != "start").collect()
    }
}

pub(super) fn answers(code: &str, [day, month, year]: [&str; 3]) -> Answers {
    let field = |text: &str| Phi::new(text.to_owned());
    let birth_date = TypedDate { day: field(day), month: field(month), year: field(year) };
    Answers { code: field(code), birth_date }
}

pub(crate) fn token_of(granted: &Granted) -> String {
    granted.url.expose().rsplit('/').next().unwrap().to_owned()
}

pub(super) const BORN: [&str; 3] = ["7", "March", "1961"];

#[tokio::test]
async fn a_link_opens_with_birth_date_and_code_and_leaves_its_rows() {
    let house = House::new().await;
    let study = house.study("1.2.3", "P1", "Ross^Ellen", "19610307").await;
    let granted = house.grant(Whose::Study(study.clone()), None).await.unwrap();
    let code = granted.code.clone().unwrap().into_exposed();
    assert_eq!(granted.verify, config::Verify::BirthDateAndCode);
    assert!(granted.url.expose().starts_with("http://127.0.0.1:8081/v/"));
    let token = token_of(&granted);

    assert!(matches!(house.verify(&token, "", ["", "", ""]).await, Verdict::Nothing));
    let missing = house.verify(&token, &code, ["", "", ""]).await;
    assert!(matches!(missing, Verdict::Incomplete { code: None, birth_date: Some(_) }), "{missing:?}");
    assert!(matches!(house.verify(&token, &code, ["8", "3", "1961"]).await, Verdict::Wrong { left: 4 }));
    let Verdict::Welcome { cookie } = house.verify(&token, &code.to_lowercase(), BORN).await else { panic!() };
    let visit = house.access.visit(cookie.expose()).await.unwrap().unwrap();
    assert_eq!(visit.studies.len(), 1);
    assert_eq!(visit.link_id, granted.id);

    house.access.extend(&granted.id, config::units::Span::days(60), Actor::Operator).await.unwrap();
    house.access.revoke(&granted.id, Actor::Operator).await.unwrap();
    assert!(house.access.visit(cookie.expose()).await.unwrap().is_none(), "the session died with the link");
    assert!(matches!(house.verify(&token, &code, BORN).await, Verdict::Ended));
    let again = house.access.extend(&granted.id, config::units::Span::days(1), Actor::Operator).await;
    assert!(matches!(again, Err(AccessError::Revoked)));
    assert_eq!(
        house.events().await,
        ["link-granted", "verification-failed", "verified", "link-extended", "link-revoked"]
    );
    assert!(matches!(house.index.verify_trail().await.unwrap(), Ok(rows) if rows >= 5));
}

#[tokio::test]
async fn forged_tokens_cost_no_look_into_the_index() {
    let house = House::new().await;
    let study = house.study("1.2.3", "P1", "Ross^Ellen", "19610307").await;
    let token = token_of(&house.grant(Whose::Study(study), None).await.unwrap());
    // A closed index answers nobody: whoever asks it gets an error.
    house.index.close().await.unwrap();
    assert!(house.access.verify(&token, &answers("", BORN), HOME, None).await.is_err());
    for n in 0..10_000u32 {
        let mut forged = token.clone().into_bytes();
        let place = usize::try_from(n).unwrap() % 50;
        forged[place] = if forged[place] == b'A' { b'B' } else { b'A' };
        let forged = String::from_utf8(forged).unwrap();
        // In the last character two of six bits are spare: base64url refuses them when set.
        assert!(matches!(house.verify(&forged, "", BORN).await, Verdict::Ended), "{n}");
        let random: [u8; 37] = error::random().unwrap();
        let random = base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, random);
        assert!(matches!(house.verify(&random, "", BORN).await, Verdict::Ended), "{n}");
    }
}

#[tokio::test]
async fn a_link_ends_at_its_time_and_may_be_extended_up_to_its_token() {
    let house = House::new().await;
    let study = house.study("1.2.3", "P1", "Ross^Ellen", "19610307").await;
    let granted = house.grant(Whose::Study(study.clone()), Some(config::Verify::BirthDate)).await.unwrap();
    assert!(granted.code.is_none());
    let token = token_of(&granted);
    house.clock.advance(Duration::from_hours(30 * 24));
    assert!(matches!(house.verify(&token, "", BORN).await, Verdict::Ended));
    house.access.extend(&granted.id, config::units::Span::days(60), Actor::Operator).await.unwrap();
    assert!(matches!(house.verify(&token, "", BORN).await, Verdict::Welcome { .. }));
    let beyond = house.access.extend(&granted.id, config::units::Span::days(61), Actor::Operator).await;
    assert!(matches!(beyond, Err(AccessError::TooLong(_))));
    let (expires, meant_for) = (Some(config::units::Span::days(91)), None);
    let request = GrantRequest { whose: Whose::Study(study), verify: None, expires, meant_for, by: Actor::Operator };
    assert!(matches!(house.access.grant(request).await, Err(AccessError::TooLong(_))));
}
