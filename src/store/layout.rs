//! Where files are and what they are called. No name holds anything of a patient: digests and ULIDs only.
//!
//! ```text
//! objects/<nnnn>/<sha256>.dcm    what is served; one directory grows at a time, to 4,096 files, so that
//!                                a batch of arrivals syncs one directory
//! incoming/<ulid>.part           what is arriving
//! quarantine/<ulid>.dcm, .json   what cannot be understood, and why
//! conflicts/<ulid>.dcm           what came under a UID that other content has
//! deleted/<n>-<m>.dcm            file m of deletion n, kept for `storage.deleted_keep`
//! ```

use super::{Disk, Operation, PartFile, Spool, StoreError, StoredReader};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Files in one directory of `objects/` before the next one begins.
const FILES_PER_DIRECTORY: u32 = 4096;

const OBJECTS: &str = "objects";
const INCOMING: &str = "incoming";
const QUARANTINE: &str = "quarantine";
const CONFLICTS: &str = "conflicts";
const DELETED: &str = "deleted";

/// The instance files of one `data_dir`. Clones share it.
#[derive(Debug, Clone)]
pub struct InstanceStore {
    disk: Disk,
    data_dir: Arc<Path>,
    open: Arc<Mutex<Open>>,
}

/// The directory of `objects/` that grows.
#[derive(Debug)]
struct Open {
    number: u32,
    files: u32,
    made: bool,
}

/// A final name, relative to `data_dir`, and the directory that must be synced before it counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub path: String,
    pub directory: PathBuf,
}

/// A folder of its own beside `objects/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Folder {
    Quarantine,
    Conflicts,
}

impl Folder {
    fn name(self) -> &'static str {
        match self {
            Self::Quarantine => QUARANTINE,
            Self::Conflicts => CONFLICTS,
        }
    }
}

