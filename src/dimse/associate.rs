//! A-ASSOCIATE PDUs (PS3.8 §9.3.2, §9.3.3) to values and back. Before anything is decoded the items are
//! walked once: ones that the standard does not know are dropped, as §9.3.1 demands, and a request with
//! too many or ill-numbered presentation contexts is refused before it can cost memory.

use super::pdu::PduFault;
use dicom_ul::pdu::{AssociationAC, AssociationRJ, AssociationRQ, Pdu, read_pdu, write_pdu};

/// Presentation context ids are the odd numbers up to 255 (PS3.8 §9.3.2.2).
pub const CONTEXTS_MAX: usize = 128;
/// Transfer syntaxes proposed for one presentation context; PS3.6 knows fewer than 70.
const SYNTAXES_MAX: usize = 128;

/// Header, protocol version, AE titles and reserved bytes before the first item.
const FIXED: usize = 6 + 68;
const APPLICATION_CONTEXT: u8 = 0x10;
const CONTEXT_PROPOSED: u8 = 0x20;
const CONTEXT_RESULT: u8 = 0x21;
const USER_INFORMATION: u8 = 0x50;

/// Decodes a whole A-ASSOCIATE-RQ, its header included.
pub fn decode_request(pdu: &[u8]) -> Result<AssociationRQ, PduFault> {
    match decode(pdu)? {
        Pdu::AssociationRQ(request) => Ok(request),
        _ => Err(PduFault::Undecodable),
    }
}

/// Decodes a whole A-ASSOCIATE-AC, its header included.
pub fn decode_accept(pdu: &[u8]) -> Result<AssociationAC, PduFault> {
    match decode(pdu)? {
        Pdu::AssociationAC(accept) => Ok(accept),
        _ => Err(PduFault::Undecodable),
    }
}

/// Decodes a whole A-ASSOCIATE-RJ. A source or reason that the standard does not know is still a
/// rejection.
pub fn decode_reject(pdu: &[u8]) -> AssociationRJ {
    use dicom_ul::pdu::{AssociationRJResult, AssociationRJServiceUserReason, AssociationRJSource};
    match read_pdu(pdu, LIMIT, true) {
        Ok(Some(Pdu::AssociationRJ(reject))) => reject,
        _ => AssociationRJ {
            result: AssociationRJResult::Permanent,
            source: AssociationRJSource::ServiceUser(AssociationRJServiceUserReason::NoReasonGiven),
        },
    }
}

/// Encodes any PDU that is not P-DATA-TF.
pub fn encode(pdu: &Pdu) -> Result<Vec<u8>, PduFault> {
    let mut bytes = Vec::new();
    write_pdu(&mut bytes, pdu).map_err(|_| PduFault::Undecodable)?;
    Ok(bytes)
}

/// The crate's own limit; ours was applied while the bytes came in.
const LIMIT: u32 = 16 << 20;

fn decode(pdu: &[u8]) -> Result<Pdu, PduFault> {
    let screened = screen(pdu)?;
    match read_pdu(screened.as_slice(), LIMIT, true) {
        Ok(Some(decoded)) => Ok(decoded),
        _ => Err(PduFault::Undecodable),
    }
}

/// The same PDU with the known items only, its length corrected.
fn screen(pdu: &[u8]) -> Result<Vec<u8>, PduFault> {
    let (fixed, mut items) = pdu.split_at_checked(FIXED).ok_or(PduFault::Undecodable)?;
    let mut screened = Vec::with_capacity(pdu.len());
    screened.extend_from_slice(fixed);
    let mut ids = [false; 256];
    let mut contexts = 0;
    while !items.is_empty() {
        let (kind, value, rest) = split_item(items)?;
        let whole = items.get(..items.len() - rest.len()).ok_or(PduFault::Undecodable)?;
        match kind {
            CONTEXT_PROPOSED => {
                contexts += 1;
                check_proposal(value, &mut ids)?;
            }
            CONTEXT_RESULT => contexts += 1,
            APPLICATION_CONTEXT | USER_INFORMATION => {}
            _ => {
                items = rest;
                continue;
            }
        }
        if contexts > CONTEXTS_MAX {
            return Err(PduFault::Contexts);
        }
        screened.extend_from_slice(whole);
        items = rest;
    }
    let length = u32::try_from(screened.len() - 6).map_err(|_| PduFault::Undecodable)?;
    if let Some(field) = screened.get_mut(2..6) {
        field.copy_from_slice(&length.to_be_bytes());
    }
    Ok(screened)
}

