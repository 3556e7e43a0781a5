//! What metadata becomes, read back by our walk and by another implementation.

use super::*;
use crate::domain::explicit::Elements;
use crate::domain::reading::{ReadLimits, Reading};
use crate::domain::transfer_syntax::{self, EXPLICIT_VR_LITTLE_ENDIAN};
use proptest::prelude::*;
use serde_json::json;

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => panic!("no object: {other}"),
    }
}

fn bytes(pieces: Vec<Piece>) -> Vec<u8> {
    let bytes = |piece| match piece {
        Piece::Bytes(bytes) => bytes,
        Piece::Source(number) => format!("<{number}>").into_bytes(),
    };
    pieces.into_iter().flat_map(bytes).collect()
}

fn nothing(_: Tag, _: &str) -> Option<Bulk> {
    None
}

fn composed(value: Value) -> Result<Vec<u8>, ComposeError> {
    compose(&object(value), 64, &mut nothing).map(bytes)
}

fn fault(value: Value) -> Fault {
    composed(value.clone()).expect_err(&value.to_string()).fault
}

fn instance() -> Value {
    json!({
        "00080018": {"vr": "UI", "Value": ["1.2.3"]},
        "00080016": {"vr": "UI", "Value": ["1.2.840.10008.5.1.4.1.1.7"]},
        "00080005": {"vr": "CS", "Value": ["ISO_IR 100"]},
        "00020010": {"vr": "UI", "Value": ["1.2.840.10008.1.2"]},
        "00100000": {"vr": "UL", "Value": [12]},
        "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Müller^Jörg", "Phonetic": "x"}]},
        "0020000D": {"vr": "UI", "Value": ["1.2"]},
        "0020000E": {"vr": "UI", "Value": ["1.2.1"]},
        "00081115": {"vr": "SQ", "Value": [{"0020000E": {"vr": "UI", "Value": ["9.9"]}, "00081199": {"vr": "SQ", "Value": [{}, {"00081155": {"vr": "UI", "Value": ["8.8"]}}]}}]},
        "00081030": {"vr": "LO"},
        "00080060": {"vr": "CS", "Value": ["OT"]},
        "00280030": {"vr": "DS", "Value": [0.5, "1.25"]},
    })
}

#[test]
fn metadata_becomes_the_data_set_that_says_the_same() {
    let encoded = composed(instance()).unwrap();
    let syntax = transfer_syntax::lookup(EXPLICIT_VR_LITTLE_ENDIAN).unwrap();
    let mut reading = Reading::new(syntax, ReadLimits::default());
    reading.feed(&encoded).unwrap();
    let facts = reading.finish().unwrap();
    assert_eq!(facts.sop_instance_uid.as_str(), "1.2.3");

    let object = read_by_another(&encoded);
    assert_eq!(object.element(Tag(0x0008, 0x0005)).unwrap().to_str().unwrap(), "ISO_IR 192");
    assert_eq!(object.element(Tag(0x0010, 0x0010)).unwrap().to_str().unwrap(), "Müller^Jörg==x");
    assert_eq!(object.element(Tag(0x0028, 0x0030)).unwrap().to_str().unwrap(), "0.5\\1.25");
    assert!(object.element(Tag(0x0010, 0x0000)).is_err(), "no group lengths");
    let outer = object.element(Tag(0x0008, 0x1115)).unwrap().items().unwrap();
    let inner = outer[0].element(Tag(0x0008, 0x1199)).unwrap().items().unwrap();
    assert_eq!(inner.len(), 2);
    assert_eq!(inner[1].element(Tag(0x0008, 0x1155)).unwrap().to_str().unwrap(), "8.8");
}

fn read_by_another(encoded: &[u8]) -> dicom_object::InMemDicomObject {
    let mut meta = Elements::default();
    for (element, uid) in [(2, "1.2"), (3, "1.2.3"), (0x10, EXPLICIT_VR_LITTLE_ENDIAN), (0x12, "1.2.4")] {
        meta.text(Tag(2, element), VR::UI, uid);
    }
    meta.put(Tag(2, 1), VR::OB, vec![0, 1]);
    meta.ul(Tag(2, 0), u32::try_from(meta.encoded_len()).unwrap());
    let file = [vec![0; 128], b"DICM".to_vec(), meta.to_bytes(), encoded.to_vec()].concat();
    dicom_object::from_reader(file.as_slice()).unwrap().into_inner()
}

