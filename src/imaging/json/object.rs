//! The elements of DICOM JSON that concern display, as they are read; everything else is skipped.

use crate::imaging::lut::{Descriptor, Values};
use base64::Engine;
use serde::Deserialize;
use serde::de::IgnoredAny;

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Object {
    #[serde(rename = "00181063")]
    pub(super) frame_time: Element,
    #[serde(rename = "00181065")]
    pub(super) frame_times: Element,
    #[serde(rename = "00280009")]
    pub(super) increment: Element,
    #[serde(rename = "00180040")]
    pub(super) cine_rate: Element,
    #[serde(rename = "00082144")]
    pub(super) display_rate: Element,
    #[serde(rename = "00280034")]
    pub(super) aspect: Element,
    #[serde(rename = "00280100")]
    pub(super) bits_allocated: Element,
    #[serde(rename = "00280101")]
    pub(super) bits_stored: Element,
    #[serde(rename = "00280103")]
    pub(super) pixel_representation: Element,
    #[serde(rename = "00280120")]
    pub(super) padding: Element,
    #[serde(rename = "00280121")]
    pub(super) padding_limit: Element,
    #[serde(rename = "00280122")]
    pub(super) float_padding: Element,
    #[serde(rename = "00280123")]
    pub(super) double_padding: Element,
    #[serde(rename = "00280124")]
    pub(super) float_padding_limit: Element,
    #[serde(rename = "00280125")]
    pub(super) double_padding_limit: Element,
    #[serde(rename = "00281101")]
    pub(super) red_is: Element,
    #[serde(rename = "00281102")]
    pub(super) green_is: Element,
    #[serde(rename = "00281103")]
    pub(super) blue_is: Element,
    #[serde(rename = "00281201")]
    pub(super) red: Element,
    #[serde(rename = "00281202")]
    pub(super) green: Element,
    #[serde(rename = "00281203")]
    pub(super) blue: Element,
    #[serde(rename = "00281221")]
    pub(super) red_segmented: Element,
    #[serde(rename = "00281222")]
    pub(super) green_segmented: Element,
    #[serde(rename = "00281223")]
    pub(super) blue_segmented: Element,
    #[serde(rename = "00283000")]
    pub(super) modality_luts: Sequence<LutItem>,
    #[serde(rename = "00283010")]
    pub(super) voi_luts: Sequence<LutItem>,
    #[serde(rename = "52009229")]
    pub(super) shared: Sequence<Groups>,
    #[serde(rename = "52009230")]
    pub(super) per_frame: Sequence<Groups>,
    #[serde(rename = "00281050")]
    pub(super) center: Element,
    #[serde(rename = "00281051")]
    pub(super) width: Element,
    #[serde(rename = "00281056")]
    pub(super) function: Element,
    #[serde(rename = "00281052")]
    pub(super) intercept: Element,
    #[serde(rename = "00281053")]
    pub(super) slope: Element,
    #[serde(rename = "00280030")]
    pub(super) spacing: Element,
    #[serde(rename = "00181164")]
    pub(super) imager_spacing: Element,
    #[serde(rename = "00182010")]
    pub(super) scanned_spacing: Element,
    #[serde(rename = "20500020")]
    pub(super) presentation: Element,
}

impl Object {
    /// Pixel Representation (0028,0103) is 2's complement.
    pub(super) fn is_signed(&self) -> bool {
        self.pixel_representation.number() == Some(1.0)
    }
}

/// One item of the functional groups: the macros that concern display.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Groups {
    #[serde(rename = "00289132")]
    pub(super) voi: Sequence<Voi>,
    #[serde(rename = "00289145")]
    pub(super) modality: Sequence<Modality>,
    #[serde(rename = "00289110")]
    pub(super) measures: Sequence<Measures>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Voi {
    #[serde(rename = "00281050")]
    pub(super) center: Element,
    #[serde(rename = "00281051")]
    pub(super) width: Element,
    #[serde(rename = "00281056")]
    pub(super) function: Element,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Modality {
    #[serde(rename = "00281052")]
    pub(super) intercept: Element,
    #[serde(rename = "00281053")]
    pub(super) slope: Element,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Measures {
    #[serde(rename = "00280030")]
    pub(super) spacing: Element,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct LutItem {
    #[serde(rename = "00283002")]
    pub(super) descriptor: Element,
    #[serde(rename = "00283006")]
    pub(super) data: Element,
}

#[derive(Deserialize)]
pub(super) struct Sequence<T> {
    #[serde(rename = "Value", default = "Vec::new")]
    pub(super) items: Vec<T>,
}

impl<T> Default for Sequence<T> {
    fn default() -> Self {
        Self { items: Vec::new() }
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Element {
    #[serde(rename = "Value")]
    pub(super) value: Vec<Scalar>,
    #[serde(rename = "InlineBinary")]
    pub(super) inline: Option<String>,
    #[serde(rename = "BulkDataURI")]
    pub(super) bulk: Option<String>,
}

/// A decimal or integer string is a number where it round-trips, else text; what a broken object holds
/// instead is neither.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Scalar {
    Number(f64),
    Text(String),
    Other(IgnoredAny),
}

impl Element {
    pub(super) fn nth(&self, at: usize) -> Option<f64> {
        match self.value.get(at)? {
            Scalar::Number(number) => Some(*number),
            Scalar::Text(text) => text.trim().parse().ok(),
            Scalar::Other(_) => None,
        }
    }
    pub(super) fn number(&self) -> Option<f64> {
        self.nth(0)
    }
    pub(super) fn text(&self) -> Option<&str> {
        match self.value.first()? {
            Scalar::Text(text) => Some(text),
            _ => None,
        }
    }
    /// Of a table whose input is `signed`, or not.
    pub(super) fn descriptor(&self, signed: bool) -> Option<Descriptor> {
        Descriptor::new(self.nth(0)?, self.nth(1)?, self.nth(2)?).map(|descriptor| descriptor.of_input(signed))
    }
    /// The values of a table: numbers, bytes, or the place where they are to be had.
    pub(super) fn values(&self, place: &str) -> Option<Values> {
        if self.bulk.is_some() {
            return Some(Values::Elsewhere(place.into()));
        }
        if let Some(inline) = &self.inline {
            return base64::engine::general_purpose::STANDARD.decode(inline).ok().map(Values::Bytes);
        }
        // A negative number is a table that was written with VR SS: its bits are meant.
        let words: Option<Vec<u16>> = (0..self.value.len()).map(|at| self.nth(at).map(|v| v as i32 as u16)).collect();
        words.filter(|words| !words.is_empty()).map(Values::Words)
    }
}

/// An element, or whatever else a broken object holds.
#[derive(Deserialize)]
#[serde(transparent)]
pub(super) struct Plane(#[serde(deserialize_with = "lenient")] pub(super) Element);

fn lenient<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Element, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Element(Element),
        Other(IgnoredAny),
    }
    Ok(match Either::deserialize(deserializer)? {
        Either::Element(element) => element,
        Either::Other(_) => Element::default(),
    })
}
