//! Timeouts: each backend has its own, and each ends with the status that says what it was. Only
//! what a backend is waited for counts.

use crate::support::{
    App,
    answers::{chunk, head, ordinary},
    faults::{Early, Late, Odd},
    http::send,
    spawn_app, until,
    upstream::{Script, Step, Upstream, chat_events},
};
use reqwest::Response;
use serde_json::{Value, json};
use std::time::Duration;
use sundynix::config::BackendConfig;
use tokio::io::AsyncReadExt;

async fn app(upstream: &Upstream, own: BackendConfig) -> App {
    let backend = BackendConfig {
        url: upstream.openai(),
        models: vec!["m".into()],
        ..own
    };
    spawn_app(|c| {
        c.backend = vec![backend];
        (c.pool.breaker_ms, c.pool.breaker_most_ms) = (1, 1);
    })
    .await
}

async fn chat(app: &App, stream: bool) -> Response {
    let body =
        json!({"model": "m", "stream": stream, "messages": [{"role": "user", "content": "hi"}]});
    send(app.http.post(app.url("/v1/chat/completions")).json(&body))
        .await
        .unwrap()
}

async fn code(response: Response) -> String {
    let body = response.text().await.unwrap();
    let error = body.split("{\"error\":").nth(1).expect(&body);
    let error: Value = serde_json::from_str(&format!("{{\"error\":{}", error.trim())).unwrap();
    error["error"]["code"].as_str().unwrap().to_owned()
}

async fn all_given_back(app: &App) {
    until(|| app.state.inflight() == 0).await;
    until(|| app.state.pool.status().iter().all(|b| b.in_flight == 0)).await;
}

#[tokio::test]
async fn to_the_first_content_whatever_else_comes() {
    let upstream = Upstream::start();
    let own = BackendConfig {
        first_token_timeout_s: 1,
        ..BackendConfig::default()
    };
    let app = app(&upstream, own).await;
    // Comments and empty deltas are signs of life, and no answer.
    let busy = Step::Write(chunk(
        ": still here\n\ndata: {\"choices\":[{\"delta\":{}}]}\n\n",
    ));
    let pause = Step::Wait(Duration::from_millis(100));
    let mut chatty: Script = vec![head("text/event-stream")];
    chatty.extend(std::iter::repeat_n([busy, pause], 600).flatten());
    for script in [Early::Silent.script(), Early::OnlyRole.script(), chatty] {
        let closed = upstream.log().closed.len();
        upstream.script(script);
        let response = chat(&app, true).await;
        assert_eq!(response.status(), 504);
        assert_eq!(code(response).await, "timeout");
        upstream.until(|log| log.closed.len() > closed).await;
    }
    all_given_back(&app).await;
}

#[tokio::test]
async fn between_tokens_and_altogether() {
    let upstream = Upstream::start();
    let own = BackendConfig {
        idle_timeout_s: 1,
        total_timeout_s: 4,
        ..BackendConfig::default()
    };
    let app = app(&upstream, own).await;
    let dripping: Vec<&str> = vec!["x"; 10_000];
    for script in [Late::Stall.script(&["a"]), Odd::Drip.script(&dripping)] {
        let closed = upstream.log().closed.len();
        upstream.script(script);
        let response = chat(&app, true).await;
        assert_eq!(response.status(), 200);
        assert_eq!(code(response).await, "timeout");
        upstream.until(|log| log.closed.len() > closed).await;
    }
    // A whole answer has all of the time, and no more.
    upstream.script(Early::Silent.script());
    let response = chat(&app, false).await;
    assert_eq!(response.status(), 504);
    assert_eq!(code(response).await, "timeout");
    all_given_back(&app).await;
}

/// The first content of a model that an Ollama has to load may take its time.
#[tokio::test]
async fn a_cold_model_is_waited_for() {
    let upstream = Upstream::start();
    upstream.answers(|seen| {
        let mut script = ordinary(seen);
        script.insert(0, Step::Wait(Duration::from_millis(1_500)));
        script
    });
    let backend = BackendConfig {
        url: upstream.ollama(),
        dialect: Some(sundynix::config::DialectName::Ollama),
        models: vec!["m".into()],
        first_token_timeout_s: 1,
        cold_timeout_s: 30,
        ..BackendConfig::default()
    };
    let app = spawn_app(|c| c.backend = vec![backend]).await;
    // It has said that nothing is loaded.
    until(|| app.state.pool.status()[0].condition.loaded.is_some()).await;
    let response = chat(&app, true).await;
    assert_eq!(response.status(), 200);
    assert!(response.text().await.unwrap().contains("[DONE]"));
    all_given_back(&app).await;
}

/// A client that reads slowly is no silent backend.
#[tokio::test]
async fn a_client_that_does_not_read_costs_the_backend_nothing() {
    let upstream = Upstream::start();
    let long = "x".repeat(64 << 10);
    let tokens: Vec<&str> = vec![&long; 256];
    upstream.script(crate::support::upstream::sse(&chat_events("m", &tokens)));
    let own = BackendConfig {
        idle_timeout_s: 1,
        ..BackendConfig::default()
    };
    let app = app(&upstream, own).await;
    let mut client = crate::support::Raw::connect(app.addr).await;
    let body =
        json!({"model": "m", "stream": true, "messages": [{"role": "user", "content": "hi"}]});
    client.post("/v1/chat/completions", &[], &body).await;
    client.until("xxxx").await.unwrap();
    // Longer than a backend may be silent.
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert!(
        upstream.log().written < 256 * long.len(),
        "it was read although nobody takes it"
    );
    // By hand: what is looked for would be searched for in 16 MB each time.
    let mut read = vec![0; 1 << 20];
    let (mut text, mut tail) = (
        client.seen.iter().filter(|b| **b == b'x').count(),
        String::new(),
    );
    while !tail.contains("[DONE]") {
        let count = client.stream.read(&mut read).await.unwrap();
        assert!(count > 0, "it was cut: {tail}");
        text += read[..count].iter().filter(|b| **b == b'x').count();
        tail += &String::from_utf8_lossy(&read[..count]);
        let keep = tail.len().saturating_sub(1_000);
        tail.drain(..keep);
    }
    assert!(text >= 256 * long.len() - 4 && !tail.contains("error"));
    drop(client);
    all_given_back(&app).await;
    assert_eq!(app.state.pool.status()[0].failed, 0);
}
