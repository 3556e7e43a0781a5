//! The files of the build. Text and WebAssembly are compressed once, when first asked for, and held for as
//! long as the file stays the same; pictures are read each time. Only what lies in the folder is served, whatever the address says.

use super::page;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::fs::{File, Metadata};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Semaphore;

/// OHIF's largest file is its main script, some 17 MB.
const FILE_MAX: u64 = 64 << 20;
/// What is held compressed; the whole of OHIF is some 25 MB.
const HELD_MAX: usize = 64 << 20;
/// Files read and compressed at a time.
const READING: usize = 4;

/// The viewer in one folder.
#[derive(Debug)]
pub struct Viewer {
    folder: PathBuf,
    held: Mutex<Held>,
    reading: Semaphore,
}

#[derive(Debug, Default)]
struct Held {
    files: HashMap<String, Arc<Compressed>>,
    bytes: usize,
}

#[derive(Debug)]
struct Compressed {
    bytes: Bytes,
    etag: String,
    version: Version,
}

/// Which writing of a file was read: another build may be unpacked over the one that is served. What npm unpacks
/// is of one and the same time of modification, so the time of change is looked at as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Version {
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Version {
    fn of(found: &Metadata) -> Self {
        Self {
            inode: found.ino(),
            size: found.size(),
            modified: (found.mtime(), found.mtime_nsec()),
            changed: (found.ctime(), found.ctime_nsec()),
        }
    }
}

/// What is in the folder under a name.
enum Found {
    Nothing,
    /// The version that the caller has.
    Same,
    File(Version, Vec<u8>),
}

/// A file as it is sent.
#[derive(Debug)]
pub struct Served {
    pub bytes: Bytes,
    pub gzip: bool,
    pub media_type: &'static str,
    pub etag: String,
    pub named_by_digest: bool,
}

impl Viewer {
    /// `None` when the folder holds no `index.html`.
    pub fn open(folder: &Path) -> Option<Self> {
        let folder = folder.canonicalize().ok()?;
        folder.join("index.html").is_file().then(|| Self {
            folder,
            held: Mutex::default(),
            reading: Semaphore::new(READING),
        })
    }

    /// The page, as it is in the folder.
    pub async fn index(self: &Arc<Self>) -> io::Result<String> {
        match self.read("index.html", None).await? {
            Found::File(_, bytes) => String::from_utf8(bytes).map_err(|_| ErrorKind::InvalidData.into()),
            Found::Nothing | Found::Same => Err(ErrorKind::NotFound.into()),
        }
    }

    /// One file; `None` when there is none of this name.
    pub async fn file(self: &Arc<Self>, name: &str, gzip: bool) -> io::Result<Option<Served>> {
        let (media_type, compresses) = media_type(name);
        let served =
            |bytes, gzip, etag| Served { bytes, gzip, media_type, etag, named_by_digest: named_by_digest(name) };
        let compressed = gzip && compresses;
        let held = if compressed { self.held(name) } else { None };
        let (version, bytes) = match (self.read(name, held.as_ref().map(|held| held.version)).await?, held) {
            (Found::Same, Some(held)) => {
                return Ok(Some(served(held.bytes.clone(), true, held.etag.clone())));
            }
            (Found::File(version, bytes), _) => (version, bytes),
            (Found::Nothing | Found::Same, _) => return Ok(None),
        };
        if !compressed {
            let etag = etag(&bytes, "");
            return Ok(Some(served(bytes.into(), false, etag)));
        }
        let held = tokio::task::spawn_blocking(move || compress(&bytes, version)).await.map_err(io::Error::other)??;
        let held = Arc::new(held);
        self.hold(name, held.clone());
        Ok(Some(served(held.bytes.clone(), true, held.etag.clone())))
    }

