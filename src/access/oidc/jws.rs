//! A compact JWS (RFC 7515 §3.1) as far as we take it: asymmetric signatures of a closed list, no header
//! that changes what is signed, nothing fetched because a token says so.

use super::Refusal;
use super::keys::{Key, Shape};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::Algorithm;
use serde::Deserialize;
use serde_json::{Map, Value};

/// Longer tokens are not looked at.
pub(super) const TOKEN_MAX: usize = 8 << 10;
const KID_MAX: usize = 256;

/// `none` and the HMACs are not here, so a public key can never pass for a secret.
const ALGORITHMS: [(&str, Algorithm, Shape); 9] = [
    ("RS256", Algorithm::RS256, Shape::Rsa),
    ("RS384", Algorithm::RS384, Shape::Rsa),
    ("RS512", Algorithm::RS512, Shape::Rsa),
    ("PS256", Algorithm::PS256, Shape::Rsa),
    ("PS384", Algorithm::PS384, Shape::Rsa),
    ("PS512", Algorithm::PS512, Shape::Rsa),
    ("ES256", Algorithm::ES256, Shape::P256),
    ("ES384", Algorithm::ES384, Shape::P384),
    ("EdDSA", Algorithm::EdDSA, Shape::Ed25519),
];

/// Algorithm and shape of key by name (RFC 7518 §3.1); `None` for those we do not take.
pub(super) fn algorithm(name: &str) -> Option<(Algorithm, Shape)> {
    ALGORITHMS.iter().find(|(known, ..)| *known == name).map(|(_, algorithm, shape)| (*algorithm, *shape))
}

/// A token taken apart; nothing of it has been believed yet.
#[derive(Debug)]
pub(super) struct Jws<'a> {
    pub algorithm: Algorithm,
    pub shape: Shape,
    pub kid: Option<String>,
    /// Header and payload as they were signed.
    signed: &'a str,
    payload: &'a str,
    signature: &'a str,
}

/// The members that we know. Serde refuses one that is there twice; others say nothing to us: `jku`, `x5u`,
/// `jwk` and `x5c` bring keys of the sender's own.
#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
    crit: Option<Value>,
    b64: Option<Value>,
}

impl<'a> Jws<'a> {
    pub fn read(token: &'a str) -> Result<Self, Refusal> {
        if token.len() > TOKEN_MAX {
            return Err(Refusal::Malformed);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(Refusal::Malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(Refusal::Malformed)?;
        if payload.contains('.') || signature.is_empty() {
            return Err(Refusal::Malformed);
        }
        let header = URL_SAFE_NO_PAD.decode(header).map_err(|_| Refusal::Malformed)?;
        let header: Header = serde_json::from_slice(&header).map_err(|_| Refusal::Malformed)?;
        // What is critical must be understood (RFC 7515 §4.1.11), and we understand no extension.
        if header.crit.is_some() || header.b64.is_some() {
            return Err(Refusal::Malformed);
        }
        if header.typ.as_deref().is_some_and(|typ| !is_access_token(typ)) {
            return Err(Refusal::Malformed);
        }
        if header.kid.as_ref().is_some_and(|kid| kid.len() > KID_MAX) {
            return Err(Refusal::UnknownKey);
        }
        let (algorithm, shape) = algorithm(&header.alg).ok_or(Refusal::Algorithm)?;
        Ok(Self { algorithm, shape, kid: header.kid, signed, payload, signature })
    }

    /// The claims, when `key` has signed them.
    pub fn verify(&self, key: &Key) -> Result<Map<String, Value>, Refusal> {
        let good = jsonwebtoken::crypto::verify(self.signature, self.signed.as_bytes(), &key.decoding, self.algorithm);
        if !good.is_ok_and(|good| good) {
            return Err(Refusal::Signature);
        }
        let payload = URL_SAFE_NO_PAD.decode(self.payload).map_err(|_| Refusal::Malformed)?;
        serde_json::from_slice(&payload).map_err(|_| Refusal::Malformed)
    }
}

/// `JWT`, or `at+jwt` (RFC 9068 §2.1); not a logout token, a proof or the like (RFC 8725 §3.11).
fn is_access_token(typ: &str) -> bool {
    let typ = typ.to_ascii_lowercase();
    matches!(typ.strip_prefix("application/").unwrap_or(&typ), "jwt" | "at+jwt")
}
