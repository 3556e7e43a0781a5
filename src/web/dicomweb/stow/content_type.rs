//! A media type with its parameters (RFC 9110 §8.3.1), as Content-Type of a request and of a part.

use std::iter::Peekable;
use std::str::Chars;

/// Type, subtype and the names of parameters in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ContentType {
    pub media: String,
    parameters: Vec<(String, String)>,
}

impl ContentType {
    /// `None` when there is no media type in it. Quotes that are not closed end with the text.
    pub fn parse(text: &str) -> Option<Self> {
        let (media, rest) = text.split_once(';').unwrap_or((text, ""));
        let media = media.trim().to_ascii_lowercase();
        let (kind, sub) = media.split_once('/')?;
        let token = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b',');
        if !token(kind) || !token(sub) {
            return None;
        }
        let mut parameters = Vec::new();
        let mut letters = rest.chars().peekable();
        while letters.peek().is_some() {
            let name: String = until(&mut letters, &['=', ';']);
            if letters.next_if_eq(&'=').is_some() {
                let value = value(&mut letters);
                parameters.push((name.trim().to_ascii_lowercase(), value));
            }
            until(&mut letters, &[';']);
            letters.next();
        }
        Some(Self { media, parameters })
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.parameters.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }
    /// The media type alone, in lower case, of a value such as the `type` parameter.
    pub fn media_of(text: &str) -> String {
        text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    }
}

fn until(letters: &mut Peekable<Chars<'_>>, ends: &[char]) -> String {
    std::iter::from_fn(|| letters.next_if(|letter| !ends.contains(letter))).collect()
}

fn value(letters: &mut Peekable<Chars<'_>>) -> String {
    while letters.next_if(|letter| letter.is_whitespace()).is_some() {}
    if letters.next_if_eq(&'"').is_none() {
        return until(letters, &[';']).trim().to_owned();
    }
    let mut value = String::new();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => break,
            '\\' => value.extend(letters.next()),
            other => value.push(other),
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read_quoted_or_not() {
        type Case = (&'static str, &'static str, Option<&'static str>, Option<&'static str>);
        let cases: &[Case] = &[
            ("multipart/related", "multipart/related", None, None),
            (
                r#"multipart/related; type="application/dicom"; boundary="a b""#,
                "multipart/related",
                Some("application/dicom"),
                Some("a b"),
            ),
            (
                "Multipart/Related;TYPE=Application/DICOM;Boundary=Ab",
                "multipart/related",
                Some("Application/DICOM"),
                Some("Ab"),
            ),
            (r#"multipart/related; boundary="a\"b;c=d"; type=x/y"#, "multipart/related", Some("x/y"), Some("a\"b;c=d")),
            (r#"multipart/related; boundary="open"#, "multipart/related", None, Some("open")),
            ("multipart/related;;  ; boundary = x ;", "multipart/related", None, Some("x")),
            ("multipart/related; boundary=", "multipart/related", None, Some("")),
        ];
        for (text, media, kind, boundary) in cases {
            let parsed = ContentType::parse(text).unwrap();
            assert_eq!(
                (parsed.media.as_str(), parsed.get("type"), parsed.get("boundary")),
                (*media, *kind, *boundary),
                "{text}"
            );
        }
        for text in ["", "multipart", "/", "a/", "/b", "a b/c", "; boundary=x"] {
            assert_eq!(ContentType::parse(text), None, "{text:?}");
        }
        assert_eq!(ContentType::parse("a/b; boundary=x; boundary=y").unwrap().all("boundary").count(), 2);
    }
}
