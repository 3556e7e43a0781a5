//! Who is asking, and for what they are allowed to ask (design §4). A caller is the control socket's
//! owner, the bearer of a token, someone at this very machine when the configuration says so, or nobody.

use super::base_url::BaseUrl;
use super::forwarded::{self, Sender};
use super::problem::Problem;
use super::serve::{Peer, Shown, trusts};
use super::{Web, cors};
use crate::access::oidc::Verified;
use crate::audit::{Actor, RecordId};
use crate::config::{self, Anonymous};
use crate::domain::arrival::Uploader;
use crate::domain::restriction::Restriction;
use crate::domain::uid::StudyInstanceUid;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, Uri, header};
use std::net::IpAddr;

/// What a caller may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    Read,
    Write,
    Share,
    Delete,
}

impl From<config::Scope> for Scope {
    fn from(scope: config::Scope) -> Self {
        match scope {
            config::Scope::Read => Self::Read,
            config::Scope::Write => Self::Write,
            config::Scope::Share => Self::Share,
            config::Scope::Delete => Self::Delete,
        }
    }
}

/// A set of scopes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Scopes(u8);

impl Scope {
    pub const ALL: [Self; 4] = [Self::Read, Self::Write, Self::Share, Self::Delete];
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Share => "share",
            Self::Delete => "delete",
        }
    }
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.name() == text)
    }
}

impl Scopes {
    pub const NONE: Self = Self(0);
    pub const ALL: Self = Self(0b1111);
    pub const fn with(self, scope: Scope) -> Self {
        Self(self.0 | 1 << scope as u8)
    }
    pub const fn without(self, scope: Scope) -> Self {
        Self(self.0 & !(1 << scope as u8))
    }
    pub const fn has(self, scope: Scope) -> bool {
        self.0 & 1 << scope as u8 != 0
    }
    /// Reads a list such as `read,share` or `read share`; `None` when a word is not a scope.
    pub fn parse(text: &str) -> Option<Self> {
        text.split([',', ' '])
            .filter(|word| !word.is_empty())
            .try_fold(Self::NONE, |scopes, word| Some(scopes.with(Scope::parse(word)?)))
    }
    pub fn names(self) -> Vec<&'static str> {
        Scope::ALL.into_iter().filter(|scope| self.has(*scope)).map(Scope::name).collect()
    }
}

/// Which kind of caller; the audit trail names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    Nobody,
    /// A process of this machine, by the rule of [`anonymous_allowed`].
    Loopback,
    /// The control socket.
    Control,
    /// A token; its id, never its text.
    Token {
        id: String,
    },
    /// A client certificate, by the name that `[[web.client]]` gives it.
    Certificate {
        name: String,
    },
    /// An access token of the OpenID Connect issuer; the pseudonym of its subject.
    Subject {
        head: [u8; 8],
        /// The same in hex.
        name: String,
    },
    /// A verified reader of a patient link, by the number of the link.
    Link {
        id: String,
    },
}

/// The caller of one request; the gate puts it among the extensions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    pub kind: Kind,
    pub scopes: Scopes,
    /// All that there is for this caller, when that is not everything. Held by the gate (`restricted`) for
    /// every route that names a study, by searches, and by routes being closed that do neither.
    pub restriction: Option<Restriction>,
}

impl Caller {
    pub const NOBODY: Self = Self::new(Kind::Nobody, Scopes::NONE);
    /// Whoever is on this machine may do much, but nothing that cannot be taken back: who deletes has a name.
    pub const LOOPBACK: Self = Self::new(Kind::Loopback, Scopes::ALL.without(Scope::Delete));
    pub const CONTROL: Self = Self::new(Kind::Control, Scopes::ALL);

    pub const fn new(kind: Kind, scopes: Scopes) -> Self {
        Self { kind, scopes, restriction: None }
    }
    pub fn restricted_to(self, restriction: Option<Restriction>) -> Self {
        Self { restriction, ..self }
    }

    /// 401 for nobody, 403 for a caller without the scope.
    pub fn require(&self, scope: Scope) -> Result<(), Problem> {
        match (&self.kind, self.scopes.has(scope)) {
            (_, true) => Ok(()),
            (Kind::Nobody | Kind::Loopback, false) => {
                Err(Problem::unauthorized("This needs a bearer token; `bluebridge token create` makes one."))
            }
            (_, false) => Err(Problem::insufficient_scope(scope.name())),
        }
    }
    /// 401 or 403 unless the request came over the control socket.
    pub fn require_control(&self) -> Result<(), Problem> {
        match self.kind {
            Kind::Control => Ok(()),
            _ => Err(Problem::new(
                axum::http::StatusCode::FORBIDDEN,
                "This is taken over the control socket only; use the bluebridge command on the machine itself.",
            )),
        }
    }
    /// As the audit trail names it.
    pub fn actor(&self) -> Actor {
        match &self.kind {
            Kind::Nobody => Actor::Unknown,
            Kind::Loopback => Actor::Caller(None),
            Kind::Control => Actor::Operator,
            Kind::Token { id } => Actor::Caller(id.parse::<ulid::Ulid>().ok().map(RecordId::from)),
            Kind::Certificate { name } => Actor::Certificate(RecordId::named(name)),
            Kind::Subject { head, .. } => Actor::Subject(RecordId::from(*head)),
            Kind::Link { id } => Actor::LinkHolder(RecordId::named(id)),
        }
    }
    /// As the rows of what they store name them.
    pub fn uploader(&self) -> Option<Uploader> {
        match &self.kind {
            Kind::Token { id } => id.parse().ok().map(Uploader::Token),
            Kind::Certificate { name } => Some(Uploader::Certificate(name.clone())),
            Kind::Subject { head, .. } => Some(Uploader::Subject(*head)),
            Kind::Nobody | Kind::Loopback | Kind::Control | Kind::Link { .. } => None,
        }
    }
    /// Tells callers apart where their scopes do not.
    fn key(&self) -> Option<&str> {
        match &self.kind {
            Kind::Token { id } => Some(id),
            Kind::Certificate { name } | Kind::Subject { name, .. } => Some(name),
            Kind::Link { id } => Some(id),
            Kind::Nobody | Kind::Loopback | Kind::Control => None,
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = std::convert::Infallible;
    /// Without a gate in front nobody asks.
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or(Self::NOBODY))
    }
}

