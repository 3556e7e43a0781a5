//! A certificate that was replaced on disk is served without a restart: connections that exist keep what
//! they have, new ones get the new one. Tools write certificate and key one after the other, so files are
//! looked at only when they have stayed as they are from one look to the next.

use super::{Fingerprint, Served, Tls, Validity};
use std::sync::PoisonError;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

const LOOK_EVERY: Duration = Duration::from_secs(1);
const REMIND_EVERY: Duration = Duration::from_hours(24);
/// When an operator should hear of it: renewal tools replace certificates a month ahead.
pub const SOON: Duration = Duration::from_hours(14 * 24);

fn day(at_s: i64) -> String {
    jiff::Timestamp::from_second(at_s)
        .map_or_else(|_| "a day beyond the calendar".into(), |at| at.strftime("%Y-%m-%d").to_string())
}

impl Validity {
    /// The day of its end, in UTC.
    pub fn until(&self) -> String {
        day(self.not_after_s)
    }
    /// What is worth saying at `now_s`; `None` while all is well.
    pub fn warning(&self, now_s: i64) -> Option<String> {
        let left_s = self.not_after_s.saturating_sub(now_s);
        let soon_s = i64::try_from(SOON.as_secs()).unwrap_or(i64::MAX);
        if now_s < self.not_before_s {
            Some(format!("the certificate holds only from {} on: is the clock right?", day(self.not_before_s)))
        } else if left_s <= 0 {
            Some(format!("the certificate expired on {}: callers refuse it; replace the files", day(self.not_after_s)))
        } else if left_s < soon_s {
            Some(format!("the certificate expires on {}: replace the files", day(self.not_after_s)))
        } else {
            None
        }
    }
    pub fn is_expired(&self, now_s: i64) -> bool {
        self.not_after_s <= now_s
    }
}

/// Looks after `all` until `stop`: reloads on SIGHUP and when files change, reminds of expiry. With none
/// it still takes SIGHUP, which would otherwise end the daemon.
pub async fn watch(all: Vec<Tls>, stop: CancellationToken) {
    let mut hangup = match signal(SignalKind::hangup()) {
        Ok(hangup) => Some(hangup),
        Err(error) => {
            tracing::warn!(%error, "SIGHUP will not reload certificates; changed files still do");
            None
        }
    };
    let mut look = tokio::time::interval(LOOK_EVERY);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut remind = tokio::time::interval(REMIND_EVERY);
    let mut seen: Vec<Fingerprint> = all.iter().map(|tls| tls.0.settings.fingerprint()).collect();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = look.tick() => {
                for (tls, before) in all.iter().zip(&mut seen) {
                    tls.look(before).await;
                }
            }
            () = hung_up(hangup.as_mut()) => {
                for tls in &all {
                    tls.reload().await;
                }
            }
            _ = remind.tick() => {
                for tls in &all {
                    let now_s = jiff::Timestamp::now().as_second();
                    if let Some(warning) = tls.validity().warning(now_s) {
                        tracing::warn!("{}: {warning}", tls.section());
                    }
                }
            }
        }
    }
}

async fn hung_up(signal: Option<&mut tokio::signal::unix::Signal>) {
    match signal {
        Some(signal) => {
            signal.recv().await;
        }
        None => std::future::pending().await,
    }
}

impl Tls {
    /// Reloads when the files differ from those tried last and have been at rest since `before`.
    pub(super) async fn look(&self, before: &mut Fingerprint) {
        let now = self.0.settings.fingerprint();
        let at_rest = now == *before;
        *before = now.clone();
        let new = *self.0.tried.lock().unwrap_or_else(PoisonError::into_inner) != now;
        if at_rest && new {
            self.reload().await;
        }
    }

    /// Reads the files again. What cannot be served is told once, and the old certificate stays.
    pub async fn reload(&self) -> bool {
        let tls = self.clone();
        let loaded = tokio::task::spawn_blocking(move || {
            let fingerprint = tls.0.settings.fingerprint();
            *tls.0.tried.lock().unwrap_or_else(PoisonError::into_inner) = fingerprint;
            tls.0.settings.load()
        });
        let section = self.section();
        let outcome = match loaded.await {
            // Nobody would take it, and the one before may still be good.
            Ok(Ok(loaded)) if loaded.validity.is_expired(jiff::Timestamp::now().as_second()) => {
                let until = loaded.validity.until();
                tracing::error!(
                    "{section}: the new certificate expired on {until}; the one read before stays in service"
                );
                "failed"
            }
            Ok(Ok(loaded)) => {
                let served = Served { config: loaded.config, validity: loaded.validity };
                *self.0.served.write().unwrap_or_else(PoisonError::into_inner) = served;
                self.gauge();
                tracing::info!("{section}: the certificate was read again and is served to new connections");
                "ok"
            }
            Ok(Err(error)) => {
                tracing::error!("{error}; the certificate read before stays in service");
                "failed"
            }
            Err(_) => "failed",
        };
        metrics::counter!("bluebridge_tls_reloads_total", "section" => section, "outcome" => outcome).increment(1);
        outcome == "ok"
    }
}
