//! The Native DICOM Model read back to the DICOM JSON Model: elements, values and items by their numbers.
//! Read event by event with a stack of its own; what is no part of the model is refused, and a document
//! type declaration, which could define entities, is too.

use super::creators::with_block;
use crate::domain::json::read::DEPTH_MAX;
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use serde_json::{Map, Value};

/// Values of one attribute that may be numbered ahead of those that are there.
const NUMBERS_MAX: usize = 1 << 16;

/// Why a document is no data set. Holds none of its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NativeXmlError {
    #[error("the XML is not well formed")]
    Malformed,
    #[error("the document is not of the Native DICOM Model")]
    Model,
    #[error("the document has a document type declaration")]
    Doctype,
    #[error("sequences nested too deeply")]
    TooDeep,
}

/// What is open.
enum Open {
    Root(Map<String, Value>),
    Attribute { tag: String, vr: String, values: Vec<Value>, other: Option<(&'static str, String)> },
    Item(usize, Map<String, Value>),
    Value(usize, String),
    Inline(String),
    Name(usize, Map<String, Value>),
    Group(String, [String; 5]),
    Component(usize, String),
}

/// Reads one document.
pub fn read(document: &[u8]) -> Result<Map<String, Value>, NativeXmlError> {
    use NativeXmlError as E;
    let text = std::str::from_utf8(document).map_err(|_| E::Malformed)?;
    let mut reader = Reader::from_str(text);
    let mut stack: Vec<Open> = Vec::new();
    let mut done = None;
    loop {
        match reader.read_event().map_err(|_| E::Malformed)? {
            Event::Start(start) => open(&mut stack, &start, done.is_some())?,
            Event::Empty(start) => {
                open(&mut stack, &start, done.is_some())?;
                close(&mut stack, &mut done)?;
            }
            Event::End(_) => close(&mut stack, &mut done)?,
            Event::Text(text) => append(&mut stack, &text)?,
            Event::CData(text) => append(&mut stack, &text)?,
            Event::GeneralRef(reference) => {
                let letter = match reference.resolve_char_ref().map_err(|_| E::Malformed)? {
                    Some(letter) => letter.to_string(),
                    None => quick_xml::escape::resolve_predefined_entity(&reference).ok_or(E::Malformed)?.to_owned(),
                };
                append(&mut stack, &letter)?;
            }
            Event::DocType(_) => return Err(E::Doctype),
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
            Event::Eof => return done.filter(|_| stack.is_empty()).ok_or(E::Malformed),
        }
    }
}

fn open(stack: &mut Vec<Open>, start: &BytesStart<'_>, done: bool) -> Result<(), NativeXmlError> {
    use NativeXmlError as E;
    let name = start.local_name();
    let attribute = |wanted: &str| -> Result<Option<String>, E> {
        for attribute in start.attributes() {
            let attribute = attribute.map_err(|_| E::Malformed)?;
            if attribute.key.local_name().as_ref() == wanted {
                return Ok(Some(quick_xml::escape::unescape(&attribute.value).map_err(|_| E::Malformed)?.into_owned()));
            }
        }
        Ok(None)
    };
    let number = || -> Result<usize, E> {
        let number = attribute("number")?.ok_or(E::Model)?.parse::<usize>().map_err(|_| E::Model)?;
        if (1..=NUMBERS_MAX).contains(&number) { Ok(number) } else { Err(E::Model) }
    };
    let opened = match (stack.last_mut(), name.as_ref()) {
        (None, "NativeDicomModel") if !done => Open::Root(Map::new()),
        (Some(Open::Root(dataset) | Open::Item(_, dataset)), "DicomAttribute") => {
            let mut tag = attribute("tag")?.ok_or(E::Model)?.to_ascii_uppercase();
            if let Some(creator) = attribute("privateCreator")? {
                tag = with_block(dataset, tag, &creator).ok_or(E::Model)?;
            }
            if stack.len() > DEPTH_MAX * 2 + 1 {
                return Err(E::TooDeep);
            }
            Open::Attribute { tag, vr: attribute("vr")?.unwrap_or_default(), values: Vec::new(), other: None }
        }
        (Some(Open::Attribute { .. }), "Item") => Open::Item(number()?, Map::new()),
        (Some(Open::Attribute { .. }), "Value") => Open::Value(number()?, String::new()),
        (Some(Open::Attribute { .. }), "PersonName") => Open::Name(number()?, Map::new()),
        (Some(Open::Attribute { .. }), "InlineBinary") => Open::Inline(String::new()),
        (Some(Open::Attribute { other, .. }), "BulkData") => {
            // A reference to another application's object model (`uuid`) leads nowhere here.
            *other = Some(("BulkDataURI", attribute("uri")?.ok_or(E::Model)?));
            Open::Inline(String::new())
        }
        (Some(Open::Name(..)), "Alphabetic" | "Ideographic" | "Phonetic") => {
            Open::Group(name.as_ref().to_owned(), Default::default())
        }
        (Some(Open::Group(..)), component) => {
            let at = super::COMPONENTS.iter().position(|known| **known == *component).ok_or(E::Model)?;
            Open::Component(at, String::new())
        }
        _ => return Err(E::Model),
    };
    stack.push(opened);
    Ok(())
}

/// White space between elements says nothing; anything else there is not of the model.
fn append(stack: &mut [Open], text: &str) -> Result<(), NativeXmlError> {
    match stack.last_mut() {
        Some(Open::Value(_, value) | Open::Inline(value) | Open::Component(_, value)) => value.push_str(text),
        _ if text.chars().all(char::is_whitespace) => {}
        _ => return Err(NativeXmlError::Model),
    }
    Ok(())
}

fn close(stack: &mut Vec<Open>, done: &mut Option<Map<String, Value>>) -> Result<(), NativeXmlError> {
    use NativeXmlError as E;
    let closed = stack.pop().ok_or(E::Malformed)?;
    match (closed, stack.last_mut()) {
        (Open::Root(dataset), None) => *done = Some(dataset),
        (Open::Attribute { tag, vr, values, other }, Some(Open::Root(dataset) | Open::Item(_, dataset))) => {
            let mut element = Map::new();
            if !vr.is_empty() {
                element.insert("vr".into(), vr.into());
            }
            if let Some((name, text)) = other {
                element.insert(name.into(), text.into());
            } else if !values.is_empty() {
                element.insert("Value".into(), values.into());
            }
            if dataset.insert(tag, element.into()).is_some() {
                return Err(E::Model);
            }
        }
        (Open::Item(number, item), Some(Open::Attribute { values, .. })) => place(values, number, item.into())?,
        (Open::Value(number, text), Some(Open::Attribute { values, .. })) => place(values, number, text.into())?,
        (Open::Name(number, groups), Some(Open::Attribute { values, .. })) => place(values, number, groups.into())?,
        (Open::Inline(text), Some(Open::Attribute { other, .. })) => {
            other.get_or_insert(("InlineBinary", text));
        }
        (Open::Group(name, components), Some(Open::Name(_, groups))) => {
            let joined = components.join("^");
            groups.insert(name, joined.trim_end_matches('^').into());
        }
        (Open::Component(at, text), Some(Open::Group(_, components))) => {
            if let Some(component) = components.get_mut(at) {
                *component = text;
            }
        }
        _ => return Err(E::Model),
    }
    Ok(())
}

/// Numbers count from 1; those that are left out are empty values.
fn place(values: &mut Vec<Value>, number: usize, value: Value) -> Result<(), NativeXmlError> {
    if values.len() < number {
        values.resize(number, Value::Null);
    }
    let place = values.get_mut(number - 1).filter(|place| place.is_null()).ok_or(NativeXmlError::Model)?;
    *place = value;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn model(inner: &str) -> String {
        format!(
            "<?xml version=\"1.0\"?><!-- c --><NativeDicomModel xmlns=\"http://dicom.nema.org/PS3.19/models/NativeDICOM\">{inner}</NativeDicomModel>"
        )
    }

    #[test]
    fn what_is_written_is_read() {
        let Value::Object(dataset) = json!({
            "00080018": {"vr": "UI", "Value": ["1.2"]},
            "00080061": {"vr": "CS", "Value": ["CT", null, "MR"]},
            "00081030": {"vr": "LO", "Value": [" a & <b> \"c\" ü "]},
            "00081199": {"vr": "SQ", "Value": [{"00081155": {"vr": "UI", "Value": ["8"]}}, {"00081140": {"vr": "SQ", "Value": [{}]}}]},
            "00091001": {"vr": "UN", "InlineBinary": "AAE="},
            "00100010": {"vr": "PN", "Value": [{"Alphabetic": "A<B^^C", "Ideographic": "山^太"}]},
            "00100020": {"vr": "LO"},
            "7FE00010": {"vr": "OW", "BulkDataURI": "http://x/?a=1&b=2"},
        }) else {
            panic!("an object")
        };
        assert_eq!(read(super::super::document(&dataset).as_bytes()), Ok(dataset));
    }

    #[test]
    fn as_other_software_writes_it() {
        let text = model(
            "\n <d:DicomAttribute xmlns:d='x' keyword='Rows' tag='00280010' vr='US'>\n  <Value number='1'>5&#49;<![CDATA[2]]></Value>\n </d:DicomAttribute>\n",
        );
        assert_eq!(Value::from(read(text.as_bytes()).unwrap()), json!({"00280010": {"vr": "US", "Value": ["512"]}}));
    }

    #[test]
    fn a_private_attribute_goes_where_its_creator_is() {
        let attribute = "<DicomAttribute tag=\"00290010\" vr=\"LO\"><Value number=\"1\">ONE</Value></DicomAttribute>\
            <DicomAttribute tag=\"00290001\" vr=\"LO\" privateCreator=\"ONE\"><Value number=\"1\">a</Value></DicomAttribute>\
            <DicomAttribute tag=\"00290001\" vr=\"LO\" privateCreator=\"TWO\"><Value number=\"1\">b</Value></DicomAttribute>";
        let text = |value: &str| json!({"vr": "LO", "Value": [value]});
        let expected =
            json!({"00290010": text("ONE"), "00290011": text("TWO"), "00291001": text("a"), "00291101": text("b")});
        assert_eq!(Value::from(read(model(attribute).as_bytes()).unwrap()), expected);
    }

    #[test]
    fn what_is_not_of_the_model_is_refused() {
        let value =
            |inner: &str| model(&format!("<DicomAttribute tag=\"00080018\" vr=\"UI\">{inner}</DicomAttribute>"));
        let deep = |depth: usize| {
            let (open, end) =
                ("<DicomAttribute tag=\"00081199\" vr=\"SQ\"><Item number=\"1\">", "</Item></DicomAttribute>");
            model(&format!("{}{}", open.repeat(depth), end.repeat(depth)))
        };
        let cases = [
            (String::new(), NativeXmlError::Malformed),
            ("<NativeDicomModel>".into(), NativeXmlError::Malformed),
            ("<NativeDicomModel></x>".into(), NativeXmlError::Malformed),
            ("<html/>".into(), NativeXmlError::Model),
            (model("") + "<NativeDicomModel/>", NativeXmlError::Model),
            (model("text"), NativeXmlError::Model),
            (model("<DicomAttribute vr=\"UI\"/>"), NativeXmlError::Model),
            (value("<Value>1</Value>"), NativeXmlError::Model),
            (value("<Value number=\"0\">1</Value>"), NativeXmlError::Model),
            (value("<Value number=\"99999999999\">1</Value>"), NativeXmlError::Model),
            (value("<Value number=\"1\">1</Value><Value number=\"1\">1</Value>"), NativeXmlError::Model),
            (value("<BulkData uuid=\"x\"/>"), NativeXmlError::Model),
            (value("<Value number=\"1\">&secret;</Value>"), NativeXmlError::Malformed),
            ("<!DOCTYPE x [<!ENTITY a \"b\">]><NativeDicomModel/>".into(), NativeXmlError::Doctype),
            (deep(DEPTH_MAX + 2), NativeXmlError::TooDeep),
        ];
        for (text, expected) in cases {
            assert_eq!(read(text.as_bytes()), Err(expected), "{}", text.get(..200).unwrap_or(&text));
        }
        assert!(read(deep(DEPTH_MAX).as_bytes()).is_ok());
        assert_eq!(read(&[0xFF, 0xFE]), Err(NativeXmlError::Malformed));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[<>/&;!a-z \"=]{0,80}|<NativeDicomModel>(<(/)?(DicomAttribute tag=\"00080018\"|Value number=\"1\"|Item number=\"2\"|PersonName number=\"1\"|Alphabetic|FamilyName|BulkData uri=\"x\")(/)?>){0,12}") {
            let _ = read(text.as_bytes());
        }
    }
}
