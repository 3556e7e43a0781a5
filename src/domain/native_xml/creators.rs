//! Who a private attribute belongs to (PS3.5 §7.8.1): the model names the Private Creator beside its tag
//! (PS3.19 Table A.1.5-2).

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
}
