use super::testing::*;
use super::*;
use crate::domain::transfer_syntax::*;
use dicom_core::VR;

/// Writes events down, one a line.
#[derive(Default)]
struct Log(Vec<String>, Vec<u8>);

impl Visitor for Log {
    fn event(&mut self, event: Event<'_>) -> Result<(), ReadError> {
        let line = match event {
            Event::Bytes(bytes) => {
                self.1.extend_from_slice(bytes);
                return Ok(());
            }
            Event::End => format!("= {:02X?}", std::mem::take(&mut self.1)),
            Event::Element(e) => format!("{} {}", e.tag, e.vr.to_string()),
            Event::Sequence(e) => format!("{} [", e.tag),
            Event::SequenceEnd => "]".into(),
            Event::Item => "{".into(),
            Event::ItemEnd => "}".into(),
            Event::Fragments(e) => format!("{} <", e.tag),
            Event::Fragment { offset, length } => format!("at {offset} {length}"),
            Event::FragmentsEnd { offset } => format!("> {offset}"),
        };
        self.0.push(line);
        Ok(())
    }
}

fn walk_in(uid: &str, bytes: &[u8], portion: usize) -> Result<String, ReadError> {
    let mut log = Log::default();
    let mut walker = Walker::new(syntax(uid), ReadLimits::default());
    for bytes in bytes.chunks(portion) {
        walker.feed(bytes, &mut log)?;
    }
    walker.finish()?;
    Ok(log.0.join(" "))
}

/// Walks byte by byte, and all at once, which must not differ.
fn walk(uid: &str, bytes: &[u8]) -> Result<String, ReadError> {
    let whole = walk_in(uid, bytes, usize::MAX);
    assert_eq!(walk_in(uid, bytes, 1), whole);
    assert_eq!(walk_in(uid, bytes, 5), whole);
    whole
}

const LE: &str = EXPLICIT_VR_LITTLE_ENDIAN;
const SQ: Tag = Tag(0x0008, 0x1140);
const LO: Tag = Tag(0x0008, 0x0070);

fn lo(text: &[u8]) -> Node {
    value(LO, VR::LO, text)
}

#[test]
fn lengths_defined_or_not_say_the_same_in_every_syntax() {
    let expected = "(0008,1140) [ { (0008,0070) LO = [41, 42] } { } ] (0028,0010) US = [02, 00]";
    for undefined in [false, true] {
        for items_undefined in [false, true] {
            let nodes = [
                Node::Sequence(SQ, vec![vec![lo(b"AB")], vec![]], undefined, items_undefined),
                value(Tag(0x0028, 0x0010), VR::US, &[2, 0]),
            ];
            for uid in [LE, IMPLICIT_VR_LITTLE_ENDIAN, DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN] {
                assert_eq!(walk(uid, &sent(&nodes, syntax(uid))).unwrap(), expected);
            }
            let big = walk(EXPLICIT_VR_BIG_ENDIAN, &encode(&nodes, BIG)).unwrap();
            assert_eq!(big, expected.replace("02, 00", "00, 02"));
        }
    }
}

#[test]
fn unknown_values_of_undefined_length_hold_implicit_items() {
    // CP-246: PS3.5 §6.2.2 note 2. Some writers put explicit elements there all the same.
    for inner in [IMPLICIT, EXPLICIT] {
        let mut bytes = Vec::new();
        header(&mut bytes, Tag(0x0009, 0x1001), VR::UN, u32::MAX, EXPLICIT);
        mark(&mut bytes, ITEM, u32::MAX, false);
        bytes.extend(encode(&[lo(b"AB"), Node::Sequence(SQ, vec![vec![lo(b"CD")]], true, false)], inner));
        mark(&mut bytes, ITEM_DELIMITATION, 0, false);
        mark(&mut bytes, SEQUENCE_DELIMITATION, 0, false);
        bytes.extend(encode(&[value(Tag(0x0010, 0x0020), VR::LO, b"ID")], EXPLICIT));
        let expected = "(0009,1001) [ { (0008,0070) LO = [41, 42] (0008,1140) [ { (0008,0070) LO = [43, 44] } ] } ] \
                        (0010,0020) LO = [49, 44]";
        assert_eq!(walk(LE, &bytes).unwrap(), expected);
    }
}

