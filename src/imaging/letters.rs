//! Letters as ink: Noto Sans Mono where it has them, else GNU Unifont (SIL OFL 1.1), which knows most scripts of the
//! world as 8 or 16 dots by 16. Arabic letters are joined, and what is read from the right stands so.

use noto_sans_mono_bitmap::{FontWeight, RasterHeight, get_raster};
use unicode_normalization::UnicodeNormalization;
use unifont::Glyph;

/// Characters of a line that are drawn.
const LINE_MAX: usize = 120;
/// Rows of a glyph of Unifont.
const DOTS: usize = 16;

/// Rows from the top, each with as many shares of 255 as the letter is wide.
pub(super) struct Letter(pub Vec<Vec<u8>>);

impl Letter {
    pub fn width(&self) -> u32 {
        self.0.first().map_or(0, |row| row.len() as u32)
    }
}

/// The letters of a line from left to right; those that no font has are question marks.
pub(super) fn of(text: &str, height: RasterHeight) -> Vec<Letter> {
    let shown = shown(text);
    shown.chars().take(LINE_MAX).filter_map(|c| letter(c, height).or_else(|| letter('?', height))).collect()
}

/// Whether every letter of it can be drawn.
pub(super) fn are_known(text: &str) -> bool {
    shown(text).chars().all(|c| letter(c, RasterHeight::Size16).is_some())
}

/// One glyph a character, from left to right, and nothing that only steers others.
fn shown(text: &str) -> String {
    // Several may become one letter.
    let composed: String = text.nfc().filter(|c| !steers(*c)).take(4 * LINE_MAX).collect();
    left_to_right(&unifont::i18n::preprocess_text(&composed))
}

/// Controls, marks of direction, joiners and variation selectors.
fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{AD}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}'
            | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}')
}

/// Of Hebrew, Arabic and their neighbours.
fn is_from_the_right(c: char) -> bool {
    matches!(c, '\u{590}'..='\u{8FF}' | '\u{FB1D}'..='\u{FDFF}' | '\u{FE70}'..='\u{FEFE}')
}

/// Turns around what is read from the right; numbers within stay as they are. A short line needs no more of the
/// Unicode Bidirectional Algorithm.
fn left_to_right(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(is_from_the_right) {
        let (before, from) = rest.split_at(start);
        let limit = from.find(|c: char| c.is_alphabetic() && !is_from_the_right(c)).unwrap_or(from.len());
        let (within, _) = from.split_at(limit);
        let (run, after) = from.split_at(within.trim_end_matches(|c| !is_from_the_right(c)).len());
        out.push_str(before);
        out.push_str(&turned(run));
        rest = after;
    }
    out.push_str(rest);
    out
}

fn turned(run: &str) -> String {
    let mut out = String::with_capacity(run.len());
    let mut number = Vec::new();
    for c in run.chars().rev() {
        if c.is_numeric() {
            number.push(c);
        } else {
            out.extend(number.drain(..).rev());
            out.push(c);
        }
    }
    out.extend(number.drain(..).rev());
    out
}

fn letter(c: char, height: RasterHeight) -> Option<Letter> {
    if let Some(raster) = get_raster(c, FontWeight::Regular, height) {
        return Some(Letter(raster.rows().map(|row| row.to_vec()).collect()));
    }
    // What is private or no character at all is a box in Unifont.
    let boxed = steers(c) || matches!(c, '\u{E000}'..='\u{F8FF}' | '\u{FFF0}'..='\u{FFFF}');
    let glyph = unifont::get_glyph(c).filter(|_| !boxed)?;
    let (high, wide) = (height.val(), glyph.get_width() * height.val() / DOTS);
    Some(Letter((0..high).map(|y| (0..wide).map(|x| ink(glyph, x, y, high)).collect()).collect()))
}

/// How much of the place (`x`, `y`) is inked when the dots are stretched to `high`: four points of it are looked at.
fn ink(glyph: &Glyph, x: usize, y: usize, high: usize) -> u8 {
    let dot = |place: usize, quarter: usize| (place * 4 + quarter) * DOTS / (high * 4);
    let points = [(1, 1), (3, 1), (1, 3), (3, 3)];
    let inked = points.iter().filter(|(right, down)| glyph.get_pixel(dot(x, *right), dot(y, *down))).count();
    (inked * 255 / points.len()) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_of_the_world_are_known_and_what_is_no_character_is_not() {
        for name in [
            "Παπαδόπουλος",
            "Иванов, Пётр",
            "محمد",
            "כהן",
            "山田, 太郎",
            "やまだ",
            "홍, 길동",
            "Łódź",
            "e\u{301}",
            "สมชาย",
        ] {
            assert!(are_known(name), "{name}");
        }
        for name in ["\u{E123}", "\u{FFFD}", "𠮷野"] {
            assert!(!are_known(name), "{name}");
        }
    }

    #[test]
    fn letters_are_as_high_as_asked_for_and_have_ink() {
        for height in [RasterHeight::Size16, RasterHeight::Size24, RasterHeight::Size32] {
            for (text, widths) in [("Я", 1), ("山", 2)] {
                let letters = of(text, height);
                let [letter] = letters.as_slice() else { panic!("{text} is one letter") };
                assert_eq!((letter.0.len(), letter.width() as usize), (height.val(), height.val() / 2 * widths));
                assert!(letter.0.iter().flatten().any(|ink| *ink == 255));
            }
        }
        assert_eq!(of(&"山".repeat(500), RasterHeight::Size16).len(), LINE_MAX);
        assert_eq!(of("\u{202E}a\u{7}", RasterHeight::Size16).len(), 1);
    }

    #[test]
    fn what_is_read_from_the_right_is_turned_around_and_nothing_else() {
        for (text, shown) in [
            ("DOE, JOHN 12", "DOE, JOHN 12"),
            ("אבג, דה", "הד ,גבא"),
            ("Cohen (אבג) 12", "Cohen (גבא) 12"),
            ("אב 12 גד", "דג 12 בא"),
        ] {
            assert_eq!(left_to_right(text), shown);
        }
    }

    /// Whatever stands beside whatever: joining never stops.
    #[test]
    fn arabic_letters_are_joined() {
        assert_eq!(shown("بب"), "\u{FE90}\u{FE91}");
        let letters: Vec<char> = ('\u{61F}'..='\u{64C}').collect();
        for first in &letters {
            for second in &letters {
                let text: String = letters.iter().flat_map(|third| [*first, *second, *third, ' ']).collect();
                assert!(!shown(&text).is_empty());
            }
        }
    }
}
