//! C-STORE into the real archive: what is answered, and what is left behind.

use super::raw::*;
use super::*;
use crate::dimse::command::CommandSet;
use dicom_ul::pdu::Pdu;

async fn connected(service: &Service) -> Scu {
    let (class, syntax) = ct_in_explicit_little();
    let proposal = Proposal { sop_class_uid: class, transfer_syntaxes: vec![syntax] };
    Scu::connect(service.address, scu_settings(vec![proposal])).await.unwrap()
}

async fn send(scu: &mut Scu, instance: &str, bytes: &[u8]) -> Status {
    let (class, syntax) = ct_in_explicit_little();
    scu.store(&class, &SopInstanceUid::parse(instance).unwrap(), &syntax, bytes).await.unwrap()
}

#[tokio::test]
async fn an_instance_is_stored_and_the_same_again_is_success() {
    let service = Service::start(Dicom::default(), &Limits::default()).await;
    let mut scu = connected(&service).await;
    // Around the edges of a PDU and of the read buffer.
    for (n, pixels) in [0, 2, 130_000, 131_058, 131_060, 131_066, 262_144, 1_000_000].into_iter().enumerate() {
        let uid = format!("1.2.3.9.{n}");
        let bytes = dataset(CT, &uid, pixels);
        assert_eq!(send(&mut scu, &uid, &bytes).await.code, 0, "{pixels}");
        assert_eq!(send(&mut scu, &uid, &bytes).await.code, 0, "{pixels}, again");
    }
    scu.release().await.unwrap();
    assert_eq!(service.bench.files("incoming"), Vec::<String>::new());
    service.stop().await;
}

#[tokio::test]
async fn a_refused_instance_says_why_and_the_next_is_taken() {
    let service = Service::start(Dicom::default(), &Limits::default()).await;
    let mut scu = connected(&service).await;
    let good = dataset(CT, "1.2.3.9", 1000);
    let mut no_study = dataset(CT, "1.2.3.9", 0);
    let at = no_study.windows(4).position(|tag| tag == [0x20, 0, 0x0D, 0]).unwrap();
    no_study.drain(at..at + 14);
    let cases = [
        ("another instance", dataset(CT, "1.2.3.8", 10), 0xA900),
        ("another class", dataset("1.2.840.10008.5.1.4.1.1.4", "1.2.3.9", 10), 0xA900),
        ("cut short", good[..good.len() - 1].to_vec(), 0xC000),
        ("garbage", vec![0xAB; 100_000], 0xC000),
        ("nothing", Vec::new(), 0xC000),
        ("no Study Instance UID", no_study, 0xC000),
        ("good", good, 0x0000),
    ];
    for (what, bytes, expected) in cases {
        let status = send(&mut scu, "1.2.3.9", &bytes).await;
        assert_eq!(status.code, expected, "{what}: {status:?}");
        assert_eq!(status.comment.is_some(), expected != 0, "{what}");
    }
    scu.release().await.unwrap();
    assert_eq!(service.bench.files("incoming"), Vec::<String>::new());
    service.stop().await;
}

#[tokio::test]
async fn an_association_that_dies_within_an_object_leaves_nothing_behind() {
    let service = Service::start(Dicom::default(), &Limits::default()).await;
    let bytes = dataset(CT, "1.2.3.9", 100_000);
    for ending in [&[][..], &[7, 0, 0, 0, 0, 4, 0, 0, 0, 0], &[9, 0, 0, 0, 0, 0]] {
        let mut raw = Raw::associated(service.address, 0).await;
        raw.send(&pdata(&[(3, 3, &store(1).to_bytes()), (3, 0, &bytes[..50_000])])).await;
        while service.bench.files("incoming").is_empty() {
            tokio::task::yield_now().await;
        }
        raw.send(ending).await;
        drop(raw);
        while service.scp.associations() > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(service.bench.files("incoming"), Vec::<String>::new(), "{ending:?}");
    }
    service.stop().await;
}

#[tokio::test]
async fn a_store_in_the_smallest_pieces_is_stored() {
    let service = Service::start(Dicom::default(), &Limits::default()).await;
    let mut raw = Raw::associated(service.address, 0).await;
    let bytes = dataset(CT, "1.2.3.9", 300);
    raw.send(&pdata(&[(3, 3, &store(1).to_bytes())])).await;
    for byte in &bytes {
        raw.send(&pdata(&[(3, 0, &[*byte])])).await;
    }
    raw.send(&pdata(&[(3, 2, b"")])).await;
    let (response, _): (CommandSet, usize) = raw.response().await;
    assert_eq!(response.status, Some(0));
    raw.send(&RELEASE).await;
    assert_eq!(raw.pdu().await, Some(Pdu::ReleaseRP));
    service.stop().await;
}

/// DCMTK's storescu and dcmsend, with objects that DCMTK's own dump2dcm has made.
#[tokio::test]
async fn dcmtk_stores_in_every_native_syntax_and_pdu_size() {
    let service = Service::start(Dicom::default(), &Limits::default()).await;
    let folder = tempfile::tempdir().unwrap();
    let (text, file) = (folder.path().join("ct.txt"), folder.path().join("ct.dcm"));
    let dump = "(0008,0016) UI =CTImageStorage\n(0008,0018) UI 1.2.3.4.5\n(0008,0060) CS CT\n\
                (0010,0020) LO T1\n(0020,000d) UI 1.2.3\n(0020,000e) UI 1.2.3.1\n(0028,0010) US 2\n";
    std::fs::write(&text, dump).unwrap();
    let file = file.to_str().unwrap();
    if run("dump2dcm", &[text.to_str().unwrap(), file]).await.is_none() {
        return;
    }
    let port = service.address.port().to_string();
    for extra in [&[][..], &["-R"], &["+C"], &["-xe"], &["-xb"], &["-xi"], &["-pdu", "4096"], &["-pdu", "131072"]] {
        let arguments = [&["-v"], extra, &["-aec", "BLUEBRIDGE", "127.0.0.1", &port, file]].concat();
        let (done, text) = run("storescu", &arguments).await.unwrap();
        assert!(done && text.contains("Received Store Response (Success)"), "{extra:?}: {text}");
    }
    let (done, text) = run("dcmsend", &["-v", "-aec", "BLUEBRIDGE", "127.0.0.1", &port, file]).await.unwrap();
    assert!(done && text.contains("SUCCESS"), "{text}");
    service.stop().await;
}
