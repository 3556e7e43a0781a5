//! A multi-frame instance as one moving picture: GIF, which every browser plays.

use super::attributes::DisplayAttributes;
use super::encode::Raster;
use super::error::ImagingError;
use super::samples::Shape;
use super::source::{Samples, failed};
use super::view::View;
use super::{Imaging, Picture, grey, is_grey};
use crate::archive::{InstanceDetail, InstanceRow};
use crate::domain::instance::PixelFacts;
use gif::{Encoder, Frame, Repeat};

/// Frames of one moving picture, and pixels of all of them, as they are shown and as they are stored: what is longer
/// is a video, not a GIF, and would not be ready before the caller gives up.
const FRAMES_MAX: u32 = 1000;
const PIXELS_MAX: u64 = 150_000_000;
const STORED_MAX: u64 = 600_000_000;
/// The longest edge, unless a viewport says otherwise.
const EDGE: u32 = 640;
/// How well colours are chosen: 1 is best, 30 fastest.
const COLOUR_SPEED: i32 = 20;
/// How many frames at most are looked at before a span is chosen for all.
const LOOKS: u32 = 8;
/// A tenth of a second, where the object names no time.
const DELAY: u16 = 10;

const TOO_MANY: ImagingError = ImagingError::Unsupported("too many frames, or too large ones, for one moving picture");

/// Before a frame is decoded.
fn within_bounds(pixels: &PixelFacts, view: &View, aspect: f64, frames: u32) -> Result<(), ImagingError> {
    let of_all = |(width, height): (u32, u32)| u64::from(width) * u64::from(height) * u64::from(frames.min(FRAMES_MAX));
    // What is cut out is measured when it is there.
    let shown = view.is_whole().then(|| of_all(view.size(pixels.columns, pixels.rows, aspect)));
    let stored = of_all((pixels.columns, pixels.rows));
    match frames > FRAMES_MAX || stored > STORED_MAX || shown.is_some_and(|shown| shown > PIXELS_MAX) {
        true => Err(TOO_MANY),
        false => Ok(()),
    }
}

impl Imaging {
    /// All frames of an instance, as fast as the object says.
    pub async fn animated(&self, row: &InstanceRow, view: &View) -> Result<Picture, ImagingError> {
        let name = Self::name(row, u32::MAX, view);
        if let Some(picture) = self.cache.get(&name) {
            return Ok(picture);
        }
        let view = View { longest_edge: view.longest_edge.or(Some(EDGE)), ..view.clone() };
        let detail = self.detail(row).await?;
        let pixels = detail.pixels.as_ref().ok_or(ImagingError::NothingToShow)?;
        let first = self.display(&detail, 0, &view).await?;
        within_bounds(pixels, &view, first.aspect.unwrap_or(1.0), row.number_of_frames)?;
        let span = if view.window.is_none() && is_grey(pixels) { self.span(&detail, &view).await? } else { None };
        let view = View { span, ..view };
        let mut moving: Option<Moving> = None;
        for frame in 0..row.number_of_frames {
            let (raster, display) = self.raster(&detail, frame, &view).await?;
            let area = u64::from(raster.width) * u64::from(raster.height);
            if area * u64::from(row.number_of_frames) > PIXELS_MAX {
                return Err(TOO_MANY);
            }
            let add = move || match moving {
                Some(moving) => moving.with(raster, &display),
                None => Moving::of(raster, &display),
            };
            moving = Some(tokio::task::spawn_blocking(add).await.map_err(failed)??);
        }
        let picture = moving.ok_or(ImagingError::NothingToShow)?.finish()?;
        self.cache.put(name, picture.clone());
        Ok(picture)
    }

    /// What frames without a window are stretched over, all alike: over what some of them hold. Each over its own values
    /// the picture would flicker.
    async fn span(&self, detail: &InstanceDetail, view: &View) -> Result<Option<(f64, f64)>, ImagingError> {
        let frames = detail.row.number_of_frames;
        let mut ends: Option<(f64, f64)> = None;
        for frame in (0..frames).step_by(frames.div_ceil(LOOKS).max(1) as usize) {
            let display = self.display(detail, frame, view).await?;
            if display.is_windowed() {
                continue;
            }
            let Samples { pixels, bytes, room, .. } = self.samples(detail, frame, None).await?;
            let look = move || {
                let _room = room;
                grey::extent(&Shape::of(&pixels)?, &bytes, &display)
            };
            let Some((low, high)) = tokio::task::spawn_blocking(look).await.map_err(failed)?? else { continue };
            ends = Some(ends.map_or((low, high), |ends| (ends.0.min(low), ends.1.max(high))));
        }
        Ok(ends)
    }
}

