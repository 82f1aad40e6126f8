//! Real backend: the whole way of a turn against a real llama.cpp and against an Ollama that
//! speaks its own dialect: a preference is put, the prompt carries it, the answer streams, the
//! turn is kept and comes back next time; and what the official OpenAI SDK makes of it all.

use crate::support::{
    App, Events, Llama, Tap, llama, openai_sdk, spawn_app, spawn_app_in,
    upstream::{
        Script, Step, Upstream, chat_events, chunk, end, head, http, ndjson, ok, ollama_lines, sse,
    },
};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};
use sundynix::{
    config::{BackendConfig, DialectName},
    memory::{KeptTurn, TurnStatus, UserKey},
};

const OLLAMA_MODEL: &str = "qwen3:8b";

fn openai(name: &str, url: String) -> BackendConfig {
    BackendConfig {
        name: name.into(),
        url,
        ..BackendConfig::default()
    }
}

fn ollama(upstream: &Upstream) -> BackendConfig {
    BackendConfig {
        dialect: Some(DialectName::Ollama),
        ..openai("ollama", upstream.ollama())
    }
}

/// A server before these backends, once it knows what they serve.
async fn app(backends: Vec<BackendConfig>, models: &[&str]) -> App {
    let app = spawn_app(|c| c.backend = backends).await;
    knows(&app, models).await;
    app
}

async fn knows(app: &App, models: &[&str]) {
    app.until(|| {
        models
            .iter()
            .all(|m| app.state.pool.resolve(Some(m)).is_ok())
    })
    .await;
}

struct RealLlama {
    app: App,
    tap: Tap,
    _llama: Llama,
}

async fn llama() -> RealLlama {
    let llama = Llama::start().await;
    let tap = Tap::before(&llama.url).await;
    let app = app(vec![openai("llama", tap.openai())], &[llama::MODEL]).await;
    RealLlama {
        app,
        tap,
        _llama: llama,
    }
}

fn scripted_ollama() -> Upstream {
    let upstream = Upstream::start();
    upstream.models(&[OLLAMA_MODEL]);
    upstream
}

/// The user's turns, oldest first.
async fn turns(app: &App, user: &str) -> Vec<Arc<KeptTurn>> {
    let user = UserKey::local(user);
    let resident = app.state.store.resident(&user).await.unwrap();
    resident.turns.iter().cloned().collect()
}

/// The chats that an Ollama was sent.
fn sent(upstream: &Upstream) -> Vec<Value> {
    upstream.log().chats().iter().map(|c| c.json()).collect()
}

/// The texts of one role in what a backend was sent.
fn said(chat: &Value, role: &str) -> String {
    let messages = chat["messages"].as_array().unwrap();
    let of_role = messages.iter().filter(|m| m["role"] == role);
    of_role.map(|m| m["content"].as_str().unwrap()).collect()
}

/// The text of the native `token` events, and the data of `done`.
async fn native(events: Events) -> (String, Value) {
    let (mut text, mut done, mut last) = (String::new(), Value::Null, 0);
    for event in events.all().await {
        let id: usize = event.id.as_deref().unwrap().parse().unwrap();
        assert_eq!(id, last + 1);
        last = id;
        match event.name.as_str() {
            "token" => text += event.json()["text"].as_str().unwrap(),
            "done" => done = event.json(),
            "recalled" => assert_eq!(id, 1),
            other => panic!("{other}: {}", event.data),
        }
    }
    (text, done)
}

/// The text of a `/v1` stream; the memory comment comes right before `[DONE]`, which is the last.
async fn chat_text(events: Events) -> String {
    let events = events.all().await;
    let [.., memory, done] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(memory.comments, ["memory recorded"]);
    assert_eq!(done.data, "[DONE]");
    let data = events.iter().filter(|e| e.data.starts_with('{'));
    data.filter_map(|e| {
        let text = e.json()["choices"][0]["delta"]["content"].clone();
        text.as_str().map(str::to_owned)
    })
    .collect()
}

