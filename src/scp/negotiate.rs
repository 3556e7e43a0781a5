//! Who may call us, with what: an A-ASSOCIATE-RQ and the configuration in, an answer out. Pure.

use crate::config::{ConflictAnswer, Dicom, Peer, Service};
use crate::dimse::contexts::{Context, Contexts};
use crate::domain::ae_title::AeTitle;
use crate::domain::implementation::{IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME};
use crate::domain::sop_class::{self, SopClassKind};
use crate::domain::transfer_syntax::{
    self, DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN, TransferSyntax,
};
use crate::domain::uid::{SopClassUid, TransferSyntaxUid};
use dicom_ul::pdu::{
    AssociationAC, AssociationRJ, AssociationRJResult, AssociationRJServiceProviderASCEReason,
    AssociationRJServiceProviderPresentationReason, AssociationRJServiceUserReason, AssociationRJSource, AssociationRQ,
    PresentationContextProposed, PresentationContextResult, PresentationContextResultReason, RequestorRoles,
    UserVariableItem,
};
use std::collections::HashSet;
use std::net::IpAddr;

/// The DICOM application context (PS3.7 §A.2.1).
const APPLICATION_CONTEXT: &str = "1.2.840.10008.3.1.1.1";
/// Below this not even two bytes of a message fit a PDU.
const PDU_MAX_LEAST: u32 = 8;

/// Why an association is refused (PS3.8 §9.3.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    ProtocolVersion,
    ApplicationContext,
    CallingAeTitle,
    CalledAeTitle,
    /// The peer takes PDUs so short that nothing fits them.
    MaximumLength,
    /// A cap of ours is reached, or the disk is nearly full.
    Full,
    /// We are stopping.
    Stopping,
}

impl Refusal {
    pub const fn word(self) -> &'static str {
        match self {
            Self::ProtocolVersion => "protocol version not supported",
            Self::ApplicationContext => "application context name not supported",
            Self::CallingAeTitle => "calling AE title not recognized",
            Self::CalledAeTitle => "called AE title not recognized",
            Self::MaximumLength => "maximum length too small",
            Self::Full => "local limit exceeded",
            Self::Stopping => "temporary congestion",
        }
    }
    pub fn pdu(self) -> AssociationRJ {
        use AssociationRJResult::{Permanent, Transient};
        use AssociationRJServiceProviderASCEReason as Acse;
        use AssociationRJServiceProviderPresentationReason as Presentation;
        use AssociationRJServiceUserReason as User;
        use AssociationRJSource::{ServiceProviderASCE, ServiceProviderPresentation, ServiceUser};
        let (result, source) = match self {
            Self::ProtocolVersion => (Permanent, ServiceProviderASCE(Acse::ProtocolVersionNotSupported)),
            Self::ApplicationContext => (Permanent, ServiceUser(User::ApplicationContextNameNotSupported)),
            Self::CallingAeTitle => (Permanent, ServiceUser(User::CallingAETitleNotRecognized)),
            Self::CalledAeTitle => (Permanent, ServiceUser(User::CalledAETitleNotRecognized)),
            Self::MaximumLength => (Permanent, ServiceProviderASCE(Acse::NoReasonGiven)),
            Self::Full => (Transient, ServiceProviderPresentation(Presentation::LocalLimitExceeded)),
            Self::Stopping => (Transient, ServiceProviderPresentation(Presentation::TemporaryCongestion)),
        };
        AssociationRJ { result, source }
    }
}

/// A peer that was recognized, and what it may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Of its `[[dicom.peer]]`; `loopback` when none is listed.
    pub name: String,
    pub calling_ae_title: AeTitle,
    pub called_ae_title: AeTitle,
    pub conflict: ConflictAnswer,
    /// Our own self-check: let in whoever else is inside, for C-ECHO only.
    pub is_self: bool,
    echo: bool,
    store: bool,
    deflated: bool,
    unknown_classes: bool,
}

/// An association that we take: what to answer, and what was agreed.
#[derive(Debug)]
pub struct Agreement {
    pub caller: Caller,
    pub answer: AssociationAC,
    pub contexts: Contexts,
    /// The longest PDU the peer takes; 0 is no limit.
    pub peer_pdu_max: u32,
}

