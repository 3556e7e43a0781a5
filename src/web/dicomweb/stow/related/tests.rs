//! What clients send, what they should not, and both in any chunking.

use super::*;
use proptest::prelude::*;

/// The parts of a body that came in portions of `chunk` bytes: content type and data of each.
fn read(boundary: &str, body: &[u8], chunk: usize) -> Result<Vec<(String, Vec<u8>)>, RelatedError> {
    let mut reader = Reader::new(boundary);
    let (mut parts, mut ended, mut open) = (Vec::new(), false, false);
    for portion in body.chunks(chunk.max(1)).map(Some).chain([None]) {
        match portion {
            Some(bytes) => reader.push(Bytes::copy_from_slice(bytes)),
            None => reader.finish(),
        }
        while let Some(event) = reader.next()? {
            assert!(!ended, "nothing comes after the end");
            match event {
                Event::Part(header) => {
                    assert!(!std::mem::replace(&mut open, true));
                    let name = match header {
                        Ok(header) => header.get("content-type").unwrap_or("none").to_owned(),
                        Err(fault) => format!("{fault:?}"),
                    };
                    parts.push((name, Vec::new()));
                }
                Event::Data(bytes) => {
                    assert!(open && !bytes.is_empty());
                    parts.last_mut().unwrap().1.extend_from_slice(&bytes);
                }
                Event::PartEnd => assert!(std::mem::replace(&mut open, false)),
                Event::End => ended = true,
            }
        }
        assert!(reader.bytes.len() <= HEADERS_MAX + 100_000, "memory is bounded");
    }
    assert!(ended);
    Ok(parts)
}

fn expect(what: &str, boundary: &str, body: &[u8], expected: &[(&str, &[u8])]) {
    let expected: Vec<_> = expected.iter().map(|(name, data)| ((*name).to_owned(), data.to_vec())).collect();
    for chunk in [1, 2, 3, 5, 17, 100_000] {
        assert_eq!(read(boundary, body, chunk), Ok(expected.clone()), "{what}, in portions of {chunk}");
    }
}

const DICOM: &str = "application/dicom";

#[test]
fn what_clients_send_is_read() {
    let quoted = "0f3cf5c0-70e0-41ef-baef-c6f9f65ec3e1";
    expect(
        "dicomweb-client in Python: a line end first, none last",
        quoted,
        format!(
            "\r\n--{quoted}\r\nContent-Type: application/dicom\r\n\r\nONE\r\n--{quoted}\r\nContent-Type: \
             application/dicom\r\n\r\nTWO\r\n--{quoted}--"
        )
        .as_bytes(),
        &[(DICOM, b"ONE"), (DICOM, b"TWO")],
    );
    expect(
        "curl and dcm4che: parameters on the part, other headers, other case",
        "b",
        b"--b\r\ncontent-TYPE: application/dicom;transfer-syntax=1.2.840.10008.1.2.4.70\r\nContent-Length: 99\r\n\
          Content-Location: x\r\n\r\nX\r\n--b--\r\n",
        &[("application/dicom;transfer-syntax=1.2.840.10008.1.2.4.70", b"X")],
    );
    expect(
        "preamble, padding behind the boundary, epilogue",
        "b",
        b"This is a multipart message.\r\n--bb\r\n--b \t\r\nContent-Type: application/dicom\r\n\r\nX\r\n--b--\r\n--b\r\nmore",
        &[(DICOM, b"X")],
    );
    expect(
        "bare line feeds",
        "b",
        b"--b\nContent-Type: application/dicom\n\nX\r\n--b\nContent-Type: application/dicom\n\nY\n--b--\n",
        &[(DICOM, b"X\r"), (DICOM, b"Y")],
    );
    expect("no parts", "b", b"--b--", &[]);
    expect("no parts, and a line end", "b", b"\r\n--b--\r\n", &[]);
    expect("no header", "b", b"--b\r\n\r\nX\r\n--b--", &[("none", b"X")]);
    expect("folded header", "b", b"--b\r\nContent-Type: a/b;\r\n c=d\r\n\r\nX\r\n--b--", &[("a/b; c=d", b"X")]);
    expect("empty part", "b", b"--b\r\nContent-Type: a/b\r\n\r\n\r\n--b--", &[("a/b", b"")]);
    expect("empty part, one line end less", "b", b"--b\r\nContent-Type: a/b\r\n\r\n--b--", &[("a/b", b"")]);
    expect(
        "a header alone",
        "b",
        b"--b\r\nContent-Type: a/b\r\n--b\r\n\r\nX\r\n--b--",
        &[("a/b", b""), ("none", b"X")],
    );
    expect("a header alone, and last", "b", b"--b\r\nContent-Type: a/b\r\n--b--", &[("a/b", b"")]);
    expect("nothing at all between boundaries", "b", b"--b\r\n--b\r\n--b--\r\n", &[("none", b""), ("none", b"")]);
    expect("a header line like a boundary", "b", b"--b\r\n--bc: x\r\n\r\nX\r\n--b--", &[("none", b"X")]);
    expect("without the last dashes", "b", b"--b\r\nContent-Type: a/b\r\n\r\nX\r\n--b", &[("a/b", b"X")]);
    expect("without the last dashes, with a line end", "b", b"--b\r\n\r\nX\r\n--b\r", &[("none", b"X")]);
}

