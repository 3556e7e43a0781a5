//! TLS: which files a listener serves it with, and which client certificates `[web]` knows.

use super::Config;
use super::safety::{Notice, Unsafe, refuse};
use crate::domain::distinguished_name::DistinguishedName;
use serde::Deserialize;
use std::net::SocketAddr;
use std::path::PathBuf;

/// `[patient.tls]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// The certificate and what leads from it to a root, in PEM.
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// `[web.tls]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebTls {
    pub certificate: PathBuf,
    pub key: PathBuf,
    /// Callers may show a certificate that one of these has issued.
    #[serde(default)]
    pub client_ca: Option<PathBuf>,
    #[serde(default)]
    pub client_certificate: ClientCertificate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClientCertificate {
    /// Who shows none needs a token.
    #[default]
    Optional,
    /// Who shows none cannot connect, not even for `/healthz`.
    Required,
}

/// `[[web.client]]`: what the holder of a certificate may do without a token.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebClient {
    /// As the audit trail names it.
    pub name: String,
    /// RFC 4514, as `openssl x509 -noout -subject -nameopt RFC2253` prints it after `subject=`.
    #[serde(deserialize_with = "name")]
    pub subject: DistinguishedName,
    pub scopes: Vec<Scope>,
}

fn name<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<DistinguishedName, D::Error> {
    let line = String::deserialize(deserializer)?;
    let wrong = |error| serde::de::Error::custom(format!("{line:?} is no subject as openssl prints it: {error}"));
    DistinguishedName::parse(&line).map_err(wrong)
}

/// What a caller of `[web]` may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    Read,
    Write,
    Share,
    Delete,
}

/// `[dicom.tls]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DicomTls {
    pub listen: SocketAddr,
    pub certificate: PathBuf,
    pub key: PathBuf,
    #[serde(default)]
    pub client_ca: Option<PathBuf>,
}

const NAME_MAX: usize = 64;

/// Encryption that somebody asked for and would not get is worse than none asked for.
pub(super) fn check(config: &Config) -> Result<Vec<Notice>, Unsafe> {
    if config.dicom.tls.is_some() {
        refuse(
            "[dicom.tls] is set, but this version speaks DICOM without TLS only: put a TLS proxy in front, and remove \
             [dicom.tls]",
        )?;
    }
    let public = [
        ("[web]", config.web.public_url.as_deref(), config.web.tls.is_some()),
        ("[patient]", Some(config.patient.public_url.as_str()), config.patient.tls.is_some()),
    ];
    for (section, url, tls) in public {
        if let Some(url) = url.filter(|url| tls && !url.starts_with("https://")) {
            refuse(format!(
                "{section} public_url is {url}, but the listener speaks TLS: write the https:// address, with a name \
                 that its certificate holds"
            ))?;
        }
    }
    clients(config)
}

fn clients(config: &Config) -> Result<Vec<Notice>, Unsafe> {
    let clients = &config.web.client;
    let client_ca = config.web.tls.as_ref().and_then(|tls| tls.client_ca.as_ref());
    let required = config.web.tls.as_ref().is_some_and(|tls| tls.client_certificate == ClientCertificate::Required);
    if client_ca.is_none() && required {
        refuse("[web.tls] client_certificate = \"required\" needs client_ca: name the CA that issues them")?;
    }
    if client_ca.is_none() && !clients.is_empty() {
        refuse("[[web.client]] needs client_ca in [web.tls]: name the CA that issues the certificates of clients")?;
    }
    for (at, client) in clients.iter().enumerate() {
        let word = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        if client.name.is_empty() || client.name.len() > NAME_MAX || !client.name.bytes().all(word) {
            refuse(format!(
                "[[web.client]] {:?}: write a name of 1 to {NAME_MAX} letters, digits, '-', '_' and '.'",
                client.name
            ))?;
        }
        if client.subject.is_empty() || client.scopes.is_empty() {
            refuse(format!("[[web.client]] {:?} needs a subject and at least one scope", client.name))?;
        }
        let later = clients.iter().skip(at + 1);
        if later.clone().any(|other| other.name == client.name || other.subject == client.subject) {
            refuse(format!("[[web.client]] {:?}: its name or its subject is there twice", client.name))?;
        }
    }
    if client_ca.is_some() && clients.is_empty() && !required {
        return Ok(vec![
            "[web.tls] client_ca is set, but no [[web.client]] says what a certificate allows: without effect".into(),
        ]);
    }
    Ok(Vec::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    const WEB: &str = "[web.tls]\ncertificate = \"c\"\nkey = \"k\"\n";

    fn verdict(text: &str) -> Result<Vec<Notice>, String> {
        check(&toml::from_str(text).unwrap()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_contradiction_is_refused_with_what_to_do() {
        let client = |name: &str, subject: &str, scopes: &str| {
            format!("[[web.client]]\nname = {name:?}\nsubject = {subject:?}\nscopes = [{scopes}]\n")
        };
        let ca = format!("{WEB}client_ca = \"a\"\n");
        let cases = [
            ("[dicom.tls]\nlisten = \"0.0.0.0:2762\"\ncertificate = \"c\"\nkey = \"k\"".into(), "remove [dicom.tls]"),
            (format!("[web]\npublic_url = \"http://localhost\"\n{WEB}"), "https://"),
            ("[patient.tls]\ncertificate = \"c\"\nkey = \"k\"".into(), "[patient] public_url"),
            (format!("{WEB}client_certificate = \"required\""), "needs client_ca"),
            (format!("{WEB}{}", client("a", "CN=a", "\"read\"")), "needs client_ca"),
            (format!("{ca}{}", client("a b", "CN=a", "\"read\"")), "write a name"),
            (format!("{ca}{}", client("a", "", "\"read\"")), "needs a subject"),
            (format!("{ca}{}", client("a", "CN=a", "")), "at least one scope"),
            (format!("{ca}{}{}", client("a", "CN=a", "\"read\""), client("b", "CN=a", "\"read\"")), "twice"),
        ];
        for (text, expected) in cases {
            let message = verdict(&text).expect_err(&text);
            assert!(message.contains(expected), "{text:?} gave {message:?}");
        }
        let twice =
            format!("{ca}{}{}", client("a", "CN=a+O=b", "\"read\""), client("b", "O=b+commonName=a", "\"read\""));
        assert!(verdict(&twice).unwrap_err().contains("twice"), "however it is written");
        let unreadable = toml::from_str::<Config>(&format!("{ca}{}", client("a", "O = b, CN = a", "\"read\"")));
        assert!(unreadable.unwrap_err().to_string().contains("no space between them"));
        assert!(verdict(&ca).unwrap()[0].contains("without effect"));
        let good = format!("{ca}client_certificate = \"required\"\n{}", client("a", "CN=a", "\"read\", \"write\""));
        assert_eq!(verdict(&good), Ok(Vec::new()));
    }
}
