//! Matches as a DICOM JSON array (PS3.18 Annex F), whole when small, streamed when large, gzip at a
//! cheap level where it is taken.

use super::media::DICOM_XML;
use super::xml;
use crate::archive::{Archive, SearchError};
use crate::domain::attributes::{Attribute, Attributes, TABLE, lookup, members, tags};
use crate::domain::instance::hex_tag;
use crate::domain::json;
use crate::domain::level::Level;
use crate::domain::query::{Found, Page, Query};
use axum::body::Body;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use dicom_core::{Tag, VR};
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::stream;
use serde_json::{Map, Value};
use std::io::{self, Write};

/// A body grows to this much before it is sent on.
const CHUNK: usize = 64 << 10;
/// Compressing less than this costs more than it saves.
const WORTH_COMPRESSING: usize = 1 << 10;

/// What every match of one answer has in common.
pub struct Frame {
    pub level: Level,
    /// The root of the DICOMweb services.
    pub root: String,
    /// Retrieve AE Title (0008,0054).
    pub ae_title: String,
}

impl Frame {
    /// One match with the attributes that PS3.18 §10.6.3.3 requires at its level.
    pub fn render(&self, found: &Found) -> Value {
        let mut map = Map::new();
        let mut put = |tag: Tag, vr: VR, values: &[String]| {
            map.insert(hex_tag(tag), json::element(vr, tag, values));
        };
        for (tag, values) in &found.attributes.0 {
            if let Some(attribute) = lookup(*tag).filter(|attribute| attribute.within.is_none()) {
                put(*tag, attribute.vr, values);
            }
        }
        // What is required and unknown is there without a value (PS3.18 §F.2.5).
        for attribute in TABLE.iter().filter(|attribute| attribute.by_default && self.belongs(attribute.level)) {
            if attribute.within.is_none() && !found.attributes.0.contains_key(&attribute.tag) {
                put(attribute.tag, attribute.vr, &[]);
            }
        }
        put(Tag(0x0008, 0x0005), VR::CS, &["ISO_IR 192".to_owned()]);
        put(Tag(0x0008, 0x0054), VR::AE, std::slice::from_ref(&self.ae_title));
        put(tags::INSTANCE_AVAILABILITY, VR::CS, &["ONLINE".to_owned()]);
        put(Tag(0x0008, 0x1190), VR::UR, &[self.retrieve_url(found)]);
        self.identify(found, &mut put);
        let requests = requests(&found.attributes);
        if requests.get("Value").is_some() || self.belongs(Level::Series) {
            map.insert(hex_tag(tags::REQUEST_ATTRIBUTES_SEQUENCE), requests);
        }
        Value::Object(map)
    }

    fn belongs(&self, level: Level) -> bool {
        match self.level {
            Level::Patient | Level::Study => level <= Level::Study,
            own => level == own,
        }
    }

    /// The UIDs of the match, whatever the attributes hold.
    fn identify(&self, found: &Found, put: &mut impl FnMut(Tag, VR, &[String])) {
        put(tags::STUDY_INSTANCE_UID, VR::UI, &[found.study.to_string()]);
        if let Some(series) = &found.series {
            put(tags::SERIES_INSTANCE_UID, VR::UI, &[series.to_string()]);
        }
        if let Some(instance) = &found.instance {
            put(tags::SOP_INSTANCE_UID, VR::UI, &[instance.to_string()]);
        }
    }

    fn retrieve_url(&self, found: &Found) -> String {
        let mut url = format!("{}/studies/{}", self.root, found.study);
        if let Some(series) = &found.series {
            url.push_str("/series/");
            url.push_str(series.as_str());
        }
        if let Some(instance) = &found.instance {
            url.push_str("/instances/");
            url.push_str(instance.as_str());
        }
        url
    }
}

/// Request Attributes Sequence (0040,0275), an item for each request.
fn requests(attributes: &Attributes) -> Value {
    let members: Vec<_> = members(tags::REQUEST_ATTRIBUTES_SEQUENCE).collect();
    let items = members.iter().map(|attribute| attributes.values(attribute.tag).len()).max().unwrap_or(0);
    let item = |at: usize| -> Map<String, Value> {
        let element = |attribute: &&&Attribute| {
            let value = attributes.values(attribute.tag).get(at).filter(|value| !value.is_empty());
            (
                hex_tag(attribute.tag),
                json::element(attribute.vr, attribute.tag, value.map(std::slice::from_ref).unwrap_or_default()),
            )
        };
        members.iter().map(|attribute| element(&attribute)).collect()
    };
    match items {
        0 => serde_json::json!({ "vr": "SQ" }),
        _ => serde_json::json!({ "vr": "SQ", "Value": (0..items).map(item).collect::<Vec<_>>() }),
    }
}

