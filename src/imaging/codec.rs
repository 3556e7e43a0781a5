//! One compressed frame in, its samples out, or the other way round. Runs in the decode worker only: what is
//! read here was written by strangers, and most codecs are C or C++ (`imaging::worker`).

mod deflate;
mod jpeg;
mod jpeg_2000;
mod jpeg_2000_write;
mod jpeg_header;
mod jpeg_ls;
mod jpeg_write;
mod jpeg_xl;
mod native;
mod rle;

use std::cmp::Ordering;

/// How a frame is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    /// Every process of ISO/IEC 10918-1 but the hierarchical ones.
    Jpeg,
    JpegLs,
    /// Parts 1 and 15 (High-Throughput).
    Jpeg2000,
    JpegXl,
    Rle,
    /// Deflated Image Frame Compression (PS3.5 §A.4.13).
    Deflate,
}

/// How a frame is to be compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoder {
    Rle,
    /// Process 14, Selection Value 1.
    JpegLossless,
    /// How far values may be off; 0 without loss.
    JpegLs(u8),
    /// About how many times smaller; 0 without loss.
    Jpeg2000(u8),
    /// Process 1 in this quality, 1 to 100.
    JpegBaseline(u8),
}

/// What is done with a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    Decode(Codec),
    Encode(Encoder),
}

/// What the data set says about the frame, and which memory the answer may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Declared {
    pub rows: u32,
    pub columns: u32,
    pub samples: u16,
    pub bits_allocated: u16,
    pub bits_stored: u16,
    pub signed: bool,
    pub planar: bool,
    /// The photometric interpretation says that samples are red, green and blue.
    pub rgb: bool,
    /// How often a JPEG 2000 codestream is halved while it is decoded; `rows` and `columns` are what comes out.
    pub halvings: u8,
}

/// A decoded frame: little endian, no padding. Or a codestream, and what its samples are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Samples {
    pub bytes: Vec<u8>,
    /// 1, 8, 16 or 32.
    pub bits_allocated: u16,
    pub bits_stored: u16,
    pub planar: bool,
    /// The decoder made red, green and blue of what was there; else the photometric interpretation of the
    /// data set holds for the samples.
    pub to_rgb: bool,
    /// Something was lost when the frame was compressed, as far as the codestream tells.
    pub lossy: bool,
    /// Bits of a sample in the codestream.
    pub precision: u16,
}

/// Why there are no samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    #[error("the codestream is damaged")]
    Corrupt,
    #[error("the codestream ends too early")]
    Truncated,
    #[error("the codestream uses what no decoder here knows")]
    Unsupported,
    /// Width, height or number of components differ from Rows, Columns and Samples per Pixel.
    #[error("the codestream holds another image than the data set declares")]
    Mismatch,
}

impl Codec {
    /// The codec of a transfer syntax whose frames are compressed; `None` for native and video ones, and for
    /// those that no decoder here knows.
    pub fn of(uid: &str) -> Option<Self> {
        let own = uid.strip_prefix("1.2.840.10008.1.2.")?;
        Some(match own {
            "4.50" | "4.51" | "4.52" | "4.53" | "4.54" | "4.55" | "4.56" | "4.57" | "4.58" | "4.70" => Self::Jpeg,
            "4.80" | "4.81" => Self::JpegLs,
            "4.90" | "4.91" | "4.92" | "4.93" | "4.201" | "4.202" | "4.203" => Self::Jpeg2000,
            "4.110" | "4.111" | "4.112" => Self::JpegXl,
            "5" => Self::Rle,
            "8.1" => Self::Deflate,
            _ => return None,
        })
    }
}

