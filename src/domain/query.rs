//! What may be asked of the index, and what comes back: the matching rules of PS3.4 §C.2.2.2 as values.
//!
//! QIDO-RS, and every other way to search, is translated into one [`Query`]; no door holds a rule about
//! matching.

use super::attributes::{Attribute, Attributes};
use super::level::Level;
use super::restriction::Restriction;
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
    /// What is outside is not there.
    pub only: Option<Restriction>,
}

impl Query {
    /// Everything at `level`, newest study first.
    pub fn new(level: Level) -> Self {
        let (study, series, keys) = (None, None, Vec::new());
        let (include, fuzzy, limit, offset, only) = (Include::Default, false, None, 0, None);
        Self { level, study, series, keys, include, fuzzy, limit, offset, only }
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
    /// Any of several values: UIDs, and modalities and other code strings.
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
    /// only `*` is universal; the VR decides whether `-`, `*`, `?`, `,` and `\` mean anything.
    pub fn parse(attribute: &Attribute, value: &str) -> Result<Self, InvalidMatch> {
        let value = value.trim();
        if value.bytes().all(|b| b == b'*') {
            return Ok(Self::Universal);
        }
        match attribute.vr {
            VR::UI => list(value, |uid| uid.bytes().all(|b| b.is_ascii_digit() || b == b'.')).ok_or(InvalidMatch::Uid),
            VR::DA => range(value, is_date).ok_or(InvalidMatch::Date),
            VR::TM => range(value, is_time).ok_or(InvalidMatch::Time),
            VR::DT => range(value, is_date_time).ok_or(InvalidMatch::DateTime),
            VR::IS | VR::DS | VR::US | VR::UL | VR::SS | VR::SL | VR::FL | VR::FD => {
                let number = value.parse::<f64>().is_ok_and(f64::is_finite);
                if number { Ok(Self::Single(value.to_owned())) } else { Err(InvalidMatch::Number) }
            }
            _ if value.contains(['*', '?']) => Ok(Self::Wildcard(value.to_owned())),
            // A code string holds neither comma nor backslash, and viewers ask for several modalities.
            VR::CS => list(value, |_| true).map_or_else(|| Ok(Self::Universal), Ok),
            _ => Ok(Self::Single(value.to_owned())),
        }
    }
}

/// One value, or several with commas (PS3.18 §8.3.4.1) or backslashes (PS3.4 §C.2.2.2.2) between them.
fn list(text: &str, well_formed: impl Fn(&str) -> bool) -> Option<Match> {
    let mut values: Vec<String> =
        text.split([',', '\\']).map(str::trim).filter(|value| !value.is_empty()).map(str::to_owned).collect();
    if values.is_empty() || !values.iter().all(|value| value.len() <= 64 && well_formed(value)) {
        return None;
    }
    match values.len() {
        1 => values.pop().map(Match::Single),
        _ => Some(Match::UidList(values)),
    }
}

/// One value or `from-to` with one end open at most. Where a hyphen could also begin the UTC offset of a
/// DT, the reading in which both ends are well formed wins.
fn range(text: &str, well_formed: fn(&str) -> bool) -> Option<Match> {
    if well_formed(text) {
        return Some(Match::Single(text.to_owned()));
    }
    text.match_indices('-').find_map(|(at, _)| {
        let (from, to) = (text.get(..at)?.trim(), text.get(at + 1..)?.trim());
        let end = |value: &str| value.is_empty() || well_formed(value);
        let some = |value: &str| Some(value.to_owned()).filter(|value| !value.is_empty());
        let fits = end(from) && end(to) && !(from.is_empty() && to.is_empty());
        fits.then(|| Match::Range { from: some(from), to: some(to) })
    })
}

fn digits(text: &str, range: std::ops::RangeInclusive<u32>) -> bool {
    text.bytes().all(|b| b.is_ascii_digit()) && text.parse().is_ok_and(|number: u32| range.contains(&number))
}

/// `YYYYMMDD`, or `YYYY.MM.DD` as before DICOM 3.0.
fn is_date(text: &str) -> bool {
    let plain = match text.len() {
        10 if text.as_bytes().get(4) == Some(&b'.') && text.as_bytes().get(7) == Some(&b'.') => text.replace('.', ""),
        _ => text.to_owned(),
    };
    let part = |range, limits| plain.get(range).is_some_and(|part| digits(part, limits));
    plain.len() == 8 && part(0..4, 0..=9999) && part(4..6, 1..=12) && part(6..8, 1..=31)
}

/// `HH`, `HHMM`, `HHMMSS` or `HHMMSS.F` to `.FFFFFF`; colons as before DICOM 3.0.
fn is_time(text: &str) -> bool {
    let plain = text.replace(':', "");
    let (whole, fraction) = match plain.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (plain.as_str(), None),
    };
    let part = |at: usize, most| whole.get(at..at + 2).is_none_or(|part| digits(part, 0..=most));
    matches!(whole.len(), 2 | 4 | 6)
        && part(0, 23)
        && part(2, 59)
        && part(4, 60)
        && fraction.is_none_or(|digit| whole.len() == 6 && digit.len() <= 6 && digits(digit, 0..=999_999))
}

