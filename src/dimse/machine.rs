//! The state machine of the DICOM upper layer (PS3.8 §9.2), pure: an event in, an action out. Both roles
//! run on it; `association` performs what it says.

/// States of PS3.8 §9.2.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// Sta1: idle.
    Idle = 1,
    /// Sta2: transport connection open, awaiting A-ASSOCIATE-RQ.
    AwaitingRequest,
    /// Sta3: awaiting the local A-ASSOCIATE response.
    AwaitingLocalAnswer,
    /// Sta4: awaiting the transport connection.
    AwaitingTransport,
    /// Sta5: awaiting A-ASSOCIATE-AC or -RJ.
    AwaitingAnswer,
    /// Sta6: association established, ready for data.
    Established,
    /// Sta7: awaiting A-RELEASE-RP.
    AwaitingReleaseReply,
    /// Sta8: awaiting the local A-RELEASE response.
    AwaitingLocalRelease,
    /// Sta9: release collision, requestor, awaiting the local A-RELEASE response.
    CollisionRequestorLocal,
    /// Sta10: release collision, acceptor, awaiting A-RELEASE-RP.
    CollisionAcceptorReply,
    /// Sta11: release collision, requestor, awaiting A-RELEASE-RP.
    CollisionRequestorReply,
    /// Sta12: release collision, acceptor, awaiting the local A-RELEASE response.
    CollisionAcceptorLocal,
    /// Sta13: awaiting the close of the transport connection.
    AwaitingClose,
}

/// Events of PS3.8 §9.2.2, in the order of Table 9-10.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Event {
    /// Evt1: A-ASSOCIATE request primitive.
    AssociateRequest = 1,
    /// Evt2: transport connection confirmed.
    TransportConfirmed,
    /// Evt3: A-ASSOCIATE-AC PDU.
    AcceptPdu,
    /// Evt4: A-ASSOCIATE-RJ PDU.
    RejectPdu,
    /// Evt5: transport connection indicated.
    TransportIndicated,
    /// Evt6: A-ASSOCIATE-RQ PDU.
    RequestPdu,
    /// Evt7: A-ASSOCIATE response primitive, accept.
    Accept,
    /// Evt8: A-ASSOCIATE response primitive, reject.
    Reject,
    /// Evt9: P-DATA request primitive.
    Data,
    /// Evt10: P-DATA-TF PDU.
    DataPdu,
    /// Evt11: A-RELEASE request primitive.
    Release,
    /// Evt12: A-RELEASE-RQ PDU.
    ReleaseRequestPdu,
    /// Evt13: A-RELEASE-RP PDU.
    ReleaseReplyPdu,
    /// Evt14: A-RELEASE response primitive.
    ReleaseAnswer,
    /// Evt15: A-ABORT request primitive.
    Abort,
    /// Evt16: A-ABORT PDU.
    AbortPdu,
    /// Evt17: transport connection closed.
    TransportClosed,
    /// Evt18: ARTIM timer expired.
    ArtimExpired,
    /// Evt19: unrecognized or invalid PDU.
    InvalidPdu,
}

/// Actions of PS3.8 §9.2.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    Ae1,
    Ae2,
    Ae3,
    Ae4,
    Ae5,
    Ae6,
    Ae7,
    Ae8,
    Dt1,
    Dt2,
    Ar1,
    Ar2,
    Ar3,
    Ar4,
    Ar5,
    Ar6,
    Ar7,
    Ar8,
    Ar9,
    Ar10,
    Aa1,
    Aa2,
    Aa3,
    Aa4,
    Aa5,
    Aa6,
    Aa7,
    Aa8,
}

/// What an action asks of whoever drives the machine, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Send the PDU that the event was raised for.
    Send,
    /// Send A-ABORT with source service-user.
    SendUserAbort,
    /// Send A-ABORT with source service-provider and the reason of the fault.
    SendProviderAbort,
    /// Start, or start again, the ARTIM timer.
    StartArtim,
    StopArtim,
    CloseTransport,
    /// Tell the user of the service what came.
    Indicate,
}

/// Who asked for the association.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Requestor,
    Acceptor,
}

impl Action {
    /// The effects of PS3.8 Tables 9-6 to 9-9. AE-1 and AE-5 (transport) have none: connections are made
    /// before the machine is.
    pub const fn effects(self) -> &'static [Effect] {
        use Effect::{CloseTransport, Indicate, Send, SendProviderAbort, SendUserAbort, StartArtim, StopArtim};
        match self {
            Self::Ae1 | Self::Aa6 => &[],
            Self::Ae2 | Self::Ae7 | Self::Dt1 | Self::Ar1 | Self::Ar7 | Self::Ar9 => &[Send],
            Self::Ae3 | Self::Dt2 | Self::Ar2 | Self::Ar6 | Self::Ar8 | Self::Ar10 | Self::Aa4 => &[Indicate],
            Self::Ae4 | Self::Ar3 | Self::Aa3 => &[Indicate, CloseTransport],
            Self::Ae5 => &[StartArtim],
            Self::Ae6 => &[StopArtim, Indicate],
            Self::Ae8 | Self::Ar4 => &[Send, StartArtim],
            Self::Ar5 | Self::Aa5 => &[StopArtim],
            Self::Aa1 => &[SendUserAbort, StartArtim],
            Self::Aa2 => &[StopArtim, CloseTransport],
            Self::Aa7 => &[SendProviderAbort],
            Self::Aa8 => &[SendProviderAbort, Indicate, StartArtim],
        }
    }
}

