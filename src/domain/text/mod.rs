//! Specific Character Set (0008,0005) to Unicode (PS3.5 §6.1, PS3.3 §C.12.1.1.2).
//!
//! Text is decoded whole and then split at backslashes, because the byte 0x5C is half of a character in
//! GB18030, GBK and Shift-JIS. Where data sets differ from the standard, we read what was meant: UTF-8
//! under ISO_IR 6 or ISO_IR 100 is taken as UTF-8 when it is well formed, bytes that no declared set has
//! are taken for Latin-1, Shift-JIS kanji under ISO_IR 13 are read.

mod iso2022;
mod sets;

use dicom_core::VR;
use encoding_rs::{Encoding, GB18030, WINDOWS_1252};
use sets::{G1, Term};

/// The character sets in force in a data set or item. The default is the default repertoire.
#[derive(Debug, Clone)]
pub struct Charset(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Utf8,
    /// GB18030, and GBK, which is a part of it.
    Chinese,
    /// A set for the upper half of the code table, and others that escape sequences may switch to.
    Extended {
        initial: G1,
        /// What a byte means that has no meaning under `initial`: the first declared set that gives it one.
        spare: G1,
    },
}

impl Default for Charset {
    fn default() -> Self {
        Self(Kind::Extended { initial: G1::None, spare: G1::None })
    }
}

impl Charset {
    /// The values of (0008,0005), code extensions included. Unknown terms are taken for the default
    /// repertoire; nothing is refused.
    pub fn from_values(terms: &[&str]) -> Self {
        let sets: Vec<Term> = terms.iter().map(|term| sets::term(term)).collect();
        match sets.first() {
            None => Self::default(),
            Some(Term::Utf8) => Self(Kind::Utf8),
            Some(Term::Chinese) => Self(Kind::Chinese),
            Some(first) => {
                let initial = first.upper_half();
                let spare = sets.iter().map(Term::upper_half).find(|set| *set != G1::None).unwrap_or(G1::None);
                Self(Kind::Extended { initial, spare })
            }
        }
    }

    /// The values of one element in UTF-8: split at backslashes where the VR has several values, padding
    /// removed as the VR asks (PS3.5 §6.2). An empty element has no values.
    pub fn decode_values(&self, bytes: &[u8], vr: VR) -> Vec<String> {
        let text = if has_character_set(vr) { self.decode(bytes, vr) } else { Self::default().decode(bytes, vr) };
        let trimmed = |value: &str| {
            let value = value.trim_end_matches([' ', '\0']);
            let value = if keeps_leading_spaces(vr) { value } else { value.trim_start_matches(' ') };
            value.to_owned()
        };
        if is_one_value(vr) {
            return Some(trimmed(&text)).filter(|value| !value.is_empty()).into_iter().collect();
        }
        let values: Vec<String> = text.split('\\').map(trimmed).collect();
        if values.len() == 1 && values.iter().all(String::is_empty) { Vec::new() } else { values }
    }

    /// The text of one element, not split, not trimmed.
    fn decode(&self, bytes: &[u8], vr: VR) -> String {
        match &self.0 {
            Kind::Utf8 => String::from_utf8_lossy(bytes).into_owned(),
            Kind::Chinese => decode_all(GB18030, bytes),
            Kind::Extended { initial, spare } => {
                let may_be_utf8 =
                    matches!(initial, G1::None | G1::Latin1) && !bytes.is_ascii() && !bytes.contains(&0x1B);
                match std::str::from_utf8(bytes) {
                    Ok(text) if may_be_utf8 => text.to_owned(),
                    _ if bytes.is_ascii() && !bytes.contains(&0x1B) => String::from_utf8_lossy(bytes).into_owned(),
                    _ => iso2022::decode(bytes, *initial, *spare, vr),
                }
            }
        }
    }
}

/// Without a byte order mark deciding anything.
fn decode_all(encoding: &'static Encoding, bytes: &[u8]) -> String {
    encoding.decode_without_bom_handling(bytes).0.into_owned()
}

/// The VRs that (0008,0005) applies to (PS3.5 §6.1.2.2).
fn has_character_set(vr: VR) -> bool {
    matches!(vr, VR::SH | VR::LO | VR::ST | VR::LT | VR::UC | VR::UT | VR::PN | VR::UN)
}

/// The VRs in which a backslash is a character like any other.
fn is_one_value(vr: VR) -> bool {
    matches!(vr, VR::ST | VR::LT | VR::UT | VR::UR)
}

fn keeps_leading_spaces(vr: VR) -> bool {
    matches!(vr, VR::ST | VR::LT | VR::UT | VR::UC | VR::UR | VR::UI)
}

#[cfg(test)]
mod tests;
