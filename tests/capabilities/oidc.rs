//! Access tokens of an OpenID Connect issuer.

use crate::support::issuer::{Issuer, Signer, signed_part};
use crate::support::{Answer, Bridge, Dataset};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bluebridge::config::Oidc;
use jsonwebtoken::{Algorithm, EncodingKey};
use reqwest::Method;
use serde_json::{Value, json};

async fn bridge(issuer: &Issuer, more: &str) -> Bridge {
    let text = format!("issuer = {:?}\naudience = \"bluebridge\"\n{more}", issuer.url);
    let oidc: Oidc = toml::from_str(&text).unwrap();
    Bridge::start_with(|config| config.web.oidc = Some(oidc)).await
}

async fn get(bridge: &Bridge, token: &str, path: &str) -> Answer {
    bridge.web().get_with(path, &[("authorization", &format!("Bearer {token}"))]).await
}

async fn status(bridge: &Bridge, token: &str) -> u16 {
    get(bridge, token, "/dicom-web/studies").await.status
}

#[tokio::test]
async fn every_algorithm_of_the_list_is_verified() {
    use Algorithm::{ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};
    let signers: Vec<Signer> = [RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, EdDSA]
        .into_iter()
        .enumerate()
        .map(|(n, algorithm)| Signer::new(&format!("key {n}"), algorithm))
        .collect();
    let issuer = Issuer::start(&signers.iter().collect::<Vec<_>>()).await;
    let bridge = bridge(&issuer, "").await;
    for signer in &signers {
        let token = signer.token(&issuer.claims(json!({})));
        assert_eq!(status(&bridge, &token).await, 204, "{:?}", signer.algorithm);
        // One bit of the signature, one letter of the claims.
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let mut bytes = URL_SAFE_NO_PAD.decode(signature).unwrap();
        bytes[7] ^= 1;
        let bent = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(bytes));
        let other = signed_part(&signer.header(), &issuer.claims(json!({ "scope": "read write" })));
        for forged in [bent, format!("{other}.{signature}")] {
            assert_eq!(status(&bridge, &forged).await, 401, "{:?}", signer.algorithm);
        }
    }
    let document = bridge.web().get("/api/v1/openapi.json").await.json();
    let described = &document["components"]["securitySchemes"]["openid"]["openIdConnectUrl"];
    assert_eq!(described, &json!(format!("{}/.well-known/openid-configuration", issuer.url)));
    // Our own tokens go on beside.
    let made = bridge.control("POST", "/api/v1/tokens", r#"{"name":"portal"}"#).await;
    assert_eq!(status(&bridge, made["token"].as_str().unwrap()).await, 204);
    bridge.stop().await;
}

