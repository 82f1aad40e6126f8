//! Real backend: the whole way of a turn against a real llama.cpp and against an Ollama that
//! speaks its own dialect: a preference is put, the prompt carries it, the answer streams, the
//! turn is kept and comes back next time; and what the official OpenAI SDK makes of it all.

mod failures;
mod sdk;

use crate::support::{App, Events, Llama, Tap, llama, spawn_app, spawn_app_in, upstream::Upstream};
use serde_json::{Value, json};
use std::sync::Arc;
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

async fn real_llama() -> RealLlama {
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
    let RealLlama { app, tap, _llama } = real_llama().await;
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
