//! What the last stop left behind: part files go, files without a row get one, rows without a file are
//! counted loudly and never dropped. After an unclean stop the index and the newest objects are re-read.

use super::quarantine::{self, Record};
use super::recheck::{self, Unfinished};
use super::shared::{Chain, Shared};
use super::{ArchiveError, Source, remove};
use crate::domain::instance::StoredFile;
use crate::domain::reading::Reading;
use crate::domain::transfer_syntax;
use crate::index::{Batch, Existing, IndexError, NewInstance};
use crate::store::{Digests, Folder, StoreError, part10};
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::runtime::Handle;

/// The setting that says when the objects were last known to be whole, and whether the stop was clean.
const MARK: &str = "archive.mark";
const STOPPED: &str = "stopped";
const RUNNING: &str = "running";
/// Clocks of file systems are coarse, and a mark is written a moment after what it covers.
const SLACK_MS: i64 = 60_000;
/// How often a running archive moves its mark up. What was synced an hour before a crash is past what a
/// disk's cache can lose, so a re-check after months of running is no longer than one after a day.
const MARK_MOVES_EVERY_MS: i64 = 3_600_000;
const ORPHANS_AT_ONCE: usize = 32;

/// What the start found and did.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct ReconcileReport {
    /// The last stop left its mark, or this is the first start.
    pub clean: bool,
    pub parts_removed: usize,
    /// Files of what had been deleted that were still in their old places.
    pub put_away: usize,
    /// Files without a row that got one.
    pub indexed: usize,
    /// Files that hold other bytes than their name says, or stand against a row: now in quarantine.
    pub set_aside: usize,
    /// Files without a row that took the place of a missing or short file with the same bytes.
    pub mended: usize,
    /// Files without a row whose bytes are stored already: removed.
    pub leftovers_removed: usize,
    /// Rows whose file is not there.
    pub missing: usize,
    /// Rows whose file holds other bytes.
    pub damaged: usize,
    /// Objects re-read after an unclean stop, so far.
    pub rechecked: usize,
    /// Older ones are still being re-read while the archive serves.
    pub recheck_goes_on: bool,
}

pub(super) async fn at_start(shared: &Arc<Shared>) -> Result<(ReconcileReport, Option<Unfinished>), ArchiveError> {
    let mark = shared.index.get_setting(MARK).await.map_err(index_error)?.unwrap_or_default();
    let (word, ms) = mark.split_once(' ').unwrap_or_default();
    let since_ms = ms.parse::<i64>().ok();
    let mut report = ReconcileReport { clean: word != RUNNING, ..ReconcileReport::default() };
    report.parts_removed = shared.store.remove_parts()?;
    remove_lone_reasons(shared)?;
    if !report.clean {
        shared.index.quick_check().await.map_err(index_error)?;
    }
    // First what was deleted: its files have no row and are not to get one.
    report.put_away = remove::move_all(shared).await?;
    // Without a mark every object is looked at: an index that was lost is made again from the files.
    adopt_orphans(shared, since_ms.map_or(i64::MIN, |ms| ms.saturating_sub(SLACK_MS)), &mut report).await?;
    let mut unfinished = None;
    let started_ms = shared.clock.now_ms();
    if let (false, Some(since_ms)) = (report.clean, since_ms) {
        unfinished = recheck::begin(shared, since_ms.saturating_sub(SLACK_MS), started_ms, &mut report).await?;
    }
    let known_whole_ms = if unfinished.is_some() { since_ms.unwrap_or(started_ms) } else { started_ms };
    shared.recheck_pending.store(unfinished.is_some(), Ordering::SeqCst);
    put_mark(shared, RUNNING, known_whole_ms).await.map_err(index_error)?;
    if report.missing + report.damaged + report.set_aside > 0 {
        tracing::error!("stored instances are missing or damaged; `bluebridge verify --full` names the files");
    }
    Ok((report, unfinished))
}

