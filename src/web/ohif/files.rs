//! The files of the build, each read once, when first asked for, and held for as long as it stays the same:
//! text and WebAssembly compressed, and unpacked piece by piece for who takes no compression, so that however slowly
//! however many fetch them they are in memory once. Only what lies in the folder is served, whatever the address says.

use super::page;
use axum::body::Body;
use bytes::{Buf, Bytes};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use futures_util::stream;
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
/// What is held; the whole of OHIF is some 25 MB.
const HELD_MAX: usize = 64 << 20;
/// Files read and compressed at a time.
const READING: usize = 4;
/// What is unpacked at a time.
const PIECE: usize = 64 << 10;

/// The viewer in one folder.
#[derive(Debug)]
pub struct Viewer {
    folder: PathBuf,
    held: Mutex<Held>,
    reading: Arc<Semaphore>,
}

#[derive(Debug, Default)]
struct Held {
    files: HashMap<String, Arc<Served>>,
    bytes: usize,
}

/// A file as it is held and sent.
#[derive(Debug)]
pub struct Served {
    bytes: Bytes,
    compressed: bool,
    /// Of the file before compression.
    digest: String,
    pub size: u64,
    pub media_type: &'static str,
    /// Its name says what its bytes are, and they are those of the build: what we rewrite, a later release of ours
    /// may rewrite otherwise.
    pub never_changes: bool,
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

impl Viewer {
    /// `None` when the folder holds no `index.html`.
    pub fn open(folder: &Path) -> Option<Self> {
        let folder = folder.canonicalize().ok()?;
        folder.join("index.html").is_file().then(|| Self {
            folder,
            held: Mutex::default(),
            reading: Arc::new(Semaphore::new(READING)),
        })
    }

    /// The page, as it is in the folder.
    pub async fn index(self: &Arc<Self>) -> io::Result<String> {
        let read = |viewer: &Self| match viewer.read("index.html", None)? {
            Found::File(_, bytes) => String::from_utf8(bytes).map_err(|_| ErrorKind::InvalidData.into()),
            Found::Nothing | Found::Same => Err(ErrorKind::NotFound.into()),
        };
        self.in_turn(read).await
    }

    /// One file; `None` when there is none of this name.
    pub async fn file(self: &Arc<Self>, name: &str) -> io::Result<Option<Arc<Served>>> {
        let name = name.to_owned();
        self.in_turn(move |viewer| viewer.current(&name)).await
    }

    /// Does what reads files, a few at a time.
    async fn in_turn<T, F>(self: &Arc<Self>, read: F) -> io::Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Self) -> io::Result<T> + Send + 'static,
    {
        let turn = self.reading.clone().acquire_owned().await.map_err(io::Error::other)?;
        let viewer = self.clone();
        let read = move || {
            let _turn = turn;
            read(&viewer)
        };
        tokio::task::spawn_blocking(read).await.map_err(io::Error::other)?
    }

    /// A file as it is in the folder now, read again where it is not as it was.
    fn current(&self, name: &str) -> io::Result<Option<Arc<Served>>> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner).files.get(name).cloned();
        match self.read(name, held.as_ref().map(|held| held.version))? {
            Found::Same => Ok(held),
            Found::Nothing => Ok(None),
            Found::File(version, bytes) => {
                let file = Arc::new(Served::new(name, bytes, version)?);
                self.hold(name, file.clone());
                Ok(Some(file))
            }
        }
    }

    fn hold(&self, name: &str, file: Arc<Served>) {
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

    /// A file's bytes, unless it is of the version that is `known`.
    fn read(&self, name: &str, known: Option<Version>) -> io::Result<Found> {
        let Some(path) = inside(&self.folder, name) else { return Ok(Found::Nothing) };
        // A link in the folder may not lead out of it.
        let path = match path.canonicalize() {
            Ok(path) if path.starts_with(&self.folder) => path,
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
        Ok(Found::File(version, bytes))
    }
}

impl Served {
    fn new(name: &str, bytes: Vec<u8>, version: Version) -> io::Result<Self> {
        let placed = page::at_home(name, &bytes);
        let never_changes = placed.is_none() && named_by_digest(name);
        let bytes = placed.unwrap_or(bytes);
        let digest = Sha256::digest(&bytes).iter().take(12).map(|byte| format!("{byte:02x}")).collect();
        let (media_type, compressed) = media_type(name);
        let size = bytes.len() as u64;
        let bytes = if compressed {
            let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 3), Compression::new(6));
            encoder.write_all(&bytes)?;
            encoder.finish()?
        } else {
            bytes
        };
        Ok(Self { bytes: bytes.into(), compressed, digest, size, media_type, never_changes, version })
    }

    /// Whether it is sent compressed to who takes that.
    pub fn is_compressed(&self, gzip: bool) -> bool {
        self.compressed && gzip
    }

    /// Strong: the digest of the bytes before compression, and how they are sent.
    pub fn etag(&self, gzip: bool) -> String {
        format!("\"{}{}\"", self.digest, if self.is_compressed(gzip) { "-gzip" } else { "" })
    }

    pub fn body(&self, gzip: bool) -> Body {
        if !self.compressed || gzip {
            return Body::from(self.bytes.clone());
        }
        let pieces = stream::unfold(GzDecoder::new(self.bytes.clone().reader()), async |mut decoder| {
            let mut piece = Vec::with_capacity(PIECE);
            let read = (&mut decoder).take(PIECE as u64).read_to_end(&mut piece);
            let piece = read.map(|_| Bytes::from(piece));
            (!piece.as_ref().is_ok_and(Bytes::is_empty)).then_some((piece, decoder))
        });
        Body::from_stream(pieces)
    }
}

/// The path of `name`, when it is made of plain names only.
fn inside(folder: &Path, name: &str) -> Option<PathBuf> {
    let relative = Path::new(name);
    let plain = relative.components().all(|part| matches!(part, Component::Normal(_)));
    (plain && !name.contains(['\\', '\0'])).then(|| folder.join(relative))
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
