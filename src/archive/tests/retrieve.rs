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
