//! What a caller takes: the Accept header and the `accept` query parameter (PS3.18 §8.3.3.1, §8.7.5),
//! read as viewers really write them: `type` with or without quotes, parameters twice, lists that mix
//! unrelated types. A member that makes no sense is passed over, the next one may.

use axum::http::{HeaderMap, header};

/// One member of Accept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaRange {
    /// `type/subtype`, lower case, legacy spellings replaced.
    pub media: String,
    /// Of multipart/related: the media type of its parts, likewise; `None` when unsaid or `*/*`.
    pub part: Option<String>,
    /// Values of `transfer-syntax`, in order; `*` stays `*`.
    pub transfer_syntaxes: Vec<String>,
    /// In thousandths; 0 means: not this.
    pub quality: u16,
}

/// What is taken, the best first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Accept(pub Vec<MediaRange>);

impl Accept {
    /// The query parameter when there is one (cornerstone sends no header beside it), else the header,
    /// else everything. `query` is the raw query string.
    pub fn of(headers: &HeaderMap, query: Option<&str>) -> Self {
        let asked: Vec<String> = parameter(query, "accept").map(|value| percent_decoded(&value)).collect();
        let mut ranges = Vec::new();
        if asked.iter().any(|value| !value.trim().is_empty()) {
            asked.iter().for_each(|value| parse_into(value, &mut ranges));
        } else {
            let values = headers.get_all(header::ACCEPT).iter();
            values.for_each(|value| parse_into(&String::from_utf8_lossy(value.as_bytes()), &mut ranges));
        }
        if ranges.is_empty() {
            parse_into("*/*", &mut ranges);
        }
        Self::ordered(ranges)
    }
    /// What a list of media types takes; `None` when there is none in it.
    pub fn listed(text: &str) -> Option<Self> {
        let mut ranges = Vec::new();
        parse_into(text, &mut ranges);
        (!ranges.is_empty()).then(|| Self::ordered(ranges))
    }
    /// Only `media`, in the first of these transfer syntaxes that can be had.
    pub fn in_syntaxes(media: &str, transfer_syntaxes: &[&str]) -> Self {
        let range = |uid: &&str| MediaRange {
            media: media.to_owned(),
            part: None,
            transfer_syntaxes: vec![(*uid).to_owned()],
            quality: 1000,
        };
        Self(transfer_syntaxes.iter().map(range).collect())
    }
    fn ordered(mut ranges: Vec<MediaRange>) -> Self {
        // The sort is stable: what is listed first wins among equals.
        ranges.sort_by_key(|range| (std::cmp::Reverse(range.quality), range.breadth()));
        Self(ranges)
    }
    /// The members that are wanted at all.
    pub fn wanted(&self) -> impl Iterator<Item = &MediaRange> {
        self.0.iter().filter(|range| range.quality > 0)
    }
    /// The first of `offers` that is taken, by the caller's order.
    pub fn choose<'a>(&self, offers: &[&'a str]) -> Option<&'a str> {
        self.wanted().find_map(|range| offers.iter().find(|offer| range.covers(offer)).copied())
    }
}

impl MediaRange {
    /// Whether `media` (lower case) falls under this member.
    pub fn covers(&self, media: &str) -> bool {
        match self.media.split_once('/') {
            Some(("*", _)) => true,
            Some((kind, "*")) => media.split_once('/').is_some_and(|(other, _)| other == kind),
            _ => self.media == media,
        }
    }
    /// `*/*`.
    pub fn is_any(&self) -> bool {
        self.media == "*/*"
    }
    /// What is narrower is meant more than what is wide.
    fn breadth(&self) -> u8 {
        match self.media.split_once('/') {
            Some(("*", _)) => 2,
            Some((_, "*")) => 1,
            _ => 0,
        }
    }
}

fn parse_into(text: &str, ranges: &mut Vec<MediaRange>) {
    for member in split_outside_quotes(text, ',') {
        let mut pieces = split_outside_quotes(member, ';').into_iter();
        let media = pieces.next().map(modern).unwrap_or_default();
        // Java's old default writes `*` for `*/*`.
        let media = if media == "*" { "*/*".to_owned() } else { media };
        if !media.split_once('/').is_some_and(|(kind, sub)| !kind.is_empty() && !sub.is_empty()) {
            continue;
        }
        let mut range = MediaRange { media, part: None, transfer_syntaxes: Vec::new(), quality: 1000 };
        for piece in pieces {
            let Some((name, value)) = piece.split_once('=') else { continue };
            let value = value.trim().trim_matches('"').trim();
            match name.trim().to_ascii_lowercase().as_str() {
                "q" => range.quality = quality(value),
                "type" if value != "*/*" => range.part = Some(modern(value)),
                "transfer-syntax" if !value.is_empty() => range.transfer_syntaxes.push(value.to_owned()),
                _ => {}
            }
        }
        ranges.push(range);
    }
}