#[test]
fn unknown_is_what_the_dictionary_knows() {
    let mut bytes = Vec::new();
    header(&mut bytes, LO, VR::UN, 2, EXPLICIT);
    bytes.extend(b"AB");
    let item = encode(&[lo(b"CD")], IMPLICIT);
    header(&mut bytes, SQ, VR::UN, 8 + item.len() as u32, EXPLICIT);
    mark(&mut bytes, ITEM, item.len() as u32, false);
    bytes.extend(item);
    // Said to be a sequence by the dictionary, but no item begins it.
    header(&mut bytes, Tag(0x0008, 0x1115), VR::UN, 10, EXPLICIT);
    bytes.extend(b"0123456789");
    header(&mut bytes, Tag(0x0008, 0x1199), VR::UN, 2, EXPLICIT);
    bytes.extend(b"01");
    let walked = walk(LE, &bytes).unwrap();
    assert!(
        walked.starts_with(
            "(0008,0070) LO = [41, 42] (0008,1140) [ { (0008,0070) LO = [43, 44] } ] (0008,1115) UN = [30,"
        ),
        "{walked}"
    );
    assert!(walked.ends_with("39] (0008,1199) UN = [30, 31]"), "{walked}");
}

#[test]
fn implicit_items_inside_explicit_data_sets_are_read() {
    let content = encode(&[lo(b"AB"), value(Tag(0x0010, 0x0020), VR::LO, b"ID")], IMPLICIT);
    let mut bytes = Vec::new();
    header(&mut bytes, SQ, VR::SQ, 8 + content.len() as u32, EXPLICIT);
    mark(&mut bytes, ITEM, content.len() as u32, false);
    bytes.extend(content);
    let expected = "(0008,1140) [ { (0008,0070) LO = [41, 42] (0010,0020) LO = [49, 44] } ]";
    assert_eq!(walk(LE, &bytes).unwrap(), expected);
}

#[test]
fn a_wrongly_named_transfer_syntax_shows_at_the_first_element() {
    let nodes = [lo(b"AB"), value(Tag(0x0010, 0x0020), VR::LO, b"ID")];
    let expected = "(0008,0070) LO = [41, 42] (0010,0020) LO = [49, 44]";
    assert_eq!(walk(LE, &encode(&nodes, IMPLICIT)).unwrap(), expected);
    assert_eq!(walk(IMPLICIT_VR_LITTLE_ENDIAN, &encode(&nodes, EXPLICIT)).unwrap(), expected);
}

#[test]
fn unknown_codes_are_long_when_their_reserved_bytes_are_zero() {
    let long = b"\x09\x00\x01\x10ZZ\0\0\x02\0\0\0AB";
    let short = b"\x09\x00\x02\x10ZY\x02\x00CD";
    let bytes = [long.as_slice(), short].concat();
    assert_eq!(walk(LE, &bytes).unwrap(), "(0009,1001) UN = [41, 42] (0009,1002) UN = [43, 44]");
}

#[test]
fn odd_lengths_and_padding_after_the_data_set_are_borne() {
    let nodes = [lo(b"ABC"), value(Tag(0x0010, 0x0020), VR::LO, b"ID")];
    let expected = "(0008,0070) LO = [41, 42, 43] (0010,0020) LO = [49, 44]";
    for zeros in [0, 1, 7, 8, 9, 100] {
        let mut bytes = encode(&nodes, EXPLICIT);
        bytes.resize(bytes.len() + zeros, 0);
        assert_eq!(walk(LE, &bytes).unwrap(), expected, "{zeros}");
    }
    let mut bytes = encode(&nodes, EXPLICIT);
    bytes.extend([0; 8]);
    bytes.push(1);
    let trailing = ReadError::Malformed { fault: Fault::TrailingBytes, tag: None };
    assert_eq!(walk(LE, &bytes), Err(trailing));
    let padded = [lo(b"AB"), value(Tag(0xFFFC, 0xFFFC), VR::OB, &[0; 4])];
    assert!(walk(LE, &encode(&padded, EXPLICIT)).unwrap().ends_with("(FFFC,FFFC) OB = [00, 00, 00, 00]"));
}

