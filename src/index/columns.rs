//! Attributes to columns: the forms in which values are kept to be matched, and the closed list of
//! columns that SQL text may come from.

use crate::domain::attributes::{Attributes, lookup, tags};
use crate::domain::level::Level;
use crate::domain::person_name;
use dicom_core::{Tag, VR};
use dicom_dictionary_std::tags as dictionary;
use serde_json::{Map, Value};

/// The most bytes of one attribute that are kept: four times the longest LT (PS3.5 §6.2). Longer values
/// are left out of the index, not cut, and are still in the instance and its metadata.
const VALUE_BYTES_MAX: usize = 40 * 1024;

/// The columns that hold an attribute of a study (and its patient), a series or an instance.
pub(super) fn column(tag: Tag) -> Option<&'static str> {
    Some(match tag {
        dictionary::STUDY_INSTANCE_UID => "study.study_instance_uid",
        dictionary::STUDY_DATE => "study.study_date",
        dictionary::STUDY_TIME => "study.study_time",
        dictionary::ACCESSION_NUMBER => "study.accession_number",
        dictionary::STUDY_ID => "study.study_id",
        dictionary::STUDY_DESCRIPTION => "study.study_description",
        dictionary::REFERRING_PHYSICIAN_NAME => "study.referring_physician_name",
        dictionary::PATIENT_NAME => "study.patient_name",
        dictionary::PATIENT_ID => "study.patient_id",
        dictionary::ISSUER_OF_PATIENT_ID => "study.issuer_of_patient_id",
        dictionary::PATIENT_BIRTH_DATE => "study.patient_birth_date",
        dictionary::PATIENT_SEX => "study.patient_sex",
        dictionary::MODALITIES_IN_STUDY => "study.modalities_in_study",
        dictionary::SOP_CLASSES_IN_STUDY => "study.sop_classes_in_study",
        dictionary::NUMBER_OF_STUDY_RELATED_SERIES => "study.series_count",
        dictionary::NUMBER_OF_STUDY_RELATED_INSTANCES => "study.instance_count",
        dictionary::SERIES_INSTANCE_UID => "series.series_instance_uid",
        dictionary::SERIES_NUMBER => "series.series_number",
        dictionary::MODALITY => "series.modality",
        dictionary::SERIES_DESCRIPTION => "series.series_description",
        dictionary::BODY_PART_EXAMINED => "series.body_part_examined",
        dictionary::SERIES_DATE => "series.series_date",
        dictionary::PERFORMED_PROCEDURE_STEP_START_DATE => "series.performed_procedure_step_start_date",
        dictionary::NUMBER_OF_SERIES_RELATED_INSTANCES => "series.instance_count",
        dictionary::SOP_INSTANCE_UID => "instance.sop_instance_uid",
        dictionary::SOP_CLASS_UID => "instance.sop_class_uid",
        dictionary::INSTANCE_NUMBER => "instance.instance_number",
        _ => return None,
    })
}

/// Columns that hold numbers; all others hold text.
pub(super) fn is_number(tag: Tag) -> bool {
    matches!(
        tag,
        tags::SERIES_NUMBER
            | tags::INSTANCE_NUMBER
            | tags::NUMBER_OF_STUDY_RELATED_SERIES
            | tags::NUMBER_OF_STUDY_RELATED_INSTANCES
            | tags::NUMBER_OF_SERIES_RELATED_INSTANCES
    )
}

/// Columns that hold a list, `\CT\MR\`.
pub(super) fn is_list(tag: Tag) -> bool {
    matches!(tag, tags::MODALITIES_IN_STUDY | tags::SOP_CLASSES_IN_STUDY)
}

/// The key under which the JSON of a row holds a tag.
pub(super) fn json_key(tag: Tag) -> String {
    crate::domain::instance::hex_tag(tag)
}

/// The key of the folded names of a PN attribute without a column.
pub(super) fn folded_key(tag: Tag) -> String {
    format!("~{}", json_key(tag))
}

/// A value in the form in which it is matched: dates and times without punctuation (`2026.01.31` is how
/// ACR-NEMA wrote them, PS3.5 §6.2), names folded, everything else as it is.
pub(super) fn matched_form(vr: VR, value: &str) -> String {
    match vr {
        VR::DA => value.chars().filter(char::is_ascii_digit).collect(),
        VR::TM => value.chars().filter(|c| c.is_ascii_digit() || *c == '.').collect(),
        VR::PN => person_name::fold(value),
        _ => value.to_owned(),
    }
}

/// The least text that means this value or a later one: zeros that end a fraction of a second may be absent, as in
/// `101500.000000` and `101500` (PS3.4 §C.2.2.2.1: times are matched by what they mean).
pub(super) fn least_form(vr: VR, value: &str) -> String {
    let form = matched_form(vr, value);
    let is_time = matches!(vr, VR::TM | VR::DT);
    match form.split_once('.') {
        Some((whole, fraction)) if is_time && fraction.bytes().all(|b| b.is_ascii_digit()) => {
            let fraction = fraction.trim_end_matches('0');
            if fraction.is_empty() { whole.to_owned() } else { format!("{whole}.{fraction}") }
        }
        _ => form,
    }
}

/// The first value of `tag` in its matched form, `""` when there is none.
pub(super) fn first_matched(attributes: &Map<String, Value>, tag: Tag) -> String {
    let vr = lookup(tag).map_or(VR::UN, |attribute| attribute.vr);
    matched_form(vr, first(attributes, tag))
}

/// The first value of `tag` as it came, `""` when there is none.
pub(super) fn first(attributes: &Map<String, Value>, tag: Tag) -> &str {
    attributes.get(&json_key(tag)).and_then(|values| values.get(0)).and_then(Value::as_str).unwrap_or_default()
}

