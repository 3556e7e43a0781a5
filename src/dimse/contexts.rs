//! Presentation contexts that were agreed on (PS3.8 §7.1.1.13).

use crate::domain::uid::{SopClassUid, TransferSyntaxUid};

/// An accepted presentation context: what may be sent on it, and how that is encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Context {
    pub id: u8,
    pub abstract_syntax: SopClassUid,
    pub transfer_syntax: TransferSyntaxUid,
}

/// All accepted contexts of an association; at most 128.
#[derive(Debug, Clone, Default)]
pub struct Contexts(Vec<Context>);

impl Contexts {
    pub fn new(accepted: Vec<Context>) -> Self {
        Self(accepted)
    }
    pub fn get(&self, id: u8) -> Option<&Context> {
        self.0.iter().find(|context| context.id == id)
    }
    /// The context for exactly this class and encoding.
    pub fn find(&self, class: &SopClassUid, syntax: &TransferSyntaxUid) -> Option<&Context> {
        self.0.iter().find(|context| context.abstract_syntax == *class && context.transfer_syntax == *syntax)
    }
    /// Any context for this class.
    pub fn find_class(&self, class: &SopClassUid) -> Option<&Context> {
        self.0.iter().find(|context| context.abstract_syntax == *class)
    }
    pub fn len(&self) -> usize {
        self.0.len()
    }
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
    pub fn iter(&self) -> impl Iterator<Item = &Context> {
        self.0.iter()
    }
}
