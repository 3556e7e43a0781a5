//! The records of a ZIP archive, byte for byte (APPNOTE.TXT 6.3.10 §4.3.7, §4.3.12 to §4.3.16, §4.5.3).

use super::zip::Modified;

const LOCAL: usize = 30;
const CENTRAL: usize = 46;
/// What the 32-bit and 16-bit fields say when the value stands in the ZIP64 field.
const IN_ZIP64: u32 = u32::MAX;
const MANY: u16 = u16::MAX;
const VERSION_PLAIN: u16 = 20;
const VERSION_ZIP64: u16 = 45;
/// Made on a system with Unix permissions, so that unpacked files are `rw-r--r--` (§4.4.2, §4.4.15).
const MADE_ON_UNIX: u16 = 3 << 8;
const PERMISSIONS: u32 = 0o100_644 << 16;

/// What the two headers of an entry tell.
pub(super) struct EntryFields<'a> {
    pub path: &'a str,
    pub size_bytes: u64,
    pub crc32: u32,
    pub header_offset: u64,
    pub modified: Modified,
}

pub(super) struct Counts {
    pub entries: u64,
    pub central_start: u64,
    pub central_length: u64,
}

fn fits(value: u64) -> bool {
    value < u64::from(IN_ZIP64)
}

fn narrow(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(IN_ZIP64)
}

/// The ZIP64 field of a local header holds both sizes (§4.5.3).
fn local_extra(size_bytes: u64) -> usize {
    if fits(size_bytes) { 0 } else { 4 + 16 }
}

/// That of a central record holds only what did not fit.
fn central_extra(size_bytes: u64, header_offset: u64) -> usize {
    match (fits(size_bytes), fits(header_offset)) {
        (true, true) => 0,
        (true, false) => 4 + 8,
        (false, true) => 4 + 16,
        (false, false) => 4 + 24,
    }
}

pub(super) fn local_header_length(path: &str, size_bytes: u64) -> u64 {
    (LOCAL + path.len() + local_extra(size_bytes)) as u64
}

pub(super) fn central_record_length(path: &str, size_bytes: u64, header_offset: u64) -> u64 {
    (CENTRAL + path.len() + central_extra(size_bytes, header_offset)) as u64
}

pub(super) fn local_header(entry: &EntryFields<'_>) -> Vec<u8> {
    let extra = local_extra(entry.size_bytes);
    let mut out = Vec::with_capacity(LOCAL + entry.path.len() + extra);
    out.extend_from_slice(b"PK\x03\x04");
    push16(&mut out, if extra == 0 { VERSION_PLAIN } else { VERSION_ZIP64 });
    push_common(&mut out, entry, extra);
    out.extend_from_slice(entry.path.as_bytes());
    if extra > 0 {
        push16(&mut out, 1);
        push16(&mut out, 16);
        push64(&mut out, entry.size_bytes);
        push64(&mut out, entry.size_bytes);
    }
    out
}

pub(super) fn central_record(entry: &EntryFields<'_>) -> Vec<u8> {
    let extra = central_extra(entry.size_bytes, entry.header_offset);
    let version = if extra == 0 { VERSION_PLAIN } else { VERSION_ZIP64 };
    let mut out = Vec::with_capacity(CENTRAL + entry.path.len() + extra);
    out.extend_from_slice(b"PK\x01\x02");
    push16(&mut out, MADE_ON_UNIX | version);
    push16(&mut out, version);
    push_common(&mut out, entry, extra);
    push16(&mut out, 0); // comment
    push16(&mut out, 0); // disk
    push16(&mut out, 0); // internal attributes
    push32(&mut out, PERMISSIONS);
    push32(&mut out, narrow(entry.header_offset));
    out.extend_from_slice(entry.path.as_bytes());
    if extra > 0 {
        push16(&mut out, 1);
        push16(&mut out, extra as u16 - 4);
        if !fits(entry.size_bytes) {
            push64(&mut out, entry.size_bytes);
            push64(&mut out, entry.size_bytes);
        }
        if !fits(entry.header_offset) {
            push64(&mut out, entry.header_offset);
        }
    }
    out
}

/// From the flags to the extra field's length: the same in both headers.
fn push_common(out: &mut Vec<u8>, entry: &EntryFields<'_>, extra: usize) {
    push16(out, 0); // flags: no encryption, no data descriptor, names are ASCII
    push16(out, 0); // method: stored
    push16(out, entry.modified.time);
    push16(out, entry.modified.date);
    push32(out, entry.crc32);
    push32(out, narrow(entry.size_bytes));
    push32(out, narrow(entry.size_bytes));
    push16(out, entry.path.len() as u16);
    push16(out, extra as u16);
}

/// The end of central directory record, before it that of ZIP64 and its locator where they are needed.
pub(super) fn end_of_directory(counts: &Counts) -> Vec<u8> {
    let many = counts.entries >= u64::from(MANY);
    let mut out = Vec::with_capacity(98);
    if many || !fits(counts.central_length) || !fits(counts.central_start) {
        out.extend_from_slice(b"PK\x06\x06");
        push64(&mut out, 44); // what follows of this record
        push16(&mut out, MADE_ON_UNIX | VERSION_ZIP64);
        push16(&mut out, VERSION_ZIP64);
        push32(&mut out, 0);
        push32(&mut out, 0);
        push64(&mut out, counts.entries);
        push64(&mut out, counts.entries);
        push64(&mut out, counts.central_length);
        push64(&mut out, counts.central_start);
        out.extend_from_slice(b"PK\x06\x07");
        push32(&mut out, 0);
        push64(&mut out, counts.central_start + counts.central_length);
        push32(&mut out, 1);
    }
    let entries = if many { MANY } else { counts.entries as u16 };
    out.extend_from_slice(b"PK\x05\x06");
    push16(&mut out, 0);
    push16(&mut out, 0);
    push16(&mut out, entries);
    push16(&mut out, entries);
    push32(&mut out, narrow(counts.central_length));
    push32(&mut out, narrow(counts.central_start));
    push16(&mut out, 0);
    out
}

fn push16(out: &mut Vec<u8>, value: u16) {
    out.extend_from_slice(&value.to_le_bytes());
}
fn push32(out: &mut Vec<u8>, value: u32) {
    out.extend_from_slice(&value.to_le_bytes());
}
fn push64(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(&value.to_le_bytes());
}
