//! The one table of searchable attributes, and the values that an instance brings for them.

use super::level::Level;
use dicom_core::{Tag, VR};
use std::collections::BTreeMap;

/// One row of the table.
#[derive(Debug)]
pub struct Attribute {
    pub tag: Tag,
    pub keyword: &'static str,
    pub vr: VR,
    pub level: Level,
    /// Returned without being asked for (PS3.18 §10.6.3.3), as far as the instance has a value.
    pub by_default: bool,
}

/// The values of table attributes of one instance, decoded to UTF-8, padding removed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attributes(pub BTreeMap<Tag, Vec<String>>);

/// The row for `tag`, when it is a searchable attribute.
pub fn lookup(tag: Tag) -> Option<&'static Attribute> {
    TABLE.iter().find(|attribute| attribute.tag == tag)
}

pub static TABLE: &[Attribute] = &[];
