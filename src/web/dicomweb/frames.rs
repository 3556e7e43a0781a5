//! Frames (PS3.18 §10.4.1.1.6): one positioned read each from the stored file. Native frames in little
//! endian, encapsulated ones as code streams with their fragments joined; or in another transfer syntax.

use super::asked::Asked;
use super::media::{self, FrameMedia, Packaging};
use super::multipart::Multipart;
use super::representation::Representation;
use super::segments::{Framing, Handle, Segment, Segments};
use super::{base_tag, hex};
use crate::archive::{InstanceDetail, InstanceFile, InstanceFrames, RetrieveError};
use crate::domain::byte_order::Words;
use crate::domain::frames::locate;
use crate::domain::instance::{FrameTable, PixelFacts};
use crate::domain::transfer_syntax::{Encoding, TransferSyntax};
use crate::imaging::Target;
use crate::web::Web;
use crate::web::problem::Problem;
use axum::http::HeaderValue;
use axum::response::Response;
use std::fmt::Write;
use std::sync::Arc;

/// Frames that one request may name.
const LIST_MAX: usize = 10_000;
/// A frame of single bits that is moved to a byte edge is held in memory: 1 bit of 40,000 x 40,000.
const BITS_MAX: usize = 200 << 20;

/// `GET .../instances/{instance}/frames/{frames}`: numbers from 1, separated by commas.
pub async fn frames(asked: Asked) -> Result<Response, Problem> {
    let list = numbers(&asked.below)?;
    let found = asked.frames().await?;
    let pixels = found.pixels.as_ref().ok_or_else(|| Problem::not_found("This instance has no pixel data."))?;
    let stored = media::stored(found.row.file.transfer_syntax_uid.as_str())?;
    let chosen = media::frames(&asked.accept(), stored, list.len())?;

    asked.noted().await;
    let etag = tag(&found.row.file.sha256, &list, &chosen, base_tag(&asked.base));
    let sends = asked.sends(&etag);
    let located = located(&asked.web, &found, pixels, stored, &chosen, &list, sends).await?;
    let mut located: Vec<_> = list.into_iter().zip(located).collect();
    let digest = &found.row.file.sha256;
    let (content_type, segments) = match (chosen.packaging, located.pop()) {
        (Packaging::Single, Some((_, only))) => {
            let mut segments = Segments::default();
            only.into_iter().for_each(|segment| segments.push(segment));
            let value = format!("{}; transfer-syntax={}", chosen.media, chosen.transfer_syntax);
            (HeaderValue::from_str(&value).unwrap_or(HeaderValue::from_static(media::OCTETS)), segments)
        }
        (_, last) => {
            let location = asked.url_of(&found.row.uids);
            let mut multipart = Multipart::new(chosen.media, digest.get(16..).unwrap_or_default());
            for (number, segments) in located.into_iter().chain(last) {
                let location = format!("{location}/frames/{number}");
                multipart.part(chosen.media, Some(chosen.transfer_syntax), &location, segments);
            }
            multipart.finish()
        }
    };
    Ok(asked.answer(Representation { content_type, etag, segments }))
}

/// Names the frames in their form. A long list is named by its checksum.
fn tag(digest: &[u8], list: &[u32], chosen: &FrameMedia, base: u32) -> String {
    let names = list.iter().fold(String::new(), |mut names, number| {
        let _ = write!(names, ".{number}");
        names
    });
    let names = if names.len() > 64 { format!(".x{:08x}", crc32fast::hash(names.as_bytes())) } else { names };
    let packaging = if chosen.packaging == Packaging::Single { "s" } else { "m" };
    let version = hex(digest.get(..16).unwrap_or_default());
    format!("\"{version}-f{names}-{packaging}{}-{base:x}\"", chosen.code())
}

/// The bytes of each frame of `list`, in the form that was chosen. Unless the answer `sends` them nothing is
/// decoded.
pub(super) async fn located(
    web: &Web,
    found: &InstanceFrames,
    pixels: &PixelFacts,
    stored: &'static TransferSyntax,
    chosen: &FrameMedia,
    list: &[u32],
    sends: bool,
) -> Result<Vec<Vec<Segment>>, Problem> {
    if let Some(target) = chosen.target {
        return transcoded(web, found, pixels, list, target, sends).await;
    }
    let file = web.archive.open(&found.row.file).await?;
    // The VR of big endian Pixel Data, and all that a frame of single bits needs, is in the metadata.
    let detail = match pixels.frames {
        FrameTable::Native { frame_bits } if frame_bits % 8 != 0 || stored.encoding == Encoding::ExplicitBig => {
            web.archive.instance(&found.row.uids.selector()).await?
        }
        _ => None,
    };
    let source = Source { web, found, pixels, stored, file, detail };
    let mut located = Vec::with_capacity(list.len());
    for number in list {
        located.push(source.segments(*number).await?);
    }
    Ok(located)
}

