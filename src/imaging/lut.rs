//! Look-up tables: Modality LUT, VOI LUT, and the three of a palette, plain or segmented (PS3.3 §C.7.9.2,
//! §C.11.1.1.1, §C.11.2.1.1).

use super::error::ImagingError;

/// The three values of a LUT Descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Descriptor {
    pub entries: u32,
    /// The stored value that the first entry is for.
    pub first: i32,
    pub bits: u16,
}

/// The entries as they were found.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Values {
    Words(Vec<u16>),
    Bytes(Vec<u8>),
    /// Bulk data: where.
    Elsewhere(String),
}

/// A table that may not have its entries yet.
#[derive(Debug, Clone, PartialEq)]
pub struct Lut {
    descriptor: Descriptor,
    values: Values,
    segmented: bool,
}

/// A table ready to be looked things up in. Never empty.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Table {
    pub values: Vec<u16>,
    pub first: i32,
    pub bits: u16,
}

impl Descriptor {
    /// The first value, 0, stands for 65,536; the second may have been written unsigned or signed.
    pub(super) fn new(entries: f64, first: f64, bits: f64) -> Option<Self> {
        let entries = match entries as i32 {
            0 => 65_536,
            // Written as SS, 32,768 and above became negative.
            n @ -65_536..=-1 => (n + 65_536) as u32,
            n @ 1..=65_536 => n as u32,
            _ => return None,
        };
        let bits = bits as i32;
        (entries > 0 && (1..=16).contains(&bits)).then_some(Self { entries, first: first as i32, bits: bits as u16 })
    }

    /// The second value is signed when the table's input can be negative (PS3.3 §C.11.2.1.1, §C.7.6.3.1.5), whatever
    /// VR it was written or, in Implicit VR, read with. A table that only begins below its input is left alone.
    pub(super) fn of_input(self, signed: bool) -> Self {
        let first = match self.first {
            first @ 32_768..=65_535 if signed => first - 65_536,
            first @ -32_768..0 if !signed && i64::from(first) + i64::from(self.entries) <= 0 => first + 65_536,
            first => first,
        };
        Self { first, ..self }
    }
}

impl Lut {
    pub(super) fn new(descriptor: Descriptor, values: Values, segmented: bool) -> Self {
        Self { descriptor, values, segmented }
    }
    pub(super) fn place(&self) -> Option<&str> {
        match &self.values {
            Values::Elsewhere(place) => Some(place),
            _ => None,
        }
    }
    pub(super) fn supply(&mut self, value: &[u8]) {
        self.values = Values::Bytes(value.to_vec());
    }

    pub(super) fn table(&self) -> Result<Table, ImagingError> {
        let table = self.unsettled()?;
        let brightest = table.brightest();
        Ok(table.settled(brightest))
    }

    /// Red, green and blue. How deep they are is seen in all three: one alone may be faint.
    pub(super) fn palette(luts: &[Self; 3]) -> Result<[Table; 3], ImagingError> {
        let [red, green, blue] = luts;
        let tables = [red.unsettled()?, green.unsettled()?, blue.unsettled()?];
        let brightest = tables.iter().map(Table::brightest).max().unwrap_or(0);
        Ok(tables.map(|table| table.settled(brightest)))
    }

    /// The entries, with the depth that the descriptor declares.
    fn unsettled(&self) -> Result<Table, ImagingError> {
        let entries = self.descriptor.entries as usize;
        let mut values = match &self.values {
            Values::Elsewhere(_) => return Err(ImagingError::Unsupported("a look-up table is missing")),
            values if self.segmented => expand(values, entries, self.descriptor.bits)?,
            Values::Words(words) => words.clone(),
            // Entries of 8 bits stand two in a word, or, against the standard, one in a word.
            Values::Bytes(bytes) if self.descriptor.bits <= 8 && bytes.len() < entries * 2 => {
                bytes.iter().map(|byte| u16::from(*byte)).collect()
            }
            Values::Bytes(bytes) => words(bytes),
        };
        if !self.segmented && self.descriptor.bits <= 8 && values.len() <= entries.div_ceil(2) && entries > 1 {
            values = bytes_of(&values);
        }
        values.truncate(entries);
        if values.is_empty() {
            return Err(ImagingError::Unsupported("a look-up table is empty"));
        }
        Ok(Table { values, first: self.descriptor.first, bits: self.descriptor.bits })
    }
}

