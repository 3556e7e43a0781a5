//! The self-check behind the watchdog: it commits a row and calls our own DICOM port with C-ECHO. A
//! daemon whose disk or accept loop hangs is restarted by systemd; a bare timer would not notice.

use crate::config::Config;
use crate::dimse::scu::{Proposal, Scu, ScuError, ScuSettings};
use crate::domain::ae_title::{AeTitle, InvalidAeTitle};
use crate::index::{Index, IndexError};
use std::net::SocketAddr;
use std::time::Duration;

/// Below systemd's WatchdogSec=30s, so that a slow answer is told before the restart.
const TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Clone)]
pub struct SelfCheck {
    address: SocketAddr,
    /// Random for each start, so that no stranger passes for us; let in for C-ECHO only.
    calling: AeTitle,
    called: AeTitle,
    index: Index,
}

#[derive(Debug, thiserror::Error)]
pub enum SelfCheckError {
    #[error("the index did not commit a row: {0}")]
    Index(#[from] IndexError),
    #[error("our own DICOM port did not answer: {0}")]
    Dicom(#[from] ScuError),
    #[error("our own DICOM port answered C-ECHO with 0x{0:04X}")]
    Refused(u16),
    #[error("no answer within {} s", TIMEOUT.as_secs())]
    Slow,
}

impl SelfCheck {
    pub fn new(bound: SocketAddr, config: &Config, index: Index) -> Result<Self, InvalidAeTitle> {
        let mut address = bound;
        if bound.ip().is_unspecified() {
            address.set_ip(match bound {
                SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
                SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
            });
        }
        // 12 of the 16 random characters of a ULID: 60 bits.
        let random = ulid::Ulid::generate().to_string();
        let calling = AeTitle::parse(&format!("SELF{}", random.get(14..).unwrap_or_default()))?;
        Ok(Self { address, calling, called: config.dicom.ae_title.clone(), index })
    }

    /// The calling AE title that the acceptor lets in for C-ECHO.
    pub fn calling_ae_title(&self) -> &AeTitle {
        &self.calling
    }

    pub async fn run(&self) -> Result<(), SelfCheckError> {
        tokio::time::timeout(TIMEOUT, self.both()).await.map_err(|_| SelfCheckError::Slow)?
    }

    async fn both(&self) -> Result<(), SelfCheckError> {
        self.index.put_setting("self_check", &ulid::Ulid::generate().to_string()).await?;
        let settings = ScuSettings {
            calling_ae_title: self.calling.clone(),
            called_ae_title: self.called.clone(),
            proposals: vec![Proposal::verification()],
            timeout: TIMEOUT,
        };
        let mut scu = Scu::connect(self.address, settings).await?;
        let status = scu.echo().await?;
        scu.release().await?;
        if status.code == 0 { Ok(()) } else { Err(SelfCheckError::Refused(status.code)) }
    }
}
