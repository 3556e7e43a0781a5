//! Why a frame is not shown. Each variant is a fault the caller can tell apart; none holds a value of
//! the data set beyond what the Image Pixel Module declares about its shape.

#[derive(Debug, thiserror::Error)]
pub enum ImagingError {
    /// The frame is compressed and was not decoded.
    #[error("the frame could not be decoded: {0}")]
    NotDecoded(#[from] super::worker::DecodeFailure),
    /// The transfer syntax that is asked for has no room for such an image (PS3.5 §8.2).
    #[error("the image cannot be written as {syntax}: {reason}")]
    NotEncodable { syntax: &'static str, reason: &'static str },
    /// Decoders have had too much to do for `limits.decode_wait`.
    #[error("every decoder is busy")]
    Busy,
    /// What the Image Pixel Module declares cannot be (PS3.3 §C.7.6.3), or is beyond what we show.
    #[error("the image cannot be shown: {0}")]
    Unsupported(&'static str),
    #[error("the image is larger than {max_megapixels} megapixels")]
    TooLarge { max_megapixels: u32 },
    /// The frame has fewer bytes than Rows, Columns, Samples per Pixel and Bits Allocated ask for.
    #[error("the frame is shorter than its declared size")]
    Truncated,
    /// The region of a viewport holds no pixel of the frame.
    #[error("the region lies outside the frame")]
    OutsideTheFrame,
    #[error("there is no such frame")]
    NoSuchFrame,
    /// No instance that is meant has pixel data that can be shown.
    #[error("there is nothing that could be shown as a picture")]
    NothingToShow,
    #[error("the display attributes cannot be read")]
    Attributes(#[from] serde_json::Error),
    #[error("the picture could not be written")]
    Encode(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("the picture could not be read from the archive")]
    Archive(#[source] Box<dyn std::error::Error + Send + Sync>),
}
