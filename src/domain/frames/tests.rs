#![allow(clippy::single_range_in_vec_init)] // a frame of one fragment

use super::*;
use proptest::prelude::*;

pub(in crate::domain) fn pixels(frames: FrameTable, number_of_frames: u32, value: Range<u64>) -> PixelFacts {
    PixelFacts {
        rows: 3,
        columns: 3,
        samples_per_pixel: 1,
        bits_allocated: 1,
        bits_stored: 1,
        high_bit: 0,
        pixel_representation: 0,
        planar_configuration: 0,
        photometric_interpretation: "MONOCHROME2".into(),
        number_of_frames,
        value,
        element: 0x0010,
        frames,
    }
}

#[test]
fn frames_of_single_bits_share_a_byte() {
    // 9 bits a frame, four frames in 36 bits: five bytes, padded to six.
    let pixels = pixels(FrameTable::Native { frame_bits: 9 }, 4, 100..106);
    let cases = [(0, 100..102, 0), (1, 101..103, 1), (2, 102..104, 2), (3, 103..105, 3)];
    for (frame, range, bits) in cases {
        assert_eq!(locate(&pixels, frame), Some(vec![range]), "{frame}");
        assert_eq!(bit_offset(&pixels, frame), bits, "{frame}");
    }
    assert_eq!(locate(&pixels, 4), None);
}

#[test]
fn a_frame_of_single_bits_is_moved_to_a_byte_edge() {
    let cases: [(&[u8], u8, u64, &[u8]); 5] = [
        (&[0b1010_1010], 0, 8, &[0b1010_1010]),
        (&[0b1010_1010], 1, 7, &[0b0101_0101]),
        (&[0b1100_0000, 0b0000_0001], 6, 3, &[0b0000_0111]),
        (&[0xFF, 0xFF], 4, 12, &[0xFF, 0x0F]),
        (&[], 3, 9, &[]),
    ];
    for (bytes, from, count, expected) in cases {
        assert_eq!(bits(bytes, from, count), expected, "{bytes:?} {from} {count}");
    }
}

#[test]
fn a_frame_that_the_value_does_not_hold_is_not_found() {
    let pixels_of = |bits, frames| pixels(FrameTable::Native { frame_bits: bits }, frames, 0..10);
    assert_eq!(locate(&pixels_of(40, 3), 1), Some(vec![5..10]));
    assert_eq!(locate(&pixels_of(40, 3), 2), None);
    assert_eq!(locate(&pixels_of(u64::MAX, u32::MAX), u32::MAX - 1), None);
    assert_eq!(locate(&pixels_of(0, 1), 0), None);
}

#[test]
fn bits_of_a_native_frame_follow_its_samples() {
    let cases = [
        ("MONOCHROME2", 1, 16, 10 * 20 * 16),
        ("MONOCHROME2", 1, 1, 200),
        ("RGB", 3, 8, 10 * 20 * 24),
        ("YBR_FULL_422", 3, 8, 10 * 20 * 16),
        ("YBR_PARTIAL_420", 3, 8, 10 * 20 * 12),
        ("RGB", 0, 8, 0),
    ];
    for (photometric, samples, bits, expected) in cases {
        let facts = PixelFacts {
            rows: 10,
            columns: 20,
            samples_per_pixel: samples,
            bits_allocated: bits,
            photometric_interpretation: photometric.into(),
            ..pixels(FrameTable::Native { frame_bits: 0 }, 1, 0..0)
        };
        assert_eq!(native_bits(&facts), expected, "{photometric}");
    }
}

fn fragments(parts: &[(u32, [u8; 2])]) -> Fragments {
    let mut fragments = Fragments::default();
    let mut at = 1000;
    for (length, begin) in parts {
        at += 8;
        fragments.push(at, *length);
        fragments.begins_with(*begin);
        at += u64::from(*length);
    }
    fragments
}

const SOI: [u8; 2] = [0xFF, 0xD8];
const NOTHING: [u8; 2] = [0, 0];

