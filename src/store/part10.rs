//! The file format around a data set (PS3.10 §7.1): a preamble of zeros, `DICM`, the file meta
//! information. A pure function of three UIDs: the digest over the whole file names the data set as well.

use crate::domain::implementation::{IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME};
use crate::domain::uid::{SopClassUid, SopInstanceUid, TransferSyntaxUid};

/// Everything that precedes the data set. A received preamble is never kept: it can hold a program
/// (CVE-2019-11687), and C-STORE has none.
pub fn header(class: &SopClassUid, instance: &SopInstanceUid, syntax: &TransferSyntaxUid) -> Vec<u8> {
    let mut meta = Vec::with_capacity(256);
    long(&mut meta, 0x0001, b"OB", &[0x00, 0x01]);
    short(&mut meta, 0x0002, b"UI", class.as_str().as_bytes(), 0);
    short(&mut meta, 0x0003, b"UI", instance.as_str().as_bytes(), 0);
    short(&mut meta, 0x0010, b"UI", syntax.as_str().as_bytes(), 0);
    short(&mut meta, 0x0012, b"UI", IMPLEMENTATION_CLASS_UID.as_bytes(), 0);
    short(&mut meta, 0x0013, b"SH", IMPLEMENTATION_VERSION_NAME.as_bytes(), b' ');

    let mut header = vec![0; 128];
    header.extend_from_slice(b"DICM");
    short(&mut header, 0x0000, b"UL", &u32::try_from(meta.len()).unwrap_or(u32::MAX).to_le_bytes(), 0);
    header.append(&mut meta);
    header
}

/// The UIDs of a header that [`header`] wrote, and its length; `None` for any other bytes.
pub fn parse(file_start: &[u8]) -> Option<(SopClassUid, SopInstanceUid, TransferSyntaxUid, usize)> {
    let mut rest = file_start.get(132..)?;
    let mut value = |element: u16| {
        let (head, after) = rest.split_at_checked(8)?;
        let long = head.get(4..6)? == b"OB";
        let (length, after) = if long {
            let (length, after) = after.split_at_checked(4)?;
            (usize::try_from(u32::from_le_bytes(length.try_into().ok()?)).ok()?, after)
        } else {
            (usize::from(u16::from_le_bytes(head.get(6..8)?.try_into().ok()?)), after)
        };
        let tag_fits = head.get(..2)? == [2, 0] && head.get(2..4)? == element.to_le_bytes();
        let (value, after) = after.split_at_checked(length)?;
        rest = after;
        if tag_fits { Some(value) } else { None }
    };
    let text = std::str::from_utf8;
    value(0x0000)?;
    value(0x0001)?;
    let class = SopClassUid::parse(text(value(0x0002)?).ok()?).ok()?;
    let instance = SopInstanceUid::parse(text(value(0x0003)?).ok()?).ok()?;
    let syntax = TransferSyntaxUid::parse(text(value(0x0010)?).ok()?).ok()?;
    let written = header(&class, &instance, &syntax);
    let length = written.len();
    (file_start.get(..length)? == written).then_some((class, instance, syntax, length))
}

/// An element with a 16-bit length. A UID has at most 64 characters, so it always fits.
fn short(into: &mut Vec<u8>, element: u16, vr: &[u8; 2], value: &[u8], padding: u8) {
    let padded = value.len() + value.len() % 2;
    into.extend_from_slice(&[2, 0]);
    into.extend_from_slice(&element.to_le_bytes());
    into.extend_from_slice(vr);
    into.extend_from_slice(&u16::try_from(padded).unwrap_or(u16::MAX).to_le_bytes());
    into.extend_from_slice(value);
    into.resize(into.len() + value.len() % 2, padding);
}

/// An element with a 32-bit length (PS3.5 §7.1.2: OB).
fn long(into: &mut Vec<u8>, element: u16, vr: &[u8; 2], value: &[u8]) {
    into.extend_from_slice(&[2, 0]);
    into.extend_from_slice(&element.to_le_bytes());
    into.extend_from_slice(vr);
    into.extend_from_slice(&[0, 0]);
    into.extend_from_slice(&u32::try_from(value.len()).unwrap_or(u32::MAX).to_le_bytes());
    into.extend_from_slice(value);
}

#[cfg(test)]
mod tests {
    use super::*;
    use dicom_object::FileMetaTable;

    fn uids(instance: &str) -> (SopClassUid, SopInstanceUid, TransferSyntaxUid) {
        (
            SopClassUid::parse("1.2.840.10008.5.1.4.1.1.2").unwrap(),
            SopInstanceUid::parse(instance).unwrap(),
            TransferSyntaxUid::parse("1.2.840.10008.1.2.1").unwrap(),
        )
    }

    #[test]
    fn another_implementation_reads_every_field_and_ends_where_the_data_set_begins() {
        let longest = "1".repeat(64);
        for instance in ["1", "1.2", longest.as_str()] {
            let (class, instance, syntax) = uids(instance);
            let bytes = header(&class, &instance, &syntax);
            let mut rest = bytes.get(128..).unwrap();
            let table = FileMetaTable::from_reader(&mut rest).unwrap();
            assert!(rest.is_empty(), "the group length counts to the last byte");
            assert_eq!(table.media_storage_sop_class_uid(), class.as_str());
            assert_eq!(table.media_storage_sop_instance_uid(), instance.as_str());
            assert_eq!(table.transfer_syntax(), syntax.as_str());
            assert_eq!(table.implementation_class_uid(), IMPLEMENTATION_CLASS_UID);
            assert!(bytes.iter().take(128).all(|byte| *byte == 0));
            assert_eq!(bytes.len() % 2, 0);
        }
    }

    #[test]
    fn only_our_own_header_is_parsed_back() {
        let (class, instance, syntax) = uids("1.2.3");
        let bytes = header(&class, &instance, &syntax);
        let (.., length) = parse(&bytes).unwrap();
        assert_eq!(length, bytes.len());
        for index in 0..bytes.len() {
            let mut other = bytes.clone();
            if let Some(byte) = other.get_mut(index) {
                *byte ^= 0x80;
            }
            assert!(parse(&other).is_none(), "byte {index}");
            assert!(parse(bytes.get(..index).unwrap()).is_none());
        }
    }
}
