//! What the beginning of a compressed image says of itself: JPEG (ISO 10918-1), JPEG-LS (14495-1), JPEG
//! 2000 and HTJ2K (15444-1, -15). Only headers are read; nothing is decoded and no length is trusted.

use super::transfer_syntax::{self, TransferSyntax};

/// More than this precedes the frame header of no sensible image: ICC profile and EXIF included.
pub const HEAD: u64 = 2 << 20;

/// What an image module needs to know (PS3.3 §C.7.6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Picture {
    pub syntax: &'static TransferSyntax,
    pub rows: u16,
    pub columns: u16,
    pub samples_per_pixel: u16,
    pub bits_stored: u16,
    pub signed: bool,
    pub photometric_interpretation: &'static str,
}

/// The header of a codestream; `None` for anything else, and for what DICOM has no place for.
pub fn read(head: &[u8]) -> Option<Picture> {
    match head {
        [0xFF, 0xD8, ..] => jpeg(head),
        [0xFF, 0x4F, 0xFF, 0x51, ..] => jpeg_2000(head),
        _ => None,
    }
}

/// A JP2, JPX or JPH file: a codestream in boxes, which Pixel Data must not hold (PS3.5 §A.4.4).
pub fn is_boxed(head: &[u8]) -> bool {
    head.starts_with(b"\0\0\0\x0CjP  ")
}

/// So much of a frame or a stream decides [`may_be`].
pub const SIGNATURE: u64 = 16;
/// Readers find the header of a PDF within so many bytes.
pub const PDF_HEAD: u64 = 1024;

/// Whether something that begins so may be one frame or stream of a transfer syntax of this media type.
pub fn may_be(media_type: &str, head: &[u8]) -> bool {
    match media_type {
        "image/jpeg" | "image/jls" => head.starts_with(&[0xFF, 0xD8]),
        "image/jp2" | "image/jpx" | "image/jphc" => head.starts_with(&[0xFF, 0x4F, 0xFF, 0x51]),
        // A bare codestream, or one in boxes.
        "image/jxl" => head.starts_with(&[0xFF, 0x0A]) || head.starts_with(b"\0\0\0\x0CJXL "),
        // PS3.5 §G.5: the number of segments, and where the first begins.
        "image/dicom-rle" => matches!(head, [1..=15, 0, 0, 0, 64, 0, 0, 0, ..]),
        // An MP4 file, a transport stream, or a start code (PS3.5 §8.2.5 ff.).
        "video/mpeg" | "video/mp4" | "video/H265" => {
            let boxed = head.get(4..8).is_some_and(|name| MP4_BOXES.contains(&name));
            boxed || head.first() == Some(&0x47) || head.starts_with(&[0, 0, 1]) || head.starts_with(&[0, 0, 0, 1])
        }
        _ => true,
    }
}

/// What an MP4 file may begin with (ISO 14496-12).
const MP4_BOXES: [&[u8]; 7] = [b"ftyp", b"styp", b"moov", b"mdat", b"free", b"skip", b"wide"];

/// The beginning of a PDF file (ISO 32000-1 §7.5.2), junk before it as readers take it.
pub fn is_pdf(head: &[u8]) -> bool {
    memchr::memmem::find(head, b"%PDF-").is_some()
}

/// Whether an MP4 file holds HEVC, by the name of its sample entry near either end.
pub fn is_hevc(part: &[u8]) -> bool {
    part.windows(4).any(|name| name == b"hvc1" || name == b"hev1")
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|two| u16::from_be_bytes(*two))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|four| u32::from_be_bytes(*four))
}

fn syntax(uid: &str) -> Option<&'static TransferSyntax> {
    transfer_syntax::lookup(uid)
}

/// The frame header, and of a lossless one the predictor, which stands in the scan header.
struct Frame<'a> {
    marker: u8,
    segment: &'a [u8],
    /// Adobe's marker says whether three components are RGB (0) or YCbCr (1).
    transform: Option<u8>,
}

