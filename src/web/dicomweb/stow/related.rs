//! Reads multipart bodies (RFC 2046 §5.1) as they arrive, in portions of any size: pure, no waiting, no
//! copy of what is in a part, and nothing kept but the few bytes that may be the beginning of a boundary.
//!
//! Lenient where clients differ (a line end before the first boundary, bare line feeds throughout, no
//! line end after the last boundary), strict where leniency would cost bytes: a boundary counts only at
//! the beginning of a line, with nothing but blanks behind it, and with the line ends of the first one.

use bytes::{Bytes, BytesMut};
use memchr::memmem::Finder;

/// What may stand before the first boundary.
const PREAMBLE_MAX: usize = 8 << 10;
/// The header lines of one part.
const HEADERS_MAX: usize = 16 << 10;
/// Blanks behind a boundary (RFC 2046: transport padding).
const PADDING_MAX: usize = 64;

/// What the body consists of, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A part begins. One whose header cannot be read is passed on all the same, so that it is answered.
    Part(Result<PartHeader, PartFault>),
    /// Bytes of that part; never empty.
    Data(Bytes),
    PartEnd,
    /// The closing boundary; what follows is not looked at.
    End,
}

/// Header lines in order, names in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PartHeader(Vec<(String, String)>);

impl PartHeader {
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// What is wrong with the header of a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PartFault {
    #[error("the header of the part is longer than 16 KiB")]
    TooLong,
    #[error("the header of the part is malformed")]
    Malformed,
}

/// Why the body cannot be read on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RelatedError {
    #[error("the body does not begin with the boundary that Content-Type names")]
    NoBoundary,
    /// The body ended within a part.
    #[error("the body ends before the boundary that ends its last part")]
    Unterminated,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Preamble,
    Headers,
    /// Only now may a boundary stand where nothing precedes it: an empty part.
    DataBegins,
    Data,
    /// The last part has ended; the end of everything is still to be said.
    Closing,
    Epilogue,
    Failed(RelatedError),
}

/// What a boundary turns out to be by the bytes behind it.
enum Behind {
    /// It ends the line; the header of a part begins after so many bytes.
    Part(usize),
    Close,
    /// Part of the data.
    NoBoundary,
    /// Depends on bytes that have not come.
    Unknown,
}

/// One body being read.
pub struct Reader {
    state: State,
    /// Two dashes and the boundary.
    dashed: Finder<'static>,
    /// The same behind the line end that belongs to it.
    delimiter: Finder<'static>,
    boundary: Box<str>,
    bytes: Bytes,
    complete: bool,
}

impl Reader {
    pub fn new(boundary: &str) -> Self {
        let dashed = format!("--{boundary}");
        Self {
            state: State::Preamble,
            dashed: Finder::new(&dashed).into_owned(),
            delimiter: Finder::new(&format!("\r\n{dashed}")).into_owned(),
            boundary: boundary.into(),
            bytes: Bytes::new(),
            complete: false,
        }
    }

    /// The next portion of the body. [`Reader::next`] must have come to its end before.
    pub fn push(&mut self, portion: Bytes) {
        if self.bytes.is_empty() {
            self.bytes = portion;
            return;
        }
        let mut joined = BytesMut::with_capacity(self.bytes.len() + portion.len());
        joined.extend_from_slice(&self.bytes);
        joined.extend_from_slice(&portion);
        self.bytes = joined.freeze();
    }

    /// The body has ended.
    pub fn finish(&mut self) {
        self.complete = true;
    }

    /// What comes next, or `None` when more bytes are needed, or when all is said.
    pub fn next(&mut self) -> Result<Option<Event>, RelatedError> {
        let outcome = match self.state {
            State::Preamble => self.preamble(),
            State::Headers => self.headers(),
            State::DataBegins => self.data_begins(),
            State::Data => self.data(),
            State::Closing => Ok(Some(self.end())),
            State::Epilogue => {
                self.bytes.clear();
                Ok(None)
            }
            State::Failed(error) => Err(error),
        };
        outcome.inspect_err(|error| {
            self.bytes.clear();
            self.state = State::Failed(*error);
        })
    }

    fn preamble(&mut self) -> Result<Option<Event>, RelatedError> {
        let mut from = 0;
        while let Some(found) = self.bytes.get(from..).and_then(|rest| self.dashed.find(rest)) {
            let at = from + found;
            from = at + 1;
            // At the beginning of a line, or of everything.
            if at > 0 && self.bytes.get(at - 1) != Some(&b'\n') {
                continue;
            }
            match self.behind(at + self.dashed.needle().len()) {
                Behind::Part(header) => {
                    if self.bytes.get(..header).is_some_and(|line| !line.ends_with(b"\r\n")) {
                        self.delimiter = Finder::new(&format!("\n--{}", self.boundary)).into_owned();
                    }
                    let _ = self.bytes.split_to(header);
                    self.state = State::Headers;
                    return self.headers();
                }
                Behind::Close => return Ok(Some(self.end())),
                Behind::NoBoundary => {}
                Behind::Unknown => return Ok(None),
            }
        }
        if self.complete || self.bytes.len() > PREAMBLE_MAX { Err(RelatedError::NoBoundary) } else { Ok(None) }
    }

