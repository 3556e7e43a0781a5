//! What instances can be transcoded to.

use crate::domain::instance::{FrameTable, PixelFacts};
use crate::domain::transfer_syntax::{EXPLICIT_VR_LITTLE_ENDIAN, TABLE, TransferSyntax};
use crate::imaging::ImagingError;
use crate::imaging::codec::Encoder;

/// How far values of JPEG-LS with loss may be off, how many times smaller JPEG 2000 with loss becomes, and the
/// quality of JPEG: fixed, so that the same ask gets the same bytes.
const NEAR: u8 = 2;
const RATIO: u8 = 10;
const QUALITY: u8 = 90;

/// A transfer syntax that we write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    ExplicitLittle,
    JpegLossless,
    JpegLs,
    Jpeg2000,
    Rle,
    JpegBaseline,
    JpegLsNear,
    Jpeg2000Lossy,
}

use Target::*;

impl Target {
    /// Those without loss come first.
    pub const ALL: [Self; 8] =
        [ExplicitLittle, JpegLs, Jpeg2000, Rle, JpegLossless, JpegBaseline, JpegLsNear, Jpeg2000Lossy];

    pub fn of(uid: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|target| target.uid() == uid)
    }

    pub const fn uid(self) -> &'static str {
        match self {
            ExplicitLittle => EXPLICIT_VR_LITTLE_ENDIAN,
            JpegLossless => "1.2.840.10008.1.2.4.70",
            JpegLs => "1.2.840.10008.1.2.4.80",
            Jpeg2000 => "1.2.840.10008.1.2.4.90",
            Rle => "1.2.840.10008.1.2.5",
            JpegBaseline => "1.2.840.10008.1.2.4.50",
            JpegLsNear => "1.2.840.10008.1.2.4.81",
            Jpeg2000Lossy => "1.2.840.10008.1.2.4.91",
        }
    }

    pub fn syntax(self) -> &'static TransferSyntax {
        let uid = self.uid();
        // A test looks up every one.
        TABLE.iter().find(|syntax| syntax.uid == uid).unwrap_or_else(|| unreachable!("table of transfer syntaxes"))
    }

    pub const fn is_lossy(self) -> bool {
        matches!(self, JpegBaseline | JpegLsNear | Jpeg2000Lossy)
    }

    /// Lossy Image Compression Method (0028,2114), by PS3.3 §C.7.6.1.1.5.1.
    pub(super) const fn method(self) -> &'static str {
        match self {
            JpegLsNear => "ISO_14495_1",
            Jpeg2000Lossy => "ISO_15444_1",
            _ => "ISO_10918_1",
        }
    }

    pub(super) const fn encoder(self) -> Option<Encoder> {
        Some(match self {
            ExplicitLittle => return None,
            JpegLossless => Encoder::JpegLossless,
            JpegLs => Encoder::JpegLs(0),
            Jpeg2000 => Encoder::Jpeg2000(0),
            Rle => Encoder::Rle,
            JpegBaseline => Encoder::JpegBaseline(QUALITY),
            JpegLsNear => Encoder::JpegLs(NEAR),
            Jpeg2000Lossy => Encoder::Jpeg2000(RATIO),
        })
    }

    /// What the derivation of a lossy instance was.
    pub(super) fn derivation(self) -> String {
        match self {
            JpegLsNear => format!("Lossy compression: JPEG-LS, near-lossless, NEAR={NEAR}"),
            Jpeg2000Lossy => format!("Lossy compression: JPEG 2000, about {RATIO}:1"),
            _ => format!("Lossy compression: JPEG baseline, quality {QUALITY}"),
        }
    }

    /// Whether the syntax can hold such an image (PS3.5 §8.2); what is refused here would be refused by the
    /// encoder too.
    pub(super) fn takes(self, pixels: &PixelFacts) -> Result<(), ImagingError> {
        let refused = |reason| Err(ImagingError::NotEncodable { syntax: self.syntax().name, reason });
        if self == ExplicitLittle {
            return Ok(());
        }
        let interpretation = pixels.photometric_interpretation.trim();
        let native = matches!(pixels.frames, FrameTable::Native { .. });
        match (self, pixels.bits_allocated) {
            _ if pixels.element != 0x0010 => refused("floating point pixels"),
            _ if native && interpretation.contains("_42") => refused("native frames with subsampled chrominance"),
            (_, bits) if !matches!(bits, 8 | 16 | 32) => refused("its bits allocated"),
            (JpegBaseline, 16 | 32) => refused("samples of more than 8 bits"),
            // Its samples have 8 bits (PS3.5 §8.2.1), and loss spills over fewer.
            (JpegBaseline, _) if pixels.bits_stored < 8 => refused("fewer than 8 bits stored"),
            _ if self.is_lossy() && pixels.high_bit >= pixels.bits_stored => refused("a High Bit above Bits Stored"),
            (Rle, _) => Ok(()),
            (_, 32) => refused("samples of more than 16 bits"),
            _ if self.is_lossy() && interpretation == "PALETTE COLOR" => refused("a palette, which takes no loss"),
            // JPEG-LS knows no sign: the lowest value could come out as the highest.
            (JpegBaseline | JpegLsNear, _) if pixels.pixel_representation == 1 => refused("signed samples"),
            _ => Ok(()),
        }
    }

    /// The Photometric Interpretation of what the encoder writes.
    pub(super) fn interpretation(self, decoded: &str, samples: u16) -> &str {
        match (self, decoded) {
            (Jpeg2000, "RGB") => "YBR_RCT",
            (Jpeg2000Lossy, "RGB") => "YBR_ICT",
            (JpegBaseline, _) if samples == 3 => "YBR_FULL_422",
            _ => decoded,
        }
    }
}
