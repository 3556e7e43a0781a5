//! The service on a real port, called by real clients where they are installed, and by our own requestor.

mod bounds;
mod nonsense;
mod raw;
mod sequences;
mod storing;

use super::*;
use crate::archive::tests::Bench;
use crate::dimse::scu::{Proposal, Scu, ScuError, ScuSettings, Status};
use crate::domain::uid::{SopClassUid, SopInstanceUid, TransferSyntaxUid};
use std::net::SocketAddr;

pub(super) struct Service {
    pub address: SocketAddr,
    pub scp: Arc<Scp>,
    pub stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
    pub bench: Bench,
}

impl Service {
    pub async fn start(dicom: Dicom, limits: &Limits) -> Self {
        let listener = crate::net::listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let bench = Bench::new().await;
        let scp = Scp::new(dicom, limits, bench.archive.clone(), None);
        let task = tokio::spawn(serve(listener, Arc::clone(&scp), stop.clone()));
        Self { address, scp, stop, task, bench }
    }
    pub async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }
}

/// Runs a client; `None` when it is not installed.
async fn run(program: &str, arguments: &[&str]) -> Option<(bool, String)> {
    let (program, arguments) = (program.to_owned(), arguments.iter().map(|&a| a.to_owned()).collect::<Vec<_>>());
    tokio::task::spawn_blocking(move || {
        let output = std::process::Command::new(program).args(arguments).output().ok()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        Some((output.status.success(), text))
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn dcmtk_echoscu_is_answered() {
    let service = Service::start(Dicom::default(), &Limits::default()).await;
    let port = service.address.port().to_string();
    for extra in [&["-v"][..], &["-v", "-pdu", "4096", "--repeat", "5"], &["-d", "-pts", "38", "-ppc", "128"]] {
        let arguments = [extra, &["-aec", "BLUEBRIDGE", "127.0.0.1", &port]].concat();
        let Some((done, text)) = run("echoscu", &arguments).await else { return };
        assert!(done, "{text}");
    }
    let wrong = ["-v", "-aec", "SOMEONE", "127.0.0.1", &port];
    let (done, text) = run("echoscu", &wrong).await.unwrap();
    assert!(!done && text.contains("Called AE Title Not Recognized"), "{text}");
    service.stop().await;
}

fn scu_settings(proposals: Vec<Proposal>) -> ScuSettings {
    ScuSettings {
        calling_ae_title: AeTitle::parse("CT1").unwrap(),
        called_ae_title: AeTitle::of_this_product(),
        proposals,
        timeout: Duration::from_secs(10),
    }
}

fn ct_in_explicit_little() -> (SopClassUid, TransferSyntaxUid) {
    (SopClassUid::parse("1.2.840.10008.5.1.4.1.1.2").unwrap(), TransferSyntaxUid::parse("1.2.840.10008.1.2.1").unwrap())
}

#[tokio::test]
async fn our_own_requestor_echoes_and_releases() {
    let service = Service::start(Dicom::default(), &Limits::default()).await;
    let mut scu = Scu::connect(service.address, scu_settings(vec![Proposal::verification()])).await.unwrap();
    assert_eq!(scu.contexts().len(), 2);
    for _ in 0..3 {
        assert_eq!(scu.echo().await.unwrap(), Status { code: 0, comment: None });
    }
    let (class, syntax) = ct_in_explicit_little();
    let instance = SopInstanceUid::parse("1.2.3").unwrap();
    let error = scu.store(&class, &instance, &syntax, [].as_slice()).await.unwrap_err();
    assert!(matches!(error, ScuError::NotAccepted));
    scu.release().await.unwrap();
    service.stop().await;
}

#[tokio::test]
async fn a_requestor_that_is_not_welcome_is_told_why() {
    let service = Service::start(Dicom::default(), &Limits::default()).await;
    let mut settings = scu_settings(vec![Proposal::verification()]);
    settings.called_ae_title = AeTitle::parse("OTHER").unwrap();
    let error = Scu::connect(service.address, settings).await.err().unwrap();
    assert_eq!(error.to_string(), "association: rejected by the peer: called AE title not recognized, permanently");
    service.stop().await;
}

/// DCMTK's storescp takes what our requestor sends, byte for byte, under maximum PDUs large and small.
#[tokio::test]
async fn dcmtk_storescp_takes_our_instances() {
    for pdu in ["4096", "131072"] {
        let folder = tempfile::tempdir().unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = std::process::Command::new("storescp");
        command.args(["-pdu", pdu, "+B", "-od"]).arg(folder.path()).arg(port.to_string());
        let Ok(storescp) = command.spawn() else { return };
        let _storescp = Killed(storescp);
        let address: SocketAddr = format!("127.0.0.1:{port}").parse().unwrap();
        while tokio::net::TcpStream::connect(address).await.is_err() {
            tokio::task::yield_now().await;
        }
        let (class, syntax) = ct_in_explicit_little();
        let proposal = Proposal { sop_class_uid: class.clone(), transfer_syntaxes: vec![syntax.clone()] };
        let mut scu = Scu::connect(address, scu_settings(vec![proposal])).await.unwrap();
        let mut sent = Vec::new();
        for (n, pixels) in [0_u32, 1_000, 4_084, 4_090, 500_000].into_iter().enumerate() {
            let uid = format!("1.2.3.{n}");
            let dataset = dataset(class.as_str(), &uid, pixels & !1);
            let instance = SopInstanceUid::parse(&uid).unwrap();
            let status = scu.store(&class, &instance, &syntax, dataset.as_slice()).await.unwrap();
            assert_eq!(status.code, 0, "{pixels}");
            sent.push(dataset);
        }
        scu.release().await.unwrap();
        let mut received: Vec<Vec<u8>> = std::fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| std::fs::read(entry.unwrap().path()).unwrap())
            .collect();
        received.sort_by_key(Vec::len);
        assert_eq!(received.len(), sent.len());
        for (received, sent) in received.iter().zip(&sent) {
            assert!(received.ends_with(sent));
        }
    }
}

/// A child that does not outlive its test.
struct Killed(std::process::Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A small CT in Explicit VR Little Endian, with as many bytes of pixel data as wanted.
pub(super) fn dataset(class: &str, instance: &str, pixel_bytes: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut put = |group: u16, element: u16, vr: &[u8; 2], value: &[u8]| {
        bytes.extend_from_slice(&group.to_le_bytes());
        bytes.extend_from_slice(&element.to_le_bytes());
        bytes.extend_from_slice(vr);
        let odd = value.len() % 2;
        match vr {
            b"OW" => {
                bytes.extend_from_slice(&[0, 0]);
                bytes.extend_from_slice(&(value.len() as u32).to_le_bytes());
            }
            _ => bytes.extend_from_slice(&((value.len() + odd) as u16).to_le_bytes()),
        }
        bytes.extend_from_slice(value);
        if odd == 1 {
            bytes.push(if vr == b"UI" { 0 } else { b' ' });
        }
    };
    put(0x0008, 0x0016, b"UI", class.as_bytes());
    put(0x0008, 0x0018, b"UI", instance.as_bytes());
    put(0x0008, 0x0060, b"CS", b"CT");
    put(0x0010, 0x0010, b"PN", b"TEST^DIMSE");
    put(0x0010, 0x0020, b"LO", b"T1");
    put(0x0020, 0x000D, b"UI", b"1.2.3");
    put(0x0020, 0x000E, b"UI", b"1.2.3.1");
    put(0x7FE0, 0x0010, b"OW", &vec![7; pixel_bytes as usize]);
    bytes
}

#[test]
fn a_panic_ends_one_association_only() {
    let place = Admission::<IpAddr>::new(1, 1);
    let held = place.enter("10.0.0.1".parse().unwrap()).unwrap();
    contained(1, move || {
        let _held = held;
        panic!("a bug");
    });
    assert_eq!(place.held(), 0);
}
