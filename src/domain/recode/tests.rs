use super::*;
use crate::domain::transfer_syntax::*;
use crate::domain::walker::testing::*;
use dicom_object::{DefaultDicomObject, InMemDicomObject};
use proptest::prelude::*;

fn recoded(bytes: &[u8], uid: &str, portion: usize) -> Result<Vec<u8>, ReadError> {
    let mut recoder = Recoder::new(syntax(uid), ReadLimits::default());
    let mut out = Vec::new();
    for bytes in bytes.chunks(portion) {
        recoder.feed(bytes, &mut out)?;
    }
    recoder.finish(&mut out)?;
    Ok(out)
}

const NATIVE: [&str; 4] =
    [EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_BIG_ENDIAN, DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN];

proptest! {
    /// The four native syntaxes of one data set become the same bytes, whatever the portions; these are
    /// what they are rewritten to again; and dicom-object reads them as it reads the original.
    #[test]
    fn every_native_syntax_becomes_one(nodes in any_instance(), portion in 1usize..40) {
        let explicit = recoded(&encode(&nodes, EXPLICIT), NATIVE[0], usize::MAX).unwrap();
        for uid in NATIVE {
            let sent = sent(&nodes, syntax(uid));
            prop_assert_eq!(&recoded(&sent, uid, portion).unwrap(), &explicit, "{}", uid);
        }
        prop_assert_eq!(&recoded(&explicit, NATIVE[0], portion).unwrap(), &explicit);
        let read = parse(&explicit, EXPLICIT_VR_LITTLE_ENDIAN);
        same(&read, &parse(&encode(&nodes, EXPLICIT), EXPLICIT_VR_LITTLE_ENDIAN));
        same(&read, &parse(&encode(&nodes, IMPLICIT), IMPLICIT_VR_LITTLE_ENDIAN));
    }

    #[test]
    fn garbage_ends_in_an_error_or_not_at_all(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        for uid in NATIVE {
            let _ = recoded(&bytes, uid, 7);
        }
    }
}

/// Read by dicom-object, as a file.
fn parse(dataset: &[u8], uid: &str) -> DefaultDicomObject {
    let mut uid = uid.as_bytes().to_vec();
    uid.resize(uid.len().next_multiple_of(2), 0);
    let meta = encode(
        &[
            value(Tag(0x0002, 0x0001), VR::OB, &[0, 1]),
            value(Tag(0x0002, 0x0002), VR::UI, b"1.2.840.10008.5.1.4.1.1.7\0"),
            value(Tag(0x0002, 0x0003), VR::UI, b"1.2.3.4\0"),
            value(Tag(0x0002, 0x0010), VR::UI, &uid),
            value(Tag(0x0002, 0x0012), VR::UI, b"1.2\0"),
        ],
        EXPLICIT,
    );
    let length = value(Tag(0x0002, 0x0000), VR::UL, &(meta.len() as u32).to_le_bytes());
    let file = [&[0; 128], b"DICM".as_slice(), &encode(&[length], EXPLICIT), &meta, dataset].concat();
    dicom_object::from_reader(file.as_slice()).unwrap()
}

/// Equal but for the lengths of sequences and items.
fn same(a: &InMemDicomObject, b: &InMemDicomObject) {
    assert_eq!(a.iter().count(), b.iter().count());
    for (a, b) in a.iter().zip(b.iter()) {
        assert_eq!((a.header().tag, a.vr()), (b.header().tag, b.vr()));
        match (a.items(), b.items()) {
            (Some(a), Some(b)) => {
                assert_eq!(a.len(), b.len());
                a.iter().zip(b).for_each(|(a, b)| same(a, b));
            }
            // As text, because NaN is not equal to itself.
            _ => assert_eq!(format!("{:?}", a.value()), format!("{:?}", b.value())),
        }
    }
}

#[test]
fn a_value_that_ends_within_a_word_is_kept() {
    let bytes = encode(&[value(Tag(0x0028, 0x1201), VR::OW, &[1, 2, 3, 4, 5])], BIG);
    // Written by the helper word by word, the last one short.
    let out = recoded(&bytes, EXPLICIT_VR_BIG_ENDIAN, 1).unwrap();
    assert_eq!(out[12..], [1, 2, 3, 4, 5, 0]);
}

#[test]
fn samples_of_32_bits_are_swapped_whole() {
    let nodes = |bits: u8| [value(Tag(0x0028, 0x0100), VR::US, &[bits, 0]), value(PIXEL_DATA, VR::OW, &[1, 2, 3, 4])];
    let samples = |bits| {
        let bytes = encode(&nodes(bits), BIG);
        recoded(&bytes, EXPLICIT_VR_BIG_ENDIAN, 1).unwrap().split_off(22)
    };
    // On the wire 2 1 4 3.
    assert_eq!(samples(16), [1, 2, 3, 4]);
    assert_eq!(samples(32), [3, 4, 1, 2]);
}

#[test]
fn odd_values_become_even_and_group_lengths_go() {
    let nodes = [
        value(Tag(0x0002, 0x0010), VR::UI, b"1.2\0"),
        value(Tag(0x0008, 0x0000), VR::UL, &[8, 0, 0, 0]),
        value(Tag(0x0008, 0x0070), VR::LO, b"ABC"),
        value(Tag(0x0008, 0x0018), VR::UI, b"1.2"),
        value(Tag(0x0009, 0x1001), VR::UN, b"xyz"),
    ];
    let expected = encode(
        &[
            value(Tag(0x0008, 0x0070), VR::LO, b"ABC "),
            value(Tag(0x0008, 0x0018), VR::UI, b"1.2\0"),
            value(Tag(0x0009, 0x1001), VR::UN, b"xyz\0"),
        ],
        EXPLICIT,
    );
    assert_eq!(recoded(&encode(&nodes, IMPLICIT), IMPLICIT_VR_LITTLE_ENDIAN, 3).unwrap(), expected);
}

