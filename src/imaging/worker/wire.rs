//! Requests and answers between the daemon and a decode worker: a head of fixed length, then as many
//! bytes as it says. Both sides check every field: the child because its input is of strangers, the
//! parent because a child that was taken over may answer anything.

use crate::imaging::codec::{Codec, Declared, DecodeError, Encoder, Samples, Task};
use std::io::{self, Read, Write};
use std::time::Duration;

pub(super) const REQUEST_HEAD: usize = 40;
pub(super) const ANSWER_HEAD: usize = 24;
pub(super) const HELLO: usize = 8;
const MAGIC: [u8; 4] = *b"BBd1";

/// What the child says first: which walls stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hello {
    /// What it could still do that it must not; see `sandbox::probe`.
    pub holes: u8,
    pub landlock: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Request {
    pub task: Task,
    pub declared: Declared,
    pub cpu: Duration,
}

impl Hello {
    pub fn to_bytes(self) -> [u8; HELLO] {
        let [a, b, c, d] = MAGIC;
        [a, b, c, d, self.holes, u8::from(self.landlock), 0, 0]
    }
    pub fn read(bytes: [u8; HELLO]) -> Option<Self> {
        let [a, b, c, d, holes, landlock, 0, 0] = bytes else { return None };
        ([a, b, c, d] == MAGIC).then_some(Self { holes, landlock: landlock == 1 })
    }
}

impl Request {
    /// The head of a request whose frame has `length` bytes.
    pub fn head(&self, length: u64) -> [u8; REQUEST_HEAD] {
        let Declared { rows, columns, samples, bits_allocated, bits_stored, signed, planar, rgb, halvings } =
            self.declared;
        let (task, parameter) = match task_number(self.task) {
            (task, None) => (task, halvings),
            (task, Some(parameter)) => (task, parameter),
        };
        let mut head = Fields::default();
        head.put(&MAGIC);
        head.put(&[task, u8::from(signed), u8::from(planar), u8::from(rgb)]);
        head.put(&rows.to_le_bytes());
        head.put(&columns.to_le_bytes());
        for word in [samples, bits_allocated, bits_stored, u16::from(parameter)] {
            head.put(&word.to_le_bytes());
        }
        head.put(&u64::try_from(self.cpu.as_millis()).unwrap_or(u64::MAX).to_le_bytes());
        head.put(&length.to_le_bytes());
        head.done()
    }

    /// A request and the length of its frame; `None` for a head that we did not write.
    pub fn read(head: &[u8; REQUEST_HEAD]) -> Option<(Self, u64)> {
        let mut fields = Fields::of(head);
        (fields.take()? == MAGIC).then_some(())?;
        let [task, signed, planar, rgb] = fields.take()?;
        let (rows, columns) = (u32::from_le_bytes(fields.take()?), u32::from_le_bytes(fields.take()?));
        let mut word = || fields.take().map(u16::from_le_bytes);
        let (samples, bits_allocated, bits_stored, parameter) = (word()?, word()?, word()?, word()?);
        let cpu = Duration::from_millis(u64::from_le_bytes(fields.take()?));
        let length = u64::from_le_bytes(fields.take()?);
        let (signed, planar, rgb) = (signed != 0, planar != 0, rgb != 0);
        let parameter = u8::try_from(parameter).ok()?;
        let task = task_of(task, parameter)?;
        let halvings = if matches!(task, Task::Decode(_)) { parameter } else { 0 };
        // No more than a shift can take.
        (halvings < 32).then_some(())?;
        let declared = Declared { rows, columns, samples, bits_allocated, bits_stored, signed, planar, rgb, halvings };
        Some((Self { task, declared, cpu }, length))
    }
}

