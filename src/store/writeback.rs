//! `sync_file_range`, which neither the standard library nor rustix offers.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

/// Starts writing dirty pages of a range out, without waiting for them.
pub(super) fn start(file: &File, offset: u64, length: u64) -> io::Result<()> {
    let wrong = |_| io::Error::from(io::ErrorKind::InvalidInput);
    let offset = i64::try_from(offset).map_err(wrong)?;
    let length = i64::try_from(length).map_err(wrong)?;
    // SAFETY: the descriptor is open for as long as `file` is borrowed; no memory is handed over.
    let outcome = unsafe { libc::sync_file_range(file.as_raw_fd(), offset, length, libc::SYNC_FILE_RANGE_WRITE) };
    if outcome == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
