//! The parameters of WADO-URI (PS3.18 §9.1.2). Each is given once; one that makes no sense is refused with
//! its name, one that is not known is passed over.

use crate::domain::instance::{PixelFacts, Selector};
use crate::domain::uid::{InvalidUid, SeriesInstanceUid, SopInstanceUid, StudyInstanceUid, TransferSyntaxUid};
use crate::imaging::attributes::{Function, Window};
use crate::imaging::view::QUALITY;
use crate::imaging::{Annotation, Format, View, Viewport};
use crate::web::dicomweb::accept::Accept;
use crate::web::dicomweb::params::pairs;
use crate::web::dicomweb::viewing::{self, VIEWPORT_MAX};
use crate::web::problem::Problem;

/// Every parameter that is read, as the standard spells it.
const NAMES: [&str; 18] = [
    "requestType",
    "studyUID",
    "seriesUID",
    "objectUID",
    "contentType",
    "charset",
    "anonymize",
    "annotation",
    "rows",
    "columns",
    "region",
    "windowCenter",
    "windowWidth",
    "frameNumber",
    "imageQuality",
    "presentationSeriesUID",
    "presentationUID",
    "transferSyntax",
];

/// What a query comes to.
#[derive(Debug)]
pub struct Wanted {
    pub selector: Selector,
    /// `contentType`, the caller's order kept.
    pub content_type: Option<Accept>,
    /// From 1.
    pub frame: Option<u32>,
    /// A UID, or `*` for whatever it is stored in, as OHIF asks.
    pub transfer_syntax: Option<String>,
    /// Whether text in UTF-8 is taken.
    pub utf8: bool,
    annotation: Annotation,
    window: Option<Window>,
    rows: Option<u32>,
    columns: Option<u32>,
    /// Left, top, right and bottom in parts of the frame, 0 to 1.
    region: Option<[f64; 4]>,
    quality: u8,
}

impl Wanted {
    pub fn of(query: Option<&str>) -> Result<Self, Problem> {
        let given = Given::of(query)?;
        if !given.needed("requestType")?.eq_ignore_ascii_case("WADO") {
            return Err(Problem::bad_request("requestType is WADO (PS3.18 §9.1.2.1)."));
        }
        let wanted = Self {
            selector: Selector {
                study: uid("studyUID", given.needed("studyUID")?, StudyInstanceUid::parse)?,
                series: Some(uid("seriesUID", given.needed("seriesUID")?, SeriesInstanceUid::parse)?),
                instance: Some(uid("objectUID", given.needed("objectUID")?, SopInstanceUid::parse)?),
            },
            content_type: given.get("contentType").map(content_type).transpose()?,
            frame: given.number("frameNumber", u32::MAX)?,
            transfer_syntax: given
                .get("transferSyntax")
                .map(|text| match text {
                    "*" => Ok(text.to_owned()),
                    text => uid("transferSyntax", text, TransferSyntaxUid::parse).map(|uid| uid.to_string()),
                })
                .transpose()?,
            utf8: given.get("charset").is_none_or(takes_utf8),
            annotation: given.get("annotation").map(viewing::annotation).transpose()?.unwrap_or_default(),
            window: given.window()?,
            rows: given.number("rows", VIEWPORT_MAX)?,
            columns: given.number("columns", VIEWPORT_MAX)?,
            region: given.get("region").map(region).transpose()?,
            quality: given.number("imageQuality", 100)?.and_then(|n| u8::try_from(n).ok()).unwrap_or(QUALITY),
        };
        given.what_cannot_be_done().map_or(Ok(wanted), Err)
    }

    /// How a frame of `pixels` is to be shown.
    pub fn view(&self, format: Format, pixels: Option<&PixelFacts>) -> View {
        let viewport = pixels.and_then(|pixels| self.viewport(pixels));
        View {
            format,
            window: self.window,
            viewport,
            quality: self.quality,
            annotation: self.annotation,
            ..View::default()
        }
    }

    fn viewport(&self, pixels: &PixelFacts) -> Option<Viewport> {
        if self.region.is_none() && self.rows.is_none() && self.columns.is_none() {
            return None;
        }
        let (wide, high) = (f64::from(pixels.columns), f64::from(pixels.rows));
        let [left, top, right, bottom] = self.region.unwrap_or([0.0, 0.0, 1.0, 1.0]);
        let region = [left * wide, top * high, (right - left) * wide, (bottom - top) * high];
        // With one length given the other follows from the proportions; with none, from the region.
        let free = self.rows.is_some() || self.columns.is_some();
        let edge = |given: Option<u32>, natural: f64| {
            given.unwrap_or(if free {
                VIEWPORT_MAX
            } else {
                natural.round().clamp(1.0, f64::from(VIEWPORT_MAX)) as u32
            })
        };
        let [_, _, width, height] = region;
        Some(Viewport {
            width: edge(self.columns, width),
            height: edge(self.rows, height),
            region: self.region.map(|_| region),
        })
    }
}

