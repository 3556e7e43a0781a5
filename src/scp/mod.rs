//! The DIMSE services we answer: C-ECHO and C-STORE. A door: it decides who may call with what,
//! translates a command to one call of the archive, and the outcome to a Status. Knows no SQL, no path
//! and no ZIP.
//!
//! Connections are accepted on the main runtime; each association then has a thread of its own with a
//! small runtime. Hashing and file writes block nobody else that way, and a panic ends one association.

mod conversation;
mod negotiate;
mod status;
mod store;
mod throttle;

use crate::archive::Archive;
use crate::config::{Dicom, Limits};
use crate::dimse::association::{Settings, Timers};
use crate::dimse::pdu::PduLimits;
use crate::domain::ae_title::AeTitle;
use crate::net::{Admission, Admitted};
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};
use throttle::Throttle;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// After a failed accept (out of file descriptors, mostly) others get time to leave.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The DIMSE service: its settings, what it hands arrivals to, and who is inside.
pub struct Scp {
    dicom: Dicom,
    self_check: Option<AeTitle>,
    settings: Settings,
    command_max: usize,
    archive: Archive,
    half_open: Admission,
    associations: Admission,
    per_peer: Admission<String>,
    strangers: Throttle<IpAddr>,
    not_dicom: Throttle<IpAddr>,
    crowded: Throttle<IpAddr>,
    /// By peer and status.
    refusals: Throttle<(String, u16)>,
}

impl Scp {
    /// `self_check` is the calling AE title under which our own self-check comes: let in for C-ECHO
    /// whoever is listed and however full we are.
    pub fn new(dicom: Dicom, limits: &Limits, archive: Archive, self_check: Option<AeTitle>) -> Arc<Self> {
        let length = |bytes: crate::config::units::Bytes| u32::try_from(bytes.get()).unwrap_or(u32::MAX);
        let count = |count: u32| usize::try_from(count).unwrap_or(usize::MAX);
        Arc::new(Self {
            dicom,
            self_check,
            settings: Settings {
                pdu: PduLimits {
                    associate_max: length(limits.associate_request_size),
                    data_announced: length(limits.pdu_announced),
                    data_tolerated: length(limits.pdu_tolerated),
                },
                timers: Timers {
                    artim: limits.associate_timeout.get(),
                    pdu: limits.pdu_timeout.get(),
                    idle: limits.idle_timeout.get(),
                    lifetime: limits.association_lifetime.get(),
                },
            },
            command_max: limits.command_size.as_usize(),
            archive,
            half_open: Admission::new(count(limits.half_open), count(limits.half_open_per_address)),
            associations: Admission::new(count(limits.associations), count(limits.associations_per_address)),
            per_peer: Admission::new(usize::MAX, count(limits.associations_per_peer)),
            strangers: Throttle::default(),
            not_dicom: Throttle::default(),
            crowded: Throttle::default(),
            refusals: Throttle::default(),
        })
    }
    /// Associations that are established now.
    pub fn associations(&self) -> usize {
        self.associations.held()
    }
}

/// Answers on `listener` until `stop`, then returns when every association has ended: idle ones at once,
/// one that is receiving an instance after that instance is answered.
pub async fn serve(listener: TcpListener, scp: Arc<Scp>, stop: CancellationToken) {
    // Every association holds a sender; when all are gone, all have ended.
    let (running, mut ended) = mpsc::channel::<()>(1);
    let mut number = 0_u64;
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, address)) => {
                number = number.wrapping_add(1);
                admit(&scp, stream, address.ip().to_canonical(), number, &stop, running.clone());
            }
            Err(error) => {
                tracing::warn!(%error, "a DICOM connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    drop(running);
    // Nothing is ever sent: this ends when the last sender is dropped.
    let _ = ended.recv().await;
}

/// Gives a new connection its thread, unless too many wait already.
fn admit(
    scp: &Arc<Scp>,
    stream: TcpStream,
    address: IpAddr,
    number: u64,
    stop: &CancellationToken,
    running: mpsc::Sender<()>,
) {
    let place = match scp.half_open.enter(address) {
        Ok(place) => place,
        Err(full) => {
            metrics::counter!("bluebridge_connections_dropped_total", "reason" => "half_open").increment(1);
            if let Some(kept_back) = scp.crowded.allow(address, Instant::now()) {
                tracing::warn!(peer.address = %address, kept_back, "connection closed unheard: {full}");
            }
            return;
        }
    };
    let (scp, stop) = (Arc::clone(scp), stop.clone());
    let thread = std::thread::Builder::new().name(format!("dicom-{number}")).spawn(move || {
        // Dropped last, after the association and its part file are gone.
        let _running = running;
        contained(number, || hold(&scp, stream, address, number, place, &stop));
    });
    if let Err(error) = thread {
        metrics::counter!("bluebridge_connections_dropped_total", "reason" => "thread").increment(1);
        tracing::error!(%error, "no thread for a DICOM connection");
    }
}

/// Runs one association to its end on a runtime of its own.
fn hold(scp: &Scp, stream: TcpStream, address: IpAddr, number: u64, place: Admitted, stop: &CancellationToken) {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "no runtime for a DICOM connection");
            return;
        }
    };
    // The socket moves from the accepting runtime to this one.
    let stream = stream.into_std();
    runtime.block_on(async {
        match stream.and_then(TcpStream::from_std).and_then(crate::net::DicomSocket::new) {
            Ok(socket) => conversation::hold(scp, socket, address, number, place, stop).await,
            Err(error) => tracing::debug!(%error, "connection lost before its first byte"),
        }
    });
}

/// A panic is our bug: counted, logged, and confined to the association it happened in.
fn contained(number: u64, run: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(run)).is_err() {
        metrics::counter!("bluebridge_panics_total").increment(1);
        tracing::error!(association.id = number, "panic: this association was ended, the others go on");
    }
}

#[cfg(test)]
mod tests;
