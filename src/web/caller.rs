//! Who is asking, and for what they are allowed to ask. A caller is the control socket's
//! owner, the bearer of a token, someone at this very machine when the configuration says so, or nobody.
//! By what each is recognised stands in `credentials`.

use super::Web;
use super::forwarded::Sender;
use super::problem::Problem;
use crate::audit::{Actor, RecordId};
use crate::config;
use crate::domain::arrival::Uploader;
use crate::domain::restriction::Restriction;
use crate::domain::uid::StudyInstanceUid;
use axum::extract::FromRequestParts;
use axum::http::Extensions;
use axum::http::request::Parts;
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
    /// A process of this machine, by the rule of `credentials::anonymous_allowed`.
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

#[cfg(test)]
mod tests {
    use super::*;

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
