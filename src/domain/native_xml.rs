//! The Native DICOM Model (PS3.19 §A.1) of a data set, from its DICOM JSON Model (PS3.18 Annex F): the two
//! say the same in other words.

mod creators;
mod read;

pub use read::{NativeXmlError, read};

use creators::Creators;
use dicom_core::Tag;
use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry};
use dicom_dictionary_std::StandardDataDictionary;
use serde_json::{Map, Value};
use std::fmt::Write;

/// The components of a person name's component group (PS3.5 §6.2.1.1), in order.
const COMPONENTS: [&str; 5] = ["FamilyName", "GivenName", "MiddleName", "NamePrefix", "NameSuffix"];
const GROUPS: [&str; 3] = ["Alphabetic", "Ideographic", "Phonetic"];

const PROLOG: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
    <NativeDicomModel xmlns=\"http://dicom.nema.org/PS3.19/models/NativeDICOM\" xml:space=\"preserve\">";
const END: &str = "</NativeDicomModel>";

/// One data set as a document. Nests as deep as its JSON, which a parser or a writer of ours has bounded.
pub fn document(dataset: &Map<String, Value>) -> String {
    let mut out = String::with_capacity(2048);
    out.push_str(PROLOG);
    attributes(&mut out, dataset);
    out.push_str(END);
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

/// The text is not JSON of data sets as we write it: `vr` stands before the values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the DICOM JSON Model")]
pub struct NotTheModel;

/// Turns DICOM JSON of ours, one data set or an array of them, into documents as it comes: in portions of
/// any size, without recursion, holding one value at a time. No line of a document but its second begins
/// with anything that is not a blank, so a multipart boundary cannot stand in it.
pub struct Writer {
    before: String,
    after: String,
    stack: Vec<Open>,
    token: Vec<u8>,
    lexeme: Lexeme,
    out: String,
}

enum Open {
    Array,
    /// A data set or an item; of the attribute that is being named.
    Dataset {
        item: bool,
        tag: Option<String>,
        creators: Creators,
    },
    Attribute {
        tag: String,
        vr: String,
        member: Option<String>,
    },
    Values {
        sequence: bool,
        number: usize,
    },
    Name {
        group: Option<String>,
    },
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Lexeme {
    None,
    Text,
    Escape,
    /// A number, `null`, `true` or `false`: ended by what follows.
    Bare,
}

impl Writer {
    /// `before` and `after` are written around each document.
    pub fn new(before: &str, after: &str) -> Self {
        Self {
            before: before.to_owned(),
            after: after.to_owned(),
            stack: Vec::new(),
            token: Vec::new(),
            lexeme: Lexeme::None,
            out: String::new(),
        }
    }

    /// What was written since this was asked last.
    pub fn take(&mut self) -> String {
        std::mem::take(&mut self.out)
    }

    pub fn feed(&mut self, json: &[u8]) -> Result<(), NotTheModel> {
        for byte in json {
            match (self.lexeme, *byte) {
                (Lexeme::Text, b'"') => {
                    self.token.push(b'"');
                    self.lexeme = Lexeme::None;
                    let text = serde_json::from_slice::<String>(&self.token).map_err(|_| NotTheModel)?;
                    self.token.clear();
                    self.text(text)?;
                }
                (Lexeme::Text, byte) => {
                    self.token.push(byte);
                    if byte == b'\\' {
                        self.lexeme = Lexeme::Escape;
                    }
                }
                (Lexeme::Escape, byte) => {
                    self.token.push(byte);
                    self.lexeme = Lexeme::Text;
                }
                (Lexeme::Bare, byte) if !matches!(byte, b',' | b']' | b'}') && !byte.is_ascii_whitespace() => {
                    self.token.push(byte);
                }
                (lexeme, byte) => {
                    if lexeme == Lexeme::Bare {
                        self.bare()?;
                    }
                    self.mark(byte)?;
                }
            }
        }
        Ok(())
    }

    fn bare(&mut self) -> Result<(), NotTheModel> {
        self.lexeme = Lexeme::None;
        let token = std::mem::take(&mut self.token);
        let Some(Open::Values { number, .. }) = self.stack.last() else { return Err(NotTheModel) };
        // An empty value among others keeps its number by being left out.
        if token != b"null" {
            let text = std::str::from_utf8(&token).map_err(|_| NotTheModel)?;
            let _ = write!(self.out, "<Value number=\"{number}\">{}</Value>", Escaped(text));
        }
        Ok(())
    }

    fn text(&mut self, text: String) -> Result<(), NotTheModel> {
        let Some((last, below)) = self.stack.split_last_mut() else { return Err(NotTheModel) };
        match last {
            Open::Dataset { tag, .. } => *tag = Some(text),
            Open::Attribute { tag, vr, member } => match member.take().as_deref() {
                None => *member = Some(text),
                Some("vr") => {
                    let creator = match below.last() {
                        Some(Open::Dataset { creators, .. }) => creators.of(tag),
                        _ => None,
                    };
                    let named = if creator.is_some() { creators::without_block(tag) } else { tag.clone() };
                    let _ = write!(self.out, "<DicomAttribute tag=\"{}\" vr=\"{}\"", Escaped(&named), Escaped(&text));
                    if let Some(keyword) = keyword(tag) {
                        let _ = write!(self.out, " keyword=\"{keyword}\"");
                    }
                    if let Some(creator) = creator {
                        let _ = write!(self.out, " privateCreator=\"{}\"", Escaped(creator));
                    }
                    self.out.push('>');
                    *vr = text;
                }
                Some("BulkDataURI") => {
                    let _ = write!(self.out, "<BulkData uri=\"{}\"/>", Escaped(&text));
                }
                Some("InlineBinary") => {
                    let _ = write!(self.out, "<InlineBinary>{}</InlineBinary>", Escaped(&text));
                }
                Some(_) => return Err(NotTheModel),
            },
            Open::Values { number, .. } => {
                let _ = write!(self.out, "<Value number=\"{number}\">{}</Value>", Escaped(&text));
                if let [.., Open::Dataset { creators, .. }, Open::Attribute { tag, .. }] = below {
                    creators.note(tag, &text);
                }
            }
            Open::Name { group } => match group.take() {
                None => *group = Some(text),
                Some(group) if GROUPS.contains(&group.as_str()) && !text.is_empty() => {
                    person(&mut self.out, &group, &text);
                }
                Some(_) => {}
            },
            Open::Array => return Err(NotTheModel),
        }
        Ok(())
    }

    fn mark(&mut self, byte: u8) -> Result<(), NotTheModel> {
        match (byte, self.stack.last_mut()) {
            (b'"', _) => {
                self.token.push(b'"');
                self.lexeme = Lexeme::Text;
            }
            (b':', _) => {}
            (b',', Some(Open::Values { number, .. })) => *number += 1,
            (b',', _) => {}
            (byte, _) if byte.is_ascii_whitespace() => {}
            (b'[', None) => self.stack.push(Open::Array),
            (b'{', None | Some(Open::Array)) => {
                self.out.push_str(&self.before);
                self.out.push_str(PROLOG);
                self.stack.push(Open::Dataset { item: false, tag: None, creators: Creators::default() });
            }
            (b'{', Some(Open::Dataset { tag, .. })) => {
                let tag = tag.take().ok_or(NotTheModel)?;
                self.stack.push(Open::Attribute { tag, vr: String::new(), member: None });
            }
            (b'[', Some(Open::Attribute { vr, member, .. }))
                if !vr.is_empty() && member.as_deref() == Some("Value") =>
            {
                *member = None;
                let sequence = vr == "SQ";
                self.stack.push(Open::Values { sequence, number: 1 });
            }
            (b'{', Some(Open::Values { sequence: true, number })) => {
                let _ = write!(self.out, "<Item number=\"{number}\">");
                self.stack.push(Open::Dataset { item: true, tag: None, creators: Creators::default() });
            }
            (b'{', Some(Open::Values { sequence: false, number })) => {
                let _ = write!(self.out, "<PersonName number=\"{number}\">");
                self.stack.push(Open::Name { group: None });
            }
            (b'}' | b']', Some(_)) => {
                let closed = self.stack.pop();
                let end = match (byte, closed) {
                    (b'}', Some(Open::Dataset { item: false, .. })) => {
                        self.out.push_str(END);
                        &self.after
                    }
                    (b'}', Some(Open::Dataset { item: true, .. })) => "</Item>",
                    (b'}', Some(Open::Attribute { vr, .. })) if !vr.is_empty() => "</DicomAttribute>",
                    (b'}', Some(Open::Name { .. })) => "</PersonName>",
                    (b']', Some(Open::Array | Open::Values { .. })) => "",
                    _ => return Err(NotTheModel),
                };
                self.out.push_str(end);
            }
            (b'-' | b'0'..=b'9' | b'a'..=b'z', Some(Open::Values { .. })) => {
                self.token.push(byte);
                self.lexeme = Lexeme::Bare;
            }
            _ => return Err(NotTheModel),
        }
        Ok(())
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
                '\n' => f.write_str("&#10;")?,
                '\t' => f.write_char(letter)?,
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
    use proptest::prelude::*;
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

    #[test]
    fn an_array_becomes_documents_however_it_comes() {
        let json = r#"[{"00080018":{"vr":"UI","Value":["1.2"]},"00100020":{"vr":"LO"}}, {"00081030":{"vr":"LO","Value":["a\n--b \u00fc\"\\",1.5e3,null,7]}}]"#;
        let mut expected = None;
        for chunk in [1, 2, 7, 1000] {
            let mut writer = Writer::new("<<", ">>");
            let mut text = String::new();
            for portion in json.as_bytes().chunks(chunk) {
                writer.feed(portion).unwrap();
                text.push_str(&writer.take());
            }
            assert_eq!(&text, expected.get_or_insert(text.clone()), "{chunk}");
        }
        let text = expected.unwrap();
        assert!(text.starts_with("<<<?xml") && text.ends_with("</NativeDicomModel>>>"));
        assert_eq!(text.matches("<NativeDicomModel").count(), 2);
        assert!(text.contains(
            r#"<Value number="1">a&#10;--b ü&quot;\</Value><Value number="2">1.5e3</Value><Value number="4">7</Value>"#
        ));
        assert!(text.contains(r#"<DicomAttribute tag="00100020" vr="LO" keyword="PatientID"></DicomAttribute>"#));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in r#"[\[\]{}:," 0-9a-z]{0,60}|(\[|\{|\}|\]|,|:|"00080018"|"vr"|"SQ"|"PN"|"Value"|null|1){0,30}"#) {
            let _ = Writer::new("", "").feed(text.as_bytes());
        }
    }
}
