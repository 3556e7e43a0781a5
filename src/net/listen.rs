//! Listeners. A socket that systemd passed (sd_listen_fds(3)) for the wanted address is taken; else we
//! bind ourselves.

use super::NetError;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{LazyLock, Mutex, PoisonError};
use tokio::net::{TcpListener, UnixListener, UnixStream};

/// Connections that wait in the kernel; above the number we admit, so that a burst is not refused.
const BACKLOG: i32 = 1024;

/// What systemd passed and nobody has taken yet.
static PASSED: LazyLock<Mutex<Vec<StdListener>>> = LazyLock::new(|| Mutex::new(passed_sockets()));

/// Listens on `address`, with SO_REUSEADDR so that a restart need not wait for old connections.
/// Must be called within a tokio runtime.
pub fn listen(address: SocketAddr) -> Result<TcpListener, NetError> {
    let failed = |source| NetError::listening(address, source);
    let listener = match take_passed(address) {
        Some(listener) => listener,
        None => bind(address).map_err(failed)?,
    };
    listener.set_nonblocking(true).map_err(failed)?;
    TcpListener::from_std(listener).map_err(failed)
}

/// Listens on a socket file that only our own user may open. A file left by a daemon that died is
/// replaced; one that answers is not.
pub async fn listen_unix(path: &Path) -> Result<UnixListener, NetError> {
    let failed = |source| NetError::ListenUnix { path: path.to_owned(), source };
    match UnixStream::connect(path).await {
        Ok(_) => return Err(NetError::SocketInUse(path.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(_) => std::fs::remove_file(path).map_err(failed)?,
    }
    let listener = UnixListener::bind(path).map_err(failed)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).map_err(failed)?;
    Ok(listener)
}

fn bind(address: SocketAddr) -> io::Result<StdListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn passed_sockets() -> Vec<StdListener> {
    let mut passed = listenfd::ListenFd::from_env();
    (0..passed.len()).filter_map(|index| passed.take_tcp_listener(index).ok().flatten()).collect()
}

fn take_passed(wanted: SocketAddr) -> Option<StdListener> {
    let mut passed = PASSED.lock().unwrap_or_else(PoisonError::into_inner);
    let index = passed.iter().position(|listener| listener.local_addr().is_ok_and(|bound| serves(bound, wanted)))?;
    Some(passed.swap_remove(index))
}

/// Whether a socket bound to `bound` is what `wanted` asks for. `ListenStream=11112` in a systemd unit
/// binds `[::]`, which takes IPv4 as well, so it also stands for `0.0.0.0`.
fn serves(bound: SocketAddr, wanted: SocketAddr) -> bool {
    bound == wanted
        || (bound.port() == wanted.port()
            && bound.ip().is_unspecified()
            && bound.is_ipv6()
            && wanted.ip().is_unspecified())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_passed_socket_is_matched_by_its_address() {
        let cases = [
            ("127.0.0.1:11112", "127.0.0.1:11112", true),
            ("127.0.0.1:11112", "127.0.0.1:104", false),
            ("127.0.0.1:11112", "0.0.0.0:11112", false),
            ("[::]:11112", "0.0.0.0:11112", true),
            ("0.0.0.0:11112", "[::]:11112", false),
            ("[::]:11112", "10.0.0.1:11112", false),
        ];
        for (bound, wanted, expected) in cases {
            assert_eq!(serves(bound.parse().unwrap(), wanted.parse().unwrap()), expected, "{bound} for {wanted}");
        }
    }

    #[tokio::test]
    async fn a_port_in_use_says_so_in_one_sentence() {
        let first = listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = first.local_addr().unwrap();
        let error = listen(address).unwrap_err();
        assert!(matches!(error, NetError::InUse(_)));
        assert!(error.to_string().starts_with(&format!("{address} is in use")));
    }

    #[tokio::test]
    async fn a_socket_file_of_a_dead_daemon_is_replaced_and_a_living_one_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("control.sock");
        let first = listen_unix(&path).await.unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(matches!(listen_unix(&path).await, Err(NetError::SocketInUse(_))));
        drop(first);
        listen_unix(&path).await.unwrap();
    }
}
