//! Downloads under a ticket: admitted, counted, and ended in the middle when the link is revoked.

use super::live::Running;
use super::meter::in_units;
use super::package::PackageStream;
use super::session::Session;
use super::ticket::{self, Ticket};
use super::token::LinkKey;
use super::{Access, AccessError, Studies, trail, verify};
use crate::domain::uid::StudyInstanceUid;
use crate::index::links::LinkRow;
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use sha2::{Digest, Sha256};
use std::io;
use std::net::IpAddr;

pub(super) const WEEK_MS: i64 = 7 * 86_400_000;
/// How many sent bytes may be forgotten when the process dies.
pub(super) const KEPT_EVERY: u64 = 16 << 20;
/// Sent bytes are counted in whole units of this.
pub(super) const UNIT: u64 = 64 << 10;

/// What a ticket opens: read fresh, so a revoked or expired link has none.
#[derive(Debug)]
pub struct Opened {
    pub ticket: Ticket,
    pub link_id: String,
    /// The studies of the package; a ticket for all of the link's studies names none.
    pub studies: Vec<StudyInstanceUid>,
    /// Whether the package is the link's, not one study's.
    pub whole_link: bool,
    row: LinkRow,
    text_sha256: [u8; 32],
}

/// Whether a range may be sent now.
#[derive(Debug)]
pub enum Admission {
    Go(Download),
    /// Revoked between opening and now.
    Gone,
    /// As many downloads of this link are running as may.
    Busy,
    /// The week's bytes are used up.
    Much {
        seconds: u64,
    },
}

impl Access {
    /// A ticket for one study of the session's link, or for all of them.
    pub fn ticket(
        &self,
        session: &Session,
        study: Option<&StudyInstanceUid>,
        etag: &str,
    ) -> Result<String, AccessError> {
        let life_s = self.0.link.ticket_lifetime.get().as_secs();
        let now_s = self.0.clock.now_ms().max(0).unsigned_abs() / 1000;
        let study = study.map(ticket::study_digest).unwrap_or_default();
        let package = ticket::package_digest(etag);
        Ticket { link: session.link.head(), study, package, expires_s: now_s.saturating_add(life_s) }
            .write(&self.0.ring, &self.0.origin)
    }

    /// `None` for anything but a living ticket of a living link.
    pub async fn open_ticket(&self, text: &str) -> Result<Option<Opened>, AccessError> {
        let now_ms = self.0.clock.now_ms();
        let Some(ticket) = Ticket::read(&self.0.ring, &self.0.origin, text, now_ms) else { return Ok(None) };
        let Some(row) = self.0.index.link_by_id(&ticket.link_id()).await? else { return Ok(None) };
        if !verify::opens(&row, now_ms) {
            return Ok(None);
        }
        let Studies { shown, .. } = self.studies_of(&row).await?;
        let whole_link = ticket.study == [0; 8];
        let studies: Vec<_> = shown
            .into_iter()
            .map(|found| found.study)
            .filter(|study| whole_link || ticket::study_digest(study) == ticket.study)
            .collect();
        let text_sha256 = Sha256::digest(text).into();
        let opened = Opened { ticket, link_id: row.link_id.clone(), studies, whole_link, row, text_sha256 };
        Ok((!opened.studies.is_empty()).then_some(opened))
    }

    /// Admits one range of a package of `package_bytes`. The first of a ticket writes the audit row; if
    /// that cannot be written, nothing is sent.
    pub async fn begin_download(
        &self,
        opened: &Opened,
        instances: u64,
        package_bytes: u64,
        from: IpAddr,
    ) -> Result<Admission, AccessError> {
        let link = LinkKey(opened.row.lid_sha256);
        // Entered before the row is asked, see `Running`.
        let Some(running) = self.0.live.enter(link, self.0.link.downloads_at_once) else { return Ok(Admission::Busy) };
        let now_ms = self.0.clock.now_ms();
        let Some(row) = self.0.index.link(link.bytes()).await?.filter(|row| verify::opens(row, now_ms)) else {
            return Ok(Admission::Gone);
        };
        let week_over_ms = row.week_began_at_ms.saturating_add(WEEK_MS);
        // In the units that are counted, or a small package would be used up by their rounding.
        let package_units = in_units(package_bytes);
        let allowed = package_units.saturating_mul(u64::from(self.0.link.package_sizes_per_week));
        if now_ms < week_over_ms && row.week_bytes >= allowed {
            let left_ms = week_over_ms.saturating_sub(now_ms).unsigned_abs();
            return Ok(Admission::Much { seconds: left_ms.div_ceil(1000) });
        }
        let expires_ms = i64::try_from(opened.ticket.expires_s.saturating_mul(1000)).unwrap_or(i64::MAX);
        let studies = &opened.studies;
        self.0
            .index
            .first_use_of_ticket(&opened.text_sha256, expires_ms, now_ms, link.bytes(), |row| {
                row.downloads = row.downloads.saturating_add(1);
                vec![trail::downloaded(row, from, studies, instances, package_bytes)]
            })
            .await?;
        Ok(Admission::Go(Download { access: self.clone(), link, running, sent: 0, kept: 0 }))
    }

    pub(super) async fn keep_sent(&self, link: LinkKey, bytes: u64) {
        let now_ms = self.0.clock.now_ms();
        let kept = self.0.index.change_link(link.bytes(), |row| {
            if now_ms >= row.week_began_at_ms.saturating_add(WEEK_MS) {
                row.week_began_at_ms = now_ms;
                row.week_bytes = 0;
            }
            row.week_bytes = row.week_bytes.saturating_add(bytes);
            row.bytes = row.bytes.saturating_add(bytes);
            ((), Vec::new())
        });
        if let Err(error) = kept.await {
            tracing::warn!(link.id = link.id(), %error, "bytes sent could not be counted");
        }
    }
}

/// One running range. Dropping it frees its place and counts what was sent.
#[derive(Debug)]
pub struct Download {
    access: Access,
    link: LinkKey,
    running: Running,
    sent: u64,
    kept: u64,
}

impl Download {
    /// The bytes of `package`, until they end or the link is revoked; then the last item is an error, so
    /// that the connection breaks instead of looking complete.
    pub fn guard(self, package: PackageStream) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
        stream::unfold((self, package, false), |(mut download, mut package, over)| async move {
            if over {
                return None;
            }
            let next = tokio::select! {
                biased;
                () = download.running.ended() => Some(Err(io::Error::other("the link was revoked"))),
                next = package.next() => next,
            }?;
            if let Ok(bytes) = &next {
                download.count(bytes.len() as u64);
            }
            let over = next.is_err();
            Some((next, (download, package, over)))
        })
    }

    fn count(&mut self, bytes: u64) {
        self.sent = self.sent.saturating_add(bytes);
        if self.sent.saturating_sub(self.kept) >= KEPT_EVERY {
            self.keep();
        }
    }

    fn keep(&mut self) {
        let bytes = in_units(self.sent.saturating_sub(self.kept));
        self.kept = self.sent;
        let (access, link) = (self.access.clone(), self.link);
        if bytes > 0
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(async move { access.keep_sent(link, bytes).await });
        }
    }
}

impl Drop for Download {
    fn drop(&mut self) {
        self.keep();
    }
}
