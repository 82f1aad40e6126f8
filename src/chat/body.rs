//! A chat request, read by span: where its parts lie in the bytes that came, and nothing more. No
//! value is built that is only passed on; what is edited later is edited in place (`edit.rs`).

use super::json::{bare, kind, offset, present, unescape};
use crate::error::Error;
use bytes::Bytes;
use serde::{Deserialize, de::IgnoredAny};
use serde_json::{error::Category, value::RawValue};
use std::{borrow::Cow, ops::Range};

/// A chat request and where its parts are.
pub struct ChatBody {
    /// As it came.
    pub bytes: Bytes,
    /// `model`: its value and where the JSON string is, quotes included.
    pub model: Option<(String, Range<usize>)>,
    /// `stream: true`
    pub stream: bool,
    /// `stream_options.include_usage: true`: the caller wants the usage chunk.
    pub include_usage: bool,
    /// `stream_options`, whatever it is.
    pub stream_options: Option<Range<usize>>,
    /// `prompt_cache_key`: requests with the same one begin alike.
    pub prompt_cache_key: Option<String>,
    /// The messages, in order.
    pub messages: Vec<Message>,
    /// Just behind the `{` of the request: where a member can be put in.
    pub head: usize,
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// Missing.
    None,
    /// `null`
    Null(Range<usize>),
    /// A JSON string, quotes included.
    Text(Range<usize>),
    /// An array of parts, brackets included.
    Parts(Range<usize>),
}

/// One piece of what a message says.
pub enum Piece<'a> {
    /// Text.
    Text(Cow<'a, str>),
    /// An image: the part as it came.
    Image(&'a str),
    /// A file, audio or video: the part as it came.
    File(&'a str),
}

impl Piece<'_> {
    /// As it is kept.
    pub fn text(&self) -> &str {
        match self {
            Piece::Text(text) => text,
            Piece::Image(_) => "[image]",
            Piece::File(_) => "[file]",
        }
    }
}

impl ChatBody {
    /// Reads it; the error names the field.
    pub fn parse(bytes: Bytes) -> Result<ChatBody, Error> {
        let text = text(&bytes)?;
        let raw: RawBody = serde_json::from_str(text).map_err(|e| malformed(&e, ""))?;
        let at = |value: &RawValue| {
            let start = offset(text, value.get());
            start..start + value.get().len()
        };
        let model = match raw.model {
            None => None,
            Some(value) => match unescape(value.get()) {
                Some(name) => Some((name.into_owned(), at(value))),
                None => return Err(wrong("model", "a string", value)),
            },
        };
        let stream = match raw.stream.map(RawValue::get) {
            None | Some("null" | "false") => false,
            Some("true") => true,
            _ => return Err(Error::invalid("stream", "`stream` takes true or false")),
        };
        let include_usage = raw
            .stream_options
            .and_then(|o| serde_json::from_str::<StreamOptions>(o.get()).ok())
            .is_some_and(|o| o.include_usage == Some(true));
        let list = raw.messages.ok_or_else(|| {
            Error::invalid(
                "messages",
                "`messages` is missing: send an array of messages",
            )
        })?;
        // Whatever else it is, is the backend's to judge.
        let prompt_cache_key = raw.prompt_cache_key.and_then(|key| bare(key.get()));
        let prompt_cache_key = prompt_cache_key.map(|key| key.into_owned());
        let messages = messages(list, at)?;
        let inside = at(list).start + 1..at(list).end - 1;
        // `{` is the first byte behind white space, or it would not have been read.
        let head = text.len() - text.trim_start().len() + 1;
        Ok(ChatBody {
            model,
            stream,
            include_usage,
            stream_options: raw.stream_options.map(at),
            prompt_cache_key,
            messages,
            head,
            inside,
            bytes,
        })
    }

    /// What a message says, as text: parts by line, images as `[image]`, files as `[file]`.
    pub fn text_of(&self, message: &Message) -> String {
        let pieces = self.pieces(message);
        let texts: Vec<&str> = pieces.iter().map(Piece::text).collect();
        texts.join("\n")
    }

    /// What a message says, piece by piece. What is neither text nor a medium (a tool's result
    /// among the parts) is left out.
    pub fn pieces(&self, message: &Message) -> Vec<Piece<'_>> {
        match &message.content {
            Content::None | Content::Null(_) => Vec::new(),
            Content::Text(at) => unescape(self.json(at))
                .map(Piece::Text)
                .into_iter()
                .collect(),
            Content::Parts(at) => serde_json::from_str::<Vec<&RawValue>>(self.json(at))
                .unwrap_or_default()
                .into_iter()
                .filter_map(|part| piece(part.get()))
                .collect(),
        }
    }

    /// What every later request of its conversation begins with: the messages up to the first of
    /// the user, as they came.
    pub fn beginning(&self) -> &[u8] {
        let first = self.messages.iter().find(|m| m.role == Role::User);
        let end = match first.map(|m| &m.content) {
            Some(Content::Null(at) | Content::Text(at) | Content::Parts(at)) => at.end,
            Some(Content::None) | None => self.inside.end,
        };
        &self.bytes[self.inside.start..end]
    }

    /// The JSON at a span; spans lie between characters, as JSON's own marks are ASCII.
    pub(super) fn json(&self, at: &Range<usize>) -> &str {
        std::str::from_utf8(&self.bytes[at.clone()]).unwrap_or_default()
    }
}

