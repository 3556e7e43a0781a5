//! Options of a DICOM socket.
//!
//! A stock `storescu` writes a PDU in two small segments with Nagle's algorithm on: the second leaves
//! only when the first is acknowledged, and a delayed acknowledgement costs 40 ms each time. So
//! acknowledgements are sent at once (TCP_QUICKACK, which the kernel switches off again by itself and
//! which is therefore set after every read), and our own segments never wait (TCP_NODELAY).

use super::NetError;
use rustix::net::sockopt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Sets what a DICOM socket needs right after accept or connect.
pub fn dicom_socket(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    acknowledge_now(stream);
    Ok(())
}

/// Bytes that may wait in the kernel for a slow reader beyond what is on its way.
const UNSENT_MAX: u32 = 128 << 10;

/// Sets what an HTTP socket needs: answers leave at once, and the kernel takes little ahead of a slow
/// reader, so that a download ends soon after its link was revoked.
pub fn http_socket(stream: &TcpStream) {
    let _ = stream.set_nodelay(true);
    #[cfg(target_os = "linux")]
    let _ = socket2::SockRef::from(stream).set_tcp_notsent_lowat(UNSENT_MAX);
}

/// Connects to `address` within `timeout`, as a requestor.
pub async fn connect(address: SocketAddr, timeout: Duration) -> Result<DicomSocket, NetError> {
    let stream = tokio::time::timeout(timeout, TcpStream::connect(address))
        .await
        .map_err(|_| NetError::ConnectTimeout(address))?
        .map_err(|source| NetError::Connect { address, source })?;
    DicomSocket::new(stream).map_err(|source| NetError::Connect { address, source })
}

/// A TCP stream that acknowledges what it read at once.
#[derive(Debug)]
pub struct DicomSocket(TcpStream);

impl DicomSocket {
    pub fn new(stream: TcpStream) -> io::Result<Self> {
        dicom_socket(&stream)?;
        Ok(Self(stream))
    }
}

/// An optimisation only: where the kernel refuses it, all still works.
fn acknowledge_now(stream: &TcpStream) {
    let _ = sockopt::set_tcp_quickack(stream, true);
}

impl AsyncRead for DicomSocket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        let poll = Pin::new(&mut this.0).poll_read(cx, buf);
        if matches!(poll, Poll::Ready(Ok(()))) && buf.filled().len() > before {
            acknowledge_now(&this.0);
        }
        poll
    }
}

impl AsyncWrite for DicomSocket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().0).poll_write(cx, buf)
    }
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().0).poll_write_vectored(cx, bufs)
    }
    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_flush(cx)
    }
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_shutdown(cx)
    }
}
