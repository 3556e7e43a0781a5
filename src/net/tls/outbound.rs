//! Connections that we open to web servers: HTTPS that is verified against the system's authorities or one
//! of the configuration's own; in clear only to this machine.

use super::{TlsError, TlsSettings, VERSIONS, provider};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use std::io;
use std::path::Path;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// A connection, encrypted or not.
pub trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Duplex for S {}

/// Opens connections. Clones share what is trusted.
#[derive(Debug, Clone)]
pub struct Outbound(Arc<ClientConfig>);

impl Outbound {
    /// `ca` of `section` in place of the system's authorities.
    pub fn new(section: &'static str, ca: Option<&Path>) -> Result<Self, TlsError> {
        Self::with_identity(section, ca, None)
    }

    /// The same; `identity`, a certificate with its chain and its key, is shown to servers that ask for one.
    pub fn with_identity(
        section: &'static str,
        ca: Option<&Path>,
        identity: Option<(&Path, &Path)>,
    ) -> Result<Self, TlsError> {
        let mut roots = RootCertStore::empty();
        match ca {
            Some(path) => {
                for certificate in TlsSettings::read_certificates(section, "ca", path)? {
                    roots.add(certificate).map_err(|source| TlsError::Refused { section, source })?;
                }
            }
            // One that cannot be read makes fewer to be trusted, never more.
            None => {
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            }
        }
        let config = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(VERSIONS)
            .map_err(|source| TlsError::Refused { section, source })?
            .with_root_certificates(roots);
        let config = match identity {
            None => config.with_no_client_auth(),
            Some((certificate, key)) => {
                let chain = TlsSettings::read_certificates(section, "certificate", certificate)?;
                let key = TlsSettings::read_key(section, key)?;
                config.with_client_auth_cert(chain, key).map_err(|source| TlsError::Refused { section, source })?
            }
        };
        Ok(Self(Arc::new(config)))
    }

    /// How long this takes is bounded by the caller.
    pub async fn connect(&self, host: &str, port: u16, encrypted: bool) -> io::Result<Box<dyn Duplex>> {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let stream = TcpStream::connect((bare, port)).await?;
        stream.set_nodelay(true)?;
        if !encrypted {
            // Whatever the name says: in clear only to this machine.
            return match stream.peer_addr()?.ip().is_loopback() {
                true => Ok(Box::new(stream)),
                false => Err(io::ErrorKind::PermissionDenied.into()),
            };
        }
        let name = ServerName::try_from(bare.to_owned()).map_err(io::Error::other)?;
        let connector = tokio_rustls::TlsConnector::from(self.0.clone());
        Ok(Box::new(connector.connect(name, stream).await?))
    }
}
