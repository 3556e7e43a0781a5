//! The few attributes of display picked out of DICOM JSON, and what they mean.

mod object;

use super::annotation::Labels;
use super::attributes::{DisplayAttributes, Function, Rescale, Window};
use super::error::ImagingError;
use super::lut::{Lut, Values};
use super::overlay::{Bits, Overlay};
use object::{Element, Groups, LutItem, Measures, Modality, Object, Plane, Voi};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

pub(super) fn read(json: &[u8], frame: u32) -> Result<DisplayAttributes, ImagingError> {
    let mut object: Object = serde_json::from_slice(json)?;
    // Of the functional groups those of the frame come before the shared ones, and both before the top.
    let of_frame = usize::try_from(frame).ok().and_then(|at| object.per_frame.items.get_mut(at)).map(std::mem::take);
    let shared = object.shared.items.first_mut().map(std::mem::take);
    let groups: Vec<Groups> = of_frame.into_iter().chain(shared).collect();
    let take = std::mem::take::<Element>;
    let top = (
        Voi { center: take(&mut object.center), width: take(&mut object.width), function: take(&mut object.function) },
        Modality { intercept: take(&mut object.intercept), slope: take(&mut object.slope) },
        Measures { spacing: take(&mut object.spacing) },
    );
    let voi = groups.iter().find_map(|group| group.voi.items.first()).unwrap_or(&top.0);
    let modality = groups.iter().find_map(|group| group.modality.items.first()).unwrap_or(&top.1);
    let spacing = groups.iter().find_map(|group| group.measures.items.first()).unwrap_or(&top.2);
    let rescale = rescale(modality);
    let stored = stored(&object);
    let modality_lut = object.modality_luts.items.first().and_then(|item| lut(item, "00283000/0/", stored.start < 0.0));
    // What a Modality LUT gives is never negative; what a rescale gives depends (PS3.3 §C.11.2.1.1).
    let below_zero = modality_lut.is_none() && lowest(&stored, rescale) < 0.0;
    Ok(DisplayAttributes {
        window: window(voi),
        voi_lut: object.voi_luts.items.first().and_then(|item| lut(item, "00283010/0/", below_zero)),
        rescale,
        modality_lut,
        padding: padding(&object),
        palette: palette(&object),
        aspect: aspect(&object, spacing),
        inverse: inverse(&object),
        frame_time_ms: frame_time_ms(&object, frame),
        overlays: Vec::new(),
        labels: Labels::default(),
        profile: None,
        whole: None,
    })
}

/// The overlay planes that belong to `frame` (PS3.3 §C.9.2, §C.9.3).
pub(super) fn overlays(json: &[u8], frame: u32) -> Result<Vec<Overlay>, ImagingError> {
    let object: BTreeMap<Cow<str>, Plane> = serde_json::from_slice(json)?;
    let mut found = Vec::new();
    for group in (0x6000..=0x601E).step_by(2) {
        let element = |number: u16| object.get(format!("{group:04X}{number:04X}").as_str()).map(|plane| &plane.0);
        let number = |tag: u16| element(tag).and_then(Element::number);
        let (Some(rows), Some(columns)) = (number(0x0010), number(0x0011)) else { continue };
        // A plane of several frames begins at Image Frame Origin; one without them belongs to all.
        let own = match number(0x0015) {
            None => 0,
            Some(count) => {
                let first = number(0x0051).unwrap_or(1.0) as i64 - 1;
                let own = i64::from(frame) - first;
                if !(0..count as i64).contains(&own) {
                    continue;
                }
                own as u32
            }
        };
        let bits = match element(0x3000).and_then(|data| data.values(&format!("{group:04X}3000"))) {
            Some(Values::Bytes(bytes)) => Bits::Data(bytes),
            Some(Values::Elsewhere(place)) => Bits::Elsewhere(place),
            Some(Values::Words(words)) => Bits::Data(words.iter().flat_map(|word| word.to_le_bytes()).collect()),
            None => match number(0x0102) {
                Some(bit @ 0.0..32.0) => Bits::Embedded(bit as u16),
                _ => continue,
            },
        };
        let origin = element(0x0050)
            .map_or((1, 1), |origin| (origin.nth(0).unwrap_or(1.0) as i32, origin.nth(1).unwrap_or(1.0) as i32));
        found.push(Overlay { rows: rows as u32, columns: columns as u32, origin, frame: own, bits });
    }
    Ok(found)
}

