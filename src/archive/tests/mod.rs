//! The archive over a real index and a real disk, with faults where a test asks for them.

mod durability;
mod rate;
mod receive;
mod remove;
mod restart;
mod retrieve;

use super::{Archive, ArchiveSettings, Offer, ReceiveError, Received, ReconcileReport, Source, SyntaxSource};
use crate::config::units::{Bytes, Floor};
use crate::config::{ConflictAnswer, Limits, Storage};
use crate::domain::clock::Clock;
use crate::domain::instance::Selector;
use crate::domain::transfer_syntax::{self, EXPLICIT_VR_LITTLE_ENDIAN, TransferSyntax};
use crate::domain::uid::{SopClassUid, SopInstanceUid, StudyInstanceUid};
use crate::index::{Index, IndexSettings};
use crate::store::{Disk, Faults};
use std::path::Path;

pub(crate) const CT: &str = "1.2.840.10008.5.1.4.1.1.2";

/// An archive in a folder of its own, without ballast and floors.
pub(crate) struct Bench {
    pub(crate) archive: Archive,
    pub(crate) index: Index,
    pub(super) report: ReconcileReport,
    faults: Faults,
    folder: tempfile::TempDir,
}

impl Bench {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }
    async fn with(change: impl FnOnce(&mut ArchiveSettings)) -> Self {
        Self::open(tempfile::tempdir().unwrap(), change).await
    }
    async fn open(folder: tempfile::TempDir, change: impl FnOnce(&mut ArchiveSettings)) -> Self {
        let index = Index::open(folder.path(), IndexSettings::default(), Clock::system()).await.unwrap();
        let faults = Faults::default();
        let none = Floor::Bytes(Bytes::new(0));
        let mut settings = ArchiveSettings {
            data_dir: folder.path().to_owned(),
            storage: Storage { soft_stop: none, hard_stop: none, ballast: none, ..Storage::default() },
            limits: Limits::default(),
            disk: Disk::with_faults(faults.clone()),
            lock: None,
        };
        change(&mut settings);
        let (archive, report) = Archive::start(settings, index.clone(), Clock::system()).await.unwrap();
        Self { archive, index, report, faults, folder }
    }
    /// As after a crash of the process: nothing is stopped in order.
    async fn crash(self) -> Self {
        let Self { archive, index, folder, .. } = self;
        drop(archive);
        let _ = index.close().await;
        Self::open(folder, |_| {}).await
    }
    async fn restart(self) -> Self {
        self.archive.stop().await;
        self.crash().await
    }
    /// A stop, and a start without the index.
    async fn lose_index(self) -> Self {
        self.archive.stop().await;
        let Self { archive, index, folder, .. } = self;
        drop(archive);
        let _ = index.close().await;
        for name in ["index.sqlite", "index.sqlite-wal", "index.sqlite-shm"] {
            let _ = std::fs::remove_file(folder.path().join(name));
        }
        Self::open(folder, |_| {}).await
    }
    fn path(&self) -> &Path {
        self.folder.path()
    }
    /// Sends one instance in portions of 16 KiB, as a C-STORE does.
    pub(crate) async fn send(&self, data: &Data) -> Result<Received, ReceiveError> {
        let mut intake = self.archive.begin(data.offer())?;
        for portion in data.bytes().chunks(16 * 1024) {
            intake.write(portion)?;
        }
        intake.finish().await
    }
    async fn stored(&self, data: &Data) -> Option<Vec<u8>> {
        let detail = self.archive.instance(&data.selector()).await.unwrap()?;
        let file = self.archive.open(&detail.row.file).await.unwrap();
        let start = u64::from(detail.row.file.dataset_offset);
        Some(file.read_exact_at(start..file.size_bytes(), 1 << 30).await.unwrap().to_vec())
    }
    pub(crate) fn files(&self, folder: &str) -> Vec<String> {
        let mut found = Vec::new();
        let mut folders = vec![self.path().join(folder)];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    found.push(path.strip_prefix(self.path()).unwrap().to_str().unwrap().to_owned());
                }
            }
        }
        found.sort();
        found
    }
}

