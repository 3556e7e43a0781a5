//! `[web.oidc]`: whose access tokens are taken beside our own, and what is read from them.

use super::Config;
use super::safety::{Unsafe, host_of, is_loopback_host, refuse};
use super::tls::Scope;
use serde::Deserialize;
use std::path::PathBuf;

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Oidc {
    /// As it stands in `iss`, to the letter; `/.well-known/openid-configuration` is read below it.
    pub issuer: String,
    /// One of these must be in `aud`.
    #[serde(deserialize_with = "one_or_more")]
    pub audience: Vec<String>,
    /// When there are any: `azp` (or `client_id`, RFC 9068) must be one of these.
    #[serde(default)]
    pub authorized_parties: Vec<String>,
    /// Where the words stand that `scopes` maps: a claim, or a path such as `realm_access.roles`.
    #[serde(default = "Oidc::default_scope_claim")]
    pub scope_claim: String,
    #[serde(default)]
    pub scopes: ScopeWords,
    /// The claim that holds a Patient ID; the caller sees this patient only.
    #[serde(default)]
    pub patient_claim: Option<String>,
    /// The Issuer of Patient ID that goes with it; any when absent.
    #[serde(default)]
    pub patient_issuer: Option<String>,
    /// The claim that holds Study Instance UIDs, as a list or separated by spaces.
    #[serde(default)]
    pub study_claim: Option<String>,
    #[serde(default)]
    pub restriction: Restricted,
    /// Who vouches for the issuer's HTTPS, instead of the system's authorities.
    #[serde(default)]
    pub ca: Option<PathBuf>,
}

/// Whether a token must name what it is restricted to, when `patient_claim` or `study_claim` is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Restricted {
    /// One without any of the claims is refused.
    #[default]
    Required,
    /// One without any of the claims sees everything.
    Optional,
}

/// Which words of the issuer stand for which scope.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ScopeWords {
    pub read: Vec<String>,
    pub write: Vec<String>,
    pub share: Vec<String>,
    pub delete: Vec<String>,
}

impl Default for ScopeWords {
    fn default() -> Self {
        let word = |word: &str| vec![word.to_owned()];
        Self { read: word("read"), write: word("write"), share: word("share"), delete: word("delete") }
    }
}

impl ScopeWords {
    /// The scopes that `word` stands for.
    pub fn of(&self, word: &str) -> impl Iterator<Item = Scope> {
        let lists = [
            (Scope::Read, &self.read),
            (Scope::Write, &self.write),
            (Scope::Share, &self.share),
            (Scope::Delete, &self.delete),
        ];
        lists.into_iter().filter(move |(_, words)| words.iter().any(|known| known == word)).map(|(scope, _)| scope)
    }
}

impl Oidc {
    fn default_scope_claim() -> String {
        "scope".into()
    }
    /// Where the issuer describes itself (OpenID Connect Discovery 1.0 §4).
    pub fn discovery(&self) -> String {
        format!("{}/.well-known/openid-configuration", self.issuer.trim_end_matches('/'))
    }
    pub fn restricts(&self) -> bool {
        self.patient_claim.is_some() || self.study_claim.is_some()
    }
}

fn one_or_more<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        One(String),
        More(Vec<String>),
    }
    Ok(match Either::deserialize(deserializer)? {
        Either::One(one) => vec![one],
        Either::More(more) => more,
    })
}

/// A URL that may be asked: encrypted, or on this very machine.
pub fn is_safe_url(url: &str) -> bool {
    let plain = |rest: &str| !rest.is_empty() && !rest.contains(['#', '@', ' ', '\\']);
    match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
        (Some(rest), _) => plain(rest),
        (_, Some(rest)) => plain(rest) && is_loopback_host(host_of(url)),
        _ => false,
    }
}

pub(super) fn check(config: &Config) -> Result<(), Unsafe> {
    let Some(oidc) = &config.web.oidc else { return Ok(()) };
    if !is_safe_url(&oidc.issuer) || oidc.issuer.contains('?') {
        refuse(format!(
            "[web.oidc] issuer is {:?}: write its https:// address as it stands in the tokens' iss",
            oidc.issuer
        ))?;
    }
    if oidc.audience.is_empty() || oidc.audience.iter().any(String::is_empty) {
        refuse("[web.oidc] audience is empty: name what the issuer writes into aud for this service")?;
    }
    let claims = [Some(&oidc.scope_claim), oidc.patient_claim.as_ref(), oidc.study_claim.as_ref()];
    if claims.into_iter().flatten().any(String::is_empty) {
        refuse("[web.oidc] scope_claim, patient_claim and study_claim are names of claims, or absent")?;
    }
    if oidc.patient_issuer.is_some() && oidc.patient_claim.is_none() {
        refuse("[web.oidc] patient_issuer goes with patient_claim, which is not set")?;
    }
    if oidc.restriction == Restricted::Optional && !oidc.restricts() {
        refuse("[web.oidc] restriction = \"optional\" needs patient_claim or study_claim")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_be_asked_in_clear_or_taken_from_anybody_is_refused() {
        let good = "issuer = \"https://login.example.org\"\naudience = \"bluebridge\"\n";
        let verdict = |text: &str| {
            let config = toml::from_str(&format!("[web.oidc]\n{text}")).unwrap();
            check(&config).map_err(|error| error.to_string())
        };
        assert_eq!(verdict(good), Ok(()));
        assert_eq!(verdict("issuer = \"http://127.0.0.1:9000/a\"\naudience = [\"a\", \"b\"]"), Ok(()));
        let cases = [
            ("issuer = \"http://login.example.org\"\naudience = \"a\"", "https://"),
            ("issuer = \"https://a@b\"\naudience = \"a\"", "https://"),
            ("issuer = \"https://a?b\"\naudience = \"a\"", "https://"),
            ("issuer = \"https://a\"\naudience = \"\"", "audience"),
            ("issuer = \"https://a\"\naudience = []", "audience"),
            (&format!("{good}patient_issuer = \"X\""), "patient_claim"),
            (&format!("{good}patient_claim = \"\""), "names of claims"),
            (&format!("{good}restriction = \"optional\""), "patient_claim or study_claim"),
        ];
        for (text, expected) in cases {
            let message = verdict(text).expect_err(text);
            assert!(message.contains(expected), "{text:?} gave {message:?}");
        }
    }
}
