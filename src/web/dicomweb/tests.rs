//! The resources over a real archive, as viewers ask for them.

mod torn;
mod whole;

use crate::domain::transfer_syntax::{
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_BIG_ENDIAN, EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN,
};
use crate::web::testing::{Client, Dataset, Pixels, Who, text};
use bytes::Bytes;
use serde_json::Value;
use std::io::Read;

const SERIES: &str = "/dicom-web/studies/1.2/series/1.2.1";
const ONE: &str = "/dicom-web/studies/1.2/series/1.2.1/instances/1.2.1.1";
const JPEG: &str = "1.2.840.10008.1.2.4.70";
const HIERARCHICAL: &str = "1.2.840.10008.1.2.4.65";
const ANY: &str = "multipart/related; type=\"application/octet-stream\"; transfer-syntax=*";

async fn with(datasets: &[Dataset]) -> Client {
    let client = Client::start().await;
    for dataset in datasets {
        client.store(dataset).await;
    }
    client
}

fn words(syntax: &str, number: u32) -> Dataset {
    Dataset::image(syntax, 1, number, Pixels::Words)
}

/// Header and bytes of each part, as dicomweb-client splits them.
fn parts(content_type: &str, body: &[u8]) -> Vec<(String, Vec<u8>)> {
    let boundary = content_type.split("boundary=").nth(1).unwrap();
    let dashed = format!("\r\n--{boundary}");
    let with_first = [b"\r\n", body].concat();
    let find = |from: usize, what: &[u8]| {
        with_first[from..].windows(what.len()).position(|window| window == what).map(|at| at + from)
    };
    let mut parts = Vec::new();
    let mut at = find(0, dashed.as_bytes()).unwrap();
    while !with_first[at + dashed.len()..].starts_with(b"--") {
        let head = at + dashed.len() + 2;
        let data = find(head, b"\r\n\r\n").unwrap();
        let next = find(data + 4, dashed.as_bytes()).unwrap();
        let header = String::from_utf8(with_first[head..data].to_vec()).unwrap();
        parts.push((header, with_first[data + 4..next].to_vec()));
        at = next;
    }
    parts
}

fn gunzipped(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    flate2::read::GzDecoder::new(body).read_to_end(&mut out).unwrap();
    out
}

#[tokio::test]
async fn a_study_is_found_at_every_level_with_what_viewers_read() {
    let client = with(&[words(EXPLICIT_VR_LITTLE_ENDIAN, 1), words(EXPLICIT_VR_LITTLE_ENDIAN, 2)]).await;
    client.store(&Dataset::image(EXPLICIT_VR_LITTLE_ENDIAN, 2, 1, Pixels::Words)).await;
    let found = |path: &'static str| {
        let client = &client;
        async move {
            let answer = client.get(path, &[("accept", "application/dicom+json")]).await;
            assert_eq!(answer.status(), 200, "{path}");
            assert_eq!(text(answer.headers(), "content-type"), "application/dicom+json");
            serde_json::from_slice::<Vec<Value>>(answer.body()).unwrap()
        }
    };
    let studies = found("/dicom-web/studies?PatientName=muller*&ModalitiesInStudy=MR").await;
    assert_eq!(studies.len(), 1);
    let study = &studies[0];
    assert_eq!(study["00100010"]["Value"][0]["Alphabetic"], "Müller^Jörg");
    assert_eq!(study["00201206"]["Value"][0], 2);
    assert_eq!(study["00201208"]["Value"][0], 3);
    assert_eq!(study["00080061"]["Value"], serde_json::json!(["CT", "MR"]));
    assert_eq!(study["00081190"]["Value"][0], "http://localhost:8080/dicom-web/studies/1.2");
    assert_eq!(study["00080056"]["Value"][0], "ONLINE");
    assert_eq!(study["00080054"]["Value"][0], "BLUEBRIDGE");
    assert_eq!(study["00100030"], serde_json::json!({"vr": "DA"}));

    let series = found("/dicom-web/studies/1.2/series").await;
    assert_eq!(series.iter().map(|one| one["00201209"]["Value"][0].as_i64().unwrap()).collect::<Vec<_>>(), [2, 1]);
    assert_eq!(series[0]["0020000D"]["Value"][0], "1.2");
    for (path, count) in [
        ("/dicom-web/series?Modality=CT", 1),
        ("/dicom-web/instances", 3),
        ("/dicom-web/studies/1.2/instances", 3),
        ("/dicom-web/studies/1.2/series/1.2.1/instances", 2),
        ("/dicom-web/studies?0020000D=1.2%5C9.9", 1),
        ("/dicom-web/studies?StudyDate=20260101-", 1),
        ("/dicom-web/studies?StudyTime=101500.000000", 1),
        ("/dicom-web/studies?&includefield=00080020,00100010&limit=10&offset=0", 1),
    ] {
        assert_eq!(found(path).await.len(), count, "{path}");
    }
}

