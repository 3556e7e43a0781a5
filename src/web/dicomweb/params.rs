//! A query string to a [`Query`] (PS3.18 §8.3.4). Keys are keywords or eight hex digits. What is not
//! supported is ignored and said so in a Warning; what cannot be understood is refused with a sentence.

use super::accept::{escapes_are_whole, percent_bytes};
use crate::config::Limits;
use crate::domain::attributes::{self, Attribute, tags};
use crate::domain::level::Level;
use crate::domain::query::{Include, Match, Query};
use crate::domain::uid::{SeriesInstanceUid, StudyInstanceUid};
use crate::web::problem::Problem;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry};
use dicom_core::{Tag, VR};
use dicom_dictionary_std::StandardDataDictionary;

/// A query, and what the caller is told about it besides the answer.
#[derive(Debug)]
pub struct Asked {
    pub query: Query,
    pub warnings: Vec<&'static str>,
}

pub const IGNORED: &str = "A key or includefield of the query is not supported at this level and was ignored.";
/// In the words of PS3.18 §8.3.4.5 and §8.3.4.6.
const NO_EMPTY_VALUES: &str =
    "The emptyvaluematching parameter is not supported. Empty Value Matching has not been performed.";
const NO_MULTIPLE_VALUES: &str =
    "The multiplevaluematching parameter is not supported. Multiple Value Matching has not been performed.";
pub const CAPPED: &str = "The limit is larger than this server answers at once and was lowered.";
pub const MORE: &str = "There are additional results that can be requested.";

