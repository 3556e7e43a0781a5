//! Why a socket could not be had.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub enum NetError {
    #[error("{0} is in use by another program: stop that program, or choose another address in the configuration")]
    InUse(SocketAddr),
    #[error("{0} is a privileged port: choose one above 1023, or give the service CAP_NET_BIND_SERVICE")]
    Privileged(SocketAddr),
    #[error("{0} is not an address of this machine: choose one that `ip address` lists, or 0.0.0.0")]
    NotOurs(SocketAddr),
    #[error("cannot listen on {address}: {source}")]
    Listen { address: SocketAddr, source: io::Error },
    #[error("{0} is in use: another daemon answers there")]
    SocketInUse(PathBuf),
    #[error("cannot listen on {path}: {source}")]
    ListenUnix { path: PathBuf, source: io::Error },
    #[error("cannot connect to {address}: {source}")]
    Connect { address: SocketAddr, source: io::Error },
    #[error("no answer from {0} in time")]
    ConnectTimeout(SocketAddr),
}

impl NetError {
    pub(super) fn listening(address: SocketAddr, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::AddrInUse => Self::InUse(address),
            io::ErrorKind::PermissionDenied => Self::Privileged(address),
            io::ErrorKind::AddrNotAvailable => Self::NotOurs(address),
            _ => Self::Listen { address, source },
        }
    }
}