#[tokio::test]
async fn a_search_says_when_nothing_matches_and_when_there_is_more() {
    let client = with(&[words(EXPLICIT_VR_LITTLE_ENDIAN, 1), words(EXPLICIT_VR_LITTLE_ENDIAN, 2)]).await;
    let nothing = client.get("/dicom-web/studies?PatientID=NOBODY", &[]).await;
    assert_eq!((nothing.status().as_u16(), nothing.body().len()), (204, 0));
    let more = client.get("/dicom-web/instances?limit=1", &[]).await;
    assert!(text(more.headers(), "warning").starts_with("299 bluebridge: \"There are additional results"));
    let all = client.get("/dicom-web/instances?limit=2", &[]).await;
    assert_eq!(text(all.headers(), "warning"), "");
    let ignored = client.get("/dicom-web/studies?NoSuchThing=1", &[]).await;
    assert!(text(ignored.headers(), "warning").contains("ignored"));
    for wrong in
        ["/dicom-web/studies?StudyDate=yesterday", "/dicom-web/studies?limit=x", "/dicom-web/studies/a.b/series"]
    {
        let answer = client.get(wrong, &[]).await;
        assert_eq!(answer.status(), 400, "{wrong}");
        assert_eq!(text(answer.headers(), "content-type"), "application/problem+json");
    }
}

#[tokio::test]
async fn an_instance_comes_back_as_it_was_stored() {
    for syntax in [
        EXPLICIT_VR_LITTLE_ENDIAN,
        IMPLICIT_VR_LITTLE_ENDIAN,
        EXPLICIT_VR_BIG_ENDIAN,
        DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    ] {
        let dataset = words(syntax, 1);
        let client = with(std::slice::from_ref(&dataset)).await;
        let answer = client.get(ONE, &[("accept", "application/dicom; transfer-syntax=*")]).await;
        assert_eq!(answer.status(), 200);
        assert!(answer.body().ends_with(&dataset.bytes), "{syntax}");
        assert_eq!(&answer.body()[128..132], b"DICM");
        assert_eq!(text(answer.headers(), "content-length"), answer.body().len().to_string());

        let whole = client.get(ONE, &[]).await;
        let parts = parts(&text(whole.headers(), "content-type"), whole.body());
        assert_eq!(parts.len(), 1);
        assert_eq!(&parts[0].1, answer.body());
        assert!(parts[0].0.starts_with(&format!("Content-Type: application/dicom; transfer-syntax={syntax}\r\n")));
        assert_eq!(text(whole.headers(), "content-length"), whole.body().len().to_string());
    }
}

#[tokio::test]
async fn native_instances_are_rewritten_where_no_syntax_is_asked_for() {
    let expected = words(EXPLICIT_VR_LITTLE_ENDIAN, 1).bytes;
    for syntax in [
        EXPLICIT_VR_LITTLE_ENDIAN,
        IMPLICIT_VR_LITTLE_ENDIAN,
        EXPLICIT_VR_BIG_ENDIAN,
        DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    ] {
        let client = with(&[words(syntax, 1)]).await;
        let answer = client.get(ONE, &[("accept", "multipart/related; type=\"application/dicom\"")]).await;
        let parts = parts(&text(answer.headers(), "content-type"), answer.body());
        assert!(parts[0].0.contains("transfer-syntax=1.2.840.10008.1.2.1\r\n"), "{}", parts[0].0);
        assert!(parts[0].1.ends_with(&expected), "{syntax}");
    }
}