struct Moving {
    encoder: Encoder<Vec<u8>>,
    width: u16,
    height: u16,
}

impl Moving {
    fn of(first: Raster, display: &DisplayAttributes) -> Result<Self, ImagingError> {
        let (Ok(width), Ok(height)) = (u16::try_from(first.width), u16::try_from(first.height)) else {
            return Err(ImagingError::Unsupported("an edge beyond 65,535 pixels"));
        };
        let greys: Vec<u8> = (0..=255).flat_map(|grey| [grey; 3]).collect();
        let mut encoder = Encoder::new(Vec::new(), width, height, &greys).map_err(encode)?;
        encoder.set_repeat(Repeat::Infinite).map_err(encode)?;
        Self { encoder, width, height }.with(first, display)
    }

    fn with(mut self, mut raster: Raster, display: &DisplayAttributes) -> Result<Self, ImagingError> {
        if (raster.width, raster.height) != (self.width.into(), self.height.into()) {
            return Err(ImagingError::Unsupported("frames of several sizes"));
        }
        let mut frame = match raster.colour {
            true => Frame::from_rgb_speed(self.width, self.height, &raster.bytes, COLOUR_SPEED),
            false => Frame {
                width: self.width,
                height: self.height,
                buffer: std::mem::take(&mut raster.bytes).into(),
                ..Frame::default()
            },
        };
        // Browsers take less than 2 hundredths for a mistake and slow down.
        frame.delay = display.frame_time_ms.map_or(DELAY, |ms| (ms / 10.0).round().clamp(2.0, 6000.0) as u16);
        self.encoder.write_frame(&frame).map_err(encode)?;
        Ok(self)
    }

    fn finish(self) -> Result<Picture, ImagingError> {
        let bytes = self.encoder.into_inner().map_err(encode)?;
        let (width, height) = (self.width.into(), self.height.into());
        Ok(Picture { bytes: bytes.into(), media_type: "image/gif", width, height })
    }
}

fn encode(error: impl std::error::Error + Send + Sync + 'static) -> ImagingError {
    ImagingError::Encode(Box::new(error))
}

#[cfg(test)]
mod tests {
    use super::super::samples::tests::facts;
    use super::*;

    #[test]
    fn what_is_stored_is_bounded_before_it_is_decoded() {
        let view = View { longest_edge: Some(EDGE), ..View::default() };
        let of = |edge, frames| within_bounds(&facts(edge, edge, 1, 16, "MONOCHROME2"), &view, 1.0, frames).is_ok();
        assert!(of(384, 1000) && of(2048, 100) && of(6300, 15));
        assert!(!of(512, 1000), "more is shown than a GIF holds");
        assert!(!of(8, 1001) && !of(6300, 300) && !of(u32::from(u16::MAX), u32::MAX));
    }

    #[test]
    fn frames_follow_each_other_in_the_time_of_the_object() {
        let raster = |grey| Raster { width: 3, height: 2, colour: false, bytes: vec![grey; 6] };
        let [display, longer] =
            [66.6, 1500.0].map(|ms| DisplayAttributes { frame_time_ms: Some(ms), ..Default::default() });
        let moving = Moving::of(raster(7), &display).unwrap().with(raster(200), &longer).unwrap();
        let picture = moving.finish().unwrap();
        let mut decoder = gif::DecodeOptions::new();
        decoder.set_color_output(gif::ColorOutput::RGBA);
        let mut decoder = decoder.read_info(picture.bytes.as_ref()).unwrap();
        let first = decoder.read_next_frame().unwrap().unwrap();
        assert_eq!((first.delay, first.buffer[..4].to_vec()), (7, vec![7, 7, 7, 255]));
        let second = decoder.read_next_frame().unwrap().unwrap();
        assert_eq!((second.delay, second.buffer[0]), (150, 200));
        assert!(decoder.read_next_frame().unwrap().is_none());
        let other = Raster { width: 2, height: 2, colour: false, bytes: vec![0; 4] };
        assert!(Moving::of(raster(7), &display).unwrap().with(other, &display).is_err());
    }
}
