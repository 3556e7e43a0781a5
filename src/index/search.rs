//! `Query` to SQL and rows to matches.
//!
//! Every answer is ordered newest study first, and only its rows are read. Where the search begins
//! decides its speed, so it is chosen here and not left to the planner: at a UID or an exact key that has
//! an index in the order of the answers; at the names (or IDs, descriptions) that match, when a probe
//! finds them few; else at the newest study, walking down until the page is full.

use super::engine;
use super::matching::{self, Sql};
use super::readers::Reader;
use super::states::kind;
use super::{Index, IndexError};
use super::{columns, found::Reading};
use crate::domain::attributes::{Attribute, lookup, tags};
use crate::domain::level::Level;
use crate::domain::query::{Match, Page, Query};
use crate::domain::restriction::Restriction;
use dicom_core::{Tag, VR};
use dicom_dictionary_std::tags as dictionary;
use sqlx::Row;

/// The most rows of one answer, whatever was asked.
const ROWS_MAX: u32 = 10_000;
/// Up to so many studies are found through their terms and then sorted; above, one in a few hundred
/// matches, and a walk from the newest study fills a page soon.
const FEW: i64 = 4000;
/// What ends with fewer rows than this is worth a look at the newest studies first.
const SHORT_PAGE: i64 = 250;
/// Terms that name more studies than so many pages are not rare.
const RARE: i64 = 8;
/// What the index of the newest studies says by itself.
const WALKED: [Tag; 4] = [tags::STUDY_DATE, tags::STUDY_TIME, tags::PATIENT_NAME, tags::MODALITIES_IN_STUDY];
const WALKED_COLUMNS: &str = "id, study_date, study_time, patient_name, modalities_in_study";

/// One key with its row of the table.
type Key<'a> = (&'static Attribute, &'a Match);

/// Where a search begins.
enum Start<'a> {
    /// At the studies, series or instances of a UID.
    Study,
    Series,
    Instance,
    /// At the studies with this exact value, by an index in the order of the answers.
    Exact(&'static str),
    /// At the studies of the matching terms.
    Terms(Terms<'a>),
    Newest,
}

/// A key that can be answered from the `term` table.
#[derive(Clone, Copy)]
struct Terms<'a> {
    kind: i64,
    vr: VR,
    rule: &'a Match,
    fuzzy: bool,
}

impl Index {
    /// How SQLite answers a query: the lines of EXPLAIN QUERY PLAN, for the test of them.
    #[cfg(test)]
    pub(super) async fn plan(&self, query: &Query) -> Result<Vec<String>, IndexError> {
        let keys = keys(query)?;
        let mut reader = self.read().await?;
        let start = start(&mut reader, query, &keys, 100).await?;
        let sql = statement(query, &keys, &start, 100)?;
        let mut explain = Sql::new("EXPLAIN QUERY PLAN ");
        explain.push(sql.sql().as_str());
        let rows = explain.build().fetch_all(&mut *reader).await?;
        rows.iter().map(|row| Ok(row.try_get(3)?)).collect()
    }

    /// Answers a query (PS3.4 §C.2.2.2). [`IndexError::TooSlow`] after the search timeout.
    pub async fn search(&self, query: &Query) -> Result<Page, IndexError> {
        let keys = keys(query)?;
        let mut reader = self.inner.readers.get(Some(self.inner.search_timeout)).await?;
        let limit = query.limit.unwrap_or(ROWS_MAX).min(ROWS_MAX);
        let start = start(&mut reader, query, &keys, limit).await?;
        let mut sql = statement(query, &keys, &start, limit)?;
        let mut rows = sql.build().fetch_all(&mut *reader).await?;
        reader.finished();
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = rows.len() > limit;
        rows.truncate(limit);
        let mut reading = Reading::new(query);
        let rows = rows.iter().map(|row| reading.found(row)).collect::<Result<_, _>>()?;
        Ok(Page { rows, more })
    }
}