#[tokio::test]
async fn what_no_decoder_reads_is_refused_by_name() {
    let client = with(&[Dataset::image(HIERARCHICAL, 1, 1, Pixels::Fragments(&[b"JPEG", b"JPG2"]))]).await;
    for (path, accept) in [
        (ONE.to_owned(), "multipart/related; type=\"application/dicom\""),
        (format!("{ONE}/frames/1"), "multipart/related; type=application/octet-stream"),
    ] {
        let answer = client.get(&path, &[("accept", accept)]).await;
        assert_eq!(answer.status(), 406, "{path}");
        let problem: Value = serde_json::from_slice(answer.body()).unwrap();
        assert!(problem["detail"].as_str().unwrap().contains(HIERARCHICAL));
    }
    let client = with(&[Dataset::image(JPEG, 1, 1, Pixels::Fragments(&[b"JPEG", b"JPG2"]))]).await;
    let answer = client.get(&format!("{ONE}/frames/2,1"), &[("accept", ANY)]).await;
    let content_type = text(answer.headers(), "content-type");
    assert!(content_type.starts_with("multipart/related; type=\"image/jpeg\"; boundary="));
    let frames = parts(&content_type, answer.body());
    assert_eq!((frames[0].1.as_slice(), frames[1].1.as_slice()), (&b"JPG2"[..], &b"JPEG"[..]));
    assert!(
        frames[0].0.starts_with(&format!("Content-Type: image/jpeg; transfer-syntax={JPEG}\r\nContent-Location: "))
    );
    assert!(frames[0].0.ends_with("/frames/2"));
}

#[tokio::test]
async fn native_frames_are_little_endian_and_begin_on_a_byte() {
    let expected: Vec<u8> = (12..24_u16).flat_map(u16::to_le_bytes).collect();
    for syntax in [
        EXPLICIT_VR_LITTLE_ENDIAN,
        IMPLICIT_VR_LITTLE_ENDIAN,
        EXPLICIT_VR_BIG_ENDIAN,
        DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    ] {
        let client = with(&[words(syntax, 1)]).await;
        let answer = client.get(&format!("{ONE}/frames/2"), &[("accept", "application/octet-stream")]).await;
        assert_eq!((answer.status().as_u16(), answer.body()), (200, &Bytes::from(expected.clone())), "{syntax}");
        let both = client.get(&format!("{ONE}/frames/1,2"), &[]).await;
        let both = parts(&text(both.headers(), "content-type"), both.body());
        assert_eq!((both.len(), &both[1].1), (2, &expected), "{syntax}");
        for (list, status) in [("3", 404), ("0", 400), ("x", 400), ("1,3", 404)] {
            assert_eq!(client.get(&format!("{ONE}/frames/{list}"), &[]).await.status(), status, "{list}");
        }
    }
    let client = with(&[Dataset::image(EXPLICIT_VR_LITTLE_ENDIAN, 1, 1, Pixels::Bits)]).await;
    let answer = client.get(&format!("{ONE}/frames/2"), &[("accept", "application/octet-stream")]).await;
    assert_eq!(answer.body().as_ref(), [0xFF, 0xFF, 0xFF, 0x01]);
}

#[tokio::test]
async fn a_series_is_found_by_the_request_it_answers() {
    let client =
        with(&[words(EXPLICIT_VR_BIG_ENDIAN, 1), Dataset::image(EXPLICIT_VR_LITTLE_ENDIAN, 2, 1, Pixels::Words)]).await;
    for (query, expected) in [
        ("00400275.00401001=RP1", 200),
        ("RequestAttributesSequence.ScheduledProcedureStepID=SPS2", 200),
        ("RequestedProcedureID=RP*", 200),
        ("00400275.00401001=RP2", 204),
        ("00400275.00400009=RP1", 204),
    ] {
        let answer = client.get(&format!("/dicom-web/series?{query}"), &[]).await;
        assert_eq!(answer.status().as_u16(), expected, "{query}");
        if expected == 200 {
            let found: Vec<Value> = serde_json::from_slice(answer.body()).unwrap();
            assert_eq!(found.len(), 1, "{query}");
            let items = serde_json::json!([
                { "00400009": { "vr": "SH", "Value": ["SPS1"] }, "00401001": { "vr": "SH", "Value": ["RP1"] } },
                { "00400009": { "vr": "SH", "Value": ["SPS2"] }, "00401001": { "vr": "SH" } },
            ]);
            assert_eq!(found[0]["00400275"], serde_json::json!({ "vr": "SQ", "Value": items }));
            assert!(found[0].get("00401001").is_none());
        }
    }
    let without = client.get("/dicom-web/series?SeriesInstanceUID=1.2.2", &[]).await;
    let without: Vec<Value> = serde_json::from_slice(without.body()).unwrap();
    assert_eq!(without[0]["00400275"], serde_json::json!({ "vr": "SQ" }));
}

