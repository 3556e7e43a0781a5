//! One part of an upload that is an instance in the file format of PS3.10, or a bare data set: its file
//! meta is read for the transfer syntax and dropped, its data set goes to the intake byte for byte. Which
//! instance it is, the data set says; what the file meta said names it only where the data set does not.

use super::content_type::ContentType;
use super::desk::Counter;
use super::outcome::Failed;
use crate::archive::{Intake, Offer, ReceiveError, SyntaxSource};
use crate::config::ConflictAnswer;
use crate::domain::failure::Failure;
use crate::domain::file_meta::{self, FileMeta};
use crate::domain::sop_class::{self, SopClassKind};
use crate::domain::transfer_syntax::{self, TransferSyntax};
use crate::domain::uid::{SopClassUid, SopInstanceUid};
use crate::web::dicomweb::media;
use bytes::Bytes;

/// What the parts of a multipart body may be.
pub const KINDS: [&str; 3] = [media::DICOM, media::DICOM_JSON, media::DICOM_XML];
/// Of a bare data set, the first element tells how it is written.
const GUESSED_FROM: usize = 6;

/// A part that holds an instance.
pub struct InstancePart {
    /// The transfer syntax that Content-Type names, for a data set that does not come in a file.
    said: Option<String>,
    /// From the file meta.
    class: Option<SopClassUid>,
    instance: Option<SopInstanceUid>,
    state: State,
    /// The last bytes, when they look like a line end: one behind the data set is not of it.
    held: Vec<u8>,
}

enum State {
    /// The file meta is not yet all there.
    Head(Vec<u8>),
    Body(Box<Intake>),
    /// The rest is read and dropped.
    Refused(Failed),
}

impl InstancePart {
    pub fn new(content: &ContentType) -> Self {
        let said = content.get("transfer-syntax").map(str::to_owned);
        Self { said, class: None, instance: None, state: State::Head(Vec::new()), held: Vec::new() }
    }

    /// Takes the next bytes of the part. Blocking: they may be written to the disk.
    pub fn write(&mut self, desk: &Counter, bytes: &Bytes) {
        match &mut self.state {
            State::Head(gathered) => {
                gathered.extend_from_slice(bytes);
                let gathered = std::mem::take(gathered);
                self.begin(desk, gathered, false);
            }
            State::Body(_) => self.put(desk, bytes),
            State::Refused(_) => {}
        }
    }

    /// The part has ended: an intake that is complete, or why there is none.
    pub fn finish(mut self, desk: &Counter) -> Result<Box<Intake>, Failed> {
        if let State::Head(gathered) = &mut self.state {
            let gathered = std::mem::take(gathered);
            self.begin(desk, gathered, true);
        }
        self.release(desk);
        match self.state {
            State::Body(intake) => Ok(intake),
            State::Refused(failed) => Err(failed),
            State::Head(_) => Err(Failed::new(Failure::CANNOT_UNDERSTAND, "the part is empty")),
        }
    }

    /// As the file meta names it.
    pub fn stated(&self) -> (Option<SopClassUid>, Option<SopInstanceUid>) {
        (self.class.clone(), self.instance.clone())
    }

    fn begin(&mut self, desk: &Counter, gathered: Vec<u8>, complete: bool) {
        let meta = match file_meta::read(&gathered, complete) {
            Ok(Some(meta)) => meta,
            Ok(None) => return self.state = State::Head(gathered),
            Err(error) => return self.refuse(Failed::new(Failure::CANNOT_UNDERSTAND, error.to_string())),
        };
        let dataset = gathered.get(meta.dataset_offset..).unwrap_or_default();
        if dataset.len() < GUESSED_FROM && !complete {
            return self.state = State::Head(gathered);
        }
        (self.class, self.instance) = (meta.sop_class_uid.clone(), meta.sop_instance_uid.clone());
        let begun = self.syntax(&meta, dataset).and_then(|(transfer_syntax, syntax_from)| {
            let offer = Offer {
                source: desk.source.clone(),
                transfer_syntax,
                syntax_from,
                sop_class_uid: None,
                sop_instance_uid: None,
                study_instance_uid: desk.study.clone(),
                only: desk.only.clone(),
                conflict: ConflictAnswer::Keep,
            };
            desk.archive.begin(offer).map_err(|error| Failed::from(&error))
        });
        match begun {
            Ok(intake) => {
                self.state = State::Body(Box::new(intake));
                self.put(desk, dataset);
            }
            Err(failed) => self.refuse(failed),
        }
    }

