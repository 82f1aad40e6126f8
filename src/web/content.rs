//! Whether an answer has begun. Backends send events that say nothing (a role, empty text) long
//! before they can answer; until there is something that a client would show, another backend may
//! still be asked. Only events before that are read so closely.

use super::chunk::{error_message, gave_up};
use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, Visitor},
};
use serde_json::value::RawValue;
use std::{borrow::Cow, fmt};

/// What an early event comes to.
#[derive(Debug, PartialEq, Eq)]
pub enum First {
    /// It says nothing yet.
    Nothing,
    /// Text, a tool call, reasoning, a refusal, or the end of an answer without any.
    Content,
    /// This backend does not answer.
    Failed(String),
}

#[derive(Deserialize)]
struct Early<'a> {
    #[serde(borrow, default)]
    choices: Vec<Choice<'a>>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
    #[serde(borrow, default)]
    object: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(default, alias = "message")]
    delta: Shown,
    #[serde(borrow, default)]
    finish_reason: Option<Cow<'a, str>>,
}

/// Whether a delta has a member that is worth showing, known here or not.
#[derive(Default)]
struct Shown(bool);

/// Reads an event's data.
pub fn first(data: &[u8]) -> First {
    let Ok(early) = serde_json::from_slice::<Early>(data) else {
        return First::Failed("what it sends is not a chat".into());
    };
    if let Some(error) = early.error {
        return First::Failed(error_message(error));
    }
    if early.object.map(RawValue::get) == Some("\"error\"") {
        return First::Failed("it reported an error in its stream".into());
    }
    let reason = |choice: &Choice<'_>| choice.finish_reason.as_deref().is_some_and(gave_up);
    if early.choices.iter().any(reason) {
        return First::Failed("it gave its answer up".into());
    }
    let begun = |choice: &Choice<'_>| choice.delta.0 || choice.finish_reason.is_some();
    match early.choices.iter().any(begun) {
        true => First::Content,
        false => First::Nothing,
    }
}

impl<'de> Deserialize<'de> for Shown {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(Members)
    }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Shown;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a delta")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Shown, A::Error> {
        let mut shown = false;
        while let Some(name) = map.next_key::<String>()? {
            match name == "role" {
                true => drop(map.next_value::<IgnoredAny>()?),
                false => shown |= says(map.next_value::<&RawValue>()?.get()),
            }
        }
        Ok(Shown(shown))
    }

    fn visit_unit<E>(self) -> Result<Shown, E> {
        Ok(Shown(false))
    }
}

/// Whether a value is more than a place kept free.
fn says(json: &str) -> bool {
    let inside = match json.as_bytes() {
        [b'[', inside @ .., b']'] | [b'{', inside @ .., b'}'] => inside.trim_ascii(),
        _ => json.as_bytes(),
    };
    !matches!(inside, b"" | b"\"\"" | b"null" | b"false")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_a_client_would_show_begins_an_answer() {
        for nothing in [
            r#"{"choices":[{"index":0,"delta":{"role":"assistant"},"finish_reason":null}]}"#,
            r#"{"choices":[{"delta":{"role":"assistant","content":"","tool_calls":[ ]}}]}"#,
            r#"{"choices":[{"delta":{"content":null,"refusal":null,"reasoning":""}}]}"#,
            r#"{"choices":[{"delta":null}]}"#,
            r#"{"choices":[{"delta":{}}]}"#,
            r#"{"choices":[],"usage":{"prompt_tokens":1}}"#,
            r#"{"id":"x"}"#,
        ] {
            assert_eq!(first(nothing.as_bytes()), First::Nothing, "{nothing}");
        }
        for content in [
            r#"{"choices":[{"delta":{"content":" "}}]}"#,
            r#"{"choices":[{"delta":{"reasoning_content":"hm"}}]}"#,
            r#"{"choices":[{"delta":{"refusal":"no"}}]}"#,
            r#"{"choices":[{"delta":{"tool_calls":[{"index":0}]}}]}"#,
            r#"{"choices":[{"delta":{"something_new":{"a":1}}}]}"#,
            r#"{"choices":[{"delta":{}},{"index":1,"delta":{"content":"b"}}]}"#,
            r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#,
            r#"{"choices":[{"message":{"role":"assistant","content":"whole"}}]}"#,
        ] {
            assert_eq!(first(content.as_bytes()), First::Content, "{content}");
        }
        for failed in [
            r#"{"error":{"message":"boom"}}"#,
            r#"{"object":"error","message":"boom"}"#,
            r#"{"choices":[{"delta":{},"finish_reason":"abort"}]}"#,
            r#"{"choices":[{"delta":{"content":"Hel"#,
            "hello",
            "",
        ] {
            assert!(
                matches!(first(failed.as_bytes()), First::Failed(_)),
                "{failed}"
            );
        }
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(data in prop::collection::vec(any::<u8>(), 0..64)) {
            first(&data);
        }
    }
}