/// Frames in another transfer syntax. The first is made before the answer begins, so that what cannot be had is
/// an error; a single one has a length, and so ranges.
async fn transcoded(
    web: &Web,
    found: &InstanceFrames,
    pixels: &PixelFacts,
    list: &[u32],
    target: Target,
    sends: bool,
) -> Result<Vec<Vec<Segment>>, Problem> {
    let detail = web.archive.instance(&found.row.uids.selector()).await?.ok_or(RetrieveError::Deleted)?;
    let detail = Arc::new(detail);
    let mut segments = Vec::with_capacity(list.len());
    for (at, number) in list.iter().enumerate() {
        if *number > pixels.number_of_frames {
            return Err(no_such_frame(pixels, *number));
        }
        let frame = number - 1;
        segments.push(vec![if at == 0 && sends {
            Segment::Literal(web.imaging.transcoded_frame(&detail, frame, target).await?)
        } else {
            let (imaging, detail) = (web.imaging.clone(), Arc::clone(&detail));
            Segment::Frame(Box::new(Framing { imaging, detail, frame, target }))
        }]);
    }
    Ok(segments)
}

fn no_such_frame(pixels: &PixelFacts, number: u32) -> Problem {
    Problem::not_found(if number <= pixels.number_of_frames {
        "The frames of this instance cannot be told apart; retrieve its bulk data."
    } else {
        "This instance has no such frame; they are numbered from 1 to (0028,0008) Number of Frames."
    })
}

/// Frame numbers count from 1 (PS3.18 §10.4.1.1.6).
pub(super) fn numbers(list: &str) -> Result<Vec<u32>, Problem> {
    let wrong = || Problem::bad_request("Frames are named by numbers from 1, separated by commas.");
    let numbers: Vec<u32> = list
        .split(',')
        .take(LIST_MAX + 1)
        .map(|number| number.trim().parse::<u32>().ok().filter(|number| *number > 0).ok_or_else(wrong))
        .collect::<Result<_, _>>()?;
    if numbers.len() > LIST_MAX {
        return Err(Problem::bad_request("A request names at most 10,000 frames."));
    }
    Ok(numbers)
}

struct Source<'a> {
    web: &'a Web,
    found: &'a InstanceFrames,
    pixels: &'a PixelFacts,
    stored: &'static TransferSyntax,
    file: InstanceFile,
    detail: Option<InstanceDetail>,
}

impl Source<'_> {
    /// The bytes of frame `number` (from 1).
    async fn segments(&self, number: u32) -> Result<Vec<Segment>, Problem> {
        let index = number - 1;
        let Some(ranges) = locate(self.pixels, index) else {
            return Err(no_such_frame(self.pixels, number));
        };
        let dataset = u64::from(self.found.row.file.dataset_offset);
        if let (FrameTable::Native { frame_bits }, Some(detail)) = (&self.pixels.frames, &self.detail)
            && frame_bits % 8 != 0
        {
            return Ok(vec![Segment::Literal(self.web.archive.frame(detail, index, BITS_MAX).await?)]);
        }
        let words = self.words(dataset);
        Ok(ranges
            .into_iter()
            .map(|range| {
                let (handle, placed) = (Handle::Open(self.file.clone()), dataset + range.start..dataset + range.end);
                match (self.stored.encoding, &words) {
                    (Encoding::DeflatedExplicitLittle, _) => {
                        Segment::Inflated { file: handle, dataset_offset: dataset, range }
                    }
                    (Encoding::ExplicitBig, Some(words)) => Segment::Swapped(handle, words.clone(), placed),
                    _ => Segment::File(handle, placed),
                }
            })
            .collect())
    }

    fn words(&self, dataset: u64) -> Option<Words> {
        let value = self.detail.as_ref()?.metadata.bulk_value(&format!("7FE0{:04X}", self.pixels.element))?;
        Words::of(value, Some(self.pixels), dataset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_numbered_from_one() {
        assert_eq!(numbers("1").unwrap(), [1]);
        assert_eq!(numbers("3,1, 2").unwrap(), [3, 1, 2]);
        for wrong in ["", "0", "1,", "a", "-1", "1.5", "1;2", "4294967296"] {
            assert_eq!(numbers(wrong).unwrap_err().status, 400, "{wrong:?}");
        }
        let many = vec!["1"; LIST_MAX + 1].join(",");
        assert!(numbers(&many).is_err());
        assert_eq!(numbers(&many[2..]).unwrap().len(), LIST_MAX);
    }
}