fn window(voi: &Voi) -> Option<Window> {
    let function = match voi.function.text().unwrap_or("LINEAR").trim() {
        "SIGMOID" => Function::Sigmoid,
        "LINEAR_EXACT" => Function::LinearExact,
        _ => Function::Linear,
    };
    Window::new(voi.center.number()?, voi.width.number()?, function)
}

fn rescale(modality: &Modality) -> Option<Rescale> {
    let slope = modality.slope.number().filter(|slope| slope.is_finite() && *slope != 0.0)?;
    let intercept = modality.intercept.number().filter(|intercept| intercept.is_finite()).unwrap_or(0.0);
    Some(Rescale { slope, intercept })
}

/// Signed as pixels are, whatever the VR says (PS3.3 §C.7.5.1.1.2); of floating point pixels in their own attributes
/// (§C.7.6.24, §C.7.6.25).
fn padding(object: &Object) -> Option<(f64, f64)> {
    let words = object.bits_allocated.number().is_none_or(|bits| bits <= 16.0);
    let as_stored = |value: f64| match object.is_signed() {
        true if words && (32_768.0..65_536.0).contains(&value) => value - 65_536.0,
        false if (-32_768.0..0.0).contains(&value) => value + 65_536.0,
        _ => value,
    };
    let (value, limit) = match (object.padding.number(), object.float_padding.number()) {
        (Some(value), _) => (as_stored(value), object.padding_limit.number().map(as_stored)),
        (None, Some(value)) => (value, object.float_padding_limit.number()),
        (None, None) => (object.double_padding.number()?, object.double_padding_limit.number()),
    };
    let limit = limit.unwrap_or(value);
    Some((value.min(limit), value.max(limit)))
}

/// The values that pixels can have: from, and up to but without (PS3.3 §C.7.6.3.1.3). Empty where that is not said.
fn stored(object: &Object) -> Range<f64> {
    let bits = object.bits_stored.number().filter(|bits| (1.0..=32.0).contains(bits)).unwrap_or(0.0);
    let whole = if bits > 0.0 { bits.exp2() } else { 0.0 };
    if object.is_signed() { -whole / 2.0..whole / 2.0 } else { 0.0..whole }
}

fn lowest(stored: &Range<f64>, rescale: Option<Rescale>) -> f64 {
    let Some(Rescale { slope, intercept }) = rescale else { return stored.start };
    [stored.start, (stored.end - 1.0).max(stored.start)]
        .map(|end| end * slope + intercept)
        .into_iter()
        .fold(f64::INFINITY, f64::min)
}

fn palette(object: &Object) -> Option<[Lut; 3]> {
    let colour = |descriptor: &Element, plain: &Element, segmented: &Element, place: [&str; 2]| {
        let descriptor = descriptor.descriptor(object.is_signed())?;
        if let Some(values) = plain.values(place[0]) {
            return Some(Lut::new(descriptor, values, false));
        }
        Some(Lut::new(descriptor, segmented.values(place[1])?, true))
    };
    Some([
        colour(&object.red_is, &object.red, &object.red_segmented, ["00281201", "00281221"])?,
        colour(&object.green_is, &object.green, &object.green_segmented, ["00281202", "00281222"])?,
        colour(&object.blue_is, &object.blue, &object.blue_segmented, ["00281203", "00281223"])?,
    ])
}

fn lut(item: &LutItem, before: &str, signed: bool) -> Option<Lut> {
    let values = item.data.values(&format!("{before}00283006"))?;
    Some(Lut::new(item.descriptor.descriptor(signed)?, values, false))
}

