//! A writer of small data sets of our own making in Explicit VR Little Endian (PS3.5 §7.1.2): the
//! DICOMDIR of a package and the phantom. What was received is never written anew.

use dicom_core::{Tag, VR};
use std::collections::BTreeMap;

/// Elements in ascending order of their tags, each value encoded and padded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Elements(BTreeMap<Tag, (VR, Vec<u8>)>);

impl Elements {
    /// A value as it is; padded with the VR's padding to even length. Replaces an earlier one.
    pub fn put(&mut self, tag: Tag, vr: VR, mut value: Vec<u8>) {
        if value.len() % 2 == 1 {
            value.push(if matches!(vr, VR::UI | VR::OB | VR::UN) { 0 } else { b' ' });
        }
        self.0.insert(tag, (vr, value));
    }
    /// Text of any VR; several values already joined by a backslash.
    pub fn text(&mut self, tag: Tag, vr: VR, value: &str) {
        self.put(tag, vr, value.as_bytes().to_vec());
    }
    pub fn us(&mut self, tag: Tag, value: u16) {
        self.put(tag, VR::US, value.to_le_bytes().to_vec());
    }
    pub fn ul(&mut self, tag: Tag, value: u32) {
        self.put(tag, VR::UL, value.to_le_bytes().to_vec());
    }
    /// A sequence with its items, all of explicit length (PS3.5 §7.5.1).
    pub fn sequence(&mut self, tag: Tag, items: &[Self]) {
        let mut value = Vec::new();
        for item in items {
            let bytes = item.to_bytes();
            value.extend_from_slice(&[0xFE, 0xFF, 0x00, 0xE0]);
            value.extend_from_slice(&length(bytes.len()).to_le_bytes());
            value.extend_from_slice(&bytes);
        }
        self.put(tag, VR::SQ, value);
    }
    pub fn contains(&self, tag: Tag) -> bool {
        self.0.contains_key(&tag)
    }
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
    /// The encoded length of all elements.
    pub fn encoded_len(&self) -> usize {
        self.0.values().map(|(vr, value)| header_len(*vr) + value.len()).sum()
    }
    /// Each element for itself.
    pub fn each(self) -> impl Iterator<Item = (Tag, Vec<u8>)> {
        self.0.into_iter().map(|(tag, element)| (tag, Self(BTreeMap::from([(tag, element)])).to_bytes()))
    }
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.encoded_len());
        for (tag, (vr, value)) in &self.0 {
            out.extend_from_slice(&tag.0.to_le_bytes());
            out.extend_from_slice(&tag.1.to_le_bytes());
            out.extend_from_slice(vr.to_string().as_bytes());
            if header_len(*vr) == 12 {
                out.extend_from_slice(&[0, 0]);
                out.extend_from_slice(&length(value.len()).to_le_bytes());
            } else {
                out.extend_from_slice(&u16::try_from(value.len()).unwrap_or(u16::MAX - 1).to_le_bytes());
            }
            let room = if header_len(*vr) == 12 { value.len() } else { value.len().min(usize::from(u16::MAX - 1)) };
            out.extend_from_slice(&value[..room]);
        }
        out
    }
}

/// Values of ours stay far below 4 GiB.
fn length(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX - 1)
}

/// PS3.5 Table 7.1-1 and 7.1-2.
fn header_len(vr: VR) -> usize {
    use VR::*;
    if matches!(vr, OB | OD | OF | OL | OV | OW | SQ | SV | UC | UN | UR | UT | UV) { 12 } else { 8 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_sorted_padded_and_read_back_by_another_reader() {
        let mut inner = Elements::default();
        inner.text(Tag(0x0008, 0x0100), VR::SH, "113000");
        let mut elements = Elements::default();
        elements.text(Tag(0x0020, 0x000D), VR::UI, "1.2.3");
        elements.text(Tag(0x0010, 0x0010), VR::PN, "A^B^C");
        elements.sequence(Tag(0x0040, 0xA043), &[inner]);
        elements.us(Tag(0x0028, 0x0010), 512);
        elements.put(Tag(0x7FE0, 0x0010), VR::OB, vec![1, 2, 3]);
        let bytes = elements.to_bytes();
        assert_eq!(bytes.len(), elements.encoded_len());
        let mut file = vec![0; 128];
        file.extend_from_slice(b"DICM");
        let mut meta = Elements::default();
        for (element, uid) in [(2, "1.2"), (3, "1.2.3"), (0x10, "1.2.840.10008.1.2.1"), (0x12, "1.2.4")] {
            meta.text(Tag(2, element), VR::UI, uid);
        }
        meta.put(Tag(2, 1), VR::OB, vec![0, 1]);
        meta.ul(Tag(2, 0), u32::try_from(meta.encoded_len()).unwrap());
        file.extend_from_slice(&meta.to_bytes());
        file.extend_from_slice(&bytes);
        let read = dicom_object::from_reader(file.as_slice()).unwrap();
        assert_eq!(read.element(Tag(0x0010, 0x0010)).unwrap().to_str().unwrap(), "A^B^C");
        assert_eq!(read.element(Tag(0x0028, 0x0010)).unwrap().to_int::<u16>().unwrap(), 512);
        assert_eq!(read.element(Tag(0x0040, 0xA043)).unwrap().items().unwrap().len(), 1);
        assert_eq!(read.element(Tag(0x7FE0, 0x0010)).unwrap().to_bytes().unwrap().len(), 4);
    }
}
