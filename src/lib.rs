//! Bluebridge stands between a radiology department's scanners and everyone who needs the images.
//!
//! One room a module; an import may point down this picture, never up, never sideways between doors
//! (`tests/rooms.rs` holds it):
//!
//! ```text
//!  cli  ->  app     (app builds every room once; only app sees them all)     demo
//!  doors        scp (DIMSE in)      web { dicomweb | patient | api | ops }
//!  workshops    archive    imaging    access
//!  shelves      store      index      audit     dimse (the protocol itself)   net
//!  ground       domain     config     telemetry    wording
//! ```
//!
//! A newcomer reads `docs/ARCHITECTURE.md`, then `archive::receive`, the only way in.

pub mod access;
pub mod app;
pub mod archive;
pub mod audit;
pub mod cli;
pub mod config;
pub mod demo;
pub mod dimse;
pub mod domain;
pub mod imaging;
pub mod index;
pub mod net;
pub mod scp;
pub mod store;
pub mod telemetry;
pub mod web;
pub mod wording;
