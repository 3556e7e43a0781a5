//! Which host a request names, and whether it is one of ours.

use super::problem::Problem;
use super::serve::{Peer, trusts};
use crate::config;
use axum::http::{HeaderMap, Uri, header};
use std::net::IpAddr;

/// Host without its port.
pub fn host_of<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> Option<&'a str> {
    match uri.authority() {
        Some(authority) => Some(authority.host()),
        None => without_port(authority_of(uri, headers)?),
    }
}

/// HTTP/2 `:authority`, or the one Host header.
pub fn authority_of<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> Option<&'a str> {
    if let Some(authority) = uri.authority() {
        return Some(authority.as_str());
    }
    let mut hosts = headers.get_all(header::HOST).iter();
    let host = hosts.next()?.to_str().ok()?;
    hosts.next().is_none().then_some(host)
}

fn without_port(host: &str) -> Option<&str> {
    if host.is_empty() || host.contains(['@', '/', '?', '#', ' ', '\\']) {
        return None;
    }
    if host.starts_with('[') {
        return host.find(']').and_then(|end| host.get(..=end));
    }
    match host.split_once(':') {
        None => Some(host),
        Some((name, port)) => (!name.is_empty() && port.bytes().all(|b| b.is_ascii_digit())).then_some(name),
    }
}

/// `localhost`, 127.0.0.0/8, `[::1]`.
pub fn is_loopback_name(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || address_of(host).is_some_and(|address| address.is_loopback())
}

fn address_of(host: &str) -> Option<IpAddr> {
    host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host).parse().ok()
}

/// What the Host header may say: anything else is either a wrong address, which
/// deserves a sentence, or a page that was rebound to us by its DNS.
pub fn check_host(web: &config::Web, peer: Peer, uri: &Uri, headers: &HeaderMap) -> Result<(), Problem> {
    let Peer::Tcp { remote, local } = peer else { return Ok(()) };
    let Some(host) = host_of(uri, headers) else {
        return Err(Problem::bad_request("The request must name one host in its Host header."));
    };
    // A trusted proxy has decided by the host already, and may pass on a name of its own.
    let known = trusts(&web.trusted_proxies, remote.ip())
        || is_loopback_name(host)
        || address_of(host).is_some_and(|address| address == local.ip() || address == web.listen.ip())
        || web.allowed_hosts.iter().any(|allowed| allowed.eq_ignore_ascii_case(host))
        || web
            .public_url
            .as_deref()
            .and_then(|url| url.parse::<Uri>().ok())
            .is_some_and(|uri| uri.host().is_some_and(|public| public.eq_ignore_ascii_case(host)));
    if known {
        return Ok(());
    }
    Err(Problem::new(
        axum::http::StatusCode::MISDIRECTED_REQUEST,
        "This server does not answer for the host that was asked; see [web] allowed_hosts and public_url.",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderName;

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::try_from(*name).unwrap(), value.parse().unwrap())).collect()
    }
    fn from(address: &str) -> Peer {
        Peer::Tcp { remote: address.parse().unwrap(), local: "10.0.0.5:8080".parse().unwrap() }
    }
    fn path() -> Uri {
        "/studies".parse().unwrap()
    }

    #[test]
    fn only_known_hosts_are_answered() {
        let web = config::Web {
            allowed_hosts: vec!["pacs.lan".into()],
            public_url: Some("https://images.example.org/bb".into()),
            trusted_proxies: vec!["10.9.0.0/16".parse().unwrap()],
            ..config::Web::default()
        };
        let cases = [
            ("10.1.1.1:9", "pacs.lan:8080", None),
            ("10.1.1.1:9", "PACS.LAN", None),
            ("10.1.1.1:9", "images.example.org", None),
            ("10.1.1.1:9", "10.0.0.5:8080", None),
            ("10.1.1.1:9", "localhost", None),
            ("10.9.1.1:9", "anything.example", None),
            ("10.1.1.1:9", "10.0.0.6:8080", Some(421)),
            ("10.1.1.1:9", "evil.example", Some(421)),
            ("10.1.1.1:9", "pacs.lan@evil.example", Some(400)),
            ("10.1.1.1:9", "", Some(400)),
            ("10.1.1.1:9", "pacs.lan:80:80", Some(400)),
        ];
        for (peer, host, expected) in cases {
            let outcome = check_host(&web, from(peer), &path(), &headers(&[("host", host)]));
            assert_eq!(outcome.err().map(|problem| problem.status.as_u16()), expected, "{host:?}");
        }
    }
}
