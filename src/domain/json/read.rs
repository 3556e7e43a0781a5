//! Data sets of the DICOM JSON Model as somebody else wrote them (PS3.18 Annex F), before anything is known of their
//! attributes. Stricter than JSON in one thing: of two members of one name the reader would choose (RFC 8259 §4),
//! and another program the other; which patient an image is of must not depend on that.

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Number, Value};
use std::fmt;

/// Sequences within sequences.
pub const DEPTH_MAX: usize = 64;
/// Objects and arrays within each other: an item, its attribute, and the array of values for each sequence.
const NESTED_MAX: usize = 3 * (DEPTH_MAX + 1);

/// Why a document or one of its data sets cannot be read; says where, and nothing of what stands there.
pub type JsonFault = String;

/// The data set, or those of an array: each has an outcome of its own, as long as the whole is JSON.
pub fn datasets(document: &[u8]) -> Vec<Result<Map<String, Value>, JsonFault>> {
    let whole: &RawValue = match serde_json::from_slice(document) {
        Ok(whole) => whole,
        Err(error) => return vec![Err(format!("not JSON: {error}"))],
    };
    match serde_json::from_str::<Vec<&RawValue>>(whole.get()) {
        Ok(found) => (1..).zip(found).map(|(number, one)| dataset(one, &format!("data set {number}: "))).collect(),
        Err(_) => vec![dataset(whole, "")],
    }
}

fn dataset(raw: &RawValue, which: &str) -> Result<Map<String, Value>, JsonFault> {
    let mut reader = serde_json::Deserializer::from_str(raw.get());
    // Nested bounds it instead.
    reader.disable_recursion_limit();
    match Nested(NESTED_MAX).deserialize(&mut reader) {
        Ok(Value::Object(dataset)) => Ok(dataset),
        Ok(_) => Err(format!("{which}not an object of attributes")),
        Err(error) => Err(format!("{which}{error}")),
    }
}

/// A value in which so many more may nest.
#[derive(Clone, Copy)]
struct Nested(usize);

impl Nested {
    fn within<E: serde::de::Error>(self) -> Result<Self, E> {
        self.0.checked_sub(1).map(Self).ok_or_else(|| E::custom("sequences nested too deeply"))
    }
}

impl<'de> DeserializeSeed<'de> for Nested {
    type Value = Value;
    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Value, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Nested {
    type Value = Value;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("number out of range"))
    }
    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Value, A::Error> {
        let inner = self.within()?;
        let mut read = Vec::new();
        while let Some(value) = values.next_element_seed(inner)? {
            read.push(value);
        }
        Ok(read.into())
    }
    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let inner = self.within()?;
        let mut read = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            if read.insert(name, members.next_value_seed(inner)?).is_some() {
                return Err(A::Error::custom("two members of one name"));
            }
        }
        Ok(read.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn told(document: &str) -> Vec<String> {
        let outcomes = datasets(document.as_bytes()).into_iter();
        outcomes.map(|outcome| outcome.map_or_else(|fault| fault, |read| Value::from(read).to_string())).collect()
    }

    #[test]
    fn each_data_set_has_its_own_outcome() {
        let cases: [(&str, &[&str]); 11] = [
            ("{}", &["{}"]),
            ("[]", &[]),
            (r#"[{"a":[1,-2,0.5,null,true,"ü"]},{}]"#, &[r#"{"a":[1,-2,0.5,null,true,"ü"]}"#, "{}"]),
            (
                r#"[{}, null, {"a":1e999}, {"b":1}]"#,
                &[
                    "{}",
                    "data set 2: not an object of attributes",
                    "data set 3: number out of range at line 1 column 10",
                    r#"{"b":1}"#,
                ],
            ),
            ("7", &["not an object of attributes"]),
            (r#"{"a":1,"b":{"c":1,"c":2}}"#, &["two members of one name at line 1 column 24"]),
            (r#"{"a":1,"a":1}"#, &["two members of one name at line 1 column 13"]),
            ("[{},", &["not JSON: EOF while parsing a value at line 1 column 4"]),
            ("", &["not JSON: EOF while parsing a value at line 1 column 0"]),
            ("{} x", &["not JSON: trailing characters at line 1 column 4"]),
            ("\u{FEFF}{}", &["not JSON: expected value at line 1 column 1"]),
        ];
        for (document, expected) in cases {
            assert_eq!(told(document), expected, "{document}");
        }
        assert_eq!(told(std::str::from_utf8(&[b'['; 100_000]).unwrap()).len(), 1, "and no stack is too small");
    }

    #[test]
    fn sequences_nest_as_deep_as_is_said_and_no_deeper() {
        let nested = |depth| (0..depth).fold(json!({}), |item, _| json!({"0040A730": {"vr": "SQ", "Value": [item]}}));
        // On the stack of the threads that read uploads, in a build that uses most of it.
        std::thread::scope(|scope| {
            let small = std::thread::Builder::new().stack_size(2 << 20);
            let read = move || {
                assert!(datasets(nested(DEPTH_MAX).to_string().as_bytes())[0].is_ok());
                let fault = datasets(nested(DEPTH_MAX + 1).to_string().as_bytes()).remove(0).unwrap_err();
                assert!(fault.starts_with("sequences nested too deeply"), "{fault}");
            };
            small.spawn_scoped(scope, read).unwrap().join().unwrap();
        });
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = datasets(&bytes);
        }
    }
}
