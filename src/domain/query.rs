//! What may be asked of the index, and what comes back: the matching rules of PS3.4 §C.2.2.2 as values.
//!
//! QIDO-RS, and every other way to search, is translated into one [`Query`]; no door holds a rule about
//! matching.

use super::attributes::{Attribute, Attributes};
use super::level::Level;
use super::uid::{SeriesInstanceUid, SopInstanceUid, StudyInstanceUid, TransferSyntaxUid};
use dicom_core::{Tag, VR};

/// One search.
#[derive(Debug, Clone)]
pub struct Query {
    /// What the rows of the answer are: studies, series or instances. `Patient` is answered as `Study`.
    pub level: Level,
    /// Only within this study.
    pub study: Option<StudyInstanceUid>,
    /// Only within this series.
    pub series: Option<SeriesInstanceUid>,
    /// All of these must match. Tags that are not in `domain::attributes`, or belong below `level`,
    /// are refused.
    pub keys: Vec<(Tag, Match)>,
    /// Which attributes the answer should carry.
    pub include: Include,
    /// Person names match by the beginnings of their words, in any order (PS3.18 §8.3.4.2).
    pub fuzzy: bool,
    pub limit: Option<u32>,
    pub offset: u32,
}

impl Query {
    /// Everything at `level`, newest study first.
    pub fn new(level: Level) -> Self {
        let (study, series, keys) = (None, None, Vec::new());
        Self { level, study, series, keys, include: Include::Default, fuzzy: false, limit: None, offset: 0 }
    }
    pub fn key(mut self, tag: Tag, rule: Match) -> Self {
        self.keys.push((tag, rule));
        self
    }
}

/// How one attribute must match (PS3.4 §C.2.2.2.1 to .5). A multi-valued attribute matches when any of
/// its values does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Match {
    /// The key is there to be returned and matches everything.
    Universal,
    Single(String),
    /// `*` stands for any run of characters, `?` for one; everything else for itself.
    Wildcard(String),
    /// Both ends included, either may be open. Values as in the data set: `20260131`, `1059`.
    Range {
        from: Option<String>,
        to: Option<String>,
    },
    UidList(Vec<String>),
}

/// `includefield` (PS3.18 §8.3.4.3).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Include {
    #[default]
    Default,
    /// The default attributes and these.
    Also(Vec<Tag>),
    All,
}

impl Include {
    /// Whether the answer to a query with this `includefield` carries `attribute`.
    pub fn wants(&self, attribute: &Attribute) -> bool {
        match self {
            Self::All => true,
            Self::Default => attribute.by_default,
            Self::Also(tags) => attribute.by_default || tags.contains(&attribute.tag),
        }
    }
}

/// One part of an answer, newest study first.
#[derive(Debug, Clone, Default)]
pub struct Page {
    pub rows: Vec<Found>,
    /// The limit cut something off.
    pub more: bool,
}

/// One match.
#[derive(Debug, Clone)]
pub struct Found {
    pub study: StudyInstanceUid,
    /// For series and instances.
    pub series: Option<SeriesInstanceUid>,
    /// For instances.
    pub instance: Option<SopInstanceUid>,
    /// What `include` wants and the keys of the query, of this level and the levels above, aggregates
    /// included.
    pub attributes: Attributes,
    /// For instances: as stored.
    pub transfer_syntax: Option<TransferSyntaxUid>,
}

/// What a value in a query is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMatch {
    #[error("not a date or a range of dates (YYYYMMDD, YYYYMMDD-YYYYMMDD)")]
    Date,
    #[error("not a time or a range of times (HH, HHMM, HHMMSS, HHMMSS.FFFFFF)")]
    Time,
    #[error("not a date and time or a range of them (YYYY up to YYYYMMDDHHMMSS.FFFFFF&ZZXX)")]
    DateTime,
    #[error("not a UID or a list of UIDs")]
    Uid,
    #[error("not a number")]
    Number,
}

impl Match {
    /// A key as it stands in a query string or a C-FIND identifier (PS3.4 §C.2.2.2): an empty value or
    /// only `*` is universal, the VR decides whether `-`, `*`, `?` and `\\` mean anything.
    pub fn parse(attribute: &Attribute, value: &str) -> Result<Self, InvalidMatch> {
        if value.is_empty() || (attribute.vr != VR::UI && value.bytes().all(|b| b == b'*')) {
            return Ok(Self::Universal);
        }
        Ok(Self::Single(value.to_owned()))
    }
}
