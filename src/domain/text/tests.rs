use super::Charset;
use dicom_core::VR;

fn values(terms: &[&str], bytes: &[u8], vr: VR) -> Vec<String> {
    Charset::from_values(terms).decode_values(bytes, vr)
}

/// The examples of PS3.5 Annexes H, I, J and K, and of real devices.
#[test]
fn names_of_the_standards_examples_are_read() {
    let cases: Vec<(&[&str], &[u8], &str)> = vec![
        // H.3.1
        (
            &["", "ISO 2022 IR 87"],
            b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B",
            "Yamada^Tarou=山田^太郎=やまだ^たろう",
        ),
        // H.3.2
        (
            &["ISO 2022 IR 13", "ISO 2022 IR 87"],
            b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J=\x1b$B$d$^$@\x1b(J^\x1b$B$?$m$&\x1b(J",
            "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう",
        ),
        // I.2
        (
            &["", "ISO 2022 IR 149"],
            b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7=\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6\xb5\xbf",
            "Hong^Gildong=洪^吉洞=홍^길동",
        ),
        // A device that writes the sequence once, though '^' resets it.
        (&["", "ISO 2022 IR 149"], b"=\x1b$)C\xfb\xf3^\xd1\xce\xd4\xd7", "=洪^吉洞"),
        // K.2
        (
            &["", "ISO 2022 IR 58"],
            b"Zhang^XiaoDong=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab=",
            "Zhang^XiaoDong=张^小东=",
        ),
        // J.3, J.4
        (&["GB18030"], b"Wang^XiaoDong=\xcd\xf5^\xd0\xa1\xb6\xab=", "Wang^XiaoDong=王^小东="),
        (&["ISO_IR 192"], "Wang^XiaoDong=王^小東=".as_bytes(), "Wang^XiaoDong=王^小東="),
        (&["ISO_IR 100"], b"Buc^J\xe9r\xf4me", "Buc^Jérôme"),
        (&["ISO_IR 144"], b"\xbb\xee\xdace\xdc\xd1y\xe0\xd3", "Люкceмбyрг"),
        (&["ISO_IR 126"], b"\xc4\xe9\xef\xed\xf5\xf3\xe9\xef\xf2", "Διονυσιος"),
        (&["ISO_IR 127"], b"\xe2\xc8\xc7\xe6\xea^\xe4\xe6\xd2\xc7\xd1", "قباني^لنزار"),
        (&["ISO_IR 138"], b"\xf9\xf8\xe5\xef^\xe3\xe1\xe5\xf8\xe4", "שרון^דבורה"),
        (&["ISO_IR 148"], b"\xdeahin^\xdd\xf0", "Şahin^İğ"),
        (&["ISO_IR 166"], b"\xca\xc1", "สม"),
        (&["ISO_IR 203"], b"\xa4", "€"),
        (&["ISO 2022 IR 100", "ISO 2022 IR 144"], b"J\xe9r\xf4me=\x1b-L\xbb\xee\xda", "Jérôme=Люк"),
        // Supplementary kanji.
        (&["", "ISO 2022 IR 159"], b"\x1b$(D0!\x1b(B", "丂"),
    ];
    for (terms, bytes, expected) in cases {
        assert_eq!(values(terms, bytes, VR::PN), [expected], "{terms:?}");
    }
}

#[test]
fn what_is_declared_wrongly_is_read_as_it_was_meant() {
    for terms in [&[][..], &["ISO_IR 100"], &["ISO_IR 6"], &["nonsense"]] {
        assert_eq!(values(terms, "Müller^Ä".as_bytes(), VR::PN), ["Müller^Ä"], "{terms:?}");
        assert_eq!(values(terms, b"M\xfcller", VR::LO), ["Müller"], "{terms:?}");
    }
    for spelling in ["ISO_IR 192", "ISO IR 192", "ISO-IR 192", "iso_ir 192 ", "ISO 2022 IR 192", "UTF-8"] {
        assert_eq!(values(&[spelling], "é".as_bytes(), VR::LO), ["é"], "{spelling}");
    }
    // Shift-JIS under ISO_IR 13.
    assert_eq!(values(&["ISO_IR 13"], b"\x8eR\x93c", VR::PN), ["山田"]);
    assert_eq!(values(&["ISO_IR 192"], b"a\xff", VR::LO), ["a\u{fffd}"]);
}

#[test]
fn a_backslash_that_is_half_a_character_splits_nothing() {
    // 0x5C is the second byte of 誠 in GBK and of 表 in Shift-JIS.
    assert_eq!(values(&["GBK"], b"\xd5\x5c\\B", VR::LO), ["誠", "B"]);
    assert_eq!(values(&["ISO_IR 13"], b"\x95\x5c\\B", VR::LO), ["表", "B"]);
    // The same byte within kanji of JIS X 0208.
    assert_eq!(values(&["", "ISO 2022 IR 87"], b"\x1b$B\x30\x5c\x1b(B\\B", VR::LO).len(), 2);
}

#[test]
fn padding_goes_as_the_vr_asks_and_empty_is_no_value() {
    let cases: Vec<(VR, &[u8], &[&str])> = vec![
        (VR::LO, b"", &[]),
        (VR::LO, b"  ", &[]),
        (VR::LO, b" a \\ b", &["a", "b"]),
        (VR::LO, b"a\\\\b\\", &["a", "", "b", ""]),
        (VR::LT, b" a\\b ", &[" a\\b"]),
        (VR::UT, b"  ", &[]),
        (VR::UI, b"1.2\\1.3\0", &["1.2", "1.3"]),
        (VR::DS, b" 1.5\\2 ", &["1.5", "2"]),
    ];
    for (vr, bytes, expected) in cases {
        assert_eq!(values(&["ISO_IR 100"], bytes, vr), expected, "{vr:?} {bytes:?}");
    }
}

#[test]
fn lines_begin_again_with_the_first_set() {
    let terms = ["ISO 2022 IR 100", "ISO 2022 IR 144"];
    assert_eq!(values(&terms, b"\x1b-L\xbb\r\n\xe9", VR::LT), ["Л\r\né"]);
    assert_eq!(values(&terms, b"\x1b-L\xbb\\\xe9", VR::LO), ["Л", "é"]);
    assert_eq!(values(&terms, b"\x1b-L\xbb^\xbb", VR::LO), ["Л^Л"], "only names have components");
}

#[test]
fn no_bytes_make_it_panic() {
    let terms = [&["ISO_IR 13"][..], &["", "ISO 2022 IR 87"], &["", "ISO 2022 IR 149"], &["GB18030"], &["ISO_IR 192"]];
    for first in 0..=255_u8 {
        for second in [0, 0x1B, 0x24, 0x5C, 0x80, 0xFF] {
            for terms in terms {
                values(terms, &[0x1B, 0x24, 0x42, first, second, 0x1B], VR::PN);
                values(terms, &[first, second], VR::PN);
            }
        }
    }
}