#[tokio::test]
async fn another_version_than_the_one_named_is_not_sent() {
    let client = with(&[words(EXPLICIT_VR_LITTLE_ENDIAN, 1)]).await;
    for path in
        [ONE.to_owned(), format!("{ONE}/frames/1"), format!("{ONE}/metadata"), format!("{ONE}/bulkdata/7FE00010")]
    {
        let etag = text(client.get(&path, &[]).await.headers(), "etag");
        assert_eq!(client.get(&path, &[("if-match", &etag)]).await.status(), 200, "{path}");
        let other = client.get(&path, &[("if-match", "\"other\"")]).await;
        assert_eq!(other.status(), 412, "{path}");
        assert_eq!(text(other.headers(), "content-type"), "application/problem+json");
    }
}

#[tokio::test]
async fn packages_are_sent_to_no_more_callers_than_the_limit_says() {
    let client = with(&[words(EXPLICIT_VR_LITTLE_ENDIAN, 1)]).await;
    let zip = [("accept", "application/zip")];
    let etag = text(client.get("/dicom-web/studies/1.2", &zip).await.headers(), "etag");
    let taken: Vec<_> = std::iter::from_fn(|| client.web.packages.place()).collect();
    assert_eq!(taken.len(), crate::config::Limits::default().downloads as usize, "a place is given back at the end");
    let full = client.get("/dicom-web/studies/1.2", &zip).await;
    assert_eq!((full.status().as_u16(), text(full.headers(), "retry-after").as_str()), (503, "5"));
    // What sends no package takes no place.
    let known = [zip[0], ("if-none-match", &etag)];
    assert_eq!(client.get("/dicom-web/studies/1.2", &known).await.status(), 304);
    assert_eq!(client.ask(&Who::Loopback, "HEAD", "/dicom-web/studies/1.2", &zip, "").await.status(), 200);
    drop(taken);
    assert_eq!(client.get("/dicom-web/studies/1.2", &zip).await.status(), 200);
}

#[tokio::test]
async fn options_names_what_a_resource_takes() {
    let client = Client::start().await;
    for (path, allow) in [("/dicom-web/series", "GET,HEAD,OPTIONS"), (ONE, "GET,HEAD,DELETE,OPTIONS")] {
        let answer = client.ask(&Who::Nobody, "OPTIONS", path, &[], "").await;
        assert_eq!((answer.status().as_u16(), text(answer.headers(), "allow").as_str()), (204, allow), "{path}");
    }
}

#[tokio::test]
async fn a_range_runs_over_the_multipart_body() {
    let client = with(&[words(EXPLICIT_VR_BIG_ENDIAN, 1)]).await;
    let path = format!("{ONE}/frames/1,2");
    let whole = client.get(&path, &[("accept", ANY)]).await;
    assert_eq!(text(whole.headers(), "accept-ranges"), "bytes");
    let etag = text(whole.headers(), "etag");
    let length = whole.body().len();
    let mut joined = Vec::new();
    for start in (0..length).step_by(17) {
        let range = format!("bytes={start}-{}", start + 16);
        let part = client.get(&path, &[("accept", ANY), ("range", &range), ("if-range", &etag)]).await;
        assert_eq!(part.status(), 206);
        let end = (start + 16).min(length - 1);
        assert_eq!(text(part.headers(), "content-range"), format!("bytes {start}-{end}/{length}"));
        joined.extend_from_slice(part.body());
    }
    assert_eq!(Bytes::from(joined), whole.body());
    let beyond = client.get(&path, &[("accept", ANY), ("range", &format!("bytes={length}-"))]).await;
    assert_eq!((beyond.status().as_u16(), text(beyond.headers(), "content-range")), (416, format!("bytes */{length}")));
    let same = client.get(&path, &[("accept", ANY), ("if-none-match", &etag)]).await;
    assert_eq!((same.status().as_u16(), same.body().len()), (304, 0));
}