#[tokio::test]
async fn what_an_attacker_can_write_is_refused() {
    let good = Signer::new("rsa", Algorithm::RS256);
    let curve = Signer::new("ec", Algorithm::ES256);
    let issuer = Issuer::start(&[&good, &curve]).await;
    let bridge = bridge(&issuer, "").await;
    let claims = issuer.claims(json!({}));
    let with = |header: Value| {
        let mut all = good.header();
        for (name, value) in header.as_object().unwrap() {
            all[name.as_str()] = value.clone();
        }
        good.sign(&all, &claims)
    };
    let unsigned = |header: Value| format!("{}.", signed_part(&header, &claims));
    // The public key as an HMAC secret, as a server would have it at hand.
    let hmac = |secret: &[u8]| {
        let signed = signed_part(&json!({ "alg": "HS256", "kid": "rsa" }), &claims);
        let key = EncodingKey::from_secret(secret);
        let signature = jsonwebtoken::crypto::sign(signed.as_bytes(), &key, Algorithm::HS256).unwrap();
        format!("{signed}.{signature}")
    };
    let stranger = Signer::new("rsa", Algorithm::RS256);
    let mut own_key = good.header();
    own_key["jwk"] = stranger.jwk.clone();
    own_key["jku"] = "http://127.0.0.1:1/keys".into();
    own_key["x5u"] = "http://127.0.0.1:1/keys".into();
    let plain = good.token(&claims);
    let (signed, signature) = plain.rsplit_once('.').unwrap();
    let (header, payload) = signed.split_once('.').unwrap();
    let twice = URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256","alg":"none","kid":"rsa"}"#);
    let cases: Vec<(&str, String)> = vec![
        ("none", unsigned(json!({ "alg": "none" }))),
        ("none in capitals", unsigned(json!({ "alg": "NoNe", "kid": "rsa" }))),
        ("none with a signature", with(json!({ "alg": "none" }))),
        ("no signature", unsigned(good.header())),
        ("HMAC with the modulus", hmac(&URL_SAFE_NO_PAD.decode(good.jwk["n"].as_str().unwrap()).unwrap())),
        ("HMAC with the JWK", hmac(good.jwk.to_string().as_bytes())),
        ("HMAC with nothing", hmac(b"")),
        ("another algorithm of the same key", with(json!({ "alg": "RS512" }))),
        ("PSS in name only", with(json!({ "alg": "PS256" }))),
        ("a key of another shape", with(json!({ "kid": "ec" }))),
        ("ES512", with(json!({ "alg": "ES512" }))),
        ("an algorithm that is a list", with(json!({ "alg": ["RS256"] }))),
        ("alg twice", format!("{twice}.{payload}.{signature}")),
        ("a key of one's own", stranger.sign(&own_key, &claims)),
        ("a key that is a path", with(json!({ "kid": "../../../../dev/null" }))),
        ("a key that is SQL", with(json!({ "kid": "' UNION SELECT 'x' --" }))),
        ("a key that is long", with(json!({ "kid": "k".repeat(300) }))),
        ("a key that is a number", with(json!({ "kid": 1 }))),
        ("a critical extension", with(json!({ "crit": ["b64"], "b64": false }))),
        ("an unknown critical extension", with(json!({ "crit": ["http://x"] }))),
        ("a logout token", with(json!({ "typ": "logout+jwt" }))),
        ("a proof", with(json!({ "typ": "dpop+jwt" }))),
        ("another issuer", good.token(&issuer.claims(json!({ "iss": "https://evil.example" })))),
        ("an issuer that only begins so", good.token(&issuer.claims(json!({ "iss": format!("{}/", issuer.url) })))),
        ("for somebody else", good.token(&issuer.claims(json!({ "aud": "mail" })))),
        ("expired", good.token(&issuer.claims(json!({ "exp": 1_700_000_000 })))),
        ("without end", good.token(&issuer.claims(json!({ "exp": null })))),
        ("an end in words", good.token(&issuer.claims(json!({ "exp": "never" })))),
        ("not yet", good.token(&issuer.claims(json!({ "nbf": 9_000_000_000_u64 })))),
        ("from the future", good.token(&issuer.claims(json!({ "iat": 9_000_000_000_u64 })))),
        ("of nobody", good.token(&issuer.claims(json!({ "sub": "" })))),
        ("claims that are a list", good.token(&json!([1]))),
        ("claims that are deep", {
            let deep = format!("{}{}", "[".repeat(2000), "]".repeat(2000));
            let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(deep));
            let signature = jsonwebtoken::crypto::sign(signed.as_bytes(), &good.key, good.algorithm).unwrap();
            format!("{signed}.{signature}")
        }),
        ("huge", good.token(&issuer.claims(json!({ "x": "y".repeat(9000) })))),
        ("five parts", format!("{plain}.x.y")),
        ("two parts", format!("{header}.{payload}")),
        ("padding", format!("{plain}==")),
        ("standard base64", plain.replace(['-', '_'], "+")),
        ("dots", "..".into()),
        ("words", "let me in".into()),
        (
            "a header in another encoding",
            format!("{}.{payload}.{signature}", URL_SAFE_NO_PAD.encode([0xFF, 0xFE, b'{'])),
        ),
    ];
    for (what, token) in cases {
        let answer = get(&bridge, &token, "/dicom-web/studies").await;
        assert_eq!(answer.status, 401, "{what}: {}", answer.text());
        assert!(answer.header("www-authenticate").starts_with("Bearer "), "{what}");
    }
    assert_eq!(status(&bridge, &plain).await, 204);
    assert_eq!(status(&bridge, &with(json!({ "typ": "JWT" }))).await, 204);
    bridge.stop().await;
}

#[tokio::test]
async fn keys_change_without_a_restart_and_the_issuer_is_not_asked_for_each_token() {
    let (first, second) = (Signer::new("1", Algorithm::ES256), Signer::new("2", Algorithm::ES256));
    let issuer = Issuer::start(&[&first]).await;
    let bridge = bridge(&issuer, "").await;
    let claims = issuer.claims(json!({}));
    for _ in 0..20 {
        assert_eq!(status(&bridge, &first.token(&claims)).await, 204);
    }
    assert_eq!(issuer.reads(), 1);
    assert_eq!(status(&bridge, &second.token(&claims)).await, 401);
    issuer.publish(&[&second]);
    assert_eq!(status(&bridge, &second.token(&claims)).await, 204);
    assert_eq!(status(&bridge, &first.token(&claims)).await, 401, "withdrawn");
    for n in 0..50 {
        let mut header = first.header();
        header["kid"] = format!("nonsense {n}").into();
        assert_eq!(status(&bridge, &first.sign(&header, &claims)).await, 401);
    }
    assert!(issuer.reads() <= 5, "{}", issuer.reads());

    issuer.stop().await;
    assert_eq!(status(&bridge, &second.token(&claims)).await, 204, "the issuer is down, its keys are known");
    bridge.stop().await;
}

#[tokio::test]
async fn while_the_keys_were_never_read_nothing_is_said_of_a_token() {
    let signer = Signer::new("1", Algorithm::ES256);
    let issuer = Issuer::start(&[&signer]).await;
    issuer.stop().await;
    let bridge = bridge(&issuer, "").await;
    let answer = get(&bridge, &signer.token(&issuer.claims(json!({}))), "/dicom-web/studies").await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, "5"), "{}", answer.text());
    assert_eq!(bridge.web().get("/dicom-web/studies").await.status, 204, "others are served");
    bridge.stop().await;
}

