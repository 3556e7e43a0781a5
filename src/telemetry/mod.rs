//! Logs without patient data, and the list of all metrics.
//!
//! No name, patient ID, accession number, birth date, token or URL is ever logged: the values that hold
//! them have no `Display`, routes are logged as templates, and `tests/capabilities/privacy.rs` looks for planted
//! markers in everything that is written.

pub mod metrics;

use crate::config::{Log, LogFormat};
use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    #[error("[log] level = {0:?} is not a filter; write error, warn, info, debug, or info,bluebridge::scp=debug")]
    Filter(String),
    #[error("[log] format = \"journald\", but the journal cannot be reached: {0}")]
    Journal(std::io::Error),
    #[error("logging was already set up")]
    Twice,
}

/// Starts logging to stderr or the journal. Panics are logged with their place and without their text,
/// which could hold a value from a data set.
pub fn init(log: &Log) -> Result<(), TelemetryError> {
    let filter = filter(log)?;
    let format = match log.format {
        LogFormat::Auto if started_by_systemd() => LogFormat::Journald,
        LogFormat::Auto if std::io::stderr().is_terminal() => LogFormat::Text,
        LogFormat::Auto => LogFormat::Json,
        chosen => chosen,
    };
    let registry = tracing_subscriber::registry().with(filter);
    let set = match format {
        LogFormat::Journald => registry.with(tracing_journald::layer().map_err(TelemetryError::Journal)?).try_init(),
        LogFormat::Json => registry
            .with(tracing_subscriber::fmt::layer().json().flatten_event(true).with_writer(std::io::stderr))
            .try_init(),
        LogFormat::Text | LogFormat::Auto => registry
            .with(
                tracing_subscriber::fmt::layer()
                    .with_target(false)
                    .with_ansi(std::io::stderr().is_terminal())
                    .with_writer(std::io::stderr),
            )
            .try_init(),
    };
    set.map_err(|_| TelemetryError::Twice)?;
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map_or_else(String::new, |at| format!("{}:{}", at.file(), at.line()));
        tracing::error!(panic.place = place, "a task ended in a panic; please report this line");
    }));
    Ok(())
}

/// The filter of `[log] level`, for `bluebridge check` too.
pub fn filter(log: &Log) -> Result<EnvFilter, TelemetryError> {
    EnvFilter::try_new(&log.level).map_err(|_| TelemetryError::Filter(log.level.clone()))
}

/// systemd sets `JOURNAL_STREAM` when our stderr is connected to the journal.
fn started_by_systemd() -> bool {
    std::env::var_os("JOURNAL_STREAM").is_some() && !std::io::stderr().is_terminal()
}