/// The dicomweb-clients send `Range` without `If-Range` and read each answer as a body of its own.
#[tokio::test]
async fn a_range_over_one_value_in_parts_is_a_part_with_these_bytes() {
    let client = with(&[words(EXPLICIT_VR_BIG_ENDIAN, 1), words(DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN, 2)]).await;
    client.store(&Dataset::image(JPEG, 2, 1, Pixels::Fragments(&[b"abcd"]))).await;
    client.store(&Dataset::image(JPEG, 2, 2, Pixels::Fragments(&[b"abcd", b"efgh"]))).await;
    let native: Vec<u8> = (0..24_u16).flat_map(u16::to_le_bytes).collect();
    let place = |series, number| {
        format!("/dicom-web/studies/1.2/series/1.2.{series}/instances/1.2.{series}.{number}/bulkdata/7FE00010")
    };
    let related = ("accept", "multipart/related; type=\"*/*\"");
    for (path, value) in [(place(1, 1), &native[..]), (place(1, 2), &native), (place(2, 1), b"abcd")] {
        let whole = client.get(&path, &[related]).await;
        let (etag, length) = (text(whole.headers(), "etag"), value.len());
        for (range, expected) in [
            ("bytes=0-1", 0..2),
            ("bytes=1-2", 1..3),
            ("bytes=2-", 2..length),
            ("bytes=-3", length - 3..length),
            ("bytes=0-9999", 0..length),
        ] {
            let answer = client.get(&path, &[related, ("range", range)]).await;
            let said = format!("bytes {}-{}/{length}", expected.start, expected.end - 1);
            assert_eq!(
                (answer.status().as_u16(), text(answer.headers(), "content-range")),
                (206, said.clone()),
                "{path}"
            );
            assert_eq!(text(answer.headers(), "content-length"), answer.body().len().to_string());
            let found = parts(&text(answer.headers(), "content-type"), answer.body());
            assert_eq!((found.len(), &found[0].1[..]), (1, &value[expected]), "{path} {range}");
            assert!(found[0].0.ends_with(&format!("/bulkdata/7FE00010\r\nContent-Range: {said}")), "{}", found[0].0);
            // Bytes of the value are not to be completed with bytes of the body.
            let tag = text(answer.headers(), "etag");
            assert_ne!(tag, etag);
            let other = client.get(&path, &[related, ("range", "bytes=2-"), ("if-range", &tag)]).await;
            assert_eq!((other.status().as_u16(), other.body()), (200, whole.body()), "{path}");
        }
        let beyond = client.get(&path, &[related, ("range", &format!("bytes={length}-"))]).await;
        assert_eq!(
            (beyond.status().as_u16(), text(beyond.headers(), "content-range")),
            (416, format!("bytes */{length}"))
        );
        // Who names a version means the body; several ranges are none.
        for condition in ["if-range", "if-match"] {
            let rest = client.get(&path, &[related, ("range", "bytes=5-"), (condition, &etag)]).await;
            assert_eq!((rest.status().as_u16(), rest.body()), (206, &whole.body().slice(5..)), "{path}");
        }
        let unchanged = client.get(&path, &[related, ("range", "bytes=1-"), ("if-none-match", &etag)]).await;
        assert_eq!(unchanged.status(), 304);
        for range in ["bytes=0-1,5-6", "bytes=a-b"] {
            assert_eq!(client.get(&path, &[related, ("range", range)]).await.body(), whole.body(), "{path} {range}");
        }
    }
    // Two frames are two parts: there is no byte of one value to count from.
    let whole = client.get(&place(2, 2), &[related]).await;
    let answer = client.get(&place(2, 2), &[related, ("range", "bytes=0-1")]).await;
    assert_eq!((answer.status().as_u16(), answer.body()), (200, whole.body()));
    let etag = text(whole.headers(), "etag");
    let rest = client.get(&place(2, 2), &[related, ("range", "bytes=5-"), ("if-range", &etag)]).await;
    assert_eq!((rest.status().as_u16(), rest.body()), (206, &whole.body().slice(5..)));
}

