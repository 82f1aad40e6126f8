//! An erase that is asked for while the store is down is kept beside the turns that wait, and done
//! before the store is used again: over a kill, in its place among what is said, and once.

use crate::support::{Client, Process, http::send, postgres::Postgres, server::until, store::*};
use serde_json::{Value, json};
use sundynix::{
    memory::Ack,
    store::{Command, Done},
};
use tokio::sync::oneshot;

const SENTINEL: &str = "Zanzibar";

async fn erase(server: &Client, user: &str, head: (&str, &str)) -> (u16, Value) {
    let request = server.http.delete(server.url("/api/v1/memory"));
    let request = request.header("x-user-id", user).header(head.0, head.1);
    let answer = send(request).await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

async fn said(server: &Client, user: &str, text: &str) -> Value {
    server.ask_briefly(user, text).await.unwrap()["memory"].clone()
}

#[tokio::test]
async fn it_waits_over_a_kill_and_nothing_that_was_said_before_comes_back() {
    let mut database = Postgres::start(true);
    let url = database.database();
    let env = [
        ("SUNDYNIX_STORE__URL", &*url),
        ("SUNDYNIX_STORE__ACK_TIMEOUT_MS", "2000"),
    ];
    let mut server = Process::start(&[], &env).await;
    let live = format!("I live in {SENTINEL}.");
    for user in ["ada", "bob"] {
        assert_eq!(said(&server, user, &live).await, "recorded");
    }
    database.stop();
    let name = format!("My name is {SENTINEL}.");
    assert_eq!(said(&server, "ada", &name).await, "degraded");
    assert_eq!(
        said(&server, "bob", "It rains in Helsinki.").await,
        "degraded"
    );

    let stale = erase(&server, "ada", ("if-match", "\"1\"")).await;
    assert_eq!(stale.0, 503, "nobody knows the version");
    let actor = ("x-sundynix-actor", "helpdesk");
    let pending = json!({"status": "pending", "spool": 1, "tasks": 0});
    assert_eq!(erase(&server, "ada", actor).await, (202, pending));
    let spool = std::fs::read(server.dir.path().join("data/spool")).unwrap();
    let holds = |what: &str| spool.windows(what.len()).any(|w| w == what.as_bytes());
    assert!(!holds(SENTINEL) && holds("Helsinki"));
    for path in ["", "/turns", "/history", "/export", "/settings"] {
        let path = format!("/api/v1/memory{path}");
        assert_eq!(server.call("GET", &path, "ada", None).await.status(), 503);
    }
    let params = json!({"name": "memory_delete", "arguments": {"everything": true}});
    let request = server
        .http
        .post(server.url("/mcp"))
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", "2025-11-25")
        .header("x-user-id", "eve");
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
    let answer = send(request.json(&body)).await.unwrap();
    let answer: Value = answer.json().await.unwrap();
    assert_eq!(
        answer["result"]["structuredContent"]["pending"], true,
        "{answer}"
    );
    // From here on she is somebody new.
    assert_eq!(said(&server, "ada", "I live in Oslo.").await, "degraded");

    server.kill().await;
    database.restart();
    server.restart().await;
    loop {
        let ready: Value = server.get("/readyz").await.json().await.unwrap();
        if ready["degraded"] == json!([]) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let turns = async |user: &str| {
        let turns = server.call("GET", "/api/v1/memory/turns", user, None).await;
        let turns: Value = turns.json().await.unwrap();
        let turns = turns["turns"].as_array().unwrap().iter();
        turns.map(|turn| turn["query"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(turns("ada").await, ["I live in Oslo."]);
    assert_eq!(turns("bob").await, ["It rains in Helsinki.", &live]);
    let profile = server.profile("ada").await;
    let text = profile.to_string();
    assert!(text.contains("Oslo") && !text.contains(SENTINEL), "{text}");
    let export = server
        .call("GET", "/api/v1/memory/export", "ada", None)
        .await;
    assert!(!export.text().await.unwrap().contains(SENTINEL));
    let audit: Value = server
        .get("/api/v1/audit?user=ada")
        .await
        .json()
        .await
        .unwrap();
    let noted = audit["audit"].as_array().unwrap();
    assert_eq!((noted.len(), &noted[0]["action"]), (1, &json!("erase all")));
    let (status, receipt) = erase(&server, "ada", actor).await;
    assert_eq!((status, &receipt["turns"]), (200, &json!(1)));
}

#[tokio::test]
async fn it_is_done_once_and_bars_what_began_before_it() {
    let mut server = Postgres::start(false);
    let mut place = Place::new(server.database());
    place.config.store.ack_timeout_ms = 1_000;
    let open = place.open();
    let kept = open
        .keep(turn("ada", "t", "My name is Ada.", "Hi", now()))
        .await;
    assert_eq!(kept, recorded("t"));
    let before = now();
    server.stop();
    let first = open
        .keep(turn("ada", "u", "My name is Bea.", "Hi", now()))
        .await;
    assert_eq!(first, Ack::Spooled);
    let (reply, answer) = oneshot::channel();
    open.store.enqueue(Command::Privacy(erasing("ada"), reply));
    let pending = answer.await.unwrap();
    assert!(matches!(pending, Ok(Done::ErasePending(1))), "{pending:?}");
    // A stream that ends now, and one that begins.
    let late = turn("ada", "late", "My name is Cid.", "Hi", before);
    assert_eq!(open.keep(late).await, Ack::Off);
    let new = turn("ada", "new", "My name is Dan.", "Hi", now() + 5);
    assert_eq!(open.keep(new).await, Ack::Spooled);
    let spool = place.config.server.data.join("spool");
    let waiting = std::fs::read(&spool).unwrap();
    server.restart();
    until(|| !open.store.is_down()).await;
    let there = |id: &str| (id.to_owned(), "Hi".to_owned());
    assert_eq!(open.turns("ada").await, [there("new")]);
    assert_eq!(
        value(&open.cold("ada").await, "name").as_deref(),
        Some("Dan")
    );
    let next = turn("ada", "next", "Hello", "Hi", now() + 10);
    assert_eq!(open.keep(next).await, recorded("next"));
    drop(open);
    // As if the replayed spool could not be emptied: it is replayed once more.
    std::fs::write(&spool, waiting).unwrap();
    let open = place.open();
    until(|| !open.store.is_down()).await;
    assert_eq!(open.turns("ada").await, [there("new"), there("next")]);
}
