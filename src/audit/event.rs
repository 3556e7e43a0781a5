//! What can happen, in the words of PS3.15 §A.5, and the bytes that the chain is computed over.
//!
//! No field can hold a token, a code, a birth date or a name: there is no free text. Who reads the
//! trail finds the rest by the link's or token's number and by Study Instance UID.

use crate::domain::ae_title::AeTitle;
use crate::domain::level::Level;
use crate::domain::uid::StudyInstanceUid;
use std::fmt;
use std::net::IpAddr;

/// What happened. The word is what the trail stores; it never changes its meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    Start,
    Stop,
    InstancesReceived,
    InstancesRead,
    InstancesDeleted,
    InstancesRestored,
    LinkGranted,
    LinkExtended,
    LinkRevoked,
    Verified,
    VerificationFailed,
    LockedOut,
    Downloaded,
    TokenCreated,
    TokenRevoked,
    Quarantined,
    Conflict,
    SecurityAlert,
    TrailRead,
}

impl Kind {
    pub const ALL: [Self; 19] = [
        Self::Start,
        Self::Stop,
        Self::InstancesReceived,
        Self::InstancesRead,
        Self::InstancesDeleted,
        Self::InstancesRestored,
        Self::LinkGranted,
        Self::LinkExtended,
        Self::LinkRevoked,
        Self::Verified,
        Self::VerificationFailed,
        Self::LockedOut,
        Self::Downloaded,
        Self::TokenCreated,
        Self::TokenRevoked,
        Self::Quarantined,
        Self::Conflict,
        Self::SecurityAlert,
        Self::TrailRead,
    ];

    pub const fn word(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::InstancesReceived => "instances-received",
            Self::InstancesRead => "instances-read",
            Self::InstancesDeleted => "instances-deleted",
            Self::InstancesRestored => "instances-restored",
            Self::LinkGranted => "link-granted",
            Self::LinkExtended => "link-extended",
            Self::LinkRevoked => "link-revoked",
            Self::Verified => "verified",
            Self::VerificationFailed => "verification-failed",
            Self::LockedOut => "locked-out",
            Self::Downloaded => "downloaded",
            Self::TokenCreated => "token-created",
            Self::TokenRevoked => "token-revoked",
            Self::Quarantined => "quarantined",
            Self::Conflict => "conflict",
            Self::SecurityAlert => "security-alert",
            Self::TrailRead => "trail-read",
        }
    }

    /// The Event ID of PS3.16 CID 400 and its meaning.
    pub const fn event_id(self) -> (&'static str, &'static str) {
        match self {
            Self::Start | Self::Stop => ("110100", "Application Activity"),
            Self::InstancesReceived | Self::Conflict => ("110104", "DICOM Instances Transferred"),
            Self::InstancesRead | Self::InstancesRestored => ("110103", "DICOM Instances Accessed"),
            Self::InstancesDeleted => ("110105", "DICOM Study Deleted"),
            Self::LinkGranted | Self::LinkExtended | Self::LinkRevoked => ("110110", "Patient Record"),
            Self::Verified | Self::VerificationFailed => ("110114", "User Authentication"),
            Self::LockedOut | Self::TokenCreated | Self::TokenRevoked | Self::Quarantined | Self::SecurityAlert => {
                ("110113", "Security Alert")
            }
            Self::Downloaded => ("110106", "Export"),
            Self::TrailRead => ("110101", "Audit Log Used"),
        }
    }
}

/// Event Outcome Indicator (PS3.15 §A.5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Success,
    MinorFailure,
    SeriousFailure,
    MajorFailure,
}

impl Outcome {
    pub const fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::MinorFailure => 4,
            Self::SeriousFailure => 8,
            Self::MajorFailure => 12,
        }
    }
}

/// The number of a link or an access token in the index: what it is called in lists, not what opens it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RecordId(String);

impl From<i64> for RecordId {
    fn from(number: i64) -> Self {
        Self(number.to_string())
    }
}
impl From<ulid::Ulid> for RecordId {
    fn from(ulid: ulid::Ulid) -> Self {
        Self(ulid.to_string())
    }
}
impl From<[u8; 8]> for RecordId {
    /// The beginning of a digest, in hex.
    fn from(head: [u8; 8]) -> Self {
        Self(head.iter().map(|byte| format!("{byte:02x}")).collect())
    }
}
impl RecordId {
    /// A name from the configuration, which has been checked to be one word.
    pub fn named(name: &str) -> Self {
        let word = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        Self(name.chars().filter(word).take(64).collect())
    }
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Who did it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// Bluebridge itself.
    System,
    /// Whoever may use the control socket: the operator of this machine.
    Operator,
    /// A modality or other DICOM application, by its AE title.
    Device(AeTitle),
    /// A DICOMweb or API caller by the number of its access token; `None` on loopback without one.
    Caller(Option<RecordId>),
    /// A DICOMweb or API caller by the name that the configuration gives to its certificate.
    Certificate(RecordId),
    /// A DICOMweb or API caller with an access token of the OpenID Connect issuer: the beginning of a digest
    /// of issuer and subject.
    Subject(RecordId),
    /// Whoever holds this patient link.
    LinkHolder(RecordId),
    /// Nobody who was identified.
    Unknown,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    pub kind: Kind,
    pub outcome: Outcome,
    pub actor: Actor,
    pub address: Option<IpAddr>,
    pub studies: Vec<StudyInstanceUid>,
    /// The patient link it is about.
    pub link: Option<RecordId>,
    /// The access token it is about.
    pub token: Option<RecordId>,
    pub instances: Option<u64>,
    pub bytes: Option<u64>,
    /// What was named: the whole study, a series or an instance of it.
    pub level: Option<Level>,
}

