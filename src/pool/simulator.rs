//! The built-in backend, for trying things out and for tests: it answers with what it was told of
//! the user and with the beginning of the question, one character a token, so that Chinese streams
//! character by character too. Reading the prompt ([`reply`]) and typing ([`stream_text`]) are
//! apart.

use super::{
    Answer, Request,
    chunk::{Chunks, Usage},
    streamed::Streamed,
    timeouts::Patience,
};
use crate::{config::SimulatorConfig, error::Error};
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, stream};
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;

/// How much of the question is repeated, in characters.
const ECHO: usize = 40;

/// How fast it types. Zero: no timer is set at all.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pace {
    /// To the first token.
    pub first: Duration,
    /// Between two tokens.
    pub token: Duration,
}

impl From<&SimulatorConfig> for Pace {
    fn from(config: &SimulatorConfig) -> Self {
        Pace {
            first: Duration::from_millis(config.first_token_ms),
            token: Duration::from_millis(config.token_ms),
        }
    }
}

/// What it reads of a request.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Prompt {
    messages: Vec<Message>,
    max_tokens: Option<usize>,
    max_completion_tokens: Option<usize>,
    stream_options: Option<StreamOptions>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Message {
    role: String,
    content: Value,
}

#[derive(Deserialize)]
struct StreamOptions {
    #[serde(default)]
    include_usage: bool,
}

/// The answer to a prompt, an OpenAI chat request: what it knows of the user, and the beginning
/// of the question, in the question's language.
pub fn reply(prompt: &[u8]) -> String {
    answer(&serde_json::from_slice(prompt).unwrap_or_default())
}

fn answer(prompt: &Prompt) -> String {
    let (mut profile, mut memories, mut query) = (Vec::new(), Vec::new(), String::new());
    for message in &prompt.messages {
        let text = text(&message.content);
        profile.extend(block(&text, "user_profile").0);
        if message.role == "user" {
            let (recalled, after) = block(&text, "memories");
            memories.extend(recalled);
            query = after.trim().to_owned();
        }
    }
    let chinese = query.chars().any(|c| matches!(c, '\u{4e00}'..='\u{9fff}'));
    let echo: String = query.chars().take(ECHO).collect();
    let mut said = Vec::new();
    let [know, recall, nothing, question, join, end] = match chinese {
        true => [
            "关于你，我知道：",
            "我记得：",
            "我还不了解你。",
            "你问的是：",
            "；",
            "。",
        ],
        false => [
            "I know about you: ",
            "I remember: ",
            "I know nothing about you yet.",
            "You asked: ",
            "; ",
            ".",
        ],
    };
    for (what, lines) in [(know, &profile), (recall, &memories)] {
        if !lines.is_empty() {
            said.push(format!("{what}{}{end}", lines.join(join)));
        }
    }
    if said.is_empty() {
        said.push(nothing.to_owned());
    }
    said.push(format!("{question}{echo}"));
    said.join(if chinese { "" } else { " " })
}

/// A message's text, of a string or of parts.
fn text(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => {
            let texts = parts.iter().filter_map(|part| part.get("text")?.as_str());
            texts.collect::<Vec<_>>().join("\n")
        }
        _ => String::new(),
    }
}

/// The entries of a fenced block (`<tag …>` to `</tag…>`, on lines of their own), and the text
/// after it; without a block, all of the text. An entry begins with a dash.
fn block<'a>(text: &'a str, tag: &str) -> (Vec<String>, &'a str) {
    let (open, close) = (format!("<{tag}"), format!("</{tag}"));
    let (mut entries, mut after, mut inside) = (Vec::new(), text, false);
    let mut end = 0;
    for line in text.split_inclusive('\n') {
        end += line.len();
        let line = line.trim();
        if line.starts_with(&close) {
            (inside, after) = (false, &text[end..]);
        } else if line.starts_with(&open) {
            inside = true;
        } else if inside {
            match (line.strip_prefix("- "), entries.last_mut()) {
                (Some(entry), _) => entries.push(entry.to_owned()),
                (None, Some(entry)) => *entry = format!("{entry} {line}"),
                (None, None) => entries.push(line.to_owned()),
            }
        }
    }
    (entries, after)
}

/// Answers a request as a backend would.
pub(super) async fn open(pace: Pace, request: &Request, patience: Patience) -> Answer {
    let prompt: Prompt = serde_json::from_slice(&request.body).unwrap_or_default();
    let text = answer(&prompt);
    let most = prompt.max_completion_tokens.or(prompt.max_tokens);
    let most = most.unwrap_or(usize::MAX);
    let reason = match text.chars().nth(most) {
        Some(_) => "length",
        None => "stop",
    };
    let text: String = text.chars().take(most).collect();
    let usage = Usage {
        // Four bytes a token, as a rule of thumb.
        prompt: request.body.len() as u64 / 4,
        completion: text.chars().count() as u64,
    };
    let chunks = Chunks::new(&request.model);
    if request.stream {
        let mut typing = Typing::new(text, pace, chunks);
        typing.reason = reason;
        typing.usage = match prompt.stream_options {
            Some(options) if options.include_usage => Some(usage),
            _ => None,
        };
        return Answer::Stream(Streamed::new(typing.stream(), patience));
    }
    let pauses = pace.token * (usage.completion.saturating_sub(1) as u32);
    if !(pace.first + pauses).is_zero() {
        tokio::time::sleep(pace.first + pauses).await;
    }
    let message = json!({"role": "assistant", "content": text});
    Answer::Whole(chunks.whole(&message, reason, usage))
}

/// A text as an OpenAI stream, one character a token. Dropped, it stops between two tokens.
pub fn stream_text(text: String, pace: Pace) -> impl Stream<Item = Result<Bytes, Error>> {
    Typing::new(text, pace, Chunks::new("simulator")).stream()
}

struct Typing {
    text: String,
    /// Bytes of it that are out; `None`: so is the end.
    at: Option<usize>,
    pace: Pace,
    chunks: Chunks,
    reason: &'static str,
    usage: Option<Usage>,
}

impl Typing {
    fn new(text: String, pace: Pace, chunks: Chunks) -> Self {
        Typing {
            text,
            at: Some(0),
            pace,
            chunks,
            reason: "stop",
            usage: None,
        }
    }

    fn stream(self) -> impl Stream<Item = Result<Bytes, Error>> {
        stream::unfold(self, |mut typing| async move {
            let at = typing.at?;
            let mut out = BytesMut::new();
            match typing.text[at..].chars().next() {
                Some(token) => {
                    typing.pause(at).await;
                    if at == 0 {
                        let role = json!({"role": "assistant", "content": ""});
                        typing.chunks.delta(&mut out, &role, None);
                    }
                    typing.at = Some(at + token.len_utf8());
                    typing
                        .chunks
                        .delta(&mut out, &json!({"content": token}), None);
                }
                None => {
                    typing.at = None;
                    let reason = Some(typing.reason);
                    typing.chunks.delta(&mut out, &json!({}), reason);
                    if let Some(usage) = typing.usage {
                        typing.chunks.usage(&mut out, usage);
                    }
                    Chunks::done(&mut out);
                }
            }
            Some((Ok(out.freeze()), typing))
        })
    }

    async fn pause(&self, at: usize) {
        let pause = match at {
            0 => self.pace.first,
            _ => self.pace.token,
        };
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
    }
}

#[cfg(test)]
#[path = "simulator_tests.rs"]
mod tests;
