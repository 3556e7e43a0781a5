//! The only way in. An instance is offered, streamed, and answered once it is durable.

use super::commit::{Arrival, Committer, Content};
use super::quarantine::{self, Record, Refusal};
use super::shared::Shared;
use super::{InstanceUids, ReceiveError, Severity, Source};
use crate::config::ConflictAnswer;
use crate::domain::instance::{InstanceFacts, hex_tag};
use crate::domain::reading::{ReadError, Reading};
use crate::domain::restriction::Restriction;
use crate::domain::transfer_syntax::TransferSyntax;
use crate::domain::uid::{SopClassUid, SopInstanceUid, StudyInstanceUid};
use crate::store::{PartFile, part10};
use dicom_core::Tag;
use std::sync::Arc;
use tokio::sync::oneshot;

/// How much of a data set is held until it says what it is: (0008,0016) and (0008,0018) stand among its
/// first attributes (PS3.5 §7.1), and nothing large may come before them.
const GATHERED_MAX: usize = 256 << 10;
const SOP_CLASS_UID: Tag = Tag(0x0008, 0x0016);
const SOP_INSTANCE_UID: Tag = Tag(0x0008, 0x0018);

/// Who says in which transfer syntax a data set is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SyntaxSource {
    Sender,
    /// Nobody: it is one of the native ones, by the look of the first element.
    Guess,
    /// We do, who stored it before: what was acknowledged once is taken as it is.
    Archive,
}

/// What a caller says about an instance before its first byte.
#[derive(Debug, Clone)]
pub struct Offer {
    pub source: Source,
    pub transfer_syntax: &'static TransferSyntax,
    pub syntax_from: SyntaxSource,
    /// From the C-STORE-RQ, and then the data set must agree. Without both, the data set says it: what
    /// says neither within its first 256 KiB is refused as [`ReceiveError::Undecodable`] and not kept.
    pub sop_class_uid: Option<SopClassUid>,
    pub sop_instance_uid: Option<SopInstanceUid>,
    /// Only an instance of this study is taken.
    pub study_instance_uid: Option<StudyInstanceUid>,
    /// Only what is inside is taken, and only into studies that are.
    pub only: Option<Restriction>,
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
    syntax_from: SyntaxSource,
    study_instance_uid: Option<StudyInstanceUid>,
    only: Option<Restriction>,
    part: PartFile,
    name: Name,
    dataset_bytes: u64,
    /// Until the data set turns out not to be one.
    reading: Result<Reading, ReadError>,
    /// Why nothing more is taken.
    broken: Option<ReceiveError>,
}

/// What the file meta is written from; it precedes the data set and is as long as its UIDs.
enum Name {
    Known {
        class: SopClassUid,
        instance: SopInstanceUid,
        dataset_offset: u32,
    },
    /// The beginning of a data set that has not yet said what it is.
    Gathering(Vec<u8>),
}

impl Intake {
    pub(super) fn begin(shared: Arc<Shared>, committer: Arc<Committer>, offer: Offer) -> Result<Self, ReceiveError> {
        shared.check_intake()?;
        shared.space.hard()?;
        let limits = super::read_limits(&shared.limits);
        let part = shared.store.new_part().map_err(|error| shared.disk_failed(error))?;
        let mut intake = Self {
            source: offer.source,
            conflict: offer.conflict,
            transfer_syntax: offer.transfer_syntax,
            syntax_from: offer.syntax_from,
            study_instance_uid: offer.study_instance_uid,
            only: offer.only,
            part,
            name: Name::Gathering(Vec::new()),
            dataset_bytes: 0,
            reading: Ok(match offer.syntax_from {
                SyntaxSource::Archive => Reading::of_stored(offer.transfer_syntax, limits),
                SyntaxSource::Sender | SyntaxSource::Guess => Reading::new(offer.transfer_syntax, limits),
            }),
            broken: None,
            shared,
            committer,
        };
        if let (Some(class), Some(instance)) = (offer.sop_class_uid, offer.sop_instance_uid) {
            intake.open(class, instance)?;
        }
        Ok(intake)
    }

    /// What it is, as soon as that is known: from the offer, or from the data set.
    pub fn identity(&self) -> Option<(&SopClassUid, &SopInstanceUid)> {
        match &self.name {
            Name::Known { class, instance, .. } => Some((class, instance)),
            Name::Gathering(_) => None,
        }
    }

    /// Whether the data set may end behind the last byte taken.
    pub fn may_end(&self) -> bool {
        self.broken.is_none() && self.reading.as_ref().is_ok_and(Reading::may_end)
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
        self.dataset_bytes = self.dataset_bytes.saturating_add(bytes.len() as u64);
        if self.dataset_bytes > self.shared.limits.instance_size.get() {
            return Err(ReceiveError::TooLarge);
        }
        if let Ok(reading) = &mut self.reading
            && let Err(error) = reading.feed(bytes)
        {
            // The guess was wrong, not the data set: its sender can say how it is written, and send it again.
            if self.syntax_from == SyntaxSource::Guess && error.is_encapsulated() {
                return Err(ReceiveError::SyntaxNotNamed);
            }
            self.reading = Err(error);
        }
        match &mut self.name {
            Name::Known { .. } => self.put(bytes),
            Name::Gathering(gathered) => {
                gathered.extend_from_slice(bytes);
                let long = gathered.len() > GATHERED_MAX;
                match self.reading.as_ref().map(Reading::named) {
                    Ok(Ok((class, instance))) => self.open(class, instance),
                    Ok(Err(tag)) if long => Err(unnamed(ReadError::Uid { tag })),
                    Err(error) => Err(unnamed(*error)),
                    Ok(Err(_)) => Ok(()),
                }
            }
        }
    }

