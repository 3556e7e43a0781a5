//! Combinations of settings that would be unsafe, and settings that are without effect. Nothing is
//! repaired silently: what is unsafe stops the start with a sentence that says what to do.

use super::{Anonymous, Config, Peer, Web};
use std::net::IpAddr;

/// What the start says, once, about a configuration that is safe.
pub type Notice = String;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unsafe(String);

pub(super) fn refuse(sentence: impl Into<String>) -> Result<(), Unsafe> {
    Err(Unsafe(sentence.into()))
}

/// Checks what serde cannot: keys against each other.
pub fn check(config: &Config) -> Result<Vec<Notice>, Unsafe> {
    let mut notices = super::tls::check(config)?;
    super::oidc::check(config)?;
    dicom(config)?;
    patient(config)?;
    limits(config)?;
    listeners(config)?;
    storage(config)?;
    notices.extend(web(config)?);
    notices.extend(without_effect(config)?);
    Ok(notices)
}

fn dicom(config: &Config) -> Result<(), Unsafe> {
    let dicom = &config.dicom;
    if dicom.peer.is_empty() && !dicom.listen.ip().is_loopback() {
        return refuse(format!(
            "[dicom] listens on {} with no peer listed, so nobody could call: add a [[dicom.peer]] for each scanner, \
             or listen on 127.0.0.1",
            dicom.listen
        ));
    }
    let ours = dicom.ae_title.as_str();
    for (at, peer) in dicom.peer.iter().enumerate() {
        let later = dicom.peer.iter().skip(at + 1);
        if let Some(twin) = later.clone().find(|other| caller_of(other, ours) == caller_of(peer, ours)) {
            return refuse(format!(
                "[[dicom.peer]] {:?} and {:?} are the same caller (AE title, address and called AE title), so the second \
                 would never be used: remove one of them",
                peer.name, twin.name
            ));
        }
        if later.clone().any(|other| other.name == peer.name) {
            return refuse(format!(
                "[[dicom.peer]] {:?} is there twice: logs and limits go by the name, so give each a name of its own",
                peer.name
            ));
        }
        let titles = [Some(&peer.ae_title), peer.called_ae_title.as_ref()];
        for title in titles.into_iter().flatten().filter(|title| *title != "*") {
            if crate::domain::ae_title::AeTitle::parse(title).is_err() {
                return refuse(format!(
                    "[[dicom.peer]] {:?}: {title:?} is not an AE title; write 1 to 16 printable characters, or \"*\" for any",
                    peer.name
                ));
            }
        }
    }
    Ok(())
}

/// By what a caller is recognized.
fn caller_of<'a>(peer: &'a Peer, ours: &'a str) -> (&'a str, ipnet::IpNet, &'a str) {
    (peer.ae_title.trim(), peer.address.trunc(), peer.called_ae_title.as_deref().unwrap_or(ours).trim())
}

fn web(config: &Config) -> Result<Vec<Notice>, Unsafe> {
    let web = &config.web;
    let mut notices = Vec::new();
    if let Some(url) = &web.public_url {
        origin("[web] public_url", url)?;
    }
    if web.anonymous == Anonymous::Loopback && !anonymous_is_possible(web) {
        notices.push(
            "[web] anonymous = \"loopback\" is off because trusted_proxies or a public_url that is not loopback is \
             set: every caller needs a token (bluebridge token create)"
                .into(),
        );
    }
    if !web.listen.ip().is_loopback() && web.tls.is_none() {
        notices.push(format!(
            "[web] listens on {} without TLS: tokens and images cross that network readable; [web.tls] or a TLS proxy \
             in front is the remedy",
            web.listen
        ));
    }
    for origin_ in &web.cors_origins {
        origin("[web] cors_origins", origin_)?;
    }
    if let Some(folder) = &web.ohif_dir
        && !folder.join("index.html").is_file()
    {
        refuse(format!(
            "[web] ohif_dir = {} holds no index.html: name the folder that scripts/ohif made, or remove the key",
            folder.display()
        ))?;
    }
    Ok(notices)
}

