//! The query parameters of rendered resources (PS3.18 §8.3.5): annotation, window, viewport, quality, iccprofile.

use super::accept::parameter;
use crate::imaging::attributes::{Function, Window};
use crate::imaging::view::{EDGE_MAX, QUALITY};
use crate::imaging::{Annotation, ColourSpace, Format, View, Viewport};
use crate::web::problem::Problem;

/// The longest edge of a picture that is asked for: a request shall not make a poster.
pub(super) const VIEWPORT_MAX: u32 = 8192;
/// The longest edge of a thumbnail that names no viewport.
const THUMBNAIL: u32 = 200;

/// What is asked for, in the given format. A parameter that makes no sense is refused with its name.
pub fn view(query: Option<&str>, format: Format) -> Result<View, Problem> {
    Ok(View {
        format,
        window: one(query, "window").map(|text| window(&text)).transpose()?,
        viewport: one(query, "viewport").map(|text| viewport(&text)).transpose()?,
        span: None,
        longest_edge: None,
        quality: one(query, "quality").map(|text| quality(&text)).transpose()?.unwrap_or(QUALITY),
        overlays: one(query, "overlays").map(|text| yes(&text)).transpose()?.unwrap_or(false),
        annotation: one(query, "annotation").map(|text| annotation(&text)).transpose()?.unwrap_or_default(),
        space: space(&one(query, "iccprofile").unwrap_or_default())?,
    })
}

/// `patient`, `technique` or both (PS3.18 §8.3.5.1.1).
pub(super) fn annotation(text: &str) -> Result<Annotation, Problem> {
    let mut asked = Annotation::default();
    for word in text.split(',').map(str::trim) {
        match word.to_ascii_lowercase().as_str() {
            "patient" => asked.patient = true,
            "technique" => asked.technique = true,
            _ => return Err(Problem::bad_request("annotation is patient, technique, or patient,technique.")),
        }
    }
    Ok(asked)
}

/// A thumbnail heeds `viewport` (PS3.18 §10.4.4) and nothing else.
pub fn thumbnail(query: Option<&str>, format: Format) -> Result<View, Problem> {
    let viewport = one(query, "viewport").map(|text| viewport(&text)).transpose()?;
    let longest_edge = viewport.is_none().then_some(THUMBNAIL);
    Ok(View { format, viewport, longest_edge, ..View::default() })
}

fn one(query: Option<&str>, name: &str) -> Option<String> {
    let value = parameter(query, name).next()?;
    Some(String::from_utf8_lossy(&super::accept::percent_bytes(value.as_bytes())).into_owned())
}

fn window(text: &str) -> Result<Window, Problem> {
    let wrong =
        || Problem::bad_request("window is center,width,function: two numbers, and linear, linear-exact or sigmoid.");
    let parts: Vec<&str> = text.split(',').map(str::trim).collect();
    let (center, width, function) = match parts.as_slice() {
        [center, width] => (center, width, "linear"),
        [center, width, function] => (center, width, *function),
        _ => return Err(wrong()),
    };
    let function = match function.to_ascii_lowercase().replace('_', "-").as_str() {
        "linear" => Function::Linear,
        "linear-exact" => Function::LinearExact,
        "sigmoid" => Function::Sigmoid,
        _ => return Err(wrong()),
    };
    let (Ok(center), Ok(width)) = (center.parse(), width.parse()) else { return Err(wrong()) };
    Window::new(center, width, function).ok_or_else(|| {
        Problem::bad_request("The width of a linear window is 1 or more, that of the other functions more than 0.")
    })
}

fn viewport(text: &str) -> Result<Viewport, Problem> {
    let wrong = || {
        Problem::bad_request(
            "viewport is vw,vh or vw,vh,sx,sy,sw,sh: its size in pixels, and the region of the image it shows.",
        )
    };
    let parts: Vec<&str> = text.split(',').map(str::trim).collect();
    let edge = |text: &str| text.parse::<u32>().ok().filter(|edge| (1..=VIEWPORT_MAX).contains(edge));
    let (size, region) = match parts.as_slice() {
        [width, height] => ([width, height], None),
        // What is left empty has its default: the corner, and all that is there.
        [width, height, region @ ..] if region.len() == 4 => {
            let defaults = [0.0, 0.0, f64::from(EDGE_MAX), f64::from(EDGE_MAX)];
            let mut numbers = defaults;
            for (place, text) in numbers.iter_mut().zip(region) {
                if !text.is_empty() {
                    *place = text.parse::<f64>().ok().filter(|number| number.is_finite()).ok_or_else(wrong)?;
                }
            }
            ([width, height], Some(numbers))
        }
        _ => return Err(wrong()),
    };
    let (Some(width), Some(height)) = (edge(size[0]), edge(size[1])) else { return Err(wrong()) };
    Ok(Viewport { width, height, region })
}