impl Index {
    /// How many matches there are, without limit and offset. [`IndexError::TooSlow`] after the search timeout.
    pub async fn count(&self, query: &Query) -> Result<u64, IndexError> {
        let keys = keys(query)?;
        let mut reader = self.inner.readers.get(Some(self.inner.search_timeout)).await?;
        // No order is asked for, so none is walked in.
        let start = match start(&mut reader, query, &keys, ROWS_MAX).await? {
            Start::Newest => Start::Study,
            other => other,
        };
        // Rows above carry the sums of those below them: it is counted where the deepest key stands.
        let of_series = if query.series.is_some() { Level::Series } else { Level::Study };
        let deepest = keys.iter().map(|(attribute, _)| attribute.level).fold(of_series, Level::max).min(query.level);
        let mut sql = Sql::new(match (query.level, deepest) {
            (Level::Instance, Level::Series) => "SELECT coalesce(sum(series.instance_count), 0)",
            (Level::Instance, Level::Patient | Level::Study) => "SELECT coalesce(sum(study.instance_count), 0)",
            (Level::Series, Level::Patient | Level::Study) => "SELECT coalesce(sum(study.series_count), 0)",
            _ => "SELECT count(*)",
        });
        push_matching(&mut sql, query, &keys, &start, deepest)?;
        let row = sql.build().fetch_one(&mut *reader).await?;
        reader.finished();
        u64::try_from(row.try_get::<i64, _>(0)?).map_err(|_| IndexError::Row)
    }
}

/// The keys that narrow the search, checked against the table.
fn keys(query: &Query) -> Result<Vec<Key<'_>>, IndexError> {
    let mut keys = Vec::with_capacity(query.keys.len());
    for (tag, rule) in &query.keys {
        let refused = || IndexError::NotSearchable(columns::json_key(*tag));
        let attribute = lookup(*tag).ok_or_else(refused)?;
        if *rule == Match::Universal || *tag == tags::INSTANCE_AVAILABILITY {
            continue;
        }
        if attribute.level > query.level.max(Level::Study) {
            return Err(refused());
        }
        {
            keys.push((attribute, rule));
        }
    }
    Ok(keys)
}

const BY_PATIENT_ID: &str = "study INDEXED BY study_by_patient_id";

/// Exact keys with an index that is in the order of the answers, the most telling first.
const EXACT: [(Tag, &str); 4] = [
    (dictionary::ACCESSION_NUMBER, "study INDEXED BY study_by_accession_number"),
    (dictionary::PATIENT_ID, BY_PATIENT_ID),
    (dictionary::STUDY_ID, "study INDEXED BY study_by_study_id"),
    (dictionary::PATIENT_BIRTH_DATE, "study INDEXED BY study_by_birth_date"),
];

/// `page`: how many rows are wanted after the offset.
async fn start<'a>(
    reader: &mut Reader,
    query: &'a Query,
    keys: &[Key<'a>],
    page: u32,
) -> Result<Start<'a>, IndexError> {
    let exact = |tag: Tag| {
        keys.iter()
            .any(|(attribute, rule)| attribute.tag == tag && matches!(rule, Match::Single(_) | Match::UidList(_)))
    };
    if exact(tags::SOP_INSTANCE_UID) {
        return Ok(Start::Instance);
    }
    let only = query.only.as_ref();
    if query.study.is_some() || exact(tags::STUDY_INSTANCE_UID) || only.is_some_and(|only| only.studies.is_some()) {
        return Ok(Start::Study);
    }
    if query.series.is_some() || exact(tags::SERIES_INSTANCE_UID) {
        return Ok(Start::Series);
    }
    if only.is_some_and(|only| only.patient.is_some()) {
        return Ok(Start::Exact(BY_PATIENT_ID));
    }
    if let Some((_, table)) = EXACT.iter().find(|(tag, _)| exact(*tag)) {
        return Ok(Start::Exact(table));
    }
    let terms: Vec<Terms<'a>> = keys.iter().filter_map(|key| as_terms(key, query.fuzzy)).collect();
    if terms.is_empty() {
        return Ok(Start::Newest);
    }
    let page = i64::from(query.offset).saturating_add(i64::from(page)).saturating_add(1);
    let walked = |(attribute, _): &Key<'_>| WALKED.contains(&attribute.tag);
    if query.level == Level::Study && page <= SHORT_PAGE && keys.iter().all(walked) {
        if let Some(rare) = fewest(reader, &terms, page.saturating_mul(RARE)).await? {
            return Ok(Start::Terms(rare));
        }
        if fills(reader, query, keys, page).await? {
            return Ok(Start::Newest);
        }
    }
    Ok(fewest(reader, &terms, FEW).await?.map_or(Start::Newest, Start::Terms))
}

/// The terms that name the fewest studies, if those are at most `most`.
async fn fewest<'a>(reader: &mut Reader, terms: &[Terms<'a>], most: i64) -> Result<Option<Terms<'a>>, IndexError> {
    let mut sql = Sql::new("SELECT 0");
    for terms in terms {
        sql.push(", (SELECT count(*) FROM (SELECT 1");
        push_from_terms(&mut sql, terms);
        sql.push(" LIMIT ").push_bind(most + 1).push("))");
    }
    let counts = sql.build().fetch_one(&mut **reader).await?;
    let (mut least, mut found) = (most + 1, None);
    for (at, terms) in terms.iter().enumerate() {
        let count: i64 = counts.try_get(at + 1)?;
        if count < least {
            (least, found) = (count, Some(*terms));
        }
    }
    Ok(found)
}

