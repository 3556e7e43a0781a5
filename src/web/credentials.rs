//! By what callers are recognised: a bearer token, a client certificate, or being at this very machine. What a browser
//! adds by itself counts for nothing where a foreign page made it ask.

use super::base_url::BaseUrl;
use super::caller::{Caller, Kind, Scopes};
use super::cors;
use super::forwarded;
use super::host::{authority_of, host_of, is_loopback_name};
use super::problem::Problem;
use super::serve::{Peer, Shown};
use crate::access::oidc::Verified;
use crate::config::{self, safety::anonymous_is_possible};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Uri, header};

/// The token of `Authorization: Bearer ...`, `None` when the header is absent.
pub fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let token = value.to_str().ok().and_then(|text| {
        let (scheme, token) = text.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
    });
    match (token, values.next()) {
        (Some(token), None) if !token.is_empty() => Ok(Some(token)),
        _ => Err(Problem::unauthorized("Authorization must be one bearer token.")),
    }
}

/// Whom a token of the issuer stands for.
pub fn subject(verified: Verified) -> Caller {
    let scopes = verified.scopes.into_iter().fold(Scopes::NONE, |scopes, scope| scopes.with(scope.into()));
    let head = verified.subject;
    let name = head.iter().map(|byte| format!("{byte:02x}")).collect();
    Caller::new(Kind::Subject { head, name }, scopes).restricted_to(verified.restriction)
}

/// Whom the certificate of a request stands for: the entry with its very subject. That it is good has been
/// checked in the handshake; one that no entry names is worth nothing here. A browser shows it for every page
/// that makes it ask, so what a foreign page sends gets nothing from it.
pub fn certified(web: &config::Web, peer: Peer, request: &Parts) -> Option<Caller> {
    let Shown(certificate) = request.extensions.get()?;
    let client = web.client.iter().find(|client| client.subject == certificate.subject)?;
    let base = BaseUrl::of(web, Some(peer), &request.uri, &request.headers);
    // The address that was asked is our own too, when `public_url` is another; certificates come by HTTPS only.
    let asked = authority_of(&request.uri, &request.headers);
    let ours = |origin: &str| {
        origin.eq_ignore_ascii_case(base.origin())
            || asked
                .is_some_and(|asked| origin.strip_prefix("https://").is_some_and(|at| at.eq_ignore_ascii_case(asked)))
    };
    if !page_allowed(web, &request.headers, ours) {
        return None;
    }
    let scopes = client.scopes.iter().fold(Scopes::NONE, |scopes, scope| scopes.with((*scope).into()));
    Some(Caller::new(Kind::Certificate { name: client.name.clone() }, scopes))
}

/// Whether a request without a token speaks for someone at this machine: the TCP peer is loopback, no
/// proxy passed it on, Host is a loopback name (a name that an attacker's DNS points here is not), and
/// no foreign page sent it.
pub fn anonymous_allowed(web: &config::Web, peer: Peer, request: &Parts) -> bool {
    let Peer::Tcp { remote, .. } = peer else { return false };
    anonymous_is_possible(web)
        && remote.ip().is_loopback()
        && !forwarded::was(request)
        && host_of(&request.uri, &request.headers).is_some_and(is_loopback_name)
        && page_allowed(web, &request.headers, is_loopback_origin)
}

/// Whether the page that sent a request, if one did, is ours or one of `cors_origins`.
fn page_allowed(web: &config::Web, headers: &HeaderMap, ours: impl Fn(&str) -> bool) -> bool {
    let mut origins = headers.get_all(header::ORIGIN).iter().peekable();
    if origins.peek().is_none() {
        // A page of another site that loads a picture or follows a link sends no Origin, but says so here.
        return headers.get("sec-fetch-site").is_none_or(|site| site != "cross-site");
    }
    origins.all(|origin| origin.to_str().is_ok_and(|origin| cors::lists(web, origin) || ours(origin)))
}

