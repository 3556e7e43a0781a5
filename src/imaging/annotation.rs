//! Text drawn over a picture (PS3.18 §8.3.5.1.1): who it is of, and how it was made.

use super::attributes::Window;
use super::encode::Raster;
use super::error::ImagingError;
use super::letters::{self, Letter};
use crate::domain::phi::Phi;
use noto_sans_mono_bitmap::RasterHeight;
use serde::Deserialize;

/// Which texts are asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Annotation {
    pub patient: bool,
    pub technique: bool,
}

/// Lines of text: at the top and at the bottom.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Labels {
    top: Phi<Vec<String>>,
    bottom: Vec<String>,
}

const MARGIN: u32 = 6;

#[derive(Deserialize)]
struct Object {
    #[serde(rename = "00100010")]
    name: Option<Attribute>,
    #[serde(rename = "00100020")]
    id: Option<Attribute>,
    #[serde(rename = "00100030")]
    birth_date: Option<Attribute>,
    #[serde(rename = "00080060")]
    modality: Option<Attribute>,
    #[serde(rename = "00180015")]
    body_part: Option<Attribute>,
    #[serde(rename = "00200011")]
    series: Option<Attribute>,
    #[serde(rename = "00200013")]
    instance: Option<Attribute>,
    #[serde(rename = "00180050")]
    thickness: Option<Attribute>,
    #[serde(rename = "00180060")]
    kvp: Option<Attribute>,
    #[serde(rename = "00181151")]
    current: Option<Attribute>,
    #[serde(rename = "00181150")]
    exposure_time: Option<Attribute>,
    #[serde(rename = "00180080")]
    repetition_time: Option<Attribute>,
    #[serde(rename = "00180081")]
    echo_time: Option<Attribute>,
    #[serde(rename = "00181314")]
    flip_angle: Option<Attribute>,
}

#[derive(Deserialize)]
struct Attribute {
    #[serde(rename = "Value", default)]
    values: Vec<Option<serde_json::Value>>,
}

impl Labels {
    /// Reads what is asked for out of an instance's DICOM JSON; `window` is the one in which it is shown.
    pub fn read(json: &[u8], asked: Annotation, window: Option<Window>) -> Result<Self, ImagingError> {
        let object: Object = serde_json::from_slice(json)?;
        let mut labels = Self::default();
        if asked.patient {
            let lines = [
                name(&object.name),
                labelled("ID ", &object.id, ""),
                text(&object.birth_date).map(|date| readable_date(&date)),
            ];
            labels.top = Phi::new(lines.into_iter().flatten().collect());
        }
        if asked.technique {
            let groups = [
                vec![text(&object.modality), text(&object.body_part)],
                vec![labelled("Series ", &object.series, ""), labelled("Image ", &object.instance, "")],
                vec![
                    labelled("", &object.kvp, " kV"),
                    labelled("", &object.current, " mA"),
                    labelled("", &object.exposure_time, " ms"),
                ],
                vec![
                    labelled("TR ", &object.repetition_time, " ms"),
                    labelled("TE ", &object.echo_time, " ms"),
                    labelled("Flip ", &object.flip_angle, "°"),
                ],
                vec![labelled("Slice ", &object.thickness, " mm")],
                vec![window.map(|window| format!("C {} W {}", short(window.center), short(window.width)))],
            ];
            let lines = groups.into_iter().map(|group| group.into_iter().flatten().collect::<Vec<_>>().join("  "));
            labels.bottom = lines.filter(|line| !line.is_empty()).collect();
        }
        Ok(labels)
    }

    /// Draws the lines in the corners of the left side: white with a dark edge, readable on everything.
    pub fn paint(&self, raster: &mut Raster) {
        let height = match raster.width.min(raster.height) {
            0..512 => RasterHeight::Size16,
            512..1280 => RasterHeight::Size24,
            _ => RasterHeight::Size32,
        };
        let line = height.val() as u32;
        let (top, bottom) = (self.top.expose(), &self.bottom);
        for (at, text) in (0..).zip(top) {
            write(raster, &letters::of(text, height), MARGIN, MARGIN + at * line);
        }
        let lines = u32::try_from(bottom.len()).unwrap_or(0);
        let start = raster.height.saturating_sub(lines * line + MARGIN);
        for (at, text) in (0..).zip(bottom) {
            write(raster, &letters::of(text, height), MARGIN, start + at * line);
        }
    }
}

fn text(attribute: &Option<Attribute>) -> Option<String> {
    let value = attribute.as_ref()?.values.first()?.as_ref()?;
    let text = match value {
        serde_json::Value::String(text) => text.trim().to_owned(),
        serde_json::Value::Number(number) => short(number.as_f64()?),
        _ => return None,
    };
    (!text.is_empty()).then_some(text)
}

fn labelled(before: &str, attribute: &Option<Attribute>, after: &str) -> Option<String> {
    Some(format!("{before}{}{after}", text(attribute)?))
}

