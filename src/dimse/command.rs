//! Command sets (PS3.7 §6.3, Annex E) to bytes and back. A command set is flat, in Implicit VR Little
//! Endian, and at most as long as `message` lets through; no value of it nests, so neither does this.

use crate::domain::uid::{SopClassUid, SopInstanceUid};
use dicom_core::Tag;
use dicom_dictionary_std::tags;

/// Command Field (0000,0100).
pub mod field {
    pub const C_STORE_RQ: u16 = 0x0001;
    pub const C_STORE_RSP: u16 = 0x8001;
    pub const C_ECHO_RQ: u16 = 0x0030;
    pub const C_ECHO_RSP: u16 = 0x8030;
    pub const C_CANCEL_RQ: u16 = 0x0FFF;
    /// Set in the Command Field of every response.
    pub const RESPONSE: u16 = 0x8000;
}

/// Command Data Set Type (0000,0800): no data set follows.
const NO_DATA_SET: u16 = 0x0101;
/// Any other value means that one follows; DCMTK and dcm4che write this one.
const DATA_SET: u16 = 0x0000;
/// Priority (0000,0700): medium.
const MEDIUM: u16 = 0x0000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CommandFault {
    #[error("command set with an element that does not fit")]
    Truncated,
    #[error("command set with an element outside group 0000")]
    ForeignGroup,
    #[error("command set without Command Field")]
    NoField,
    #[error("command set without Message ID")]
    NoMessageId,
}

/// The elements of a command set that matter to C-ECHO, C-STORE and C-CANCEL. Texts are as sent, without
/// padding, and unchecked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CommandSet {
    pub affected_sop_class_uid: Option<String>,
    pub command_field: u16,
    pub message_id: Option<u16>,
    pub message_id_being_responded_to: Option<u16>,
    pub priority: Option<u16>,
    pub command_data_set_type: Option<u16>,
    pub status: Option<u16>,
    pub offending_element: Option<Tag>,
    pub error_comment: Option<String>,
    pub affected_sop_instance_uid: Option<String>,
}

impl CommandSet {
    pub fn request(command_field: u16, message_id: u16) -> Self {
        Self {
            command_field,
            message_id: Some(message_id),
            command_data_set_type: Some(NO_DATA_SET),
            ..Self::default()
        }
    }
    /// C-ECHO-RQ (PS3.7 §9.3.5.1).
    pub fn echo_request(message_id: u16) -> Self {
        Self {
            affected_sop_class_uid: Some(crate::domain::sop_class::VERIFICATION.into()),
            ..Self::request(field::C_ECHO_RQ, message_id)
        }
    }
    /// C-STORE-RQ (PS3.7 §9.3.1.1).
    pub fn store_request(message_id: u16, class: &SopClassUid, instance: &SopInstanceUid) -> Self {
        Self {
            affected_sop_class_uid: Some(class.to_string()),
            affected_sop_instance_uid: Some(instance.to_string()),
            priority: Some(MEDIUM),
            command_data_set_type: Some(DATA_SET),
            ..Self::request(field::C_STORE_RQ, message_id)
        }
    }
    /// The response to `request`, naming the same class and instance.
    pub fn response(request: &Self, status: u16) -> Self {
        Self {
            affected_sop_class_uid: request.affected_sop_class_uid.clone(),
            affected_sop_instance_uid: request.affected_sop_instance_uid.clone(),
            command_field: request.command_field | field::RESPONSE,
            message_id_being_responded_to: Some(request.message_id.unwrap_or(0)),
            command_data_set_type: Some(NO_DATA_SET),
            status: Some(status),
            ..Self::default()
        }
    }
    /// Error Comment (0000,0902), cut to the 64 characters of an LO in the default repertoire.
    pub fn with_comment(mut self, comment: &str) -> Self {
        let plain = comment.chars().filter(|c| matches!(c, ' '..='~') && *c != '\\');
        self.error_comment = Some(plain.take(64).collect());
        self
    }
    /// Offending Element (0000,0901).
    pub fn with_offending(mut self, tag: Option<Tag>) -> Self {
        self.offending_element = tag;
        self
    }
    /// Whether a data set follows the command.
    pub fn has_data_set(&self) -> bool {
        self.command_data_set_type.is_some_and(|kind| kind != NO_DATA_SET)
    }
    pub fn is_request(&self) -> bool {
        self.command_field & field::RESPONSE == 0
    }

