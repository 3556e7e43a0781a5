//! The issuer's keys over time, against an issuer on loopback.

use super::*;
use axum::routing::get;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use std::sync::Mutex;
use std::time::Duration;

const QUARTER: Duration = Duration::from_mins(15);

struct Signer {
    kid: &'static str,
    key: EncodingKey,
    jwk: Value,
}

impl Signer {
    fn new(kid: &'static str) -> Self {
        let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        let key = EncodingKey::from_ec_der(&pair.serialize_der());
        let mut jwk = serde_json::to_value(Jwk::from_encoding_key(&key, Algorithm::ES256).unwrap()).unwrap();
        (jwk["kid"], jwk["use"]) = (kid.into(), "sig".into());
        Self { kid, key, jwk }
    }
}

struct House {
    oidc: Oidc,
    url: String,
    published: Arc<Mutex<Vec<Value>>>,
    serving: tokio::task::JoinHandle<()>,
}

impl House {
    async fn new(signer: &Signer) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let published = Arc::new(Mutex::new(vec![signer.jwk.clone()]));
        let (discovery, shown) = (json!({ "issuer": url, "jwks_uri": format!("{url}/certs") }), published.clone());
        let discovery = get(move || async move { axum::Json(discovery) });
        let certs = get(move || async move { axum::Json(json!({ "keys": *shown.lock().unwrap() })) });
        let router = axum::Router::new().route("/.well-known/openid-configuration", discovery).route("/certs", certs);
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        let config = toml::from_str(&format!("issuer = {url:?}\naudience = \"bluebridge\"")).unwrap();
        let oidc = Oidc::open(config, Clock::system()).unwrap();
        Self { oidc, url, published, serving }
    }
    fn publish(&self, signers: &[&Signer]) {
        *self.published.lock().unwrap() = signers.iter().map(|signer| signer.jwk.clone()).collect();
    }
    async fn stop(&mut self) {
        self.serving.abort();
        let _ = (&mut self.serving).await;
    }
    /// What is said of a token of `signer`.
    async fn said(&self, signer: &Signer) -> Result<(), OidcError> {
        let mut header = Header::new(Algorithm::ES256);
        header.kid = Some(signer.kid.into());
        let expires_s = Clock::system().now_ms() / 1000 + 300;
        let claims = json!({ "iss": self.url, "aud": "bluebridge", "sub": "anna", "exp": expires_s });
        self.oidc.check(&jsonwebtoken::encode(&header, &claims, &signer.key).unwrap()).await.map(drop)
    }
}

#[tokio::test]
async fn a_key_that_was_withdrawn_is_not_believed_after_a_quarter_of_an_hour() {
    let (first, second) = (Signer::new("1"), Signer::new("2"));
    let house = House::new(&first).await;
    assert_eq!(house.said(&first).await, Ok(()));
    house.publish(&[&second]);
    assert_eq!(house.said(&first).await, Ok(()), "read just now");
    house.oidc.keys.age(QUARTER);
    assert_eq!(house.said(&first).await, Err(OidcError::Refused(Refusal::UnknownKey)), "not even once");
}

#[tokio::test]
async fn an_issuer_that_withdraws_every_key_is_not_down() {
    let signer = Signer::new("1");
    let house = House::new(&signer).await;
    assert_eq!(house.said(&signer).await, Ok(()));
    house.publish(&[]);
    house.oidc.keys.age(QUARTER);
    assert_eq!(house.said(&signer).await, Err(OidcError::Refused(Refusal::UnknownKey)));
    house.publish(&[&signer]);
    assert_eq!(house.said(&signer).await, Ok(()));
}

#[tokio::test]
async fn junk_does_not_hide_a_new_key_for_long() {
    let (first, second) = (Signer::new("1"), Signer::new("2"));
    let house = House::new(&first).await;
    assert_eq!(house.said(&first).await, Ok(()));
    for kid in ["3", "4", "5", "6", "7", "8", "9"] {
        assert!(house.said(&Signer::new(kid)).await.is_err());
    }
    house.publish(&[&first, &second]);
    assert_eq!(house.said(&second).await, Err(OidcError::Refused(Refusal::UnknownKey)), "the issuer is spared");
    house.oidc.keys.age(Duration::from_secs(10));
    assert_eq!(house.said(&second).await, Ok(()), "and asked again");
    assert_eq!(house.said(&first).await, Ok(()));
}

#[tokio::test]
async fn a_key_that_was_replaced_under_its_name_is_found() {
    let (first, second) = (Signer::new("1"), Signer::new("1"));
    let house = House::new(&first).await;
    assert_eq!(house.said(&first).await, Ok(()));
    house.publish(&[&second]);
    assert_eq!(house.said(&second).await, Ok(()));
    assert_eq!(house.said(&first).await, Err(OidcError::Refused(Refusal::Signature)));
}

#[tokio::test]
async fn while_the_issuer_is_down_its_known_keys_hold_for_a_day() {
    let (first, other) = (Signer::new("1"), Signer::new("2"));
    let mut house = House::new(&first).await;
    assert_eq!(house.said(&first).await, Ok(()));
    house.stop().await;
    house.oidc.keys.age(QUARTER);
    assert_eq!(house.said(&first).await, Ok(()));
    assert_eq!(house.said(&other).await, Err(OidcError::Unavailable), "it may be a new key");
    house.oidc.keys.age(QUARTER * 96);
    assert_eq!(house.said(&first).await, Err(OidcError::Unavailable));
}
