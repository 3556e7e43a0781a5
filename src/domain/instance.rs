//! What is known of one instance after its data set went by once. These values cross every room: the
//! reading pass makes them, the index keeps them, retrieval and packages are computed from them.

use super::attributes::{Attributes, tags};
use super::level::Level;
use super::metadata::Metadata;
use super::uid::{SeriesInstanceUid, SopClassUid, SopInstanceUid, StudyInstanceUid, TransferSyntaxUid};
use dicom_core::{Tag, VR};
use std::ops::Range;

/// The facts of one data set: identity, searchable attributes, where its frames are, its JSON.
#[derive(Debug, Clone)]
pub struct InstanceFacts {
    pub sop_class_uid: SopClassUid,
    pub sop_instance_uid: SopInstanceUid,
    pub study_instance_uid: StudyInstanceUid,
    pub series_instance_uid: SeriesInstanceUid,
    /// Every top-level attribute of the table in `domain::attributes`, in UTF-8.
    pub attributes: Attributes,
    pub pixels: Option<PixelFacts>,
    pub metadata: Metadata,
}

impl InstanceFacts {
    /// Patient ID (0010,0020) and Issuer of Patient ID (0010,0021), empty when absent.
    pub fn patient(&self) -> (&str, &str) {
        let value = |tag| self.attributes.first(tag).unwrap_or_default();
        (value(tags::PATIENT_ID), value(tags::ISSUER_OF_PATIENT_ID))
    }
}

/// The Image Pixel Module (PS3.3 §C.7.6.3) and where the data is. Values are as declared: nothing here
/// has been checked against the bytes except that `value` lies inside the data set.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct PixelFacts {
    pub rows: u32,
    pub columns: u32,
    pub samples_per_pixel: u16,
    pub bits_allocated: u16,
    pub bits_stored: u16,
    pub high_bit: u16,
    /// 0 unsigned, 1 two's complement.
    pub pixel_representation: u16,
    pub planar_configuration: u16,
    pub photometric_interpretation: String,
    /// 1 when the attribute is absent.
    pub number_of_frames: u32,
    /// Bytes of the value of Pixel Data (7FE0,0010), or Float (0008) / Double Float (0009) Pixel Data,
    /// counted from the first byte of the data set (for a deflated one: of the inflated data set).
    pub value: Range<u64>,
    /// The element number within group 7FE0: 0x0010, 0x0008 or 0x0009.
    pub element: u16,
    pub frames: FrameTable,
}

/// Where each frame is, counted like [`PixelFacts::value`].
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum FrameTable {
    /// Frame n (from 0) begins `n * frame_bits` bits after the start of the value.
    Native { frame_bits: u64 },
    /// The fragments of each frame without their item headers, in order (PS3.5 §A.4); frames are told
    /// apart by the Basic or Extended Offset Table, or by counting.
    Encapsulated { frames: Vec<Vec<Range<u64>>> },
}

/// A value that the JSON leaves out and names by a BulkDataURI (PS3.18 §F.2.6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BulkValue {
    /// `7FE00010`, or for values in sequences `00400555/0/0040A123`: tag, item number from 0, tag...
    pub path: String,
    pub vr: VR,
    /// Counted like [`PixelFacts::value`]. Of encapsulated pixel data: all items, with their headers.
    pub value: Range<u64>,
}

/// An instance file as the store keeps it: preamble, file meta, the data set as received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredFile {
    /// Relative to `data_dir`, for example `objects/0001/<sha256>.dcm`.
    pub path: String,
    pub size_bytes: u64,
    pub crc32: u32,
    pub sha256: [u8; 32],
    /// Where the data set begins in the file.
    pub dataset_offset: u32,
    pub transfer_syntax_uid: TransferSyntaxUid,
}

/// Names a study, a series or one instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selector {
    pub study: StudyInstanceUid,
    pub series: Option<SeriesInstanceUid>,
    pub instance: Option<SopInstanceUid>,
}

impl Selector {
    pub fn level(&self) -> Level {
        match (&self.series, &self.instance) {
            (_, Some(_)) => Level::Instance,
            (Some(_), None) => Level::Series,
            (None, None) => Level::Study,
        }
    }
}

/// `ggggeeee` in upper case hex, as DICOM JSON and URLs write a tag (PS3.18 §F.2.2).
pub fn hex_tag(tag: Tag) -> String {
    format!("{:04X}{:04X}", tag.0, tag.1)
}