/// The way of the issue, whatever the backend; `sent` is what the backend was sent.
async fn whole_way(app: &App, model: &str, backend: &str, sent: impl Fn() -> Vec<Value>) {
    let last = || sent().pop().unwrap();
    let tokens = json!({"max_tokens": 24, "ignore_eos": true});
    let put = json!({"preferences": {"style": {"tone": "as terse as Tacitus"}}});
    let put = app.call("PUT", "/api/v1/memory", "ada", Some(put)).await;
    assert_eq!(put.status(), 200);

    // Native, streamed.
    let ask =
        json!({"query": "My name is Ada. Which way is north?", "model": model, "params": tokens});
    let (first, done) = native(app.task("ada", ask).await.unwrap()).await;
    assert_eq!(
        (&done["memory"], &done["backend"]),
        (&json!("recorded"), &json!(backend))
    );
    assert!(
        done["usage"]["completion_tokens"].as_u64().unwrap() > 0,
        "{done}"
    );
    let prompt = last();
    assert_eq!(
        (&prompt["model"], &prompt["stream"]),
        (&json!(model), &json!(true))
    );
    assert!(said(&prompt, "system").contains("as terse as Tacitus"));
    assert_eq!(said(&prompt, "user"), "My name is Ada. Which way is north?");
    let kept = turns(app, "ada").await;
    assert_eq!(&*kept[0].query, "My name is Ada. Which way is north?");
    assert_eq!(
        (&*kept[0].answer, kept[0].status),
        (&*first, TurnStatus::Complete)
    );

    // A task that runs by itself: the name said before is known.
    let ask = json!({"query": "And south?", "model": model, "params": tokens});
    let accepted = app.call("POST", "/api/v1/tasks", "ada", Some(ask)).await;
    assert_eq!(accepted.status(), 202);
    let accepted: Value = accepted.json().await.unwrap();
    let events = app.get(accepted["events"].as_str().unwrap()).await;
    let (second, done) = native(Events::of(events)).await;
    assert_eq!(done["memory"], "recorded");
    let task = format!("/api/v1/tasks/{}", accepted["task_id"].as_str().unwrap());
    let state = app.call("GET", &task, "ada", None).await;
    let state: Value = state.json().await.unwrap();
    assert_eq!(
        (&state["status"], &state["text"]),
        (&json!("done"), &json!(second))
    );
    let prompt = last();
    assert!(said(&prompt, "system").contains("as terse as Tacitus"));
    assert!(said(&prompt, "system").contains("Ada"), "{prompt}");
    assert!(said(&prompt, "user").contains("Which way is north?"));

    // Chat, streamed.
    let mut chat = json!({"model": model, "messages": [{"role": "system", "content": "Be kind."},
        {"role": "user", "content": "And east?"}]});
    let members = chat.as_object_mut().unwrap();
    members.extend(tokens.as_object().unwrap().clone());
    let events = app.chat("ada", chat.clone()).await.unwrap();
    assert_eq!(events.headers["x-sundynix-memory"], "hit");
    assert_eq!(events.headers["x-sundynix-backend"], backend);
    let third = chat_text(events).await;
    let prompt = last();
    let system = said(&prompt, "system");
    assert!(system.starts_with("Be kind.") && system.contains("as terse as Tacitus"));
    assert!(said(&prompt, "user").contains("And south?"));
    assert!(said(&prompt, "user").ends_with("And east?"));

    // Chat, whole.
    chat["messages"][1]["content"] = "And west?".into();
    let whole = app
        .call("POST", "/v1/chat/completions", "ada", Some(chat.clone()))
        .await;
    assert_eq!(whole.headers()["x-sundynix-memory"], "hit");
    let whole: Value = whole.json().await.unwrap();
    let fourth = whole["choices"][0]["message"]["content"].as_str().unwrap();
    assert!(said(&last(), "user").contains("And east?"));

    // Each turn is kept once, as it was answered.
    let kept = turns(app, "ada").await;
    let answers: Vec<&str> = kept.iter().map(|turn| &*turn.answer).collect();
    assert_eq!(answers, [&*first, &*second, &*third, fourth]);
    let name = app.profile("ada").await.to_string();
    assert!(
        name.contains("Ada") && name.contains("as terse as Tacitus"),
        "{name}"
    );

    // Somebody else has none of it.
    app.chat("bob", chat.clone()).await.unwrap().all().await;
    let prompt = last().to_string();
    assert!(!prompt.contains("Ada") && !prompt.contains("Tacitus") && !prompt.contains("east"));

    let models: Value = app.get("/v1/models").await.json().await.unwrap();
    assert_eq!(models["data"][0]["id"], model);
    assert!(models["data"][0]["context_length"].as_u64().unwrap() >= 4096);
}

