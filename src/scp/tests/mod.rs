//! The service on a real port: what the unit tests of its parts cannot show.

mod bounds;
mod nonsense;
mod raw;
mod sequences;

use super::*;
use crate::dimse::scu::{Proposal, Scu, ScuSettings, Status};
use std::net::SocketAddr;

struct Service {
    address: SocketAddr,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl Service {
    async fn start(dicom: Dicom, limits: &Limits) -> Self {
        let listener = crate::net::listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let task = tokio::spawn(serve(listener, Scp::new(dicom, limits, Archive {}, None), stop.clone()));
        Self { address, stop, task }
    }
    async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }
}

async fn run(program: &str, arguments: &[&str]) -> Option<(bool, String)> {
    let (program, arguments) = (program.to_owned(), arguments.iter().map(|&a| a.to_owned()).collect::<Vec<_>>());
    tokio::task::spawn_blocking(move || {
        let output = std::process::Command::new(program).args(arguments).output().ok()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        Some((output.status.success(), text))
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn dcmtk_echoscu_is_answered() {
    let service = Service::start(Dicom::default(), &Limits::default()).await;
    let port = service.address.port().to_string();
    for extra in [&["-v"][..], &["-v", "-pdu", "4096", "--repeat", "5"], &["-d", "-pts", "38", "-ppc", "128"]] {
        let arguments = [extra, &["-aec", "BLUEBRIDGE", "127.0.0.1", &port]].concat();
        let Some((done, text)) = run("echoscu", &arguments).await else { return };
        println!("{text}");
        assert!(done, "{text}");
    }
    service.stop().await;
}

fn scu_settings(proposals: Vec<Proposal>) -> ScuSettings {
    ScuSettings {
        calling_ae_title: AeTitle::parse("CT1").unwrap(),
        called_ae_title: AeTitle::of_this_product(),
        proposals,
        timeout: Duration::from_secs(10),
    }
}

#[tokio::test]
async fn our_own_requestor_echoes_and_releases() {
    let service = Service::start(Dicom::default(), &Limits::default()).await;
    let mut scu = Scu::connect(service.address, scu_settings(vec![Proposal::verification()])).await.unwrap();
    assert_eq!(scu.contexts().len(), 2);
    for _ in 0..3 {
        assert_eq!(scu.echo().await.unwrap(), Status { code: 0, comment: None });
    }
    scu.release().await.unwrap();
    service.stop().await;
}
