use super::*;
use crate::domain::instance::FrameTable;
use crate::domain::transfer_syntax::{EXPLICIT_VR_LITTLE_ENDIAN, lookup};
use dicom_core::{Tag, VR};

fn explicit(tag: Tag, vr: VR, value: &[u8]) -> Vec<u8> {
    let mut out = [tag.0.to_le_bytes(), tag.1.to_le_bytes(), vr.to_bytes()].concat();
    if crate::domain::vr::has_long_length(vr) {
        out.extend([0, 0]);
        out.extend((value.len() as u32).to_le_bytes());
    } else {
        out.extend((value.len() as u16).to_le_bytes());
    }
    out.extend(value);
    out
}

#[test]
fn a_small_image_gives_its_facts() {
    let dataset = [
        explicit(Tag(0x0008, 0x0016), VR::UI, b"1.2.840.10008.5.1.4.1.1.7\0"),
        explicit(Tag(0x0008, 0x0018), VR::UI, b"1.2.3.4\0"),
        explicit(Tag(0x0020, 0x000D), VR::UI, b"1.2.3.5\0"),
        explicit(Tag(0x0020, 0x000E), VR::UI, b"1.2.3.6\0"),
        explicit(Tag(0x0028, 0x0010), VR::US, &2u16.to_le_bytes()),
        explicit(Tag(0x0028, 0x0011), VR::US, &3u16.to_le_bytes()),
        explicit(Tag(0x0028, 0x0100), VR::US, &16u16.to_le_bytes()),
        explicit(Tag(0x7FE0, 0x0010), VR::OW, &[7; 12]),
    ]
    .concat();
    for portion in [1, 7, 1000] {
        let mut reading = Reading::new(lookup(EXPLICIT_VR_LITTLE_ENDIAN).unwrap(), ReadLimits::default());
        for bytes in dataset.chunks(portion) {
            reading.feed(bytes).unwrap();
        }
        let facts = reading.finish().unwrap();
        assert_eq!(facts.sop_instance_uid.as_str(), "1.2.3.4");
        let pixels = facts.pixels.unwrap();
        assert_eq!(pixels.frames, FrameTable::Native { frame_bits: 96 });
        let len = dataset.len() as u64;
        assert_eq!(pixels.value, len - 12..len);
        assert_eq!(facts.metadata.bulk[0].path, "7FE00010");
    }
}
