//! What is asked for as a whole: all bulk and pixel data, counts, packages, XML, a study in one answer.

use super::*;

/// Natives in three byte orders, single bits, and two compressed frames.
async fn of_every_kind() -> Client {
    let client = with(&[words(IMPLICIT_VR_LITTLE_ENDIAN, 1), words(EXPLICIT_VR_BIG_ENDIAN, 2)]).await;
    client.store(&words(DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN, 3)).await;
    client.store(&Dataset::image(EXPLICIT_VR_LITTLE_ENDIAN, 2, 1, Pixels::Bits)).await;
    client.store(&Dataset::image(JPEG, 2, 2, Pixels::Fragments(&[b"abcd", b"efgh"]))).await;
    client
}

#[tokio::test]
async fn all_bulk_data_of_a_resource_is_every_value_as_its_own_address_gives_it() {
    let client = of_every_kind().await;
    for (path, expected) in [("/dicom-web/studies/1.2", 6), (SERIES, 3), (ONE, 1)] {
        let whole = client.get(&format!("{path}/bulkdata"), &[]).await;
        assert_eq!(whole.status(), 200, "{path}");
        let content_type = text(whole.headers(), "content-type");
        assert!(content_type.starts_with("multipart/related; type=\"application/octet-stream\""));
        let parts = parts(&content_type, whole.body());
        assert_eq!(parts.len(), expected, "{path}");
        let mut seen = String::new();
        let mut frames = 0;
        for (head, bytes) in parts {
            let location = head.split("Content-Location: http://localhost:8080").nth(1).unwrap().trim().to_owned();
            assert!(location.ends_with("/bulkdata/7FE00010"), "{location}");
            let alone = client.get(&location, &[]).await;
            let found = match text(alone.headers(), "content-type") {
                // Frames of one value are parts of one address.
                related if related.starts_with("multipart/") => {
                    frames = if seen == location { frames + 1 } else { 0 };
                    self::parts(&related, alone.body()).remove(frames).1
                }
                _ => alone.body().to_vec(),
            };
            assert_eq!(found, bytes, "{location}");
            seen = location;
        }
        let etag = text(whole.headers(), "etag");
        let again = client.get(&format!("{path}/bulkdata"), &[("if-none-match", &etag)]).await;
        assert_eq!(again.status(), 304);
        let head = client.ask(&Who::Loopback, "HEAD", &format!("{path}/bulkdata"), &[], "").await;
        assert!(head.status() == 200 && head.body().is_empty() && text(head.headers(), "etag") == etag);
        // Of one instance all is known before: it has a length, and ranges.
        let part = client.get(&format!("{path}/bulkdata"), &[("range", "bytes=10-19")]).await;
        assert_eq!(part.status(), if path == ONE { 206 } else { 200 });
    }
    let octets = ("accept", "application/octet-stream");
    let alone = client.get(&format!("{ONE}/bulkdata"), &[octets]).await;
    let by_address = client.get(&format!("{ONE}/bulkdata/7FE00010"), &[]).await;
    assert_eq!((alone.status().as_u16(), alone.body()), (200, by_address.body()));
    assert_eq!(client.get(&format!("{SERIES}/bulkdata"), &[octets]).await.status(), 406);
    assert_eq!(client.get(&format!("{ONE}/bulkdata"), &[("accept", "image/png")]).await.status(), 406);
    assert_eq!(client.get("/dicom-web/studies/1.9/bulkdata", &[]).await.status(), 404);
}

