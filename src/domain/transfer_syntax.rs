//! The transfer syntaxes of PS3.6 Annex A that encode a data set, in our order of preference.
//!
//! Not listed, so not taken: JPIP Referenced (no pixel data in the object), SMPTE ST 2110 (a real-time
//! stream), RFC 2557 MIME, XML and Papyrus (not data set encodings).

use super::uid::TransferSyntaxUid;

pub const IMPLICIT_VR_LITTLE_ENDIAN: &str = "1.2.840.10008.1.2";
pub const EXPLICIT_VR_LITTLE_ENDIAN: &str = "1.2.840.10008.1.2.1";
pub const EXPLICIT_VR_BIG_ENDIAN: &str = "1.2.840.10008.1.2.2";
pub const DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN: &str = "1.2.840.10008.1.2.1.99";

/// How the elements of a data set are written (PS3.5 §7.1, Annex A).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encoding {
    ImplicitLittle,
    ExplicitLittle,
    ExplicitBig,
    /// Explicit VR Little Endian, the whole data set behind raw deflate (PS3.5 §A.5).
    DeflatedExplicitLittle,
}

/// How frames stand in Pixel Data (PS3.5 §8.2, §A.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Frames {
    /// One after the other, uncompressed.
    Native,
    /// In fragments, uncompressed or with no loss.
    Lossless,
    /// In fragments, with or possibly with loss.
    Lossy,
    /// One video stream in fragments; frames cannot be addressed.
    Video,
}

#[derive(Debug, PartialEq, Eq)]
pub struct TransferSyntax {
    pub uid: &'static str,
    pub name: &'static str,
    pub encoding: Encoding,
    pub frames: Frames,
    /// The media type of one frame or stream (PS3.18 §8.7.3, and what cornerstone expects of HTJ2K).
    pub media_type: &'static str,
}

impl TransferSyntax {
    pub fn uid(&self) -> TransferSyntaxUid {
        // The table holds UIDs only; a test parses every one.
        TransferSyntaxUid::parse(self.uid).unwrap_or_else(|_| unreachable!("table of transfer syntaxes"))
    }
    pub fn is_native(&self) -> bool {
        self.frames == Frames::Native
    }
}

/// The entry for `uid`, or `None` for a syntax that is private, unknown, or encodes no data set.
pub fn lookup(uid: &str) -> Option<&'static TransferSyntax> {
    TABLE.iter().find(|syntax| syntax.uid == uid)
}

const OCTETS: &str = "application/octet-stream";
const JPEG: &str = "image/jpeg";
const JLS: &str = "image/jls";
const JP2: &str = "image/jp2";
const JPX: &str = "image/jpx";
const JPHC: &str = "image/jphc";
const JXL: &str = "image/jxl";
const RLE: &str = "image/dicom-rle";
const MPEG2: &str = "video/mpeg";
const MP4: &str = "video/mp4";
const H265: &str = "video/H265";

macro_rules! table {
    ($($uid:literal $encoding:ident $frames:ident $media:ident $name:literal;)*) => {
        /// Every accepted transfer syntax; the first is the most preferred when a presentation context
        /// offers several: native before lossless before lossy, so that a sender which can choose sends
        /// what every viewer reads and nothing is lost on the way.
        pub static TABLE: &[TransferSyntax] = &[$(TransferSyntax {
            uid: $uid, name: $name, encoding: Encoding::$encoding, frames: Frames::$frames, media_type: $media,
        }),*];
    };
}

