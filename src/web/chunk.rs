//! What a `chat.completion.chunk` says, read only where it must be: most events are forwarded
//! after a byte search that finds nothing of note in them.

use bytes::Bytes;
use memchr::memmem::Finder;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::{borrow::Cow, sync::LazyLock};

/// One event, as far as the relay has to know it.
#[derive(Debug)]
pub enum Event {
    /// Content, or something that is none of our business.
    Plain,
    /// The end of the stream.
    Done,
    /// It carries a finish reason, usage or an error: read it.
    Notable,
}

/// The members that make an event worth reading; made once, for it is done per token.
static NOTABLE: LazyLock<[Finder<'static>; 3]> =
    LazyLock::new(|| ["\"finish_reason\"", "\"usage\"", "\"error\""].map(Finder::new));

/// Judges an event by byte search.
pub fn judge(data: &[u8]) -> Event {
    if data.trim_ascii() == b"[DONE]" {
        Event::Done
    } else if NOTABLE.iter().any(|member| says(data, member)) {
        Event::Notable
    } else {
        Event::Plain
    }
}

/// Whether the member is there with a value other than `null`. Inside a JSON string its quotes
/// would be escaped, so what is found is a key (or a whole string, which parsing will tell).
fn says(data: &[u8], member: &Finder<'_>) -> bool {
    member.find_iter(data).any(|at| {
        let after = data[at + member.needle().len()..].trim_ascii_start();
        let value = after.strip_prefix(b":").unwrap_or(after).trim_ascii_start();
        !value.starts_with(b"null")
    })
}

/// A chunk, borrowed from its event.
#[derive(Debug, Default, Deserialize)]
pub struct Chunk<'a> {
    #[serde(borrow, default)]
    choices: Vec<Choice<'a>>,
    /// Token counts, as the backend wrote them.
    #[serde(borrow, default)]
    pub usage: Option<&'a RawValue>,
    /// An error inside the stream.
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
    /// `error`, where that is all there is to tell one by.
    #[serde(borrow, default)]
    object: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
struct Choice<'a> {
    #[serde(default)]
    index: u32,
    #[serde(borrow, default, alias = "message")]
    delta: Option<Delta<'a>>,
    #[serde(borrow, default)]
    finish_reason: Option<Cow<'a, str>>,
}

#[derive(Debug, Deserialize)]
struct Delta<'a> {
    #[serde(borrow, default)]
    content: Option<&'a RawValue>,
}

impl<'a> Chunk<'a> {
    /// Reads an event's data (or a whole answer, whose `message` is read like a `delta`).
    pub fn read(data: &'a [u8]) -> Option<Chunk<'a>> {
        serde_json::from_slice(data).ok()
    }

    /// The text of choice 0.
    pub fn text(&self) -> Option<Cow<'a, str>> {
        let delta = self.first()?.delta.as_ref()?;
        serde_json::from_str::<Text<'a>>(delta.content?.get())
            .ok()
            .map(|t| t.0)
    }

    /// Why choice 0 ended.
    pub fn finish_reason(&self) -> Option<&str> {
        self.first()?.finish_reason.as_deref()
    }

    /// Why the answer ends here, if it does: an error in the place of an event, or a finish reason
    /// that stands for one.
    pub fn failure(&self) -> Option<String> {
        match (self.error, self.object.map(RawValue::get)) {
            (Some(error), _) => Some(error_message(error)),
            (None, Some("\"error\"")) => Some("it reported an error in its stream".into()),
            (None, _) => {
                let given_up = self.finish_reason().is_some_and(gave_up);
                given_up.then(|| "it gave its answer up".into())
            }
        }
    }

    /// Whether it carries usage and nothing else.
    pub fn only_usage(&self) -> bool {
        self.usage.is_some() && self.choices.is_empty()
    }

    fn first(&self) -> Option<&Choice<'a>> {
        self.choices.iter().find(|c| c.index == 0)
    }
}

