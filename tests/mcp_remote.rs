//! One sundynix serves chat, a second remembers for it over MCP: the whole way of a turn; the
//! second killed: nothing fails, and everything is there once it is back.

use crate::extraction;
use crate::support::{App, Door, Process, http::PATIENCE, spawn_app};
use futures_util::future::join_all;
use serde_json::{Value, json};
use std::time::Duration;
use sundynix::config::UserAs;
use tokio::time::{sleep, timeout};

/// A server that keeps its profiles at `memory`.
async fn chats(memory: &str, user: UserAs) -> App {
    let app = spawn_app(|config| {
        config.memory.mcp.url = format!("{memory}/mcp");
        config.memory.mcp.user = user;
    })
    .await;
    is_up(&app).await;
    app
}

async fn is_up(app: &App) {
    let up = || {
        app.state
            .remote
            .as_ref()
            .is_some_and(|remote| remote.is_up())
    };
    app.until(up).await;
}

/// Waits until all that was said has been delivered.
async fn is_told(app: &App) {
    let told = || {
        app.state
            .remote
            .as_ref()
            .is_some_and(|remote| remote.waiting() == 0)
    };
    app.until(told).await;
}

#[tokio::test]
async fn what_is_said_here_is_remembered_there_and_recalled_here() {
    for user in [UserAs::Argument, UserAs::Header] {
        let memory = spawn_app(|_| {}).await;
        let chat = chats(&memory.base, user).await;
        let done = chat.ask("ada", "My name is Ada.").await.unwrap();
        assert_eq!(done["memory"], "recorded");
        // At once, delivered or not; and the simulator says what it was told.
        let next = chat.ask("ada", "What is my name?").await.unwrap();
        assert_eq!(next["recalled"]["memory"], "hit", "{next}");
        assert!(next["text"].as_str().unwrap().contains("Ada"), "{next}");
        is_told(&chat).await;
        let there = memory.profile("ada").await;
        assert_eq!(there["preferences"]["identity"]["name"], "Ada");
        assert_eq!(there["preferences"].as_object().unwrap().len(), 1);

        // What another one taught it is recalled here too, and so is what was taken back.
        let put = json!({"preferences": {"style": {"tone": "dry"}}});
        memory.call("PUT", "/api/v1/memory", "ada", Some(put)).await;
        let here = chat.profile("ada").await;
        assert_eq!(here["preferences"]["style"]["tone"], "dry", "{here}");
        chat.ask("ada", "Forget my name.").await.unwrap();
        let here = chat.profile("ada").await;
        assert_eq!(here["preferences"], json!({"style": {"tone": "dry"}}));
        is_told(&chat).await;
        let there = memory.profile("ada").await;
        assert_eq!(there["preferences"], json!({"style": {"tone": "dry"}}));
        assert_eq!(memory.profile("bob").await["preferences"], json!({}));
    }
}

#[tokio::test]
async fn an_import_that_teaches_is_told_there_too() {
    let memory = spawn_app(|_| {}).await;
    let chat = chats(&memory.base, UserAs::Argument).await;
    let line = |id: &str, text: &str| {
        let item = json!({"id": id, "ts": "2026-05-01T10:00:00Z", "role": "user", "text": text});
        format!("{item}\n")
    };
    let lines = line("a", "My name is Ada.") + &line("b", "I sail.");
    for expected in [2, 0] {
        let request = chat
            .http
            .post(chat.url("/api/v1/memory/turns?extract=true"))
            .header("x-user-id", "ada")
            .header("content-type", "application/x-ndjson");
        let answer = crate::support::http::send(request.body(lines.clone()))
            .await
            .unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.json::<Value>().await.unwrap()["imported"], expected);
    }
    // At once, delivered or not.
    let here = chat.profile("ada").await;
    assert_eq!(here["preferences"], json!({"identity": {"name": "Ada"}}));
    is_told(&chat).await;
    let there = memory.profile("ada").await;
    assert_eq!(there["preferences"], here["preferences"]);
    let jobs = chat.call("GET", "/api/v1/memory/jobs", "ada", None).await;
    assert_eq!(jobs.json::<Value>().await.unwrap(), json!({"jobs": []}));
}

