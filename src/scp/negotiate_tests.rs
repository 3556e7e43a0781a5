//! Negotiation, case by case.

use super::*;
use crate::domain::transfer_syntax::EXPLICIT_VR_LITTLE_ENDIAN;

const CT: &str = "1.2.840.10008.5.1.4.1.1.2";
const VERIFICATION: &str = "1.2.840.10008.1.1";
const JPEG_LOSSLESS: &str = "1.2.840.10008.1.2.4.70";

fn peer(toml: &str) -> Peer {
    toml::from_str(&format!("name = \"p\"\n{toml}")).unwrap()
}

fn dicom(peers: Vec<Peer>) -> Dicom {
    Dicom { peer: peers, ..Dicom::default() }
}

fn request(calling: &str, called: &str, contexts: &[(&str, &[&str])]) -> AssociationRQ {
    AssociationRQ {
        protocol_version: 1,
        calling_ae_title: calling.into(),
        called_ae_title: called.into(),
        application_context_name: APPLICATION_CONTEXT.into(),
        presentation_contexts: contexts
            .iter()
            .zip(0u8..)
            .map(|((class, syntaxes), n)| PresentationContextProposed {
                id: n * 2 + 1,
                abstract_syntax: (*class).into(),
                transfer_syntaxes: syntaxes.iter().map(|uid| (*uid).into()).collect(),
            })
            .collect(),
        user_variables: vec![UserVariableItem::MaxLength(16_384)],
    }
}

fn refusal(dicom: &Dicom, address: &str, request: &AssociationRQ) -> Option<Refusal> {
    negotiate(dicom, None, 131_072, address.parse().unwrap(), request).err()
}

/// The answer to each context: the accepted transfer syntax, or the reason.
fn answers(dicom: &Dicom, request: &AssociationRQ) -> Vec<Result<String, PresentationContextResultReason>> {
    let agreement = negotiate(dicom, None, 131_072, "127.0.0.1".parse().unwrap(), request).unwrap();
    let results = agreement.answer.presentation_contexts.into_iter();
    results
        .map(|result| match result.reason {
            PresentationContextResultReason::Acceptance => Ok(result.transfer_syntax),
            reason => Err(reason),
        })
        .collect()
}

#[test]
fn with_no_peer_listed_only_loopback_may_call_and_only_us() {
    let none = dicom(Vec::new());
    let cases = [
        ("127.0.0.1", "ANYONE", "BLUEBRIDGE", None),
        ("::1", "ANYONE", " BLUEBRIDGE ", None),
        ("::ffff:127.0.0.1", "ANYONE", "BLUEBRIDGE", None),
        ("127.0.0.1", "ANYONE", "ARCHIVE", Some(Refusal::CalledAeTitle)),
        ("127.0.0.1", "ANYONE", "bluebridge", Some(Refusal::CalledAeTitle)),
        ("127.0.0.1", "", "BLUEBRIDGE", Some(Refusal::CallingAeTitle)),
        ("10.0.0.1", "ANYONE", "BLUEBRIDGE", Some(Refusal::CallingAeTitle)),
    ];
    for (address, calling, called, expected) in cases {
        assert_eq!(refusal(&none, address, &request(calling, called, &[])), expected, "{address} {calling} {called}");
    }
}

