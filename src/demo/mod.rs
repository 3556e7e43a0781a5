//! The phantom study and the script of `bluebridge demo`.

pub mod phantom;
pub mod script;