#[tokio::test]
async fn the_users_own_changes_are_made_there() {
    let memory = spawn_app(|_| {}).await;
    let chat = chats(&memory.base, UserAs::Argument).await;
    let put = json!({"preferences": {"style": {"tone": "dry"}, "language": "中文"}});
    let answer = chat.call("PUT", "/api/v1/memory", "ada", Some(put)).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(
        memory.profile("ada").await["preferences"]["style"]["tone"],
        "dry"
    );
    let gone = chat
        .call("DELETE", "/api/v1/memory/style/tone", "ada", None)
        .await;
    let gone: Value = gone.json().await.unwrap();
    assert_eq!(
        gone["preferences"],
        json!({"general": {"language": "中文"}})
    );
    assert_eq!(
        memory.profile("ada").await["preferences"],
        gone["preferences"]
    );

    let request = chat
        .http
        .put(chat.url("/api/v1/memory"))
        .header("x-user-id", "ada");
    let request = request.header("if-match", "\"1\"");
    let body = json!({"preferences": {"tone": "dry"}});
    let stale = crate::support::http::send(request.json(&body))
        .await
        .unwrap();
    assert_eq!(stale.status(), 400);
    assert!(stale.text().await.unwrap().contains("memory.mcp"));

    chat.ask("ada", "My name is Ada.").await.unwrap();
    let erased = chat.call("DELETE", "/api/v1/memory", "ada", None).await;
    let erased: Value = erased.json().await.unwrap();
    assert_eq!(
        (&erased["turns"], erased["profile"].as_u64() > Some(0)),
        (&json!(1), true)
    );
    assert_eq!(chat.profile("ada").await["preferences"], json!({}));
    assert_eq!(memory.profile("ada").await["preferences"], json!({}));
}

#[tokio::test]
async fn with_the_memory_killed_nothing_fails_and_all_is_there_once_it_is_back() {
    const TURNS: usize = 24;
    let mut memory = Process::start(&[], &[]).await;
    let door = Door::before(memory.addr).await;
    let mcp = format!("memory.mcp={}/mcp", door.base());
    // Recall has time on a busy machine.
    let (debug, patient) = ("telemetry.log=debug", "memory.recall_timeout_ms=60000");
    let set = ["--set", &mcp, "--set", debug, "--set", patient];
    let mut chat = Process::start(&set, &[]).await;
    chat.says("the remote memory is there").await;
    chat.ask("u0", "My name is Ann.").await.unwrap();
    memory.kill().await;

    // Every turn is served, recorded, and marked.
    let asked = (0..TURNS).map(|n| {
        let chat = &chat;
        async move {
            chat.ask(&format!("u{n}"), &format!("I live in Town{n}."))
                .await
        }
    });
    for done in join_all(asked).await {
        let done = done.unwrap();
        assert_eq!(done["memory"], "recorded", "{done}");
    }
    let next = chat.ask("u1", "Where do I live?").await.unwrap();
    assert_eq!(next["recalled"]["memory"], "degraded", "{next}");
    let body = json!({"preferences": {"tone": "dry"}});
    let put = chat.call("PUT", "/api/v1/memory", "u1", Some(body)).await;
    assert_eq!(put.status(), 503, "it is not kept, and that is said");
    let ready: Value = chat.get("/readyz").await.json().await.unwrap();
    assert_eq!(
        (&ready["status"], &ready["degraded"]),
        (&json!("ready"), &json!(["remote_memory"]))
    );

    // This one dies as well; what it acknowledged does not.
    chat.kill().await;
    memory.restart().await;
    door.leads_to(memory.addr);
    chat.restart().await;
    let all_there = async {
        loop {
            let profiles = (0..TURNS).map(|n| format!("u{n}"));
            let profiles = profiles.map(|user| {
                let memory = &memory;
                async move { memory.profile(&user).await }
            });
            let there = join_all(profiles).await;
            let has = |n: &usize| there[*n].to_string().contains(&format!("\"Town{n}\""));
            if (0..TURNS).all(|n| has(&n)) {
                break;
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, all_there)
        .await
        .expect("some of it never arrived");
    let recalled = async {
        loop {
            let next = chat.ask("u3", "Where do I live?").await.unwrap();
            // On a busy machine the other server may miss recall's deadline.
            if next["recalled"]["memory"] == "hit" {
                break next;
            }
        }
    };
    let next = timeout(PATIENCE, recalled).await.expect("no recall");
    assert!(next["text"].as_str().unwrap().contains("Town3"), "{next}");
    assert!(
        !chat.said().contains("Town"),
        "no log line carries what was said"
    );
}

#[tokio::test]
async fn what_a_model_reads_here_is_kept_there() {
    let (memory, reader) = (spawn_app(|_| {}).await, extraction::reader());
    let url = format!("{}/mcp", memory.base);
    let chat = spawn_app(|config| {
        extraction::with(&reader)(config);
        config.memory.mcp.url = url;
    })
    .await;
    is_up(&chat).await;
    let fact = extraction::fact("ADD", "city", "Berlin", "we settled down in Berlin");
    reader.script(extraction::facts(json!([fact])));
    let done = chat
        .ask("ada", "So we settled down in Berlin")
        .await
        .unwrap();
    extraction::idle(&chat);
    extraction::all_read(&chat).await;
    let path = "/api/v1/memory?detail=true";
    let there = extraction::get(&memory, path, "ada").await;
    let city = &there["preferences"]["identity"]["city"];
    assert_eq!(city["value"], "Berlin", "{there}");
    assert_eq!(city["turn"], done["turn_id"]);

    // What is known there is shown to the model here.
    reader.script(extraction::facts(json!([])));
    extraction::say(&chat, "ada", "we are still fond of the place").await;
    let asked = reader.log().chats()[1].clone();
    assert!(extraction::shown(&asked).contains("- identity / city: Berlin"));
}
