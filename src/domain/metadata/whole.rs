//! The JSON text of one instance in one piece, for those who look into it.

use super::assembler::{Assembler, Form};
use super::{Metadata, MetadataError};

impl Metadata {
    /// The JSON object as text, with BulkDataURIs that begin at `/bulkdata/`; an error when the text is
    /// longer than `cap` bytes.
    pub fn text(self, cap: u64) -> Result<Vec<u8>, MetadataError> {
        let length = self.pieces.iter().try_fold(0_u64, |sum, piece| sum.checked_add(piece.length));
        if length.is_none_or(|length| length > cap) {
            return Err(MetadataError);
        }
        let mut assembler = Assembler::new(Form::Identity);
        assembler.push(self, "");
        let mut array = Vec::new();
        while let Some(chunk) = assembler.next_chunk()? {
            array.extend_from_slice(&chunk);
        }
        array.extend_from_slice(&assembler.finish()?);
        // The array's brackets stand around its one object.
        array.pop();
        if array.first() == Some(&b'[') {
            array.remove(0);
        }
        Ok(array)
    }
}
