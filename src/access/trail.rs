//! The audit rows of a link's life. Each is written in the transaction of what it tells of.

use super::token::LinkKey;
use crate::audit::{Actor, Event, Kind, Outcome, RecordId};
use crate::domain::uid::StudyInstanceUid;
use crate::index::links::LinkRow;
use std::net::IpAddr;

pub(super) fn record_id(row: &LinkRow) -> RecordId {
    RecordId::from(LinkKey(row.lid_sha256).head())
}

fn event(kind: Kind, actor: Actor, row: &LinkRow) -> Event {
    let event = Event::new(kind, actor).link(record_id(row));
    match &row.study {
        Some(study) => event.study(study.clone()),
        None => event,
    }
}

fn by_holder(kind: Kind, row: &LinkRow, from: IpAddr) -> Event {
    event(kind, Actor::LinkHolder(record_id(row)), row).address(Some(from))
}

pub(super) fn granted(row: &LinkRow, by: Actor) -> Event {
    event(Kind::LinkGranted, by, row)
}

pub(super) fn extended(row: &LinkRow, by: Actor) -> Event {
    event(Kind::LinkExtended, by, row)
}

pub(super) fn revoked(row: &LinkRow, by: Actor) -> Event {
    event(Kind::LinkRevoked, by, row)
}

pub(super) fn verified(row: &LinkRow, from: IpAddr) -> Event {
    by_holder(Kind::Verified, row, from)
}

/// Who failed is not known to be the link's holder.
pub(super) fn verification_failed(row: &LinkRow, from: IpAddr) -> Event {
    event(Kind::VerificationFailed, Actor::Unknown, row).address(Some(from)).outcome(Outcome::MinorFailure)
}

/// A wait began, or (`for_good`) the link is locked.
pub(super) fn locked_out(row: &LinkRow, from: IpAddr, for_good: bool) -> Event {
    let outcome = if for_good { Outcome::MajorFailure } else { Outcome::SeriousFailure };
    event(Kind::LockedOut, Actor::Unknown, row).address(Some(from)).outcome(outcome)
}

/// One export, however many ranges it takes.
pub(super) fn downloaded(
    row: &LinkRow,
    from: IpAddr,
    studies: &[StudyInstanceUid],
    instances: u64,
    bytes: u64,
) -> Event {
    let mut event = Event::new(Kind::Downloaded, Actor::LinkHolder(record_id(row)))
        .link(record_id(row))
        .address(Some(from))
        .counts(instances, bytes);
    event.studies = studies.to_vec();
    event
}
