//! Aliases and what depends on the backend that was chosen: its own name for the model, and whether
//! memory may go there.

use crate::support::{
    server::{App, spawn_app},
    upstream::{Step, Upstream, http, ordinary},
};
use serde_json::{Value, json};
use sundynix::config::{AliasConfig, BackendConfig, Config, DialectName, MemoryAt, Policy};

fn backend(name: &str, upstream: &Upstream, model: &str) -> BackendConfig {
    upstream.models(&[model]);
    BackendConfig {
        name: name.into(),
        url: upstream.openai(),
        models: vec![model.into()],
        ..BackendConfig::default()
    }
}

fn alias(name: &str, any: &[&str], chain: &[&str]) -> AliasConfig {
    let owned = |all: &[&str]| all.iter().map(|m| m.to_string()).collect();
    AliasConfig {
        name: name.into(),
        any: owned(any),
        chain: owned(chain),
        policy: None,
    }
}

async fn app(backends: Vec<BackendConfig>, aliases: Vec<AliasConfig>) -> App {
    spawn_app(|c: &mut Config| {
        c.backend = backends;
        c.alias = aliases;
        c.pool.policy = Policy::RoundRobin;
    })
    .await
}

fn chat(model: &str) -> Value {
    json!({"model": model, "messages": [{"role": "user", "content": "hi"}], "z": 1.0})
}

async fn backend_of(app: &App, model: &str) -> String {
    let events = app.chat("ada", chat(model)).await.unwrap();
    let backend = events.headers["x-sundynix-backend"]
        .to_str()
        .unwrap()
        .to_owned();
    let all = events.all().await;
    assert!(all.iter().any(|e| e.data == "[DONE]"), "{all:?}");
    backend
}