macro_rules! allowed {
    ($(#[$doc:meta])* $name:ident $scope:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone)]
        pub struct $name(pub Caller);

        impl<S: Send + Sync> FromRequestParts<S> for $name {
            type Rejection = Problem;
            async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
                let Ok(caller) = Caller::from_request_parts(parts, state).await;
                caller.require(Scope::$scope)?;
                Ok(Self(caller))
            }
        }
    };
}
allowed!(
    /// A caller who may search and retrieve. First argument of a handler, so that nothing else is looked
    /// at before.
    Reader Read
);

impl Reader {
    /// Writes to the audit trail that this caller is about to be sent something of `study`.
    pub async fn notes(&self, web: &Web, request: &Extensions, study: &StudyInstanceUid) {
        web.reads.note(self.0.key(), self.0.actor(), address(request), study).await;
    }
}

/// Where a request comes from; the control socket has no address.
pub fn address(request: &Extensions) -> Option<IpAddr> {
    request.get::<Sender>().map(|sender| sender.0)
}

allowed!(
    /// A caller who may store.
    Writer Write
);
allowed!(
    /// A caller who may grant and revoke patient links.
    Sharer Share
);
allowed!(
    /// A caller who may delete.
    Deleter Delete
);

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
    anonymous_in_force(web)
        && remote.ip().is_loopback()
        && !forwarded::was(request)
        && host_of(&request.uri, &request.headers).is_some_and(is_loopback_name)
        && page_allowed(web, &request.headers, is_loopback_origin)
}

/// `anonymous = "loopback"`, and nothing that makes loopback mean something else: behind a proxy every
/// caller is loopback. The start says when this turns it off.
pub fn anonymous_in_force(web: &config::Web) -> bool {
    let public_is_local = match &web.public_url {
        None => true,
        Some(url) => url.parse::<Uri>().ok().and_then(|uri| uri.host().map(is_loopback_name)).unwrap_or(false),
    };
    web.anonymous == Anonymous::Loopback && web.trusted_proxies.is_empty() && public_is_local
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

/// Host without its port.
pub fn host_of<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> Option<&'a str> {
    match uri.authority() {
        Some(authority) => Some(authority.host()),
        None => without_port(authority_of(uri, headers)?),
    }
}

/// HTTP/2 `:authority`, or the one Host header.
fn authority_of<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> Option<&'a str> {
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

/// What the Host header may say (reliability §3, 15): anything else is either a wrong address, which
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
    fn path() -> Uri {
        "/studies".parse().unwrap()
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
    fn a_proxy_or_a_public_address_turns_anonymous_callers_into_nobody() {
        let with = |change: fn(&mut config::Web)| {
            let mut web = config::Web::default();
            change(&mut web);
            anonymous_in_force(&web)
        };
        assert!(with(|_| {}));
        assert!(with(|web| web.public_url = Some("http://localhost:8080".into())));
        assert!(!with(|web| web.public_url = Some("https://pacs.example.org".into())));
        assert!(!with(|web| web.public_url = Some("not a url".into())));
        assert!(!with(|web| web.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()]));
        assert!(!with(|web| web.anonymous = Anonymous::Nobody));
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

    #[test]
    fn a_bearer_token_is_one_word_after_its_scheme() {
        let token = |value: &str| bearer(&headers(&[("authorization", value)])).map(|t| t.map(String::from)).ok();
        assert_eq!(token("Bearer bbt_x"), Some(Some("bbt_x".into())));
        assert_eq!(token("bearer bbt_x"), Some(Some("bbt_x".into())));
        assert_eq!(token("Basic dXNlcjpwYXNz"), None);
        assert_eq!(token("Bearer "), None);
        assert_eq!(bearer(&HeaderMap::new()).unwrap(), None);
    }

    #[test]
    fn scopes_are_words_of_a_closed_list() {
        assert_eq!(Scopes::parse("read,share").unwrap().names(), ["read", "share"]);
        assert_eq!(Scopes::parse("").unwrap(), Scopes::NONE);
        assert_eq!(Scopes::parse("read,admin"), None);
        assert_eq!(Scopes::ALL.names().len(), 4);
    }

    #[test]
    fn nobody_is_asked_for_a_token_and_a_token_for_its_scope() {
        let token = Caller::new(Kind::Token { id: "1".into() }, Scopes::NONE.with(Scope::Read));
        let status = |caller: &Caller, scope| caller.require(scope).err().map(|problem| problem.status.as_u16());
        assert_eq!(status(&Caller::NOBODY, Scope::Read), Some(401));
        assert_eq!(status(&token, Scope::Read), None);
        assert_eq!(status(&token, Scope::Share), Some(403));
        assert_eq!(status(&Caller::CONTROL, Scope::Delete), None);
        assert_eq!(status(&Caller::LOOPBACK, Scope::Share), None);
        assert_eq!(status(&Caller::LOOPBACK, Scope::Delete), Some(401));
    }
}