#[test]
fn superfluous_delimiters_are_borne() {
    let expected = "(0008,1140) [ { (0008,0070) LO = [41, 42] } ] (0010,0020) LO = [49, 44]";
    let content = encode(&[lo(b"AB")], EXPLICIT);
    let rest = encode(&[value(Tag(0x0010, 0x0020), VR::LO, b"ID")], EXPLICIT);
    let part = |length: u32| {
        let mut out = Vec::new();
        mark(&mut out, ITEM, length, false);
        out.extend(&content);
        out
    };
    let end = |tag| {
        let mut out = Vec::new();
        mark(&mut out, tag, 0, false);
        out
    };
    let sequence = |length: u32| {
        let mut out = Vec::new();
        header(&mut out, SQ, VR::SQ, length, EXPLICIT);
        out
    };
    let item = content.len() as u32;
    let cases = [
        // An item of defined length is ended by a delimiter as well.
        [sequence(u32::MAX), part(item), end(ITEM_DELIMITATION), end(SEQUENCE_DELIMITATION)].concat(),
        // A sequence of defined length is followed by a delimiter.
        [sequence(item + 8), part(item), end(SEQUENCE_DELIMITATION)].concat(),
        // The last item is not ended.
        [sequence(u32::MAX), part(u32::MAX), end(SEQUENCE_DELIMITATION)].concat(),
    ];
    for (i, case) in cases.into_iter().enumerate() {
        assert_eq!(walk(LE, &[case, rest.clone()].concat()).unwrap(), expected, "{i}");
    }
}

#[test]
fn fragments_are_told_by_their_item_lengths_only() {
    // The second fragment holds the bytes of a sequence delimiter.
    let tricky = [0xFE, 0xFF, 0xDD, 0xE0, 0, 0, 0, 0, 1, 2];
    let nodes = [Node::Fragments(PIXEL_DATA, vec![vec![], tricky.to_vec(), vec![9]])];
    let walked = walk("1.2.840.10008.1.2.4.70", &encode(&nodes, EXPLICIT)).unwrap();
    let expected = "(7FE0,0010) < at 20 0 = [] at 28 10 = [FE, FF, DD, E0, 00, 00, 00, 00, 01, 02] at 46 1 = [09] > 47";
    assert_eq!(walked, expected);
}

#[test]
fn every_cut_is_noticed() {
    let nodes = [
        lo(b"AB"),
        Node::Sequence(SQ, vec![vec![lo(b"CD")]], true, true),
        Node::Fragments(PIXEL_DATA, vec![vec![], vec![1, 2]]),
    ];
    let bytes = encode(&nodes, EXPLICIT);
    let between = [0, encode(&nodes[..1], EXPLICIT).len(), encode(&nodes[..2], EXPLICIT).len()];
    for end in (0..bytes.len()).filter(|end| !between.contains(end)) {
        assert_eq!(walk_in(LE, &bytes[..end], 3), Err(ReadError::Truncated), "{end}");
    }
    let deflated = deflate(&bytes);
    let uid = DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN;
    assert_eq!(walk_in(uid, &deflated[..deflated.len() - 1], 3), Err(ReadError::Truncated));
    for trailer in [&[0][..], &[1; 8]] {
        assert!(walk_in(uid, &[&deflated, trailer].concat(), 3).is_ok());
    }
    assert!(walk_in(uid, &[&deflated, &[1; 9][..]].concat(), 3).is_err());
}

#[test]
fn nothing_reaches_past_what_holds_it() {
    let element = encode(&[lo(b"ABCD")], EXPLICIT);
    let whole = element.len() as u32;
    for short in 1..whole {
        let mut bytes = Vec::new();
        header(&mut bytes, SQ, VR::SQ, 8 + short, EXPLICIT);
        mark(&mut bytes, ITEM, short, false);
        bytes.extend(&element);
        bytes.extend([0; 64]);
        let error = walk(LE, &bytes).unwrap_err();
        assert!(matches!(error, ReadError::Malformed { fault: Fault::LengthExceedsParent, .. }), "{short} {error:?}");
    }
    let mut item_too_long = Vec::new();
    header(&mut item_too_long, SQ, VR::SQ, 16, EXPLICIT);
    mark(&mut item_too_long, ITEM, 100, false);
    let error = walk(LE, &item_too_long).unwrap_err();
    assert_eq!(error, ReadError::malformed(Fault::LengthExceedsParent, ITEM));
}

