//! What a JPEG says about itself before its first scan (ISO/IEC 10918-1 §B.2), and the same stream with
//! the colour transformation written down that is meant.

use super::DecodeError;

pub(super) struct Header<'a> {
    /// The process: the low nibble of the SOFn marker.
    pub process: u8,
    pub precision: u8,
    pub height: u16,
    pub width: u16,
    /// Identifier, and horizontal and vertical sampling factor.
    pub components: Vec<(u8, u8, u8)>,
    /// An Adobe segment's transform flag; `None` without the segment.
    adobe: Option<u8>,
    jfif: bool,
    /// Segments to keep, markers included.
    segments: Vec<&'a [u8]>,
    /// From the first SOS marker on.
    scans: &'a [u8],
}

impl<'a> Header<'a> {
    pub fn read(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut rest = bytes.strip_prefix(&[0xFF, 0xD8]).ok_or(DecodeError::Corrupt)?;
        let mut header = Self {
            process: 0,
            precision: 0,
            height: 0,
            width: 0,
            components: Vec::new(),
            adobe: None,
            jfif: false,
            segments: Vec::new(),
            scans: &[],
        };
        loop {
            // Fill bytes may stand before a marker (§B.1.1.2).
            let at = rest.iter().position(|byte| *byte != 0xFF).ok_or(DecodeError::Truncated)?;
            let marker = *rest.get(at).ok_or(DecodeError::Truncated)?;
            if at == 0 || matches!(marker, 0 | 0xD0..=0xD9) {
                return Err(DecodeError::Corrupt);
            }
            rest = rest.get(at - 1..).ok_or(DecodeError::Truncated)?;
            if marker == 0xDA {
                header.scans = rest;
                return if header.components.is_empty() { Err(DecodeError::Corrupt) } else { Ok(header) };
            }
            let [_, _, high, low, ..] = rest else { return Err(DecodeError::Truncated) };
            let length = usize::from(u16::from_be_bytes([*high, *low]));
            let (segment, after) = rest.split_at_checked(length + 2).ok_or(DecodeError::Truncated)?;
            let body = segment.get(4..).ok_or(DecodeError::Corrupt)?;
            header.segment(marker, segment, body)?;
            rest = after;
        }
    }

    fn segment(&mut self, marker: u8, segment: &'a [u8], body: &[u8]) -> Result<(), DecodeError> {
        match marker {
            0xE0 if body.starts_with(b"JFIF\0") => self.jfif = true,
            0xEE if body.starts_with(b"Adobe") => self.adobe = body.get(11).copied(),
            // DHT, JPG and DAC share the range of the frame headers.
            0xC0..=0xCF if !matches!(marker, 0xC4 | 0xC8 | 0xCC) => {
                let [precision, h1, h0, w1, w0, count, components @ ..] = body else {
                    return Err(DecodeError::Corrupt);
                };
                if !self.components.is_empty() {
                    return Err(DecodeError::Corrupt);
                }
                self.process = marker & 0x0F;
                self.precision = *precision;
                self.height = u16::from_be_bytes([*h1, *h0]);
                self.width = u16::from_be_bytes([*w1, *w0]);
                let three = components.chunks_exact(3).take(usize::from(*count));
                self.components = three.filter_map(|c| Some((*c.first()?, c.get(1)? >> 4, c.get(1)? & 0x0F))).collect();
                self.segments.push(segment);
            }
            // Comments and application data do not change the picture.
            0xE0..=0xEF | 0xFE => {}
            _ => self.segments.push(segment),
        }
        Ok(())
    }

    pub fn is_lossless(&self) -> bool {
        matches!(self.process, 3 | 11)
    }

    /// Whether three components of a lossy process are luminance and chrominance. What the stream says
    /// comes first, then its component names, then the data set: many encoders write no marker.
    pub fn is_ybr(&self, declared_rgb: bool) -> bool {
        let names: Vec<u8> = self.components.iter().map(|(name, ..)| *name).collect();
        let subsampled = self.components.iter().any(|(_, h, v)| (*h, *v) != (1, 1));
        match (self.adobe, self.jfif) {
            (Some(transform), _) => transform != 0,
            (None, true) => true,
            (None, false) if names == *b"RGB" => false,
            // Red, green and blue are never subsampled.
            (None, false) => !declared_rgb || subsampled,
        }
    }

    /// The stream without application data but with an Adobe segment that says whether its three
    /// components are YCbCr, ended by EOI.
    pub fn rewritten(&self, ybr: bool) -> Vec<u8> {
        let mut out = vec![0xFF, 0xD8, 0xFF, 0xEE, 0, 14];
        out.extend_from_slice(b"Adobe\0\x64\0\0\0\0");
        out.push(u8::from(ybr));
        self.segments.iter().for_each(|segment| out.extend_from_slice(segment));
        out.extend_from_slice(self.scans);
        out.extend_from_slice(&[0xFF, 0xD9]);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: [u8; 19] = [0xFF, 0xC0, 0, 17, 8, 0, 2, 0, 3, 3, 1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0];
    const ADOBE_RGB: &[u8] = b"\xFF\xEE\0\x0EAdobe\0\x64\0\0\0\0\0";
    const JFIF: &[u8] = b"\xFF\xE0\0\x07JFIF\0";

    fn stream(parts: &[&[u8]]) -> Vec<u8> {
        [&[0xFF, 0xD8][..], &parts.concat(), &[0xFF, 0xDA, 0, 2, 9]].concat()
    }

    #[test]
    fn the_colour_transformation_is_that_of_the_stream_before_that_of_the_data_set() {
        let mut named = FRAME;
        (named[10], named[13], named[16]) = (b'R', b'G', b'B');
        let mut halved = FRAME;
        halved[11] = 0x21;
        let cases: [(&[&[u8]], bool, bool); 7] = [
            (&[&FRAME], true, false),
            (&[&FRAME], false, true),
            (&[ADOBE_RGB, &FRAME], false, false),
            (&[JFIF, &FRAME], true, true),
            (&[JFIF, ADOBE_RGB, &FRAME], true, false),
            (&[&named], false, false),
            (&[&halved], true, true),
        ];
        for (at, (parts, declared_rgb, ybr)) in cases.into_iter().enumerate() {
            let bytes = stream(parts);
            assert_eq!(Header::read(&bytes).unwrap().is_ybr(declared_rgb), ybr, "case {at}");
        }
    }

    #[test]
    fn a_rewritten_stream_says_one_transformation_only() {
        let bytes = stream(&[JFIF, b"\xFF\xFE\0\x05abc", &FRAME]);
        let rewritten = Header::read(&bytes).unwrap().rewritten(false);
        let again = Header::read(&rewritten).unwrap();
        assert_eq!((again.adobe, again.jfif, again.width, again.height), (Some(0), false, 3, 2));
        assert!(rewritten.ends_with(&[0xFF, 0xD9]));
    }

    #[test]
    fn nonsense_before_the_first_scan_is_refused() {
        for bytes in [
            &b""[..],
            b"\xFF\xD8",
            b"\xFF\xD8\xFF",
            b"\xFF\xD8\xFF\xDA",
            b"\xFF\xD8\x00\xDA",
            b"\xFF\xD8\xFF\xD9",
            b"\xFF\xD8\xFF\xC0\x00\x01",
            b"\xFF\xD8\xFF\xC0\xFF\xFF",
        ] {
            assert!(Header::read(bytes).is_err(), "{bytes:?}");
        }
        assert!(Header::read(&stream(&[&FRAME, &FRAME])).is_err());
    }
}
