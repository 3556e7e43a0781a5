//! Range and If-Range (RFC 9110 §13.1.5, §14). One range is served; a list of them is answered
//! with the whole, as §14.2 allows: no viewer asks for several, and they are a way to make a server work.

use axum::http::{HeaderMap, header};
use std::ops::Range;

/// What a Range header asks of a body of known length.
#[derive(Debug, PartialEq, Eq)]
pub enum Wanted {
    Whole,
    Part(Range<u64>),
    /// 416: the first byte asked for lies behind the end.
    Unsatisfiable,
}

/// Reads Range, and If-Range against the strong `etag`.
pub fn wanted(headers: &HeaderMap, etag: &str, length: u64) -> Wanted {
    let mut values = headers.get_all(header::RANGE).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return Wanted::Whole };
    if let Some(condition) = headers.get(header::IF_RANGE)
        && condition.as_bytes() != etag.as_bytes()
    {
        return Wanted::Whole;
    }
    value.to_str().ok().and_then(|text| parse(text, length)).unwrap_or(Wanted::Whole)
}

/// `None` for what is no single byte range: such a header is ignored.
fn parse(text: &str, length: u64) -> Option<Wanted> {
    let (unit, range) = text.split_once('=')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") || range.contains(',') {
        return None;
    }
    let (first, last) = range.trim().split_once('-')?;
    let number = |text: &str| {
        let text = text.trim();
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        // More digits than a u64 holds is a number beyond every end.
        digits.then(|| text.parse().unwrap_or(u64::MAX))
    };
    if first.trim().is_empty() {
        let suffix = number(last)?;
        if suffix == 0 || length == 0 {
            return Some(Wanted::Unsatisfiable);
        }
        return Some(Wanted::Part(length.saturating_sub(suffix)..length));
    }
    let first = number(first)?;
    let end = match last.trim() {
        "" => length,
        last => number(last)?.saturating_add(1).min(length),
    };
    if first >= length {
        return Some(Wanted::Unsatisfiable);
    }
    (first < end).then_some(Wanted::Part(first..end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn a_range_lies_within_the_body_or_is_refused() {
        let cases = [
            ("bytes=0-0", Wanted::Part(0..1)),
            ("bytes=0-65535", Wanted::Part(0..1000)),
            ("bytes=500-", Wanted::Part(500..1000)),
            ("bytes=-100", Wanted::Part(900..1000)),
            ("bytes=-5000", Wanted::Part(0..1000)),
            ("Bytes = 1-2", Wanted::Part(1..3)),
            ("bytes=1000-", Wanted::Unsatisfiable),
            ("bytes=-0", Wanted::Unsatisfiable),
            ("bytes=2-1", Wanted::Whole),
            ("bytes=0-1,5-6", Wanted::Whole),
            ("bytes=a-b", Wanted::Whole),
            ("items=0-1", Wanted::Whole),
            ("bytes=+0-1", Wanted::Whole),
            ("bytes=0-18446744073709551615", Wanted::Part(0..1000)),
            ("bytes=0-18446744073709551616", Wanted::Part(0..1000)),
            ("bytes=-18446744073709551616", Wanted::Part(0..1000)),
            ("bytes=18446744073709551616-", Wanted::Unsatisfiable),
        ];
        for (text, expected) in cases {
            let mut headers = HeaderMap::new();
            headers.insert(header::RANGE, HeaderValue::from_static(text));
            assert_eq!(wanted(&headers, "\"a\"", 1000), expected, "{text}");
        }
    }

    #[test]
    fn a_range_of_another_version_gets_the_whole() {
        let mut headers = HeaderMap::new();
        headers.insert(header::RANGE, HeaderValue::from_static("bytes=0-1"));
        headers.insert(header::IF_RANGE, HeaderValue::from_static("\"b\""));
        assert_eq!(wanted(&headers, "\"a\"", 10), Wanted::Whole);
        assert_eq!(wanted(&headers, "\"b\"", 10), Wanted::Part(0..2));
    }
}
