//! The stored DICOM JSON of an instance, and how the JSON of many is put together without parsing or
//! compressing anything again.
//!
//! The JSON text of an instance is deflated once, at ingest, and each deflated piece ends with a full
//! flush: it refers to nothing before it, and ends on a byte edge. So pieces of different instances can
//! be written one after the other into one valid gzip stream (RFC 1951 §3.2.3, RFC 1952). Text that is
//! only known when asked for, BulkDataURIs and the commas of the array, goes between as stored blocks.

mod assembler;
mod encoder;
mod whole;

pub use assembler::{Assembler, Form};
pub(crate) use encoder::{Encoder, quote};

use super::instance::BulkValue;
use bytes::{Buf, Bytes};
use dicom_core::VR;

/// The JSON object of one instance: a deflated piece, a BulkDataURI, a piece, ... a piece.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Metadata {
    /// One more than `bulk`; the text of piece n ends right before the URI of value n.
    pub pieces: Vec<Piece>,
    pub bulk: Vec<BulkValue>,
}

/// Raw deflate blocks, none of them final, ended by a full flush.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Piece {
    pub deflated: Bytes,
    /// Of the text.
    pub length: u64,
    pub crc32: u32,
}

/// A stored blob that is not what this version, or an older one, wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("stored metadata is damaged")]
pub struct MetadataError;

/// First byte of the blob: the layout below.
const LAYOUT: u8 = 1;

impl Metadata {
    /// The blob that the index keeps.
    pub fn to_bytes(&self) -> Vec<u8> {
        let deflated: usize = self.pieces.iter().map(|piece| piece.deflated.len()).sum();
        let mut out = Vec::with_capacity(deflated + 32 * (self.pieces.len() + self.bulk.len()) + 16);
        out.push(LAYOUT);
        write_varint(&mut out, self.bulk.len() as u64);
        for value in &self.bulk {
            write_varint(&mut out, value.path.len() as u64);
            out.extend_from_slice(value.path.as_bytes());
            out.extend_from_slice(&value.vr.to_bytes());
            write_varint(&mut out, value.value.start);
            write_varint(&mut out, value.value.end.saturating_sub(value.value.start));
        }
        for piece in &self.pieces {
            write_varint(&mut out, piece.deflated.len() as u64);
            write_varint(&mut out, piece.length);
            out.extend_from_slice(&piece.crc32.to_le_bytes());
        }
        for piece in &self.pieces {
            out.extend_from_slice(&piece.deflated);
        }
        out
    }

    /// Reads a blob of [`Metadata::to_bytes`]; the pieces share its memory.
    pub fn from_bytes(blob: impl Into<Bytes>) -> Result<Self, MetadataError> {
        let mut rest: Bytes = blob.into();
        if rest.try_get_u8().ok() != Some(LAYOUT) {
            return Err(MetadataError);
        }
        let values = read_length(&mut rest)?;
        let mut bulk = Vec::with_capacity(values);
        for _ in 0..values {
            let length = read_length(&mut rest)?;
            let path = String::from_utf8(take(&mut rest, length)?.to_vec()).map_err(|_| MetadataError)?;
            let code = take(&mut rest, 2)?;
            let vr = code.first_chunk::<2>().and_then(|code| VR::from_binary(*code)).ok_or(MetadataError)?;
            let start = read_varint(&mut rest)?;
            let end = start.checked_add(read_varint(&mut rest)?).ok_or(MetadataError)?;
            bulk.push(BulkValue { path, vr, value: start..end });
        }
        let mut heads = Vec::with_capacity(values + 1);
        for _ in 0..=values {
            let stored = read_length(&mut rest)?;
            let length = read_varint(&mut rest)?;
            heads.push((stored, length, rest.try_get_u32_le().map_err(|_| MetadataError)?));
        }
        let mut pieces = Vec::with_capacity(heads.len());
        for (stored, length, crc32) in heads {
            pieces.push(Piece { deflated: take(&mut rest, stored)?, length, crc32 });
        }
        if rest.is_empty() { Ok(Self { pieces, bulk }) } else { Err(MetadataError) }
    }

    /// Only the places of the bulk values: what a request for one of them needs.
    pub fn bulk_value(&self, path: &str) -> Option<&BulkValue> {
        self.bulk.iter().find(|value| value.path == path)
    }
}

fn take(rest: &mut Bytes, length: usize) -> Result<Bytes, MetadataError> {
    if length <= rest.len() { Ok(rest.split_to(length)) } else { Err(MetadataError) }
}

/// A length or count of what follows, so never more than what is left.
fn read_length(rest: &mut Bytes) -> Result<usize, MetadataError> {
    let length = usize::try_from(read_varint(rest)?).map_err(|_| MetadataError)?;
    if length <= rest.len() { Ok(length) } else { Err(MetadataError) }
}

fn read_varint(rest: &mut Bytes) -> Result<u64, MetadataError> {
    let (value, used) = super::varint::read(rest).ok_or(MetadataError)?;
    rest.advance(used);
    Ok(value)
}

fn write_varint(out: &mut Vec<u8>, value: u64) {
    super::varint::write(out, value);
}

#[cfg(test)]
mod tests;
