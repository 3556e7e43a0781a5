//! UIDs under 2.25 (PS3.5 §B.2): a 128-bit number derived from the seed, in the form of a version 8 UUID.

use crate::domain::uid::{SeriesInstanceUid, SopInstanceUid, StudyInstanceUid};
use sha2::{Digest, Sha256};

pub(super) fn study(seed: u64) -> StudyInstanceUid {
    StudyInstanceUid::parse(&derived(seed, "study", 0)).unwrap_or_else(|_| unreachable!("digits and dots"))
}

pub(super) fn series(seed: u64, number: u32) -> SeriesInstanceUid {
    SeriesInstanceUid::parse(&derived(seed, "series", number)).unwrap_or_else(|_| unreachable!("digits and dots"))
}

pub(super) fn instance(seed: u64, series: u32, number: u32) -> SopInstanceUid {
    let role = format!("instance {series}");
    SopInstanceUid::parse(&derived(seed, &role, number)).unwrap_or_else(|_| unreachable!("digits and dots"))
}

pub(super) fn frame_of_reference(seed: u64) -> String {
    derived(seed, "frame of reference", 0)
}

fn derived(seed: u64, role: &str, number: u32) -> String {
    let mut hash = Sha256::new();
    hash.update(b"bluebridge phantom");
    hash.update(seed.to_be_bytes());
    hash.update(role.as_bytes());
    hash.update(number.to_be_bytes());
    let digest = hash.finalize();
    let mut bytes = [0_u8; 16];
    bytes.copy_from_slice(&digest[..16]);
    bytes[6] = (bytes[6] & 0x0F) | 0x80;
    bytes[8] = (bytes[8] & 0x3F) | 0x80;
    format!("2.25.{}", u128::from_be_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_and_seed_has_its_own_uid_and_keeps_it() {
        let uids = [derived(1, "a", 0), derived(1, "a", 1), derived(1, "b", 0), derived(2, "a", 0)];
        for (at, uid) in uids.iter().enumerate() {
            assert!(uid.len() <= 64 && uid.starts_with("2.25."));
            assert!(!uids[..at].contains(uid));
        }
        assert_eq!(derived(1, "a", 0), uids[0]);
    }
}
