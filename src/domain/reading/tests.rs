#![allow(clippy::single_range_in_vec_init)] // a frame of one fragment

use super::*;
use crate::domain::instance::{FrameTable, InstanceFacts};
use crate::domain::metadata::{Assembler, Form};
use crate::domain::transfer_syntax::*;
use crate::domain::walker::PIXEL_DATA;
use crate::domain::walker::testing::*;
use dicom_core::{Tag, VR};
use proptest::prelude::*;
use serde_json::{Value, json};

const LE: &str = EXPLICIT_VR_LITTLE_ENDIAN;
const JPEG: &str = "1.2.840.10008.1.2.4.70";

fn read_in(uid: &str, bytes: &[u8], portion: usize) -> Result<InstanceFacts, ReadError> {
    let mut reading = Reading::new(syntax(uid), ReadLimits::default());
    for bytes in bytes.chunks(portion) {
        reading.feed(bytes)?;
    }
    reading.finish()
}

fn read(uid: &str, nodes: &[Node]) -> InstanceFacts {
    read_in(uid, &sent(nodes, syntax(uid)), usize::MAX).unwrap()
}

/// Identity and `more`, in the order of tags.
fn instance(more: Vec<Node>) -> Vec<Node> {
    let mut nodes = identity();
    nodes.extend(more);
    nodes.sort_by_key(tag_of);
    nodes
}

fn json_of(facts: &InstanceFacts) -> Value {
    let mut assembler = Assembler::new(Form::Identity);
    assembler.push(facts.metadata.clone(), "http://h");
    let array: Value = serde_json::from_slice(&assembler.finish().unwrap()).unwrap();
    array[0].clone()
}

fn us(element: u16, number: u16) -> Node {
    value(Tag(0x0028, element), VR::US, &number.to_le_bytes())
}

fn image(more: Vec<Node>) -> Vec<Node> {
    let mut nodes = vec![us(0x0002, 1), us(0x0010, 2), us(0x0011, 3), us(0x0100, 16)];
    nodes.extend(more);
    instance(nodes)
}

#[test]
fn a_native_image_gives_its_facts() {
    for uid in [LE, IMPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_BIG_ENDIAN, DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN] {
        let nodes = image(vec![
            value(Tag(0x0028, 0x0008), VR::IS, b"2 "),
            value(Tag(0x0028, 0x0004), VR::CS, b"MONOCHROME2 "),
            value(PIXEL_DATA, VR::OW, &[7; 24]),
        ]);
        let facts = read(uid, &nodes);
        assert_eq!(facts.sop_instance_uid.as_str(), "1.2.3.4");
        let pixels = facts.pixels.unwrap();
        assert_eq!((pixels.rows, pixels.columns, pixels.number_of_frames), (2, 3, 2), "{uid}");
        assert_eq!(pixels.photometric_interpretation, "MONOCHROME2");
        assert_eq!(pixels.frames, FrameTable::Native { frame_bits: 96 });
        let length = encode(&nodes, if uid == IMPLICIT_VR_LITTLE_ENDIAN { IMPLICIT } else { EXPLICIT }).len() as u64;
        assert_eq!(pixels.value, length - 24..length, "{uid}");
        assert_eq!(facts.metadata.bulk[0].path, "7FE00010");
    }
}

#[test]
fn an_encapsulated_image_gives_its_frames() {
    let two = value(Tag(0x0028, 0x0008), VR::IS, b"2 ");
    let fragments = vec![vec![], vec![0xFF, 0xD8], vec![1, 2], vec![0xFF, 0xD8, 3, 4]];
    let nodes = image(vec![two, Node::Fragments(PIXEL_DATA, fragments)]);
    let facts = read(JPEG, &nodes);
    let pixels = facts.pixels.unwrap();
    let start = pixels.value.start;
    let frames = vec![vec![start + 16..start + 18, start + 26..start + 28], vec![start + 36..start + 40]];
    assert_eq!(pixels.frames, FrameTable::Encapsulated { frames });
    assert_eq!(pixels.value.end, start + 40);
    assert_eq!(facts.metadata.bulk[0].value, pixels.value);
    assert_eq!(facts.metadata.bulk[0].vr, VR::OB);
}

