//! HTTPS by the daemon itself.

use crate::support::pki::{self, Authority, Identity};
use crate::support::{Bridge, Dataset, Http, Spawned, link};
use bluebridge::config::{ClientCertificate, Scope, Tls, WebClient, WebTls};
use bluebridge::domain::distinguished_name::DistinguishedName;
use std::path::Path;
use tempfile::TempDir;

struct Hospital {
    folder: TempDir,
    authority: Authority,
    clients: Authority,
}

impl Hospital {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let clients = Authority::new("Clients");
        pki::install(&folder.path().join("clients.pem"), &clients.certificate);
        Self { folder, authority: Authority::new("Hospital"), clients }
    }
    fn path(&self) -> &Path {
        self.folder.path()
    }
    async fn bridge(&self, client_certificate: Option<ClientCertificate>) -> Bridge {
        let (certificate, key) = self.authority.server().install(self.path(), "server");
        let client_ca = client_certificate.map(|_| self.path().join("clients.pem"));
        Bridge::start_with(|config| {
            config.web.tls = Some(WebTls {
                certificate: certificate.clone(),
                key: key.clone(),
                client_ca,
                client_certificate: client_certificate.unwrap_or_default(),
            });
            config.web.client = client_certificate
                .map(|_| WebClient {
                    name: "viewer-1".into(),
                    subject: DistinguishedName::parse("CN=viewer 1,O=Example Hospital").unwrap(),
                    scopes: vec![Scope::Read],
                })
                .into_iter()
                .collect();
            config.web.anonymous = bluebridge::config::Anonymous::Nobody;
            config.patient.public_url = "https://localhost".into();
            config.patient.tls = Some(Tls { certificate, key });
        })
        .await
    }
    fn client(&self, identity: Option<&Identity>) -> reqwest::Client {
        Http::trusting(&self.authority, identity)
    }
}

/// Every cause of a failed request.
fn chain(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}

#[tokio::test]
async fn both_listeners_speak_https_and_the_archive_http2() {
    let hospital = Hospital::new();
    let bridge = hospital.bridge(None).await;
    let client = hospital.client(None);
    let answer = client.get(format!("https://{}/healthz", bridge.running.web)).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.version()), (200, reqwest::Version::HTTP_2));
    let answer =
        client.get(format!("https://localhost:{}/healthz", bridge.running.patient.port())).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.version()), (200, reqwest::Version::HTTP_11));
    assert!(answer.headers()["strict-transport-security"].to_str().unwrap().contains("max-age=63072000"));

    // In clear nothing is answered, and a stranger's authority is not believed.
    let plain = reqwest::get(format!("http://{}/healthz", bridge.running.web)).await;
    assert!(plain.is_err());
    let foreign = Http::trusting(&Authority::new("Somebody"), None);
    assert!(foreign.get(format!("https://{}/healthz", bridge.running.web)).send().await.is_err());
    bridge.stop().await;
}

#[tokio::test]
async fn addresses_in_answers_and_links_say_https() {
    let hospital = Hospital::new();
    let bridge = hospital.bridge(Some(ClientCertificate::Optional)).await;
    let image = Dataset::ct();
    assert_eq!(bridge.modality("CT1").store(&image).await, 0);
    let viewer = hospital.client(Some(&hospital.clients.client("viewer 1")));
    let url = format!("https://{}/dicom-web/studies", bridge.running.web);
    let found: serde_json::Value = viewer.get(url).send().await.unwrap().json().await.unwrap();
    let retrieve = found[0]["00081190"]["Value"][0].as_str().unwrap();
    assert_eq!(retrieve, format!("https://{}{}", bridge.running.web, image.study_path()));
    bridge.stop().await;
}

