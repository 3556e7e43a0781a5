//! `bluebridge doctor viewer STUDY`: asks the running daemon what OHIF, cornerstone, Weasis and the
//! dicomweb-clients ask, in their order and with their headers, and says what would not work and why.

mod ask;
mod check;
mod page;
mod subject;
mod viewers;

use super::{Failure, Outcome, block_on, print_json};
use crate::config::Config;
use crate::domain::uid::StudyInstanceUid;
use ask::Daemon;
use check::Verdict;
use serde_json::json;
use std::path::PathBuf;
use subject::Subject;

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Replay what viewers ask of a study, and say what fails.
    Viewer(Args),
}

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The Study Instance UID.
    study: String,
    /// Where viewers reach the daemon; default: its public_url, or where the configuration makes it listen.
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// A file that holds the bearer token to ask with.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// The certificate authority to trust in place of the system's, for an https:// address.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// The certificate to show to a daemon that wants one, with its chain.
    #[arg(long, value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,
    /// The private key of --cert.
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
    /// Only this viewer.
    #[arg(long, value_name = "NAME")]
    viewer: Option<viewers::Viewer>,
    /// Also send one instance back, as OHIF does when it saves; it is stored already, so nothing changes.
    #[arg(long)]
    store: bool,
    #[arg(long)]
    json: bool,
}

pub fn run(config: &Config, command: Command) -> Outcome {
    let Command::Viewer(args) = command;
    let study = StudyInstanceUid::parse(&args.study)
        .map_err(|_| Failure::Usage(format!("{:?} is not a Study Instance UID", args.study)))?;
    let token = args.token_file.as_deref().map(read_token).transpose()?;
    let url = args.url.clone().unwrap_or_else(|| own_address(config));
    block_on(async {
        let identity = args.cert.as_deref().zip(args.key.as_deref());
        let daemon = Daemon::new(&url, token, args.ca.as_deref(), identity)?;
        let subject = Subject::find(&daemon, study.as_str(), args.store).await?;
        let mut steps = viewers::steps(&subject, config, args.store);
        if config.web.ohif_dir.is_some() {
            steps.extend(viewers::served(daemon.prefix(), page::files(&daemon).await));
        }
        let mut verdicts = Vec::new();
        for step in steps.into_iter().filter(|step| args.viewer.is_none_or(|only| step.viewer == only)) {
            let verdict = check::run(&daemon, step).await;
            if !args.json {
                println!("{verdict}");
            }
            verdicts.push(verdict);
        }
        let failed = verdicts.iter().filter(|verdict| verdict.failure.is_some()).count();
        if args.json {
            let told: Vec<_> = verdicts.iter().map(Verdict::to_json).collect();
            print_json(&json!({ "study": study.as_str(), "url": url, "failed": failed, "steps": told }))?;
        } else {
            println!("{} of {} requests answered as the viewers need", verdicts.len() - failed, verdicts.len());
        }
        match failed {
            0 => Ok(()),
            1 => Err(Failure::Failed("one request would not work for its viewer".into())),
            more => Err(Failure::Failed(format!("{more} requests would not work for their viewers"))),
        }
    })
}

fn own_address(config: &Config) -> String {
    if let Some(url) = &config.web.public_url {
        return url.clone();
    }
    let listen = config.web.listen;
    let host = if listen.ip().is_unspecified() { "localhost".to_owned() } else { format!("{}", listen.ip()) };
    let host = if host.contains(':') { format!("[{host}]") } else { host };
    let scheme = if config.web.tls.is_some() { "https" } else { "http" };
    format!("{scheme}://{host}:{}", listen.port())
}

fn read_token(path: &std::path::Path) -> Result<String, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::Usage(format!("{} cannot be read ({error})", path.display())))?;
    Ok(text.trim().to_owned())
}
