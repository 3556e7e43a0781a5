//! Pictures that were made, in as many bytes as `limits.picture_cache` says. A picture is named by the
//! digest of its instance's file, its frame and its view: stored files never change, so it never goes stale, and a
//! release that shows a file otherwise names its pictures otherwise.

use super::WRITER;
use super::view::View;
use super::{DecodeFailure, Picture};
use quick_cache::Weighter;
use quick_cache::sync::Cache as Quick;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::time::{Duration, Instant};

pub(super) type Name = [u8; 16];

#[derive(Clone)]
pub(super) struct Cache(Arc<Quick<Name, Picture, Bytes>>);

#[derive(Clone)]
struct Bytes;

impl Weighter<Name, Picture> for Bytes {
    fn weight(&self, _: &Name, picture: &Picture) -> u64 {
        picture.bytes.len() as u64 + 128
    }
}

/// About what a picture takes: how many places the cache begins with.
const PICTURE: u64 = 32 << 10;

impl Cache {
    pub fn new(bytes: u64) -> Self {
        let places = usize::try_from(bytes / PICTURE).unwrap_or(1 << 16);
        Self(Arc::new(Quick::with_weighter(places, bytes, Bytes)))
    }
    pub fn get(&self, name: &Name) -> Option<Picture> {
        self.0.get(name)
    }
    pub fn put(&self, name: Name, picture: Picture) {
        self.0.insert(name, picture);
    }
}

/// Frames that were no frames: asked for again and again they would cost a decoder each time.
#[derive(Clone)]
pub(super) struct Hopeless(Arc<Quick<Name, (DecodeFailure, Instant)>>);

/// After this a frame is tried again: what ended its decoder may have been the machine.
const HOPELESS_FOR: Duration = Duration::from_secs(600);

impl Hopeless {
    pub fn new() -> Self {
        Self(Arc::new(Quick::new(4096)))
    }
    pub fn get(&self, name: &Name) -> Option<DecodeFailure> {
        let (failure, since) = self.0.get(name)?;
        (since.elapsed() < HOPELESS_FOR).then_some(failure)
    }
    pub fn put(&self, name: Name, failure: DecodeFailure) {
        // Without a decoder nothing was learnt of the frame.
        if failure != DecodeFailure::Unavailable {
            self.0.insert(name, (failure, Instant::now()));
        }
    }
}

pub(super) fn name(sha256: &[u8; 32], frame: u32, view: &View) -> Name {
    let mut digest = Sha256::new();
    digest.update(WRITER.to_le_bytes());
    digest.update(sha256);
    digest.update(frame.to_le_bytes());
    // Every field of a view counts, those to come included.
    digest.update(format!("{view:?}"));
    digest.finalize().first_chunk().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_keeps_within_its_bytes() {
        let cache = Cache::new(100_000);
        for number in 0..100_u8 {
            let picture = Picture { bytes: vec![number; 9_000].into(), media_type: "image/png", width: 1, height: 1 };
            cache.put([number; 16], picture);
        }
        let kept = (0..100_u8).filter_map(|number| cache.get(&[number; 16]).map(|picture| (number, picture.bytes[0])));
        let kept: Vec<_> = kept.collect();
        assert!((1..=10).contains(&kept.len()) && kept.iter().all(|(number, byte)| number == byte), "{kept:?}");
    }

    #[test]
    fn a_hopeless_frame_is_remembered_but_not_for_want_of_a_decoder() {
        let hopeless = Hopeless::new();
        hopeless.put([1; 16], DecodeFailure::Died);
        hopeless.put([2; 16], DecodeFailure::Unavailable);
        assert_eq!(hopeless.get(&[1; 16]), Some(DecodeFailure::Died));
        assert_eq!(hopeless.get(&[2; 16]), None);
    }

    #[test]
    fn another_frame_or_another_view_is_another_picture() {
        let plain = name(&[1; 32], 0, &View::default());
        assert_eq!(plain, name(&[1; 32], 0, &View::default()));
        assert_ne!(plain, name(&[2; 32], 0, &View::default()));
        assert_ne!(plain, name(&[1; 32], 1, &View::default()));
        assert_ne!(plain, name(&[1; 32], 0, &View { longest_edge: Some(9), ..View::default() }));
    }
}
