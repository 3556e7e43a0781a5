//! Files that cannot be served, files that change, and peers that do not finish a handshake.

use super::*;
use crate::net::{connect, listen};
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::{CertificateDer, ServerName};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

struct Made {
    certificate: String,
    key: String,
    der: CertificateDer<'static>,
}

fn made() -> Made {
    made_until(2030)
}

fn made_until(year: i32) -> Made {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["localhost".into()]).unwrap();
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(year, 1, 1);
    let certificate = params.self_signed(&key).unwrap();
    Made { certificate: certificate.pem(), key: key.serialize_pem(), der: certificate.der().clone() }
}

/// Written beside and moved into place, as tools that renew do.
fn write(path: &Path, text: &str, mode: u32) {
    let beside = path.with_extension("new");
    std::fs::write(&beside, text).unwrap();
    std::fs::set_permissions(&beside, std::fs::Permissions::from_mode(mode)).unwrap();
    std::fs::rename(&beside, path).unwrap();
}

fn settings(folder: &Path) -> TlsSettings {
    TlsSettings {
        section: "[web.tls]",
        certificate: folder.join("c.pem"),
        key: folder.join("k.pem"),
        clients: Clients::NotAsked,
        protocols: &["h2", "http/1.1"],
    }
}

const LIMITS: HandshakeLimits =
    HandshakeLimits { timeout: Duration::from_millis(200), at_once: 4, at_once_per_address: 4 };

fn install(folder: &Path, made: &Made) {
    write(&folder.join("c.pem"), &made.certificate, 0o644);
    write(&folder.join("k.pem"), &made.key, 0o600);
}

#[test]
fn files_that_cannot_be_served_say_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = (made(), made());
    let (c, k) = (folder.path().join("c.pem"), folder.path().join("k.pem"));
    let refused = |expected: &str| {
        let message = Tls::open(settings(folder.path()), LIMITS).unwrap_err().to_string();
        assert!(message.contains(expected) && !message.contains('\n'), "{message}");
    };
    refused("certificate = ");
    install(folder.path(), &one);
    Tls::open(settings(folder.path()), LIMITS).unwrap();
    write(&k, &other.key, 0o600);
    refused("is not the key of the first certificate");
    write(&k, &one.key, 0o644);
    refused("run: chmod 600");
    write(&k, &one.certificate, 0o600);
    refused("holds no private key");
    write(&k, "", 0o600);
    refused("holds no private key");
    write(&k, &one.key, 0o640);
    Tls::open(settings(folder.path()), LIMITS).unwrap();
    write(&c, &one.key, 0o644);
    refused("holds no certificate");
    write(&c, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", 0o644);
    refused("cannot be read as X.509");
    write(&c, &one.certificate, 0o644);
    let asks = TlsSettings { clients: Clients::Required(folder.path().join("ca.pem")), ..settings(folder.path()) };
    let message = Tls::open(asks, LIMITS).unwrap_err().to_string();
    assert!(message.starts_with("[web.tls] client_ca = "), "{message}");
}

#[test]
fn an_end_that_is_near_is_told_ahead() {
    let folder = tempfile::tempdir().unwrap();
    install(folder.path(), &made_until(2026));
    let validity = Tls::inspect(&settings(folder.path())).unwrap();
    let end = validity.not_after_s;
    let day = 86_400;
    assert_eq!(validity.warning(end - 15 * day), None);
    assert!(validity.warning(end - 13 * day).unwrap().contains("expires on 2026-01-01"));
    assert!(validity.warning(end).unwrap().contains("expired on 2026-01-01") && validity.is_expired(end));
    assert!(validity.warning(0).unwrap().contains("is the clock right?"));
}

/// The certificate that a new connection is shown.
async fn shown(listener: &TcpListener, tls: &Tls) -> CertificateDer<'static> {
    let address = listener.local_addr().unwrap();
    let client = async {
        let config = rustls::ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(VERSIONS)
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anybody))
            .with_no_client_auth();
        let stream = TcpStream::connect(address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let mut stream = tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
        let certificate = stream.get_ref().1.peer_certificates().unwrap()[0].clone().into_owned();
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
        certificate
    };
    let server = async {
        let (stream, from) = listener.accept().await.unwrap();
        drop(tls.accept(stream, from.ip()).await.unwrap());
    };
    tokio::join!(client, server).0
}

#[tokio::test]
async fn a_new_certificate_is_served_and_a_broken_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let listener = listen("127.0.0.1:0".parse().unwrap()).unwrap();
    let (first, second) = (made(), made());
    install(folder.path(), &first);
    let tls = Tls::open(settings(folder.path()), LIMITS).unwrap();
    assert_eq!(shown(&listener, &tls).await, first.der);

    // Between the two writes of a tool that renews, nothing happens; then both are taken.
    let mut before = tls.0.settings.fingerprint();
    write(&folder.path().join("c.pem"), &second.certificate, 0o644);
    tls.look(&mut before).await;
    write(&folder.path().join("k.pem"), &second.key, 0o600);
    tls.look(&mut before).await;
    assert_eq!(shown(&listener, &tls).await, first.der);
    tls.look(&mut before).await;
    assert_eq!(shown(&listener, &tls).await, second.der);

    write(&folder.path().join("k.pem"), &first.key, 0o600);
    assert!(!tls.reload().await);
    std::fs::remove_file(folder.path().join("c.pem")).unwrap();
    tls.look(&mut before).await;
    tls.look(&mut before).await;
    assert_eq!(shown(&listener, &tls).await, second.der);

    install(folder.path(), &first);
    assert!(tls.reload().await);
    assert_eq!(shown(&listener, &tls).await, first.der);

    install(folder.path(), &made_until(2021));
    assert!(!tls.reload().await, "nobody would take it");
    assert_eq!(shown(&listener, &tls).await, first.der);
}

#[tokio::test]
async fn a_handshake_that_does_not_end_is_ended_and_few_are_under_way_at_once() {
    let folder = tempfile::tempdir().unwrap();
    install(folder.path(), &made());
    let limits = HandshakeLimits { at_once: 1, ..LIMITS };
    let tls = Tls::open(settings(folder.path()), limits).unwrap();
    let listener = listen("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    let (_silent, _late) = tokio::join!(connect(address, LIMITS.timeout), connect(address, LIMITS.timeout));
    let (first, from) = listener.accept().await.unwrap();
    let (second, _) = listener.accept().await.unwrap();
    let (waited, refused) = tokio::join!(biased; tls.accept(first, from.ip()), tls.accept(second, from.ip()));
    assert_eq!(waited.unwrap_err().kind(), io::ErrorKind::TimedOut);
    assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    assert_eq!(tls.0.under_way.held(), 0);
}

/// Looks at nothing: these tests compare the certificate themselves.
#[derive(Debug)]
struct Anybody;

impl rustls::client::danger::ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: rustls::pki_types::UnixTime,
    ) -> Result<rustls::client::danger::ServerCertVerified, rustls::Error> {
        Ok(rustls::client::danger::ServerCertVerified::assertion())
    }
    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
    }
    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
    }
    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}
