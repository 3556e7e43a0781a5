//! Start, stop, refusal to start, operations.

use crate::support::{Bridge, Dataset, Spawned};
use std::process::Command;

fn serve_with(text: &str) -> (Option<i32>, String) {
    let folder = tempfile::TempDir::new().unwrap();
    let config = folder.path().join("bluebridge.toml");
    let text = text.replace("DATA", folder.path().join("data").to_str().unwrap());
    std::fs::write(&config, text).unwrap();
    let done =
        Command::new(env!("CARGO_BIN_EXE_bluebridge")).args(["serve", "--config"]).arg(&config).output().unwrap();
    (done.status.code(), String::from_utf8_lossy(&done.stderr).into_owned())
}

#[test]
fn a_wrong_configuration_is_one_sentence_and_exit_2() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let in_use = format!("data_dir = 'DATA'\n[dicom]\nlisten = '127.0.0.1:{port}'");
    let cases = [
        ("data_dri = 'x'", "unknown field"),
        ("[limits]\nidle_timeout = 60", "write 90s"),
        ("[dicom]\nlisten = '0.0.0.0:11112'", "[[dicom.peer]]"),
        ("[patient]\nlisten = '0.0.0.0:8081'", "https://"),
        ("[patient]\npublic_url = 'https://example.org/images'", "leave the path out"),
        ("[web.tls]\ncertificate = 'c'\nkey = 'k'", "[web.tls]"),
        (in_use.as_str(), "in use"),
    ];
    for (text, expected) in cases {
        let (code, said) = serve_with(text);
        assert_eq!(code, Some(2), "{text}: {said}");
        let sentence = said.lines().find(|line| line.starts_with("bluebridge: ")).unwrap_or_default();
        assert!(sentence.contains(expected), "{text}: {said}");
    }
}

#[test]
fn a_mistake_on_the_command_line_is_one_sentence_and_exit_2() {
    let folder = tempfile::TempDir::new().unwrap();
    let data = folder.path().join("data");
    let config = folder.path().join("bluebridge.toml");
    std::fs::write(&config, format!("data_dir = {data:?}")).unwrap();
    let cases: [&[&str]; 26] = [
        &[],
        &["nothing"],
        &["serve", "--now"],
        &["check", "--quick"],
        &["demo", "--dir"],
        &["verify", "--all"],
        &["token", "create", ""],
        &["token", "create", "x", "--scope", "bogus"],
        &["token", "create", "x", "--scope", ""],
        &["token", "create", "x", "--expires", "5y"],
        &["token", "create", "x", "--expires", "0s"],
        &["token", "revoke", ""],
        &["token", "revoke", "../x"],
        &["link", "grant"],
        &["link", "grant", "--study", ""],
        &["link", "grant", "--patient", "1.2.x"],
        &["link", "grant", "--study", "1.2", "--patient", "1.2"],
        &["link", "grant", "--study", "1.2", "--verify", "nothing"],
        &["link", "grant", "--study", "1.2", "--expires", "soon"],
        &["link", "extend", "abc", "--expires", "0d"],
        &["link", "revoke", "a/b"],
        &["quarantine", "show", "../x"],
        &["quarantine", "drop", ""],
        &["peer", "echo", "nobody"],
        &["peer", "echo", "A@localhost:99999"],
        &["peer", "echo", "A@localhost"],
    ];
    for case in cases {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bluebridge"));
        let done = command.args(case).env("BLUEBRIDGE_CONFIG", &config).output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr);
        assert_eq!(done.status.code(), Some(2), "{case:?}: {said}");
        assert!(said.starts_with("bluebridge: ") && said.lines().count() == 1, "{case:?}: {said}");
    }
    assert!(!data.join("index.sqlite").exists(), "a mistake is told before anything is made");
}

#[test]
fn a_folder_that_others_can_write_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::TempDir::new().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    let (code, said) = serve_with(&format!("data_dir = {:?}", folder.path()));
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("chmod 700"), "{said}");
}

#[test]
fn a_second_daemon_on_the_same_folder_is_refused() {
    let first = Spawned::start();
    let (code, said) = serve_with(&format!(
        "data_dir = {:?}\n[dicom]\nlisten='127.0.0.1:0'\n[web]\nlisten='127.0.0.1:0'\n[patient]\nlisten='127.0.0.1:0'",
        first.data_dir()
    ));
    assert_ne!(code, Some(0));
    assert!(said.contains("another bluebridge"), "{said}");
    assert_eq!(first.terminate(), Some(0));
}

#[tokio::test]
async fn operations_answer_and_metrics_are_declared() {
    let bridge = Bridge::start().await;
    bridge.modality("CT01").echo().await.unwrap();
    bridge.modality("CT01").store_all(&crate::support::Dataset::series(2)).await;
    for (path, expected) in [
        ("/healthz", "ok"),
        ("/readyz", "ready"),
        ("/metrics", "bluebridge_associations_total"),
        ("/metrics", "bluebridge_instances_received_total"),
        ("/metrics", "bluebridge_commit_seconds"),
        ("/metrics", "bluebridge_free_bytes"),
    ] {
        let answer = bridge.web().get(path).await;
        assert_eq!(answer.status, 200, "{path}");
        assert!(answer.text().contains(expected), "{path}: {}", answer.text());
    }
    assert_eq!(bridge.patient().get("/healthz").await.status, 200);
    bridge.stop().await;
}

#[tokio::test]
async fn the_patients_listener_serves_nothing_of_the_archive() {
    let bridge = Bridge::start().await;
    for path in ["/dicom-web/studies", "/api/v1/links", "/metrics", "/readyz", "/staff", "/"] {
        assert_eq!(bridge.patient().get(path).await.status, 404, "{path}");
    }
    bridge.stop().await;
}

#[tokio::test]
async fn the_self_check_commits_and_calls() {
    let bridge = Bridge::start_with(|config| {
        // Even where loopback is no listed peer.
        config.dicom.peer = vec![toml::from_str("name = 'CT'\nae_title = 'CT1'\naddress = '10.0.0.1'").unwrap()]
    })
    .await;
    bridge.running.self_check().run().await.unwrap();
    bridge.stop().await;
}

#[test]
fn check_says_what_a_start_would_meet() {
    let daemon = Spawned::start();
    let done = daemon.cli(&["check"]);
    assert_eq!(done.status.code(), Some(0), "{}", String::from_utf8_lossy(&done.stdout));
    assert!(String::from_utf8_lossy(&done.stdout).contains("held by the daemon that is running"));
}

#[tokio::test]
async fn behind_a_trusted_proxy_the_trail_names_who_asked() {
    let proxies = || vec!["127.0.0.1/32".parse().unwrap()];
    let bridge = Bridge::start_with(|config| config.web.trusted_proxies = proxies()).await;
    let image = Dataset::ct();
    assert_eq!(bridge.modality("CT1").store(&image).await, 0);
    let made = bridge.control("POST", "/api/v1/tokens", r#"{"name":"portal"}"#).await;
    let token = format!("Bearer {}", made["token"].as_str().unwrap());
    let path = format!("{}/metadata", image.study_path());
    let said = [("authorization", token.as_str()), ("x-forwarded-for", "1.1.1.1, 203.0.113.7")];
    assert_eq!(bridge.web().get_with(&path, &said).await.status, 200);
    let trail = bridge.stop_and_read_trail().await;
    let read = trail.iter().find(|row| row.contains("instances-read")).unwrap();
    assert!(read.contains("203.0.113.7") && !read.contains("127.0.0.1"), "{read}");
}