pub(super) fn write_answer(out: &mut impl Write, answer: &Result<Samples, DecodeError>) -> io::Result<()> {
    let mut head = Fields::default();
    head.put(&MAGIC);
    let bytes = match answer {
        Ok(samples) => {
            head.put(&[0, u8::from(samples.planar), u8::from(samples.to_rgb), u8::from(samples.lossy)]);
            head.put(&samples.bits_allocated.to_le_bytes());
            head.put(&samples.bits_stored.to_le_bytes());
            head.put(&samples.precision.to_le_bytes());
            samples.bytes.as_slice()
        }
        Err(error) => {
            head.put(&[error_number(*error), 0, 0, 0, 0, 0, 0, 0, 0, 0]);
            &[]
        }
    };
    head.put(&[0; 2]);
    head.put(&(bytes.len() as u64).to_le_bytes());
    out.write_all(&head.done::<ANSWER_HEAD>())?;
    out.write_all(bytes)
}

/// Reads an answer to a request. An answer of another shape is an error of the stream; none is longer than the
/// frame that was asked for, or, as a codestream, than noise makes one.
pub(super) fn read_answer(from: &mut impl Read, request: &Request) -> io::Result<Result<Samples, DecodeError>> {
    let declared = &request.declared;
    let mut head = [0; ANSWER_HEAD];
    from.read_exact(&mut head)?;
    let wrong = || io::Error::new(io::ErrorKind::InvalidData, "not an answer");
    let (outcome, length) = answer_head(&head).ok_or_else(wrong)?;
    let mut samples = match outcome {
        Err(error) => return if length == 0 { Ok(Err(error)) } else { Err(wrong()) },
        Ok(samples) => samples,
    };
    let count = u64::from(declared.rows) * u64::from(declared.columns) * u64::from(declared.samples);
    let native = count.checked_mul(u64::from(samples.bits_allocated)).map(|bits| bits.div_ceil(8));
    let fits = match request.task {
        Task::Decode(_) => native == Some(length),
        Task::Encode(_) => native.is_some_and(|native| length <= native.saturating_mul(2).saturating_add(CODESTREAM)),
    };
    if !fits {
        return Err(wrong());
    }
    samples.bytes = vec![0; usize::try_from(length).map_err(|_| wrong())?];
    from.read_exact(&mut samples.bytes)?;
    Ok(Ok(samples))
}

type Head = Result<Samples, DecodeError>;

fn answer_head(head: &[u8; ANSWER_HEAD]) -> Option<(Head, u64)> {
    let mut fields = Fields::of(head);
    (fields.take()? == MAGIC).then_some(())?;
    let [status, planar, to_rgb, lossy] = fields.take()?;
    let (bits_allocated, bits_stored) = (u16::from_le_bytes(fields.take()?), u16::from_le_bytes(fields.take()?));
    let precision = u16::from_le_bytes(fields.take()?);
    let _: [u8; 2] = fields.take()?;
    let length = u64::from_le_bytes(fields.take()?);
    if status != 0 {
        return Some((Err(error_of(status)?), length));
    }
    let possible = matches!(bits_allocated, 1 | 8 | 16 | 32) && (1..=bits_allocated).contains(&bits_stored);
    let (planar, to_rgb, lossy) = (planar != 0, to_rgb != 0, lossy != 0);
    let samples = Samples { bytes: Vec::new(), bits_allocated, bits_stored, planar, to_rgb, lossy, precision };
    possible.then_some((Ok(samples), length))
}

const CODECS: [Codec; 6] = [Codec::Jpeg, Codec::JpegLs, Codec::Jpeg2000, Codec::JpegXl, Codec::Rle, Codec::Deflate];
const ERRORS: [DecodeError; 4] =
    [DecodeError::Corrupt, DecodeError::Truncated, DecodeError::Unsupported, DecodeError::Mismatch];

/// What a codestream may have beyond twice its frame: its headers.
const CODESTREAM: u64 = 64 << 10;

