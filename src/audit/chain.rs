//! The chain that makes a changed, removed or inserted row visible: every row's hash covers the row and
//! the hash before it.

use sha2::{Digest, Sha256};

/// A link of the chain.
pub type Hash = [u8; 32];

/// What the first row is chained from: SHA-256 of a fixed sentence, so that rows cut off at the
/// beginning are missed too.
pub fn genesis() -> Hash {
    Sha256::digest(b"Bluebridge audit trail, first row").into()
}

/// The hash of one row. Every part is preceded by its length, so that nothing can be moved between them.
pub fn next(previous: &Hash, sequence: i64, recorded_ms: i64, canonical: &str) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update(previous);
    hasher.update(sequence.to_be_bytes());
    hasher.update(recorded_ms.to_be_bytes());
    hasher.update((canonical.len() as u64).to_be_bytes());
    hasher.update(canonical.as_bytes());
    hasher.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_of_a_row_changes_its_hash() {
        let base = next(&genesis(), 1, 1000, "{}");
        let others = [
            next(&[0; 32], 1, 1000, "{}"),
            next(&genesis(), 2, 1000, "{}"),
            next(&genesis(), 1, 1001, "{}"),
            next(&genesis(), 1, 1000, "{} "),
        ];
        assert!(others.iter().all(|other| *other != base));
    }
}