fn jpeg(head: &[u8]) -> Option<Picture> {
    let (mut at, mut transform, mut frame) = (2, None, None::<Frame<'_>>);
    loop {
        // Fill bytes may precede a marker (ISO 10918-1 §B.1.1.2).
        let marker = match head.get(at..at + 2)? {
            [0xFF, 0xFF] => {
                at += 1;
                continue;
            }
            [0xFF, marker] => *marker,
            _ => return None,
        };
        if matches!(marker, 0x01 | 0xD0..=0xD8) {
            at += 2;
            continue;
        }
        let length = usize::from(u16_at(head, at + 2)?);
        let segment = head.get(at + 4..at + 2 + length)?;
        match marker {
            0xC4 | 0xC8 | 0xCC => {}
            0xC0..=0xCF | 0xF7 => frame = Some(Frame { marker, segment, transform }),
            0xEE if segment.starts_with(b"Adobe") => transform = segment.get(11).copied(),
            0xDA => return frame?.picture(segment),
            0xD9 => return None,
            _ => {}
        }
        at = at.checked_add(2 + length)?;
    }
}

impl Frame<'_> {
    fn picture(&self, scan: &[u8]) -> Option<Picture> {
        let (precision, rows, columns) = (*self.segment.first()?, u16_at(self.segment, 1)?, u16_at(self.segment, 3)?);
        let components = *self.segment.get(5)?;
        let component = |index: usize| self.segment.get(6 + 3 * index..9 + 3 * index);
        let uid = match self.marker {
            0xC0 => "1.2.840.10008.1.2.4.50",
            0xC1 => "1.2.840.10008.1.2.4.51",
            0xC2 => "1.2.840.10008.1.2.4.55",
            // The selection value is the byte after the components of the scan.
            0xC3 if scan.get(1 + 2 * usize::from(*scan.first()?)) == Some(&1) => "1.2.840.10008.1.2.4.70",
            0xC3 => "1.2.840.10008.1.2.4.57",
            // NEAR stands in the same place.
            0xF7 if scan.get(1 + 2 * usize::from(*scan.first()?)) == Some(&0) => "1.2.840.10008.1.2.4.80",
            0xF7 => "1.2.840.10008.1.2.4.81",
            _ => return None,
        };
        let syntax = syntax(uid)?;
        let lossless_or_ls = matches!(self.marker, 0xC3 | 0xF7);
        let photometric_interpretation = match components {
            1 => "MONOCHROME2",
            3 if lossless_or_ls || self.transform == Some(0) => "RGB",
            3 if (0..3)
                .map(|index| component(index).and_then(|c| c.first()))
                .eq([b'R', b'G', b'B'].iter().map(Some)) =>
            {
                "RGB"
            }
            // Half the columns of chrominance: the first component is sampled twice as often across.
            3 if component(0)?.get(1)? >> 4 == 2 => "YBR_FULL_422",
            3 => "YBR_FULL",
            _ => return None,
        };
        (rows > 0 && columns > 0 && (2..=16).contains(&precision)).then_some(Picture {
            syntax,
            rows,
            columns,
            samples_per_pixel: u16::from(components),
            bits_stored: u16::from(precision),
            signed: false,
            photometric_interpretation,
        })
    }
}