/// Decides about a request from `address`.
/// `self_check` is the calling AE title of our own self-check: random, so that nobody else knows it.
pub fn negotiate(
    dicom: &Dicom,
    self_check: Option<&AeTitle>,
    pdu_announced: u32,
    address: IpAddr,
    request: &AssociationRQ,
) -> Result<Agreement, Refusal> {
    // PS3.8 §9.3.2: only bit 0 is tested.
    if request.protocol_version & 1 == 0 {
        return Err(Refusal::ProtocolVersion);
    }
    if request.application_context_name.trim_end_matches(['\0', ' ']) != APPLICATION_CONTEXT {
        return Err(Refusal::ApplicationContext);
    }
    let caller = recognize(dicom, self_check, address, &request.calling_ae_title, &request.called_ae_title)?;
    let peer_pdu_max = peer_pdu_max(&request.user_variables);
    if (1..PDU_MAX_LEAST).contains(&peer_pdu_max) {
        return Err(Refusal::MaximumLength);
    }
    let mut accepted = Vec::new();
    let results = request
        .presentation_contexts
        .iter()
        .map(|proposed| match decide(&caller, proposed) {
            Ok(context) => {
                let result = PresentationContextResult {
                    id: proposed.id,
                    reason: PresentationContextResultReason::Acceptance,
                    transfer_syntax: context.transfer_syntax.to_string(),
                };
                accepted.push(context);
                result
            }
            // The transfer syntax is not significant then (PS3.8 §9.3.3.2).
            Err(reason) => {
                PresentationContextResult { id: proposed.id, reason, transfer_syntax: IMPLICIT_VR_LITTLE_ENDIAN.into() }
            }
        })
        .collect();
    let contexts = Contexts::new(accepted);
    let mut user_variables = vec![
        UserVariableItem::MaxLength(pdu_announced),
        UserVariableItem::ImplementationClassUID(IMPLEMENTATION_CLASS_UID.into()),
        UserVariableItem::ImplementationVersionName(IMPLEMENTATION_VERSION_NAME.into()),
    ];
    user_variables.extend(roles(&contexts, &request.user_variables));
    let answer = AssociationAC {
        protocol_version: 1,
        // Returned as they came (PS3.8 §9.3.3).
        calling_ae_title: request.calling_ae_title.clone(),
        called_ae_title: request.called_ae_title.clone(),
        application_context_name: APPLICATION_CONTEXT.into(),
        presentation_contexts: results,
        user_variables,
    };
    Ok(Agreement { caller, answer, contexts, peer_pdu_max })
}

/// All of address, calling and called AE title must fit an entry. When the first two fit some entry, the
/// called AE title is what is wrong. None listed: loopback, under any calling AE title.
fn recognize(
    dicom: &Dicom,
    self_check: Option<&AeTitle>,
    address: IpAddr,
    calling: &str,
    called: &str,
) -> Result<Caller, Refusal> {
    let calling_ae_title = AeTitle::parse(calling).map_err(|_| Refusal::CallingAeTitle)?;
    let address = address.to_canonical();
    let ours = dicom.ae_title.as_str();
    let called = called.trim_matches(['\0', ' ']);
    let caller = |name: &str, peer: Option<&Peer>| {
        let allows = |service| peer.is_none_or(|peer| peer.allow.contains(&service));
        Ok(Caller {
            name: name.to_owned(),
            called_ae_title: AeTitle::parse(called).map_err(|_| Refusal::CalledAeTitle)?,
            calling_ae_title: calling_ae_title.clone(),
            conflict: peer.map_or_else(ConflictAnswer::default, |peer| peer.conflict),
            is_self: false,
            echo: allows(Service::Echo),
            store: allows(Service::Store),
            deflated: peer.is_some_and(|peer| peer.deflated),
            unknown_classes: peer.is_none_or(|peer| peer.unknown_classes),
        })
    };
    if self_check == Some(&calling_ae_title) {
        let as_any = caller("self-check", None)?;
        return Ok(Caller { is_self: true, store: false, ..as_any });
    }
    if dicom.peer.is_empty() {
        return match (address.is_loopback(), called == ours) {
            (false, _) => Err(Refusal::CallingAeTitle),
            (true, false) => Err(Refusal::CalledAeTitle),
            (true, true) => caller("loopback", None),
        };
    }
    let mut known = dicom
        .peer
        .iter()
        .filter(|peer| peer.address.contains(&address))
        .filter(|peer| matches_title(&peer.ae_title, calling_ae_title.as_str()))
        .peekable();
    if known.peek().is_none() {
        return Err(Refusal::CallingAeTitle);
    }
    match known.find(|peer| matches_title(peer.called_ae_title.as_deref().unwrap_or(ours), called)) {
        Some(peer) => caller(&peer.name, Some(peer)),
        None => Err(Refusal::CalledAeTitle),
    }
}

