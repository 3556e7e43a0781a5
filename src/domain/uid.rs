//! Unique identifiers (PS3.5 §9.1), parsed once at the edge and typed from there on.
//!
//! The grammar is `[0-9.]{1,64}`: real devices write components with leading zeros, so that rule of
//! §9.1 is not enforced. Nothing that passes can leave a folder or break a URL.

use std::fmt;

/// What is wrong with a UID. Never holds the value: it came from a data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a UID: 1 to 64 of the characters 0-9 and '.' (PS3.5 §9.1)")]
pub struct InvalidUid;

fn parse(text: &str) -> Result<&str, InvalidUid> {
    // A UI value is padded with one NUL; some devices pad with a space (PS3.5 §6.2).
    let text = text.trim_end_matches(['\0', ' ']);
    let well_formed = (1..=64).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_digit() || b == b'.')
        && text.bytes().any(|b| b.is_ascii_digit());
    if well_formed { Ok(text) } else { Err(InvalidUid) }
}

macro_rules! uid {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Box<str>);

        impl $name {
            /// Parses a value as it stands in a data set, a command or a URL; padding is dropped.
            pub fn parse(text: &str) -> Result<Self, InvalidUid> {
                parse(text).map(|uid| Self(uid.into()))
            }
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }
        impl std::str::FromStr for $name {
            type Err = InvalidUid;
            fn from_str(text: &str) -> Result<Self, InvalidUid> {
                Self::parse(text)
            }
        }
        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    };
}

uid!(
    /// Study Instance UID (0020,000D).
    StudyInstanceUid
);
uid!(
    /// Series Instance UID (0020,000E).
    SeriesInstanceUid
);
uid!(
    /// SOP Instance UID (0008,0018).
    SopInstanceUid
);
uid!(
    /// SOP Class UID (0008,0016), or the abstract syntax of a presentation context.
    SopClassUid
);
uid!(
    /// Transfer Syntax UID (0002,0010).
    TransferSyntaxUid
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_digits_and_dots_of_at_most_64_characters_are_a_uid() {
        let longest = "1".repeat(64);
        for good in ["1.2.3", "1.2.3\0", "1.2.3 ", "1.02.3", longest.as_str()] {
            assert!(StudyInstanceUid::parse(good).is_ok(), "{good:?}");
        }
        let long = "1".repeat(65);
        for bad in ["", ".", "..", "1/2", "../1", "1.2.a", "1.2 3", "1\\2", long.as_str()] {
            assert!(StudyInstanceUid::parse(bad).is_err(), "{bad:?}");
        }
    }
}
