//! Every setting, typed, with its default. `config/bluebridge.toml` documents the same keys one by one;
//! a test holds the two together. Rooms are handed their own section by value.

pub mod load;
pub mod oidc;
pub mod safety;
pub mod tls;
pub mod units;

use crate::domain::ae_title::AeTitle;
use ipnet::IpNet;
pub use oidc::Oidc;
use serde::Deserialize;
use std::net::SocketAddr;
use std::path::PathBuf;
pub use tls::{ClientCertificate, DicomTls, Scope, Tls, WebClient, WebTls};
use units::{Bytes, Span};

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Holds objects/, incoming/, quarantine/, conflicts/, index.sqlite, keys/, control.sock, lock.
    pub data_dir: PathBuf,
    pub facility: Facility,
    pub dicom: Dicom,
    pub web: Web,
    pub patient: Patient,
    pub link: Link,
    pub limits: Limits,
    pub storage: Storage,
    pub log: Log,
    pub mail: Option<Mail>,
    pub destination: Vec<Destination>,
    pub route: Vec<Route>,
}

/// Who runs this: shown on patient pages and in README.TXT of a download.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Facility {
    pub name: String,
    /// Where a patient asks for help: a telephone number, an address. One line.
    pub contact: String,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Dicom {
    pub listen: SocketAddr,
    pub ae_title: AeTitle,
    pub peer: Vec<Peer>,
    /// DICOM over TLS; not built yet, so its presence stops the start.
    pub tls: Option<DicomTls>,
}

/// Who may call, with what. All of address, calling and called AE title must fit.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Peer {
    pub name: String,
    /// The calling AE title; `*` is any.
    pub ae_title: String,
    /// An address or a CIDR range.
    #[serde(deserialize_with = "units::address_or_network")]
    pub address: IpNet,
    #[serde(default = "Peer::default_allow")]
    pub allow: Vec<Service>,
    /// The called AE title this peer must use; our own when absent, `*` for any.
    #[serde(default)]
    pub called_ae_title: Option<String>,
    /// Take Deflated Explicit VR Little Endian from this peer.
    #[serde(default)]
    pub deflated: bool,
    /// Take retired, private and unknown SOP Classes from this peer.
    #[serde(default = "units::yes")]
    pub unknown_classes: bool,
    /// What a second instance with a known UID and other content is answered.
    #[serde(default)]
    pub conflict: ConflictAnswer,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Service {
    Echo,
    Store,
    Find,
    Move,
    Get,
    Commit,
}

/// Either way the newcomer is never served in place of the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ConflictAnswer {
    /// Keep both, answer 0x0000: the bytes are stored, and the sender need not try again.
    #[default]
    Keep,
    /// Keep the first only, answer 0xA900.
    Reject,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Web {
    pub listen: SocketAddr,
    /// The address under which callers reach `[web]`, when it is not `http://<listen>`.
    pub public_url: Option<String>,
    #[serde(deserialize_with = "units::addresses_or_networks")]
    pub trusted_proxies: Vec<IpNet>,
    /// Names accepted in Host besides loopback names, the listen address and that of `public_url`.
    pub allowed_hosts: Vec<String>,
    pub cors_origins: Vec<String>,
    pub anonymous: Anonymous,
    pub ohif_dir: Option<PathBuf>,
    pub tls: Option<WebTls>,
    /// Who is known by a certificate.
    pub client: Vec<WebClient>,
    /// Whose access tokens are taken beside our own.
    pub oidc: Option<Oidc>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Anonymous {
    Nobody,
    Loopback,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Patient {
    pub listen: SocketAddr,
    pub public_url: String,
    #[serde(deserialize_with = "units::addresses_or_networks")]
    pub trusted_proxies: Vec<IpNet>,
    pub tls: Option<Tls>,
}

/// Patient links: how they are verified, how long they live, and how much they may be used.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Link {
    pub verify: Verify,
    pub expires: Span,
    pub expires_max: Span,
    pub wrong_tries_in_a_row: u32,
    pub wrong_tries_lifetime: u32,
    pub failures_per_address_hour: u32,
    pub failures_per_address_day: u32,
    /// Failed verifications at the whole site within 10 minutes that halve the limits per address.
    pub failures_site_alert: u32,
    pub landing_per_address_second: u32,
    pub downloads_at_once: u32,
    pub ranges_per_second: u32,
    /// Times the size of the package that may be sent within 7 days.
    pub package_sizes_per_week: u32,
    pub session_idle: Span,
    pub session_max: Span,
    pub ticket_lifetime: Span,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, serde::Serialize)]
