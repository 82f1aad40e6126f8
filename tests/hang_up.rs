//! Hanging up, wherever the answer is: before its head, while its beginning is held back, while
//! another backend is tried, while one rests, once the head has left early. The upstream closes at
//! once, and everything is given back.

use crate::support::{
    App, Raw,
    faults::Early,
    spawn_app, until,
    upstream::{Script, Step, Upstream},
};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use sundynix::config::BackendConfig;

async fn app(upstream: &Upstream, backends: usize) -> App {
    let backend = |id| BackendConfig {
        name: format!("b{id}"),
        url: upstream.openai(),
        models: vec!["m".into()],
        ..BackendConfig::default()
    };
    let backends = (0..backends).map(backend).collect();
    spawn_app(|c| {
        c.backend = backends;
        c.pool.keep_idle_ms = 1;
    })
    .await
}

fn body(stream: bool) -> Value {
    json!({"model": "m", "stream": stream, "messages": [{"role": "user", "content": "hi"}]})
}

async fn all_given_back(app: &App) {
    until(|| app.state.inflight() == 0).await;
    until(|| {
        let pool = app.state.pool.status();
        pool.iter().all(|b| b.in_flight == 0 && b.waiting == 0)
    })
    .await;
    until(|| {
        let roster = app.state.roster.read();
        roster.values().flatten().all(|replica| replica.turns == 0)
    })
    .await;
}

/// When the last chat's connection was closed; others come and go with probes.
async fn chat_closed(upstream: &Upstream) -> Instant {
    let chat = upstream.log().chats().last().unwrap().connection;
    let log = upstream
        .until(|log| log.closed.iter().any(|c| c.connection == chat))
        .await;
    let closed = log.closed.iter().find(|c| c.connection == chat);
    closed.unwrap().at
}

/// Asks, waits until the last script hangs, and hangs up.
async fn hangs_up(app: &App, upstream: &Upstream, path: &str, headers: &[&str], body: &Value) {
    let before = upstream.log();
    let mut client = Raw::connect(app.addr).await;
    client.post(path, headers, body).await;
    upstream.until(|log| log.paused > before.paused).await;
    // What it says before it hangs is under way; none of it may reach the client.
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert!(
        client.stream.try_read(&mut [0; 1]).is_err(),
        "something was sent already"
    );
    let left = Instant::now();
    drop(client);
    let closed = chat_closed(upstream).await;
    println!(
        "{path} {headers:?}: upstream closed after {:?}",
        closed - left
    );
    all_given_back(app).await;
}

#[tokio::test]
async fn before_the_first_content_on_every_surface() {
    let upstream = Upstream::start();
    let app = app(&upstream, 1).await;
    let sse = ["Accept: text/event-stream"];
    for script in [Early::Silent, Early::OnlyHead, Early::OnlyRole] {
        upstream.script(script.script());
        hangs_up(&app, &upstream, "/v1/chat/completions", &[], &body(true)).await;
        upstream.script(script.script());
        hangs_up(
            &app,
            &upstream,
            "/api/v1/tasks",
            &sse,
            &json!({"query": "hi"}),
        )
        .await;
    }
    upstream.script(Early::Silent.script());
    hangs_up(&app, &upstream, "/v1/chat/completions", &[], &body(false)).await;
    let status = &app.state.pool.status()[0];
    assert_eq!(
        (status.failed, status.condition.routable),
        (0, true),
        "nobody is to blame"
    );
}

#[tokio::test]
async fn while_another_backend_is_tried() {
    let upstream = Upstream::start();
    let app = app(&upstream, 3).await;
    for stream in [true, false] {
        let failing: Script = Early::Status(503).script();
        upstream
            .script(failing.clone())
            .script(failing)
            .script(Early::Silent.script());
        hangs_up(&app, &upstream, "/v1/chat/completions", &[], &body(stream)).await;
    }
    assert_eq!(upstream.log().chats().len(), 6);
}

#[tokio::test]
async fn while_a_backend_rests() {
    let upstream = Upstream::start();
    let app = app(&upstream, 1).await;
    let later = "HTTP/1.1 429 Later\r\nRetry-After: 5\r\nContent-Length: 0\r\n\r\n";
    upstream.script(vec![Step::Write(later.into())]);
    let mut client = Raw::connect(app.addr).await;
    client.post("/v1/chat/completions", &[], &body(true)).await;
    until(|| app.state.pool.status()[0].waiting == 1).await;
    drop(client);
    all_given_back(&app).await;
    assert_eq!(
        upstream.log().chats().len(),
        1,
        "it was asked again for nobody"
    );
}

#[tokio::test]
async fn once_the_head_has_left_early() {
    let upstream = Upstream::start();
    let app = app(&upstream, 1).await;
    upstream.script(Early::OnlyRole.script());
    let mut client = Raw::connect(app.addr).await;
    client.post("/v1/chat/completions", &[], &body(true)).await;
    client.until(": ping").await.unwrap();
    drop(client);
    chat_closed(&upstream).await;
    all_given_back(&app).await;
}