/// `anonymous = "loopback"`, and nothing that makes loopback mean something else: behind a proxy every caller looks
/// like it.
pub fn anonymous_is_possible(web: &Web) -> bool {
    let public_is_local = web.public_url.as_deref().is_none_or(|url| is_loopback_host(host_of(url)));
    web.anonymous == Anonymous::Loopback && web.trusted_proxies.is_empty() && public_is_local
}

fn patient(config: &Config) -> Result<(), Unsafe> {
    let patient = &config.patient;
    let url = &patient.public_url;
    origin("[patient] public_url", url)?;
    if url.split_once("://").is_some_and(|(_, rest)| rest.contains('/')) {
        return refuse(format!(
            "[patient] public_url is {url}: its pages are at the root of a host, so give them a host name of their own \
             (https://images.example.org) and leave the path out"
        ));
    }
    let https = url.starts_with("https://");
    if !https && !is_loopback_host(host_of(url)) {
        return refuse(format!(
            "[patient] public_url is {url}: links that leave this machine must begin with https://"
        ));
    }
    let encrypted = patient.tls.is_some() || !patient.trusted_proxies.is_empty();
    if !patient.listen.ip().is_loopback() && (!https || !encrypted) {
        return refuse(format!(
            "[patient] listens on {}: that needs an https:// public_url and [patient.tls], or the TLS proxy's address \
             in trusted_proxies, or listen on 127.0.0.1 with the proxy on this machine",
            patient.listen
        ));
    }
    let link = &config.link;
    if link.expires > link.expires_max {
        return refuse(format!(
            "[link] expires = {} is longer than expires_max = {}: lower the one or raise the other",
            link.expires, link.expires_max
        ));
    }
    if link.wrong_tries_in_a_row == 0 {
        return refuse("[link] wrong_tries_in_a_row = 0 would lock every link: make it at least 1");
    }
    if link.wrong_tries_lifetime == 0 || link.wrong_tries_lifetime > 100 {
        return refuse("[link] wrong_tries_lifetime must be 1 to 100 (NIST SP 800-63B allows no more)");
    }
    Ok(())
}

fn limits(config: &Config) -> Result<(), Unsafe> {
    let limits = &config.limits;
    let announced = limits.pdu_announced.get();
    if !(4096..=limits.pdu_tolerated.get()).contains(&announced) || limits.pdu_tolerated.get() > 16 << 20 {
        return refuse("[limits] pdu_announced must be 4KiB to pdu_tolerated, and pdu_tolerated at most 16MiB");
    }
    let counts = [
        ("associations", limits.associations),
        ("associations_per_address", limits.associations_per_address),
        ("associations_per_peer", limits.associations_per_peer),
        ("half_open", limits.half_open),
        ("half_open_per_address", limits.half_open_per_address),
        ("sequence_depth", limits.sequence_depth),
        ("elements", limits.elements),
        ("http_connections", limits.http_connections),
        ("patient_connections", limits.patient_connections),
        ("tls_handshakes", limits.tls_handshakes),
        ("tls_handshakes_per_address", limits.tls_handshakes_per_address),
        ("search_results", limits.search_results),
        ("downloads", limits.downloads),
    ];
    if let Some((name, _)) = counts.iter().find(|(_, count)| *count == 0) {
        return refuse(format!("[limits] {name} = 0 would refuse everything: make it at least 1"));
    }
    if limits.sequence_depth > 256 {
        return refuse("[limits] sequence_depth is at most 256");
    }
    Ok(())
}

/// Each listener needs a port of its own; port 0 is any free one.
fn listeners(config: &Config) -> Result<(), Unsafe> {
    let all = [
        ("[dicom] listen", config.dicom.listen),
        ("[web] listen", config.web.listen),
        ("[patient] listen", config.patient.listen),
    ];
    for (at, (name, address)) in all.iter().enumerate() {
        let twin = all.iter().skip(at + 1).find(|(_, other)| other == address && address.port() != 0);
        if let Some((other, _)) = twin {
            return refuse(format!("{name} and {other} are both {address}: give each a port of its own"));
        }
    }
    for (key, networks) in [
        ("[web] trusted_proxies", &config.web.trusted_proxies),
        ("[patient] trusted_proxies", &config.patient.trusted_proxies),
    ] {
        if networks.iter().any(|network| network.prefix_len() == 0) {
            return refuse(format!("{key} holds every address there is: name the proxy's own"));
        }
    }
    Ok(())
}

