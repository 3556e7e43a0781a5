//! A batch of instances in one transaction: study, series and instance rows with their aggregates,
//! conflicts, quarantine, audit rows.
//!
//! This stands between a file's sync and every C-STORE answer, and each statement crosses to the
//! connection's thread and back. So a batch is two crossings whatever its size: one begins and reads the
//! instances, studies and series concerned, one writes everything and commits. Files get their names in
//! between, so that whoever names them knows what is there and nobody else can write meanwhile. Rows travel as JSON lists, blobs as
//! one blob that SQL cuts apart; statements are the same for every batch and stay prepared.

use super::columns;
use super::states::{SeriesState, StudyState};
use super::trail;
use super::writer::Turn;
use super::{Batch, Existing, Index, IndexError, NewConflict, NewInstance, NewQuarantined};
use crate::audit::{Actor, Event, Kind, Outcome, RecordId};
use crate::domain::arrival::{Severity, Source, Uploader};
use crate::domain::attributes::tags;
use crate::domain::instance::InstanceFacts;
use crate::domain::level::Level;
use crate::domain::restriction::Restriction;
use crate::domain::uid::{SopInstanceUid, StudyInstanceUid};
use serde_json::{Value, json};
use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use std::collections::HashMap;

/// $1: [[study UID, series UID], ...], $2: [SOP Instance UID, ...]. First the instances that are there, then
/// the rows of $1, whose columns are those of [`StudyState::read`] and [`SeriesState::read`]; the two are
/// told apart by the number of columns.
const BEGIN: &str = concat!(
    "BEGIN IMMEDIATE; ",
    super::retrieve::existing!("$2"),
    ";
    SELECT wanted.value->>0, wanted.value->>1,
           study.id, study.attributes, study.modalities_in_study, study.sop_classes_in_study, study.series_count,
           study.instance_count, study.size_bytes, study.revision, study.first_received_ms, study.blocked,
           series.id, series.attributes, series.sop_classes, series.instance_count, series.size_bytes, series.revision
    FROM json_each($1) AS wanted
    LEFT JOIN study ON study.study_instance_uid = wanted.value->>0
    LEFT JOIN series ON series.study_id = study.id AND series.series_instance_uid = wanted.value->>1"
);
/// The columns of a study and series row of [`BEGIN`].
const STATE_COLUMNS: usize = 18;

/// One row of this view is one batch: lists as JSON, and the blobs that they point into. It is
/// temporary: no part of the file, made when the writer is opened.
const BATCH: &str = "CREATE TEMP VIEW batch AS SELECT
    '' AS new_studies, '' AS full_studies, '' AS touched_studies, '' AS terms, '' AS new_series, '' AS full_series,
    '' AS touched_series, '' AS instances, x'' AS blobs, '' AS conflicts, '' AS blocked, '' AS quarantine,
    '' AS trail, '' AS trail_studies";

