//! A native frame as an encoder reads it: samples of a pixel side by side, whole bytes, little endian.

use super::{Declared, DecodeError};
use std::borrow::Cow;

pub(super) struct Native<'a> {
    pub declared: &'a Declared,
    pub bytes: Cow<'a, [u8]>,
    /// Bytes of a sample: 1, 2 or 4.
    pub width: usize,
}

impl<'a> Native<'a> {
    pub fn of(declared: &'a Declared, bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let width = match declared.bits_allocated {
            8 | 16 | 32 => usize::from(declared.bits_allocated / 8),
            _ => return Err(DecodeError::Unsupported),
        };
        let samples = usize::from(declared.samples);
        let length = declared.count() * width;
        let bytes = bytes.get(..length).filter(|bytes| !bytes.is_empty()).ok_or(DecodeError::Truncated)?;
        let mut native = Self { declared, bytes: Cow::Borrowed(bytes), width };
        if declared.planar && samples > 1 {
            let mut woven = vec![0; length];
            for (sample, plane) in bytes.chunks_exact(declared.area() * width).enumerate() {
                let places = woven.chunks_exact_mut(width).skip(sample).step_by(samples);
                places.zip(plane.chunks_exact(width)).for_each(|(to, from)| to.copy_from_slice(from));
            }
            native.bytes = Cow::Owned(woven);
        }
        Ok(native)
    }

    /// With the sign of signed samples in every bit above those that are stored, where nothing else stands there: zeros
    /// may (PS3.5 §8.1.1), but a codestream has no Bits Stored by which a reader could tell them from a sign.
    pub fn with_signs(mut self) -> Self {
        let (all, stored) = (self.declared.bits_allocated, self.declared.bits_stored);
        if !self.declared.signed || !matches!(all, 8 | 16) || !(1..all).contains(&stored) {
            return self;
        }
        let sign = 1_u16 << (stored - 1);
        let above = (u16::MAX >> (16 - all)) & !(sign | (sign - 1));
        let extended = |sample: u16| match (sample & above, sample & sign != 0) {
            (0, true) => Some(sample | above),
            (0, false) => Some(sample),
            (found, true) if found == above => Some(sample),
            _ => None,
        };
        let words: Option<Vec<u8>> = match self.width {
            1 => self.bytes.iter().map(|byte| extended(u16::from(*byte)).map(|sample| sample as u8)).collect(),
            _ => {
                let pairs = self.bytes.chunks_exact(2).map(|two| u16::from_le_bytes([two[0], two[1]]));
                let words: Option<Vec<_>> = pairs.map(|sample| extended(sample).map(u16::to_le_bytes)).collect();
                words.map(|words| words.concat())
            }
        };
        if let Some(words) = words {
            self.bytes = Cow::Owned(words);
        }
        self
    }

    /// Every sample; signed ones with their sign.
    pub fn values(&self) -> impl Iterator<Item = i32> + '_ {
        let signed = self.declared.signed;
        self.bytes.chunks_exact(self.width).map(move |sample| match (sample, signed) {
            ([byte], false) => i32::from(*byte),
            ([byte], true) => i32::from(*byte as i8),
            ([low, high], false) => i32::from(u16::from_le_bytes([*low, *high])),
            ([low, high], true) => i32::from(i16::from_le_bytes([*low, *high])),
            (rest, _) => rest.first_chunk().copied().map_or(0, i32::from_le_bytes),
        })
    }

    /// Bits that every sample fits into: those that are said to be stored, or all, where the others hold
    /// something too (overlays of old, for example). What is stored in two bytes shall be decoded into two.
    pub fn precision(&self) -> u32 {
        let all = u32::from(self.declared.bits_allocated);
        let stored = u32::from(self.declared.bits_stored).clamp(1, all);
        let range = match (stored, self.declared.signed) {
            (32.., _) => return all,
            (stored, true) => -(1_i64 << (stored - 1))..1 << (stored - 1),
            (stored, false) => 0..1 << stored,
        };
        let fits = self.values().all(|value| range.contains(&i64::from(value)));
        let least = if self.width == 1 { 2 } else { 9 };
        if fits { stored.max(least) } else { all }
    }

    /// The bits that hold a sample where a codestream knows no sign: all of them then, so that a reader who
    /// takes them for two's complement is right.
    pub fn unsigned_precision(&self) -> u32 {
        if self.declared.signed { u32::from(self.declared.bits_allocated) } else { self.precision() }
    }
}

#[cfg(test)]
mod tests {
    use super::super::declared;
    use super::*;

    #[test]
    fn planes_are_woven_and_signs_are_read() {
        let planar = Declared { planar: true, ..declared(2, 1, 3, 8) };
        assert_eq!(Native::of(&planar, &[1, 2, 3, 4, 5, 6]).unwrap().bytes.as_ref(), [1, 3, 5, 2, 4, 6]);
        let signed = Declared { signed: true, bits_stored: 12, ..declared(2, 1, 1, 16) };
        let native = Native::of(&signed, &[0xFF, 0xFF, 0x00, 0x08]).unwrap();
        assert_eq!(native.values().collect::<Vec<_>>(), [-1, 2048]);
        assert_eq!(native.precision(), 16, "2048 is beyond twelve bits with a sign");
        assert_eq!(Native::of(&signed, &[0xFF, 0xFF, 0xFF, 0x07]).unwrap().precision(), 12);
        assert!(Native::of(&signed, &[0; 3]).is_err());
        assert!(Native::of(&declared(2, 1, 1, 12), &[0; 3]).is_err());
    }

    #[test]
    fn a_sign_is_extended_where_nothing_else_stands_above_it() {
        let of = |bits_stored, samples: &[u16]| {
            let declared = Declared { signed: true, bits_stored, ..declared(samples.len() as u32, 1, 1, 16) };
            let bytes: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
            let native = Native::of(&declared, &bytes).unwrap().with_signs();
            (native.values().collect::<Vec<_>>(), native.precision())
        };
        assert_eq!(of(12, &[0x0FFB, 0x07FF, 0xFFFE, 0x0800]), (vec![-5, 2047, -2, -2048], 12));
        // An overlay of old, in any one sample, keeps all as they are.
        assert_eq!(of(12, &[0x0FFB, 0x87FF]), (vec![4091, -30721], 16));
        assert_eq!(of(12, &[0x0FFB, 0xF7FF]).1, 16);
        assert_eq!(of(16, &[0xFFFB]), (vec![-5], 16));
        let eight = Declared { signed: true, bits_stored: 6, ..declared(2, 1, 1, 8) };
        let native = Native::of(&eight, &[0x3F, 0x1F]).unwrap().with_signs();
        assert_eq!(native.values().collect::<Vec<_>>(), [-1, 31]);
    }

    #[test]
    fn bits_that_are_used_are_kept() {
        let twelve = Declared { bits_stored: 12, ..declared(1, 1, 1, 16) };
        for (bytes, expected) in [([0xFF, 0x0F], 12), ([0, 0x10], 16), ([1, 0], 12)] {
            assert_eq!(Native::of(&twelve, &bytes).unwrap().precision(), expected);
        }
        let eight = Declared { bits_stored: 8, ..declared(1, 1, 1, 16) };
        assert_eq!(Native::of(&eight, &[1, 0]).unwrap().precision(), 9);
    }
}
