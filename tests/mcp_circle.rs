//! Servers that keep profiles for each other: a row of them works, a circle is told at once.

use crate::support::{App, door::Door, spawn_app};
use serde_json::{Value, json};
use std::time::Duration;

const MEMORY: &str = "/api/v1/memory";

/// A server whose profiles the one at `memory` keeps, with much time for everything.
async fn kept_by(memory: String) -> App {
    spawn_app(|config| {
        config.memory.mcp.url = format!("{memory}/mcp");
        config.memory.mcp.timeout_ms = 60_000;
        config.store.ack_timeout_ms = 60_000;
    })
    .await
}

async fn is_up(app: &App) {
    let remote = || app.state.remote.as_ref();
    app.until(|| remote().is_some_and(|remote| remote.is_up()))
        .await;
}

#[tokio::test]
async fn a_row_of_servers_works() {
    let end = spawn_app(|_| {}).await;
    let middle = kept_by(end.base.clone()).await;
    let first = kept_by(middle.base.clone()).await;
    is_up(&middle).await;
    is_up(&first).await;
    let put = json!({"preferences": {"tone": "warm"}});
    let told = first.call("PUT", MEMORY, "ada", Some(put)).await;
    assert_eq!(told.status(), 200);
    let there = end.call("GET", MEMORY, "ada", None).await;
    let there: Value = there.json().await.unwrap();
    assert_eq!(there["preferences"]["general"]["tone"], "warm", "{there}");
}

#[tokio::test]
async fn a_circle_is_told_at_once() {
    let nobody = "127.0.0.1:9".parse().unwrap();
    let door = Door::before(nobody).await;
    let two = kept_by(door.base()).await;
    let one = kept_by(two.base.clone()).await;
    door.leads_to(one.addr);
    is_up(&one).await;
    is_up(&two).await;
    let asking = async {
        let put = json!({"preferences": {"tone": "warm"}});
        for (method, body) in [("GET", None), ("PUT", Some(put)), ("DELETE", None)] {
            for app in [&one, &two] {
                let told = app.call(method, MEMORY, "ada", body.clone()).await;
                assert!(told.status().is_server_error(), "{method}");
            }
        }
    };
    // Each of these would take the minute that a call may take.
    let in_time = tokio::time::timeout(Duration::from_secs(50), asking).await;
    in_time.expect("it does not wait for a deadline");
}
