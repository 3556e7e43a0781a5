//! The keys of a directory record read out of an instance's stored DICOM JSON, and written again as
//! elements (PS3.18 §F.2).

use super::record::{Kind, Need};
use crate::domain::attributes::{Attributes, tags};
use crate::domain::explicit::Elements;
use base64::Engine;
use dicom_core::{Tag, VR};
use serde::Deserializer;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde_json::Value;
use std::collections::BTreeMap;

/// A record's sequences are its own copy of a document's beginning; nobody nests codes deeper.
const DEPTH_MAX: u32 = 12;
/// Longest text kept of one value: records are for finding, not for reading.
const TEXT_MAX: usize = 1024;

/// What tells one patient from another, and how the record of one is written.
pub(super) const PATIENT: [Tag; 5] =
    [tags::PATIENT_ID, tags::ISSUER_OF_PATIENT_ID, tags::PATIENT_BIRTH_DATE, tags::PATIENT_NAME, tags::PATIENT_SEX];

/// The elements of one instance that its record needs, as found.
#[derive(Debug, Default)]
pub(super) struct Keys(BTreeMap<Tag, Value>);

impl Keys {
    /// Picks what `kind` asks for out of a DICOM JSON object; the rest is skipped unread.
    pub fn read(kind: &'static Kind, json: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::Deserializer::from_slice(json).deserialize_map(Pick(|tag| kind.keys.iter().any(|key| key.0 == tag)))
    }

    /// The patient that an instance names, as its own attributes say it.
    pub fn patient(json: &[u8]) -> Result<Attributes, serde_json::Error> {
        let keys = serde_json::Deserializer::from_slice(json).deserialize_map(Pick(|tag| PATIENT.contains(&tag)))?;
        let text = |element: &Value| -> Vec<String> {
            element.get("Value").and_then(Value::as_array).into_iter().flatten().map(text_of).collect()
        };
        Ok(Attributes(keys.0.iter().map(|(tag, element)| (*tag, text(element))).collect()))
    }

    /// Writes the keys of `kind`; `number` stands for a missing Instance Number.
    pub fn write(&self, kind: &'static Kind, number: i64, into: &mut Elements) {
        for (tag, vr, need) in kind.keys {
            let found = self.0.get(tag).and_then(Value::as_object);
            if found.is_some_and(|found| put(into, *tag, *vr, found, 0)) {
                continue;
            }
            match need {
                Need::Value(made_up) => put_text(into, *tag, *vr, made_up),
                Need::Number => into.text(*tag, *vr, &number.to_string()),
                Need::Code => into.sequence(*tag, &[unnamed()]),
                Need::Empty => into.put(*tag, *vr, Vec::new()),
                Need::Present => {}
            }
        }
    }
}

/// (121144, DCM, "Document Title") says that there is a document and not which.
fn unnamed() -> Elements {
    use dicom_dictionary_std::tags;
    let mut code = Elements::default();
    code.text(tags::CODE_VALUE, VR::SH, "121144");
    code.text(tags::CODING_SCHEME_DESIGNATOR, VR::SH, "DCM");
    code.text(tags::CODE_MEANING, VR::LO, "Document Title");
    code
}

/// Takes the elements whose tags it says yes to.
struct Pick<F: Fn(Tag) -> bool>(F);

impl<'de, F: Fn(Tag) -> bool> Visitor<'de> for Pick<F> {
    type Value = Keys;
    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("a DICOM JSON object")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Keys, A::Error> {
        let mut keys = Keys::default();
        while let Some(name) = map.next_key::<std::borrow::Cow<'de, str>>()? {
            match tag(&name).filter(|tag| (self.0)(*tag)) {
                Some(tag) => {
                    keys.0.insert(tag, map.next_value()?);
                }
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(keys)
    }
}

fn tag(name: &str) -> Option<Tag> {
    let number = (name.len() == 8).then(|| u32::from_str_radix(name, 16).ok())??;
    Some(Tag((number >> 16) as u16, number as u16))
}

/// Writes one element; `false` when it has no value that can be written. `vr` is ours; inside sequences
/// that of the JSON counts.
fn put(into: &mut Elements, tag: Tag, vr: VR, element: &serde_json::Map<String, Value>, depth: u32) -> bool {
    if let Some(inline) = element.get("InlineBinary").and_then(Value::as_str) {
        let Ok(bytes) = base64::engine::general_purpose::STANDARD.decode(inline) else { return false };
        into.put(tag, vr, bytes);
        return true;
    }
    let Some(values) = element.get("Value").and_then(Value::as_array).filter(|values| !values.is_empty()) else {
        return false;
    };
    if vr == VR::SQ {
        let items: Vec<Elements> = values.iter().filter_map(|item| item_of(item, depth)).collect();
        if items.is_empty() {
            return false;
        }
        into.sequence(tag, &items);
        return true;
    }
    let text: Vec<String> = values.iter().map(text_of).collect();
    if text.iter().all(String::is_empty) {
        return false;
    }
    put_text(into, tag, vr, &text.join("\\"));
    into.contains(tag)
}

fn item_of(item: &Value, depth: u32) -> Option<Elements> {
    let item = item.as_object().filter(|_| depth < DEPTH_MAX)?;
    let mut elements = Elements::default();
    for (name, element) in item {
        let (Some(tag), Some(element)) = (tag(name), element.as_object()) else { continue };
        let vr = element.get("vr").and_then(Value::as_str).and_then(|vr| vr.parse::<VR>().ok());
        let Some(vr) = vr else { continue };
        // A value that is bulk data has no place in a directory; an empty one stays empty.
        if !put(&mut elements, tag, vr, element, depth + 1) && !element.contains_key("BulkDataURI") {
            elements.put(tag, vr, Vec::new());
        }
    }
    Some(elements)
}

fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Object(name) => {
            let group = |key| name.get(key).and_then(Value::as_str).unwrap_or_default();
            let groups = [group("Alphabetic"), group("Ideographic"), group("Phonetic")].join("=");
            groups.trim_end_matches('=').to_owned()
        }
        _ => String::new(),
    }
}