impl Table {
    fn brightest(&self) -> u16 {
        self.values.iter().copied().max().unwrap_or(0)
    }
    /// With the depth that the entries really have: some devices declare 16 bits and write 8, and where the
    /// brightest entry is below 256 that would be a black picture.
    fn settled(self, brightest: u16) -> Self {
        let bits = match self.bits {
            16 if brightest <= 0xFF => 8,
            bits => bits.max(16 - brightest.leading_zeros() as u16),
        };
        Self { bits, ..self }
    }
    /// Values before the first entry and after the last take those entries (PS3.3 §C.11.1.1.1).
    pub(super) fn look_up(&self, value: f64) -> u16 {
        let at = (value - f64::from(self.first)).clamp(0.0, (self.values.len() - 1) as f64);
        self.values[at as usize]
    }
    pub(super) fn highest(&self) -> f64 {
        f64::from(u32::MAX >> (32 - self.bits.clamp(1, 16)))
    }
    /// An entry in 8 bits.
    pub(super) fn byte(&self, value: f64) -> u8 {
        (f64::from(self.look_up(value)) / self.highest() * 255.0).round() as u8
    }
}

fn words(bytes: &[u8]) -> Vec<u16> {
    bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect()
}

/// The bytes of words, one by one.
fn bytes_of(words: &[u16]) -> Vec<u16> {
    words.iter().flat_map(|word| word.to_le_bytes()).map(u16::from).collect()
}

/// Unfolds a segmented palette (PS3.3 §C.7.9.2): discrete, linear and indirect segments. With entries of 8 bits
/// opcodes and lengths are bytes too; where that makes no sense, one may stand in each word, against the standard.
fn expand(values: &Values, entries: usize, bits: u16) -> Result<Vec<u16>, ImagingError> {
    let (words, bytes) = match values {
        Values::Words(words) => (words.clone(), bytes_of(words)),
        Values::Bytes(bytes) => (words(bytes), bytes.iter().map(|byte| u16::from(*byte)).collect()),
        Values::Elsewhere(_) => return Err(ImagingError::Unsupported("a look-up table is missing")),
    };
    let unfolded = |data: &[u16], wide| {
        let mut out = Vec::with_capacity(entries);
        unfold(data, wide, entries, &mut out, true).map(|()| out)
    };
    match bits {
        ..=8 => unfolded(&bytes, false).or_else(|_| unfolded(&words, true)),
        _ => unfolded(&words, true),
    }
}

/// `data` has a word in each place, or only a byte where it is not `wide`.
fn unfold(
    data: &[u16],
    wide: bool,
    entries: usize,
    out: &mut Vec<u16>,
    indirect_allowed: bool,
) -> Result<(), ImagingError> {
    const BROKEN: ImagingError = ImagingError::Unsupported("a segmented palette is ill-formed");
    let mut rest = data;
    while let [opcode, length, after @ ..] = rest {
        if out.len() >= entries {
            return Ok(());
        }
        let length = usize::from(*length);
        match opcode {
            0 => {
                out.extend_from_slice(after.get(..length).ok_or(BROKEN)?);
                rest = after.get(length..).ok_or(BROKEN)?;
            }
            1 => {
                let (end, following) = after.split_first().ok_or(BROKEN)?;
                let start = f64::from(*out.last().ok_or(BROKEN)?);
                let step = (f64::from(*end) - start) / (length.max(1) as f64);
                out.extend((1..=length).map(|at| (start + step * at as f64).round() as u16));
                rest = following;
            }
            // An indirect segment repeats `length` segments from an earlier byte offset.
            2 if indirect_allowed => {
                // The offset has 32 bits, the lowest first: two words, or four bytes.
                let (places, bits) = if wide { (2, 16) } else { (4, 8) };
                let (offset, following) = after.split_at_checked(places).ok_or(BROKEN)?;
                let offset = offset.iter().rev().fold(0, |offset, place| offset << bits | usize::from(*place));
                let offset = if wide { offset / 2 } else { offset };
                let repeated = segments(data.get(offset..).ok_or(BROKEN)?, length).ok_or(BROKEN)?;
                unfold(repeated, wide, entries, out, false)?;
                rest = following;
            }
            _ => return Err(BROKEN),
        }
    }
    Ok(())
}

