//! The command line: parses, calls, prints. Exit codes: 0 done; 1 failed, with one sentence on stderr;
//! 2 wrong usage or configuration.

mod check;
mod client;
mod demo;
mod link;
mod peer;
mod quarantine;
mod serve;
mod token;
mod verify;

use crate::config::{self, Config, safety};
use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

/// Keeps every image a scanner sends, serves it over DICOMweb, and hands it to the patient.
#[derive(Debug, Parser)]
#[command(name = "bluebridge", version, propagate_version = true)]
struct Cli {
    /// The configuration file; without it /etc/bluebridge/bluebridge.toml, or the defaults.
    #[arg(long, global = true, env = "BLUEBRIDGE_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the daemon until SIGTERM or Ctrl-C.
    Serve,
    /// Serve in a throw-away (or given) folder with a synthetic study, and say how to reach it.
    Demo(demo::Args),
    /// Check configuration, ports and disk without starting.
    Check(check::Args),
    /// Grant, list, extend and revoke patient links.
    #[command(subcommand)]
    Link(link::Command),
    /// Create, list and revoke tokens for DICOMweb callers.
    #[command(subcommand)]
    Token(token::Command),
    /// Look at what could not be understood.
    #[command(subcommand)]
    Quarantine(quarantine::Command),
    /// Compare index and files.
    Verify(verify::Args),
    /// Try a connection to another DICOM node.
    #[command(subcommand)]
    Peer(peer::Command),
}

/// Why a command ended; one sentence, and the exit code that goes with it.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Exit 2: what was asked for or configured cannot be.
    Usage(String),
    /// Exit 1: it could be, but it did not work.
    Failed(String),
}

impl Failure {
    fn failed(error: impl std::fmt::Display) -> Self {
        Self::Failed(error.to_string())
    }
    fn usage(error: impl std::fmt::Display) -> Self {
        Self::Usage(error.to_string())
    }
}

type Outcome = Result<(), Failure>;

/// Runs the command of this process's arguments.
pub fn run() -> ExitCode {
    // Whatever we or SQLite make is ours alone, however the shell that started us was set up.
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(message) => {
            // Help and version are answers, not mistakes; clap knows which stream they belong to.
            let _ = message.print();
            return ExitCode::from(if message.use_stderr() { 2 } else { 0 });
        }
    };
    match dispatch(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let (sentence, code) = match failure {
                Failure::Usage(sentence) => (sentence, 2),
                Failure::Failed(sentence) => (sentence, 1),
            };
            eprintln!("bluebridge: {sentence}");
            ExitCode::from(code)
        }
    }
}

fn dispatch(cli: Cli) -> Outcome {
    let read = || read_config(cli.config.as_deref());
    match cli.command {
        Command::Serve => serve::run(read()?),
        Command::Demo(args) => demo::run(read()?, args),
        Command::Check(args) => check::run(read()?, args),
        Command::Link(command) => link::run(&read()?.0, command),
        Command::Token(command) => token::run(&read()?.0, command),
        Command::Quarantine(command) => quarantine::run(&read()?.0, command),
        Command::Verify(args) => verify::run(&read()?.0, args),
        Command::Peer(command) => peer::run(&read()?.0, command),
    }
}

/// The configuration, and what the start should say about it.
type Checked = (Config, Vec<safety::Notice>);

fn read_config(path: Option<&std::path::Path>) -> Result<Checked, Failure> {
    let config = config::load::load(path, std::env::vars()).map_err(Failure::usage)?;
    let notices = safety::check(&config).map_err(Failure::usage)?;
    Ok((config, notices))
}

/// A small runtime for commands that talk to a daemon or the index and then end.
fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::failed)?.block_on(work)
}

/// Prints `value` as one line of JSON.
fn print_json(value: &impl serde::Serialize) -> Outcome {
    println!("{}", serde_json::to_string(value).map_err(Failure::failed)?);
    Ok(())
}
