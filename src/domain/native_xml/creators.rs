//! Who a private attribute belongs to (PS3.5 §7.8.1): the model names the Private Creator beside its tag
//! (PS3.19 Table A.1.5-2), whose block is then 00: which block it is concerns one data set only.

use serde_json::{Map, Value, json};

/// A private group has 240 blocks; few data sets use three.
const KEPT: usize = 240;
/// The longest LO (PS3.5 §6.2).
const CREATOR_CHARACTERS: usize = 64;

/// The Private Creators of one data set, as far as it was read: they stand before what they name.
#[derive(Default)]
pub struct Creators(Vec<(u32, String)>);

impl Creators {
    /// Takes note of the value of (gggg,00xx), when the attribute is one.
    pub fn note(&mut self, tag: &str, value: &str) {
        let Some((group, element)) = private(tag) else { return };
        if (0x10..=0xFF).contains(&element) && self.0.len() < KEPT && value.chars().count() <= CREATOR_CHARACTERS {
            self.0.push((group << 8 | element, value.trim_end().to_owned()));
        }
    }
    /// The creator of the block of (gggg,xxee).
    pub fn of(&self, tag: &str) -> Option<&str> {
        let (group, element) = private(tag)?;
        let block = group << 8 | element >> 8;
        let known = self.0.iter().find(|(known, _)| *known == block && element > 0xFF);
        known.map(|(_, creator)| creator.as_str())
    }
}

/// The tag of an attribute whose creator is named beside it.
pub fn without_block(tag: &str) -> String {
    match private(tag) {
        Some((group, element)) => format!("{group:04X}{:04X}", element & 0xFF),
        None => tag.to_owned(),
    }
}

/// The tag in `dataset` of (gggg,00ee) of this creator: in the block that it has there, or in the first free
/// one, which it then has. A tag that says its block keeps it.
pub fn with_block(dataset: &mut Map<String, Value>, tag: String, creator: &str) -> Option<String> {
    let Some((group, element)) = private(&tag).filter(|(_, element)| *element <= 0xFF) else { return Some(tag) };
    let creator = creator.trim_end();
    let reserved = |block: u32| format!("{group:04X}{block:04X}");
    let whose =
        |element: &Value| element.pointer("/Value/0").and_then(Value::as_str).map(|name| name.trim_end() == creator);
    let mut blocks = 0x10..=0xFF_u32;
    let own = blocks.clone().find(|block| dataset.get(&reserved(*block)).and_then(whose) == Some(true));
    let block = own.or_else(|| blocks.find(|block| !dataset.contains_key(&reserved(*block))))?;
    dataset.entry(reserved(block)).or_insert_with(|| json!({"vr": "LO", "Value": [creator]}));
    Some(format!("{group:04X}{:04X}", block << 8 | element))
}

/// Group and element of an attribute of an odd group.
fn private(tag: &str) -> Option<(u32, u32)> {
    let number = u32::from_str_radix(tag, 16).ok()?;
    let (group, element) = (number >> 16, number & 0xFFFF);
    (group % 2 == 1).then_some((group, element))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_belongs_to_who_reserved_it() {
        let mut creators = Creators::default();
        for (tag, value) in [("00290010", "ONE "), ("00290011", "TWO"), ("00280010", "NONE"), ("00290001", "NONE")] {
            creators.note(tag, value);
        }
        let cases = [
            ("00291001", Some("ONE")),
            ("00291101", Some("TWO")),
            ("00291201", None),
            ("002B1001", None),
            ("00290010", None),
            ("00280010", None),
            ("nonsense", None),
        ];
        for (tag, creator) in cases {
            assert_eq!(creators.of(tag), creator, "{tag}");
        }
    }

    #[test]
    fn a_creator_finds_its_block_or_the_first_free_one() {
        let mut dataset = Map::new();
        dataset.insert("00290010".into(), json!({"vr": "LO", "Value": ["ONE "]}));
        let cases = [
            ("00290001", "ONE", "00291001"),
            ("00290001", "TWO", "00291101"),
            ("00290010", "TWO ", "00291110"),
            ("00291001", "TWO", "00291001"),
            ("00280010", "ONE", "00280010"),
            ("002B0001", "ONE", "002B1001"),
        ];
        for (tag, creator, expected) in cases {
            assert_eq!(with_block(&mut dataset, tag.into(), creator).as_deref(), Some(expected), "{tag}");
            assert_eq!(without_block(expected), without_block(tag));
        }
        assert_eq!(dataset.get("00290011"), Some(&json!({"vr": "LO", "Value": ["TWO"]})));
        for block in 0x10..=0xFF {
            dataset.insert(format!("0031{block:04X}"), json!({"vr": "LO"}));
        }
        assert_eq!(with_block(&mut dataset, "00310001".into(), "ONE"), None);
    }
}
