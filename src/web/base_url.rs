//! The address under which the caller reached us: RetrieveURL, BulkDataURI and Location are written
//! with it. `public_url`, else what a trusted proxy says (RFC 7239, or X-Forwarded-*), else Host.

use super::Web;
use super::forwarded::parameter;
use super::host::host_of;
use super::middleware::Given;
use super::serve::{Peer, trusts};
use crate::config;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Uri, header};
use std::convert::Infallible;
use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// Scheme, authority and path prefix, without a slash at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseUrl(String);

impl BaseUrl {
    pub fn as_str(&self) -> &str {
        &self.0
    }
    /// The path in front of every route: empty, or what a proxy has put there.
    pub fn path(&self) -> &str {
        self.0.get(self.origin().len()..).unwrap_or_default()
    }
    /// Scheme and authority, as a browser writes Origin.
    pub fn origin(&self) -> &str {
        let authority = self.0.find("://").map_or(0, |at| at + 3);
        let end = self.0.get(authority..).and_then(|rest| rest.find('/')).map_or(self.0.len(), |at| authority + at);
        self.0.get(..end).unwrap_or_default()
    }
    /// The root of the DICOMweb services.
    pub fn dicomweb(&self) -> String {
        format!("{}/dicom-web", self.0)
    }
    /// By the rules above. Values of a proxy that are no host, scheme or path are ignored.
    pub fn of(web: &config::Web, peer: Option<Peer>, uri: &Uri, headers: &HeaderMap) -> Self {
        if let Some(url) = &web.public_url {
            return Self(url.trim_end_matches('/').to_owned());
        }
        let host = uri
            .authority()
            .map(|authority| authority.as_str())
            .or_else(|| headers.get(header::HOST).and_then(|host| host.to_str().ok()))
            .filter(|host| is_authority(host) && host_of(uri, headers).is_some());
        let mut place = Place {
            scheme: if web.tls.is_some() { "https" } else { "http" }.into(),
            authority: host.map_or_else(|| web.listen.to_string(), str::to_owned),
            prefix: String::new(),
        };
        if let Some(Peer::Tcp { remote, local }) = peer {
            if trusts(&web.trusted_proxies, remote.ip()) {
                place.forwarded(headers);
            } else if place.names_without_port(local) {
                place.set_port(local.port());
            }
        }
        Self(place.to_string())
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromRequestParts<Web> for BaseUrl {
    type Rejection = Infallible;
    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Infallible> {
        if let Some(given) = parts.extensions.get::<Given>() {
            return Ok(Self(given.base.clone()));
        }
        let peer = parts.extensions.get::<Peer>().copied();
        Ok(Self::of(&web.config, peer, &parts.uri, &parts.headers))
    }
}

struct Place {
    scheme: String,
    authority: String,
    prefix: String,
}

impl Place {
    /// The last entry of a list is the one that the trusted proxy itself wrote.
    fn forwarded(&mut self, headers: &HeaderMap) {
        let text = |name: &str| {
            let value = headers.get_all(name).iter().next_back()?.to_str().ok()?;
            value.rsplit(',').next().map(str::trim).filter(|value| !value.is_empty())
        };
        if let Some(entry) = text("forwarded") {
            if let Some(scheme) = parameter(entry, "proto") {
                self.set_scheme(scheme);
            }
            if let Some(host) = parameter(entry, "host") {
                self.set_authority(host);
            }
        }
        if let Some(scheme) = text("x-forwarded-proto") {
            self.set_scheme(scheme);
        }
        if let Some(host) = text("x-forwarded-host") {
            self.set_authority(host);
        }
        if let Some(port) = text("x-forwarded-port").and_then(|port| port.parse::<u16>().ok()) {
            self.set_port(port);
        }
        if let Some(prefix) = text("x-forwarded-prefix") {
            let prefix = prefix.trim_end_matches('/');
            if prefix.starts_with('/') && !prefix.starts_with("//") && prefix.bytes().all(is_path_byte) {
                self.prefix = prefix.to_owned();
            }
        }
    }
    /// Python's dicomweb-client leaves the port out of Host. Where Host is the very address that the
    /// connection came to, its port is ours; a name may stand for a proxy that listens on port 80.
    fn names_without_port(&self, local: SocketAddr) -> bool {
        let host = self.authority.trim_matches(['[', ']']);
        let address = host.parse::<IpAddr>();
        address.is_ok_and(|address| address == local.ip())
            || (host.eq_ignore_ascii_case("localhost") && local.ip().is_loopback())
    }
    fn set_scheme(&mut self, scheme: &str) {
        if let Some(known) = ["http", "https"].into_iter().find(|known| known.eq_ignore_ascii_case(scheme)) {
            self.scheme = known.to_owned();
        }
    }
    fn set_authority(&mut self, authority: &str) {
        if is_authority(authority) {
            self.authority = authority.to_owned();
        }
    }
    /// The default port of the scheme is not written.
    fn set_port(&mut self, port: u16) {
        let end = match self.authority.rfind(':') {
            Some(colon) if !self.authority[colon..].contains(']') => colon,
            _ => self.authority.len(),
        };
        self.authority.truncate(end);
        if !matches!((self.scheme.as_str(), port), ("http", 80) | ("https", 443)) {
            self.authority.push_str(&format!(":{port}"));
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme, self.authority, self.prefix)
    }
}

fn is_authority(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 255
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':' | b'[' | b']'))
}

