//! Why the daemon did not start or did not stop in order.

use crate::config::safety::Unsafe;
use crate::net::NetError;
use crate::net::tls::TlsError;
use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Unsafe(#[from] Unsafe),
    #[error(transparent)]
    Net(#[from] NetError),
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error("an address could not be read back: {0}")]
    Address(std::io::Error),
    #[error("no calling AE title for the self-check: {0}")]
    SelfCheck(#[from] crate::domain::ae_title::InvalidAeTitle),
    #[error("data_dir {path}: {sentence}")]
    DataDir { path: PathBuf, sentence: String },
    #[error("{}", chain(.0))]
    Index(#[from] crate::index::IndexError),
    #[error("{}", chain(.0))]
    Archive(#[from] crate::archive::ArchiveError),
    #[error("{}", chain(.0))]
    Access(#[from] crate::access::AccessError),
}

impl StartError {
    /// Whether somebody must change what was configured (exit 2) rather than look at the machine (exit 1).
    pub fn is_configuration(&self) -> bool {
        matches!(self, Self::Unsafe(_) | Self::Net(_) | Self::Tls(_) | Self::DataDir { .. })
    }
}

/// The error and its causes on one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.contains(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    text
}