/// What Presentation LUT Shape (2050,0020) says, where it does (PS3.3 §C.11.6).
fn inverse(object: &Object) -> Option<bool> {
    match object.presentation.text()?.trim() {
        "INVERSE" => Some(true),
        "IDENTITY" => Some(false),
        _ => None,
    }
}

/// Pixel Aspect Ratio (0028,0034) when it is there, else what a spacing implies; both name the vertical
/// first (PS3.3 §C.7.6.3.1.7, §10.7.1.3).
fn aspect(object: &Object, measures: &Measures) -> Option<f64> {
    [&object.aspect, &measures.spacing, &object.imager_spacing, &object.scanned_spacing]
        .into_iter()
        .find_map(|element| {
            let (vertical, horizontal) = (element.nth(0)?, element.nth(1)?);
            Some(vertical / horizontal).filter(|ratio| ratio.is_finite() && *ratio > 0.0)
        })
        .map(|ratio| ratio.clamp(0.05, 20.0))
}

/// How long `frame` stands: until the next one of Frame Time Vector, or Frame Time, or what a rate implies (PS3.3
/// §C.7.6.5). Where there are both times, Frame Increment Pointer names the vector.
fn frame_time_ms(object: &Object, frame: u32) -> Option<f64> {
    let of_rate = |rate: &Element| rate.number().map(|rate| 1000.0 / rate);
    let own = of_vector(&object.frame_times, frame);
    let pointed = object.increment.text() == Some("00181065");
    let times = [own.filter(|_| pointed), object.frame_time.number(), own];
    let rates = [of_rate(&object.cine_rate), of_rate(&object.display_rate)];
    times.into_iter().chain(rates).flatten().find(|ms| ms.is_finite() && *ms > 0.0)
}