fn check_proposal(value: &[u8], ids: &mut [bool; 256]) -> Result<(), PduFault> {
    let [id, _, _, _, items @ ..] = value else { return Err(PduFault::Undecodable) };
    let mut items = items;
    let seen = ids.get_mut(usize::from(*id)).ok_or(PduFault::Contexts)?;
    if id % 2 == 0 || std::mem::replace(seen, true) {
        return Err(PduFault::Contexts);
    }
    let mut syntaxes = 0;
    while !items.is_empty() {
        let (_, _, rest) = split_item(items)?;
        syntaxes += 1;
        // One of the sub-items is the abstract syntax.
        if syntaxes > SYNTAXES_MAX + 1 {
            return Err(PduFault::Contexts);
        }
        items = rest;
    }
    Ok(())
}

/// One item or sub-item: type, value, and what follows it.
fn split_item(items: &[u8]) -> Result<(u8, &[u8], &[u8]), PduFault> {
    let [kind, _, high, low, rest @ ..] = items else { return Err(PduFault::Undecodable) };
    let length = usize::from(u16::from_be_bytes([*high, *low]));
    let (value, rest) = rest.split_at_checked(length).ok_or(PduFault::Undecodable)?;
    Ok((*kind, value, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use dicom_ul::pdu::PresentationContextProposed;

    fn request(ids: impl IntoIterator<Item = u8>, syntaxes: usize) -> Vec<u8> {
        let presentation_contexts = ids
            .into_iter()
            .map(|id| PresentationContextProposed {
                id,
                abstract_syntax: "1.2.840.10008.1.1".into(),
                transfer_syntaxes: vec!["1.2.840.10008.1.2".into(); syntaxes],
            })
            .collect();
        encode(&Pdu::AssociationRQ(AssociationRQ {
            protocol_version: 1,
            calling_ae_title: "CT1".into(),
            called_ae_title: "BLUEBRIDGE".into(),
            application_context_name: "1.2.840.10008.3.1.1.1".into(),
            presentation_contexts,
            user_variables: Vec::new(),
        }))
        .unwrap()
    }

    #[test]
    fn context_ids_are_odd_and_unique_and_at_most_128() {
        let odd = |count: usize| (0..count).map(|n| (n * 2 + 1) as u8);
        assert_eq!(decode_request(&request(odd(128), 45)).unwrap().presentation_contexts.len(), 128);
        for (ids, syntaxes) in [(vec![2], 1), (vec![0], 1), (vec![1, 3, 1], 1), (odd(129).collect(), 1), (vec![1], 129)]
        {
            assert!(matches!(decode_request(&request(ids.clone(), syntaxes)), Err(PduFault::Contexts)), "{ids:?}");
        }
    }

    #[test]
    fn an_item_that_the_standard_does_not_know_is_skipped() {
        let mut pdu = request([1], 1);
        pdu.extend_from_slice(&[0x77, 0, 0, 3, 1, 2, 3]);
        let decoded = decode_request(&pdu).unwrap();
        assert_eq!(decoded.presentation_contexts.len(), 1);
    }

    #[test]
    fn an_item_longer_than_its_pdu_is_refused() {
        let mut pdu = request([1], 1);
        pdu.extend_from_slice(&[0x20, 0, 0xFF, 0xFF, 1]);
        assert!(matches!(decode_request(&pdu), Err(PduFault::Undecodable)));
    }
}