    /// Writes the file meta, and what was gathered after it.
    fn open(&mut self, class: SopClassUid, instance: SopInstanceUid) -> Result<(), ReceiveError> {
        let header = part10::header(&class, &instance, &self.transfer_syntax.uid());
        // Three UIDs of at most 64 characters: a few hundred bytes.
        let dataset_offset = u32::try_from(header.len()).unwrap_or(u32::MAX);
        let before = std::mem::replace(&mut self.name, Name::Known { class, instance, dataset_offset });
        self.put(&header)?;
        match before {
            Name::Gathering(gathered) if !gathered.is_empty() => self.put(&gathered),
            Name::Gathering(_) | Name::Known { .. } => Ok(()),
        }
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), ReceiveError> {
        self.shared.space.take(bytes.len())?;
        self.part.write(bytes).map_err(|error| self.shared.disk_failed(error))
    }

    /// Ends the data set. When this returns `Ok`, file, directory entry and row are durable. Waits for
    /// the disk in the calling thread before it first yields.
    pub async fn finish(self) -> Result<Received, ReceiveError> {
        self.hand_over()?.durable().await
    }

    /// Ends the data set, waits for the disk to have its bytes, and leaves the rest to the committer, so
    /// that the caller may go on with the next instance.
    pub fn hand_over(self) -> Result<Committing, ReceiveError> {
        let Self { shared, committer, mut part, .. } = self;
        if let Some(error) = self.broken {
            return Err(error);
        }
        shared.check_intake()?;
        let read = self.reading.and_then(Reading::finish);
        let (class, instance, dataset_offset) = match self.name {
            Name::Known { class, instance, dataset_offset } => (class, instance, dataset_offset),
            // A data set that was read to its end and names its instance did so before.
            Name::Gathering(_) => return Err(unnamed(read.err().unwrap_or(ReadError::Truncated))),
        };
        if let (Ok(facts), Some(study)) = (&read, &self.study_instance_uid)
            && facts.study_instance_uid != *study
        {
            return Err(ReceiveError::OtherStudy);
        }
        if let (Ok(facts), Some(only)) = (&read, &self.only)
            && !admits(only, facts)
        {
            return Err(ReceiveError::NotAuthorized);
        }
        let uids = read.as_ref().ok().map(|facts| InstanceUids {
            study: facts.study_instance_uid.clone(),
            series: facts.series_instance_uid.clone(),
            instance: facts.sop_instance_uid.clone(),
        });
        let verdict = read.map_err(Refusal::Undecodable).and_then(|facts| agrees(facts, &class, &instance));
        let digests = part.sync().map_err(|error| shared.disk_failed(error))?;
        let received_at_ms = shared.clock.now_ms();
        let content = match verdict {
            Ok(facts) => Content::Instance {
                facts: Box::new(facts),
                conflict: self.conflict,
                only: self.only,
                dataset_offset,
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
                    sop_class_uid: class.to_string(),
                    sop_instance_uid: instance.to_string(),
                    transfer_syntax_uid: self.transfer_syntax.uid.to_owned(),
                    size_bytes: digests.size_bytes,
                };
                Content::Unusable { reason: quarantine::prepare(&shared, &record)?, refusal }
            }
        };
        let (answer, answered) = oneshot::channel();
        committer.hand_over(Arrival { part, digests, content, source: self.source, received_at_ms, answer })?;
        Ok(Committing { answered, uids })
    }
}

/// An instance whose bytes are on the disk, waiting for its name and its row. Dropping this changes
/// nothing: the committer goes on.
#[derive(Debug)]
pub struct Committing {
    answered: oneshot::Receiver<Result<Received, ReceiveError>>,
    uids: Option<InstanceUids>,
}

impl Committing {
    /// As the data set names itself; `None` when it cannot be understood.
    pub fn uids(&self) -> Option<&InstanceUids> {
        self.uids.as_ref()
    }
    /// When this returns `Ok`, file, directory entry and row are durable.
    pub async fn durable(self) -> Result<Received, ReceiveError> {
        // The committer answers everyone; one that is gone has stopped taking in.
        self.answered.await.unwrap_or(Err(ReceiveError::Degraded))
    }
}

/// A data set that does not say what it is. Nothing is kept of it, because nothing could name it.
fn unnamed(error: ReadError) -> ReceiveError {
    Refusal::Undecodable(error).into()
}

/// Whether an instance is inside, by what it says of itself.
pub(super) fn admits(only: &Restriction, facts: &InstanceFacts) -> bool {
    let (patient_id, issuer) = facts.patient();
    only.admits(&facts.study_instance_uid, patient_id, issuer)
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