/// Values joined by backslashes, encoded as `vr` wants them; nothing when they are no such values.
fn put_text(into: &mut Elements, tag: Tag, vr: VR, text: &str) {
    fn binary<T: std::str::FromStr, const N: usize>(text: &str, bytes: fn(T) -> [u8; N]) -> Option<Vec<u8>> {
        text.split('\\').map(|value| value.parse::<T>().ok().map(bytes)).collect::<Option<Vec<_>>>().map(|v| v.concat())
    }
    let value = match vr {
        VR::US => binary(text, u16::to_le_bytes),
        VR::SS => binary(text, i16::to_le_bytes),
        VR::UL => binary(text, u32::to_le_bytes),
        VR::SL => binary(text, i32::to_le_bytes),
        VR::UV => binary(text, u64::to_le_bytes),
        VR::SV => binary(text, i64::to_le_bytes),
        VR::FL => binary(text, f32::to_le_bytes),
        VR::FD => binary(text, f64::to_le_bytes),
        VR::AT => text
            .split('\\')
            .map(|name| self::tag(name).map(|tag| [tag.0.to_le_bytes(), tag.1.to_le_bytes()].concat()))
            .collect::<Option<Vec<_>>>()
            .map(|tags| tags.concat()),
        VR::OB | VR::OD | VR::OF | VR::OL | VR::OV | VR::OW | VR::UN | VR::SQ => None,
        _ => Some(clipped(text).as_bytes().to_vec()),
    };
    if let Some(value) = value {
        into.put(tag, vr, value);
    }
}

fn clipped(text: &str) -> &str {
    let mut end = text.len().min(TEXT_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::super::record::{IMAGE, KEY_OBJECT_DOC, SPECTROSCOPY};
    use super::*;
    use dicom_dictionary_std::tags;

    fn written(kind: &'static Kind, json: &str) -> Elements {
        let mut elements = Elements::default();
        Keys::read(kind, json.as_bytes()).unwrap().write(kind, 7, &mut elements);
        elements
    }

    #[test]
    fn what_is_missing_is_made_up_and_what_is_there_is_kept() {
        let made_up = written(&IMAGE, r#"{"00280010":{"vr":"US","Value":[5]}}"#);
        let mut expected = Elements::default();
        expected.text(tags::INSTANCE_NUMBER, VR::IS, "7");
        assert_eq!(made_up, expected);
        expected.text(tags::INSTANCE_NUMBER, VR::IS, "12");
        assert_eq!(written(&IMAGE, r#"{"00200013":{"vr":"IS","Value":[12]}}"#), expected);
        assert_eq!(written(&IMAGE, r#"{"00200013":{"vr":"IS","Value":["12"]}}"#), expected);
        for broken in [r#"{"00200013":{"vr":"IS"}}"#, r#"{"00200013":{"vr":"IS","Value":[null]}}"#, r#"{"00200013":5}"#]
        {
            assert_eq!(written(&IMAGE, broken), made_up, "{broken}");
        }
    }

    #[test]
    fn codes_and_references_are_copied_with_their_own_vrs() {
        let elements = written(
            &KEY_OBJECT_DOC,
            r#"{"0040A043":{"vr":"SQ","Value":[{"00080100":{"vr":"SH","Value":["113000"]},
                "00080104":{"vr":"LO","Value":["Of Interest"]},"0040A123":{"vr":"PN","Value":[{"Alphabetic":"A","Phonetic":"C"}]},
                "00280010":{"vr":"US","Value":[3]},"7FE00010":{"vr":"OW","BulkDataURI":"/x"}}]},
                "00080023":{"vr":"DA","Value":["20260101"]}}"#,
        );
        let bytes = elements.to_bytes();
        let holds = |part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
        assert!(holds(b"113000") && holds(b"Of Interest ") && holds(b"A==C") && holds(b"20260101"));
        assert!(holds(&[0x28, 0, 0x10, 0, b'U', b'S', 2, 0, 3, 0]));
        assert!(holds(b"000000") && !holds(&[0xE0, 0x7F]));
    }

    #[test]
    fn numbers_made_up_are_binary_where_the_vr_is() {
        let bytes = written(&SPECTROSCOPY, "{}").to_bytes();
        assert!(bytes.windows(12).any(|window| window == [0x28, 0, 0x01, 0x90, b'U', b'L', 4, 0, 1, 0, 0, 0]));
    }

    #[test]
    fn nesting_is_bounded() {
        let mut json = r#"{"vr":"SQ","Value":[]}"#.to_owned();
        for _ in 0..30 {
            json = format!(r#"{{"vr":"SQ","Value":[{{"0040A730":{json}}}]}}"#);
        }
        let elements = written(&KEY_OBJECT_DOC, &format!(r#"{{"0040A730":{json}}}"#));
        assert!(elements.encoded_len() < 1000);
    }
}
