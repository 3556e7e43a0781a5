//! One HTTP request on a connection of its own, as a viewer's.

use crate::cli::Failure;
use crate::net::tls::{Duplex, Outbound};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{HeaderMap, Method, Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;

/// An instance is read whole; a larger one is not what a check needs.
const BODY_MAX: usize = 512 << 20;
const PATIENCE: Duration = Duration::from_secs(60);

/// The daemon as a caller reaches it.
pub struct Daemon {
    scheme: &'static str,
    host: String,
    port: u16,
    outbound: Outbound,
    /// Host and port, as the Host header says them.
    authority: String,
    /// The path in front of every route, without a slash at its end.
    prefix: String,
    token: Option<String>,
}

#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub took: Duration,
}

/// What a proxy that adds headers of its own makes useless.
const SINGLE: [&str; 6] = [
    "access-control-allow-origin",
    "content-security-policy",
    "content-type",
    "cross-origin-embedder-policy",
    "cross-origin-opener-policy",
    "cross-origin-resource-policy",
];

impl Answer {
    /// A header as text; empty when it is absent.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
    /// A header that comes more than once and is one value: a browser takes none of them, or both.
    pub fn doubled(&self) -> Option<&'static str> {
        SINGLE.into_iter().find(|name| self.headers.get_all(*name).iter().count() > 1)
    }
}

impl Daemon {
    /// `ca` is trusted in place of the system's certificate authorities for an https:// `url`; `identity` is a
    /// certificate and its key.
    pub fn new(
        url: &str,
        token: Option<String>,
        ca: Option<&Path>,
        identity: Option<(&Path, &Path)>,
    ) -> Result<Self, Failure> {
        let uri: Uri = url.parse().map_err(|_| Failure::Usage(format!("{url:?} is not a URL")))?;
        let scheme = match uri.scheme_str() {
            Some("http") => "http",
            Some("https") => "https",
            _ => return Err(Failure::Usage(format!("{url:?} is no http:// or https:// address"))),
        };
        let Some(host) = uri.host() else {
            return Err(Failure::Usage(format!("{url:?} names no host; write {scheme}://host:port")));
        };
        let usual = if scheme == "https" { 443 } else { 80 };
        let port = uri.port_u16().unwrap_or(usual);
        Ok(Self {
            scheme,
            host: host.trim_matches(['[', ']']).to_owned(),
            port,
            outbound: Outbound::with_identity("bluebridge doctor:", ca, identity).map_err(Failure::usage)?,
            // As browsers write it.
            authority: if port == usual { host.to_owned() } else { format!("{host}:{port}") },
            prefix: uri.path().trim_end_matches('/').to_owned(),
            token,
        })
    }

    /// Where DICOMweb begins, as an absolute URL.
    pub fn root(&self) -> String {
        format!("{}://{}{}/dicom-web", self.scheme, self.authority, self.prefix)
    }

    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// What of an absolute address is asked for here; `None` when it leads elsewhere.
    pub fn target(&self, url: &str) -> Option<String> {
        if !is_below(url, &self.root()) {
            return None;
        }
        let uri: Uri = url.parse().ok()?;
        let path = uri.path_and_query()?.as_str();
        path.strip_prefix(&self.prefix).map(str::to_owned)
    }

