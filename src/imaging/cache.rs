//! Pictures that were made, in as many bytes as `limits.picture_cache` says. A picture is named by the
//! digest of its instance's file, its frame and its view: stored files never change, so it never goes stale.

use super::Picture;
use super::view::View;
use quick_cache::Weighter;
use quick_cache::sync::Cache as Quick;
use sha2::{Digest, Sha256};
use std::sync::Arc;

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

pub(super) fn name(sha256: &[u8; 32], frame: u32, view: &View) -> Name {
    let mut digest = Sha256::new();
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
    fn another_frame_or_another_view_is_another_picture() {
        let plain = name(&[1; 32], 0, &View::default());
        assert_eq!(plain, name(&[1; 32], 0, &View::default()));
        assert_ne!(plain, name(&[2; 32], 0, &View::default()));
        assert_ne!(plain, name(&[1; 32], 1, &View::default()));
        assert_ne!(plain, name(&[1; 32], 0, &View { longest_edge: Some(9), ..View::default() }));
    }
}
