//! The byte stream of a transport connection cut into PDUs (PS3.8 §9.3). Pure: bytes in, units out.
//!
//! Every length is checked when its six-byte header is there, before anything is kept. P-DATA-TF is never
//! gathered: each piece of a fragment is handed out as it lies in the read buffer. Only A-ASSOCIATE
//! PDUs are collected, in memory that grows with the bytes received.

use super::associate;
use dicom_ul::pdu::{AbortRQServiceProviderReason, AssociationAC, AssociationRJ, AssociationRQ};
use std::ops::Range;

const HEADER: usize = 6;
/// Item length, presentation context id and message control header (PS3.8 §9.3.5.1, Annex E).
const PDV_HEADER: usize = 6;
/// The whole read buffer of an association.
const READ_BUFFER: usize = 256 << 10;

#[derive(Debug, Clone, Copy)]
pub struct PduLimits {
    /// The longest A-ASSOCIATE-RQ or -AC.
    pub associate_max: u32,
    /// The maximum length we announced.
    pub data_announced: u32,
    /// The longest P-DATA-TF that is still taken.
    pub data_tolerated: u32,
}

/// What is wrong with what the peer sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PduFault {
    #[error("PDU type {0:#04x} does not exist")]
    UnknownType(u8),
    #[error("PDU of type {kind:#04x} with a length of {length} bytes")]
    Length { kind: u8, length: u32 },
    #[error("presentation data value that does not fit its PDU")]
    DataValue,
    #[error("A-ASSOCIATE PDU that cannot be decoded")]
    Undecodable,
    #[error("presentation context ids that are not odd, unique and at most 128")]
    Contexts,
    #[error("PDU out of place")]
    Unexpected,
    #[error("presentation context that was not accepted")]
    UnknownContext,
}

impl PduFault {
    /// The reason of the A-ABORT that answers it (PS3.8 §9.3.8).
    pub const fn reason(self) -> AbortRQServiceProviderReason {
        use AbortRQServiceProviderReason as Reason;
        match self {
            Self::UnknownType(_) => Reason::UnrecognizedPdu,
            Self::Unexpected => Reason::UnexpectedPdu,
            Self::UnknownContext => Reason::UnexpectedPduParameter,
            Self::Length { .. } | Self::DataValue | Self::Undecodable | Self::Contexts => Reason::InvalidPduParameter,
        }
    }
}

/// One step of the stream.
#[derive(Debug)]
pub enum Unit {
    Request(AssociationRQ),
    Accept(AssociationAC),
    Reject(AssociationRJ),
    ReleaseRequest,
    ReleaseReply,
    /// A-ABORT: its source and reason (PS3.8 §9.3.8).
    Abort {
        source: u8,
        reason: u8,
    },
    /// The header of a P-DATA-TF; its slices follow.
    Data {
        /// Longer than what we announced, though tolerated.
        oversize: bool,
    },
    Slice(Slice),
}

/// A piece of a command or data set fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slice {
    pub context_id: u8,
    /// Of a command; else of a data set.
    pub command: bool,
    /// Ends the command or data set.
    pub last: bool,
    /// Where it lies in [`PduReader::bytes`], until the next read.
    pub range: Range<usize>,
}

#[derive(Debug)]
enum At {
    Header,
    Whole { kind: u8, left: usize, collected: Vec<u8> },
    Data { left: u32 },
    Value { pdu_left: u32, left: u32, context_id: u8, control: u8 },
}

#[derive(Debug)]
pub struct PduReader {
    limits: PduLimits,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    at: At,
    ended: u64,
}

