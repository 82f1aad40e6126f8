//! OpenAI answers, written for dialects that have other ones: chunks of a stream, and whole.

use bytes::{BufMut, Bytes, BytesMut};
use serde::Serialize;
use serde_json::{Value, json};

/// One answer's writer.
pub(super) struct Chunks {
    id: String,
    created: i64,
    model: String,
    /// What every chunk begins with, up to the delta.
    head: String,
}

/// Tokens of an answer.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Usage {
    pub prompt: u64,
    pub completion: u64,
}

impl Chunks {
    pub(super) fn new(model: &str) -> Chunks {
        let id = format!("chatcmpl-{}", uuid::Uuid::now_v7().simple());
        let created = super::seen::unix_ms() / 1000;
        let head = format!(
            r#"data: {{"id":"{id}","object":"chat.completion.chunk","created":{created},"model":{},"choices":[{{"index":0,"delta":"#,
            json!(model)
        );
        Chunks {
            id,
            created,
            model: model.to_owned(),
            head,
        }
    }

    /// A chunk with a delta; the last has a reason and an empty one.
    pub(super) fn delta(&self, out: &mut BytesMut, delta: &impl Serialize, reason: Option<&str>) {
        out.put_slice(self.head.as_bytes());
        // Into memory, and all keys are strings: it cannot fail.
        let _ = serde_json::to_writer((&mut *out).writer(), delta);
        out.put_slice(br#","finish_reason":"#);
        let _ = serde_json::to_writer((&mut *out).writer(), &reason);
        out.put_slice(b"}]}\n\n");
    }

    /// The usage chunk: clients choke on one without `choices`.
    pub(super) fn usage(&self, out: &mut BytesMut, usage: Usage) {
        let chunk = json!({
            "id": self.id, "object": "chat.completion.chunk", "created": self.created,
            "model": self.model, "choices": [], "usage": usage.json(),
        });
        out.put_slice(format!("data: {chunk}\n\n").as_bytes());
    }

    /// The end of a stream.
    pub(super) fn done(out: &mut BytesMut) {
        out.put_slice(b"data: [DONE]\n\n");
    }

    /// A whole answer.
    pub(super) fn whole(&self, message: &Value, reason: &str, usage: Usage) -> Bytes {
        let whole = json!({
            "id": self.id, "object": "chat.completion", "created": self.created,
            "model": self.model,
            "choices": [{"index": 0, "message": message, "logprobs": null, "finish_reason": reason}],
            "usage": usage.json(),
        });
        whole.to_string().into()
    }
}

impl Usage {
    fn json(self) -> Value {
        json!({
            "prompt_tokens": self.prompt, "completion_tokens": self.completion,
            "total_tokens": self.prompt + self.completion,
        })
    }
}
