//! `bluebridge demo`: the main job in one command, in a throw-away or given folder.

use super::{Checked, Failure, Outcome, client, serve};
use crate::app;
use crate::config::{Config, LogFormat, units::Floor};
use crate::demo::{phantom::PhantomSettings, script};
use crate::telemetry;
use hyper::Method;
use serde_json::{Value, json};
use std::io::{IsTerminal, Write};
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Keep everything in this folder; without it a temporary one is used and removed at the end.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Use ports that are free instead of the configured ones.
    #[arg(long)]
    any_port: bool,
    /// Print what to use as one line of JSON.
    #[arg(long)]
    json: bool,
}

/// A folder that is removed when the demo ends.
struct Folder {
    path: PathBuf,
    throw_away: bool,
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.throw_away {
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

pub fn run((mut config, _): Checked, args: Args) -> Outcome {
    let folder = folder(args.dir)?;
    config.data_dir = folder.path.clone();
    config.storage.ballast = Floor::Bytes(crate::config::units::Bytes::new(0));
    if args.any_port {
        for address in [&mut config.dicom.listen, &mut config.web.listen, &mut config.patient.listen] {
            address.set_port(0);
        }
    }
    // The page of the demo is for people: the log stays quiet unless something is wrong.
    if config.log == crate::config::Log::default() {
        config.log.level = "warn".into();
        config.log.format = LogFormat::Text;
    }
    telemetry::init(&config.log).map_err(Failure::usage)?;
    let result = serve::runtime()?.block_on(show(config, args.json));
    drop(folder);
    result
}

fn folder(given: Option<PathBuf>) -> Result<Folder, Failure> {
    let throw_away = given.is_none();
    let path =
        given.unwrap_or_else(|| std::env::temp_dir().join(format!("bluebridge-demo-{}", ulid::Ulid::generate())));
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&path)
        .map_err(|error| Failure::Failed(format!("cannot make {}: {error}", path.display())))?;
    Ok(Folder { path, throw_away })
}

async fn show(config: Config, as_json: bool) -> Outcome {
    let called = config.dicom.ae_title.clone();
    let running = app::start(config).await.map_err(serve::failure)?;
    let phantom = PhantomSettings::default();
    let terminal = std::io::stderr().is_terminal() && !as_json;
    let sent = script::send_phantom(running.dicom, called, &phantom, |count| {
        if terminal {
            eprint!("\rsending a synthetic CT over C-STORE: {count} images");
            let _ = std::io::stderr().flush();
        }
    })
    .await
    .map_err(Failure::failed)?;
    if terminal {
        eprintln!();
    }
    let body = json!({ "study": sent.study_instance_uid });
    let link = client::call(running.config(), Method::POST, "/api/v1/links", Some(&body)).await?;
    let text = |key: &str| link.get(key).and_then(Value::as_str).unwrap_or("").to_owned();
    let dicomweb = format!("http://{}/dicom-web", running.web);
    if as_json {
        super::print_json(&json!({
            "dicom": running.dicom.to_string(), "ae_title": running.config().dicom.ae_title.as_str(), "dicomweb": dicomweb,
            "study": sent.study_instance_uid, "instances": sent.instances,
            "link": text("url"), "code": text("code"), "birth_date": iso_date(&phantom.birth_date),
            "data_dir": running.config().data_dir,
        }))?;
    } else {
        println!(
            "{} images ({:.1} MB) of a synthetic chest CT are stored and indexed.\n",
            sent.instances,
            sent.bytes as f64 / 1e6
        );
        println!(
            "DICOM        {}@{}   (send more: storescu -aec {} {} {} FILE...)",
            running.config().dicom.ae_title,
            running.dicom,
            running.config().dicom.ae_title,
            running.dicom.ip(),
            running.dicom.port()
        );
        println!("DICOMweb     {dicomweb}");
        println!("try          curl -s '{dicomweb}/studies?PatientName=phantom*'");
        println!("patient link {}", text("url"));
        println!("birth date   {}", iso_date(&phantom.birth_date));
        println!("desk code    {}", text("code"));
        println!("\nStop with Ctrl-C.");
    }
    let _ = std::io::stdout().flush();
    serve::until_told(&running).await?;
    running.stop().await.map_err(Failure::failed)
}

/// `19750619` as `1975-06-19`.
fn iso_date(date: &str) -> String {
    match (date.get(..4), date.get(4..6), date.get(6..8)) {
        (Some(year), Some(month), Some(day)) => format!("{year}-{month}-{day}"),
        _ => date.to_owned(),
    }
}