impl PduReader {
    pub fn new(limits: PduLimits) -> Self {
        Self { limits, buffer: vec![0; READ_BUFFER], start: 0, end: 0, at: At::Header, ended: 0 }
    }
    /// Whether a PDU has begun and not ended.
    pub fn mid_pdu(&self) -> bool {
        !matches!(self.at, At::Header) || self.start < self.end
    }
    /// How many PDUs have come in whole.
    pub const fn pdus_ended(&self) -> u64 {
        self.ended
    }
    /// The first byte not yet taken: of a fresh connection, the type of its first PDU.
    pub fn first_byte(&self) -> Option<u8> {
        self.buffer.get(self.start..self.end)?.first().copied()
    }
    /// Where the next bytes of the connection go; never empty after [`Self::next`] returned `None`.
    pub fn space(&mut self) -> &mut [u8] {
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
        } else if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        self.buffer.get_mut(self.end..).unwrap_or_default()
    }
    /// `count` bytes were written to [`Self::space`].
    pub fn filled(&mut self, count: usize) {
        self.end = self.end.saturating_add(count).min(self.buffer.len());
    }
    /// The bytes of a slice, valid until [`Self::space`] is called.
    pub fn bytes(&self, range: Range<usize>) -> &[u8] {
        self.buffer.get(range).unwrap_or_default()
    }
    /// Forgets all that is buffered, and where in a PDU we were.
    pub fn discard(&mut self) {
        self.start = 0;
        self.end = 0;
        self.at = At::Header;
    }

    /// The next unit, or `None` when more bytes are needed.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Result<Option<Unit>, PduFault> {
        loop {
            match &mut self.at {
                At::Header => {
                    let Some(header) = take::<HEADER>(&self.buffer, &mut self.start, self.end) else { return Ok(None) };
                    if let Some(unit) = self.begin(header)? {
                        return Ok(Some(unit));
                    }
                }
                At::Whole { left, collected, .. } => {
                    let count = (*left).min(self.end - self.start);
                    if let Some(bytes) = self.buffer.get(self.start..self.start + count) {
                        collected.extend_from_slice(bytes);
                    }
                    self.start += count;
                    *left -= count;
                    if *left > 0 {
                        return Ok(None);
                    }
                    let At::Whole { kind, collected, .. } = std::mem::replace(&mut self.at, At::Header) else {
                        continue;
                    };
                    self.ended = self.ended.wrapping_add(1);
                    return whole(kind, &collected).map(Some);
                }
                At::Data { left: 0 } => {
                    self.ended = self.ended.wrapping_add(1);
                    self.at = At::Header;
                }
                At::Data { left } => {
                    let pdu_left = left.checked_sub(PDV_HEADER as u32).ok_or(PduFault::DataValue)?;
                    let Some([a, b, c, d, context_id, control]) =
                        take::<PDV_HEADER>(&self.buffer, &mut self.start, self.end)
                    else {
                        return Ok(None);
                    };
                    // The item length counts the context id and the control header as well.
                    let length = u32::from_be_bytes([a, b, c, d]).checked_sub(2).ok_or(PduFault::DataValue)?;
                    let pdu_left = pdu_left.checked_sub(length).ok_or(PduFault::DataValue)?;
                    if context_id % 2 == 0 {
                        return Err(PduFault::UnknownContext);
                    }
                    self.at = At::Value { pdu_left, left: length, context_id, control };
                    if length == 0 {
                        return Ok(Some(self.slice(0)));
                    }
                }
                At::Value { left, .. } => {
                    let buffered = self.end - self.start;
                    if buffered == 0 {
                        return Ok(None);
                    }
                    let count = buffered.min(usize::try_from(*left).unwrap_or(usize::MAX));
                    return Ok(Some(self.slice(count)));
                }
            }
        }
    }

    /// Hands out the next `count` bytes of the current fragment.
    fn slice(&mut self, count: usize) -> Unit {
        let range = self.start..self.start + count;
        self.start += count;
        let At::Value { pdu_left, left, context_id, control } = &mut self.at else {
            return Unit::Slice(Slice { context_id: 0, command: false, last: false, range });
        };
        *left = left.saturating_sub(u32::try_from(count).unwrap_or(u32::MAX));
        let ended = *left == 0;
        let slice = Slice {
            context_id: *context_id,
            command: *control & 0x01 != 0,
            last: ended && *control & 0x02 != 0,
            range,
        };
        if ended {
            self.at = At::Data { left: *pdu_left };
        }
        Unit::Slice(slice)
    }

    fn begin(&mut self, header: [u8; HEADER]) -> Result<Option<Unit>, PduFault> {
        let [kind, _, a, b, c, d] = header;
        let length = u32::from_be_bytes([a, b, c, d]);
        let fits = match kind {
            // Version, AE titles and reserved bytes come to 68.
            0x01 | 0x02 => (68..=self.limits.associate_max).contains(&length),
            0x03 | 0x05 | 0x06 | 0x07 => length == 4,
            0x04 => (PDV_HEADER as u32..=self.limits.data_tolerated).contains(&length),
            _ => return Err(PduFault::UnknownType(kind)),
        };
        if !fits {
            return Err(PduFault::Length { kind, length });
        }
        if kind == 0x04 {
            self.at = At::Data { left: length };
            return Ok(Some(Unit::Data { oversize: length > self.limits.data_announced }));
        }
        let left = usize::try_from(length).map_err(|_| PduFault::Length { kind, length })?;
        self.at = At::Whole { kind, left, collected: header.to_vec() };
        Ok(None)
    }
}

fn take<const N: usize>(buffer: &[u8], start: &mut usize, end: usize) -> Option<[u8; N]> {
    let bytes = buffer.get(*start..end)?.first_chunk::<N>()?;
    *start += N;
    Some(*bytes)
}

fn whole(kind: u8, pdu: &[u8]) -> Result<Unit, PduFault> {
    Ok(match kind {
        0x01 => Unit::Request(associate::decode_request(pdu)?),
        0x02 => Unit::Accept(associate::decode_accept(pdu)?),
        0x03 => Unit::Reject(associate::decode_reject(pdu)),
        0x05 => Unit::ReleaseRequest,
        0x06 => Unit::ReleaseReply,
        _ => {
            let [_, _, _, _, _, _, _, _, source, reason, ..] = pdu else { return Err(PduFault::Undecodable) };
            Unit::Abort { source: *source, reason: *reason }
        }
    })
}

#[cfg(test)]
#[path = "pdu_tests.rs"]
mod tests;
