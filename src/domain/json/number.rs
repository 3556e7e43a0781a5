//! Numbers of DICOM as numbers of JSON.

use dicom_core::VR;
use std::io::Write;

/// Whole numbers up to here are exact in binary64.
const EXACT: u64 = 1 << 53;

/// Writes one word of a binary number.
pub(super) fn write(out: &mut Vec<u8>, vr: VR, word: &[u8], big_endian: bool) {
    let raw = word.iter().fold(0u64, |raw, byte| raw << 8 | u64::from(*byte));
    let raw = match (big_endian, word.len()) {
        (true, _) => raw,
        (false, length) => raw.swap_bytes() >> (64 - 8 * length.clamp(1, 8)),
    };
    // Writing to a vector cannot fail.
    let _ = match vr {
        VR::SS => write!(out, "{}", raw as u16 as i16),
        VR::SL => write!(out, "{}", raw as u32 as i32),
        VR::SV if (raw as i64).unsigned_abs() > EXACT => write!(out, "\"{}\"", raw as i64),
        VR::SV => write!(out, "{}", raw as i64),
        VR::UV if raw > EXACT => write!(out, "\"{raw}\""),
        // serde_json writes the shortest text that reads back the same, and null for NaN and infinities.
        VR::FL => {
            let _ = serde_json::to_writer(out, &f64::from(f32::from_bits(raw as u32)));
            Ok(())
        }
        VR::FD => {
            let _ = serde_json::to_writer(out, &f64::from_bits(raw));
            Ok(())
        }
        _ => write!(out, "{raw}"),
    };
}

/// The text of an IS or DS as a JSON number, when a reader that holds it in binary64 gets the very value
/// that the text stands for.
pub(super) fn exact(text: &str) -> Option<String> {
    let (negative, unsigned) = match text.as_bytes().first()? {
        b'-' => (true, text.get(1..)?),
        b'+' => (false, text.get(1..)?),
        _ => (false, text),
    };
    let (mantissa, exponent) = match unsigned.find(['e', 'E']) {
        Some(at) => (unsigned.get(..at)?, Some(unsigned.get(at + 1..)?)),
        None => (unsigned, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.len() + fraction.len() == 0 || !digits(whole) || !digits(fraction) {
        return None;
    }
    let mut out = String::with_capacity(text.len() + 2);
    if negative {
        out.push('-');
    }
    let leading = whole.trim_start_matches('0');
    out.push_str(if leading.is_empty() { "0" } else { leading });
    if !fraction.is_empty() {
        out.push('.');
        out.push_str(fraction);
    }
    if let Some(exponent) = exponent {
        let power = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        if power.is_empty() || !digits(power) {
            return None;
        }
        out.push('e');
        out.push_str(exponent);
    }
    let value: f64 = out.parse().ok()?;
    // Fifteen significant digits always survive; of more, the shortest text of the number tells.
    let significant = significant(&format!("{whole}{fraction}"));
    let survives = if significant.is_empty() {
        value == 0.0
    } else {
        value != 0.0 && (significant.len() <= 15 || significant == self::significant(&shortest(value)))
    };
    (value.is_finite() && survives).then_some(out)
}

fn significant(digits: &str) -> String {
    digits.trim_matches('0').to_owned()
}

/// The digits of the shortest text that reads back as `value`.
fn shortest(value: f64) -> String {
    let text = format!("{:e}", value.abs());
    text.split('e').next().unwrap_or_default().replace('.', "")
}
