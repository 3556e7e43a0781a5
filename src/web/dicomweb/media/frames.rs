//! Which representation answers an Accept for frames and bulk data.

use super::{ENCAPSULATED_UNCOMPRESSED, Forms, OCTETS, PDF, Packaging, named_target, refused, syntax_taken};
use crate::domain::transfer_syntax::{EXPLICIT_VR_LITTLE_ENDIAN, Frames, IMPLICIT_VR_LITTLE_ENDIAN, TransferSyntax};
use crate::imaging::{Target, is_shown};
use crate::web::dicomweb::accept::{Accept, MediaRange};
use crate::web::problem::Problem;

/// How frames go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameMedia {
    pub packaging: Packaging,
    pub media: &'static str,
    pub transfer_syntax: &'static str,
    /// What they are transcoded to; `None` for stored bytes, in little endian.
    pub target: Option<Target>,
}

impl FrameMedia {
    /// Names the form in an ETag.
    pub fn code(&self) -> String {
        let form = self.target.map(|target| Forms { target: Some(target), ..Forms::default() }.code());
        format!("{}{}", self.transfer_syntax, form.unwrap_or_default())
    }
}

/// For frames stored in `stored`; `count` of them.
pub fn frames(accept: &Accept, stored: &'static TransferSyntax, count: usize) -> Result<FrameMedia, Problem> {
    let found = accept.wanted().find_map(|range| frame_media(range, stored, count));
    // A media type alone is met by what is stored before anything is transcoded for it.
    let found = found.or_else(|| accept.wanted().find_map(|range| transcoded(range, stored, count, false)));
    found.ok_or_else(|| {
        refused(&[stored], "multipart/related; type=\"application/octet-stream\" with that transfer-syntax or *")
    })
}

/// For compressed Pixel Data as one value of bulk data (PS3.18 §8.7.3.3.2): as its frames go out. `one`: a single part
/// may hold all of it, and does where any form is taken.
pub fn compressed(accept: &Accept, stored: &'static TransferSyntax, one: bool) -> Result<FrameMedia, Problem> {
    let count = if one { 1 } else { 2 };
    let media = frames(accept, stored, count)?;
    let first = accept.wanted().find(|range| frame_media(range, stored, count).is_some());
    match one && first.is_some_and(MediaRange::is_any) {
        true => Ok(FrameMedia { packaging: Packaging::Single, ..media }),
        false => Ok(media),
    }
}

/// For compressed frames among other bulk data of several instances, where nobody names a transfer syntax: the rest is
/// not withheld for what no decoder here reads, which goes out as it is and says so.
pub fn spared(accept: &Accept, stored: &'static TransferSyntax) -> Option<FrameMedia> {
    let taken = |range: &MediaRange| packaged(range, 2).is_some_and(|(_, asked)| covers(asked, OCTETS));
    let unsaid = accept.wanted().any(|range| range.transfer_syntaxes.is_empty() && taken(range));
    let (packaging, media) = (Packaging::Multipart, stored.media_type);
    (unsaid && !is_shown(stored.uid)).then_some(FrameMedia {
        packaging,
        media,
        transfer_syntax: stored.uid,
        target: None,
    })
}

/// Frames in another syntax than the stored one: one that is named, or the one that the media type means
/// (PS3.18 §8.7.3.3). `image/jpeg` alone means none here: its default, lossless JPEG, is shown by no browser.
fn transcoded(range: &MediaRange, stored: &TransferSyntax, count: usize, named: bool) -> Option<FrameMedia> {
    let (packaging, asked) = packaged(range, count)?;
    if !is_shown(stored.uid) {
        return None;
    }
    let target = match (named, asked) {
        (true, _) => named_target(range)?,
        (false, _) if !range.transfer_syntaxes.is_empty() => return None,
        (false, None | Some(OCTETS | "application/*")) => Target::ExplicitLittle,
        (false, Some("image/jls")) => Target::JpegLs,
        (false, Some("image/jp2")) => Target::Jpeg2000,
        (false, Some("image/dicom-rle")) => Target::Rle,
        (false, Some(_)) => return None,
    };
    let media = target.syntax().media_type;
    covers(asked, media).then_some(FrameMedia { packaging, media, transfer_syntax: target.uid(), target: Some(target) })
}

