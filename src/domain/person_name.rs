//! Person names (VR PN, PS3.5 §6.2.1) folded for matching.
//!
//! PS3.4 §C.2.2.2.1 leaves it to us whether names match without regard to case, accents and width. They
//! do: `MULLER` finds `Müller`, half-width katakana finds full-width. Stored names and keys go through
//! the same function, so `*` and `?` pass unchanged.

use unicode_normalization::UnicodeNormalization;

/// Folds a name: case, accents, width and kana width are gone, runs of spaces are one, spaces and empty
/// components at the ends of a component group are dropped. `^` stays between components and `=` between
/// groups, so that a group is found by its place.
pub fn fold(name: &str) -> String {
    let folded: String = if name.is_ascii() {
        name.to_ascii_lowercase()
    } else {
        let lower = name.chars().flat_map(char::to_lowercase).flat_map(plain);
        let bare: String = lower.nfkd().filter(|c| !is_accent(*c)).nfc().collect();
        // Compatibility forms (ℌ, Ⅷ) have become letters only now.
        bare.chars().flat_map(char::to_lowercase).flat_map(plain).collect()
    };
    let groups = folded.split('=').map(|group| {
        let components: Vec<String> = group.split('^').map(single_spaced).collect();
        let used = components.iter().rposition(|component| !component.is_empty()).map_or(0, |last| last + 1);
        components.get(..used).unwrap_or_default().join("^")
    });
    let mut joined = groups.collect::<Vec<_>>().join("=");
    joined.truncate(joined.trim_end_matches('=').len());
    joined
}

fn single_spaced(component: &str) -> String {
    component
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

/// Letters that normalisation leaves alone although people type them without their stroke or ligature,
/// and what full case folding does to ß and final sigma.
fn plain(c: char) -> impl Iterator<Item = char> {
    let (first, second) = match c {
        'ß' => ('s', Some('s')),
        'æ' => ('a', Some('e')),
        'œ' => ('o', Some('e')),
        'þ' => ('t', Some('h')),
        'ø' => ('o', None),
        'ł' => ('l', None),
        'đ' | 'ð' => ('d', None),
        'ħ' => ('h', None),
        'ı' => ('i', None),
        'ς' => ('σ', None),
        '’' | 'ʼ' => ('\'', None),
        '‐' | '‑' => ('-', None),
        other => (other, None),
    };
    std::iter::once(first).chain(second)
}

/// Marks above and below Latin, Greek and Cyrillic letters, Hebrew points, Arabic vowel signs. Not the
/// voicing marks of kana nor the vowel signs of Indic scripts and Thai: those make another letter.
fn is_accent(c: char) -> bool {
    matches!(c,
        '\u{0300}'..='\u{036F}' | '\u{1AB0}'..='\u{1AFF}' | '\u{1DC0}'..='\u{1DFF}' | '\u{20D0}'..='\u{20FF}'
        | '\u{FE20}'..='\u{FE2F}' | '\u{0591}'..='\u{05BD}' | '\u{05BF}' | '\u{05C1}'..='\u{05C2}'
        | '\u{05C4}'..='\u{05C5}' | '\u{05C7}' | '\u{064B}'..='\u{065F}' | '\u{0670}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_accents_and_width_do_not_count() {
        let same = [
            ("MÜLLER^ÄNNE", "muller^anne"),
            ("Mu\u{0308}ller^A\u{0308}nne", "muller^anne"),
            ("STRAẞE^Groß", "strasse^gross"),
            ("Søren^Łukasz", "soren^lukasz"),
            ("IŞIK^İpek", "isik^ipek"),
            ("ＹＡＭＡＤＡ^Ｔａｒｏｕ", "yamada^tarou"),
            ("ﾔﾏﾀﾞ^ﾀﾛｳ", "ヤマダ^タロウ"),
            ("Διονυσιος", "διονυσιοσ"),
            ("أحمد", "احمد"),
            ("김희중", "김희중"),
            ("Люкceмбypг", "люкceмбypг"),
        ];
        for (name, folded) in same {
            assert_eq!(fold(name), folded, "{name}");
            assert_eq!(fold(folded), folded, "folding twice changes nothing");
        }
    }

    #[test]
    fn letters_that_only_look_like_accented_ones_stay_apart() {
        assert_ne!(fold("が"), fold("か"));
        assert_ne!(fold("ที่"), fold("ท"));
    }

    #[test]
    fn spaces_and_empty_ends_do_not_count_and_inner_places_do() {
        let cases = [
            ("Doe^Jane^^^", "doe^jane"),
            (" Doe ^ Jane  Ann ", "doe^jane ann"),
            ("Doe^^Ann", "doe^^ann"),
            ("Yamada^Tarou=山田^太郎=", "yamada^tarou=山田^太郎"),
            ("=山田^太郎", "=山田^太郎"),
            ("山田　太郎", "山田 太郎"),
            ("^^=^=", ""),
            ("D?e*", "d?e*"),
        ];
        for (name, folded) in cases {
            assert_eq!(fold(name), folded, "{name:?}");
        }
    }
}
