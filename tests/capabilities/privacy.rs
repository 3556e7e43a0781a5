//! A marker is planted in every identifying attribute and looked for in everything that is written
//! about the work: logs at debug level, metrics, file names.

use crate::support::{Dataset, Spawned};

const MARKER: &str = "ZQXMARKER";

fn marked() -> Dataset {
    let identifying = [
        (0x0008_0050, "SH"),
        (0x0008_0080, "LO"),
        (0x0008_0081, "ST"),
        (0x0008_0090, "PN"),
        (0x0008_1030, "LO"),
        (0x0008_103E, "LO"),
        (0x0008_1048, "PN"),
        (0x0008_1070, "PN"),
        (0x0010_0010, "PN"),
        (0x0010_0020, "LO"),
        (0x0010_0021, "LO"),
        (0x0010_1000, "LO"),
        (0x0010_1001, "PN"),
        (0x0010_1040, "LO"),
        (0x0010_2154, "SH"),
        (0x0010_4000, "LT"),
        (0x0020_4000, "LT"),
        (0x0032_1060, "LO"),
        (0x0040_1001, "SH"),
    ];
    identifying.into_iter().fold(Dataset::ct(), |dataset, (tag, vr)| dataset.text(tag, vr, MARKER))
}

#[tokio::test]
async fn no_patient_value_reaches_a_log_a_metric_or_a_file_name() {
    let bridge = Spawned::start_with("level = \"debug\"\n");
    let good = marked();
    let damaged = marked().text(0x0020_000E, "UI", MARKER);
    let twin = good.clone().pixels(16, 16, 50);
    let scanner = bridge.modality("CT01");
    assert_eq!(scanner.store(&good).await, 0);
    assert_eq!(scanner.store(&damaged).await, 0xC000);
    assert_eq!(scanner.store(&twin).await, 0);
    let http = bridge.web();
    for path in [
        format!("/dicom-web/studies?PatientName={MARKER}*&PatientID={MARKER}"),
        format!("/dicom-web/studies?PatientName={MARKER}&StudyDate={MARKER}"),
        format!("{}/metadata", good.series_path()),
        format!("/dicom-web/{MARKER}"),
        good.path(),
    ] {
        http.get(&path).await;
    }
    let granted = bridge.cli(&["link", "grant", "--study", &good.study_uid(), "--json"]);
    assert!(granted.status.success(), "{}", String::from_utf8_lossy(&granted.stderr));
    let grant: serde_json::Value = serde_json::from_slice(&granted.stdout).unwrap();
    let url = grant["url"].as_str().unwrap();
    let token = url.rsplit('/').next().unwrap();
    let code = grant["code"].as_str().unwrap();
    bridge.patient().get(&format!("/v/{token}")).await;
    let opened = bridge
        .patient()
        .post_form(&format!("/v/{token}"), &[], &[("code", code), ("day", "31"), ("month", "1"), ("year", "1970")])
        .await;
    let session = crate::support::link::cookie(&opened);
    for path in [format!("?PatientName={MARKER}&PatientID={MARKER}"), format!("/{MARKER}"), format!("/1.2/{MARKER}")] {
        let path = format!("/s/{}/dicom-web/studies{path}", grant["id"].as_str().unwrap());
        bridge.patient().get_with(&path, &[("cookie", &session)]).await;
    }
    let secret_session = session.split_once('=').unwrap().1;
    let metrics = http.get("/metrics").await.text();

    let mut names = String::new();
    let mut folders = vec![bridge.data_dir()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            names.push_str(&entry.file_name().to_string_lossy());
            names.push('\n');
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            }
        }
    }
    let log = bridge.log();
    assert!(log.lines().count() > 5, "there is a log to look at:\n{log}");
    for (what, text) in [("log", &log), ("metrics", &metrics), ("file names", &names)] {
        for secret in [MARKER, token, code, secret_session, "19700131"] {
            assert!(!text.contains(secret), "{secret} is in the {what}:\n{text}");
        }
    }
    assert_eq!(bridge.terminate(), Some(0));
}
