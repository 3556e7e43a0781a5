//! Rows of patient links. The index keeps digests of what opens a link, never the thing itself.

/// What a link has used up of its tries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tries {
    pub consecutive: u32,
    pub lifetime: u32,
    /// No try is answered before this time.
    pub wait_until_ms: Option<i64>,
}
