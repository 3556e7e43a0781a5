//! The beginning of a file that somebody else wrote (PS3.10 §7.1): preamble, prefix, File Meta
//! Information. Only three UIDs are taken from it; the rest is dropped, because an archive writes its
//! own. Nothing here trusts a length: the meta ends where its last element ends, whatever it says, because
//! group 0002 is never part of a data set. Writers leave the group length at zero, or add an element and
//! forget it; DCMTK and pydicom read such files too.
//!
//! Files without a preamble, with a file meta in Implicit VR, and bare data sets exist, and are read.

use super::transfer_syntax::{
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_BIG_ENDIAN, EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN,
};
use super::uid::{SopClassUid, SopInstanceUid, TransferSyntaxUid};
use super::vr;

/// Preamble and file meta may be so long. Private Information (0002,0102) is all that could be large.
pub const LONGEST: usize = 64 << 10;
const PREAMBLE: usize = 128;
const PREFIX: &[u8] = b"DICM";
/// Tag, Value Representation, length.
const ELEMENT: usize = 8;

/// What precedes a data set.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FileMeta {
    /// (0002,0002), when it is a UID.
    pub sop_class_uid: Option<SopClassUid>,
    /// (0002,0003), when it is a UID.
    pub sop_instance_uid: Option<SopInstanceUid>,
    /// (0002,0010), when it is a UID.
    pub transfer_syntax_uid: Option<TransferSyntaxUid>,
    /// Where the data set begins.
    pub dataset_offset: usize,
}

impl FileMeta {
    /// The first of its kind holds: what some device copied into its data set comes behind it.
    fn take(&mut self, element: u16, text: &str) {
        match element {
            0x0002 if self.sop_class_uid.is_none() => self.sop_class_uid = SopClassUid::parse(text).ok(),
            0x0003 if self.sop_instance_uid.is_none() => self.sop_instance_uid = SopInstanceUid::parse(text).ok(),
            0x0010 if self.transfer_syntax_uid.is_none() => {
                self.transfer_syntax_uid = TransferSyntaxUid::parse(text).ok();
            }
            _ => {}
        }
    }

    fn is_deflated(&self) -> bool {
        self.transfer_syntax_uid.as_ref().is_some_and(|uid| uid.as_str() == DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN)
    }
}

/// Why the beginning of a file is not understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FileMetaError {
    #[error("the file ends within its File Meta Information")]
    Truncated,
    #[error("the File Meta Information is longer than 64 KiB")]
    TooLong,
    #[error("the File Meta Information is malformed")]
    Malformed,
}

/// Reads the beginning of a file from its first bytes; `None` when more are needed, which does not happen
/// once they are all there is (`complete`) or are more than [`LONGEST`].
pub fn read(bytes: &[u8], complete: bool) -> Result<Option<FileMeta>, FileMetaError> {
    let start = match bytes.get(PREAMBLE..PREAMBLE + PREFIX.len()) {
        Some(prefix) if prefix == PREFIX => PREAMBLE + PREFIX.len(),
        None if !complete => return Ok(None),
        _ if bytes.starts_with(PREFIX) => PREFIX.len(),
        // A file meta without anything before it, or a bare data set.
        _ => 0,
    };
    let mut meta = FileMeta { dataset_offset: start, ..FileMeta::default() };
    let mut stated_end = None;
    loop {
        let at = meta.dataset_offset;
        // What a deflated data set begins with may look like an element of group 0002: only there the group
        // length is believed.
        if stated_end == Some(at) && meta.is_deflated() {
            return Ok(Some(meta));
        }
        let rest = bytes.get(at..).unwrap_or_default();
        let group_ends = !rest.is_empty() && !rest.starts_with(&[2, 0]) && (rest.len() > 1 || !rest.starts_with(&[2]));
        if group_ends || (complete && rest.is_empty()) {
            return Ok(Some(meta));
        }
        let too_long = |at: usize| at.checked_sub(start).is_none_or(|length| length > LONGEST);
        if too_long(at) {
            return Err(FileMetaError::TooLong);
        }
        let Some((element, value_offset, length)) = header(rest)? else {
            return if complete { Err(FileMetaError::Truncated) } else { Ok(None) };
        };
        let end = at + value_offset + length;
        if too_long(end) {
            return Err(FileMetaError::TooLong);
        }
        let Some(value) = bytes.get(at + value_offset..end) else {
            return if complete { Err(FileMetaError::Truncated) } else { Ok(None) };
        };
        match (element, std::str::from_utf8(value)) {
            (0x0000, _) => stated_end = group_end(value, end),
            (_, Ok(text)) => meta.take(element, text.trim_start()),
            _ => {}
        }
        meta.dataset_offset = end;
    }
}

/// Element number, where the value begins, and its length; `None` when the header is not all there.
fn header(rest: &[u8]) -> Result<Option<(u16, usize, usize)>, FileMetaError> {
    let Some((head, after)) = rest.split_first_chunk::<ELEMENT>() else { return Ok(None) };
    let [_, _, low, high, vr @ .., short_low, short_high] = *head;
    let element = u16::from_le_bytes([low, high]);
    if !vr.iter().all(u8::is_ascii_uppercase) {
        let [first, second] = vr;
        return Ok(Some((element, ELEMENT, length([first, second, short_low, short_high])?)));
    }
    if !vr::from_code(vr).is_none_or(vr::has_long_length) {
        return Ok(Some((element, ELEMENT, usize::from(u16::from_le_bytes([short_low, short_high])))));
    }
    let Some((long, _)) = after.split_first_chunk::<4>() else { return Ok(None) };
    Ok(Some((element, ELEMENT + 4, length(*long)?)))
}

fn length(bytes: [u8; 4]) -> Result<usize, FileMetaError> {
    match u32::from_le_bytes(bytes) {
        // No element of the file meta may have an undefined length.
        u32::MAX => Err(FileMetaError::Malformed),
        length => usize::try_from(length).map_err(|_| FileMetaError::TooLong),
    }
}

fn group_end(value: &[u8], from: usize) -> Option<usize> {
    let length = u32::from_le_bytes(value.try_into().ok()?);
    from.checked_add(usize::try_from(length).ok()?)
}

/// The native transfer syntax in which a data set of unknown encoding seems to be written, by its first
/// element; `None` when there is none. A deflated one cannot be told.
pub fn guess(dataset: &[u8]) -> Option<&'static str> {
    let (head, _) = dataset.split_first_chunk::<6>()?;
    let [group_low, group_high, _, _, vr @ ..] = *head;
    if vr::from_code(vr).is_none() {
        return Some(IMPLICIT_VR_LITTLE_ENDIAN);
    }
    // The first group of a data set is a small number (0008, if not 0004).
    let big_endian = group_low == 0 && group_high != 0;
    Some(if big_endian { EXPLICIT_VR_BIG_ENDIAN } else { EXPLICIT_VR_LITTLE_ENDIAN })
}

#[cfg(test)]
mod tests;
