//! Access tokens of an OpenID Connect issuer, beside our own. Promises that a token is believed only when
//! the configured issuer has signed it, for us and for this moment; that what it restricts to is taken or the token
//! refused; and that nobody can make us ask the issuer often, or anybody else at all.

mod claims;
mod fetch;
mod jws;
mod keys;
#[cfg(test)]
mod tests;

use crate::config::{Scope, oidc};
use crate::domain::clock::Clock;
use crate::domain::restriction::Restriction;
use crate::net::tls::{Outbound, TlsError};
use jws::Jws;
use keys::Keys;
use std::sync::Arc;

/// Whom a token stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Tells subjects apart in the audit trail, without naming them.
    pub subject: [u8; 8],
    pub scopes: Vec<Scope>,
    pub restriction: Option<Restriction>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OidcError {
    #[error("{}", .0.word())]
    Refused(Refusal),
    /// The issuer's keys are not to be had, so nothing can be said of the token.
    #[error("the issuer's keys cannot be read")]
    Unavailable,
}

/// Why a token is not believed. Its sender is not told; metrics and the debug log are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    Malformed,
    Algorithm,
    UnknownKey,
    Signature,
    Issuer,
    Audience,
    Party,
    Expired,
    NotYet,
    Subject,
    Restriction,
}

impl Refusal {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Algorithm => "algorithm",
            Self::UnknownKey => "unknown-key",
            Self::Signature => "signature",
            Self::Issuer => "issuer",
            Self::Audience => "audience",
            Self::Party => "authorized-party",
            Self::Expired => "expired",
            Self::NotYet => "not-yet",
            Self::Subject => "subject",
            Self::Restriction => "restriction",
        }
    }
}

/// Verifies tokens of one issuer. Clones share its keys.
#[derive(Clone)]
pub struct Oidc {
    config: Arc<oidc::Oidc>,
    keys: Arc<Keys>,
    clock: Clock,
}

impl Oidc {
    /// Asks nobody yet: an issuer that is down must not keep images from coming in.
    pub fn open(config: oidc::Oidc, clock: Clock) -> Result<Self, TlsError> {
        let outbound = Outbound::new("[web.oidc]", config.ca.as_deref())?;
        let keys = Arc::new(Keys::new(&config, outbound));
        Ok(Self { config: Arc::new(config), keys, clock })
    }

    /// Reads the issuer's keys ahead of the first token.
    pub async fn warm_up(&self) {
        self.keys.read_again(std::time::Instant::now()).await;
    }

    pub async fn check(&self, token: &str) -> Result<Verified, OidcError> {
        let outcome = self.judge(token).await;
        let word = match &outcome {
            Ok(_) => "ok",
            Err(OidcError::Refused(refusal)) => refusal.word(),
            Err(OidcError::Unavailable) => "unavailable",
        };
        metrics::counter!("bluebridge_oidc_tokens_total", "outcome" => word).increment(1);
        if let Err(OidcError::Refused(refusal)) = &outcome {
            tracing::debug!(reason = refusal.word(), "an access token was refused");
        }
        outcome
    }

    async fn judge(&self, token: &str) -> Result<Verified, OidcError> {
        let jws = Jws::read(token).map_err(OidcError::Refused)?;
        let claims = self.keys.verify(&jws, |key| jws.verify(key)).await?;
        let now_s = self.clock.now_ms().div_euclid(1000);
        claims::check(&self.config, &claims, now_s).map_err(OidcError::Refused)
    }
}
