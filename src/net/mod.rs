//! Sockets, and nothing above them: listeners (our own or passed by systemd), the options a DICOM
//! socket needs, TLS, and how many connections are let in. Promises that an address that cannot be bound
//! explains itself in one sentence. Knows no protocol. No other room opens a socket.

mod admission;
mod error;
mod listen;
mod socket;
pub mod tls;

pub use admission::{Admission, Admitted, Full};
pub use error::NetError;
pub use listen::{listen, listen_unix};
pub use socket::{DicomSocket, connect, dicom_socket, http_socket};
