//! One association from its first byte to its end: request, answer, messages, release.

use super::Scp;
use super::negotiate::{self, Agreement, Refusal};
use super::status::Answer;
use super::store::Arrival;
use crate::dimse::association::{Association, Incoming};
use crate::dimse::command::{CommandSet, field};
use crate::dimse::contexts::Context;
use crate::dimse::error::AssociationError;
use crate::dimse::message::{Assembler, MessageFault, Step};
use crate::dimse::pdu::PduFault;
use crate::domain::ae_title::AeTitle;
use crate::domain::failure::Failure;
use crate::domain::sop_class::VERIFICATION;
use crate::net::{Admitted, Full};
use dicom_ul::pdu::AssociationRQ;
use std::net::IpAddr;
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;

/// How long a peer has to read our last PDU once we are stopping.
const PARTING: Duration = Duration::from_secs(1);
/// After SIGTERM an instance that is arriving has this long.
const DRAIN: Duration = Duration::from_secs(30);

/// How an association ended well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    Released,
    /// We are stopping, and no message was under way.
    Stopped,
}

/// What an association did, for its one line in the log.
#[derive(Debug, Default)]
struct Tally {
    stored: u64,
    refused: u64,
    echoes: u64,
    received_bytes: u64,
}

/// A message under way: its command, and what becomes of its data set.
struct Exchange {
    context: Context,
    request: CommandSet,
    work: Work,
}

enum Work {
    Store(Box<Arrival>),
    /// Answered as it stands, once the data set, if any, has been read.
    Answer(Answer),
    /// C-CANCEL: nothing is under way that could be cancelled, and it has no response.
    Nothing,
}

/// Holds the conversation on a fresh connection. `place` is its place among the half-open ones.
pub async fn hold<S: AsyncRead + AsyncWrite + Unpin>(
    scp: &Scp,
    stream: S,
    address: IpAddr,
    number: u64,
    place: Admitted,
    stop: &CancellationToken,
) {
    let mut association = Association::acceptor(stream, scp.settings);
    let request = tokio::select! {
        biased;
        () = stop.cancelled() => return,
        request = association.request() => request,
    };
    match request {
        Ok(request) => {
            let seats = answer_request(scp, &mut association, address, number, &request, stop).await;
            if let Some((agreement, _seats)) = seats {
                drop(place);
                serve(scp, &mut association, address, number, agreement, stop).await;
                return part(&mut association, stop).await;
            }
        }
        Err(error) => report_stranger(scp, address, &error),
    }
    part(&mut association, stop).await;
    // A rejected caller that does not hang up keeps its place, so that a flood of them stays bounded.
    drop(place);
}

/// Waits for the peer to hang up; not for long when we are stopping.
async fn part<S: AsyncRead + AsyncWrite + Unpin>(association: &mut Association<S>, stop: &CancellationToken) {
    tokio::select! {
        () = association.linger() => {}
        () = async {
            stop.cancelled().await;
            tokio::time::sleep(PARTING).await;
        } => {}
    }
}

/// Places held as long as the association lives.
type Seats = Option<(Admitted, Admitted<String>)>;

async fn answer_request<S: AsyncRead + AsyncWrite + Unpin>(
    scp: &Scp,
    association: &mut Association<S>,
    address: IpAddr,
    number: u64,
    request: &AssociationRQ,
    stop: &CancellationToken,
) -> Option<(Agreement, Seats)> {
    let (agreement, seats) = match decide(scp, address, request, stop) {
        Ok(agreed) => agreed,
        Err((refusal, why)) => {
            report_refusal(scp, address, request, refusal, why);
            if let Err(error) = association.reject(refusal.pdu()).await {
                tracing::debug!(association.id = number, %error, "rejection could not be sent");
            }
            return None;
        }
    };
    if let Err(error) = association.accept(agreement.answer.clone(), agreement.peer_pdu_max).await {
        tracing::debug!(association.id = number, %error, "acceptance could not be sent");
        return None;
    }
    Some((agreement, seats))
}

fn decide(
    scp: &Scp,
    address: IpAddr,
    request: &AssociationRQ,
    stop: &CancellationToken,
) -> Result<(Agreement, Seats), (Refusal, &'static str)> {
    let agreement =
        negotiate::negotiate(&scp.dicom, scp.self_check.as_ref(), scp.settings.pdu.data_announced, address, request)
            .map_err(|refusal| (refusal, refusal.word()))?;
    if stop.is_cancelled() {
        return Err((Refusal::Stopping, "stopping"));
    }
    if agreement.caller.is_self {
        return Ok((agreement, None));
    }
    let association = scp.associations.enter(address).map_err(|full| match full {
        Full::Total => (Refusal::Full, "limits.associations is reached"),
        Full::Key => (Refusal::Full, "limits.associations_per_address is reached"),
    })?;
    let peer = scp
        .per_peer
        .enter_as(agreement.caller.name.clone())
        .map_err(|_| (Refusal::Full, "limits.associations_per_peer is reached"))?;
    scp.archive.admit().map_err(|_| (Refusal::Full, "the archive takes nothing more"))?;
    Ok((agreement, Some((association, peer))))
}