/// Lower case, and the name in use today for what older releases of PS3.18 and some viewers call by
/// another one.
fn modern(media: &str) -> String {
    let media = media.trim().to_ascii_lowercase();
    let today = match media.as_str() {
        "image/x-dicom-rle" | "image/dicom+rle" => "image/dicom-rle",
        "image/x-jls" | "image/dicom+jls" => "image/jls",
        "image/dicom+jpeg" | "image/dicom+jpeg-lossless" | "image/jll" | "image/jpg" => "image/jpeg",
        "image/dicom+jp2" => "image/jp2",
        "image/dicom+jpx" => "image/jpx",
        "image/jhc" | "image/jph" => "image/jphc",
        "image/x-jxl" => "image/jxl",
        "video/mpeg4" | "video/x-mp4" => "video/mp4",
        _ => return media,
    };
    today.to_owned()
}

/// `0.8` as 800. What is no number counts as fully wanted: the caller did name it.
fn quality(text: &str) -> u16 {
    match text.parse::<f32>() {
        Ok(q) if (0.0..=1.0).contains(&q) => (q * 1000.0).round() as u16,
        _ => 1000,
    }
}

fn split_outside_quotes(text: &str, separator: char) -> Vec<&str> {
    let mut quoted = false;
    text.split(move |c: char| {
        quoted ^= c == '"';
        c == separator && !quoted
    })
    .collect()
}

/// Raw values of a query parameter; names are compared without regard to case.
pub(super) fn parameter<'a>(query: Option<&'a str>, name: &'a str) -> impl Iterator<Item = String> + 'a {
    query.unwrap_or_default().split('&').filter_map(move |pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        key.eq_ignore_ascii_case(name).then(|| value.to_owned())
    })
}

/// Percent escapes resolved; a plus stays a plus, because media types are full of them.
fn percent_decoded(text: &str) -> String {
    String::from_utf8_lossy(&percent_bytes(text.as_bytes())).into_owned()
}

/// Percent escapes resolved; what is no escape stays as it is.
pub(super) fn percent_bytes(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        if *first == b'%'
            && let Some(([high, low], after)) = tail.split_first_chunk::<2>().map(|(pair, after)| (*pair, after))
            && let (Some(high), Some(low)) = ((high as char).to_digit(16), (low as char).to_digit(16))
        {
            bytes.push((high * 16 + low) as u8);
            rest = after;
        } else {
            bytes.push(*first);
        }
    }
    bytes
}

/// Whether every percent sign begins an escape (RFC 3986 §2.1).
pub(super) fn escapes_are_whole(text: &str) -> bool {
    text.split('%')
        .skip(1)
        .all(|rest| rest.as_bytes().first_chunk::<2>().is_some_and(|pair| pair.iter().all(u8::is_ascii_hexdigit)))
}

