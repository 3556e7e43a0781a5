//! The decode worker: codecs run in a child of this process that can read and write one socket and
//! nothing else. A frame that crashes, hangs or fills its decoder costs the answer to that frame.
//!
//! `pool` is the parent's side, `child` what runs behind `bluebridge decode-worker`, `sandbox` the walls,
//! `wire` what goes over the socket.

mod child;
mod pool;
mod sandbox;
mod wire;

pub use child::run;
pub use pool::{DecodeFailure, Decoders, Program};

#[cfg(test)]
pub(super) mod testing;
#[cfg(test)]
mod tests;