/// An event that Table 9-10 leaves blank for the state: a mistake of our own side, never of the peer's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the upper layer cannot take {event:?} in {state:?}")]
pub struct OutOfPlace {
    pub event: Event,
    pub state: State,
}

#[derive(Debug)]
pub struct Machine {
    role: Role,
    state: State,
}

impl Machine {
    /// A machine in Sta1.
    pub const fn new(role: Role) -> Self {
        Self { role, state: State::Idle }
    }
    pub const fn state(&self) -> State {
        self.state
    }
    /// Takes an event and moves on. An A-ASSOCIATE-RQ counts as acceptable to the service provider
    /// (AE-6 to Sta3); one that is not is refused by [`Event::Reject`], which sends the same PDU.
    pub fn on(&mut self, event: Event) -> Result<Action, OutOfPlace> {
        let (action, next) = next(self.role, self.state, event).ok_or(OutOfPlace { event, state: self.state })?;
        self.state = next;
        Ok(action)
    }
}

/// PS3.8 Table 9-10.
fn next(role: Role, state: State, event: Event) -> Option<(Action, State)> {
    use Action as A;
    use Event as E;
    use State as S;
    let step = match (event, state) {
        (E::AssociateRequest, S::Idle) => (A::Ae1, S::AwaitingTransport),
        (E::TransportConfirmed, S::AwaitingTransport) => (A::Ae2, S::AwaitingAnswer),
        (E::TransportIndicated, S::Idle) => (A::Ae5, S::AwaitingRequest),

        (E::AcceptPdu, S::AwaitingAnswer) => (A::Ae3, S::Established),
        (E::RejectPdu, S::AwaitingAnswer) => (A::Ae4, S::Idle),
        (E::RequestPdu, S::AwaitingRequest) => (A::Ae6, S::AwaitingLocalAnswer),
        (E::Accept, S::AwaitingLocalAnswer) => (A::Ae7, S::Established),
        (E::Reject, S::AwaitingLocalAnswer) => (A::Ae8, S::AwaitingClose),

        (E::Data, S::Established) => (A::Dt1, S::Established),
        (E::Data, S::AwaitingLocalRelease) => (A::Ar7, S::AwaitingLocalRelease),
        (E::DataPdu, S::Established) => (A::Dt2, S::Established),
        (E::DataPdu, S::AwaitingReleaseReply) => (A::Ar6, S::AwaitingReleaseReply),

        (E::Release, S::Established) => (A::Ar1, S::AwaitingReleaseReply),
        (E::ReleaseRequestPdu, S::Established) => (A::Ar2, S::AwaitingLocalRelease),
        (E::ReleaseRequestPdu, S::AwaitingReleaseReply) => match role {
            Role::Requestor => (A::Ar8, S::CollisionRequestorLocal),
            Role::Acceptor => (A::Ar8, S::CollisionAcceptorReply),
        },
        (E::ReleaseReplyPdu, S::AwaitingReleaseReply | S::CollisionRequestorReply) => (A::Ar3, S::Idle),
        (E::ReleaseReplyPdu, S::CollisionAcceptorReply) => (A::Ar10, S::CollisionAcceptorLocal),
        (E::ReleaseAnswer, S::AwaitingLocalRelease | S::CollisionAcceptorLocal) => (A::Ar4, S::AwaitingClose),
        (E::ReleaseAnswer, S::CollisionRequestorLocal) => (A::Ar9, S::CollisionRequestorReply),

        (E::Abort, S::AwaitingTransport) => (A::Aa2, S::Idle),
        (E::Abort, S::Idle | S::AwaitingRequest | S::AwaitingClose) => return None,
        (E::Abort, _) => (A::Aa1, S::AwaitingClose),
        (E::AbortPdu, S::Idle | S::AwaitingTransport) => return None,
        (E::AbortPdu, S::AwaitingRequest | S::AwaitingClose) => (A::Aa2, S::Idle),
        (E::AbortPdu, _) => (A::Aa3, S::Idle),

        (E::TransportClosed, S::Idle) => return None,
        (E::TransportClosed, S::AwaitingRequest) => (A::Aa5, S::Idle),
        (E::TransportClosed, S::AwaitingClose) => (A::Ar5, S::Idle),
        (E::TransportClosed, _) => (A::Aa4, S::Idle),
        (E::ArtimExpired, S::AwaitingRequest | S::AwaitingClose) => (A::Aa2, S::Idle),

        // What is left are PDUs out of place.
        (_, S::Idle | S::AwaitingTransport) => return None,
        (E::RequestPdu | E::InvalidPdu, S::AwaitingClose) => (A::Aa7, S::AwaitingClose),
        _ if !event.is_pdu() => return None,
        (_, S::AwaitingClose) => (A::Aa6, S::AwaitingClose),
        (_, S::AwaitingRequest) => (A::Aa1, S::AwaitingClose),
        _ => (A::Aa8, S::AwaitingClose),
    };
    Some(step)
}

impl Event {
    const fn is_pdu(self) -> bool {
        matches!(
            self,
            Self::AcceptPdu
                | Self::RejectPdu
                | Self::RequestPdu
                | Self::DataPdu
                | Self::ReleaseRequestPdu
                | Self::ReleaseReplyPdu
                | Self::AbortPdu
                | Self::InvalidPdu
        )
    }
}

#[cfg(test)]
#[path = "machine_table.rs"]
mod tests;
