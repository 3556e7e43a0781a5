//! The defined terms of (0008,0005) (PS3.3 §C.12.1.1.2) and the escape sequences that switch between
//! their sets (PS3.3 Tables C.12-3 and C.12-4).

use encoding_rs::{
    Encoding, ISO_8859_2, ISO_8859_3, ISO_8859_4, ISO_8859_5, ISO_8859_6, ISO_8859_7, ISO_8859_8, ISO_8859_15,
    WINDOWS_874, WINDOWS_1254,
};

/// What the bytes 0x21 to 0x7E mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum G0 {
    /// ISO 646, and JIS X 0201 romaji, which differs in two characters that nobody means.
    Ascii,
    /// Kanji, two bytes (JIS X 0208).
    Jis0208,
    /// Supplementary kanji, two bytes (JIS X 0212).
    Jis0212,
}

/// What the bytes 0xA0 to 0xFF mean.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum G1 {
    None,
    Latin1,
    Single(&'static Encoding),
    /// Half-width katakana (JIS X 0201); bytes that it does not use begin Shift-JIS kanji.
    Katakana,
    /// Hangul and hanja, two bytes (KS X 1001).
    Korean,
    /// Simplified Chinese, two bytes (GB 2312).
    Gb2312,
}

/// One value of (0008,0005).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Term {
    Utf8,
    Chinese,
    Set(G1),
}

impl Term {
    pub(super) fn upper_half(&self) -> G1 {
        match self {
            Self::Set(set) => *set,
            Self::Utf8 | Self::Chinese => G1::None,
        }
    }
}

/// Reads a term as leniently as devices write it: `ISO_IR 100`, `ISO IR 100`, `ISO-IR 100`,
/// `ISO 2022 IR 100` are one.
pub(super) fn term(text: &str) -> Term {
    let upper = text.trim_matches(['\0', ' ']).to_ascii_uppercase();
    match upper.as_str() {
        "GB18030" | "GBK" | "ISO 2022 GBK" | "ISO 2022 GB18030" => return Term::Chinese,
        "UTF-8" | "UTF8" => return Term::Utf8,
        _ => {}
    }
    let number = upper.rsplit("IR").next().unwrap_or_default().trim_matches([' ', '_', '-']);
    Term::Set(match number {
        "192" => return Term::Utf8,
        "100" => G1::Latin1,
        "101" => G1::Single(ISO_8859_2),
        "109" => G1::Single(ISO_8859_3),
        "110" => G1::Single(ISO_8859_4),
        "144" => G1::Single(ISO_8859_5),
        "127" => G1::Single(ISO_8859_6),
        "126" => G1::Single(ISO_8859_7),
        "138" => G1::Single(ISO_8859_8),
        // Equal to ISO 8859-9 and TIS 620 but for control characters.
        "148" => G1::Single(WINDOWS_1254),
        "166" => G1::Single(WINDOWS_874),
        "203" => G1::Single(ISO_8859_15),
        "13" => G1::Katakana,
        "149" => G1::Korean,
        "58" => G1::Gb2312,
        // 87 and 159 are invoked into G0 by escape sequences only; 6 and everything unknown has no upper half.
        _ => G1::None,
    })
}

/// What an escape sequence switches.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Switch {
    Lower(G0),
    Upper(G1),
}

/// The sequence at the beginning of `bytes` (which begin behind ESC), and its length without ESC.
pub(super) fn escape(bytes: &[u8]) -> Option<(Switch, usize)> {
    let (switch, length) = match bytes {
        [b'(', b'B' | b'J', ..] => (Switch::Lower(G0::Ascii), 2),
        [b'$', b'B' | b'@', ..] => (Switch::Lower(G0::Jis0208), 2),
        [b'$', b'(', b'B' | b'@', ..] => (Switch::Lower(G0::Jis0208), 3),
        [b'$', b'(', b'D', ..] => (Switch::Lower(G0::Jis0212), 3),
        [b'$', b')', b'C', ..] => (Switch::Upper(G1::Korean), 3),
        [b'$', b')', b'A', ..] => (Switch::Upper(G1::Gb2312), 3),
        [b')', b'I', ..] => (Switch::Upper(G1::Katakana), 2),
        [b'-', last, ..] => {
            let set = match last {
                b'A' => G1::Latin1,
                b'B' => G1::Single(ISO_8859_2),
                b'C' => G1::Single(ISO_8859_3),
                b'D' => G1::Single(ISO_8859_4),
                b'L' => G1::Single(ISO_8859_5),
                b'G' => G1::Single(ISO_8859_6),
                b'F' => G1::Single(ISO_8859_7),
                b'H' => G1::Single(ISO_8859_8),
                b'M' => G1::Single(WINDOWS_1254),
                b'T' => G1::Single(WINDOWS_874),
                b'b' => G1::Single(ISO_8859_15),
                _ => return None,
            };
            (Switch::Upper(set), 2)
        }
        _ => return None,
    };
    Some((switch, length))
}