/// A page that this machine serves itself.
fn is_loopback_origin(origin: &str) -> bool {
    origin.parse::<Uri>().is_ok_and(|uri| uri.scheme().is_some() && uri.host().is_some_and(is_loopback_name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::distinguished_name::DistinguishedName;
    use crate::net::tls::ClientCertificate;
    use axum::http::{HeaderName, Version};

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::try_from(*name).unwrap(), value.parse().unwrap())).collect()
    }
    fn request(sent: &[(&str, &str)]) -> Parts {
        let (mut request, ()) = axum::http::Request::new(()).into_parts();
        request.headers = headers(sent);
        request
    }
    fn from(address: &str) -> Peer {
        Peer::Tcp { remote: address.parse().unwrap(), local: "10.0.0.5:8080".parse().unwrap() }
    }

    #[test]
    fn only_a_plain_request_from_this_machine_is_anonymous() {
        let near = "127.0.0.1:5000";
        let web = config::Web::default();
        type Case = (&'static str, &'static [(&'static str, &'static str)], bool);
        let cases: &[Case] = &[
            (near, &[("host", "localhost:8080")], true),
            (near, &[("host", "127.0.0.1:8080")], true),
            (near, &[("host", "127.9.9.9")], true),
            ("[::1]:5000", &[("host", "[::1]:8080")], true),
            (near, &[("host", "localhost"), ("origin", "http://localhost:3000")], true),
            (near, &[("host", "localhost"), ("origin", "https://evil.example")], false),
            (near, &[("host", "localhost"), ("origin", "null")], false),
            (near, &[("host", "localhost"), ("sec-fetch-site", "cross-site")], false),
            (near, &[("host", "localhost"), ("forwarded", "for=1.2.3.4")], false),
            (near, &[("host", "localhost"), ("x-forwarded-for", "127.0.0.1")], false),
            (near, &[("host", "localhost"), ("x-forwarded-anything", "")], false),
            (near, &[("host", "localhost"), ("via", "1.1 proxy")], false),
            (near, &[("host", "127.0.0.1:8080"), ("x-real-ip", "203.0.113.7")], false),
            (near, &[("host", "127.0.0.1:8080"), ("x-original-host", "pacs.example.org")], false),
            (near, &[("host", "127.0.0.1:8080"), ("cf-connecting-ip", "203.0.113.7")], false),
            (near, &[("host", "127.0.0.1:8080"), ("true-client-ip", "203.0.113.7")], false),
            (near, &[("host", "localhost.evil.example")], false),
            (near, &[("host", "rebound.example")], false),
            (near, &[], false),
            (near, &[("host", "localhost"), ("host", "localhost")], false),
            ("10.1.2.3:5000", &[("host", "localhost")], false),
        ];
        for (peer, sent, expected) in cases {
            assert_eq!(anonymous_allowed(&web, from(peer), &request(sent)), *expected, "{peer} {sent:?}");
        }
        let mut plain = request(&[("host", "localhost")]);
        assert!(!anonymous_allowed(&web, Peer::Control { uid: 0 }, &plain));
        // What nginx speaks to what is behind it unless it is told otherwise, and no client any more.
        plain.version = Version::HTTP_10;
        assert!(!anonymous_allowed(&web, from(near), &plain));
    }

    #[test]
    fn what_a_foreign_page_sends_gets_nothing_from_a_certificate() {
        let subject = DistinguishedName::parse("CN=viewer").unwrap();
        let (name, scopes) = ("viewer".to_owned(), vec![config::Scope::Delete]);
        let (certificate, key) = ("c".into(), "k".into());
        let tls = config::WebTls { certificate, key, client_ca: None, client_certificate: Default::default() };
        let web = config::Web {
            client: vec![config::WebClient { name, subject: subject.clone(), scopes }],
            cors_origins: vec!["https://ohif.example".into()],
            public_url: Some("https://images.example.org/bb".into()),
            allowed_hosts: vec!["pacs.lan".into()],
            tls: Some(tls),
            ..config::Web::default()
        };
        let (origin, site) = ("origin", "sec-fetch-site");
        let cases: &[(&[(&str, &str)], bool)] = &[
            (&[], true),
            (&[(site, "none")], true),
            (&[(site, "same-origin")], true),
            (&[(site, "cross-site")], false),
            (&[(origin, "https://evil.example")], false),
            (&[(origin, "https://evil.example"), (site, "same-origin")], false),
            (&[(origin, "null")], false),
            (&[(origin, "http://localhost:3000")], false),
            (&[(origin, "https://images.example.org")], true),
            (&[(origin, "http://images.example.org")], false),
            (&[(origin, "https://images.example.org:444")], false),
            (&[(origin, "https://pacs.lan:8443")], true),
            (&[(origin, "https://pacs.lan")], false),
            (&[(origin, "https://ohif.example"), (site, "cross-site")], true),
            (&[(origin, "https://ohif.example"), (origin, "https://evil.example")], false),
        ];
        for (sent, known) in cases {
            let mut request = request(sent);
            request.headers.insert("host", "pacs.lan:8443".parse().unwrap());
            request.extensions.insert(Shown(ClientCertificate { subject: subject.clone() }.into()));
            assert_eq!(certified(&web, from("10.1.1.1:9"), &request).is_some(), *known, "{sent:?}");
        }
    }

    #[test]
    fn a_bearer_token_is_one_word_after_its_scheme() {
        let token = |value: &str| bearer(&headers(&[("authorization", value)])).map(|t| t.map(String::from)).ok();
        assert_eq!(token("Bearer bbt_x"), Some(Some("bbt_x".into())));
        assert_eq!(token("bearer bbt_x"), Some(Some("bbt_x".into())));
        assert_eq!(token("Basic dXNlcjpwYXNz"), None);
        assert_eq!(token("Bearer "), None);
        assert_eq!(bearer(&HeaderMap::new()).unwrap(), None);
    }
}
