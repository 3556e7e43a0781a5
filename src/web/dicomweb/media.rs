//! Which representation answers an Accept (PS3.18 §8.7): here for instances and metadata. Stored
//! bytes go out as they are wherever that is taken; else in Explicit VR Little Endian, which is meant where no
//! transfer syntax is named (§8.7.3.5), or in the one that is named; with loss only where exactly that is named.
//! What cannot be had is refused, naming the stored syntax.

mod frames;

pub use frames::{FrameMedia, all_bulk, bulk, compressed, frames, spared};

use super::accept::{Accept, MediaRange};
use crate::domain::transfer_syntax::{self, Encoding, TransferSyntax};
use crate::imaging::{Target, WRITER, is_shown};
use crate::web::problem::Problem;

pub const DICOM: &str = "application/dicom";
pub const DICOM_JSON: &str = "application/dicom+json";
pub const DICOM_XML: &str = "application/dicom+xml";
pub const JSON: &str = "application/json";
pub const OCTETS: &str = "application/octet-stream";
pub const ZIP: &str = "application/zip";
pub const PDF: &str = "application/pdf";
/// Fragments that hold uncompressed frames: once joined these are native frames (PS3.5 §A.4.11).
const ENCAPSULATED_UNCOMPRESSED: &str = "1.2.840.10008.1.2.1.98";

/// One body, or parts of a multipart/related body (RFC 2387).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packaging {
    Multipart,
    Single,
}

/// How instances go out, when all of them can.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Instances {
    Dicom(Packaging, Forms),
    Zip,
}

/// In which transfer syntax each file goes out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Forms {
    /// `None`: every file byte for byte.
    pub target: Option<Target>,
    /// Stored in one of these a file goes out as it is all the same.
    pub kept: Vec<&'static str>,
}

impl Forms {
    /// What a file stored in `syntax` is to become; `None` for what goes out as it is.
    pub fn of(&self, syntax: &TransferSyntax) -> Option<Target> {
        self.target.filter(|target| target.uid() != syntax.uid && !self.kept.contains(&syntax.uid))
    }
    /// Names these forms in an ETag.
    pub fn code(&self) -> String {
        let kept: String = self.kept.iter().map(|uid| format!("k{}", arc(uid))).collect();
        match self.target {
            None => "a".into(),
            Some(Target::ExplicitLittle) => format!("e{WRITER}{kept}"),
            Some(target) => format!("t{}.{WRITER}{kept}", arc(target.uid())),
        }
    }
}

/// What tells the transfer syntaxes of DICOM apart.
pub fn arc(uid: &str) -> &str {
    uid.strip_prefix("1.2.840.10008.1.2.").unwrap_or(uid)
}

/// What a member of Accept says about the transfer syntax.
fn syntax_taken(range: &MediaRange, uid: &str) -> bool {
    range.transfer_syntaxes.iter().any(|wanted| wanted == "*" || wanted == uid)
}

/// The first transfer syntax that is named and that we write.
fn named_target(range: &MediaRange) -> Option<Target> {
    range.transfer_syntaxes.iter().find_map(|uid| Target::of(uid))
}

