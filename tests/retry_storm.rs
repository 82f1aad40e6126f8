//! Retry storm: a fleet that fails is not asked three times as often for it. Whatever the backends
//! do, they get at most a tenth more requests than came, and a burst of 256.

use crate::support::{
    App,
    answers::{http, ordinary},
    spawn_app,
    upstream::{Script, Seen, Step, Upstream},
};
use futures_util::future::join_all;
use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicUsize, Ordering::SeqCst},
    time::Instant,
};
use sundynix::config::BackendConfig;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const CLIENTS: usize = 32;
const BURST: usize = 256;

fn overloaded() -> Script {
    vec![Step::Write(http(503, "text/plain", "overloaded"))]
}

async fn app(upstreams: &[Upstream]) -> App {
    let backend = |upstream: &Upstream| BackendConfig {
        url: upstream.openai(),
        models: vec!["m".into()],
        ..BackendConfig::default()
    };
    let backends = upstreams.iter().map(backend).collect();
    spawn_app(|c| c.backend = backends).await
}

/// So many chats on one connection, one after the other; counts them by status. A client with less
/// work to do than the server.
async fn client(app: &App, chats: usize) -> BTreeMap<u16, usize> {
    let mut socket = TcpStream::connect(app.addr).await.unwrap();
    socket.set_nodelay(true).unwrap();
    let body = r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#;
    let request = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let (mut statuses, mut buffer) = (BTreeMap::new(), Vec::new());
    for _ in 0..chats {
        socket.write_all(request.as_bytes()).await.unwrap();
        let (head, length) = loop {
            let end = buffer.windows(4).position(|w| w == b"\r\n\r\n");
            if let Some(end) = end {
                let head = String::from_utf8(buffer[..end].to_vec()).unwrap();
                let head = head.to_ascii_lowercase();
                let length = head.split("content-length: ").nth(1).unwrap();
                let length: usize = length.lines().next().unwrap().parse().unwrap();
                break (head, end + 4 + length);
            }
            assert_ne!(socket.read_buf(&mut buffer).await.unwrap(), 0);
        };
        while buffer.len() < length {
            assert_ne!(socket.read_buf(&mut buffer).await.unwrap(), 0);
        }
        buffer.drain(..length);
        let status = head["http/1.1 ".len()..][..3].parse().unwrap();
        *statuses.entry(status).or_default() += 1;
    }
    statuses
}

/// How a storm of so many chats ended, by status, and what the backends got of it.
async fn storm(app: &App, upstreams: &[Upstream], chats: usize) -> (BTreeMap<u16, usize>, usize) {
    let began = Instant::now();
    let all = join_all((0..CLIENTS).map(|_| client(app, chats / CLIENTS))).await;
    let mut statuses = BTreeMap::new();
    for (status, count) in all.into_iter().flatten() {
        *statuses.entry(status).or_default() += count;
    }
    let asked = upstreams.iter().map(|u| u.log().chats().len()).sum();
    let took = began.elapsed();
    println!("{chats} chats in {took:.1?}: {statuses:?}, {asked} requests upstream");
    (statuses, asked)
}

#[tokio::test]
async fn twenty_thousand_requests_to_backends_that_all_answer_503() {
    let upstreams = [Upstream::start(), Upstream::start(), Upstream::start()];
    for upstream in &upstreams {
        upstream.always(overloaded());
    }
    let app = app(&upstreams).await;
    let chats = 20_000;
    let (statuses, asked) = storm(&app, &upstreams, chats).await;
    assert!(asked <= chats + chats / 10 + BURST, "{asked}");
    assert_eq!(statuses.values().sum::<usize>(), chats, "each was answered");
    assert!(!statuses.contains_key(&200), "{statuses:?}");
    for status in app.state.pool.status() {
        assert_eq!((status.in_flight, status.waiting), (0, 0));
    }
}

/// Too few failures for a breaker to open, and more retries wanted than the budget has.
#[tokio::test]
async fn the_budget_holds_where_no_breaker_opens() {
    let upstreams = [Upstream::start(), Upstream::start(), Upstream::start()];
    for upstream in &upstreams {
        let asked = AtomicUsize::new(0);
        upstream.answers(
            move |seen: &Seen| match asked.fetch_add(1, SeqCst).is_multiple_of(4) {
                true => overloaded(),
                false => ordinary(seen),
            },
        );
    }
    let app = app(&upstreams).await;
    let chats = 4_000;
    let (statuses, asked) = storm(&app, &upstreams, chats).await;
    assert!(asked <= chats + chats / 10 + BURST, "{asked}");
    assert!(asked > chats, "{asked}: what the budget has is used");
    // A quarter fails at first, and without retries would stay so.
    assert!(statuses[&200] > chats * 3 / 4, "{statuses:?}");
}
