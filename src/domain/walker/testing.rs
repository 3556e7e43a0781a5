//! Data sets for tests, written in any syntax.

use super::{ITEM, ITEM_DELIMITATION, PIXEL_DATA, SEQUENCE_DELIMITATION, Syntax};
use crate::domain::transfer_syntax::{self, Encoding, TransferSyntax};
use crate::domain::vr;
use dicom_core::{Tag, VR};
use proptest::prelude::*;

#[derive(Debug, Clone)]
pub(crate) enum Node {
    /// The bytes are little endian; they are swapped for Explicit VR Big Endian.
    Value(Tag, VR, Vec<u8>),
    /// The flags: whether the sequence, and its items, have undefined lengths.
    Sequence(Tag, Vec<Vec<Node>>, bool, bool),
    Fragments(Tag, Vec<Vec<u8>>),
}

pub(crate) const EXPLICIT: Syntax = Syntax { explicit: true, big_endian: false };
pub(crate) const IMPLICIT: Syntax = Syntax { explicit: false, big_endian: false };
pub(crate) const BIG: Syntax = Syntax { explicit: true, big_endian: true };

pub(crate) fn syntax(uid: &str) -> &'static TransferSyntax {
    transfer_syntax::lookup(uid).unwrap()
}

/// What a sender of `syntax` puts on the wire.
pub(crate) fn sent(nodes: &[Node], syntax: &TransferSyntax) -> Vec<u8> {
    let bytes = encode(nodes, Syntax::of(syntax.encoding));
    if syntax.encoding == Encoding::DeflatedExplicitLittle { deflate(&bytes) } else { bytes }
}

pub(crate) fn deflate(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::new(6));
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn encode(nodes: &[Node], syntax: Syntax) -> Vec<u8> {
    let mut out = Vec::new();
    for node in nodes {
        match node {
            Node::Value(tag, vr, value) => {
                header(&mut out, *tag, *vr, value.len() as u32, syntax);
                match syntax.big_endian {
                    true => value.chunks(vr::word(*vr)).for_each(|word| out.extend(word.iter().rev())),
                    false => out.extend(value),
                }
            }
            Node::Sequence(tag, items, undefined, items_undefined) => {
                let mut body = Vec::new();
                for item in items {
                    let content = encode(item, syntax);
                    let length = if *items_undefined { u32::MAX } else { content.len() as u32 };
                    mark(&mut body, ITEM, length, syntax.big_endian);
                    body.extend(content);
                    if *items_undefined {
                        mark(&mut body, ITEM_DELIMITATION, 0, syntax.big_endian);
                    }
                }
                header(&mut out, *tag, VR::SQ, if *undefined { u32::MAX } else { body.len() as u32 }, syntax);
                out.extend(body);
                if *undefined {
                    mark(&mut out, SEQUENCE_DELIMITATION, 0, syntax.big_endian);
                }
            }
            Node::Fragments(tag, fragments) => {
                header(&mut out, *tag, VR::OB, u32::MAX, syntax);
                for fragment in fragments {
                    mark(&mut out, ITEM, fragment.len() as u32, syntax.big_endian);
                    out.extend(fragment);
                }
                mark(&mut out, SEQUENCE_DELIMITATION, 0, syntax.big_endian);
            }
        }
    }
    out
}

pub(crate) fn mark(out: &mut Vec<u8>, tag: Tag, length: u32, big_endian: bool) {
    header(out, tag, VR::UN, length, Syntax { explicit: false, big_endian });
}

pub(crate) fn header(out: &mut Vec<u8>, tag: Tag, vr: VR, length: u32, syntax: Syntax) {
    let u16 = |n: u16| if syntax.big_endian { n.to_be_bytes() } else { n.to_le_bytes() };
    let u32 = |n: u32| if syntax.big_endian { n.to_be_bytes() } else { n.to_le_bytes() };
    out.extend(u16(tag.0));
    out.extend(u16(tag.1));
    if !syntax.explicit {
        out.extend(u32(length));
        return;
    }
    out.extend(vr.to_bytes());
    if vr::has_long_length(vr) {
        out.extend([0, 0]);
        out.extend(u32(length));
    } else {
        out.extend(u16(length as u16));
    }
}