fn matches_title(pattern: &str, title: &str) -> bool {
    let pattern = pattern.trim();
    pattern == "*" || pattern == title
}

fn decide(caller: &Caller, proposed: &PresentationContextProposed) -> Result<Context, PresentationContextResultReason> {
    use PresentationContextResultReason as Reason;
    let abstract_syntax =
        SopClassUid::parse(&proposed.abstract_syntax).map_err(|_| Reason::AbstractSyntaxNotSupported)?;
    let allowed = match sop_class::kind(&abstract_syntax) {
        SopClassKind::Verification => caller.echo,
        SopClassKind::Storage => caller.store,
        SopClassKind::RetiredStorage | SopClassKind::Unknown if caller.unknown_classes => caller.store,
        _ => return Err(Reason::AbstractSyntaxNotSupported),
    };
    if !allowed {
        return Err(Reason::UserRejection);
    }
    let transfer_syntax = choose(caller, &proposed.transfer_syntaxes).ok_or(Reason::TransferSyntaxesNotSupported)?;
    Ok(Context { id: proposed.id, abstract_syntax, transfer_syntax: transfer_syntax.uid() })
}

/// The proposed syntax that stands first in our table.
fn choose(caller: &Caller, proposed: &[String]) -> Option<&'static TransferSyntax> {
    let proposed: HashSet<&str> = proposed.iter().map(|uid| uid.trim_end_matches(['\0', ' '])).collect();
    transfer_syntax::TABLE
        .iter()
        .filter(|syntax| caller.deflated || syntax.uid != DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN)
        .find(|syntax| proposed.contains(syntax.uid))
}

fn peer_pdu_max(variables: &[UserVariableItem]) -> u32 {
    let announced = variables.iter().find_map(|variable| match variable {
        UserVariableItem::MaxLength(length) => Some(*length),
        _ => None,
    });
    announced.unwrap_or(0)
}

/// SCP/SCU role selection (PS3.7 §D.3.3.4): the requestor may be SCU of what we accepted, never SCP,
/// because we send it nothing. Extended negotiation, the asynchronous operations window and user
/// identity are left unanswered, which the standard reads as the default of each.
fn roles(contexts: &Contexts, variables: &[UserVariableItem]) -> Vec<UserVariableItem> {
    let mut answered = HashSet::new();
    variables
        .iter()
        .filter_map(|variable| match variable {
            UserVariableItem::ScuScpRoleSelectionSubItem(class, roles) => Some((class, roles)),
            _ => None,
        })
        .filter(|(class, _)| SopClassUid::parse(class).is_ok_and(|class| contexts.find_class(&class).is_some()))
        .filter(|(class, _)| answered.insert(class.as_str()))
        .map(|(class, roles)| {
            UserVariableItem::ScuScpRoleSelectionSubItem(class.clone(), RequestorRoles { scu: roles.scu, scp: false })
        })
        .collect()
}

/// The table entry of an accepted context's syntax; only syntaxes of the table are accepted.
pub fn syntax_of(uid: &TransferSyntaxUid) -> Option<&'static TransferSyntax> {
    transfer_syntax::lookup(uid.as_str())
}

#[cfg(test)]
#[path = "negotiate_tests.rs"]
mod tests;