    fn held(&self, name: &str) -> Option<Arc<Compressed>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).files.get(name).cloned()
    }

    fn hold(&self, name: &str, file: Arc<Compressed>) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = held.files.remove(name) {
            held.bytes -= before.bytes.len();
        }
        // Files of earlier builds, whose names nobody asks for any more, make room.
        if held.bytes + file.bytes.len() > HELD_MAX {
            *held = Held::default();
        }
        held.bytes += file.bytes.len();
        held.files.insert(name.to_owned(), file);
    }

    /// A file's bytes as they are served, unless it is of the version that is `known`.
    async fn read(self: &Arc<Self>, name: &str, known: Option<Version>) -> io::Result<Found> {
        let Some(path) = inside(&self.folder, name) else { return Ok(Found::Nothing) };
        let _one_of_few = self.reading.acquire().await.map_err(io::Error::other)?;
        let (folder, name) = (self.folder.clone(), name.to_owned());
        let read = move || {
            // A link in the folder may not lead out of it.
            let path = match path.canonicalize() {
                Ok(path) if path.starts_with(&folder) => path,
                Ok(_) => return Ok(Found::Nothing),
                Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                    return Ok(Found::Nothing);
                }
                Err(error) => return Err(error),
            };
            let file = File::open(path)?;
            let found = file.metadata()?;
            if !found.is_file() || found.len() > FILE_MAX {
                return Ok(Found::Nothing);
            }
            let version = Version::of(&found);
            if known == Some(version) {
                return Ok(Found::Same);
            }
            let mut bytes = Vec::new();
            file.take(FILE_MAX).read_to_end(&mut bytes)?;
            Ok(Found::File(version, page::at_home(&name, bytes)))
        };
        tokio::task::spawn_blocking(read).await.map_err(io::Error::other)?
    }
}

/// The path of `name`, when it is made of plain names only.
fn inside(folder: &Path, name: &str) -> Option<PathBuf> {
    let relative = Path::new(name);
    let plain = relative.components().all(|part| matches!(part, Component::Normal(_)));
    (plain && !name.contains(['\\', '\0'])).then(|| folder.join(relative))
}

fn compress(bytes: &[u8], version: Version) -> io::Result<Compressed> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 3), Compression::new(6));
    encoder.write_all(bytes)?;
    Ok(Compressed { etag: etag(bytes, "-gzip"), bytes: encoder.finish()?.into(), version })
}

/// Strong: the digest of the bytes before compression, and how they are sent.
fn etag(bytes: &[u8], how: &str) -> String {
    let digest: String = Sha256::digest(bytes).iter().take(12).map(|byte| format!("{byte:02x}")).collect();
    format!("\"{digest}{how}\"")
}

/// `app.bundle.0f6159c501addfe9.js`, `34b1e6b1deb5828e.wasm`: a part of 16 or more hex digits.
fn named_by_digest(name: &str) -> bool {
    let file = name.rsplit('/').next().unwrap_or(name);
    file.split('.').any(|part| part.len() >= 16 && part.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// The type, and whether it is worth compressing.
fn media_type(name: &str) -> (&'static str, bool) {
    match name.rsplit('.').next().unwrap_or_default().to_ascii_lowercase().as_str() {
        "js" | "mjs" => ("text/javascript; charset=utf-8", true),
        "css" => ("text/css; charset=utf-8", true),
        "html" | "htm" => ("text/html; charset=utf-8", true),
        "json" | "map" | "jsonc" | "webapp" => ("application/json", true),
        "webmanifest" => ("application/manifest+json", true),
        "svg" => ("image/svg+xml", true),
        "xml" => ("application/xml", true),
        "txt" | "md" => ("text/plain; charset=utf-8", true),
        "wasm" => ("application/wasm", true),
        "onnx" | "data" | "bin" => ("application/octet-stream", true),
        "png" => ("image/png", false),
        "jpg" | "jpeg" => ("image/jpeg", false),
        "gif" => ("image/gif", false),
        "ico" => ("image/x-icon", false),
        "woff2" => ("font/woff2", false),
        "woff" => ("font/woff", false),
        "ttf" => ("font/ttf", true),
        _ => ("application/octet-stream", false),
    }
}