/// What a row of `batch` does. Statements of a trigger run one after the other inside the connection's
/// thread; sent as statements of their own, each would wake both threads when it ends.
const WRITE_BATCH: &str = "CREATE TEMP TRIGGER write_batch INSTEAD OF INSERT ON batch BEGIN
    INSERT INTO study (id, study_instance_uid, study_date, study_time, accession_number, study_id,
        study_description, referring_physician_name, patient_name, patient_id, issuer_of_patient_id,
        patient_birth_date, patient_sex, attributes, modalities_in_study, sop_classes_in_study, series_count,
        instance_count, size_bytes, revision, first_received_ms, last_change_ms, blocked)
    SELECT value->>0, value->>1, value->>2, value->>3, value->>4, value->>5, value->>6, value->>7, value->>8,
        value->>9, value->>10, value->>11, value->>12, value->>13, value->>14, value->>15, value->>16, value->>17,
        value->>18, value->>19, value->>20, value->>21, value->>22
    FROM json_each(new.new_studies);
    UPDATE study SET study_date = j.value->>2, study_time = j.value->>3, accession_number = j.value->>4,
        study_id = j.value->>5, study_description = j.value->>6, referring_physician_name = j.value->>7,
        patient_name = j.value->>8, patient_id = j.value->>9, issuer_of_patient_id = j.value->>10,
        patient_birth_date = j.value->>11, patient_sex = j.value->>12, attributes = j.value->>13
    FROM json_each(new.full_studies) AS j WHERE study.id = j.value->>0;
    UPDATE study SET modalities_in_study = j.value->>1, sop_classes_in_study = j.value->>2,
        series_count = j.value->>3, instance_count = j.value->>4, size_bytes = j.value->>5, revision = j.value->>6,
        last_change_ms = j.value->>7, blocked = j.value->>8
    FROM json_each(new.touched_studies) AS j WHERE study.id = j.value->>0;
    INSERT INTO term (kind, value) SELECT value->>1, value->>2 FROM json_each(new.terms) WHERE true ON CONFLICT DO NOTHING;
    INSERT INTO term_study (term_id, study_id)
    SELECT term.id, j.value->>0 FROM json_each(new.terms) AS j
    CROSS JOIN term ON term.kind = j.value->>1 AND term.value = j.value->>2 WHERE true ON CONFLICT DO NOTHING;
    INSERT INTO series (id, study_id, series_instance_uid, series_number, modality, series_description,
        body_part_examined, series_date, performed_procedure_step_start_date, attributes, sop_classes,
        instance_count, size_bytes, revision, last_change_ms)
    SELECT value->>0, value->>1, value->>2, value->>3, value->>4, value->>5, value->>6, value->>7, value->>8,
        value->>9, value->>10, value->>11, value->>12, value->>13, value->>14
    FROM json_each(new.new_series);
    UPDATE series SET series_number = j.value->>3, modality = j.value->>4, series_description = j.value->>5,
        body_part_examined = j.value->>6, series_date = j.value->>7,
        performed_procedure_step_start_date = j.value->>8, attributes = j.value->>9
    FROM json_each(new.full_series) AS j WHERE series.id = j.value->>0;
    UPDATE series SET sop_classes = j.value->>1, instance_count = j.value->>2, size_bytes = j.value->>3,
        revision = j.value->>4, last_change_ms = j.value->>5
    FROM json_each(new.touched_series) AS j WHERE series.id = j.value->>0;
    INSERT INTO instance (id, series_id, sop_instance_uid, sop_class_uid, instance_number, number_of_frames,
        transfer_syntax_uid, directory, file_name, size_bytes, crc32, dataset_offset, received_at_ms, peer,
        calling_ae_title, called_ae_title, address, attributes, sha256)
    SELECT value->>0, value->>1, value->>2, value->>3, value->>4, value->>5, value->>6, value->>7, value->>8,
        value->>9, value->>10, value->>11, value->>12, value->>13, value->>14, value->>15, value->>16, value->>17,
        substr(new.blobs, value->>18, 32)
    FROM json_each(new.instances);
    INSERT INTO instance_metadata (instance_id, metadata, pixels)
    SELECT value->>0, substr(new.blobs, value->>19, value->>20),
        CASE WHEN value->>22 > 0 THEN substr(new.blobs, value->>21, value->>22) END
    FROM json_each(new.instances);
    INSERT INTO conflict (id, kind, severity, study_instance_uid, sop_instance_uid, path, size_bytes,
        received_at_ms, calling_ae_title)
    SELECT value->>0, value->>1, value->>2, value->>3, value->>4, value->>5, value->>6, value->>7, value->>8
    FROM json_each(new.conflicts) WHERE true ON CONFLICT DO NOTHING;
    UPDATE study SET blocked = 1 FROM json_each(new.blocked) AS j WHERE study.study_instance_uid = j.value;
    INSERT INTO quarantine (id, reason, offending, path, size_bytes, received_at_ms, calling_ae_title)
    SELECT value->>0, value->>1, value->>2, value->>3, value->>4, value->>5, value->>6 FROM json_each(new.quarantine);
    INSERT INTO trail (sequence, recorded_ms, kind, event, prev_hash, hash)
    SELECT value->>0, value->>1, value->>2, value->>3, unhex(value->>4), unhex(value->>5) FROM json_each(new.trail);
    INSERT INTO trail_study (study_instance_uid, sequence)
    SELECT value->>0, value->>1 FROM json_each(new.trail_studies) WHERE true ON CONFLICT DO NOTHING;
    END";

const WRITE: &str = "INSERT INTO batch (new_studies, full_studies, touched_studies, terms, new_series, full_series,
        touched_series, instances, blobs, conflicts, blocked, quarantine, trail, trail_studies)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14);
    COMMIT";

/// Makes `batch` on the connection that writes.
pub(super) async fn prepare(connection: &mut SqliteConnection) -> Result<(), IndexError> {
    for statement in [BATCH, WRITE_BATCH] {
        sqlx::query(statement).execute(&mut *connection).await?;
    }
    Ok(())
}

