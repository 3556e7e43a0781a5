//! TLS in front of a listener: rustls with aws-lc-rs, TLS 1.2 and 1.3, certificates that can be replaced
//! while it runs. Promises that a handshake ends within its time, that few of them can be under way at
//! once, and that a broken new file leaves the old certificate in service. The only place that names
//! rustls.

mod error;
mod files;
mod outbound;
mod subject;
#[cfg(test)]
mod tests;
mod watch;

pub use error::TlsError;
pub use files::{Clients, TlsSettings, Validity};
pub use outbound::{Duplex, Outbound};
pub use tokio_rustls::server::TlsStream;
pub use watch::watch;

use super::admission::Admission;
use crate::domain::distinguished_name::DistinguishedName;
use files::Fingerprint;
use rustls::SupportedProtocolVersion;
use rustls::crypto::CryptoProvider;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;
use tokio::net::TcpStream;

/// RFC 8996: nothing older.
const VERSIONS: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13, &rustls::version::TLS12];

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// Bounds of the time before a connection speaks.
#[derive(Debug, Clone, Copy)]
pub struct HandshakeLimits {
    pub timeout: Duration,
    /// Handshakes under way at once, in all and from one address.
    pub at_once: usize,
    pub at_once_per_address: usize,
}

/// TLS for one listener. Clones share it.
#[derive(Debug, Clone)]
pub struct Tls(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    settings: TlsSettings,
    served: RwLock<Served>,
    /// What the files looked like when they were last tried, whatever came of it.
    tried: Mutex<Fingerprint>,
    timeout: Duration,
    under_way: Admission<IpAddr>,
}

#[derive(Debug, Clone)]
struct Served {
    config: Arc<rustls::ServerConfig>,
    validity: Validity,
}

/// What the other end has shown; `None` when it was not asked or had nothing to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// Its issuer, its time and its possession have been checked.
    pub subject: DistinguishedName,
}

impl Tls {
    /// Reads the files; a listener is never opened with ones that cannot be served.
    pub fn open(settings: TlsSettings, limits: HandshakeLimits) -> Result<Self, TlsError> {
        let fingerprint = settings.fingerprint();
        let loaded = settings.load()?;
        let served = Served { config: loaded.config, validity: loaded.validity };
        let tls = Self(Arc::new(Inner {
            settings,
            served: RwLock::new(served),
            tried: Mutex::new(fingerprint),
            timeout: limits.timeout,
            under_way: Admission::new(limits.at_once, limits.at_once_per_address),
        }));
        tls.gauge();
        Ok(tls)
    }

    /// What a start would find, for `bluebridge check`.
    pub fn inspect(settings: &TlsSettings) -> Result<Validity, TlsError> {
        settings.load().map(|loaded| loaded.validity)
    }

    /// As sentences name it.
    pub fn section(&self) -> &'static str {
        self.0.settings.section
    }

    pub fn validity(&self) -> Validity {
        self.served().validity
    }

    /// The handshake, within its time and its caps. How it fails is the peer's matter and is only counted.
    pub async fn accept(
        &self,
        stream: TcpStream,
        from: IpAddr,
    ) -> io::Result<(TlsStream<TcpStream>, Option<ClientCertificate>)> {
        let count = |outcome: &'static str| {
            metrics::counter!("bluebridge_tls_handshakes_total", "section" => self.section(), "outcome" => outcome)
                .increment(1);
        };
        // Behind loopback stand proxies and this machine's own programs.
        let exempt = from.is_loopback();
        let place = if exempt { self.0.under_way.enter_exempt() } else { self.0.under_way.enter(from) };
        let Ok(_place) = place else {
            count("refused");
            return Err(io::ErrorKind::ConnectionRefused.into());
        };
        let acceptor = tokio_rustls::TlsAcceptor::from(self.served().config);
        match tokio::time::timeout(self.0.timeout, acceptor.accept(stream)).await {
            Ok(Ok(stream)) => {
                count("ok");
                let (_, session) = stream.get_ref();
                let first = session.peer_certificates().and_then(<[_]>::first);
                let client = first.and_then(|der| subject::subject(der)).map(|subject| ClientCertificate { subject });
                Ok((stream, client))
            }
            Ok(Err(error)) => {
                count("failed");
                Err(error)
            }
            Err(_) => {
                count("timeout");
                Err(io::ErrorKind::TimedOut.into())
            }
        }
    }

    fn served(&self) -> Served {
        self.0.served.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn gauge(&self) {
        metrics::gauge!("bluebridge_tls_certificate_expires_seconds", "section" => self.section())
            .set(self.validity().not_after_s as f64);
    }
}