/// At most three digits behind the point.
fn short(number: f64) -> String {
    let text = format!("{number:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The first group of a name that can be drawn whole: Alphabetic, Ideographic, Phonetic. None is better than one that
/// looks like another's; the ID says who it is.
fn name(attribute: &Option<Attribute>) -> Option<String> {
    let groups = attribute.as_ref()?.values.first()?.as_ref()?;
    let groups = ["Alphabetic", "Ideographic", "Phonetic"].into_iter().filter_map(|group| groups.get(group)?.as_str());
    groups.map(readable_name).find(|name| !name.is_empty() && letters::are_known(name))
}

/// `DOE^JOHN^^DR` as `DOE, JOHN DR`.
fn readable_name(name: &str) -> String {
    let mut components = name.split('^').map(str::trim);
    let family = components.next().unwrap_or_default();
    let given: Vec<&str> = components.filter(|component| !component.is_empty()).collect();
    if given.is_empty() { family.to_owned() } else { format!("{family}, {}", given.join(" ")) }
}

/// `19700131` as `1970-01-31`; anything else as it is.
fn readable_date(date: &str) -> String {
    match (date.get(..4), date.get(4..6), date.get(6..)) {
        (Some(year), Some(month), Some(day)) if date.len() == 8 => format!("{year}-{month}-{day}"),
        _ => date.to_owned(),
    }
}

/// One line, its upper left corner at `left` and `top`; what reaches beyond the picture is cut off.
pub(super) fn write(raster: &mut Raster, letters: &[Letter], left: u32, top: u32) {
    // The edge of every letter comes before the letters, so that none darkens its neighbour.
    for edge in [true, false] {
        let mut left = i64::from(left);
        for letter in letters {
            for (y, row) in (0..).zip(&letter.0) {
                for (x, ink) in (0..).zip(row).filter(|(_, ink)| **ink > 0) {
                    let (x, y) = (left + x, i64::from(top) + y);
                    if edge {
                        for (dx, dy) in [(-1, 0), (1, 0), (0, -1), (0, 1), (-1, -1), (1, 1), (-1, 1), (1, -1)] {
                            shade(raster, x + dx, y + dy, 0, *ink);
                        }
                    } else {
                        shade(raster, x, y, 255, *ink);
                    }
                }
            }
            left += i64::from(letter.width());
        }
    }
}

/// Brings a pixel nearer to `colour` by `share` of 255.
fn shade(raster: &mut Raster, x: i64, y: i64, colour: u8, share: u8) {
    let depth = if raster.colour { 3 } else { 1 };
    let inside = (0..i64::from(raster.width)).contains(&x) && (0..i64::from(raster.height)).contains(&y);
    if !inside {
        return;
    }
    let at = (y as usize * raster.width as usize + x as usize) * depth;
    for value in raster.bytes.iter_mut().skip(at).take(depth) {
        let mixed = u16::from(*value) * u16::from(255 - share) + u16::from(colour) * u16::from(share);
        *value = (mixed / 255) as u8;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imaging::attributes::Function;

    const JSON: &[u8] = br#"{"00100010":{"vr":"PN","Value":[{"Alphabetic":"DOE^J\u00f6rg^^DR"}]},
        "00100020":{"vr":"LO","Value":["P-1"]},"00100030":{"vr":"DA","Value":["19700131"]},
        "00080060":{"vr":"CS","Value":["CT"]},"00180060":{"vr":"DS","Value":[120]},
        "00180050":{"vr":"DS","Value":["0.625"]},"00180080":{"vr":"DS"},"00200013":{"vr":"IS","Value":[7]}}"#;

    #[test]
    fn lines_say_what_is_asked_for_and_nothing_else() {
        let window = Window::new(40.0, 400.5, Function::Linear);
        let read = |patient, technique| Labels::read(JSON, Annotation { patient, technique }, window).unwrap();
        assert_eq!(read(false, false), Labels::default());
        let both = read(true, true);
        assert_eq!(both.top.expose(), &["DOE, Jörg DR", "ID P-1", "1970-01-31"]);
        assert_eq!(both.bottom, ["CT", "Image 7", "120 kV", "Slice 0.625 mm", "C 40 W 400.5"]);
        assert!(read(true, false).bottom.is_empty());
        assert!(!format!("{both:?}").contains("DOE"));
        assert_eq!(
            Labels::read(b"{}", Annotation { patient: true, technique: true }, None).unwrap(),
            Labels::default()
        );
    }

    #[test]
    fn a_name_is_of_the_first_group_that_can_be_drawn() {
        let name = |groups: &str| {
            let json = format!(r#"{{"00100010":{{"vr":"PN","Value":[{groups}]}}}}"#);
            let asked = Annotation { patient: true, technique: false };
            Labels::read(json.as_bytes(), asked, None).unwrap().top.expose().first().cloned()
        };
        let of = |name: &str| Some(name.to_owned());
        assert_eq!(name(r#"{"Alphabetic":"Yamada^Tarou","Ideographic":"山田^太郎"}"#), of("Yamada, Tarou"));
        assert_eq!(name(r#"{"Ideographic":"山田^太郎"}"#), of("山田, 太郎"));
        assert_eq!(name(r#"{"Alphabetic":"Иванов^Пётр"}"#), of("Иванов, Пётр"));
        assert_eq!(name(r#"{"Alphabetic":"𠮷野^","Phonetic":"よしの"}"#), of("よしの"));
        assert_eq!(name(r#"{"Alphabetic":"𠮷野"}"#), None);
        assert_eq!(name("null"), None);
    }

    #[test]
    fn text_is_drawn_white_with_a_dark_edge_within_the_picture() {
        let labels = Labels::read(JSON, Annotation { patient: true, technique: true }, None).unwrap();
        for (width, height, colour) in
            [(400, 300, false), (400, 300, true), (3, 2, true), (1, 1, false), (20, 900, false)]
        {
            let bytes = vec![128; (width * height) as usize * if colour { 3 } else { 1 }];
            let mut raster = Raster { width, height, colour, bytes: bytes.clone() };
            labels.paint(&mut raster);
            assert_eq!(raster.bytes.len(), bytes.len());
            if width > 100 {
                assert!(raster.bytes.contains(&255) && raster.bytes.iter().any(|value| *value < 30));
                // The right half is left alone.
                let depth = if colour { 3 } else { 1 };
                let right = raster.bytes.chunks(width as usize * depth).flat_map(|line| &line[300 * depth..]);
                assert!(right.copied().all(|value| value == 128));
            }
        }
    }
}
