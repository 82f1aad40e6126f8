//! Who may wait, for how long, and what is told to who may not: contended is 429, nobody there is
//! 503, unknown is 404 with the list; and whoever came first is served first.

use crate::support::{
    server::{App, spawn_app},
    upstream::{Gate, Step, Upstream, chat_events, chunk, end, head},
};
use serde_json::{Value, json};
use sundynix::config::{AliasConfig, BackendConfig};

fn chat(text: &str) -> Value {
    json!({"model": "m", "messages": [{"role": "user", "content": text}]})
}

/// Answers whole once the gate opens.
fn gated(gate: &Gate) -> Vec<Step> {
    let mut script = vec![head("text/event-stream"), Step::Pause(gate.clone())];
    let events = chat_events("m", &["Hello"])
        .into_iter()
        .map(|e| format!("data: {e}\n\n"));
    script.extend(events.map(|e| Step::Write(chunk(e))));
    script.extend([Step::Write(chunk("data: [DONE]\n\n")), end()]);
    script
}

/// A server with one backend that takes one at a time.
async fn narrow(upstream: &Upstream, queue: usize, wait_ms: u64) -> App {
    spawn_app(|c| {
        c.backend = vec![BackendConfig {
            url: upstream.openai(),
            models: vec!["m".into()],
            max_concurrent: 1,
            ..BackendConfig::default()
        }];
        c.pool.queue = queue;
        c.pool.queue_wait_ms = wait_ms;
    })
    .await
}

async fn refused(app: &App, body: Value) -> (u16, Option<String>, Value) {
    let response = app
        .call("POST", "/v1/chat/completions", "ada", Some(body))
        .await;
    let retry = response.headers().get("retry-after");
    let retry = retry.map(|value| value.to_str().unwrap().to_owned());
    (
        response.status().as_u16(),
        retry,
        response.json().await.unwrap(),
    )
}

#[tokio::test]
async fn first_come_first_served_whatever_the_worker() {
    let (upstream, gate) = (Upstream::start(), Gate::new());
    upstream.always(gated(&gate));
    let app = narrow(&upstream, 100, 60_000).await;
    let mut waiting = Vec::new();
    for n in 0..12 {
        let client = app.client();
        waiting.push(tokio::spawn(async move {
            client
                .chat("ada", chat(&format!("number {n}")))
                .await
                .unwrap()
                .all()
                .await
        }));
        // One at the backend, the others in line, in this order.
        app.until(|| {
            let status = &app.state.pool.status()[0];
            status.in_flight + status.waiting == n + 1
        })
        .await;
    }
    gate.open(12);
    for one in waiting {
        one.await.unwrap();
    }
    for (n, seen) in upstream.log().chats().iter().enumerate() {
        assert_eq!(seen.json()["messages"][0]["content"], format!("number {n}"));
    }
}

#[tokio::test]
async fn contended_is_429_and_says_when_to_come_back() {
    let (upstream, gate) = (Upstream::start(), Gate::new());
    upstream.always(gated(&gate));
    // Nobody may wait; and one may, but not for long.
    for (queue, wait_ms) in [(0, 60_000), (1, 50)] {
        let app = narrow(&upstream, queue, wait_ms).await;
        let client = app.client();
        let running = tokio::spawn(async move { client.chat("ada", chat("hi")).await });
        app.until(|| app.state.pool.status()[0].in_flight == 1)
            .await;
        let (status, retry, body) = refused(&app, chat("hi")).await;
        assert_eq!(status, 429, "{body}");
        // Nothing is known of how fast the line moves; and not all come back at once.
        assert!(matches!(retry.as_deref(), Some("1" | "2")), "{retry:?}");
        gate.open(1);
        running.await.unwrap().unwrap().all().await;
    }
}

#[tokio::test]
async fn nobody_there_is_503_and_unknown_is_404() {
    let app = spawn_app(|c| {
        c.backend = vec![BackendConfig {
            url: format!("http://{}/v1", Upstream::refusing()),
            models: vec!["m".into()],
            ..BackendConfig::default()
        }];
        c.pool.breaker_ms = 60_000;
    })
    .await;
    for _ in 0..5 {
        assert_eq!(refused(&app, chat("hi")).await.0, 502);
    }
    let (status, retry, body) = refused(&app, chat("hi")).await;
    assert_eq!(
        (status, &body["error"]["code"]),
        (503, &json!("no_backend"))
    );
    // When the breaker lets one through again, give or take what keeps them apart.
    let seconds: u32 = retry.unwrap().parse().unwrap();
    assert!((30..=76).contains(&seconds), "{seconds}");
    let mut unknown = chat("hi");
    unknown["model"] = "n".into();
    let (status, _, body) = refused(&app, unknown).await;
    assert_eq!(status, 404);
    assert!(
        body["error"]["message"]
            .as_str()
            .unwrap()
            .contains("available: m"),
        "{body}"
    );
}

/// Long before their wait is over; the one that is being served is served to its end.
#[tokio::test]
async fn whoever_waits_for_what_is_not_there_any_more_is_told_so_at_once() {
    let (upstream, gate) = (Upstream::start(), Gate::new());
    upstream.always(gated(&gate));
    let url = upstream.openai();
    let app = spawn_app(|c| {
        c.backend = vec![BackendConfig {
            name: "b".into(),
            url: url.clone(),
            models: vec!["m".into()],
            max_concurrent: 1,
            ..BackendConfig::default()
        }];
        c.alias = vec![AliasConfig {
            name: "alias".into(),
            chain: vec!["m".into()],
            ..AliasConfig::default()
        }];
        c.pool.queue_wait_ms = 3_600_000;
    })
    .await;
    let client = app.client();
    let running = tokio::spawn(async move { client.chat("ada", chat("hi")).await });
    app.until(|| app.state.pool.status()[0].in_flight == 1)
        .await;
    let other = json!({"url": url, "models": ["n"], "max_concurrent": 1});
    // First the backend serves something else, then it is gone. What an alias stands for may come
    // back: that is 503, and a model that nobody knows 404.
    for (method, body, models) in [
        ("PUT", Some(other), &["m", "alias"][..]),
        ("DELETE", None, &["n"]),
    ] {
        let mut waits = Vec::new();
        for model in models {
            let (client, mut body) = (app.client(), chat("hi"));
            body["model"] = (*model).into();
            waits.push(tokio::spawn(
                async move { client.chat("ada", body).await.err() },
            ));
            app.until(|| app.state.pool.status()[0].waiting == waits.len())
                .await;
        }
        let changed = app.call(method, "/api/v1/backends/b", "", body).await;
        assert_eq!(changed.status(), 200);
        for (wait, status) in waits.into_iter().zip(["404", "503"]) {
            let told = wait.await.unwrap().unwrap();
            assert!(told.starts_with(status), "{told}");
        }
    }
    gate.open(1);
    running.await.unwrap().unwrap().all().await;
}
