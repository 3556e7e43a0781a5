//! The index over real files in temporary folders.

mod deleting;
mod million;
mod plans;
mod recording;
mod searching;

use super::{Batch, Index, IndexSettings, NewInstance};
use crate::domain::ae_title::AeTitle;
use crate::domain::arrival::Source;
use crate::domain::attributes::{Attributes, by_keyword};
use crate::domain::clock::Clock;
use crate::domain::instance::{InstanceFacts, StoredFile};
use crate::domain::metadata::{Metadata, Piece};
use crate::domain::query::{Match, Page, Query};
use crate::domain::uid::{SeriesInstanceUid, SopClassUid, SopInstanceUid, StudyInstanceUid, TransferSyntaxUid};
use dicom_core::Tag;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

pub(super) struct Fixture {
    pub(super) index: Index,
    pub(super) clock: Clock,
    pub(super) folder: TempDir,
}

pub(super) async fn fixture() -> Fixture {
    fixture_in(None).await
}

/// In a folder that stays, or in a temporary one.
pub(super) async fn fixture_in(kept: Option<std::path::PathBuf>) -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::settable("2026-03-01T10:00:00Z".parse().unwrap());
    let path = kept.as_deref().unwrap_or(folder.path());
    let index = Index::open(path, IndexSettings::default(), clock.clone()).await.unwrap();
    Fixture { index, clock, folder }
}

pub(super) fn tag(keyword: &str) -> Tag {
    by_keyword(keyword).unwrap().tag
}

/// An instance of study `1.<study>`, series `1.<study>.<series>`, with the given attributes.
pub(super) fn instance(study: u32, series: u32, number: u32, attributes: &[(&str, &str)]) -> NewInstance {
    let uid = format!("1.{study}.{series}.{number}");
    let mut known = Attributes::default();
    known.set(tag("InstanceNumber"), vec![number.to_string()]);
    known.set(tag("SeriesNumber"), vec![series.to_string()]);
    for (keyword, value) in attributes {
        known.set(tag(keyword), value.split('\\').map(str::to_owned).collect());
    }
    let sha256: [u8; 32] = Sha256::digest(uid.as_bytes()).into();
    NewInstance {
        facts: InstanceFacts {
            sop_class_uid: SopClassUid::parse("1.2.840.10008.5.1.4.1.1.2").unwrap(),
            sop_instance_uid: SopInstanceUid::parse(&uid).unwrap(),
            study_instance_uid: StudyInstanceUid::parse(&format!("1.{study}")).unwrap(),
            series_instance_uid: SeriesInstanceUid::parse(&format!("1.{study}.{series}")).unwrap(),
            attributes: known,
            pixels: None,
            metadata: Metadata { pieces: vec![Piece::default()], bulk: Vec::new() },
        },
        file: StoredFile {
            path: format!("objects/0000/{uid}.dcm"),
            size_bytes: 1000,
            crc32: 0xFFFF_FFFF,
            sha256,
            dataset_offset: 400,
            transfer_syntax_uid: TransferSyntaxUid::parse("1.2.840.10008.1.2.1").unwrap(),
        },
        received_at_ms: 1_000,
        source: Source { calling_ae_title: Some(AeTitle::parse("CT1").unwrap()), ..Source::default() },
    }
}

impl Fixture {
    pub(super) async fn record(&self, instances: Vec<NewInstance>) {
        self.index.record(Batch { instances, ..Batch::default() }).await.unwrap();
    }
    pub(super) async fn search(&self, query: Query) -> Page {
        self.index.search(&query).await.unwrap()
    }
    /// The study numbers that match, in the order of the answer.
    pub(super) async fn studies(&self, keys: &[(&str, Match)]) -> Vec<String> {
        let mut query = Query::new(crate::domain::level::Level::Study);
        query.keys = keys.iter().map(|(keyword, rule)| (tag(keyword), rule.clone())).collect();
        let page = self.search(query).await;
        page.rows.iter().map(|found| found.study.as_str().trim_start_matches("1.").to_owned()).collect()
    }
}

pub(super) fn single(value: &str) -> Match {
    Match::Single(value.to_owned())
}
pub(super) fn wildcard(value: &str) -> Match {
    Match::Wildcard(value.to_owned())
}
pub(super) fn range(from: &str, to: &str) -> Match {
    let end = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    Match::Range { from: end(from), to: end(to) }
}
