//! Service Class User: asks for an association, sends C-ECHO and C-STORE, releases.

use super::association::{Association, Incoming, Settings, Timers};
use super::command::CommandSet;
use super::contexts::{Context, Contexts};
use super::error::AssociationError;
use super::message::{self, Assembler, MessageFault, Step};
use super::pdu::PduLimits;
use crate::domain::ae_title::AeTitle;
use crate::domain::implementation::{IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME};
use crate::domain::sop_class::VERIFICATION;
use crate::domain::transfer_syntax::{EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN};
use crate::domain::uid::{SopClassUid, SopInstanceUid, TransferSyntaxUid};
use crate::net::{self, DicomSocket, NetError};
use dicom_ul::pdu::{
    AssociationAC, AssociationRQ, PresentationContextProposed, PresentationContextResultReason, UserVariableItem,
};
use std::io::{self, Read};
use std::net::SocketAddr;
use std::time::Duration;

/// The DICOM application context (PS3.7 §A.2.1).
const APPLICATION_CONTEXT: &str = "1.2.840.10008.3.1.1.1";
/// What we announce, and the longest PDU we send to a peer without a limit of its own.
const PDU_MAX: u32 = 131_072;
/// PDUs gathered for one write.
const WRITE_BUFFER: usize = 128 << 10;
const LIFETIME: Duration = Duration::from_secs(24 * 3600);
const COMMAND_MAX: usize = 64 << 10;

/// A proposal: one abstract syntax with the transfer syntaxes it may come in. Each pair is proposed as a
/// presentation context of its own, so that the acceptor decides about each.
#[derive(Debug, Clone)]
pub struct Proposal {
    pub sop_class_uid: SopClassUid,
    pub transfer_syntaxes: Vec<TransferSyntaxUid>,
}

impl Proposal {
    /// Verification in the two syntaxes that every node takes.
    pub fn verification() -> Self {
        Self::of(VERIFICATION, &[IMPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_LITTLE_ENDIAN])
    }
    fn of(class: &str, syntaxes: &[&str]) -> Self {
        // Constants of the standard.
        let class = SopClassUid::parse(class).unwrap_or_else(|_| unreachable!("a UID of PS3.6"));
        let syntaxes = syntaxes.iter().filter_map(|uid| TransferSyntaxUid::parse(uid).ok());
        Self { sop_class_uid: class, transfer_syntaxes: syntaxes.collect() }
    }
}

#[derive(Debug, Clone)]
pub struct ScuSettings {
    pub calling_ae_title: AeTitle,
    pub called_ae_title: AeTitle,
    pub proposals: Vec<Proposal>,
    /// For connecting, for the answer to A-ASSOCIATE-RQ and for each response.
    pub timeout: Duration,
}