    /// Elements in ascending order behind Command Group Length (0000,0000).
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut body = Vec::with_capacity(256);
        put_text(&mut body, tags::AFFECTED_SOP_CLASS_UID, self.affected_sop_class_uid.as_deref(), 0);
        put_u16(&mut body, tags::COMMAND_FIELD, Some(self.command_field));
        put_u16(&mut body, tags::MESSAGE_ID, self.message_id);
        put_u16(&mut body, tags::MESSAGE_ID_BEING_RESPONDED_TO, self.message_id_being_responded_to);
        put_u16(&mut body, tags::PRIORITY, self.priority);
        put_u16(&mut body, tags::COMMAND_DATA_SET_TYPE, self.command_data_set_type);
        put_u16(&mut body, tags::STATUS, self.status);
        if let Some(Tag(group, element)) = self.offending_element {
            put_header(&mut body, tags::OFFENDING_ELEMENT, 4);
            body.extend_from_slice(&group.to_le_bytes());
            body.extend_from_slice(&element.to_le_bytes());
        }
        put_text(&mut body, tags::ERROR_COMMENT, self.error_comment.as_deref(), b' ');
        put_text(&mut body, tags::AFFECTED_SOP_INSTANCE_UID, self.affected_sop_instance_uid.as_deref(), 0);

        let mut bytes = Vec::with_capacity(body.len() + 12);
        put_header(&mut bytes, tags::COMMAND_GROUP_LENGTH, 4);
        // The body is a few hundred bytes of our own making.
        bytes.extend_from_slice(&u32::try_from(body.len()).unwrap_or(u32::MAX).to_le_bytes());
        bytes.extend_from_slice(&body);
        bytes
    }

    /// Reads a whole command set. Elements that do not concern us are skipped; what Command Group Length
    /// says is not trusted, because the message knows where it ends.
    pub fn from_bytes(mut bytes: &[u8]) -> Result<Self, CommandFault> {
        let mut set = Self::default();
        let mut field = None;
        while !bytes.is_empty() {
            let (tag, value, rest) = element(bytes)?;
            bytes = rest;
            match tag {
                tags::AFFECTED_SOP_CLASS_UID => set.affected_sop_class_uid = text(value),
                tags::COMMAND_FIELD => field = u16_of(value),
                tags::MESSAGE_ID => set.message_id = u16_of(value),
                tags::MESSAGE_ID_BEING_RESPONDED_TO => set.message_id_being_responded_to = u16_of(value),
                tags::PRIORITY => set.priority = u16_of(value),
                tags::COMMAND_DATA_SET_TYPE => set.command_data_set_type = u16_of(value),
                tags::STATUS => set.status = u16_of(value),
                tags::OFFENDING_ELEMENT => set.offending_element = tag_of(value),
                tags::ERROR_COMMENT => set.error_comment = text(value),
                tags::AFFECTED_SOP_INSTANCE_UID => set.affected_sop_instance_uid = text(value),
                _ => {}
            }
        }
        set.command_field = field.ok_or(CommandFault::NoField)?;
        if set.is_request() && set.command_field != field::C_CANCEL_RQ && set.message_id.is_none() {
            return Err(CommandFault::NoMessageId);
        }
        Ok(set)
    }
}

fn put_header(bytes: &mut Vec<u8>, tag: Tag, length: u32) {
    bytes.extend_from_slice(&tag.0.to_le_bytes());
    bytes.extend_from_slice(&tag.1.to_le_bytes());
    bytes.extend_from_slice(&length.to_le_bytes());
}

fn put_u16(bytes: &mut Vec<u8>, tag: Tag, value: Option<u16>) {
    if let Some(value) = value {
        put_header(bytes, tag, 2);
        bytes.extend_from_slice(&value.to_le_bytes());
    }
}

