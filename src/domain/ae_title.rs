//! Application Entity titles (PS3.5 §6.2, VR AE).

use std::fmt;

/// 1 to 16 characters of the default repertoire without control characters and backslash; leading and
/// trailing spaces are not significant.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AeTitle(Box<str>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an AE title: 1 to 16 printable ASCII characters without a backslash (PS3.5 §6.2)")]
pub struct InvalidAeTitle;

impl AeTitle {
    pub fn parse(text: &str) -> Result<Self, InvalidAeTitle> {
        let title = text.trim_matches(|c| c == ' ' || c == '\0');
        let printable = title.bytes().all(|b| (0x20..0x7F).contains(&b) && b != b'\\');
        if (1..=16).contains(&title.len()) && printable { Ok(Self(title.into())) } else { Err(InvalidAeTitle) }
    }
    /// `BLUEBRIDGE`, the title under which a fresh installation answers.
    pub fn of_this_product() -> Self {
        Self("BLUEBRIDGE".into())
    }
    /// The title of the scanner that `bluebridge demo` plays.
    pub fn of_the_demo_scanner() -> Self {
        Self("PHANTOM_CT".into())
    }
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> serde::Deserialize<'de> for AeTitle {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for AeTitle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl fmt::Debug for AeTitle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AeTitle({})", self.0)
    }
}
impl std::str::FromStr for AeTitle {
    type Err = InvalidAeTitle;
    fn from_str(text: &str) -> Result<Self, InvalidAeTitle> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spaces_around_a_title_do_not_count() {
        let cases = [
            (" CT1 ", Some("CT1")),
            ("STORE SCU", Some("STORE SCU")),
            ("", None),
            ("    ", None),
            ("A\\B", None),
            ("ABCDEFGHIJKLMNOP", Some("ABCDEFGHIJKLMNOP")),
            ("ABCDEFGHIJKLMNOPQ", None),
            ("A\tB", None),
            ("Ä", None),
        ];
        for (input, expected) in cases {
            assert_eq!(AeTitle::parse(input).ok().as_ref().map(AeTitle::as_str), expected, "{input:?}");
        }
    }
}
