//! The Native DICOM Model (PS3.19 §A.1) of a data set, from its DICOM JSON Model (PS3.18 Annex F): the two
//! say the same in other words.

mod read;

pub use read::{NativeXmlError, read};

use dicom_core::Tag;
use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry};
use dicom_dictionary_std::StandardDataDictionary;
use serde_json::{Map, Value};
use std::fmt::Write;

/// The components of a person name's component group (PS3.5 §6.2.1.1), in order.
const COMPONENTS: [&str; 5] = ["FamilyName", "GivenName", "MiddleName", "NamePrefix", "NameSuffix"];
const GROUPS: [&str; 3] = ["Alphabetic", "Ideographic", "Phonetic"];

/// One data set as a document. Nests as deep as its JSON, which a parser or a writer of ours has bounded.
pub fn document(dataset: &Map<String, Value>) -> String {
    let mut out = String::with_capacity(1024);
    out.push_str(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <NativeDicomModel xmlns=\"http://dicom.nema.org/PS3.19/models/NativeDICOM\" xml:space=\"preserve\">",
    );
    attributes(&mut out, dataset);
    out.push_str("</NativeDicomModel>");
    out
}

fn attributes(out: &mut String, dataset: &Map<String, Value>) {
    for (tag, element) in dataset {
        let vr = element.get("vr").and_then(Value::as_str).unwrap_or("UN");
        let _ = write!(out, "<DicomAttribute tag=\"{}\" vr=\"{}\"", Escaped(tag), Escaped(vr));
        if let Some(keyword) = keyword(tag) {
            let _ = write!(out, " keyword=\"{keyword}\"");
        }
        out.push('>');
        if let Some(uri) = element.get("BulkDataURI").and_then(Value::as_str) {
            let _ = write!(out, "<BulkData uri=\"{}\"/>", Escaped(uri));
        }
        if let Some(bytes) = element.get("InlineBinary").and_then(Value::as_str) {
            let _ = write!(out, "<InlineBinary>{}</InlineBinary>", Escaped(bytes));
        }
        let values = element.get("Value").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        for (number, value) in (1_usize..).zip(values) {
            self::value(out, vr, number, value);
        }
        out.push_str("</DicomAttribute>");
    }
}

fn value(out: &mut String, vr: &str, number: usize, value: &Value) {
    match value {
        // An empty value among others keeps its number by being left out.
        Value::Null => {}
        Value::Object(item) if vr == "SQ" => {
            let _ = write!(out, "<Item number=\"{number}\">");
            attributes(out, item);
            out.push_str("</Item>");
        }
        Value::Object(name) => {
            let _ = write!(out, "<PersonName number=\"{number}\">");
            for group in GROUPS {
                if let Some(text) = name.get(group).and_then(Value::as_str).filter(|text| !text.is_empty()) {
                    person(out, group, text);
                }
            }
            out.push_str("</PersonName>");
        }
        Value::String(text) => {
            let _ = write!(out, "<Value number=\"{number}\">{}</Value>", Escaped(text));
        }
        other => {
            let _ = write!(out, "<Value number=\"{number}\">{other}</Value>");
        }
    }
}

fn person(out: &mut String, group: &str, text: &str) {
    let _ = write!(out, "<{group}>");
    for (name, component) in COMPONENTS.iter().zip(text.splitn(COMPONENTS.len(), '^')) {
        if !component.is_empty() {
            let _ = write!(out, "<{name}>{}</{name}>", Escaped(component));
        }
    }
    let _ = write!(out, "</{group}>");
}

fn keyword(tag: &str) -> Option<&'static str> {
    let number = u32::from_str_radix(tag, 16).ok()?;
    let [high, low] = [(number >> 16) as u16, (number & 0xFFFF) as u16];
    // Repeating groups have no keyword of their own.
    StandardDataDictionary
        .by_tag(Tag(high, low))
        .filter(|entry| entry.tag() == Tag(high, low))
        .map(DataDictionaryEntry::alias)
}

/// Text with what XML would misread replaced; characters that XML 1.0 cannot hold become U+FFFD.
struct Escaped<'a>(&'a str);

impl std::fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for letter in self.0.chars() {
            match letter {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\r' => f.write_str("&#13;")?,
                '\t' | '\n' => f.write_char(letter)?,
                '\0'..='\u{1F}' | '\u{FFFE}' | '\u{FFFF}' => f.write_char('\u{FFFD}')?,
                letter => f.write_char(letter)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_same_is_said_in_other_words() {
        let Value::Object(dataset) = json!({
            "00080018": {"vr": "UI", "Value": ["1.2"]},
            "00080061": {"vr": "CS", "Value": ["CT", null, "MR"]},
            "00081199": {"vr": "SQ", "Value": [{"00081197": {"vr": "US", "Value": [49152]}}, {}]},
            "00091001": {"vr": "UN", "InlineBinary": "AAE="},
            "00100010": {"vr": "PN", "Value": [{"Alphabetic": "A<B^^C", "Ideographic": "山^太"}]},
            "7FE00010": {"vr": "OW", "BulkDataURI": "http://x/?a=1&b=2"},
        }) else {
            panic!("an object")
        };
        let text = document(&dataset);
        for expected in [
            r#"<DicomAttribute tag="00080018" vr="UI" keyword="SOPInstanceUID"><Value number="1">1.2</Value></DicomAttribute>"#,
            r#"<Value number="1">CT</Value><Value number="3">MR</Value>"#,
            r#"<Item number="1"><DicomAttribute tag="00081197" vr="US" keyword="FailureReason"><Value number="1">49152</Value></DicomAttribute></Item><Item number="2"></Item>"#,
            r#"<DicomAttribute tag="00091001" vr="UN"><InlineBinary>AAE=</InlineBinary></DicomAttribute>"#,
            r#"<PersonName number="1"><Alphabetic><FamilyName>A&lt;B</FamilyName><MiddleName>C</MiddleName></Alphabetic><Ideographic><FamilyName>山</FamilyName><GivenName>太</GivenName></Ideographic></PersonName>"#,
            r#"<BulkData uri="http://x/?a=1&amp;b=2"/>"#,
        ] {
            assert!(text.contains(expected), "{expected}\n{text}");
        }
    }
}