#[tokio::test]
async fn the_whole_way_with_llama_cpp() {
    let RealLlama { app, tap, _llama } = llama().await;
    whole_way(&app, llama::MODEL, "llama", || tap.chats()).await;
    // Each event that was forwarded is the backend's own bytes.
    let ask = json!({"model": llama::MODEL, "messages": [{"role": "user", "content": "hi"}],
        "max_tokens": 40, "ignore_eos": true});
    let events = app.chat("ada", ask).await.unwrap().all().await;
    let answered = tap.answered();
    let chunks = events.iter().filter(|e| e.data.starts_with('{'));
    let chunks = chunks.inspect(|e| assert!(answered.contains(&format!("data: {}\n\n", e.data))));
    assert!(chunks.count() > 2);
    // Another server on the same data still knows.
    let dir = app.dir.clone();
    drop(app);
    let app = spawn_app_in(dir, |c| c.backend = vec![openai("llama", tap.openai())]).await;
    knows(&app, &[llama::MODEL]).await;
    app.ask("ada", "And up?").await.unwrap();
    let prompt = tap.chats().pop().unwrap();
    assert!(said(&prompt, "system").contains("Ada") && said(&prompt, "user").contains("And west?"));
}

#[tokio::test]
async fn the_whole_way_with_ollama() {
    let upstream = scripted_ollama();
    let app = app(vec![ollama(&upstream)], &[OLLAMA_MODEL]).await;
    whole_way(&app, OLLAMA_MODEL, "ollama", || sent(&upstream)).await;
    let chat = sent(&upstream).pop().unwrap();
    assert_eq!(chat["options"]["num_predict"], 24);
    let chats = upstream.log();
    assert!(chats.chats().iter().all(|chat| chat.path == "/api/chat"));
}

