//! What scripted backends say: HTTP messages, and answers in both dialects.

use super::upstream::{Script, Seen, Step};
use bytes::{Bytes, BytesMut};
use serde_json::{Value, json};

/// What a good backend answers.
pub fn ordinary(seen: &Seen) -> Script {
    let body: Value = serde_json::from_slice(&seen.body).unwrap_or_default();
    let model = body["model"].as_str().unwrap_or("m");
    match (seen.path.as_str(), body["stream"] == json!(true)) {
        ("/v1/chat/completions", true) => sse(&chat_events(model, &["Hel", "lo"])),
        ("/v1/chat/completions", false) => vec![Step::Write(ok(&chat_whole(model, "Hello")))],
        ("/api/chat", true) => ndjson(&ollama_lines(model, &["Hel", "lo"])),
        ("/api/chat", false) => vec![Step::Write(ok(&json!({
            "model": model, "message": {"role": "assistant", "content": "Hello"},
            "done": true, "done_reason": "stop", "prompt_eval_count": 5, "eval_count": 2,
        })))],
        _ => vec![Step::Write(http(
            404,
            "application/json",
            r#"{"error":"not found"}"#,
        ))],
    }
}

/// A whole HTTP message.
pub fn http(status: u16, kind: &str, body: &str) -> Bytes {
    let length = body.len();
    format!(
        "HTTP/1.1 {status} Status\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .into()
}

/// 200 with JSON.
pub fn ok(body: &Value) -> Bytes {
    http(200, "application/json", &body.to_string())
}

/// The head of a chunked answer.
pub fn head(kind: &str) -> Step {
    let head =
        format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n");
    Step::Write(head.into())
}

/// One chunk of a chunked body.
pub fn chunk(bytes: impl AsRef<[u8]>) -> Bytes {
    let bytes = bytes.as_ref();
    let mut all = BytesMut::from(format!("{:x}\r\n", bytes.len()).as_bytes());
    all.extend_from_slice(bytes);
    all.extend_from_slice(b"\r\n");
    all.freeze()
}

/// The end of a chunked body.
pub fn end() -> Step {
    Step::Write(Bytes::from_static(b"0\r\n\r\n"))
}

/// A chunked answer, each part in a write of its own.
pub fn chunked(kind: &str, parts: &[String]) -> Script {
    let parts = parts.iter().map(|part| Step::Write(chunk(part)));
    [head(kind)]
        .into_iter()
        .chain(parts)
        .chain([end()])
        .collect()
}

/// An SSE answer of these `data:` payloads, and `[DONE]`.
pub fn sse(events: &[Value]) -> Script {
    let mut parts: Vec<String> = events.iter().map(|e| format!("data: {e}\n\n")).collect();
    parts.push("data: [DONE]\n\n".into());
    chunked("text/event-stream", &parts)
}

/// The chunks of a chat: role, tokens, finish.
pub fn chat_events(model: &str, tokens: &[&str]) -> Vec<Value> {
    let chunk = |delta: Value, reason: Value| {
        json!({"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": model,
            "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]})
    };
    let mut events = vec![chunk(
        json!({"role": "assistant", "content": ""}),
        json!(null),
    )];
    events.extend(
        tokens
            .iter()
            .map(|t| chunk(json!({"content": t}), json!(null))),
    );
    events.push(chunk(json!({}), json!("stop")));
    events
}

/// A whole chat answer.
pub fn chat_whole(model: &str, text: &str) -> Value {
    json!({"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": model,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text},
            "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}})
}

/// An answer of lines as Ollama streams it.
pub fn ndjson(lines: &[Value]) -> Script {
    let parts: Vec<String> = lines.iter().map(|line| format!("{line}\n")).collect();
    chunked("application/x-ndjson", &parts)
}

/// The lines of a chat in Ollama's dialect.
pub fn ollama_lines(model: &str, tokens: &[&str]) -> Vec<Value> {
    let at = "2026-11-23T21:00:00.000000Z";
    let message = |text: &str| json!({"role": "assistant", "content": text});
    let line =
        |t: &&str| json!({"model": model, "created_at": at, "message": message(t), "done": false});
    let mut lines: Vec<_> = tokens.iter().map(line).collect();
    lines.push(
        json!({"model": model, "created_at": at, "message": message(""), "done": true,
        "done_reason": "stop", "total_duration": 9, "load_duration": 1, "prompt_eval_count": 5,
        "prompt_eval_duration": 3, "eval_count": tokens.len(), "eval_duration": 4}),
    );
    lines
}