#[test]
fn every_kind_of_value_is_written_as_its_representation_asks() {
    let cases: [(&str, Value, &[u8]); 26] = [
        ("LO", json!(["a", null, "b"]), b"a\\\\b"),
        ("UI", json!(["1.2.3"]), b"1.2.3\0"),
        ("LT", json!(["a\\b"]), b"a\\b "),
        ("DS", json!([1, 2.5, "3.0"]), b"1\\2.5\\3.0 "),
        ("DS", json!([0.123_456_789_012_345_68]), b"0.12345678901235"),
        ("DS", json!([-1234567.890123456]), b"-1234567.8901235"),
        ("DS", json!([1.234567890123456e-100]), b"1.23456789e-100 "),
        ("IS", json!([7, 8.0, "9"]), b"7\\8\\9 "),
        ("US", json!([1, 65535]), b"\x01\0\xFF\xFF"),
        ("SS", json!([-1]), b"\xFF\xFF"),
        ("UL", json!([1]), b"\x01\0\0\0"),
        ("SL", json!([-2]), b"\xFE\xFF\xFF\xFF"),
        ("UV", json!(["18446744073709551615"]), b"\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF"),
        ("SV", json!([-1]), b"\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF"),
        ("FL", json!([1.5]), b"\0\0\xC0\x3F"),
        ("FD", json!([1.5]), b"\0\0\0\0\0\0\xF8\x3F"),
        ("FD", json!(["NaN"]), b"\0\0\0\0\0\0\xF8\x7F"),
        ("US", json!(["3"]), b"\x03\0"),
        ("US", json!([3.0]), b"\x03\0"),
        ("AT", json!(["00280010"]), b"\x28\0\x10\0"),
        ("PN", json!([{"Alphabetic": "A"}, {"Ideographic": "B"}]), b"A\\=B"),
        ("PN", json!(["A^B"]), b"A^B "),
        ("LO", json!([]), b""),
        ("LO", json!([null]), b""),
        ("UN", json!([]), b""),
        ("UT", json!(["x"]), b"x "),
    ];
    for (vr, value, expected) in cases {
        let encoded = composed(json!({"00091001": {"vr": vr, "Value": value}})).unwrap();
        assert!(encoded.ends_with(expected), "{vr} {value}: {encoded:?}");
        let length = u16::try_from(expected.len()).unwrap().to_le_bytes();
        let before = &encoded[..encoded.len() - expected.len()];
        assert!(before.ends_with(&length) || before.ends_with(&[length[0], 0, 0, 0]), "{vr} {value}");
    }
    let inline = composed(json!({"00091001": {"vr": "OW", "InlineBinary": "AQID\r\nBA=="}})).unwrap();
    assert!(inline.ends_with(b"OW\0\0\x04\0\0\0\x01\x02\x03\x04"));
}

#[test]
fn what_is_no_metadata_is_refused_with_its_attribute() {
    let one = |vr: &str, value: Value| json!({"00091001": {"vr": vr, "Value": value}});
    let cases = [
        (json!({"PatientName": {"vr": "PN"}}), Fault::Member),
        (json!({"0009100g": {"vr": "PN"}}), Fault::Member),
        (json!({"00091001": 7}), Fault::Member),
        (json!({"0009100a": {"vr": "LO"}, "0009100A": {"vr": "LO"}}), Fault::Member),
        (json!({"FFFEE000": {"vr": "LO"}}), Fault::Member),
        (json!({"00091001": {}}), Fault::Vr),
        (json!({"00091001": {"vr": "ZZ"}}), Fault::Vr),
        (json!({"00091001": {"vr": 1}}), Fault::Vr),
        (one("LO", json!("x")), Fault::Value),
        (one("LO", json!([{}])), Fault::Value),
        (one("LO", json!(["a\\b"])), Fault::Value),
        (one("PN", json!([{"Alphabetical": "a"}])), Fault::Value),
        (json!({"00081030": {"vr": "OB", "Value": ["x"], "InlineBinary": "AAE="}}), Fault::Value),
        (json!({"00081030": {"vr": "OB", "BulkDataURI": "x", "InlineBinary": "AAE="}}), Fault::Value),
        (one("LO", json!(["a\u{0}"])), Fault::Value),
        (one("LT", json!(["a", "b"])), Fault::Value),
        (one("US", json!([65536])), Fault::Value),
        (one("US", json!([-1])), Fault::Value),
        (one("US", json!([1.5])), Fault::Value),
        (one("US", json!([null])), Fault::Value),
        (one("IS", json!([1.5])), Fault::Value),
        (one("IS", json!([3_000_000_000_u32])), Fault::Value),
        (one("AT", json!(["0028"])), Fault::Value),
        (one("OB", json!([1])), Fault::Value),
        (one("SQ", json!([1])), Fault::Value),
        (one("PN", json!([{"Alphabetic": "a=b"}])), Fault::Value),
        (one("LO", json!(["x".repeat(65_536)])), Fault::TooLong),
        (json!({"00091001": {"vr": "OB", "InlineBinary": "*"}}), Fault::Value),
        (json!({"00091001": {"vr": "OW", "InlineBinary": "AQ=="}}), Fault::Value),
        (json!({"00091001": {"vr": "LO", "InlineBinary": "AQ=="}}), Fault::Value),
        (json!({"00091001": {"vr": "OB", "BulkDataURI": "http://169.254.169.254/"}}), Fault::NoBulkData),
    ];
    for (metadata, expected) in cases {
        assert_eq!(fault(metadata.clone()), expected, "{metadata}");
    }
    let text = composed(one("US", json!(["secret"]))).unwrap_err().to_string();
    assert_eq!(text, "(0009,1001): value does not fit its Value Representation");
}