/// The first `count` segments of `data`; none of them indirect.
fn segments(data: &[u16], count: usize) -> Option<&[u16]> {
    let mut at = 0_usize;
    for _ in 0..count {
        at += match data.get(at)? {
            0 => 2 + usize::from(*data.get(at + 1)?),
            1 => 3,
            _ => return None,
        };
    }
    data.get(..at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lut(entries: f64, first: f64, bits: f64, values: Values, segmented: bool) -> Result<Table, ImagingError> {
        Lut::new(Descriptor::new(entries, first, bits).unwrap(), values, segmented).table()
    }

    #[test]
    fn zero_entries_stand_for_65536_and_nonsense_is_refused() {
        assert_eq!(Descriptor::new(0.0, 0.0, 16.0).unwrap().entries, 65_536);
        assert_eq!(Descriptor::new(-32_768.0, 0.0, 16.0).unwrap().entries, 32_768);
        assert_eq!(Descriptor::new(256.0, -1024.0, 16.0).unwrap().first, -1024);
        assert_eq!(Descriptor::new(256.0, 0.0, 0.0), None);
        assert_eq!(Descriptor::new(70_000.0, 0.0, 8.0), None);
    }

    #[test]
    fn eight_bit_entries_are_read_packed_or_one_in_a_word() {
        let packed = lut(4.0, 0.0, 8.0, Values::Bytes(vec![1, 2, 3, 255]), false).unwrap();
        assert_eq!((packed.values, packed.bits), (vec![1, 2, 3, 255], 8));
        let spread = lut(4.0, 0.0, 8.0, Values::Bytes(vec![1, 0, 2, 0, 3, 0, 255, 0]), false).unwrap();
        assert_eq!(spread.values, [1, 2, 3, 255]);
        let words = lut(4.0, 0.0, 8.0, Values::Words(vec![0x0201, 0xFF03]), false).unwrap();
        assert_eq!(words.values, [1, 2, 3, 255]);
    }

    #[test]
    fn sixteen_declared_bits_that_hold_eight_count_as_eight() {
        let table = lut(2.0, 0.0, 16.0, Values::Words(vec![0, 255]), false).unwrap();
        assert_eq!((table.bits, table.byte(1.0)), (8, 255));
        let table = lut(2.0, 0.0, 16.0, Values::Words(vec![0, 65_535]), false).unwrap();
        assert_eq!((table.bits, table.byte(1.0)), (16, 255));
    }

    #[test]
    fn a_faint_colour_of_a_palette_is_as_deep_as_the_others() {
        let lut =
            |values: [u16; 2]| Lut::new(Descriptor::new(2.0, 0.0, 16.0).unwrap(), Values::Words(values.into()), false);
        let bytes = |luts| Lut::palette(&luts).unwrap().map(|table| table.byte(1.0));
        assert_eq!(bytes([lut([0, 65_535]), lut([0, 257]), lut([0, 200])]), [255, 1, 1]);
        assert_eq!(bytes([lut([0, 255]), lut([0, 128]), lut([0, 0])]), [255, 128, 0]);
    }

    #[test]
    fn values_outside_take_the_first_and_the_last_entry() {
        let table = lut(3.0, -1.0, 16.0, Values::Words(vec![100, 200, 300]), false).unwrap();
        for (value, expected) in [(-5.0, 100), (-1.0, 100), (0.0, 200), (1.0, 300), (9.0, 300), (f64::NAN, 100)] {
            assert_eq!(table.look_up(value), expected, "{value}");
        }
    }

    #[test]
    fn segments_unfold_as_in_the_standard() {
        // Discrete 0, 10; linear 4 steps to 50; indirect: the first segment again.
        let data = vec![0, 2, 0, 10, 1, 4, 50, 2, 1, 0, 0];
        let table = lut(8.0, 0.0, 16.0, Values::Words(data), true).unwrap();
        assert_eq!(table.values, [0, 10, 20, 30, 40, 50, 0, 10]);
    }

    /// With 8-bit entries everything in the segments is a byte, and the offset of an indirect one takes four.
    #[test]
    fn segments_of_eight_bit_entries_are_bytes() {
        let data = vec![0, 2, 0, 10, 1, 4, 50, 2, 1, 0, 0, 0, 0, 0];
        for bytes in [data.clone(), data[..13].to_vec()] {
            let table = lut(8.0, 0.0, 8.0, Values::Bytes(bytes), true).unwrap();
            assert_eq!((table.values, table.bits), (vec![0, 10, 20, 30, 40, 50, 0, 10], 8));
        }
        let words = data.chunks(2).map(|two| u16::from_le_bytes([two[0], two[1]])).collect();
        let table = lut(8.0, 0.0, 8.0, Values::Words(words), true).unwrap();
        assert_eq!(table.values, [0, 10, 20, 30, 40, 50, 0, 10]);
        // One in each word, against the standard.
        let table = lut(6.0, 0.0, 8.0, Values::Words(vec![0, 2, 1, 10, 1, 4, 50]), true).unwrap();
        assert_eq!(table.values, [1, 10, 20, 30, 40, 50]);
    }

    #[test]
    fn ill_formed_segments_are_refused() {
        for data in [vec![1, 4, 50], vec![0, 9, 1], vec![7, 1, 1], vec![0, 1, 5, 2, 1, 9, 9], vec![2, 1, 0, 0], vec![]]
        {
            assert!(lut(8.0, 0.0, 16.0, Values::Words(data.clone()), true).is_err(), "{data:?}");
        }
    }

    #[test]
    fn a_table_that_was_not_handed_in_is_an_error() {
        assert!(lut(2.0, 0.0, 16.0, Values::Elsewhere("x".into()), false).is_err());
    }
}
