//! The DICOM JSON Model of one attribute (PS3.18 Annex F).
//!
//! - An attribute without value has no member besides `vr` (§F.2.5); an empty one among several values
//!   is `null`.
//! - IS and DS are numbers where text and number stand for exactly the same value, else strings.
//! - NaN and the infinities are `null`: JSON has no such numbers (RFC 8259 §6), and viewers stop at them.
//! - SV and UV beyond 2^53 are strings (§F.2.3), because readers hold numbers as binary64.

mod number;
pub mod read;

use super::metadata::quote;
use super::text::Charset;
use super::vr::{self, Kind};
use base64::Engine;
use dicom_core::{Tag, VR};
use serde_json::{Map, Value};

pub(crate) const SPECIFIC_CHARACTER_SET: Tag = Tag(0x0008, 0x0005);
/// What (0008,0005) says in JSON, which is always UTF-8 (PS3.18 §F.2).
pub(crate) const UTF_8: &str = "ISO_IR 192";

/// The JSON object of one attribute from its decoded values.
pub fn element(vr: VR, tag: Tag, values: &[String]) -> Value {
    let mut out = Map::new();
    out.insert("vr".into(), vr.to_string().into());
    let values: Vec<Value> = match tag {
        SPECIFIC_CHARACTER_SET => vec![UTF_8.into()],
        _ => values.iter().map(|value| one(vr, value)).collect(),
    };
    if values.iter().any(|value| !value.is_null()) {
        out.insert("Value".into(), values.into());
    }
    out.into()
}

fn one(vr: VR, value: &str) -> Value {
    if value.is_empty() {
        return Value::Null;
    }
    match vr {
        VR::PN => {
            let groups = groups(value).map(|(name, group)| (name.to_owned(), Value::from(group)));
            let groups: Map<String, Value> = groups.collect();
            if groups.is_empty() { Value::Null } else { groups.into() }
        }
        VR::IS | VR::DS | VR::US | VR::SS | VR::UL | VR::SL | VR::UV | VR::SV | VR::FL | VR::FD => {
            number::exact(value).and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_else(|| value.into())
        }
        _ => value.into(),
    }
}

/// The component groups of a person name that are not empty (PS3.5 §6.2.1.1, PS3.18 §F.2.2).
fn groups(name: &str) -> impl Iterator<Item = (&'static str, &str)> {
    ["Alphabetic", "Ideographic", "Phonetic"].into_iter().zip(name.split('=')).filter(|(_, group)| !group.is_empty())
}

/// Writes `"vr":"XX"` and the value, from the bytes of an element: what stands between the braces.
/// `values` are the decoded values of a text.
pub(crate) fn write(out: &mut Vec<u8>, vr: VR, bytes: &[u8], big_endian: bool, values: &[String]) {
    // A value that is no whole number of words cannot be what it claims to be.
    let whole = bytes.len().is_multiple_of(vr::word(vr));
    let vr = match vr::kind(vr) {
        Kind::Number | Kind::Tag if !whole => VR::UN,
        Kind::Tag if !bytes.len().is_multiple_of(4) => VR::UN,
        _ => vr,
    };
    write_vr(out, vr);
    match vr::kind(vr) {
        _ if bytes.is_empty() => {}
        Kind::Text if values.iter().all(String::is_empty) => {}
        Kind::Text => list(out, values, |out, value| text(out, vr, value)),
        Kind::Number => {
            list(out, bytes.chunks_exact(vr::word(vr)), |out, word| number::write(out, vr, word, big_endian))
        }
        Kind::Tag => list(out, bytes.chunks_exact(4), |out, tag| {
            let half = |at: usize| match (tag.get(at..).and_then(|part| part.first_chunk::<2>()), big_endian) {
                (Some(part), true) => u16::from_be_bytes(*part),
                (Some(part), false) => u16::from_le_bytes(*part),
                (None, _) => 0,
            };
            quote(out, &super::instance::hex_tag(Tag(half(0), half(2))));
        }),
        Kind::Binary | Kind::Sequence => {
            out.extend_from_slice(b",\"InlineBinary\":\"");
            out.extend_from_slice(inline(vr, bytes, big_endian).as_bytes());
            out.push(b'"');
        }
    }
}

/// Writes `"vr":"XX"`.
pub(crate) fn write_vr(out: &mut Vec<u8>, vr: VR) {
    out.extend_from_slice(b"\"vr\":\"");
    out.extend_from_slice(vr.to_string().as_bytes());
    out.push(b'"');
}

/// The values of a text in Unicode; none of anything else.
pub(crate) fn decode(charset: &Charset, vr: VR, bytes: &[u8]) -> Vec<String> {
    if vr::kind(vr) == Kind::Text { charset.decode_values(bytes, vr) } else { Vec::new() }
}

/// The numbers of a binary value as text, for the index.
pub(crate) fn numbers(vr: VR, bytes: &[u8], big_endian: bool) -> Vec<String> {
    let text = |word| {
        let mut out = Vec::new();
        number::write(&mut out, vr, word, big_endian);
        String::from_utf8(out).unwrap_or_default()
    };
    bytes.chunks_exact(vr::word(vr)).map(text).collect()
}

fn list<T>(out: &mut Vec<u8>, values: impl IntoIterator<Item = T>, mut write: impl FnMut(&mut Vec<u8>, T)) {
    out.extend_from_slice(b",\"Value\":[");
    for (i, value) in values.into_iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        write(out, value);
    }
    out.push(b']');
}

fn text(out: &mut Vec<u8>, vr: VR, value: &str) {
    match vr {
        _ if value.is_empty() => out.extend_from_slice(b"null"),
        VR::PN => {
            let mut open = b'{';
            for (name, group) in groups(value) {
                out.push(open);
                quote(out, name);
                out.push(b':');
                quote(out, group);
                open = b',';
            }
            out.extend_from_slice(if open == b'{' { b"null" } else { b"}" });
        }
        VR::IS | VR::DS => match number::exact(value) {
            Some(number) => out.extend_from_slice(number.as_bytes()),
            None => quote(out, value),
        },
        _ => quote(out, value),
    }
}

/// Base64 of a binary value, in little endian byte order whatever the data set has (PS3.18 §F.2.7).
fn inline(vr: VR, bytes: &[u8], big_endian: bool) -> String {
    let word = vr::word(vr);
    if big_endian && word > 1 {
        let swapped: Vec<u8> = bytes.chunks(word).flat_map(|word| word.iter().rev().copied()).collect();
        return base64::engine::general_purpose::STANDARD.encode(swapped);
    }
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

#[cfg(test)]
mod tests;
