//! Patient links: granted, verified, counted, revoked; and the package a patient downloads.
//!
//! Promises that no byte of a study leaves before its patient said something that only they know, that
//! a link can be tried only so often however many try at once, and that a revoked link is dead within a
//! second even in the middle of a download. Refuses to know HTTP, SQL and the wording of a page.

pub mod attempts;
pub mod birth_date;
pub mod code;
pub mod error;
mod keys;
pub mod live;
pub mod package;
pub mod session;
pub mod ticket;
pub mod token;

pub use error::AccessError;
pub use token::LinkKey;
