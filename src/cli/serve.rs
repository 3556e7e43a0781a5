//! `bluebridge serve`: readiness to systemd, SIGTERM drains, then exits.

use super::{Checked, Failure, Outcome};
use crate::app::{self, StartError};
use crate::telemetry;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

pub fn run((config, notices): Checked) -> Outcome {
    telemetry::init(&config.log).map_err(Failure::usage)?;
    raise_open_files();
    runtime()?.block_on(async {
        for notice in &notices {
            tracing::warn!("{notice}");
        }
        let running = app::start(config).await.map_err(failure)?;
        tell_systemd(&running);
        super::footprint::shrink();
        let ended = until_told(&running).await?;
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
        tracing::info!(reason = ended, "stopping: no new work; running associations and downloads may finish");
        running.stop().await.map_err(Failure::failed)?;
        tracing::info!("stopped");
        if ended == FATAL {
            return Err(Failure::Failed(
                "storage failed while an instance was being made durable; nothing of it was acknowledged. Look at the \
                 disk, then start again: what may be affected is re-checked"
                    .into(),
            ));
        }
        Ok(())
    })
}

const FATAL: &str = "storage failed";

/// Connections and files together may exceed the usual soft limit of 1,024.
fn raise_open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = maximum.unwrap_or(u64::MAX).min(8192);
    if current.is_some_and(|current| current < wanted)
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum })
    {
        tracing::warn!(%error, "the limit of open files could not be raised");
    }
}

/// Few threads for blocking work, so that the process stays below its TasksMax.
pub(super) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread().enable_all().max_blocking_threads(64).build().map_err(Failure::failed)
}

/// A start that fails because of what was configured is the operator's to mend: exit 2.
pub(super) fn failure(error: StartError) -> Failure {
    match error.is_configuration() {
        true => Failure::usage(error),
        false => Failure::failed(error),
    }
}

pub(super) async fn until_told(running: &app::Running) -> Result<&'static str, Failure> {
    let mut terminate = signal(SignalKind::terminate()).map_err(Failure::failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Failure::failed)?;
    Ok(tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
        () = running.fatal() => FATAL,
    })
}

/// READY=1 after every listener listens; then the watchdog, fed only by a self-check that commits a row
/// and calls our own DICOM port. Without systemd both are no-ops.
fn tell_systemd(running: &app::Running) {
    let status = format!("DICOM on {}, web on {}, patients on {}", running.dicom, running.web, running.patient);
    tracing::info!("ready: {status}");
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready, sd_notify::NotifyState::Status(&status)]);
    let Some(period) = sd_notify::watchdog_enabled() else { return };
    let check = running.self_check();
    tokio::spawn(async move {
        let mut tick = tokio::time::interval((period / 2).max(Duration::from_millis(500)));
        loop {
            tick.tick().await;
            match check.run().await {
                Ok(()) => {
                    let _ = sd_notify::notify(&[sd_notify::NotifyState::Watchdog]);
                }
                Err(error) => tracing::error!("self-check failed, the watchdog is not fed: {error}"),
            }
        }
    });
}
