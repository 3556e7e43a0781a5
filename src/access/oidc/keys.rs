//! The issuer's keys (RFC 7517): read by discovery, kept, read again when they are old or when a token was
//! not signed by one of them, and good for a while when the issuer is down.

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

/// From here on they are read again before anything is believed, so that a key that was withdrawn goes.
const FRESH: Duration = Duration::from_mins(15);
/// So long they are believed without another try when they could not be read again.
const AGAIN: Duration = Duration::from_mins(1);
/// From here on nothing is believed that the issuer has not confirmed.
const STALE: Duration = Duration::from_hours(24);
/// So often are they read within a minute for tokens that name keys that are not there, or are signed by others;
const READS_PER_MINUTE: usize = 5;
/// beyond that, when they are so old: others' junk is not to hide a new key for longer.
const READ_EVERY: Duration = Duration::from_secs(10);
/// What one reading may take: requests wait for it.
const READING: Duration = Duration::from_secs(5);
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
    /// When they could not be read again, since.
    failed_at: Option<Instant>,
}

/// What a reading has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    Done,
    Failed,
}

#[derive(Default)]
struct Readings {
    begun: VecDeque<Instant>,
    /// The newest: when it ended, and how.
    last: Option<(Instant, Reading)>,
}

pub(super) struct Keys {
    issuer: String,
    discovery: String,
    outbound: Outbound,
    held: RwLock<Option<Held>>,
    /// Held while they are read: many who wait for the same keys wait for one reading.
    readings: tokio::sync::Mutex<Readings>,
}

impl Keys {
    pub fn new(oidc: &Oidc, outbound: Outbound) -> Self {
        let (issuer, discovery) = (oidc.issuer.clone(), oidc.discovery());
        Self { issuer, discovery, outbound, held: RwLock::default(), readings: tokio::sync::Mutex::default() }
    }

    /// Calls `verify` with the keys that may have made the token, until one has.
    pub async fn verify<T>(&self, jws: &Jws<'_>, verify: impl Fn(&Key) -> Result<T, Refusal>) -> Result<T, OidcError> {
        let wanted_at = Instant::now();
        if self.is_due() {
            self.read_again(wanted_at).await;
        }
        match self.believed().and_then(|keys| with_fitting(&keys, jws, &verify)) {
            // The issuer may have another key since, under the same name too.
            None | Some(Err(Refusal::Signature)) => {}
            Some(outcome) => return outcome.map_err(OidcError::Refused),
        }
        let reading = self.read_again(wanted_at).await;
        let keys = self.believed().ok_or(OidcError::Unavailable)?;
        match with_fitting(&keys, jws, &verify) {
            Some(outcome) => outcome.map_err(OidcError::Refused),
            None if reading == Reading::Failed => Err(OidcError::Unavailable),
            None => Err(OidcError::Refused(Refusal::UnknownKey)),
        }
    }

    /// Whether the keys are to be read before one of them is believed.
    fn is_due(&self) -> bool {
        let Some(held) = self.held() else { return true };
        let age = held.read_at.elapsed();
        age >= STALE || (age >= FRESH && held.failed_at.is_none_or(|at| at.elapsed() >= AGAIN))
    }

    fn believed(&self) -> Option<Arc<Vec<Key>>> {
        self.held().filter(|held| held.read_at.elapsed() < STALE).map(|held| held.keys)
    }

    /// Reads them, unless somebody has since `wanted_at`, or it was done too often; how the newest reading
    /// ended.
    pub async fn read_again(&self, wanted_at: Instant) -> Reading {
        let mut readings = self.readings.lock().await;
        if let Some((_, reading)) = readings.last.filter(|(ended_at, _)| *ended_at >= wanted_at) {
            return reading;
        }
        while readings.begun.front().is_some_and(|at| at.elapsed() >= Duration::from_mins(1)) {
            readings.begun.pop_front();
        }
        let just_now = readings.begun.back().is_some_and(|at| at.elapsed() < READ_EVERY);
        if readings.begun.len() >= READS_PER_MINUTE && just_now {
            return readings.last.map_or(Reading::Failed, |(_, reading)| reading);
        }
        readings.begun.push_back(Instant::now());
        let read = tokio::time::timeout(READING, self.read()).await.unwrap_or(Err(ReadError::Slow));
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        let (outcome, reading) = match read {
            Ok(keys) => {
                // None at all is an answer too: what was withdrawn is believed no longer.
                let outcome = if keys.is_empty() { "empty" } else { "ok" };
                if keys.is_empty() {
                    tracing::warn!("[web.oidc] the issuer has no key that could sign an access token");
                }
                *held = Some(Held { keys: Arc::new(keys), read_at: Instant::now(), failed_at: None });
                (outcome, Reading::Done)
            }
            Err(error) => {
                tracing::warn!("[web.oidc] the issuer's keys could not be read: {error}");
                ("failed", Reading::Failed)
            }
        };
        if let Some(held) = held.as_mut().filter(|_| reading == Reading::Failed) {
            held.failed_at = Some(Instant::now());
        }
        readings.last = Some((Instant::now(), reading));
        metrics::counter!("bluebridge_oidc_key_reads_total", "outcome" => outcome).increment(1);
        reading
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

    /// As if the last reading were so long ago.
    #[cfg(test)]
    pub(super) fn age(&self, by: Duration) {
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(held) = held.as_mut() {
            held.read_at = held.read_at.checked_sub(by).unwrap();
            held.failed_at = held.failed_at.map(|at| at.checked_sub(by).unwrap());
        }
        let mut readings = self.readings.try_lock().unwrap();
        readings.begun.iter_mut().for_each(|at| *at = at.checked_sub(by).unwrap());
        readings.last = readings.last.map(|(at, reading)| (at.checked_sub(by).unwrap(), reading));
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
    #[error("it took longer than {} s", READING.as_secs())]
    Slow,
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