/// A synthetic data set in Explicit VR Little Endian.
#[derive(Debug, Clone)]
pub(crate) struct Data {
    pub(crate) study: String,
    pub(crate) series: String,
    pub(crate) instance: String,
    pub(crate) patient: String,
    pub(crate) description: String,
    /// Bytes of Pixel Data: one row of 16-bit pixels.
    pub(crate) pixel_bytes: u16,
    pub(crate) fill: u8,
    pub(crate) conflict: ConflictAnswer,
    /// What the command says, when it differs.
    command_instance: Option<String>,
    cut: usize,
    pub(crate) syntax: &'static TransferSyntax,
}

impl Data {
    pub(crate) fn ct(number: u32) -> Self {
        Self {
            study: "1.2.826.0.1.1".into(),
            series: "1.2.826.0.1.1.1".into(),
            instance: format!("1.2.826.0.1.1.1.{number}"),
            patient: "TEST-1".into(),
            description: "CHEST".into(),
            pixel_bytes: 4096,
            fill: 7,
            conflict: ConflictAnswer::Keep,
            command_instance: None,
            cut: 0,
            syntax: transfer_syntax::lookup(EXPLICIT_VR_LITTLE_ENDIAN).unwrap(),
        }
    }
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let text = |out: &mut Vec<u8>, tag: (u16, u16), vr: &[u8; 2], value: &str| {
            let mut value = value.as_bytes().to_vec();
            if value.len() % 2 == 1 {
                value.push(if vr == b"UI" { 0 } else { b' ' });
            }
            element(out, tag, vr, &value);
        };
        text(&mut out, (8, 0x16), b"UI", CT);
        text(&mut out, (8, 0x18), b"UI", &self.instance);
        text(&mut out, (8, 0x20), b"DA", "20260102");
        text(&mut out, (8, 0x60), b"CS", "CT");
        text(&mut out, (8, 0x1030), b"LO", &self.description);
        text(&mut out, (0x10, 0x10), b"PN", "TEST^ARCHIVE");
        text(&mut out, (0x10, 0x20), b"LO", &self.patient);
        text(&mut out, (0x20, 0xD), b"UI", &self.study);
        text(&mut out, (0x20, 0xE), b"UI", &self.series);
        for (tag, value) in [
            ((0x28, 2), 1),
            ((0x28, 0x10), 1),
            ((0x28, 0x11), self.pixel_bytes / 2),
            ((0x28, 0x100), 16),
            ((0x28, 0x101), 16),
            ((0x28, 0x102), 15),
            ((0x28, 0x103), 0),
        ] {
            element(&mut out, tag, b"US", &value.to_le_bytes());
        }
        out.extend_from_slice(&[0xE0, 0x7F, 0x10, 0, b'O', b'W', 0, 0]);
        out.extend_from_slice(&u32::from(self.pixel_bytes).to_le_bytes());
        out.resize(out.len() + usize::from(self.pixel_bytes), self.fill);
        out.truncate(out.len() - self.cut);
        out
    }
    /// The same with so many bytes of Pixel Data, whatever the other attributes say.
    fn with_pixels(&self, pixel_bytes: u32) -> Vec<u8> {
        let mut out = Self { pixel_bytes: 0, ..self.clone() }.bytes();
        out.truncate(out.len() - 4);
        out.extend_from_slice(&pixel_bytes.to_le_bytes());
        out.resize(out.len() + pixel_bytes as usize, self.fill);
        out
    }
    pub(crate) fn offer(&self) -> Offer {
        Offer {
            source: Source { peer: Some("CT 1".into()), ..Source::default() },
            transfer_syntax: self.syntax,
            syntax_from: SyntaxSource::Sender,
            sop_class_uid: Some(SopClassUid::parse(CT).unwrap()),
            sop_instance_uid: SopInstanceUid::parse(self.command_instance.as_ref().unwrap_or(&self.instance)).ok(),
            study_instance_uid: None,
            only: None,
            conflict: self.conflict,
        }
    }
    pub(crate) fn selector(&self) -> Selector {
        Selector {
            study: StudyInstanceUid::parse(&self.study).unwrap(),
            series: None,
            instance: SopInstanceUid::parse(&self.instance).ok(),
        }
    }
}

fn element(out: &mut Vec<u8>, tag: (u16, u16), vr: &[u8; 2], value: &[u8]) {
    out.extend_from_slice(&tag.0.to_le_bytes());
    out.extend_from_slice(&tag.1.to_le_bytes());
    out.extend_from_slice(vr);
    out.extend_from_slice(&u16::try_from(value.len()).unwrap().to_le_bytes());
    out.extend_from_slice(value);
}
