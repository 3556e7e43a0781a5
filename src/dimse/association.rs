//! One association over a byte stream: drives the state machine, keeps the timers, reads and writes
//! PDUs. Both roles. What it does on each event is the machine's decision (PS3.8 §9.2).

use super::associate;
use super::error::{AssociationError, Timer};
use super::machine::{Action, Effect, Event, Machine, Role, State};
use super::message;
use super::pdu::{PduFault, PduLimits, PduReader, Slice, Unit};
use dicom_ul::pdu::{AbortRQServiceProviderReason, AbortRQSource, AssociationAC, AssociationRJ, AssociationRQ, Pdu};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, timeout};

#[derive(Debug, Clone, Copy)]
pub struct Timers {
    /// From the transport connection to the whole A-ASSOCIATE-RQ or its answer, and from our last PDU to
    /// the close of the connection (the ARTIM timer of PS3.8 §9.1.4).
    pub artim: Duration,
    /// Time spent waiting for the bytes of one PDU, and for the peer to take one of ours.
    pub pdu: Duration,
    /// Between PDUs.
    pub idle: Duration,
    pub lifetime: Duration,
}

#[derive(Debug, Clone, Copy)]
pub struct Settings {
    pub pdu: PduLimits,
    pub timers: Timers,
}

/// What the peer did on an established association.
#[derive(Debug)]
pub enum Incoming {
    /// A piece of a message; its bytes are at [`Association::bytes`] until the next call.
    Slice(Slice),
    /// A-RELEASE-RQ; answer with [`Association::confirm_release`].
    Release,
}