impl Declared {
    fn area(&self) -> usize {
        // Rows and Columns were checked against PIXELS_MAX.
        self.rows as usize * self.columns as usize
    }
    fn count(&self) -> usize {
        self.area() * usize::from(self.samples)
    }
    /// The container for samples of `precision` bits that keeps the meaning of Bits Stored.
    fn container(&self, precision: u32) -> u16 {
        match precision.max(u32::from(self.bits_allocated)) {
            0..=8 => 8,
            9..=16 => 16,
            _ => 32,
        }
    }
    /// Bits that hold a value, of a decoder that gave `precision` bits of which `used` are set somewhere.
    fn stored(&self, precision: u32, used: u32, lossy: bool) -> u16 {
        let declared = self.bits_stored.clamp(1, self.bits_allocated.max(1));
        let believed = u16::try_from(precision).unwrap_or(declared).max(declared);
        let exceeded = used.checked_shr(declared.into()).unwrap_or(0) != 0;
        match precision.cmp(&self.bits_allocated.into()) {
            // The sign stands where Bits Stored says, whether or not an encoder extended it.
            _ if self.signed => declared,
            Ordering::Greater => believed,
            _ if !exceeded => declared,
            // Who encodes all bits of a container keeps what stands above Bits Stored there, an overlay or
            // whatever a device left; it is no part of the value (PS3.5 §8.1.1).
            Ordering::Equal if !lossy => declared,
            // Bits Stored is wrong: cutting would fold bright into dark.
            _ => believed,
        }
    }
    fn samples_of(&self, values: impl Iterator<Item = i32>, precision: u32, lossy: bool) -> Samples {
        let bits_allocated = self.container(precision);
        let mut used = 0;
        let values = values.inspect(|value| used |= *value as u32);
        let mut bytes = Vec::with_capacity(self.count() * usize::from(bits_allocated / 8));
        match bits_allocated {
            8 => bytes.extend(values.map(|value| value as u8)),
            16 => values.for_each(|value| bytes.extend_from_slice(&(value as u16).to_le_bytes())),
            _ => values.for_each(|value| bytes.extend_from_slice(&value.to_le_bytes())),
        }
        let bits_stored = self.stored(precision, used, lossy);
        let precision = u16::try_from(precision).unwrap_or(u16::MAX);
        Samples { bytes, bits_allocated, bits_stored, planar: false, to_rgb: false, lossy, precision }
    }
}

/// Decodes one frame. The answer has exactly the samples that `declared` asks for.
pub fn decode(codec: Codec, declared: &Declared, bytes: &[u8]) -> Result<Samples, DecodeError> {
    match codec {
        Codec::Jpeg => jpeg::decode(declared, bytes),
        Codec::JpegLs => jpeg_ls::decode(declared, bytes),
        Codec::Jpeg2000 => jpeg_2000::decode(declared, bytes),
        Codec::JpegXl => jpeg_xl::decode(declared, bytes),
        Codec::Rle => rle::decode(declared, bytes),
        Codec::Deflate => deflate::decode(declared, bytes),
    }
}

/// How often a codestream can be halved and still be no smaller than `wanted`, in columns and rows; 0 for what
/// is no bare JPEG 2000.
pub fn halvings(codec: Codec, stream: &[u8], whole: (u32, u32), wanted: (u32, u32)) -> u8 {
    let levels = if codec == Codec::Jpeg2000 { jpeg_2000::levels(stream).unwrap_or(0) } else { 0 };
    let fits = |times: &u8| whole.0 >> times >= wanted.0.max(1) && whole.1 >> times >= wanted.1.max(1);
    (1..=levels.min(HALVINGS_MAX)).take_while(fits).last().unwrap_or(0)
}

/// 40 megapixels are 6,000 x 6,000.
const HALVINGS_MAX: u8 = 8;

/// Encodes one native frame, little endian, of the shape that `declared` says.
pub fn encode(encoder: Encoder, declared: &Declared, bytes: &[u8]) -> Result<Samples, DecodeError> {
    let native = native::Native::of(declared, bytes)?;
    // RLE keeps bytes as they are, the others keep values.
    let native = if encoder == Encoder::Rle { native } else { native.with_signs() };
    let bytes = match encoder {
        Encoder::Rle => rle::encode(&native)?,
        Encoder::JpegLossless => jpeg_write::lossless(&native)?,
        Encoder::JpegLs(near) => jpeg_ls::encode(&native, near)?,
        Encoder::Jpeg2000(ratio) => jpeg_2000_write::encode(&native, ratio)?,
        Encoder::JpegBaseline(quality) => jpeg_write::baseline(&native, quality)?,
    };
    let (bits_allocated, bits_stored) =
        (declared.bits_allocated, declared.bits_stored.clamp(1, declared.bits_allocated));
    let precision = bits_stored;
    Ok(Samples { bytes, bits_allocated, bits_stored, planar: false, to_rgb: false, lossy: false, precision })
}

/// The samples of each pixel side by side.
pub fn woven(declared: &Declared, bytes: &[u8]) -> Vec<u8> {
    native::Native::of(declared, bytes).map_or_else(|_| bytes.to_vec(), |native| native.bytes.into_owned())
}

/// Does one or the other.
pub fn run(task: Task, declared: &Declared, bytes: &[u8]) -> Result<Samples, DecodeError> {
    match task {
        Task::Decode(codec) => decode(codec, declared, bytes),
        Task::Encode(encoder) => encode(encoder, declared, bytes),
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(super) fn declared(columns: u32, rows: u32, samples: u16, allocated: u16) -> Declared {
    Declared {
        rows,
        columns,
        samples,
        bits_allocated: allocated,
        bits_stored: allocated,
        signed: false,
        planar: false,
        rgb: samples == 3,
        halvings: 0,
    }
}