/// A number, and the parameter of an encoder.
fn task_number(task: Task) -> (u8, Option<u8>) {
    match task {
        Task::Decode(codec) => (CODECS.iter().position(|known| *known == codec).unwrap_or(CODECS.len()) as u8, None),
        Task::Encode(Encoder::Rle) => (16, Some(0)),
        Task::Encode(Encoder::JpegLossless) => (17, Some(0)),
        Task::Encode(Encoder::JpegLs(near)) => (18, Some(near)),
        Task::Encode(Encoder::Jpeg2000(ratio)) => (19, Some(ratio)),
        Task::Encode(Encoder::JpegBaseline(quality)) => (20, Some(quality)),
    }
}
fn task_of(number: u8, parameter: u8) -> Option<Task> {
    Some(match number {
        16 => Task::Encode(Encoder::Rle),
        17 => Task::Encode(Encoder::JpegLossless),
        18 => Task::Encode(Encoder::JpegLs(parameter)),
        19 => Task::Encode(Encoder::Jpeg2000(parameter)),
        20 => Task::Encode(Encoder::JpegBaseline(parameter)),
        codec => Task::Decode(*CODECS.get(usize::from(codec))?),
    })
}
fn error_number(error: DecodeError) -> u8 {
    1 + ERRORS.iter().position(|known| *known == error).unwrap_or(0) as u8
}
fn error_of(number: u8) -> Option<DecodeError> {
    ERRORS.get(usize::from(number).checked_sub(1)?).copied()
}

/// Fields of a head, one after the other.
#[derive(Default)]
struct Fields(Vec<u8>);

impl Fields {
    fn of(bytes: &[u8]) -> Self {
        Self(bytes.iter().rev().copied().collect())
    }
    fn put(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }
    fn done<const N: usize>(mut self) -> [u8; N] {
        self.0.resize(N, 0);
        self.0.first_chunk().copied().unwrap_or([0; N])
    }
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let mut out = [0; N];
        for place in &mut out {
            *place = self.0.pop()?;
        }
        Some(out)
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::codec::declared;
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let request = Request {
            task: Task::Decode(Codec::JpegXl),
            declared: Declared { signed: true, bits_stored: 12, ..declared(3, 2, 1, 16) },
            cpu: Duration::from_secs(9),
        };
        for task in
            [request.task, Task::Decode(Codec::Jpeg), Task::Encode(Encoder::Rle), Task::Encode(Encoder::Jpeg2000(9))]
        {
            let request = Request { task, ..request.clone() };
            assert_eq!(Request::read(&request.head(77)), Some((request, 77)));
        }
        let hello = Hello { holes: 3, landlock: true };
        assert_eq!(Hello::read(hello.to_bytes()), Some(hello));
        let samples = Samples {
            bytes: vec![7; 12],
            bits_allocated: 16,
            bits_stored: 12,
            planar: false,
            to_rgb: true,
            lossy: true,
            precision: 14,
        };
        for answer in [Ok(samples), Err(DecodeError::Mismatch), Err(DecodeError::Corrupt)] {
            let mut bytes = Vec::new();
            write_answer(&mut bytes, &answer).unwrap();
            assert_eq!(read_answer(&mut bytes.as_slice(), &request).unwrap(), answer);
        }
    }

    #[test]
    fn an_answer_that_was_not_asked_for_is_none() {
        let task = Task::Decode(Codec::Rle);
        let asked = Request { task, declared: declared(3, 2, 1, 8), cpu: Duration::from_secs(1) };
        let mut longer = Vec::new();
        let samples = Samples {
            bytes: vec![0; 7],
            bits_allocated: 8,
            bits_stored: 8,
            planar: false,
            to_rgb: false,
            lossy: false,
            precision: 8,
        };
        write_answer(&mut longer, &Ok(samples)).unwrap();
        let mut huge = longer.clone();
        huge[16..24].fill(0xFF);
        let mut unknown = longer.clone();
        unknown[4] = 99;
        let mut deep = longer.clone();
        deep[8] = 64;
        for bytes in [longer, huge, unknown, deep, vec![0; 99], b"BBd1".to_vec()] {
            assert!(read_answer(&mut bytes.as_slice(), &asked).is_err(), "{bytes:?}");
        }
        let encode = Request { task: Task::Encode(Encoder::Rle), ..asked };
        let mut beyond = Vec::new();
        let samples = Samples {
            bytes: vec![0; 66_000],
            bits_allocated: 8,
            bits_stored: 8,
            planar: false,
            to_rgb: false,
            lossy: false,
            precision: 8,
        };
        write_answer(&mut beyond, &Ok(samples)).unwrap();
        assert!(read_answer(&mut beyond.as_slice(), &encode).is_err());
        assert_eq!(Request::read(&[9; REQUEST_HEAD]), None);
    }
}