pub struct Association<S> {
    stream: S,
    reader: PduReader,
    machine: Machine,
    settings: Settings,
    artim: Option<Instant>,
    dies: Instant,
    /// What is left of the time for the PDU that is coming in, and which one that is.
    pdu_left: Duration,
    pdu_number: u64,
    peer_pdu_max: u32,
    oversize: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Association<S> {
    /// The acceptor of a connection that has just come in (Evt5).
    pub fn acceptor(stream: S, settings: Settings) -> Self {
        Self::new(stream, settings, Role::Acceptor, &[Event::TransportIndicated])
    }
    /// The requestor on a connection that has just been made (Evt1; Evt2 sends the request).
    pub fn requestor(stream: S, settings: Settings) -> Self {
        Self::new(stream, settings, Role::Requestor, &[Event::AssociateRequest])
    }
    fn new(stream: S, settings: Settings, role: Role, events: &[Event]) -> Self {
        let mut machine = Machine::new(role);
        for event in events {
            // From Sta1 these are always in place.
            let _ = machine.on(*event);
        }
        let now = Instant::now();
        Self {
            stream,
            reader: PduReader::new(settings.pdu),
            machine,
            settings,
            artim: Some(now + settings.timers.artim),
            dies: now + settings.timers.lifetime,
            pdu_left: settings.timers.pdu,
            pdu_number: 0,
            peer_pdu_max: 0,
            oversize: false,
        }
    }

    /// Acceptor: waits for the A-ASSOCIATE-RQ. A connection that begins with anything else is closed
    /// without a word, since it is not DICOM.
    pub async fn request(&mut self) -> Result<AssociationRQ, AssociationError> {
        while self.reader.first_byte().is_none() {
            self.fill().await?;
        }
        if let Some(byte) = self.reader.first_byte().filter(|byte| *byte != 0x01) {
            self.raise(Event::TransportClosed, &[], PduFault::Unexpected).await?;
            return Err(AssociationError::NotDicom(byte));
        }
        match self.unit().await? {
            Unit::Request(request) => {
                self.raise(Event::RequestPdu, &[], PduFault::Unexpected).await?;
                Ok(request)
            }
            _ => Err(self.abort(PduFault::Unexpected).await.into()),
        }
    }
    /// Acceptor: sends A-ASSOCIATE-AC. `peer_pdu_max` is what the requestor announced; 0 is no limit.
    pub async fn accept(&mut self, accept: AssociationAC, peer_pdu_max: u32) -> Result<(), AssociationError> {
        let bytes = associate::encode(&Pdu::AssociationAC(accept))?;
        self.raise(Event::Accept, &bytes, PduFault::Unexpected).await?;
        self.artim = None;
        self.peer_pdu_max = peer_pdu_max;
        Ok(())
    }
    /// Acceptor: sends A-ASSOCIATE-RJ. [`Self::linger`] then waits for the peer to close.
    pub async fn reject(&mut self, reject: AssociationRJ) -> Result<(), AssociationError> {
        let bytes = associate::encode(&Pdu::AssociationRJ(reject))?;
        self.raise(Event::Reject, &bytes, PduFault::Unexpected).await?;
        Ok(())
    }

    /// Requestor: sends the request and waits for its answer.
    pub async fn associate(&mut self, request: AssociationRQ) -> Result<AssociationAC, AssociationError> {
        let bytes = associate::encode(&Pdu::AssociationRQ(request))?;
        self.raise(Event::TransportConfirmed, &bytes, PduFault::Unexpected).await?;
        self.artim = Some(Instant::now() + self.settings.timers.artim);
        let unit = self.unit().await?;
        let event = event_of(&unit);
        self.indicated(event, &unit).await?;
        match unit {
            Unit::Accept(accept) => {
                self.artim = None;
                Ok(accept)
            }
            Unit::Reject(reject) => Err(AssociationError::Rejected(reject)),
            _ => Err(PduFault::Unexpected.into()),
        }
    }
    /// Requestor: what the acceptor announced as the longest PDU it takes; 0 is no limit.
    pub fn set_peer_pdu_max(&mut self, pdu_max: u32) {
        self.peer_pdu_max = pdu_max;
    }

    /// The next thing the peer does. Safe to cancel: nothing is lost.
    pub async fn next(&mut self) -> Result<Incoming, AssociationError> {
        loop {
            match self.unit().await? {
                Unit::Slice(slice) => return Ok(Incoming::Slice(slice)),
                unit => {
                    let event = event_of(&unit);
                    self.indicated(event, &unit).await?;
                    if let Unit::Data { oversize: true } = unit {
                        self.oversize = true;
                    }
                    if let Unit::ReleaseRequest = unit {
                        return Ok(Incoming::Release);
                    }
                }
            }
        }
    }
    /// The bytes of a slice that [`Self::next`] has just returned.
    pub fn bytes(&self, slice: &Slice) -> &[u8] {
        self.reader.bytes(slice.range.clone())
    }
    /// Whether the peer sent a P-DATA-TF longer than we announced.
    pub const fn saw_oversize_pdu(&self) -> bool {
        self.oversize
    }
    /// The most bytes of a fragment that fit one PDU for this peer.
    pub fn value_max(&self) -> usize {
        message::value_max(self.peer_pdu_max, self.settings.pdu.data_announced)
    }

    /// Sends PDUs made by [`message::put_fragments`] in one write.
    pub async fn send(&mut self, pdus: &[u8]) -> Result<(), AssociationError> {
        self.raise(Event::Data, pdus, PduFault::Unexpected).await?;
        Ok(())
    }
    /// Sends a command that has no data set.
    pub async fn send_command(&mut self, context_id: u8, command: &[u8]) -> Result<(), AssociationError> {
        let mut pdus = Vec::with_capacity(command.len() + 12);
        message::put_fragments(&mut pdus, context_id, true, command, true, self.value_max());
        self.send(&pdus).await
    }

    /// Answers A-RELEASE-RQ; [`Self::linger`] then waits for the peer to close.
    pub async fn confirm_release(&mut self) -> Result<(), AssociationError> {
        let reply = associate::encode(&Pdu::ReleaseRP)?;
        self.raise(Event::ReleaseAnswer, &reply, PduFault::Unexpected).await?;
        Ok(())
    }
    /// Asks for release and waits for the answer, through a release collision if need be.
    pub async fn release(&mut self) -> Result<(), AssociationError> {
        let request = associate::encode(&Pdu::ReleaseRQ)?;
        self.raise(Event::Release, &request, PduFault::Unexpected).await?;
        loop {
            let unit = self.unit().await?;
            if matches!(unit, Unit::Slice(_)) {
                continue;
            }
            self.indicated(event_of(&unit), &unit).await?;
            match self.machine.state() {
                State::CollisionRequestorLocal | State::CollisionAcceptorLocal => self.confirm_release().await?,
                _ => {}
            }
            if matches!(self.machine.state(), State::Idle | State::AwaitingClose) {
                return Ok(());
            }
        }
    }

    /// Ends the association because of what the peer sent: A-ABORT with the reason of the fault. Returns
    /// the fault, for the caller to return as its error.
    pub async fn abort(&mut self, fault: PduFault) -> PduFault {
        // Already over: nothing to tell the peer.
        let _ = self.raise(Event::InvalidPdu, &[], fault).await;
        fault
    }
    /// Ends the association for a reason of our own: A-ABORT, source service-provider, no reason given.
    pub async fn abort_without_reason(&mut self) {
        let _ = self.raise(Event::InvalidPdu, &[], None).await;
    }
    /// Ends the association as its user: A-ABORT, source service-user.
    pub async fn abort_as_user(&mut self) {
        let _ = self.raise(Event::Abort, &[], None).await;
    }

    /// Waits in Sta13 until the peer closes or ARTIM runs out, so that our last PDU reaches it: closing
    /// a socket with unread bytes resets the connection, and the peer's kernel then drops what we sent.
    /// What still comes is not looked at.
    pub async fn linger(&mut self) {
        while self.machine.state() == State::AwaitingClose {
            self.reader.discard();
            // Each error moves the machine to Sta1.
            let _ = self.fill().await;
        }
    }

    async fn indicated(&mut self, event: Event, unit: &Unit) -> Result<(), AssociationError> {
        let action = self.raise(event, &[], PduFault::Unexpected).await?;
        match (action, unit) {
            (Action::Aa2 | Action::Aa3, Unit::Abort { source, reason }) => {
                Err(AssociationError::Aborted { source_code: *source, reason: *reason })
            }
            (Action::Aa1 | Action::Aa7 | Action::Aa8, _) => Err(PduFault::Unexpected.into()),
            _ => Ok(()),
        }
    }

    /// Takes `event` to the machine and does what the action asks for.
    async fn raise(
        &mut self,
        event: Event,
        pdu: &[u8],
        fault: impl Into<Option<PduFault>>,
    ) -> Result<Action, AssociationError> {
        let fault = fault.into();
        let action = self.machine.on(event)?;
        for effect in action.effects() {
            match effect {
                Effect::Send => self.write(pdu).await?,
                Effect::SendUserAbort => self.write_abort(AbortRQSource::ServiceUser).await?,
                Effect::SendProviderAbort => {
                    let reason = fault.map_or(AbortRQServiceProviderReason::ReasonNotSpecified, PduFault::reason);
                    self.write_abort(AbortRQSource::ServiceProvider(reason)).await?;
                }
                Effect::StartArtim => self.artim = Some(Instant::now() + self.settings.timers.artim),
                Effect::StopArtim => self.artim = None,
                Effect::CloseTransport => {
                    // The peer may have closed first.
                    let _ = self.stream.shutdown().await;
                }
                // The caller reads the unit itself.
                Effect::Indicate => {}
            }
        }
        Ok(action)
    }

    async fn write_abort(&mut self, source: AbortRQSource) -> Result<(), AssociationError> {
        let bytes = associate::encode(&Pdu::AbortRQ { source })?;
        self.write(&bytes).await
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), AssociationError> {
        let error = match timeout(self.settings.timers.pdu, self.stream.write_all(bytes)).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => AssociationError::Io(error),
            Err(_) => AssociationError::TimedOut(Timer::Write),
        };
        // A connection that takes no bytes is as good as closed; an A-ABORT would not get through.
        let _ = self.machine.on(Event::TransportClosed);
        Err(error)
    }

