//! Metadata (PS3.18 §10.4.1.1.2) as the index keeps it: compressed pieces of JSON, put one after the
//! other from the first row on, with the BulkDataURIs of this request between them.

use super::accept::takes_gzip;
use super::asked::Asked;
use super::representation::REVALIDATE;
use super::{base_tag, instance_url, media, xml};
use crate::archive::{InstanceUids, SearchError};
use crate::domain::instance::Selector;
use crate::domain::metadata::{Assembler, Form, Metadata};
use crate::web::Web;
use crate::web::conditional::{not_modified, precondition_fails};
use crate::web::problem::{Problem, another_version};
use axum::body::Body;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use std::io;

/// Changes when the bytes made from the same rows change: caches must not keep the old form.
const WRITER_VERSION: u32 = 1;

/// `GET .../metadata` of a study, series or instance.
pub async fn metadata(asked: Asked) -> Result<Response, Problem> {
    let media = media::model(&asked.accept())?;
    let xml = media == media::DICOM_XML;
    let gzip = takes_gzip(asked.headers()) && !xml;
    let version = version(&asked.web, &asked.selector).await?.ok_or_else(|| asked.nothing_there())?;
    let coding = match (xml, gzip) {
        (true, _) => "x",
        (false, true) => "g",
        (false, false) => "i",
    };
    let etag = format!("\"{version}-{WRITER_VERSION}{coding}-{:x}\"", base_tag(&asked.base));

    if precondition_fails(asked.headers(), &etag) {
        return Err(another_version());
    }
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, REVALIDATE);
    headers.insert(header::ETAG, HeaderValue::from_str(&etag).map_err(|_| Problem::internal())?);
    if not_modified(asked.headers(), &etag) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return Ok(response);
    }
    asked.noted().await;
    headers.insert(header::CONTENT_TYPE, if xml { xml::CONTENT_TYPE } else { HeaderValue::from_static(media) });
    if gzip {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    *response.body_mut() = match *asked.method() {
        // Of a length that nobody has computed; an empty body would be told as Content-Length: 0.
        Method::HEAD => {
            Body::from_stream(futures_util::stream::empty::<Result<bytes::Bytes, std::convert::Infallible>>())
        }
        _ if xml => xml::parts(assembled(&asked, false)),
        _ => assembled(&asked, gzip),
    };
    Ok(response)
}

/// Names the state of what is asked for; `None` when it is not there. A study or series by the revision
/// that every change of it raises; an instance, which never changes, by its digest.
async fn version(web: &Web, selector: &Selector) -> Result<Option<String>, Problem> {
    let of = |revision: i64, last_change_ms: i64| format!("{revision:x}.{last_change_ms:x}");
    Ok(match (&selector.series, &selector.instance) {
        (None, _) => web.archive.study(&selector.study).await?.map(|study| of(study.revision, study.last_change_ms)),
        (Some(series), None) => {
            let all = web.archive.series_of(&selector.study).await?;
            let found = all.into_iter().find(|row| row.series_instance_uid == *series);
            found.map(|series| of(series.revision, series.last_change_ms))
        }
        (Some(_), Some(_)) => {
            let rows = web.archive.instances(selector).await?;
            rows.first().map(|row| super::hex(row.file.sha256.get(..16).unwrap_or_default()))
        }
    })
}

/// The first row leaves at once; later ones gather until a chunk is worth a system call.
const GATHERED: usize = 48 << 10;

fn assembled(asked: &Asked, gzip: bool) -> Body {
    let rows = asked.web.archive.metadata(&asked.selector).boxed();
    let assembler = Assembler::new(if gzip { Form::Gzip } else { Form::Identity });
    let start = Assembling { rows, assembler: Some(assembler), root: asked.base.dicomweb(), worth_sending: 1 };
    Body::from_stream(futures_util::stream::try_unfold(start, Assembling::next))
}

struct Assembling {
    rows: futures_util::stream::BoxStream<'static, Result<(InstanceUids, Vec<u8>), SearchError>>,
    assembler: Option<Assembler>,
    root: String,
    worth_sending: usize,
}

impl Assembling {
    async fn next(mut self) -> io::Result<Option<(Bytes, Self)>> {
        let Some(mut assembler) = self.assembler.take() else { return Ok(None) };
        let mut gathered = BytesMut::new();
        loop {
            while let Some(chunk) = assembler.next_chunk().map_err(note)? {
                // What comes in one piece leaves in one piece.
                if gathered.is_empty() && chunk.len() >= self.worth_sending {
                    self.worth_sending = GATHERED;
                    self.assembler = Some(assembler);
                    return Ok(Some((chunk, self)));
                }
                gathered.extend_from_slice(&chunk);
            }
            if gathered.len() >= self.worth_sending {
                self.worth_sending = GATHERED;
                self.assembler = Some(assembler);
                return Ok(Some((gathered.freeze(), self)));
            }
            match self.rows.next().await {
                Some(row) => {
                    let (uids, blob) = row.map_err(note)?;
                    let url = instance_url(&self.root, &uids.study, &uids.series, &uids.instance);
                    assembler.push(Metadata::from_bytes(blob).map_err(note)?, &url);
                }
                None => {
                    gathered.extend_from_slice(&assembler.finish().map_err(note)?);
                    return Ok(Some((gathered.freeze(), self)));
                }
            }
        }
    }
}

/// The headers are gone: the log is the only place left to say it.
fn note(error: impl std::error::Error + Send + Sync + 'static) -> io::Error {
    tracing::error!(%error, "metadata ended early");
    io::Error::other(error)
}