/// The matches as a body: whole with its length when small, else in chunks as they are rendered.
pub async fn answer(mut matches: Matches, media: &'static str, gzip: bool) -> Result<Response, SearchError> {
    matches.xml = media == DICOM_XML;
    let first = matches.chunk().await?;
    let compress = gzip && first.len() >= WORTH_COMPRESSING;
    let mut encoder = compress.then(|| GzEncoder::new(Vec::new(), Compression::fast()));
    let mut response = Response::new(Body::empty());
    let content_type = if media == DICOM_XML { xml::CONTENT_TYPE } else { HeaderValue::from_static(media) };
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    if compress {
        response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    *response.body_mut() = match (matches.ended, &mut encoder) {
        (true, None) => Body::from(first),
        // Compressing into memory does not fail; an empty body would be noticed.
        (true, Some(_)) => Body::from(compressed(&mut encoder, &first, true).unwrap_or_default()),
        (false, _) => {
            let sending = Sending { matches, encoder, first: Some(first) };
            Body::from_stream(stream::try_unfold(sending, Sending::next))
        }
    };
    Ok(response)
}

/// `chunk` as it is sent; with `last`, also what the encoder still holds.
fn compressed(encoder: &mut Option<GzEncoder<Vec<u8>>>, chunk: &[u8], last: bool) -> io::Result<Vec<u8>> {
    let Some(mut gzip) = encoder.take() else { return Ok(chunk.to_vec()) };
    gzip.write_all(chunk)?;
    if last {
        return gzip.finish();
    }
    let out = std::mem::take(gzip.get_mut());
    *encoder = Some(gzip);
    Ok(out)
}

struct Sending {
    matches: Matches,
    encoder: Option<GzEncoder<Vec<u8>>>,
    first: Option<Vec<u8>>,
}

impl Sending {
    async fn next(mut self) -> io::Result<Option<(Vec<u8>, Self)>> {
        let chunk = match self.first.take() {
            Some(first) => first,
            None if self.matches.ended => return Ok(None),
            None => self.matches.chunk().await.map_err(|error| {
                tracing::error!(%error, "a search ended early");
                io::Error::other(error)
            })?,
        };
        if self.encoder.is_none() {
            return Ok(Some((chunk, self)));
        }
        let out = compressed(&mut self.encoder, &chunk, self.matches.ended)?;
        Ok(Some((out, self)))
    }
}

/// The matches of one search, as text. Within a study all of them are given, page by page.
pub struct Matches {
    frame: Frame,
    rows: std::vec::IntoIter<Found>,
    /// Where to go on.
    rest: Option<(Archive, Query)>,
    written: usize,
    ended: bool,
    /// Parts of the Native DICOM Model instead of one array.
    xml: bool,
}

impl Matches {
    /// `rest`: the query of the page after `page`, when everything is to be given.
    pub fn new(frame: Frame, page: Page, rest: Option<(Archive, Query)>) -> Self {
        let rest = rest.filter(|_| page.more);
        Self { frame, rows: page.rows.into_iter(), rest, written: 0, ended: false, xml: false }
    }

    /// At least `CHUNK` bytes, or what is left.
    async fn chunk(&mut self) -> Result<Vec<u8>, SearchError> {
        let mut out = Vec::with_capacity(4096);
        while out.len() < CHUNK {
            let Some(found) = self.rows.next() else {
                if self.next_page().await? {
                    continue;
                }
                out.extend_from_slice(match (self.xml, self.written) {
                    (true, _) => xml::CLOSE.as_bytes(),
                    (false, 0) => b"[]",
                    (false, _) => b"]",
                });
                self.ended = true;
                break;
            };
            if self.xml {
                self.written += 1;
                if let Value::Object(map) = self.frame.render(&found) {
                    out.extend_from_slice(xml::part(&map).as_bytes());
                }
                continue;
            }
            out.push(if self.written == 0 { b'[' } else { b',' });
            self.written += 1;
            // Writing to memory does not fail, and the values hold nothing that JSON cannot say.
            let _ = serde_json::to_writer(&mut out, &self.frame.render(&found));
        }
        Ok(out)
    }

    async fn next_page(&mut self) -> Result<bool, SearchError> {
        let Some((archive, mut query)) = self.rest.take() else { return Ok(false) };
        let page = archive.search(&query).await?;
        let rows = u32::try_from(page.rows.len()).unwrap_or(u32::MAX);
        query.offset = query.offset.saturating_add(rows);
        self.rows = page.rows.into_iter();
        self.rest = (page.more && rows > 0).then_some((archive, query));
        Ok(rows > 0)
    }
}
