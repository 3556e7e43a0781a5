//! Which files serve TLS on which listener, from the configuration.

use crate::config::{ClientCertificate, Config, Limits};
use crate::net::tls::{Clients, HandshakeLimits, Tls, TlsError, TlsSettings};

/// HTTP/2 first: viewers ask for hundreds of frames at once.
const WEB: &[&str] = &["h2", "http/1.1"];
/// Strangers' connections get the bounds of HTTP/1.1.
const PATIENT: &[&str] = &["http/1.1"];

/// `None` where a listener speaks in clear.
pub struct Listeners<T> {
    pub web: Option<T>,
    pub patient: Option<T>,
}

/// What is configured.
pub fn settings(config: &Config) -> Listeners<TlsSettings> {
    let web = config.web.tls.as_ref().map(|tls| TlsSettings {
        section: "[web.tls]",
        certificate: tls.certificate.clone(),
        key: tls.key.clone(),
        clients: match (&tls.client_ca, tls.client_certificate) {
            (None, _) => Clients::NotAsked,
            (Some(ca), ClientCertificate::Optional) => Clients::Optional(ca.clone()),
            (Some(ca), ClientCertificate::Required) => Clients::Required(ca.clone()),
        },
        protocols: WEB,
    });
    let patient = config.patient.tls.as_ref().map(|tls| TlsSettings {
        section: "[patient.tls]",
        certificate: tls.certificate.clone(),
        key: tls.key.clone(),
        clients: Clients::NotAsked,
        protocols: PATIENT,
    });
    Listeners { web, patient }
}

/// Reads all of it: what cannot be served stops the start.
pub(super) fn open(config: &Config) -> Result<Listeners<Tls>, TlsError> {
    let limits = handshakes(&config.limits);
    let Listeners { web, patient } = settings(config);
    let open = |settings: Option<TlsSettings>| settings.map(|settings| Tls::open(settings, limits)).transpose();
    Ok(Listeners { web: open(web)?, patient: open(patient)? })
}

impl<T: Clone> Listeners<T> {
    pub fn all(&self) -> Vec<T> {
        self.web.iter().chain(&self.patient).cloned().collect()
    }
}

fn handshakes(limits: &Limits) -> HandshakeLimits {
    HandshakeLimits {
        timeout: limits.tls_handshake_timeout.get(),
        at_once: limits.tls_handshakes as usize,
        at_once_per_address: limits.tls_handshakes_per_address as usize,
    }
}
