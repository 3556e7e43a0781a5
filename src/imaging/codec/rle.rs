//! RLE Lossless (PS3.5 Annex G): every byte of a sample is a segment of its own, packed as in TIFF's
//! PackBits, the most significant byte first.

use super::native::Native;
use super::{Declared, DecodeError, Samples};

const SEGMENTS_MAX: usize = 15;

pub(super) fn decode(declared: &Declared, bytes: &[u8]) -> Result<Samples, DecodeError> {
    let samples = usize::from(declared.samples);
    let width = match declared.bits_allocated {
        8 | 16 | 32 => usize::from(declared.bits_allocated / 8),
        _ => return Err(DecodeError::Unsupported),
    };
    let header = bytes.get(..64).ok_or(DecodeError::Truncated)?;
    let words: Vec<usize> = header
        .chunks_exact(4)
        .filter_map(|word| word.first_chunk().map(|word| u32::from_le_bytes(*word) as usize))
        .collect();
    let (count, offsets) = words.split_first().ok_or(DecodeError::Truncated)?;
    if *count != samples * width || *count > SEGMENTS_MAX {
        return Err(DecodeError::Mismatch);
    }
    let offsets = offsets.get(..*count).ok_or(DecodeError::Mismatch)?;
    let mut out = vec![0; declared.count() * width];
    for (segment, start) in offsets.iter().enumerate() {
        // Padding behind a segment is harmless: as many bytes as there are pixels are taken.
        let end = offsets.get(segment + 1).copied().unwrap_or(bytes.len());
        let packed = bytes.get(*start..end).filter(|_| *start >= 64).ok_or(DecodeError::Corrupt)?;
        let (sample, place) = (segment / width, width - 1 - segment % width);
        unpack(packed, out.iter_mut().skip(sample * width + place).step_by(samples * width))?;
    }
    Ok(Samples {
        bytes: out,
        bits_allocated: declared.bits_allocated,
        bits_stored: declared.bits_stored,
        planar: false,
        to_rgb: false,
        lossy: false,
        precision: declared.bits_allocated,
    })
}

/// Every byte of a sample becomes a segment; rows are packed for themselves (PS3.5 §G.3.1).
pub(super) fn encode(native: &Native) -> Result<Vec<u8>, DecodeError> {
    let (samples, width) = (usize::from(native.declared.samples), native.width);
    let (count, pixel) = (samples * width, samples * width);
    if count > SEGMENTS_MAX {
        return Err(DecodeError::Unsupported);
    }
    let mut words = vec![u32::try_from(count).unwrap_or_default()];
    let mut out = vec![0; 64];
    let line = native.declared.columns as usize * pixel;
    let mut row = Vec::with_capacity(native.declared.columns as usize);
    for segment in 0..count {
        words.push(u32::try_from(out.len()).map_err(|_| DecodeError::Unsupported)?);
        let at = segment / width * width + (width - 1 - segment % width);
        for bytes in native.bytes.chunks_exact(line) {
            row.clear();
            row.extend(bytes.iter().skip(at).step_by(pixel));
            pack(&row, &mut out);
        }
        if out.len() % 2 == 1 {
            out.push(0);
        }
    }
    words.resize(16, 0);
    let header = words.iter().flat_map(|word| word.to_le_bytes());
    out.iter_mut().zip(header).for_each(|(place, byte)| *place = byte);
    Ok(out)
}

/// Appends the runs and literals of one row (PS3.5 §G.3.1).
fn pack(row: &[u8], out: &mut Vec<u8>) {
    let mut rest = row;
    while let Some(first) = rest.first() {
        let run = rest.iter().take(128).take_while(|byte| *byte == first).count();
        if run >= 2 {
            out.extend([(257 - run) as u8, *first]);
            rest = rest.get(run..).unwrap_or_default();
            continue;
        }
        // Up to where three alike begin: a run of two within a literal costs as much as it saves.
        let alike = rest.windows(3).position(|three| matches!(three, [a, b, c] if a == b && b == c));
        let literal = alike.unwrap_or(rest.len()).min(128);
        let (now, after) = rest.split_at(literal);
        out.push((literal - 1) as u8);
        out.extend_from_slice(now);
        rest = after;
    }
}