pub enum Verify {
    #[serde(rename = "birth-date+code")]
    BirthDateAndCode,
    #[serde(rename = "birth-date")]
    BirthDate,
    #[serde(rename = "code")]
    Code,
}

/// Each bound of the system, by name. Counts are counts; sizes and times carry their unit.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    pub associations: u32,
    pub associations_per_address: u32,
    pub associations_per_peer: u32,
    /// TCP connections accepted on the DICOM port that have no association yet.
    pub half_open: u32,
    pub half_open_per_address: u32,
    /// From TCP accept to the complete A-ASSOCIATE-RQ (the ARTIM timer of PS3.8 §9.1.4).
    pub associate_timeout: Span,
    /// From the first to the last byte of one PDU.
    pub pdu_timeout: Span,
    pub idle_timeout: Span,
    pub association_lifetime: Span,
    /// The maximum length we announce; P-DATA is streamed up to `pdu_tolerated` and aborted beyond.
    pub pdu_announced: Bytes,
    pub pdu_tolerated: Bytes,
    pub associate_request_size: Bytes,
    pub command_size: Bytes,
    pub instance_size: Bytes,
    pub sequence_depth: u32,
    pub elements: u32,
    pub inflated_size: Bytes,
    pub inflated_ratio: u32,
    pub http_connections: u32,
    pub http_connections_per_address: u32,
    pub patient_connections: u32,
    pub patient_connections_per_address: u32,
    pub http_header_timeout: Span,
    /// An HTTP/2 connection on which nothing is asked and nothing is taken.
    pub http_idle_timeout: Span,
    /// TLS handshakes: from accept to their end, and how many are under way at once on one listener.
    pub tls_handshake_timeout: Span,
    pub tls_handshakes: u32,
    pub tls_handshakes_per_address: u32,
    pub http_handler_timeout: Span,
    /// Callers that wait for changes at once (`/api/v1/changes?wait=`).
    pub change_waiters: u32,
    pub patient_body: Bytes,
    pub api_body: Bytes,
    /// STOW-RS: requests at once, bytes and parts of one, and how long one may bring less than 1 KiB a
    /// second before it is given up.
    pub uploads: u32,
    pub upload_size: Bytes,
    pub upload_parts: u32,
    pub upload_stall: Span,
    /// Answers to a search across studies that names no limit, and the most it may ask for.
    pub search_results: u32,
    pub search_results_max: u32,
    pub search_timeout: Span,
    pub package_files: u32,
    pub package_size: Bytes,
    pub downloads: u32,
    /// Decode workers at once, and the address space of each.
    pub decoders: u32,
    pub decode_memory: Bytes,
    /// One frame's decoding, in seconds of the clock and of the processor.
    pub decode_timeout: Span,
    /// Who asks for a picture or another transfer syntax waits so long for a decoder, then gets 503.
    pub decode_wait: Span,
    /// Without work a decoder ends after this.
    pub decoder_idle: Span,
    /// Rendered pictures kept in memory.
    pub picture_cache: Bytes,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Storage {
    /// Below this much free space new associations are rejected (transient); `auto` is the smaller of
    /// 10 % of the file system and 20 GiB.
    pub soft_stop: units::Floor,
    /// Below this much every instance is answered 0xA700; `auto` is the smaller of 3 % and 4 GiB.
    pub hard_stop: units::Floor,
    /// A file held in reserve, so that a full disk can be cleaned up; `auto` is the smaller of 256 MiB and 1 %.
    pub ballast: units::Floor,
    pub quarantine_max: Bytes,
    /// How long the files of what was deleted are kept, so that a mistake can be undone.
    pub deleted_keep: Span,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    pub format: LogFormat,
    /// `error`, `warn`, `info`, `debug`, or a filter such as `info,bluebridge::scp=debug`.
    pub level: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Journald when it started us, else text on a terminal, else JSON.
    Auto,
    Text,
    Json,
    Journald,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mail {
    pub smtp: String,
    pub from: String,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Destination {
    pub name: String,
    #[serde(default)]
    pub dicom: Option<String>,
    #[serde(default)]
    pub dicomweb: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    #[serde(default)]
    pub when: When,
    pub forward_to: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct When {
    pub calling_ae_title: Option<String>,
    pub called_ae_title: Option<String>,
    pub modality: Option<String>,
}

impl Peer {
    fn default_allow() -> Vec<Service> {
        vec![Service::Echo, Service::Store]
    }
}

const fn loopback(port: u16) -> SocketAddr {
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), port)
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from("/var/lib/bluebridge"),
            facility: Facility::default(),
            dicom: Dicom::default(),
            web: Web::default(),
            patient: Patient::default(),
            link: Link::default(),
            limits: Limits::default(),
            storage: Storage::default(),
            log: Log::default(),
            mail: None,
            destination: Vec::new(),
            route: Vec::new(),
        }
    }
}

