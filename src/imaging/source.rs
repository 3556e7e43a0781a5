//! Pictures of what the archive holds: a frame is read, decoded when it is compressed, shown, and kept for
//! the next who asks.

use super::annotation::Annotation;
use super::cache::{self, Cache, Hopeless};
use super::codec::{self, Codec, Declared};
use super::encode::Raster;
use super::icc::{self, PROFILE_MAX};
use super::transcode::ANSWERS;
use super::view::View;
use super::{
    DecodeFailure, Decoders, DisplayAttributes, ImagingError, PIXELS_MAX, Picture, Program, Shape, picture, raster,
};
use crate::archive::{Archive, InstanceDetail, InstanceRow, RetrieveError};
use crate::config::Limits;
use crate::domain::instance::{FrameTable, PixelFacts, Selector};
use crate::domain::transfer_syntax::{self, Frames};
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Mebibytes that frames on their way to be pictures may take: native ones, and compressed ones in a room
/// of their own, so that frames on which decoders hang keep nobody else waiting.
const ROOM: u32 = 512;
/// What a small frame counts as: so at most four are at work in each room, a core or two at a time.
const ROOM_MIN: u32 = ROOM / 4;
/// JSON beyond which display attributes are not looked for.
pub(super) const TEXT_MAX: u64 = 64 << 20;
/// The largest look-up table has 65,536 entries of 16 bits, the largest overlay plane a bit a pixel.
const TABLE_MAX: usize = 8 << 20;
/// Encapsulated Uncompressed Explicit VR Little Endian: native frames in fragments (PS3.5 §A.4.11).
const UNCOMPRESSED: &str = "1.2.840.10008.1.2.1.98";

/// A handle; clones share decoders and cache.
#[derive(Clone)]
pub struct Imaging {
    pub(super) archive: Archive,
    pub(super) decoders: Decoders,
    native: Arc<Semaphore>,
    compressed: Arc<Semaphore>,
    pub(super) answers: Arc<Semaphore>,
    wait: Duration,
    pub(super) cache: Cache,
    hopeless: Hopeless,
}

/// A frame's samples, what they mean (without where frames are), whether a decoder gave them and what it told,
/// and the room they take until they are a picture.
pub(super) struct Samples {
    pub pixels: PixelFacts,
    pub bytes: Bytes,
    pub decoded: bool,
    /// A decoder gave values; else samples are fields of bits as the data set says where.
    pub values: bool,
    pub lossy: bool,
    pub room: OwnedSemaphorePermit,
}

/// Whether frames of a transfer syntax can be made into pictures.
pub fn is_shown(uid: &str) -> bool {
    let native = transfer_syntax::lookup(uid).is_some_and(transfer_syntax::TransferSyntax::is_native);
    native || uid == UNCOMPRESSED || Codec::of(uid).is_some()
}

impl Imaging {
    /// Starts no decoder yet.
    pub fn new(archive: Archive, limits: &Limits) -> Self {
        Self::with_program(archive, Program::own(limits), limits)
    }

    /// With decoders that are started by `program`.
    pub fn with_program(archive: Archive, program: Program, limits: &Limits) -> Self {
        Self {
            archive,
            decoders: Decoders::new(program, limits),
            native: Arc::new(Semaphore::new(ROOM as usize)),
            compressed: Arc::new(Semaphore::new(ROOM as usize)),
            answers: Arc::new(Semaphore::new(ANSWERS)),
            wait: limits.decode_wait.get(),
            cache: Cache::new(limits.picture_cache.get()),
            hopeless: Hopeless::new(),
        }
    }

    /// Names a picture: the same name is the same bytes.
    pub fn name(row: &InstanceRow, frame: u32, view: &View) -> [u8; 16] {
        cache::name(&row.file.sha256, frame, view)
    }

    /// Frame `frame` (from 0) of an instance.
    pub async fn rendered(&self, row: &InstanceRow, frame: u32, view: &View) -> Result<Picture, ImagingError> {
        let name = Self::name(row, frame, view);
        if let Some(picture) = self.cache.get(&name) {
            return Ok(picture);
        }
        let picture = self.shown(row, frame, view).await?;
        self.cache.put(name, picture.clone());
        Ok(picture)
    }

    async fn shown(&self, row: &InstanceRow, frame: u32, view: &View) -> Result<Picture, ImagingError> {
        let detail = self.detail(row).await?;
        let (Samples { pixels, bytes, room, .. }, display) = self.seen(&detail, frame, view).await?;
        let view = view.clone();
        let shown = move || {
            let _room = room;
            picture(&pixels, &bytes, &display, &view)
        };
        tokio::task::spawn_blocking(shown).await.map_err(failed)?
    }

    pub(super) async fn detail(&self, row: &InstanceRow) -> Result<InstanceDetail, ImagingError> {
        let found = self.archive.instance(&selector(row)).await.map_err(failed)?;
        // Another one may have come in its place, and what is made of it has another name.
        found.filter(|found| found.row.file.sha256 == row.file.sha256).ok_or_else(|| failed(RetrieveError::Deleted))
    }

