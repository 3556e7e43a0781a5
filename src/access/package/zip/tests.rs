use super::*;
use proptest::prelude::*;
use std::io::Read;

const WHEN: Modified = Modified { date: 0x5A21, time: 0x6000 };

fn content(seed: usize, size: u64) -> Vec<u8> {
    (0..size).map(|at| (at as usize * 31 + seed * 7 + at as usize / 251) as u8).collect()
}

fn files(sizes: &[u64]) -> (Layout, Vec<Vec<u8>>) {
    let contents: Vec<_> = sizes.iter().enumerate().map(|(at, size)| content(at, *size)).collect();
    let entries = contents.iter().enumerate().map(|(at, bytes)| Entry {
        path: format!("DICOM/PT000001/IM{at:06}").into(),
        size_bytes: bytes.len() as u64,
        crc32: crc32fast::hash(bytes),
    });
    (Layout::new(entries, WHEN).unwrap(), contents)
}

fn bytes_of(layout: &Layout, contents: &[Vec<u8>], range: Range<u64>) -> Vec<u8> {
    let mut out = Vec::new();
    for segment in layout.segments(range) {
        match segment {
            Segment::Inline(bytes) => out.extend_from_slice(&bytes),
            Segment::File { entry, range } => {
                out.extend_from_slice(&contents[entry][range.start as usize..range.end as usize]);
            }
        }
    }
    out
}

proptest! {
    #[test]
    fn any_range_equals_the_same_range_of_the_whole(
        sizes in prop::collection::vec(0_u64..600, 0..12),
        from in 0_u64..9000,
        length in 0_u64..9000,
    ) {
        let (layout, contents) = files(&sizes);
        let whole = bytes_of(&layout, &contents, 0..u64::MAX);
        prop_assert_eq!(whole.len() as u64, layout.length());
        let expected = whole.get((from as usize).min(whole.len())..((from + length) as usize).min(whole.len()));
        let got = bytes_of(&layout, &contents, from..from + length);
        prop_assert_eq!(got.as_slice(), expected.unwrap());
    }
}

#[test]
fn another_reader_finds_every_file_and_its_bytes() {
    let sizes = [0, 1, 512, 70_000];
    let (layout, contents) = files(&sizes);
    let whole = bytes_of(&layout, &contents, 0..layout.length());
    let mut archive = ::zip::ZipArchive::new(std::io::Cursor::new(whole)).unwrap();
    assert_eq!(archive.len(), sizes.len());
    for (at, expected) in contents.iter().enumerate() {
        let mut file = archive.by_index(at).unwrap();
        assert_eq!(file.data_start(), layout.data_offset(at));
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).unwrap();
        assert_eq!(&bytes, expected);
    }
}

#[test]
fn an_archive_without_files_is_its_end_record() {
    let layout = Layout::new([], WHEN).unwrap();
    assert_eq!(layout.length(), 22);
}

#[test]
fn seventy_thousand_files_are_counted_in_zip64() {
    let entries = (0..70_000).map(|at| Entry { path: format!("F{at}").into(), size_bytes: 0, crc32: 0 });
    let layout = Layout::new(entries, WHEN).unwrap();
    let whole = bytes_of(&layout, &vec![Vec::new(); 70_000], 0..layout.length());
    let archive = ::zip::ZipArchive::new(std::io::Cursor::new(whole)).unwrap();
    assert_eq!(archive.len(), 70_000);
}

/// Sizes that a disk need not hold: the sums are checked by hand.
#[test]
fn a_file_beyond_four_gibibytes_moves_its_sizes_and_the_next_offset_to_zip64() {
    const MARK: u64 = 0xFFFF_FFFF;
    let entry = |path: &str, size_bytes| Entry { path: path.into(), size_bytes, crc32: 0x1234_5678 };
    for (size, large) in [(MARK - 1, false), (MARK, true), (5 << 30, true)] {
        let layout = Layout::new([entry("A", size), entry("B", 3)], WHEN).unwrap();
        let header = if large { 30 + 1 + 20 } else { 30 + 1 };
        assert_eq!(layout.data_offset(0), Some(header), "{size}");
        assert_eq!(layout.data_offset(1), Some(header + size + 31), "{size}");
        // B begins beyond 4 GiB whenever A is that long: its offset takes 8 more bytes in the directory.
        let central = (46 + 1 + if large { 20 } else { 0 }) + (46 + 1 + 12);
        let end = 22 + 56 + 20;
        assert_eq!(layout.length(), header + size + 31 + 3 + central + end, "{size}");
        let tail: Vec<_> = layout.segments(header + size - 1..layout.length()).collect();
        assert_eq!(tail[0], Segment::File { entry: 0, range: size - 1..size });
        let Some(Segment::Inline(end)) = tail.last() else { panic!("the end is inline") };
        assert_eq!(&end[..4], b"PK\x06\x06");
    }
}

#[test]
fn below_the_limits_nothing_is_zip64() {
    let (layout, contents) = files(&[10, 20]);
    let whole = bytes_of(&layout, &contents, 0..layout.length());
    assert!(!whole.windows(4).any(|four| four == b"PK\x06\x06" || four == b"PK\x06\x07"));
    assert_eq!(&whole[4..6], &20_u16.to_le_bytes());
}

#[test]
fn sizes_that_cannot_be_are_refused() {
    let entry = |size_bytes| Entry { path: "A".into(), size_bytes, crc32: 0 };
    assert!(matches!(Layout::new([entry(u64::MAX - 10)], WHEN), Err(LayoutError::Overflow)));
    assert!(matches!(Layout::new([entry(1 << 63), entry(1 << 63)], WHEN), Err(LayoutError::Overflow)));
    assert!(matches!(Layout::new([Entry { path: "Ä".into(), size_bytes: 0, crc32: 0 }], WHEN), Err(LayoutError::Path)));
}

#[test]
fn dates_that_ms_dos_cannot_say_become_its_first() {
    let cases = [
        ("20260914", "093012.123", Modified { date: 46 << 9 | 9 << 5 | 14, time: 9 << 11 | 30 << 5 | 6 }),
        ("20260914", "", Modified { date: 46 << 9 | 9 << 5 | 14, time: 0 }),
        ("19790101", "120000", Modified::UNKNOWN),
        ("20261301", "120000", Modified::UNKNOWN),
        ("", "", Modified::UNKNOWN),
        ("2026.01.", "x", Modified::UNKNOWN),
    ];
    for (date, time, expected) in cases {
        assert_eq!(Modified::from_dicom(date, time), expected, "{date:?} {time:?}");
    }
}