impl InstanceStore {
    /// Makes the folders that are missing and finds the directory that grows.
    pub fn open(data_dir: &Path, disk: Disk) -> Result<Self, StoreError> {
        for name in [OBJECTS, INCOMING, QUARANTINE, CONFLICTS, DELETED] {
            disk.make_directory(&data_dir.join(name))?;
        }
        let objects = data_dir.join(OBJECTS);
        let mut open = Open { number: 0, files: 0, made: false };
        for name in names(&objects)? {
            if let Ok(number) = name.parse::<u32>()
                && (number > open.number || !open.made)
            {
                open = Open { number, files: 0, made: true };
            }
        }
        if open.made {
            disk.sync_directory(&objects)?;
            let files = names(&objects.join(numbered(open.number)))?.len();
            open.files = u32::try_from(files).unwrap_or(u32::MAX);
        }
        Ok(Self { disk, data_dir: data_dir.into(), open: Arc::new(Mutex::new(open)) })
    }
    pub fn disk(&self) -> &Disk {
        &self.disk
    }
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }
    pub fn folder(&self, folder: Folder) -> PathBuf {
        self.data_dir.join(folder.name())
    }
    /// A new, empty part file.
    pub fn new_part(&self) -> Result<PartFile, StoreError> {
        PartFile::create(&self.disk, self.data_dir.join(INCOMING).join(format!("{}.part", ulid::Ulid::generate())))
    }
    /// A new, empty file that has no name.
    pub fn new_spool(&self) -> Result<Spool, StoreError> {
        Spool::create(&self.disk, &self.data_dir.join(INCOMING).join(format!("{}.part", ulid::Ulid::generate())))
    }
    /// Removes every part file: none of them was ever acknowledged. Only while nothing arrives.
    pub fn remove_parts(&self) -> Result<usize, StoreError> {
        let incoming = self.data_dir.join(INCOMING);
        let found = names(&incoming)?;
        for name in &found {
            self.disk.remove(&incoming.join(name))?;
        }
        Ok(found.len())
    }
    /// Moves a synced part file to its final name. No row may name that file yet: one that is already
    /// there is a leftover of a crash with the same bytes, perhaps not synced, and gives way.
    pub fn place_object(&self, part: &mut PartFile, sha256: &[u8; 32]) -> Result<Place, StoreError> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.files >= FILES_PER_DIRECTORY {
            *open = Open { number: open.number.saturating_add(1), files: 0, made: false };
        }
        let directory_name = numbered(open.number);
        let directory = self.data_dir.join(OBJECTS).join(&directory_name);
        if !open.made {
            self.disk.make_directory(&directory)?;
            open.made = true;
        }
        let name = object_name(sha256);
        let path = directory.join(&name);
        match part.place(path.clone()) {
            Err(error) if error.cause.kind() == io::ErrorKind::AlreadyExists => part.place_over(path)?,
            outcome => {
                outcome?;
                open.files += 1;
            }
        }
        Ok(Place { path: format!("{OBJECTS}/{directory_name}/{name}"), directory })
    }
    /// Puts a synced part file in the place of an object that is gone or cut short; it holds the bytes
    /// that the row names.
    pub fn replace_object(&self, part: &mut PartFile, path: &str) -> Result<Place, StoreError> {
        let target = self.data_dir.join(path);
        let directory = target.parent().unwrap_or(&self.data_dir).to_path_buf();
        self.disk.make_directory(&directory)?;
        part.place_over(target)?;
        Ok(Place { path: path.to_owned(), directory })
    }
    /// Moves a synced part file to one of the side folders, as `<ulid>.dcm`.
    pub fn place_aside(&self, part: &mut PartFile, folder: Folder, ulid: &str) -> Result<Place, StoreError> {
        let directory = self.folder(folder);
        let name = format!("{ulid}.dcm");
        part.place(directory.join(&name))?;
        Ok(Place { path: format!("{}/{name}", folder.name()), directory })
    }
    /// Moves an object that does not hold what its name says to the quarantine, durably.
    pub fn set_object_aside(&self, path: &str, ulid: &str) -> Result<(), StoreError> {
        let (from, directory) = (self.data_dir.join(path), self.folder(Folder::Quarantine));
        self.disk.rename_new(&from, &directory.join(format!("{ulid}.dcm")))?;
        self.disk.sync_directory(&directory)?;
        from.parent().map_or(Ok(()), |parent| self.disk.sync_directory(parent))
    }
    /// Moves an object to the place of one that is gone or cut short, durably; it holds the bytes that the row of
    /// that place names.
    pub fn move_object(&self, from: &str, to: &str) -> Result<(), StoreError> {
        let (from, to) = (self.data_dir.join(from), self.data_dir.join(to));
        let directory = to.parent().unwrap_or(&self.data_dir);
        self.disk.make_directory(directory)?;
        self.disk.rename_over(&from, &to)?;
        self.disk.sync_directory(directory)?;
        from.parent().map_or(Ok(()), |parent| self.disk.sync_directory(parent))
    }
    /// Moves a file of a deletion out of its place; `false` when it is not there (any more). Neither end is
    /// durable before [`InstanceStore::sync_deleted`].
    pub fn keep_deleted(&self, path: &str, name: &str) -> Result<bool, StoreError> {
        match self.disk.rename_over(&self.data_dir.join(path), &self.data_dir.join(DELETED).join(name)) {
            Err(error) if error.cause.kind() == io::ErrorKind::NotFound => Ok(false),
            outcome => outcome.map(|()| true),
        }
    }
    /// Makes durable what was moved to `deleted/`, and then that it is gone from `places` (files there).
    pub fn sync_deleted<'p>(&self, places: impl IntoIterator<Item = &'p str>) -> Result<(), StoreError> {
        self.disk.sync_directory(&self.data_dir.join(DELETED))?;
        let parents = places.into_iter().map(|path| path.rsplit_once('/').map_or("", |(directory, _)| directory));
        for directory in parents.collect::<BTreeSet<_>>() {
            let directory = self.data_dir.join(directory);
            if directory.is_dir() {
                self.disk.sync_directory(&directory)?;
            }
        }
        Ok(())
    }
    /// Removes a kept file for good.
    pub fn remove_deleted(&self, name: &str) -> Result<(), StoreError> {
        self.disk.remove(&self.data_dir.join(DELETED).join(name))
    }
    /// Where a kept file is, relative to `data_dir`.
    pub fn deleted_path(name: &str) -> String {
        format!("{DELETED}/{name}")
    }
    /// What lies in `deleted/`.
    pub fn names_deleted(&self) -> Result<Vec<String>, StoreError> {
        names(&self.data_dir.join(DELETED))
    }
    /// Makes the names in an object directory durable.
    pub fn sync_objects(&self, directory: &str) -> Result<(), StoreError> {
        self.disk.sync_directory(&self.data_dir.join(directory))
    }
    /// Removes a file that no row names.
    pub fn remove_object(&self, path: &str) -> Result<(), StoreError> {
        self.disk.remove(&self.data_dir.join(path))
    }
    /// Opens a stored file by its path relative to `data_dir`. The path comes from our own rows.
    pub fn read(&self, path: &str) -> Result<StoredReader, StoreError> {
        StoredReader::open(&self.data_dir.join(path))
    }
    /// Size of a stored file, `None` when it is not there.
    pub fn size(&self, path: &str) -> Result<Option<u64>, StoreError> {
        match std::fs::symlink_metadata(self.data_dir.join(path)) {
            Ok(found) => Ok(Some(found.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StoreError::reading(error)),
        }
    }
    /// Whether a stored file was written at or after a time; one that is not there was.
    pub fn is_written_since(&self, path: &str, since_ms: i64) -> Result<bool, StoreError> {
        match std::fs::symlink_metadata(self.data_dir.join(path)) {
            Ok(found) => Ok(modified_ms(&found) >= since_ms),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
            Err(error) => Err(StoreError::reading(error)),
        }
    }
    /// Paths (relative) of the object directories changed at or after a time, newest number last.
    pub fn object_directories(&self, changed_since_ms: i64) -> Result<Vec<String>, StoreError> {
        let objects = self.data_dir.join(OBJECTS);
        let mut found = Vec::new();
        for name in names(&objects)? {
            let Ok(number) = name.parse::<u32>() else { continue };
            let metadata = std::fs::metadata(objects.join(&name)).map_err(StoreError::reading)?;
            if modified_ms(&metadata) >= changed_since_ms {
                found.push((number, format!("{OBJECTS}/{name}")));
            }
        }
        found.sort();
        Ok(found.into_iter().map(|(_, path)| path).collect())
    }
    /// Digest-named files of one object directory: relative path and the digest of the name. None when
    /// the directory is not there.
    pub fn objects_in(&self, directory: &str) -> Result<Vec<(String, [u8; 32])>, StoreError> {
        let path = self.data_dir.join(directory);
        let found = if path.is_dir() { names(&path)? } else { Vec::new() };
        Ok(found
            .into_iter()
            .filter_map(|name| Some((format!("{directory}/{name}"), parse_object_name(&name)?)))
            .collect())
    }
    /// File names in a side folder.
    pub fn names_aside(&self, folder: Folder) -> Result<Vec<String>, StoreError> {
        names(&self.folder(folder))
    }
    /// Bytes in a side folder.
    pub fn used_bytes(&self, folder: Folder) -> Result<u64, StoreError> {
        let directory = self.folder(folder);
        let mut used = 0_u64;
        for name in names(&directory)? {
            match std::fs::symlink_metadata(directory.join(name)) {
                Ok(found) => used = used.saturating_add(found.len()),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(StoreError::reading(error)),
            }
        }
        Ok(used)
    }
    /// Writes a small file durably except for its directory entry.
    pub fn write_small(&self, path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
        let file = self.disk.create(path)?;
        let outcome = self.disk.write_all(&file, bytes).and_then(|()| self.disk.sync_data(&file));
        if outcome.is_err() {
            // What was begun is of no use to anyone.
            let _ = self.disk.remove(path);
        }
        outcome
    }
}

