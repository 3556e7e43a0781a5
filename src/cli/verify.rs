//! `bluebridge verify`: does every row have its file, and every file its row?

use super::{Failure, Outcome, block_on, print_json};
use crate::archive;
use crate::config::Config;
use crate::domain::clock::Clock;
use crate::index::{Index, IndexSettings};
use crate::store::{Disk, InstanceStore};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Read every byte and compare SHA-256 too.
    #[arg(long)]
    full: bool,
    #[arg(long)]
    json: bool,
}

pub fn run(config: &Config, args: Args) -> Outcome {
    block_on(async {
        let store = InstanceStore::open(&config.data_dir, Disk::default()).map_err(Failure::failed)?;
        // Reading beside a running daemon is what WAL is for.
        let index =
            Index::open(&config.data_dir, IndexSettings::default(), Clock::system()).await.map_err(Failure::failed)?;
        let report = archive::verify(&store, &index, args.full).await.map_err(Failure::failed)?;
        index.close().await.map_err(Failure::failed)?;
        if args.json {
            print_json(&report)?;
        } else {
            println!("{report}");
            for example in &report.examples {
                println!("  {example}");
            }
        }
        match report.is_sound() {
            true => Ok(()),
            false => Err(Failure::Failed("index and files differ".into())),
        }
    })
}