#[test]
fn offset_tables_are_read() {
    let words = |values: &[u64]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>();
    let one = |basic: &[u32], extended: bool| {
        let basic: Vec<u8> = basic.iter().flat_map(|offset| offset.to_le_bytes()).collect();
        let mut more = vec![value(Tag(0x0028, 0x0008), VR::IS, b"2 ")];
        if extended {
            more.push(value(Tag(0x7FE0, 0x0001), VR::OV, &words(&[0, 10])));
            more.push(value(Tag(0x7FE0, 0x0002), VR::OV, &words(&[1, 2])));
        }
        let parts = if extended { 2 } else { 3 };
        more.push(Node::Fragments(PIXEL_DATA, std::iter::once(basic).chain(vec![vec![0, 0]; parts]).collect()));
        let nodes = image(more);
        let bytes = encode(&nodes, EXPLICIT);
        let byte_by_byte = read_in(JPEG, &bytes, 1).unwrap().pixels;
        let pixels = read_in(JPEG, &bytes, usize::MAX).unwrap().pixels;
        assert_eq!(pixels, byte_by_byte);
        let pixels = pixels.unwrap();
        let start = pixels.value.start + 8;
        let FrameTable::Encapsulated { frames } = pixels.frames else { panic!() };
        let relative = |range: &std::ops::Range<u64>| (range.start - start) as usize..(range.end - start) as usize;
        frames.iter().map(|frame| frame.iter().map(relative).collect()).collect::<Vec<Vec<_>>>()
    };
    assert_eq!(one(&[0, 10], false), [vec![16..18], vec![26..28, 36..38]]);
    assert_eq!(one(&[0, 20], false), [vec![16..18, 26..28], vec![36..38]]);
    assert!(one(&[0, 19], false).is_empty());
    assert_eq!(one(&[], true), [vec![8..9], vec![18..20]]);
}

#[test]
fn pixels_of_an_icon_are_not_the_frames() {
    let icon = vec![us(0x0010, 64), value(PIXEL_DATA, VR::OW, &[1, 2])];
    let nodes = instance(vec![Node::Sequence(Tag(0x0088, 0x0200), vec![icon], true, true)]);
    let facts = read(LE, &nodes);
    assert_eq!(facts.pixels, None);
    assert_eq!(facts.metadata.bulk[0].path, "00880200/0/7FE00010");
    let uri = &json_of(&facts)["00880200"]["Value"][0]["7FE00010"]["BulkDataURI"];
    assert_eq!(uri, "http://h/bulkdata/00880200/0/7FE00010");
}

#[test]
fn a_uid_that_identifies_must_be_there_and_well_formed() {
    let identity = identity();
    for (i, node) in identity.iter().enumerate() {
        let tag = tag_of(node);
        let mut without = identity.clone();
        without.remove(i);
        let error = |nodes: &[Node]| read_in(LE, &encode(nodes, EXPLICIT), usize::MAX).unwrap_err();
        assert_eq!(error(&without), ReadError::Uid { tag });
        assert_eq!(error(&without).offending(), Some(tag));
        for bad in [b"".as_slice(), b"1.2\\3.4\0", b"../../x\0", b"1.2.abc\0", &[b'1'; 66]] {
            let mut with_bad = identity.clone();
            with_bad[i] = value(tag, VR::UI, bad);
            assert_eq!(error(&with_bad), ReadError::Uid { tag }, "{bad:?}");
        }
    }
}

#[test]
fn json_says_utf_8_once_and_leaves_group_lengths_out() {
    let ul = |tag| value(tag, VR::UL, &[0; 4]);
    let nodes = instance(vec![
        ul(Tag(0x0002, 0x0000)),
        value(Tag(0x0002, 0x0010), VR::UI, b"1.2\0"),
        ul(Tag(0x0008, 0x0000)),
        value(Tag(0x0008, 0x0001), VR::UL, &[1, 0, 0, 0]),
        ul(Tag(0x0010, 0x0000)),
    ]);
    let with = instance(vec![value(Tag(0x0008, 0x0005), VR::CS, b"ISO_IR 100")]);
    for nodes in [nodes, with, identity()] {
        let json = json_of(&read(LE, &nodes));
        assert_eq!(json["00080005"], json!({"vr":"CS","Value":["ISO_IR 192"]}));
        assert!(json.as_object().unwrap().keys().all(|key| !key.ends_with("0000") && !key.starts_with("0002")));
    }
}

#[test]
fn large_values_become_bulk_values() {
    let cases = [
        (Tag(0x0042, 0x0011), VR::OB, 1024, false),
        (Tag(0x0042, 0x0011), VR::OB, 1026, true),
        (Tag(0x0008, 0x0119), VR::UC, 65_536, false),
        (Tag(0x0008, 0x0119), VR::UC, 65_538, true),
        (Tag(0x6002, 0x3000), VR::OW, 2, true),
        (Tag(0x6002, 0x3000), VR::OW, 0, false),
        (Tag(0x7FE0, 0x0010), VR::OW, 0, false),
        (Tag(0x5400, 0x1010), VR::OW, 2, false),
    ];
    for (tag, vr, length, bulk) in cases {
        let facts = read(LE, &instance(vec![value(tag, vr, &vec![b'1'; length])]));
        assert_eq!(facts.metadata.bulk.len(), usize::from(bulk), "{tag} {length}");
        let json = json_of(&facts);
        let member = &json[&crate::domain::instance::hex_tag(tag)];
        assert_eq!(member.get("BulkDataURI").is_some(), bulk, "{tag} {length}");
        assert_eq!(member.as_object().unwrap().len(), if length == 0 { 1 } else { 2 });
    }
}

