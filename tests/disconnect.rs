//! Disconnect: a client that hangs up, wherever its turn is (in the line, before the first token,
//! in mid-stream), closes the upstream at once and gives everything back: permits, leases, seats,
//! places in line, exactly.

use crate::support::{
    App,
    answers::{chat_events, chunk, end, head, sse},
    spawn_app, until,
    upstream::{Gate, Script, Step, Upstream},
};
use serde_json::json;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use sundynix::{
    config::BackendConfig,
    memory::{KeptTurn, TurnStatus, UserKey},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

fn backend(upstream: &Upstream, max_concurrent: usize) -> BackendConfig {
    BackendConfig {
        url: upstream.openai(),
        models: vec!["m".into()],
        max_concurrent,
        ..BackendConfig::default()
    }
}

async fn app(upstream: &Upstream, max_concurrent: usize) -> App {
    let backend = backend(upstream, max_concurrent);
    spawn_app(|c| {
        c.server.workers = 2;
        c.backend = vec![backend];
        c.pool.queue = 10_000;
        c.pool.queue_wait_ms = 60_000;
    })
    .await
}

/// A streamed chat, sent on a connection of its own.
async fn ask(app: &App, user: &str) -> TcpStream {
    let mut socket = TcpStream::connect(app.addr).await.unwrap();
    let body = r#"{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}"#;
    let request = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nX-User-ID: {user}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    socket.write_all(request.as_bytes()).await.unwrap();
    socket
}

async fn read_until(socket: &mut TcpStream, needle: &str) {
    let (mut seen, mut buffer) = (String::new(), [0; 4096]);
    while !seen.contains(needle) {
        let n = socket.read(&mut buffer).await.unwrap();
        assert!(n > 0, "closed after {seen:?}");
        seen.push_str(&String::from_utf8_lossy(&buffer[..n]));
    }
}

/// The head, the role and one token; then it waits for the gate before it goes on to the end.
fn gated(gate: &Gate) -> Script {
    let whole = sse(&chat_events("m", &["Hel", "lo"]));
    let (start, rest) = whole.split_at(3);
    [start, &[Step::Pause(gate.clone())], rest].concat()
}

async fn turns(app: &App, user: &str) -> Vec<Arc<KeptTurn>> {
    let resident = app.state.store.resident(&UserKey::local(user)).await;
    resident.unwrap().turns.iter().cloned().collect()
}

/// Permits, leases, places in line and seats: exactly none is out.
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

fn report(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |q: f64| times[((times.len() - 1) as f64 * q) as usize];
    println!(
        "{what}: upstream closed after p50 {:?}, p99 {:?} of {}",
        at(0.5),
        at(0.99),
        times.len()
    );
}

#[tokio::test]
async fn before_the_first_token_the_upstream_is_closed() {
    let upstream = Upstream::start();
    upstream.always(vec![Step::Hang]);
    let app = app(&upstream, 0).await;
    let mut times = Vec::new();
    for n in 0..200 {
        let socket = ask(&app, &format!("u{n}")).await;
        upstream.until(|log| log.chats().len() == n + 1).await;
        let (left, before) = (Instant::now(), upstream.log().closed.len());
        drop(socket);
        let log = upstream.until(|log| log.closed.len() > before).await;
        times.push(log.closed.last().unwrap().at - left);
    }
    report("before the first token", times);
    all_given_back(&app).await;
    // Nothing was sent, so nothing is kept.
    assert!(turns(&app, "u0").await.is_empty());
}

#[tokio::test]
async fn in_mid_stream_the_upstream_is_closed_and_the_part_that_was_sent_is_kept() {
    let upstream = Upstream::start();
    let gate = Gate::new();
    upstream.always(gated(&gate));
    let app = app(&upstream, 0).await;
    let mut times = Vec::new();
    for n in 0..200 {
        let mut socket = ask(&app, &format!("u{n}")).await;
        read_until(&mut socket, "Hel").await;
        let (left, before) = (Instant::now(), upstream.log().closed.len());
        drop(socket);
        let log = upstream.until(|log| log.closed.len() > before).await;
        times.push(log.closed.last().unwrap().at - left);
    }
    report("in mid-stream", times);
    all_given_back(&app).await;
    for n in [0, 199] {
        let user = format!("u{n}");
        // Nobody waited for the ack: an upsert behind it in the queue does.
        let put = json!({"preferences": {"a": "b"}});
        app.call("PUT", "/api/v1/memory", &user, Some(put)).await;
        let turns = turns(&app, &user).await;
        let [turn] = &turns[..] else {
            panic!("{turns:?}")
        };
        assert_eq!((&*turn.query, &*turn.answer), ("hi", "Hel"));
        assert_eq!(turn.status, TurnStatus::Partial);
    }
}

#[tokio::test]
async fn in_the_line_the_place_is_given_up_and_the_upstream_never_asked() {
    let upstream = Upstream::start();
    let gate = Gate::new();
    upstream.script(gated(&gate));
    let app = app(&upstream, 1).await;
    let mut first = ask(&app, "first").await;
    read_until(&mut first, "Hel").await;
    let mut waiting = Vec::new();
    for n in 0..50 {
        waiting.push(ask(&app, &format!("w{n}")).await);
    }
    until(|| app.state.pool.status()[0].waiting == 50).await;
    let last = waiting.pop().unwrap();
    drop(waiting);
    until(|| app.state.pool.status()[0].waiting == 1).await;
    assert_eq!(upstream.log().chats().len(), 1);
    gate.open(1);
    read_until(&mut first, "[DONE]").await;
    let mut last = last;
    read_until(&mut last, "[DONE]").await;
    assert_eq!(upstream.log().chats().len(), 2);
    all_given_back(&app).await;
}

#[tokio::test]
async fn two_thousand_random_aborts_leave_nothing_behind() {
    let upstream = Upstream::start();
    let gate = Gate::new();
    upstream.always(vec![
        head("text/event-stream"),
        Step::Write(chunk(format!(
            "data: {}\n\n",
            chat_events("m", &["Hel"])[1]
        ))),
        Step::Pause(gate.clone()),
        Step::Write(chunk(format!(
            "data: {}\n\ndata: [DONE]\n\n",
            chat_events("m", &[])[1]
        ))),
        end(),
    ]);
    // So few places that many stand in line.
    let app = app(&upstream, 8).await;
    let mut seed = 0x9E37_79B9_7F4A_7C15_u64;
    let mut random = move |n: u64| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed % n
    };
    let mut open = Vec::new();
    for n in 0..2_000 {
        open.push(ask(&app, &format!("u{}", n % 97)).await);
        match random(8) {
            0 => gate.open(1),
            1 => tokio::task::yield_now().await,
            _ => {}
        }
        while open.len() > 32 {
            let at = random(open.len() as u64) as usize;
            drop(open.swap_remove(at));
        }
    }
    drop(open);
    all_given_back(&app).await;
    // And it still serves.
    gate.open(10);
    let mut socket = ask(&app, "after").await;
    read_until(&mut socket, "[DONE]").await;
    drop(socket);
    all_given_back(&app).await;
}