#[derive(Deserialize)]
struct RawBody<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    model: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    messages: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    stream: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    stream_options: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    prompt_cache_key: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct StreamOptions {
    include_usage: Option<bool>,
}

#[derive(Deserialize)]
struct RawMessage<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    role: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    content: Option<&'a RawValue>,
    // Each of them is what an assistant may say instead of a text.
    tool_calls: Option<IgnoredAny>,
    function_call: Option<IgnoredAny>,
    audio: Option<IgnoredAny>,
    refusal: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct RawPart<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow)]
    text: Option<&'a RawValue>,
}

fn text(bytes: &Bytes) -> Result<&str, Error> {
    if bytes.starts_with(b"\xEF\xBB\xBF") {
        let detail = "the body starts with a byte order mark: send plain UTF-8";
        return Err(Error::invalid("body", detail));
    }
    let text = std::str::from_utf8(bytes).map_err(|e| {
        let detail = format!("the body is not UTF-8 (at byte {})", e.valid_up_to());
        Error::invalid("body", detail)
    })?;
    match kind(text) {
        // Whatever else it may be, serde says where it ends to be JSON.
        "an object" => Ok(text),
        _ => match serde_json::from_str::<IgnoredAny>(text) {
            Err(e) => Err(malformed(&e, "")),
            Ok(_) => Err(Error::invalid("body", "the body must be a JSON object")),
        },
    }
}

/// Reads each message on its own, so that an error knows its index.
fn messages(
    list: &RawValue,
    at: impl Fn(&RawValue) -> Range<usize>,
) -> Result<Vec<Message>, Error> {
    if kind(list.get()) != "an array" {
        return Err(wrong("messages", "an array", list));
    }
    let list: Vec<&RawValue> =
        serde_json::from_str(list.get()).map_err(|e| malformed(&e, "messages"))?;
    if list.is_empty() {
        let detail = "`messages` is empty: send at least one message";
        return Err(Error::invalid("messages", detail));
    }
    let read = |(i, value)| message(i, value, &at);
    list.into_iter().enumerate().map(read).collect()
}

fn message(
    i: usize,
    value: &RawValue,
    at: &impl Fn(&RawValue) -> Range<usize>,
) -> Result<Message, Error> {
    let path = || format!("messages[{i}]");
    if kind(value.get()) != "an object" {
        return Err(wrong(path(), "an object", value));
    }
    let raw: RawMessage = serde_json::from_str(value.get()).map_err(|e| malformed(&e, &path()))?;
    let path = |member| format!("messages[{i}].{member}");
    let missing = |member| {
        let path = path(member);
        Error::invalid(path.clone(), format!("`{path}` is missing"))
    };
    let role = raw.role.ok_or_else(|| missing("role"))?;
    let role = match unescape(role.get()).as_deref() {
        Some("system" | "developer") => Role::System,
        Some("user") => Role::User,
        Some("assistant") => Role::Assistant,
        Some(_) => Role::Other,
        None => return Err(wrong(path("role"), "a string", role)),
    };
    let wordless = || {
        role == Role::Assistant
            && (raw.tool_calls.is_some()
                || raw.function_call.is_some()
                || raw.audio.is_some()
                || raw.refusal.is_some())
    };
    let content = match raw.content {
        None if wordless() => Content::None,
        None => return Err(missing("content")),
        Some(value) => match kind(value.get()) {
            "a string" => Content::Text(at(value)),
            "an array" => Content::Parts(at(value)),
            "null" => Content::Null(at(value)),
            _ => {
                return Err(wrong(
                    path("content"),
                    "a string or an array of parts",
                    value,
                ));
            }
        },
    };
    Ok(Message { role, content })
}

fn piece(part: &str) -> Option<Piece<'_>> {
    if let Some(text) = bare(part) {
        return Some(Piece::Text(text));
    }
    let raw: RawPart = serde_json::from_str(part).ok()?;
    match raw.kind.as_deref().unwrap_or("text") {
        "text" | "input_text" => raw.text.and_then(|t| unescape(t.get())).map(Piece::Text),
        kind if kind.contains("image") => Some(Piece::Image(part)),
        kind if ["file", "audio", "video", "document"]
            .iter()
            .any(|k| kind.contains(k)) =>
        {
            Some(Piece::File(part))
        }
        _ => None,
    }
}

fn wrong(path: impl Into<Cow<'static, str>>, right: &str, value: &RawValue) -> Error {
    let path = path.into();
    let detail = format!("`{path}` must be {right}, not {}", kind(value.get()));
    Error::invalid(path, detail)
}

/// serde's complaint without its text, which may quote the body.
fn malformed(e: &serde_json::Error, path: &str) -> Error {
    if e.classify() == Category::Data {
        let text = e.to_string();
        let member = text
            .strip_prefix("duplicate field `")
            .and_then(|t| t.split('`').next());
        let field = match (member, path) {
            (Some(member), "") => member.to_owned(),
            (Some(member), path) => format!("{path}.{member}"),
            (None, path) => path.to_owned(),
        };
        let detail = format!("`{field}` is there twice: send it once");
        return Error::invalid(field, detail);
    }
    let (line, column) = (e.line(), e.column());
    let detail = format!("the body is not JSON (line {line}, column {column})");
    Error::invalid("body", detail)
}

#[cfg(test)]
#[path = "body_tests.rs"]
mod tests;