fn is_path_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'/' | b'-' | b'_' | b'.' | b'~' | b'%')
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderName;

    fn base(web: &config::Web, remote: &str, sent: &[(&str, &str)]) -> String {
        let headers: HeaderMap =
            sent.iter().map(|(n, v)| (HeaderName::try_from(*n).unwrap(), v.parse().unwrap())).collect();
        let peer = Peer::Tcp { remote: remote.parse().unwrap(), local: "10.0.0.5:8080".parse().unwrap() };
        BaseUrl::of(web, Some(peer), &"/x".parse().unwrap(), &headers).0
    }

    #[test]
    fn a_trusted_proxy_says_where_we_are_and_a_stranger_does_not() {
        let web = config::Web { trusted_proxies: vec!["10.9.0.0/16".parse().unwrap()], ..config::Web::default() };
        let (proxy, stranger) = ("10.9.0.1:1", "10.8.0.1:1");
        type Case = (&'static str, &'static [(&'static str, &'static str)], &'static str);
        let cases: &[Case] = &[
            (stranger, &[("host", "pacs:8080")], "http://pacs:8080"),
            (stranger, &[("host", "pacs"), ("x-forwarded-proto", "https")], "http://pacs"),
            (stranger, &[], "http://127.0.0.1:8080"),
            (stranger, &[("host", "10.0.0.5")], "http://10.0.0.5:8080"),
            (stranger, &[("host", "10.0.0.6")], "http://10.0.0.6"),
            (
                proxy,
                &[("host", "inner"), ("x-forwarded-proto", "https"), ("x-forwarded-host", "outer")],
                "https://outer",
            ),
            (
                proxy,
                &[("host", "inner"), ("forwarded", "for=1.2.3.4;proto=https;host=\"outer:444\"")],
                "https://outer:444",
            ),
            (proxy, &[("host", "inner"), ("forwarded", "host=evil, host=outer;proto=https")], "https://outer"),
            (
                proxy,
                &[("host", "inner:8080"), ("x-forwarded-proto", "https"), ("x-forwarded-port", "443")],
                "https://inner",
            ),
            (
                proxy,
                &[("host", "inner"), ("x-forwarded-port", "8443"), ("x-forwarded-proto", "https")],
                "https://inner:8443",
            ),
            (proxy, &[("host", "inner"), ("x-forwarded-prefix", "/pacs/")], "http://inner/pacs"),
            (proxy, &[("host", "inner"), ("x-forwarded-prefix", "//evil")], "http://inner"),
            (proxy, &[("host", "inner"), ("x-forwarded-host", "a b\"c")], "http://inner"),
            (proxy, &[("host", "inner"), ("x-forwarded-proto", "javascript")], "http://inner"),
        ];
        for (remote, sent, expected) in cases {
            assert_eq!(base(&web, remote, sent), *expected, "{sent:?}");
        }
    }

    #[test]
    fn a_public_url_ends_the_question() {
        let web = config::Web { public_url: Some("https://x.example/bb/".into()), ..config::Web::default() };
        assert_eq!(base(&web, "10.8.0.1:1", &[("host", "inner")]), "https://x.example/bb");
    }
}