/// Whether `gzip` is taken (RFC 9110 §12.5.3): named or covered by `*`, with q above 0.
pub fn takes_gzip(headers: &HeaderMap) -> bool {
    let (mut named, mut any) = (None, None);
    for value in headers.get_all(header::ACCEPT_ENCODING) {
        for member in value.to_str().unwrap_or_default().split(',') {
            let mut pieces = member.split(';');
            let coding = pieces.next().unwrap_or_default().trim().to_ascii_lowercase();
            let q = pieces.find_map(|piece| piece.trim().strip_prefix("q=").map(quality)).unwrap_or(1000);
            match coding.as_str() {
                "gzip" | "x-gzip" => named = Some(q),
                "*" => any = Some(q),
                _ => {}
            }
        }
    }
    named.or(any).is_some_and(|q| q > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn parse(text: &str) -> Vec<MediaRange> {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_str(text).unwrap());
        Accept::of(&headers, None).0
    }
    fn range(media: &str, part: Option<&str>, syntaxes: &[&str]) -> MediaRange {
        MediaRange {
            media: media.into(),
            part: part.map(Into::into),
            transfer_syntaxes: syntaxes.iter().map(|s| (*s).into()).collect(),
            quality: 1000,
        }
    }

    #[test]
    fn what_viewers_send_is_understood() {
        let related = |part, syntaxes: &[&str]| range("multipart/related", Some(part), syntaxes);
        let jls = "1.2.840.10008.1.2.4.80";
        let cases: Vec<(&str, Vec<MediaRange>)> = vec![
            (
                "multipart/related; type=application/octet-stream; transfer-syntax=*",
                vec![related("application/octet-stream", &["*"])],
            ),
            (
                "multipart/related; type=\"application/octet-stream\"; transfer-syntax=*",
                vec![related("application/octet-stream", &["*"])],
            ),
            (
                "multipart/related; type=\"application/octet-stream\"; transfer-syntax=\"*\"",
                vec![related("application/octet-stream", &["*"])],
            ),
            (
                "multipart/related; type=\"image/jls\"; transfer-syntax=\"1.2.840.10008.1.2.4.80\"; transfer-syntax=\"*\"",
                vec![related("image/jls", &[jls, "*"])],
            ),
            (
                "application/dicom+json, multipart/related; type=application/octet-stream; transfer-syntax=*",
                vec![range("application/dicom+json", None, &[]), related("application/octet-stream", &["*"])],
            ),
            (
                "multipart/related; type=\"application/dicom\"; transfer-syntax=*",
                vec![related("application/dicom", &["*"])],
            ),
            ("multipart/related; type=\"application/dicom\"", vec![related("application/dicom", &[])]),
            ("application/dicom; transfer-syntax=*", vec![range("application/dicom", None, &["*"])]),
            ("application/zip;transfer-syntax=*", vec![range("application/zip", None, &["*"])]),
            ("image/x-dicom-rle", vec![range("image/dicom-rle", None, &[])]),
            ("image/x-jls", vec![range("image/jls", None, &[])]),
            ("image/dicom+jpeg", vec![range("image/jpeg", None, &[])]),
            ("image/dicom+jp2", vec![range("image/jp2", None, &[])]),
            ("image/jhc", vec![range("image/jphc", None, &[])]),
            ("Multipart/Related; Type=\"Image/JPEG\"", vec![related("image/jpeg", &[])]),
            ("*", vec![range("*/*", None, &[])]),
            (", ;, nonsense, application/json", vec![range("application/json", None, &[])]),
            ("multipart/related; type=\"application/dicom", vec![related("application/dicom", &[])]),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(text), expected, "{text}");
        }
    }

    #[test]
    fn the_better_wanted_comes_first_and_the_narrow_before_the_wide() {
        let order = |text| parse(text).into_iter().map(|r| r.part.unwrap_or(r.media)).collect::<Vec<_>>();
        assert_eq!(
            order("multipart/related; type=application/octet-stream; q=0.1, multipart/related; type=image/jls; q=1"),
            ["image/jls", "application/octet-stream"]
        );
        assert_eq!(order("*/*, image/*, image/jpeg"), ["image/jpeg", "image/*", "*/*"]);
        assert_eq!(
            order("text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8").last().unwrap(),
            "*/*"
        );
        let json = ["application/dicom+json", "application/json"];
        let choose = |text: &str| Accept(parse(text)).choose(&json);
        assert_eq!(choose("application/dicom+json, application/json"), Some(json[0]));
        assert_eq!(choose("application/json"), Some(json[1]));
        assert_eq!(choose("application/*"), Some(json[0]));
        assert_eq!(choose("application/dicom+xml"), None);
        assert_eq!(choose("application/dicom+json;q=0"), None);
        assert_eq!(choose("application/dicom+xml, */*;q=0.1"), Some(json[0]));
    }

    #[test]
    fn the_query_parameter_stands_in_for_the_header() {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        let media = |query| Accept::of(&headers, query).0[0].media.clone();
        assert_eq!(media(Some("accept=image%2Fjpeg")), "image/jpeg");
        assert_eq!(media(Some("&accept=application/dicom+json")), "application/dicom+json");
        assert_eq!(media(Some("Accept=application%2Fdicom%2Bjson&x=1")), "application/dicom+json");
        assert_eq!(media(Some("accept=&x=1")), "application/json");
        assert_eq!(media(None), "application/json");
        assert_eq!(Accept::of(&HeaderMap::new(), None).0, [range("*/*", None, &[])]);
    }

    #[test]
    fn gzip_is_sent_only_where_it_is_taken() {
        let cases = [
            ("gzip", true),
            ("gzip, deflate, br", true),
            ("br;q=1.0, gzip;q=0.8, *;q=0.1", true),
            ("*", true),
            ("gzip;q=0", false),
            ("gzip;q=0, *", false),
            ("identity", false),
            ("deflate, br", false),
            ("", false),
        ];
        for (text, expected) in cases {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(text));
            assert_eq!(takes_gzip(&headers), expected, "{text}");
        }
        assert!(!takes_gzip(&HeaderMap::new()));
    }
}