/// Whether a short walk from the newest study finds a whole page: what matches often matches soon, and
/// then nothing need be sorted.
async fn fills(reader: &mut Reader, query: &Query, keys: &[Key<'_>], page: i64) -> Result<bool, IndexError> {
    let mut sql = Sql::new("SELECT count(*) FROM (SELECT 1 FROM (SELECT ");
    sql.push(WALKED_COLUMNS).push(" FROM ").push(engine::STUDIES_NEWEST_FIRST);
    sql.push(" ORDER BY study_date DESC, study_time DESC, id DESC LIMIT ").push_bind(page.saturating_mul(4 * RARE));
    sql.push(") AS study WHERE 1");
    keys.iter().try_for_each(|(attribute, rule)| matching::push(&mut sql, attribute, rule, query.fuzzy))?;
    sql.push(" LIMIT ").push_bind(page).push(")");
    Ok(sql.build().fetch_one(&mut **reader).await?.try_get::<i64, _>(0)? >= page)
}

/// The kind of `term` rows that hold the attribute's values, for keys that say more than `?`.
fn as_terms<'a>((attribute, rule): &Key<'a>, fuzzy: bool) -> Option<Terms<'a>> {
    let kind = match attribute.tag {
        tags::PATIENT_NAME => kind::PATIENT_NAME,
        tags::PATIENT_ID => kind::PATIENT_ID,
        tags::ACCESSION_NUMBER => kind::ACCESSION_NUMBER,
        tags::STUDY_DESCRIPTION => kind::STUDY_DESCRIPTION,
        dictionary::REFERRING_PHYSICIAN_NAME => kind::REFERRING_PHYSICIAN,
        _ => return None,
    };
    let fuzzy = fuzzy && attribute.vr == VR::PN;
    matches!(rule, Match::Single(_) | Match::Wildcard(_)).then_some(Terms { kind, vr: attribute.vr, rule, fuzzy })
}

/// `FROM ... WHERE ...` of the studies whose terms match. With a run of three characters to go by, it
/// begins at the text index and reads only what has them; else at a prefix, or at all terms of the kind.
fn push_from_terms(sql: &mut Sql, terms: &Terms<'_>) {
    let (Match::Single(text) | Match::Wildcard(text)) = terms.rule else { return };
    let single = matches!(terms.rule, Match::Single(_)) && !terms.fuzzy;
    let pattern = columns::matched_form(terms.vr, text);
    let parts: Vec<String> = match terms.fuzzy {
        true => matching::words(text),
        false => pattern.split(['*', '?']).map(str::to_owned).collect(),
    };
    let prefix = if terms.fuzzy { "" } else { parts.first().map_or("", String::as_str) };
    let long: Vec<String> = parts.iter().filter(|part| is_long(part)).cloned().collect();
    if prefix.is_empty() && !long.is_empty() {
        engine::push_from_terms_with(sql, &long);
    } else {
        sql.push(" FROM term CROSS JOIN term_study ON term_study.term_id = term.id WHERE 1");
    }
    sql.push(" AND term.kind = ").push_bind(terms.kind);
    if terms.fuzzy {
        for word in parts.iter().filter(|word| !is_long(word)) {
            sql.push(" AND instr(term.value, ").push_bind(word.clone()).push(") > 0");
        }
    } else if single {
        sql.push(" AND term.value = ").push_bind(pattern);
    } else {
        if !prefix.is_empty() {
            // From the prefix up to the last text that begins with it.
            sql.push(" AND term.value >= ").push_bind(prefix.to_owned());
            sql.push(" AND term.value < ").push_bind(format!("{prefix}{}", char::MAX));
        }
        if pattern.strip_suffix('*') != Some(prefix) {
            sql.push(" AND ");
            engine::push_wildcard(sql, "term.value", &pattern);
        }
    }
}

fn is_long(part: &str) -> bool {
    part.chars().count() >= engine::TEXT_INDEX_CHARACTERS
}

const STUDY_COLUMNS: &str = "SELECT study.study_instance_uid, study.attributes, study.modalities_in_study,
    study.sop_classes_in_study, study.series_count, study.instance_count";
const SERIES_COLUMNS: &str = ", series.series_instance_uid, series.attributes, series.instance_count";
const INSTANCE_COLUMNS: &str = ", instance.sop_instance_uid, instance.attributes, instance.sop_class_uid,
    instance.transfer_syntax_uid";