/// PS3.18 §8.7.3.3.2: what is compressed goes out as its streams, or decoded, and never as the items that hold it.
#[tokio::test]
async fn compressed_pixel_data_by_its_bulk_data_uri_is_its_frames() {
    let one = Dataset::image(JPEG, 3, 1, Pixels::Fragments(&[b"abcd"]));
    let client = with(&[Dataset::image(JPEG, 2, 2, Pixels::Fragments(&[b"abcd", b"efgh"])), one]).await;
    let instance =
        |series, number| format!("/dicom-web/studies/1.2/series/1.2.{series}/instances/1.2.{series}.{number}");
    let value = |series, number| format!("{}/bulkdata/7FE00010", instance(series, number));
    let jpeg = format!("image/jpeg; transfer-syntax={JPEG}");
    let related = "multipart/related; type=\"image/jpeg\"";
    for accept in ["*/*", "multipart/related; type=\"*/*\"", related, ANY] {
        for (path, expected) in [(value(2, 2), &[b"abcd", b"efgh"][..]), (value(3, 1), &[b"abcd"])] {
            for path in [path.clone(), path.replace("/7FE00010", "")] {
                let answer = client.get(&path, &[("accept", accept)]).await;
                assert_eq!(answer.status(), 200, "{path} {accept}");
                let content_type = text(answer.headers(), "content-type");
                if accept == "*/*" && path == value(3, 1) {
                    // One stream needs no envelope.
                    assert_eq!((content_type, answer.body().as_ref()), (jpeg.clone(), &b"abcd"[..]));
                    continue;
                }
                let found = parts(&content_type, answer.body());
                assert!(found.iter().all(|(head, _)| head.starts_with(&format!("Content-Type: {jpeg}\r\n"))), "{path}");
                assert_eq!(found.iter().map(|(_, bytes)| bytes).collect::<Vec<_>>(), expected, "{path} {accept}");
            }
        }
    }
    let alone = client.get(&value(3, 1), &[("accept", "image/jpeg"), ("range", "bytes=1-2")]).await;
    assert_eq!((alone.status().as_u16(), alone.body().as_ref()), (206, &b"bc"[..]));
    // Several frames are no single part. What octets decode to, tests/interop sees.
    let hierarchical = Dataset::image(HIERARCHICAL, 4, 1, Pixels::Fragments(&[b"abcd"]));
    client.store(&hierarchical).await;
    for (path, accept) in [
        (value(2, 2), "image/jpeg"),
        (value(4, 1), "application/octet-stream"),
        (format!("{}/bulkdata", instance(4, 1)), "application/octet-stream"),
        (value(3, 1), "application/pdf"),
    ] {
        assert_eq!(client.get(&path, &[("accept", accept)]).await.status(), 406, "{path} {accept}");
    }
}

/// Without the name of a transfer syntax octets are meant decoded; what nothing decodes is no reason to withhold the rest.
#[tokio::test]
async fn all_bulk_data_is_not_withheld_for_what_no_decoder_reads() {
    let hierarchical = Dataset::image(HIERARCHICAL, 4, 1, Pixels::Fragments(&[b"abcd"]));
    let client = with(&[words(IMPLICIT_VR_LITTLE_ENDIAN, 1), hierarchical]).await;
    let octets = "multipart/related; type=\"application/octet-stream\"";
    let ask = async |accept: &str| client.get("/dicom-web/studies/1.2/bulkdata", &[("accept", accept)]).await;
    let whole = ask(octets).await;
    assert_eq!(whole.status(), 200);
    let parts = parts(&text(whole.headers(), "content-type"), whole.body());
    assert!(parts[0].0.starts_with("Content-Type: application/octet-stream\r\n"), "{}", parts[0].0);
    assert!(parts[1].0.starts_with(&format!("Content-Type: image/jpeg; transfer-syntax={HIERARCHICAL}")));
    assert_eq!((parts.len(), parts[1].1.as_slice()), (2, &b"abcd"[..]));
    let named = ask(&format!("{octets}; transfer-syntax={EXPLICIT_VR_LITTLE_ENDIAN}")).await;
    assert_eq!(named.status(), 406);
}

#[tokio::test]
async fn all_pixel_data_is_native_values_whole_and_compressed_frames_one_by_one() {
    let client = of_every_kind().await;
    let words: Vec<u8> = (0..24_u16).flat_map(u16::to_le_bytes).collect();
    for (path, expected) in [("/dicom-web/studies/1.2", 6), (SERIES, 3), (ONE, 1)] {
        let whole = client.get(&format!("{path}/pixeldata"), &[("accept", ANY)]).await;
        assert_eq!(whole.status(), 200, "{path}");
        let parts = parts(&text(whole.headers(), "content-type"), whole.body());
        assert_eq!(parts.len(), expected, "{path}");
        for (head, bytes) in &parts {
            let location = head.split("Content-Location: http://localhost:8080").nth(1).unwrap().trim();
            let (accept, media) = match location.contains("/frames/") {
                true => (ANY, "image/jpeg; transfer-syntax=1.2.840.10008.1.2.4.70"),
                false => ("application/octet-stream", "application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1"),
            };
            assert!(head.contains(media), "{head}");
            let alone = client.get(location, &[("accept", accept)]).await;
            let found = match location.contains("/frames/") {
                true => self::parts(&text(alone.headers(), "content-type"), alone.body()).remove(0).1,
                false => alone.body().to_vec(),
            };
            assert_eq!(&found, bytes, "{location}");
        }
        assert!(parts.iter().take(3).all(|(_, bytes)| *bytes == words) || path != SERIES);
    }
    let octets = ("accept", "application/octet-stream");
    let alone = client.get(&format!("{ONE}/pixeldata"), &[octets, ("range", "bytes=2-5")]).await;
    assert_eq!((alone.status().as_u16(), alone.body().as_ref()), (206, &words[2..6]));
    let frames = "/dicom-web/studies/1.2/series/1.2.2/instances/1.2.2.2/pixeldata";
    // Several frames are parts, and need a syntax that they are stored in.
    for (accept, status) in [("image/jpeg", 406), ("multipart/related; type=image/jpeg", 200), ("text/plain", 406)] {
        let answer = client.get(frames, &[("accept", accept)]).await;
        assert_eq!(answer.status(), status, "{accept}");
        if status == 406 {
            assert!(String::from_utf8_lossy(answer.body()).contains(JPEG));
        }
    }
}

