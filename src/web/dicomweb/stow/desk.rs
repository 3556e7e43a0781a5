//! The desk at which an upload is taken in, on a thread of its own. Parts come one after the other; while
//! one arrives, those before it are synced and committed, so that one request's instances share batches.

use super::body::Portion;
use super::content_type::ContentType;
use super::metadata::{Collected, Notation};
use super::outcome::{Failed, Outcome, warning};
use super::part::{InstancePart, is_storage};
use super::related::{Event, PartFault, PartHeader, Reader};
use super::wrap::{self, Wrapped, wrap};
use crate::archive::{Archive, InstanceUids, Intake, Offer, ReceiveError, Received, Source, SyntaxSource};
use crate::config::ConflictAnswer;
use crate::domain::compose::Piece;
use crate::domain::failure::Failure;
use crate::domain::restriction::Restriction;
use crate::domain::uid::{SopClassUid, SopInstanceUid, StudyInstanceUid};
use crate::web::Web;
use crate::web::dicomweb::media;
use crate::web::problem::Problem;
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;

/// Instances of one request that wait for the disk and the committer. Their bytes are on their way to the
/// disk already, so this bounds threads, not memory.
const FLYING: usize = 16;

/// How the body is divided.
pub enum Framing {
    Multipart {
        reader: Box<Reader>,
        /// The `type` parameter: what a part is that does not say.
        parts: String,
    },
    /// The body is one part.
    Single(ContentType),
}

impl Framing {
    pub fn multipart(boundary: &str, parts: Option<String>) -> Self {
        let parts = parts.unwrap_or_else(|| media::DICOM.to_owned());
        Self::Multipart { reader: Box::new(Reader::new(boundary)), parts }
    }
}

/// What became of an upload: one outcome for each part, in order.
#[derive(Debug, Default)]
pub struct Report {
    pub outcomes: Vec<Outcome>,
}

/// What a part needs to know.
pub struct Counter {
    pub archive: Archive,
    pub source: Source,
    pub study: Option<StudyInstanceUid>,
    /// All that the caller may add to.
    pub only: Option<Restriction>,
}

impl Counter {
    pub fn took(&self, bytes: usize) {
        metrics::counter!("bluebridge_upload_bytes_total").increment(bytes as u64);
    }
}

pub struct Desk {
    counter: Counter,
    framing: Framing,
    runtime: Handle,
    syncs: Arc<Semaphore>,
    parts_max: usize,
    part: Option<Part>,
    /// Metadata and bulk data, until the body has ended.
    collected: Collected,
    depth_max: u32,
    parsers: Arc<Semaphore>,
    flying: VecDeque<Flying>,
    outcomes: Vec<Option<Outcome>>,
    /// Parts that began.
    parts: usize,
    /// Parts beyond `limits.upload_parts`.
    beyond: usize,
}

/// The part that is arriving.
enum Part {
    Instance(Box<InstancePart>),
    Metadata,
    Bulk,
    Refused(Failed),
    /// Beyond the limit: read, and counted only.
    Beyond,
}

/// An instance on its way to be durable.
struct Flying {
    /// Of its outcome.
    at: usize,
    class: Option<SopClassUid>,
    instance: Option<SopInstanceUid>,
    task: JoinHandle<(Option<InstanceUids>, Result<Received, ReceiveError>)>,
}

impl Desk {
    pub fn new(web: &Web, counter: Counter, framing: Framing, runtime: Handle) -> Self {
        Self {
            counter,
            framing,
            runtime,
            syncs: web.uploads.syncs.clone(),
            parts_max: web.limits.upload_parts as usize,
            part: None,
            collected: Collected::default(),
            depth_max: web.limits.sequence_depth,
            parsers: web.uploads.parsers.clone(),
            parts: 0,
            flying: VecDeque::new(),
            outcomes: Vec::new(),
            beyond: 0,
        }
    }