fn jpeg_2000(head: &[u8]) -> Option<Picture> {
    // SIZ (15444-1 §A.5.1) is the first segment; its contents begin at 6.
    let (width, height) =
        (u32_at(head, 8)?.checked_sub(u32_at(head, 16)?)?, u32_at(head, 12)?.checked_sub(u32_at(head, 20)?)?);
    let (components, depth) = (u16_at(head, 40)?, *head.get(42)?);
    let (mut high_throughput, mut coding, mut at) = (false, None, 2_usize);
    while coding.is_none() {
        let marker = u16_at(head, at)?;
        let length = usize::from(u16_at(head, at + 2)?);
        match marker {
            // CAP with the bit of part 15 (15444-15 §A.3).
            0xFF50 => high_throughput = u32_at(head, at + 4)? & 0x0002_0000 != 0,
            // Multiple component transformation, and which wavelet.
            0xFF52 => coding = Some((*head.get(at + 8)?, *head.get(at + 13)?)),
            0xFF90 | 0xFFD9 => return None,
            _ => {}
        }
        at = at.checked_add(2 + length)?;
    }
    let (transformed, wavelet) = coding?;
    let reversible = wavelet == 1;
    let uid = match (high_throughput, reversible) {
        (false, true) => "1.2.840.10008.1.2.4.90",
        (false, false) => "1.2.840.10008.1.2.4.91",
        (true, true) => "1.2.840.10008.1.2.4.201",
        (true, false) => "1.2.840.10008.1.2.4.203",
    };
    let photometric_interpretation = match (components, transformed, reversible) {
        (1, ..) => "MONOCHROME2",
        (3, 0, _) => "RGB",
        (3, _, true) => "YBR_RCT",
        (3, _, false) => "YBR_ICT",
        _ => return None,
    };
    Some(Picture {
        syntax: syntax(uid)?,
        rows: u16::try_from(height).ok().filter(|rows| *rows > 0)?,
        columns: u16::try_from(width).ok().filter(|columns| *columns > 0)?,
        samples_per_pixel: components,
        bits_stored: u16::from(depth & 0x7F) + 1,
        signed: depth & 0x80 != 0,
        photometric_interpretation,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn segment(marker: u8, contents: &[u8]) -> Vec<u8> {
        let length = u16::try_from(contents.len() + 2).unwrap().to_be_bytes();
        [&[0xFF, marker], length.as_slice(), contents].concat()
    }

    fn jpeg_file(marker: u8, precision: u8, components: &[[u8; 3]], adobe: Option<u8>, selection: u8) -> Vec<u8> {
        let mut out = vec![0xFF, 0xD8];
        out.extend(segment(0xE0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0"));
        if let Some(transform) = adobe {
            out.extend(segment(0xEE, &[b"Adobe\0\x64\0\0\0\0".as_slice(), &[transform]].concat()));
        }
        out.push(0xFF);
        let count = u8::try_from(components.len()).unwrap();
        out.extend(segment(marker, &[&[precision, 0, 30, 0, 40, count], components.concat().as_slice()].concat()));
        let mut scan = vec![count];
        components.iter().for_each(|component| scan.extend_from_slice(&[component[0], 0]));
        scan.extend_from_slice(&[selection, 63, 0]);
        out.extend(segment(0xDA, &scan));
        out
    }

    #[test]
    fn a_jpeg_says_its_syntax_its_size_and_its_colours() {
        let (grey, full) = (&[[1, 0x11, 0]][..], &[[1, 0x11, 0], [2, 0x11, 1], [3, 0x11, 1]][..]);
        let half = &[[1, 0x21, 0], [2, 0x11, 1], [3, 0x11, 1]][..];
        let rgb = &[[b'R', 0x11, 0], [b'G', 0x11, 0], [b'B', 0x11, 0]][..];
        type Case<'a> = (u8, u8, &'a [[u8; 3]], Option<u8>, u8, &'static str, &'static str);
        let cases: [Case<'_>; 10] = [
            (0xC0, 8, grey, None, 0, "50", "MONOCHROME2"),
            (0xC0, 8, full, None, 0, "50", "YBR_FULL"),
            (0xC0, 8, half, None, 0, "50", "YBR_FULL_422"),
            (0xC0, 8, full, Some(0), 0, "50", "RGB"),
            (0xC0, 8, rgb, None, 0, "50", "RGB"),
            (0xC1, 12, grey, None, 0, "51", "MONOCHROME2"),
            (0xC3, 16, grey, None, 1, "70", "MONOCHROME2"),
            (0xC3, 16, full, None, 4, "57", "RGB"),
            (0xF7, 12, grey, None, 0, "80", "MONOCHROME2"),
            (0xF7, 12, grey, None, 3, "81", "MONOCHROME2"),
        ];
        for (marker, precision, components, adobe, selection, uid, colours) in cases {
            let found = read(&jpeg_file(marker, precision, components, adobe, selection)).unwrap();
            assert_eq!(found.syntax.uid, format!("1.2.840.10008.1.2.4.{uid}"), "{marker:X}");
            assert_eq!((found.rows, found.columns, found.bits_stored), (30, 40, u16::from(precision)));
            assert_eq!((found.photometric_interpretation, found.samples_per_pixel), (colours, components.len() as u16));
        }
        let four = &[[1, 0x11, 0], [2, 0x11, 0], [3, 0x11, 0], [4, 0x11, 0]][..];
        assert_eq!(read(&jpeg_file(0xC0, 8, four, None, 0)), None, "CMYK");
        assert_eq!(read(&jpeg_file(0xC9, 8, grey, None, 0)), None, "arithmetic coding");
    }

    fn jpeg_2000_file(wavelet: u8, transformed: u8, components: u16, high_throughput: bool) -> Vec<u8> {
        let mut size = vec![0, 0];
        for number in [50_u32, 40, 10, 10, 50, 40, 0, 0] {
            size.extend_from_slice(&number.to_be_bytes());
        }
        size.extend_from_slice(&components.to_be_bytes());
        (0..components).for_each(|_| size.extend_from_slice(&[0x8B, 1, 1]));
        let mut out = vec![0xFF, 0x4F];
        out.extend(segment(0x51, &size));
        if high_throughput {
            out.extend(segment(0x50, &[0, 2, 0, 0, 0, 0]));
        }
        out.extend(segment(0x52, &[0, 0, 0, 1, transformed, 5, 4, 4, 0, wavelet]));
        out
    }

    #[test]
    fn a_jpeg_2000_codestream_does_too() {
        let cases = [
            (1, 0, 1, false, "90", "MONOCHROME2"),
            (0, 0, 1, false, "91", "MONOCHROME2"),
            (1, 1, 3, false, "90", "YBR_RCT"),
            (0, 1, 3, false, "91", "YBR_ICT"),
            (1, 0, 3, true, "201", "RGB"),
            (0, 1, 3, true, "203", "YBR_ICT"),
        ];
        for (wavelet, transformed, components, high_throughput, uid, colours) in cases {
            let found = read(&jpeg_2000_file(wavelet, transformed, components, high_throughput)).unwrap();
            assert_eq!(found.syntax.uid, format!("1.2.840.10008.1.2.4.{uid}"));
            assert_eq!((found.columns, found.rows, found.bits_stored, found.signed), (40, 30, 12, true));
            assert_eq!(found.photometric_interpretation, colours);
        }
        assert!(is_boxed(b"\0\0\0\x0CjP  \r\n\x87\n"));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), whole in any::<bool>(), cut in 0_usize..100) {
            let start: &[u8] = if whole { &[0xFF, 0xD8, 0xFF, 0xC0] } else { &[0xFF, 0x4F, 0xFF, 0x51] };
            read(&[start, &bytes].concat());
            let file = jpeg_file(0xC0, 8, &[[1, 0x11, 0]], None, 0);
            read(&file[..cut.min(file.len())]);
        }
    }
}
