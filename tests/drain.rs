//! Drain: SIGTERM lets what runs run to its end, says so to balancers, loses nothing and exits 0;
//! a second signal ends at once.

use crate::support::{Events, Process};
use futures_util::future::join_all;
use serde_json::{Value, json};

const STREAMS: usize = 50;

/// So slow that all streams are open when the signal comes.
const PACE: [&str; 6] = [
    "--set",
    "simulator.first_token_ms=500",
    "--set",
    "simulator.token_ms=20",
    "--set",
    "server.drain_wait_ms=300",
];

async fn stream(server: &Process, user: &str) -> Events {
    let mut stream = server.task(user, json!({"query": "hi"})).await.unwrap();
    // Where nothing comes for seconds, a sign of life does.
    let first = stream.next().await.unwrap();
    let alive = first.name == "recalled" || !first.comments.is_empty();
    assert!(alive, "{first:?}");
    stream
}

/// What was recalled: the first event that is no sign of life.
async fn recalled(stream: &mut Events) -> Value {
    loop {
        let event = stream.next().await.unwrap();
        if event.name == "recalled" {
            return event.json();
        }
        assert!(event.data.is_empty(), "{event:?}");
    }
}

/// Waits until readiness says that it drains; what it answered.
async fn drains(server: &Process) -> String {
    loop {
        let ready = server.get("/readyz").await;
        if ready.status() == 503 {
            return ready.text().await.unwrap();
        }
    }
}

#[tokio::test]
async fn fifty_streams_complete_and_nothing_is_lost() {
    let mut server = Process::start(&PACE, &[]).await;
    let users: Vec<_> = (0..STREAMS).map(|n| format!("u{n}")).collect();
    let streams = join_all(users.iter().map(|user| stream(&server, user))).await;
    server.signal("TERM");
    let ready = drains(&server).await;
    assert!(ready.contains("draining"), "{ready}");
    for end in join_all(streams.into_iter().map(Events::all)).await {
        let end = end.last().unwrap();
        assert_eq!(end.name, "done", "{end:?}");
        assert_eq!(end.json()["memory"], "recorded");
    }
    assert_eq!(server.ended().await, Some(0), "{}", server.said());
    server.restart().await;
    for user in &users {
        let mut stream = server.task(user, json!({"query": "again"})).await.unwrap();
        let recalled = recalled(&mut stream).await;
        assert_eq!(recalled["items"].as_array().unwrap().len(), 1, "{recalled}");
    }
}

#[tokio::test]
async fn a_detached_task_is_waited_for_as_well() {
    let mut server = Process::start(&PACE, &[]).await;
    let task = server
        .call("POST", "/api/v1/tasks", "ada", Some(json!({"query": "hi"})))
        .await;
    assert_eq!(task.status(), 202);
    server.signal("TERM");
    drains(&server).await;
    assert_eq!(server.ended().await, Some(0), "{}", server.said());
    server.restart().await;
    let mut stream = server.task("ada", json!({"query": "again"})).await.unwrap();
    let recalled = recalled(&mut stream).await;
    assert_eq!(
        recalled["items"].as_array().unwrap().len(),
        1,
        "it ran to its end and is kept"
    );
}

#[tokio::test]
async fn a_second_signal_ends_at_once() {
    let slow = ["--set", "simulator.first_token_ms=600000"];
    let mut server = Process::start(&slow, &[]).await;
    let _stream = stream(&server, "ada").await;
    server.signal("TERM");
    drains(&server).await;
    server.signal("TERM");
    // It ends although a stream is open that would go on for minutes.
    server.ended().await;
}
