//! Deletion in one transaction: the rows of a study, series or instance go, what was derived from them goes
//! or is counted again, links to what is no longer there are revoked, and a row says what was where.
//!
//! The files are not this room's: they stay until somebody has read [`Index::begin_moving`].

use super::states::StudyState;
use super::writer::Transaction;
use super::{Index, IndexError, columns};
use crate::audit::{Actor, Event, Kind, RecordId};
use crate::domain::attributes::tags;
use crate::domain::instance::Selector;
use crate::domain::level::Level;
use serde_json::{Map, Value};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use std::net::IpAddr;

/// What was deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deleted {
    /// Its place among all changes.
    pub sequence: i64,
    pub instances: u64,
    /// Of the instances.
    pub size_bytes: u64,
    /// The links that showed some of it.
    pub links: Vec<AffectedLink>,
}

/// A link that showed what was deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AffectedLink {
    pub lid_sha256: [u8; 32],
    /// It showed nothing else, and was revoked.
    pub revoked: bool,
}

/// Rows that name instances of a series of study $1, of series $2 when it is given, and instance $3 when it is.
macro_rules! chosen {
    () => {
        "FROM series CROSS JOIN instance ON instance.series_id = series.id
         WHERE series.study_id = $1 AND ($2 IS NULL OR series.series_instance_uid = $2)
            AND ($3 IS NULL OR instance.sop_instance_uid = $3)"
    };
}
const COUNT: &str = concat!("SELECT count(*), coalesce(sum(instance.size_bytes), 0) ", chosen!());
const FILES: &str = concat!(
    "INSERT INTO deleted_file (deletion, number, instance_id, sop_instance_uid, path, size_bytes, state)
     SELECT $4, row_number() OVER (ORDER BY instance.id), instance.id, instance.sop_instance_uid,
        instance.directory || '/' || instance.file_name, instance.size_bytes, 0 ",
    chosen!()
);
/// Copies kept under a UID that goes, $1 the deletion; of a whole study $2 also those that name it.
macro_rules! copies {
    () => {
        "FROM conflict WHERE conflict.study_instance_uid = $2 OR conflict.sop_instance_uid IN
            (SELECT sop_instance_uid FROM deleted_file WHERE deletion = $1 AND instance_id IS NOT NULL)"
    };
}
const COPIES: &str = concat!(
    "INSERT INTO deleted_file (deletion, number, sop_instance_uid, path, size_bytes, state)
     SELECT $1, (SELECT coalesce(max(number), 0) FROM deleted_file WHERE deletion = $1)
            + row_number() OVER (ORDER BY conflict.id),
        conflict.sop_instance_uid, conflict.path, conflict.size_bytes, 0
     FROM (SELECT * ",
    copies!(),
    ") AS conflict WHERE conflict.path IS NOT NULL"
);
const FORGET_COPIES: &str = concat!("DELETE ", copies!());
/// The rows of the instances of deletion $1.
macro_rules! without {
    ($table:literal, $id:literal) => {
        concat!(
            "DELETE FROM ",
            $table,
            " WHERE ",
            $id,
            " IN (SELECT instance_id FROM deleted_file WHERE deletion = $1 AND instance_id IS NOT NULL)"
        )
    };
}
/// $1 a list of [kind, value].
macro_rules! terms {
    () => {
        "SELECT term.id FROM json_each($1) AS j
         CROSS JOIN term ON term.kind = j.value->>1 AND term.value = j.value->>2"
    };
}
const UNLINK_TERMS: &str = concat!("DELETE FROM term_study WHERE study_id = $2 AND term_id IN (", terms!(), ")");
/// Names of people who have no study here any more.
const DROP_TERMS: &str = concat!(
    "DELETE FROM term WHERE id IN (",
    terms!(),
    ") AND NOT EXISTS (SELECT 1 FROM term_study WHERE term_study.term_id = term.id)"
);

/// The study that something is deleted of.
struct Study {
    id: i64,
    attributes: Map<String, Value>,
    patient_id: String,
    issuer_of_patient_id: String,
    blocked: bool,
}

impl Index {
    /// Deletes what `selector` names; `None` when there is nothing of that name. When this returns, that it
    /// is gone is durable.
    pub async fn delete(
        &self,
        selector: &Selector,
        actor: &Actor,
        address: Option<IpAddr>,
    ) -> Result<Option<Deleted>, IndexError> {
        let mut deleting = Deleting { transaction: self.write().await?, selector };
        deleting.transaction.deletes();
        let Some(study) = deleting.study().await? else { return Ok(None) };
        let (instances, size_bytes) = deleting.count(&study).await?;
        if instances == 0 {
            return Ok(None);
        }
        let sequence = deleting.transaction.next_number();
        deleting.tombstone(sequence, &study, instances, size_bytes).await?;
        deleting.take_rows(sequence, &study).await?;
        let gone = deleting.count_again(&study).await?;
        let links = deleting.links(&study, gone, actor, address).await?;
        let event = Event::new(Kind::InstancesDeleted, actor.clone())
            .address(address)
            .study(selector.study.clone())
            .level(selector.level())
            .counts(instances.unsigned_abs(), size_bytes.unsigned_abs());
        deleting.transaction.append(&event).await?;
        deleting.transaction.commit().await?;
        let (instances, size_bytes) = (instances.unsigned_abs(), size_bytes.unsigned_abs());
        Ok(Some(Deleted { sequence, instances, size_bytes, links }))
    }
}

struct Deleting<'a> {
    transaction: Transaction<'a>,
    selector: &'a Selector,
}

