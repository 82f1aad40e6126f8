//! An OpenAI chat request as Ollama's `/api/chat` takes it.

use crate::{error::Error, pool::Request};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::HashMap;

/// What is read of an OpenAI request; members that Ollama has no word for are left out.
#[derive(Deserialize)]
struct Chat {
    messages: Vec<Message>,
    #[serde(default)]
    tools: Value,
    #[serde(default)]
    tool_choice: Value,
    #[serde(default)]
    response_format: Value,
    #[serde(default)]
    stop: Value,
    #[serde(default)]
    max_tokens: Value,
    #[serde(default)]
    max_completion_tokens: Value,
    #[serde(default)]
    stream_options: Value,
    #[serde(default)]
    reasoning_effort: Value,
    /// Ollama's own, passed on: a caller who knows the backend.
    #[serde(default)]
    options: Option<Map<String, Value>>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

#[derive(Deserialize)]
struct Message {
    role: String,
    #[serde(default)]
    content: Value,
    #[serde(default)]
    reasoning_content: Value,
    #[serde(default)]
    tool_calls: Option<Vec<ToolCall>>,
    #[serde(default)]
    tool_call_id: Option<String>,
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
    #[serde(default)]
    arguments: Value,
}

/// The body for `/api/chat`, and whether the caller wants a usage chunk.
pub(super) fn translate(request: &Request) -> Result<(Bytes, bool), Error> {
    let chat: Chat = serde_json::from_slice(&request.body).map_err(|error| {
        Error::invalid("messages", format!("this request cannot be read: {error}"))
    })?;
    let mut names = HashMap::new();
    let mut messages = Vec::with_capacity(chat.messages.len());
    for (at, message) in chat.messages.iter().enumerate() {
        messages.push(translate_message(at, message, &mut names)?);
    }
    let mut body = Map::new();
    body.insert("model".into(), json!(*request.model));
    body.insert("messages".into(), messages.into());
    body.insert("stream".into(), request.stream.into());
    if chat.tools.is_array() && chat.tool_choice != "none" {
        body.insert("tools".into(), chat.tools.clone());
    }
    if let Some(format) = format(&chat.response_format) {
        body.insert("format".into(), format);
    }
    match &chat.reasoning_effort {
        Value::String(effort) if effort == "none" => body.insert("think".into(), false.into()),
        Value::String(effort) => body.insert("think".into(), effort.as_str().into()),
        _ => None,
    };
    for key in ["keep_alive", "think"] {
        if let Some(value) = chat.rest.get(key) {
            body.insert(key.into(), value.clone());
        }
    }
    let options = options(&chat);
    if !options.is_empty() {
        body.insert("options".into(), options.into());
    }
    let wants_usage = chat.stream_options["include_usage"] == true;
    Ok((Value::Object(body).to_string().into(), wants_usage))
}

fn options(chat: &Chat) -> Map<String, Value> {
    let mut options = Map::new();
    let own = [
        "temperature",
        "top_p",
        "seed",
        "frequency_penalty",
        "presence_penalty",
    ];
    for key in own {
        let value = chat.rest.get(key).unwrap_or(&Value::Null);
        options.insert(key.into(), value.clone());
    }
    let most = match &chat.max_completion_tokens {
        Value::Null => &chat.max_tokens,
        most => most,
    };
    options.insert("num_predict".into(), most.clone());
    let stop = match &chat.stop {
        Value::String(stop) => json!([stop]),
        stop => stop.clone(),
    };
    options.insert("stop".into(), stop);
    options.retain(|_, value| !value.is_null());
    options.extend(chat.options.clone().unwrap_or_default());
    options
}

fn format(asked: &Value) -> Option<Value> {
    match asked["type"].as_str()? {
        "json_object" => Some("json".into()),
        "json_schema" => Some(asked["json_schema"]["schema"].clone()),
        _ => None,
    }
}

/// `names`: of the calls so far, by id; Ollama wants the tool's name with its result.
fn translate_message(
    at: usize,
    message: &Message,
    names: &mut HashMap<String, String>,
) -> Result<Value, Error> {
    let role = match message.role.as_str() {
        "developer" => "system",
        "function" => "tool",
        role => role,
    };
    let (text, images) = content(at, &message.content)?;
    let mut out = json!({"role": role, "content": text});
    if !images.is_empty() {
        out["images"] = images.into();
    }
    if let Value::String(thinking) = &message.reasoning_content {
        out["thinking"] = thinking.as_str().into();
    }
    if let Some(calls) = &message.tool_calls {
        for call in calls {
            let id = call.id.clone().unwrap_or_default();
            names.insert(id, call.function.name.clone());
        }
        out["tool_calls"] = calls.iter().map(tool_call).collect();
    }
    if let Some(id) = &message.tool_call_id {
        out["tool_call_id"] = id.as_str().into();
        if let Some(name) = names.get(id) {
            out["tool_name"] = name.as_str().into();
        }
    }
    Ok(out)
}

/// OpenAI has the arguments as a string, Ollama as an object.
fn tool_call(call: &ToolCall) -> Value {
    let arguments = match &call.function.arguments {
        Value::String(text) => serde_json::from_str(text).unwrap_or_default(),
        arguments => arguments.clone(),
    };
    let arguments = match arguments {
        Value::Object(_) => arguments,
        _ => json!({}),
    };
    let mut out = json!({"function": {"name": call.function.name, "arguments": arguments}});
    if let Some(id) = &call.id {
        out["id"] = id.as_str().into();
    }
    out
}

/// A message's text, and its images as Ollama takes them: bare base64.
fn content(at: usize, content: &Value) -> Result<(String, Vec<Value>), Error> {
    let parts = match content {
        Value::String(text) => return Ok((text.clone(), Vec::new())),
        Value::Array(parts) => parts,
        _ => return Ok(Default::default()),
    };
    let (mut texts, mut images) = (Vec::new(), Vec::new());
    for part in parts {
        match part["type"].as_str() {
            Some("text") => texts.extend(part["text"].as_str()),
            Some("image_url") => {
                let url = part["image_url"]["url"].as_str();
                let data = url.and_then(|url| url.strip_prefix("data:"));
                match data.and_then(|data| data.split_once(";base64,")) {
                    Some((_, base64)) => images.push(base64.into()),
                    None => {
                        let detail = "this backend takes images as data: URLs in base64 only";
                        return Err(Error::invalid(format!("messages[{at}].content"), detail));
                    }
                }
            }
            _ => {
                let detail = "this backend takes parts of type text and image_url only";
                return Err(Error::invalid(format!("messages[{at}].content"), detail));
            }
        }
    }
    Ok((texts.join("\n"), images))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn translated(body: Value, stream: bool) -> (Value, bool) {
        let request = Request {
            model: "qwen3:8b".into(),
            body: body.to_string().into(),
            unedited: None,
            stream,
            show_usage: false,
        };
        let (body, usage) = translate(&request).unwrap();
        (serde_json::from_slice(&body).unwrap(), usage)
    }

    #[test]
    fn settings_move_to_where_ollama_looks() {
        let (body, usage) = translated(
            json!({
                "model": "qwen3", "messages": [{"role": "user", "content": "hi"}],
                "stream": true, "stream_options": {"include_usage": true},
                "temperature": 0, "top_p": 0.5, "seed": 7, "stop": "END", "max_tokens": 9,
                "max_completion_tokens": 8, "user": "u", "n": 1, "logit_bias": null,
                "keep_alive": "5m", "options": {"num_ctx": 8192, "seed": 8},
                "reasoning_effort": "none",
                "response_format": {"type": "json_schema", "json_schema": {"name": "x",
                    "schema": {"type": "object"}}},
            }),
            true,
        );
        assert!(usage);
        assert_eq!(
            body,
            json!({
                "model": "qwen3:8b", "messages": [{"role": "user", "content": "hi"}],
                "stream": true, "keep_alive": "5m", "think": false,
                "format": {"type": "object"},
                "options": {"temperature": 0, "top_p": 0.5, "seed": 8, "stop": ["END"],
                    "num_predict": 8, "num_ctx": 8192},
            })
        );
        let (plain, usage) = translated(json!({"messages": [], "stop": null}), false);
        assert!(!usage);
        assert_eq!(
            plain,
            json!({"model": "qwen3:8b", "messages": [], "stream": false})
        );
        let asked = json!({"messages": [], "response_format": {"type": "json_object"}});
        assert_eq!(translated(asked, false).0["format"], "json");
    }

    #[test]
    fn parts_images_and_tools() {
        let tools = json!([{"type": "function", "function": {"name": "f", "parameters": {}}}]);
        let (body, _) = translated(
            json!({
                "tools": tools,
                "messages": [
                    {"role": "developer", "content": "be kind"},
                    {"role": "user", "content": [{"type": "text", "text": "a"},
                        {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}},
                        {"type": "text", "text": "b"}]},
                    {"role": "assistant", "content": null, "tool_calls": [{"id": "call_1",
                        "type": "function",
                        "function": {"name": "f", "arguments": "{\"x\": [1, \"中\"]}"}}]},
                    {"role": "tool", "tool_call_id": "call_1", "content": "42"},
                ],
            }),
            true,
        );
        assert_eq!(body["tools"], tools);
        assert_eq!(
            body["messages"],
            json!([
                {"role": "system", "content": "be kind"},
                {"role": "user", "content": "a\nb", "images": ["QUJD"]},
                {"role": "assistant", "content": "", "tool_calls": [{"id": "call_1",
                    "function": {"name": "f", "arguments": {"x": [1, "中"]}}}]},
                {"role": "tool", "content": "42", "tool_call_id": "call_1", "tool_name": "f"},
            ])
        );
        let none = json!({"messages": [], "tools": tools, "tool_choice": "none"});
        assert_eq!(translated(none, true).0.get("tools"), None);
    }

    #[test]
    fn what_it_cannot_take_is_told() {
        let url = json!([{"type": "image_url", "image_url": {"url": "https://x/y.png"}}]);
        let audio = json!([{"type": "input_audio", "input_audio": {}}]);
        for content in [url, audio] {
            let request = Request {
                model: "m".into(),
                body: json!({"messages": [{"role": "user", "content": content}]})
                    .to_string()
                    .into(),
                unedited: None,
                stream: false,
                show_usage: false,
            };
            let error = translate(&request).unwrap_err();
            assert_eq!(error.field(), Some("messages[0].content"));
        }
    }
}