/// Reads the query of a search at `level`, within a study or series when the path names them.
pub fn parse(
    raw: Option<&str>,
    level: Level,
    study: Option<StudyInstanceUid>,
    series: Option<SeriesInstanceUid>,
    limits: &Limits,
) -> Result<Asked, Problem> {
    // Within a study everything is answered; across studies a search without a limit gets the first page.
    let everything = study.is_some();
    let mut asked = Asked { query: Query { study, series, ..Query::new(level) }, warnings: Vec::new() };
    let mut uids: Vec<(&'static Attribute, String)> = Vec::new();
    let mut include = Includes::default();
    let mut limit = None;
    for pair in pairs(raw.unwrap_or_default()) {
        let (name, value) = pair?;
        match name.to_ascii_lowercase().as_str() {
            "" | "accept" | "accept-charset" | "charset" => {}
            "limit" => limit = number(&value, "limit")?.or(limit),
            "offset" => asked.query.offset = number(&value, "offset")?.unwrap_or(0),
            "fuzzymatching" => asked.query.fuzzy = truth(&value)?,
            "includefield" => include.add(&value),
            "emptyvaluematching" => asked.unsupported(truth(&value)?, NO_EMPTY_VALUES),
            "multiplevaluematching" => asked.unsupported(truth(&value)?, NO_MULTIPLE_VALUES),
            _ => match key(&name, level, value.is_empty()) {
                Key::Of(attribute) if attribute.vr == VR::UI => {
                    match uids.iter_mut().find(|(known, _)| known.tag == attribute.tag) {
                        Some((_, list)) => {
                            list.push('\\');
                            list.push_str(&value);
                        }
                        None => uids.push((attribute, value)),
                    }
                }
                Key::Of(attribute) => {
                    let rule = rule(attribute, &value)?;
                    asked.query.keys.push((attribute.tag, rule));
                }
                Key::Wanted => include.add(&name),
                Key::Unknown => asked.ignored(),
            },
        }
    }
    for (attribute, list) in uids {
        asked.query.keys.push((attribute.tag, rule(attribute, &list.replace(',', "\\"))?));
    }
    asked.query.limit = match limit {
        Some(limit) if !everything && limit > limits.search_results_max => {
            asked.warnings.push(CAPPED);
            Some(limits.search_results_max)
        }
        None if !everything => Some(limits.search_results),
        limit => limit,
    };
    asked.query.include = include.finish(level, &mut asked.warnings);
    Ok(asked)
}

impl Asked {
    /// Says in `response` what the caller should know besides.
    pub fn warn(&self, response: &mut Response) {
        for warning in &self.warnings {
            if let Ok(value) = HeaderValue::from_str(&format!("299 bluebridge: \"{warning}\"")) {
                response.headers_mut().append(header::WARNING, value);
            }
        }
    }
    fn ignored(&mut self) {
        self.unsupported(true, IGNORED);
    }
    fn unsupported(&mut self, asked: bool, warning: &'static str) {
        if asked && !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }
}

/// What the name of a parameter stands for.
enum Key {
    Of(&'static Attribute),
    /// Without a value: only to be returned.
    Wanted,
    Unknown,
}

fn key(name: &str, level: Level, empty: bool) -> Key {
    let Some(tag) = tag_of(name) else { return Key::Unknown };
    // Viewers filter studies by attributes of their series; the study row keeps the union of these.
    let tag = match (level, tag) {
        (Level::Patient | Level::Study, tags::MODALITY) if !empty => tags::MODALITIES_IN_STUDY,
        (Level::Patient | Level::Study, tags::SOP_CLASS_UID) if !empty => tags::SOP_CLASSES_IN_STUDY,
        _ => tag,
    };
    match attributes::lookup(tag) {
        Some(attribute) if attribute.level <= level || attribute.tag == tags::INSTANCE_AVAILABILITY => {
            Key::Of(attribute)
        }
        _ if empty && (attributes::lookup(tag).is_some() || attributes::members(tag).next().is_some()) => Key::Wanted,
        _ => Key::Unknown,
    }
}

/// A keyword of PS3.6, `ggggeeee`, or `gggg,eeee`; of what stands in a sequence also with that before it, as
/// `00400275.00401001` (PS3.18 §8.3.4.1).
fn tag_of(name: &str) -> Option<Tag> {
    let Some((sequence, member)) = name.split_once('.') else { return simple_tag(name) };
    let (sequence, member) = (simple_tag(sequence)?, simple_tag(member)?);
    (attributes::lookup(member)?.within == Some(sequence)).then_some(member)
}

fn simple_tag(name: &str) -> Option<Tag> {
    let hex = |text: &str| (text.len() == 4).then(|| u16::from_str_radix(text, 16).ok()).flatten();
    if let (Some(group), Some(element)) =
        (name.get(..4).and_then(hex), name.get(4..).and_then(|rest| hex(rest.trim_start_matches(','))))
    {
        return Some(Tag(group, element));
    }
    attributes::by_keyword(name)
        .map(|attribute| attribute.tag)
        .or_else(|| StandardDataDictionary.by_name(name).map(DataDictionaryEntry::tag))
}

fn rule(attribute: &Attribute, value: &str) -> Result<Match, Problem> {
    // In a query string `+` means a space; in a DT it can only have been the sign of the offset from UTC.
    let value = if attribute.vr == VR::DT { value.replace(' ', "+") } else { value.to_owned() };
    Match::parse(attribute, &value)
        .map_err(|error| Problem::bad_request(format!("The value of {} is {error}.", attribute.keyword)))
}

#[derive(Default)]
struct Includes {
    tags: Vec<Tag>,
    all: bool,
    unknown: bool,
}

impl Includes {
    fn add(&mut self, list: &str) {
        for name in list.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            match tag_of(name) {
                _ if name.eq_ignore_ascii_case("all") => self.all = true,
                Some(tag) if attributes::members(tag).next().is_some() => {
                    self.tags.extend(attributes::members(tag).map(|attribute| attribute.tag));
                }
                Some(tag) => self.tags.push(tag),
                None => self.unknown = true,
            }
        }
    }
    fn finish(mut self, level: Level, warnings: &mut Vec<&'static str>) -> Include {
        // Modality of a study is what OHIF asks every time; it reads (0008,0061) in its place.
        let answered = |tag: &Tag| {
            *tag == tags::MODALITY || attributes::lookup(*tag).is_some_and(|attribute| attribute.level <= level)
        };
        // Every match says where it is retrieved, asked for or not.
        self.tags.retain(|tag| *tag != tags::RETRIEVE_URL);
        let before = self.tags.len();
        self.tags.retain(answered);
        if (self.unknown || self.tags.len() < before) && !warnings.contains(&IGNORED) {
            warnings.push(IGNORED);
        }
        match (self.all, self.tags.is_empty()) {
            (true, _) => Include::All,
            (false, true) => Include::Default,
            (false, false) => Include::Also(self.tags),
        }
    }
}

fn number(value: &str, name: &'static str) -> Result<Option<u32>, Problem> {
    if value.is_empty() {
        return Ok(None);
    }
    // More digits than we count is a number beyond everything that is there.
    if value.bytes().all(|b| b.is_ascii_digit()) {
        return Ok(Some(value.parse().unwrap_or(u32::MAX)));
    }
    value.parse().map(Some).map_err(|_| Problem::bad_request(format!("{name} must be a whole number from 0.")))
}

fn truth(value: &str) -> Result<bool, Problem> {
    match value.to_ascii_lowercase().as_str() {
        "true" | "1" => Ok(true),
        "false" | "0" | "" => Ok(false),
        _ => Err(Problem::bad_request("A parameter that turns a way of matching on is true or false.")),
    }
}

/// Names and values, escapes resolved, `+` read as a space (as HTML forms and Python write it; what means
/// a plus is sent as %2B). Text is UTF-8; what is not is taken for Latin-1, as old Windows clients send.
pub(super) fn pairs(raw: &str) -> impl Iterator<Item = Result<(String, String), Problem>> + '_ {
    raw.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        Ok((text(name)?, text(value)?))
    })
}

