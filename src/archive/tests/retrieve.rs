//! What was stored comes out, whole and in part.

use super::*;
use crate::archive::RetrieveError;
use futures_util::TryStreamExt;

#[tokio::test]
async fn any_range_of_a_file_is_streamed_exactly() {
    let bench = Bench::new().await;
    let data = Data { pixel_bytes: 65_534, ..Data::ct(1) };
    bench.send(&data).await.unwrap();
    let row = bench.archive.instances(&data.selector()).await.unwrap().remove(0);
    let file = bench.archive.open(&row.file).await.unwrap();
    let whole = std::fs::read(bench.path().join(&row.file.path)).unwrap();
    let size = whole.len() as u64;
    for range in [0..size, 0..0, 0..1, size - 1..size, 100..60_000] {
        let chunks: Vec<_> = file.stream(range.clone()).try_collect().await.unwrap();
        assert!(chunks.concat() == whole[range.start as usize..range.end as usize], "{range:?}");
    }
    let beyond: Result<Vec<_>, _> = file.stream(0..size + 1).try_collect().await;
    assert_eq!(beyond.unwrap_err().kind(), std::io::ErrorKind::UnexpectedEof);
    assert!(matches!(file.read_exact_at(0..11, 10).await, Err(RetrieveError::TooLarge)));
    assert!(matches!(file.read_exact_at(0..size + 1, 1 << 20).await, Err(RetrieveError::Damaged)));
}

#[tokio::test]
async fn a_file_that_is_gone_or_short_is_damaged_and_not_served() {
    let bench = Bench::new().await;
    let data = Data::ct(1);
    bench.send(&data).await.unwrap();
    let row = bench.archive.instances(&data.selector()).await.unwrap().remove(0);
    let path = bench.path().join(&row.file.path);
    std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(100).unwrap();
    assert!(matches!(bench.archive.open(&row.file).await, Err(RetrieveError::Damaged)));
    std::fs::remove_file(&path).unwrap();
    assert!(matches!(bench.archive.open(&row.file).await, Err(RetrieveError::Damaged)));
}

#[tokio::test]
async fn one_frame_is_one_read() {
    let bench = Bench::new().await;
    let data = Data::ct(1);
    bench.send(&data).await.unwrap();
    let detail = bench.archive.instance(&data.selector()).await.unwrap().unwrap();
    assert_eq!(bench.archive.frame(&detail, 0, 4096).await.unwrap().as_ref(), [7; 4096]);
    assert!(matches!(bench.archive.frame(&detail, 0, 4095).await, Err(RetrieveError::TooLarge)));
    assert!(matches!(bench.archive.frame(&detail, 1, 4096).await, Err(RetrieveError::NoSuchFrame)));
}

#[tokio::test]
async fn a_frame_of_a_deflated_instance_is_inflated() {
    use std::io::Write;
    let bench = Bench::new().await;
    let syntax = transfer_syntax::lookup(transfer_syntax::DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN).unwrap();
    let data = Data { syntax, ..Data::ct(1) };
    let mut deflated = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
    deflated.write_all(&data.bytes()).unwrap();
    let mut intake = bench.archive.begin(data.offer()).unwrap();
    intake.write(&deflated.finish().unwrap()).unwrap();
    assert_eq!(intake.finish().await.unwrap(), Received::New);
    let detail = bench.archive.instance(&data.selector()).await.unwrap().unwrap();
    assert_eq!(bench.archive.frame(&detail, 0, 4096).await.unwrap().as_ref(), [7; 4096]);
}

#[tokio::test]
async fn a_frame_of_a_big_endian_instance_is_in_little_endian_whatever_its_words() {
    use crate::domain::transfer_syntax::EXPLICIT_VR_BIG_ENDIAN;
    use crate::domain::walker::testing::{BIG, encode, value};
    use dicom_core::{Tag, VR};
    // Bits allocated, columns, the value as sent, its two frames.
    type Case = (u16, u16, &'static [u8], [&'static [u8]; 2]);
    let cases: [Case; 4] = [
        // The second frame begins in the middle of a word (PS3.5 §8.1.2).
        (8, 3, &[2, 1, 4, 3, 6, 5], [&[1, 2, 3], &[4, 5, 6]]),
        (16, 1, &[1, 2, 3, 4], [&[2, 1], &[4, 3]]),
        (32, 1, &[1, 2, 3, 4, 5, 6, 7, 8], [&[4, 3, 2, 1], &[8, 7, 6, 5]]),
        (1, 12, &[0x5F, 0xFF, 0x00, 0x0A], [&[0xFF, 0x0F], &[0xA5, 0x00]]),
    ];
    let bench = Bench::new().await;
    for (at, (bits, columns, sent, frames)) in cases.into_iter().enumerate() {
        let syntax = transfer_syntax::lookup(EXPLICIT_VR_BIG_ENDIAN).unwrap();
        let data = Data { syntax, ..Data::ct(at as u32 + 1) };
        let uid = |uid: &str| [uid.as_bytes(), &[0][..uid.len() % 2]].concat();
        let number = |element, n: u16| value(Tag(0x28, element), VR::US, &n.to_le_bytes());
        // The encoder swaps words of two: what it is given is swapped already.
        let swapped: Vec<u8> = sent.chunks(2).flat_map(|word| word.iter().rev()).copied().collect();
        let dataset = encode(
            &[
                value(Tag(8, 0x16), VR::UI, &uid(CT)),
                value(Tag(8, 0x18), VR::UI, &uid(&data.instance)),
                value(Tag(0x20, 0xD), VR::UI, &uid(&data.study)),
                value(Tag(0x20, 0xE), VR::UI, &uid(&data.series)),
                number(2, 1),
                value(Tag(0x28, 8), VR::IS, b"2 "),
                number(0x10, 1),
                number(0x11, columns),
                number(0x100, bits),
                value(Tag(0x7FE0, 0x10), VR::OW, &swapped),
            ],
            BIG,
        );
        let mut intake = bench.archive.begin(data.offer()).unwrap();
        intake.write(&dataset).unwrap();
        assert_eq!(intake.finish().await.unwrap(), Received::New);
        let detail = bench.archive.instance(&data.selector()).await.unwrap().unwrap();
        for (frame, expected) in frames.into_iter().enumerate() {
            let got = bench.archive.frame(&detail, frame as u32, 64).await.unwrap();
            assert_eq!(got.as_ref(), expected, "{bits} bits, frame {frame}");
        }
    }
}
