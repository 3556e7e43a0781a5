//! The colour space of a picture (PS3.18 §8.3.5.1.5): red, green and blue as they are stored, named by an ICC
//! profile or transformed into the space of one. What names no profile of its own is sRGB.

use super::encode::Raster;
use super::error::ImagingError;
use base64::Engine;
use moxcms::{ColorProfile, DataColorSpace, Layout, TransformOptions};

/// The longest profile of an object that is read; those of scanners have up to 2 MiB.
pub(super) const PROFILE_MAX: usize = 4 << 20;

/// A space that is asked for; the picture then carries its profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColourSpace {
    /// As stored, with the object's own profile.
    Own,
    Srgb,
    AdobeRgb,
    RommRgb,
    DisplayP3,
}

impl ColourSpace {
    fn profile(self) -> ColorProfile {
        match self {
            Self::Own | Self::Srgb => ColorProfile::new_srgb(),
            Self::AdobeRgb => ColorProfile::new_adobe_rgb(),
            Self::RommRgb => ColorProfile::new_pro_photo_rgb(),
            Self::DisplayP3 => ColorProfile::new_display_p3(),
        }
    }
}

/// A profile so short that it stands in the DICOM JSON itself.
pub(super) fn inline(json: &[u8]) -> Option<Vec<u8>> {
    #[derive(serde::Deserialize)]
    struct Object {
        #[serde(rename = "00282000")]
        profile: Option<Profile>,
    }
    #[derive(serde::Deserialize)]
    struct Profile {
        #[serde(rename = "InlineBinary")]
        base64: Option<String>,
    }
    let object: Object = serde_json::from_slice(json).ok()?;
    base64::engine::general_purpose::STANDARD.decode(object.profile?.base64?).ok()
}

/// The picture in `space`, and the profile that it then carries. Grey has none: it is no colour.
pub(super) fn managed(
    raster: Raster,
    space: Option<ColourSpace>,
    own: Option<&[u8]>,
) -> Result<(Raster, Option<Vec<u8>>), ImagingError> {
    let Some(space) = space.filter(|_| raster.colour) else { return Ok((raster, None)) };
    if let (ColourSpace::Own, Some(own)) = (space, own) {
        return Ok((raster, Some(own.to_vec())));
    }
    let unreadable = |_| ImagingError::Unsupported("its colour profile cannot be read");
    let source = match own {
        Some(own) => ColorProfile::new_from_slice(own).map_err(unreadable)?,
        None => ColorProfile::new_srgb(),
    };
    let target = space.profile();
    let written = target.encode().map_err(unreadable)?;
    if own.is_none() && matches!(space, ColourSpace::Own | ColourSpace::Srgb) {
        return Ok((raster, Some(written)));
    }
    if source.color_space != DataColorSpace::Rgb {
        return Err(ImagingError::Unsupported("its colour profile is not one of red, green and blue"));
    }
    let options = TransformOptions::default();
    let transform = source.create_transform_8bit(Layout::Rgb, &target, Layout::Rgb, options).map_err(unreadable)?;
    let mut bytes = vec![0; raster.bytes.len()];
    transform.transform(&raster.bytes, &mut bytes).map_err(unreadable)?;
    Ok((Raster { bytes, ..raster }, Some(written)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn colours() -> Raster {
        Raster { width: 2, height: 2, colour: true, bytes: vec![255, 0, 0, 0, 255, 0, 128, 128, 128, 255, 255, 255] }
    }

    #[test]
    fn grey_stays_grey_and_white_stays_white_in_every_space() {
        for space in [ColourSpace::Srgb, ColourSpace::AdobeRgb, ColourSpace::RommRgb, ColourSpace::DisplayP3] {
            let (shown, profile) = managed(colours(), Some(space), None).unwrap();
            let profile = ColorProfile::new_from_slice(&profile.unwrap()).unwrap();
            assert_eq!(profile.color_space, DataColorSpace::Rgb);
            let [.., grey, white] = shown.bytes.as_chunks::<3>().0 else { panic!() };
            assert!(white.iter().all(|value| *value >= 254), "{space:?} {white:?}");
            assert!(grey.iter().max().unwrap() - grey.iter().min().unwrap() <= 1, "{space:?} {grey:?}");
            let red = &shown.bytes[..3];
            match space {
                ColourSpace::Srgb => assert_eq!(shown.bytes, colours().bytes),
                // Wider spaces hold the red of sRGB further inside.
                _ => assert!(red[0] < 250, "{space:?} {red:?}"),
            }
        }
    }

    #[test]
    fn an_object_of_another_space_is_transformed_or_keeps_its_profile() {
        let own = ColorProfile::new_adobe_rgb().encode().unwrap();
        let (kept, profile) = managed(colours(), Some(ColourSpace::Own), Some(&own)).unwrap();
        assert_eq!((kept.bytes, profile), (colours().bytes, Some(own.clone())));
        let (wide, _) = managed(colours(), Some(ColourSpace::AdobeRgb), None).unwrap();
        let (back, _) = managed(wide, Some(ColourSpace::Srgb), Some(&own)).unwrap();
        let far = back.bytes.iter().zip(&colours().bytes).map(|(a, b)| a.abs_diff(*b)).max();
        assert!(far <= Some(2), "{:?}", back.bytes);
        assert!(managed(colours(), None, Some(&own)).unwrap().1.is_none());
        assert!(managed(colours(), Some(ColourSpace::Srgb), Some(b"no profile")).is_err());
        assert_eq!(inline(br#"{"00282000":{"vr":"OB","InlineBinary":"AQI="}}"#), Some(vec![1, 2]));
        assert_eq!(inline(br#"{"00282000":{"vr":"OB","BulkDataURI":"x"}}"#), None);
        let grey = Raster { width: 1, height: 1, colour: false, bytes: vec![9] };
        assert!(managed(grey, Some(ColourSpace::Srgb), None).unwrap().1.is_none());
    }
}