/// One line for the log.
impl fmt::Display for ReconcileReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "last stop was {}: {} part files removed, {} deleted files put away, {} objects indexed, {} mended, {} leftovers removed, {} set aside, \
             {} re-read{}, {} missing, {} damaged",
            if self.clean { "clean" } else { "not clean" },
            self.parts_removed,
            self.put_away,
            self.indexed,
            self.mended,
            self.leftovers_removed,
            self.set_aside,
            self.rechecked,
            if self.recheck_goes_on { " and more to come" } else { "" },
            self.missing,
            self.damaged,
        )
    }
}

async fn put_mark(shared: &Shared, word: &str, ms: i64) -> Result<(), IndexError> {
    shared.mark_ms.store(ms, Ordering::SeqCst);
    shared.index.put_setting(MARK, &format!("{word} {ms}")).await
}

/// The clean-stop mark; not after a failed sync, and not while a re-check is unfinished.
pub(super) async fn leave_mark(shared: &Shared) {
    if shared.check_intake().is_err() || shared.recheck_pending.load(Ordering::SeqCst) {
        return;
    }
    if let Err(error) = put_mark(shared, STOPPED, shared.clock.now_ms()).await {
        tracing::warn!(error = %Chain(&error), "the clean-stop mark could not be kept; the next start re-checks");
    }
}

/// All objects were whole at `ms`.
pub(super) async fn checked(shared: &Shared, ms: i64) {
    shared.recheck_pending.store(false, Ordering::SeqCst);
    if let Err(error) = put_mark(shared, RUNNING, ms).await {
        tracing::warn!(error = %Chain(&error), "the re-check's mark could not be kept; the next start repeats it");
    }
}

/// Between batches: moves the mark up once an hour, to an hour ago.
pub(super) fn move_mark(shared: &Shared, runtime: &Handle) {
    let hour_ago = shared.clock.now_ms().saturating_sub(MARK_MOVES_EVERY_MS);
    let due = shared.mark_ms.load(Ordering::SeqCst).saturating_add(MARK_MOVES_EVERY_MS) < hour_ago;
    if due && shared.check_intake().is_ok() && !shared.recheck_pending.load(Ordering::SeqCst) {
        runtime.block_on(checked(shared, hour_ago));
    }
}

/// A reason whose bytes never came.
fn remove_lone_reasons(shared: &Shared) -> Result<(), StoreError> {
    let names = shared.store.names_aside(Folder::Quarantine)?;
    for id in names.iter().filter_map(|name| name.strip_suffix(".json")) {
        if names.binary_search(&format!("{id}.dcm")).is_err() {
            shared.store.disk().remove(&quarantine::reason_path(&shared.store, id))?;
        }
    }
    Ok(())
}

async fn adopt_orphans(shared: &Shared, since_ms: i64, report: &mut ReconcileReport) -> Result<(), ArchiveError> {
    for directory in shared.store.object_directories(since_ms)? {
        let mut orphans = shared.store.objects_in(&directory)?;
        let rows = shared.index.files_in(&directory).await.map_err(index_error)?;
        let named: BTreeSet<_> = rows.into_iter().map(|(_, file)| file.path).collect();
        orphans.retain(|(path, _)| !named.contains(path));
        for orphans in orphans.chunks(ORPHANS_AT_ONCE) {
            adopt(shared, &directory, orphans, report).await?;
        }
    }
    Ok(())
}

async fn adopt(
    shared: &Shared,
    directory: &str,
    orphans: &[(String, [u8; 32])],
    report: &mut ReconcileReport,
) -> Result<(), ArchiveError> {
    let mut found = Vec::new();
    for (path, sha256) in orphans {
        match read_object(shared, path, sha256) {
            Ok(Ok(instance)) => found.push(instance),
            Ok(Err(record)) => set_aside(shared, path, &record, report)?,
            // It was never acknowledged, or its row would name it; the next start looks again.
            Err(error) => {
                tracing::error!(file = path, error = %error, "an object without a row cannot be read");
                report.damaged += 1;
            }
        }
    }
    let uids: Vec<_> = found.iter().map(|new| new.facts.sop_instance_uid.clone()).collect();
    let existing = shared.index.existing(&uids).await.map_err(index_error)?;
    let mut batch = Batch::default();
    for new in found {
        let rival = batch
            .instances
            .iter()
            .any(|other: &NewInstance| other.facts.sop_instance_uid == new.facts.sop_instance_uid);
        match existing.get(&new.facts.sop_instance_uid) {
            None if !rival => batch.instances.push(new),
            Some(first) if first.file.sha256 == new.file.sha256 && is_whole(shared, first)? => {
                shared.store.remove_object(&new.file.path)?;
                report.leftovers_removed += 1;
            }
            Some(first) if first.file.sha256 == new.file.sha256 => {
                tracing::warn!(file = first.file.path, "an object that was missing or cut short is mended by its twin");
                shared.store.move_object(&new.file.path, &first.file.path)?;
                report.mended += 1;
            }
            _ => {
                let record = record_of(&new.file.path, "orphan-conflict", new.received_at_ms, new.file.size_bytes);
                set_aside(shared, &new.file.path, &record, report)?;
            }
        }
    }
    if batch.instances.is_empty() {
        return Ok(());
    }
    shared.store.sync_objects(directory)?;
    report.indexed += batch.instances.len();
    shared.index.record(batch).await.map_err(index_error)
}