fn quality(text: &str) -> Result<u8, Problem> {
    text.trim()
        .parse()
        .ok()
        .filter(|quality| (1..=100).contains(quality))
        .ok_or_else(|| Problem::bad_request("quality is a number from 1 to 100."))
}

fn yes(text: &str) -> Result<bool, Problem> {
    match text.trim().to_ascii_lowercase().as_str() {
        "yes" | "true" | "1" => Ok(true),
        "no" | "false" | "0" => Ok(false),
        _ => Err(Problem::bad_request("overlays is yes or no.")),
    }
}

/// In which space, and so with which profile, a colour picture comes (PS3.18 §8.3.5.1.5).
fn space(text: &str) -> Result<Option<ColourSpace>, Problem> {
    Ok(match text.trim().to_ascii_lowercase().as_str() {
        "" | "no" => None,
        "yes" => Some(ColourSpace::Own),
        "srgb" => Some(ColourSpace::Srgb),
        "adobergb" => Some(ColourSpace::AdobeRgb),
        "rommrgb" => Some(ColourSpace::RommRgb),
        "displayp3" => Some(ColourSpace::DisplayP3),
        _ => return Err(Problem::bad_request("iccprofile is no, yes, srgb, adobergb, rommrgb or displayp3.")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(query: &str) -> Result<View, Problem> {
        view(Some(query), Format::Png)
    }

    #[test]
    fn what_is_asked_for_is_understood() {
        assert_eq!(of("").unwrap(), View { format: Format::Png, ..View::default() });
        let window = |query| of(query).unwrap().window;
        assert_eq!(window("window=40,400,linear"), Window::new(40.0, 400.0, Function::Linear));
        assert_eq!(window("WINDOW=-500.5%2C1500,sigmoid"), Window::new(-500.5, 1500.0, Function::Sigmoid));
        assert_eq!(window("window=1,0.5,LINEAR_EXACT"), Window::new(1.0, 0.5, Function::LinearExact));
        assert_eq!(window("window=40,400"), Window::new(40.0, 400.0, Function::Linear));
        let viewport = |query| of(query).unwrap().viewport.unwrap();
        assert_eq!(viewport("viewport=100,200"), Viewport { width: 100, height: 200, region: None });
        assert_eq!(viewport("viewport=100,200,1.5,2,-30,40").region, Some([1.5, 2.0, -30.0, 40.0]));
        assert_eq!(viewport("viewport=100,200,,,-30,").region, Some([0.0, 0.0, -30.0, 65_535.0]));
        let rest = of("quality=33&overlays=yes&iccprofile=sRGB&x=y").unwrap();
        assert_eq!((rest.quality, rest.overlays, rest.space), (33, true, Some(ColourSpace::Srgb)));
        assert_eq!(of("iccprofile=no").unwrap().space, None);
        assert_eq!(of("iccprofile=ROMMRGB").unwrap().space, Some(ColourSpace::RommRgb));
        let drawn = |query| of(query).unwrap().annotation;
        assert_eq!(drawn("annotation=patient"), Annotation { patient: true, technique: false });
        assert_eq!(drawn("annotation=technique%2Cpatient"), Annotation { patient: true, technique: true });
        let small = thumbnail(Some("window=nonsense"), Format::Jpeg).unwrap();
        assert_eq!((small.longest_edge, small.window), (Some(THUMBNAIL), None));
        assert_eq!(thumbnail(Some("viewport=64,64"), Format::Jpeg).unwrap().longest_edge, None);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for query in [
            "window=",
            "window=1",
            "window=1,2,linear,4",
            "window=a,2,linear",
            "window=1,2,cubic",
            "window=1,0.5,linear",
            "window=1,NaN,linear",
            "viewport=",
            "viewport=0,5",
            "viewport=5,-5",
            "viewport=99999,5",
            "viewport=5,5,1",
            "viewport=5,5,1,1,1,inf",
            "quality=0",
            "quality=101",
            "overlays=perhaps",
            "iccprofile=cmyk",
            "annotation=",
            "annotation=patient,everything",
        ] {
            assert_eq!(of(query).unwrap_err().status, 400, "{query}");
        }
    }
}