    /// A frame before it is encoded, and how it is displayed.
    pub(super) async fn raster(
        &self,
        detail: &InstanceDetail,
        frame: u32,
        view: &View,
    ) -> Result<(Raster, DisplayAttributes), ImagingError> {
        let (Samples { pixels, bytes, room, .. }, display) = self.seen(detail, frame, view).await?;
        let view = view.clone();
        let shown = move || {
            let _room = room;
            raster(&pixels, &bytes, &display, &view).map(|raster| (raster, display))
        };
        tokio::task::spawn_blocking(shown).await.map_err(failed)?
    }

    /// The samples of a frame, as many as a view needs, and how they are displayed.
    pub(super) async fn seen(
        &self,
        detail: &InstanceDetail,
        frame: u32,
        view: &View,
    ) -> Result<(Samples, DisplayAttributes), ImagingError> {
        let uid = detail.row.file.transfer_syntax_uid.as_str();
        let Some(pixels) = detail.pixels.as_ref().filter(|_| Codec::of(uid) == Some(Codec::Jpeg2000)) else {
            let samples = self.samples(detail, frame, None).await?;
            return Ok((samples, self.display(detail, frame, view).await?));
        };
        Shape::of(pixels)?;
        let mut display = self.display(detail, frame, view).await?;
        let samples = self.samples(detail, frame, view.coarse(pixels, &display)).await?;
        let smaller = (samples.pixels.columns, samples.pixels.rows) != (pixels.columns, pixels.rows);
        display.whole = smaller.then_some((pixels.columns, pixels.rows));
        Ok((samples, display))
    }

    /// The samples of a frame in little endian, decoded when they are compressed, and what they mean. Where
    /// `coarse` says a size, they may be fewer, but not fewer than that.
    pub(super) async fn samples(
        &self,
        detail: &InstanceDetail,
        frame: u32,
        coarse: Option<(u32, u32)>,
    ) -> Result<Samples, ImagingError> {
        let stored = detail.pixels.as_ref().ok_or(ImagingError::NothingToShow)?;
        let mut pixels = without_places(stored);
        let uid = detail.row.file.transfer_syntax_uid.as_str();
        // Whatever cannot be shown is refused before a byte of it is read.
        let shape = Shape::of(&pixels)?;
        let native = shape.frame_bytes().saturating_add(1).min(PIXELS_MAX as usize * 12);
        let encapsulated = matches!(stored.frames, FrameTable::Encapsulated { .. });
        let codec = match (encapsulated, transfer_syntax::lookup(uid).map(|syntax| syntax.frames)) {
            (false, _) => None,
            (true, Some(Frames::Video)) => return Err(ImagingError::Unsupported("a frame of a video")),
            (true, _) if uid == UNCOMPRESSED => None,
            (true, _) => Some(Codec::of(uid).ok_or(ImagingError::Unsupported("no decoder for its transfer syntax"))?),
        };
        let name = cache::name(&detail.row.file.sha256, frame, &View::default());
        if let Some(failure) = self.hopeless.get(&name) {
            return Err(failure.into());
        }
        // Samples, the picture, and its scaled form.
        let need = u32::try_from((native + shape.area() * 6) >> 20).unwrap_or(ROOM).clamp(ROOM_MIN, ROOM);
        let room = if codec.is_some() { &self.compressed } else { &self.native };
        let room = self.place(room, need).await?;
        // What compression made larger than twice its frame is no frame.
        let cap = if codec.is_some() { native.saturating_mul(2).saturating_add(1 << 20) } else { native };
        let bytes = self.archive.frame(detail, frame, cap).await.map_err(|error| match error {
            RetrieveError::NoSuchFrame | RetrieveError::Deleted => ImagingError::NoSuchFrame,
            RetrieveError::NotFramed if !encapsulated => ImagingError::NoSuchFrame,
            RetrieveError::NotFramed => ImagingError::Unsupported("its frames cannot be told apart"),
            error => failed(error),
        })?;
        let Some(codec) = codec else {
            return Ok(Samples { pixels, bytes, decoded: false, values: false, lossy: false, room });
        };
        let whole = declared(&pixels, &shape);
        let halvings = coarse.map_or(0, |size| codec::halvings(codec, &bytes, (whole.columns, whole.rows), size));
        let halved = |length: u32| length.div_ceil(1 << halvings);
        let fewer = Declared { rows: halved(whole.rows), columns: halved(whole.columns), halvings, ..whole };
        let decoded = match self.decoders.decode(codec, fewer, bytes.clone()).await {
            // A tile may have fewer levels than the main header says.
            Err(DecodeFailure::Frame(_)) if halvings > 0 => self.decoders.decode(codec, whole, bytes).await,
            decoded => decoded.inspect(|_| (pixels.rows, pixels.columns) = (fewer.rows, fewer.columns)),
        };
        let samples = decoded.inspect_err(|failure| self.hopeless.put(name, *failure))?;
        pixels.element = 0x0010;
        // Two codecs compress bytes and know no samples. The others' lowest bit is bit 0, unless High Bit says that it
        // stands higher, and the codestream reaches up to there and lost nothing (PS3.5 §8.1.1).
        let is_field = pixels.bits_allocated == samples.bits_allocated
            && (pixels.bits_stored..samples.precision).contains(&pixels.high_bit)
            && !samples.lossy;
        let values = !matches!(codec, Codec::Rle | Codec::Deflate) && !is_field;
        pixels.bits_allocated = samples.bits_allocated;
        if values {
            pixels.bits_stored = samples.bits_stored;
            pixels.high_bit = if samples.bits_allocated == 1 { 0 } else { samples.bits_stored.saturating_sub(1) };
        }
        pixels.planar_configuration = u16::from(samples.planar);
        pixels.photometric_interpretation = match pixels.photometric_interpretation.trim() {
            // The transformations of JPEG 2000 and JPEG XL are undone with the compression (PS3.3 §C.7.6.3.1.2).
            "YBR_ICT" | "YBR_RCT" | "XYB" => "RGB",
            _ if samples.to_rgb => "RGB",
            // What was shared by neighbours is now with each pixel.
            "YBR_FULL_422" => "YBR_FULL",
            other => other,
        }
        .into();
        Ok(Samples { pixels, bytes: samples.bytes.into(), decoded: true, values, lossy: samples.lossy, room })
    }

