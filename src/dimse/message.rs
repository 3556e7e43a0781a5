//! P-DATA fragments joined into messages (PS3.7 §6.3, PS3.8 Annex E): a command, then the data set it
//! announced, on one presentation context. The command is gathered, because it is small and bounded;
//! the data set is passed on piece by piece.

use super::command::{CommandFault, CommandSet};
use super::pdu::Slice;

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MessageFault {
    #[error("a data set before its command")]
    DataFirst,
    #[error("a command before the data set of the last one ended")]
    CommandInData,
    #[error("one message on two presentation contexts")]
    MixedContexts,
    #[error("a command set longer than {0} bytes")]
    TooLong(usize),
    #[error(transparent)]
    Command(#[from] CommandFault),
}

/// What a fragment completed.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing yet.
    More,
    /// A whole command set; when it announced a data set, that follows.
    Command(Box<CommandSet>),
    /// A piece of the data set.
    Data { last: bool },
}

#[derive(Debug)]
enum Stage {
    Command,
    Data,
}

/// Joins the fragments of one association.
#[derive(Debug)]
pub struct Assembler {
    command_max: usize,
    stage: Stage,
    command: Vec<u8>,
    context_id: Option<u8>,
}

impl Assembler {
    pub fn new(command_max: usize) -> Self {
        Self { command_max, stage: Stage::Command, command: Vec::new(), context_id: None }
    }
    /// Whether no message is under way.
    pub fn between_messages(&self) -> bool {
        self.context_id.is_none()
    }
    pub fn push(&mut self, slice: &Slice, bytes: &[u8]) -> Result<Step, MessageFault> {
        if *self.context_id.get_or_insert(slice.context_id) != slice.context_id {
            return Err(MessageFault::MixedContexts);
        }
        match (&self.stage, slice.command) {
            (Stage::Command, false) => Err(MessageFault::DataFirst),
            (Stage::Data, true) => Err(MessageFault::CommandInData),
            (Stage::Command, true) => self.push_command(slice.last, bytes),
            (Stage::Data, false) => {
                if slice.last {
                    self.stage = Stage::Command;
                    self.context_id = None;
                }
                Ok(Step::Data { last: slice.last })
            }
        }
    }
    fn push_command(&mut self, last: bool, bytes: &[u8]) -> Result<Step, MessageFault> {
        if self.command.len().saturating_add(bytes.len()) > self.command_max {
            return Err(MessageFault::TooLong(self.command_max));
        }
        self.command.extend_from_slice(bytes);
        if !last {
            return Ok(Step::More);
        }
        let command = CommandSet::from_bytes(&self.command)?;
        self.command.clear();
        if command.has_data_set() {
            self.stage = Stage::Data;
        } else {
            self.context_id = None;
        }
        Ok(Step::Command(Box::new(command)))
    }
}

/// Appends `bytes` as P-DATA-TF PDUs of one value each, none longer than the peer takes. `last` marks
/// the end of the command or data set; an empty last fragment is legal and needed for an empty data set.
pub fn put_fragments(out: &mut Vec<u8>, context_id: u8, command: bool, bytes: &[u8], last: bool, value_max: usize) {
    let mut rest = bytes;
    loop {
        let (value, after) = rest.split_at_checked(value_max.max(1)).unwrap_or((rest, &[]));
        put_value(out, context_id, command, value, last && after.is_empty());
        rest = after;
        if rest.is_empty() {
            return;
        }
    }
}

/// The most bytes of a fragment that fit a PDU of `pdu_max` (0: no limit of the peer's), even as PS3.8
/// Annex E asks of all but the last, and never more than `own_max`.
pub fn value_max(pdu_max: u32, own_max: u32) -> usize {
    let pdu = if pdu_max == 0 { own_max } else { pdu_max.min(own_max) };
    usize::try_from(pdu.saturating_sub(6) & !1).unwrap_or(usize::MAX)
}