#[tokio::test]
async fn a_count_is_the_number_of_what_a_search_finds() {
    let client = of_every_kind().await;
    for path in ["studies", "series", "instances", "studies/1.2/series", "studies/1.2/instances"] {
        for query in ["", "?limit=1&offset=1", "?PatientID=PAT-1", "?PatientID=X", "?PatientName=M*", "?Modality=MR"] {
            let found =
                match client.get(&format!("/dicom-web/{path}{}", query.replace("limit=1&offset=1", "")), &[]).await {
                    nothing if nothing.status() == 204 => 0,
                    some => serde_json::from_slice::<Value>(some.body()).unwrap().as_array().unwrap().len(),
                };
            let counted = client.count(&Who::Loopback, &format!("/dicom-web/{path}/count{query}")).await;
            assert_eq!(counted, found as u64, "{path}{query}");
        }
    }
    assert_eq!(client.count(&Who::Loopback, &format!("{SERIES}/instances/count?InstanceNumber=2")).await, 1);
    for path in ["studies/%FF/series", "studies/%FF/series/count", "studies/%FF/bulkdata"] {
        let refused = client.get(&format!("/dicom-web/{path}"), &[]).await;
        assert_eq!(refused.status(), 400, "{path}");
        assert_eq!(text(refused.headers(), "content-type"), "application/problem+json", "{path}");
    }
    assert_eq!(client.get("/dicom-web/studies/count?StudyDate=x", &[]).await.status(), 400);
    assert_eq!(client.get("/dicom-web/studies/count?limit=x", &[]).await.status(), 400);
    assert_eq!(client.get("/dicom-web/studies/count", &[("accept", "image/png")]).await.status(), 406);
    let unknown = client.get("/dicom-web/studies/count?foo=bar&limit=99999999", &[]).await;
    assert_eq!(unknown.headers().get_all("warning").iter().count(), 1);
}

#[tokio::test]
async fn a_study_a_series_and_an_instance_come_as_packages_that_can_be_resumed() {
    let client = with(&[words(EXPLICIT_VR_LITTLE_ENDIAN, 1), words(IMPLICIT_VR_LITTLE_ENDIAN, 2)]).await;
    client.store(&Dataset::image(EXPLICIT_VR_LITTLE_ENDIAN, 2, 1, Pixels::Words)).await;
    let zip = ("accept", "application/zip;transfer-syntax=*");
    let mut begun = Vec::new();
    for (path, instances) in [("/dicom-web/studies/1.2", 3), (SERIES, 2), (ONE, 1)] {
        let whole = client.get(path, &[zip]).await;
        assert_eq!((whole.status().as_u16(), text(whole.headers(), "content-type")), (200, "application/zip".into()));
        assert_eq!(text(whole.headers(), "content-length"), whole.body().len().to_string());
        let archive = zip::ZipArchive::new(std::io::Cursor::new(whole.body().clone())).unwrap();
        let names: Vec<String> = archive.file_names().map(|name| name.unwrap().into_owned()).collect();
        assert!(names.iter().any(|name| name == "DICOMDIR"));
        assert_eq!(names.iter().filter(|name| name.starts_with("DICOM/")).count(), instances, "{path}");

        let etag = text(whole.headers(), "etag");
        begun.push((path, etag, whole));
    }
    // A new instance makes a new version; the downloads that began go on with their own.
    client.store(&words(EXPLICIT_VR_LITTLE_ENDIAN, 3)).await;
    for (path, etag, whole) in begun {
        let rest = client.get(path, &[zip, ("range", "bytes=100-"), ("if-range", &etag)]).await;
        assert_eq!((rest.status().as_u16(), rest.body()), (206, &whole.body().slice(100..)), "{path}");
        assert_eq!(client.get(path, &[zip, ("range", "bytes=99999999-")]).await.status(), 416, "{path}");
        let unchanged = client.get(path, &[zip, ("if-none-match", &etag)]).await.status();
        // Nothing was added to the instance; the study is given when it has been quiet for a while.
        assert_eq!(unchanged, if path == SERIES { 200 } else { 304 }, "{path}");
    }
    assert_eq!(client.get("/dicom-web/studies/1.2/series/1.2.9", &[zip]).await.status(), 404);

    // What was deleted is in no version any more, however far its download is.
    let etag = text(client.get(SERIES, &[zip]).await.headers(), "etag");
    assert_eq!(client.status(&Who::token("delete"), "DELETE", ONE, "").await, 204);
    let resumed = client.get(SERIES, &[zip, ("range", "bytes=100-"), ("if-range", &etag)]).await;
    assert_eq!(resumed.status(), 200);
    assert_eq!(client.get(ONE, &[zip, ("if-range", &etag)]).await.status(), 404);
}