    /// Passes the data set on, but for a line end with which it may have ended.
    fn put(&mut self, desk: &Counter, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let joined;
        let dataset = if self.held.is_empty() {
            bytes
        } else {
            joined = [std::mem::take(&mut self.held).as_slice(), bytes].concat();
            &joined
        };
        let (dataset, line_end) = dataset.split_at(dataset.len() - line_end(dataset));
        self.held.extend_from_slice(line_end);
        self.pass_on(desk, dataset);
    }

    /// The part has ended. Programs that write bodies by hand, and curl from a text file, leave a line end behind a
    /// data set that was complete before; anywhere else these bytes belong to a value.
    fn release(&mut self, desk: &Counter) {
        let held = std::mem::take(&mut self.held);
        let stray = held.ends_with(b"\n") && matches!(&self.state, State::Body(intake) if intake.may_end());
        if !stray {
            self.pass_on(desk, &held);
        }
    }

    fn pass_on(&mut self, desk: &Counter, dataset: &[u8]) {
        if dataset.is_empty() {
            return;
        }
        let State::Body(intake) = &mut self.state else { return };
        desk.took(dataset.len());
        let unnamed = intake.identity().is_none();
        let written = intake.write(dataset);
        // Asked once, as soon as it is known.
        let stored_here = intake.identity().is_none_or(|(class, _)| !unnamed || is_storage(class));
        if let Some((class, instance)) = intake.identity() {
            (self.class, self.instance) = (Some(class.clone()), Some(instance.clone()));
        }
        match written {
            Err(error) => self.refuse(Failed::from(&error)),
            Ok(()) if !stored_here => self.refuse(Failed::from(&ReceiveError::ClassNotSupported)),
            Ok(()) => {}
        }
    }

    /// A file says how it is written; of a bare data set its sender may have said it; else it shows, and is guessed.
    fn syntax(&self, meta: &FileMeta, dataset: &[u8]) -> Result<(&'static TransferSyntax, SyntaxSource), Failed> {
        let (uid, source) = match (&meta.transfer_syntax_uid, &self.said) {
            (Some(uid), _) => (uid.as_str(), SyntaxSource::Sender),
            (None, Some(said)) if said != "*" => (said.as_str(), SyntaxSource::Sender),
            (None, _) => {
                let uid = file_meta::guess(dataset)
                    .ok_or_else(|| Failed::new(Failure::CANNOT_UNDERSTAND, "the part holds no data set"))?;
                (uid, SyntaxSource::Guess)
            }
        };
        let syntax = transfer_syntax::lookup(uid).ok_or_else(|| {
            Failed::new(Failure::TRANSFER_SYNTAX_NOT_SUPPORTED, "the transfer syntax is not one that is stored here")
        })?;
        Ok((syntax, source))
    }

    fn refuse(&mut self, failed: Failed) {
        self.state = State::Refused(failed.of(self.class.clone(), self.instance.clone()));
    }
}

/// How many of the last bytes are a line end, or the beginning of one.
fn line_end(bytes: &[u8]) -> usize {
    match bytes {
        [.., b'\r', b'\n'] => 2,
        [.., b'\n' | b'\r'] => 1,
        _ => 0,
    }
}

/// Private classes are taken: whoever may write here is trusted to know what they are for.
pub fn is_storage(class: &SopClassUid) -> bool {
    !matches!(sop_class::kind(class), SopClassKind::Verification | SopClassKind::NotStorage)
}