#[tokio::test]
async fn scopes_are_the_issuers_words() {
    let signer = Signer::new("1", Algorithm::ES256);
    let issuer = Issuer::start(&[&signer]).await;
    let bridge =
        bridge(&issuer, "scope_claim = \"roles\"\nscopes = { read = [\"radiologist\"], share = [\"desk\"] }").await;
    let asked = async |roles: Value, path: &str| {
        get(&bridge, &signer.token(&issuer.claims(json!({ "roles": roles }))), path).await.status
    };
    for (roles, studies, links) in [
        (json!(["radiologist"]), 204, 403),
        (json!(["desk"]), 403, 200),
        (json!(["radiologist", "desk"]), 204, 200),
        (json!("radiologist"), 204, 403),
        (json!(["read", "share"]), 403, 403),
        (json!(null), 403, 403),
    ] {
        assert_eq!(asked(roles.clone(), "/dicom-web/studies").await, studies, "{roles}");
        assert_eq!(asked(roles.clone(), "/api/v1/links").await, links, "{roles}");
    }
    bridge.stop().await;
}

#[tokio::test]
async fn a_patient_named_by_the_issuer_is_all_that_there_is() {
    let signer = Signer::new("1", Algorithm::ES256);
    let issuer = Issuer::start(&[&signer]).await;
    let bridge = bridge(&issuer, "patient_claim = \"patient\"\nstudy_claim = \"study\"").await;
    let (mine, other) =
        (Dataset::ct().text(0x0010_0020, "LO", "MINE-1"), Dataset::ct().text(0x0010_0020, "LO", "OTHER-2"));
    bridge.modality("CT1").store_all(&[mine.clone(), other.clone()]).await;
    let all = "read write share delete";
    let by_patient = signer.token(&issuer.claims(json!({ "patient": "MINE-1", "scope": all })));
    let by_study = signer.token(&issuer.claims(json!({ "study": [mine.study_uid()], "scope": all })));
    for token in [&by_patient, &by_study] {
        for level in ["studies", "series", "instances"] {
            for query in ["", "?PatientID=OTHER-2", "?PatientID=*", &format!("?StudyInstanceUID={}", other.study_uid())]
            {
                let answer = get(&bridge, token, &format!("/dicom-web/{level}{query}")).await;
                assert!(
                    !answer.text().contains("OTHER-2") && !answer.text().contains(&other.study_uid()),
                    "{level}{query}"
                );
            }
            assert_eq!(get(&bridge, token, &format!("/dicom-web/{level}")).await.json().as_array().unwrap().len(), 1);
        }
        for tail in ["", "/metadata", "/series", "/instances"] {
            let of = async |image: &Dataset| get(&bridge, token, &format!("{}{tail}", image.study_path())).await.status;
            assert_eq!((of(&mine).await, of(&other).await), (200, 404), "{tail}");
        }
        for tail in ["", "/metadata", "/frames/1"] {
            let of = async |image: &Dataset| get(&bridge, token, &format!("{}{tail}", image.path())).await.status;
            assert_eq!((of(&mine).await, of(&other).await), (200, 404), "{tail}");
        }
        // With every scope there is: nothing is granted, told or stored beyond it.
        let authorization = format!("Bearer {token}");
        let dicom = [("authorization", authorization.as_str()), ("content-type", "application/dicom")];
        let json = [("authorization", authorization.as_str()), ("content-type", "application/json")];
        let send = async |path: &str, headers: &[(&str, &str)], body: &[u8]| {
            bridge.web().send(Method::POST, path, headers, Some(body.to_vec())).await.status
        };
        assert_eq!(send(&other.study_path(), &dicom, b"x").await, 404);
        // A new study begins only for who is restricted to a patient, and only for that patient.
        let new = Dataset::ct().text(0x0010_0020, "LO", "MINE-1");
        let begun = if *token == by_patient { 200 } else { 409 };
        let stray = Dataset::ct().study(&mine.study_uid()).text(0x0010_0020, "LO", "OTHER-2");
        // Of a study the restriction says nothing of patients; what is there already keeps out another.
        for (image, answer) in [(&mine, 200), (&other, 409), (&stray, 409), (&new, begun)] {
            assert_eq!(send("/dicom-web/studies", &dicom, &image.file()).await, answer);
        }
        let grant = json!({ "study": other.study_uid() }).to_string();
        assert_eq!(send("/api/v1/links", &json, grant.as_bytes()).await, 403);
        for closed in ["/api/v1/status", "/api/v1/links", "/metrics"] {
            assert_eq!(get(&bridge, token, closed).await.status, 403, "{closed}");
        }
    }
    let unnamed = signer.token(&issuer.claims(json!({ "scope": all })));
    assert_eq!(status(&bridge, &unnamed).await, 401, "a token must say whom it is restricted to");

    let trail = bridge.stop_and_read_trail().await;
    assert!(trail.iter().any(|row| row.contains(r#""actor":"subject""#)), "{trail:?}");
    assert!(!trail.iter().any(|row| row.contains("anna") || row.contains("MINE-1")), "{trail:?}");
}
