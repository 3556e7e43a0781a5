//! Certificate, key and client CA as they lie on the disk, read and compared before anything is served
//! with them.

use super::TlsError;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::sign::CertifiedKey;
use rustls::{InconsistentKeys, RootCertStore, ServerConfig};
use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use x509_parser::prelude::{FromDer, X509Certificate};

/// A chain of some certificates is a few KiB, a bundle of every CA there is some 300 KiB.
const FILE_MAX: u64 = 4 << 20;

/// What one listener serves TLS with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsSettings {
    /// As sentences name it: `[web.tls]`.
    pub section: &'static str,
    pub certificate: PathBuf,
    pub key: PathBuf,
    pub clients: Clients,
    /// Offered in this order (RFC 7301); empty offers nothing.
    pub protocols: &'static [&'static str],
}

/// Whether callers are asked for a certificate, and by whom it must be issued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Clients {
    NotAsked,
    /// Who has none is let in as anybody is.
    Optional(PathBuf),
    /// Who has none is not let in.
    Required(PathBuf),
}

/// Who a certificate is for and how long it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Validity {
    /// Seconds since 1970.
    pub not_before_s: i64,
    pub not_after_s: i64,
}

/// Everything that the files say, ready to be served.
pub(super) struct Loaded {
    pub config: Arc<ServerConfig>,
    pub validity: Validity,
}

/// Tells whether any of the files has been changed or replaced, without opening them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fingerprint(Vec<Option<Seen>>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    file: (u64, u64),
    modified: (i64, i64),
    size: u64,
}

impl TlsSettings {
    fn client_ca(&self) -> Option<&Path> {
        match &self.clients {
            Clients::NotAsked => None,
            Clients::Optional(path) | Clients::Required(path) => Some(path),
        }
    }

    pub(super) fn fingerprint(&self) -> Fingerprint {
        let files = [Some(self.certificate.as_path()), Some(self.key.as_path()), self.client_ca()];
        let seen = |path: &Path| {
            let file = std::fs::metadata(path).ok()?;
            let modified = (file.mtime(), file.mtime_nsec());
            Some(Seen { file: (file.dev(), file.ino()), modified, size: file.size() })
        };
        Fingerprint(files.into_iter().flatten().map(seen).collect())
    }

    /// Reads and compares all of it.
    pub(super) fn load(&self) -> Result<Loaded, TlsError> {
        let section = self.section;
        let chain = self.certificates("certificate", &self.certificate)?;
        let key = Self::read_key(section, &self.key)?;
        let validity = validity(&chain).ok_or_else(|| TlsError::Malformed {
            section,
            key: "certificate",
            path: self.certificate.clone(),
        })?;
        let provider = super::provider();
        let certified = CertifiedKey::from_der(chain, key, &provider).map_err(|source| match source {
            rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                TlsError::Mismatch { section, certificate: self.certificate.clone(), key: self.key.clone() }
            }
            source => TlsError::Refused { section, source },
        })?;
        let builder = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(super::VERSIONS)
            .map_err(|source| TlsError::Refused { section, source })?;
        let builder = match self.client_verifier()? {
            Some(verifier) => builder.with_client_cert_verifier(verifier),
            None => builder.with_no_client_auth(),
        };
        let mut config = builder.with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(certified)));
        config.alpn_protocols = self.protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        Ok(Loaded { config: Arc::new(config), validity })
    }

    fn client_verifier(&self) -> Result<Option<Arc<dyn ClientCertVerifier>>, TlsError> {
        let Some(path) = self.client_ca() else { return Ok(None) };
        let failed = |message: String| TlsError::ClientCa { section: self.section, path: path.to_path_buf(), message };
        let mut roots = RootCertStore::empty();
        for certificate in self.certificates("client_ca", path)? {
            roots.add(certificate).map_err(|error| failed(error.to_string()))?;
        }
        let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), super::provider());
        let builder = match self.clients {
            Clients::Optional(_) => builder.allow_unauthenticated(),
            Clients::Required(_) | Clients::NotAsked => builder,
        };
        builder.build().map(Some).map_err(|error| failed(error.to_string()))
    }

    fn certificates(&self, key: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
        Self::read_certificates(self.section, key, path)
    }

    /// All certificates of a file that `key` of `section` names; at least one.
    pub(super) fn read_certificates(
        section: &'static str,
        key: &'static str,
        path: &Path,
    ) -> Result<Vec<CertificateDer<'static>>, TlsError> {
        let text = read(section, key, path)?;
        let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
        match found {
            Ok(certificates) if !certificates.is_empty() => Ok(certificates),
            _ => Err(TlsError::NoCertificate { section, key, path: path.to_path_buf() }),
        }
    }

    pub(super) fn read_key(section: &'static str, path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
        let text = read(section, "key", path)?;
        if std::fs::metadata(path).is_ok_and(|file| file.permissions().mode() & 0o007 != 0) {
            return Err(TlsError::KeyOpenToAll { section, path: path.to_path_buf() });
        }
        PrivateKeyDer::from_pem_slice(&text).map_err(|_| TlsError::NoKey { section, path: path.to_path_buf() })
    }
}

fn read(section: &'static str, key: &'static str, path: &Path) -> Result<Vec<u8>, TlsError> {
    let failed = |source| TlsError::Unreadable { section, key, path: path.to_path_buf(), source };
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    let read = file.take(FILE_MAX + 1).read_to_end(&mut bytes).map_err(failed)?;
    if read as u64 > FILE_MAX {
        return Err(TlsError::TooLarge { section, key, path: path.to_path_buf(), limit: FILE_MAX });
    }
    Ok(bytes)
}

/// The time in which the whole chain holds: the first of its certificates to expire ends it.
fn validity(chain: &[CertificateDer<'static>]) -> Option<Validity> {
    let mut all: Option<Validity> = None;
    for der in chain {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let (from, until) =
            (certificate.validity().not_before.timestamp(), certificate.validity().not_after.timestamp());
        all = Some(match all {
            None => Validity { not_before_s: from, not_after_s: until },
            Some(v) => Validity { not_before_s: v.not_before_s.max(from), not_after_s: v.not_after_s.min(until) },
        });
    }
    all
}