fn put_value(out: &mut Vec<u8>, context_id: u8, command: bool, value: &[u8], last: bool) {
    // A fragment is at most `own_max` long.
    let item = u32::try_from(value.len() + 2).unwrap_or(u32::MAX);
    out.extend_from_slice(&[0x04, 0]);
    out.extend_from_slice(&item.saturating_add(4).to_be_bytes());
    out.extend_from_slice(&item.to_be_bytes());
    out.extend_from_slice(&[context_id, u8::from(command) | (u8::from(last) << 1)]);
    out.extend_from_slice(value);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::uid::{SopClassUid, SopInstanceUid};

    fn slice(context_id: u8, command: bool, last: bool) -> Slice {
        Slice { context_id, command, last, range: 0..0 }
    }

    fn store() -> Vec<u8> {
        let class = SopClassUid::parse("1.2.840.10008.5.1.4.1.1.2").unwrap();
        CommandSet::store_request(7, &class, &SopInstanceUid::parse("1.2.3").unwrap()).to_bytes()
    }

    #[test]
    fn a_command_in_many_fragments_and_its_data_set_are_one_message() {
        let mut assembler = Assembler::new(65_536);
        let command = store();
        let (end, start) = command.split_last().unwrap();
        for byte in start {
            assert_eq!(assembler.push(&slice(3, true, false), &[*byte]), Ok(Step::More));
        }
        assert!(!assembler.between_messages());
        assert!(matches!(assembler.push(&slice(3, true, true), &[*end]), Ok(Step::Command(_))));
        assert_eq!(assembler.push(&slice(3, false, false), b"ab"), Ok(Step::Data { last: false }));
        assert_eq!(assembler.push(&slice(3, false, true), b""), Ok(Step::Data { last: true }));
        assert!(assembler.between_messages());
        let echo = CommandSet::echo_request(1).to_bytes();
        assert!(matches!(assembler.push(&slice(5, true, true), &echo), Ok(Step::Command(_))));
        assert!(assembler.between_messages());
    }

    #[test]
    fn fragments_out_of_order_are_faults() {
        let mut assembler = Assembler::new(65_536);
        assert_eq!(assembler.push(&slice(1, false, true), b"ab"), Err(MessageFault::DataFirst));
        let mut assembler = Assembler::new(65_536);
        assembler.push(&slice(1, true, true), &store()).unwrap();
        assert_eq!(assembler.push(&slice(1, true, true), &store()), Err(MessageFault::CommandInData));
        assert_eq!(assembler.push(&slice(3, false, true), b"ab"), Err(MessageFault::MixedContexts));
        let mut assembler = Assembler::new(100);
        assert_eq!(assembler.push(&slice(1, true, false), &[0; 101]), Err(MessageFault::TooLong(100)));
    }

    #[test]
    fn fragments_respect_the_maximum_of_the_peer() {
        for (pdu_max, own_max, expected) in [(0, 131_072, 131_066), (128, 131_072, 122), (129, 131_072, 122), (7, 9, 0)]
        {
            assert_eq!(value_max(pdu_max, own_max), expected);
        }
        let mut out = Vec::new();
        put_fragments(&mut out, 1, false, &[9; 300], true, value_max(128, 131_072));
        let mut lengths = Vec::new();
        let mut rest = out.as_slice();
        while let Some((header, after)) = rest.split_first_chunk::<12>() {
            let length = u32::from_be_bytes(header[2..6].try_into().unwrap());
            lengths.push((length, header[11]));
            rest = &after[length as usize - 6..];
        }
        assert_eq!(lengths, [(128, 0), (128, 0), (62, 2)]);
        let mut empty = Vec::new();
        put_fragments(&mut empty, 1, false, &[], true, 100);
        assert_eq!(empty, [4, 0, 0, 0, 0, 6, 0, 0, 0, 2, 1, 2]);
    }
}
