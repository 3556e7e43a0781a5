//! Rules of transcoding that need no frame; `tests/interop/test_transcoding.py` has the frames.

use super::attributes::derived_uid;
use super::*;
use crate::domain::uid::SopInstanceUid;
use crate::imaging::samples::tests::facts;

#[test]
fn every_target_is_a_transfer_syntax_of_ours() {
    for target in Target::ALL {
        assert_eq!(target.syntax().uid, target.uid());
        assert_eq!(Target::of(target.uid()), Some(target));
    }
    assert_eq!(Target::of("1.2.840.10008.1.2"), None);
}

#[test]
fn what_a_syntax_has_no_room_for_is_refused_before_a_frame_is_read() {
    use Target::*;
    let eight = || facts(5, 5, 1, 8, "MONOCHROME2");
    let signed = PixelFacts { pixel_representation: 1, ..facts(5, 5, 1, 16, "MONOCHROME2") };
    let float = PixelFacts { element: 0x0008, ..facts(5, 5, 1, 32, "MONOCHROME2") };
    let cases = [
        (eight(), [true; 8]),
        (facts(5, 5, 1, 16, "MONOCHROME2"), [true, true, true, true, true, false, true, true]),
        (signed, [true, true, true, true, true, false, false, true]),
        (facts(5, 5, 1, 32, "MONOCHROME2"), [true, false, false, true, false, false, false, false]),
        (facts(5, 5, 1, 1, "MONOCHROME2"), [true, false, false, false, false, false, false, false]),
        (float, [true, false, false, false, false, false, false, false]),
        (facts(5, 5, 1, 8, "PALETTE COLOR "), [true, true, true, true, true, false, false, false]),
        (facts(4, 4, 3, 8, "YBR_FULL_422"), [true, false, false, false, false, false, false, false]),
    ];
    for (pixels, expected) in cases {
        let order = [ExplicitLittle, JpegLs, Jpeg2000, Rle, JpegLossless, JpegBaseline, JpegLsNear, Jpeg2000Lossy];
        assert_eq!(order.map(|target| target.takes(&pixels).is_ok()), expected, "{pixels:?}");
    }
}

#[test]
fn a_lossy_instance_has_one_name_for_one_source_and_syntax() {
    let uid = |text: &str| SopInstanceUid::parse(text).unwrap();
    let name = derived_uid(&uid("1.2.3"), Target::JpegBaseline);
    assert!(name.as_str().starts_with("2.25.") && name.as_str().len() <= 64);
    assert_eq!(name, derived_uid(&uid("1.2.3"), Target::JpegBaseline));
    assert_ne!(name, derived_uid(&uid("1.2.3"), Target::JpegLsNear));
    assert_ne!(name, derived_uid(&uid("1.2.4"), Target::JpegBaseline));
}
