//! Builds the rooms from `Config` in order, runs doors and workers, stops them in reverse.
//!
//! Ready means: every listener listens, the index is migrated, and what an unclean stop left behind has
//! been looked at. Stopping means: no new work, running associations and downloads end within 30 s, the
//! archive drains its commits, the index closes with a checkpoint.

mod error;
mod rooms;
mod self_check;
pub mod tls;

pub use error::StartError;
pub use self_check::SelfCheck;

use crate::audit::Kind;
use crate::config::{Config, safety};
use crate::net;
use crate::scp;
use crate::telemetry::metrics;
use crate::web::{self, ServeLimits, ops::Readiness};
use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, StatusCode};
use rooms::Rooms;
use std::net::SocketAddr;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A daemon that is ready. Dropping it stops nothing; call [`Running::stop`].
pub struct Running {
    /// The addresses that were bound; they differ from the configured ones where those say port 0.
    pub dicom: SocketAddr,
    pub web: SocketAddr,
    pub patient: SocketAddr,
    config: Config,
    rooms: Rooms,
    readiness: Readiness,
    self_check: SelfCheck,
    stop: CancellationToken,
    doors: TaskTracker,
}

/// Starts everything; returns when it is ready.
pub async fn start(mut config: Config) -> Result<Running, StartError> {
    // Checked here too: not every caller comes by the command line.
    safety::check(&config)?;
    rooms::prepare_data_dir(&config.data_dir)?;
    let secured = tls::open(&config)?;
    // First the ports: a wrong one should be told before a long migration, and callers wait meanwhile.
    let dicom = net::listen(config.dicom.listen)?;
    let web_listener = net::listen(config.web.listen)?;
    let patient = net::listen(config.patient.listen)?;
    let (dicom_at, web_at, patient_at) = (local(&dicom)?, local(&web_listener)?, local(&patient)?);
    follow_bound_port(&mut config, patient_at);

    let rooms = Rooms::open(&config).await?;
    rooms.record(Kind::Start).await?;
    let control = net::listen_unix(&config.data_dir.join("control.sock")).await?;

    let readiness = Readiness::default();
    let handle = metrics::install();
    let shared = rooms.web(&config, readiness.clone(), handle.clone());
    let stop = CancellationToken::new();
    let doors = TaskTracker::new();
    let self_check = SelfCheck::new(dicom_at, &config, rooms.index.clone())?;
    let scp = rooms.scp(&config, &self_check);
    doors.spawn(scp::serve(dicom, scp, stop.clone()));
    let limits = ServeLimits::web(&config.limits, &config.web);
    doors.spawn(web::serve(web_listener, web::web_router(shared.clone()), limits, secured.web.clone(), stop.clone()));
    let limits = ServeLimits::patient(&config.limits, &config.patient);
    let pages = web::patient::router(rooms.patient(&config, readiness.clone(), handle));
    doors.spawn(web::serve(patient, pages, limits, secured.patient.clone(), stop.clone()));
    doors.spawn(net::tls::watch(secured.all(), stop.clone()));
    let limits = ServeLimits::control(&config.limits);
    doors.spawn(web::serve_control(control, web::control_router(shared), limits, stop.clone()));
    if let Some(oidc) = rooms.oidc() {
        // Beside the start: an issuer that is down must not keep images from coming in.
        tokio::spawn(async move { oidc.warm_up().await });
    }
    doors.close();
    readiness.set(true);
    Ok(Running { dicom: dicom_at, web: web_at, patient: patient_at, config, rooms, readiness, self_check, stop, doors })
}

impl Running {
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// What the watchdog asks: can a row be committed, and does our own DICOM port answer?
    pub fn self_check(&self) -> SelfCheck {
        self.self_check.clone()
    }

    /// Returns when storage failed in a way that only a restart may judge.
    pub async fn fatal(&self) {
        let mut fatal = self.rooms.archive.fatal();
        if fatal.wait_for(|fatal| *fatal).await.is_err() {
            std::future::pending().await
        }
    }

    /// No new work, then the running one, then the shelves.
    pub async fn stop(self) -> Result<(), StartError> {
        self.readiness.set(false);
        self.stop.cancel();
        self.doors.wait().await;
        let _ = std::fs::remove_file(self.config.data_dir.join("control.sock"));
        let noted = self.rooms.record(Kind::Stop).await;
        self.rooms.close().await?;
        noted
    }
}

/// Answers one request of the control socket's router without a daemon: the way of a command when none
/// runs.
pub async fn in_process(config: &Config, request: Request<Full<Bytes>>) -> Result<(StatusCode, Bytes), StartError> {
    rooms::prepare_data_dir(&config.data_dir)?;
    let rooms = Rooms::open(config).await?;
    let web = rooms.web(config, Readiness::default(), metrics::install());
    let answer = web::control::answer(web, request).await;
    rooms.close().await?;
    Ok(answer)
}

fn local(listener: &tokio::net::TcpListener) -> Result<SocketAddr, StartError> {
    listener.local_addr().map_err(StartError::Address)
}

/// A `public_url` on the configured loopback address with port 0 (demo and tests) names the bound port.
fn follow_bound_port(config: &mut Config, bound: SocketAddr) {
    if config.patient.listen.port() == 0 {
        let scheme = if config.patient.tls.is_some() { "https" } else { "http" };
        config.patient.public_url = format!("{scheme}://{bound}");
    }
    config.patient.listen = bound;
}