/// Each value is the time since the frame before, that of the first is 0. After the last frame comes none: it stands
/// as long as the one before it did.
fn of_vector(times: &Element, frame: u32) -> Option<f64> {
    let next = usize::try_from(frame).ok()?.checked_add(1)?;
    times.nth(next).or_else(|| times.nth(next - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(json: &str, frame: u32) -> DisplayAttributes {
        read(json.as_bytes(), frame).unwrap()
    }

    #[test]
    fn numbers_may_be_strings_and_the_first_window_counts() {
        let read = of(
            r#"{"00281050":{"vr":"DS","Value":["40.0",50]},"00281051":{"vr":"DS","Value":[400,1500]},
                "00281052":{"vr":"DS","Value":[-1024]},"00281053":{"vr":"DS","Value":["1.000"]},
                "00280030":{"vr":"DS","Value":[1.0,0.5]},
                "00100010":{"vr":"PN","Value":[{"Alphabetic":"A^B"}]}}"#,
            0,
        );
        assert_eq!(read.window, Window::new(40.0, 400.0, Function::Linear));
        assert_eq!(read.rescale, Some(Rescale { slope: 1.0, intercept: -1024.0 }));
        assert_eq!(read.aspect, Some(2.0));
    }

    #[test]
    fn the_shape_and_the_scanned_spacing_are_read() {
        for (shape, inverse) in [("INVERSE", Some(true)), ("IDENTITY", Some(false)), ("OTHER", None)] {
            let json = format!(r#"{{"20500020":{{"vr":"CS","Value":["{shape}"]}}}}"#);
            assert_eq!(of(&json, 0).inverse, inverse);
        }
        assert_eq!(of(r#"{"00182010":{"vr":"DS","Value":[0.1,0.2]}}"#, 0).aspect, Some(0.5));
    }

    #[test]
    fn padding_is_signed_as_pixels_are() {
        let padding = |allocated: u8, representation: u8, value: i32, limit: &str| {
            let json = format!(
                r#"{{"00280100":{{"Value":[{allocated}]}},"00280103":{{"Value":[{representation}]}},
                "00280120":{{"Value":[{value}]}}{limit}}}"#
            );
            of(&json, 0).padding
        };
        let limit = r#","00280121":{"vr":"US","Value":[63546]}"#;
        assert_eq!(padding(16, 1, -2000, ""), Some((-2000.0, -2000.0)));
        assert_eq!(padding(16, 1, 63_536, ""), Some((-2000.0, -2000.0)));
        assert_eq!(padding(16, 1, 63_536, limit), Some((-2000.0, -1990.0)));
        assert_eq!(padding(16, 0, 63_536, limit), Some((63_536.0, 63_546.0)));
        assert_eq!(padding(16, 0, -1, ""), Some((65_535.0, 65_535.0)));
        let float = of(r#"{"00280122":{"vr":"FL","Value":[-1e30]},"00280124":{"vr":"FL","Value":[-0.5]}}"#, 0).padding;
        assert_eq!(float, Some((-1e30, -0.5)));
        // As the metadata has it: to the last bit, or it is no pixel's value.
        let least = of(r#"{"00280122":{"vr":"FL","Value":[-3.4028234663852886e38]}}"#, 0).padding;
        assert_eq!(least, Some((f64::from(f32::MIN), f64::from(f32::MIN))));
        let double = of(r#"{"00280123":{"vr":"FD","Value":[9]},"00280125":{"vr":"FD","Value":[8.5]}}"#, 0).padding;
        assert_eq!(double, Some((8.5, 9.0)));
        // In 32 bits it is a value of its own.
        assert_eq!(padding(32, 1, 63_536, ""), Some((63_536.0, 63_536.0)));
    }

    #[test]
    fn what_is_missing_null_or_broken_is_absent() {
        for json in [
            "{}",
            r#"{"00281050":{"vr":"DS"},"00281051":{"vr":"DS","Value":[400]}}"#,
            r#"{"00281050":{"vr":"DS","Value":[null]},"00281051":{"vr":"DS","Value":[400]}}"#,
            r#"{"00281050":{"vr":"SQ","Value":[{}]},"00281051":{"vr":"DS","Value":["wide"]}}"#,
            r#"{"00281050":{"vr":"DS","Value":[1]},"00281051":{"vr":"DS","Value":[0]},"00281053":{"vr":"DS","Value":[0]}}"#,
        ] {
            assert_eq!(of(json, 0), DisplayAttributes::default(), "{json}");
        }
        assert!(read(b"[1", 0).is_err());
    }

    /// Without a VR in the data set, a first value of -1024 is read as 64512 (PS3.3 §C.11.2.1.1).
    #[test]
    fn the_first_value_of_a_table_is_signed_as_its_input_is() {
        let first = |representation: u8, intercept: i32, first: i32| {
            let table = format!(
                r#"{{"vr":"SQ","Value":[{{"00283002":{{"vr":"US","Value":[4096,{first},16]}},
                   "00283006":{{"vr":"US","Value":[0,1]}}}}]}}"#
            );
            let read = of(
                &format!(
                    r#"{{"00280101":{{"Value":[12]}},"00280103":{{"Value":[{representation}]}},
                    "00281052":{{"Value":[{intercept}]}},"00281053":{{"Value":[1]}},"00283010":{table}}}"#
                ),
                0,
            );
            read.voi_lut.unwrap().table().unwrap().first
        };
        // Pixel Representation, Rescale Intercept, first value as written and as meant.
        for (representation, intercept, written, meant) in [
            (0, -1024, 64_512, -1024),
            (0, -1024, -1024, -1024),
            (1, 0, 63_488, -2048),
            (0, 0, 40_000, 40_000),
            (1, 40_000, -25_536, 40_000),
            // A table may begin below its input.
            (0, 0, -1024, -1024),
        ] {
            assert_eq!(first(representation, intercept, written), meant, "{representation} {intercept} {written}");
        }
    }

    #[test]
    fn a_frames_own_group_comes_before_the_shared_one() {
        let json = r#"{"52009229":{"vr":"SQ","Value":[
              {"00289132":{"vr":"SQ","Value":[{"00281050":{"Value":[1]},"00281051":{"Value":[2]},
                                               "00281056":{"Value":["SIGMOID"]}}]},
               "00289145":{"vr":"SQ","Value":[{"00281052":{"Value":[5]},"00281053":{"Value":[2]}}]}}]},
            "52009230":{"vr":"SQ","Value":[{}, {"00289132":{"vr":"SQ","Value":[
              {"00281050":{"Value":[10]},"00281051":{"Value":[20]}}]}}]}}"#;
        assert_eq!(of(json, 0).window, Window::new(1.0, 2.0, Function::Sigmoid));
        assert_eq!(of(json, 1).window, Window::new(10.0, 20.0, Function::Linear));
        assert_eq!(of(json, 1).rescale, Some(Rescale { slope: 2.0, intercept: 5.0 }));
        assert_eq!(of(json, 9).window, of(json, 0).window);
    }

    #[test]
    fn a_frame_stands_until_the_next_one_of_the_vector() {
        let vector = r#""00181065":{"vr":"DS","Value":[0,"100.0",300]},"00180040":{"vr":"IS","Value":[25]}"#;
        let times = |json: &str| [0, 1, 2, 3].map(|frame| of(json, frame).frame_time_ms);
        // Beyond the vector the rate is left.
        let expected = [Some(100.0), Some(300.0), Some(300.0), Some(40.0)];
        assert_eq!(times(&format!("{{{vector}}}")), expected);
        let both = format!(r#"{{{vector},"00181063":{{"vr":"DS","Value":[50]}}"#);
        assert_eq!(times(&format!("{both}}}")), [Some(50.0); 4]);
        let pointed = format!(r#"{both},"00280009":{{"vr":"AT","Value":["00181065"]}}}}"#);
        assert_eq!(times(&pointed), [Some(100.0), Some(300.0), Some(300.0), Some(50.0)]);
        assert_eq!(times(r#"{"00181065":{"vr":"DS","Value":[0]}}"#), [None; 4]);
    }

    #[test]
    fn overlays_are_those_of_the_frame() {
        let json = r#"{"00100010":{"vr":"PN","Value":[{"Alphabetic":"A^B"}]},
            "60000010":{"vr":"US","Value":[2]},"60000011":{"vr":"US","Value":[3]},
            "60000050":{"vr":"SS","Value":[2,-1]},"60003000":{"vr":"OB","InlineBinary":"AwA="},
            "60020010":{"vr":"US","Value":[2]},"60020011":{"vr":"US","Value":[3]},
            "60020015":{"vr":"IS","Value":[2]},"60020051":{"vr":"US","Value":[4]},
            "60023000":{"vr":"OW","BulkDataURI":"http://x/bulkdata/60023000"},
            "60040010":{"vr":"US","Value":[2]},"60040011":{"vr":"US","Value":[3]},"60040102":{"vr":"US","Value":[12]},
            "60060010":{"vr":"US"}}"#;
        let of = |frame| overlays(json.as_bytes(), frame).unwrap();
        let first = Overlay { rows: 2, columns: 3, origin: (2, -1), frame: 0, bits: Bits::Data(vec![3, 0]) };
        let embedded = Overlay { origin: (1, 1), bits: Bits::Embedded(12), ..first.clone() };
        let elsewhere = Overlay { frame: 1, bits: Bits::Elsewhere("60023000".into()), ..embedded.clone() };
        assert_eq!(of(0), [first.clone(), embedded.clone()]);
        assert_eq!(of(4), [first, elsewhere, embedded]);
    }

    #[test]
    fn a_table_that_is_bulk_data_is_asked_for_by_its_place() {
        let mut read = of(
            r#"{"00283000":{"vr":"SQ","Value":[{"00283002":{"vr":"US","Value":[4,0,8]},
                "00283006":{"vr":"OW","BulkDataURI":"http://x/bulkdata/00283000/0/00283006"}}]}}"#,
            0,
        );
        assert_eq!(read.elsewhere(), ["00283000/0/00283006"]);
        read.supply("00283000/0/00283006", &[9, 0, 8, 0, 7, 0, 6, 0]);
        assert!(read.elsewhere().is_empty());
        assert_eq!(read.modality_lut.unwrap().table().unwrap().values, [9, 8, 7, 6]);
    }
}
