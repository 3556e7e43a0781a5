//! Retrieve studies, series and instances (WADO-RS, PS3.18 §10.4.1.1.1): stored files as they are, or in another
//! transfer syntax; multipart/related, a single part for one instance.

use super::accept::Accept;
use super::asked::Asked;
use super::media::{self, DICOM, Forms, Instances, Packaging};
use super::multipart::Multipart;
use super::representation::Representation;
use super::segments::{Handle, Rewritten, Segment, Segments, Transcoding};
use super::{base_tag, hex, package};
use crate::archive::{InstanceRow, RetrieveError, file_header};
use crate::domain::transfer_syntax::{self, EXPLICIT_VR_LITTLE_ENDIAN, TransferSyntax};
use crate::imaging::Target;
use crate::web::Web;
use crate::web::problem::Problem;
use axum::http::HeaderValue;
use axum::response::Response;
use sha2::{Digest, Sha256};

/// `GET` of a study, series or instance.
pub async fn retrieve(asked: Asked) -> Result<Response, Problem> {
    send(&asked, &asked.accept()).await
}

/// What is asked for, in a form that `accept` takes.
pub(super) async fn send(asked: &Asked, accept: &Accept) -> Result<Response, Problem> {
    let rows = asked.instances().await?;
    let one = asked.selector.instance.is_some();
    let chosen = media::instances(accept, &stored_syntaxes(&rows)?, one)?;
    asked.noted().await;
    let Instances::Dicom(packaging, forms) = chosen else { return package::zip(asked).await };
    let digest = digest_of(&rows);
    let etag = tag(&digest, packaging, &forms, base_tag(&asked.base));
    let mut files = Vec::with_capacity(rows.len());
    // What fails with the first file is an error and not a short body, be it only that it was just deleted. The
    // others are opened as their turn comes; where files are transcoded, the first of them is begun too.
    let sends = asked.sends(&etag);
    let (mut opened, mut begun) = (!sends, !sends);
    for row in &rows {
        let target = forms.of(media::stored(row.file.transfer_syntax_uid.as_str())?);
        let now = !opened || (!begun && target.is_some());
        files.push(file(&asked.web, row, target, now).await?);
        opened = true;
        begun |= target.is_some();
    }
    let representation = match (packaging, files.pop()) {
        (Packaging::Single, Some((only, uid))) => {
            let mut segments = Segments::default();
            segments.push(only);
            let media = format!("{DICOM}; transfer-syntax={uid}");
            let content_type = HeaderValue::from_str(&media).unwrap_or(HeaderValue::from_static(DICOM));
            Representation { content_type, etag, segments }
        }
        (_, last) => {
            let mut multipart = Multipart::new(DICOM, digest.get(16..).unwrap_or_default());
            for (row, (segment, uid)) in rows.iter().zip(files.into_iter().chain(last)) {
                multipart.part(DICOM, Some(uid), &asked.url_of(&row.uids), [segment]);
            }
            let (content_type, segments) = multipart.finish();
            Representation { content_type, etag, segments }
        }
    };
    Ok(asked.answer(representation))
}

/// The syntaxes in which these files are stored, each once.
pub(super) fn stored_syntaxes(rows: &[InstanceRow]) -> Result<Vec<&'static TransferSyntax>, Problem> {
    let mut syntaxes: Vec<&'static TransferSyntax> = Vec::new();
    for row in rows {
        let uid = row.file.transfer_syntax_uid.as_str();
        if !syntaxes.iter().any(|known| known.uid == uid) {
            syntaxes.push(media::stored(uid)?);
        }
    }
    Ok(syntaxes)
}

/// One file as it is sent, and the transfer syntax it is then in: as stored without a `target`. `now`: what can
/// fail is done before the answer begins, as far as one frame goes.
async fn file(
    web: &Web,
    row: &InstanceRow,
    target: Option<Target>,
    now: bool,
) -> Result<(Segment, &'static str), Problem> {
    let stored = transfer_syntax::lookup(row.file.transfer_syntax_uid.as_str()).ok_or_else(Problem::internal)?;
    let target = match target {
        Some(Target::ExplicitLittle) if stored.is_native() && !media::needs_rewriting(stored) => None,
        target => target,
    };
    if let Some(target) = target
        && !(target == Target::ExplicitLittle && stored.is_native())
    {
        return transcoded(web, row, target, now).await;
    }
    let file = match now {
        true => Handle::Open(web.archive.open(&row.file).await?),
        false => Handle::Closed(row.file.clone()),
    };
    if target.is_none() {
        return Ok((Segment::File(file, 0..row.file.size_bytes), stored.uid));
    }
    let explicit = transfer_syntax::lookup(EXPLICIT_VR_LITTLE_ENDIAN).ok_or_else(Problem::internal)?;
    let head = file_header(&row.sop_class_uid, &row.uids.instance, &explicit.uid());
    let limits = web.archive.read_limits();
    let dataset_offset = u64::from(row.file.dataset_offset);
    let rewritten = Rewritten { file, syntax: stored, limits, head: head.into(), dataset_offset };
    Ok((Segment::Rewritten(Box::new(rewritten)), explicit.uid))
}

/// What has no pixel data has nothing to compress: it is in Explicit VR Little Endian whatever is asked for.
/// Whether the others can be had in `target` is told before the answer begins.
async fn transcoded(
    web: &Web,
    row: &InstanceRow,
    target: Target,
    now: bool,
) -> Result<(Segment, &'static str), Problem> {
    let found = web.archive.frames(&row.uids.selector()).await?.ok_or(RetrieveError::Deleted)?;
    if let Some(pixels) = &found.pixels {
        web.imaging.check(pixels, target)?;
    }
    let target = if found.pixels.is_some() { target } else { Target::ExplicitLittle };
    let begun = if now { Some(web.imaging.transcoded(row, target).await?) } else { None };
    let transcoding = Transcoding { imaging: web.imaging.clone(), row: row.clone(), target, begun };
    Ok((Segment::Transcoded(Box::new(transcoding)), target.uid()))
}

/// Names the contents: of one file its own digest, of several the digest over theirs.
pub(super) fn digest_of(rows: &[InstanceRow]) -> [u8; 32] {
    match rows {
        [only] => only.file.sha256,
        many => {
            let mut all = Sha256::new();
            many.iter().for_each(|row| all.update(row.file.sha256));
            all.finalize().into()
        }
    }
}

fn tag(digest: &[u8], packaging: Packaging, forms: &Forms, base: u32) -> String {
    let (letter, base) = if packaging == Packaging::Single { ("s", 0) } else { ("m", base) };
    format!("\"{}-{letter}{}-{base:x}\"", hex(digest.get(..16).unwrap_or_default()), forms.code())
}
