//! `bluebridge deleted`: what was deleted, and a mistake undone while its files are kept.

use super::{Failure, Outcome, block_on, client, done, list, text};
use crate::config::Config;
use hyper::Method;
use serde_json::Value;

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// What was deleted, newest first.
    List {
        #[arg(long)]
        json: bool,
    },
    /// Take what a deletion took out in again.
    Restore {
        /// As the list shows it.
        #[arg(value_parser = super::id)]
        id: String,
        #[arg(long)]
        json: bool,
    },
}

pub fn run(config: &Config, command: Command) -> Outcome {
    match command {
        Command::List { json } => {
            let answer = block_on(client::call(config, Method::GET, "/api/v1/deletions", None))?;
            let number = |one: &Value, key: &str| one.get(key).and_then(Value::as_i64).unwrap_or_default();
            let title =
                format!("{:<10} {:<9} {:<24} {:>9} {:>10} study", "id", "level", "deleted", "instances", "restorable");
            list(json, &answer, "deletions", &title, |one| {
                format!(
                    "{:<10} {:<9} {:<24} {:>9} {:>10} {}",
                    number(one, "id"),
                    text(one, "level"),
                    text(one, "deleted_at"),
                    number(one, "instances"),
                    number(one, "restorable"),
                    text(one, "study")
                )
            })
        }
        Command::Restore { id, json } => {
            let path = format!("/api/v1/deletions/{id}/restore");
            let answer = block_on(client::call(config, Method::POST, &path, None))?;
            let number = |key: &str| answer.get(key).and_then(Value::as_u64).unwrap_or_default();
            done(json, &answer, &format!("{} instances are back", number("instances")))?;
            match number("failed") {
                0 => Ok(()),
                failed => Err(Failure::Failed(format!("{failed} could not be taken in; the daemon's log says why"))),
            }
        }
    }
}
