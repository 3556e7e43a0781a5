//! What real and hostile files begin with.

use super::*;
use proptest::prelude::*;

fn explicit(element: u16, vr: &[u8; 2], value: &[u8]) -> Vec<u8> {
    let mut out = vec![2, 0];
    out.extend_from_slice(&element.to_le_bytes());
    out.extend_from_slice(vr);
    if vr == b"OB" {
        out.extend_from_slice(&[0, 0]);
        out.extend_from_slice(&u32::try_from(value.len()).unwrap().to_le_bytes());
    } else {
        out.extend_from_slice(&u16::try_from(value.len()).unwrap().to_le_bytes());
    }
    out.extend_from_slice(value);
    out
}

fn implicit(element: u16, value: &[u8]) -> Vec<u8> {
    let mut out = vec![2, 0];
    out.extend_from_slice(&element.to_le_bytes());
    out.extend_from_slice(&u32::try_from(value.len()).unwrap().to_le_bytes());
    out.extend_from_slice(value);
    out
}

const DATASET: &[u8] = b"\x08\0\x16\0UI\x04\x001.2\0";

fn elements() -> Vec<u8> {
    [
        explicit(0x0001, b"OB", &[0, 1]),
        explicit(0x0002, b"UI", b"1.2.840.10008.5.1.4.1.1.2\0"),
        explicit(0x0003, b"UI", b"1.2.3\0"),
        explicit(0x0010, b"UI", b"1.2.840.10008.1.2.1\0"),
        explicit(0x0012, b"UI", b"1.2.4\0"),
    ]
    .concat()
}

fn file(preamble: u8, meta: &[u8], dataset: &[u8]) -> Vec<u8> {
    [[preamble; 128].as_slice(), b"DICM", meta, dataset].concat()
}

fn with_length(elements: &[u8], stated: usize) -> Vec<u8> {
    [explicit(0, b"UL", &u32::try_from(stated).unwrap().to_le_bytes()), elements.to_vec()].concat()
}

#[test]
fn whatever_a_file_begins_with_its_data_set_is_found() {
    let implicit_meta = [
        implicit(0x0002, b"1.2.840.10008.5.1.4.1.1.2\0"),
        implicit(0x0003, b"1.2.3\0"),
        implicit(0x0010, b"1.2.840.10008.1.2.1\0"),
    ]
    .concat();
    let length = elements().len();
    let copied = [explicit(0x0003, b"UI", b"9.9.9\0"), explicit(0x0010, b"UI", b"1.2.840.10008.1.2\0")].concat();
    let cases: Vec<(&str, Vec<u8>, bool)> = vec![
        ("as it should be", file(0, &with_length(&elements(), length), DATASET), true),
        ("a program in the preamble", file(b'M', &with_length(&elements(), length), DATASET), true),
        ("without group length", file(0, &elements(), DATASET), true),
        ("group length too short", file(0, &with_length(&elements(), length - 6), DATASET), true),
        ("group length of zero", file(0, &with_length(&elements(), 0), DATASET), true),
        ("group length that ends between two elements", file(0, &with_length(&elements(), length - 14), DATASET), true),
        ("group length that is empty", file(0, &[explicit(0, b"UL", b""), elements()].concat(), DATASET), true),
        ("copied into the data set", file(0, &[with_length(&elements(), length), copied].concat(), DATASET), true),
        ("group length too long", file(0, &with_length(&elements(), length + 600), DATASET), true),
        ("group length absurd", file(0, &with_length(&elements(), u32::MAX as usize), DATASET), true),
        ("implicit VR", file(0, &implicit_meta, DATASET), true),
        ("no preamble", [b"DICM", elements().as_slice(), DATASET].concat(), true),
        ("nothing before the meta", [elements().as_slice(), DATASET].concat(), true),
        ("no meta", file(0, &[], DATASET), false),
        ("nothing but a data set", DATASET.to_vec(), false),
    ];
    for (what, bytes, named) in cases {
        let meta = read(&bytes, true).unwrap().unwrap();
        assert_eq!(&bytes[meta.dataset_offset..], DATASET, "{what}");
        assert_eq!(meta.sop_instance_uid.is_some_and(|uid| uid.as_str() == "1.2.3"), named, "{what}");
        let syntax = meta.transfer_syntax_uid.as_ref().map(TransferSyntaxUid::as_str);
        assert_eq!(syntax, named.then_some("1.2.840.10008.1.2.1"), "{what}");
    }
}

