//! The command line: parses, calls, prints. Exit codes: 0 done; 1 failed, with one sentence on stderr;
//! 2 wrong usage or configuration.

mod check;
mod client;
mod deleted;
mod demo;
mod doctor;
mod footprint;
mod link;
mod peer;
mod quarantine;
mod serve;
mod token;
mod verify;

use crate::config::{self, Config, safety, units::Span};
use clap::{Parser, Subcommand};
use serde_json::Value;
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
    /// List what was deleted, and undo a deletion while its files are kept.
    #[command(subcommand)]
    Deleted(deleted::Command),
    /// Compare index and files.
    Verify(verify::Args),
    /// Ask the running daemon what viewers ask, and say what would not work.
    #[command(subcommand)]
    Doctor(doctor::Command),
    /// Try a connection to another DICOM node.
    #[command(subcommand)]
    Peer(peer::Command),
    /// Decode frames for a daemon, which starts this by itself (standard input is its socket).
    #[command(hide = true)]
    DecodeWorker(DecodeWorker),
}

#[derive(Debug, clap::Args)]
struct DecodeWorker {
    /// The most address space, in bytes.
    #[arg(long)]
    memory: u64,
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
            if !message.use_stderr() {
                let _ = message.print();
                return ExitCode::SUCCESS;
            }
            eprintln!("bluebridge: {}", mistake(&message.to_string()));
            return ExitCode::from(2);
        }
    };
    if let Command::DecodeWorker(args) = &cli.command {
        return crate::imaging::worker::run(args.memory);
    }
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

/// What clap found, as one sentence: its first paragraph without the usage that follows.
fn mistake(message: &str) -> String {
    let paragraph = message.split("\n\n").next().unwrap_or_default();
    let words: Vec<_> = paragraph.trim_start_matches("error: ").split_whitespace().collect();
    format!("{}; add --help to see how it is written", words.join(" "))
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
        Command::Deleted(command) => deleted::run(&read()?.0, command),
        Command::Verify(args) => verify::run(&read()?.0, args),
        Command::Doctor(command) => doctor::run(&read()?.0, command),
        Command::Peer(command) => peer::run(&read()?.0, command),
        // Answered before: a worker reads no configuration.
        Command::DecodeWorker(_) => Ok(()),
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

/// An id as our lists show it, letters and digits: it goes into a path.
fn id(text: &str) -> Result<String, String> {
    let fits = !text.is_empty() && text.len() <= 64 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if fits { Ok(text.to_owned()) } else { Err("not an id; the list command shows them".into()) }
}

/// How long something lives.
fn life(text: &str) -> Result<Span, String> {
    match Span::parse(text)? {
        none if none.get().is_zero() => Err("that is no time at all".into()),
        some => Ok(some),
    }
}

/// A text of an answer.
fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or("-")
}

/// The list that an answer holds as `key`, one line each below `title`; JSON where that was asked for.
fn list(json: bool, answer: &Value, key: &str, title: &str, line: impl Fn(&Value) -> String) -> Outcome {
    if json {
        return print_json(answer);
    }
    match answer.get(key).and_then(Value::as_array).filter(|all| !all.is_empty()) {
        None => println!("no {key}"),
        Some(all) => {
            println!("{title}");
            all.iter().for_each(|one| println!("{}", line(one)));
        }
    }
    Ok(())
}

/// Says that something was done: in a sentence, or as JSON.
fn done(json: bool, answer: &Value, sentence: &str) -> Outcome {
    if json {
        return print_json(answer);
    }
    println!("{sentence}");
    Ok(())
}

/// Prints `value` as one line of JSON.
fn print_json(value: &impl serde::Serialize) -> Outcome {
    println!("{}", serde_json::to_string(value).map_err(Failure::failed)?);
    Ok(())
}
