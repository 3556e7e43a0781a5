//! Which attributes of a data set change while it is rewritten. Those of items never do.

use super::{explicit, mark};
use crate::domain::explicit::Elements;
use crate::domain::walker::{ITEM, ITEM_DELIMITATION, SEQUENCE_DELIMITATION};
use dicom_core::{Tag, VR};
use std::collections::{BTreeMap, BTreeSet};

/// Changes by tag. Each takes effect once: where the attribute stands, or where it would.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Edits {
    ahead: BTreeMap<Tag, Edit>,
    /// Written already: an attribute that comes out of order, or twice, is not written beside it.
    done: BTreeSet<Tag>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Edit {
    /// The encoded element that takes its place; none when it is empty.
    Replaced(Vec<u8>),
    /// An encoded data set that becomes one more item of a sequence.
    Item(Vec<u8>),
    /// Text behind the text that is there; the VR holds where there is none.
    Text(VR, Vec<u8>),
}

impl Edits {
    /// These elements in place of those that are there.
    pub fn put(&mut self, elements: Elements) {
        self.ahead.extend(elements.each().map(|(tag, bytes)| (tag, Edit::Replaced(bytes))));
    }
    pub fn remove(&mut self, tag: Tag) {
        self.ahead.insert(tag, Edit::Replaced(Vec::new()));
    }
    /// One more item of a sequence.
    pub fn item(&mut self, sequence: Tag, item: &Elements) {
        self.ahead.insert(sequence, Edit::Item(item.to_bytes()));
    }
    /// `text` behind what a text attribute says: of the repertoire that every character set has.
    pub fn append(&mut self, tag: Tag, vr: VR, text: &str) {
        self.ahead.insert(tag, Edit::Text(vr, text.as_bytes().to_vec()));
    }

    /// What happens to an attribute that is there.
    pub(super) fn take(&mut self, tag: Tag) -> Option<Edit> {
        if self.done.contains(&tag) {
            return Some(Edit::Replaced(Vec::new()));
        }
        let edit = self.ahead.remove(&tag)?;
        self.done.insert(tag);
        Some(edit)
    }
    /// Writes what belongs before `tag` and was not there.
    pub(super) fn flush(&mut self, before: Option<Tag>, out: &mut Vec<u8>) {
        while let Some(entry) = self.ahead.first_entry() {
            if before.is_some_and(|tag| *entry.key() >= tag) {
                return;
            }
            let tag = *entry.key();
            self.done.insert(tag);
            entry.remove().alone(tag, out);
        }
    }
}

impl Edit {
    /// Where there is no attribute to change.
    pub(super) fn alone(self, tag: Tag, out: &mut Vec<u8>) {
        match self {
            Self::Replaced(bytes) => out.extend(bytes),
            Self::Item(item) => {
                explicit(out, tag, VR::SQ, u32::MAX);
                one_item(&item, out);
                mark(out, SEQUENCE_DELIMITATION, 0);
            }
            Self::Text(vr, text) => {
                let mut alone = Elements::default();
                alone.put(tag, vr, text);
                out.extend(alone.to_bytes());
            }
        }
    }
}

/// An item of undefined length, as the others of the sequence are written.
pub(super) fn one_item(item: &[u8], out: &mut Vec<u8>) {
    mark(out, ITEM, u32::MAX);
    out.extend_from_slice(item);
    mark(out, ITEM_DELIMITATION, 0);
}