#[test]
fn a_deflated_data_set_may_look_like_one_more_element_of_the_meta() {
    let deflated = explicit(0x0010, b"UI", b"1.2.840.10008.1.2.1.99");
    let before = explicit(0x0002, b"UI", b"1.2.840.10008.5.1.4.1.1.2\0");
    let elements = [before.clone(), deflated].concat();
    let looks_like_one = b"\x02\0\x13\0SH\x10\0";
    // A length that ends before the syntax is known is no end.
    for (stated, left) in [(elements.len(), 8), (0, 6), (before.len(), 6)] {
        let dataset: &[u8] = if left == 8 { looks_like_one } else { b"\x4B\x4C\0\0\0\0" };
        let bytes = file(0, &with_length(&elements, stated), dataset);
        let meta = read(&bytes, true).unwrap().unwrap();
        assert_eq!(bytes.len() - meta.dataset_offset, left, "{stated}");
    }
}

#[test]
fn uids_that_are_none_are_as_good_as_missing() {
    let meta = [explicit(2, b"UI", b"../../x"), explicit(3, b"UI", b""), explicit(0x10, b"UI", &[0xFF, 0xFE])].concat();
    let read = read(&file(0, &meta, DATASET), true).unwrap().unwrap();
    assert_eq!((read.sop_class_uid, read.sop_instance_uid, read.transfer_syntax_uid), (None, None, None));
}

#[test]
fn what_ends_or_never_ends_within_its_meta_is_told_apart() {
    let whole = file(0, &elements(), b"");
    assert!(read(&whole, true).unwrap().is_some(), "an empty data set is for the walk to refuse");
    for cut in 133..whole.len() {
        match read(&whole[..cut], true) {
            Err(FileMetaError::Truncated) => {}
            Ok(Some(meta)) => assert_eq!(meta.dataset_offset, cut, "between two elements"),
            other => panic!("{cut}: {other:?}"),
        }
        assert_eq!(read(&whole[..cut], false), Ok(None), "{cut}");
    }
    let long = file(0, b"\x02\0\x02\x01OB\0\0\xFF\xFF\xFF\x7F", b"");
    assert_eq!(read(&long, false), Err(FileMetaError::TooLong));
    let undefined = file(0, b"\x02\0\x02\x01OB\0\0\xFF\xFF\xFF\xFF", b"");
    assert_eq!(read(&undefined, false), Err(FileMetaError::Malformed));
    let endless = file(0, &explicit(0x0102, b"SH", b"").repeat(LONGEST / 8 + 2), b"");
    assert_eq!(read(&endless, false), Err(FileMetaError::TooLong));
}

#[test]
fn the_encoding_of_a_bare_data_set_is_told_from_its_first_element() {
    let cases: [(&[u8], Option<&str>); 6] = [
        (b"\x08\0\x05\0CS\x0A\0", Some(EXPLICIT_VR_LITTLE_ENDIAN)),
        (b"\0\x08\0\x05CS\0\x0A", Some(EXPLICIT_VR_BIG_ENDIAN)),
        (b"\x08\0\x05\0\x0A\0\0\0", Some(IMPLICIT_VR_LITTLE_ENDIAN)),
        (b"\x08\0\x16\0\x1A\0\0\0", Some(IMPLICIT_VR_LITTLE_ENDIAN)),
        (b"hello, world", Some(IMPLICIT_VR_LITTLE_ENDIAN)),
        (b"\x08\0\x05", None),
    ];
    for (bytes, expected) in cases {
        assert_eq!(guess(bytes), expected, "{bytes:?}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic_or_point_outside(bytes in prop::collection::vec(any::<u8>(), 0..600), dicm: bool) {
        let mut bytes = bytes;
        if dicm && bytes.len() > 134 {
            bytes[128..134].copy_from_slice(b"DICM\x02\0");
        }
        for complete in [true, false] {
            if let Ok(Some(meta)) = read(&bytes, complete) {
                prop_assert!(meta.dataset_offset <= bytes.len());
            }
        }
        prop_assert!(read(&bytes, true) != Ok(None));
        guess(&bytes);
    }

    #[test]
    fn more_bytes_never_change_what_was_read(cut in 0_usize..400) {
        let whole = file(7, &elements(), &DATASET.repeat(20));
        let cut = cut.min(whole.len());
        let expected = read(&whole, true).unwrap().unwrap();
        if let Some(early) = read(&whole[..cut], false).unwrap() {
            prop_assert_eq!(early, expected);
        }
    }
}