/// For a study, series or instance whose files are stored in `stored` (each syntax once).
/// `one`: the resource is a single instance, which may go out as a single part.
pub fn instances(accept: &Accept, stored: &[&TransferSyntax], one: bool) -> Result<Instances, Problem> {
    for range in accept.wanted() {
        let parts_are_dicom = range.part.as_deref().is_none_or(|part| part == DICOM);
        let packaging = match range.media.as_str() {
            // A package holds files as stored: it is what was asked for where that is no other syntax.
            ZIP if range.transfer_syntaxes.is_empty() || stored.iter().all(|kept| syntax_taken(range, kept.uid)) => {
                return Ok(Instances::Zip);
            }
            "multipart/related" | "multipart/*" | "*/*" if parts_are_dicom => Packaging::Multipart,
            DICOM | "application/*" if one => Packaging::Single,
            _ => continue,
        };
        // `*/*` asks for nothing in particular, so nothing is rewritten for it (viewers: "as stored").
        let unsaid = range.transfer_syntaxes.is_empty();
        if (unsaid && range.is_any()) || stored.iter().all(|syntax| syntax_taken(range, syntax.uid)) {
            return Ok(Instances::Dicom(packaging, Forms::default()));
        }
        let target = if unsaid { Some(Target::ExplicitLittle) } else { named_target(range) };
        // Nobody named a syntax: a study is not withheld for a video in it, which goes out as it is and says so.
        let spared = unsaid && stored.iter().any(|syntax| is_shown(syntax.uid));
        let as_it_is = |uid: &str| syntax_taken(range, uid) || (spared && !is_shown(uid));
        if target.is_some() && stored.iter().all(|syntax| as_it_is(syntax.uid) || is_shown(syntax.uid)) {
            let kept = stored.iter().map(|syntax| syntax.uid).filter(|uid| as_it_is(uid));
            return Ok(Instances::Dicom(packaging, Forms { target, kept: kept.collect() }));
        }
    }
    let mut problem = refused(
        stored,
        if one {
            "multipart/related; type=\"application/dicom\" or application/dicom"
        } else {
            "multipart/related; type=\"application/dicom\""
        },
    );
    if accept.wanted().any(|range| range.media == ZIP) {
        problem
            .detail
            .to_mut()
            .push_str(" application/zip holds files as they are stored, in no other transfer syntax.");
    }
    Err(problem)
}

/// For metadata and searches; transfer-syntax is of no concern there. XML comes in parts, however it is
/// asked for.
pub fn model(accept: &Accept) -> Result<&'static str, Problem> {
    let chosen = accept.wanted().find_map(|range| match (range.media.as_str(), range.part.as_deref()) {
        ("multipart/related", Some(DICOM_XML)) => Some(DICOM_XML),
        _ => [DICOM_JSON, JSON, DICOM_XML].into_iter().find(|offer| range.covers(offer)),
    });
    chosen.ok_or_else(|| {
        Problem::not_acceptable(
            "This resource is served as application/dicom+json, application/json, or multipart/related of \
             application/dicom+xml.",
        )
    })
}

fn refused(stored: &[&TransferSyntax], offered: &str) -> Problem {
    let names: Vec<String> = stored.iter().take(4).map(|syntax| format!("{} ({})", syntax.name, syntax.uid)).collect();
    let transcoded = match stored.iter().all(|syntax| is_shown(syntax.uid)) {
        true => {
            let uids: Vec<&str> = Target::ALL.iter().map(|target| target.uid()).collect();
            format!(", and in the transfer syntaxes {}", uids.join(", "))
        }
        false => "; no decoder here reads it".into(),
    };
    Problem::not_acceptable(format!(
        "No acceptable representation: stored as {}; served as stored with transfer-syntax=*, as {offered}{transcoded}.",
        names.join(", ")
    ))
}

/// The table's entry for a stored file; what is not in the table cannot have been taken in.
pub fn stored(uid: &str) -> Result<&'static TransferSyntax, Problem> {
    transfer_syntax::lookup(uid).ok_or_else(Problem::internal)
}