#[tokio::test]
async fn one_model_under_two_names_is_balanced_as_one() {
    let (vllm, ollama) = (Upstream::start(), Upstream::start());
    let app = app(
        vec![
            backend("vllm", &vllm, "meta/llama-8b"),
            backend("ollama", &ollama, "llama:8b"),
        ],
        vec![alias("llama", &["meta/llama-8b", "llama:8b"], &[])],
    )
    .await;
    let mut asked = Vec::new();
    for _ in 0..4 {
        asked.push(backend_of(&app, "llama").await);
    }
    asked.sort_unstable();
    assert_eq!(asked, ["ollama", "ollama", "vllm", "vllm"]);
    for (upstream, name) in [(&vllm, "meta/llama-8b"), (&ollama, "llama:8b")] {
        for seen in upstream.log().chats() {
            assert_eq!(seen.json()["model"], name);
            assert!(
                seen.body.ends_with(br#""z":1.0}"#),
                "every other byte as it came"
            );
        }
    }
    let models: Value = app.get("/v1/models").await.json().await.unwrap();
    let ids: Vec<_> = models["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| &m["id"])
        .collect();
    assert_eq!(ids, ["llama", "llama:8b", "meta/llama-8b"]);
    assert_eq!(app.get("/v1/models/llama").await.status(), 200);
}

#[tokio::test]
async fn a_chain_falls_to_the_next_where_one_fails_or_is_gone() {
    let (large, small) = (Upstream::start(), Upstream::start());
    let app = app(
        vec![
            backend("large", &large, "qwen-72b"),
            backend("small", &small, "qwen-7b"),
        ],
        vec![alias("smart", &[], &["qwen-72b", "qwen-7b"])],
    )
    .await;
    for _ in 0..3 {
        assert_eq!(backend_of(&app, "smart").await, "large");
    }
    assert!(small.log().chats().is_empty());
    large.script(vec![Step::Write(http(503, "text/plain", "busy"))]);
    assert_eq!(backend_of(&app, "smart").await, "small");
    assert_eq!(small.log().chats()[0].json()["model"], "qwen-7b");
    drop(large);
    for _ in 0..7 {
        // First by failing, then because nothing is sent there any more.
        assert_eq!(backend_of(&app, "smart").await, "small");
    }
    let alone = app.chat("ada", chat("qwen-72b")).await.err().unwrap();
    assert!(alone.starts_with("50"), "{alone}");
}

/// A large model that its server cannot serve does not take the small one with it: neither in the
/// turn that finds out, nor in those that follow.
#[tokio::test]
async fn a_chain_falls_to_another_model_of_the_same_server() {
    for (status, body, tried) in [
        (503, "busy", 5),
        (500, r#"{"error":"model requires more system memory"}"#, 5),
        // A 404 says nothing of the server's health: it is asked each time, and that is no storm.
        (404, r#"{"error":"model not found"}"#, 300),
    ] {
        for ollama in [false, true] {
            let upstream = Upstream::start();
            upstream.models(&["qwen-72b", "qwen-7b"]);
            upstream.answers(move |seen| match seen.json()["model"] == "qwen-72b" {
                true => vec![Step::Write(http(status, "application/json", body))],
                false => ordinary(seen),
            });
            let url = if ollama {
                upstream.ollama()
            } else {
                upstream.openai()
            };
            let server = BackendConfig {
                name: "one".into(),
                dialect: ollama.then_some(DialectName::Ollama),
                url,
                ..BackendConfig::default()
            };
            let smart = alias("smart", &[], &["qwen-72b", "qwen-7b"]);
            let app = app(vec![server], vec![smart]).await;
            app.until(|| app.state.pool.models().len() == 3).await;
            for turn in 0..tried.max(30) {
                let events = app.chat("ada", chat("smart")).await.unwrap();
                let attempts = if turn < tried { "2" } else { "1" };
                assert_eq!(events.headers["x-sundynix-attempts"], attempts);
                events.all().await;
            }
            let log = upstream.log();
            let asked = |model: &str| {
                log.chats()
                    .iter()
                    .filter(|c| c.json()["model"] == model)
                    .count()
            };
            assert_eq!(
                (asked("qwen-72b"), asked("qwen-7b")),
                (tried, tried.max(30))
            );
            let status = &app.state.pool.status()[0];
            assert!(status.condition.routable);
            assert_eq!(
                status.condition.models_out.contains_key("qwen-72b"),
                tried == 5
            );
            app.until(|| app.state.pool.status()[0].in_flight == 0)
                .await;
        }
    }
}

/// So does one that is asked too much: it rests alone.
#[tokio::test]
async fn a_model_that_wants_a_rest_leaves_the_others_of_its_server() {
    let upstream = Upstream::start();
    upstream.models(&["qwen-72b", "qwen-7b"]);
    let later = "HTTP/1.1 429 Later\r\nRetry-After: 50\r\nContent-Length: 0\r\n\r\n";
    upstream.answers(move |seen| match seen.json()["model"] == "qwen-72b" {
        true => vec![Step::Write(later.into())],
        false => ordinary(seen),
    });
    let server = BackendConfig {
        url: upstream.openai(),
        models: vec!["qwen-72b".into(), "qwen-7b".into()],
        ..BackendConfig::default()
    };
    let smart = alias("smart", &[], &["qwen-72b", "qwen-7b"]);
    let app = app(vec![server], vec![smart]).await;
    for attempts in ["2", "1", "1", "1"] {
        let events = app.chat("ada", chat("smart")).await.unwrap();
        assert_eq!(events.headers["x-sundynix-attempts"], attempts);
        events.all().await;
    }
    let log = upstream.log();
    let models: Vec<_> = log
        .chats()
        .iter()
        .map(|c| c.json()["model"].clone())
        .collect();
    assert_eq!(
        models,
        ["qwen-72b", "qwen-7b", "qwen-7b", "qwen-7b", "qwen-7b"]
    );
    let alone = app.chat("ada", chat("qwen-72b")).await.err().unwrap();
    assert!(alone.starts_with("503"), "{alone}");
}

/// What cannot be reached is not asked for its other models.
#[tokio::test]
async fn a_chain_leaves_a_server_that_is_gone() {
    let gone = BackendConfig {
        name: "gone".into(),
        url: format!("http://{}/v1", Upstream::refusing()),
        models: vec!["qwen-72b".into(), "qwen-7b".into()],
        ..BackendConfig::default()
    };
    let upstream = Upstream::start();
    let smart = alias("smart", &[], &["qwen-72b", "qwen-7b"]);
    let small = backend("small", &upstream, "qwen-7b");
    let both = app(vec![gone.clone(), small], vec![smart.clone()]).await;
    let events = both.chat("ada", chat("smart")).await.unwrap();
    assert_eq!(events.headers["x-sundynix-backend"], "small");
    assert_eq!(events.headers["x-sundynix-attempts"], "2");
    events.all().await;
    let alone = app(vec![gone], vec![smart]).await;
    let body = Some(chat("smart"));
    let failed = alone
        .call("POST", "/v1/chat/completions", "ada", body)
        .await;
    assert_eq!(failed.status(), 502);
    assert_eq!(failed.headers()["x-sundynix-attempts"], "1");
}

#[tokio::test]
async fn memory_goes_only_where_it_may() {
    let (own, external) = (Upstream::start(), Upstream::start());
    let denied = BackendConfig {
        memory: MemoryAt::Deny,
        ..backend("external", &external, "theirs")
    };
    let app = app(
        vec![backend("own", &own, "ours"), denied],
        vec![alias("either", &[], &["theirs", "ours"])],
    )
    .await;
    let profile = json!({"preferences": {"tone": "verymemorable"}});
    let put = app
        .call("PUT", "/api/v1/memory", "ada", Some(profile))
        .await;
    assert_eq!(put.status(), 200);
    let memory = |events: &crate::support::http::Events| {
        events.headers["x-sundynix-memory"]
            .to_str()
            .unwrap()
            .to_owned()
    };
    let has = |upstream: &Upstream| {
        let log = upstream.log();
        let body = log.chats().last().unwrap().body.to_vec();
        String::from_utf8(body).unwrap().contains("verymemorable")
    };
    let ours = app.chat("ada", chat("ours")).await.unwrap();
    assert_eq!(memory(&ours), "hit");
    ours.all().await;
    assert!(has(&own));
    for model in ["theirs", "either"] {
        let theirs = app.chat("ada", chat(model)).await.unwrap();
        assert_eq!(memory(&theirs), "off");
        theirs.all().await;
        assert!(!has(&external));
    }
    // Falling back from there to where it may go, it is there again.
    external.script(vec![Step::Write(http(503, "text/plain", "busy"))]);
    let back = app.chat("ada", chat("either")).await.unwrap();
    assert_eq!(memory(&back), "hit");
    back.all().await;
    assert!(has(&own));
}
