//! PDUs in any order.

use super::raw::*;
use super::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// PDUs, good ones and bad ones, to be strung together in any order.
fn menu() -> Vec<Vec<u8>> {
    vec![
        association_request(0),
        association_request(128),
        pdata(&[(1, 3, &echo(1))]),
        pdata(&[(3, 3, &store(2).to_bytes())]),
        pdata(&[(3, 0, b"abcd")]),
        pdata(&[(3, 2, b"abcd")]),
        pdata(&[(1, 1, &echo(3)[..20])]),
        RELEASE.to_vec(),
        [&[6][..], &RELEASE[1..]].concat(),
        vec![2, 0, 0, 0, 0, 4, 0, 0, 0, 0],
        vec![3, 0, 0, 0, 0, 4, 0, 1, 1, 1],
        vec![7, 0, 0, 0, 0, 4, 0, 0, 0, 0],
        vec![9, 0, 0, 0, 0, 0],
        vec![4, 0, 0, 0, 0, 0],
        vec![0; 3],
    ]
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(100))]

    /// Whatever is sent, in whatever order and pieces: every PDU that comes back is whole, the last word is
    /// ours where one is due, and the association ends.
    #[test]
    fn every_sequence_of_pdus_ends(
        first in proptest::bool::weighted(0.8),
        choices in proptest::collection::vec(0usize..15, 0..12),
        piece in 1usize..500,
    ) {
        let menu = menu();
        let mut bytes = if first { menu[0].clone() } else { Vec::new() };
        bytes.extend(choices.into_iter().flat_map(|choice| menu[choice].clone()));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let answered = runtime.block_on(async {
            let limits = limits(|limits| {
                limits.associate_timeout = ms(20);
                limits.idle_timeout = ms(20);
                limits.pdu_timeout = ms(20);
            });
            let bench = super::Bench::new().await;
            let scp = Scp::new(Dicom::default(), &limits, bench.archive.clone(), None);
            let address: IpAddr = "127.0.0.1".parse().unwrap();
            let place = scp.half_open.enter(address).unwrap();
            let (mut client, server) = tokio::io::duplex(1 << 16);
            let stop = CancellationToken::new();
            let talk = async {
                for piece in bytes.chunks(piece) {
                    if client.write_all(piece).await.is_err() {
                        break;
                    }
                }
                let mut answered = Vec::new();
                let _ = client.read_to_end(&mut answered).await;
                answered
            };
            let hold = async {
                conversation::hold(&scp, server, address, 1, place, &stop).await;
            };
            let ((), answered) = tokio::join!(hold, talk);
            assert_eq!(scp.associations() + scp.half_open.held(), 0);
            answered
        });
        let mut rest = answered.as_slice();
        let mut kinds = Vec::new();
        while !rest.is_empty() {
            let length = u32::from_be_bytes(rest[2..6].try_into().unwrap()) as usize;
            kinds.push(rest[0]);
            rest = &rest[6 + length..];
        }
        // Accepted first, or aborted; data only in between; nothing after a release or an abort.
        let ended = kinds.iter().position(|kind| matches!(kind, 3 | 6 | 7)).unwrap_or(kinds.len());
        proptest::prop_assert!(kinds.len() <= ended + 1, "{:?}", kinds);
        proptest::prop_assert!(kinds.first().is_none_or(|kind| matches!(kind, 2 | 7)), "{:?}", kinds);
        if bytes.starts_with(&[1, 0]) {
            proptest::prop_assert!(!kinds.is_empty());
        }
    }
}