/// Whether a rewriting pass is needed to reach Explicit VR Little Endian.
pub fn needs_rewriting(syntax: &TransferSyntax) -> bool {
    syntax.is_native() && syntax.encoding != Encoding::ExplicitLittle
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::transfer_syntax::{EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN};
    use axum::http::{HeaderMap, HeaderValue, header};

    pub(super) const JPEG: &str = "1.2.840.10008.1.2.4.70";
    pub(super) const JLS: &str = "1.2.840.10008.1.2.4.80";
    pub(super) const BIG: &str = "1.2.840.10008.1.2.2";
    pub(super) const VIDEO: &str = "1.2.840.10008.1.2.4.102";

    pub(super) fn accept(text: &str) -> Accept {
        let mut headers = HeaderMap::new();
        if !text.is_empty() {
            headers.insert(header::ACCEPT, HeaderValue::from_str(text).unwrap());
        }
        Accept::of(&headers, None)
    }
    pub(super) fn syntax(uid: &str) -> &'static TransferSyntax {
        transfer_syntax::lookup(uid).unwrap()
    }

    #[test]
    fn instances_go_out_as_stored_where_that_is_taken() {
        use Instances::{Dicom, Zip};
        use Packaging::{Multipart, Single};
        let to = |target, kept: &[&'static str]| Forms { target: Some(target), kept: kept.to_vec() };
        let (as_stored, explicit) = (Forms::default, || to(Target::ExplicitLittle, &[]));
        let (el, il) = (EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN);
        let related = "multipart/related; type=\"application/dicom\"";
        let cases: &[(&str, &[&str], bool, Option<Instances>)] = &[
            ("", &[JPEG], true, Some(Dicom(Multipart, as_stored()))),
            ("*/*", &[il], true, Some(Dicom(Multipart, as_stored()))),
            ("text/html,application/xhtml+xml,*/*;q=0.8", &[JPEG], false, Some(Dicom(Multipart, as_stored()))),
            (related, &[el], true, Some(Dicom(Multipart, explicit()))),
            (related, &[il, BIG], false, Some(Dicom(Multipart, explicit()))),
            // The standard's default is Explicit VR Little Endian, whatever is stored (§8.7.3.5).
            (related, &[JPEG], true, Some(Dicom(Multipart, explicit()))),
            (related, &[il, JPEG], false, Some(Dicom(Multipart, explicit()))),
            ("application/dicom", &[JPEG], true, Some(Dicom(Single, explicit()))),
            (related, &[JPEG, VIDEO], false, Some(Dicom(Multipart, to(Target::ExplicitLittle, &[VIDEO])))),
            (related, &[VIDEO], false, None),
            (
                "multipart/related; type=\"application/dicom\"; transfer-syntax=1.2.840.10008.1.2.1",
                &[JPEG, VIDEO],
                false,
                None,
            ),
            (
                "multipart/related; type=application/dicom; transfer-syntax=1.2.840.10008.1.2.4.80",
                &[JPEG, JLS, il],
                false,
                Some(Dicom(Multipart, to(Target::JpegLs, &[JLS]))),
            ),
            (
                "application/dicom; transfer-syntax=1.2.840.10008.1.2.4.91",
                &[el],
                true,
                Some(Dicom(Single, to(Target::Jpeg2000Lossy, &[]))),
            ),
            ("application/dicom; transfer-syntax=1.2.840.10008.1.2.4.201", &[el], true, None),
            (
                "multipart/related; type=application/dicom; transfer-syntax=*",
                &[JPEG, il],
                false,
                Some(Dicom(Multipart, as_stored())),
            ),
            (
                "multipart/related; type=application/dicom; transfer-syntax=1.2.840.10008.1.2.4.70",
                &[JPEG],
                true,
                Some(Dicom(Multipart, as_stored())),
            ),
            (
                "multipart/related; type=application/dicom; transfer-syntax=1.2.840.10008.1.2.4.50",
                &[JPEG],
                true,
                Some(Dicom(Multipart, to(Target::JpegBaseline, &[]))),
            ),
            (
                "multipart/related; type=application/dicom; transfer-syntax=1.2.840.10008.1.2.1",
                &[BIG],
                true,
                Some(Dicom(Multipart, explicit())),
            ),
            ("multipart/related; type=application/dicom; transfer-syntax=1.2.840.10008.1.2", &[el], true, None),
            ("multipart/related", &[el], true, Some(Dicom(Multipart, explicit()))),
            ("application/dicom; transfer-syntax=*", &[JPEG], true, Some(Dicom(Single, as_stored()))),
            ("application/dicom", &[el], false, None),
            ("application/dicom, multipart/related;q=0.5", &[el], false, Some(Dicom(Multipart, explicit()))),
            ("application/zip", &[JPEG], false, Some(Zip)),
            ("application/zip;transfer-syntax=*", &[JPEG], false, Some(Zip)),
            ("application/zip;transfer-syntax=1.2.840.10008.1.2.4.70", &[JPEG], false, Some(Zip)),
            ("application/zip;transfer-syntax=1.2.840.10008.1.2.4.70", &[JPEG, el], false, None),
            ("application/zip;transfer-syntax=1.2.840.10008.1.2.1", &[JPEG], true, None),
            ("application/dicom+json", &[el], true, None),
            ("multipart/related; type=application/octet-stream", &[el], true, None),
        ];
        for (text, stored, one, expected) in cases {
            let stored: Vec<_> = stored.iter().map(|uid| syntax(uid)).collect();
            assert_eq!(&instances(&accept(text), &stored, *one).ok(), expected, "{text:?} {stored:?}");
        }
    }
}