    /// Takes the body to its end. `None` when it was given up before that.
    pub fn run(mut self, mut arriving: mpsc::Receiver<Portion>) -> Option<Result<Report, Problem>> {
        if let Framing::Single(content) = &self.framing {
            self.part = Some(Part::Instance(Box::new(InstancePart::new(content))));
        }
        loop {
            let outcome = match arriving.blocking_recv()? {
                Portion::Bytes(bytes) => self.take(bytes),
                Portion::End => {
                    let outcome = self.end();
                    return Some(self.close(outcome));
                }
                Portion::CutOff => {
                    let comment = "from here on the upload is larger than limits.upload_size";
                    self.cut_off(Failed::new(Failure::OUT_OF_RESOURCES, comment));
                    return Some(self.close(Ok(())));
                }
            };
            if let Err(problem) = outcome {
                return Some(self.close(Err(problem)));
            }
        }
    }

    fn take(&mut self, bytes: Bytes) -> Result<(), Problem> {
        match &mut self.framing {
            Framing::Single(_) => {
                self.data(&bytes);
                Ok(())
            }
            Framing::Multipart { reader, .. } => {
                reader.push(bytes);
                self.events()
            }
        }
    }

    fn end(&mut self) -> Result<(), Problem> {
        match &mut self.framing {
            Framing::Single(_) => {
                self.part_end();
                Ok(())
            }
            Framing::Multipart { reader, .. } => {
                reader.finish();
                self.events()
            }
        }
    }

    fn events(&mut self) -> Result<(), Problem> {
        loop {
            let Framing::Multipart { reader, parts } = &mut self.framing else { return Ok(()) };
            match reader.next() {
                Ok(None) => return Ok(()),
                Ok(Some(Event::Part(header))) => {
                    self.parts += 1;
                    self.part = Some(if self.parts > self.parts_max {
                        Part::Beyond
                    } else {
                        part(header, parts, &mut self.collected)
                    });
                }
                Ok(Some(Event::Data(bytes))) => self.data(&bytes),
                Ok(Some(Event::PartEnd)) => self.part_end(),
                Ok(Some(Event::End)) => {}
                // What came before the fault is stored, or has its own answer.
                Err(error) if self.part.is_some() || !self.outcomes.is_empty() => {
                    self.cut_off(Failed::new(Failure::CANNOT_UNDERSTAND, error.to_string()));
                    return Ok(());
                }
                Err(error) => return Err(Problem::bad_request(sentence(&error.to_string()))),
            }
        }
    }

    fn data(&mut self, bytes: &Bytes) {
        match &mut self.part {
            Some(Part::Instance(part)) => part.write(&self.counter, bytes),
            Some(Part::Metadata) => self.collected.metadata(bytes),
            Some(Part::Bulk) => self.collected.bulk(&self.counter.archive, bytes),
            Some(Part::Refused(_) | Part::Beyond) | None => {}
        }
    }

    fn part_end(&mut self) {
        match self.part.take() {
            Some(Part::Instance(part)) => {
                let (class, instance) = part.stated();
                match part.finish(&self.counter) {
                    Ok(intake) => self.send(intake, class, instance),
                    Err(failed) => self.outcomes.push(Some(Outcome::Failed(failed))),
                }
            }
            Some(Part::Refused(failed)) => self.outcomes.push(Some(Outcome::Failed(failed))),
            Some(Part::Beyond) => self.beyond += 1,
            Some(Part::Metadata | Part::Bulk) | None => {}
        }
    }

    /// The part that was arriving is not complete, so it is not stored whatever it looks like.
    fn cut_off(&mut self, failed: Failed) {
        let (class, instance) = match self.part.take() {
            Some(Part::Instance(part)) => part.stated(),
            // What was collected is not whole either.
            Some(Part::Metadata | Part::Bulk) => {
                self.collected = Collected::default();
                (None, None)
            }
            Some(Part::Refused(_) | Part::Beyond) | None => (None, None),
        };
        self.outcomes.push(Some(Outcome::Failed(failed.of(class, instance))));
    }