/// Fills every place that `out` yields (PS3.5 §G.3.2).
fn unpack<'a>(packed: &[u8], mut out: impl ExactSizeIterator<Item = &'a mut u8>) -> Result<(), DecodeError> {
    let mut rest = packed;
    while out.len() > 0 {
        let (control, after) = rest.split_first().ok_or(DecodeError::Truncated)?;
        rest = match control {
            0..=127 => {
                let (literal, after) =
                    after.split_at_checked(usize::from(*control) + 1).ok_or(DecodeError::Truncated)?;
                literal.iter().zip(&mut out).for_each(|(byte, place)| *place = *byte);
                after
            }
            128 => after,
            129..=255 => {
                let (byte, after) = after.split_first().ok_or(DecodeError::Truncated)?;
                out.by_ref().take(257 - usize::from(*control)).for_each(|place| *place = *byte);
                after
            }
        };
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::declared;
    use super::*;

    fn frame(segments: &[&[u8]]) -> Vec<u8> {
        let mut words = vec![segments.len() as u32];
        let mut at = 64;
        for segment in segments {
            words.push(at);
            at += segment.len() as u32;
        }
        words.resize(16, 0);
        let header = words.iter().flat_map(|word| word.to_le_bytes());
        header.chain(segments.iter().flat_map(|segment| segment.iter().copied())).collect()
    }

    #[test]
    fn bytes_of_a_sample_come_together_in_little_endian() {
        type Case = (u16, u16, &'static [&'static [u8]], &'static [u8]);
        let cases: [Case; 4] = [
            (1, 8, &[&[2, 7, 8, 9]], &[7, 8, 9]),
            (1, 16, &[&[254, 1], &[2, 7, 8, 9]], &[7, 1, 8, 1, 9, 1]),
            (1, 32, &[&[254, 1], &[254, 2], &[254, 3], &[2, 7, 8, 9, 0]], &[7, 3, 2, 1, 8, 3, 2, 1, 9, 3, 2, 1]),
            (3, 8, &[&[254, 1], &[128, 254, 2], &[2, 7, 8, 9]], &[1, 2, 7, 1, 2, 8, 1, 2, 9]),
        ];
        for (samples, bits, segments, expected) in cases {
            assert_eq!(decode(&declared(3, 1, samples, bits), &frame(segments)).unwrap().bytes, expected);
        }
    }

    #[test]
    fn what_is_packed_is_unpacked_and_no_row_reaches_into_the_next() {
        let mut noise = 7_u32;
        let mut next = || {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (noise >> 28) as u8 / 5
        };
        for (columns, rows, samples, bits) in
            [(1, 1, 1, 8), (300, 3, 1, 8), (129, 2, 1, 16), (7, 5, 3, 8), (3, 2, 1, 32)]
        {
            let shape = declared(columns, rows, samples, bits);
            let length = (columns * rows) as usize * usize::from(samples * bits / 8);
            let frames =
                [vec![9; length], (0..length).map(|at| at as u8).collect(), (0..length).map(|_| next()).collect()];
            for frame in frames {
                let packed = encode(&Native::of(&shape, &frame).unwrap()).unwrap();
                assert_eq!(decode(&shape, &packed).unwrap().bytes, frame, "{shape:?}");
                assert_eq!(packed.len() % 2, 0);
            }
        }
        let mut out = Vec::new();
        pack(&[5; 130], &mut out);
        assert_eq!(out, [129, 5, 255, 5]);
        out.clear();
        pack(&[1, 2, 2, 3, 3, 3], &mut out);
        assert_eq!(out, [2, 1, 2, 2, 254, 3]);
        // A row ends its run.
        let packed = encode(&Native::of(&declared(3, 2, 1, 8), &[4; 6]).unwrap()).unwrap();
        assert_eq!(packed[64..], [254, 4, 254, 4]);
    }

    #[test]
    fn what_is_too_short_or_of_another_shape_is_refused() {
        let of = |bytes: &[u8]| decode(&declared(3, 1, 1, 8), bytes).unwrap_err();
        assert_eq!(of(&[]), DecodeError::Truncated);
        assert_eq!(of(&frame(&[&[2, 7, 8]])), DecodeError::Truncated);
        assert_eq!(of(&frame(&[&[0, 7]])), DecodeError::Truncated);
        assert_eq!(of(&frame(&[&[255]])), DecodeError::Truncated);
        assert_eq!(of(&frame(&[&[254, 1], &[254, 1]])), DecodeError::Mismatch);
        let mut outside = frame(&[&[254, 1]]);
        outside[4] = 0xFF;
        assert_eq!(of(&outside), DecodeError::Corrupt);
        assert_eq!(decode(&declared(3, 1, 1, 12), &frame(&[])).unwrap_err(), DecodeError::Unsupported);
    }
}
