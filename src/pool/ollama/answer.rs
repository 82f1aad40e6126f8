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
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lines() -> String {
        let message =
            |m: Value| json!({"model": "m", "created_at": "x", "message": m, "done": false});
        let call = json!({"function": {"name": "f", "arguments": {"城市": "上海", "n": 1.0}}});
        let all = [
            message(json!({"role": "assistant", "content": "", "thinking": "hm\n"})),
            message(json!({"role": "assistant", "content": "你好 \u{1F600}\u{2028}"})),
            message(json!({"role": "assistant", "content": "", "tool_calls": [call, call]})),
            json!({"model": "m", "message": {"role": "assistant", "content": ""}, "done": true,
                "done_reason": "stop", "prompt_eval_count": 5, "eval_count": 7}),
        ];
        all.iter().map(|line| format!("{line}\n")).collect()
    }

    fn translate(parts: &[&[u8]]) -> Result<Vec<Value>, Error> {
        let mut translator = Translator::new(Chunks::new("m"), true);
        let mut out = BytesMut::new();
        for part in parts {
            translator.feed(part, &mut out)?;
        }
        translator.end(&mut out)?;
        let sse = String::from_utf8(out.to_vec()).unwrap();
        let events: Vec<_> = sse.split_terminator("\n\n").collect();
        assert_eq!(*events.last().unwrap(), "data: [DONE]");
        let chunk = |event: &&str| {
            let mut chunk: Value =
                serde_json::from_str(event.strip_prefix("data: ").unwrap()).unwrap();
            assert_eq!(chunk["object"], "chat.completion.chunk");
            assert!(chunk["id"].as_str().unwrap().starts_with("chatcmpl-"));
            // Made up anew each time.
            if let Some(call) = chunk.pointer_mut("/choices/0/delta/tool_calls/0") {
                assert!(call["id"].as_str().unwrap().starts_with("call_"));
                call["id"] = Value::Null;
            }
            match chunk["choices"].get(0) {
                Some(choice) => choice.clone(),
                None => chunk["usage"].clone(),
            }
        };
        Ok(events[..events.len() - 1].iter().map(chunk).collect())
    }

    fn expected() -> Vec<Value> {
        let delta = |delta: Value| json!({"index": 0, "delta": delta, "finish_reason": null});
        let call = |at: usize| {
            let arguments = r#"{"n":1.0,"城市":"上海"}"#;
            delta(
                json!({"tool_calls": [{"index": at, "id": null, "type": "function",
                "function": {"name": "f", "arguments": arguments}}]}),
            )
        };
        vec![
            delta(json!({"role": "assistant", "content": ""})),
            delta(json!({"reasoning_content": "hm\n"})),
            delta(json!({"content": "你好 \u{1F600}\u{2028}"})),
            call(0),
            call(1),
            json!({"index": 0, "delta": {}, "finish_reason": "tool_calls"}),
            json!({"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}),
        ]
    }

    #[test]
    fn lines_become_chunks() {
        assert_eq!(translate(&[lines().as_bytes()]).unwrap(), expected());
    }

    proptest! {
        #[test]
        fn wherever_they_are_cut(cuts in prop::collection::vec(0usize..1000, 0..12)) {
            let lines = lines().into_bytes();
            let mut cuts: Vec<_> = cuts.into_iter().map(|c| c % (lines.len() + 1)).collect();
            cuts.extend([0, lines.len()]);
            cuts.sort_unstable();
            let parts: Vec<_> = cuts.windows(2).map(|w| &lines[w[0]..w[1]]).collect();
            prop_assert_eq!(translate(&parts).unwrap(), expected());
        }
    }

    #[test]
    fn byte_by_byte() {
        let lines = lines();
        let bytes: Vec<_> = lines.as_bytes().chunks(1).collect();
        assert_eq!(translate(&bytes).unwrap(), expected());
    }

    #[test]
    fn errors_and_ends() {
        let said = |body: &str| translate(&[body.as_bytes()]).unwrap_err().to_string();
        let token = r#"{"message":{"content":"a"},"done":false}"#;
        assert_eq!(
            said(&format!("{token}\n{{\"error\":\"out of memory\"}}\n")),
            "the backend failed: it answered with an error: out of memory"
        );
        let broke_off = "the backend failed: it broke off in the middle of its answer";
        assert_eq!(said(&format!("{token}\n")), broke_off);
        assert_eq!(said(""), broke_off);
        assert!(said("<html>\n").contains("not Ollama's dialect"));
        let length = r#"{"message":{"content":"a"},"done":true,"done_reason":"length"}"#;
        let chunks = translate(&[length.as_bytes(), b"\n{\"late\":1}\n"]).unwrap();
        assert_eq!(chunks[2]["finish_reason"], "length");
    }

    #[test]
    fn a_whole_answer() {
        let body = json!({"model": "m", "message": {"role": "assistant", "content": "",
            "thinking": "hm", "tool_calls": [{"id": "c1", "function": {"name": "f",
            "arguments": {"a": 1}}}]}, "done": true, "done_reason": "stop",
            "prompt_eval_count": 3, "eval_count": 4});
        let whole = whole(&Chunks::new("m"), body.to_string().as_bytes()).unwrap();
        let whole: Value = serde_json::from_slice(&whole).unwrap();
        assert_eq!(whole["object"], "chat.completion");
        assert_eq!(
            whole["choices"][0]["message"],
            json!({"role": "assistant", "content": null, "reasoning_content": "hm",
                "tool_calls": [{"id": "c1", "type": "function",
                    "function": {"name": "f", "arguments": "{\"a\":1}"}}]})
        );
        assert_eq!(whole["choices"][0]["finish_reason"], "tool_calls");
        assert_eq!(whole["usage"]["total_tokens"], 7);
    }
}
