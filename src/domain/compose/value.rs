//! The bytes of one value from its members of the DICOM JSON Model (PS3.18 §F.2).

use super::Fault;
use crate::domain::vr::{self, Kind};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dicom_core::VR;
use serde_json::{Map, Number, Value};

/// The longest value of DS (PS3.5 §6.2).
const DS_LENGTH: usize = 16;
const GROUPS: [&str; 3] = ["Alphabetic", "Ideographic", "Phonetic"];

/// The member `Value`; none when it is absent or null.
pub(super) fn items(element: &Map<String, Value>) -> Result<&[Value], Fault> {
    match element.get("Value") {
        None | Some(Value::Null) => Ok(&[]),
        Some(Value::Array(values)) => Ok(values),
        Some(_) => Err(Fault::Value),
    }
}

/// Not yet padded.
pub(super) fn encode(vr: VR, element: &Map<String, Value>) -> Result<Vec<u8>, Fault> {
    if let Some(inline) = element.get("InlineBinary") {
        // An element has one of them (PS3.18 §F.2.2): which was meant, nobody knows.
        if !items(element)?.is_empty() {
            return Err(Fault::Value);
        }
        return inline_binary(vr, inline);
    }
    let values = items(element)?;
    match vr::kind(vr) {
        Kind::Text => text(vr, values),
        Kind::Number => collect(values, |value| number(vr, value)),
        Kind::Tag => collect(values, |value| {
            let tag = value.as_str().and_then(super::tag_of).ok_or(Fault::Value)?;
            Ok([tag.0.to_le_bytes(), tag.1.to_le_bytes()].concat())
        }),
        Kind::Binary | Kind::Sequence if values.is_empty() => Ok(Vec::new()),
        Kind::Binary | Kind::Sequence => Err(Fault::Value),
    }
}

fn inline_binary(vr: VR, inline: &Value) -> Result<Vec<u8>, Fault> {
    let text = inline.as_str().ok_or(Fault::Value)?;
    // Base64 as MIME writes it has line ends (RFC 2045 §6.8).
    let plain: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let bytes = STANDARD.decode(plain).map_err(|_| Fault::Value)?;
    let whole = bytes.len().is_multiple_of(vr::word(vr));
    if vr::kind(vr) == Kind::Binary && whole { Ok(bytes) } else { Err(Fault::Value) }
}

fn collect(values: &[Value], one: impl Fn(&Value) -> Result<Vec<u8>, Fault>) -> Result<Vec<u8>, Fault> {
    let mut bytes = Vec::with_capacity(values.len() * 4);
    for value in values {
        bytes.extend(one(value)?);
    }
    Ok(bytes)
}

fn text(vr: VR, values: &[Value]) -> Result<Vec<u8>, Fault> {
    let single = matches!(vr, VR::LT | VR::ST | VR::UR | VR::UT);
    if single && values.len() > 1 {
        return Err(Fault::Value);
    }
    let mut bytes = Vec::new();
    for (index, value) in values.iter().enumerate() {
        if index > 0 {
            bytes.push(b'\\');
        }
        let start = bytes.len();
        match value {
            Value::Null => {}
            Value::String(text) => bytes.extend_from_slice(text.as_bytes()),
            Value::Number(number) if matches!(vr, VR::DS | VR::IS) => {
                bytes.extend_from_slice(decimal(vr, number)?.as_bytes());
            }
            Value::Object(groups) if vr == VR::PN => bytes.extend_from_slice(name(groups)?.as_bytes()),
            _ => return Err(Fault::Value),
        }
        let written = bytes.get(start..).unwrap_or_default();
        // A backslash would make two values of one.
        if written.contains(&0) || (!single && written.contains(&b'\\')) {
            return Err(Fault::Value);
        }
    }
    Ok(bytes)
}

/// A number as DS or IS write it: IS is a whole one of 32 bits, DS has at most 16 characters.
fn decimal(vr: VR, number: &Number) -> Result<String, Fault> {
    let whole =
        number.as_i64().or_else(|| number.as_f64().filter(|value| value.fract() == 0.0).map(|value| value as i64));
    if vr == VR::IS {
        return whole.and_then(|value| i32::try_from(value).ok()).map(|value| value.to_string()).ok_or(Fault::Value);
    }
    let text = number.to_string();
    if text.len() <= DS_LENGTH {
        return Ok(text);
    }
    let value = number.as_f64().filter(|value| value.is_finite()).ok_or(Fault::Value)?;
    // With and without an exponent, as many digits as fit: the nearest of them.
    let written = (0..DS_LENGTH).flat_map(|digits| [format!("{value:.digits$}"), format!("{value:.digits$e}")]);
    let off = |text: &String| text.parse::<f64>().map_or(f64::INFINITY, |read| (read - value).abs());
    let fitting = written.filter(|text| text.len() <= DS_LENGTH);
    fitting.min_by(|one, other| off(one).total_cmp(&off(other))).ok_or(Fault::Value)
}

/// Component groups joined by `=`, those behind the last left out (PS3.5 §6.2.1).
fn name(groups: &Map<String, Value>) -> Result<String, Fault> {
    if groups.keys().any(|group| !GROUPS.contains(&group.as_str())) {
        return Err(Fault::Value);
    }
    let mut parts = Vec::new();
    for group in GROUPS {
        match groups.get(group) {
            None | Some(Value::Null) => parts.push(""),
            Some(Value::String(text)) if !text.contains('=') => parts.push(text),
            Some(_) => return Err(Fault::Value),
        }
    }
    let joined = parts.join("=");
    Ok(joined.trim_end_matches('=').to_owned())
}

/// Little endian. Numbers of 64 bits may be strings (PS3.18 §F.2.3), and so may those that JSON has not.
fn number(vr: VR, value: &Value) -> Result<Vec<u8>, Fault> {
    let text = match value {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.trim().to_owned(),
        _ => return Err(Fault::Value),
    };
    let whole = || {
        let real = || {
            text.parse::<f64>().ok().filter(|real| real.fract() == 0.0 && real.abs() < 9.0e15).map(|real| real as i128)
        };
        text.parse::<i128>().ok().or_else(real).ok_or(Fault::Value)
    };
    let real = || text.parse::<f64>().map_err(|_| Fault::Value);
    macro_rules! of {
        ($kind:ty) => {
            <$kind>::try_from(whole()?).map_err(|_| Fault::Value)?.to_le_bytes().to_vec()
        };
    }
    Ok(match vr {
        VR::US => of!(u16),
        VR::SS => of!(i16),
        VR::UL => of!(u32),
        VR::SL => of!(i32),
        VR::UV => of!(u64),
        VR::SV => of!(i64),
        VR::FL => (real()? as f32).to_le_bytes().to_vec(),
        VR::FD => real()?.to_le_bytes().to_vec(),
        _ => return Err(Fault::Value),
    })
}
