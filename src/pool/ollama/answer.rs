//! Ollama's answers as OpenAI's: NDJSON lines, cut anywhere, become SSE chunks; a whole answer
//! becomes a `chat.completion`.

use crate::{
    error::Error,
    pool::chunk::{Chunks, Usage},
};
use bytes::{Buf, Bytes, BytesMut};
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};

/// A line longer than this is no token.
const LINE_BYTES: usize = 16 << 20;

/// One line, or a whole answer.
#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
    #[serde(default)]
    message: Message,
    #[serde(default)]
    done: bool,
    #[serde(default)]
    done_reason: Option<String>,
    /// Missing where the prompt was in its cache.
    #[serde(default)]
    prompt_eval_count: u64,
    #[serde(default)]
    eval_count: u64,
}

#[derive(Default, Deserialize)]
struct Message {
    #[serde(default)]
    content: String,
    #[serde(default)]
    thinking: String,
    #[serde(default)]
    tool_calls: Option<Vec<ToolCall>>,
}

#[derive(Deserialize)]
struct ToolCall {
    #[serde(default)]
    id: Option<String>,
    function: Function,
}

#[derive(Deserialize)]
struct Function {
    name: String,
    /// As it came: OpenAI has it as a string.
    #[serde(default)]
    arguments: Option<Box<RawValue>>,
}

/// Translates one stream.
pub(super) struct Translator {
    chunks: Chunks,
    wants_usage: bool,
    /// The beginning of a line whose end has not come.
    partial: BytesMut,
    /// Of `partial`, searched for an end already.
    searched: usize,
    begun: bool,
    calls: usize,
    done: bool,
}

impl Translator {
    pub(super) fn new(chunks: Chunks, wants_usage: bool) -> Self {
        Translator {
            chunks,
            wants_usage,
            partial: BytesMut::new(),
            searched: 0,
            begun: false,
            calls: 0,
            done: false,
        }
    }

    /// Takes what came and writes the chunks of the lines that it ends.
    pub(super) fn feed(&mut self, bytes: &[u8], out: &mut BytesMut) -> Result<(), Error> {
        self.partial.extend_from_slice(bytes);
        while let Some(at) = memchr::memchr(b'\n', &self.partial[self.searched..]) {
            let line = self.partial.split_to(self.searched + at);
            self.partial.advance(1);
            self.searched = 0;
            self.line(&line, out)?;
        }
        self.searched = self.partial.len();
        if self.partial.len() > LINE_BYTES {
            return Err(Error::Upstream("it sent a line without end".into()));
        }
        Ok(())
    }

    /// The answer has ended: whether it was all of it.
    pub(super) fn end(&mut self, out: &mut BytesMut) -> Result<(), Error> {
        // The last line may lack its end.
        let line = self.partial.split();
        self.line(&line, out)?;
        match self.done {
            true => Ok(()),
            false => Err(Error::Upstream(
                "it broke off in the middle of its answer".into(),
            )),
        }
    }

    fn line(&mut self, line: &[u8], out: &mut BytesMut) -> Result<(), Error> {
        // What comes after the end is not told: clients choke on it.
        if self.done || line.trim_ascii().is_empty() {
            return Ok(());
        }
        let line = read(line)?;
        if !self.begun {
            self.begun = true;
            let role = json!({"role": "assistant", "content": ""});
            self.chunks.delta(out, &role, None);
        }
        if !line.message.thinking.is_empty() {
            let delta = json!({"reasoning_content": line.message.thinking});
            self.chunks.delta(out, &delta, None);
        }
        if !line.message.content.is_empty() {
            let delta = json!({"content": line.message.content});
            self.chunks.delta(out, &delta, None);
        }
        for call in line.message.tool_calls.iter().flatten() {
            let mut call = tool_call(call);
            call["index"] = self.calls.into();
            self.calls += 1;
            self.chunks.delta(out, &json!({"tool_calls": [call]}), None);
        }
        if line.done {
            self.done = true;
            let reason = reason(line.done_reason.as_deref(), self.calls > 0);
            self.chunks.delta(out, &json!({}), Some(reason));
            if self.wants_usage {
                self.chunks.usage(out, line.usage());
            }
            Chunks::done(out);
        }
        Ok(())
    }
}

/// A whole answer.
pub(super) fn whole(chunks: &Chunks, body: &[u8]) -> Result<Bytes, Error> {
    let line = read(body)?;
    if !line.done {
        return Err(Error::Upstream(
            "it broke off in the middle of its answer".into(),
        ));
    }
    let mut message = json!({"role": "assistant", "content": line.message.content});
    if !line.message.thinking.is_empty() {
        message["reasoning_content"] = line.message.thinking.as_str().into();
    }
    let calls: Vec<Value> = line
        .message
        .tool_calls
        .iter()
        .flatten()
        .map(tool_call)
        .collect();
    let reason = reason(line.done_reason.as_deref(), !calls.is_empty());
    if !calls.is_empty() {
        message["tool_calls"] = calls.into();
        if line.message.content.is_empty() {
            message["content"] = Value::Null;
        }
    }
    Ok(chunks.whole(&message, reason, line.usage()))
}

impl Line<'_> {
    fn usage(&self) -> Usage {
        Usage {
            prompt: self.prompt_eval_count,
            completion: self.eval_count,
        }
    }
}

fn read(line: &[u8]) -> Result<Line<'_>, Error> {
    let read: Line = serde_json::from_slice(line)
        .map_err(|_| Error::Upstream("what it sent is not Ollama's dialect".into()))?;
    match read.error {
        None => Ok(read),
        Some(_) => {
            let said = crate::pool::refusal::read(line);
            Err(said.upstream("it answered with an error"))
        }
    }
}

fn tool_call(call: &ToolCall) -> Value {
    let id = call.id.clone().filter(|id| !id.is_empty());
    let id = id.unwrap_or_else(|| format!("call_{}", uuid::Uuid::now_v7().simple()));
    let arguments = call.function.arguments.as_ref().map_or("{}", |a| a.get());
    json!({"id": id, "type": "function",
        "function": {"name": call.function.name, "arguments": arguments}})
}

fn reason(done: Option<&str>, calls: bool) -> &'static str {
    match done {
        Some("length") => "length",
        _ if calls => "tool_calls",
        _ => "stop",
    }
}

#[cfg(test)]
#[path = "answer_tests.rs"]
mod tests;
