//! Over real sockets: what only the server itself can get wrong.

use super::*;
use crate::web::testing::Client;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

fn limits() -> ServeLimits {
    ServeLimits {
        connections: 4,
        connections_per_address: 4,
        header_timeout: Duration::from_millis(200),
        idle_timeout: Duration::from_millis(300),
        drain: Duration::from_secs(5),
        http2: true,
        trusted_proxies: Vec::new(),
    }
}

struct Running {
    address: SocketAddr,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
    _client: Client,
}

async fn start() -> Running {
    let client = Client::start().await;
    let listener = crate::net::listen("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let router = crate::web::web_router(client.web.clone());
    let task = tokio::spawn(serve(listener, router, limits(), None, stop.clone()));
    Running { address, stop, task, _client: client }
}

/// Sends bytes as they are and reads until the server closes.
async fn raw(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    // A reset ends the answer as well as a close does.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn a_peer_that_does_not_finish_its_header_is_closed() {
    let running = start().await;
    for beginning in [&b""[..], b"GET /heal", b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-A: ", b"PRI * HTT"] {
        let closed = tokio::time::timeout(Duration::from_secs(10), raw(running.address, beginning)).await;
        assert!(closed.is_ok(), "{}", String::from_utf8_lossy(beginning));
    }
}

#[tokio::test]
async fn a_request_whose_length_can_be_read_two_ways_is_refused() {
    let running = start().await;
    let cases: &[(&str, &str)] = &[
        (
            "POST /api/v1/status HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "400",
        ),
        (
            "POST /api/v1/status HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
            "400",
        ),
        ("GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "400"),
        ("GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n", "400"),
        ("GET /healthz HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n", "421"),
        ("GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Encoding: gzip\r\nConnection: close\r\n\r\n", "415"),
        ("GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", "200"),
    ];
    for (request, status) in cases {
        let answer = raw(running.address, request.as_bytes()).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{request:?}: {answer}");
    }
}

#[tokio::test]
async fn a_header_beyond_its_limits_is_refused() {
    let running = start().await;
    let many = "X-A: b\r\n".repeat(HEADERS + 1);
    let long = format!("X-A: {}\r\n", "b".repeat(HEADER_BYTES_H1 + 1));
    for headers in [many, long] {
        let request = format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n");
        let answer = raw(running.address, request.as_bytes()).await;
        assert!(!answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
}

#[tokio::test]
async fn both_versions_of_http_are_spoken() {
    let running = start().await;
    let url = format!("http://{}/healthz", running.address);
    let old = reqwest::Client::builder().http1_only().build().unwrap();
    let new = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
    for (client, version) in [(old, reqwest::Version::HTTP_11), (new, reqwest::Version::HTTP_2)] {
        let answer = client.get(&url).send().await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.version()), (200, version));
    }
}

#[tokio::test]
async fn more_connections_than_admitted_are_closed_unanswered() {
    let running = start().await;
    let mut held = Vec::new();
    for _ in 0..4 {
        let mut stream = TcpStream::connect(running.address).await.unwrap();
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
        let mut first = [0; 12];
        stream.read_exact(&mut first).await.unwrap();
        assert_eq!(&first, b"HTTP/1.1 200");
        held.push(stream);
    }
    assert_eq!(raw(running.address, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await, "");
}

#[tokio::test]
async fn a_stopped_server_ends_idle_connections_and_listens_no_more() {
    let running = start().await;
    let mut idle = TcpStream::connect(running.address).await.unwrap();
    idle.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut first = [0; 12];
    idle.read_exact(&mut first).await.unwrap();
    running.stop.cancel();
    tokio::time::timeout(Duration::from_secs(4), running.task).await.unwrap().unwrap();
    assert!(TcpStream::connect(running.address).await.is_err());
}

#[tokio::test]
async fn the_control_socket_knows_its_owner() {
    let client = Client::start().await;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("control.sock");
    let listener = crate::net::listen_unix(&path).await.unwrap();
    let stop = CancellationToken::new();
    let router = crate::web::control_router(client.web.clone());
    let task = tokio::spawn(serve_control(listener, router, limits(), stop.clone()));
    let mut stream = UnixStream::connect(&path).await.unwrap();
    stream.write_all(b"GET /api/v1/tokens HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    stop.cancel();
    task.await.unwrap();
}

/// Speaks just enough HTTP/2: preface, SETTINGS (`initial_window` bytes for each stream), a GET of `path` on stream
/// 1; then answers SETTINGS and pings until the server closes.
async fn h2_until_closed(address: SocketAddr, path: &str, initial_window: u32) -> Duration {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let mut sent = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    sent.extend_from_slice(&[0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 4]);
    sent.extend_from_slice(&initial_window.to_be_bytes());
    // :method GET, :scheme http (both indexed), :authority and :path as literals.
    let mut header = vec![0x82, 0x86, 0x01, 9];
    header.extend_from_slice(b"localhost");
    header.extend_from_slice(&[0x04, u8::try_from(path.len()).unwrap()]);
    header.extend_from_slice(path.as_bytes());
    sent.extend_from_slice(&[0, 0, u8::try_from(header.len()).unwrap(), 1, 0x05, 0, 0, 0, 1]);
    sent.extend_from_slice(&header);
    stream.write_all(&sent).await.unwrap();
    let started = std::time::Instant::now();
    let mut head = [0; 9];
    while stream.read_exact(&mut head).await.is_ok() {
        let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
        if stream.read_exact(&mut payload).await.is_err() {
            break;
        }
        let reply = match (head[3], head[4]) {
            (4, 0) => vec![0, 0, 0, 4, 1, 0, 0, 0, 0],
            (6, 0) => [&[0, 0, 8, 6, 1, 0, 0, 0, 0], payload.as_slice()].concat(),
            _ => continue,
        };
        if stream.write_all(&reply).await.is_err() {
            break;
        }
    }
    started.elapsed()
}

#[tokio::test]
async fn an_http2_connection_that_asks_for_nothing_or_takes_nothing_is_closed() {
    let running = start().await;
    for (path, window) in [("/healthz", 65_535), ("/api/v1/openapi.json", 0), ("/api/v1/openapi.json", 100)] {
        let closed = tokio::time::timeout(Duration::from_secs(20), h2_until_closed(running.address, path, window));
        let after = closed.await.unwrap_or_else(|_| panic!("{path} with a window of {window} is held for ever"));
        assert!(after >= Duration::from_millis(250), "{path} is answered before it is closed");
    }
}

/// A stream that is reset under its sender (RFC 9113 §8.1) costs some clients the answer that stood before the reset.
#[tokio::test]
async fn what_is_left_of_a_refused_body_is_taken() {
    let running = start().await;
    let client = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
    for (path, status) in [("api/v1/links", 415), ("dicom-web/studies", 400), ("no/such/place", 404), ("healthz", 405)]
    {
        let (body, mut chunks) = tokio::sync::mpsc::channel::<std::io::Result<Vec<u8>>>(1);
        let chunks = futures_util::stream::poll_fn(move |cx| chunks.poll_recv(cx));
        let url = format!("http://{}/{path}", running.address);
        let answer = client.post(url).body(reqwest::Body::wrap_stream(chunks)).send().await.unwrap();
        assert_eq!(answer.status(), status, "{path}");
        // More than the window of a stream: it ends only if it is read.
        for chunk in 0..20 {
            assert!(body.send(Ok(vec![0; 16 << 10])).await.is_ok(), "{path}: no more read than {chunk} chunks");
        }
    }
}