impl Deleting<'_> {
    fn series(&self) -> Option<&str> {
        self.selector.series.as_ref().map(|uid| uid.as_str())
    }
    fn instance(&self) -> Option<&str> {
        self.selector.instance.as_ref().map(|uid| uid.as_str())
    }

    async fn study(&mut self) -> Result<Option<Study>, IndexError> {
        let row = sqlx::query("SELECT id, attributes, blocked FROM study WHERE study_instance_uid = $1")
            .bind(self.selector.study.as_str())
            .fetch_optional(&mut *self.transaction)
            .await?;
        let Some(row) = row else { return Ok(None) };
        let attributes: Map<String, Value> = serde_json::from_str(row.try_get(1)?).map_err(|_| IndexError::Row)?;
        let value = |tag| columns::first(&attributes, tag).to_owned();
        let (patient_id, issuer_of_patient_id) = (value(tags::PATIENT_ID), value(tags::ISSUER_OF_PATIENT_ID));
        Ok(Some(Study { id: row.try_get(0)?, blocked: row.try_get(2)?, attributes, patient_id, issuer_of_patient_id }))
    }

    /// How many instances are meant, and their bytes.
    async fn count(&mut self, study: &Study) -> Result<(i64, i64), IndexError> {
        let row = sqlx::query(COUNT)
            .bind(study.id)
            .bind(self.series().map(str::to_owned))
            .bind(self.instance().map(str::to_owned))
            .fetch_one(&mut *self.transaction)
            .await?;
        Ok((row.try_get(0)?, row.try_get(1)?))
    }

    /// Keeps that they were there, and where their files are.
    async fn tombstone(
        &mut self,
        sequence: i64,
        study: &Study,
        instances: i64,
        size_bytes: i64,
    ) -> Result<(), IndexError> {
        let (selector, now_ms) = (self.selector, self.transaction.now_ms());
        let (series, instance) = (self.series().map(str::to_owned), self.instance().map(str::to_owned));
        sqlx::query(
            "INSERT INTO deletion (sequence, level, study_instance_uid, series_instance_uid, sop_instance_uid,
                deleted_at_ms, instances, size_bytes, patient_id, issuer_of_patient_id, blocked)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        )
        .bind(sequence)
        .bind(selector.level().word())
        .bind(selector.study.as_str())
        .bind(&series)
        .bind(&instance)
        .bind(now_ms)
        .bind(instances)
        .bind(size_bytes)
        .bind(&study.patient_id)
        .bind(&study.issuer_of_patient_id)
        .bind(study.blocked)
        .execute(&mut *self.transaction)
        .await?;
        sqlx::query(FILES)
            .bind(study.id)
            .bind(series)
            .bind(instance)
            .bind(sequence)
            .execute(&mut *self.transaction)
            .await?;
        // Who deletes a study does not want a copy of it to stay in a corner.
        let whole = (selector.level() == Level::Study).then(|| selector.study.as_str());
        for statement in [COPIES, FORGET_COPIES] {
            sqlx::query(statement).bind(sequence).bind(whole).execute(&mut *self.transaction).await?;
        }
        Ok(())
    }

    /// The instances go, their series when it is empty, and the packages that hold any of them.
    async fn take_rows(&mut self, sequence: i64, study: &Study) -> Result<(), IndexError> {
        for statement in [without!("instance_metadata", "instance_id"), without!("instance", "id")] {
            sqlx::query(statement).bind(sequence).execute(&mut *self.transaction).await?;
        }
        sqlx::query(
            "DELETE FROM series WHERE study_id = $1
             AND NOT EXISTS (SELECT 1 FROM instance WHERE instance.series_id = series.id)",
        )
        .bind(study.id)
        .execute(&mut *self.transaction)
        .await?;
        sqlx::query("DELETE FROM package WHERE instr(' ' || revisions, ' ' || $1 || '=') > 0")
            .bind(self.selector.study.as_str())
            .execute(&mut *self.transaction)
            .await?;
        Ok(())
    }

    /// Aggregates and revisions of what is left; the study goes with its last series. Whether it went.
    async fn count_again(&mut self, study: &Study) -> Result<bool, IndexError> {
        let now_ms = self.transaction.now_ms();
        if self.selector.level() == Level::Instance {
            self.count_series_again(study, now_ms).await?;
        }
        let rows = sqlx::query(
            "SELECT modality, sop_classes, instance_count, size_bytes FROM series WHERE study_id = $1 ORDER BY id",
        )
        .bind(study.id)
        .fetch_all(&mut *self.transaction)
        .await?;
        if rows.is_empty() {
            self.forget_study(study).await?;
            return Ok(true);
        }
        let mut sums = Sums::default();
        for row in &rows {
            sums.add(row)?;
            columns::add_to_list(&mut sums.modalities, row.try_get(0)?);
        }
        sqlx::query(
            "UPDATE study SET modalities_in_study = $2, sop_classes_in_study = $3, series_count = $4,
                instance_count = $5, size_bytes = $6, revision = revision + 1, last_change_ms = $7 WHERE id = $1",
        )
        .bind(study.id)
        .bind(sums.modalities)
        .bind(sums.sop_classes)
        .bind(i64::try_from(rows.len()).unwrap_or(i64::MAX))
        .bind(sums.instances)
        .bind(sums.size_bytes)
        .bind(now_ms)
        .execute(&mut *self.transaction)
        .await?;
        Ok(false)
    }

    /// The series that lost an instance, if it has others.
    async fn count_series_again(&mut self, study: &Study, now_ms: i64) -> Result<(), IndexError> {
        let series = self.series().map(str::to_owned);
        let rows = sqlx::query(
            "SELECT series.id, '\\' || instance.sop_class_uid || '\\', count(*), sum(instance.size_bytes)
             FROM series CROSS JOIN instance ON instance.series_id = series.id
             WHERE series.study_id = $1 AND series.series_instance_uid = $2
             GROUP BY series.id, instance.sop_class_uid ORDER BY min(instance.id)",
        )
        .bind(study.id)
        .bind(series)
        .fetch_all(&mut *self.transaction)
        .await?;
        let Some(first) = rows.first() else { return Ok(()) };
        let id: i64 = first.try_get(0)?;
        let mut sums = Sums::default();
        for row in &rows {
            sums.add(row)?;
        }
        sqlx::query(
            "UPDATE series SET sop_classes = $2, instance_count = $3, size_bytes = $4, revision = revision + 1,
                last_change_ms = $5 WHERE id = $1",
        )
        .bind(id)
        .bind(sums.sop_classes)
        .bind(sums.instances)
        .bind(sums.size_bytes)
        .bind(now_ms)
        .execute(&mut *self.transaction)
        .await?;
        Ok(())
    }

    async fn forget_study(&mut self, study: &Study) -> Result<(), IndexError> {
        let state = StudyState { id: study.id, attributes: study.attributes.clone(), ..StudyState::default() };
        let terms = Value::from(state.terms()).to_string();
        sqlx::query(UNLINK_TERMS).bind(&terms).bind(study.id).execute(&mut *self.transaction).await?;
        sqlx::query(DROP_TERMS).bind(&terms).execute(&mut *self.transaction).await?;
        sqlx::query("DELETE FROM study WHERE id = $1").bind(study.id).execute(&mut *self.transaction).await?;
        Ok(())
    }

    /// The links that show this study. Those to it alone are revoked when it is `gone`.
    async fn links(
        &mut self,
        study: &Study,
        gone: bool,
        actor: &Actor,
        address: Option<IpAddr>,
    ) -> Result<Vec<AffectedLink>, IndexError> {
        let rows = sqlx::query(
            "SELECT lid_sha256, link_id, study_instance_uid IS NOT NULL FROM patient_link
             WHERE revoked_at_ms IS NULL AND (study_instance_uid = $1
                OR (study_instance_uid IS NULL AND patient_id = $2 AND issuer_of_patient_id = $3))",
        )
        .bind(self.selector.study.as_str())
        .bind(&study.patient_id)
        .bind(&study.issuer_of_patient_id)
        .fetch_all(&mut *self.transaction)
        .await?;
        let mut links = Vec::with_capacity(rows.len());
        for row in &rows {
            let (lid, id, alone): (Vec<u8>, String, bool) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
            let revoked = gone && alone;
            if revoked {
                self.revoke(&lid, &id, actor, address).await?;
            }
            links.push(AffectedLink { lid_sha256: lid.try_into().map_err(|_| IndexError::Row)?, revoked });
        }
        Ok(links)
    }

    async fn revoke(&mut self, lid: &[u8], id: &str, actor: &Actor, address: Option<IpAddr>) -> Result<(), IndexError> {
        let now_ms = self.transaction.now_ms();
        sqlx::query("UPDATE patient_link SET revoked_at_ms = $2 WHERE lid_sha256 = $1")
            .bind(lid)
            .bind(now_ms)
            .execute(&mut *self.transaction)
            .await?;
        let event = Event::new(Kind::LinkRevoked, actor.clone())
            .link(RecordId::named(id))
            .address(address)
            .study(self.selector.study.clone());
        self.transaction.append(&event).await
    }
}

/// What rows of (anything, list of SOP classes, instances, bytes) come to.
#[derive(Default)]
struct Sums {
    modalities: String,
    sop_classes: String,
    instances: i64,
    size_bytes: i64,
}

impl Sums {
    fn add(&mut self, row: &SqliteRow) -> Result<(), IndexError> {
        for class in columns::split_list(row.try_get(1)?) {
            columns::add_to_list(&mut self.sop_classes, class);
        }
        self.instances = self.instances.saturating_add(row.try_get(2)?);
        self.size_bytes = self.size_bytes.saturating_add(row.try_get(3)?);
        Ok(())
    }
}
