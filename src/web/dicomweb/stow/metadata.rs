//! Uploads as metadata and bulk data (PS3.18 §10.5.1.2): what came is kept until the body has ended, then
//! every data set of the metadata is written as an instance, its bulk data where its BulkDataURIs say.
//! A URI names a part of the same body by its Content-Location or Content-ID; none is ever followed.

use super::content_type::ContentType;
use super::outcome::Failed;
use super::related::PartHeader;
use crate::archive::{Archive, ReceiveError, Spool};
use crate::domain::failure::Failure;
use crate::domain::{json, native_xml};
use serde_json::{Map, Value};
use std::ops::Range;

/// Metadata of one upload, all parts together: it is held in memory, and more so once it is parsed.
const METADATA_MAX: usize = 8 << 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notation {
    Json,
    Xml,
}

/// A part that is no instance by itself.
#[derive(Debug)]
pub struct BulkPart {
    names: Vec<String>,
    pub content: ContentType,
    pub range: Range<u64>,
    pub used: bool,
    /// Why it is not whole.
    pub broken: Option<ReceiveError>,
}

impl BulkPart {
    pub fn is_named(&self, uri: &str) -> bool {
        self.names.iter().any(|name| name == uri)
    }
    /// Another name for it.
    pub fn name(&mut self, uri: &str) {
        self.names.push(uri.to_owned());
    }
    pub fn length(&self) -> u64 {
        self.range.end - self.range.start
    }
}

/// What came so far.
#[derive(Default)]
pub struct Collected {
    documents: Vec<(Notation, Vec<u8>)>,
    bytes: usize,
    too_long: bool,
    pub spool: Option<Spool>,
    pub bulk: Vec<BulkPart>,
}

impl Collected {
    pub fn has_metadata(&self) -> bool {
        !self.documents.is_empty()
    }

    pub fn begin_metadata(&mut self, notation: Notation) {
        self.documents.push((notation, Vec::new()));
    }
    pub fn metadata(&mut self, bytes: &[u8]) {
        self.bytes = self.bytes.saturating_add(bytes.len());
        if self.bytes > METADATA_MAX {
            self.too_long = true;
        } else if let Some((_, document)) = self.documents.last_mut() {
            document.extend_from_slice(bytes);
        }
    }

    pub fn begin_bulk(&mut self, header: &PartHeader, content: ContentType) {
        let location = header.get("content-location").map(str::to_owned);
        let id = header.get("content-id").map(|id| format!("cid:{}", id.trim_matches(['<', '>'])));
        let at = self.spool.as_ref().map_or(0, Spool::size_bytes);
        let names = location.into_iter().chain(id).collect();
        self.bulk.push(BulkPart { names, content, range: at..at, used: false, broken: None });
    }
    pub fn bulk(&mut self, archive: &Archive, bytes: &[u8]) {
        let Some(part) = self.bulk.last_mut() else { return };
        if part.broken.is_some() {
            return;
        }
        let written = match &mut self.spool {
            Some(spool) => spool.append(bytes).map(|()| spool.size_bytes()),
            none => archive.spool().and_then(|spool| {
                let spool = none.insert(spool);
                spool.append(bytes).map(|()| spool.size_bytes())
            }),
        };
        match written {
            Ok(end) => part.range.end = end,
            Err(error) => part.broken = Some(error),
        }
    }

    /// The data sets of the metadata, or why a part of it holds none.
    pub fn datasets(&mut self) -> Vec<Result<Map<String, Value>, Failed>> {
        let not = |comment: &str| Failed::new(Failure::METADATA_NOT_UNDERSTOOD, comment);
        if self.too_long {
            return vec![Err(not("the metadata is longer than 8 MiB"))];
        }
        let mut found = Vec::new();
        for (notation, document) in std::mem::take(&mut self.documents) {
            match notation {
                Notation::Xml => found.push(native_xml::read(&document).map_err(|error| not(&error.to_string()))),
                Notation::Json => {
                    let read = json::read::datasets(&document).into_iter();
                    found.extend(read.map(|dataset| dataset.map_err(|fault| not(&fault))));
                }
            }
        }
        found
    }
}
