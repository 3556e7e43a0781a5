//! A tile for what has no picture: a plain plate with a word that says what it is. Nothing of a patient is on it.

use super::encode::Raster;
use super::error::ImagingError;
use super::view::View;
use super::{Picture, annotation, letters};
use crate::archive::InstanceRow;
use crate::domain::transfer_syntax::{self, Frames};
use dicom_dictionary_std::uids;
use noto_sans_mono_bitmap::RasterHeight;

const EDGE: u32 = 200;
const GROUND: u8 = 40;

/// The plate of an instance.
pub(super) fn of(row: &InstanceRow, view: &View) -> Result<Picture, ImagingError> {
    let word = word(row.file.transfer_syntax_uid.as_str(), row.sop_class_uid.as_str(), row.modality.as_deref());
    view.of(drawn(word), 1.0, None)?.encoded(view.format, view.quality, None)
}

/// Whether frames of the transfer syntax are a film.
pub(super) fn is_film(transfer_syntax_uid: &str) -> bool {
    transfer_syntax::lookup(transfer_syntax_uid).is_some_and(|syntax| syntax.frames == Frames::Video)
}

/// Film and documents by what they are, all else by its modality, which is a code and no free text.
fn word<'a>(transfer_syntax_uid: &str, sop_class_uid: &str, modality: Option<&'a str>) -> &'a str {
    let is_code = |code: &&str| {
        let of_codes = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || matches!(byte, b' ' | b'_');
        (1..=16).contains(&code.len()) && code.bytes().all(of_codes)
    };
    match sop_class_uid {
        _ if is_film(transfer_syntax_uid) => "VIDEO",
        uids::ENCAPSULATED_PDF_STORAGE => "PDF",
        uids::ENCAPSULATED_CDA_STORAGE => "CDA",
        uids::ENCAPSULATED_STL_STORAGE => "STL",
        uids::ENCAPSULATED_OBJ_STORAGE => "OBJ",
        _ => modality.map(str::trim).filter(is_code).unwrap_or("DICOM"),
    }
}

/// White on dark, in the middle, as large as it fits.
fn drawn(word: &str) -> Raster {
    let area = (EDGE * EDGE) as usize;
    let mut raster = Raster { width: EDGE, height: EDGE, colour: false, bytes: vec![GROUND; area] };
    for height in [RasterHeight::Size32, RasterHeight::Size24, RasterHeight::Size16] {
        let letters = letters::of(word, height);
        let width: u32 = letters.iter().map(letters::Letter::width).sum();
        if width < EDGE {
            annotation::write(&mut raster, &letters, (EDGE - width) / 2, (EDGE - height.val() as u32) / 2);
            break;
        }
    }
    raster
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_says_what_it_is_and_never_who() {
        let explicit = "1.2.840.10008.1.2.1";
        for (syntax, class, modality, expected) in [
            (explicit, uids::BASIC_TEXT_SR_STORAGE, Some("SR"), "SR"),
            (explicit, uids::ENCAPSULATED_PDF_STORAGE, Some("DOC"), "PDF"),
            ("1.2.840.10008.1.2.4.102", uids::VIDEO_ENDOSCOPIC_IMAGE_STORAGE, Some("ES"), "VIDEO"),
            (explicit, "1.2.3", Some("RTSTRUCT "), "RTSTRUCT"),
            (explicit, "1.2.3", Some("Doe^John"), "DICOM"),
            (explicit, "1.2.3", Some("A MODALITY THAT IS TOO LONG"), "DICOM"),
            (explicit, "1.2.3", Some(""), "DICOM"),
            (explicit, "1.2.3", None, "DICOM"),
        ] {
            assert_eq!(word(syntax, class, modality), expected);
        }
    }

    #[test]
    fn every_word_fits() {
        for word in ["SR", "RTSTRUCT", "SIXTEEN_LETTERS_"] {
            let raster = drawn(word);
            let white: Vec<usize> = (0..raster.bytes.len()).filter(|at| raster.bytes[*at] > 200).collect();
            let columns = white.iter().map(|at| at % EDGE as usize);
            let (left, right) = (columns.clone().min().unwrap(), columns.max().unwrap());
            assert!(left > 0 && right < EDGE as usize - 1, "{word}");
            assert!(left.abs_diff(EDGE as usize - 1 - right) < 12, "{word} stands in the middle");
        }
    }
}