    /// The next unit of the stream; a faulty one is answered by A-ABORT.
    async fn unit(&mut self) -> Result<Unit, AssociationError> {
        loop {
            match self.reader.next() {
                Ok(Some(unit)) => return Ok(unit),
                Ok(None) => self.fill().await?,
                Err(fault) => return Err(self.abort(fault).await.into()),
            }
        }
    }

    /// Reads once, within the time that is left.
    async fn fill(&mut self) -> Result<(), AssociationError> {
        let began = Instant::now();
        let (timer, allowed) = self.allowed(began);
        // A timer that has run out ends it even when bytes are waiting: else a flood would never end.
        let read = match allowed.is_zero() {
            true => None,
            false => timeout(allowed, self.stream.read(self.reader.space())).await.ok(),
        };
        if timer == Timer::Pdu {
            self.pdu_left = self.pdu_left.saturating_sub(began.elapsed());
        }
        match read {
            Some(Ok(0)) => {
                let _ = self.machine.on(Event::TransportClosed);
                Err(AssociationError::Closed)
            }
            Some(Ok(count)) => {
                self.reader.filled(count);
                Ok(())
            }
            Some(Err(error)) => {
                let _ = self.machine.on(Event::TransportClosed);
                Err(error.into())
            }
            None => {
                let event = match self.machine.state() {
                    State::AwaitingRequest | State::AwaitingClose => Event::ArtimExpired,
                    _ => Event::Abort,
                };
                self.raise(event, &[], None).await?;
                Err(AssociationError::TimedOut(timer))
            }
        }
    }

    /// Which timer runs, and how long it still has. Only waiting counts: while we are busy with a piece,
    /// the peer is not to blame.
    fn allowed(&mut self, now: Instant) -> (Timer, Duration) {
        let lifetime = self.dies.saturating_duration_since(now);
        let (timer, left) = match self.artim {
            Some(deadline) => (Timer::Artim, deadline.saturating_duration_since(now)),
            None if self.reader.mid_pdu() => {
                if self.pdu_number != self.reader.pdus_ended() {
                    self.pdu_number = self.reader.pdus_ended();
                    self.pdu_left = self.settings.timers.pdu;
                }
                (Timer::Pdu, self.pdu_left)
            }
            None => (Timer::Idle, self.settings.timers.idle),
        };
        if lifetime < left { (Timer::Lifetime, lifetime) } else { (timer, left) }
    }
}

const fn event_of(unit: &Unit) -> Event {
    match unit {
        Unit::Request(_) => Event::RequestPdu,
        Unit::Accept(_) => Event::AcceptPdu,
        Unit::Reject(_) => Event::RejectPdu,
        Unit::ReleaseRequest => Event::ReleaseRequestPdu,
        Unit::ReleaseReply => Event::ReleaseReplyPdu,
        Unit::Abort { .. } => Event::AbortPdu,
        Unit::Data { .. } | Unit::Slice(_) => Event::DataPdu,
    }
}

#[cfg(test)]
#[path = "association_tests.rs"]
mod tests;