#[test]
fn compressed_pixel_data_in_a_native_syntax_is_no_instance() {
    let fragments = |tag| Node::Fragments(tag, vec![vec![], vec![0xFF, 0xD8]]);
    for uid in [LE, IMPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_BIG_ENDIAN, DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN] {
        let bytes = sent(&image(vec![fragments(PIXEL_DATA)]), syntax(uid));
        let refused = read_in(uid, &bytes, usize::MAX).unwrap_err();
        assert_eq!((refused, refused.is_encapsulated()), (ReadError::malformed(Fault::Encapsulated, PIXEL_DATA), true));
    }
    // An icon is never served as frames: it does no harm.
    let icon = Node::Sequence(Tag(0x0088, 0x0200), vec![vec![fragments(PIXEL_DATA)]], false, false);
    assert!(read(LE, &image(vec![icon])).pixels.is_none());
}

#[test]
fn searchable_attributes_are_those_of_the_data_set_itself() {
    let name = |text: &[u8]| value(Tag(0x0010, 0x0010), VR::PN, text);
    let nodes = instance(vec![
        name(b"DOE^JANE"),
        us(0x0010, 512),
        Node::Sequence(Tag(0x0040, 0x0275), vec![vec![name(b"OTHER^ONE ")]], false, false),
    ]);
    for uid in [LE, EXPLICIT_VR_BIG_ENDIAN] {
        let facts = read(uid, &nodes);
        assert_eq!(facts.attributes.first(Tag(0x0010, 0x0010)), Some("DOE^JANE"));
        assert_eq!(facts.attributes.first(Tag(0x0028, 0x0010)), Some("512"));
    }
}

/// What a reading costs in memory is what it holds; held are at most one value and the compressed JSON.
#[test]
fn metadata_is_limited_however_long_the_data_set() {
    let mut reading = Reading::new(syntax(LE), ReadLimits::default());
    let mut noise = 0x2545_F491_4F6C_DD1Du64;
    let mut result = Ok(());
    for element in 0..2000u32 {
        let mut text = Vec::with_capacity(60_000);
        while text.len() < 60_000 {
            noise ^= noise << 13;
            noise ^= noise >> 7;
            noise ^= noise << 17;
            text.extend(noise.to_le_bytes().map(|byte| b'0' + byte % 64));
        }
        let tag = Tag(0x0009 + 2 * (element / 1000) as u16, 0x1000 + (element % 1000) as u16);
        result = reading.feed(&encode(&[value(tag, VR::UT, &text)], EXPLICIT));
        if result.is_err() {
            break;
        }
    }
    assert!(matches!(result, Err(ReadError::Limit { limit: Limit::Metadata, .. })), "{result:?}");
}

proptest! {
    /// The same facts whatever the portions, and in every native syntax the same JSON.
    #[test]
    fn portions_and_syntaxes_make_no_difference(nodes in any_instance(), portion in 1usize..60) {
        let reference = read(LE, &nodes);
        let json = json_of(&reference);
        for uid in [LE, IMPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_BIG_ENDIAN, DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN] {
            let bytes = sent(&nodes, syntax(uid));
            let whole = read_in(uid, &bytes, usize::MAX).unwrap();
            let parts = read_in(uid, &bytes, portion).unwrap();
            prop_assert_eq!(format!("{:?}", &whole), format!("{:?}", &parts));
            prop_assert_eq!(json_of(&parts), json.clone(), "{}", uid);
            prop_assert_eq!(&parts.attributes, &reference.attributes);
        }
    }

    /// A few bytes changed somewhere: facts or an error, and the same ones whatever the portions.
    #[test]
    fn damaged_data_sets_end_in_facts_or_an_error(
        nodes in any_instance(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
        portion in 1usize..60,
    ) {
        for uid in [LE, IMPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_BIG_ENDIAN, DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN, JPEG] {
            let mut bytes = sent(&nodes, syntax(uid));
            for (at, byte) in &changes {
                let at = at.index(bytes.len());
                bytes[at] = *byte;
            }
            for bytes in [&bytes, &bytes[..cut.index(bytes.len())]] {
                let whole = read_in(uid, bytes, usize::MAX);
                let parts = read_in(uid, bytes, portion);
                // Of damaged deflated bytes, more is inflated before the damage shows when they come one by one.
                if uid == DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN {
                    prop_assert_eq!(whole.is_ok(), parts.is_ok());
                } else {
                    prop_assert_eq!(format!("{:?}", &whole), format!("{:?}", &parts));
                }
                if let Ok(facts) = whole {
                    json_of(&facts);
                }
            }
        }
    }

    #[test]
    fn garbage_is_refused_without_harm(bytes in prop::collection::vec(any::<u8>(), 0..400), portion in 1usize..60) {
        for uid in [LE, IMPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_BIG_ENDIAN, DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN, JPEG] {
            prop_assert!(read_in(uid, &bytes, portion).is_err());
        }
    }
}
