//! Usage: always asked for, recorded, and shown only to who asked.

use crate::support::{
    App,
    answers::{http, sse},
    http::send,
    spawn_app,
    upstream::{Step, Upstream, chat_events},
};
use serde_json::{Value, json};
use sundynix::config::BackendConfig;

async fn app(upstream: &Upstream) -> App {
    let backend = BackendConfig {
        url: upstream.openai(),
        models: vec!["m".into()],
        ..BackendConfig::default()
    };
    spawn_app(|c| c.backend = vec![backend]).await
}

/// An answer whose usage comes in a chunk of its own, or beside the end.
fn with_usage(alone: bool) -> Vec<Value> {
    let mut events = chat_events("m", &["Hel", "lo"]);
    let usage = json!({"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7});
    let mut last = events.pop().unwrap();
    if alone {
        events.push(last.clone());
        last["choices"] = json!([]);
    }
    last["usage"] = usage;
    events.push(last);
    events
}

async fn chat(app: &App, options: Option<Value>) -> (u16, Vec<Value>) {
    let mut body =
        json!({"model": "m", "stream": true, "messages": [{"role": "user", "content": "hi"}]});
    if let Some(options) = options {
        body["stream_options"] = options;
    }
    let request = app.http.post(app.url("/v1/chat/completions")).json(&body);
    let response = send(request).await.unwrap();
    let status = response.status().as_u16();
    let body = response.text().await.unwrap();
    let data = body.lines().filter_map(|line| line.strip_prefix("data: "));
    let chunks = data.filter_map(|data| serde_json::from_str(data).ok());
    (status, chunks.collect())
}

#[tokio::test]
async fn it_is_always_asked_for_and_shown_only_to_who_asked() {
    let upstream = Upstream::start();
    let app = app(&upstream).await;
    for (options, sent, shown) in [
        (None, json!({"include_usage": true}), false),
        (Some(json!(null)), json!({"include_usage": true}), false),
        (
            Some(json!({"include_usage": false, "x": 1})),
            json!({"include_usage": true, "x": 1}),
            false,
        ),
        (
            Some(json!({"include_usage": true})),
            json!({"include_usage": true}),
            true,
        ),
    ] {
        upstream.script(sse(&with_usage(true)));
        let (_, chunks) = chat(&app, options.clone()).await;
        let asked = upstream.log().chats().last().unwrap().json();
        assert_eq!(asked["stream_options"], sent, "{options:?}");
        let alone = |chunk: &&Value| chunk["choices"] == json!([]);
        let count = chunks.iter().filter(alone).count();
        assert_eq!(count, usize::from(shown), "{options:?}: {chunks:?}");
        assert_eq!(chunks.len(), 4 + count);
        // Beside content it is a member of a chunk that everybody gets.
        upstream.script(sse(&with_usage(false)));
        let (_, chunks) = chat(&app, options).await;
        assert_eq!(chunks.len(), 4);
        assert_eq!(chunks[3]["usage"]["total_tokens"], 7);
    }
}

#[tokio::test]
async fn it_is_told_natively_and_whole_requests_stay_as_they_are() {
    let upstream = Upstream::start();
    let app = app(&upstream).await;
    upstream.script(sse(&with_usage(true)));
    let done = app.ask("u", "hi").await.unwrap();
    assert_eq!(done["usage"]["total_tokens"], 7);
    let body = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]});
    let response = app
        .call("POST", "/v1/chat/completions", "nobody", Some(body))
        .await;
    assert_eq!(response.status(), 200);
    let asked = upstream.log().chats().last().unwrap().json();
    assert!(asked.get("stream_options").is_none(), "{asked}");
}

#[tokio::test]
async fn a_backend_that_does_not_know_the_option_is_asked_without() {
    let upstream = Upstream::start();
    let app = app(&upstream).await;
    for (status, body) in [
        (
            400,
            r#"{"error":{"message":"Unrecognized request argument: stream_options"}}"#,
        ),
        (
            422,
            r#"{"error":{"message":"extra fields","param":"stream_options"}}"#,
        ),
    ] {
        let refused = vec![Step::Write(http(status, "application/json", body))];
        upstream.script(refused.clone());
        let (status, chunks) = chat(&app, None).await;
        assert_eq!((status, chunks.len()), (200, 4));
        let asked = upstream.log().chats().last().unwrap().json();
        assert!(asked.get("stream_options").is_none(), "{asked}");
        // What the client wrote itself is the client's to hear of.
        upstream.script(refused);
        let (status, _) = chat(&app, Some(json!({"include_usage": true}))).await;
        assert!(matches!(status, 400 | 422));
    }
    assert_eq!(upstream.log().chats().len(), 6);
}
