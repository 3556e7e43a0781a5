//! The machine against Table 9-10 of PS3.8 and the states its actions lead to (Tables 9-6 to 9-9).

use super::*;

/// Rows Evt1 to Evt19, columns Sta1 to Sta13.
const TABLE: [&str; 19] = [
    "AE-1  -     -     -     -     -     -     -     -     -     -     -     -",
    "-     -     -     AE-2  -     -     -     -     -     -     -     -     -",
    "-     AA-1  AA-8  -     AE-3  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-6",
    "-     AA-1  AA-8  -     AE-4  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-6",
    "AE-5  -     -     -     -     -     -     -     -     -     -     -     -",
    "-     AE-6  AA-8  -     AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-7",
    "-     -     AE-7  -     -     -     -     -     -     -     -     -     -",
    "-     -     AE-8  -     -     -     -     -     -     -     -     -     -",
    "-     -     -     -     -     DT-1  -     AR-7  -     -     -     -     -",
    "-     AA-1  AA-8  -     AA-8  DT-2  AR-6  AA-8  AA-8  AA-8  AA-8  AA-8  AA-6",
    "-     -     -     -     -     AR-1  -     -     -     -     -     -     -",
    "-     AA-1  AA-8  -     AA-8  AR-2  AR-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-6",
    "-     AA-1  AA-8  -     AA-8  AA-8  AR-3  AA-8  AA-8  AR-10 AR-3  AA-8  AA-6",
    "-     -     -     -     -     -     -     AR-4  AR-9  -     -     AR-4  -",
    "-     -     AA-1  AA-2  AA-1  AA-1  AA-1  AA-1  AA-1  AA-1  AA-1  AA-1  -",
    "-     AA-2  AA-3  -     AA-3  AA-3  AA-3  AA-3  AA-3  AA-3  AA-3  AA-3  AA-2",
    "-     AA-5  AA-4  AA-4  AA-4  AA-4  AA-4  AA-4  AA-4  AA-4  AA-4  AA-4  AR-5",
    "-     AA-2  -     -     -     -     -     -     -     -     -     -     AA-2",
    "-     AA-1  AA-8  -     AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-7",
];

const STATES: [State; 13] = [
    State::Idle,
    State::AwaitingRequest,
    State::AwaitingLocalAnswer,
    State::AwaitingTransport,
    State::AwaitingAnswer,
    State::Established,
    State::AwaitingReleaseReply,
    State::AwaitingLocalRelease,
    State::CollisionRequestorLocal,
    State::CollisionAcceptorReply,
    State::CollisionRequestorReply,
    State::CollisionAcceptorLocal,
    State::AwaitingClose,
];

const EVENTS: [Event; 19] = [
    Event::AssociateRequest,
    Event::TransportConfirmed,
    Event::AcceptPdu,
    Event::RejectPdu,
    Event::TransportIndicated,
    Event::RequestPdu,
    Event::Accept,
    Event::Reject,
    Event::Data,
    Event::DataPdu,
    Event::Release,
    Event::ReleaseRequestPdu,
    Event::ReleaseReplyPdu,
    Event::ReleaseAnswer,
    Event::Abort,
    Event::AbortPdu,
    Event::TransportClosed,
    Event::ArtimExpired,
    Event::InvalidPdu,
];

/// `Aa1` as the standard writes it, and the state the standard says it leads to (0: it stays).
fn outcome(action: Action, role: Role) -> (&'static str, u8) {
    match action {
        Action::Ae1 => ("AE-1", 4),
        Action::Ae2 => ("AE-2", 5),
        Action::Ae3 => ("AE-3", 6),
        Action::Ae4 => ("AE-4", 1),
        Action::Ae5 => ("AE-5", 2),
        Action::Ae6 => ("AE-6", 3),
        Action::Ae7 => ("AE-7", 6),
        Action::Ae8 => ("AE-8", 13),
        Action::Dt1 => ("DT-1", 6),
        Action::Dt2 => ("DT-2", 6),
        Action::Ar1 => ("AR-1", 7),
        Action::Ar2 => ("AR-2", 8),
        Action::Ar3 => ("AR-3", 1),
        Action::Ar4 => ("AR-4", 13),
        Action::Ar5 => ("AR-5", 1),
        Action::Ar6 => ("AR-6", 7),
        Action::Ar7 => ("AR-7", 8),
        Action::Ar8 => ("AR-8", if role == Role::Requestor { 9 } else { 10 }),
        Action::Ar9 => ("AR-9", 11),
        Action::Ar10 => ("AR-10", 12),
        Action::Aa1 => ("AA-1", 13),
        Action::Aa2 => ("AA-2", 1),
        Action::Aa3 => ("AA-3", 1),
        Action::Aa4 => ("AA-4", 1),
        Action::Aa5 => ("AA-5", 1),
        Action::Aa6 => ("AA-6", 13),
        Action::Aa7 => ("AA-7", 13),
        Action::Aa8 => ("AA-8", 13),
    }
}

#[test]
fn every_event_in_every_state_does_what_table_9_10_says() {
    for role in [Role::Requestor, Role::Acceptor] {
        for (event, row) in EVENTS.into_iter().zip(TABLE) {
            let cells: Vec<&str> = row.split_whitespace().collect();
            assert_eq!(cells.len(), STATES.len());
            for (state, expected) in STATES.into_iter().zip(cells) {
                let mut machine = Machine { role, state };
                match machine.on(event) {
                    Ok(action) => {
                        let (name, leads_to) = outcome(action, role);
                        assert_eq!(name, expected, "{event:?} in {state:?}");
                        assert_eq!(machine.state() as u8, leads_to, "{event:?} in {state:?}");
                    }
                    Err(out_of_place) => {
                        assert_eq!(expected, "-", "{event:?} in {state:?}");
                        assert_eq!(out_of_place, OutOfPlace { event, state });
                        assert_eq!(machine.state(), state);
                    }
                }
            }
        }
    }
}

#[test]
fn an_abort_is_sent_wherever_the_action_says_so() {
    for (action, sends) in [
        (Action::Aa1, Some(Effect::SendUserAbort)),
        (Action::Aa7, Some(Effect::SendProviderAbort)),
        (Action::Aa8, Some(Effect::SendProviderAbort)),
        (Action::Aa2, None),
        (Action::Aa3, None),
        (Action::Aa6, None),
    ] {
        let sent = action
            .effects()
            .iter()
            .copied()
            .find(|effect| matches!(effect, Effect::Send | Effect::SendUserAbort | Effect::SendProviderAbort));
        assert_eq!(sent, sends, "{action:?}");
    }
}