fn storage(config: &Config) -> Result<(), Unsafe> {
    use super::units::Floor::{Bytes, Percent};
    let storage = &config.storage;
    let reversed = match (storage.soft_stop, storage.hard_stop) {
        (Bytes(soft), Bytes(hard)) => soft < hard,
        (Percent(soft), Percent(hard)) => soft < hard,
        _ => false,
    };
    if reversed {
        return refuse("[storage] soft_stop is below hard_stop: the soft stop comes first, so make it the larger one");
    }
    Ok(())
}

/// Settings that are read and checked, whose service this version does not have.
fn without_effect(config: &Config) -> Result<Vec<Notice>, Unsafe> {
    for route in &config.route {
        for name in &route.forward_to {
            if !config.destination.iter().any(|destination| &destination.name == name) {
                refuse(format!("[[route]] forwards to {name:?}, which no [[destination]] has as its name"))?;
            }
        }
    }
    for destination in &config.destination {
        if destination.dicom.is_some() == destination.dicomweb.is_some() {
            refuse(format!(
                "[[destination]] {:?} needs exactly one of dicom = \"AE@host:port\" and dicomweb = \"https://...\"",
                destination.name
            ))?;
        }
    }
    let sections = [
        ("[mail]", config.mail.is_some()),
        ("[[destination]]", !config.destination.is_empty()),
        ("[[route]]", !config.route.is_empty()),
    ];
    let set: Vec<_> = sections.iter().filter(|(_, set)| *set).map(|(name, _)| *name).collect();
    let mut notices = Vec::new();
    if !set.is_empty() {
        notices.push(format!("{} set, but this version neither mails nor forwards: without effect", set.join(", ")));
    }
    let words: std::collections::BTreeSet<_> = config
        .dicom
        .peer
        .iter()
        .flat_map(|peer| &peer.allow)
        .filter(|service| !matches!(service, super::Service::Echo | super::Service::Store))
        .map(|service| format!("{service:?}").to_lowercase())
        .collect();
    if !words.is_empty() {
        let words: Vec<_> = words.into_iter().collect();
        notices.push(format!("[[dicom.peer]] allow: {} without effect in this version", words.join(", ")));
    }
    Ok(notices)
}

fn origin(key: &str, url: &str) -> Result<(), Unsafe> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    match rest {
        Some(rest) if !rest.is_empty() && !rest.contains(['?', '#', ' ', '\\', ';', ',']) && !rest.ends_with('/') => {
            Ok(())
        }
        _ => refuse(format!(
            "{key} is {url:?}: write an address such as https://images.example.org, without a / at its end"
        )),
    }
}

pub(super) fn host_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split('/').next().unwrap_or(rest);
    match authority.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or(v6),
        None => authority.split(':').next().unwrap_or(authority),
    }
}