#[test]
fn address_calling_and_called_ae_title_must_all_fit_one_peer() {
    let peers = dicom(vec![
        peer("ae_title = \"CT1\"\naddress = \"10.1.2.0/24\""),
        peer("ae_title = \"CT1\"\naddress = \"10.1.3.7\"\ncalled_ae_title = \"OLDPACS\""),
        peer("ae_title = \"*\"\naddress = \"10.9.0.0/16\"\ncalled_ae_title = \"*\""),
        peer("ae_title = \"MR\"\naddress = \"2001:db8::/32\""),
    ]);
    let cases = [
        ("10.1.2.5", "CT1", "BLUEBRIDGE", None),
        ("::ffff:10.1.2.5", "CT1", "BLUEBRIDGE", None),
        ("10.1.2.5", "CT1", "OLDPACS", Some(Refusal::CalledAeTitle)),
        ("10.1.2.5", "CT2", "BLUEBRIDGE", Some(Refusal::CallingAeTitle)),
        ("10.1.4.5", "CT1", "BLUEBRIDGE", Some(Refusal::CallingAeTitle)),
        ("10.1.3.7", "CT1", "OLDPACS", None),
        ("10.1.3.7", "CT1", "BLUEBRIDGE", Some(Refusal::CalledAeTitle)),
        ("10.1.3.8", "CT1", "OLDPACS", Some(Refusal::CallingAeTitle)),
        ("10.9.1.1", "WHOEVER", "WHATEVER", None),
        ("2001:db8::1", "MR", "BLUEBRIDGE", None),
        ("127.0.0.1", "CT1", "BLUEBRIDGE", Some(Refusal::CallingAeTitle)),
    ];
    for (address, calling, called, expected) in cases {
        assert_eq!(refusal(&peers, address, &request(calling, called, &[])), expected, "{address} {calling} {called}");
    }
}

#[test]
fn version_and_application_context_are_checked_first() {
    let none = dicom(Vec::new());
    let good = request("A", "BLUEBRIDGE", &[]);
    for (version, expected) in [(0, Some(Refusal::ProtocolVersion)), (2, Some(Refusal::ProtocolVersion)), (3, None)] {
        let request = AssociationRQ { protocol_version: version, ..good.clone() };
        assert_eq!(refusal(&none, "127.0.0.1", &request), expected, "{version}");
    }
    let other = AssociationRQ { application_context_name: "1.2.3".into(), ..good.clone() };
    assert_eq!(refusal(&none, "127.0.0.1", &other), Some(Refusal::ApplicationContext));
    for (length, expected) in [(0, None), (7, Some(Refusal::MaximumLength)), (128, None), (u32::MAX, None)] {
        let request = AssociationRQ { user_variables: vec![UserVariableItem::MaxLength(length)], ..good.clone() };
        assert_eq!(refusal(&none, "127.0.0.1", &request), expected, "{length}");
    }
}

#[test]
fn each_refusal_has_its_result_source_and_reason() {
    let cases = [
        (Refusal::ProtocolVersion, [1, 2, 2]),
        (Refusal::ApplicationContext, [1, 1, 2]),
        (Refusal::CallingAeTitle, [1, 1, 3]),
        (Refusal::CalledAeTitle, [1, 1, 7]),
        (Refusal::MaximumLength, [1, 2, 1]),
        (Refusal::Full, [2, 3, 2]),
        (Refusal::Stopping, [2, 3, 1]),
    ];
    for (refusal, expected) in cases {
        let mut bytes = Vec::new();
        dicom_ul::pdu::write_pdu(&mut bytes, &dicom_ul::pdu::Pdu::AssociationRJ(refusal.pdu())).unwrap();
        assert_eq!(bytes[7..10], expected, "{refusal:?}");
    }
}

#[test]
fn our_order_of_preference_decides_not_the_requestors() {
    let request = request(
        "A",
        "BLUEBRIDGE",
        &[
            (CT, &[JPEG_LOSSLESS, IMPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_LITTLE_ENDIAN]),
            (CT, &[JPEG_LOSSLESS]),
            (CT, &["1.2.840.10008.1.2.4.94", "1.2.3"]),
            (CT, &[DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN]),
            (CT, &[]),
            (VERIFICATION, &[IMPLICIT_VR_LITTLE_ENDIAN]),
        ],
    );
    use PresentationContextResultReason::TransferSyntaxesNotSupported as NoSyntax;
    let mut expected = vec![
        Ok(EXPLICIT_VR_LITTLE_ENDIAN.to_owned()),
        Ok(JPEG_LOSSLESS.to_owned()),
        Err(NoSyntax),
        Err(NoSyntax),
        Err(NoSyntax),
        Ok(IMPLICIT_VR_LITTLE_ENDIAN.to_owned()),
    ];
    assert_eq!(answers(&dicom(Vec::new()), &request), expected);
    let deflating = dicom(vec![peer("ae_title = \"*\"\naddress = \"127.0.0.1\"\ndeflated = true")]);
    expected[3] = Ok(DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN.to_owned());
    assert_eq!(answers(&deflating, &request), expected);
}

