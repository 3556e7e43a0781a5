use super::*;
use dicom_core::VR;
use flate2::read::MultiGzDecoder;
use proptest::prelude::*;
use std::io::Read;

/// Metadata from text with `@` where a BulkDataURI stands.
fn metadata(text: &str) -> Metadata {
    let mut encoder = Encoder::new();
    for (i, part) in text.split('@').enumerate() {
        if i > 0 {
            encoder.cut(BulkValue { path: format!("7FE0001{i}"), vr: VR::OW, value: 10..20 }).unwrap();
        }
        encoder.text().extend_from_slice(part.as_bytes());
        encoder.settle().unwrap();
    }
    encoder.finish().unwrap()
}

fn assembled(form: Form, instances: &[Metadata]) -> (Vec<u8>, usize) {
    let mut assembler = Assembler::new(form);
    let (mut out, mut longest) = (Vec::new(), 0);
    for (i, instance) in instances.iter().enumerate() {
        assembler.push(instance.clone(), &format!("http://h/{i}"));
        while let Some(chunk) = assembler.next_chunk().unwrap() {
            longest = longest.max(chunk.len());
            out.extend_from_slice(&chunk);
        }
    }
    out.extend_from_slice(&assembler.finish().unwrap());
    (out, longest)
}

fn gunzip(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    MultiGzDecoder::new(body).read_to_end(&mut out).unwrap();
    out
}

#[test]
fn none_one_and_many_instances_are_one_array_in_both_forms() {
    let one = metadata(r#"{"a":"@"}"#);
    let cases: [(&[Metadata], &str); 4] = [
        (&[], "[]"),
        (&[metadata("{}")], "[{}]"),
        (std::slice::from_ref(&one), r#"[{"a":"http://h/0/bulkdata/7FE00011"}]"#),
        (
            &[one.clone(), metadata("{}"), one.clone()],
            r#"[{"a":"http://h/0/bulkdata/7FE00011"},{},{"a":"http://h/2/bulkdata/7FE00011"}]"#,
        ),
    ];
    for (instances, expected) in cases {
        let (identity, _) = assembled(Form::Identity, instances);
        assert_eq!(String::from_utf8(identity).unwrap(), expected);
        assert_eq!(String::from_utf8(gunzip(&assembled(Form::Gzip, instances).0)).unwrap(), expected);
    }
}

#[test]
fn a_large_object_is_given_in_small_chunks() {
    // Inflates 500 to 1.
    let large = metadata(&format!("{{\"a\":\"{}\"}}", "x".repeat(5_000_000)));
    let (identity, longest) = assembled(Form::Identity, &[large.clone(), large.clone()]);
    assert_eq!(identity.len(), 2 * 5_000_008 + 3);
    assert!(longest < 256 << 10, "{longest}");
    assert_eq!(gunzip(&assembled(Form::Gzip, &[large.clone(), large]).0), identity);
}

#[test]
fn a_base_url_cannot_leave_its_string() {
    let mut assembler = Assembler::new(Form::Identity);
    assembler.push(metadata(r#"{"a":"@"}"#), "http://h/\"\\");
    let body = assembler.finish().unwrap();
    let value: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(value[0]["a"], "http://h/\"\\/bulkdata/7FE00011");
}

#[test]
fn blobs_come_back_and_damaged_ones_are_refused() {
    let original = metadata(r#"{"a":"@","b":"@"}"#);
    let blob = original.to_bytes();
    assert_eq!(Metadata::from_bytes(blob.clone()).unwrap(), original);
    for end in 0..blob.len() {
        assert_eq!(Metadata::from_bytes(blob[..end].to_vec()), Err(MetadataError), "{end}");
    }
    assert_eq!(original.bulk_value("7FE00012").map(|value| value.value.clone()), Some(10..20));
}

#[test]
fn pieces_that_do_not_hold_what_they_say_are_not_given() {
    let good = metadata(r#"{"a":"@"}"#);
    for length in [0, 5, 7, 1 << 40] {
        let mut bad = good.clone();
        bad.pieces[0].length = length;
        let mut assembler = Assembler::new(Form::Identity);
        assembler.push(bad, "http://h");
        assert_eq!(assembler.next_chunk(), Err(MetadataError), "{length}");
    }
    let mut bad = good;
    bad.pieces[1].deflated = Bytes::from_static(&[0xFF; 9]);
    let mut assembler = Assembler::new(Form::Identity);
    assembler.push(bad, "http://h");
    assert_eq!(assembler.next_chunk(), Err(MetadataError));
}

#[test]
fn an_instance_given_up_leaves_nothing_behind_for_the_next() {
    let text = r#"{"a":"b"}"#;
    let expected = metadata(text);
    for length in [1, 100, 20_000, 100_000] {
        let mut encoder = Encoder::new();
        encoder.text().extend(std::iter::repeat_n(b'x', length));
        encoder.settle().unwrap();
        drop(encoder);
        assert_eq!(metadata(text), expected, "{length}");
    }
}

#[test]
fn bulk_values_are_limited() {
    let mut encoder = Encoder::new();
    let value = BulkValue { path: String::new(), vr: VR::OB, value: 0..1 };
    let limit = (0..70_000).find_map(|_| encoder.cut(value.clone()).err());
    assert_eq!(limit, Some(crate::domain::walker::Limit::BulkValues));
}

proptest! {
    #[test]
    fn any_text_comes_back(texts in prop::collection::vec("[ -~é@]{0,400}", 0..6)) {
        let instances: Vec<Metadata> = texts.iter().map(|text| metadata(text)).collect();
        let (identity, _) = assembled(Form::Identity, &instances);
        prop_assert_eq!(gunzip(&assembled(Form::Gzip, &instances).0), identity.clone());
        let parts = texts.iter().enumerate().map(|(i, text)| {
            let mut out = String::new();
            for (n, part) in text.split('@').enumerate() {
                if n > 0 {
                    out += &format!("http://h/{i}/bulkdata/7FE0001{n}");
                }
                out += part;
            }
            out
        });
        let expected = format!("[{}]", parts.collect::<Vec<_>>().join(","));
        prop_assert_eq!(String::from_utf8(identity).unwrap(), expected);
    }

    #[test]
    fn no_blob_panics(blob in prop::collection::vec(any::<u8>(), 0..80)) {
        if let Ok(metadata) = Metadata::from_bytes(blob) {
            for form in [Form::Gzip, Form::Identity] {
                let mut assembler = Assembler::new(form);
                assembler.push(metadata.clone(), "");
                while let Ok(Some(_)) = assembler.next_chunk() {}
            }
        }
    }
}