fn text(raw: &str) -> Result<String, Problem> {
    // What is no escape may be half of one: a guess would search for another patient.
    if !escapes_are_whole(raw) {
        return Err(Problem::bad_request(
            "A percent sign in a query stands before two hex digits; write %25 for the sign itself.",
        ));
    }
    let spaced: Vec<u8> = raw.bytes().map(|b| if b == b'+' { b' ' } else { b }).collect();
    let decoded = percent_bytes(&spaced);
    Ok(String::from_utf8(decoded).unwrap_or_else(|error| error.into_bytes().into_iter().map(char::from).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn study(raw: &str) -> Result<Asked, Problem> {
        parse(Some(raw), Level::Study, None, None, &Limits::default())
    }
    fn keys(raw: &str) -> Vec<(Tag, Match)> {
        study(raw).unwrap().query.keys
    }

    #[test]
    fn a_key_is_a_keyword_or_a_hex_tag() {
        for name in ["PatientID", "00100020", "0010,0020"] {
            assert_eq!(keys(&format!("{name}=X")), [(tags::PATIENT_ID, Match::Single("X".into()))], "{name}");
        }
        assert_eq!(keys("0020000d=1.2")[0].0, tags::STUDY_INSTANCE_UID);
    }

    #[test]
    fn what_ohif_and_weasis_ask_is_understood() {
        let ohif = study(
            "limit=101&offset=0&fuzzymatching=false&includefield=00081030%2C00080060%2C00080090%2C00100030&00100020=*id*",
        )
        .unwrap();
        assert_eq!((ohif.query.limit, ohif.query.offset, ohif.query.fuzzy), (Some(101), 0, false));
        assert!(matches!(&ohif.query.include, Include::Also(tags) if tags.len() == 4));
        assert_eq!(ohif.warnings, [] as [&str; 0]);
        let weasis = study(
            "&includefield=00080020,00080030,00080050,00080061,00080090,00081030,00100010,00100020,00100021,\
             00100030,00100040,0020000D,00200010&limit=10&offset=0",
        )
        .unwrap();
        assert_eq!(weasis.query.limit, Some(10));
        assert_eq!(weasis.warnings, [] as [&str; 0]);
        let series = "includefield=0008103E,00080060,0020000E,00200011,00081190";
        let series = parse(Some(series), Level::Series, None, None, &Limits::default()).unwrap();
        assert_eq!(series.warnings, [] as [&str; 0]);
    }

    #[test]
    fn a_value_may_be_escaped_raw_or_not_even_utf8() {
        let name = |raw: &str| match &keys(raw)[..] {
            [(tags::PATIENT_NAME, Match::Single(value) | Match::Wildcard(value))] => value.clone(),
            other => panic!("{other:?}"),
        };
        assert_eq!(name("PatientName=M%C3%BCller"), "Müller");
        assert_eq!(name("PatientName=Müller"), "Müller");
        assert_eq!(name("PatientName=M%FCller"), "Müller");
        assert_eq!(name("PatientName=VAN+DYKE"), "VAN DYKE");
        assert_eq!(name("PatientName=A%2BB"), "A+B");
        assert_eq!(name("PatientName=100%25"), "100%");
    }

    #[test]
    fn uids_come_as_a_list_or_again_and_again() {
        for raw in ["0020000D=1.2%5C1.3", "StudyInstanceUID=1.2,1.3", "StudyInstanceUID=1.2&0020000D=1.3"] {
            let keys = keys(raw);
            assert_eq!(keys.len(), 1, "{raw}");
            assert_eq!(keys[0].0, tags::STUDY_INSTANCE_UID);
        }
    }

    #[test]
    fn what_is_not_supported_is_ignored_with_a_warning() {
        for raw in
            ["foo=bar", "00101099=x", "SliceThickness=1", "includefield=NoSuchThing", "includefield=00280010", "_=17"]
        {
            assert_eq!(study(raw).unwrap().warnings, [IGNORED], "{raw}");
        }
        assert_eq!(study("emptyvaluematching=true&emptyvaluematching=true").unwrap().warnings, [NO_EMPTY_VALUES]);
        assert_eq!(study("multiplevaluematching=true&foo=1").unwrap().warnings, [NO_MULTIPLE_VALUES, IGNORED]);
        assert_eq!(study("emptyvaluematching=false").unwrap().warnings, [] as [&str; 0]);
        assert_eq!(study("PatientName=&Modality=&includefield=all").unwrap().warnings, [] as [&str; 0]);
    }

    #[test]
    fn what_cannot_be_understood_is_refused_with_a_sentence() {
        for raw in [
            "limit=abc",
            "limit=-1",
            "offset=1.5",
            "fuzzymatching=maybe",
            "PatientName=%zz",
            "PatientName=100%",
            "PatientName=%4",
            "%zz=1",
            "includefield=%F",
            "limit=%%31",
        ] {
            let problem = study(raw).unwrap_err();
            assert_eq!(problem.status, 400, "{raw}");
            assert!(problem.detail.ends_with('.'));
        }
    }

    #[test]
    fn what_stands_in_a_sequence_is_named_with_or_without_it() {
        let series = |raw: &str| parse(Some(raw), Level::Series, None, None, &Limits::default()).unwrap();
        for name in [
            "00400275.00401001",
            "RequestAttributesSequence.RequestedProcedureID",
            "0040,0275.0040,1001",
            "RequestedProcedureID",
            "00401001",
        ] {
            let asked = series(&format!("{name}=RP1"));
            assert_eq!(asked.query.keys, [(Tag(0x0040, 0x1001), Match::Single("RP1".into()))], "{name}");
            assert!(asked.warnings.is_empty());
        }
        for wanted in ["includefield=00400275", "RequestAttributesSequence=", "includefield=00400275.00400009"] {
            assert!(series(wanted).warnings.is_empty(), "{wanted}");
        }
        for ignored in ["RequestAttributesSequence=x", "00400275.00100020=x", "00400275.=x", "00081140.00401001=x"] {
            let asked = series(ignored);
            assert_eq!((asked.query.keys.len(), asked.warnings), (0, vec![IGNORED]), "{ignored}");
        }
    }

    #[test]
    fn a_study_is_found_by_what_its_series_are() {
        assert_eq!(keys("Modality=CT"), [(tags::MODALITIES_IN_STUDY, Match::Single("CT".into()))]);
        assert_eq!(keys("SOPClassUID=1.2")[0].0, tags::SOP_CLASSES_IN_STUDY);
    }

    /// PS3.18 §8.3.4.4: both are any whole number from 0, and behind the last match there is nothing.
    #[test]
    fn a_limit_and_an_offset_may_be_larger_than_anything_there_is() {
        for huge in ["4294967296", "99999999999", "99999999999999999999"] {
            let asked = study(&format!("offset={huge}&limit={huge}")).unwrap();
            let limit = Some(Limits::default().search_results_max);
            assert_eq!((asked.query.offset, asked.query.limit, asked.warnings), (u32::MAX, limit, vec![CAPPED]));
        }
    }

    #[test]
    fn only_a_search_across_studies_has_a_limit_of_its_own() {
        let limits = Limits::default();
        assert_eq!(study("").unwrap().query.limit, Some(limits.search_results));
        let over = study("limit=1000000").unwrap();
        assert_eq!(
            (over.query.limit, over.warnings.as_slice()),
            (Some(limits.search_results_max), [CAPPED].as_slice())
        );
        let within = StudyInstanceUid::parse("1.2").ok();
        let all = parse(None, Level::Instance, within, None, &limits).unwrap();
        assert_eq!(all.query.limit, None);
        // Weasis takes a page shorter than its 1,000 for the last one: a study is not cut shorter than it asks.
        let few = Limits { search_results_max: 20, ..Limits::default() };
        let within = StudyInstanceUid::parse("1.2").ok();
        let page = parse(Some("limit=1000"), Level::Instance, within, None, &few).unwrap();
        assert_eq!((page.query.limit, page.warnings.len()), (Some(1000), 0));
    }
}
