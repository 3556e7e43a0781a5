//! The harness: a daemon in a temporary folder on free ports, scanners that call it, an HTTP client,
//! synthetic data. Nothing of ours is mocked, nothing sleeps.

mod daemon;
mod dataset;
pub mod issuer;
pub mod link;
mod modality;
pub mod pki;
mod web;

pub use daemon::{Bridge, Spawned};
pub use dataset::Dataset;
pub use modality::Modality;
pub use web::{Answer, Http};