/// File names in a directory. Only our own names are ASCII; others are not ours and are passed over.
pub(crate) fn names(directory: &Path) -> Result<Vec<String>, StoreError> {
    let wrong = |cause| StoreError::new(Operation::Read, cause);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(wrong)? {
        if let Ok(name) = entry.map_err(wrong)?.file_name().into_string() {
            found.push(name);
        }
    }
    found.sort();
    Ok(found)
}

pub(super) fn modified_ms(metadata: &std::fs::Metadata) -> i64 {
    use std::os::unix::fs::MetadataExt;
    metadata.mtime().saturating_mul(1000).saturating_add(metadata.mtime_nsec() / 1_000_000)
}

fn numbered(number: u32) -> String {
    format!("{number:04}")
}

fn object_name(sha256: &[u8; 32]) -> String {
    let mut name = String::with_capacity(68);
    for byte in sha256 {
        // Writing to a String cannot fail.
        let _ = write!(name, "{byte:02x}");
    }
    name.push_str(".dcm");
    name
}

fn parse_object_name(name: &str) -> Option<[u8; 32]> {
    let digits = name.strip_suffix(".dcm").filter(|digits| digits.len() == 64)?;
    if !digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    let mut sha256 = [0; 32];
    for (index, byte) in sha256.iter_mut().enumerate() {
        *byte = u8::from_str_radix(digits.get(2 * index..2 * index + 2)?, 16).ok()?;
    }
    Some(sha256)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Digests;

    fn synced(store: &InstanceStore, bytes: &[u8]) -> (PartFile, Digests) {
        let mut part = store.new_part().unwrap();
        part.write(bytes).unwrap();
        let digests = part.sync().unwrap();
        (part, digests)
    }

    #[test]
    fn a_digest_is_a_name_and_back() {
        let sha256 = [0xAB; 32];
        assert_eq!(parse_object_name(&object_name(&sha256)), Some(sha256));
        for other in ["", ".dcm", "ab.dcm", "../../../etc/passwd", &"g".repeat(68), &format!("{}.dcm", "+1".repeat(32))]
        {
            assert_eq!(parse_object_name(other), None, "{other}");
        }
    }

    #[test]
    fn a_full_directory_is_followed_by_the_next_and_a_restart_goes_on_there() {
        let folder = tempfile::tempdir().unwrap();
        let store = InstanceStore::open(folder.path(), Disk::default()).unwrap();
        store.open.lock().unwrap().files = FILES_PER_DIRECTORY - 1;
        let mut places = Vec::new();
        for bytes in [b"one", b"two"] {
            let (mut part, digests) = synced(&store, bytes);
            places.push(store.place_object(&mut part, &digests.sha256).unwrap());
        }
        assert!(places[0].path.starts_with("objects/0000/"), "{places:?}");
        assert!(places[1].path.starts_with("objects/0001/"), "{places:?}");
        let again = InstanceStore::open(folder.path(), Disk::default()).unwrap();
        let (mut part, digests) = synced(&again, b"three");
        assert!(again.place_object(&mut part, &digests.sha256).unwrap().path.starts_with("objects/0001/"));
        assert_eq!(again.objects_in("objects/0001").unwrap().len(), 2);
        assert_eq!(again.remove_parts().unwrap(), 0);
    }

    #[test]
    fn a_leftover_with_the_same_bytes_gives_way() {
        let folder = tempfile::tempdir().unwrap();
        let store = InstanceStore::open(folder.path(), Disk::default()).unwrap();
        for _ in 0..2 {
            let (mut part, digests) = synced(&store, b"same");
            store.place_object(&mut part, &digests.sha256).unwrap();
        }
        assert_eq!(store.objects_in("objects/0000").unwrap().len(), 1);
    }
}