async fn sdk(app: &App, user: &str, model: &str, steps: &[&str]) -> Value {
    let args = [&[user, model], steps].concat();
    openai_sdk::run("sdk_clients.py", &app.base, &args).await
}

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
    let said = sdk(app, "ada", model, &[&ANSWERS, more].concat()).await;
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
    let RealLlama { app, tap, _llama } = llama().await;
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
async fn what_llama_cpp_refuses_reaches_the_sdk_in_its_words() {
    let RealLlama { app, .. } = &llama().await;
    let steps = [
        "unknown_model",
        "too_long",
        "too_long_stream",
        "bad_parameter",
    ];
    let said = sdk(app, "ada", llama::MODEL, &steps).await;
    let unknown = &said["unknown_model"];
    assert_eq!(unknown["raised"], "NotFoundError", "{said}");
    assert_eq!(
        (&unknown["code"], &unknown["param"]),
        (&json!("model_not_found"), &json!("model"))
    );
    for step in ["too_long", "too_long_stream"] {
        let long = &said[step];
        assert_eq!(
            (&long["raised"], &long["status"]),
            (&json!("BadRequestError"), &json!(400))
        );
        // Its own `code` is a number, which SDKs choke on.
        assert_eq!(long["code"], "exceed_context_size_error");
        let words = long["message"].as_str().unwrap();
        assert!(
            words.contains("exceeds the available context size"),
            "{words}"
        );
    }
    let bad = &said["bad_parameter"];
    assert_eq!(
        (&bad["raised"], &bad["code"]),
        (&json!("BadRequestError"), &json!("invalid_request_error"))
    );
    assert!(
        bad["message"].as_str().unwrap().contains("'temperature'"),
        "{bad}"
    );
    // Nothing was answered: nothing is kept.
    assert_eq!(turns(app, "ada").await, []);

    // The native surface says the same in its own shape.
    let long = json!({"query": "long ".repeat(2000)});
    let refused = app
        .call("POST", "/api/v1/tasks", "ada", Some(long.clone()))
        .await;
    let accepted: Value = refused.json().await.unwrap();
    let events = Events::of(app.get(accepted["events"].as_str().unwrap()).await);
    let error = events.all().await.pop().unwrap();
    assert_eq!(
        (&*error.name, &error.json()["status"]),
        ("error", &json!(400))
    );
    let error = app.task("ada", long).await.err().unwrap();
    assert!(
        error.starts_with("400: ") && error.contains("available context size"),
        "{error}"
    );
    // What only memory made too long is asked once more without.
    let turns = format!("{}!", "x".repeat(3900));
    let chat = |text: &str| {
        json!({"model": llama::MODEL, "max_tokens": 4, "ignore_eos": true,
        "messages": [{"role": "user", "content": text}]})
    };
    let put = json!({"preferences": {"style": {"tone": "as terse as Tacitus ".repeat(20)}}});
    app.call("PUT", "/api/v1/memory", "eve", Some(put)).await;
    let events = app.chat("eve", chat(&turns)).await.unwrap();
    assert_eq!(events.headers["x-sundynix-memory"], "rejected");
    chat_text(events).await;
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_raised_by_the_sdk() {
    let RealLlama { app, tap, _llama } = llama().await;
    // Somewhere behind the first event.
    tap.cut_after("chat.completion.chunk");
    tap.cut_after("chat.completion.chunk");
    broken(&app, llama::MODEL, "without a finish reason").await;
}

/// An answer that breaks off, by both clients: what came before is told, and kept as a part.
async fn broken(app: &App, model: &str, words: &str) -> Vec<Arc<KeptTurn>> {
    let steps = ["broken_sync", "broken_async"];
    let said = sdk(app, "eve", model, &steps).await;
    for step in steps {
        let broken = &said[step];
        assert_eq!(broken["raised"], "APIError", "{said}");
        assert_eq!(broken["code"], "upstream_failed");
        assert!(
            broken["message"].as_str().unwrap().contains(words),
            "{said}"
        );
        assert!(broken["chunks"].as_u64().unwrap() > 0, "{said}");
    }
    // Nobody waits for these to be durable.
    let kept = loop {
        let kept = turns(app, "eve").await;
        if kept.len() == steps.len() {
            break kept;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    };
    assert!(kept.iter().all(|turn| turn.status == TurnStatus::Partial));
    kept
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
    let said = sdk(&app, "ada", llama::MODEL, &steps).await;
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
    let said = sdk(&app, "ada", OLLAMA_MODEL, &steps).await;
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

#[tokio::test]
async fn what_ollama_says_reaches_the_sdk() {
    let upstream = scripted_ollama();
    let app = app(vec![ollama(&upstream)], &[OLLAMA_MODEL]).await;
    // Control characters come through as they are.
    let odd = "a\u{0}b\u{1b}[31m\u{7f}\u{85}\u{2028}\"\\\r\n\t中🦀";
    upstream.script(vec![Step::Write(ok(
        &json!({"model": OLLAMA_MODEL, "done": true,
        "message": {"role": "assistant", "content": odd}, "eval_count": 1}),
    ))]);
    upstream.script(ndjson(&ollama_lines(OLLAMA_MODEL, &[odd, odd])));
    let said = sdk(&app, "ada", OLLAMA_MODEL, &["sync_whole", "sync_stream"]).await;
    assert_eq!(said["sync_whole"]["text"], odd);
    assert_eq!(said["sync_stream"]["text"], odd.repeat(2));
    let kept = turns(&app, "ada").await;
    // No database holds a NUL.
    let held = odd.replace('\0', "\u{FFFD}");
    assert_eq!(
        (&*kept[0].answer, &*kept[1].answer),
        (&*held, &*held.repeat(2))
    );
    upstream.script(ndjson(&ollama_lines(OLLAMA_MODEL, &[odd])));
    assert_eq!(app.ask("ada", "native").await.unwrap()["text"], odd);

    // An error in mid-stream, even in one read with the text before it.
    let lines = ollama_lines(OLLAMA_MODEL, &["Hel", "lo"]);
    let error = json!({"error": "an error was encountered while running the model: out of memory"});
    let text = format!("{}\n{}\n{error}\n", lines[0], lines[1]);
    for _ in 0..2 {
        upstream.script(vec![
            head("application/x-ndjson"),
            Step::Write(chunk(&text)),
            end(),
        ]);
    }
    let kept = broken(&app, OLLAMA_MODEL, "out of memory").await;
    assert!(kept.iter().all(|turn| &*turn.answer == "Hello"));

    // Refusals in its words, in OpenAI's shape.
    let missing = r#"{"error":"model 'qwen3:8b' not found"}"#;
    upstream.script(vec![Step::Write(http(404, "application/json", missing))]);
    let bad = r#"{"error":"invalid option provided: temperature"}"#;
    upstream.script(vec![Step::Write(http(400, "application/json", bad))]);
    let said = sdk(
        &app,
        "mia",
        OLLAMA_MODEL,
        &["whole", "bad_parameter", "unknown_model"],
    )
    .await;
    assert_eq!(said["whole"]["raised"], "NotFoundError", "{said}");
    assert!(
        said["whole"]["message"]
            .as_str()
            .unwrap()
            .contains("model 'qwen3:8b' not found")
    );
    assert_eq!(said["bad_parameter"]["raised"], "BadRequestError", "{said}");
    assert!(
        said["bad_parameter"]["message"]
            .as_str()
            .unwrap()
            .contains("invalid option")
    );
    assert_eq!(said["unknown_model"]["raised"], "NotFoundError");
}

#[tokio::test]
async fn several_backends_each_for_its_models_and_one_memory() {
    let (llama, upstream) = (Llama::start().await, scripted_ollama());
    let tap = Tap::before(&llama.url).await;
    let simulator = BackendConfig {
        dialect: Some(DialectName::Simulator),
        ..BackendConfig::default()
    };
    let backends = vec![openai("llama", tap.openai()), ollama(&upstream), simulator];
    let models = [OLLAMA_MODEL, "simulator", llama::MODEL];
    let app = app(backends, &models).await;
    let listed: Value = app.get("/v1/models").await.json().await.unwrap();
    let listed = listed["data"].as_array().unwrap();
    let listed: Vec<_> = listed
        .iter()
        .map(|m| (m["id"].as_str().unwrap(), m["owned_by"].as_str().unwrap()))
        .collect();
    assert_eq!(
        listed,
        [
            (OLLAMA_MODEL, "ollama"),
            ("simulator", "simulator"),
            (llama::MODEL, "llama")
        ]
    );

    // What is said by way of one is known by way of all.
    let chat = |model: &str, text: &str| json!({"model": model, "max_tokens": 8, "messages": [{"role": "user", "content": text}]});
    app.chat("ada", chat("simulator", "My name is Ada."))
        .await
        .unwrap()
        .all()
        .await;
    for (model, backend) in [
        (llama::MODEL, "llama"),
        (OLLAMA_MODEL, "ollama"),
        ("simulator", "simulator"),
    ] {
        for stream in [true, false] {
            let mut chat = chat(model, &format!("Who am I, {model}, {stream}?"));
            chat["stream"] = stream.into();
            let answer = app
                .call("POST", "/v1/chat/completions", "ada", Some(chat))
                .await;
            assert_eq!(answer.status(), 200);
            assert_eq!(answer.headers()["x-sundynix-backend"], backend);
            let text = answer.text().await.unwrap();
            assert_eq!(text.ends_with("data: [DONE]\n\n"), stream, "{text}");
        }
    }
    for prompts in [tap.chats(), sent(&upstream)] {
        assert_eq!(prompts.len(), 2);
        assert!(
            prompts.iter().all(|p| said(p, "system").contains("Ada")),
            "{prompts:?}"
        );
    }
    let native = app
        .task("ada", json!({"query": "Who am I?", "model": "simulator"}))
        .await
        .unwrap();
    let native: String = native.all().await.iter().map(|e| e.data.clone()).collect();
    assert!(native.contains(r#""backend":"simulator""#));

    // Which one, the request must say.
    let error = app.task("ada", json!({"query": "hi"})).await.err().unwrap();
    assert!(
        error.starts_with("400: ") && models.iter().all(|m| error.contains(m)),
        "{error}"
    );
    let error = app.chat("ada", chat("gpt-4o", "hi")).await.err().unwrap();
    assert!(
        error.starts_with("404: ") && models.iter().all(|m| error.contains(m)),
        "{error}"
    );
    let status: Value = app.get("/api/v1/backends").await.json().await.unwrap();
    assert!(!status.to_string().contains("Ada"));
}