table! {
    "1.2.840.10008.1.2.1"         ExplicitLittle         Native   OCTETS "Explicit VR Little Endian";
    "1.2.840.10008.1.2"           ImplicitLittle         Native   OCTETS "Implicit VR Little Endian";
    "1.2.840.10008.1.2.2"         ExplicitBig            Native   OCTETS "Explicit VR Big Endian";
    "1.2.840.10008.1.2.1.99"      DeflatedExplicitLittle Native   OCTETS "Deflated Explicit VR Little Endian";
    "1.2.840.10008.1.2.1.98"      ExplicitLittle         Lossless OCTETS "Encapsulated Uncompressed Explicit VR Little Endian";
    "1.2.840.10008.1.2.8.1"       ExplicitLittle         Lossless OCTETS "Deflated Image Frame Compression";
    "1.2.840.10008.1.2.4.70"      ExplicitLittle         Lossless JPEG   "JPEG Lossless, Non-Hierarchical, First-Order Prediction (Process 14 [Selection Value 1])";
    "1.2.840.10008.1.2.4.80"      ExplicitLittle         Lossless JLS    "JPEG-LS Lossless Image Compression";
    "1.2.840.10008.1.2.4.90"      ExplicitLittle         Lossless JP2    "JPEG 2000 Image Compression (Lossless Only)";
    "1.2.840.10008.1.2.4.201"     ExplicitLittle         Lossless JPHC   "High-Throughput JPEG 2000 Image Compression (Lossless Only)";
    "1.2.840.10008.1.2.4.202"     ExplicitLittle         Lossless JPHC   "High-Throughput JPEG 2000 with RPCL Options Image Compression (Lossless Only)";
    "1.2.840.10008.1.2.5"         ExplicitLittle         Lossless RLE    "RLE Lossless";
    "1.2.840.10008.1.2.4.57"      ExplicitLittle         Lossless JPEG   "JPEG Lossless, Non-Hierarchical (Process 14)";
    "1.2.840.10008.1.2.4.110"     ExplicitLittle         Lossless JXL    "JPEG XL Lossless";
    "1.2.840.10008.1.2.4.92"      ExplicitLittle         Lossless JPX    "JPEG 2000 Part 2 Multi-component Image Compression (Lossless Only)";
    "1.2.840.10008.1.2.4.58"      ExplicitLittle         Lossless JPEG   "JPEG Lossless, Non-Hierarchical (Process 15) (Retired)";
    "1.2.840.10008.1.2.4.65"      ExplicitLittle         Lossless JPEG   "JPEG Lossless, Hierarchical (Process 28) (Retired)";
    "1.2.840.10008.1.2.4.66"      ExplicitLittle         Lossless JPEG   "JPEG Lossless, Hierarchical (Process 29) (Retired)";
    "1.2.840.10008.1.2.4.81"      ExplicitLittle         Lossy    JLS    "JPEG-LS Lossy (Near-Lossless) Image Compression";
    "1.2.840.10008.1.2.4.91"      ExplicitLittle         Lossy    JP2    "JPEG 2000 Image Compression";
    "1.2.840.10008.1.2.4.203"     ExplicitLittle         Lossy    JPHC   "High-Throughput JPEG 2000 Image Compression";
    "1.2.840.10008.1.2.4.50"      ExplicitLittle         Lossy    JPEG   "JPEG Baseline (Process 1)";
    "1.2.840.10008.1.2.4.51"      ExplicitLittle         Lossy    JPEG   "JPEG Extended (Process 2 & 4)";
    "1.2.840.10008.1.2.4.111"     ExplicitLittle         Lossy    JXL    "JPEG XL JPEG Recompression";
    "1.2.840.10008.1.2.4.112"     ExplicitLittle         Lossy    JXL    "JPEG XL";
    "1.2.840.10008.1.2.4.93"      ExplicitLittle         Lossy    JPX    "JPEG 2000 Part 2 Multi-component Image Compression";
    "1.2.840.10008.1.2.4.52"      ExplicitLittle         Lossy    JPEG   "JPEG Extended (Process 3 & 5) (Retired)";
    "1.2.840.10008.1.2.4.53"      ExplicitLittle         Lossy    JPEG   "JPEG Spectral Selection, Non-Hierarchical (Process 6 & 8) (Retired)";
    "1.2.840.10008.1.2.4.54"      ExplicitLittle         Lossy    JPEG   "JPEG Spectral Selection, Non-Hierarchical (Process 7 & 9) (Retired)";
    "1.2.840.10008.1.2.4.55"      ExplicitLittle         Lossy    JPEG   "JPEG Full Progression, Non-Hierarchical (Process 10 & 12) (Retired)";
    "1.2.840.10008.1.2.4.56"      ExplicitLittle         Lossy    JPEG   "JPEG Full Progression, Non-Hierarchical (Process 11 & 13) (Retired)";
    "1.2.840.10008.1.2.4.59"      ExplicitLittle         Lossy    JPEG   "JPEG Extended, Hierarchical (Process 16 & 18) (Retired)";
    "1.2.840.10008.1.2.4.60"      ExplicitLittle         Lossy    JPEG   "JPEG Extended, Hierarchical (Process 17 & 19) (Retired)";
    "1.2.840.10008.1.2.4.61"      ExplicitLittle         Lossy    JPEG   "JPEG Spectral Selection, Hierarchical (Process 20 & 22) (Retired)";
    "1.2.840.10008.1.2.4.62"      ExplicitLittle         Lossy    JPEG   "JPEG Spectral Selection, Hierarchical (Process 21 & 23) (Retired)";
    "1.2.840.10008.1.2.4.63"      ExplicitLittle         Lossy    JPEG   "JPEG Full Progression, Hierarchical (Process 24 & 26) (Retired)";
    "1.2.840.10008.1.2.4.64"      ExplicitLittle         Lossy    JPEG   "JPEG Full Progression, Hierarchical (Process 25 & 27) (Retired)";
    "1.2.840.10008.1.2.4.100"     ExplicitLittle         Video    MPEG2  "MPEG2 Main Profile / Main Level";
    "1.2.840.10008.1.2.4.100.1"   ExplicitLittle         Video    MPEG2  "Fragmentable MPEG2 Main Profile / Main Level";
    "1.2.840.10008.1.2.4.101"     ExplicitLittle         Video    MPEG2  "MPEG2 Main Profile / High Level";
    "1.2.840.10008.1.2.4.101.1"   ExplicitLittle         Video    MPEG2  "Fragmentable MPEG2 Main Profile / High Level";
    "1.2.840.10008.1.2.4.102"     ExplicitLittle         Video    MP4    "MPEG-4 AVC/H.264 High Profile / Level 4.1";
    "1.2.840.10008.1.2.4.102.1"   ExplicitLittle         Video    MP4    "Fragmentable MPEG-4 AVC/H.264 High Profile / Level 4.1";
    "1.2.840.10008.1.2.4.103"     ExplicitLittle         Video    MP4    "MPEG-4 AVC/H.264 BD-compatible High Profile / Level 4.1";
    "1.2.840.10008.1.2.4.103.1"   ExplicitLittle         Video    MP4    "Fragmentable MPEG-4 AVC/H.264 BD-compatible High Profile / Level 4.1";
    "1.2.840.10008.1.2.4.104"     ExplicitLittle         Video    MP4    "MPEG-4 AVC/H.264 High Profile / Level 4.2 For 2D Video";
    "1.2.840.10008.1.2.4.104.1"   ExplicitLittle         Video    MP4    "Fragmentable MPEG-4 AVC/H.264 High Profile / Level 4.2 For 2D Video";
    "1.2.840.10008.1.2.4.105"     ExplicitLittle         Video    MP4    "MPEG-4 AVC/H.264 High Profile / Level 4.2 For 3D Video";
    "1.2.840.10008.1.2.4.105.1"   ExplicitLittle         Video    MP4    "Fragmentable MPEG-4 AVC/H.264 High Profile / Level 4.2 For 3D Video";
    "1.2.840.10008.1.2.4.106"     ExplicitLittle         Video    MP4    "MPEG-4 AVC/H.264 Stereo High Profile / Level 4.2";
    "1.2.840.10008.1.2.4.106.1"   ExplicitLittle         Video    MP4    "Fragmentable MPEG-4 AVC/H.264 Stereo High Profile / Level 4.2";
    "1.2.840.10008.1.2.4.107"     ExplicitLittle         Video    H265   "HEVC/H.265 Main Profile / Level 5.1";
    "1.2.840.10008.1.2.4.108"     ExplicitLittle         Video    H265   "HEVC/H.265 Main 10 Profile / Level 5.1";
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_syntax_is_listed_once_and_native_ones_come_first() {
        let uids: HashSet<_> = TABLE.iter().map(|syntax| syntax.uid().to_string()).collect();
        assert_eq!(uids.len(), TABLE.len());
        let first_encapsulated = TABLE.iter().position(|syntax| !syntax.is_native());
        assert_eq!(first_encapsulated, Some(4));
    }

    #[test]
    fn what_encodes_no_data_set_is_not_listed() {
        for uid in [
            "1.2.840.10008.1.2.4.94",
            "1.2.840.10008.1.2.4.205",
            "1.2.840.10008.1.2.6.1",
            "1.2.840.10008.1.2.7.1",
            "1.2.840.10008.1.20",
        ] {
            assert!(lookup(uid).is_none(), "{uid}");
        }
    }
}
