//! The stored DICOM JSON of an instance.

/// Compressed pieces of JSON with places for BulkDataURIs between them.
#[derive(Debug, Clone, Default)]
pub struct Metadata {}
