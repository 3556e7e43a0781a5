//! A date of birth, as typed by a patient and as stored in (0010,0030).

use crate::domain::phi::Phi;
use crate::wording::dates;
use jiff::civil::Date;

/// `YYYYMMDD` of a day that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BirthDate(Phi<String>);

/// Why three fields are not a date: nothing there, or not a day of the calendar. Neither costs an
/// attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DateFault {
    Empty,
    NoSuchDay,
}

/// The three fields as they came from the form.
#[derive(Debug, Clone, Default)]
pub struct TypedDate {
    pub day: Phi<String>,
    /// A number, or the name in any of our languages.
    pub month: Phi<String>,
    pub year: Phi<String>,
}

impl BirthDate {
    pub fn typed(fields: &TypedDate) -> Result<Self, DateFault> {
        let [day, month, year] = [&fields.day, &fields.month, &fields.year].map(|field| field.expose().trim());
        if day.is_empty() && month.is_empty() && year.is_empty() {
            return Err(DateFault::Empty);
        }
        let number = |text: &str| dates::number(text).ok_or(DateFault::NoSuchDay);
        let month = match dates::number(month) {
            Some(month) => month,
            None => dates::month_of_name(month).map(u32::from).ok_or(DateFault::NoSuchDay)?,
        };
        Self::of(number(year)?, month, number(day)?).ok_or(DateFault::NoSuchDay)
    }

    /// The value of Patient's Birth Date (0010,0030), `None` when it says nothing: absent, no day of the
    /// calendar, in the future, or one of the dates that modalities fill in (19000101 and before 1890).
    pub fn stored(value: &str, now_ms: i64) -> Option<Self> {
        // YYYY.MM.DD is the form of the ACR-NEMA standard (PS3.5 §6.2, DA).
        let digits: String = value.trim().chars().filter(|c| *c != '.').collect();
        if digits.len() != 8 || !digits.bytes().all(|b| b.is_ascii_digit()) || digits == "19000101" {
            return None;
        }
        let part = |range| digits.get(range).and_then(|text: &str| text.parse().ok());
        let year = part(0..4)?;
        let date = Self::of(year, part(4..6)?, part(6..8)?)?;
        let today = jiff::Timestamp::from_millisecond(now_ms).ok()?.to_zoned(jiff::tz::TimeZone::UTC).date();
        // One day of grace: east of Greenwich it is tomorrow already.
        let latest = today.tomorrow().ok()?.strftime("%Y%m%d").to_string();
        (year >= 1890 && date.0.expose() <= &latest).then_some(date)
    }

    fn of(year: u32, month: u32, day: u32) -> Option<Self> {
        if !(1000..=9999).contains(&year) {
            return None;
        }
        Date::new(i16::try_from(year).ok()?, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()?;
        Some(Self(Phi::new(format!("{year:04}{month:02}{day:02}"))))
    }

    pub(super) fn digits(&self) -> &str {
        self.0.expose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(day: &str, month: &str, year: &str) -> Result<String, DateFault> {
        let field = |text: &str| Phi::new(text.to_owned());
        BirthDate::typed(&TypedDate { day: field(day), month: field(month), year: field(year) })
            .map(|date| date.digits().to_owned())
    }

    #[test]
    fn a_date_is_read_with_the_month_as_number_or_name() {
        for (day, month, year, expected) in [
            ("7", "3", "1961", Ok("19610307")),
            (" 07 ", "03", "1961", Ok("19610307")),
            ("7", "March", "1961", Ok("19610307")),
            ("7", "mar", "1961", Ok("19610307")),
            ("7.", "März", "1961", Ok("19610307")),
            ("7", "MARZO", "1961", Ok("19610307")),
            ("٧", "٣", "١٩٦١", Ok("19610307")),
            ("29", "2", "2000", Ok("20000229")),
            ("29", "2", "1999", Err(DateFault::NoSuchDay)),
            ("31", "4", "1999", Err(DateFault::NoSuchDay)),
            ("7", "3", "61", Err(DateFault::NoSuchDay)),
            ("7", "xyz", "1961", Err(DateFault::NoSuchDay)),
            ("7", "", "1961", Err(DateFault::NoSuchDay)),
            ("", "", "", Err(DateFault::Empty)),
            ("-1", "3", "1961", Err(DateFault::NoSuchDay)),
            ("99999999999", "3", "1961", Err(DateFault::NoSuchDay)),
        ] {
            assert_eq!(typed(day, month, year), expected.map(str::to_owned), "{day} {month} {year}");
        }
    }

    #[test]
    fn filler_dates_of_modalities_are_no_birth_dates() {
        let now = 1_795_305_600_000; // 2026-11-22
        for (value, usable) in [
            ("19610307", true),
            ("1961.03.07", true),
            ("19610307 ", true),
            ("", false),
            ("19000101", false),
            ("00010101", false),
            ("18580101", false),
            ("19611301", false),
            ("1961", false),
            ("1961030", false),
            ("20270101", false),
            ("20261122", true),
            ("unknown!", false),
        ] {
            assert_eq!(BirthDate::stored(value, now).is_some(), usable, "{value:?}");
        }
    }
}
