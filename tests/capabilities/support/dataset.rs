//! Synthetic data sets, written element by element in Explicit VR Little Endian.

use bluebridge::domain::uid::{SopClassUid, SopInstanceUid, TransferSyntaxUid};
use std::collections::BTreeMap;

/// A data set as a scanner would send it. Built by setting elements; `bytes` is what goes over the wire.
#[derive(Debug, Clone)]
pub struct Dataset {
    elements: BTreeMap<u32, (&'static str, Vec<u8>)>,
    syntax: &'static str,
}

pub const CT_IMAGE_STORAGE: &str = "1.2.840.10008.5.1.4.1.1.2";

/// A UID nobody else in this test run has.
pub fn uid() -> String {
    format!("2.25.{}", ulid::Ulid::generate().0)
}

impl Dataset {
    /// A 16 by 16 CT image in a study of its own.
    pub fn ct() -> Self {
        Self { elements: BTreeMap::new(), syntax: "1.2.840.10008.1.2.1" }
            .text(0x0008_0005, "CS", "ISO_IR 192")
            .text(0x0008_0008, "CS", "ORIGINAL\\PRIMARY\\AXIAL")
            .text(0x0008_0016, "UI", CT_IMAGE_STORAGE)
            .text(0x0008_0018, "UI", &uid())
            .text(0x0008_0020, "DA", "20261120")
            .text(0x0008_0030, "TM", "101500")
            .text(0x0008_0050, "SH", "ACC-1")
            .text(0x0008_0060, "CS", "CT")
            .text(0x0008_0070, "LO", "Test")
            .text(0x0008_0090, "PN", "REFERRER^ANNA")
            .text(0x0008_1030, "LO", "Chest")
            .text(0x0010_0010, "PN", "TEST^PATIENT")
            .text(0x0010_0020, "LO", "ID-1")
            .text(0x0010_0030, "DA", "19700131")
            .text(0x0010_0040, "CS", "O")
            .text(0x0020_000D, "UI", &uid())
            .text(0x0020_000E, "UI", &uid())
            .text(0x0020_0010, "SH", "1")
            .text(0x0020_0011, "IS", "1")
            .text(0x0020_0013, "IS", "1")
            .short(0x0028_0002, 1)
            .text(0x0028_0004, "CS", "MONOCHROME2")
            .pixels(16, 16, 7)
    }
    /// `count` images of one series.
    pub fn series(count: u16) -> Vec<Self> {
        let (study, series) = (uid(), uid());
        (1..=count).map(|n| Self::ct().study(&study).in_series(&series).number(n).pixels(16, 16, n)).collect()
    }
    pub fn text(mut self, tag: u32, vr: &'static str, value: &str) -> Self {
        let mut bytes = value.as_bytes().to_vec();
        if bytes.len() % 2 == 1 {
            bytes.push(if vr == "UI" { 0 } else { b' ' });
        }
        self.elements.insert(tag, (vr, bytes));
        self
    }
    pub fn short(self, tag: u32, value: u16) -> Self {
        self.raw(tag, "US", value.to_le_bytes().to_vec())
    }
    pub fn raw(mut self, tag: u32, vr: &'static str, value: Vec<u8>) -> Self {
        self.elements.insert(tag, (vr, value));
        self
    }
    pub fn without(mut self, tag: u32) -> Self {
        self.elements.remove(&tag);
        self
    }
    pub fn study(self, uid: &str) -> Self {
        self.text(0x0020_000D, "UI", uid)
    }
    pub fn in_series(self, uid: &str) -> Self {
        self.text(0x0020_000E, "UI", uid)
    }
    pub fn number(self, number: u16) -> Self {
        self.text(0x0020_0013, "IS", &number.to_string())
    }
    pub fn patient(self, name: &str) -> Self {
        self.text(0x0010_0010, "PN", name)
    }
    pub fn pixels(self, rows: u16, columns: u16, seed: u16) -> Self {
        let count = u32::from(rows) * u32::from(columns);
        let value = (0..count).flat_map(|i| ((i as u16).wrapping_mul(31).wrapping_add(seed) & 0x0FFF).to_le_bytes());
        let value: Vec<u8> = value.collect();
        self.short(0x0028_0010, rows)
            .short(0x0028_0011, columns)
            .short(0x0028_0100, 16)
            .short(0x0028_0101, 12)
            .short(0x0028_0102, 11)
            .short(0x0028_0103, 0)
            .raw(0x7FE0_0010, "OW", value)
    }

    fn value(&self, tag: u32) -> String {
        let bytes = &self.elements[&tag].1;
        String::from_utf8(bytes.clone()).unwrap().trim_end_matches(['\0', ' ']).to_owned()
    }
    pub fn study_uid(&self) -> String {
        self.value(0x0020_000D)
    }
    pub fn series_uid(&self) -> String {
        self.value(0x0020_000E)
    }
    pub fn instance_uid(&self) -> String {
        self.value(0x0008_0018)
    }
    pub fn class(&self) -> SopClassUid {
        SopClassUid::parse(&self.value(0x0008_0016)).unwrap()
    }
    pub fn instance(&self) -> SopInstanceUid {
        SopInstanceUid::parse(&self.instance_uid()).unwrap()
    }
    pub fn transfer_syntax(&self) -> TransferSyntaxUid {
        TransferSyntaxUid::parse(self.syntax).unwrap()
    }
    /// `/dicom-web/studies/.../series/.../instances/...`
    pub fn path(&self) -> String {
        format!("{}/instances/{}", self.series_path(), self.instance_uid())
    }
    pub fn series_path(&self) -> String {
        format!("{}/series/{}", self.study_path(), self.series_uid())
    }
    pub fn study_path(&self) -> String {
        format!("/dicom-web/studies/{}", self.study_uid())
    }

    /// In the file format, as other software writes it: with a preamble and another's name in it.
    pub fn file(&self) -> Vec<u8> {
        let meta = Self { elements: BTreeMap::new(), syntax: self.syntax }
            .raw(0x0002_0001, "OB", vec![0, 1])
            .text(0x0002_0002, "UI", &self.value(0x0008_0016))
            .text(0x0002_0003, "UI", &self.instance_uid())
            .text(0x0002_0010, "UI", self.syntax)
            .text(0x0002_0012, "UI", "1.2.3.4")
            .text(0x0002_0013, "SH", "OTHER");
        let length = (meta.bytes().len() as u32).to_le_bytes().to_vec();
        let mut file = b"II*\0".repeat(32);
        file.extend_from_slice(b"DICM");
        file.extend_from_slice(&meta.raw(0x0002_0000, "UL", length).bytes());
        file.extend_from_slice(&self.bytes());
        file
    }

    /// Explicit VR Little Endian.
    pub fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for (tag, (vr, value)) in &self.elements {
            out.extend_from_slice(&((tag >> 16) as u16).to_le_bytes());
            out.extend_from_slice(&(*tag as u16).to_le_bytes());
            out.extend_from_slice(vr.as_bytes());
            if matches!(*vr, "OB" | "OW" | "OF" | "OD" | "OL" | "OV" | "SQ" | "UC" | "UN" | "UR" | "UT") {
                out.extend_from_slice(&[0, 0]);
                out.extend_from_slice(&(value.len() as u32).to_le_bytes());
            } else {
                out.extend_from_slice(&(value.len() as u16).to_le_bytes());
            }
            out.extend_from_slice(value);
        }
        out
    }
}
