//! How fast instances become durable, as associations send them: each caller on a thread of its own with
//! a runtime of its own. `cargo test --lib archive::tests::rate -- --ignored --nocapture`

use super::*;
use std::time::Instant;

const INSTANCES: u32 = 600;

async fn rate(callers: u32, pixel_bytes: u32) -> f64 {
    let folder = tempfile::tempdir_in(std::env::current_dir().unwrap().join("target")).unwrap();
    let bench = Bench::open(folder, |_| {}).await;
    let began = Instant::now();
    let threads: Vec<_> = (0..callers)
        .map(|caller| {
            let archive = bench.archive.clone();
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                for number in 0..INSTANCES / callers {
                    let mut data = Data::ct(caller * INSTANCES + number);
                    data.series = format!("1.2.826.0.1.1.{caller}");
                    let bytes = data.with_pixels(pixel_bytes);
                    let mut intake = archive.begin(data.offer()).unwrap();
                    bytes.chunks(128 * 1024).for_each(|portion| intake.write(portion).unwrap());
                    assert_eq!(runtime.block_on(intake.finish()).unwrap(), Received::New);
                }
            })
        })
        .collect();
    tokio::task::spawn_blocking(move || threads.into_iter().for_each(|thread| thread.join().unwrap())).await.unwrap();
    f64::from(INSTANCES / callers * callers) / began.elapsed().as_secs_f64()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures, asserts nothing"]
async fn instances_a_second() {
    for (name, pixel_bytes) in [("0.5 MB", 512 * 1024), ("4 KB", 4096)] {
        for callers in [1, 4, 16] {
            println!("{name}, {callers} callers: {:.0} instances/s", rate(callers, pixel_bytes).await);
        }
    }
}

/// Resident memory of this process.
fn resident_bytes() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

#[tokio::test]
#[ignore = "writes 256 MiB; alone in its process, because it looks at the memory of all of it"]
async fn memory_does_not_grow_with_the_instance() {
    let folder = tempfile::tempdir_in(std::env::current_dir().unwrap().join("target")).unwrap();
    let bench = Bench::open(folder, |_| {}).await;
    bench.send(&Data::ct(1)).await.unwrap();
    let (data, pixel_bytes) = (Data::ct(2), 256_u32 << 20);
    let mut head = data.with_pixels(0);
    head.truncate(head.len() - 4);
    head.extend_from_slice(&pixel_bytes.to_le_bytes());
    let mut intake = bench.archive.begin(data.offer()).unwrap();
    intake.write(&head).unwrap();
    let before = resident_bytes();
    let (portion, mut most) = (vec![5; 128 * 1024], 0);
    for _ in 0..pixel_bytes / (128 * 1024) {
        intake.write(&portion).unwrap();
        most = most.max(resident_bytes());
    }
    assert_eq!(intake.finish().await.unwrap(), Received::New);
    let growth = most.max(resident_bytes()).saturating_sub(before);
    println!("{} KiB of memory for 256 MiB", growth / 1024);
    assert!(growth < 8 << 20, "{growth}");
}
