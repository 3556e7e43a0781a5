//! What signed claims must say (RFC 7519 §4.1, OpenID Connect Core §2), and what they allow.

use super::{Refusal, Verified};
use crate::config::Scope;
use crate::config::oidc::{Oidc, Restricted};
use crate::domain::phi::Phi;
use crate::domain::restriction::{Patient, Restriction};
use crate::domain::uid::StudyInstanceUid;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

/// How far the issuer's clock and ours may differ.
const LEEWAY_S: i64 = 60;
const STUDIES_MAX: usize = 500;
/// A Patient ID is an LO (PS3.5 §6.2).
const PATIENT_ID_MAX: usize = 64;

type Claims = Map<String, Value>;

pub(super) fn check(oidc: &Oidc, claims: &Claims, now_s: i64) -> Result<Verified, Refusal> {
    if text(claims, "iss") != Some(oidc.issuer.as_str()) {
        return Err(Refusal::Issuer);
    }
    if !strings(claims.get("aud")).any(|audience| oidc.audience.iter().any(|ours| ours == audience)) {
        return Err(Refusal::Audience);
    }
    let party = text(claims, "azp").or_else(|| text(claims, "client_id"));
    let known = |party: &str| oidc.authorized_parties.iter().any(|ours| ours == party);
    if !oidc.authorized_parties.is_empty() && !party.is_some_and(known) {
        return Err(Refusal::Party);
    }
    let expires_s = time(claims, "exp")?.ok_or(Refusal::Expired)?;
    if expires_s.saturating_add(LEEWAY_S) <= now_s {
        return Err(Refusal::Expired);
    }
    for claim in ["nbf", "iat"] {
        if time(claims, claim)?.is_some_and(|from_s| from_s > now_s.saturating_add(LEEWAY_S)) {
            return Err(Refusal::NotYet);
        }
    }
    let subject = text(claims, "sub").filter(|subject| !subject.is_empty()).ok_or(Refusal::Subject)?;
    Ok(Verified {
        subject: pseudonym(&oidc.issuer, subject),
        scopes: scopes(oidc, claims),
        restriction: restriction(oidc, claims)?,
    })
}

/// What the trail calls a subject: the beginning of a digest. Who has the issuer's list of users can tell
/// whom it means; the trail alone does not.
fn pseudonym(issuer: &str, subject: &str) -> [u8; 8] {
    let mut hash = Sha256::new();
    hash.update(issuer);
    hash.update([0]);
    hash.update(subject);
    let mut head = [0; 8];
    head.iter_mut().zip(hash.finalize()).for_each(|(to, from)| *to = from);
    head
}

fn scopes(oidc: &Oidc, claims: &Claims) -> Vec<Scope> {
    let mut scopes: Vec<Scope> = Vec::new();
    let words = strings(at(claims, &oidc.scope_claim)).flat_map(str::split_whitespace);
    for scope in words.flat_map(|word| oidc.scopes.of(word)) {
        if !scopes.contains(&scope) {
            scopes.push(scope);
        }
    }
    scopes
}

/// A claim that is there and cannot be read is no permission.
fn restriction(oidc: &Oidc, claims: &Claims) -> Result<Option<Restriction>, Refusal> {
    let claim = |name: &Option<String>| name.as_deref().and_then(|name| at(claims, name));
    let patient = match claim(&oidc.patient_claim) {
        None => None,
        Some(Value::String(id)) if is_patient_id(id) => {
            let issuer = oidc.patient_issuer.clone().map(Phi::new);
            Some(Patient { id: Phi::new(id.clone()), issuer })
        }
        Some(_) => return Err(Refusal::Restriction),
    };
    let studies = match claim(&oidc.study_claim) {
        None => None,
        Some(value) => {
            let all_text = value.is_string() || value.as_array().is_some_and(|all| all.iter().all(Value::is_string));
            let uids = strings(Some(value)).flat_map(str::split_whitespace).map(StudyInstanceUid::parse);
            let uids: Result<Vec<_>, _> = uids.take(STUDIES_MAX + 1).collect();
            let uids = uids.ok().filter(|uids| all_text && uids.len() <= STUDIES_MAX).ok_or(Refusal::Restriction)?;
            Some(uids.into())
        }
    };
    match (patient, studies) {
        (None, None) if oidc.restricts() && oidc.restriction == Restricted::Required => Err(Refusal::Restriction),
        (None, None) => Ok(None),
        (patient, studies) => Ok(Some(Restriction { patient, studies })),
    }
}

