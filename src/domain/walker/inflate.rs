//! A deflated data set (PS3.5 §A.5), inflated in portions and within limits.

use super::{Fault, Limit, ReadError, ReadLimits};
use flate2::{Decompress, FlushDecompress, Status};

/// Portions in which inflated bytes are handed on.
const PORTION: usize = 32 << 10;
/// The ratio counts from here on: small data sets of empty values deflate well and harm nobody.
const RATIO_FROM: u64 = 1 << 20;

/// CRC-32 and length (RFC 1952 §2.3.1).
const GZIP_TRAILER: usize = 8;

pub(super) struct Inflater {
    inflate: Decompress,
    portion: Vec<u8>,
    size_max: u64,
    ratio_max: u64,
    ended: bool,
    trailer_left: usize,
}

impl Inflater {
    pub(super) fn new(limits: &ReadLimits) -> Self {
        Self {
            inflate: Decompress::new(false),
            portion: Vec::with_capacity(PORTION),
            size_max: limits.inflated_size,
            ratio_max: u64::from(limits.inflated_ratio),
            ended: false,
            trailer_left: GZIP_TRAILER,
        }
    }

    pub(super) fn feed(
        &mut self,
        mut bytes: &[u8],
        mut take: impl FnMut(&[u8]) -> Result<(), ReadError>,
    ) -> Result<(), ReadError> {
        while !self.ended {
            self.portion.clear();
            let before = self.inflate.total_in();
            let status = self
                .inflate
                .decompress_vec(bytes, &mut self.portion, FlushDecompress::None)
                .map_err(|_| ReadError::Malformed { fault: Fault::Deflate, tag: None })?;
            let used = usize::try_from(self.inflate.total_in() - before).unwrap_or(usize::MAX);
            bytes = bytes.get(used..).unwrap_or_default();
            self.check()?;
            take(&self.portion)?;
            self.ended = status == Status::StreamEnd;
            // Not all of the portion filled: nothing more comes out before more goes in.
            if bytes.is_empty() && self.portion.len() < self.portion.capacity() {
                return Ok(());
            }
            if used == 0 && self.portion.is_empty() {
                return Err(ReadError::Malformed { fault: Fault::Deflate, tag: None });
            }
        }
        // One zero makes the length even (PS3.5 §A.5). Writers that use a gzip library leave its trailer.
        let trailer = bytes.len().min(self.trailer_left);
        self.trailer_left -= trailer;
        if bytes.iter().skip(trailer).any(|&byte| byte != 0) {
            return Err(ReadError::Malformed { fault: Fault::TrailingBytes, tag: None });
        }
        Ok(())
    }

    fn check(&self) -> Result<(), ReadError> {
        let (taken, given) = (self.inflate.total_in(), self.inflate.total_out());
        if given > self.size_max {
            return Err(ReadError::Limit { limit: Limit::InflatedSize, tag: None });
        }
        if given > RATIO_FROM && given > taken.saturating_mul(self.ratio_max) {
            return Err(ReadError::Limit { limit: Limit::InflatedRatio, tag: None });
        }
        Ok(())
    }

    pub(super) fn finish(&self) -> Result<(), ReadError> {
        if self.ended { Ok(()) } else { Err(ReadError::Truncated) }
    }
}
