//! A study in plain words: what DICOM codes mean to the person in the pictures.

use super::pages::Page;
use crate::access::birth_date::BirthDate;
use crate::domain::attributes::{Attributes, tags};
use crate::wording::{Language, Value};

/// Series of these modalities hold no pictures of a body; they name a study only when alone.
const COMPANIONS: [&str; 9] = ["SR", "PR", "KO", "SEG", "REG", "DOC", "RTSTRUCT", "FID", "OT"];

/// `CT scan`, `PET scan + CT scan`, from the codes of Modalities in Study (0008,0061).
pub(super) fn modalities(page: &Page, codes: &[String]) -> String {
    let mut words: Vec<String> = Vec::new();
    for wanted in [false, true] {
        for code in codes.iter().map(|code| code.trim()) {
            if COMPANIONS.contains(&code) == wanted {
                let word = modality(page, code);
                if !words.contains(&word) {
                    words.push(word);
                }
            }
        }
        if !words.is_empty() {
            break;
        }
    }
    if words.is_empty() { page.say("modality-other") } else { words.join(" + ") }
}

fn modality(page: &Page, code: &str) -> String {
    known(page, "modality", code).unwrap_or_else(|| page.say("modality-other"))
}

/// The word for a Body Part Examined (0018,0015), when it is one that people use.
pub(super) fn body_part(page: &Page, code: &str) -> Option<String> {
    let compact: String = code.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_uppercase();
    let code = match compact.as_str() {
        "THORAX" | "LUNG" | "LUNGS" | "RIB" | "RIBS" => "CHEST",
        "ABD" => "ABDOMEN",
        "CERVICALSPINE" => "CSPINE",
        "THORACICSPINE" => "TSPINE",
        "LUMBARSPINE" | "LSSPINE" => "LSPINE",
        "EXTREMITY" => return None,
        other => other,
    };
    known(page, "body", code)
}

fn known(page: &Page, kind: &str, code: &str) -> Option<String> {
    let plain = !code.is_empty() && code.len() <= 16 && code.bytes().all(|b| b.is_ascii_alphanumeric());
    let key = format!("{kind}-{code}");
    (plain && Language::knows(&key)).then(|| page.say(&key))
}

/// A DA value as the reader writes dates.
pub(super) fn date(page: &Page, value: &str) -> Option<String> {
    let digits: String = value.chars().filter(char::is_ascii_digit).collect();
    let part = |range| digits.get(range).and_then(|text: &str| text.parse::<u16>().ok());
    let (year, month, day) = (part(0..4)?, part(4..6)?, part(6..8)?);
    let real = digits.len() == 8 && (1..=12).contains(&month) && (1..=31).contains(&day) && year >= 1890;
    real.then(|| date_of(page, year, u8::try_from(month).unwrap_or(1), u8::try_from(day).unwrap_or(1)))
}

pub(super) fn date_of(page: &Page, year: u16, month: u8, day: u8) -> String {
    page.language.date(year, month, day, page.order)
}

/// A moment by the clock of the facility: `22 December 2026, 17:00`.
pub(super) fn moment(page: &Page, at_ms: i64) -> String {
    let at = jiff::Timestamp::from_millisecond(at_ms).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    let local = at.to_zoned(jiff::tz::TimeZone::system());
    let number = |value: i8| u8::try_from(value).unwrap_or(1);
    let year = u16::try_from(local.year()).unwrap_or(1970);
    let date = date_of(page, year, number(local.month()), number(local.day()));
    format!("{date}, {:02}:{:02}", local.hour(), local.minute())
}

/// `For E. R., born 1961`: enough to notice someone else's link, too little to tell them who that is.
pub(super) fn whose(page: &Page, attributes: &Attributes, now_ms: i64) -> Option<String> {
    let initials = initials(attributes.first(tags::PATIENT_NAME).unwrap_or_default());
    let year = attributes
        .first(tags::PATIENT_BIRTH_DATE)
        .filter(|value| BirthDate::stored(value, now_ms).is_some())
        .map(|value| value.trim().chars().take(4).collect::<String>());
    let filled = |key, values: &[(&'static str, Value)]| Some(page.say_with(key, values));
    match (initials, year) {
        (Some(initials), Some(year)) => filled("my-for", &[("initials", initials.into()), ("year", year.into())]),
        (Some(initials), None) => filled("my-for-initials", &[("initials", initials.into())]),
        (None, Some(year)) => filled("my-for-year", &[("year", year.into())]),
        (None, None) => None,
    }
}

/// Given name before family name, of the first group of a PN value that has one (PS3.5 §6.2.1).
fn initials(name: &str) -> Option<String> {
    let group = name.split('=').find(|group| group.chars().any(char::is_alphanumeric))?;
    let mut parts = group.split('^');
    let first = |part: Option<&str>| part.and_then(|part| part.trim().chars().find(|c| c.is_alphanumeric()));
    let family = first(parts.next());
    let given = first(parts.next());
    let letters = [given, family].into_iter().flatten().map(|letter| format!("{}.", letter.to_uppercase()));
    Some(letters.collect::<Vec<_>>().join("\u{A0}")).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::initials;

    #[test]
    fn a_name_is_shown_by_its_initials_only() {
        for (name, expected) in [
            ("Ross^Ellen", Some("E.\u{A0}R.")),
            ("ross^ellen^maria", Some("E.\u{A0}R.")),
            ("Ross", Some("R.")),
            ("^Ellen", Some("E.")),
            ("=山田^太郎=やまだ^たろう", Some("太.\u{A0}山.")),
            ("", None),
            ("^^", None),
            ("==", None),
        ] {
            assert_eq!(initials(name).as_deref(), expected, "{name:?}");
        }
    }
}
