//! Dates as people of a language write them, and the names of months as they type them.

use super::Language;

/// The order of day, month and year.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    DayMonthYear,
    MonthDayYear,
    YearMonthDay,
}

impl Order {
    /// American English begins with the month, Chinese with the year, the others with the day. The
    /// region is only known from the header: the catalogue is the same.
    pub fn of(language: Language, accept_language: &str) -> Self {
        match language.code() {
            "zh" => Self::YearMonthDay,
            "en" if american(accept_language) => Self::MonthDayYear,
            _ => Self::DayMonthYear,
        }
    }
}

fn american(accept_language: &str) -> bool {
    let english = accept_language
        .split([',', ';'])
        .map(str::trim)
        .find(|tag| tag.get(..2).is_some_and(|p| p.eq_ignore_ascii_case("en")));
    english.is_some_and(|tag| tag.eq_ignore_ascii_case("en-US"))
}

/// Month names by language, as they stand in a date.
static MONTHS: &[(&str, [&str; 12])] = &[
    (
        "en",
        [
            "January",
            "February",
            "March",
            "April",
            "May",
            "June",
            "July",
            "August",
            "September",
            "October",
            "November",
            "December",
        ],
    ),
    (
        "es",
        [
            "enero",
            "febrero",
            "marzo",
            "abril",
            "mayo",
            "junio",
            "julio",
            "agosto",
            "septiembre",
            "octubre",
            "noviembre",
            "diciembre",
        ],
    ),
    (
        "de",
        [
            "Januar",
            "Februar",
            "März",
            "April",
            "Mai",
            "Juni",
            "Juli",
            "August",
            "September",
            "Oktober",
            "November",
            "Dezember",
        ],
    ),
    (
        "fr",
        [
            "janvier",
            "février",
            "mars",
            "avril",
            "mai",
            "juin",
            "juillet",
            "août",
            "septembre",
            "octobre",
            "novembre",
            "décembre",
        ],
    ),
    (
        "it",
        [
            "gennaio",
            "febbraio",
            "marzo",
            "aprile",
            "maggio",
            "giugno",
            "luglio",
            "agosto",
            "settembre",
            "ottobre",
            "novembre",
            "dicembre",
        ],
    ),
    (
        "pt",
        [
            "janeiro",
            "fevereiro",
            "março",
            "abril",
            "maio",
            "junho",
            "julho",
            "agosto",
            "setembro",
            "outubro",
            "novembro",
            "dezembro",
        ],
    ),
    (
        "nl",
        [
            "januari",
            "februari",
            "maart",
            "april",
            "mei",
            "juni",
            "juli",
            "augustus",
            "september",
            "oktober",
            "november",
            "december",
        ],
    ),
    (
        "ar",
        ["يناير", "فبراير", "مارس", "أبريل", "مايو", "يونيو", "يوليو", "أغسطس", "سبتمبر", "أكتوبر", "نوفمبر", "ديسمبر"],
    ),
    (
        "uk",
        [
            "січня",
            "лютого",
            "березня",
            "квітня",
            "травня",
            "червня",
            "липня",
            "серпня",
            "вересня",
            "жовтня",
            "листопада",
            "грудня",
        ],
    ),
];

/// Names that differ from those in a date: the nominative, and other spellings in use.
static OTHER_NAMES: &[(&str, u8)] = &[
    ("jänner", 1),
    ("feber", 2),
    ("maerz", 3),
    ("setiembre", 9),
    ("січень", 1),
    ("лютий", 2),
    ("березень", 3),
    ("квітень", 4),
    ("травень", 5),
    ("червень", 6),
    ("липень", 7),
    ("серпень", 8),
    ("вересень", 9),
    ("жовтень", 10),
    ("листопад", 11),
    ("грудень", 12),
    ("كانون الثاني", 1),
    ("شباط", 2),
    ("آذار", 3),
    ("نيسان", 4),
    ("أيار", 5),
    ("حزيران", 6),
    ("تموز", 7),
    ("آب", 8),
    ("أيلول", 9),
    ("تشرين الأول", 10),
    ("تشرين الثاني", 11),
    ("كانون الأول", 12),
];