#[tokio::test]
async fn searches_and_metadata_say_the_same_in_xml() {
    let client = with(&[words(EXPLICIT_VR_LITTLE_ENDIAN, 1), words(EXPLICIT_VR_LITTLE_ENDIAN, 2)]).await;
    let related = "multipart/related; type=\"application/dicom+xml\"";
    let metadata = format!("{SERIES}/metadata");
    for (path, accept) in [
        (metadata.as_str(), related),
        (metadata.as_str(), "application/dicom+xml"),
        ("/dicom-web/studies/1.2/instances", related),
    ] {
        let answer = client.get(path, &[("accept", accept), ("accept-encoding", "gzip")]).await;
        assert_eq!(answer.status(), 200, "{path}");
        let content_type = text(answer.headers(), "content-type");
        assert!(content_type.starts_with(related), "{content_type}");
        let json = client.get(path, &[("accept", "application/dicom+json")]).await;
        let json: Vec<serde_json::Map<String, Value>> = serde_json::from_slice(json.body()).unwrap();
        let packed = text(answer.headers(), "content-encoding") == "gzip";
        let body = if packed { gunzipped(answer.body()) } else { answer.body().to_vec() };
        let parts = parts(&content_type, &body);
        assert_eq!(parts.len(), json.len());
        for ((header, document), expected) in parts.iter().zip(json) {
            assert_eq!(header, "Content-Type: application/dicom+xml");
            let read = crate::domain::native_xml::read(document).unwrap();
            assert_eq!(read.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
            for (tag, element) in expected {
                // XML has text where JSON has numbers.
                let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                let values =
                    |element: &Value| element["Value"].as_array().map(|all| all.iter().map(plain).collect::<Vec<_>>());
                assert_eq!(values(&read[&tag]), values(&element), "{tag}");
                assert_eq!(read[&tag]["BulkDataURI"], element["BulkDataURI"], "{tag}");
            }
        }
    }
}

#[tokio::test]
async fn a_bootstrap_says_line_by_line_what_searches_and_metadata_say() {
    let [first, next] = [1, 2].map(|number| words(EXPLICIT_VR_LITTLE_ENDIAN, number));
    let other = Dataset::image(EXPLICIT_VR_LITTLE_ENDIAN, 2, 1, Pixels::Words);
    let client = with(&[first, next, other]).await;
    let path = "/dicom-web/studies/1.2/bootstrap";
    let answer = client.get(path, &[]).await;
    assert_eq!(
        (answer.status().as_u16(), text(answer.headers(), "content-type").as_str()),
        (200, "application/x-ndjson")
    );
    let lines: Vec<Value> =
        std::str::from_utf8(answer.body()).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let expected = async |name: &str, path: &str| -> Vec<Value> {
        let rows: Value = serde_json::from_slice(client.get(path, &[]).await.body()).unwrap();
        rows.as_array().unwrap().iter().map(|row| serde_json::json!({ name: row })).collect()
    };
    let mut whole = expected("study", "/dicom-web/studies?StudyInstanceUID=1.2&includefield=all").await;
    whole.extend(expected("series", "/dicom-web/studies/1.2/series?includefield=all").await);
    whole.extend(expected("instance", "/dicom-web/studies/1.2/metadata").await);
    let series = |mut line: Value| {
        // A search within a study repeats the study's attributes or not, as its client asks.
        if let Some(map) = line.get_mut("series").and_then(Value::as_object_mut) {
            map.retain(|key, _| key.starts_with("0020") || key == "00080060");
        }
        line
    };
    let plain = |lines: Vec<Value>| lines.into_iter().map(series).collect::<Vec<_>>();
    assert_eq!(plain(lines), plain(whole));

    let gzip = client.get(path, &[("accept-encoding", "gzip")]).await;
    let mut inflated = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&gzip.body()[..]), &mut inflated).unwrap();
    assert!(inflated == answer.body()[..], "the same lines, compressed");
    let etag = text(gzip.headers(), "etag");
    assert_ne!(etag, text(answer.headers(), "etag"));
    let again = client.get(path, &[("accept-encoding", "gzip"), ("if-none-match", &etag)]).await;
    assert_eq!(again.status(), 304);
    assert_eq!(client.get(path, &[("accept", "application/dicom+json")]).await.status(), 406);
    assert_eq!(client.get("/dicom-web/studies/1.9/bootstrap", &[]).await.status(), 404);
}