/// `YYYY`, `YYYYMM`, `YYYYMMDD`, then a time, then `+HHMM` or `-HHMM` (-1200 to +1400).
fn is_date_time(text: &str) -> bool {
    let offset_at = text.len().saturating_sub(5);
    let local = match text.get(offset_at..) {
        Some(offset) if offset.starts_with('+') && offset.get(1..).is_some_and(|hours| digits(hours, 0..=1400)) => {
            text.get(..offset_at).unwrap_or_default()
        }
        Some(offset) if offset.starts_with('-') && offset.get(1..).is_some_and(|hours| digits(hours, 0..=1200)) => {
            text.get(..offset_at).unwrap_or_default()
        }
        _ => text,
    };
    match local.len() {
        4 => digits(local, 0..=9999),
        6 => is_date(&format!("{local}01")),
        _ => local.get(..8).is_some_and(is_date) && local.get(8..).is_some_and(|time| time.is_empty() || is_time(time)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::attributes::by_keyword;

    fn parse(keyword: &str, value: &str) -> Result<Match, InvalidMatch> {
        Match::parse(by_keyword(keyword).unwrap(), value)
    }
    fn single(value: &str) -> Result<Match, InvalidMatch> {
        Ok(Match::Single(value.to_owned()))
    }
    fn between(from: &str, to: &str) -> Result<Match, InvalidMatch> {
        let end = |value: &str| Some(value.to_owned()).filter(|value| !value.is_empty());
        Ok(Match::Range { from: end(from), to: end(to) })
    }

    #[test]
    fn the_vr_decides_what_a_value_means() {
        let list = |values: &[&str]| Ok(Match::UidList(values.iter().map(|value| (*value).to_owned()).collect()));
        let cases = [
            ("PatientName", "", Ok(Match::Universal)),
            ("PatientName", "**", Ok(Match::Universal)),
            ("StudyInstanceUID", "*", Ok(Match::Universal)),
            ("PatientName", "Doe^J*", Ok(Match::Wildcard("Doe^J*".to_owned()))),
            ("PatientName", "Smith-Jones, Ann", single("Smith-Jones, Ann")),
            ("PatientID", "20240101-20240102", single("20240101-20240102")),
            ("StudyInstanceUID", "1.2", single("1.2")),
            ("StudyInstanceUID", "1.2,1.3", list(&["1.2", "1.3"])),
            ("StudyInstanceUID", "1.2\\1.3\\", list(&["1.2", "1.3"])),
            ("StudyInstanceUID", "1.2*", Err(InvalidMatch::Uid)),
            ("StudyInstanceUID", ",", Err(InvalidMatch::Uid)),
            ("ModalitiesInStudy", "CT\\MR", list(&["CT", "MR"])),
            ("StudyDate", "20240131", single("20240131")),
            ("StudyDate", "2024.01.31", single("2024.01.31")),
            ("StudyDate", "20240101-20240131", between("20240101", "20240131")),
            ("StudyDate", "20240101-", between("20240101", "")),
            ("StudyDate", "-20240131", between("", "20240131")),
            ("StudyDate", "-", Err(InvalidMatch::Date)),
            ("StudyDate", "2024-01-31", Err(InvalidMatch::Date)),
            ("StudyDate", "20241331", Err(InvalidMatch::Date)),
            ("StudyDate", "2024*", Err(InvalidMatch::Date)),
            ("StudyTime", "10", single("10")),
            ("StudyTime", "1011-101112.5", between("1011", "101112.5")),
            ("StudyTime", "25", Err(InvalidMatch::Time)),
            ("StudyTime", "10.5", Err(InvalidMatch::Time)),
            ("AcquisitionDateTime", "20240131101112.5-0500", single("20240131101112.5-0500")),
            ("AcquisitionDateTime", "2023-2024", between("2023", "2024")),
            ("AcquisitionDateTime", "20240101-0500-20240201-0500", between("20240101-0500", "20240201-0500")),
            ("AcquisitionDateTime", "-20240201", between("", "20240201")),
            ("AcquisitionDateTime", "now", Err(InvalidMatch::DateTime)),
            ("InstanceNumber", " 7 ", single("7")),
            ("InstanceNumber", "x", Err(InvalidMatch::Number)),
            ("InstanceNumber", "inf", Err(InvalidMatch::Number)),
        ];
        for (keyword, value, expected) in cases {
            assert_eq!(parse(keyword, value), expected, "{keyword}={value}");
        }
    }
}
