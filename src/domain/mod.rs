//! The standard's vocabulary and our rules, as plain values and pure functions. Knows no file, no
//! socket, no database and no clock but the one it is handed.

pub mod ae_title;
pub mod arrival;
pub mod attributes;
pub mod byte_order;
pub mod clock;
pub mod codestream;
pub mod compose;
pub mod distinguished_name;
pub mod explicit;
pub mod failure;
pub mod file_meta;
pub mod frames;
pub mod implementation;
pub mod instance;
pub mod json;
pub mod level;
pub mod metadata;
pub mod native_xml;
pub mod person_name;
pub mod phi;
pub mod pixel_data;
pub mod query;
pub mod reading;
pub mod recode;
pub mod restriction;
pub mod sop_class;
pub mod text;
pub mod transfer_syntax;
pub mod uid;
pub mod varint;
pub mod vr;
pub mod walker;
