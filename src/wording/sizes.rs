//! Amounts as people read them: sizes in powers of ten with the separator of the language, and times
//! rounded so that nobody counts seconds.

use super::{Language, Value};

/// What a time estimate assumes: 20 Mbit/s, an ordinary telephone or home line.
const BYTES_PER_SECOND: u64 = 2_500_000;

impl Language {
    /// `734 MB`, `2.1 GB`, `2,1 GB`, `2,1 Go`.
    pub fn size(self, bytes: u64) -> String {
        let units = match self.code() {
            "fr" => ["ko", "Mo", "Go", "To"],
            "uk" => ["КБ", "МБ", "ГБ", "ТБ"],
            "ar" => ["ك.ب", "م.ب", "ج.ب", "ت.ب"],
            _ => ["KB", "MB", "GB", "TB"],
        };
        let mut scale = 1000u64;
        let mut unit = 0;
        // From 999.5 on it would be rounded to 1000 of its unit.
        while unit + 1 < units.len() && bytes >= scale.saturating_mul(1000) - scale / 2 {
            scale = scale.saturating_mul(1000);
            unit += 1;
        }
        let tenths = (bytes.saturating_mul(10).saturating_add(scale / 2) / scale).max(1);
        let separator = if matches!(self.code(), "en" | "zh" | "ar") { '.' } else { ',' };
        let number = match (tenths / 10, tenths % 10) {
            (10.., _) => (bytes.saturating_add(scale / 2) / scale).to_string(),
            (whole, 0) => whole.to_string(),
            (whole, tenth) => format!("{whole}{separator}{tenth}"),
        };
        // U+00A0 keeps number and unit on one line.
        format!("{number}\u{A0}{}", units.get(unit).copied().unwrap_or_default())
    }

    /// A length of time in one unit, rounded up: `30 seconds`, `2 minutes`, `4 hours`, `2 days`.
    pub fn time(self, seconds: u64) -> String {
        let (key, count) = match seconds {
            0..60 => ("time-seconds", seconds.max(1)),
            60..5400 => ("time-minutes", seconds.div_ceil(60)),
            5400..172_800 => ("time-hours", seconds.div_ceil(3600)),
            _ => ("time-days", seconds.div_ceil(86_400)),
        };
        self.say_with(key, &[("count", Value::Count(count))])
    }

    /// How long so many bytes take on an ordinary line, without false precision.
    pub fn load_time(self, bytes: u64) -> String {
        let seconds = bytes / BYTES_PER_SECOND;
        self.time(match seconds {
            0..10 => 10,
            10..60 => seconds.div_ceil(10) * 10,
            _ => seconds,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_short_and_in_the_readers_form() {
        let [en, de, fr] = ["en", "de", "fr"].map(|code| Language::parse(code).unwrap());
        for (bytes, expected) in [
            (0, "0.1\u{A0}KB"),
            (999_949, "1\u{A0}MB"),
            (734_400_000, "734\u{A0}MB"),
            (2_140_000_000, "2.1\u{A0}GB"),
            (2_000_000_000, "2\u{A0}GB"),
            (u64::MAX, "18446744\u{A0}TB"),
        ] {
            assert_eq!(en.size(bytes), expected, "{bytes}");
        }
        assert_eq!(de.size(2_140_000_000), "2,1\u{A0}GB");
        assert_eq!(fr.size(2_140_000_000), "2,1\u{A0}Go");
    }

    #[test]
    fn times_are_rounded_up_to_one_unit() {
        let en = Language::english();
        for (seconds, expected) in [
            (0, "1 second"),
            (30, "30 seconds"),
            (61, "2 minutes"),
            (900, "15 minutes"),
            (7200, "2 hours"),
            (400_000, "5 days"),
        ] {
            assert_eq!(en.time(seconds), expected);
        }
        assert_eq!(en.load_time(1000), "10 seconds");
        assert_eq!(en.load_time(734_000_000), "5 minutes");
    }
}