impl Index {
    /// Begins a batch: the transaction is open, and what is known of these instances has been read. Waits
    /// for its turn; nobody else writes until the batch is recorded or given up.
    pub async fn begin<'f>(
        &self,
        instances: impl IntoIterator<Item = &'f InstanceFacts>,
    ) -> Result<Recording<'_>, IndexError> {
        let (mut wanted, mut uids) = (Vec::new(), Vec::new());
        for facts in instances {
            wanted.push((facts.study_instance_uid.as_str(), facts.series_instance_uid.as_str()));
            uids.push(facts.sop_instance_uid.as_str());
        }
        wanted.sort_unstable();
        wanted.dedup();
        let wanted = serde_json::to_string(&wanted).map_err(|_| IndexError::Row)?;
        let uids = serde_json::to_string(&uids).map_err(|_| IndexError::Row)?;
        let mut turn = self.inner.writer.turn(&self.inner.clock).await?;
        let found = sqlx::query(BEGIN).bind(wanted).bind(uids).fetch_all(turn.connection()?).await?;
        let (mut rows, mut existing) = (Rows::default(), HashMap::new());
        for row in &found {
            if row.len() == STATE_COLUMNS {
                rows.read(row)?;
            } else {
                let (uid, instance) = super::retrieve::existing_row(row)?;
                existing.insert(uid, instance);
            }
        }
        Ok(Recording { turn, rows, existing })
    }

    /// [`Index::begin`] and [`Recording::record`] in one, for what needs no look at what is there.
    pub async fn record(&self, batch: Batch) -> Result<(), IndexError> {
        self.begin(batch.instances.iter().map(|new| &new.facts)).await?.record(batch).await
    }
}

/// A batch that has begun. Dropped, it is rolled back before the next turn to write.
pub struct Recording<'a> {
    turn: Turn<'a>,
    rows: Rows,
    existing: HashMap<SopInstanceUid, Existing>,
}

impl Recording<'_> {
    /// Those of the instances it was begun with that are stored; to be taken once.
    pub fn existing(&mut self) -> HashMap<SopInstanceUid, Existing> {
        std::mem::take(&mut self.existing)
    }

    /// Whether the study of a newcomer is inside as it stands now, and would not come into doubt by it; one that
    /// is not there yet is. Of the instances that it was begun with.
    pub fn admits(&self, new: &InstanceFacts, only: &Restriction) -> bool {
        let study = &new.study_instance_uid;
        self.rows.studies.get(study.as_str()).is_none_or(|known| {
            let value = |tag| columns::first(&known.attributes, tag);
            let newer = columns::of_levels(&new.attributes, &[Level::Patient, Level::Study]);
            !known.blocked
                && !known.names_another_patient(&newer)
                && only.admits(study, value(tags::PATIENT_ID), value(tags::ISSUER_OF_PATIENT_ID))
        })
    }

    /// Keeps a batch: instance rows, study and series aggregates and revisions, audit rows. One
    /// `instances-received` row per study and source of the batch is written by this itself, and one
    /// `conflict` or `quarantined` row for each of those; `events` are others. The batch holds no
    /// instances but those it was begun with.
    ///
    /// [`IndexError::Taken`]: one of the SOP Instance UIDs is recorded already; nothing of the batch is kept.
    pub async fn record(self, batch: Batch) -> Result<(), IndexError> {
        let Self { mut turn, mut rows, .. } = self;
        for instance in &batch.instances {
            rows.instance(&mut turn, instance)?;
        }
        for conflict in &batch.conflicts {
            rows.conflict(conflict);
        }
        for quarantined in &batch.quarantined {
            rows.quarantined(quarantined);
        }
        rows.events.extend(received(&batch.instances));
        rows.events.extend(batch.events);
        rows.write(turn).await
    }

    /// Nothing is to be written after all.
    pub async fn give_up(mut self) -> Result<(), IndexError> {
        sqlx::query("ROLLBACK").execute(self.turn.connection()?).await?;
        self.turn.rolled_back();
        Ok(())
    }
}

/// Everything that one batch writes.
#[derive(Default)]
struct Rows {
    studies: HashMap<String, StudyState>,
    /// By Study and Series Instance UID.
    series: HashMap<(String, String), SeriesState>,
    terms: Vec<Value>,
    instances: Vec<Value>,
    blobs: Vec<u8>,
    conflicts: Vec<Value>,
    blocked: Vec<Value>,
    quarantine: Vec<Value>,
    events: Vec<Event>,
}

impl Rows {
    /// Takes a study and series row of [`BEGIN`].
    fn read(&mut self, row: &SqliteRow) -> Result<(), IndexError> {
        if let Some(study) = StudyState::read(row)? {
            let uid = study.uid.clone();
            if let Some(series) = SeriesState::read(row)? {
                self.series.insert((uid.clone(), series.uid.clone()), series);
            }
            self.studies.entry(uid).or_insert(study);
        }
        Ok(())
    }

