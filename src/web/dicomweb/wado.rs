//! Retrieve studies, series and instances (WADO-RS, PS3.18 §10.4.1.1.1): stored files as they are, or
//! native ones as Explicit VR Little Endian; multipart/related, a single part for one instance.

use super::accept::Accept;
use super::asked::Asked;
use super::media::{self, DICOM, Instances, Packaging, Rewriting};
use super::multipart::Multipart;
use super::representation::Representation;
use super::segments::{Handle, Rewritten, Segment, Segments};
use super::{base_tag, hex, package};
use crate::archive::{InstanceRow, file_header};
use crate::domain::reading::ReadLimits;
use crate::domain::transfer_syntax::{self, EXPLICIT_VR_LITTLE_ENDIAN, TransferSyntax};
use crate::web::Web;
use crate::web::problem::Problem;
use axum::http::{HeaderValue, Method};
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
    let Instances::Dicom(packaging, rewriting) = chosen else { return package::zip(asked).await };
    let digest = digest_of(&rows);
    let mut files = Vec::with_capacity(rows.len());
    // One file is opened before the headers leave, so that a damaged one is an error and not a short body.
    let open_now = rows.len() == 1 && asked.method() != Method::HEAD;
    for row in &rows {
        files.push(file(&asked.web, row, rewriting, open_now).await?);
    }
    let representation = match (packaging, files.pop()) {
        (Packaging::Single, Some((only, uid))) => {
            let mut segments = Segments::default();
            segments.push(only);
            let media = format!("{DICOM}; transfer-syntax={uid}");
            let content_type = HeaderValue::from_str(&media).unwrap_or(HeaderValue::from_static(DICOM));
            Representation { content_type, etag: tag(&digest, "s", rewriting, 0), segments }
        }
        (_, last) => {
            let mut multipart = Multipart::new(DICOM, digest.get(16..).unwrap_or_default());
            for (row, (segment, uid)) in rows.iter().zip(files.into_iter().chain(last)) {
                multipart.part(DICOM, Some(uid), &asked.url_of(&row.uids), [segment]);
            }
            let (content_type, segments) = multipart.finish();
            Representation { content_type, etag: tag(&digest, "m", rewriting, base_tag(&asked.base)), segments }
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

/// One stored file as it is sent, and the transfer syntax it is then in.
async fn file(
    web: &Web,
    row: &InstanceRow,
    rewriting: Rewriting,
    open_now: bool,
) -> Result<(Segment, &'static str), Problem> {
    let stored = transfer_syntax::lookup(row.file.transfer_syntax_uid.as_str()).ok_or_else(Problem::internal)?;
    let file = match open_now {
        true => Handle::Open(web.archive.open(&row.file).await?),
        false => Handle::Closed(row.file.clone()),
    };
    if rewriting == Rewriting::AsStored || !media::needs_rewriting(stored) {
        return Ok((Segment::File(file, 0..row.file.size_bytes), stored.uid));
    }
    let explicit = transfer_syntax::lookup(EXPLICIT_VR_LITTLE_ENDIAN).ok_or_else(Problem::internal)?;
    let head = file_header(&row.sop_class_uid, &row.uids.instance, &explicit.uid());
    let limits = ReadLimits {
        sequence_depth: web.limits.sequence_depth,
        elements: web.limits.elements,
        inflated_size: web.limits.inflated_size.get(),
        inflated_ratio: web.limits.inflated_ratio,
    };
    let dataset_offset = u64::from(row.file.dataset_offset);
    let rewritten = Rewritten { file, syntax: stored, limits, head: head.into(), dataset_offset };
    Ok((Segment::Rewritten(Box::new(rewritten)), explicit.uid))
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

fn tag(digest: &[u8], packaging: &str, rewriting: Rewriting, base: u32) -> String {
    let rewriting = if rewriting == Rewriting::AsStored { "a" } else { "e" };
    format!("\"{}-{packaging}{rewriting}-{base:x}\"", hex(digest.get(..16).unwrap_or_default()))
}
