//! What is asked for: a study, and an instance of each kind that a viewer treats in a way of its own.

use super::ask::Daemon;
use crate::cli::Failure;
use crate::domain::transfer_syntax::{self, Frames};
use bytes::Bytes;
use hyper::Method;
use serde_json::Value;

/// PS3.4 §B.5. Other classes hold a film when their transfer syntax is one.
const VIDEO: [&str; 3] =
    ["1.2.840.10008.5.1.4.1.1.77.1.1.1", "1.2.840.10008.5.1.4.1.1.77.1.2.1", "1.2.840.10008.5.1.4.1.1.77.1.4.1"];
const ENCAPSULATED_PDF: &str = "1.2.840.10008.5.1.4.1.1.104.1";
/// Has rows, and is laid over other images.
const SEGMENTATION: &str = "1.2.840.10008.5.1.4.1.1.66.4";
const PIXEL_DATA: &str = "7FE00010";
/// So many images are looked at to find one that is no film.
const IMAGES_MAX: usize = 8;

/// In the order in which one stands for its study.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Of frames that can be asked for one by one.
    Image,
    Film,
    Document,
    /// SEG, SR, RTSTRUCT and whatever else is read whole.
    Object,
}

pub struct Subject {
    pub root: String,
    /// The same, as an absolute address.
    pub url: String,
    pub study: String,
    /// The instance that stands for the study.
    pub kind: Kind,
    pub series: String,
    pub instance: String,
    /// None unless it is an image.
    pub frames: u64,
    /// How many its series has.
    pub instances: usize,
    /// One of each, where the study has one: what stands before `/rendered`.
    pub film: Option<String>,
    pub document: Option<String>,
    pub object: Option<String>,
    pub bulk: Option<Bulk>,
    /// The instance as Part 10, to be sent back.
    pub part10: Bytes,
}

/// A value that the metadata names by BulkDataURI.
pub struct Bulk {
    pub target: String,
    /// The longest value: its beginning is enough.
    pub pixels: bool,
}

impl Subject {
    /// `store` fetches the instance too.
    pub async fn find(daemon: &Daemon, study: &str, store: bool) -> Result<Self, Failure> {
        let path = format!("/dicom-web/studies/{study}/instances?includefield=00280008&includefield=00280010");
        let found = daemon.json(&path).await?;
        let instances = found.as_array().map(Vec::as_slice).unwrap_or_default();
        let place = |instance: &Value| {
            let (series, instance) = (text(instance, "0020000E")?, text(instance, "00080018")?);
            Some(format!("/dicom-web/studies/{study}/series/{series}/instances/{instance}"))
        };
        let mut kinds: Vec<(Kind, &Value)> = instances.iter().map(|instance| (kind(instance), instance)).collect();
        for (kind, instance) in kinds.iter_mut().filter(|(kind, _)| *kind == Kind::Image).take(IMAGES_MAX) {
            match place(instance) {
                Some(place) if is_film(daemon, &place).await? => *kind = Kind::Film,
                _ => break,
            }
        }
        let Some((kind, chosen)) = kinds.iter().min_by_key(|(kind, _)| *kind).copied() else {
            return Err(Failure::Failed(format!("{} has no instance of this study", daemon.root())));
        };
        let first =
            |wanted: Kind| kinds.iter().find(|(kind, _)| *kind == wanted).and_then(|(_, instance)| place(instance));
        let missing = || Failure::Failed("the instance list has no Series or SOP Instance UID".into());
        let series = text(chosen, "0020000E").ok_or_else(missing)?.to_owned();
        let instance = text(chosen, "00080018").ok_or_else(missing)?.to_owned();
        let path = place(chosen).ok_or_else(missing)?;
        let within = instances.iter().filter(|other| text(other, "0020000E") == Some(&series)).count();
        let frames = chosen.pointer("/00280008/Value/0").and_then(Value::as_u64).unwrap_or(1);
        let metadata = daemon.json(&format!("{path}/metadata")).await?;
        Ok(Self {
            root: "/dicom-web".into(),
            url: daemon.root(),
            study: study.to_owned(),
            kind,
            series,
            instance,
            frames: if kind == Kind::Image { frames } else { 0 },
            instances: within,
            film: first(Kind::Film),
            document: first(Kind::Document),
            object: first(Kind::Object),
            bulk: bulk(daemon, &metadata),
            part10: if store { part10(daemon, &path).await? } else { Bytes::new() },
        })
    }
    pub fn of_study(&self, rest: &str) -> String {
        format!("{}/studies/{}{rest}", self.root, self.study)
    }
    pub fn of_series(&self, rest: &str) -> String {
        self.of_study(&format!("/series/{}{rest}", self.series))
    }
    pub fn of_instance(&self, rest: &str) -> String {
        self.of_series(&format!("/instances/{}{rest}", self.instance))
    }
}

