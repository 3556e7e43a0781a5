//! What only SQLite has, in one place: how connections are set up, the version check, checkpoints,
//! matching with `GLOB`, full text.
//!
//! The WAL is bounded so: the writer never checkpoints while it commits (`wal_autocheckpoint = 0`). A
//! connection of its own checkpoints, PASSIVE, after [`CHECKPOINT_BYTES`] were written or when writing
//! has paused; when the WAL has grown beyond [`WAL_PAGES_MAX`] it does so once more with the writer's
//! lock held, so that it reaches the end and the next commit starts the WAL over.

use super::IndexError;
use super::matching::Sql;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Row};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The first version without the WAL-reset bug (sqlite.org/wal.html).
const OLDEST_VERSION: i64 = 3_051_003;
/// Written bytes after which the checkpointer runs: some 1,000 pages.
pub(super) const CHECKPOINT_BYTES: u64 = 4 << 20;
/// The WAL's size at which a checkpoint is finished under the writer's lock: 16 MiB.
const WAL_PAGES_MAX: i64 = 4096;
/// What is kept of the WAL's file when it starts over.
const WAL_BYTES_KEPT: &str = "33554432";
/// Steps of SQLite's machine between two looks at the clock: well under a millisecond.
const STEPS_BETWEEN_LOOKS: i32 = 4000;

fn options(file: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(5))
        .pragma("mmap_size", "0")
        .pragma("trusted_schema", "OFF")
        .pragma("temp_store", "MEMORY")
        .disable_statement_logging()
        .row_buffer_size(512)
        .statement_cache_capacity(64)
}

/// The connection that writes: 2 MiB of page cache.
pub(super) async fn writer(file: &Path) -> Result<SqliteConnection, IndexError> {
    let options = options(file)
        .pragma("wal_autocheckpoint", "0")
        .pragma("cache_size", "-2048")
        .pragma("journal_size_limit", WAL_BYTES_KEPT);
    Ok(options.connect().await?)
}

/// The connection that checkpoints.
pub(super) async fn checkpointer(file: &Path) -> Result<SqliteConnection, IndexError> {
    let options = options(file).pragma("wal_autocheckpoint", "0").pragma("cache_size", "-64");
    Ok(options.connect().await?)
}

/// The time until which a reader may work, in milliseconds after the start of the process.
#[derive(Clone)]
pub(super) struct Deadline {
    began: Instant,
    until_ms: Arc<AtomicU64>,
}

impl Deadline {
    fn new() -> Self {
        Self { began: Instant::now(), until_ms: Arc::new(AtomicU64::new(u64::MAX)) }
    }
    pub(super) fn set(&self, within: Duration) {
        let until = self.began.elapsed().saturating_add(within).as_millis();
        self.until_ms.store(u64::try_from(until).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
    pub(super) fn lift(&self) {
        self.until_ms.store(u64::MAX, Ordering::Relaxed);
    }
    fn passed(&self) -> bool {
        let until = self.until_ms.load(Ordering::Relaxed);
        until != u64::MAX && self.began.elapsed().as_millis() >= u128::from(until)
    }
}

/// A connection that only reads, with 1 MiB of page cache, interrupted when its deadline passes.
pub(super) async fn reader(file: &Path) -> Result<(SqliteConnection, Deadline), IndexError> {
    let options = options(file).create_if_missing(false).pragma("cache_size", "-1024").pragma("query_only", "ON");
    let mut connection = options.connect().await?;
    let deadline = Deadline::new();
    let watched = deadline.clone();
    connection.lock_handle().await?.set_progress_handler(STEPS_BETWEEN_LOOKS, move || !watched.passed());
    Ok((connection, deadline))
}

/// Refuses a SQLite with the WAL-reset bug.
pub(super) async fn check_version(connection: &mut SqliteConnection) -> Result<(), IndexError> {
    let row = sqlx::query("SELECT sqlite_version()").fetch_one(connection).await?;
    let version: String = row.try_get(0)?;
    let number = version
        .split('.')
        .take(3)
        .fold(0_i64, |sum, part| sum.saturating_mul(1000).saturating_add(part.parse().unwrap_or(0)));
    if number < OLDEST_VERSION { Err(IndexError::TooOld(version)) } else { Ok(()) }
}

/// `PRAGMA quick_check`: the structure of every page, without comparing indexes with tables.
pub(super) async fn quick_check(connection: &mut SqliteConnection) -> Result<(), IndexError> {
    let row = sqlx::query("PRAGMA quick_check(1)").fetch_one(connection).await?;
    match row.try_get::<String, _>(0)?.as_str() {
        "ok" => Ok(()),
        _ => Err(IndexError::Corrupt("quick_check found damage".into())),
    }
}

/// Copies the WAL into the file as far as no reader is in the way. `true`: the WAL is long and was not
/// reached to its end, so the writer should pause for the next try.
pub(super) async fn checkpoint(connection: &mut SqliteConnection) -> Result<bool, IndexError> {
    let row = sqlx::query("PRAGMA wal_checkpoint(PASSIVE)").fetch_one(connection).await?;
    let (pages, copied): (i64, i64) = (row.try_get(1)?, row.try_get(2)?);
    Ok(pages > WAL_PAGES_MAX && copied < pages)
}

/// Copies all of the WAL and empties it; at the orderly end.
pub(super) async fn checkpoint_at_end(connection: &mut SqliteConnection) -> Result<(), IndexError> {
    sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(connection).await?;
    Ok(())
}

/// `value` matches a pattern of `*` and `?`. `GLOB` has the same two, and is case-sensitive; its `[` is
/// kept from meaning anything.
pub(super) fn push_wildcard(sql: &mut Sql, value: &str, pattern: &str) {
    sql.push(value).push(" GLOB ").push_bind(pattern.replace('[', "[[]"));
}

/// The studies of the terms that hold every one of `parts` (each of three characters or more), found
/// through the trigram index, one after the other as they are asked for.
pub(super) fn push_from_terms_with(sql: &mut Sql, parts: &[String]) {
    let phrases: Vec<String> = parts.iter().map(|part| format!("\"{}\"", part.replace('"', "\"\""))).collect();
    sql.push(
        " FROM term_text CROSS JOIN term ON term.id = term_text.rowid
          CROSS JOIN term_study ON term_study.term_id = term.id WHERE term_text MATCH ",
    );
    sql.push_bind(phrases.join(" AND "));
}

/// The fewest characters that the trigram index finds.
pub(super) const TEXT_INDEX_CHARACTERS: usize = 3;

/// A walk over every study in the order of the answers.
pub(super) const STUDIES_NEWEST_FIRST: &str = "study INDEXED BY study_newest";