/// 1 to 12, for a name or its beginning (three letters or more) in any of our languages, when all that
/// fit mean the same month.
pub fn month_of_name(text: &str) -> Option<u8> {
    let typed = plain(text.trim().trim_end_matches(['.', '月']));
    if let Some(number) = number(&typed) {
        return u8::try_from(number).ok();
    }
    let names = || {
        let dated =
            MONTHS.iter().flat_map(|(_, names)| names.iter().zip(1u8..).map(|(name, month)| (plain(name), month)));
        dated.chain(OTHER_NAMES.iter().map(|(name, month)| (plain(name), *month)))
    };
    if let Some((_, month)) = names().find(|(name, _)| *name == typed) {
        return Some(month);
    }
    if typed.chars().count() < 3 {
        return None;
    }
    let mut fitting = names().filter(|(name, _)| name.starts_with(&typed)).map(|(_, month)| month);
    let first = fitting.next()?;
    fitting.all(|month| month == first).then_some(first)
}

/// A number of at most 9 digits, in Latin, Arabic, Persian or full-width digits, with or without the
/// full stop that German writes after it.
pub fn number(text: &str) -> Option<u32> {
    let text = text.trim().trim_end_matches(['.', '日', '年', '月']);
    if text.is_empty() || text.chars().count() > 9 {
        return None;
    }
    text.chars().try_fold(0u32, |sum, character| Some(sum * 10 + digit(character)?))
}

fn digit(character: char) -> Option<u32> {
    let zero = match character {
        '0'..='9' => '0',
        '\u{660}'..='\u{669}' => '\u{660}',
        '\u{6F0}'..='\u{6F9}' => '\u{6F0}',
        '\u{FF10}'..='\u{FF19}' => '\u{FF10}',
        _ => return None,
    };
    Some(u32::from(character) - u32::from(zero))
}

/// Lower case without accents, so that `AOUT` is August.
fn plain(text: &str) -> String {
    text.to_lowercase()
        .chars()
        .map(|character| match character {
            'ä' | 'á' | 'à' | 'â' | 'ã' => 'a',
            'é' | 'è' | 'ê' => 'e',
            'û' | 'ü' | 'ú' => 'u',
            'ç' => 'c',
            'أ' | 'آ' | 'إ' => 'ا',
            other => other,
        })
        .collect()
}

impl Language {
    /// A day in full: `22 November 2026`, `22. November 2026`, `2026年11月22日`.
    pub fn date(self, year: u16, month: u8, day: u8, order: Order) -> String {
        let code = self.code();
        if code == "zh" {
            return format!("{year}年{month}月{day}日");
        }
        let names = MONTHS.iter().find(|(known, _)| *known == code).or(MONTHS.first()).map(|(_, names)| names);
        let name = names.and_then(|names| names.get(usize::from(month).checked_sub(1)?)).copied().unwrap_or_default();
        match (code, order) {
            ("en", Order::MonthDayYear) => format!("{name} {day}, {year}"),
            ("de", _) => format!("{day}. {name} {year}"),
            ("es" | "pt", _) => format!("{day} de {name} de {year}"),
            ("uk", _) => format!("{day} {name} {year} р."),
            _ => format!("{day} {name} {year}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_is_known_by_its_name_in_any_language() {
        for (text, month) in [
            ("March", Some(3)),
            ("mars", Some(3)),
            ("MÄRZ", Some(3)),
            ("maerz", Some(3)),
            ("marz", Some(3)),
            ("août", Some(8)),
            ("AOUT", Some(8)),
            ("dez", Some(12)),
            ("dic", Some(12)),
            ("mai", Some(5)),
            ("mei", Some(5)),
            ("sept.", Some(9)),
            ("ju", None),
            ("jun", Some(6)),
            ("juin", Some(6)),
            ("juillet", Some(7)),
            ("листопад", Some(11)),
            ("листопада", Some(11)),
            ("نوفمبر", Some(11)),
            ("11月", Some(11)),
            ("", None),
            ("x", None),
        ] {
            assert_eq!(month_of_name(text), month, "{text:?}");
        }
    }

    #[test]
    fn dates_are_written_as_the_language_does() {
        for (code, order, expected) in [
            ("en", Order::DayMonthYear, "22 November 2026"),
            ("en", Order::MonthDayYear, "November 22, 2026"),
            ("de", Order::DayMonthYear, "22. November 2026"),
            ("es", Order::DayMonthYear, "22 de noviembre de 2026"),
            ("zh", Order::YearMonthDay, "2026年11月22日"),
        ] {
            assert_eq!(Language::parse(code).unwrap().date(2026, 11, 22, order), expected);
        }
        assert_eq!(Order::of(Language::english(), "en-US,en;q=0.9"), Order::MonthDayYear);
        assert_eq!(Order::of(Language::english(), "en-GB,en-US;q=0.9"), Order::DayMonthYear);
    }
}