pub(crate) fn value(tag: Tag, vr: VR, value: &[u8]) -> Node {
    Node::Value(tag, vr, value.to_vec())
}

/// The UIDs that every instance has.
pub(crate) fn identity() -> Vec<Node> {
    vec![
        value(Tag(0x0008, 0x0016), VR::UI, b"1.2.840.10008.5.1.4.1.1.7\0"),
        value(Tag(0x0008, 0x0018), VR::UI, b"1.2.3.4\0"),
        value(Tag(0x0020, 0x000D), VR::UI, b"1.2.3.5\0"),
        value(Tag(0x0020, 0x000E), VR::UI, b"1.2.3.6\0"),
    ]
}

/// The data set of an instance: identity, some attributes, some sequences, native pixel data.
pub(crate) fn any_instance() -> impl Strategy<Value = Vec<Node>> {
    (any_nodes(3), prop::collection::vec(any::<u8>(), 0..40)).prop_map(|(mut nodes, pixels)| {
        nodes.extend(identity());
        nodes.sort_by_key(tag_of);
        nodes.dedup_by_key(|node| tag_of(node));
        let even = pixels.len() / 4 * 4;
        nodes.push(Node::Value(PIXEL_DATA, VR::OW, pixels.into_iter().take(even).collect()));
        nodes
    })
}

pub(crate) fn tag_of(node: &Node) -> Tag {
    match node {
        Node::Value(tag, ..) | Node::Sequence(tag, ..) | Node::Fragments(tag, _) => *tag,
    }
}

/// Attributes of the dictionary with values of their Value Representation, so that every syntax says the same.
fn any_nodes(depth: u32) -> BoxedStrategy<Vec<Node>> {
    let text = |tag, vr| "[A-Z0-9 ]{0,12}".prop_map(move |text| Node::Value(tag, vr, even(text.trim().into()))).boxed();
    let bytes = |tag, vr, word: usize| {
        prop::collection::vec(any::<u8>(), 0..5 * word)
            .prop_map(move |bytes| Node::Value(tag, vr, bytes[..bytes.len() / word * word].to_vec()))
            .boxed()
    };
    let leaf = prop_oneof![
        text(Tag(0x0008, 0x0008), VR::CS),
        text(Tag(0x0010, 0x0010), VR::PN),
        text(Tag(0x0010, 0x4000), VR::LT),
        text(Tag(0x0008, 0x0119), VR::UC),
        bytes(Tag(0x0018, 0x9073), VR::FD, 8),
        bytes(Tag(0x0018, 0x6018), VR::UL, 4),
        bytes(Tag(0x0020, 0x5000), VR::AT, 4),
        bytes(Tag(0x0028, 0x0009), VR::AT, 4),
        bytes(Tag(0x0042, 0x0011), VR::OB, 2),
        bytes(Tag(0x0028, 0x1201), VR::OW, 2),
        bytes(Tag(0x0028, 0x0030), VR::DS, 2).prop_map(|_| Node::Value(
            Tag(0x0028, 0x0030),
            VR::DS,
            b"0.5\\0.25".to_vec()
        )),
    ];
    if depth == 0 {
        return prop::collection::vec(leaf, 0..4).prop_map(sorted).boxed();
    }
    let sequence = prop_oneof![Just(Tag(0x0008, 0x1140)), Just(Tag(0x0040, 0x0275)), Just(Tag(0x0088, 0x0200))];
    let items = prop::collection::vec(any_nodes(depth - 1), 0..3);
    let nested = (sequence, items, any::<bool>(), any::<bool>()).prop_map(|(t, i, u, v)| Node::Sequence(t, i, u, v));
    prop::collection::vec(prop_oneof![3 => leaf, 1 => nested], 0..8).prop_map(sorted).boxed()
}

fn sorted(mut nodes: Vec<Node>) -> Vec<Node> {
    nodes.sort_by_key(tag_of);
    nodes.dedup_by_key(|node| tag_of(node));
    nodes
}

fn even(text: String) -> Vec<u8> {
    let mut bytes = text.into_bytes();
    if bytes.len() % 2 == 1 {
        bytes.push(b' ');
    }
    bytes
}
