//! `bluebridge check`: would a start succeed? Reads, binds and measures, changes nothing that stays.

use super::{Checked, Failure, Outcome, block_on, print_json};
use crate::app;
use crate::config::Config;
use crate::net;
use crate::net::tls::{Tls, TlsSettings};
use crate::telemetry;
use serde::Serialize;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Finding {
    what: &'static str,
    ok: bool,
    says: String,
}

pub fn run((config, notices): Checked, args: Args) -> Outcome {
    let mut findings = vec![data_dir(&config.data_dir)];
    if let Err(error) = telemetry::filter(&config.log) {
        findings.push(Finding { what: "[log] level", ok: false, says: error.to_string() });
    }
    findings.extend(certificates(&config));
    if tokio_running(&config) {
        findings.push(Finding { what: "ports", ok: true, says: "held by the daemon that is running".into() });
    } else {
        findings.extend(block_on(async { Ok(ports(&config).await) })?);
    }
    findings.extend(notices.into_iter().map(|says| Finding { what: "notice", ok: true, says }));
    let failed = findings.iter().find(|finding| !finding.ok).map(|finding| finding.says.clone());
    if args.json {
        print_json(&serde_json::json!({ "ok": failed.is_none(), "findings": findings }))?;
    } else {
        for finding in &findings {
            println!("{} {}: {}", if finding.ok { "ok  " } else { "FAIL" }, finding.what, finding.says);
        }
    }
    failed.map_or(Ok(()), |sentence| Err(Failure::Usage(sentence)))
}

fn tokio_running(config: &Config) -> bool {
    std::os::unix::net::UnixStream::connect(config.data_dir.join("control.sock")).is_ok()
}

/// The folder must exist (or its parent must let us make it) and be closed to others.
fn data_dir(path: &Path) -> Finding {
    let finding = |ok, says| Finding { what: "data_dir", ok, says };
    let shown = path.display();
    match std::fs::metadata(path) {
        Ok(folder) if !folder.is_dir() => finding(false, format!("{shown} is not a folder; name another data_dir")),
        Ok(folder) if folder.permissions().mode() & 0o022 != 0 => {
            finding(false, format!("{shown} can be written by others; run: chmod 700 {shown}"))
        }
        Ok(folder) if folder.uid() != rustix::process::geteuid().as_raw() => {
            finding(true, format!("{shown} belongs to user {}; start the daemon as that user", folder.uid()))
        }
        Ok(_) => match rustix::fs::statvfs(path) {
            Ok(space) => {
                let free_gib = (space.f_bavail.saturating_mul(space.f_frsize)) as f64 / (1u64 << 30) as f64;
                finding(true, format!("{shown}, {free_gib:.1} GiB free"))
            }
            Err(error) => finding(false, format!("{shown}: free space cannot be read: {error}")),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => match path.parent().map(std::fs::metadata) {
            Some(Ok(parent)) if parent.is_dir() => finding(true, format!("{shown} will be made at the first start")),
            _ => finding(false, format!("{shown} cannot be made: its parent folder does not exist")),
        },
        Err(error) => finding(false, format!("{shown}: {error}")),
    }
}

/// Certificates and keys as a start would read them. One that has expired can be served, but nobody will
/// accept it.
fn certificates(config: &Config) -> Vec<Finding> {
    let now_s = jiff::Timestamp::now().as_second();
    let finding = |settings: TlsSettings| {
        let what = settings.section;
        match Tls::inspect(&settings) {
            Err(error) => Finding { what, ok: false, says: error.to_string() },
            Ok(validity) => match validity.warning(now_s) {
                Some(warning) if validity.is_expired(now_s) => {
                    Finding { what, ok: false, says: format!("{what}: {warning}") }
                }
                Some(warning) => Finding { what, ok: true, says: format!("{what}: {warning}") },
                None => Finding { what, ok: true, says: format!("the certificate holds until {}", validity.until()) },
            },
        }
    };
    app::tls::settings(config).all().into_iter().map(finding).collect()
}

async fn ports(config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (what, address) in [
        ("[dicom] listen", config.dicom.listen),
        ("[web] listen", config.web.listen),
        ("[patient] listen", config.patient.listen),
    ] {
        findings.push(match net::listen(address) {
            Ok(_) => Finding { what, ok: true, says: format!("{address} is free") },
            Err(error) => Finding { what, ok: false, says: format!("{what} = {address}: {error}") },
        });
    }
    findings
}