#[tokio::test]
async fn metadata_names_the_bulk_data_and_the_bulk_data_is_there() {
    let client = with(&[words(EXPLICIT_VR_BIG_ENDIAN, 1), words(IMPLICIT_VR_LITTLE_ENDIAN, 2)]).await;
    for (path, count) in [("/dicom-web/studies/1.2", 2), (SERIES, 2), (ONE, 1)] {
        let path = format!("{path}/metadata");
        let plain = client.get(&path, &[("accept", "application/dicom+json; transfer-syntax=*")]).await;
        assert_eq!(
            (plain.status().as_u16(), text(plain.headers(), "content-type")),
            (200, "application/dicom+json".into())
        );
        let objects: Vec<Value> = serde_json::from_slice(plain.body()).unwrap();
        assert_eq!(objects.len(), count);
        assert_eq!(objects[0]["00100010"]["Value"][0]["Alphabetic"], "Müller^Jörg");
        let zipped = client.get(&path, &[("accept-encoding", "gzip")]).await;
        assert_eq!(text(zipped.headers(), "content-encoding"), "gzip");
        assert_eq!(Bytes::from(gunzipped(zipped.body())), plain.body());
        let etag = text(plain.headers(), "etag");
        assert_ne!(etag, text(zipped.headers(), "etag"));
        assert_eq!(client.get(&path, &[("if-none-match", &etag)]).await.status(), 304);

        let uri = objects[0]["7FE00010"]["BulkDataURI"].as_str().unwrap();
        let local = uri.strip_prefix("http://localhost:8080").unwrap();
        let expected: Vec<u8> = (0..24_u16).flat_map(u16::to_le_bytes).collect();
        let bulk = client.get(local, &[]).await;
        assert_eq!((bulk.status().as_u16(), bulk.body().as_ref()), (200, expected.as_slice()));
        let part = client.get(local, &[("range", "bytes=3-6")]).await;
        assert_eq!((part.status().as_u16(), part.body().as_ref()), (206, &expected[3..7]));
        let multipart = client.get(local, &[("accept", ANY)]).await;
        let split = parts(&text(multipart.headers(), "content-type"), multipart.body());
        assert_eq!(split[0].1, expected);
    }
    client.store(&words(EXPLICIT_VR_LITTLE_ENDIAN, 3)).await;
    let grown = client.get(&format!("{SERIES}/metadata"), &[]).await;
    assert_eq!(serde_json::from_slice::<Vec<Value>>(grown.body()).unwrap().len(), 3);
}

#[tokio::test]
async fn a_head_says_what_a_get_would_and_sends_nothing() {
    use crate::web::testing::Who;
    let client = with(&[words(EXPLICIT_VR_LITTLE_ENDIAN, 1)]).await;
    for path in [ONE.to_owned(), SERIES.to_owned(), format!("{ONE}/frames/1"), format!("{ONE}/bulkdata/7FE00010")] {
        let get = client.get(&path, &[]).await;
        let head = client.ask(&Who::Loopback, "HEAD", &path, &[], "").await;
        assert_eq!((head.status(), head.body().len()), (get.status(), 0), "{path}");
        for name in ["content-length", "etag", "content-type", "accept-ranges"] {
            assert_eq!(text(head.headers(), name), text(get.headers(), name), "{path}: {name}");
        }
        // A Range is of a GET (RFC 9110 §14.2).
        let etag = text(get.headers(), "etag");
        for range in ["bytes=0-1", "bytes=99999999-"] {
            for condition in [etag.as_str(), "\"other\""] {
                let asked = [("range", range), ("if-range", condition)];
                let ranged = client.ask(&Who::Loopback, "HEAD", &path, &asked, "").await;
                let length = text(ranged.headers(), "content-length");
                assert_eq!((ranged.status(), length), (get.status(), text(get.headers(), "content-length")), "{path}");
            }
        }
    }
}