    fn instance(&mut self, turn: &mut Turn<'_>, new: &NewInstance) -> Result<(), IndexError> {
        let (facts, file) = (&new.facts, &new.file);
        let of_study = columns::of_levels(&facts.attributes, &[Level::Patient, Level::Study]);
        let of_series = columns::of_levels(&facts.attributes, &[Level::Series]);
        let of_instance = columns::of_levels(&facts.attributes, &[Level::Instance]);

        let study_uid = facts.study_instance_uid.as_str().to_owned();
        let study = self.studies.entry(study_uid.clone()).or_insert_with(|| {
            turn.heads.study += 1;
            StudyState::new(turn.heads.study, &study_uid, new.received_at_ms)
        });
        if study.names_another_patient(&of_study) && !study.blocked {
            study.blocked = true;
            self.conflicts.push(json!([
                mismatch_id(turn.now_ms, turn.heads.instance),
                "patient-mismatch",
                severity_word(Severity::High),
                study_uid,
                facts.sop_instance_uid.as_str(),
                Value::Null,
                0,
                new.received_at_ms,
                new.source.calling_ae_title.as_ref().map(|title| title.as_str())
            ]));
            self.events.push(
                event(Kind::Conflict, &new.source)
                    .outcome(Outcome::SeriousFailure)
                    .study(facts.study_instance_uid.clone()),
            );
        }
        study.take(of_study, columns::first(&of_series, tags::MODALITY), facts.sop_class_uid.as_str(), file.size_bytes);

        let key = (study_uid, facts.series_instance_uid.as_str().to_owned());
        let series = self.series.entry(key).or_insert_with_key(|key| {
            turn.heads.series += 1;
            study.series_count += 1;
            SeriesState::new(turn.heads.series, study.id, &key.1)
        });
        let instance_number = columns::number(&of_instance, tags::INSTANCE_NUMBER);
        series.take(of_series, facts.sop_class_uid.as_str(), file.size_bytes);
        let series_row = series.id;

        turn.heads.instance += 1;
        let (directory, name) = file.path.rsplit_once('/').unwrap_or(("", &file.path));
        let frames = facts.pixels.as_ref().map_or(0, |pixels| pixels.number_of_frames);
        let sha256 = self.blob(&file.sha256);
        let metadata = self.blob(&facts.metadata.to_bytes());
        let pixels = match &facts.pixels {
            Some(pixels) => self.blob(&super::retrieve::encode_pixels(pixels)?),
            None => (1, 0),
        };
        self.instances.push(json!([
            turn.heads.instance,
            series_row,
            facts.sop_instance_uid.as_str(),
            facts.sop_class_uid.as_str(),
            instance_number,
            frames,
            file.transfer_syntax_uid.as_str(),
            directory,
            name,
            file.size_bytes,
            file.crc32,
            file.dataset_offset,
            new.received_at_ms,
            new.source.peer,
            new.source.calling_ae_title.as_ref().map(|title| title.as_str()),
            new.source.called_ae_title.as_ref().map(|title| title.as_str()),
            new.source.address.map(|address| address.to_string()),
            of_instance,
            sha256.0,
            metadata.0,
            metadata.1,
            pixels.0,
            pixels.1
        ]));
        Ok(())
    }

    /// Puts bytes into the batch's blob: where they begin, counted from 1 as SQL does, and how many.
    fn blob(&mut self, bytes: &[u8]) -> (usize, usize) {
        let at = self.blobs.len() + 1;
        self.blobs.extend_from_slice(bytes);
        (at, bytes.len())
    }

    fn quarantined(&mut self, quarantined: &NewQuarantined) {
        self.quarantine.push(json!([
            quarantined.id.to_string(),
            quarantined.reason,
            quarantined.offending.map(columns::json_key),
            quarantined.path,
            quarantined.size_bytes,
            quarantined.received_at_ms,
            quarantined.source.calling_ae_title.as_ref().map(|title| title.as_str())
        ]));
        let event = event(Kind::Quarantined, &quarantined.source).outcome(Outcome::MinorFailure);
        self.events.push(event.counts(1, quarantined.size_bytes));
    }