/// The parameters that are known, decoded.
struct Given(Vec<(&'static str, String)>);

impl Given {
    fn of(query: Option<&str>) -> Result<Self, Problem> {
        let mut given: Vec<(&'static str, String)> = Vec::new();
        for pair in pairs(query.unwrap_or_default()) {
            let (name, value) = pair?;
            let Some(name) = NAMES.into_iter().find(|known| known.eq_ignore_ascii_case(&name)) else { continue };
            if given.iter().any(|(known, _)| *known == name) {
                return Err(Problem::bad_request(format!("{name} stands in the query twice; give it once.")));
            }
            given.push((name, value.trim().to_owned()));
        }
        Ok(Self(given))
    }
    /// An empty value is none.
    fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }
    fn needed(&self, name: &str) -> Result<&str, Problem> {
        self.get(name).ok_or_else(|| {
            Problem::bad_request(format!(
                "{name} is missing: a request names requestType=WADO, studyUID, seriesUID and objectUID."
            ))
        })
    }
    fn number(&self, name: &str, most: u32) -> Result<Option<u32>, Problem> {
        let Some(text) = self.get(name) else { return Ok(None) };
        match text.parse::<u32>() {
            Ok(number) if (1..=most).contains(&number) => Ok(Some(number)),
            _ => Err(Problem::bad_request(format!("{name} is a whole number from 1 to {most}."))),
        }
    }
    fn window(&self) -> Result<Option<Window>, Problem> {
        match (self.get("windowCenter"), self.get("windowWidth")) {
            (None, None) => Ok(None),
            (Some(center), Some(width)) => {
                let window = center.parse().ok().zip(width.parse().ok());
                let window = window.and_then(|(center, width)| Window::new(center, width, Function::Linear));
                window.map(Some).ok_or_else(|| {
                    Problem::bad_request("windowCenter and windowWidth are decimal numbers, the width 1 or more.")
                })
            }
            _ => Err(Problem::bad_request("windowCenter and windowWidth come together, or neither.")),
        }
    }
    /// Parameters whose meaning would be lost if they were passed over.
    fn what_cannot_be_done(&self) -> Option<Problem> {
        match self.get("anonymize") {
            None | Some("no") => {}
            Some("yes") => {
                return Some(Problem::not_acceptable(
                    "This server does not de-identify what it sends; without anonymize it comes as it is stored.",
                ));
            }
            Some(_) => return Some(Problem::bad_request("anonymize is yes, or not there.")),
        }
        let presented = self.get("presentationUID").or(self.get("presentationSeriesUID"));
        presented.map(|_| {
            Problem::not_acceptable(
                "Presentation states are not applied; ask without presentationUID and presentationSeriesUID.",
            )
        })
    }
}

fn uid<T>(name: &str, text: &str, parse: fn(&str) -> Result<T, InvalidUid>) -> Result<T, Problem> {
    parse(text).map_err(|_| {
        Problem::bad_request(format!("{name} is no UID: 1 to 64 of the characters 0-9 and '.' (PS3.5 §9.1)."))
    })
}

fn content_type(text: &str) -> Result<Accept, Problem> {
    Accept::listed(text).ok_or_else(|| Problem::bad_request("contentType is a media type, or a list of them."))
}

/// `utf-8` alone or in a list with qualities, or `*`.
fn takes_utf8(list: &str) -> bool {
    let names = list.split(',').map(|member| member.split(';').next().unwrap_or_default().trim().to_ascii_lowercase());
    names.into_iter().any(|name| matches!(name.as_str(), "utf-8" | "utf8" | "us-ascii" | "*"))
}

fn region(text: &str) -> Result<[f64; 4], Problem> {
    let wrong = || {
        Problem::bad_request(
            "region is left,top,right,bottom in parts of the image from 0.0 to 1.0, left before right and top above \
             bottom.",
        )
    };
    let numbers: Vec<f64> =
        text.split(',').map(|part| part.trim().parse::<f64>().map_err(|_| wrong())).collect::<Result<_, _>>()?;
    let region: [f64; 4] = numbers.try_into().map_err(|_| wrong())?;
    let [left, top, right, bottom] = region;
    let inside = region.iter().all(|edge| (0.0..=1.0).contains(edge));
    if inside && left < right && top < bottom { Ok(region) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMED: &str = "requestType=WADO&studyUID=1.2&seriesUID=1.3&objectUID=1.4";

    fn of(more: &str) -> Result<Wanted, Problem> {
        Wanted::of(Some(&format!("{NAMED}&{more}")))
    }

    #[test]
    fn an_instance_is_named_by_four_parameters_each_once() {
        let wanted = Wanted::of(Some("OBJECTUID=1.4&requesttype=wado&studyUID=1.2&seriesUID=1%2E3")).unwrap();
        assert_eq!(wanted.selector.series.unwrap().as_str(), "1.3");
        for (query, named) in [
            ("", "requestType"),
            ("requestType=WADO&seriesUID=1.3&objectUID=1.4", "studyUID"),
            ("requestType=WADO&studyUID=1.2&objectUID=1.4", "seriesUID"),
            ("requestType=WADO&studyUID=1.2&seriesUID=1.3&objectUID=", "objectUID"),
            ("requestType=WADO&studyUID=1.2&studyUID=1.5&seriesUID=1.3&objectUID=1.4", "studyUID"),
            ("requestType=QIDO&studyUID=1.2&seriesUID=1.3&objectUID=1.4", "requestType"),
            ("requestType=WADO&studyUID=one&seriesUID=1.3&objectUID=1.4", "studyUID"),
        ] {
            let problem = Wanted::of(Some(query)).unwrap_err();
            assert_eq!(problem.status, 400, "{query}");
            assert!(problem.detail.starts_with(named), "{query}: {}", problem.detail);
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_its_name() {
        for (query, status) in [
            ("frameNumber=0", 400),
            ("frameNumber=1,2", 400),
            ("rows=-1", 400),
            ("columns=99999", 400),
            ("region=0,0,1", 400),
            ("region=0,0,1,1.1", 400),
            ("region=0.5,0,0.5,1", 400),
            ("region=NaN,0,1,1", 400),
            ("windowCenter=40", 400),
            ("windowWidth=400", 400),
            ("windowCenter=40&windowWidth=0", 400),
            ("windowCenter=40&windowWidth=inf", 400),
            ("imageQuality=101", 400),
            ("transferSyntax=JPEG", 400),
            ("contentType=jpeg", 400),
            ("contentType=image/png&contentType=image/jpeg", 400),
            ("anonymize=perhaps", 400),
            ("anonymize=yes", 406),
            ("presentationUID=1.2.3", 406),
            ("rows=%zz", 400),
        ] {
            assert_eq!(of(query).unwrap_err().status, status, "{query}");
        }
        assert!(of("anonymize=no&somethingElse=1&somethingElse=2&rows=").is_ok());
    }

    #[test]
    fn a_region_is_a_part_of_the_frame_and_a_length_keeps_its_proportions() {
        let pixels = PixelFacts {
            rows: 100,
            columns: 200,
            samples_per_pixel: 1,
            bits_allocated: 8,
            bits_stored: 8,
            high_bit: 7,
            pixel_representation: 0,
            planar_configuration: 0,
            photometric_interpretation: "MONOCHROME2".into(),
            number_of_frames: 1,
            value: 0..20_000,
            element: 0x0010,
            frames: crate::domain::instance::FrameTable::Native { frame_bits: 160_000 },
        };
        let port = |query: &str| of(query).unwrap().view(Format::Png, Some(&pixels)).viewport;
        assert_eq!(port("imageQuality=50"), None);
        let port = |query: &str| port(query).map(|port| (port.width, port.height, port.region)).unwrap();
        assert_eq!(port("rows=50&columns=60"), (60, 50, None));
        assert_eq!(port("rows=50"), (VIEWPORT_MAX, 50, None));
        assert_eq!(port("region=0.25,0.5,0.75,1"), (100, 50, Some([50.0, 50.0, 100.0, 50.0])));
        assert_eq!(port("columns=10&region=0,0,0.5,0.5"), (10, VIEWPORT_MAX, Some([0.0, 0.0, 100.0, 50.0])));
    }

    proptest::proptest! {
        #[test]
        fn whatever_a_query_holds_it_is_an_instance_or_a_sentence(
            pairs in proptest::collection::vec((0..NAMES.len(), ".{0,24}"), 0..8),
            named in proptest::bool::ANY,
        ) {
            let pairs: Vec<String> = pairs.iter().map(|(name, value)| format!("{}={value}", NAMES[*name])).collect();
            let query = if named { format!("{NAMED}&{}", pairs.join("&")) } else { pairs.join("&") };
            match Wanted::of(Some(&query)) {
                Ok(wanted) => proptest::prop_assert!(wanted.selector.instance.is_some()),
                Err(problem) => {
                    proptest::prop_assert!(problem.status.is_client_error());
                    proptest::prop_assert!(problem.detail.ends_with('.'));
                }
            }
        }
    }

    #[test]
    fn text_is_utf8_or_nothing() {
        for (list, taken) in [("utf-8", true), ("ISO-8859-1, UTF-8;q=0.5", true), ("*", true), ("iso-8859-1", false)] {
            assert_eq!(of(&format!("charset={list}")).unwrap().utf8, taken, "{list}");
        }
    }
}
