//! Why TLS cannot be served as configured. Each sentence names the section and the file, and says what
//! to do; none holds a byte of a key.

use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("{section} {key} = {path}: {source}; name a file that the daemon's user can read")]
    Unreadable { section: &'static str, key: &'static str, path: PathBuf, source: std::io::Error },
    #[error("{section} {key} = {path} is larger than {limit} bytes, which no such file is")]
    TooLarge { section: &'static str, key: &'static str, path: PathBuf, limit: u64 },
    #[error("{section} key = {path} can be read by everybody; run: chmod 600 {path}")]
    KeyOpenToAll { section: &'static str, path: PathBuf },
    #[error("{section} {key} = {path} holds no certificate in PEM (-----BEGIN CERTIFICATE-----)")]
    NoCertificate { section: &'static str, key: &'static str, path: PathBuf },
    #[error("{section} key = {path} holds no private key in PEM (PKCS #8, PKCS #1 or SEC 1, without a passphrase)")]
    NoKey { section: &'static str, path: PathBuf },
    #[error(
        "{section}: key {key} is not the key of the first certificate in {certificate}; its own certificate comes first"
    )]
    Mismatch { section: &'static str, certificate: PathBuf, key: PathBuf },
    #[error("{section} {key} = {path} holds a certificate that cannot be read as X.509")]
    Malformed { section: &'static str, key: &'static str, path: PathBuf },
    #[error("{section}: certificate and key cannot be served: {source}")]
    Refused { section: &'static str, source: rustls::Error },
    #[error("{section} client_ca = {path} cannot be trusted: {message}")]
    ClientCa { section: &'static str, path: PathBuf, message: String },
}