    /// Lets the rest happen beside the next part's arrival.
    fn send(&mut self, intake: Box<Intake>, class: Option<SopClassUid>, instance: Option<SopInstanceUid>) {
        let (class, instance) = match intake.identity() {
            Some((class, instance)) => (Some(class.clone()), Some(instance.clone())),
            None => (class, instance),
        };
        // Of two with one UID the first is the one that is served: they must not overtake each other.
        let twin = |flying: &Flying| flying.instance.is_some() && flying.instance == instance;
        while self.flying.len() >= FLYING || self.flying.iter().any(twin) {
            self.settle();
        }
        let (syncs, runtime) = (self.syncs.clone(), self.runtime.clone());
        let task = self.runtime.spawn(async move {
            let _turn = syncs.acquire_owned().await;
            let handed = runtime.spawn_blocking(move || intake.hand_over()).await;
            match handed.unwrap_or(Err(ReceiveError::Degraded)) {
                Ok(committing) => (committing.uids().cloned(), committing.durable().await),
                Err(error) => (None, Err(error)),
            }
        });
        self.flying.push_back(Flying { at: self.outcomes.len(), class, instance, task });
        self.outcomes.push(None);
    }

    /// Writes the instances of the metadata, now that all bulk data is there.
    fn compose(&mut self) {
        if !self.collected.has_metadata() && self.collected.bulk.is_empty() {
            return;
        }
        // A document in memory is many times what it is in the body: one after the other, over all uploads.
        let parsers = self.parsers.clone();
        let _turn = self.runtime.block_on(parsers.acquire());
        let mut collected = std::mem::take(&mut self.collected);
        let has_metadata = collected.has_metadata();
        let datasets = collected.datasets();
        let alone = datasets.len() == 1;
        for dataset in datasets {
            let (class, instance) = dataset.as_ref().map(wrap::names).unwrap_or_default();
            let written = dataset
                .and_then(|dataset| wrap(dataset, &mut collected, self.depth_max, alone))
                .and_then(|wrapped| self.write(wrapped, &collected));
            match written {
                Ok(intake) => self.send(intake, class, instance),
                Err(failed) => self.outcomes.push(Some(Outcome::Failed(failed.of(class, instance)))),
            }
        }
        for _ in collected.bulk.iter().filter(|part| !part.used) {
            let comment = if has_metadata {
                "no metadata refers to this part"
            } else {
                "no part is metadata: application/dicom+json or dicom+xml"
            };
            self.outcomes.push(Some(Outcome::Failed(Failed::new(Failure::CANNOT_UNDERSTAND, comment))));
        }
    }

    fn write(&self, wrapped: Wrapped, collected: &Collected) -> Result<Box<Intake>, Failed> {
        if !is_storage(&wrapped.class) {
            return Err(Failed::from(&ReceiveError::ClassNotSupported));
        }
        let write = || {
            let mut intake = self.counter.archive.begin(Offer {
                source: self.counter.source.clone(),
                transfer_syntax: wrapped.syntax,
                syntax_from: SyntaxSource::Sender,
                sop_class_uid: Some(wrapped.class),
                sop_instance_uid: Some(wrapped.instance),
                study_instance_uid: self.counter.study.clone(),
                only: self.counter.only.clone(),
                conflict: ConflictAnswer::Keep,
            })?;
            for piece in wrapped.pieces {
                match piece {
                    Piece::Bytes(bytes) => intake.write(&bytes)?,
                    Piece::Source(number) => {
                        if let (Some(spool), Some(part)) = (&collected.spool, collected.bulk.get(number)) {
                            self.counter.took(usize::try_from(part.length()).unwrap_or(usize::MAX));
                            spool.copy(part.range.clone(), &mut intake)?;
                        }
                    }
                }
            }
            Ok(intake)
        };
        write().map(Box::new).map_err(|error: ReceiveError| Failed::from(&error))
    }

