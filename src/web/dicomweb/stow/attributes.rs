//! Attributes of a data set in the DICOM JSON Model (PS3.18 Annex F), read and written as an upload needs them.

use crate::domain::instance::hex_tag;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dicom_core::{Tag, VR};
use serde_json::{Map, Value, json};

pub(super) fn first(dataset: &Map<String, Value>, tag: Tag) -> Option<&Value> {
    dataset.get(&hex_tag(tag))?.get("Value")?.as_array()?.first().filter(|value| !value.is_null())
}

pub(super) fn text(dataset: &Map<String, Value>, tag: Tag) -> Option<&str> {
    first(dataset, tag)?.as_str()
}

pub(super) fn number(dataset: &Map<String, Value>, tag: Tag) -> Option<u64> {
    let value = first(dataset, tag)?;
    value.as_u64().or_else(|| value.as_str()?.trim().parse().ok())
}

pub(super) fn uri(dataset: &Map<String, Value>, tag: Tag) -> Option<&str> {
    dataset.get(&hex_tag(tag))?.get("BulkDataURI")?.as_str()
}

/// A value that stands in the metadata itself; what is no base64 is refused where it is written.
pub(super) fn inline(dataset: &Map<String, Value>, tag: Tag) -> Option<Vec<u8>> {
    let text = dataset.get(&hex_tag(tag))?.get("InlineBinary")?.as_str()?;
    STANDARD.decode(text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect::<Vec<_>>()).ok()
}

/// Every BulkDataURI, also those within items of sequences.
pub(super) fn uris(dataset: &Map<String, Value>) -> Vec<&str> {
    let mut found = Vec::new();
    let mut waiting: Vec<&Value> = dataset.values().collect();
    while let Some(value) = waiting.pop() {
        match value {
            Value::Object(members) => {
                found.extend(members.get("BulkDataURI").and_then(Value::as_str));
                waiting.extend(members.values());
            }
            Value::Array(values) => waiting.extend(values),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    found
}

pub(super) fn put(dataset: &mut Map<String, Value>, tag: Tag, vr: VR, value: Value) {
    dataset.insert(hex_tag(tag), json!({"vr": vr.to_string(), "Value": [value]}));
}

pub(super) fn fill(dataset: &mut Map<String, Value>, tag: Tag, vr: VR, value: Value) {
    if first(dataset, tag).is_none() {
        put(dataset, tag, vr, value);
    }
}

/// `(gggg,eeee)`
pub(super) struct At(pub Tag);

impl std::fmt::Display for At {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "({:04X},{:04X})", self.0.0, self.0.1)
    }
}
