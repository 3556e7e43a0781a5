//! Why a data set was not understood. Never holds a value of the data set, only attribute tags.

use dicom_core::Tag;
use std::fmt;

/// What is wrong with a data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The bytes end before the data set does.
    #[error("the data set ends too early")]
    Truncated,
    /// The bytes contradict PS3.5 in a way that cannot be read past.
    #[error("the data set is malformed: {fault}{}", At(*tag))]
    Malformed { fault: Fault, tag: Option<Tag> },
    /// A bound of the configuration is exceeded.
    #[error("the data set exceeds a limit: {limit}{}", At(*tag))]
    Limit { limit: Limit, tag: Option<Tag> },
    /// A UID that identifies the instance is missing or ill-formed (PS3.5 §9.1).
    #[error("UID missing or ill-formed{}", At(Some(*tag)))]
    Uid { tag: Tag },
}

impl ReadError {
    /// The attribute to name in Offending Element (0000,0901), as far as there is one.
    pub fn offending(&self) -> Option<Tag> {
        match self {
            Self::Truncated => None,
            Self::Malformed { tag, .. } | Self::Limit { tag, .. } => *tag,
            Self::Uid { tag } => Some(*tag),
        }
    }
    /// Pixel data is compressed, and the transfer syntax says that it is not.
    pub fn is_encapsulated(&self) -> bool {
        matches!(self, Self::Malformed { fault: Fault::Encapsulated, .. })
    }
    pub(crate) fn malformed(fault: Fault, tag: Tag) -> Self {
        Self::Malformed { fault, tag: Some(tag) }
    }
    pub(crate) fn limit(limit: Limit, tag: Tag) -> Self {
        Self::Limit { limit, tag: Some(tag) }
    }
}

/// The kinds of malformation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A defined length reaches past the item or sequence that holds the element.
    LengthExceedsParent,
    /// A Value Representation that cannot have an undefined length has one (PS3.5 §7.1.1).
    UndefinedLength,
    /// Something else than an item or its delimiter stands where items stand (PS3.5 §7.5).
    ItemExpected,
    /// An item or delimiter stands where an element stands.
    StrayDelimiter,
    /// Bytes other than zero follow the data set.
    TrailingBytes,
    /// The deflate stream is damaged (PS3.5 §A.5).
    Deflate,
    /// The value is encapsulated where the transfer syntax has native values only.
    Encapsulated,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LengthExceedsParent => "a length reaches past what holds the element",
            Self::UndefinedLength => "an undefined length where none may be",
            Self::ItemExpected => "a sequence holds something else than items",
            Self::StrayDelimiter => "a delimiter that ends nothing",
            Self::TrailingBytes => "bytes follow its end",
            Self::Deflate => "the deflated bytes are damaged",
            Self::Encapsulated => "an encapsulated value in a native transfer syntax",
        })
    }
}

/// The bounds of [`super::ReadLimits`], and those that are fixed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    SequenceDepth,
    Elements,
    InflatedSize,
    InflatedRatio,
    /// The compressed JSON of the attributes.
    Metadata,
    /// Values that the JSON leaves out.
    BulkValues,
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SequenceDepth => "sequences nested too deeply (limits.sequence_depth)",
            Self::Elements => "too many elements (limits.elements)",
            Self::InflatedSize => "too large when inflated (limits.inflated_size)",
            Self::InflatedRatio => "deflated too strongly (limits.inflated_ratio)",
            Self::Metadata => "attributes too large",
            Self::BulkValues => "too many bulk values",
        })
    }
}

/// ` at (gggg,eeee)`, or nothing.
struct At(Option<Tag>);

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(tag) => write!(f, " at ({:04X},{:04X})", tag.0, tag.1),
            None => Ok(()),
        }
    }
}