#[test]
fn what_a_peer_may_not_do_is_refused_per_context() {
    use PresentationContextResultReason::{AbstractSyntaxNotSupported as NoClass, UserRejection};
    let le: &[&str] = &[IMPLICIT_VR_LITTLE_ENDIAN];
    let request = request(
        "A",
        "BLUEBRIDGE",
        &[
            (VERIFICATION, le),
            (CT, le),
            ("1.2.840.10008.5.1.4.1.1.6", le),
            ("1.3.46.670589.11.0.0.12.1", le),
            ("1.2.840.10008.5.1.4.1.2.2.1", le),
            ("not a uid", le),
        ],
    );
    let ok = || Ok(IMPLICIT_VR_LITTLE_ENDIAN.to_owned());
    let cases = [
        ("", [ok(), ok(), ok(), ok(), Err(NoClass), Err(NoClass)]),
        ("unknown_classes = false", [ok(), ok(), Err(NoClass), Err(NoClass), Err(NoClass), Err(NoClass)]),
        ("allow = [\"store\"]", [Err(UserRejection), ok(), ok(), ok(), Err(NoClass), Err(NoClass)]),
        (
            "allow = [\"echo\"]",
            [ok(), Err(UserRejection), Err(UserRejection), Err(UserRejection), Err(NoClass), Err(NoClass)],
        ),
    ];
    for (settings, expected) in cases {
        let one = dicom(vec![peer(&format!("ae_title = \"*\"\naddress = \"127.0.0.1\"\n{settings}"))]);
        assert_eq!(answers(&one, &request), expected, "{settings}");
    }
    assert_eq!(answers(&dicom(Vec::new()), &request)[..4], [ok(), ok(), ok(), ok()]);
}

#[test]
fn a_role_is_answered_as_scu_only_and_other_items_do_no_harm() {
    let mut request = request("A", "BLUEBRIDGE", &[(CT, &[IMPLICIT_VR_LITTLE_ENDIAN])]);
    let role =
        |class: &str, scu, scp| UserVariableItem::ScuScpRoleSelectionSubItem(class.into(), RequestorRoles { scu, scp });
    request.user_variables.extend([
        role(CT, true, true),
        role(CT, true, true),
        role("1.2.840.10008.5.1.4.1.1.4", true, true),
        UserVariableItem::Unknown(0x53, vec![0, 8, 0, 8]),
        UserVariableItem::Unknown(0x57, vec![1, 2, 3]),
        UserVariableItem::SopClassExtendedNegotiationSubItem(CT.into(), vec![2, 0, 0, 0, 0, 0]),
    ]);
    let agreement = negotiate(&dicom(Vec::new()), None, 131_072, "127.0.0.1".parse().unwrap(), &request).unwrap();
    let roles: Vec<_> = agreement.answer.user_variables.into_iter().skip(3).collect();
    assert_eq!(roles, [role(CT, true, false)]);
}

#[test]
fn the_self_check_is_let_in_for_echo_only_whoever_is_listed() {
    let ours = AeTitle::parse("SELF8K2M").unwrap();
    let peers = dicom(vec![peer("ae_title = \"CT1\"\naddress = \"10.1.2.0/24\"")]);
    let le: &[&str] = &[IMPLICIT_VR_LITTLE_ENDIAN];
    let request = request("SELF8K2M", "BLUEBRIDGE", &[(VERIFICATION, le), (CT, le)]);
    let address = "192.168.1.1".parse().unwrap();
    let agreement = negotiate(&peers, Some(&ours), 131_072, address, &request).unwrap();
    assert!(agreement.caller.is_self);
    let accepted: Vec<_> = agreement.contexts.iter().map(|context| context.abstract_syntax.to_string()).collect();
    assert_eq!(accepted, [VERIFICATION]);
    assert_eq!(negotiate(&peers, None, 131_072, address, &request).unwrap_err(), Refusal::CallingAeTitle);
}