    /// Waits for the oldest of those on their way.
    fn settle(&mut self) {
        let Some(Flying { at, class, instance, task }) = self.flying.pop_front() else { return };
        // A task that panicked or was ended has not said that anything is durable.
        let (uids, received) = self.runtime.block_on(task).unwrap_or((None, Err(ReceiveError::Degraded)));
        let outcome = match (received, class, uids) {
            (Ok(received), Some(class), Some(uids)) => Outcome::Stored { class, uids, warning: warning(received) },
            (Ok(_), class, _) => Outcome::Failed(
                Failed::new(Failure::PROCESSING_FAILURE, "it is not known what was stored").of(class, instance),
            ),
            (Err(error), class, _) => {
                log(&error);
                Outcome::Failed(Failed::from(&error).of(class, instance))
            }
        };
        if let Some(place) = self.outcomes.get_mut(at) {
            *place = Some(outcome);
        }
    }

    fn close(mut self, outcome: Result<(), Problem>) -> Result<Report, Problem> {
        self.compose();
        while !self.flying.is_empty() {
            self.settle();
        }
        if self.beyond > 0 {
            let comment = format!("{} parts beyond limits.upload_parts were not taken", self.beyond);
            self.outcomes.push(Some(Outcome::Failed(Failed::new(Failure::OUT_OF_RESOURCES, comment))));
        }
        outcome?;
        let outcomes: Vec<Outcome> = self.outcomes.into_iter().flatten().collect();
        if outcomes.is_empty() {
            return Err(Problem::bad_request("The body holds no instance: no part, or metadata without a data set."));
        }
        Ok(Report { outcomes })
    }
}

/// What a part is, by its header.
fn part(header: Result<PartHeader, PartFault>, default: &str, collected: &mut Collected) -> Part {
    let cannot = |comment: &str| Part::Refused(Failed::new(Failure::CANNOT_UNDERSTAND, comment));
    let header = match header {
        Ok(header) => header,
        Err(fault) => return cannot(&fault.to_string()),
    };
    let Some(content) = ContentType::parse(header.get("content-type").unwrap_or(default)) else {
        return cannot("the Content-Type of the part is no media type");
    };
    let encoded = |name: &str, plain: &[&str]| {
        header.get(name).is_some_and(|value| !plain.iter().any(|plain| value.eq_ignore_ascii_case(plain)))
    };
    if encoded("content-transfer-encoding", &["binary", "8bit", "7bit"]) || encoded("content-encoding", &["identity"]) {
        return cannot("the part is encoded; parts are taken as they are (binary)");
    }
    match content.media.as_str() {
        media::DICOM => Part::Instance(Box::new(InstancePart::new(&content))),
        media::DICOM_JSON | media::DICOM_XML => {
            let xml = content.media == media::DICOM_XML;
            collected.begin_metadata(if xml { Notation::Xml } else { Notation::Json });
            Part::Metadata
        }
        _ if default != media::DICOM || collected.has_metadata() => {
            collected.begin_bulk(&header, content);
            Part::Bulk
        }
        _ => cannot("the part is of a media type that is not stored"),
    }
}

/// A fault of ours needs a person; what a sender did wrong is said in its answer and counted below.
fn log(error: &ReceiveError) {
    if Failed::from(error).reason == Failure::OUT_OF_RESOURCES {
        let cause = std::error::Error::source(error).map(tracing::field::display);
        tracing::error!(cause, "an uploaded instance was not taken in: {error}");
    }
}

impl Report {
    /// Counts and logs what became of the parts, a line for each reason.
    pub fn count(&self) {
        let mut refused: BTreeMap<u16, (usize, &Failed)> = BTreeMap::new();
        let mut stored = 0;
        for outcome in &self.outcomes {
            match outcome {
                Outcome::Stored { .. } => stored += 1,
                Outcome::Failed(failed) => refused.entry(failed.reason.code).or_insert((0, failed)).0 += 1,
            }
        }
        metrics::counter!("bluebridge_upload_parts_total", "status" => "0x0000").increment(stored);
        for (code, (count, failed)) in refused {
            let status = format!("0x{code:04X}");
            tracing::warn!(dimse.status = status, count, "uploaded parts refused; the first: {}", failed.comment);
            metrics::counter!("bluebridge_upload_parts_total", "status" => status).increment(count as u64);
        }
    }
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| format!("{}{}.", first.to_uppercase(), letters.as_str()))
}