/// One body or parts, and the media type that is asked for; `None` where that makes no sense.
fn packaged(range: &MediaRange, count: usize) -> Option<(Packaging, Option<&str>)> {
    let related = matches!(range.media.as_str(), "multipart/related" | "multipart/*" | "*/*");
    // A single part holds a single frame.
    let packaging = if related { Packaging::Multipart } else { Packaging::Single };
    let asked = if related { range.part.as_deref() } else { Some(range.media.as_str()) };
    (related || count == 1).then_some((packaging, asked))
}

/// Whether `media` is what is asked for.
fn covers(asked: Option<&str>, media: &str) -> bool {
    match asked {
        None => true,
        Some("application/*") => media == OCTETS,
        Some("image/*") => media.starts_with("image/"),
        Some("video/*") => media.starts_with("video/"),
        Some(asked) => asked == media,
    }
}

fn frame_media(range: &MediaRange, stored: &'static TransferSyntax, count: usize) -> Option<FrameMedia> {
    let (packaging, asked) = packaged(range, count)?;
    let asks_for = |media: &str| covers(asked, media);
    // With `*` the type is a guess of the viewer's, but a guess at frames: an archive of them is none.
    let of_frames = |asked: &str| asked.starts_with("image/") || asked.starts_with("video/");
    if !asked.is_none_or(|asked| matches!(asked, "application/*" | OCTETS) || of_frames(asked)) {
        return None;
    }
    let unsaid = range.transfer_syntaxes.is_empty();
    let (any, native) = (range.transfer_syntaxes.iter().any(|uid| uid == "*"), stored.frames == Frames::Native);
    if native {
        // Bytes of a frame are the same in all native syntaxes once they are little endian.
        let little = [EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN].into_iter();
        let named = little.into_iter().find(|uid| range.transfer_syntaxes.iter().any(|wanted| wanted == uid));
        // Cornerstone asks for image/jls and takes anything.
        let fits = any || (asks_for(OCTETS) && (unsaid || named.is_some()));
        let transfer_syntax = named.unwrap_or(EXPLICIT_VR_LITTLE_ENDIAN);
        let little = fits.then_some(FrameMedia { packaging, media: OCTETS, transfer_syntax, target: None });
        return little.or_else(|| transcoded(range, stored, count, true));
    }
    let as_stored = FrameMedia { packaging, media: stored.media_type, transfer_syntax: stored.uid, target: None };
    if syntax_taken(range, stored.uid) || (unsaid && (range.is_any() || asked_by_type(asked, stored))) {
        return Some(as_stored);
    }
    let uncompressed = stored.uid == ENCAPSULATED_UNCOMPRESSED && asks_for(OCTETS);
    let little = (uncompressed && (unsaid || syntax_taken(range, EXPLICIT_VR_LITTLE_ENDIAN))).then_some(FrameMedia {
        transfer_syntax: EXPLICIT_VR_LITTLE_ENDIAN,
        media: OCTETS,
        ..as_stored
    });
    little.or_else(|| transcoded(range, stored, count, true))
}

/// `image/jpeg` without a transfer syntax is satisfied by whatever JPEG is stored; octets without one
/// mean Explicit VR Little Endian (PS3.18 §8.7.3.5), for which compressed frames are decoded.
fn asked_by_type(asked: Option<&str>, stored: &TransferSyntax) -> bool {
    match asked {
        None => stored.media_type != OCTETS,
        Some("image/*") => stored.media_type.starts_with("image/"),
        Some("video/*") => stored.media_type.starts_with("video/"),
        Some(asked) => asked != OCTETS && asked == stored.media_type.to_ascii_lowercase(),
    }
}