/// Runs an established association and reports on it.
async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    scp: &Scp,
    association: &mut Association<S>,
    address: IpAddr,
    number: u64,
    agreement: Agreement,
    stop: &CancellationToken,
) {
    let caller = agreement.caller.clone();
    tracing::debug!(
        association.id = number,
        peer.name = caller.name,
        contexts = agreement.contexts.len(),
        "association accepted"
    );
    metrics::gauge!("bluebridge_associations_active").increment(1.0);
    let active = scopeguard(|| metrics::gauge!("bluebridge_associations_active").decrement(1.0));
    let began = Instant::now();
    let mut tally = Tally::default();
    let outcome = converse(scp, association, address, &agreement, stop, &mut tally).await;
    drop(active);
    if association.saw_oversize_pdu() {
        metrics::counter!("bluebridge_pdu_oversize_total").increment(1);
        tracing::warn!(
            association.id = number,
            peer.name = caller.name,
            "the peer sends longer PDUs than we announced; they were taken"
        );
    }
    let (word, error) = match &outcome {
        Ok(Ending::Released) => ("released", None),
        Ok(Ending::Stopped) => ("stopped", None),
        Err(AssociationError::Aborted { .. }) => ("aborted_by_peer", outcome.as_ref().err()),
        Err(AssociationError::Closed | AssociationError::Io(_)) => ("lost", outcome.as_ref().err()),
        Err(AssociationError::TimedOut(_)) => ("timed_out", outcome.as_ref().err()),
        Err(_) => ("aborted", outcome.as_ref().err()),
    };
    if caller.is_self && outcome.is_ok() {
        return;
    }
    metrics::counter!("bluebridge_associations_total", "outcome" => word).increment(1);
    tracing::info!(
        association.id = number,
        peer.name = caller.name,
        peer.ae_title = %caller.calling_ae_title,
        peer.address = %address,
        called_ae_title = %caller.called_ae_title,
        stored = tally.stored,
        refused = tally.refused,
        echoes = tally.echoes,
        received_bytes = tally.received_bytes,
        duration_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
        error = error.map(tracing::field::display),
        "association {word}"
    );
}

async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
    scp: &Scp,
    association: &mut Association<S>,
    address: IpAddr,
    agreement: &Agreement,
    stop: &CancellationToken,
    tally: &mut Tally,
) -> Result<Ending, AssociationError> {
    let mut assembler = Assembler::new(scp.command_max);
    let mut exchange: Option<Exchange> = None;
    // One for the whole association: a sender that trickles must not hold the stop up.
    let drained = async {
        stop.cancelled().await;
        tokio::time::sleep(DRAIN).await;
    };
    tokio::pin!(drained);
    loop {
        let incoming = if assembler.between_messages() {
            tokio::select! {
                biased;
                () = stop.cancelled() => {
                    association.abort_without_reason().await;
                    return Ok(Ending::Stopped);
                }
                incoming = association.next() => incoming?,
            }
        } else {
            tokio::select! {
                biased;
                incoming = association.next() => incoming?,
                () = &mut drained => {
                    association.abort_without_reason().await;
                    return Ok(Ending::Stopped);
                }
            }
        };
        let slice = match incoming {
            Incoming::Slice(slice) => slice,
            Incoming::Release => {
                association.confirm_release().await?;
                return Ok(Ending::Released);
            }
        };
        let bytes = association.bytes(&slice);
        let step = match assembler.push(&slice, bytes) {
            Ok(step) => step,
            Err(fault) => return Err(break_off(association, fault).await),
        };
        match step {
            Step::More => {}
            Step::Data { last } => {
                tally.received_bytes = tally.received_bytes.saturating_add(bytes.len() as u64);
                if let Some(Exchange { work: Work::Store(arrival), .. }) = &mut exchange {
                    arrival.write(scp, &agreement.caller, bytes);
                }
                if last && let Some(exchange) = exchange.take() {
                    conclude(scp, association, agreement, exchange, tally).await?;
                }
            }
            Step::Command(request) => {
                let Some(context) = agreement.contexts.get(slice.context_id) else {
                    return Err(association.abort(PduFault::UnknownContext).await.into());
                };
                if !request.is_request() {
                    return Err(association.abort(PduFault::Unexpected).await.into());
                }
                let work = begin(scp, address, agreement, context, &request);
                let begun = Exchange { context: context.clone(), request: *request, work };
                if begun.request.has_data_set() {
                    exchange = Some(begun);
                } else {
                    conclude(scp, association, agreement, begun, tally).await?;
                }
            }
        }
    }
}