#[tokio::test]
async fn a_certificate_that_the_configuration_names_is_a_caller() {
    let hospital = Hospital::new();
    let bridge = hospital.bridge(Some(ClientCertificate::Optional)).await;
    let image = Dataset::ct();
    assert_eq!(bridge.modality("CT1").store(&image).await, 0);
    let known = hospital.clients.client("viewer 1");
    let unknown = hospital.clients.client("viewer 2");
    let forged = Authority::new("Clients").client("viewer 1");
    let studies = format!("https://{}{}/metadata", bridge.running.web, image.study_path());
    let links = format!("https://{}/api/v1/links", bridge.running.web);
    let status =
        async |client: &reqwest::Client, url: &str| client.get(url).send().await.map(|answer| answer.status().as_u16());

    let client = hospital.client(Some(&known));
    assert_eq!(status(&client, &studies).await.unwrap(), 200);
    assert_eq!(status(&client, &links).await.unwrap(), 403, "scopes of the entry");
    assert_eq!(status(&hospital.client(Some(&unknown)), &studies).await.unwrap(), 401, "no entry names it");
    assert_eq!(status(&hospital.client(None), &studies).await.unwrap(), 401);
    let refused = status(&hospital.client(Some(&forged)), &studies).await.unwrap_err();
    assert!(!chain(&refused).is_empty());
    // A token that is no good is not helped by a certificate.
    let both = client.get(&studies).bearer_auth("bbt_nonsense").send().await.unwrap();
    assert_eq!(both.status().as_u16(), 401);

    // Nor is a page of another site, which a browser lets ask with its user's certificate.
    let sent = async |name: &str, value: &str| {
        client.get(&studies).header(name, value).send().await.unwrap().status().as_u16()
    };
    assert_eq!(sent("origin", "https://evil.example").await, 401);
    assert_eq!(sent("sec-fetch-site", "cross-site").await, 401);
    assert_eq!(sent("origin", &format!("https://{}", bridge.running.web)).await, 200, "our own page");
    let form = client.post(&links).header("origin", "https://evil.example").body("x=1").send().await.unwrap();
    assert_eq!(form.status().as_u16(), 401);

    let trail = bridge.stop_and_read_trail().await;
    assert!(trail.iter().any(|row| row.contains(r#""actor":"certificate","actor_id":"viewer-1""#)), "{trail:?}");
}

#[tokio::test]
async fn without_a_required_certificate_nobody_connects() {
    let hospital = Hospital::new();
    let bridge = hospital.bridge(Some(ClientCertificate::Required)).await;
    let url = format!("https://{}/healthz", bridge.running.web);
    assert!(hospital.client(None).get(&url).send().await.is_err());
    let unknown = hospital.clients.client("viewer 2");
    assert_eq!(hospital.client(Some(&unknown)).get(&url).send().await.unwrap().status().as_u16(), 200);
    bridge.stop().await;
}

#[tokio::test]
async fn a_renewed_certificate_is_served_without_a_restart() {
    let hospital = Hospital::new();
    let (certificate, key) = hospital.authority.server().install(hospital.path(), "server");
    let daemon = Spawned::start_with(&format!("[web.tls]\ncertificate = {certificate:?}\nkey = {key:?}\n"));
    let url = format!("https://{}/healthz", daemon.web);
    let successor = Hospital::new();
    assert!(hospital.client(None).get(&url).send().await.is_ok());
    assert!(successor.client(None).get(&url).send().await.is_err());
    successor.authority.server().install(hospital.path(), "server");
    // Files are looked at once a second; each try is a connection of its own.
    within(20, async || successor.client(None).get(&url).send().await.is_ok()).await;

    // What is broken afterwards is told and changes nothing; SIGHUP does not end the daemon.
    pki::install(&key, "nonsense");
    daemon.hang_up();
    within(20, async || daemon.log().contains("the certificate read before stays in service")).await;
    assert!(successor.client(None).get(&url).send().await.is_ok());
    assert_eq!(daemon.terminate(), Some(0));
}

async fn within(seconds: u64, done: impl AsyncFn() -> bool) {
    let reached = async {
        while !done().await {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(seconds), reached).await.expect("in time");
}

#[test]
fn a_start_that_cannot_serve_tls_is_a_sentence_and_exit_2() {
    let folder = TempDir::new().unwrap();
    let (certificate, _) = Authority::new("A").server().install(folder.path(), "one");
    let (_, key) = Authority::new("A").server().install(folder.path(), "other");
    let data = folder.path().join("data");
    let config = folder.path().join("bluebridge.toml");
    let text = format!("data_dir = {data:?}\n[web.tls]\ncertificate = {certificate:?}\nkey = {key:?}\n");
    std::fs::write(&config, text).unwrap();
    for command in ["serve", "check"] {
        let done = std::process::Command::new(env!("CARGO_BIN_EXE_bluebridge"))
            .args([command, "--config"])
            .arg(&config)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&done.stderr);
        assert_eq!(done.status.code(), Some(2), "{said}");
        assert!(said.contains("is not the key of the first certificate"), "{said}");
    }
}

#[tokio::test]
async fn a_patient_reads_their_pages_over_https() {
    let hospital = Hospital::new();
    let (certificate, key) = hospital.authority.server().install(hospital.path(), "server");
    let bridge = Bridge::start_with(|config| {
        config.patient.public_url = "https://localhost".into();
        config.patient.tls = Some(Tls { certificate, key });
    })
    .await;
    let image = Dataset::ct();
    assert_eq!(bridge.modality("CT1").store(&image).await, 0);
    let granted = bridge.link(&image.study_uid()).await;
    assert!(granted.json["url"].as_str().unwrap().starts_with("https://"));
    let patient = Http::over(format!("https://localhost:{}", bridge.running.patient.port()), hospital.client(None));
    let opened = granted.open(&patient).await;
    assert_eq!(opened.status, 303, "{}", opened.text());
    assert!(opened.header("set-cookie").contains("__Host-bb=") && opened.header("set-cookie").contains("Secure"));
    let mine = patient.get_with("/my", &[("cookie", &link::cookie(&opened))]).await;
    assert_eq!(mine.status, 200);
    bridge.stop().await;
}
