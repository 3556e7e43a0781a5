//! The file on its way out: preamble and file meta, the data set up to its pixel data, the frames as they are
//! made, the rest of the data set.

use super::frame::Converted;
use super::{Form, Pixels, Transcoded};
use crate::domain::instance::FrameTable;
use crate::domain::pixel_data::PixelData;
use crate::domain::recode::Recoder;
use crate::domain::transfer_syntax::Encoding;
use crate::imaging::ImagingError;
use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt};
use std::io;
use std::sync::Arc;
use tokio::sync::OwnedSemaphorePermit;

/// Frames that are made ahead of the reader, so that two cores work; large ones one at a time.
const AHEAD: usize = 2;
const SMALL: u64 = 8 << 23;

struct Sending {
    dataset: BoxStream<'static, io::Result<Bytes>>,
    recoder: Option<Recoder>,
    pixels: Option<BoxStream<'static, io::Result<Bytes>>>,
    /// The frames are being sent; `rest` stands behind them.
    at_pixels: bool,
    rest: Vec<u8>,
    /// Nothing follows the frames.
    pixels_are_last: bool,
    _answer: OwnedSemaphorePermit,
}

pub(super) fn of(transcoded: Transcoded, recoder: Recoder) -> BoxStream<'static, io::Result<Bytes>> {
    let row = &transcoded.detail.row;
    let start = u64::from(row.file.dataset_offset);
    let pixels_are_last = transcoded.pixels.is_some()
        && transcoded.stored.encoding != Encoding::DeflatedExplicitLittle
        && transcoded.detail.pixels.as_ref().is_some_and(|pixels| {
            let delimiter = if matches!(pixels.frames, FrameTable::Encapsulated { .. }) { 8 } else { 0 };
            start + pixels.value.end + delimiter == row.file.size_bytes
        });
    let dataset = transcoded.file.stream(start..row.file.size_bytes).boxed();
    let head = transcoded.head.clone();
    let Transcoded { imaging, detail, pixels, answer, .. } = transcoded;
    let frames = pixels.map(|Pixels { target, form, first, frames }| {
        let ahead = if form.frame_bits > SMALL { 1 } else { AHEAD };
        let expected = form.clone();
        let others = stream::iter(1..frames)
            .map(move |frame| {
                let (imaging, detail, expected) = (imaging.clone(), Arc::clone(&detail), expected.clone());
                async move {
                    let Converted { bytes, form, .. } = imaging.converted(&detail, frame, target).await?;
                    match form == expected {
                        true => Ok(bytes),
                        false => Err(ImagingError::Unsupported("its frames differ in their samples")),
                    }
                }
            })
            .buffered(ahead);
        let encoded = target.encoder().is_some();
        written(form, frames, encoded, stream::iter([Ok(first)]).chain(others).boxed())
    });
    let sending = Sending {
        dataset,
        recoder: Some(recoder),
        pixels: frames,
        at_pixels: false,
        rest: Vec::new(),
        pixels_are_last,
        _answer: answer,
    };
    stream::iter([Ok(head)]).chain(stream::try_unfold(sending, Sending::next)).boxed()
}

impl Sending {
    async fn next(mut self) -> io::Result<Option<(Bytes, Self)>> {
        loop {
            if self.at_pixels {
                if let Some(pixels) = &mut self.pixels
                    && let Some(chunk) = pixels.next().await
                {
                    return Ok(Some((chunk?, self)));
                }
                (self.at_pixels, self.pixels) = (false, None);
                if self.pixels_are_last {
                    return Ok(None);
                }
                if !self.rest.is_empty() {
                    return Ok(Some((std::mem::take(&mut self.rest).into(), self)));
                }
            }
            let Some(mut recoder) = self.recoder.take() else { return Ok(None) };
            let mut out = Vec::new();
            match self.dataset.next().await {
                Some(chunk) => {
                    recoder.feed(&chunk?, &mut out).map_err(io::Error::other)?;
                    if let Some(at) = recoder.pixels_left_out() {
                        self.rest = out.split_off(at);
                        self.at_pixels = true;
                    }
                    self.recoder = Some(recoder);
                }
                // Frames that the index knows of and the data set does not hold are not left out in silence.
                None if self.pixels.is_some() => return Err(io::ErrorKind::InvalidData.into()),
                None => recoder.finish(&mut out).map_err(io::Error::other)?,
            }
            if !out.is_empty() {
                return Ok(Some((out.into(), self)));
            }
        }
    }
}

type Frames = BoxStream<'static, Result<Bytes, ImagingError>>;

/// The element that holds the frames.
fn written(form: Form, count: u32, encoded: bool, frames: Frames) -> BoxStream<'static, io::Result<Bytes>> {
    let begun = match encoded {
        true => Some(PixelData::encapsulated(count)),
        false => PixelData::native(form.frame_bits, count, form.bits_allocated),
    };
    let Some((element, head)) = begun else {
        return stream::iter([Err(io::ErrorKind::FileTooLarge.into())]).boxed();
    };
    let state = (Some(element), frames);
    let body = stream::try_unfold(state, |(element, mut frames)| async move {
        let Some(mut element) = element else { return Ok(None) };
        let pieces: Vec<Bytes> = match frames.next().await {
            None => return Ok(Some((vec![element.end().into()], (None, frames)))),
            Some(frame) => {
                let frame = frame.map_err(io::Error::other)?;
                element.frame(frame).ok_or(io::ErrorKind::InvalidData)?.into()
            }
        };
        io::Result::Ok(Some((pieces, (Some(element), frames))))
    });
    let pieces = body.flat_map(|pieces| match pieces {
        Ok(pieces) => stream::iter(pieces.into_iter().filter(|piece| !piece.is_empty()).map(Ok).collect::<Vec<_>>()),
        Err(error) => stream::iter(vec![Err(error)]),
    });
    stream::iter([Ok(head.into())]).chain(pieces).boxed()
}