impl Default for Facility {
    fn default() -> Self {
        Self { name: "Radiology".into(), contact: String::new() }
    }
}

impl Default for Dicom {
    fn default() -> Self {
        Self { listen: loopback(11112), ae_title: AeTitle::of_this_product(), peer: Vec::new(), tls: None }
    }
}

impl Default for Web {
    fn default() -> Self {
        Self {
            listen: loopback(8080),
            public_url: None,
            trusted_proxies: Vec::new(),
            allowed_hosts: Vec::new(),
            cors_origins: Vec::new(),
            anonymous: Anonymous::Loopback,
            ohif_dir: None,
            tls: None,
            client: Vec::new(),
            oidc: None,
        }
    }
}

impl Default for Patient {
    fn default() -> Self {
        Self {
            listen: loopback(8081),
            public_url: "http://127.0.0.1:8081".into(),
            trusted_proxies: Vec::new(),
            tls: None,
        }
    }
}

impl Default for Link {
    fn default() -> Self {
        Self {
            verify: Verify::BirthDateAndCode,
            expires: Span::days(30),
            expires_max: Span::days(90),
            wrong_tries_in_a_row: 5,
            wrong_tries_lifetime: 10,
            failures_per_address_hour: 30,
            failures_per_address_day: 100,
            failures_site_alert: 50,
            landing_per_address_second: 20,
            downloads_at_once: 2,
            ranges_per_second: 10,
            package_sizes_per_week: 5,
            session_idle: Span::minutes(15),
            session_max: Span::hours(8),
            ticket_lifetime: Span::hours(24),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            associations: 64,
            associations_per_address: 32,
            associations_per_peer: 32,
            half_open: 128,
            half_open_per_address: 32,
            associate_timeout: Span::seconds(10),
            pdu_timeout: Span::seconds(30),
            idle_timeout: Span::seconds(60),
            association_lifetime: Span::hours(4),
            pdu_announced: Bytes::kib(128),
            pdu_tolerated: Bytes::mib(1),
            associate_request_size: Bytes::mib(1),
            command_size: Bytes::kib(64),
            instance_size: Bytes::gib(16),
            sequence_depth: 64,
            elements: 2_000_000,
            inflated_size: Bytes::mib(256),
            inflated_ratio: 100,
            http_connections: 1024,
            http_connections_per_address: 256,
            patient_connections: 1024,
            patient_connections_per_address: 32,
            http_header_timeout: Span::seconds(10),
            http_idle_timeout: Span::seconds(60),
            tls_handshake_timeout: Span::seconds(10),
            tls_handshakes: 256,
            tls_handshakes_per_address: 32,
            http_handler_timeout: Span::seconds(30),
            change_waiters: 64,
            patient_body: Bytes::kib(8),
            api_body: Bytes::mib(1),
            uploads: 32,
            upload_size: Bytes::gib(64),
            upload_parts: 10_000,
            upload_stall: Span::seconds(60),
            search_results: 1000,
            search_results_max: 10_000,
            search_timeout: Span::seconds(2),
            package_files: 100_000,
            package_size: Bytes::gib(64),
            downloads: 256,
            decoders: 2,
            decode_memory: Bytes::gib(1),
            decode_timeout: Span::seconds(10),
            decode_wait: Span::seconds(20),
            decoder_idle: Span::seconds(60),
            picture_cache: Bytes::mib(64),
        }
    }
}

impl Default for Storage {
    fn default() -> Self {
        Self {
            soft_stop: units::Floor::Auto,
            hard_stop: units::Floor::Auto,
            ballast: units::Floor::Auto,
            quarantine_max: Bytes::gib(10),
            deleted_keep: Span::days(7),
        }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { format: LogFormat::Auto, level: "info".into() }
    }
}