#[test]
fn a_text_too_long_for_its_length_becomes_unknown() {
    let long = vec![b'1'; 65_536];
    let bytes = encode(&[value(Tag(0x0028, 0x0030), VR::DS, &long)], IMPLICIT);
    let out = recoded(&bytes, IMPLICIT_VR_LITTLE_ENDIAN, 1000).unwrap();
    assert_eq!(out, encode(&[value(Tag(0x0028, 0x0030), VR::UN, &long)], EXPLICIT));
}

#[test]
fn an_icon_may_be_encapsulated_and_the_image_may_not() {
    let fragments = || Node::Fragments(PIXEL_DATA, vec![vec![], vec![1, 2]]);
    let icon = [Node::Sequence(Tag(0x0088, 0x0200), vec![vec![fragments()]], true, true)];
    let bytes = encode(&icon, EXPLICIT);
    assert_eq!(recoded(&bytes, EXPLICIT_VR_LITTLE_ENDIAN, 5).unwrap(), bytes);
    let error = recoded(&encode(&[fragments()], EXPLICIT), EXPLICIT_VR_LITTLE_ENDIAN, 5).unwrap_err();
    assert_eq!(error, ReadError::malformed(Fault::Encapsulated, PIXEL_DATA));
}

fn edited(bytes: &[u8], edits: Edits, portion: usize) -> (Vec<u8>, Vec<u8>) {
    let mut recoder = Recoder::replacing_pixels(syntax(EXPLICIT_VR_LITTLE_ENDIAN), ReadLimits::default(), edits);
    let (mut before, mut after) = (Vec::new(), None);
    for bytes in bytes.chunks(portion) {
        let mut out = Vec::new();
        recoder.feed(bytes, &mut out).unwrap();
        if let Some(at) = recoder.pixels_left_out() {
            after = Some(out.split_off(at));
        } else if let Some(after) = &mut after {
            after.append(&mut out);
        }
        before.append(&mut out);
    }
    let mut after = after.unwrap_or_default();
    recoder.finish(&mut after).unwrap();
    (before, after)
}

/// Attributes are changed, added and left out where they belong, those of items are not; Pixel Data is left
/// out, native or in fragments, in whatever portions it comes.
#[test]
fn attributes_change_and_pixel_data_is_left_out() {
    let text = |tag, vr, text: &str| value(tag, vr, text.as_bytes());
    let (image_type, derivation, sources) = (Tag(0x0008, 0x0008), Tag(0x0008, 0x2111), Tag(0x0008, 0x2112));
    let (ratio, bits, table, behind) =
        (Tag(0x0028, 0x2112), Tag(0x0028, 0x0100), Tag(0x7FE0, 0x0001), Tag(0xFFFC, 0xFFFC));
    let inner = text(image_type, VR::CS, "INNER ");
    let nodes = vec![
        text(image_type, VR::CS, "ORIGINAL"),
        text(derivation, VR::ST, "cut "),
        Node::Sequence(sources, vec![vec![inner.clone()]], false, false),
        value(bits, VR::US, &8_u16.to_le_bytes()),
        value(table, VR::OV, &[0; 8]),
    ];
    let mut native = encode(&nodes, EXPLICIT);
    let mut encapsulated = native.clone();
    let padding = encode(&[value(behind, VR::OB, &[1, 2])], EXPLICIT);
    native.extend(encode(&[value(PIXEL_DATA, VR::OW, &[9; 300])], EXPLICIT));
    native.extend(&padding);
    encapsulated.extend(encode(&[Node::Fragments(PIXEL_DATA, vec![vec![], vec![7; 50]])], EXPLICIT));
    encapsulated.extend(&padding);

    let mut put = crate::domain::explicit::Elements::default();
    put.text(image_type, VR::CS, "DERIVED ");
    put.us(bits, 16);
    put.text(ratio, VR::DS, "10");
    let mut edits = Edits::default();
    edits.put(put);
    edits.remove(table);
    let mut extra = crate::domain::explicit::Elements::default();
    extra.text(Tag(0x0008, 0x1155), VR::UI, "1.2");
    edits.item(sources, &extra);
    edits.append(derivation, VR::ST, "pressed");

    let expected = [
        encode(&[text(image_type, VR::CS, "DERIVED "), text(derivation, VR::ST, "cut ; pressed ")], EXPLICIT),
        {
            let extra = text(Tag(0x0008, 0x1155), VR::UI, "1.2\0");
            encode(&[Node::Sequence(sources, vec![vec![inner.clone()], vec![extra]], true, true)], EXPLICIT)
        },
        encode(&[value(bits, VR::US, &16_u16.to_le_bytes()), text(ratio, VR::DS, "10")], EXPLICIT),
    ]
    .concat();
    for bytes in [native, encapsulated] {
        for portion in [1, 7, 1000] {
            assert_eq!(edited(&bytes, edits.clone(), portion), (expected.clone(), padding.clone()), "{portion}");
        }
    }
    // Nothing to change: everything is added, nothing stands after it.
    let (before, after) = edited(&encode(&[], EXPLICIT), edits, 1);
    assert!(before.is_empty() && !after.is_empty());
}