async fn break_off<S: AsyncRead + AsyncWrite + Unpin>(
    association: &mut Association<S>,
    fault: MessageFault,
) -> AssociationError {
    association.abort_as_user().await;
    fault.into()
}

fn begin(scp: &Scp, address: IpAddr, agreement: &Agreement, context: &Context, request: &CommandSet) -> Work {
    match request.command_field {
        field::C_ECHO_RQ => Work::Answer(echo(context)),
        field::C_STORE_RQ if !request.has_data_set() => {
            Work::Answer(Answer::refused(Failure::CANNOT_UNDERSTAND, "C-STORE without a data set"))
        }
        field::C_STORE_RQ => Work::Store(Box::new(Arrival::begin(scp, &agreement.caller, address, context, request))),
        field::C_CANCEL_RQ => Work::Nothing,
        _ => Work::Answer(Answer::refused(Failure::UNRECOGNIZED_OPERATION, "only C-ECHO and C-STORE are answered")),
    }
}

/// C-ECHO (PS3.7 §9.1.5). Devices leave Affected SOP Class UID out, so the context alone decides.
fn echo(context: &Context) -> Answer {
    if context.abstract_syntax.as_str() == VERIFICATION {
        Answer::SUCCESS
    } else {
        Answer::refused(Failure::SOP_CLASS_NOT_SUPPORTED, "C-ECHO outside a Verification context")
    }
}

/// Ends a message: its Status is sent, in one write.
async fn conclude<S: AsyncRead + AsyncWrite + Unpin>(
    scp: &Scp,
    association: &mut Association<S>,
    agreement: &Agreement,
    exchange: Exchange,
    tally: &mut Tally,
) -> Result<(), AssociationError> {
    let store = matches!(exchange.work, Work::Store(_));
    let answer = match exchange.work {
        Work::Store(arrival) => arrival.finish(scp, &agreement.caller).await,
        Work::Answer(answer) => answer,
        Work::Nothing => return Ok(()),
    };
    match (store, answer.status) {
        (true, 0) => tally.stored += 1,
        (false, 0) => tally.echoes += 1,
        _ => tally.refused += 1,
    }
    if store {
        metrics::counter!("bluebridge_store_responses_total", "status" => format!("{:04X}", answer.status))
            .increment(1);
    }
    association.send_command(exchange.context.id, &answer.to(&exchange.request).to_bytes()).await
}

fn report_refusal(scp: &Scp, address: IpAddr, request: &AssociationRQ, refusal: Refusal, why: &str) {
    metrics::counter!("bluebridge_associations_rejected_total", "reason" => refusal.word()).increment(1);
    let Some(kept_back) = scp.strangers.allow(address, Instant::now()) else { return };
    // Only what parses is written: a log line is no place for what a stranger chose to send.
    let title = |text: &str| AeTitle::parse(text).map_or_else(|_| "(none)".to_owned(), |title| title.to_string());
    tracing::warn!(
        peer.address = %address,
        peer.ae_title = title(&request.calling_ae_title),
        called_ae_title = title(&request.called_ae_title),
        kept_back,
        "association rejected: {why}"
    );
}

fn report_stranger(scp: &Scp, address: IpAddr, error: &AssociationError) {
    let reason = match error {
        AssociationError::NotDicom(_) => "not_dicom",
        AssociationError::TimedOut(_) => "timed_out",
        AssociationError::Closed | AssociationError::Io(_) => "closed",
        _ => "malformed",
    };
    metrics::counter!("bluebridge_connections_dropped_total", "reason" => reason).increment(1);
    // A port check that connects and leaves is no news.
    if reason != "closed"
        && let Some(kept_back) = scp.not_dicom.allow(address, Instant::now())
    {
        tracing::warn!(peer.address = %address, kept_back, "connection ended before an association: {error}");
    }
}

/// Runs `end` when dropped, a panic included.
fn scopeguard<F: FnOnce()>(end: F) -> impl Drop {
    struct Guard<F: FnOnce()>(Option<F>);
    impl<F: FnOnce()> Drop for Guard<F> {
        fn drop(&mut self) {
            if let Some(end) = self.0.take() {
                end();
            }
        }
    }
    Guard(Some(end))
}
