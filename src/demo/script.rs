//! What `bluebridge demo` does: a daemon like any other, a synthetic study sent to it over real C-STORE,
//! and a link to it.

use super::phantom::{self, PhantomSettings};
use crate::dimse::scu::{Proposal, Scu, ScuError, ScuSettings};
use crate::domain::ae_title::AeTitle;
use std::net::SocketAddr;
use std::time::Duration;

/// What was sent.
#[derive(Debug)]
pub struct Sent {
    pub study_instance_uid: String,
    pub instances: usize,
    pub bytes: u64,
}

#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    #[error("the synthetic study could not be sent: {0}")]
    Send(#[from] ScuError),
    #[error("instance {number} of the synthetic study was answered 0x{status:04X}")]
    Refused { number: usize, status: u16 },
    #[error("the synthetic study is empty")]
    Empty,
}

/// Sends the phantom to `address`, one instance after the other, telling `progress` how many went.
pub async fn send_phantom(
    address: SocketAddr,
    called: AeTitle,
    phantom: &PhantomSettings,
    mut progress: impl FnMut(usize),
) -> Result<Sent, DemoError> {
    let mut instances = phantom::study(phantom).peekable();
    let first = instances.peek().ok_or(DemoError::Empty)?;
    let proposal =
        Proposal { sop_class_uid: first.sop_class.clone(), transfer_syntaxes: vec![first.transfer_syntax.clone()] };
    let settings = ScuSettings {
        calling_ae_title: AeTitle::of_the_demo_scanner(),
        called_ae_title: called,
        proposals: vec![proposal],
        timeout: Duration::from_secs(30),
    };
    let mut scu = Scu::connect(address, settings).await?;
    let mut sent =
        Sent { study_instance_uid: phantom::study_instance_uid(phantom).to_string(), instances: 0, bytes: 0 };
    for instance in instances {
        let status = scu
            .store(&instance.sop_class, &instance.sop_instance, &instance.transfer_syntax, instance.dataset.as_slice())
            .await?;
        sent.instances += 1;
        sent.bytes += instance.dataset.len() as u64;
        if status.code != 0 {
            return Err(DemoError::Refused { number: sent.instances, status: status.code });
        }
        progress(sent.instances);
    }
    scu.release().await?;
    Ok(sent)
}
