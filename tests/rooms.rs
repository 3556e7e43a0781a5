//! The walls: which room may use which (docs/ARCHITECTURE.md), and which outside crates only one room
//! may name. A broken arrow fails here, with its file and line.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Every room with the rooms that its code may import. Test modules inside a file are not held to it.
const ARROWS: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("wording", &[]),
    ("config", &["domain"]),
    ("telemetry", &["domain", "config"]),
    ("net", &["domain", "config", "telemetry"]),
    ("store", &["domain", "config", "telemetry"]),
    ("audit", &["domain", "telemetry"]),
    ("index", &["domain", "config", "audit", "telemetry"]),
    ("dimse", &["domain", "config", "net", "telemetry"]),
    ("archive", &["domain", "config", "store", "index", "audit", "telemetry"]),
    ("imaging", &["domain", "config", "archive", "telemetry"]),
    ("access", &["domain", "config", "archive", "imaging", "index", "audit", "net", "wording", "telemetry"]),
    ("scp", &["domain", "config", "archive", "audit", "dimse", "net", "telemetry"]),
    ("web", &["domain", "config", "archive", "imaging", "access", "audit", "net", "wording", "telemetry"]),
    ("demo", &["domain", "config", "dimse", "app", "telemetry"]),
];

/// Outside crates and types that belong to one room.
const OWNED: &[(&str, &[&str])] = &[
    ("sqlx", &["index"]),
    ("axum", &["web"]),
    ("dicom_ul", &["dimse", "scp"]),
    ("fluent_bundle", &["wording"]),
    ("png", &["imaging"]),
    ("gif", &["imaging"]),
    ("turbojpeg_sys", &["imaging"]),
    ("openjpeg_sys", &["imaging"]),
    ("charls_sys", &["imaging"]),
    ("jxl_oxide", &["imaging"]),
    ("moxcms", &["imaging"]),
    ("noto_sans_mono_bitmap", &["imaging"]),
    ("seccompiler", &["imaging"]),
    ("landlock", &["imaging"]),
    ("rustls", &["net"]),
    ("tokio_rustls", &["net"]),
    ("rustls_native_certs", &["net"]),
    ("x509_parser", &["net"]),
    ("jsonwebtoken", &["access"]),
    ("TcpListener::bind", &["net"]),
    ("TcpListener::from_std", &["net"]),
];

#[test]
fn imports_point_down() {
    let allowed: BTreeMap<_, _> = ARROWS.iter().copied().collect();
    let mut broken = Vec::new();
    for (room, place, line) in lines_of_code() {
        let Some(allowed) = allowed.get(room.as_str()) else { continue };
        for target in rooms_named_in(&line) {
            if target != room && !allowed.contains(&target.as_str()) {
                broken.push(format!("{place}: {room} must not use {target}: {}", line.trim()));
            }
        }
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn outside_crates_stay_in_their_room() {
    let mut broken = Vec::new();
    for (room, place, line) in lines_of_code() {
        for (name, owners) in OWNED {
            let named = line.contains(&format!("{name}::")) || (name.contains("::") && line.contains(name));
            if named && !owners.contains(&room.as_str()) {
                broken.push(format!("{place}: {name} belongs to {owners:?}: {}", line.trim()));
            }
        }
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn every_room_has_its_arrows_written_down() {
    let known: Vec<_> = ARROWS.iter().map(|(room, _)| *room).chain(["cli", "app"]).collect();
    for entry in std::fs::read_dir(source()).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            let room = entry.file_name().into_string().unwrap();
            assert!(known.contains(&room.as_str()), "src/{room} is in no row of ARROWS");
        }
    }
}

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// (room, file:line, text) of every line that is code: comments and test modules are left out.
fn lines_of_code() -> Vec<(String, String, String)> {
    let mut folders = vec![source()];
    let mut lines = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let relative = path.strip_prefix(source()).unwrap().to_path_buf();
                let mut parts = relative.components().map(|part| part.as_os_str().to_string_lossy().into_owned());
                let first = parts.next().unwrap();
                if parts.next().is_none() {
                    continue; // lib.rs, main.rs and app.rs see every room
                }
                if is_test_code(&relative) {
                    continue;
                }
                let text = std::fs::read_to_string(&path).unwrap();
                for (number, line) in text.lines().enumerate() {
                    if line.trim_start().starts_with("#[cfg(test)]") {
                        break;
                    }
                    if !line.trim_start().starts_with("//") {
                        lines.push((
                            first.clone(),
                            format!("src/{}:{}", relative.display(), number + 1),
                            line.to_owned(),
                        ));
                    }
                }
            }
        }
    }
    assert!(lines.len() > 500, "found the source");
    lines
}

/// Test modules in files of their own: `tests.rs`, `tests/`, `..._tests.rs`, `testing.rs`.
fn is_test_code(path: &Path) -> bool {
    path.with_extension("").components().any(|part| {
        let part = part.as_os_str().to_string_lossy();
        part == "tests" || part == "testing" || part.ends_with("_tests")
    })
}

/// `crate::room::...` and `use crate::{room::..., other}` on one line.
fn rooms_named_in(line: &str) -> Vec<String> {
    let mut rooms = Vec::new();
    for (at, _) in line.match_indices("crate::") {
        let rest = &line[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            Some(group) => rooms.extend(group.split([',', '}']).map(word)),
            None => rooms.push(word(rest)),
        }
    }
    rooms.retain(|room| ARROWS.iter().any(|(known, _)| known == room) || room == "cli" || room == "app");
    rooms
}

fn word(text: &str) -> String {
    text.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}
