//! An OpenID Connect issuer of the test's own, over real HTTP on loopback.

use axum::routing::get;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey};
use rcgen::{KeyPair, RsaKeySize};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// A key that signs.
pub struct Signer {
    pub kid: String,
    pub algorithm: Algorithm,
    pub key: EncodingKey,
    pub jwk: Value,
}

impl Signer {
    pub fn new(kid: &str, algorithm: Algorithm) -> Self {
        use Algorithm::{ES256, ES384, EdDSA};
        let pair = match algorithm {
            ES256 => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256),
            ES384 => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384),
            EdDSA => KeyPair::generate_for(&rcgen::PKCS_ED25519),
            _ => KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, RsaKeySize::_2048),
        };
        let pair = pair.unwrap();
        let der = pair.serialize_der();
        let key = match algorithm {
            ES256 | ES384 => EncodingKey::from_ec_der(&der),
            EdDSA => EncodingKey::from_ed_der(&der),
            // Without the 26 bytes of PKCS #8 that stand before a key of 2048 bits.
            _ => EncodingKey::from_rsa_der(&der[26..]),
        };
        let mut jwk = match algorithm {
            EdDSA => {
                let x = URL_SAFE_NO_PAD.encode(pair.public_key_raw());
                json!({ "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "x": x })
            }
            _ => serde_json::to_value(Jwk::from_encoding_key(&key, algorithm).unwrap()).unwrap(),
        };
        (jwk["kid"], jwk["use"]) = (kid.into(), "sig".into());
        Self { kid: kid.to_owned(), algorithm, key, jwk }
    }
    pub fn header(&self) -> Value {
        let name = serde_json::to_value(self.algorithm).unwrap();
        json!({ "alg": name, "kid": self.kid, "typ": "at+jwt" })
    }
    /// Signs whatever it is given.
    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        let signed = signed_part(header, claims);
        let signature = jsonwebtoken::crypto::sign(signed.as_bytes(), &self.key, self.algorithm).unwrap();
        format!("{signed}.{signature}")
    }
    pub fn token(&self, claims: &Value) -> String {
        self.sign(&self.header(), claims)
    }
}

pub fn signed_part(header: &Value, claims: &Value) -> String {
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", encode(header), encode(claims))
}

#[derive(Clone)]
pub struct Issuer {
    pub url: String,
    keys: Arc<Mutex<Vec<Value>>>,
    reads: Arc<AtomicUsize>,
    serving: Arc<tokio::task::JoinHandle<()>>,
}

impl Issuer {
    pub async fn start(signers: &[&Signer]) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/realms/hospital", listener.local_addr().unwrap());
        let keys = Arc::new(Mutex::new(signers.iter().map(|signer| signer.jwk.clone()).collect::<Vec<_>>()));
        let reads = Arc::new(AtomicUsize::new(0));
        let discovery = json!({ "issuer": url, "jwks_uri": format!("{url}/certs") });
        let (shown, counted) = (keys.clone(), reads.clone());
        let router = axum::Router::new()
            .route(
                "/realms/hospital/.well-known/openid-configuration",
                get(move || async move { axum::Json(discovery) }),
            )
            .route(
                "/realms/hospital/certs",
                get(move || async move {
                    counted.fetch_add(1, Ordering::SeqCst);
                    axum::Json(json!({ "keys": *shown.lock().unwrap() }))
                }),
            );
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, keys, reads, serving: Arc::new(serving) }
    }
    pub fn publish(&self, signers: &[&Signer]) {
        *self.keys.lock().unwrap() = signers.iter().map(|signer| signer.jwk.clone()).collect();
    }
    /// How often the keys were read.
    pub fn reads(&self) -> usize {
        self.reads.load(Ordering::SeqCst)
    }
    /// From now on nobody answers.
    pub async fn stop(&self) {
        self.serving.abort();
        while !self.serving.is_finished() {
            tokio::task::yield_now().await;
        }
    }
    /// Good claims, with `changes` over them.
    pub fn claims(&self, changes: Value) -> Value {
        let now = jiff::Timestamp::now().as_second();
        let mut claims = json!({ "iss": self.url, "aud": "bluebridge", "sub": "anna@example.org", "iat": now,
            "exp": now + 300, "scope": "openid read" });
        let all = claims.as_object_mut().unwrap();
        for (name, value) in changes.as_object().unwrap() {
            all.insert(name.clone(), value.clone());
        }
        claims
    }
}
