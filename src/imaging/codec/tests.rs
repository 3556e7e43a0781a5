//! What is encoded is decoded again: without loss to the bit, with loss nearly.

use super::*;

/// Smooth with noise, both ends of the range, and of colour three that differ.
fn frame(shape: &Declared) -> Vec<u8> {
    let stored = u32::from(shape.bits_stored);
    let (low, high) =
        if shape.signed { (-(1_i64 << (stored - 1)), (1_i64 << (stored - 1)) - 1) } else { (0, (1_i64 << stored) - 1) };
    let mut noise = 7_u32;
    let mut out = Vec::new();
    for at in 0..shape.count() as i64 {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let smooth = low + (high - low) * (at % 97) / 96;
        let value = match at {
            0 => low,
            1 => high,
            _ => (smooth + i64::from(noise >> 30)).clamp(low, high),
        };
        out.extend_from_slice(&value.to_le_bytes()[..usize::from(shape.bits_allocated / 8)]);
    }
    out
}

fn shapes() -> Vec<Declared> {
    let of = |columns, rows, samples, allocated, bits_stored, signed| Declared {
        bits_stored,
        signed,
        ..declared(columns, rows, samples, allocated)
    };
    vec![
        of(61, 43, 1, 8, 8, false),
        of(61, 43, 1, 8, 6, true),
        of(61, 43, 1, 16, 12, false),
        of(61, 43, 1, 16, 12, true),
        of(61, 43, 1, 16, 16, false),
        of(61, 43, 1, 16, 16, true),
        of(61, 43, 1, 16, 8, false),
        of(61, 43, 3, 8, 8, false),
        of(1, 1, 1, 8, 8, false),
        of(3, 70, 3, 16, 16, false),
    ]
}

#[test]
fn what_is_encoded_without_loss_is_decoded_to_the_bit() {
    for shape in shapes() {
        let frame = frame(&shape);
        for (encoder, codec) in [
            (Encoder::Rle, Codec::Rle),
            (Encoder::JpegLossless, Codec::Jpeg),
            (Encoder::JpegLs(0), Codec::JpegLs),
            (Encoder::Jpeg2000(0), Codec::Jpeg2000),
        ] {
            let encoded =
                encode(encoder, &shape, &frame).unwrap_or_else(|error| panic!("{encoder:?} {shape:?}: {error}"));
            let decoded =
                decode(codec, &shape, &encoded.bytes).unwrap_or_else(|error| panic!("{encoder:?} {shape:?}: {error}"));
            assert!(decoded.bytes == frame && !decoded.planar, "{encoder:?} {shape:?}");
            assert_eq!(decoded.bits_allocated, shape.bits_allocated);
        }
    }
}

#[test]
fn bits_above_those_that_are_said_to_be_stored_are_kept() {
    let shape = Declared { bits_stored: 12, ..declared(20, 3, 1, 16) };
    let frame: Vec<u8> = (0..60_u16).flat_map(|at| ((at * 37) | ((at % 2) << 15)).to_le_bytes()).collect();
    for (encoder, codec) in [
        (Encoder::JpegLs(0), Codec::JpegLs),
        (Encoder::Jpeg2000(0), Codec::Jpeg2000),
        (Encoder::JpegLossless, Codec::Jpeg),
    ] {
        assert_eq!(decode(codec, &shape, &encode(encoder, &shape, &frame).unwrap().bytes).unwrap().bytes, frame);
    }
}

#[test]
fn what_is_encoded_with_loss_is_nearly_the_same() {
    for shape in shapes().into_iter().filter(|shape| shape.count() > 3) {
        let frame = frame(&shape);
        let value = |two: &[u8]| match (shape.bits_allocated, shape.signed) {
            (8, true) => i32::from(two[0] as i8),
            (8, false) => i32::from(two[0]),
            (_, true) => i32::from(i16::from_le_bytes([two[0], two[1]])),
            _ => i32::from(u16::from_le_bytes([two[0], two[1]])),
        };
        let width = usize::from(shape.bits_allocated / 8);
        for (encoder, codec) in [
            (Encoder::JpegLs(2), Codec::JpegLs),
            (Encoder::Jpeg2000(4), Codec::Jpeg2000),
            (Encoder::JpegBaseline(90), Codec::Jpeg),
        ] {
            let encoded = encode(encoder, &shape, &frame);
            // Signed samples are refused before (`Target::takes`).
            if matches!(encoder, Encoder::JpegLs(_)) && shape.signed {
                continue;
            }
            if matches!(encoder, Encoder::JpegBaseline(_)) && (width > 1 || shape.signed) {
                assert_eq!(encoded.unwrap_err(), DecodeError::Unsupported);
                continue;
            }
            let decoded = decode(codec, &shape, &encoded.unwrap().bytes).unwrap().bytes;
            let off = |(a, b): (&[u8], &[u8])| f64::from(value(a).abs_diff(value(b)));
            let differences: Vec<f64> = frame.chunks_exact(width).zip(decoded.chunks_exact(width)).map(off).collect();
            let (most, mean) = (
                differences.iter().copied().fold(0.0, f64::max),
                differences.iter().sum::<f64>() / differences.len() as f64,
            );
            match encoder {
                Encoder::JpegLs(near) => assert!(most <= f64::from(near), "{shape:?}: {most}"),
                _ => assert!(mean < f64::from(1_u32 << shape.bits_stored) / 8.0, "{encoder:?} {shape:?}: {mean}"),
            }
        }
    }
}