/// `depth` sequences, each in an item of the one before.
fn nested(depth: usize, undefined: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    for level in 0..depth {
        let left = ((depth - level) * 20 - 12) as u32;
        header(&mut bytes, SQ, VR::SQ, if undefined { u32::MAX } else { left }, EXPLICIT);
        mark(&mut bytes, ITEM, if undefined { u32::MAX } else { left - 8 }, false);
    }
    if undefined {
        for _ in 0..depth {
            mark(&mut bytes, ITEM_DELIMITATION, 0, false);
            mark(&mut bytes, SEQUENCE_DELIMITATION, 0, false);
        }
    }
    bytes
}

#[test]
fn sequences_nest_64_deep_and_no_deeper() {
    for undefined in [false, true] {
        assert!(walk(LE, &nested(64, undefined)).is_ok());
        for depth in [65, 100_000] {
            let error = walk_in(LE, &nested(depth, undefined), 65_536);
            assert_eq!(error, Err(ReadError::limit(Limit::SequenceDepth, SQ)), "{depth}");
        }
    }
}

#[test]
fn elements_are_counted_up_to_the_limit() {
    let limits = ReadLimits { elements: 10, ..ReadLimits::default() };
    let of = |count: usize| {
        let bytes = encode(&vec![lo(b""); count], EXPLICIT);
        Walker::new(syntax(LE), limits).feed(&bytes, &mut Log::default())
    };
    assert_eq!(of(10), Ok(()));
    assert_eq!(of(11), Err(ReadError::limit(Limit::Elements, LO)));
}

#[test]
fn a_declared_length_costs_nothing() {
    for vr in [VR::OB, VR::OW, VR::UN, VR::UT, VR::SQ] {
        let mut bytes = Vec::new();
        header(&mut bytes, Tag(0x0042, 0x0011), vr, 0xFFFF_FFF0, EXPLICIT);
        bytes.extend([0x20; 100]);
        let error = walk_in(LE, &bytes, 10).unwrap_err();
        let expected = if vr == VR::SQ {
            ReadError::malformed(Fault::ItemExpected, Tag(0x2020, 0x2020))
        } else {
            ReadError::Truncated
        };
        assert_eq!(error, expected, "{vr:?}");
    }
}

#[test]
fn a_deflate_bomb_is_stopped_by_ratio_and_by_size() {
    use std::io::Write;
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut head = Vec::new();
    header(&mut head, Tag(0x0042, 0x0011), VR::OB, 1 << 30, EXPLICIT);
    encoder.write_all(&head).unwrap();
    let zeros = vec![0; 1 << 20];
    for _ in 0..1024 {
        encoder.write_all(&zeros).unwrap();
    }
    let bomb = encoder.finish().unwrap();
    let uid = DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN;
    let ratio = ReadError::Limit { limit: Limit::InflatedRatio, tag: None };
    assert_eq!(walk_in(uid, &bomb, 4096), Err(ratio));
    let limits = ReadLimits { inflated_ratio: u32::MAX, inflated_size: 4 << 20, ..ReadLimits::default() };
    let size = ReadError::Limit { limit: Limit::InflatedSize, tag: None };
    assert_eq!(Walker::new(syntax(uid), limits).feed(&bomb, &mut Sum(0)), Err(size));
}

/// Counts, and keeps nothing.
struct Sum(u64);

impl Visitor for Sum {
    fn event(&mut self, event: Event<'_>) -> Result<(), ReadError> {
        if let Event::Bytes(bytes) = event {
            self.0 += bytes.len() as u64;
        }
        Ok(())
    }
}

#[test]
fn an_error_stays() {
    let mut walker = Walker::new(syntax(LE), ReadLimits::default());
    let error = walker.feed(&nested(65, true), &mut Sum(0)).unwrap_err();
    assert_eq!(walker.feed(b"more", &mut Sum(0)), Err(error));
    assert_eq!(walker.finish(), Err(error));
}