impl Event {
    pub fn new(kind: Kind, actor: Actor) -> Self {
        let (outcome, address, studies) = (Outcome::Success, None, Vec::new());
        Self {
            kind,
            outcome,
            actor,
            address,
            studies,
            link: None,
            token: None,
            instances: None,
            bytes: None,
            level: None,
        }
    }
    pub fn outcome(mut self, outcome: Outcome) -> Self {
        self.outcome = outcome;
        self
    }
    pub fn address(mut self, address: Option<IpAddr>) -> Self {
        self.address = address;
        self
    }
    pub fn study(mut self, study: StudyInstanceUid) -> Self {
        self.studies.push(study);
        self
    }
    pub fn link(mut self, link: impl Into<RecordId>) -> Self {
        self.link = Some(link.into());
        self
    }
    pub fn token(mut self, token: impl Into<RecordId>) -> Self {
        self.token = Some(token.into());
        self
    }
    pub fn level(mut self, level: Level) -> Self {
        self.level = Some(level);
        self
    }
    pub fn counts(mut self, instances: u64, bytes: u64) -> Self {
        self.instances = Some(instances);
        self.bytes = Some(bytes);
        self
    }

    /// The event as JSON: what the trail stores and what the chain is computed over. Keys are sorted,
    /// absent ones left out, so that the same event always gives the same bytes.
    pub fn canonical(&self) -> String {
        let (actor, actor_id) = match &self.actor {
            Actor::System => ("system", None),
            Actor::Operator => ("operator", None),
            Actor::Device(title) => ("device", Some(title.as_str().to_owned())),
            Actor::Caller(token) => ("caller", token.as_ref().map(RecordId::to_string)),
            Actor::Certificate(name) => ("certificate", Some(name.to_string())),
            Actor::Subject(head) => ("subject", Some(head.to_string())),
            Actor::LinkHolder(link) => ("link-holder", Some(link.to_string())),
            Actor::Unknown => ("unknown", None),
        };
        let mut map = serde_json::Map::new();
        map.insert("actor".to_owned(), actor.into());
        if let Some(id) = actor_id {
            map.insert("actor_id".to_owned(), id.into());
        }
        if let Some(address) = self.address {
            map.insert("address".to_owned(), address.to_string().into());
        }
        if let Some(bytes) = self.bytes {
            map.insert("bytes".to_owned(), bytes.into());
        }
        map.insert("event".to_owned(), self.kind.word().into());
        map.insert("event_id".to_owned(), self.kind.event_id().0.into());
        if let Some(instances) = self.instances {
            map.insert("instances".to_owned(), instances.into());
        }
        if let Some(level) = self.level {
            map.insert("level".to_owned(), level.word().into());
        }
        if let Some(link) = &self.link {
            map.insert("link".to_owned(), link.to_string().into());
        }
        map.insert("outcome".to_owned(), self.outcome.code().into());
        if !self.studies.is_empty() {
            map.insert("studies".to_owned(), self.studies.iter().map(|uid| uid.as_str()).collect());
        }
        if let Some(token) = &self.token {
            map.insert("token".to_owned(), token.to_string().into());
        }
        serde_json::Value::Object(map).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_canonical_bytes_never_change() {
        let event = Event::new(Kind::Downloaded, Actor::LinkHolder(7.into()))
            .address(Some([10, 1, 2, 3].into()))
            .study(StudyInstanceUid::parse("1.2.3").unwrap())
            .link(7)
            .counts(200, 105_000_000);
        let expected = concat!(
            r#"{"actor":"link-holder","actor_id":"7","address":"10.1.2.3","bytes":105000000,"event":"downloaded","#,
            r#""event_id":"110106","instances":200,"link":"7","outcome":0,"studies":["1.2.3"]}"#
        );
        assert_eq!(event.canonical(), expected);
    }

    #[test]
    fn every_kind_has_its_own_word() {
        let words: std::collections::HashSet<_> = Kind::ALL.iter().map(|kind| kind.word()).collect();
        assert_eq!(words.len(), Kind::ALL.len());
    }
}
