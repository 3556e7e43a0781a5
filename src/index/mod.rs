//! The SQLite index: what is stored where, found by attribute; links, tokens and audit rows. SQL is only here.

pub mod links;