/// For bulk data that is not compressed: a single part unless parts are asked for, so that a browser can seek in it. Also the
/// media type asked for when it is one that the bytes may turn out to be.
pub fn bulk(accept: &Accept) -> Result<(Packaging, Option<&'static str>), Problem> {
    for range in accept.wanted() {
        let octets = range.part.as_deref().is_none_or(|part| part == OCTETS);
        match range.media.as_str() {
            "multipart/related" | "multipart/*" if octets => return Ok((Packaging::Multipart, None)),
            "*/*" | "application/*" | OCTETS => return Ok((Packaging::Single, None)),
            PDF => return Ok((Packaging::Single, Some(PDF))),
            _ => {}
        }
    }
    Err(Problem::not_acceptable("Bulk data is served as application/octet-stream, alone or in multipart/related."))
}

/// For all bulk data of a resource: parts; `alone`, a single value may go out without an envelope.
pub fn all_bulk(accept: &Accept, alone: bool) -> Result<Packaging, Problem> {
    let chosen = accept.wanted().find_map(|range| match range.media.as_str() {
        "multipart/related" | "multipart/*" if range.part.as_deref().is_none_or(|part| part == OCTETS) => {
            Some(Packaging::Multipart)
        }
        "*/*" => Some(Packaging::Multipart),
        "application/*" | OCTETS if alone => Some(Packaging::Single),
        _ => None,
    });
    chosen.ok_or_else(|| {
        Problem::not_acceptable(
            "All bulk data of a resource is served as multipart/related; type=\"application/octet-stream\"; the only \
             value of an instance also as application/octet-stream.",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{BIG, JLS, JPEG, VIDEO, accept, syntax};
    use super::*;

    #[test]
    fn frames_go_out_as_stored_where_that_is_taken() {
        let octets = "multipart/related; type=application/octet-stream";
        let any = "multipart/related; type=\"application/octet-stream\"; transfer-syntax=*";
        let jls =
            "multipart/related; type=\"image/jls\"; transfer-syntax=\"1.2.840.10008.1.2.4.80\"; transfer-syntax=\"*\"";
        let either = "multipart/related; type=image/jls; q=1,multipart/related; type=application/octet-stream; q=0.1";
        let el = EXPLICIT_VR_LITTLE_ENDIAN;
        type Case = (&'static str, &'static str, usize, Option<(&'static str, &'static str)>);
        let cases: &[Case] = &[
            ("", el, 1, Some((OCTETS, el))),
            ("*/*", JPEG, 3, Some(("image/jpeg", JPEG))),
            (octets, BIG, 2, Some((OCTETS, el))),
            (octets, JPEG, 1, Some((OCTETS, el))),
            (octets, VIDEO, 1, None),
            (any, JPEG, 1, Some(("image/jpeg", JPEG))),
            (any, el, 1, Some((OCTETS, el))),
            (jls, JLS, 1, Some(("image/jls", JLS))),
            (jls, el, 1, Some((OCTETS, el))),
            (jls, JPEG, 1, Some(("image/jpeg", JPEG))),
            (either, JLS, 1, Some(("image/jls", JLS))),
            (either, el, 1, Some((OCTETS, el))),
            (either, JPEG, 1, Some(("image/jls", JLS))),
            ("multipart/related; type=image/jpeg", JPEG, 1, Some(("image/jpeg", JPEG))),
            ("image/jpeg", JPEG, 1, Some(("image/jpeg", JPEG))),
            ("image/*", JPEG, 1, Some(("image/jpeg", JPEG))),
            (
                "image/jpeg; transfer-syntax=1.2.840.10008.1.2.4.50",
                el,
                1,
                Some(("image/jpeg", "1.2.840.10008.1.2.4.50")),
            ),
            (
                "image/jp2; transfer-syntax=1.2.840.10008.1.2.4.91",
                JPEG,
                1,
                Some(("image/jp2", "1.2.840.10008.1.2.4.91")),
            ),
            ("image/jp2", JPEG, 1, Some(("image/jp2", "1.2.840.10008.1.2.4.90"))),
            ("multipart/related; type=image/x-jls", el, 3, Some(("image/jls", JLS))),
            ("image/dicom-rle", el, 1, Some(("image/dicom-rle", "1.2.840.10008.1.2.5"))),
            ("image/jp2; transfer-syntax=1.2.840.10008.1.2.4.80", el, 1, None),
            ("image/jphc", el, 1, None),
            ("image/jpeg", JPEG, 2, None),
            ("image/jpeg", el, 1, None),
            ("application/octet-stream", el, 1, Some((OCTETS, el))),
            ("application/octet-stream; transfer-syntax=*", JLS, 1, Some(("image/jls", JLS))),
            (
                "multipart/related; type=application/octet-stream; transfer-syntax=1.2.840.10008.1.2",
                BIG,
                1,
                Some((OCTETS, IMPLICIT_VR_LITTLE_ENDIAN)),
            ),
            (octets, ENCAPSULATED_UNCOMPRESSED, 1, Some((OCTETS, el))),
            ("application/dicom+json", el, 1, None),
            ("application/zip;transfer-syntax=*", el, 1, None),
            ("application/zip;transfer-syntax=*", JPEG, 1, None),
            ("multipart/related; type=application/dicom; transfer-syntax=*", JPEG, 1, None),
        ];
        for (text, stored, count, expected) in cases {
            let chosen = frames(&accept(text), syntax(stored), *count).ok();
            assert_eq!(chosen.map(|c| (c.media, c.transfer_syntax)), *expected, "{text:?} {stored}");
        }
        assert_eq!(frames(&accept("application/octet-stream"), syntax(el), 1).unwrap().packaging, Packaging::Single);
        assert_eq!(frames(&accept("*/*"), syntax(el), 1).unwrap().packaging, Packaging::Multipart);
    }

    #[test]
    fn a_refusal_names_the_stored_syntax() {
        let problem = frames(&accept("multipart/related; type=image/jphc"), syntax(JPEG), 1).unwrap_err();
        assert_eq!(problem.status, 406);
        for named in ["JPEG Lossless", JPEG, JLS, EXPLICIT_VR_LITTLE_ENDIAN] {
            assert!(problem.detail.contains(named), "{named}");
        }
        let octets = "multipart/related; type=application/octet-stream";
        let spared = |text| spared(&accept(text), syntax(VIDEO)).map(|media| (media.media, media.transfer_syntax));
        assert_eq!(spared(octets), Some(("video/mp4", VIDEO)));
        for text in
            ["multipart/related; type=image/jpeg", "application/octet-stream; transfer-syntax=1.2.840.10008.1.2"]
        {
            assert_eq!(spared(text), None);
        }
        let problem = frames(&accept("application/octet-stream"), syntax(VIDEO), 1).unwrap_err();
        assert!(problem.detail.contains("no decoder"));
    }

    #[test]
    fn bulk_data_is_one_body_unless_parts_are_asked_for() {
        let kind = |text| bulk(&accept(text)).ok().map(|(packaging, _)| packaging);
        assert_eq!(kind(""), Some(Packaging::Single));
        assert_eq!(kind("*/*"), Some(Packaging::Single));
        assert_eq!(
            kind("multipart/related; type=\"application/octet-stream\"; transfer-syntax=*"),
            Some(Packaging::Multipart)
        );
        assert_eq!(kind("video/webm,video/*;q=0.9,*/*;q=0.5"), Some(Packaging::Single));
        assert_eq!(kind("application/dicom+json"), None);
    }
}
