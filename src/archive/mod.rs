//! The only way in to, and out of, what is stored: receive, search, retrieve, reconcile.

mod error;
mod receive;
mod retrieve;

pub use crate::domain::arrival::{Severity, Source};
pub use error::{ArchiveError, Cause, ReceiveError, RetrieveError};
pub use receive::{Intake, Offer, Received};
pub use retrieve::InstanceFile;

/// The archive. Clones share it.
#[derive(Clone)]
pub struct Archive {}

impl Archive {
    /// Whether new work may begin; asked before an association is accepted.
    pub fn admit(&self) -> Result<(), ReceiveError> {
        Ok(())
    }
    /// Opens a part file for what is offered. Blocking: call it from the association's own thread.
    pub fn begin(&self, _offer: Offer) -> Result<Intake, ReceiveError> {
        Err(ReceiveError::Degraded)
    }
}