    /// `target` begins behind the daemon's prefix. A preflight goes without token, as browsers send it (Fetch §4.8).
    pub async fn ask(
        &self,
        method: Method,
        target: &str,
        headers: &[(String, String)],
        body: Bytes,
    ) -> Result<Answer, String> {
        let path = format!("{}{target}", self.prefix);
        let token = self.token.as_ref().filter(|_| method != Method::OPTIONS);
        let mut request = Request::builder().method(method).uri(&path).header("host", &self.authority);
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(body)).map_err(|error| error.to_string())?;
        let began = Instant::now();
        let exchange = async {
            let stream = self.connect().await.map_err(|error| causes(&error))?;
            let (mut sender, connection) =
                hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| causes(&error))?;
            let driver = tokio::spawn(connection);
            let response = sender.send_request(request).await.map_err(|error| causes(&error))?;
            let (parts, body) = response.into_parts();
            let body = Limited::new(body, BODY_MAX).collect().await.map_err(|error| causes(&*error))?.to_bytes();
            driver.abort();
            Ok(Answer { status: parts.status, headers: parts.headers, body, took: began.elapsed() })
        };
        tokio::time::timeout(PATIENCE, exchange).await.map_err(|_| "no answer within a minute".to_owned())?
    }

    /// In clear to wherever the user says: what is asked with is the user's own.
    async fn connect(&self) -> std::io::Result<Box<dyn Duplex>> {
        match self.scheme {
            "https" => self.outbound.connect(&self.host, self.port, true).await,
            _ => Ok(Box::new(TcpStream::connect((self.host.as_str(), self.port)).await?)),
        }
    }

    /// A JSON answer of `path`; 204 is an empty list.
    pub async fn json(&self, path: &str) -> Result<serde_json::Value, Failure> {
        let accept = [("accept".to_owned(), "application/dicom+json".to_owned())];
        let answer = self.ask(Method::GET, path, &accept, Bytes::new()).await;
        let answer = answer.map_err(|why| {
            let wanted = why.contains("CertificateRequired");
            let hint = if wanted { "; name a client certificate with --cert and its key with --key" } else { "" };
            Failure::Failed(format!("{}: {why}{hint}", self.root()))
        })?;
        match answer.status {
            StatusCode::OK => serde_json::from_slice(&answer.body).map_err(Failure::failed),
            StatusCode::NO_CONTENT => Ok(serde_json::Value::Array(Vec::new())),
            StatusCode::UNAUTHORIZED if self.token.is_some() => Err(Failure::Failed(format!(
                "{} refused the token, or did not get it: is it still good (`bluebridge token list`), and does the proxy \
                 in between pass on the header Authorization?",
                self.root()
            ))),
            StatusCode::UNAUTHORIZED => Err(Failure::Failed(format!(
                "{} wants a token; make one with `bluebridge token create` and name its file with --token-file",
                self.root()
            ))),
            status => Err(Failure::Failed(format!("{} answered {status}", self.root()))),
        }
    }
}

/// An HTTP library says that the connection broke, and its cause says why.
fn causes(error: &dyn std::error::Error) -> String {
    let mut told = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        told = format!("{told}: {error}");
        cause = error.source();
    }
    told
}

/// Whether `url` is `root` or beneath it: the same scheme, host and port, and a path that goes on.
pub fn is_below(url: &str, root: &str) -> bool {
    let (Ok(url), Ok(root)) = (url.parse::<Uri>(), root.parse::<Uri>()) else { return false };
    let port = |uri: &Uri| {
        uri.port_u16().or(match uri.scheme_str() {
            Some("https") => Some(443),
            Some("http") => Some(80),
            _ => None,
        })
    };
    let host = |uri: &Uri| uri.host().map(str::to_ascii_lowercase);
    let rest = url.path().strip_prefix(root.path());
    url.scheme() == root.scheme()
        && host(&url).is_some()
        && host(&url) == host(&root)
        && port(&url) == port(&root)
        && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_leads_elsewhere_is_told_apart() {
        let root = "https://pacs.example/bb/dicom-web";
        for url in ["https://pacs.example/bb/dicom-web/studies/1", "https://PACS.example:443/bb/dicom-web"] {
            assert!(is_below(url, root), "{url}");
        }
        for url in [
            "http://pacs.example/bb/dicom-web/studies/1",
            "https://pacs.example/dicom-web/studies/1",
            "https://pacs.example:8443/bb/dicom-web/studies/1",
            "https://localhost:9/bb/dicom-web/studies/1",
            "https://pacs.example/bb/dicom-web-2/studies/1",
            "/bb/dicom-web/studies/1",
            "",
        ] {
            assert!(!is_below(url, root), "{url}");
        }
        let daemon = Daemon::new("https://pacs.example/bb/", None, None, None).unwrap();
        assert_eq!(daemon.root(), root);
        assert_eq!(daemon.target(&format!("{root}/studies/1?a=b")).as_deref(), Some("/dicom-web/studies/1?a=b"));
        assert_eq!(daemon.target("http://localhost:9/dicom-web/studies/1"), None);
    }
}
