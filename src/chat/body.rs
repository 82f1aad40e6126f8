//! A chat request, read by span.
use crate::error::Error;
use bytes::Bytes;
use std::ops::Range;

/// A chat request and where its parts are.
pub struct ChatBody {
    /// As it came.
    pub bytes: Bytes,
    /// `model`: its value and where the JSON string is.
    pub model: Option<(String, Range<usize>)>,
    /// `stream: true`
    pub stream: bool,
    /// The messages, in order.
    pub messages: Vec<Message>,
    /// Just inside the brackets of `messages`.
    pub inside: Range<usize>,
}

/// One message.
pub struct Message {
    /// Who says it.
    pub role: Role,
    /// What it says.
    pub content: Content,
}

/// Who says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// `system` and `developer`
    System,
    /// `user`
    User,
    /// `assistant`
    Assistant,
    /// `tool`, `function`, and whatever comes
    Other,
}

/// Where the text is: JSON as it came.
pub enum Content {
    /// `null`, missing, or of a kind that is not text.
    None,
    /// A JSON string, quotes included.
    Text(Range<usize>),
    /// An array of parts, brackets included.
    Parts(Range<usize>),
}

impl ChatBody {
    /// Reads it; the error names the field.
    pub fn parse(_bytes: Bytes) -> Result<ChatBody, Error> {
        todo!()
    }
}
