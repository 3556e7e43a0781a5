//! A scanner: our own requestor, towards the daemon under test.

use super::Dataset;
use bluebridge::dimse::scu::{Proposal, Scu, ScuError, ScuSettings, Status};
use bluebridge::domain::ae_title::AeTitle;
use std::net::SocketAddr;
use std::time::Duration;

#[derive(Clone)]
pub struct Modality {
    address: SocketAddr,
    calling: AeTitle,
    pub called: AeTitle,
}

impl Modality {
    pub fn new(address: SocketAddr, calling: &str) -> Self {
        Self { address, calling: AeTitle::parse(calling).unwrap(), called: AeTitle::parse("BLUEBRIDGE").unwrap() }
    }
    pub fn calling_as(mut self, called: &str) -> Self {
        self.called = AeTitle::parse(called).unwrap();
        self
    }
    pub async fn associate(&self, proposals: Vec<Proposal>) -> Result<Scu, ScuError> {
        let settings = ScuSettings {
            calling_ae_title: self.calling.clone(),
            called_ae_title: self.called.clone(),
            proposals,
            timeout: Duration::from_secs(30),
        };
        Scu::connect(self.address, settings).await
    }
    pub async fn echo(&self) -> Result<Status, ScuError> {
        let mut scu = self.associate(vec![Proposal::verification()]).await?;
        let status = scu.echo().await?;
        scu.release().await?;
        Ok(status)
    }
    /// One association, one C-STORE each.
    pub async fn try_store(&self, datasets: &[Dataset]) -> Result<Vec<Status>, ScuError> {
        let mut proposals: Vec<Proposal> = Vec::new();
        for dataset in datasets {
            let proposal =
                Proposal { sop_class_uid: dataset.class(), transfer_syntaxes: vec![dataset.transfer_syntax()] };
            let known = |p: &Proposal| {
                p.sop_class_uid == proposal.sop_class_uid && p.transfer_syntaxes == proposal.transfer_syntaxes
            };
            if !proposals.iter().any(known) {
                proposals.push(proposal);
            }
        }
        let mut scu = self.associate(proposals).await?;
        let mut statuses = Vec::new();
        for dataset in datasets {
            statuses.push(
                scu.store(
                    &dataset.class(),
                    &dataset.instance(),
                    &dataset.transfer_syntax(),
                    dataset.bytes().as_slice(),
                )
                .await?,
            );
        }
        scu.release().await?;
        Ok(statuses)
    }
    /// The status of one C-STORE.
    pub async fn store(&self, dataset: &Dataset) -> u16 {
        self.try_store(std::slice::from_ref(dataset)).await.unwrap()[0].code
    }
    /// Every instance is taken.
    pub async fn store_all(&self, datasets: &[Dataset]) {
        let statuses = self.try_store(datasets).await.unwrap();
        assert!(statuses.iter().all(|status| status.code == 0), "{statuses:?}");
    }
}
