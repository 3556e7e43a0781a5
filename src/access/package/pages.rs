//! What a person opens first: README.TXT and INDEX.HTM (IHE PDI, RAD TF-2 §4.47), and SHA256.TXT.

use super::plan::Plan;
use crate::config::Facility;
use dicom_dictionary_std::tags;
use std::fmt::Write;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Longest line of README.TXT.
const COLUMNS: usize = 72;

/// ASCII, CRLF, at most 72 columns, the same whatever the package holds.
pub(super) fn readme(facility: &Facility) -> Vec<u8> {
    let contact = if facility.contact.is_empty() { "-" } else { &facility.contact };
    let version = env!("CARGO_PKG_VERSION");
    let paragraphs = [
        "MEDICAL IMAGES".to_owned(),
        format!("From: {}", facility.name),
        format!("Contact: {contact}"),
        "These are your images, complete and in original quality, in the DICOM format that hospitals, practices \
         and imaging software everywhere can read. They are personal: keep them as you would keep a letter from \
         your doctor."
            .to_owned(),
        "For a doctor: import this folder, or the DICOMDIR file in it, into your PACS or viewer.".to_owned(),
        "For yourself: open INDEX.HTM for an overview. To look at the images you need a DICOM viewer; there are \
         several free ones. No viewer is included, and nothing in here starts by itself."
            .to_owned(),
        "HOW THIS IS ORGANISED".to_owned(),
        "- README.TXT this text".to_owned(),
        "- INDEX.HTM an overview for a web browser".to_owned(),
        "- DICOMDIR the directory of all DICOM files (PS3.10)".to_owned(),
        "- DICOM/PTnnnnnn/STnnnnnn/SEnnnnnn/IMnnnnnn patient, study, series, image".to_owned(),
        "- SHA256.TXT a checksum of every file".to_owned(),
        String::new(),
        format!("Made by Bluebridge {version}. Questions about the images go to the contact above."),
    ];
    let mut out = String::new();
    for paragraph in paragraphs {
        let mut column = 0;
        // Accents are dropped; what then is no ASCII is a question mark.
        let ascii: String = paragraph.nfkd().filter(|c| !is_combining_mark(*c)).map(ascii).collect();
        for word in ascii.split_whitespace().flat_map(pieces) {
            if column + 1 + word.len() > COLUMNS && column > 0 {
                out.push_str("\r\n");
                column = 0;
            }
            if column > 0 {
                out.push(' ');
                column += 1;
            }
            out.push_str(word);
            column += word.len();
        }
        // The lines of the listing stand together.
        let listed = paragraph.starts_with("- ");
        out.push_str(if listed || paragraph.is_empty() { "\r\n" } else { "\r\n\r\n" });
    }
    out.into_bytes()
}

/// A word in pieces that fit a line; ASCII, so every place is a character's edge.
fn pieces(word: &str) -> impl Iterator<Item = &str> {
    (0..word.len()).step_by(COLUMNS).filter_map(|at| word.get(at..word.len().min(at + COLUMNS)))
}

fn ascii(character: char) -> char {
    if character.is_ascii() && !character.is_ascii_control() { character } else { '?' }
}

/// XHTML Basic 1.1 without script. Names no person: the studies are told apart by date, kind and
/// description.
pub(super) fn index(facility: &Facility, plan: &Plan) -> Vec<u8> {
    let mut out = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!DOCTYPE html PUBLIC \"-//W3C//DTD XHTML Basic 1.1//EN\" \
         \"http://www.w3.org/TR/xhtml-basic/xhtml-basic11.dtd\">\n\
         <html xmlns=\"http://www.w3.org/1999/xhtml\" xml:lang=\"en\">\n<head>\n\
         <title>Medical images</title>\n</head>\n<body>\n<h1>Medical images</h1>\n",
    );
    let _ = writeln!(out, "<p>From {}.</p>", escaped(&facility.name));
    if !facility.contact.is_empty() {
        let _ = writeln!(out, "<p>Contact: {}</p>", escaped(&facility.contact));
    }
    out.push_str(
        "<p>These images are personal. Pass them on only to whom you choose.</p>\n\
         <p>How this is organised, and how to look at the images: <a href=\"README.TXT\">README.TXT</a></p>\n\
         <h2>Images that a doctor can import (DICOM)</h2>\n\
         <p>The directory of all of them is <a href=\"DICOMDIR\">DICOMDIR</a>.</p>\n\
         <table>\n<tr><th>Date</th><th>Examination</th><th>Series</th><th>Kind</th><th>Images</th><th>Folder</th></tr>\n",
    );
    for (patient_at, patient) in plan.patients.iter().enumerate() {
        for (study_at, study) in patient.studies.iter().enumerate() {
            for (series_at, series) in study.series.iter().enumerate() {
                let [dicom, patient, folder, series_folder, _] =
                    super::plan::file_id(patient_at, study_at, series_at, 0);
                let text = |attributes: &crate::domain::attributes::Attributes, tag| {
                    escaped(attributes.first(tag).unwrap_or_default())
                };
                let _ = writeln!(
                    out,
                    "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td>\
                     <td>{dicom}/{patient}/{folder}/{series_folder}</td></tr>",
                    date(study.row.attributes.first(tags::STUDY_DATE).unwrap_or_default()),
                    text(&study.row.attributes, tags::STUDY_DESCRIPTION),
                    text(&series.attributes, tags::SERIES_DESCRIPTION),
                    text(&series.attributes, tags::MODALITY),
                    series.instances.len(),
                );
            }
        }
    }
    out.push_str(
        "</table>\n<h2>What cannot be imported</h2>\n<p>Nothing: everything in here about you is DICOM.</p>\n\
         <p>Checksums of all files: <a href=\"SHA256.TXT\">SHA256.TXT</a></p>\n</body>\n</html>\n",
    );
    out.into_bytes()
}

/// `20260914` as `2026-09-14`; anything else as it is.
fn date(value: &str) -> String {
    match (value.get(..4), value.get(4..6), value.get(6..8)) {
        (Some(year), Some(month), Some(day)) if value.len() == 8 && value.bytes().all(|b| b.is_ascii_digit()) => {
            format!("{year}-{month}-{day}")
        }
        _ => escaped(value),
    }
}

/// Text in XHTML; control characters are no characters of XML.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c if c.is_control() || matches!(c, '\u{FFFE}' | '\u{FFFF}') => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// `hex  path` a line, as `sha256sum -c` reads it.
pub(super) fn checksums<'a>(files: impl Iterator<Item = (&'a str, [u8; 32])>) -> Vec<u8> {
    let mut out = String::new();
    for (path, digest) in files {
        let _ = writeln!(out, "{}  {path}", hex(&digest));
    }
    out.into_bytes()
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_readme_is_ascii_with_short_lines_whatever_the_facility_is_called() {
        let facility = Facility { name: "Röntgen \u{7} ".repeat(9), contact: "x".repeat(200) };
        let text = String::from_utf8(readme(&facility)).unwrap();
        assert!(text.is_ascii());
        for line in text.split("\r\n") {
            assert!(line.len() <= COLUMNS && !line.contains(['\n', '\r', '\u{7}']), "{line:?}");
        }
        assert!(text.contains("Rontgen") && text.contains("Bluebridge") && text.contains("DICOMDIR"));
    }

    #[test]
    fn text_cannot_become_markup() {
        assert_eq!(escaped("<a href=\"x\">&\u{1}"), "&lt;a href=&quot;x&quot;&gt;&amp; ");
        assert_eq!(date("20260914"), "2026-09-14");
        assert_eq!(date("<1234567"), "&lt;1234567");
    }
}