fn put_text(bytes: &mut Vec<u8>, tag: Tag, value: Option<&str>, padding: u8) {
    let Some(value) = value else { return };
    let odd = value.len() % 2;
    let Ok(length) = u32::try_from(value.len() + odd) else { return };
    put_header(bytes, tag, length);
    bytes.extend_from_slice(value.as_bytes());
    if odd == 1 {
        bytes.push(padding);
    }
}

/// One element in Implicit VR Little Endian: tag, value, and what follows it.
fn element(bytes: &[u8]) -> Result<(Tag, &[u8], &[u8]), CommandFault> {
    let ([g0, g1, e0, e1, a, b, c, d], rest) = bytes.split_first_chunk::<8>().ok_or(CommandFault::Truncated)?;
    let tag = Tag(u16::from_le_bytes([*g0, *g1]), u16::from_le_bytes([*e0, *e1]));
    if tag.0 != 0 {
        return Err(CommandFault::ForeignGroup);
    }
    let length = usize::try_from(u32::from_le_bytes([*a, *b, *c, *d])).map_err(|_| CommandFault::Truncated)?;
    let (value, rest) = rest.split_at_checked(length).ok_or(CommandFault::Truncated)?;
    Ok((tag, value, rest))
}

fn u16_of(value: &[u8]) -> Option<u16> {
    value.first_chunk::<2>().map(|bytes| u16::from_le_bytes(*bytes))
}

/// The first of possibly several tags (VM 1-n).
fn tag_of(value: &[u8]) -> Option<Tag> {
    let [g0, g1, e0, e1] = value.first_chunk::<4>()?;
    Some(Tag(u16::from_le_bytes([*g0, *g1]), u16::from_le_bytes([*e0, *e1])))
}

fn text(value: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(value);
    let trimmed = text.trim_matches(['\0', ' ']);
    (!trimmed.is_empty()).then(|| trimmed.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn store() -> CommandSet {
        let class = SopClassUid::parse("1.2.840.10008.5.1.4.1.1.2").unwrap();
        CommandSet::store_request(7, &class, &SopInstanceUid::parse("1.2.3").unwrap())
    }

    #[test]
    fn a_command_set_comes_back_as_it_went() {
        let refused = CommandSet::response(&store(), 0xA900)
            .with_comment("no such class")
            .with_offending(Some(Tag(0x0008, 0x0016)));
        for set in [store(), CommandSet::echo_request(1), CommandSet::response(&store(), 0), refused] {
            let bytes = set.to_bytes();
            assert_eq!(CommandSet::from_bytes(&bytes).unwrap(), set);
            assert_eq!(bytes.len() % 2, 0);
            let group_length = u32::from_le_bytes(bytes[8..12].try_into().unwrap());
            assert_eq!(group_length as usize, bytes.len() - 12);
        }
    }

    #[test]
    fn odd_command_sets_are_told_apart() {
        let mut foreign = store().to_bytes();
        foreign.extend_from_slice(&[8, 0, 5, 0, 0, 0, 0, 0]);
        let mut long = store().to_bytes();
        long.extend_from_slice(&[0, 0, 2, 9, 0xFF, 0xFF, 0xFF, 0xFF]);
        let mut no_id = store();
        no_id.message_id = None;
        let cases = [
            (Vec::new(), CommandFault::NoField),
            (vec![0; 7], CommandFault::Truncated),
            (foreign, CommandFault::ForeignGroup),
            (long, CommandFault::Truncated),
            (no_id.to_bytes(), CommandFault::NoMessageId),
        ];
        for (bytes, fault) in cases {
            assert_eq!(CommandSet::from_bytes(&bytes).unwrap_err(), fault);
        }
    }

    #[test]
    fn an_error_comment_is_at_most_64_plain_characters() {
        let set = CommandSet::response(&store(), 0xC000).with_comment(&"é\\\nx".repeat(100));
        assert_eq!(set.error_comment.unwrap(), "x".repeat(64));
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_command_set_or_a_fault(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = CommandSet::from_bytes(&bytes);
        }
    }
}