/// As when a study is read while it is deleted: its rows were found, and then its files are not there.
#[tokio::test]
async fn a_first_file_that_is_not_there_is_an_error_before_anything_is_sent() {
    let dataset = |number| words(IMPLICIT_VR_LITTLE_ENDIAN, number);
    let stored = ("accept", "multipart/related; type=\"application/dicom\"; transfer-syntax=*");
    let explicit = ("accept", "multipart/related; type=\"application/dicom\"");
    let client = with(&[dataset(1), dataset(2)]).await;
    client.lose_files_of(&super::select("1.2", Some("1.2.1"), Some("1.2.1.1")).unwrap()).await;
    for accept in [stored, explicit] {
        assert_eq!(client.get(SERIES, &[accept]).await.status(), 500);
        assert_eq!(client.ask(&Who::Loopback, "HEAD", SERIES, &[accept], "").await.status(), 200, "no file is opened");
    }
}

#[tokio::test]
async fn what_is_not_there_is_said_in_a_sentence() {
    let client = with(&[words(EXPLICIT_VR_LITTLE_ENDIAN, 1)]).await;
    for path in [
        "/dicom-web/studies/9.9",
        "/dicom-web/studies/1.2/series/9.9",
        "/dicom-web/studies/1.2/series/1.2.1/instances/9.9",
        "/dicom-web/studies/9.9/series/1.2.1",
        "/dicom-web/studies/1.2/series/9.9/metadata",
        "/dicom-web/studies/1.2/series/1.2.1/instances/1.2.1.1/bulkdata/00100010",
        "/dicom-web/studies/1.2/series/1.2.1/instances/1.2.1.1/bulkdata/../../x",
    ] {
        let answer = client.get(path, &[]).await;
        assert_eq!(answer.status(), 404, "{path}");
        let problem: Value = serde_json::from_slice(answer.body()).unwrap();
        assert!(problem["detail"].as_str().unwrap().ends_with('.'));
        assert!(problem["instance"].as_str().unwrap().starts_with("urn:bluebridge:request:"));
    }
}

/// OHIF asks `reject`, cornerstone `htj2k`: their 404 is read by a page whose preflight passed (Fetch §4.8).
#[tokio::test]
async fn a_page_of_a_listed_origin_learns_that_there_is_nothing() {
    let config = crate::config::Web { cors_origins: vec!["https://ohif.example".into()], ..Default::default() };
    let client = Client::with(config).await;
    let method = ("access-control-request-method", "POST");
    let series = "/dicom-web/studies/1.2/series/1.2.1";
    for path in
        [&format!("{series}/reject/113001%5EDCM"), &format!("{series}/instances/1/htj2k/1"), "/dicom-web/workitems"]
    {
        let ask = async |headers: &[(&'static str, &str)]| client.ask(&Who::Nobody, "OPTIONS", path, headers, "").await;
        let passed = ask(&[("origin", "https://ohif.example"), method]).await;
        assert_eq!(passed.status(), 204, "{path}");
        assert_eq!(text(passed.headers(), "access-control-allow-origin"), "https://ohif.example");
        assert!(text(passed.headers(), "access-control-allow-methods").contains("POST"));
        assert_eq!(ask(&[("origin", "https://evil.example"), method]).await.status(), 403, "{path}");
        assert_eq!(ask(&[("origin", "https://ohif.example")]).await.status(), 404, "{path}");
        assert_eq!(ask(&[]).await.status(), 404, "{path}");
    }
}

#[tokio::test]
async fn a_page_of_a_listed_origin_reads_answers_and_refusals() {
    let config = crate::config::Web { cors_origins: vec!["https://ohif.example".into()], ..Default::default() };
    let client = Client::with(config).await;
    for path in ["/dicom-web/studies", "/dicom-web/studies/9.9", "/nothing"] {
        let answer = client.get(path, &[("origin", "https://ohif.example")]).await;
        assert_eq!(text(answer.headers(), "access-control-allow-origin"), "https://ohif.example", "{path}");
        assert!(text(answer.headers(), "access-control-expose-headers").contains("Content-Range"));
        assert_eq!(text(answer.headers(), "vary"), "Origin, Accept, Accept-Encoding");
        assert_eq!(text(answer.headers(), "cross-origin-resource-policy"), "cross-origin");
        assert_eq!(text(answer.headers(), "x-content-type-options"), "nosniff");
        let other = client.get(path, &[("origin", "https://evil.example")]).await;
        assert_eq!(text(other.headers(), "access-control-allow-origin"), "");
        assert_eq!(other.status(), if path == "/nothing" { 404 } else { 401 });
    }
}
