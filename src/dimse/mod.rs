//! The DICOM upper layer and the messages on it (PS3.8, PS3.7): associations as acceptor and as
//! requestor, presentation contexts, commands. Promises that no sequence of bytes makes it panic, hang
//! or take more memory than its limits say, and that every association ends in a release, a rejection
//! or an abort. Knows nothing of storage; it reads and writes what `net` hands it.

mod associate;
pub mod association;
pub mod command;
pub mod contexts;
pub mod error;
pub mod machine;
pub mod message;
pub mod pdu;
pub mod scu;