/// The whole statement; one row more than `limit`, which tells whether there is more.
fn statement(query: &Query, keys: &[Key<'_>], start: &Start<'_>, limit: u32) -> Result<Sql, IndexError> {
    let mut sql = Sql::new(STUDY_COLUMNS);
    if query.level >= Level::Series {
        sql.push(SERIES_COLUMNS);
    }
    if query.level >= Level::Instance {
        sql.push(INSTANCE_COLUMNS);
    }
    push_matching(&mut sql, query, keys, start, query.level)?;
    sql.push(" ORDER BY ");
    if query.study.is_none() {
        sql.push("study.study_date DESC, study.study_time DESC, study.id DESC");
    } else {
        sql.push("study.id");
    }
    if query.level >= Level::Series {
        sql.push(", series.series_number, series.series_instance_uid");
    }
    if query.level >= Level::Instance {
        sql.push(", instance.instance_number, instance.sop_instance_uid");
    }
    sql.push(" LIMIT ").push_bind(i64::from(limit) + 1).push(" OFFSET ").push_bind(i64::from(query.offset));
    Ok(sql)
}

/// `FROM ... WHERE ...` of everything that matches, with the tables down to `level`.
fn push_matching(
    sql: &mut Sql,
    query: &Query,
    keys: &[Key<'_>],
    start: &Start<'_>,
    level: Level,
) -> Result<(), IndexError> {
    sql.push(" FROM ");
    push_from(sql, level, start);
    sql.push(" WHERE 1");
    if let Some(study) = &query.study {
        sql.push(" AND study.study_instance_uid = ").push_bind(study.to_string());
    }
    if let Some(only) = &query.only {
        push_only(sql, only);
    }
    if let Some(series) = &query.series {
        push_series(sql, level, series.as_str());
    }
    if let Start::Terms(terms) = start {
        sql.push(" AND study.id IN (SELECT term_study.study_id");
        push_from_terms(sql, terms);
        sql.push(")");
    }
    keys.iter().try_for_each(|(attribute, rule)| matching::push(sql, attribute, rule, query.fuzzy))
}

/// The tables in the order in which they are to be visited; `CROSS JOIN` keeps SQLite to it.
fn push_from(sql: &mut Sql, level: Level, start: &Start<'_>) {
    let study = match start {
        Start::Instance if level >= Level::Instance => {
            sql.push(
                "instance CROSS JOIN series ON series.id = instance.series_id
                 CROSS JOIN study ON study.id = series.study_id",
            );
            return;
        }
        Start::Series if level >= Level::Series => {
            sql.push("series INDEXED BY series_by_uid CROSS JOIN study ON study.id = series.study_id");
            if level >= Level::Instance {
                sql.push(" CROSS JOIN instance ON instance.series_id = series.id");
            }
            return;
        }
        Start::Exact(table) => table,
        Start::Newest => engine::STUDIES_NEWEST_FIRST,
        Start::Study | Start::Series | Start::Instance | Start::Terms(_) => "study",
    };
    sql.push(study);
    if level >= Level::Series {
        sql.push(" CROSS JOIN series ON series.study_id = study.id");
    }
    if level >= Level::Instance {
        sql.push(" CROSS JOIN instance ON instance.series_id = series.id");
    }
}

/// What lies outside does not exist for this caller; neither does a study whose patient is in doubt.
pub(super) fn push_only(sql: &mut Sql, only: &Restriction) {
    sql.push(" AND study.blocked = 0");
    if let Some(studies) = &only.studies {
        sql.push(" AND study.study_instance_uid IN (");
        let mut list = sql.separated(", ");
        for study in studies.iter() {
            list.push_bind(study.to_string());
        }
        sql.push(")");
    }
    if let Some(patient) = &only.patient {
        sql.push(" AND study.patient_id <> '' AND study.patient_id = ").push_bind(patient.id.expose().clone());
        if let Some(issuer) = &patient.issuer {
            sql.push(" AND study.issuer_of_patient_id = ").push_bind(issuer.expose().clone());
        }
    }
}

/// Within a series; for studies: those that have it.
fn push_series(sql: &mut Sql, level: Level, series: &str) {
    if level >= Level::Series {
        sql.push(" AND series.series_instance_uid = ").push_bind(series.to_owned());
    } else {
        sql.push(" AND study.id IN (SELECT series.study_id FROM series WHERE series.series_instance_uid = ");
        sql.push_bind(series.to_owned()).push(")");
    }
}
