//! What the official OpenAI SDK makes of a real backend's answers: both clients, whole and streamed.

use super::{
    OLLAMA_MODEL, RealLlama, app, ollama, openai, real_llama, scripted_ollama, sent, turns,
};
use crate::support::{
    App, llama, openai_sdk as sdk,
    upstream::{Script, Step, Upstream, chat_events, chunk, http, ndjson, ok, ollama_lines, sse},
};
use serde_json::{Value, json};

const ANSWERS: [&str; 6] = [
    "models",
    "sync_whole",
    "sync_stream",
    "async_whole",
    "async_stream",
    "helper",
];

/// What both clients of the SDK read is what was kept; `tokens` is what the backend counted.
async fn sdk_answers(app: &App, model: &str, finish: &str, tokens: u64, more: &[&str]) -> Value {
    let said = sdk::run(&app.base, "ada", model, &[&ANSWERS, more].concat()).await;
    assert_eq!(said["models"], json!([model]));
    assert_eq!(said["sync_whole"]["memory"], "empty");
    for client in ["sync", "async"] {
        let (whole, stream) = (
            &said[format!("{client}_whole")],
            &said[format!("{client}_stream")],
        );
        assert_eq!(whole["finish"], finish, "{said}");
        assert_eq!(stream["finish"], json!([finish]), "{said}");
        assert_eq!(stream["ids"], 1);
        assert_eq!(whole["usage"]["completion_tokens"], tokens);
        assert_eq!(stream["usage"][0]["completion_tokens"], tokens);
    }
    let kept = turns(app, "ada").await;
    let kept: Vec<_> = kept.iter().map(|t| (&*t.query, &*t.answer)).collect();
    let steps = [
        "sync_whole",
        "sync_stream",
        "async_whole",
        "async_stream",
        "helper",
    ];
    let expected = steps.map(|step| (step.replace('_', " "), said[step]["text"].as_str().unwrap()));
    let expected = expected.each_ref().map(|(query, text)| (&**query, *text));
    assert_eq!(kept[..steps.len()], expected);
    said
}

#[tokio::test]
async fn the_sdk_with_llama_cpp() {
    let RealLlama { app, tap, _llama } = real_llama().await;
    let tools = ["tools_whole", "tools_stream", "schema_whole"];
    let said = sdk_answers(&app, llama::MODEL, "length", 16, &tools).await;
    // Tools go through untouched; what these random weights make of them does not matter.
    assert_eq!(said["tools_whole"]["finish"], "length", "{said}");
    assert_eq!(said["tools_stream"]["finish"], json!(["length"]), "{said}");
    let mood: Value = serde_json::from_str(said["schema_whole"]["text"].as_str().unwrap()).unwrap();
    assert!(
        ["good", "bad"].map(Value::from).contains(&mood["mood"]),
        "{said}"
    );
    for chat in tap.chats().iter().rev().skip(1).take(2) {
        assert_eq!(chat["tools"][0]["function"]["name"], "weather");
        assert_eq!(chat["ignore_eos"], true);
    }
}

#[tokio::test]
async fn the_quirks_of_llama_cpp_reach_the_sdk_in_a_shape_it_takes() {
    let upstream = Upstream::start();
    upstream.models(&[llama::MODEL]);
    let app = app(vec![openai("llama", upstream.openai())], &[llama::MODEL]).await;
    // A first delta without text, and members of its own.
    let mut chunks = chat_events(llama::MODEL, &["\u{1}你", "\u{7f}"]);
    chunks[0]["choices"][0]["delta"]["content"] = Value::Null;
    chunks[3]["timings"] = json!({"predicted_ms": 0.5});
    // Numbers where SDKs want words.
    let error =
        r#"{"error":{"code":500,"message":"it does not match the format","type":"server_error"}}"#;
    let mut broken = sse(&chunks[..2]);
    broken[3] = Step::Write(chunk(format!("data: {error}\n\n")));
    upstream.script(sse(&chunks));
    upstream.script(broken.clone()).script(broken);
    upstream.script(vec![Step::Write(http(500, "application/json", error))]);
    let steps = ["sync_stream", "broken_sync", "broken_async", "whole"];
    let said = sdk::run(&app.base, "ada", llama::MODEL, &steps).await;
    assert_eq!(said["sync_stream"]["text"], "\u{1}你\u{7f}", "{said}");
    for step in &steps[1..] {
        assert_eq!(said[step]["code"], "upstream_failed", "{said}");
        let words = said[step]["message"].as_str().unwrap();
        assert!(words.contains("it does not match the format"), "{said}");
    }
    assert_eq!(
        (
            &said["broken_sync"]["chunks"],
            &said["broken_async"]["chunks"]
        ),
        (&json!(2), &json!(2))
    );
    assert_eq!(
        (&said["whole"]["raised"], &said["whole"]["status"]),
        (&json!("InternalServerError"), &json!(502))
    );
}

/// An Ollama that calls a tool, whole or streamed.
fn calling(stream: bool) -> Script {
    let calls = json!([{"function": {"name": "weather", "arguments": {"city": "上海"}}}]);
    let mut lines = ollama_lines(OLLAMA_MODEL, &[""]);
    lines[0]["message"]["tool_calls"] = calls.clone();
    if stream {
        return ndjson(&lines);
    }
    lines[1]["message"]["tool_calls"] = calls;
    vec![Step::Write(ok(&lines[1]))]
}

#[tokio::test]
async fn the_sdk_with_ollama() {
    let upstream = scripted_ollama();
    let app = app(vec![ollama(&upstream)], &[OLLAMA_MODEL]).await;
    sdk_answers(&app, OLLAMA_MODEL, "stop", 2, &[]).await;
    upstream.script(calling(false)).script(calling(true));
    let steps = ["tools_whole", "tools_stream", "tool_result"];
    let said = sdk::run(&app.base, "ada", OLLAMA_MODEL, &steps).await;
    let call = json!([["weather", {"city": "上海"}]]);
    assert_eq!(
        (
            &said["tools_whole"]["calls"],
            &said["tools_stream"]["calls"]
        ),
        (&call, &call)
    );
    assert_eq!(said["tools_whole"]["finish"], "tool_calls");
    assert_eq!(said["tools_stream"]["finish"], json!(["tool_calls"]));
    assert_eq!(said["tool_result"]["text"], "Hello");
    let chats = sent(&upstream);
    let asked = &chats[chats.len() - 2];
    assert_eq!(asked["tools"][0]["function"]["name"], "weather");
    // A result goes with its tool's name, a call with its arguments as an object.
    let messages = chats.last().unwrap()["messages"].as_array().unwrap();
    let [.., call, result] = &messages[..] else {
        panic!()
    };
    assert_eq!(
        call["tool_calls"][0]["function"]["arguments"]["city"],
        "上海"
    );
    assert_eq!(
        (&result["role"], &result["tool_name"]),
        (&json!("tool"), &json!("weather"))
    );
}
