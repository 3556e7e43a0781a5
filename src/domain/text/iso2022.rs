//! Text with code extensions (ISO 2022 as PS3.5 §6.1.2.5 restricts it): escape sequences switch what the
//! lower and the upper half of the code table mean, delimiters switch back.

use super::sets::{G0, G1, Switch, escape};
use super::{WINDOWS_1252, decode_all};
use dicom_core::VR;
use encoding_rs::{EUC_JP, EUC_KR, GBK, SHIFT_JIS};

const ESC: u8 = 0x1B;

/// Decodes bytes that begin with `initial` in the upper half. Bytes that have no meaning there are read
/// by `spare`, and as Latin-1 when that has none either.
pub(super) fn decode(bytes: &[u8], initial: G1, spare: G1, vr: VR) -> String {
    let (mut lower, mut upper) = (G0::Ascii, initial);
    let mut text = String::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&first, behind)) = rest.split_first() {
        if first == ESC
            && let Some((switch, length)) = escape(behind)
        {
            match switch {
                Switch::Lower(set) => lower = set,
                Switch::Upper(set) => upper = set,
            }
            rest = behind.get(length..).unwrap_or_default();
            continue;
        }
        let taken = if first >= 0x80 {
            match upper {
                G1::None => push_upper(&mut text, spare, rest),
                set => push_upper(&mut text, set, rest),
            }
        } else if lower != G0::Ascii && (0x21..=0x7E).contains(&first) {
            push_kanji(&mut text, lower, rest)
        } else {
            // PS3.5 §6.1.2.5.3: every value, name component and line begins as the data set does.
            if resets(first, vr) {
                (lower, upper) = (G0::Ascii, initial);
            }
            text.push(char::from(first));
            1
        };
        rest = rest.get(taken..).unwrap_or_default();
    }
    text
}

fn resets(byte: u8, vr: VR) -> bool {
    match byte {
        b'\n' | b'\r' | 0x0C | b'\t' => true,
        b'\\' => !super::is_one_value(vr),
        b'^' | b'=' => vr == VR::PN,
        _ => false,
    }
}

/// Two bytes of the lower half; how many were used.
fn push_kanji(text: &mut String, set: G0, bytes: &[u8]) -> usize {
    let [first, second, ..] = *bytes else {
        text.push(char::REPLACEMENT_CHARACTER);
        return 1;
    };
    // EUC-JP writes both sets in the upper half, JIS X 0212 behind the byte 0x8F.
    let pair = [0x8F, first | 0x80, second | 0x80];
    text.push_str(&decode_all(EUC_JP, if set == G0::Jis0212 { &pair } else { &pair[1..] }));
    2
}

/// One character of the upper half; how many bytes were used.
fn push_upper(text: &mut String, set: G1, bytes: &[u8]) -> usize {
    let one = bytes.get(..1).unwrap_or_default();
    let pair = bytes.get(..2);
    let (encoding, character) = match (set, one, pair) {
        (G1::Single(encoding), _, _) => (encoding, one),
        (G1::Katakana, [0xA1..=0xDF], _) => (SHIFT_JIS, one),
        (G1::Katakana, _, Some(pair)) => (SHIFT_JIS, pair),
        (G1::Korean, _, Some(pair)) => (EUC_KR, pair),
        (G1::Gb2312, _, Some(pair)) => (GBK, pair),
        _ => (WINDOWS_1252, one),
    };
    text.push_str(&decode_all(encoding, character));
    character.len().max(1)
}