fn is_patient_id(id: &str) -> bool {
    !id.trim().is_empty() && id.chars().count() <= PATIENT_ID_MAX && !id.chars().any(|c| c.is_control() || c == '\\')
}

/// A claim by its name, or by a path through objects. `None` when it is not there; null is there, and so is a
/// path that ends early.
fn at<'a>(claims: &'a Claims, name: &str) -> Option<&'a Value> {
    if let Some(value) = claims.get(name) {
        return Some(value);
    }
    let mut within = claims;
    let mut steps = name.split('.').peekable();
    while let Some(step) = steps.next() {
        let value = within.get(step)?;
        if steps.peek().is_none() {
            return Some(value);
        }
        match value {
            Value::Object(deeper) => within = deeper,
            _ => return Some(&Value::Null),
        }
    }
    None
}

fn text<'a>(claims: &'a Claims, name: &str) -> Option<&'a str> {
    claims.get(name).and_then(Value::as_str)
}

/// One string, or those of a list.
fn strings(value: Option<&Value>) -> impl Iterator<Item = &str> {
    let one = value.and_then(Value::as_str);
    let more = value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    one.into_iter().chain(more)
}

/// A NumericDate (RFC 7519 §2); one that is there and is none is an error.
fn time(claims: &Claims, name: &str) -> Result<Option<i64>, Refusal> {
    match claims.get(name) {
        None => Ok(None),
        Some(value) => {
            let whole = value.as_i64();
            let fraction = || value.as_f64().filter(|s| (0.0..1e15).contains(s)).map(|s| s as i64);
            whole.or_else(fraction).map(Some).ok_or(Refusal::Malformed)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const NOW: i64 = 1_800_000_000;

    fn config(more: &str) -> Oidc {
        let text = format!("issuer = \"https://login.example.org\"\naudience = [\"bluebridge\", \"old\"]\n{more}");
        toml::from_str(&text).unwrap()
    }
    fn claims(changes: Value) -> Claims {
        let mut all = json!({"iss": "https://login.example.org", "aud": "bluebridge", "sub": "anna", "exp": NOW + 300,
            "iat": NOW, "scope": "openid read"});
        let all = all.as_object_mut().unwrap();
        for (name, value) in changes.as_object().unwrap() {
            match value {
                Value::Null => all.remove(name),
                value => all.insert(name.clone(), value.clone()),
            };
        }
        all.clone()
    }
    fn outcome(config: &Oidc, changes: Value) -> Result<Verified, Refusal> {
        check(config, &claims(changes), NOW)
    }

    #[test]
    fn a_token_is_for_us_from_our_issuer_and_for_now() {
        let config = config("");
        let cases = [
            (json!({}), None),
            (json!({"aud": ["else", "old"]}), None),
            (json!({"exp": NOW - 59}), None),
            (json!({"exp": NOW as f64 + 0.5}), None),
            (json!({"nbf": NOW + 60, "iat": NOW + 60}), None),
            (json!({"iss": "https://login.example.org/"}), Some(Refusal::Issuer)),
            (json!({"iss": ["https://login.example.org"]}), Some(Refusal::Issuer)),
            (json!({"iss": null}), Some(Refusal::Issuer)),
            (json!({"aud": "Bluebridge"}), Some(Refusal::Audience)),
            (json!({"aud": []}), Some(Refusal::Audience)),
            (json!({"aud": null}), Some(Refusal::Audience)),
            (json!({"aud": {"bluebridge": 1}}), Some(Refusal::Audience)),
            (json!({"exp": NOW - 60}), Some(Refusal::Expired)),
            (json!({"exp": null}), Some(Refusal::Expired)),
            (json!({"exp": "9999999999"}), Some(Refusal::Malformed)),
            (json!({"exp": -1}), Some(Refusal::Expired)),
            (json!({"nbf": NOW + 61}), Some(Refusal::NotYet)),
            (json!({"iat": NOW + 61}), Some(Refusal::NotYet)),
            (json!({"sub": ""}), Some(Refusal::Subject)),
            (json!({"sub": null}), Some(Refusal::Subject)),
        ];
        for (changes, refusal) in cases {
            assert_eq!(outcome(&config, changes.clone()).err(), refusal, "{changes}");
        }
    }

    #[test]
    fn only_an_authorized_party_may_carry_it() {
        let config = config("authorized_parties = [\"portal\"]");
        assert!(outcome(&config, json!({"azp": "portal"})).is_ok());
        assert!(outcome(&config, json!({"client_id": "portal"})).is_ok());
        for changes in [json!({}), json!({"azp": "other"}), json!({"azp": "other", "client_id": "portal"})] {
            assert_eq!(outcome(&config, changes).err(), Some(Refusal::Party));
        }
    }

    #[test]
    fn words_of_the_issuer_become_scopes() {
        let config =
            config("scope_claim = \"realm.roles\"\nscopes = { read = [\"doctor\", \"portal\"], share = [\"doctor\"] }");
        let scopes = |value: Value| outcome(&config, json!({ "realm": value })).unwrap().scopes;
        assert_eq!(scopes(json!({"roles": ["doctor", "nobody", "doctor"]})), [Scope::Read, Scope::Share]);
        assert_eq!(scopes(json!({"roles": "x portal"})), [Scope::Read]);
        for nothing in [json!({"roles": [1, {}]}), json!({"roles": "doctors"}), json!("doctor"), json!({})] {
            assert_eq!(scopes(nothing), []);
        }
    }

    #[test]
    fn a_restriction_that_cannot_be_read_is_no_permission() {
        let both = config("patient_claim = \"patient\"\npatient_issuer = \"HOSP\"\nstudy_claim = \"fhir.study\"");
        let only = |changes: Value| outcome(&both, changes).map(|verified| verified.restriction.unwrap());
        let patient = only(json!({"patient": "ID 1"})).unwrap().patient.unwrap();
        assert_eq!((patient.id.expose().as_str(), patient.issuer.unwrap().expose().as_str()), ("ID 1", "HOSP"));
        let studies = |value: Value| only(json!({"fhir": {"study": value}})).unwrap().studies.unwrap().len();
        assert_eq!(studies(json!("1.2 1.3")), 2);
        assert_eq!(studies(json!(["1.2"])), 1);
        assert_eq!(studies(json!([])), 0);
        assert_eq!(studies(json!("")), 0);
        let many: Vec<_> = (0..501).map(|n| format!("1.{n}")).collect();
        for unreadable in [
            json!({}),
            json!({"patient": ""}),
            json!({"patient": 7}),
            json!({"patient": ["ID 1"]}),
            json!({"patient": "A\\B"}),
            json!({"patient": "A\n"}),
            json!({"patient": "ID 1", "fhir": {"study": "1.2 x"}}),
            json!({"fhir": {"study": [1]}}),
            json!({"fhir": {"study": many}}),
            json!({"fhir": "1.2"}),
        ] {
            assert_eq!(only(unreadable.clone()).err(), Some(Refusal::Restriction), "{unreadable}");
        }
        let free = config("patient_claim = \"patient\"\nrestriction = \"optional\"");
        assert_eq!(outcome(&free, json!({})).unwrap().restriction, None);
        assert_eq!(outcome(&free, json!({"patient": ""})).err(), Some(Refusal::Restriction));
        let paths = config("patient_claim = \"fhir.patient\"\nstudy_claim = \"study\"\nrestriction = \"optional\"");
        assert_eq!(outcome(&paths, json!({"fhir": {}})).unwrap().restriction, None);
        for empty in
            [json!({"study": null}), json!({"fhir": null}), json!({"fhir": 1}), json!({"fhir": {"patient": null}})]
        {
            // As a token says it: `claims` would leave a null out.
            let mut sent = claims(json!({}));
            sent.extend(empty.as_object().unwrap().clone());
            assert_eq!(check(&paths, &sent, NOW).err(), Some(Refusal::Restriction), "{empty}");
        }
    }

    #[test]
    fn a_subject_has_a_pseudonym_of_its_own() {
        let of = |sub: &str| outcome(&config(""), json!({ "sub": sub })).unwrap().subject;
        assert_eq!(of("anna"), of("anna"));
        assert_ne!(of("anna"), of("bert"));
    }
}
