//! C-STORE (PS3.7 §9.1.1): one instance from its command to its Status. Success is a promise: when
//! `finish` answers it, file, directory entry and row are durable.

use super::Scp;
use super::negotiate::{self, Caller};
use super::status::{self, Answer};
use crate::archive::{Intake, Offer, ReceiveError, Source, SyntaxSource};
use crate::dimse::command::CommandSet;
use crate::dimse::contexts::Context;
use crate::domain::failure::Failure;
use crate::domain::uid::{SopClassUid, SopInstanceUid};
use dicom_dictionary_std::tags;
use std::net::IpAddr;
use std::time::Instant;

/// An instance on its way in.
pub struct Arrival {
    intake: Result<Intake, Answer>,
    received_bytes: u64,
}

impl Arrival {
    /// Opens the intake, or keeps the refusal until the data set has been drained.
    pub fn begin(scp: &Scp, caller: &Caller, address: IpAddr, context: &Context, request: &CommandSet) -> Self {
        let intake = offer(caller, address, context, request)
            .and_then(|offer| scp.archive.begin(offer).map_err(|error| refused(scp, caller, &error)));
        Self { intake, received_bytes: 0 }
    }
    /// Takes a piece of the data set. After a refusal the rest is read and dropped, because the sender
    /// listens for the Status only when it has sent everything.
    pub fn write(&mut self, scp: &Scp, caller: &Caller, bytes: &[u8]) {
        self.received_bytes = self.received_bytes.saturating_add(bytes.len() as u64);
        if let Ok(intake) = &mut self.intake
            && let Err(error) = intake.write(bytes)
        {
            self.intake = Err(refused(scp, caller, &error));
        }
    }
    /// The whole data set is in: makes it durable and says how that went.
    pub async fn finish(self, scp: &Scp, caller: &Caller) -> Answer {
        metrics::counter!("bluebridge_dataset_bytes_total").increment(self.received_bytes);
        match self.intake {
            Ok(intake) => match intake.finish().await {
                Ok(_) => Answer::SUCCESS,
                Err(error) => refused(scp, caller, &error),
            },
            Err(answer) => answer,
        }
    }
}

fn offer(caller: &Caller, address: IpAddr, context: &Context, request: &CommandSet) -> Result<Offer, Answer> {
    let class = request.affected_sop_class_uid.as_deref().map(SopClassUid::parse);
    let Some(Ok(class)) = class else {
        return Err(Answer::refused(Failure::INVALID_ATTRIBUTE_VALUE, "Affected SOP Class UID is missing or no UID")
            .offending(tags::AFFECTED_SOP_CLASS_UID));
    };
    if class != context.abstract_syntax {
        return Err(Answer::refused(
            Failure::SOP_CLASS_NOT_SUPPORTED,
            "SOP Class is not that of the presentation context",
        )
        .offending(tags::AFFECTED_SOP_CLASS_UID));
    }
    let instance = request.affected_sop_instance_uid.as_deref().map(SopInstanceUid::parse);
    let Some(Ok(instance)) = instance else {
        return Err(Answer::refused(Failure::INVALID_SOP_INSTANCE, "Affected SOP Instance UID is missing or no UID")
            .offending(tags::AFFECTED_SOP_INSTANCE_UID));
    };
    let Some(transfer_syntax) = negotiate::syntax_of(&context.transfer_syntax) else {
        return Err(Answer::refused(Failure::CANNOT_UNDERSTAND, "transfer syntax is not supported"));
    };
    Ok(Offer {
        source: Source {
            peer: Some(caller.name.clone()),
            calling_ae_title: Some(caller.calling_ae_title.clone()),
            called_ae_title: Some(caller.called_ae_title.clone()),
            address: Some(address),
            uploader: None,
        },
        transfer_syntax,
        syntax_from: SyntaxSource::Sender,
        sop_class_uid: Some(class),
        sop_instance_uid: Some(instance),
        study_instance_uid: None,
        only: None,
        conflict: caller.conflict,
    })
}

/// Logs a refusal here, at the door that answers it; a sender that retries all night gets a line a minute.
fn refused(scp: &Scp, caller: &Caller, error: &ReceiveError) -> Answer {
    let answer = status::of(error);
    let Some(kept_back) = scp.refusals.allow((caller.name.clone(), answer.status), Instant::now()) else {
        return answer;
    };
    let status = format_args!("0x{:04X}", answer.status);
    let cause = std::error::Error::source(error).map(tracing::field::display);
    if status::is_our_fault(error) {
        tracing::error!(peer.name = caller.name, dimse.status = %status, cause, kept_back, "instance refused: {error}");
    } else {
        tracing::warn!(peer.name = caller.name, dimse.status = %status, cause, kept_back, "instance refused: {error}");
    }
    answer
}
