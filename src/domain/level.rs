//! The levels of the DICOM information model (PS3.3 §A.1.2, PS3.4 §C.6.2).

/// Where an attribute belongs, and what a query asks for. Patient attributes are returned with the study.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    Patient,
    Study,
    Series,
    Instance,
}

impl Level {
    /// As rows, the trail and the API call it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Patient => "patient",
            Self::Study => "study",
            Self::Series => "series",
            Self::Instance => "instance",
        }
    }
}
