//! Value Representations (PS3.5 §6.2): how their bytes are grouped, and which one an attribute has when
//! the data set does not say.

use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry, VirtualVr};
use dicom_core::{Tag, VR};
use dicom_dictionary_std::StandardDataDictionary;

/// What kind of value a Value Representation holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Characters in the repertoire of (0008,0005), several values told apart by backslashes.
    Text,
    /// Numbers of a fixed width.
    Number,
    /// Attribute tags.
    Tag,
    /// Bytes or words without meaning to us.
    Binary,
    Sequence,
}

pub const fn kind(vr: VR) -> Kind {
    use VR::*;
    match vr {
        AE | AS | CS | DA | DS | DT | IS | LO | LT | PN | SH | ST | TM | UC | UI | UR | UT => Kind::Text,
        FL | FD | SL | SS | SV | UL | US | UV => Kind::Number,
        AT => Kind::Tag,
        OB | OD | OF | OL | OV | OW | UN => Kind::Binary,
        SQ => Kind::Sequence,
    }
}

/// Bytes that are swapped together when the byte order changes (PS3.5 §7.3).
pub const fn word(vr: VR) -> usize {
    use VR::*;
    match vr {
        US | SS | OW | AT => 2,
        UL | SL | FL | OL | OF => 4,
        FD | OD | OV | SV | UV => 8,
        _ => 1,
    }
}

/// Whether the length of an Explicit VR element has 32 bits, after two reserved bytes (PS3.5 §7.1.2).
pub const fn has_long_length(vr: VR) -> bool {
    use VR::*;
    !matches!(
        vr,
        AE | AS | AT | CS | DA | DS | DT | FL | FD | IS | LO | LT | PN | SH | SL | SS | ST | TM | UI | UL | US
    )
}

/// The byte that makes a value's length even (PS3.5 §6.2).
pub const fn padding(vr: VR) -> u8 {
    match (vr, kind(vr)) {
        (VR::UI, _) => 0,
        (_, Kind::Text) => b' ',
        _ => 0,
    }
}

/// What was read so far in the same data set, and in those around it, that decides ambiguous Value
/// Representations (PS3.6 §6: "US or SS", "OB or OW").
#[derive(Debug, Clone, Copy, Default)]
pub struct Context {
    /// (0028,0103): 0 is unsigned. Of the nearest data set that has it.
    pub pixel_representation: Option<u16>,
    /// (0028,0100). Of the nearest data set that has it.
    pub bits_allocated: Option<u16>,
    /// The first value of (0028,3002). Of this data set only.
    pub lut_entries: Option<u16>,
}

/// The dictionary's Value Representation of `tag`, or `None` when it is unknown. Private creators are
/// LO (PS3.5 §7.8.1); other private attributes are unknown.
pub fn of(tag: Tag, context: Context, implicit: bool) -> Option<VR> {
    let entry = StandardDataDictionary.by_tag(tag)?;
    Some(match entry.vr() {
        VirtualVr::Exact(vr) => vr,
        VirtualVr::Xs if context.pixel_representation.unwrap_or(0) == 0 => VR::US,
        VirtualVr::Xs => VR::SS,
        VirtualVr::Lt if context.lut_entries == Some(1) => VR::US,
        // PS3.5 §A.1: OW in Implicit VR Little Endian, whatever the bits.
        VirtualVr::Px if !implicit && context.bits_allocated.is_some_and(|bits| bits <= 8) => VR::OB,
        _ => VR::OW,
    })
}

/// The two letters of a Value Representation in an Explicit VR element.
pub fn from_code(code: [u8; 2]) -> Option<VR> {
    VR::from_binary(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ambiguous_attributes_follow_what_was_read_before() {
        let signed = Context { pixel_representation: Some(1), ..Context::default() };
        let one = Context { lut_entries: Some(1), ..Context::default() };
        let byte = Context { bits_allocated: Some(8), ..Context::default() };
        let cases = [
            (Tag(0x0028, 0x0106), Context::default(), true, Some(VR::US)),
            (Tag(0x0028, 0x0106), signed, true, Some(VR::SS)),
            (Tag(0x0028, 0x3006), Context::default(), true, Some(VR::OW)),
            (Tag(0x0028, 0x3006), one, true, Some(VR::US)),
            (Tag(0x7FE0, 0x0010), byte, true, Some(VR::OW)),
            (Tag(0x7FE0, 0x0010), byte, false, Some(VR::OB)),
            (Tag(0x6002, 0x3000), byte, true, Some(VR::OW)),
            (Tag(0x0009, 0x0010), byte, true, Some(VR::LO)),
            (Tag(0x0009, 0x1010), byte, true, None),
            (Tag(0x0008, 0x0000), byte, true, Some(VR::UL)),
            (Tag(0x0010, 0x9999), byte, true, None),
        ];
        for (tag, context, implicit, expected) in cases {
            assert_eq!(of(tag, context, implicit), expected, "{tag}");
        }
    }
}