#[test]
fn what_looks_like_a_boundary_within_the_data_is_data() {
    for data in [
        b"\r\n--bX\r\n".as_slice(),
        b"--b\r\n",
        b"\n--b\r\n",
        b"\r--b\r\n",
        b"\r\n-\r\n--\r\n\r\n",
        b"\r\r\n\r\r\n-",
        b"\r\n--\r\n--\r\n",
        b"--b--",
        b"\r\n--b\x00\r\n",
        b"\r\n--b -\r\n",
    ] {
        let body = [b"--b\r\nContent-Type: a/b\r\n\r\n*", data, b"\r\n--b--"].concat();
        let expected = [b"*", data].concat();
        expect("within", "b", &body, &[("a/b", &expected)]);
    }
}

#[test]
fn what_does_not_end_is_told_and_what_came_before_is_kept() {
    for body in [
        b"--b\r\nContent-Type: a/b\r\n\r\nX".as_slice(),
        b"--b\r\nContent-Type: a/b\r\n\r\nX\r\n",
        b"--b\r\nContent-Type: a/b\r\n\r\n",
        b"--b\r\nContent-Type: a/b\r\n",
        b"--b\r\n",
    ] {
        for chunk in [1, 3, 1000] {
            assert_eq!(read("b", body, chunk), Err(RelatedError::Unterminated), "{body:?}");
        }
    }
    for body in [b"".as_slice(), b"DICM", b"--c\r\n\r\nX\r\n--c--", b" --b\r\n", b"--b", b"-- b\r\n\r\n"] {
        let outcome = read("b", body, 1);
        if body == b"--b" {
            assert_eq!(outcome, Ok(vec![]), "everything but the last two dashes");
        } else {
            assert_eq!(outcome, Err(RelatedError::NoBoundary), "{body:?}");
        }
    }
    assert_eq!(read("b", &vec![b'x'; 1 << 20], 4096), Err(RelatedError::NoBoundary));
}

#[test]
fn a_part_whose_header_cannot_be_read_is_passed_on_and_the_next_one_read() {
    let long = [b"--b\r\nX: ".as_slice(), &vec![b'x'; 40_000], b"\r\n\r\nD\r\n--b\r\n\r\nY\r\n--b--"].concat();
    for chunk in [7, 100_000] {
        let parts = read("b", &long, chunk).unwrap();
        assert_eq!(parts.iter().map(|part| part.0.as_str()).collect::<Vec<_>>(), ["TooLong", "none"]);
        assert_eq!(parts[1].1, b"Y");
    }
    for lines in [b"no colon".as_slice(), b": no name", b"two words: x", b" folded first", b"X: \xFF"] {
        let body = [b"--b\r\n", lines, b"\r\n\r\nD\r\n--b--"].concat();
        assert_eq!(read("b", &body, 4).unwrap(), [("Malformed".to_owned(), b"D".to_vec())], "{lines:?}");
    }
}

fn written(parts: &[Vec<u8>]) -> Vec<u8> {
    let mut body = Vec::new();
    for data in parts {
        body.extend_from_slice(b"\r\n--b0\r\nContent-Type: application/dicom\r\n\r\n");
        body.extend_from_slice(data);
    }
    body.extend_from_slice(b"\r\n--b0--");
    body
}

/// Bytes of which boundaries are made, more often than chance would have them.
fn data() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'-'), Just(b'b'), any::<u8>()];
    prop::collection::vec(byte, 0..60)
        .prop_filter("holds no boundary", |data| Finder::new(b"--b0").find(data).is_none())
}

proptest! {
    #[test]
    fn any_chunking_gives_the_same_parts(parts in prop::collection::vec(data(), 0..5), chunk in 1_usize..40) {
        let expected: Vec<_> = parts.iter().map(|data| (DICOM.to_owned(), data.clone())).collect();
        prop_assert_eq!(read("b0", &written(&parts), chunk), Ok(expected));
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'-'), Just(b'b'), Just(b':'), any::<u8>()], 0..200), chunk in 1_usize..20) {
        let body = [b"--b\r\n", bytes.as_slice()].concat();
        let whole = read("b", &body, 1000);
        prop_assert_eq!(read("b", &body, chunk), whole);
    }
}