    fn headers(&mut self) -> Result<Option<Event>, RelatedError> {
        let mut from = 0;
        while let Some(length) =
            memchr::memchr(b'\n', self.bytes.get(from..HEADERS_MAX.min(self.bytes.len())).unwrap_or_default())
        {
            let line = self.bytes.get(from..from + length).unwrap_or_default();
            if self.is_boundary(from) {
                return Ok(self.header_only(from));
            }
            let ends = line.strip_suffix(b"\r").unwrap_or(line).is_empty();
            from += length + 1;
            if ends {
                let lines = self.bytes.split_to(from);
                self.state = State::DataBegins;
                return Ok(Some(Event::Part(parse(&lines))));
            }
        }
        if self.bytes.len() >= HEADERS_MAX {
            // What is left of it is read as data, up to the next boundary.
            self.state = State::Data;
            return Ok(Some(Event::Part(Err(PartFault::TooLong))));
        }
        if self.complete && self.is_boundary(from) {
            return Ok(self.header_only(from));
        }
        if self.complete { Err(RelatedError::Unterminated) } else { Ok(None) }
    }

    fn is_boundary(&self, at: usize) -> bool {
        let dashed = self.dashed.needle();
        self.bytes.get(at..).is_some_and(|rest| rest.starts_with(dashed))
            && matches!(self.behind(at + dashed.len()), Behind::Part(_) | Behind::Close)
    }

    /// A part may be its header alone, without the empty line behind it (RFC 2046 §5.1.1).
    fn header_only(&mut self, boundary: usize) -> Option<Event> {
        let lines = self.bytes.split_to(boundary);
        self.state = State::DataBegins;
        Some(Event::Part(parse(&lines)))
    }

    /// The empty line that ends a header may be the line end that precedes the next boundary.
    fn data_begins(&mut self) -> Result<Option<Event>, RelatedError> {
        let dashed = self.dashed.needle();
        let so_far = self.bytes.get(..dashed.len()).unwrap_or(&self.bytes);
        if !dashed.starts_with(so_far) {
            self.state = State::Data;
            return self.data();
        }
        let whole = so_far.len() == dashed.len();
        match if whole { self.behind(dashed.len()) } else { Behind::Unknown } {
            Behind::Unknown if self.complete => Err(RelatedError::Unterminated),
            Behind::Unknown => Ok(None),
            Behind::NoBoundary => {
                self.state = State::Data;
                self.data()
            }
            found @ (Behind::Part(_) | Behind::Close) => Ok(Some(self.part_end(found))),
        }
    }

    fn data(&mut self) -> Result<Option<Event>, RelatedError> {
        let mut from = 0;
        while let Some(found) = self.bytes.get(from..).and_then(|rest| self.delimiter.find(rest)) {
            let at = from + found;
            match self.behind(at + self.delimiter.needle().len()) {
                Behind::NoBoundary => from = at + 1,
                _ if at > 0 => return Ok(Some(Event::Data(self.bytes.split_to(at)))),
                Behind::Unknown => return Ok(None),
                found @ (Behind::Part(_) | Behind::Close) => return Ok(Some(self.part_end(found))),
            }
        }
        let kept = self.beginning_of_delimiter(from);
        let ready = self.bytes.len() - kept;
        if ready > 0 {
            return Ok(Some(Event::Data(self.bytes.split_to(ready))));
        }
        if self.complete { Err(RelatedError::Unterminated) } else { Ok(None) }
    }

    /// How many of the last bytes may be the beginning of a delimiter; none when the body has ended.
    fn beginning_of_delimiter(&self, from: usize) -> usize {
        if self.complete {
            return 0;
        }
        let delimiter = self.delimiter.needle();
        let longest = (delimiter.len() - 1).min(self.bytes.len().saturating_sub(from));
        let tail = self.bytes.get(self.bytes.len() - longest..).unwrap_or_default();
        let first = delimiter.first().copied().unwrap_or(b'\r');
        memchr::memchr_iter(first, tail)
            .map(|at| tail.get(at..).unwrap_or_default())
            .find(|end| delimiter.starts_with(end))
            .map_or(0, <[u8]>::len)
    }

    fn behind(&self, at: usize) -> Behind {
        let rest = self.bytes.get(at..).unwrap_or_default();
        if rest.starts_with(b"--") {
            return Behind::Close;
        }
        let blanks = rest.iter().take(PADDING_MAX).take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        match rest.get(blanks..).unwrap_or_default() {
            [b'\r', b'\n', ..] => Behind::Part(at + blanks + 2),
            [b'\n', ..] => Behind::Part(at + blanks + 1),
            // Everything was sent but the last two dashes.
            [] | [b'\r'] if self.complete => Behind::Close,
            [b'-'] if self.complete && blanks == 0 => Behind::Close,
            [] | [b'\r'] => Behind::Unknown,
            [b'-'] if blanks == 0 => Behind::Unknown,
            _ => Behind::NoBoundary,
        }
    }

    fn part_end(&mut self, found: Behind) -> Event {
        match found {
            Behind::Part(header) => {
                let _ = self.bytes.split_to(header);
                self.state = State::Headers;
            }
            _ => self.state = State::Closing,
        }
        Event::PartEnd
    }

    fn end(&mut self) -> Event {
        self.bytes.clear();
        self.state = State::Epilogue;
        Event::End
    }
}

/// Header lines of a part (RFC 5322 §2.2), those that go on in the next line joined (§2.2.3).
fn parse(lines: &[u8]) -> Result<PartHeader, PartFault> {
    let text = std::str::from_utf8(lines).map_err(|_| PartFault::Malformed)?;
    let mut header = PartHeader::default();
    for line in text.lines().filter(|line| !line.is_empty()) {
        if line.starts_with([' ', '\t']) {
            let (_, value) = header.0.last_mut().ok_or(PartFault::Malformed)?;
            value.push(' ');
            value.push_str(line.trim());
            continue;
        }
        let (name, value) = line.split_once(':').ok_or(PartFault::Malformed)?;
        let name = name.trim_end();
        if name.is_empty() || name.contains([' ', '\t']) {
            return Err(PartFault::Malformed);
        }
        header.0.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    Ok(header)
}

#[cfg(test)]
mod tests;