/// Finish reasons of servers that stopped for reasons of their own (vLLM, SGLang: `abort`): no
/// answer ends so, and clients do not know them.
pub fn gave_up(reason: &str) -> bool {
    matches!(reason, "abort" | "error")
}

/// A JSON string; borrowed where nothing is escaped.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// The message of an error inside a stream, whatever its shape.
pub fn error_message(error: &RawValue) -> String {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Shape {
        Text(String),
        Object { message: String },
    }
    match serde_json::from_str(error.get()) {
        Ok(Shape::Text(text) | Shape::Object { message: text }) => text.chars().take(500).collect(),
        Err(_) => "it reported an error in its stream".into(),
    }
}

/// The text that events say, decoded some KiB at a time: slices would pin the reads they came in.
#[derive(Default)]
pub struct Transcript {
    pending: Vec<Bytes>,
    pending_bytes: usize,
    text: crate::memory::KeptText,
}

impl Transcript {
    /// Notes an event's data.
    pub fn note(&mut self, data: Bytes) {
        self.pending_bytes += data.len();
        self.pending.push(data);
        if self.pending_bytes > 4096 {
            self.decode();
        }
    }

    /// Notes text that has been decoded already.
    pub fn say(&mut self, text: &str) {
        self.text.push(text);
    }

    fn decode(&mut self) {
        self.pending_bytes = 0;
        for data in self.pending.drain(..) {
            if let Some(text) = Chunk::read(&data).and_then(|c| c.text()) {
                self.text.push(&text);
            }
        }
    }

    /// All of it, as it is kept.
    pub fn take(&mut self) -> String {
        self.decode();
        std::mem::take(&mut self.text).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_what_must_be_read_is_notable() {
        let plain: [&[u8]; 3] = [
            br#"{"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}],"usage":null}"#,
            br#"{"choices":[{"delta":{"content":"say \"error\": now"},"finish_reason" : null}]}"#,
            b"",
        ];
        assert!(plain.iter().all(|d| matches!(judge(d), Event::Plain)));
        let notable: [&[u8]; 3] = [
            br#"{"choices":[{"finish_reason":"stop"}]}"#,
            br#"{"choices":[],"usage":{"prompt_tokens":1}}"#,
            br#"{"error": {"message":"x"}}"#,
        ];
        assert!(notable.iter().all(|d| matches!(judge(d), Event::Notable)));
        assert!(matches!(judge(b"[DONE]"), Event::Done));
    }

    #[test]
    fn a_transcript_is_choice_zero() {
        let mut transcript = Transcript::default();
        for data in [
            r#"{"choices":[{"index":0,"delta":{"role":"assistant","content":null}}]}"#,
            r#"{"choices":[{"index":1,"delta":{"content":"no"}}]}"#,
            r#"{"choices":[{"index":0,"delta":{"content":"你\u597d\n"}}]}"#,
            r#"{"choices":[{"delta":{"content":"!"}}]}"#,
            "not json",
        ] {
            transcript.note(Bytes::from_static(data.as_bytes()));
        }
        assert_eq!(transcript.take(), "你好\n!");
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(
            members in prop::collection::vec(prop::sample::select(vec![
                "{", "}", "[", "]", ",", ":", "\"choices\"", "\"delta\"", "\"content\"", "\"usage\"",
                "\"error\"", "\"finish_reason\"", "null", "\"stop\"", "\"\\ud800\"", "1e999", "\"", "中",
            ]), 0..24),
            bytes in prop::collection::vec(any::<u8>(), 0..16),
        ) {
            for data in [[members.concat().as_bytes(), &bytes[..]].concat(), bytes.clone()] {
                judge(&data);
                if let Some(chunk) = Chunk::read(&data) {
                    let _ = (chunk.text(), chunk.failure(), chunk.only_usage());
                }
                let mut transcript = Transcript::default();
                transcript.note(data.into());
                transcript.take();
            }
        }
    }
}