    fn conflict(&mut self, conflict: &NewConflict) {
        let uids = [&conflict.study_instance_uid, &conflict.served_study_instance_uid];
        self.conflicts.push(json!([
            conflict.id.to_string(),
            "instance",
            severity_word(conflict.severity),
            conflict.study_instance_uid.as_str(),
            conflict.sop_instance_uid.as_str(),
            conflict.file.path,
            conflict.file.size_bytes,
            conflict.received_at_ms,
            conflict.source.calling_ae_title.as_ref().map(|title| title.as_str())
        ]));
        if conflict.severity == Severity::High {
            for uid in uids {
                if let Some(study) = self.studies.get_mut(uid.as_str()) {
                    study.blocked = true;
                }
                self.blocked.push(uid.as_str().into());
            }
        }
        let mut event = event(Kind::Conflict, &conflict.source).outcome(match conflict.severity {
            Severity::Info => Outcome::Success,
            Severity::Content => Outcome::MinorFailure,
            Severity::High => Outcome::SeriousFailure,
        });
        event.studies = uids.map(Clone::clone).to_vec();
        event.studies.dedup();
        self.events.push(event.counts(1, conflict.file.size_bytes));
    }

    /// Writes everything and commits.
    async fn write(mut self, mut turn: Turn<'_>) -> Result<(), IndexError> {
        let now_ms = turn.now_ms;
        let (mut new_studies, mut full_studies, mut touched_studies) = (Vec::new(), Vec::new(), Vec::new());
        for study in self.studies.values_mut().filter(|study| study.touched) {
            study.revision += 1;
            if study.is_new || study.filled {
                self.terms.extend(study.terms());
            }
            if study.is_new {
                new_studies.push(study.row(now_ms));
            } else {
                if study.filled {
                    full_studies.push(study.row(now_ms));
                }
                touched_studies.push(study.aggregates(now_ms));
            }
        }
        let (mut new_series, mut full_series, mut touched_series) = (Vec::new(), Vec::new(), Vec::new());
        for series in self.series.values_mut().filter(|series| series.touched) {
            series.revision += 1;
            if series.is_new {
                new_series.push(series.row(now_ms));
            } else {
                if series.filled {
                    turn.changes_rows = true;
                    full_series.push(series.row(now_ms));
                }
                touched_series.push(series.aggregates(now_ms));
            }
        }
        let chained = trail::chained(&mut turn.heads, now_ms, &self.events);
        let (trail_rows, trail_studies) = trail::as_json(&chained);
        let lists = [
            Value::from(new_studies),
            full_studies.into(),
            touched_studies.into(),
            self.terms.into(),
            new_series.into(),
            full_series.into(),
            touched_series.into(),
            self.instances.into(),
        ];
        let more = [
            Value::from(self.conflicts),
            self.blocked.into(),
            self.quarantine.into(),
            trail_rows.into(),
            trail_studies.into(),
        ];
        let mut written = self.blobs.len();
        let mut statement = sqlx::query(WRITE);
        for list in lists {
            let list = list.to_string();
            written = written.saturating_add(list.len());
            statement = statement.bind(list);
        }
        statement = statement.bind(self.blobs);
        for list in more {
            statement = statement.bind(list.to_string());
        }
        statement.execute(turn.connection()?).await?;
        turn.done(written as u64);
        trail::count(&self.events);
        Ok(())
    }
}

/// The ULID of a conflict that has no file and so was not named by the store.
fn mismatch_id(now_ms: i64, number: i64) -> String {
    ulid::Ulid::from_parts(now_ms.unsigned_abs(), u128::from(number.unsigned_abs())).to_string()
}

pub(super) fn severity_word(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "info",
        Severity::Content => "content",
        Severity::High => "high",
    }
}

fn event(kind: Kind, source: &Source) -> Event {
    let actor = match &source.calling_ae_title {
        Some(title) => Actor::Device(title.clone()),
        None => match &source.uploader {
            Some(Uploader::Token(id)) => Actor::Caller(Some(RecordId::from(*id))),
            Some(Uploader::Certificate(name)) => Actor::Certificate(RecordId::named(name)),
            Some(Uploader::Subject(head)) => Actor::Subject(RecordId::from(*head)),
            None => Actor::Caller(None),
        },
    };
    Event::new(kind, actor).address(source.address)
}

/// One event per study and source, not per instance.
fn received(instances: &[NewInstance]) -> Vec<Event> {
    let mut groups: Vec<(&StudyInstanceUid, &Source, u64, u64)> = Vec::new();
    for new in instances {
        let uid = &new.facts.study_instance_uid;
        match groups.iter_mut().find(|group| group.0 == uid && group.1 == &new.source) {
            Some(group) => {
                group.2 += 1;
                group.3 = group.3.saturating_add(new.file.size_bytes);
            }
            None => groups.push((uid, &new.source, 1, new.file.size_bytes)),
        }
    }
    let told = |(uid, source, count, bytes): (&StudyInstanceUid, &Source, u64, u64)| {
        event(Kind::InstancesReceived, source).study(uid.clone()).counts(count, bytes)
    };
    groups.into_iter().map(told).collect()
}