#[test]
fn sequences_are_only_so_deep() {
    let nested =
        |depth: usize| (0..depth).fold(json!({}), |inner, _| json!({"00081199": {"vr": "SQ", "Value": [inner]}}));
    assert!(composed(nested(64)).is_ok());
    assert_eq!(fault(nested(65)), Fault::TooDeep);
}

#[test]
fn bulk_data_stands_where_it_belongs_padded_and_framed() {
    let mut bulk = |_: Tag, uri: &str| match uri {
        "a" => Some(Bulk::Native { source: 4, length: 3 }),
        "b" => Some(Bulk::Encapsulated(vec![(1, 3), (2, 4)])),
        "c" => Some(Bulk::Native { source: 9, length: LONGEST + 1 }),
        _ => None,
    };
    let metadata = object(json!({
        "7FE00010": {"vr": "OW", "BulkDataURI": "b"},
        "00420011": {"vr": "OB", "BulkDataURI": "a"},
    }));
    let pieces = compose(&metadata, 64, &mut bulk).unwrap();
    let sources: Vec<_> = pieces.iter().filter(|piece| matches!(piece, Piece::Source(_))).cloned().collect();
    assert_eq!(sources, [Piece::Source(4), Piece::Source(1), Piece::Source(2)]);
    let text = bytes(pieces);
    let expected = [
        b"\x42\0\x11\0OB\0\0\x04\0\0\0<4>\0".as_slice(),
        b"\xE0\x7F\x10\0OB\0\0\xFF\xFF\xFF\xFF\xFE\xFF\0\xE0\0\0\0\0",
        b"\xFE\xFF\0\xE0\x04\0\0\0<1>\0\xFE\xFF\0\xE0\x04\0\0\0<2>\xFE\xFF\xDD\xE0\0\0\0\0",
    ]
    .concat();
    assert!(text.ends_with(&expected), "{text:?}");
    for (vr, uri, expected) in [("OW", "a", Fault::Value), ("OB", "c", Fault::TooLong), ("OB", "d", Fault::NoBulkData)]
    {
        let metadata = object(json!({"00420011": {"vr": vr, "BulkDataURI": uri}}));
        assert_eq!(compose(&metadata, 64, &mut bulk).unwrap_err().fault, expected, "{vr} {uri}");
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from)
    ];
    leaf.prop_recursive(4, 40, 4, |inner| {
        let vr = prop::sample::select(vec!["SQ", "LO", "PN", "US", "FD", "DS", "IS", "OB", "AT", "UV", "XX"]);
        let element = (vr, prop::collection::vec(inner.clone(), 0..3))
            .prop_map(|(vr, values)| json!({"vr": vr, "Value": values}));
        prop_oneof![
            prop::collection::vec(inner, 0..3).prop_map(Value::from),
            prop::collection::btree_map("[0-9A-F]{8}", element, 0..4).prop_map(|map| json!(map))
        ]
    })
}

proptest! {
    #[test]
    fn no_metadata_makes_it_panic_and_what_it_writes_is_read(value in any_json()) {
        if let Value::Object(map) = value
            && let Ok(pieces) = compose(&map, 64, &mut nothing)
        {
            let mut reading = Reading::new(transfer_syntax::lookup(EXPLICIT_VR_LITTLE_ENDIAN).unwrap(), ReadLimits::default());
            prop_assert!(reading.feed(&bytes(pieces)).is_ok());
        }
    }
}
