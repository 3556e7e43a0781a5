//! The only way in. An instance is offered, streamed, and answered once it is durable.

use super::commit::{Arrival, Committer, Content};
use super::quarantine::{self, Record, Refusal};
use super::shared::Shared;
use super::{ReceiveError, Severity, Source};
use crate::config::ConflictAnswer;
use crate::domain::instance::{InstanceFacts, hex_tag};
use crate::domain::reading::{ReadError, Reading};
use crate::domain::transfer_syntax::TransferSyntax;
use crate::domain::uid::{SopClassUid, SopInstanceUid};
use crate::store::{PartFile, part10};
use dicom_core::Tag;
use std::sync::Arc;

/// Free space is looked at again after every so many bytes of one instance.
const SPACE_CHECKED_EVERY: u64 = 1 << 20;
const SOP_CLASS_UID: Tag = Tag(0x0008, 0x0016);
const SOP_INSTANCE_UID: Tag = Tag(0x0008, 0x0018);

/// What a caller says about an instance before its first byte.
#[derive(Debug, Clone)]
pub struct Offer {
    pub source: Source,
    pub transfer_syntax: &'static TransferSyntax,
    /// From the C-STORE-RQ. The file meta is written ahead of the data set, so both UIDs must be known
    /// when it begins; an offer without them is refused as [`ReceiveError::Unidentified`].
    pub sop_class_uid: Option<SopClassUid>,
    pub sop_instance_uid: Option<SopInstanceUid>,
    /// What to answer when the UID is taken by other content.
    pub conflict: ConflictAnswer,
}

/// How an instance was taken in. Every variant is durable and is answered with success.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Received {
    New,
    /// The same bytes are stored already.
    Duplicate,
    /// Kept beside the first one, which stays served.
    Conflict {
        severity: Severity,
    },
}

/// An instance on its way in. Blocking file I/O: use it from the association's own thread. Dropping it
/// removes what was written.
pub struct Intake {
    shared: Arc<Shared>,
    committer: Arc<Committer>,
    source: Source,
    conflict: ConflictAnswer,
    transfer_syntax: &'static TransferSyntax,
    sop_class_uid: SopClassUid,
    sop_instance_uid: SopInstanceUid,
    part: PartFile,
    dataset_offset: u32,
    /// Until the data set turns out not to be one.
    reading: Result<Reading, ReadError>,
    /// Why nothing more is taken.
    broken: Option<ReceiveError>,
    space_checked_at: u64,
}

impl Intake {
    pub(super) fn begin(shared: Arc<Shared>, committer: Arc<Committer>, offer: Offer) -> Result<Self, ReceiveError> {
        shared.check_intake()?;
        shared.space.hard()?;
        let (Some(sop_class_uid), Some(sop_instance_uid)) = (offer.sop_class_uid, offer.sop_instance_uid) else {
            return Err(ReceiveError::Unidentified);
        };
        let header = part10::header(&sop_class_uid, &sop_instance_uid, &offer.transfer_syntax.uid());
        let mut part = shared.store.new_part().map_err(|error| shared.disk_failed(error))?;
        part.write(&header).map_err(|error| shared.disk_failed(error))?;
        Ok(Self {
            source: offer.source,
            conflict: offer.conflict,
            transfer_syntax: offer.transfer_syntax,
            sop_class_uid,
            sop_instance_uid,
            part,
            // Three UIDs of at most 64 characters: a few hundred bytes.
            dataset_offset: u32::try_from(header.len()).unwrap_or(u32::MAX),
            reading: Ok(Reading::new(offer.transfer_syntax, super::read_limits(&shared.limits))),
            broken: None,
            space_checked_at: 0,
            shared,
            committer,
        })
    }

    /// Takes the next bytes of the data set, in any chunking. After a data set turns out malformed it is
    /// still taken to its end, so that the quarantine holds all of it; errors here mean that nothing more
    /// is wanted.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), ReceiveError> {
        if let Some(error) = &self.broken {
            return Err(error.clone());
        }
        let outcome = self.take(bytes);
        if let Err(error) = &outcome {
            self.broken = Some(error.clone());
        }
        outcome
    }

    fn take(&mut self, bytes: &[u8]) -> Result<(), ReceiveError> {
        let size = self.part.size_bytes().saturating_add(bytes.len() as u64);
        if size.saturating_sub(u64::from(self.dataset_offset)) > self.shared.limits.instance_size.get() {
            return Err(ReceiveError::TooLarge);
        }
        if size - self.space_checked_at >= SPACE_CHECKED_EVERY {
            self.shared.space.hard()?;
            self.space_checked_at = size;
        }
        self.part.write(bytes).map_err(|error| self.shared.disk_failed(error))?;
        if let Ok(reading) = &mut self.reading
            && let Err(error) = reading.feed(bytes)
        {
            self.reading = Err(error);
        }
        Ok(())
    }

    /// Ends the data set. When this returns `Ok`, file, directory entry and row are durable. Waits for
    /// the disk in the calling thread before it first yields.
    pub async fn finish(self) -> Result<Received, ReceiveError> {
        let Self { shared, committer, mut part, .. } = self;
        if let Some(error) = self.broken {
            return Err(error);
        }
        shared.check_intake()?;
        let verdict = self
            .reading
            .and_then(Reading::finish)
            .map_err(Refusal::Undecodable)
            .and_then(|facts| agrees(facts, &self.sop_class_uid, &self.sop_instance_uid));
        let digests = part.sync().map_err(|error| shared.disk_failed(error))?;
        let received_at_ms = shared.clock.now_ms();
        let content = match verdict {
            Ok(facts) => Content::Instance {
                facts: Box::new(facts),
                conflict: self.conflict,
                dataset_offset: self.dataset_offset,
                transfer_syntax_uid: self.transfer_syntax.uid(),
            },
            Err(refusal) => {
                let record = Record {
                    reason: refusal.reason().to_owned(),
                    detail: refusal.detail(),
                    offending: refusal.offending().map(hex_tag),
                    received_at_ms,
                    peer: self.source.peer.clone(),
                    calling_ae_title: self.source.calling_ae_title.as_ref().map(ToString::to_string),
                    address: self.source.address.map(|address| address.to_string()),
                    sop_class_uid: self.sop_class_uid.to_string(),
                    sop_instance_uid: self.sop_instance_uid.to_string(),
                    transfer_syntax_uid: self.transfer_syntax.uid.to_owned(),
                    size_bytes: digests.size_bytes,
                };
                Content::Unusable { reason: quarantine::prepare(&shared, &record)?, refusal }
            }
        };
        let (answer, answered) = tokio::sync::oneshot::channel();
        committer.hand_over(Arrival { part, digests, content, source: self.source, received_at_ms, answer })?;
        // The committer answers everyone; one that is gone has stopped taking in.
        answered.await.unwrap_or(Err(ReceiveError::Degraded))
    }
}

/// The command and the data set must name the same class and instance (PS3.4 §B.2.2, status 0xA900).
fn agrees(facts: InstanceFacts, class: &SopClassUid, instance: &SopInstanceUid) -> Result<InstanceFacts, Refusal> {
    if facts.sop_class_uid != *class {
        return Err(Refusal::Mismatch { offending: SOP_CLASS_UID });
    }
    if facts.sop_instance_uid != *instance {
        return Err(Refusal::Mismatch { offending: SOP_INSTANCE_UID });
    }
    Ok(facts)
}