fn text<'a>(instance: &'a Value, tag: &str) -> Option<&'a str> {
    instance.pointer(&format!("/{tag}/Value/0")).and_then(Value::as_str)
}

fn kind(instance: &Value) -> Kind {
    match text(instance, "00080016") {
        Some(class) if VIDEO.contains(&class) => Kind::Film,
        Some(ENCAPSULATED_PDF) => Kind::Document,
        Some(SEGMENTATION) => Kind::Object,
        _ if instance.pointer("/00280010/Value/0").is_some() => Kind::Image,
        _ => Kind::Object,
    }
}

fn as_stored() -> [(String, String); 1] {
    [("accept".to_owned(), "application/dicom; transfer-syntax=*".to_owned())]
}

async fn is_film(daemon: &Daemon, instance: &str) -> Result<bool, Failure> {
    let answer = daemon.ask(Method::HEAD, instance, &as_stored(), Bytes::new()).await.map_err(Failure::Failed)?;
    let uid = answer.header("content-type").split_once("transfer-syntax=").map_or("", |(_, uid)| uid);
    Ok(transfer_syntax::lookup(uid.trim_matches('"')).is_some_and(|syntax| syntax.frames == Frames::Video))
}

async fn part10(daemon: &Daemon, instance: &str) -> Result<Bytes, Failure> {
    let answer = daemon.ask(Method::GET, instance, &as_stored(), Bytes::new()).await.map_err(Failure::Failed)?;
    Ok(if answer.status.is_success() { answer.body } else { Bytes::new() })
}

/// A value that is no pixel data, if there is one. An address that leads elsewhere is a failure of the metadata.
fn bulk(daemon: &Daemon, metadata: &Value) -> Option<Bulk> {
    let mut named = Vec::new();
    bulk_uris(metadata, false, &mut |uri, pixels| named.push((pixels, uri.to_owned())));
    let (pixels, uri) = named.into_iter().min_by_key(|(pixels, _)| *pixels)?;
    daemon.target(&uri).map(|target| Bulk { target, pixels })
}

/// Each BulkDataURI of a DICOM JSON Model (PS3.18 §F.2.6), and whether it is that of Pixel Data.
pub fn bulk_uris<'a>(value: &'a Value, pixels: bool, found: &mut impl FnMut(&'a str, bool)) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| bulk_uris(item, pixels, found)),
        Value::Object(members) => {
            for (name, member) in members {
                match member {
                    Value::String(uri) if name == "BulkDataURI" => found(uri, pixels),
                    member => bulk_uris(member, pixels || name == PIXEL_DATA, found),
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_image_stands_for_its_study_and_a_film_is_none() {
        let instance = |class: &str, rows: bool| {
            let mut instance = json!({ "00080016": { "Value": [class] } });
            if rows {
                instance["00280010"] = json!({ "Value": [240] });
            }
            instance
        };
        let cases = [
            ("1.2.840.10008.5.1.4.1.1.2", true, Kind::Image),
            ("1.2.840.10008.5.1.4.1.1.77.1.4.1", true, Kind::Film),
            ("1.2.840.10008.5.1.4.1.1.104.1", false, Kind::Document),
            ("1.2.840.10008.5.1.4.1.1.66.4", true, Kind::Object),
            ("1.2.840.10008.5.1.4.1.1.88.11", false, Kind::Object),
        ];
        for (class, rows, expected) in cases {
            assert_eq!(kind(&instance(class, rows)), expected, "{class}");
        }
        assert!(Kind::Image < Kind::Film && Kind::Film < Kind::Document && Kind::Document < Kind::Object);
    }

    #[test]
    fn bulk_data_is_found_in_items_too() {
        let metadata = json!([{
            "7FE00010": { "vr": "OW", "BulkDataURI": "a" },
            "00091002": { "vr": "SQ", "Value": [{ "00091003": { "vr": "OB", "BulkDataURI": "b" } }] },
        }]);
        let mut found = Vec::new();
        bulk_uris(&metadata, false, &mut |uri, pixels| found.push((uri, pixels)));
        found.sort_unstable();
        assert_eq!(found, [("a", true), ("b", false)]);
    }
}
