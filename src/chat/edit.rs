//! Edits to a request, by span: a list of replacements, applied in one pass. Every byte outside
//! them stays as it came, so that what a client sends beyond what is known here passes unchanged.

use super::{
    ChatBody, Content,
    json::{offset, present, quote},
};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::ops::Range;

/// Edits to one body, in any order; their spans may not overlap.
#[derive(Default)]
pub struct Edits {
    list: Vec<(Range<usize>, String)>,
}

impl Edits {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Names the model, whether the request named another or none.
    pub fn model(&mut self, body: &ChatBody, model: &str) {
        match &body.model {
            Some((_, at)) => self.list.push((at.clone(), quote(model))),
            // `messages` is there, so a comma always belongs behind it.
            None => self.put(body.head, format!("\"model\":{},", quote(model))),
        }
    }

    /// Asks for usage, where the request does not. What is no object stays for the backend to
    /// refuse.
    pub fn usage(&mut self, body: &ChatBody) {
        if body.include_usage {
            return;
        }
        let Some(at) = &body.stream_options else {
            return self.put(body.head, USAGE.to_owned());
        };
        let options = body.json(at);
        if options == "null" {
            return self
                .list
                .push((at.clone(), r#"{"include_usage":true}"#.into()));
        }
        let Ok(said) = serde_json::from_str::<Options>(options) else {
            return;
        };
        match said.include_usage {
            Some(value) => {
                let start = at.start + offset(options, value.get());
                self.list
                    .push((start..start + value.get().len(), "true".into()));
            }
            None if is_empty(body, at) => self.put(at.start + 1, r#""include_usage":true"#.into()),
            None => self.put(at.start + 1, r#""include_usage":true,"#.into()),
        }
    }

    /// A system message before all others.
    pub fn first_message(&mut self, body: &ChatBody, text: &str) {
        let message = format!(r#"{{"role":"system","content":{}}},"#, quote(text));
        self.put(body.inside.start, message);
    }

    /// Text at the end of what a message says, a blank line behind the rest. A message without
    /// content has no place for it: false.
    pub fn append(&mut self, body: &ChatBody, content: &Content, text: &str) -> bool {
        match content {
            Content::None => return false,
            Content::Null(at) => self.list.push((at.clone(), quote(text))),
            Content::Text(at) if at.len() == 2 => self.put(at.end - 1, escaped(text)),
            Content::Text(at) => self.put(at.end - 1, escaped(&format!("\n\n{text}"))),
            Content::Parts(at) if is_empty(body, at) => self.put(at.end - 1, part(text)),
            Content::Parts(at) => {
                self.put(at.end - 1, format!(",{}", part(&format!("\n\n{text}"))));
            }
        }
        true
    }

    /// Text at the head of what a message says, a blank line before the rest.
    pub fn prepend(&mut self, body: &ChatBody, content: &Content, text: &str) -> bool {
        match content {
            Content::None => return false,
            Content::Null(at) => self.list.push((at.clone(), quote(text))),
            Content::Text(at) if at.len() == 2 => self.put(at.start + 1, escaped(text)),
            Content::Text(at) => self.put(at.start + 1, escaped(&format!("{text}\n\n"))),
            Content::Parts(at) if is_empty(body, at) => self.put(at.start + 1, part(text)),
            Content::Parts(at) => {
                self.put(at.start + 1, format!("{},", part(&format!("{text}\n\n"))));
            }
        }
        true
    }

    /// The edited bytes; the same bytes, uncopied, where there is nothing to edit.
    pub fn apply(mut self, bytes: &Bytes) -> Bytes {
        if self.list.is_empty() {
            return bytes.clone();
        }
        self.list.sort_by_key(|(at, _)| at.start);
        let (added, gone) = self.list.iter().fold((0, 0), |(added, gone), (at, new)| {
            (added + new.len(), gone + at.len())
        });
        let mut out = Vec::with_capacity(bytes.len() + added - gone);
        let mut from = 0;
        for (at, new) in &self.list {
            out.extend_from_slice(&bytes[from..at.start]);
            out.extend_from_slice(new.as_bytes());
            from = at.end;
        }
        out.extend_from_slice(&bytes[from..]);
        out.into()
    }

    fn put(&mut self, at: usize, new: String) {
        self.list.push((at..at, new));
    }
}

/// How usage is asked for where a request has no `stream_options`. `messages` is there, so a comma
/// always belongs behind it.
const USAGE: &str = r#""stream_options":{"include_usage":true},"#;

/// A request without that, for a backend that does not know it; `None`: it was not put in.
pub fn without_usage(request: &Bytes) -> Option<Bytes> {
    let at = memchr::memmem::find(request, USAGE.as_bytes())?;
    Some(
        [&request[..at], &request[at + USAGE.len()..]]
            .concat()
            .into(),
    )
}

#[derive(Deserialize)]
struct Named<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    model: Option<&'a RawValue>,
}

/// A request that names another model, every other byte as it was; `None`: it names none.
pub fn renamed(request: &Bytes, model: &str) -> Option<Bytes> {
    let text = std::str::from_utf8(request).ok()?;
    let old = serde_json::from_str::<Named>(text).ok()?.model?.get();
    let (at, new) = (offset(text, old), quote(model));
    let (before, after) = (&request[..at], &request[at + old.len()..]);
    Some([before, new.as_bytes(), after].concat().into())
}

#[derive(Deserialize)]
struct Options<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    include_usage: Option<&'a RawValue>,
}

/// As inside a JSON string.
fn escaped(text: &str) -> String {
    let mut quoted = quote(text);
    quoted.pop();
    quoted.remove(0);
    quoted
}

fn part(text: &str) -> String {
    format!(r#"{{"type":"text","text":{}}}"#, quote(text))
}

fn is_empty(body: &ChatBody, at: &Range<usize>) -> bool {
    body.bytes[at.start + 1..at.end - 1].trim_ascii().is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::Role;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn content() -> impl Strategy<Value = Value> {
        let text = "(\\PC|[\"\\\\\n/<>\u{1}\u{7f}]){0,12}";
        let part = prop_oneof![
            text.prop_map(|t| json!({"type": "text", "text": t, "cache_control": {"a": []}})),
            text.prop_map(|t| json!({"type": "image_url", "image_url": {"url": t}})),
        ];
        prop_oneof![
            text.prop_map(Value::from),
            Just(Value::Null),
            prop::collection::vec(part, 0..4).prop_map(Value::from),
        ]
    }

    fn request() -> impl Strategy<Value = (Value, bool)> {
        let role = prop::sample::select(vec!["system", "user", "assistant", "tool", "developer"]);
        let message = (role, content()).prop_map(|(r, c)| json!({"x": 1, "role": r, "content": c}));
        let messages = prop::collection::vec(message, 1..5);
        (messages, any::<bool>(), any::<bool>()).prop_map(|(messages, model, pretty)| {
            let mut body = json!({"messages": messages, "zz": [1.0, null, {"a": "]}\""}]});
            if model {
                body["model"] = "as\"ked".into();
            }
            (body, pretty)
        })
    }

    /// What an edit of a content should come to.
    fn edited(old: &Value, text: &str, tail: bool) -> Value {
        let with = if tail {
            format!("\n\n{text}")
        } else {
            format!("{text}\n\n")
        };
        match old {
            Value::String(s) if s.is_empty() => text.into(),
            Value::String(s) if tail => format!("{s}{with}").into(),
            Value::String(s) => format!("{with}{s}").into(),
            Value::Array(parts) if parts.is_empty() => json!([{"type": "text", "text": text}]),
            Value::Array(parts) => {
                let (mut parts, at) = (parts.clone(), if tail { parts.len() } else { 0 });
                parts.insert(at, json!({"type": "text", "text": with}));
                parts.into()
            }
            _ => text.into(),
        }
    }

    proptest! {
        #[test]
        fn an_edit_does_what_it_says_and_nothing_else(
            (mut value, pretty) in request(), text in "\\PC{0,20}[\"\\\\\n]?",
            which in any::<prop::sample::Index>(), first in any::<bool>(), model in any::<bool>(),
        ) {
            let came = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) };
            let body = ChatBody::parse(Bytes::from(came.unwrap())).unwrap();
            let (mut edits, n) = (Edits::default(), body.messages.len());
            let (a, b) = (which.index(n), n - 1);
            prop_assert!(edits.append(&body, &body.messages[a].content, &text));
            value["messages"][a]["content"] = edited(&value["messages"][a]["content"], &text, true);
            if a != b {
                prop_assert!(edits.prepend(&body, &body.messages[b].content, &text));
                value["messages"][b]["content"] = edited(&value["messages"][b]["content"], &text, false);
            }
            if model {
                edits.model(&body, &text);
                value["model"] = text.clone().into();
            }
            if first {
                edits.first_message(&body, &text);
                let message = json!({"role": "system", "content": text});
                value["messages"].as_array_mut().unwrap().insert(0, message);
            }
            let mut list = edits.list.clone();
            list.sort_by_key(|(at, _)| at.start);
            let out = edits.apply(&body.bytes);
            prop_assert_eq!(serde_json::from_slice::<Value>(&out).unwrap(), value);
            // Taking the new text out again and putting the old back gives what came.
            let mut back = out.to_vec();
            for (span, new) in list {
                let there = span.start..span.start + new.len();
                prop_assert_eq!(&back[there.clone()], new.as_bytes());
                back.splice(there, body.bytes[span].iter().copied());
            }
            prop_assert_eq!(&back[..], &body.bytes[..]);
        }
    }

    #[test]
    fn usage_is_asked_for_wherever_the_request_leaves_room() {
        for (came, sent) in [
            (
                r#"{"messages":[{}]}"#,
                r#"{"stream_options":{"include_usage":true},"messages":[{}]}"#,
            ),
            (
                r#"{ "stream_options" : null,"messages":[{}]}"#,
                r#"{ "stream_options" : {"include_usage":true},"messages":[{}]}"#,
            ),
            (
                r#"{"messages":[{}],"stream_options":{ }}"#,
                r#"{"messages":[{}],"stream_options":{"include_usage":true }}"#,
            ),
            (
                r#"{"messages":[{}],"stream_options":{"a":1}}"#,
                r#"{"messages":[{}],"stream_options":{"include_usage":true,"a":1}}"#,
            ),
            (
                r#"{"messages":[{}],"stream_options":{"a":"b", "include_usage" : false}}"#,
                r#"{"messages":[{}],"stream_options":{"a":"b", "include_usage" : true}}"#,
            ),
            (
                r#"{"messages":[{}],"stream_options":{"include_usage":null}}"#,
                r#"{"messages":[{}],"stream_options":{"include_usage":true}}"#,
            ),
            (
                r#"{"messages":[{}],"stream_options":{"include_usage":true}}"#,
                r#"{"messages":[{}],"stream_options":{"include_usage":true}}"#,
            ),
            (
                r#"{"messages":[{}],"stream_options":7}"#,
                r#"{"messages":[{}],"stream_options":7}"#,
            ),
        ] {
            let message = r#"{"role":"user","content":"x"}"#;
            let [came, sent] = [came, sent].map(|json| json.replace("{}", message));
            let body = ChatBody::parse(Bytes::from(came.clone())).unwrap();
            let mut edits = Edits::default();
            edits.usage(&body);
            let edited = edits.apply(&body.bytes);
            assert_eq!(edited, sent);
            if let Some(without) = without_usage(&edited) {
                assert!(without == came || came.contains("stream_options"));
            }
        }
    }

    #[test]
    fn another_model_and_nothing_else() {
        let body = Bytes::from_static(br#"{"a":[{"model":"x"}], "model" : "m\u0031","z":1.0}"#);
        let new = renamed(&body, "b/\"2").unwrap();
        assert_eq!(
            &new[..],
            br#"{"a":[{"model":"x"}], "model" : "b/\"2","z":1.0}"#
        );
        assert_eq!(renamed(&Bytes::from_static(b"{}"), "x"), None);
    }

    #[test]
    fn nothing_to_do_copies_nothing() {
        let body = Bytes::from_static(br#"{"messages":[{"role":"assistant","tool_calls":[1]}]}"#);
        let body = ChatBody::parse(body).unwrap();
        let mut edits = Edits::default();
        assert_eq!(body.messages[0].role, Role::Assistant);
        assert!(!edits.append(&body, &body.messages[0].content, "x"));
        assert!(edits.is_empty());
        assert_eq!(edits.apply(&body.bytes).as_ptr(), body.bytes.as_ptr());
    }
}
