//! Writes multipart/related (RFC 2387) as viewers read it: the part header is spelled `Content-Type:`
//! (cornerstone compares 13 bytes), the first line of the body is the first boundary, two bytes end the
//! data, and no parameter value holds an equals sign. The boundary follows from the contents, so that a
//! Range over the body means the same bytes in every request.

use super::segments::{Segment, Segments};
use axum::http::HeaderValue;
use bytes::Bytes;
use std::fmt::Write;
use std::ops::Range;

/// A multipart body under construction.
pub struct Multipart {
    boundary: String,
    /// The media type of the parts, for the `type` parameter.
    part_media: &'static str,
    segments: Segments,
    begun: bool,
}

impl Multipart {
    /// `seed` identifies the representation: same seed, same boundary. Nobody can make a data set that
    /// holds the boundary of its own answer, because the seed comes from its SHA-256.
    pub fn new(part_media: &'static str, seed: &[u8]) -> Self {
        let mut boundary = String::with_capacity(36);
        boundary.push_str("part");
        for byte in seed.iter().take(16) {
            let _ = write!(boundary, "{byte:02x}");
        }
        Self { boundary, part_media, segments: Segments::default(), begun: false }
    }

    /// One part: its header, then its bytes.
    pub fn part(
        &mut self,
        media: &str,
        transfer_syntax: Option<&str>,
        location: &str,
        bytes: impl IntoIterator<Item = Segment>,
    ) {
        let head = self.head(media, transfer_syntax, location);
        self.segments.text(head);
        for segment in bytes {
            self.segments.push(segment);
        }
    }

    /// A part whose bytes bring its head along.
    pub fn segment(&mut self, segment: Segment) {
        self.segments.push(segment);
    }

    /// A body of one part, and of nothing else.
    pub fn only(
        self,
        media: &'static str,
        transfer_syntax: Option<&'static str>,
        location: String,
        bytes: impl IntoIterator<Item = Segment>,
    ) -> OnePart {
        let mut value = Segments::default();
        bytes.into_iter().for_each(|segment| value.push(segment));
        OnePart { multipart: self, media, transfer_syntax, location, value }
    }

    /// What stands before the bytes of the next part.
    pub fn head(&mut self, media: &str, transfer_syntax: Option<&str>, location: &str) -> String {
        let mut head = String::with_capacity(256);
        head.push_str(if self.begun { "\r\n--" } else { "--" });
        self.begun = true;
        head.push_str(&self.boundary);
        head.push_str("\r\nContent-Type: ");
        head.push_str(media);
        if let Some(uid) = transfer_syntax {
            head.push_str("; transfer-syntax=");
            head.push_str(uid);
        }
        head.push_str("\r\nContent-Location: ");
        head.push_str(location);
        head.push_str("\r\n\r\n");
        head
    }

    pub fn content_type(&self) -> HeaderValue {
        let value = format!("multipart/related; type=\"{}\"; boundary={}", self.part_media, self.boundary);
        HeaderValue::from_str(&value).unwrap_or(HeaderValue::from_static("multipart/related"))
    }

    /// What was written since the last call, for a body that is sent before it is finished.
    pub fn taken(&mut self) -> Segments {
        std::mem::take(&mut self.segments)
    }

    /// The value of Content-Type, and the body, or what of it was not taken.
    pub fn finish(mut self) -> (HeaderValue, Segments) {
        self.segments.text(Bytes::from(format!("\r\n--{}--", self.boundary)));
        (self.content_type(), self.segments)
    }
}

/// A body whose only part is one value, before it is written: whole, or with some bytes of the value.
pub struct OnePart {
    multipart: Multipart,
    media: &'static str,
    transfer_syntax: Option<&'static str>,
    location: String,
    value: Segments,
}

impl OnePart {
    pub fn content_type(&self) -> HeaderValue {
        self.multipart.content_type()
    }
    /// Of the value; `None` when it is made on the way.
    pub fn length(&self) -> Option<u64> {
        self.value.length()
    }
    pub fn whole(self) -> Segments {
        self.written(None)
    }
    /// Only `range` of the value; `content_range` says so in the head of the part (RFC 9110 §14.6).
    pub fn of(mut self, range: Range<u64>, content_range: &str) -> Segments {
        self.value = self.value.slice(range);
        self.written(Some(content_range))
    }
    fn written(mut self, content_range: Option<&str>) -> Segments {
        let mut head = self.multipart.head(self.media, self.transfer_syntax, &self.location);
        if let Some(content_range) = content_range {
            // Among the fields, before the empty line that ends them.
            head.truncate(head.len().saturating_sub(2));
            let _ = write!(head, "Content-Range: {content_range}\r\n\r\n");
        }
        self.multipart.segments.text(head);
        self.multipart.segments.append(self.value);
        self.multipart.finish().1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_reads_as_cornerstone_expects_it() {
        let build = || {
            let mut multipart = Multipart::new("application/octet-stream", &[7; 32]);
            for text in ["one", "two"] {
                multipart.part(
                    "application/octet-stream",
                    Some("1.2.840.10008.1.2.1"),
                    "http://x/frames/1",
                    [Segment::Literal(Bytes::from_static(text.as_bytes()))],
                );
            }
            multipart.finish()
        };
        let (content_type, segments) = build();
        let boundary = "part07070707070707070707070707070707";
        assert_eq!(content_type, format!("multipart/related; type=\"application/octet-stream\"; boundary={boundary}"));
        let part = |text| {
            format!(
                "--{boundary}\r\nContent-Type: application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1\r\n\
                 Content-Location: http://x/frames/1\r\n\r\n{text}\r\n"
            )
        };
        let expected = format!("{}{}--{boundary}--", part("one"), part("two"));
        assert_eq!(segments.length(), Some(expected.len() as u64));
        assert_eq!(build().0, content_type);
    }
}
