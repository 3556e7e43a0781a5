//! Real children behind real walls.

use super::testing::program;
use super::*;
use crate::config::{Limits, units::Span};
use crate::imaging::codec::{Codec, Declared, DecodeError, declared};
use bytes::Bytes;
use std::time::Duration;

fn decoders(limits: &Limits) -> Decoders {
    Decoders::new(program(), limits)
}

/// RLE of one segment: `columns` pixels of value `value`.
fn rle(columns: u8, value: u8) -> Bytes {
    let mut frame = vec![0; 64];
    (frame[0], frame[4]) = (1, 64);
    frame.extend([(257 - u16::from(columns)) as u8, value]);
    frame.into()
}

fn wide(columns: u32) -> Declared {
    declared(columns, 1, 1, 8)
}

/// A child says hello only when every probe of its walls was turned away, so a decoded frame is the proof;
/// `sandbox::tests` shows that the same probe finds all holes where there are no walls.
#[tokio::test]
async fn frames_are_decoded_behind_walls_one_after_the_other() {
    let decoders = decoders(&Limits::default());
    for value in [7, 9] {
        let samples = decoders.decode(Codec::Rle, wide(5), rle(5, value)).await.unwrap();
        assert_eq!(samples.bytes, [value; 5]);
    }
    let damaged = decoders.decode(Codec::Rle, wide(6), rle(5, 1)).await;
    assert!(matches!(damaged, Err(DecodeFailure::Frame(DecodeError::Truncated))));
    assert!(decoders.decode(Codec::Rle, wide(5), rle(5, 3)).await.is_ok());
}

#[tokio::test]
async fn random_bytes_in_every_codec_cost_one_error_each() {
    let decoders = decoders(&Limits::default());
    let noise: Vec<u8> = (0..40_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let begins: [(Codec, &[u8]); 7] = [
        (
            Codec::Jpeg,
            b"\xFF\xD8\xFF\xC0\x00\x0B\x08\x00\x01\x00\x05\x01\x01\x11\x00\xFF\xDA\x00\x08\x01\x01\x00\x00\x3F\x00",
        ),
        (Codec::JpegLs, b"\xFF\xD8\xFF\xF7\x00\x0B\x08\x00\x01\x00\x05\x01\x01\x11\x00"),
        (Codec::Jpeg2000, b"\xFF\x4F\xFF\x51\x00\x29"),
        (Codec::Jpeg2000, b"\0\0\0\x0CjP  "),
        (Codec::JpegXl, b"\xFF\x0A"),
        (Codec::Rle, b"\x01\0\0\0\x40\0\0\0"),
        (Codec::Deflate, b"\xED"),
    ];
    for (codec, begin) in begins {
        let frame: Bytes = [begin, &noise].concat().into();
        let _ = decoders.decode(codec, wide(5), frame).await;
        assert!(decoders.decode(codec, wide(5), Bytes::new()).await.is_err(), "{codec:?} of nothing");
        assert!(decoders.decode(Codec::Rle, wide(5), rle(5, 3)).await.is_ok(), "after {codec:?}");
    }
}

/// A frame whose decoder takes more time, or whose child is killed, is one error; the next one is decoded.
#[tokio::test]
async fn a_lost_decoder_is_replaced() {
    let hasty = decoders(&Limits { decode_timeout: Span::seconds(0), ..Limits::default() });
    let failure = hasty.decode(Codec::Rle, wide(5), rle(5, 3)).await;
    assert!(matches!(failure, Err(DecodeFailure::TimedOut)), "{failure:?}");

    // Memory for the answer alone is beyond the address space: the child dies of it.
    let decoders = decoders(&Limits { decoders: 1, ..Limits::default() });
    let huge = Declared { rows: 60_000, columns: 60_000, ..wide(1) };
    let failure = decoders.decode(Codec::Rle, huge, rle(5, 3)).await;
    assert!(matches!(failure, Err(DecodeFailure::Died)), "{failure:?}");
    assert!(decoders.decode(Codec::Rle, wide(5), rle(5, 3)).await.is_ok());
}

#[tokio::test]
async fn without_work_a_decoder_ends_and_comes_again() {
    let decoders = decoders(&Limits { decoder_idle: Span::seconds(0), ..Limits::default() });
    assert!(decoders.decode(Codec::Rle, wide(5), rle(5, 3)).await.is_ok());
    tokio::time::timeout(Duration::from_secs(20), decoders.all_ended()).await.unwrap();
    assert!(decoders.decode(Codec::Rle, wide(5), rle(5, 3)).await.is_ok());
}

#[tokio::test]
async fn where_none_can_be_started_the_frame_is_not_to_blame() {
    let nowhere = Program { path: "/nowhere".into(), ..program() };
    let decoders = Decoders::new(nowhere, &Limits::default());
    let failure = decoders.decode(Codec::Rle, wide(5), rle(5, 3)).await;
    assert!(matches!(failure, Err(DecodeFailure::Unavailable)));
}
