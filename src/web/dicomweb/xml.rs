//! Metadata and matches as parts of the Native DICOM Model (PS3.18 §8.7.3, PS3.19 §A.1). No line within a
//! document begins with two dashes, so any boundary will do, and the same one makes the same bytes.

use super::media::DICOM_XML;
use crate::domain::native_xml::{self, Writer};
use axum::body::Body;
use axum::http::HeaderValue;
use bytes::Bytes;
use futures_util::StreamExt;
use serde_json::{Map, Value};
use std::io;

pub const CONTENT_TYPE: HeaderValue =
    HeaderValue::from_static("multipart/related; type=\"application/dicom+xml\"; boundary=native-dicom-model");
/// Ends the last part.
pub const CLOSE: &str = "--native-dicom-model--\r\n";

fn before() -> String {
    format!("--native-dicom-model\r\nContent-Type: {DICOM_XML}\r\n\r\n")
}

/// One match as a part.
pub fn part(dataset: &Map<String, Value>) -> String {
    format!("{}{}\r\n", before(), native_xml::document(dataset))
}

/// The parts of a body that is an array of data sets in the JSON of the index.
pub fn parts(json: Body) -> Body {
    let start = (json.into_data_stream(), Some(Writer::new(&before(), "\r\n")));
    Body::from_stream(futures_util::stream::try_unfold(start, |(mut json, writer)| async move {
        let Some(mut writer) = writer else { return Ok(None) };
        loop {
            let Some(chunk) = json.next().await else {
                return Ok(Some((Bytes::from_static(CLOSE.as_bytes()), (json, None))));
            };
            let chunk = chunk.map_err(io::Error::other)?;
            writer.feed(&chunk).map_err(|error| {
                tracing::error!(%error, "metadata ended early");
                io::Error::other(error)
            })?;
            let text = writer.take();
            if !text.is_empty() {
                return Ok::<_, io::Error>(Some((Bytes::from(text), (json, Some(writer)))));
            }
        }
    }))
}
