//! The PDU reader under odd bytes and odd chunking.

use super::*;
use proptest::prelude::*;

const LIMITS: PduLimits = PduLimits { associate_max: 1 << 20, data_announced: 131_072, data_tolerated: 1 << 20 };

fn data_pdu(values: &[(u8, u8, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (context_id, control, bytes) in values {
        body.extend_from_slice(&(bytes.len() as u32 + 2).to_be_bytes());
        body.extend_from_slice(&[*context_id, *control]);
        body.extend_from_slice(bytes);
    }
    let mut pdu = vec![0x04, 0];
    pdu.extend_from_slice(&(body.len() as u32).to_be_bytes());
    pdu.extend_from_slice(&body);
    pdu
}

/// Feeds `bytes` in chunks, and gathers fragments per (context, command) as the consumer would.
fn read_all(bytes: &[u8], chunk: usize) -> Result<Vec<String>, PduFault> {
    let mut reader = PduReader::new(LIMITS);
    let mut seen = Vec::new();
    let mut fragment = Vec::new();
    for chunk in bytes.chunks(chunk.max(1)) {
        let mut rest = chunk;
        while !rest.is_empty() {
            let space = reader.space();
            let count = space.len().min(rest.len());
            space[..count].copy_from_slice(&rest[..count]);
            reader.filled(count);
            rest = &rest[count..];
            while let Some(unit) = reader.next()? {
                match unit {
                    Unit::Slice(slice) => {
                        fragment.extend_from_slice(reader.bytes(slice.range.clone()));
                        if slice.last {
                            seen.push(format!("{}:{}:{:?}", slice.context_id, slice.command, fragment));
                            fragment.clear();
                        }
                    }
                    Unit::Data { .. } => {}
                    other => seen.push(format!("{other:?}")),
                }
            }
        }
    }
    Ok(seen)
}

#[test]
fn the_same_units_come_out_however_the_bytes_arrive() {
    let mut bytes = data_pdu(&[(1, 1, b"com"), (1, 3, b"mand"), (1, 0, b""), (1, 2, b"data")]);
    bytes.extend_from_slice(&[0x05, 0, 0, 0, 0, 4, 0, 0, 0, 0]);
    bytes.extend_from_slice(&[0x07, 0, 0, 0, 0, 4, 0, 0, 2, 6]);
    let whole = read_all(&bytes, bytes.len()).unwrap();
    assert_eq!(whole.len(), 4);
    for chunk in 1..bytes.len() {
        assert_eq!(read_all(&bytes, chunk).unwrap(), whole, "in chunks of {chunk}");
    }
}

#[test]
fn a_bad_length_is_refused_with_its_header() {
    let cases: [(u8, u32, PduFault); 11] = [
        // `GET / HTTP/1.1`
        (b'G', 1_411_395_360, PduFault::UnknownType(b'G')),
        (0x00, 0, PduFault::UnknownType(0)),
        (0x08, 4, PduFault::UnknownType(8)),
        (0x01, 67, PduFault::Length { kind: 1, length: 67 }),
        (0x01, (1 << 20) + 1, PduFault::Length { kind: 1, length: (1 << 20) + 1 }),
        (0x03, 5, PduFault::Length { kind: 3, length: 5 }),
        (0x04, 0, PduFault::Length { kind: 4, length: 0 }),
        (0x04, 5, PduFault::Length { kind: 4, length: 5 }),
        (0x04, (1 << 20) + 1, PduFault::Length { kind: 4, length: (1 << 20) + 1 }),
        (0x05, 0, PduFault::Length { kind: 5, length: 0 }),
        (0x07, 1 << 30, PduFault::Length { kind: 7, length: 1 << 30 }),
    ];
    for (kind, length, fault) in cases {
        let mut header = vec![kind, 0];
        header.extend_from_slice(&length.to_be_bytes());
        assert_eq!(read_all(&header, 6).unwrap_err(), fault);
    }
}

#[test]
fn a_fragment_must_fit_its_pdu() {
    let inner = |length: u32, item: u32| {
        let mut pdu = vec![0x04, 0];
        pdu.extend_from_slice(&length.to_be_bytes());
        pdu.extend_from_slice(&item.to_be_bytes());
        pdu.extend_from_slice(&[1, 2]);
        pdu.extend_from_slice(&[0; 16]);
        pdu
    };
    for (length, item) in [(10, 0), (10, 1), (10, 7), (10, u32::MAX), (10, 5)] {
        assert_eq!(read_all(&inner(length, item), 99).unwrap_err(), PduFault::DataValue, "{length} {item}");
    }
    assert!(read_all(&data_pdu(&[(2, 2, b"ab")]), 99).is_err());
}

#[test]
fn a_longer_pdu_than_announced_is_noted_and_still_streamed() {
    let payload = vec![7; 200_000];
    let pdu = data_pdu(&[(1, 2, &payload)]);
    let mut reader = PduReader::new(LIMITS);
    reader.space()[..6].copy_from_slice(&pdu[..6]);
    reader.filled(6);
    assert!(matches!(reader.next(), Ok(Some(Unit::Data { oversize: true }))));
    assert_eq!(read_all(&pdu, 4096).unwrap().len(), 1);
}

proptest! {
    #[test]
    fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..2000), chunk in 1usize..64) {
        let _ = read_all(&bytes, chunk);
    }

    #[test]
    fn garbage_behind_a_plausible_header_never_panics(
        kind in 1u8..8, length in 0u32..2000, bytes in proptest::collection::vec(any::<u8>(), 0..2000), chunk in 1usize..64,
    ) {
        let mut pdu = vec![kind, 0];
        pdu.extend_from_slice(&length.to_be_bytes());
        pdu.extend_from_slice(&bytes);
        let _ = read_all(&pdu, chunk);
    }

    #[test]
    fn fragments_come_out_as_they_went_in(
        fragments in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 1..8), chunk in 1usize..400,
    ) {
        let values: Vec<(u8, u8, &[u8])> = fragments.iter().map(|bytes| (3, 2, bytes.as_slice())).collect();
        let seen = read_all(&data_pdu(&values), chunk).unwrap();
        let expected: Vec<String> = fragments.iter().map(|bytes| format!("3:false:{bytes:?}")).collect();
        prop_assert_eq!(seen, expected);
    }
}
