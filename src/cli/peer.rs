//! `bluebridge peer`: is another DICOM node there, and does it talk to us?

use super::{Failure, Outcome, block_on, print_json};
use crate::config::Config;
use crate::dimse::scu::{Proposal, Scu, ScuSettings};
use crate::domain::ae_title::AeTitle;
use std::time::{Duration, Instant};

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Send C-ECHO to a configured destination by name, or to AE@host:port.
    Echo {
        node: String,
        #[arg(long)]
        json: bool,
    },
}

pub fn run(config: &Config, command: Command) -> Outcome {
    let Command::Echo { node, json } = command;
    let address = config
        .destination
        .iter()
        .find(|destination| destination.name == node)
        .and_then(|destination| destination.dicom.clone())
        .unwrap_or_else(|| node.clone());
    let (called, host) = address.split_once('@').ok_or_else(|| {
        Failure::Usage(format!("{node:?} is neither a [[destination]] with dicom = ... nor AE@host:port"))
    })?;
    // Told apart here, because for the system's resolver a wrong port and a name without an address are one.
    let port = host.rsplit_once(':').map(|(_, port)| port.parse::<u16>());
    if !matches!(port, Some(Ok(1..))) {
        return Err(Failure::Usage(format!("{address:?} needs a port from 1 to 65535, as in AE@host:104")));
    }
    let called = AeTitle::parse(called).map_err(|error| Failure::Usage(format!("{called:?}: {error}")))?;
    let started = Instant::now();
    block_on(async {
        let unreachable = |error: &dyn std::fmt::Display| Failure::Failed(format!("{node}: {error}"));
        let mut addresses = tokio::net::lookup_host(host).await.map_err(|error| unreachable(&error))?;
        let address = addresses.next().ok_or_else(|| unreachable(&"has no address"))?;
        let settings = ScuSettings {
            calling_ae_title: config.dicom.ae_title.clone(),
            called_ae_title: called,
            proposals: vec![Proposal::verification()],
            timeout: Duration::from_secs(10),
        };
        let mut scu = Scu::connect(address, settings).await.map_err(|error| unreachable(&error))?;
        let status = scu.echo().await.map_err(|error| unreachable(&error))?;
        scu.release().await.map_err(|error| unreachable(&error))?;
        let took_ms = started.elapsed().as_millis();
        if json {
            print_json(&serde_json::json!({ "peer": node, "status": status.code, "duration_ms": took_ms }))?;
        } else {
            println!("{node} answered C-ECHO with 0x{:04X} in {took_ms} ms", status.code);
        }
        if status.code == 0 { Ok(()) } else { Err(Failure::Failed(format!("{node} refused C-ECHO"))) }
    })
}
