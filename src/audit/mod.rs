//! Who did what to which study: the words of an append-only, hash-chained trail (PS3.15 §A.5).
//!
//! This room says what an event is and how rows are chained; `index::trail` keeps the rows, in the
//! transaction of what they tell of, so that nothing happens without its row. It refuses to know what
//! opens a link: no token, code, name or birth date fits into an [`Event`].

mod chain;
mod event;

pub use chain::{Hash, genesis, next};
pub use event::{Actor, Event, Kind, Outcome, RecordId};
