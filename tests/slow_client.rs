//! A client that does not take its answer: what is held for it is bounded, and after a while it is
//! dropped, with everything that hangs on it.

use crate::support::{
    App, Raw,
    answers::{chunk, head},
    spawn_app, until,
    upstream::{Script, Step, Upstream, chat_events},
};
use serde_json::{Value, json};
use sundynix::{
    config::BackendConfig,
    memory::{TurnStatus, UserKey},
};

async fn app(upstream: &Upstream, stalled_s: u64) -> App {
    let backend = BackendConfig {
        url: upstream.openai(),
        models: vec!["m".into()],
        ..BackendConfig::default()
    };
    spawn_app(|c| {
        c.backend = vec![backend];
        c.limits.stalled_client_s = stalled_s;
    })
    .await
}

fn body() -> Value {
    json!({"model": "m", "stream": true, "messages": [{"role": "user", "content": "hi"}]})
}

/// An answer that goes on and on.
fn endless() -> Script {
    let events = chat_events("m", &["some text that fills a token or two"]);
    let token = format!("data: {}\n\n", events[1]);
    let writes = std::iter::repeat_n(Step::Write(chunk(token)), 400_000);
    [head("text/event-stream")]
        .into_iter()
        .chain(writes)
        .collect()
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_dropped() {
    let upstream = Upstream::start();
    upstream.script(endless());
    let app = app(&upstream, 2).await;
    let mut client = Raw::connect(app.addr).await;
    client
        .post("/v1/chat/completions", &["X-User-ID: u"], &body())
        .await;
    client.until("some text").await.unwrap();
    // It stops reading; and does not go away.
    upstream.until(|log| log.closed.len() == 1).await;
    until(|| app.state.inflight() == 0).await;
    until(|| app.state.pool.status()[0].in_flight == 0).await;
    assert_eq!(
        app.state.pool.status()[0].failed,
        0,
        "it was not the backend's fault"
    );
    let put = json!({"preferences": {"a": "b"}});
    app.call("PUT", "/api/v1/memory", "u", Some(put)).await;
    let resident = app
        .state
        .store
        .resident(&UserKey::local("u"))
        .await
        .unwrap();
    let turn = resident
        .turns
        .iter()
        .next()
        .expect("the part that was sent");
    assert_eq!(turn.status, TurnStatus::Partial);
    // What was sent is in the buffers of the sockets, and bounded by them.
    let written = upstream.log().written;
    assert!(
        written < 32 << 20,
        "{written} bytes were read for a client that takes nothing"
    );
    drop(client);
}

/// Dropped is who takes nothing, and not who takes little.
#[tokio::test]
async fn a_client_that_takes_a_little_at_a_time_gets_it_all() {
    let upstream = Upstream::start();
    let tokens: Vec<String> = (0..20_000)
        .map(|n| format!("token {n} and so on "))
        .collect();
    let tokens: Vec<&str> = tokens.iter().map(String::as_str).collect();
    upstream.script(crate::support::upstream::sse(&chat_events("m", &tokens)));
    let app = app(&upstream, 2).await;
    let mut client = Raw::connect(app.addr).await;
    client
        .post("/v1/chat/completions", &["X-User-ID: u"], &body())
        .await;
    for n in (0..20_000).step_by(2_000) {
        client.until(&format!("token {n} ")).await.unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    }
    client.until("[DONE]").await.unwrap();
    drop(client);
    until(|| app.state.inflight() == 0).await;
    assert_eq!(app.state.pool.status()[0].failed, 0);
}