/// Status of a response (PS3.7 Annex C) with its comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    pub code: u16,
    pub comment: Option<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum ScuError {
    #[error(transparent)]
    Net(#[from] NetError),
    #[error("association: {0}")]
    Association(#[from] AssociationError),
    #[error("more than 128 pairs of SOP Class and transfer syntax proposed")]
    TooManyContexts,
    #[error("the peer did not accept this SOP Class in this transfer syntax")]
    NotAccepted,
    #[error("the peer answered something else than was asked")]
    UnexpectedResponse,
    #[error("the data set could not be read")]
    Dataset(#[source] io::Error),
}

impl From<MessageFault> for ScuError {
    fn from(fault: MessageFault) -> Self {
        Self::Association(fault.into())
    }
}

/// An established association, as its requestor. Release it; dropping it cuts the connection.
pub struct Scu {
    association: Association<DicomSocket>,
    contexts: Contexts,
    assembler: Assembler,
    message_id: u16,
}

impl Scu {
    pub async fn connect(address: SocketAddr, settings: ScuSettings) -> Result<Self, ScuError> {
        let proposed = propose(&settings.proposals)?;
        let socket = net::connect(address, settings.timeout).await?;
        let timeout = settings.timeout;
        let mut association = Association::requestor(
            socket,
            Settings {
                pdu: PduLimits { associate_max: 1 << 20, data_announced: PDU_MAX, data_tolerated: 1 << 20 },
                timers: Timers { artim: timeout, pdu: timeout, idle: timeout, lifetime: LIFETIME },
            },
        );
        let request = AssociationRQ {
            protocol_version: 1,
            calling_ae_title: settings.calling_ae_title.to_string(),
            called_ae_title: settings.called_ae_title.to_string(),
            application_context_name: APPLICATION_CONTEXT.into(),
            presentation_contexts: proposed.iter().map(Context::proposed).collect(),
            user_variables: vec![
                UserVariableItem::MaxLength(PDU_MAX),
                UserVariableItem::ImplementationClassUID(IMPLEMENTATION_CLASS_UID.into()),
                UserVariableItem::ImplementationVersionName(IMPLEMENTATION_VERSION_NAME.into()),
            ],
        };
        let accept = association.associate(request).await?;
        association.set_peer_pdu_max(pdu_max_of(&accept));
        let contexts = Contexts::new(accepted(proposed, &accept));
        Ok(Self { association, contexts, assembler: Assembler::new(COMMAND_MAX), message_id: 0 })
    }

    /// What the acceptor took of the proposals.
    pub fn contexts(&self) -> &Contexts {
        &self.contexts
    }

    /// C-ECHO (PS3.7 §9.1.5).
    pub async fn echo(&mut self) -> Result<Status, ScuError> {
        let context = self.contexts.iter().find(|context| context.abstract_syntax.as_str() == VERIFICATION);
        let context_id = context.ok_or(ScuError::NotAccepted)?.id;
        let message_id = self.next_message_id();
        self.association.send_command(context_id, &CommandSet::echo_request(message_id).to_bytes()).await?;
        self.response(message_id).await
    }

    /// C-STORE (PS3.7 §9.1.1) of an encoded data set without file meta, on the context accepted for
    /// exactly this class and syntax. `dataset` is read as it is sent, never whole; its reads block the
    /// calling task.
    pub async fn store(
        &mut self,
        sop_class_uid: &SopClassUid,
        sop_instance_uid: &SopInstanceUid,
        transfer_syntax_uid: &TransferSyntaxUid,
        dataset: impl Read,
    ) -> Result<Status, ScuError> {
        let context = self.contexts.find(sop_class_uid, transfer_syntax_uid);
        let context_id = context.ok_or(ScuError::NotAccepted)?.id;
        let message_id = self.next_message_id();
        let command = CommandSet::store_request(message_id, sop_class_uid, sop_instance_uid).to_bytes();
        match self.send(context_id, &command, dataset).await {
            Ok(()) => self.response(message_id).await,
            Err(error) => {
                // Half a data set cannot be taken back.
                self.association.abort_as_user().await;
                Err(error)
            }
        }
    }

    /// A-RELEASE.
    pub async fn release(mut self) -> Result<(), ScuError> {
        self.association.release().await?;
        self.association.linger().await;
        Ok(())
    }

    /// A-ABORT.
    pub async fn abort(mut self) {
        self.association.abort_as_user().await;
    }

    /// The command and the data set in as few writes as there are buffers full, the first of both.
    async fn send(&mut self, context_id: u8, command: &[u8], mut dataset: impl Read) -> Result<(), ScuError> {
        let value_max = self.association.value_max();
        let mut out = Vec::with_capacity(WRITE_BUFFER + value_max + 64);
        message::put_fragments(&mut out, context_id, true, command, true, value_max);
        // One fragment is held back until it is known whether it is the last.
        let (mut held, mut next) = (Vec::new(), Vec::new());
        read_up_to(&mut dataset, &mut held, value_max)?;
        loop {
            read_up_to(&mut dataset, &mut next, value_max)?;
            let last = next.is_empty();
            message::put_fragments(&mut out, context_id, false, &held, last, value_max);
            if last {
                self.association.send(&out).await?;
                return Ok(());
            }
            if out.len() >= WRITE_BUFFER {
                self.association.send(&out).await?;
                out.clear();
            }
            std::mem::swap(&mut held, &mut next);
        }
    }

    async fn response(&mut self, message_id: u16) -> Result<Status, ScuError> {
        loop {
            let slice = match self.association.next().await? {
                Incoming::Slice(slice) => slice,
                Incoming::Release => {
                    // An acceptor that is about to go: nothing more will be answered.
                    self.association.confirm_release().await?;
                    return Err(AssociationError::Closed.into());
                }
            };
            let bytes = self.association.bytes(&slice);
            let Step::Command(response) = self.assembler.push(&slice, bytes)? else { continue };
            if response.message_id_being_responded_to != Some(message_id) || response.is_request() {
                return Err(ScuError::UnexpectedResponse);
            }
            let code = response.status.ok_or(ScuError::UnexpectedResponse)?;
            return Ok(Status { code, comment: response.error_comment });
        }
    }

    fn next_message_id(&mut self) -> u16 {
        self.message_id = self.message_id.wrapping_add(1);
        self.message_id
    }
}

impl Context {
    fn proposed(&self) -> PresentationContextProposed {
        PresentationContextProposed {
            id: self.id,
            abstract_syntax: self.abstract_syntax.to_string(),
            transfer_syntaxes: vec![self.transfer_syntax.to_string()],
        }
    }
}

/// One context for each pair, under odd ids from 1.
fn propose(proposals: &[Proposal]) -> Result<Vec<Context>, ScuError> {
    let pairs = proposals
        .iter()
        .flat_map(|proposal| proposal.transfer_syntaxes.iter().map(move |syntax| (&proposal.sop_class_uid, syntax)));
    let mut ids = (1..=u8::MAX).step_by(2);
    pairs
        .map(|(class, syntax)| {
            let id = ids.next().ok_or(ScuError::TooManyContexts)?;
            Ok(Context { id, abstract_syntax: class.clone(), transfer_syntax: syntax.clone() })
        })
        .collect()
}

/// What was proposed and accepted, in the syntax that was proposed: an acceptor may choose no other.
fn accepted(proposed: Vec<Context>, accept: &AssociationAC) -> Vec<Context> {
    let took = |context: &Context| {
        accept.presentation_contexts.iter().any(|result| {
            result.id == context.id
                && result.reason == PresentationContextResultReason::Acceptance
                && result.transfer_syntax.trim_end_matches(['\0', ' ']) == context.transfer_syntax.as_str()
        })
    };
    proposed.into_iter().filter(took).collect()
}

/// An announced maximum below 8 would leave no room for two bytes; such a peer gets them all the same.
fn pdu_max_of(accept: &AssociationAC) -> u32 {
    let announced = accept.user_variables.iter().find_map(|variable| match variable {
        UserVariableItem::MaxLength(length) => Some(*length),
        _ => None,
    });
    match announced.unwrap_or(0) {
        0 => 0,
        length => length.max(8),
    }
}

/// Fills `buffer` with up to `length` bytes; fewer only at the end.
fn read_up_to(source: &mut impl Read, buffer: &mut Vec<u8>, length: usize) -> Result<(), ScuError> {
    buffer.clear();
    source.by_ref().take(length as u64).read_to_end(buffer).map_err(ScuError::Dataset)?;
    Ok(())
}
