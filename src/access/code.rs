//! The desk code: 8 characters of Crockford's base32, 7 random (35 bits) and one check character, handed
//! over on paper. Read back as people type: lower case, spaces, hyphens, O for 0, I and L for 1.

use super::error::{AccessError, random};
use crate::domain::phi::Phi;
use argon2::{Algorithm, Argon2, Params, Version};
use subtle::ConstantTimeEq;

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const RANDOM: usize = 7;

/// A well-formed code: eight values of five bits whose check character is right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeskCode(Phi<[u8; RANDOM + 1]>);

/// Why text is not a code: nothing there, or a typing error, which costs no attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodeFault {
    Empty,
    Mistyped,
}

impl DeskCode {
    pub(super) fn generate() -> Result<Self, AccessError> {
        let values = random::<RANDOM>()?.map(|byte| byte & 31);
        Ok(Self::with_check(values))
    }
    fn with_check(values: [u8; RANDOM]) -> Self {
        let mut all = [0; RANDOM + 1];
        all[..RANDOM].copy_from_slice(&values);
        all[RANDOM] = check_value(&values);
        Self(Phi::new(all))
    }
    pub fn parse(text: &str) -> Result<Self, CodeFault> {
        let mut values = Vec::with_capacity(RANDOM + 1);
        for character in text.chars() {
            // Dashes of every kind: phones turn two hyphens into one of the others.
            if character.is_whitespace() || matches!(character, '-' | '\u{2010}'..='\u{2015}' | '_' | '.' | '\u{AD}') {
                continue;
            }
            let Some(value) = value_of(character) else { return Err(CodeFault::Mistyped) };
            if values.len() > RANDOM {
                return Err(CodeFault::Mistyped);
            }
            values.push(value);
        }
        if values.is_empty() {
            return Err(CodeFault::Empty);
        }
        let all: [u8; RANDOM + 1] = values.try_into().map_err(|_| CodeFault::Mistyped)?;
        let [a, b, c, d, e, f, g, check] = all;
        if check == check_value(&[a, b, c, d, e, f, g]) { Ok(Self(Phi::new(all))) } else { Err(CodeFault::Mistyped) }
    }
    /// `ABCD-EFGH`, as it is printed on the slip.
    pub fn written(&self) -> Phi<String> {
        let mut text: String =
            self.0.expose().iter().map(|value| char::from(ALPHABET[usize::from(value & 31)])).collect();
        text.insert(4, '-');
        Phi::new(text)
    }
    /// argon2id with a fresh salt: salt and hash, 16 and 32 bytes. Takes tens of milliseconds and 19 MiB
    /// (OWASP's floor): call it where blocking is allowed.
    pub(super) fn hash(&self) -> Result<[u8; 48], AccessError> {
        let salt: [u8; 16] = random()?;
        self.hash_with(&salt)
    }
    pub(super) fn matches(&self, stored: &[u8]) -> bool {
        let Some((salt, _)) = stored.split_first_chunk::<16>() else { return false };
        self.hash_with(salt).is_ok_and(|hash| hash.ct_eq(stored).into())
    }
    fn hash_with(&self, salt: &[u8; 16]) -> Result<[u8; 48], AccessError> {
        let params = Params::new(19 * 1024, 2, 1, Some(32)).map_err(|_| AccessError::Hash)?;
        let mut out = [0; 48];
        let (stored_salt, hash) = out.split_at_mut(16);
        stored_salt.copy_from_slice(salt);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(self.0.expose(), salt, hash)
            .map_err(|_| AccessError::Hash)?;
        Ok(out)
    }
}

fn value_of(character: char) -> Option<u8> {
    let character = match character.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        other => other,
    };
    ALPHABET.iter().position(|known| char::from(*known) == character).and_then(|place| u8::try_from(place).ok())
}

/// A weighted sum over GF(32): catches every single wrong character and every swap of two different
/// characters, which a sum modulo 32 would not (even weights share a factor with 32).
fn check_value(values: &[u8; RANDOM]) -> u8 {
    values.iter().fold(0, |sum, value| times_two(sum ^ (value & 31)))
}

/// Multiplication by x in GF(2^5) modulo x^5 + x^2 + 1.
const fn times_two(value: u8) -> u8 {
    let doubled = value << 1;
    if doubled & 0b10_0000 != 0 { (doubled ^ 0b10_0101) & 31 } else { doubled & 31 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code() -> DeskCode {
        DeskCode::with_check([0, 1, 10, 31, 5, 17, 22])
    }

    #[test]
    fn a_code_is_read_as_people_type_it() {
        let written = code().written().into_exposed();
        assert_eq!(written.len(), 9);
        let mangled = [
            written.to_lowercase(),
            written.replace('-', ""),
            written.replace('-', " – "),
            format!("  {written} "),
            written.replace('0', "O").replace('1', "l"),
            written.replace('0', "o").replace('1', "I"),
        ];
        for text in mangled {
            assert_eq!(DeskCode::parse(&text), Ok(code()), "{text:?}");
        }
        for (text, fault) in [
            ("", CodeFault::Empty),
            (" - ", CodeFault::Empty),
            ("ABC", CodeFault::Mistyped),
            ("ABCDEFGHJ", CodeFault::Mistyped),
            ("UUUUUUUU", CodeFault::Mistyped),
            ("test@example.org", CodeFault::Mistyped),
        ] {
            assert_eq!(DeskCode::parse(text), Err(fault), "{text:?}");
        }
        assert!(DeskCode::parse(&"A".repeat(100_000)).is_err());
    }

    #[test]
    fn one_wrong_character_or_one_swap_is_a_typing_error() {
        let values = *code().0.expose();
        for place in 0..8 {
            for other in (0..32).filter(|other| *other != values[place]) {
                let mut wrong = values;
                wrong[place] = other;
                let text: String = wrong.iter().map(|v| char::from(ALPHABET[usize::from(*v)])).collect();
                assert_eq!(DeskCode::parse(&text), Err(CodeFault::Mistyped), "{place} {other}");
            }
        }
        for place in 0..7 {
            let mut swapped = values;
            swapped.swap(place, place + 1);
            let text: String = swapped.iter().map(|v| char::from(ALPHABET[usize::from(*v)])).collect();
            assert_eq!(DeskCode::parse(&text).is_err(), swapped != values, "{place}");
        }
    }

    #[test]
    fn the_stored_form_knows_its_code_and_no_other() {
        let stored = code().hash().unwrap();
        assert!(code().matches(&stored));
        assert!(!DeskCode::with_check([0; 7]).matches(&stored));
        assert_ne!(stored, code().hash().unwrap(), "salted");
        assert!(!code().matches(&[]));
        let shown = format!("{:?}", code());
        assert!(shown.contains("redacted"), "{shown}");
    }
}
