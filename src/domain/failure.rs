//! Why an instance was refused, as code and standard wording. The same code is a C-STORE Status
//! (PS3.4 §B.2.3, PS3.7 Annex C) and a STOW-RS Failure Reason (PS3.18 Annex I).

use std::fmt;

/// A code of the standard with the words that stand beside it there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Failure {
    pub code: u16,
    pub wording: &'static str,
}

impl Failure {
    pub const OUT_OF_RESOURCES: Self = Self { code: 0xA700, wording: "Refused: Out of Resources" };
    pub const DATA_SET_DOES_NOT_MATCH: Self =
        Self { code: 0xA900, wording: "Error: Data Set does not match SOP Class" };
    pub const CANNOT_UNDERSTAND: Self = Self { code: 0xC000, wording: "Error: Cannot understand" };
    pub const INVALID_ATTRIBUTE_VALUE: Self = Self { code: 0x0106, wording: "Invalid attribute value" };
    pub const PROCESSING_FAILURE: Self = Self { code: 0x0110, wording: "Processing failure" };
    pub const INVALID_SOP_INSTANCE: Self = Self { code: 0x0117, wording: "Invalid SOP Instance" };
    pub const SOP_CLASS_NOT_SUPPORTED: Self = Self { code: 0x0122, wording: "Refused: SOP Class not supported" };
    pub const NOT_AUTHORIZED: Self = Self { code: 0x0124, wording: "Refused: Not authorized" };
    pub const UNRECOGNIZED_OPERATION: Self = Self { code: 0x0211, wording: "Unrecognized operation" };
    /// STOW-RS only, as are those below.
    pub const TRANSFER_SYNTAX_NOT_SUPPORTED: Self =
        Self { code: 0xC122, wording: "Referenced Transfer Syntax not supported" };
    /// Ours (PS3.18 §I.2.2 leaves room for more codes), with the numbers that dcm4chee made known.
    pub const OTHER_STUDY: Self = Self { code: 0xC409, wording: "Instance belongs to another study" };
    pub const METADATA_NOT_UNDERSTOOD: Self = Self { code: 0xC901, wording: "Metadata cannot be understood" };
    pub const BULK_DATA_MISSING: Self = Self { code: 0xC902, wording: "Bulk data is missing" };
    /// A Warning Reason of ours: kept beside another instance with its UID (PS3.7 §C.5.7 in the range of
    /// warnings).
    pub const DUPLICATE_KEPT_BESIDE: Self = Self { code: 0xB111, wording: "Duplicate SOP Instance, kept beside" };
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:04X} {}", self.code, self.wording)
    }
}