/// What number columns hold for none: less than every IS (PS3.5 §6.2), so that rows without a number come
/// first and rows can be compared with each other.
const NO_NUMBER: i64 = i32::MIN as i64 - 1;

/// The first value of an IS, as far as it is one.
pub(super) fn number(attributes: &Map<String, Value>, tag: Tag) -> i64 {
    first(attributes, tag).trim().parse::<i32>().map_or(NO_NUMBER, i64::from)
}

/// A number column read back.
pub(super) fn known_number(number: i64) -> Option<i64> {
    (number != NO_NUMBER).then_some(number)
}

/// What an instance says about the levels of one row, as the row's JSON.
pub(super) fn of_levels(attributes: &Attributes, levels: &[Level]) -> Map<String, Value> {
    let mut map = Map::new();
    for (tag, values) in &attributes.0 {
        let Some(attribute) = lookup(*tag) else { continue };
        let size: usize = values.iter().map(String::len).sum();
        if attribute.aggregate || !levels.contains(&attribute.level) || size > VALUE_BYTES_MAX {
            continue;
        }
        // SQLite ends a text at NUL; no text VR may hold one (PS3.5 §6.1.3).
        let clean =
            |value: &String| Value::from(if value.contains('\0') { value.replace('\0', "") } else { value.clone() });
        if attribute.vr == VR::PN && column(*tag).is_none() {
            map.insert(folded_key(*tag), values.iter().map(|value| person_name::fold(value)).collect());
        }
        map.insert(json_key(*tag), values.iter().map(clean).collect());
    }
    map
}

/// Takes over what is empty in `known` and has a value in `newer`: the first instance decides, later
/// ones fill in. Whether anything was taken.
pub(super) fn fill_in(known: &mut Map<String, Value>, newer: Map<String, Value>) -> bool {
    let mut filled = false;
    for (key, values) in newer {
        let has_value = |values: &Value| values.as_array().into_iter().flatten().any(|value| value != "");
        if has_value(&values) && !known.get(&key).is_some_and(has_value) {
            known.insert(key, values);
            filled = true;
        }
    }
    filled
}

/// Reads a row's JSON back.
pub(super) fn to_attributes(map: &Map<String, Value>, into: &mut Attributes, wanted: impl Fn(Tag) -> bool) {
    for (key, values) in map {
        let Some(tag) = tag_of(key) else { continue };
        if wanted(tag) {
            let strings = values.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned);
            into.0.insert(tag, strings.collect());
        }
    }
}

fn tag_of(key: &str) -> Option<Tag> {
    let number = |range| u16::from_str_radix(key.get(range)?, 16).ok();
    Some(Tag(number(0..4)?, number(4..8)?))
}

/// The values of `\CT\MR\`.
pub(super) fn split_list(list: &str) -> impl Iterator<Item = &str> {
    list.split('\\').filter(|value| !value.is_empty())
}

/// Adds a value to `\CT\MR\` unless it is there.
pub(super) fn add_to_list(list: &mut String, value: &str) {
    if !value.is_empty() && !split_list(list).any(|known| known == value) {
        if list.is_empty() {
            list.push('\\');
        }
        list.push_str(value);
        list.push('\\');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::attributes::TABLE;

    #[test]
    fn every_column_belongs_to_its_attributes_level() {
        for attribute in TABLE {
            let table = match attribute.level {
                Level::Patient | Level::Study => "study.",
                Level::Series => "series.",
                Level::Instance => "instance.",
            };
            if let Some(column) = column(attribute.tag) {
                assert!(column.starts_with(table), "{}", attribute.keyword);
            }
        }
    }

    #[test]
    fn later_instances_fill_in_and_never_replace() {
        let map = |text: &str| serde_json::from_str::<Map<String, Value>>(text).unwrap();
        let mut known = map(r#"{"00100010":["A"],"00100020":[],"00100030":[""]}"#);
        let newer = map(r#"{"00100010":["B"],"00100020":["1"],"00100030":["19700101"],"00100040":[]}"#);
        assert!(fill_in(&mut known, newer.clone()));
        assert_eq!(known, map(r#"{"00100010":["A"],"00100020":["1"],"00100030":["19700101"]}"#));
        assert!(!fill_in(&mut known, newer));
    }

    #[test]
    fn old_dates_and_times_are_matched_as_new_ones() {
        assert_eq!(matched_form(VR::DA, "1996.04.23"), "19960423");
        assert_eq!(matched_form(VR::TM, "10:11:12.5"), "101112.5");
    }

    #[test]
    fn zeros_that_end_a_fraction_mean_nothing() {
        for (vr, value, expected) in [
            (VR::TM, "101500.000000", "101500"),
            (VR::TM, "10:15:00.50", "101500.5"),
            (VR::TM, "101500.05", "101500.05"),
            (VR::TM, "101500", "101500"),
            (VR::DT, "20260131101500.100", "20260131101500.1"),
            (VR::DT, "20260131101500.100+0200", "20260131101500.100+0200"),
            (VR::LO, "1.0", "1.0"),
        ] {
            assert_eq!(least_form(vr, value), expected, "{value}");
        }
    }

    #[test]
    fn a_list_holds_each_value_once() {
        let mut list = String::new();
        for value in ["CT", "MR", "CT", "", "C"] {
            add_to_list(&mut list, value);
        }
        assert_eq!(list, r"\CT\MR\C\");
        assert_eq!(split_list(&list).collect::<Vec<_>>(), ["CT", "MR", "C"]);
    }
}
