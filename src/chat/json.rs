//! The little that is read of JSON as it came: what kind of value it is, what a string says, where
//! a slice lies.

use serde::{Deserialize, Deserializer, de};
use serde_json::value::RawValue;
use std::{borrow::Cow, fmt};

/// What kind of value it is, by its first byte.
pub(super) fn kind(json: &str) -> &'static str {
    match json.trim_ascii_start().as_bytes().first() {
        Some(b'{') => "an object",
        Some(b'[') => "an array",
        Some(b'"') => "a string",
        Some(b't' | b'f') => "a boolean",
        Some(b'n') => "null",
        _ => "a number",
    }
}

/// Where `part`, a slice of `whole`, starts in it.
pub(super) fn offset(whole: &str, part: &str) -> usize {
    part.as_ptr() as usize - whole.as_ptr() as usize
}

/// What a JSON string says; `None` for any other value. Half of a surrogate pair, which Python's
/// `json` lets through, becomes the replacement character.
pub(super) fn unescape(json: &str) -> Option<Cow<'_, str>> {
    let mut de = serde_json::Deserializer::from_str(json);
    de.deserialize_bytes(Lossy).ok()
}

/// The same for a value that may well be another: no attempt is made to read it.
pub(super) fn bare(json: &str) -> Option<Cow<'_, str>> {
    json.starts_with('"').then(|| unescape(json)).flatten()
}

/// A member that is there, be it `null`.
pub(super) fn present<'de, D: Deserializer<'de>>(d: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(d).map(Some)
}

/// A text as a JSON string, quotes included.
pub(super) fn quote(text: &str) -> String {
    // Nothing in a string can fail, and this is half the work of `Value::to_string`.
    serde_json::to_string(text).unwrap_or_default()
}

struct Lossy;

impl<'de> de::Visitor<'de> for Lossy {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_bytes<E: de::Error>(self, bytes: &'de [u8]) -> Result<Self::Value, E> {
        Ok(String::from_utf8_lossy(bytes))
    }

    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Self::Value, E> {
        Ok(Cow::Owned(String::from_utf8_lossy(bytes).into_owned()))
    }
}