    /// A share of what may be at work at once; whoever waits too long is told so.
    pub(super) async fn place(&self, of: &Arc<Semaphore>, share: u32) -> Result<OwnedSemaphorePermit, ImagingError> {
        let place = Arc::clone(of).acquire_many_owned(share);
        tokio::time::timeout(self.wait, place).await.map_err(|_| ImagingError::Busy)?.map_err(failed)
    }

    pub(super) async fn display(
        &self,
        detail: &InstanceDetail,
        frame: u32,
        view: &View,
    ) -> Result<DisplayAttributes, ImagingError> {
        let (metadata, overlays) = (detail.metadata.clone(), view.overlays);
        let (annotation, window, managed) = (view.annotation, view.window, view.space.is_some());
        let read = move || {
            let text = metadata.text(TEXT_MAX).map_err(failed)?;
            let mut display = DisplayAttributes::from_json(&text, frame)?;
            display.profile = managed.then(|| icc::inline(&text)).flatten();
            let display = if overlays { display.with_overlays(&text, frame)? } else { display };
            if annotation == Annotation::default() {
                Ok(display)
            } else {
                display.with_labels(&text, annotation, window)
            }
        };
        let mut display = tokio::task::spawn_blocking(read).await.map_err(failed)??;
        // Look-up tables and planes that are bulk data; the picture says so when one is missing.
        for place in display.elsewhere() {
            if let Some(value) = detail.metadata.bulk_value(&place) {
                display.supply(&place, &self.archive.value(detail, value, TABLE_MAX).await.map_err(failed)?);
            }
        }
        if managed {
            // Of the image, or of its first optical path (PS3.3 §C.8.12.5). Short ones stand in the JSON.
            let long = PROFILES.iter().find_map(|place| detail.metadata.bulk_value(place));
            if let Some(value) = long {
                display.profile = Some(self.archive.value(detail, value, PROFILE_MAX).await.map_err(failed)?.into());
            }
        }
        Ok(display)
    }
}

/// Where ICC Profile (0028,2000) stands.
const PROFILES: [&str; 2] = ["00282000", "00480105/0/00282000"];

fn selector(row: &InstanceRow) -> Selector {
    Selector {
        study: row.uids.study.clone(),
        series: Some(row.uids.series.clone()),
        instance: Some(row.uids.instance.clone()),
    }
}

/// The table of frames may be long, and is of no use to who has the frame.
fn without_places(pixels: &PixelFacts) -> PixelFacts {
    PixelFacts {
        photometric_interpretation: pixels.photometric_interpretation.clone(),
        value: pixels.value.clone(),
        frames: FrameTable::Native { frame_bits: 0 },
        ..*pixels
    }
}

pub(super) fn declared(pixels: &PixelFacts, shape: &Shape) -> Declared {
    Declared {
        rows: shape.height,
        columns: shape.width,
        samples: shape.samples,
        bits_allocated: shape.bits_allocated,
        bits_stored: shape.bits_stored,
        signed: shape.signed,
        planar: shape.planar,
        rgb: pixels.photometric_interpretation.trim() == "RGB",
        halvings: 0,
    }
}

pub(super) fn failed(error: impl std::error::Error + Send + Sync + 'static) -> ImagingError {
    ImagingError::Archive(Box::new(error))
}