#[test]
fn a_jpeg_2000_stream_is_halved_as_often_as_it_stays_large_enough() {
    let whole = Declared { bits_stored: 12, ..declared(321, 200, 1, 16) };
    let level: Vec<u8> = (0..whole.count()).flat_map(|_| 1000_u16.to_le_bytes()).collect();
    let stream = encode(Encoder::Jpeg2000(0), &whole, &level).unwrap().bytes;
    let times = |wanted| halvings(Codec::Jpeg2000, &stream, (321, 200), wanted);
    assert_eq!(
        (times((321, 200)), times((160, 100)), times((161, 100)), times((80, 3)), times((1, 1))),
        (0, 1, 0, 2, 5)
    );
    assert_eq!(halvings(Codec::JpegLs, &stream, (321, 200), (1, 1)), 0);
    for times in 0..=5 {
        let (columns, rows) = (321_u32.div_ceil(1 << times), 200_u32.div_ceil(1 << times));
        let fewer = Declared { columns, rows, halvings: times, ..whole };
        let decoded = decode(Codec::Jpeg2000, &fewer, &stream).unwrap();
        // What is level stays level.
        assert_eq!(decoded.bytes, level[..fewer.count() * 2], "{times}");
    }
    let beyond = Declared { columns: 6, rows: 4, halvings: 6, ..whole };
    assert!(decode(Codec::Jpeg2000, &beyond, &stream).is_err());
    for nonsense in [&[][..], &[0xFF, 0x4F], &[0xFF, 0x4F, 0xFF, 0x51, 0, 0], &[0xFF, 0x4F, 0xFF, 0x52, 0, 9], &[9; 40]]
    {
        assert_eq!(halvings(Codec::Jpeg2000, nonsense, (9, 9), (1, 1)), 0);
    }
}

#[test]
fn bits_stored_decides_where_a_stream_holds_the_whole_container() {
    let shape = |stored, samples| Declared { bits_stored: stored, ..declared(20, 3, samples, 16) };
    let words = |declared: &Declared, of: fn(u16) -> u16| -> Vec<u8> {
        (0..declared.count() as u16).flat_map(|at| of(at).to_le_bytes()).collect()
    };
    let overlay: fn(u16) -> u16 = |at| (at * 37) | ((at % 2) << 15);
    let small: fn(u16) -> u16 = |at| at % 200;
    let wide: fn(u16) -> u16 = |at| at * 15;
    for (declared, values, encoded_as, expected) in [
        (shape(12, 1), overlay, 16, 12), // an overlay above the value
        (shape(8, 3), small, 16, 8),     // as DCMTK encodes: all that is allocated
        (shape(8, 1), wide, 12, 12),     // Bits Stored is wrong
        (shape(12, 1), wide, 12, 12),
    ] {
        let whole = Declared { bits_stored: encoded_as, ..declared };
        for (encoder, codec) in [
            (Encoder::JpegLs(0), Codec::JpegLs),
            (Encoder::Jpeg2000(0), Codec::Jpeg2000),
            (Encoder::JpegLossless, Codec::Jpeg),
        ] {
            let stream = encode(encoder, &whole, &words(&declared, values)).unwrap().bytes;
            let decoded = decode(codec, &declared, &stream).unwrap();
            assert_eq!((decoded.bits_stored, decoded.lossy), (expected, false), "{encoder:?} {declared:?}");
        }
    }
    let grey = shape(12, 1);
    for (encoder, codec) in [(Encoder::JpegLs(2), Codec::JpegLs), (Encoder::Jpeg2000(4), Codec::Jpeg2000)] {
        let stream = encode(encoder, &grey, &words(&grey, wide)).unwrap().bytes;
        assert!(decode(codec, &grey, &stream).unwrap().lossy, "{encoder:?} says that it loses");
    }
}

#[test]
fn a_stream_whose_samples_are_no_plain_values_is_not_halved() {
    let whole = Declared { bits_stored: 12, ..declared(64, 64, 1, 16) };
    let level: Vec<u8> = (0..whole.count()).flat_map(|_| 1000_u16.to_le_bytes()).collect();
    let stream = encode(Encoder::Jpeg2000(0), &whole, &level).unwrap().bytes;
    let fewer = Declared { columns: 32, rows: 32, halvings: 1, ..whole };
    assert!(decode(Codec::Jpeg2000, &fewer, &stream).is_ok());
    // Its signs are lost on the stream, or bits stand above the value: their means would be anything.
    for other in [Declared { signed: true, ..fewer }, Declared { bits_stored: 10, ..fewer }] {
        assert_eq!(decode(Codec::Jpeg2000, &other, &stream).unwrap_err(), DecodeError::Unsupported);
    }
}
