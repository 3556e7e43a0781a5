//! Metadata (PS3.18 §10.4.1.1.2) as the index keeps it: compressed pieces of JSON, put one after the
//! other from the first row on, with the BulkDataURIs of this request between them.

use super::accept::takes_gzip;
use super::asked::Asked;
use super::json::Frame;
use super::representation::REVALIDATE;
use super::{base_tag, instance_url, media, xml};
use crate::archive::{Extent, InstanceUids, RetrieveError, SearchError};
use crate::domain::level::Level;
use crate::domain::metadata::{Assembler, Form, Metadata};
use crate::domain::query::{Include, Query};
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
    answer(asked, if media == media::DICOM_XML { Shape::Xml } else { Shape::Array(media) }).await
}

/// `GET /studies/{study}/bootstrap`, ours: all that a viewer asks for before the first image, in one answer of a JSON
/// object a line: `{"study": ...}`, `{"series": ...}` each, `{"instance": ...}` each.
pub async fn bootstrap(asked: Asked) -> Result<Response, Problem> {
    if asked.accept().choose(&[NDJSON]).is_none() {
        return Err(Problem::not_acceptable("This resource is served as application/x-ndjson."));
    }
    answer(asked, Shape::Lines).await
}

/// One JSON object a line.
pub const NDJSON: &str = "application/x-ndjson";

/// What is made of the stored pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// As this media type.
    Array(&'static str),
    Lines,
    Xml,
}

async fn answer(asked: Asked, shape: Shape) -> Result<Response, Problem> {
    let gzip = takes_gzip(asked.headers()) && shape != Shape::Xml;
    let (extent, head) = match (shape, asked.method()) {
        (Shape::Lines, &Method::GET) => settled(&asked).await?,
        _ => (extent(&asked).await?, Vec::new()),
    };
    let version = &extent.version;
    let coding = match (shape, gzip) {
        (Shape::Xml, _) => "x",
        (Shape::Array(_), true) => "g",
        (Shape::Array(_), false) => "i",
        (Shape::Lines, true) => "lg",
        (Shape::Lines, false) => "li",
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
    headers.insert(
        header::CONTENT_TYPE,
        match shape {
            Shape::Xml => xml::CONTENT_TYPE,
            Shape::Array(media) => HeaderValue::from_static(media),
            Shape::Lines => HeaderValue::from_static(NDJSON),
        },
    );
    if gzip {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    *response.body_mut() = match *asked.method() {
        // Of a length that nobody has computed; an empty body would be told as Content-Length: 0.
        Method::HEAD => {
            Body::from_stream(futures_util::stream::empty::<Result<bytes::Bytes, std::convert::Infallible>>())
        }
        _ => {
            let form = if gzip { Form::Gzip } else { Form::Identity };
            match shape {
                Shape::Xml => xml::parts(assembled(&asked, &extent, Assembler::new(form))),
                Shape::Array(_) => assembled(&asked, &extent, Assembler::new(form)),
                Shape::Lines => assembled(&asked, &extent, Assembler::lines(form, head)),
            }
        }
    };
    Ok(response)
}

async fn extent(asked: &Asked) -> Result<Extent, Problem> {
    asked.web.archive.extent(&asked.selector).await?.ok_or_else(|| asked.nothing_there())
}

/// How often a study that changes while it is read is read again.
const TRIES: usize = 10;

/// The lines of the study and its series, and the instances of the same moment.
async fn settled(asked: &Asked) -> Result<(Extent, Vec<u8>), Problem> {
    let mut before = extent(asked).await?;
    for _ in 0..TRIES {
        let head = head(asked).await?;
        let after = extent(asked).await?;
        if before.version == after.version {
            return Ok((before, head));
        }
        before = after;
    }
    Err(Problem::unavailable("The study is changing too fast to be read as a whole; ask again."))
}

/// The first row leaves at once; later ones gather until a chunk is worth a system call.
const GATHERED: usize = 48 << 10;

/// The lines of the study and of its series, with the attributes of a search.
async fn head(asked: &Asked) -> Result<Vec<u8>, Problem> {
    let mut lines = Vec::new();
    for (level, name) in [(Level::Study, "study"), (Level::Series, "series")] {
        let frame = Frame { level, root: asked.base.dicomweb(), ae_title: asked.web.ae_title.to_string() };
        let mut query = Query { study: Some(asked.selector.study.clone()), include: Include::All, ..Query::new(level) };
        loop {
            let page = asked.web.archive.search(&query).await?;
            for found in &page.rows {
                // Writing to memory does not fail, and the values hold nothing that JSON cannot say.
                let _ = serde_json::to_writer(&mut lines, &serde_json::json!({ name: frame.render(found) }));
                lines.push(b'\n');
            }
            if !page.more {
                break;
            }
            query.offset = query.offset.saturating_add(u32::try_from(page.rows.len()).unwrap_or(u32::MAX));
        }
    }
    Ok(lines)
}

/// The instances of `extent`, and no others, whatever comes meanwhile.
fn assembled(asked: &Asked, extent: &Extent, assembler: Assembler) -> Body {
    let start = Assembling {
        rows: asked.web.archive.metadata(&asked.selector, extent.newest).boxed(),
        left: extent.instances,
        assembler: Some(assembler),
        root: asked.base.dicomweb(),
        worth_sending: 1,
    };
    Body::from_stream(futures_util::stream::try_unfold(start, Assembling::next))
}

struct Assembling {
    rows: futures_util::stream::BoxStream<'static, Result<(InstanceUids, Vec<u8>), SearchError>>,
    /// Instances that are still to come.
    left: u32,
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
                    self.left = self.left.saturating_sub(1);
                    let url = instance_url(&self.root, &uids.study, &uids.series, &uids.instance);
                    assembler.push(Metadata::from_bytes(blob).map_err(note)?, &url);
                }
                // It is not to look complete.
                None if self.left > 0 => {
                    tracing::info!("metadata ended early: some of it was deleted");
                    return Err(io::Error::other(RetrieveError::Deleted));
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