/// JPEG XL may come in its box, which begins with a length.
#[test]
fn frames_begin_as_the_first_one_does() {
    let rest = [0xFF, 0xD8];
    let frames = fragments(&[(10, NOTHING), (20, rest), (30, NOTHING)]).into_frames(2, false);
    assert_eq!(frames, [vec![1008..1018, 1026..1046], vec![1054..1084]]);
    assert!(fragments(&[(10, NOTHING), (20, NOTHING), (30, NOTHING)]).into_frames(2, false).is_empty());
}

#[test]
fn one_fragment_a_frame_needs_no_table() {
    let frames = fragments(&[(10, NOTHING), (20, NOTHING)]).into_frames(2, false);
    assert_eq!(frames, [vec![1008..1018], vec![1026..1046]]);
}

#[test]
fn one_frame_is_all_fragments_and_so_is_a_video() {
    let all = vec![1008..1018, 1026..1046];
    assert_eq!(fragments(&[(10, SOI), (20, SOI)]).into_frames(1, false), std::slice::from_ref(&all));
    assert_eq!(fragments(&[(10, NOTHING), (20, NOTHING)]).into_frames(500, true), [all]);
    assert!(fragments(&[]).into_frames(1, false).is_empty());
}

#[test]
fn a_basic_offset_table_groups_fragments() {
    let mut parts = fragments(&[(10, NOTHING), (20, NOTHING), (30, NOTHING)]);
    parts.basic = vec![0, 18];
    assert_eq!(parts.into_frames(2, false), [vec![1008..1018], vec![1026..1046, 1054..1084]]);
}

#[test]
fn a_wrong_table_is_not_followed() {
    for basic in [vec![0, 17], vec![0, 46], vec![18, 0], vec![0], vec![0, 18, 46], vec![0, u64::MAX]] {
        let mut parts = fragments(&[(10, SOI), (20, NOTHING), (30, SOI)]);
        parts.basic = basic.clone();
        let by_codestream = [vec![1008..1018, 1026..1046], vec![1054..1084]];
        assert_eq!(parts.into_frames(2, false), by_codestream, "{basic:?}");
    }
}

#[test]
fn an_extended_offset_table_leaves_padding_out() {
    let mut parts = fragments(&[(10, NOTHING), (20, NOTHING)]);
    parts.extended = vec![0, 18];
    parts.extended_lengths = vec![9, 20];
    assert_eq!(parts.into_frames(2, false), [vec![1008..1017], vec![1026..1046]]);
    let mut parts = fragments(&[(10, NOTHING), (20, NOTHING)]);
    parts.extended = vec![0, 18];
    parts.extended_lengths = vec![11, 20];
    assert_eq!(parts.into_frames(2, false), [vec![1008..1018], vec![1026..1046]]);
}

#[test]
fn frames_that_cannot_be_told_apart_are_not_guessed() {
    assert!(fragments(&[(10, NOTHING), (20, NOTHING), (30, NOTHING)]).into_frames(2, false).is_empty());
}

#[test]
fn damaged_tables_are_refused() {
    let table = FrameTable::Encapsulated { frames: vec![vec![8..10, 20..30], vec![], vec![38..40]] };
    let blob = encode(&table);
    assert_eq!(decode(&blob), Some(table));
    for end in 0..blob.len() {
        assert_eq!(decode(&blob[..end]), None, "{end}");
    }
    assert_eq!(decode(&[2, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F]), None);
}

proptest! {
    #[test]
    fn every_table_comes_back(frames in prop::collection::vec(prop::collection::vec((any::<u32>(), any::<u32>()), 0..4), 0..40)) {
        let range = |(start, length): (u32, u32)| u64::from(start)..u64::from(start) + u64::from(length);
        let frames = frames.into_iter().map(|f| f.into_iter().map(range).collect()).collect();
        let table = FrameTable::Encapsulated { frames };
        prop_assert_eq!(decode(&encode(&table)), Some(table));
    }

    #[test]
    fn no_blob_panics(blob in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = decode(&blob);
    }
}
