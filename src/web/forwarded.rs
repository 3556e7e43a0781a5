//! What proxies say of a request: whom they have it from, and that it passed one at all.

use super::serve::trusts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Version};
use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};

/// Where a request comes from, as far as it can be trusted; the gate puts it among the extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sender(pub IpAddr);

impl Sender {
    /// The peer, or behind trusted proxies the nearest address of `X-Forwarded-For`, else of `Forwarded`
    /// (RFC 7239 §5.2), that is none of them.
    pub fn of(proxies: &[IpNet], peer: IpAddr, headers: &HeaderMap) -> Self {
        if !trusts(proxies, peer) {
            return Self(peer);
        }
        // What cannot be read is a hop nevertheless: which header counts is not for the sender to say.
        let lines = |name: &str| {
            let lines = headers.get_all(name).iter();
            lines.map(|line| String::from_utf8_lossy(line.as_bytes())).collect::<Vec<_>>()
        };
        let listed = lines("x-forwarded-for");
        let hops: Vec<Option<IpAddr>> = match listed.is_empty() {
            false => listed.iter().flat_map(|line| line.split(',')).map(node).collect(),
            true => lines("forwarded")
                .iter()
                .flat_map(|line| line.split(','))
                .map(|hop| parameter(hop, "for").and_then(node))
                .collect(),
        };
        for hop in hops.into_iter().rev() {
            match hop.map(|hop| hop.to_canonical()) {
                Some(hop) if trusts(proxies, hop) => {}
                Some(hop) => return Self(hop),
                // What stands before something unreadable was written by nobody we trust.
                None => break,
            }
        }
        Self(peer)
    }
}

/// Whether a proxy passed a request on, as far as one can tell: a proxy that adds nothing, speaks HTTP/1.1 and
/// writes Host anew looks like a program of its own machine.
pub fn was(request: &Parts) -> bool {
    // HTTP/1.0 is what nginx speaks to what is behind it, unless it is told otherwise.
    request.version <= Version::HTTP_10 || request.headers.keys().any(|name| is_of_proxies(name.as_str()))
}

fn is_of_proxies(name: &str) -> bool {
    const NAMES: [&str; 10] = [
        "forwarded",
        "via",
        "x-real-ip",
        "x-client-ip",
        "x-cluster-client-ip",
        "x-envoy-external-address",
        "true-client-ip",
        "cf-connecting-ip",
        "fastly-client-ip",
        "cdn-loop",
    ];
    NAMES.contains(&name) || name.starts_with("x-forwarded-") || name.starts_with("x-original-")
}

/// A parameter of one element of `Forwarded` (RFC 7239 §4), without its quotes.
pub(super) fn parameter<'a>(element: &'a str, name: &str) -> Option<&'a str> {
    let pairs = element.split(';').filter_map(|pair| pair.split_once('='));
    let mut named = pairs.filter(|(known, _)| known.trim().eq_ignore_ascii_case(name));
    named.next_back().map(|(_, value)| value.trim().trim_matches('"'))
}

/// An address, with a port or without; `None` for `unknown` and for names of a proxy's own (RFC 7239 §6).
fn node(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::{HeaderName, HeaderValue};

    #[test]
    fn a_trusted_proxy_says_whom_a_request_is_from() {
        let proxies = ["10.9.0.0/16".parse().unwrap(), "::1/128".parse().unwrap()];
        let (proxy, stranger, far) = ("10.9.0.1", "10.8.0.1", "203.0.113.7");
        let list = "x-forwarded-for";
        type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a str);
        let cases: &[Case<'_>] = &[
            (stranger, &[(list, far)], stranger),
            (proxy, &[], proxy),
            (proxy, &[(list, far)], far),
            (proxy, &[(list, "203.0.113.7:4711")], far),
            (proxy, &[(list, "1.1.1.1, 203.0.113.7, 10.9.3.4")], far),
            (proxy, &[(list, "1.1.1.1"), (list, far)], far),
            (proxy, &[(list, "1.1.1.1, nonsense")], proxy),
            (proxy, &[(list, "::ffff:203.0.113.7")], far),
            (proxy, &[(list, "10.9.3.4")], proxy),
            ("::1", &[(list, "[2001:db8::1]:80")], "2001:db8::1"),
            (proxy, &[("forwarded", "for=203.0.113.7;proto=https;host=x")], far),
            (proxy, &[("forwarded", "for=1.1.1.1, proto=https;FOR=\"203.0.113.7:80\"")], far),
            (proxy, &[("forwarded", "for=\"[2001:db8::1]\"")], "2001:db8::1"),
            (proxy, &[("forwarded", "for=1.1.1.1, for=unknown")], proxy),
            (proxy, &[("forwarded", "for=1.1.1.1, proto=https")], proxy),
            (proxy, &[("forwarded", "for=1.1.1.1"), (list, far)], far),
            (proxy, &[("forwarded", "for=1.1.1.1"), (list, "é, 203.0.113.7")], far),
            (proxy, &[("forwarded", "for=1.1.1.1"), (list, "é")], proxy),
        ];
        for (peer, sent, expected) in cases {
            let headers = sent
                .iter()
                .map(|(n, v)| (HeaderName::try_from(*n).unwrap(), HeaderValue::from_bytes(v.as_bytes()).unwrap()))
                .collect();
            let sender = Sender::of(&proxies, peer.parse().unwrap(), &headers);
            assert_eq!(sender, Sender(expected.parse().unwrap()), "{peer} {sent:?}");
        }
    }
}
