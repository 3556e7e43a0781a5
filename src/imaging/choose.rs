//! A picture of what is stored: one frame of an instance, or the one that shows a series best.

use super::{DisplayAttributes, ImagingError, PIXELS_MAX, Picture, Shape, picture};
use crate::archive::{Archive, InstanceDetail, RetrieveError};
use crate::domain::instance::{FrameTable, Selector};
use crate::domain::transfer_syntax::{self, Encoding};
use dicom_core::VR;
use tokio::sync::Semaphore;

/// Frames shown at the same time: each takes a core and some hundred megabytes at most.
static SHOWING: Semaphore = Semaphore::const_new(4);
/// JSON beyond which display attributes are not looked for.
const TEXT_MAX: u64 = 64 << 20;
/// The largest look-up table: 65,536 entries of 16 bits.
const TABLE_MAX: usize = 1 << 18;
/// Instances asked for their pixels before a series counts as having none to show.
const TRIES: usize = 16;

/// The picture of a series: the middle frame of its middle instance with native pixel data. When it has
/// pixel data only in fragments, [`ImagingError::NeedsDecoder`]; when it has none, `NothingToShow`.
pub async fn first_picture(archive: &Archive, series: &Selector, max_edge: u32) -> Result<Picture, ImagingError> {
    let rows = archive.instances(series).await.map_err(failed)?;
    let mut candidates: Vec<_> = rows.iter().filter(|row| row.number_of_frames > 0).collect();
    // Those whose syntax is native first, each group from its middle outwards.
    let native = |uid: &str| transfer_syntax::lookup(uid).is_some_and(transfer_syntax::TransferSyntax::is_native);
    let some_native = candidates.iter().any(|row| native(row.file.transfer_syntax_uid.as_str()));
    candidates.retain(|row| !some_native || native(row.file.transfer_syntax_uid.as_str()));
    let middle = candidates.len() / 2;
    let outwards = (0..candidates.len())
        .map(|step| if step % 2 == 0 { middle + step / 2 } else { middle.wrapping_sub(step.div_ceil(2)) });
    let mut last = ImagingError::NothingToShow;
    for row in outwards.filter_map(|at| candidates.get(at)).take(TRIES) {
        let selector = Selector {
            study: row.uids.study.clone(),
            series: Some(row.uids.series.clone()),
            instance: Some(row.uids.instance.clone()),
        };
        match frame_picture(archive, &selector, row.number_of_frames / 2, max_edge).await {
            Err(error @ (ImagingError::Archive(_) | ImagingError::Encode(_))) => return Err(error),
            Err(error) => last = error,
            picture => return picture,
        }
    }
    Err(last)
}

/// Frame `frame` (from 0) of an instance with native pixel data.
pub async fn frame_picture(
    archive: &Archive,
    instance: &Selector,
    frame: u32,
    max_edge: u32,
) -> Result<Picture, ImagingError> {
    let detail = archive.instance(instance).await.map_err(failed)?.ok_or(ImagingError::NothingToShow)?;
    let pixels = detail.pixels.clone().ok_or(ImagingError::NothingToShow)?;
    if matches!(pixels.frames, FrameTable::Encapsulated { .. }) {
        return Err(ImagingError::NeedsDecoder);
    }
    // Whatever cannot be shown is refused before a byte of it is read.
    let shape = Shape::of(&pixels)?;
    let _showing = SHOWING.acquire().await.map_err(failed)?;
    let cap = shape.frame_bytes().saturating_add(1).min(PIXELS_MAX as usize * 12);
    let bytes = archive.frame(&detail, frame, cap).await.map_err(|error| match error {
        RetrieveError::NoSuchFrame => ImagingError::NoSuchFrame,
        RetrieveError::NotFramed => ImagingError::NeedsDecoder,
        error => failed(error),
    })?;
    let display = display(archive, &detail, frame).await?;
    tokio::task::spawn_blocking(move || picture(&pixels, &bytes, &display, max_edge)).await.map_err(failed)?
}

async fn display(archive: &Archive, detail: &InstanceDetail, frame: u32) -> Result<DisplayAttributes, ImagingError> {
    let text = detail.metadata.clone().text(TEXT_MAX).map_err(failed)?;
    let mut display = DisplayAttributes::from_json(&text, frame)?;
    for place in display.elsewhere() {
        if let Some(bytes) = table(archive, detail, &place).await? {
            display.supply(&place, &bytes);
        }
    }
    Ok(display)
}

/// A look-up table that is bulk data, in little endian. That of a deflated data set has no place in the
/// file: the picture will say that it is missing.
async fn table(archive: &Archive, detail: &InstanceDetail, place: &str) -> Result<Option<Vec<u8>>, ImagingError> {
    let file = &detail.row.file;
    let encoding = transfer_syntax::lookup(file.transfer_syntax_uid.as_str()).map(|syntax| syntax.encoding);
    let (Some(value), false) = (detail.metadata.bulk_value(place), encoding == Some(Encoding::DeflatedExplicitLittle))
    else {
        return Ok(None);
    };
    let start = u64::from(file.dataset_offset);
    let (Some(from), Some(to)) = (start.checked_add(value.value.start), start.checked_add(value.value.end)) else {
        return Ok(None);
    };
    let open = archive.open(file).await.map_err(failed)?;
    let mut bytes = open.read_exact_at(from..to, TABLE_MAX).await.map_err(failed)?.to_vec();
    if encoding == Some(Encoding::ExplicitBig) && value.vr != VR::OB {
        bytes.chunks_exact_mut(2).for_each(|word| word.swap(0, 1));
    }
    Ok(Some(bytes))
}

fn failed(error: impl std::error::Error + Send + Sync + 'static) -> ImagingError {
    ImagingError::Archive(Box::new(error))
}
