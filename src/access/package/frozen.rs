//! A version of a package as the index keeps it: the list of its files and the bytes of those that were
//! made for it, compressed.

use super::error::PackageError;
use super::pages::hex;
use super::zip::{Entry, Layout, Modified};
use crate::domain::instance::StoredFile;
use crate::domain::uid::TransferSyntaxUid;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::io::Write;

/// Where the bytes of one file of the package are.
#[derive(Debug, Clone)]
pub(super) enum Source {
    Instance(StoredFile),
    Made(Bytes),
}

/// One file of the package.
#[derive(Debug, Clone)]
pub(super) struct File {
    pub path: Box<str>,
    pub sha256: [u8; 32],
    pub crc32: u32,
    pub size_bytes: u64,
    pub source: Source,
}

impl File {
    pub fn made(path: &str, bytes: Vec<u8>) -> Self {
        Self {
            path: path.into(),
            sha256: Sha256::digest(&bytes).into(),
            crc32: crc32fast::hash(&bytes),
            size_bytes: bytes.len() as u64,
            source: Source::Made(bytes.into()),
        }
    }
    pub fn instance(path: String, file: StoredFile) -> Self {
        Self {
            path: path.into(),
            sha256: file.sha256,
            crc32: file.crc32,
            size_bytes: file.size_bytes,
            source: Source::Instance(file),
        }
    }
}

/// The list that a version is.
#[derive(Debug, Clone)]
pub(super) struct Frozen {
    pub modified: Modified,
    pub files: Vec<File>,
}

impl Frozen {
    pub fn layout(&self) -> Result<Layout, PackageError> {
        let entries = self.files.iter().map(|file| Entry {
            path: file.path.clone(),
            size_bytes: file.size_bytes,
            crc32: file.crc32,
        });
        Layout::new(entries, self.modified).map_err(PackageError::archive)
    }

    /// Hex SHA-256 of everything the ZIP's bytes follow from.
    pub fn etag(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(b"bluebridge package 1\n");
        hash.update([self.modified.date.to_be_bytes(), self.modified.time.to_be_bytes()].concat());
        for file in &self.files {
            hash.update(file.path.as_bytes());
            hash.update([0]);
            hash.update(file.size_bytes.to_be_bytes());
            hash.update(file.crc32.to_be_bytes());
            hash.update(file.sha256);
        }
        hex(&hash.finalize())
    }

    pub fn to_blob(&self) -> Result<Vec<u8>, PackageError> {
        let list = List {
            modified: (self.modified.date, self.modified.time),
            files: self.files.iter().map(Row::of).collect(),
        };
        let mut out = ZlibEncoder::new(Vec::new(), Compression::fast());
        serde_json::to_writer(&mut out, &list).map_err(|_| PackageError::Frozen)?;
        out.flush().and_then(|()| out.finish()).map_err(|_| PackageError::Frozen)
    }

    pub fn from_blob(blob: &[u8]) -> Result<Self, PackageError> {
        let reader = std::io::BufReader::new(ZlibDecoder::new(blob));
        let list: List = serde_json::from_reader(reader).map_err(|_| PackageError::Frozen)?;
        let files = list.files.into_iter().map(Row::file).collect::<Option<Vec<_>>>().ok_or(PackageError::Frozen)?;
        Ok(Self { modified: Modified { date: list.modified.0, time: list.modified.1 }, files })
    }
}

#[derive(Serialize, Deserialize)]
struct List {
    modified: (u16, u16),
    files: Vec<Row>,
}

#[derive(Serialize, Deserialize)]
struct Row {
    path: Box<str>,
    size: u64,
    crc32: u32,
    sha256: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    made: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stored: Option<(String, u32, String)>,
}

impl Row {
    fn of(file: &File) -> Self {
        let (made, stored) = match &file.source {
            Source::Made(bytes) => (Some(STANDARD.encode(bytes)), None),
            Source::Instance(file) => {
                (None, Some((file.path.clone(), file.dataset_offset, file.transfer_syntax_uid.to_string())))
            }
        };
        let sha256 = STANDARD.encode(file.sha256);
        Self { path: file.path.clone(), size: file.size_bytes, crc32: file.crc32, sha256, made, stored }
    }

    fn file(self) -> Option<File> {
        let sha256: [u8; 32] = STANDARD.decode(self.sha256).ok()?.try_into().ok()?;
        let source = match (self.made, self.stored) {
            (Some(made), None) => Source::Made(STANDARD.decode(made).ok()?.into()),
            (None, Some((path, dataset_offset, syntax))) => Source::Instance(StoredFile {
                path,
                size_bytes: self.size,
                crc32: self.crc32,
                sha256,
                dataset_offset,
                transfer_syntax_uid: TransferSyntaxUid::parse(&syntax).ok()?,
            }),
            _ => return None,
        };
        Some(File { path: self.path, sha256, crc32: self.crc32, size_bytes: self.size, source })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frozen() -> Frozen {
        let stored = StoredFile {
            path: "objects/0001/x.dcm".into(),
            size_bytes: 500,
            crc32: 7,
            sha256: [9; 32],
            dataset_offset: 300,
            transfer_syntax_uid: TransferSyntaxUid::parse("1.2.840.10008.1.2").unwrap(),
        };
        let files = vec![
            File::made("README.TXT", b"hello\r\n".to_vec()),
            File::instance("DICOM/PT000001/ST000001/SE000001/IM000001".into(), stored),
        ];
        Frozen { modified: Modified::from_dicom("20260914", "0930"), files }
    }

    #[test]
    fn a_version_read_back_has_the_same_bytes_and_tag() {
        let first = frozen();
        let again = Frozen::from_blob(&first.to_blob().unwrap()).unwrap();
        assert_eq!(again.etag(), first.etag());
        assert_eq!(again.layout().unwrap().length(), first.layout().unwrap().length());
        assert_eq!(format!("{:?}", again.files), format!("{:?}", first.files));
    }

    #[test]
    fn the_tag_follows_every_file() {
        let mut other = frozen();
        other.files[1].sha256 = [8; 32];
        assert_ne!(other.etag(), frozen().etag());
    }

    #[test]
    fn a_damaged_blob_is_an_error() {
        let mut blob = frozen().to_blob().unwrap();
        blob.truncate(blob.len() / 2);
        assert!(Frozen::from_blob(&blob).is_err());
        assert!(Frozen::from_blob(b"").is_err());
    }
}
