//! Patient links: granted, verified, counted, revoked; and the package a patient downloads.

pub mod package;
