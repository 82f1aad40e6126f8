//! Drain: SIGTERM lets what runs run to its end, refuses what is new, loses nothing and exits 0; a
//! second signal ends at once.

use crate::support::{Process, Sse};
use futures_util::future::join_all;
use serde_json::json;

/// So slow that all streams are open when the signal comes.
const PACE: [&str; 4] = [
    "--set",
    "simulator.first_token_ms=300",
    "--set",
    "simulator.token_ms=20",
];

async fn stream(server: &Process, user: &str) -> Sse {
    let body = json!({"query": "tell me something", "model": "simulator"});
    let stream = server.post_sse("/api/v1/tasks", Some(user), &body).await;
    assert_eq!(stream.status, 200);
    stream
}

#[tokio::test]
async fn fifty_streams_complete_and_nothing_is_lost() {
    let mut server = Process::start(&[&PACE[..], &["--set", "server.drain_wait_ms=500"]].concat()).await;
    let mut streams = Vec::new();
    for n in 0..50 {
        let mut stream = stream(&server, &format!("u{n}")).await;
        assert_eq!(stream.next().await.unwrap().event, "recalled");
        streams.push(stream);
    }
    server.terminate();
    // Readiness says so while the streams go on.
    server.until_status("/readyz", 503).await;
    let ends = join_all(streams.into_iter().map(|mut stream| async move {
        let mut last = None;
        while let Some(event) = stream.next().await {
            last = Some(event);
        }
        last.unwrap()
    }))
    .await;
    for end in &ends {
        assert_eq!(end.event, "done", "{}", end.data);
        assert!(end.data.contains(r#""memory":"recorded""#), "{}", end.data);
    }
    assert_eq!(server.exit().await, Some(0));
    // All fifty are there after a restart.
    let server = server.restart().await;
    for n in 0..50 {
        let mut stream = stream(&server, &format!("u{n}")).await;
        let recalled = stream.next().await.unwrap();
        assert!(recalled.data.contains(r#""memory":"hit""#), "{n}: {}", recalled.data);
    }
}

#[tokio::test]
async fn a_second_signal_ends_at_once() {
    let slow = ["--set", "simulator.first_token_ms=600000"];
    let mut server = Process::start(&slow).await;
    let mut stream = stream(&server, "ada").await;
    assert_eq!(stream.next().await.unwrap().event, "recalled");
    server.terminate();
    server.until_status("/readyz", 503).await;
    server.terminate();
    assert!(server.exit().await.is_some(), "it ends while a stream is open");
}
