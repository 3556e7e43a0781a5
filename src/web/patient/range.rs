//! `Range` and `If-Range` of a package (RFC 9110 §13.1.5, §14).

use axum::http::{HeaderMap, header};
use std::ops::Range;

/// What part of `length` bytes is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    /// 200: no range, one that is not understood, several at once, or of another version.
    Whole,
    /// 206.
    Of(Range<u64>),
    /// 416: it begins at or beyond the end.
    Beyond,
}

/// `etag` is the strong entity tag with its quotes.
pub(super) fn asked(headers: &HeaderMap, etag: &str, last_modified: &str, length: u64) -> Part {
    let text = |name| headers.get(name).and_then(|value: &axum::http::HeaderValue| value.to_str().ok());
    if let Some(condition) = text(header::IF_RANGE)
        && condition.trim() != etag
        && condition.trim() != last_modified
    {
        return Part::Whole;
    }
    // Two Range lines are as much a contradiction as two ranges in one.
    if headers.get_all(header::RANGE).iter().count() > 1 {
        return Part::Whole;
    }
    text(header::RANGE).map_or(Part::Whole, |range| parse(range, length))
}

fn parse(text: &str, length: u64) -> Part {
    let Some(spec) = text.trim().strip_prefix("bytes=").map(str::trim) else { return Part::Whole };
    let Some((first, last)) = spec.split_once('-') else { return Part::Whole };
    if spec.contains(',') {
        return Part::Whole;
    }
    let number = |text: &str| {
        let text = text.trim();
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        // More digits than a u64 holds is a number beyond every end.
        digits.then(|| text.parse::<u64>().unwrap_or(u64::MAX))
    };
    match (number(first), number(last)) {
        (Some(first), _) if first >= length && (last.trim().is_empty() || number(last).is_some()) => Part::Beyond,
        (Some(first), Some(last)) if first <= last => Part::Of(first..last.saturating_add(1).min(length)),
        (Some(first), None) if last.trim().is_empty() => Part::Of(first..length),
        (None, Some(0)) if first.trim().is_empty() => Part::Beyond,
        (None, Some(suffix)) if first.trim().is_empty() => Part::Of(length.saturating_sub(suffix)..length),
        _ => Part::Whole,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn a_range_is_read_or_ignored_never_guessed() {
        for (range, expected) in [
            ("bytes=0-99", Part::Of(0..100)),
            ("bytes=0-", Part::Of(0..1000)),
            ("bytes=500-", Part::Of(500..1000)),
            ("bytes=999-999", Part::Of(999..1000)),
            ("bytes=990-5000", Part::Of(990..1000)),
            ("bytes=-10", Part::Of(990..1000)),
            ("bytes=-5000", Part::Of(0..1000)),
            ("bytes=1000-", Part::Beyond),
            ("bytes=1000-1001", Part::Beyond),
            ("bytes=99999999999999999999-", Part::Beyond),
            ("bytes=-0", Part::Beyond),
            ("bytes=9-0", Part::Whole),
            ("bytes=0-1,5-6", Part::Whole),
            ("bytes=a-b", Part::Whole),
            ("bytes=-", Part::Whole),
            ("bytes=+1-2", Part::Whole),
            ("items=0-1", Part::Whole),
            ("", Part::Whole),
        ] {
            assert_eq!(parse(range, 1000), expected, "{range}");
        }
    }

    #[test]
    fn a_range_of_another_version_is_answered_whole() {
        let mut headers = HeaderMap::new();
        headers.insert(header::RANGE, HeaderValue::from_static("bytes=5-"));
        for (condition, expected) in [
            ("\"a\"", Part::Of(5..10)),
            ("Sun, 22 Nov 2026 10:00:00 GMT", Part::Of(5..10)),
            ("\"b\"", Part::Whole),
            ("W/\"a\"", Part::Whole),
        ] {
            headers.insert(header::IF_RANGE, HeaderValue::from_static(condition));
            assert_eq!(asked(&headers, "\"a\"", "Sun, 22 Nov 2026 10:00:00 GMT", 10), expected, "{condition}");
        }
    }
}
