//! The issuer's keys (RFC 7517): read by discovery, kept, read again when a token names one that is not
//! there, and good for a while when the issuer is down.

use super::fetch::{FetchError, get_json};
use super::jws::{Jws, algorithm};
use super::{OidcError, Refusal};
use crate::config::oidc::Oidc;
use crate::net::tls::Outbound;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::Value;
use std::collections::VecDeque;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

/// From here on they are read again beside the next request, so that a key that was withdrawn goes.
const FRESH: Duration = Duration::from_mins(15);
/// From here on nothing is believed that the issuer has not confirmed.
const STALE: Duration = Duration::from_hours(24);
/// So often at most are they read within a minute, however many tokens name keys that are not there.
const READS_PER_MINUTE: usize = 5;
const KEYS_MAX: usize = 100;
/// NIST SP 800-131A; and what a verification may cost.
const MODULUS_BYTES: std::ops::RangeInclusive<usize> = 256..=1024;

/// What a signature is made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Rsa,
    P256,
    P384,
    Ed25519,
}

pub(super) struct Key {
    kid: Option<String>,
    shape: Shape,
    /// When the issuer has bound the key to one.
    algorithm: Option<Algorithm>,
    pub decoding: DecodingKey,
}

#[derive(Clone)]
struct Held {
    keys: Arc<Vec<Key>>,
    read_at: Instant,
}

pub(super) struct Keys {
    issuer: String,
    discovery: String,
    outbound: Outbound,
    held: RwLock<Option<Held>>,
    /// Held while they are read: many who wait for the same keys wait for one reading.
    reads: tokio::sync::Mutex<VecDeque<Instant>>,
}

impl Keys {
    pub fn new(oidc: &Oidc, outbound: Outbound) -> Self {
        let (issuer, discovery) = (oidc.issuer.clone(), oidc.discovery());
        Self { issuer, discovery, outbound, held: RwLock::default(), reads: tokio::sync::Mutex::default() }
    }

    /// Calls `verify` with the keys that may have made the token, until one has.
    pub async fn verify<T>(
        self: &Arc<Self>,
        jws: &Jws<'_>,
        verify: impl Fn(&Key) -> Result<T, Refusal>,
    ) -> Result<T, OidcError> {
        let held = self.held().filter(|held| held.read_at.elapsed() < STALE);
        if let Some(outcome) = held.as_ref().and_then(|held| with_fitting(&held.keys, jws, &verify)) {
            if held.is_some_and(|held| held.read_at.elapsed() >= FRESH) {
                // One at a time, beside the requests.
                if self.reads.try_lock().is_ok() {
                    let keys = self.clone();
                    tokio::spawn(async move { keys.read_again(Instant::now()).await });
                }
            }
            return outcome.map_err(OidcError::Refused);
        }
        self.read_again(Instant::now()).await;
        let held = self.held().filter(|held| held.read_at.elapsed() < STALE).ok_or(OidcError::Unavailable)?;
        with_fitting(&held.keys, jws, &verify).unwrap_or(Err(Refusal::UnknownKey)).map_err(OidcError::Refused)
    }

    /// Reads them, unless somebody has since `wanted_at`, or it was done too often.
    pub async fn read_again(&self, wanted_at: Instant) {
        let mut reads = self.reads.lock().await;
        if self.held().is_some_and(|held| held.read_at >= wanted_at) {
            return;
        }
        while reads.front().is_some_and(|at| at.elapsed() >= Duration::from_mins(1)) {
            reads.pop_front();
        }
        if reads.len() >= READS_PER_MINUTE {
            return;
        }
        reads.push_back(Instant::now());
        let outcome = match self.read().await {
            Ok(keys) if keys.is_empty() => {
                tracing::warn!("[web.oidc] the issuer has no key that could sign an access token");
                "empty"
            }
            Ok(keys) => {
                let held = Held { keys: Arc::new(keys), read_at: Instant::now() };
                *self.held.write().unwrap_or_else(PoisonError::into_inner) = Some(held);
                "ok"
            }
            Err(error) => {
                tracing::warn!("[web.oidc] the issuer's keys could not be read: {error}");
                "failed"
            }
        };
        metrics::counter!("bluebridge_oidc_key_reads_total", "outcome" => outcome).increment(1);
    }

    /// OpenID Connect Discovery 1.0 §4.
    async fn read(&self) -> Result<Vec<Key>, ReadError> {
        let discovery = get_json(&self.outbound, &self.discovery).await?;
        if discovery.get("issuer").and_then(Value::as_str) != Some(self.issuer.as_str()) {
            return Err(ReadError::OtherIssuer);
        }
        let place = discovery.get("jwks_uri").and_then(Value::as_str).ok_or(ReadError::NoKeySet)?;
        let set = get_json(&self.outbound, place).await?;
        let keys = set.get("keys").and_then(Value::as_array).ok_or(ReadError::NoKeySet)?;
        Ok(keys.iter().take(KEYS_MAX).filter_map(Key::read).collect())
    }

    fn held(&self) -> Option<Held> {
        self.held.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[derive(Debug, thiserror::Error)]
enum ReadError {
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error("its discovery document is of another issuer than the one configured")]
    OtherIssuer,
    #[error("it names no key set")]
    NoKeySet,
}

/// `None` when no key is fit for the token: a newer set may have one.
fn with_fitting<T>(
    keys: &[Key],
    jws: &Jws<'_>,
    verify: impl Fn(&Key) -> Result<T, Refusal>,
) -> Option<Result<T, Refusal>> {
    let fits = |key: &&Key| {
        key.shape == jws.shape
            && key.algorithm.is_none_or(|bound| bound == jws.algorithm)
            && (jws.kid.is_none() || jws.kid == key.kid)
    };
    let mut fitting = keys.iter().filter(fits);
    let first = fitting.next()?;
    // A token that names no key is verified only where there is one to mean.
    match fitting.next() {
        None => Some(verify(first)),
        Some(_) if jws.kid.is_none() => Some(Err(Refusal::UnknownKey)),
        Some(second) => Some(verify(first).or_else(|_| verify(second))),
    }
}

impl Key {
    /// `None` for a key that cannot sign access tokens, or that we do not know.
    fn read(json: &Value) -> Option<Self> {
        let bound = match json.get("alg") {
            None => None,
            Some(name) => Some(algorithm(name.as_str()?)?),
        };
        let jwk: Jwk = serde_json::from_value(json.clone()).ok()?;
        if !matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature)) {
            return None;
        }
        let shape = match &jwk.algorithm {
            AlgorithmParameters::RSA(rsa) => {
                let modulus = URL_SAFE_NO_PAD.decode(&rsa.n).ok()?;
                MODULUS_BYTES.contains(&modulus.len()).then_some(Shape::Rsa)?
            }
            AlgorithmParameters::EllipticCurve(curve) => match curve.curve {
                EllipticCurve::P256 => Shape::P256,
                EllipticCurve::P384 => Shape::P384,
                _ => return None,
            },
            AlgorithmParameters::OctetKeyPair(pair) if pair.curve == EllipticCurve::Ed25519 => Shape::Ed25519,
            // A shared secret among public keys would let everybody sign.
            _ => return None,
        };
        if bound.is_some_and(|(_, of)| of != shape) {
            return None;
        }
        let decoding = DecodingKey::from_jwk(&jwk).ok()?;
        Some(Self { kid: jwk.common.key_id, shape, algorithm: bound.map(|(algorithm, _)| algorithm), decoding })
    }
}