/// `localhost` or a loopback address.
pub fn is_loopback_host(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(text: &str) -> Result<Vec<Notice>, String> {
        check(&toml::from_str(text).unwrap()).map_err(|error| error.to_string())
    }

    #[test]
    fn the_defaults_are_safe_and_say_nothing() {
        assert_eq!(verdict(""), Ok(Vec::new()));
    }

    #[test]
    fn an_unsafe_combination_is_refused_with_what_to_do() {
        let cases = [
            ("[dicom]\nlisten = \"0.0.0.0:104\"", "add a [[dicom.peer]]"),
            ("[patient]\nlisten = \"0.0.0.0:443\"", "https:// public_url"),
            ("[patient]\npublic_url = \"http://images.example.org\"", "must begin with https://"),
            ("[patient]\nlisten = \"0.0.0.0:80\"\npublic_url = \"https://images.example.org\"", "trusted_proxies"),
            ("[patient]\npublic_url = \"images.example.org\"", "write an address"),
            ("[patient]\npublic_url = \"https://example.org/images\"", "leave the path out"),
            ("[link]\nexpires = \"91d\"", "longer than expires_max"),
            ("[link]\nwrong_tries_lifetime = 101", "1 to 100"),
            ("[[route]]\nforward_to = [\"pacs\"]", "no [[destination]]"),
            ("[[destination]]\nname = \"pacs\"", "exactly one of"),
            (
                "[[dicom.peer]]\nname = \"CT\"\nae_title = \"THIS IS FAR TOO LONG\"\naddress = \"10.0.0.1\"",
                "not an AE title",
            ),
            (
                "[dicom]\nae_title = \"US\"\n[[dicom.peer]]\nname = \"A\"\nae_title = \"CT\"\naddress = \"10.0.0.7/8\"\n\
                 [[dicom.peer]]\nname = \"B\"\nae_title = \"CT\"\naddress = \"10.0.0.0/8\"\ncalled_ae_title = \"US\"",
                "the same caller",
            ),
            (
                "[[dicom.peer]]\nname = \"A\"\nae_title = \"CT\"\naddress = \"10.0.0.1\"\n\
                 [[dicom.peer]]\nname = \"A\"\nae_title = \"MR\"\naddress = \"10.0.0.1\"",
                "is there twice",
            ),
            ("[limits]\npdu_announced = \"2MiB\"", "pdu_announced"),
            ("[limits]\nassociations = 0", "at least 1"),
            ("[link]\nwrong_tries_in_a_row = 0", "at least 1"),
            ("[web]\nlisten = \"127.0.0.1:8081\"", "are both 127.0.0.1:8081"),
            ("[web]\ntrusted_proxies = [\"0.0.0.0/0\"]", "every address"),
            ("[storage]\nsoft_stop = \"1MiB\"\nhard_stop = \"1GiB\"", "soft stop comes first"),
        ];
        for (text, expected) in cases {
            let message = verdict(text).expect_err(text);
            assert!(message.contains(expected), "{text:?} gave {message:?}");
        }
    }

    #[test]
    fn a_proxy_or_a_public_address_turns_anonymous_callers_into_nobody() {
        let with = |change: fn(&mut Web)| {
            let mut web = Web::default();
            change(&mut web);
            anonymous_is_possible(&web)
        };
        assert!(with(|_| {}));
        assert!(with(|web| web.public_url = Some("http://localhost:8080".into())));
        assert!(with(|web| web.public_url = Some("http://[::1]:8080".into())));
        assert!(!with(|web| web.public_url = Some("https://pacs.example.org".into())));
        assert!(!with(|web| web.public_url = Some("http://localhost@pacs.example.org".into())));
        assert!(!with(|web| web.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()]));
        assert!(!with(|web| web.anonymous = Anonymous::Nobody));
    }

    #[test]
    fn own_tls_is_as_good_as_a_proxy() {
        let tls = "[patient.tls]\ncertificate = \"c\"\nkey = \"k\"";
        let open = "[patient]\nlisten = \"0.0.0.0:443\"\npublic_url = \"https://images.example.org\"\n";
        assert_eq!(verdict(&format!("{open}{tls}")), Ok(Vec::new()));
        let web = "[web]\nlisten = \"0.0.0.0:8443\"\n[web.tls]\ncertificate = \"c\"\nkey = \"k\"";
        assert_eq!(verdict(web), Ok(Vec::new()));
    }

    #[test]
    fn what_is_without_effect_is_said() {
        let notices = verdict("[mail]\nsmtp = \"smtp://127.0.0.1:25\"\nfrom = \"a@b\"").unwrap();
        assert!(notices[0].contains("[mail] set"), "{notices:?}");
        let notices = verdict("[web]\ntrusted_proxies = [\"10.0.0.1\"]").unwrap();
        assert!(notices[0].contains("every caller needs a token"), "{notices:?}");
        let peer =
            "[[dicom.peer]]\nname = \"x\"\nae_title = \"*\"\naddress = \"10.0.0.0/8\"\nallow = [\"store\", \"find\"]";
        assert!(verdict(peer).unwrap()[0].contains("allow: find without effect"));
    }
}