fn is_whole(shared: &Shared, first: &Existing) -> Result<bool, StoreError> {
    Ok(shared.store.size(&first.file.path)? == Some(first.file.size_bytes))
}

/// Reads an object as if it arrived; `Err` says why it cannot get a row.
fn read_object(shared: &Shared, path: &str, sha256: &[u8; 32]) -> Result<Result<NewInstance, Record>, StoreError> {
    let reader = shared.store.read(path)?;
    let received_at_ms = reader.modified_ms()?;
    let size_bytes = reader.size_bytes();
    let refused = |reason| Ok(Err(record_of(path, reason, received_at_ms, size_bytes)));
    let mut start = vec![0; 1024];
    let read = reader.read_at(&mut start, 0).map_err(StoreError::reading)?;
    start.truncate(read);
    let header = part10::parse(&start);
    let syntax = header.as_ref().and_then(|(.., syntax, _)| transfer_syntax::lookup(syntax.as_str()));
    let mut reading = syntax.map(|syntax| Reading::of_stored(syntax, super::read_limits(&shared.limits)));
    let mut skip = header.as_ref().map_or(0, |(.., length)| *length);
    let mut outcome = Ok(());
    let Digests { sha256: found, crc32, .. } = reader.digest(|portion| {
        let dataset = portion.get(skip..).unwrap_or_default();
        skip = skip.saturating_sub(portion.len());
        if let (Some(reading), Ok(())) = (&mut reading, &outcome) {
            outcome = reading.feed(dataset);
        }
    })?;
    if found != *sha256 {
        return refused("wrong-digest");
    }
    let (Some((class, instance, transfer_syntax_uid, length)), Some(reading), Ok(())) = (header, reading, outcome)
    else {
        return refused("undecodable");
    };
    let Ok(facts) = reading.finish() else { return refused("undecodable") };
    if facts.sop_class_uid != class || facts.sop_instance_uid != instance {
        return refused("mismatch");
    }
    reader.sync(shared.store.disk())?;
    let file = StoredFile {
        path: path.to_owned(),
        size_bytes,
        crc32,
        sha256: *sha256,
        dataset_offset: u32::try_from(length).unwrap_or(u32::MAX),
        transfer_syntax_uid,
    };
    Ok(Ok(NewInstance { facts, file, received_at_ms, source: Source::default() }))
}

fn record_of(path: &str, reason: &str, received_at_ms: i64, size_bytes: u64) -> Record {
    Record { reason: reason.to_owned(), detail: Some(path.to_owned()), received_at_ms, size_bytes, ..Record::default() }
}

fn set_aside(shared: &Shared, path: &str, record: &Record, report: &mut ReconcileReport) -> Result<(), StoreError> {
    let id = ulid::Ulid::generate().to_string();
    let json = serde_json::to_vec_pretty(record).unwrap_or_default();
    shared.store.write_small(&quarantine::reason_path(&shared.store, &id), &json)?;
    shared.store.set_object_aside(path, &id)?;
    report.set_aside += 1;
    Ok(())
}

pub(super) fn index_error(error: IndexError) -> ArchiveError {
    ArchiveError::Index(Arc::new(error))
}
