//! `bluebridge quarantine`: what could not be understood, with its reason.

use super::{Failure, Outcome, block_on, print_json};
use crate::archive::quarantine::{self, Quarantined};
use crate::config::Config;
use crate::domain::clock::Clock;
use crate::index::{Index, IndexSettings};
use crate::store::{Disk, InstanceStore};
use serde_json::json;

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Everything in quarantine, oldest first.
    List {
        #[arg(long)]
        json: bool,
    },
    /// One held object: its reason, and where its bytes are.
    Show {
        #[arg(value_parser = super::id)]
        id: String,
        #[arg(long)]
        json: bool,
    },
    /// Remove a held object for good.
    Drop {
        #[arg(value_parser = super::id)]
        id: String,
        #[arg(long)]
        json: bool,
    },
}

pub fn run(config: &Config, command: Command) -> Outcome {
    let store = InstanceStore::open(&config.data_dir, Disk::default()).map_err(Failure::failed)?;
    match command {
        Command::List { json } => {
            let held = quarantine::list(&store).map_err(Failure::failed)?;
            if json { print_json(&held) } else { in_words(&held) }
        }
        Command::Show { id, json } => {
            let held = quarantine::show(&store, &id).map_err(Failure::failed)?.ok_or_else(|| unknown(&id))?;
            let path = config.data_dir.join("quarantine").join(format!("{}.dcm", held.id));
            if json {
                return print_json(&json!({ "held": held, "path": path }));
            }
            in_words(std::slice::from_ref(&held))?;
            println!("bytes: {}", path.display());
            Ok(())
        }
        Command::Drop { id, json } => block_on(async {
            let index = Index::open(&config.data_dir, IndexSettings::default(), Clock::system())
                .await
                .map_err(Failure::failed)?;
            let removed = quarantine::remove(&store, &index, &id).await.map_err(Failure::failed)?;
            index.close().await.map_err(Failure::failed)?;
            match (removed, json) {
                (false, _) => Err(unknown(&id)),
                (true, true) => print_json(&json!({ "id": id, "removed": true })),
                (true, false) => {
                    println!("{id} is removed");
                    Ok(())
                }
            }
        }),
    }
}

fn unknown(id: &str) -> Failure {
    Failure::Failed(format!("nothing in quarantine is called {id:?}; bluebridge quarantine list shows what is"))
}

fn in_words(held: &[Quarantined]) -> Outcome {
    if held.is_empty() {
        println!("quarantine is empty");
        return Ok(());
    }
    println!("{:<26} {:>12} {:<12} {:<16} reason", "id", "bytes", "offending", "from");
    for one in held {
        let record = one.record.clone().unwrap_or_default();
        println!(
            "{:<26} {:>12} {:<12} {:<16} {}{}",
            one.id,
            one.size_bytes,
            record.offending.as_deref().unwrap_or("-"),
            record.calling_ae_title.as_deref().unwrap_or("-"),
            record.reason,
            record.detail.map_or_else(String::new, |detail| format!(": {detail}"))
        );
    }
    Ok(())
}
